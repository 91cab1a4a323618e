package lane

import (
	"errors"
	"testing"
)

// A partition is nobody's when no lane owns it and no transaction holds it: of two owners and a holder, the last to let go
// decides.
func TestGateKnowsWhatIsNobodys(t *testing.T) {
	g := NewGate()
	wrong := errors.New("wrong")
	nobodys := func(want bool, when string) {
		t.Helper()
		if err := g.IfNobodys(3, func() error { return wrong }); errors.Is(err, wrong) != want {
			t.Errorf("%s: it is nobody's: %t", when, !want)
		}
	}
	nobodys(true, "at first")
	g.own(3)
	g.own(3) // before the lane that had it has let it go
	g.disown(3)
	nobodys(false, "one owner is left")
	g.hold(3)
	g.disown(3)
	nobodys(false, "a transaction is open")
	g.own(4)
	g.release(map[int32]struct{}{3: {}})
	nobodys(true, "at last")
}
