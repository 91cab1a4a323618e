package service

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tributary/stream/kafkatest"
)

// Whatever happens to the files of a store while nobody looks: the service says which directory is damaged and what to do, and
// once that is done nothing is lost. It never goes on with less than it had.
func TestDamagedStateIsNamed(t *testing.T) {
	for name, damage := range map[string]func(t *testing.T, dir string){
		"bytes of a table flipped": func(t *testing.T, dir string) {
			rewrite(t, dir, "*.sst", func(data []byte) []byte {
				for at := len(data) / 4; at < len(data)*3/4; at++ {
					data[at] ^= 0xFF
				}
				return data
			})
		},
		"a table cut": func(t *testing.T, dir string) {
			rewrite(t, dir, "*.sst", func(data []byte) []byte { return data[:len(data)/2] })
		},
		"a table gone":      func(t *testing.T, dir string) { rewrite(t, dir, "*.sst", func([]byte) []byte { return nil }) },
		"the manifest gone": func(t *testing.T, dir string) { rewrite(t, dir, "MANIFEST-*", func([]byte) []byte { return nil }) },
		"the manifest noise": func(t *testing.T, dir string) {
			rewrite(t, dir, "MANIFEST-*", func(data []byte) []byte { return []byte(strings.Repeat("noise", 100)) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := limit(t, time.Minute)
			u := newRun(t, kafkatest.StartFake(t, kafkatest.Options{}), seeds(t, 1)[0], 80, 1)
			i := u.instances[0]
			i.start()
			u.feed(ctx, len(u.queue)/2)
			u.rest(ctx)
			i.leave()
			damage(t, i.dir)
			err := i.begin()
			if err == nil {
				u.feed(ctx, len(u.queue)/2)
				select {
				case err = <-i.ended:
				case <-time.After(10 * time.Second):
					err = errors.New("it goes on")
				}
				i.ended <- err
				i.bury()
			}
			for _, want := range []string{i.dir, "changelog"} {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, which does not say %q", err, want)
				}
			}
			t.Log(err)
			i.lose()
			i.start()
			u.feed(ctx, len(u.queue))
			u.check(ctx, u.want, u.rules)
		})
	}
}

// rewrite changes the files of a directory that match; nil deletes them.
func rewrite(t *testing.T, dir, pattern string, change func([]byte) []byte) {
	t.Helper()
	found := 0
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if match, _ := filepath.Match(pattern, entry.Name()); err != nil || !match {
			return err
		}
		found++
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if data = change(data); data == nil {
			return os.Remove(path)
		}
		return os.WriteFile(path, data, 0o644)
	})
	if err != nil || found == 0 {
		t.Fatalf("%d files match %s: %v", found, pattern, err)
	}
}
