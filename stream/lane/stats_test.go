package lane

import (
	"testing"
	"time"
)

func TestRestoreProgress(t *testing.T) {
	var s Stats
	at := time.Unix(1_000_000, 0)
	if p := s.restored(3, 100, at); p != (Progress{Left: 100}) {
		t.Errorf("%+v before anything was read", p)
	}
	s.restored(3, 80, at.Add(2*time.Second))
	s.restored(3, 75, at.Add(5*time.Second)) // 25 in 5 s
	if p := s.RestoreProgress()[3]; p != (Progress{75, 15 * time.Second}) {
		t.Errorf("%+v, want 75 offsets and 15 s", p)
	}
	s.restored(3, 0, at.Add(6*time.Second))
	if p := s.RestoreProgress()[3]; p != (Progress{}) {
		t.Errorf("%+v at the end", p)
	}
	s.restoreOver(3)
	if left := s.RestoreProgress(); len(left) != 0 {
		t.Errorf("%v after the end", left)
	}
}
