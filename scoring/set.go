package scoring

import (
	"errors"
	"fmt"
)

// Named is a model under the name that it has in the attribution record.
type Named struct {
	Name  string
	Model Model
}

// DefaultSpecs are the models of settings that name none.
func DefaultSpecs() []Spec {
	return []Spec{
		{Type: "first_touch"},
		{Type: "last_touch"},
		{Type: "last_non_direct"},
		{Type: "linear"},
		{Type: "position_based"},
		{Type: "time_decay"},
	}
}

// ValidateAll returns a Fault for everything that is wrong with a list of models; the field names say which model, such
// as "models[2].half_life". Names must be unique. An empty list is right: it stands for DefaultSpecs.
func ValidateAll(specs []Spec) []error {
	_, faults := buildAll(specs)
	return faults
}

// NewAll makes the models of a valid list in its order, or of DefaultSpecs when it is empty. Otherwise the error joins
// what ValidateAll returns.
func NewAll(specs []Spec) ([]Named, error) {
	models, faults := buildAll(specs)
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return models, nil
}

func buildAll(specs []Spec) ([]Named, []error) {
	if len(specs) == 0 {
		specs = DefaultSpecs()
	}
	var all faults
	var models []Named
	seen := map[string]int{}
	for i, spec := range specs {
		model, faults := spec.build()
		for _, err := range faults {
			fault := err.(Fault)
			all.add(fmt.Sprintf("models[%d].%s", i, fault.Field), fault.Value, fault.Rule)
		}
		name := spec.name()
		if before, ok := seen[name]; ok && name != "" {
			all.add(fmt.Sprintf("models[%d].name", i), name, fmt.Sprintf("must be unique; models[%d] has it too", before))
		}
		seen[name] = i
		models = append(models, Named{name, model})
	}
	return models, all
}
