package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"tributary/stream/settings"
)

// The settings in the manifest and the variables in manifest, compose file and image are settings of this release.
func TestDeployedSettingsAreSettings(t *testing.T) {
	environ := map[string]string{"TRIBUTARY_IDENTITY_KEY": "secret"}
	manifest := documents(t, "../../deploy/kubernetes/tributary.yaml")
	if len(manifest) < 4 {
		t.Fatalf("%d documents", len(manifest))
	}
	for _, d := range manifest {
		collect(d, environ)
	}
	for _, d := range documents(t, "../../deploy/compose.yaml") {
		collect(d, environ)
	}
	for _, line := range strings.Fields(read(t, "../../deploy/Dockerfile")) {
		if name, value, ok := strings.Cut(line, "="); ok && strings.HasPrefix(name, "TRIBUTARY_") {
			environ[name] = value
		}
	}
	var pairs []string
	for name, value := range environ {
		pairs = append(pairs, name+"="+value)
	}
	var file string
	for _, d := range manifest {
		if data, ok := d["data"].(map[string]any); ok {
			file, _ = data["tributary.yaml"].(string)
		}
	}
	if file == "" {
		t.Fatal("the manifest has no settings")
	}
	path := filepath.Join(t.TempDir(), "tributary.yaml")
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	loaded, err := settings.Open(path, pairs, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(loaded.Warnings) > 0 {
		t.Error(loaded.Warnings)
	}
	if loaded.State.Dir != "/data" || loaded.HTTP.Listen != ":8080" {
		t.Errorf("state in %s, listening on %s", loaded.State.Dir, loaded.HTTP.Listen)
	}
}

// collect finds the variables of containers: {name, value} pairs, and compose's maps.
func collect(v any, into map[string]string) {
	switch v := v.(type) {
	case map[string]any:
		if name, ok := v["name"].(string); ok && strings.HasPrefix(name, "TRIBUTARY_") {
			into[name] = "set"
		}
		for key, value := range v {
			if text, ok := value.(string); ok && strings.HasPrefix(key, "TRIBUTARY_") {
				into[key] = text
			}
			collect(value, into)
		}
	case []any:
		for _, item := range v {
			collect(item, into)
		}
	}
}

func documents(t *testing.T, path string) (all []map[string]any) {
	decoder := yaml.NewDecoder(bytes.NewReader([]byte(read(t, path))))
	for {
		var d map[string]any
		switch err := decoder.Decode(&d); err {
		case nil:
			all = append(all, d)
		case io.EOF:
			return all
		default:
			t.Fatalf("%s: %v", path, err)
		}
	}
}

func read(t *testing.T, path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
