package schemas

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// The samples of testdata/golden/v1 stay for ever: what is written there was promised to senders, readers and stored state.
// A new sample is a .json file; the files derived from it are written when they do not exist, and never changed.
//
//	event-X.json            as a sender could write it
//	event-X.canonical.json  as Event.Encode writes it
//	event-X.binpb           as Event.EncodeProto writes it
//	attribution-X.json      as Attribution.Encode writes it
//	attribution-X.binpb     as Attribution.EncodeProto writes it
//	attribution-X.digest    Attribution.Digest in hexadecimal
const golden = "testdata/golden/v1/"

func samples(t *testing.T, kind string) (names []string) {
	files, err := filepath.Glob(golden + kind + "-*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no samples: %v", err)
	}
	for _, f := range files {
		if !strings.HasSuffix(f, ".canonical.json") {
			names = append(names, strings.TrimSuffix(f, ".json"))
		}
	}
	return names
}

// same compares bytes with the file that holds them for ever.
func same(t *testing.T, path string, got []byte) {
	want, err := os.ReadFile(path)
	if os.IsNotExist(err) && os.Getenv("CI") != "true" {
		t.Logf("%s is new", path)
		err = os.WriteFile(path, got, 0o644)
		want = got
	}
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s: %v\nhas %q\ngot %q", path, err, want, got)
	}
}

func line(record []byte) []byte { return append(record, '\n') }

func TestGoldenEvents(t *testing.T) {
	types := map[EventType]bool{}
	for _, name := range samples(t, "event") {
		value, err := os.ReadFile(name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		e, err := DecodeEvent(value)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		types[e.Type] = true
		same(t, name+".canonical.json", line(e.Encode(nil)))
		same(t, name+".binpb", e.EncodeProto(nil))
		e.Ignored, e.Rounded = 0, 0 // of the JSON text, not of the event
		if again, err := DecodeEvent(e.Encode(nil)); err != nil || !reflect.DeepEqual(again, e) {
			t.Errorf("%s: canonical form decodes to %#v, %v", name, again, err)
		}
		message, _ := os.ReadFile(name + ".binpb")
		if again, err := DecodeEventProto(message); err != nil || !reflect.DeepEqual(again, e) {
			t.Errorf("%s: message decodes to %#v, %v", name, again, err)
		}
		if err := validate(t, EventSchema, string(value)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(types) != len(EventTypes) {
		t.Errorf("samples of %d event types, there are %d", len(types), len(EventTypes))
	}
}

func TestGoldenAttributions(t *testing.T) {
	changes := map[Change]bool{}
	for _, name := range samples(t, "attribution") {
		value, err := os.ReadFile(name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		a, err := DecodeAttribution(value)
		if err == nil {
			err = a.Check()
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		changes[a.Change] = true
		same(t, name+".json", line(a.Encode(nil)))
		same(t, name+".binpb", a.EncodeProto(nil))
		same(t, name+".digest", fmt.Appendf(nil, "%016x\n", a.Digest()))
		message, _ := os.ReadFile(name + ".binpb")
		if again, err := DecodeAttributionProto(message); err != nil || !reflect.DeepEqual(again, a) {
			t.Errorf("%s: message decodes to %+v, %v", name, again, err)
		}
		if err := validate(t, AttributionSchema, string(value)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(changes) != len(Changes) {
		t.Errorf("samples of %d changes, there are %d", len(changes), len(Changes))
	}
}

// auditSamples has one record of each kind.
var auditSamples = []Audit{
	{Kind: AuditErasure, At: 1772366400500, Request: "forget-1", UpTo: 1772366400000, Identifiers: 3, Events: 12, Conversions: 1},
	{Kind: AuditUnlink, At: 1772366400500, Request: "unlink-1", Reason: "declared", Identifiers: 1, Links: 31},
	{Kind: AuditConfiguration, At: 1772366400500, Instance: "tributary-0", Version: "v1.2.0",
		Settings: []AuditSetting{{"application_id", "tributary"}, {"partitions", "16"}}},
}

func TestGoldenAudit(t *testing.T) {
	var lines []byte
	for i, a := range auditSamples {
		if a.Kind != AuditKinds[i] {
			t.Errorf("no sample of %s", AuditKinds[i])
		}
		lines = append(lines, line(a.Encode(nil))...)
		if again, err := DecodeAudit(a.Encode(nil)); err != nil || !reflect.DeepEqual(again, a) {
			t.Errorf("%+v, %v", again, err)
		}
	}
	same(t, golden+"audit.jsonl", lines)
	for _, bad := range []string{`{}`, `{"kind":"erasure"}`, `{"at":1772366400500}`, `[]`, ``, `{"kind":"erasure","at":1,"identifiers":-1}`,
		`{"kind":"configuration","at":1,"settings":[]}`} {
		if a, err := DecodeAudit([]byte(bad)); err == nil {
			t.Errorf("%s is accepted as %+v", bad, a)
		}
	}
}

func TestGoldenAlias(t *testing.T) {
	value, err := os.ReadFile(golden + "alias.json")
	if err != nil {
		t.Fatal(err)
	}
	a, err := DecodeAlias(value)
	if err != nil || a != (Alias{Old: "9e0d5b7714c2aa31", New: "4cf1e0b9d2a37e58"}) {
		t.Errorf("%+v, %v", a, err)
	}
	same(t, golden+"alias.json", line(a.Encode(nil)))
}
