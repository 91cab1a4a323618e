package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// rooms are the folders of the project, each with those of ours that it may import. Data goes one way.
var rooms = map[string][]string{
	"schemas":  {},
	"identity": {"schemas"},
	"scoring":  {"schemas"},
	"state":    {"schemas", "identity", "scoring"},
	"stream":   {"schemas", "identity", "scoring", "state"},
	"cmd":      {"schemas", "identity", "scoring", "state", "stream"},
}

// pure are the packages that decide: they open nothing, start nothing, ask no clock and no dice.
var pure = []string{"schemas", "identity", "scoring", "state/journey", "stream/attribution", "stream/ingest", "stream/channels"}

// homes are the libraries that only one folder may know.
var homes = map[string]string{
	"github.com/nyaruka/phonenumbers":             "identity",
	"github.com/cockroachdb/pebble":               "state",
	"github.com/twmb/franz-go":                    "stream",
	"github.com/prometheus/client_golang":         "stream/metrics",
	"github.com/testcontainers/testcontainers-go": "stream/kafkatest",
}

// tools of the standard library that deciding code must not import.
var acting = []string{"os", "net", "net/http", "math/rand", "math/rand/v2", "crypto/rand", "os/exec", "log", "log/slog"}

// exceptions are the files that may, and why.
var exceptions = map[string]string{
	"identity/keyfile.go": "reads the key's file, once, for whoever starts the program",
}

func TestImportsGoOneWay(t *testing.T) {
	root := "../.."
	files := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && d.Name() != "..") && path != root {
			return fs.SkipDir
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		files++
		checkImports(t, filepath.ToSlash(rel), path)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 100 {
		t.Errorf("only %d files were looked at", files)
	}
}

func checkImports(t *testing.T, name, path string) {
	src, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	file, err := parser.ParseFile(token.NewFileSet(), name, src, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	room, _, _ := strings.Cut(name, "/")
	folder := name[:strings.LastIndex(name, "/")]
	test := strings.HasSuffix(name, "_test.go")
	for _, spec := range file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		if ours, ok := strings.CutPrefix(imported, "tributary/"); ok {
			other, _, _ := strings.Cut(ours, "/")
			if other != room && !slices.Contains(rooms[room], other) {
				t.Errorf("%s imports %s: %s may import only %v", name, imported, room, rooms[room])
			}
		}
		for library, home := range homes {
			if strings.HasPrefix(imported, library) && folder != home && !strings.HasPrefix(folder, home+"/") {
				t.Errorf("%s imports %s, whose home is %s", name, imported, home)
			}
		}
		if !test && slices.Contains(pure, folder) && slices.Contains(acting, imported) && exceptions[name] == "" {
			t.Errorf("%s imports %s: %s only decides", name, imported, folder)
		}
	}
}
