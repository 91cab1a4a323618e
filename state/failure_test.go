package state

import (
	"errors"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"tributary/identity"
	"tributary/schemas"
)

// fill commits facts until the memory table is full, or the store has failed.
func fill(s *Store) {
	done := make(chan struct{})
	go func() { // a disk that is full holds up who writes
		defer close(done)
		for k := range 20 {
			b := s.NewBatch()
			for i := range 2_000 {
				f := at(schemas.Millis(k*2_000 + i + 1))
				f.Event = identity.EventKeyOf(strings.Repeat("x", i))
				b.Rows(0).PutFact(cookie, f)
			}
			b.Changes()
			if b.Commit(nil) != nil {
				return
			}
		}
	}()
	select {
	case <-done:
	case <-time.After(2 * time.Second):
	}
}

// A disk that takes no more, wherever the engine meets it, is told to whoever waits for it; the process goes on to say so.
func TestAFullDiskIsTold(t *testing.T) {
	for name, full := range map[string]func(errorfs.Op) bool{
		"tables": func(op errorfs.Op) bool { return op.Kind == errorfs.OpFileWrite && strings.HasSuffix(op.Path, ".sst") },
		"manifest": func(op errorfs.Op) bool {
			return op.Kind == errorfs.OpFileWrite && strings.Contains(op.Path, "MANIFEST")
		},
	} {
		t.Run(name, func(t *testing.T) {
			toggle := &errorfs.Toggle{Injector: errorfs.InjectorFunc(func(op errorfs.Op) error {
				if full(op) {
					return syscall.ENOSPC
				}
				return nil
			})}
			o := smallOptions(errorfs.Wrap(vfs.NewMem(), toggle))
			o.NoWAL = true
			s, err := Open("data", o)
			must(t, err)
			toggle.On()
			fill(s)
			select {
			case err := <-s.Failed():
				if !strings.Contains(err.Error(), syscall.ENOSPC.Error()) || errors.Is(err, ErrDamaged) {
					t.Errorf("it said %v", err)
				}
			case <-time.After(20 * time.Second):
				t.Fatal("it said nothing")
			}
			toggle.Off() // the engine tries its tables again and again, and may now have its peace
		})
	}
}

// A damaged table is told to who reads it and to who waits for it.
func TestDamageIsTold(t *testing.T) {
	fs := vfs.NewMem()
	s, err := Open("data", smallOptions(fs))
	must(t, err)
	fill(s)
	must(t, s.Close())
	files, err := fs.List("data")
	must(t, err)
	for _, name := range files {
		if strings.HasSuffix(name, ".sst") {
			flip(t, fs, "data/"+name)
		}
	}
	s, err = Open("data", smallOptions(fs))
	if err == nil {
		defer s.Close()
		b := s.NewBatch()
		defer b.Close()
		b.Rows(0).Facts(cookie)
		if b.Err() == nil {
			t.Error("damaged facts were read")
		}
		err = <-s.Failed()
	}
	if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), ".sst") {
		t.Errorf("it said %v", err)
	}
}

// flip turns over the second quarter of a file.
func flip(t *testing.T, fs vfs.FS, name string) {
	t.Helper()
	file, err := fs.Open(name)
	must(t, err)
	data, err := io.ReadAll(file)
	must(t, err)
	must(t, file.Close())
	for i := len(data) / 4; i < len(data)/2; i++ {
		data[i] ^= 0xFF
	}
	file, err = fs.Create(name, vfs.WriteCategoryUnspecified)
	must(t, err)
	_, err = file.Write(data)
	must(t, err)
	must(t, file.Close())
}
