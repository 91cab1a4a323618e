// Package shareddata finds the data sets that others published and that tests hold their answers against. They are no part
// of the repository: they lie beside it, in ../shared/data, or where TRIBUTARY_SHARED/data says. Only tests import it.
package shareddata

import (
	"os"
	"path/filepath"
	"testing"
)

// Path is that of a file or folder of the data sets, such as "july2018/attribution_data.csv". Where it is missing the test
// is skipped, loudly; in CI it fails.
func Path(t testing.TB, name string) string {
	t.Helper()
	dir := os.Getenv("TRIBUTARY_SHARED")
	if dir == "" {
		dir = filepath.Join(repository(t), "..", "shared")
	}
	path := filepath.Join(dir, "data", name)
	_, err := os.Stat(path)
	switch {
	case err == nil:
	case os.Getenv("CI") == "true":
		t.Fatalf("MISSING DATA: %v (TRIBUTARY_SHARED names the folder that holds data/)", err)
	default:
		t.Skipf("MISSING DATA, NOTHING CHECKED: %v (TRIBUTARY_SHARED names the folder that holds data/)", err)
	}
	return path
}

// repository is the folder of go.mod, above the package that is tested.
func repository(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for dir != filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		dir = filepath.Dir(dir)
	}
	t.Fatal("no go.mod above the test")
	return ""
}
