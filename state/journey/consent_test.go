package journey

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"tributary/schemas"
)

func TestPermitted(t *testing.T) {
	yes := func(id string, at schemas.Millis) Consent { return Consent{EventID: id, At: at, Granted: true} }
	no := func(id string, at schemas.Millis) Consent { return Consent{EventID: id, At: at} }
	for _, test := range []struct {
		name     string
		consents []Consent
		want     string // for touches at 10, 20, 30 and 40
	}{
		{"nobody said anything", nil, "[10 20 30 40]"},
		{"withdrawn from 20 on", []Consent{no("a", 20)}, "[10]"},
		{"withdrawn between two touches", []Consent{no("a", 25)}, "[10 20]"},
		{"withdrawn and given again", []Consent{yes("b", 35), no("a", 15)}, "[10 40]"},
		{"at one time the withdrawal counts", []Consent{no("a", 20), yes("b", 20)}, "[10]"},
		{"one event with two times is the earlier", []Consent{no("a", 30), no("a", 15)}, "[10]"},
		{"given only", []Consent{yes("a", 25)}, "[10 20 30 40]"},
	} {
		var touches []Touch
		for at := schemas.Millis(10); at <= 40; at += 10 {
			touches = append(touches, Touch{EventID: fmt.Sprint(at), At: at})
		}
		permitted, withheld := Permitted(touches, test.consents)
		var at []int
		for _, p := range permitted {
			at = append(at, int(p.At))
		}
		if fmt.Sprint(at) != test.want || len(permitted)+len(withheld) != len(touches) {
			t.Errorf("%s: %v are permitted, want %v", test.name, at, test.want)
		}
	}
}

// The same, by asking for every touch what the last word before it was.
func TestPermittedAsNaive(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 5000 {
		var touches []Touch
		for i := range rng.IntN(8) {
			touches = append(touches, Touch{EventID: fmt.Sprint(rng.IntN(1 + i)), At: schemas.Millis(rng.IntN(10)), Consented: rng.IntN(5) == 0, Content: []byte{byte(i)}})
		}
		var consents []Consent
		for range rng.IntN(6) {
			granted := rng.IntN(2) == 0
			consents = append(consents, Consent{EventID: fmt.Sprint("c", rng.IntN(4)), At: schemas.Millis(rng.IntN(10)), Granted: granted,
				Content: fmt.Append(nil, granted)})
		}
		var want []Touch
		for _, e := range naiveJourney(touches, nil) {
			touch := *e.touch
			if len(consents) == 0 {
				break
			}
			if touch.Consented || naiveWord(touch.At, consents) {
				want = append(want, touch)
			}
		}
		got, _ := Permitted(touches, consents)
		if len(consents) == 0 {
			want = touches
		}
		if len(got)+len(want) > 0 && !reflect.DeepEqual(got, want) {
			t.Fatalf("seed %d: touches %+v, consents %+v: got %+v, want %+v", seed, touches, consents, got, want)
		}
	}
}

func naiveWord(at schemas.Millis, consents []Consent) bool {
	granted, since := true, schemas.Millis(-1)
	for _, c := range consents {
		counts := c.At <= at
		for _, o := range consents { // another delivery of the event that is smaller
			if o.EventID == c.EventID && (o.At < c.At || o.At == c.At && string(o.Content) < string(c.Content)) {
				counts = false
			}
		}
		if counts && (c.At > since || c.At == since && !c.Granted) {
			granted, since = c.Granted, c.At
		}
	}
	return granted
}
