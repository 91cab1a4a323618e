package channels

import (
	_ "embed"
	"sync"

	"tributary/stream/yamldoc"
)

//go:embed standard.yaml
var standardText []byte

// Standard is a fresh copy of the rules that ship with Tributary.
func Standard() []Rule {
	return append([]Rule(nil), standard()...)
}

var standard = sync.OnceValue(func() []Rule {
	var file struct {
		Rules []Rule `yaml:"rules"`
	}
	if _, err := yamldoc.Decode("standard.yaml", standardText, &file); err != nil {
		panic(err) // a test reads it
	}
	return file.Rules
})
