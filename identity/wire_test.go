package identity

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"reflect"
	"testing"

	"google.golang.org/protobuf/proto"

	"tributary/schemas"
	"tributary/schemas/tributarypb"
)

// randomMessage fills every field that a message can have, some of the time.
func randomMessage(r *rand.Rand) Message {
	m := Message{Kind: Kind(1 + r.IntN(int(KindLeave))), Time: schemas.Millis(r.Int64N(2e12)), Last: schemas.Millis(r.Int64N(2e12)),
		Tried: r.IntN(5) - 1, Gone: r.IntN(2) == 0, Fresh: r.IntN(2) == 0, Cause: Cause(r.IntN(9))}
	if m.ToConversion() {
		m.Conversion = "order-" + string(rune('a'+r.IntN(26)))
	} else {
		m.To = randomRef(r)
	}
	m.IDs = randomIDs(r)
	if m.Kind == KindEvent {
		m.IDs = append(m.IDs, m.To.ID)
		m.Index = len(m.IDs) - 1
	}
	if r.IntN(2) == 0 {
		m.From, m.Origin, m.Absorbed, m.Request = randomRef(r), randomID(r), randomRef(r), "forget-1"
	}
	if m.Kind == KindConversion {
		m.Statement = &Statement{EventID: "e1", Refund: r.IntN(2) == 0, At: 5, Name: "purchase",
			Amount: schemas.Money{Minor: r.Int64N(1e15), Currency: "USD"}}
	}
	if m.Kind == KindHome || r.IntN(3) == 0 {
		h := randomHeld(r)
		m.Held = &h
	}
	for range r.IntN(3) {
		f := randomFact(r)
		m.Facts = append(m.Facts, f)
		m.Helds = append(m.Helds, randomHeld(r))
		m.Members = append(m.Members, randomRef(r))
	}
	if m.Kind == KindLeave {
		m.Members = []Ref{randomRef(r)}
	}
	if m.Kind == KindKeep || r.IntN(3) == 0 {
		f := randomFact(r)
		m.Fact = &f
	}
	return m
}

func randomID(r *rand.Rand) (id ID) {
	for i := range id {
		id[i] = byte(1 + r.IntN(255))
	}
	return id
}

func randomIDs(r *rand.Rand) (ids []ID) {
	for range r.IntN(4) {
		ids = append(ids, randomID(r))
	}
	return ids
}

func randomRef(r *rand.Rand) Ref { return Ref{randomID(r), uint32(r.IntN(3))} }

func randomFact(r *rand.Rand) Fact {
	return Fact{Event: EventKeyOf("e"), At: schemas.Millis(r.Int64N(2e12)), IDs: append(randomIDs(r), randomID(r)), Home: randomID(r), Body: []byte("body"), Standing: r.IntN(4) == 0}
}

func randomHeld(r *rand.Rand) Held {
	return Held{Conversion: "order-1", Custody: r.IntN(2) == 0, Home: randomID(r), Revision: r.Uint32N(9), Digest: r.Uint64(), Final: r.IntN(2) == 0,
		Terms: Terms{Version: r.Uint32N(5), Erased: r.IntN(2) == 0, Since: 3, EventID: "e1", Name: "purchase", At: 7,
			Value: schemas.Money{Minor: 9990, Currency: "USD"}, NetMinor: r.Int64N(9990)}}
}

func TestMessageSurvivesTheWire(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	for range 5000 {
		m := randomMessage(r)
		b := AppendMessage(nil, &m)
		got, err := DecodeMessage(b)
		if err != nil {
			t.Fatalf("%v: %+v", err, m)
		}
		if !reflect.DeepEqual(got, m) {
			t.Fatalf("got  %+v\nwant %+v", got, m)
		}
	}
}

// The generated code reads what we write, keeps all of it, and what it writes we read as the same message.
func TestWireIsTheDocumentedProtobuf(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 2))
	for range 2000 {
		m := randomMessage(r)
		b := AppendMessage(nil, &m)
		var pb tributarypb.JournalMessage
		if err := proto.Unmarshal(b, &pb); err != nil {
			t.Fatal(err)
		}
		if len(pb.ProtoReflect().GetUnknown()) > 0 {
			t.Fatal("fields that the .proto does not know")
		}
		again, err := proto.Marshal(&pb)
		if err != nil {
			t.Fatal(err)
		}
		got, err := DecodeMessage(again)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, m) {
			t.Fatalf("got  %+v\nwant %+v", got, m)
		}
	}
}

// A record is, to the generated code, the list of its messages.
func TestRecordIsTheDocumentedProtobuf(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 4))
	var record []byte
	var sent []Message
	for range 20 {
		m := randomMessage(r)
		sent = append(sent, m)
		record = AppendToRecord(record, &m)
	}
	var pb tributarypb.JournalRecord
	if err := proto.Unmarshal(record, &pb); err != nil {
		t.Fatal(err)
	}
	again, err := proto.Marshal(&pb)
	if err != nil {
		t.Fatal(err)
	}
	var got []Message
	if err := EachMessage(again, func(m *Message) error { got = append(got, *m); return nil }); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, sent) {
		t.Fatalf("got  %+v\nwant %+v", got, sent)
	}
}

// An error ends the reading of a record and comes back as it is.
func TestEachMessageStops(t *testing.T) {
	m := Message{Kind: KindErase, Conversion: "order"}
	record := AppendToRecord(AppendToRecord(nil, &m), &m)
	wrong, n := errors.New("wrong"), 0
	err := EachMessage(record, func(*Message) error { n++; return wrong })
	if !errors.Is(err, wrong) || errors.Is(err, ErrWire) || n != 1 {
		t.Errorf("%d messages, error %v", n, err)
	}
	for _, damaged := range [][]byte{nil, record[:len(record)-1], []byte("\xff")} {
		if err := EachMessage(damaged, func(*Message) error { return nil }); !errors.Is(err, ErrWire) {
			t.Errorf("%x: error %v", damaged, err)
		}
	}
}

func FuzzDecodeMessage(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 3))
	for range 20 {
		m := randomMessage(r)
		f.Add(AppendMessage(nil, &m))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := DecodeMessage(b)
		if err != nil {
			return
		}
		canonical := AppendMessage(nil, &m)
		again, err := DecodeMessage(canonical)
		if err != nil {
			t.Fatalf("a decoded message does not survive: %v", err)
		}
		if !bytes.Equal(AppendMessage(nil, &again), canonical) {
			t.Fatalf("got  %+v\nwant %+v", again, m)
		}
	})
}

// Any bytes are a record of messages that can be stepped, or an error; the messages written again are the same.
func FuzzEachMessage(f *testing.F) {
	erase := Message{Kind: KindErase, Conversion: "order", Time: 5, Request: "forget-1"}
	reset := Message{Kind: KindReset, To: Ref{ID: ID{1}, Gen: 2}, Time: 5, Cause: CauseErasure}
	f.Add(AppendToRecord(AppendToRecord(nil, &erase), &reset))
	read := func(b []byte) (written []byte, err error) {
		err = EachMessage(b, func(m *Message) error { written = AppendToRecord(written, m); return nil })
		return written, err
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		canonical, err := read(b)
		if err != nil {
			if !errors.Is(err, ErrWire) {
				t.Fatal(err)
			}
			return
		}
		if len(canonical) == 0 {
			return // fields of a newer release only
		}
		if again, err := read(canonical); err != nil || !bytes.Equal(again, canonical) {
			t.Fatalf("%x became %x (%v)", canonical, again, err)
		}
	})
}
