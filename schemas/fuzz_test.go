package schemas

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// refused fails the test unless err is a Refusal with a reason.
func refused(t *testing.T, err error) {
	var refusal *Refusal
	if !errors.As(err, &refusal) || refusal.Reason == "" {
		t.Fatalf("%v is not a Refusal", err)
	}
}

// seed adds the golden samples of a kind.
func seed(f *testing.F, pattern string) {
	files, err := filepath.Glob(golden + pattern)
	if err != nil || len(files) == 0 {
		f.Fatalf("no samples: %v", err)
	}
	for _, name := range files {
		value, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(value)
	}
}

// What the decoder accepts, the schema allows; what is written again reads the same, as JSON and as a message.
func FuzzDecodeEvent(f *testing.F) {
	seed(f, "event-*.json")
	for _, c := range append(readCases(f, "testdata/refusals.txt"), readCases(f, "testdata/accepted.txt")...) {
		if len(c[1]) < 1000 {
			f.Add([]byte(c[1]))
		}
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		e, err := DecodeEvent(value)
		if err != nil {
			refused(t, err)
			return
		}
		if err := validate(t, EventSchema, string(value)); err != nil {
			t.Fatalf("accepted, but %v", err)
		}
		e.Ignored, e.Rounded = 0, 0
		line := e.Encode(nil)
		again, err := DecodeEvent(line)
		if err != nil || !reflect.DeepEqual(again, e) {
			t.Fatalf("%s\nreads as %#v, %v\nwant %#v", line, again, err, e)
		}
		fromProto, err := DecodeEventProto(e.EncodeProto(nil))
		if err != nil || !reflect.DeepEqual(fromProto, e) {
			t.Fatalf("%s\nreads from its message as %#v, %v", line, fromProto, err)
		}
	})
}

func FuzzDecodeEventProto(f *testing.F) {
	seed(f, "event-*.binpb")
	f.Fuzz(func(t *testing.T, value []byte) {
		e, err := DecodeEventProto(value)
		if err != nil {
			refused(t, err)
			return
		}
		e.Rounded = 0
		message := e.EncodeProto(nil)
		again, err := DecodeEventProto(message)
		if err != nil || !reflect.DeepEqual(again, e) {
			t.Fatalf("%s\nreads as %#v, %v", e.Encode(nil), again, err)
		}
		fromJSON, err := DecodeEvent(e.Encode(nil))
		if err != nil || !reflect.DeepEqual(fromJSON, e) {
			t.Fatalf("%s\nreads from JSON as %#v, %v", e.Encode(nil), fromJSON, err)
		}
	})
}

func FuzzDecodeAttribution(f *testing.F) {
	seed(f, "attribution-*.json")
	f.Fuzz(func(t *testing.T, value []byte) {
		a, err := DecodeAttribution(value)
		if err != nil {
			refused(t, err)
			return
		}
		checkAttribution(t, a)
	})
}

func FuzzDecodeAttributionProto(f *testing.F) {
	seed(f, "attribution-*.binpb")
	f.Fuzz(func(t *testing.T, value []byte) {
		a, err := DecodeAttributionProto(value)
		if err != nil {
			refused(t, err)
			return
		}
		checkAttribution(t, a)
	})
}

// checkAttribution reads the record again from both of its forms; Check says something about any record.
func checkAttribution(t *testing.T, a Attribution) {
	_ = a.Check()
	line := a.Encode(nil)
	again, err := DecodeAttribution(line)
	if err != nil || !reflect.DeepEqual(again, a) {
		t.Fatalf("%s\nreads as %+v, %v\nwant %+v", line, again, err, a)
	}
	if !bytes.Equal(again.Encode(nil), line) || again.Digest() != a.Digest() {
		t.Fatalf("%s\nis written as %s", line, again.Encode(nil))
	}
	fromProto, err := DecodeAttributionProto(a.EncodeProto(nil))
	if err != nil || !reflect.DeepEqual(fromProto, a) {
		t.Fatalf("%s\nreads from its message as %+v, %v", line, fromProto, err)
	}
}

func FuzzDecodeAudit(f *testing.F) {
	for _, a := range auditSamples {
		f.Add(a.Encode(nil))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		a, err := DecodeAudit(value)
		if err != nil {
			refused(t, err)
			return
		}
		written := a.Encode(nil)
		again, err := DecodeAudit(written)
		if err != nil || !bytes.Equal(again.Encode(nil), written) {
			t.Fatalf("%+v reads as %+v, %v", a, again, err)
		}
	})
}

func FuzzDecodeAlias(f *testing.F) {
	f.Add([]byte(`{"old_customer_id":"c1","customer_id":"c2"}`))
	f.Fuzz(func(t *testing.T, value []byte) {
		a, err := DecodeAlias(value)
		if err != nil {
			refused(t, err)
			return
		}
		if again, err := DecodeAlias(a.Encode(nil)); err != nil || again != a {
			t.Fatalf("%+v reads as %+v, %v", a, again, err)
		}
	})
}

func FuzzParseTime(f *testing.F) {
	for _, s := range []string{"2026-03-01T10:00:00.250Z", "2016-12-31T23:59:60+00:00", "2026-03-01T10:00:00", "9999-12-31T23:59:59-23:59"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, err := ParseTime(text)
		if err != nil {
			refused(t, err)
			return
		}
		if again, err := ParseTime(m.String()); err != nil || again != m {
			t.Fatalf("%s reads as %s, which reads as %s, %v", text, m, again, err)
		}
	})
}
