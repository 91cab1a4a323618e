package schemas

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// compiled are the schemas, by the address of their first byte.
var compiled = map[*byte]*jsonschema.Schema{}

// validate asks a schema about a JSON text. A text that is not JSON for the schema's reader is refused.
func validate(t testing.TB, schema []byte, text string) error {
	t.Helper()
	s := compiled[&schema[0]]
	if s == nil {
		document, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
		if err != nil {
			t.Fatal(err)
		}
		compiler := jsonschema.NewCompiler()
		compiler.AssertFormat()
		if err := compiler.AddResource("schema.json", document); err != nil {
			t.Fatal(err)
		}
		if s, err = compiler.Compile("schema.json"); err != nil {
			t.Fatal(err)
		}
		compiled[&schema[0]] = s
	}
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		return err
	}
	return s.Validate(value)
}

// Every event and record that this package writes is what the schemas say.
func TestSchemasAllowWhatIsWritten(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 4))
	for range 300 {
		e, a := randomEvent(random), randomAttribution(random)
		if line := e.Encode(nil); validate(t, EventSchema, string(line)) != nil {
			t.Fatalf("%s\n%v", line, validate(t, EventSchema, string(line)))
		}
		if line := a.Encode(nil); validate(t, AttributionSchema, string(line)) != nil {
			t.Fatalf("%s\n%v", line, validate(t, AttributionSchema, string(line)))
		}
	}
}

// The words in the schemas are the constants of the package.
func TestSchemasNameTheSameWords(t *testing.T) {
	var event struct {
		Properties struct {
			Type struct{ Enum []EventType }
		}
		Defs struct {
			Currency struct{ Enum []*string }
		} `json:"$defs"`
	}
	var attribution struct {
		Properties struct {
			Change       struct{ Enum []Change }
			Cause        struct{ Examples []Cause }
			Status       struct{ Enum []Status }
			Unattributed struct {
				Properties struct {
					Reason struct{ Examples []Unattributed }
				}
			}
		}
	}
	if err := json.Unmarshal(EventSchema, &event); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(AttributionSchema, &attribution); err != nil {
		t.Fatal(err)
	}
	var codes []string
	for _, code := range event.Defs.Currency.Enum {
		if code != nil && *code != "" {
			codes = append(codes, *code)
		}
	}
	p := attribution.Properties
	for name, same := range map[string]bool{
		"type":         slices.Equal(event.Properties.Type.Enum, EventTypes),
		"currency":     slices.Equal(codes, Currencies()),
		"change":       slices.Equal(p.Change.Enum, Changes),
		"cause":        slices.Equal(p.Cause.Examples, Causes),
		"status":       slices.Equal(p.Status.Enum, Statuses),
		"unattributed": slices.Equal(p.Unattributed.Properties.Reason.Examples, UnattributedReasons),
	} {
		if !same {
			t.Errorf("%s differs between schema and package", name)
		}
	}
}

func TestAttributionSchemaRefuses(t *testing.T) {
	a := orderOf1001()
	good := string(a.Encode(nil))
	for _, change := range [][2]string{
		{`"revision":3,`, ``},
		{`"revision":3`, `"revision":0`},
		{`"RESTATEMENT"`, `"CHANGED"`},
		{`"RESTATEMENT"`, `"RETRACTION"`},
		{`"provisional"`, `"retracted"`},
		{`"share":0.5`, `"share":1.5`},
		{`"39.95"`, `39.95`},
		{`"unattributed":null`, `"unattributed":{"reason":"refunded"}`},
		{`10:00:00.250Z`, `10:00:00Z`},
	} {
		bad := strings.Replace(good, change[0], change[1], 1)
		if bad == good || validate(t, AttributionSchema, bad) == nil {
			t.Errorf("%s instead of %s is allowed", change[1], change[0])
		}
	}
}
