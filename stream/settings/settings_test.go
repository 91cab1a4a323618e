package settings

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"tributary/scoring"
	"tributary/stream/yamldoc"
)

func TestEveryLeafIsInTheCatalogue(t *testing.T) {
	leaves := map[string]bool{}
	for _, pattern := range yamldoc.Patterns(Settings{}) {
		leaves[pattern] = true
		if byPath()[pattern] == nil {
			t.Errorf("%s is not in the catalogue", pattern)
		}
	}
	variables := map[string]string{}
	for _, e := range Catalogue() {
		container := false
		for pattern := range leaves {
			container = container || strings.HasPrefix(pattern, e.Path+"[") || strings.HasPrefix(pattern, e.Path+".*")
		}
		if !leaves[e.Path] && !container {
			t.Errorf("%s is in the catalogue, and no setting", e.Path)
		}
		if e.Rule.text == "" || e.Why == "" {
			t.Errorf("%s has no rule or no reason", e.Path)
		}
		if v := e.Variable(); v != "" && variables[v] != "" {
			t.Errorf("%s is the variable of %s and of %s", v, variables[v], e.Path)
		} else {
			variables[v] = e.Path
		}
	}
}

func TestNothingSetIsValid(t *testing.T) {
	l, err := Load(Input{})
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(&l.Settings, Default()) || len(l.Warnings) > 0 {
		t.Errorf("no input gives %+v, %v", l.Settings, l.Warnings)
	}
	if err := Default().Validate(); err != nil {
		t.Error(err)
	}
	if err := Default().RequireSources(); err != nil {
		t.Error(err)
	}
	s := Default()
	if s.CommitInterval != 50*time.Millisecond || s.Retention != 400*day || s.Partitions != 16 || s.Kafka.Brokers[0] != "localhost:9092" ||
		s.Sources[0] != (Source{"events", "native"}) || s.Identity.Limits.Phone.Any != 30 || len(s.Models) != len(scoring.DefaultSpecs()) {
		t.Errorf("defaults are %+v", s)
	}
}

// The example of the contract is a settings file.
const example = `application_id: tributary          # prefix of groups, transactional ids and internal topics
kafka: {brokers: ["localhost:9092"], tls: {}, sasl: {}}
sources:
  - {topic: events, format: native}
topics: {attributions: attributions, late: late, dead_letters: dead-letters}
partitions: 16                     # of the internal topics; fixed for the life of an application_id
commit_interval: 50ms
identity: {default_region: US, key_env: TRIBUTARY_IDENTITY_KEY}
sessions: {timeout: 30m, rules: ga4, timezone: UTC}
touch_unit: touch                  # or session
lookback: {default: 30d, by_kind: {impression: 1d}}
conversions:
  first_paid: {occurrence: first, lookback: 365d, reset: false}
models:
  - {name: last_touch, type: last_touch}
  - {name: time_decay, type: time_decay, half_life: 7d}
lateness: {out_of_orderness: 1m, allowed: 7d, idle_after: 1m}
retention: 400d                    # at least the longest lookback + lateness.allowed + 1d, or refused
state: {dir: ./data}
http: {listen: "127.0.0.1:8080"}
`

func TestContractExample(t *testing.T) {
	l, err := Load(Input{File: "tributary.yaml", Text: []byte(example)})
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Lookback.ByKind = map[string]time.Duration{"impression": day}
	want.Conversions = map[string]Conversion{"first_paid": {Occurrence: "first", Lookback: 365 * day}}
	want.Models = []Model{{Name: "last_touch", Type: "last_touch"}, {Name: "time_decay", Type: "time_decay", HalfLife: 7 * day}}
	if !reflect.DeepEqual(&l.Settings, want) {
		t.Errorf("got  %+v\nwant %+v", l.Settings, *want)
	}
	rules := l.JourneyRules()
	if err := rules.Validate(); err != nil {
		t.Error(err)
	}
	if rules.Conversions["first_paid"].Lookback != 365*day || rules.Lookback.ByKind["impression"] != day || rules.SessionTimeout != 30*time.Minute {
		t.Errorf("journey rules are %+v", rules)
	}
	if _, err := scoring.NewAll(l.ModelSpecs()); err != nil {
		t.Error(err)
	}
	if _, err := l.ChannelMapping(); err != nil {
		t.Error(err)
	}
	if limits := l.IdentityLimits(); limits.Neighbours[1] != 200 || limits.Neighbours[4] != 30 || limits.Neighbours[6] != 50 || limits.Neighbours[7] != 50 {
		t.Errorf("limits are %v", limits.Neighbours)
	}
}

// The form of the contract limits neighbours of one type and leaves all other limits as they are.
func TestLimitsByType(t *testing.T) {
	l, err := Load(Input{Text: []byte("identity: {limits: {anonymous_id: {user_id: 3}, other: {phone: 2, any: 0}}}"),
		Flags: map[string]string{"identity.limits.phone.other": "4"}})
	if err != nil {
		t.Fatal(err)
	}
	want := Default().IdentityLimits()
	want.NeighboursOf[6][1], want.NeighboursOf[7][4], want.Neighbours[7], want.NeighboursOf[4][7] = 3, 2, 0, 4
	if got := l.IdentityLimits(); got != want {
		t.Errorf("limits are %v", got)
	}
}

func TestOrderOfSources(t *testing.T) {
	in := Input{
		File: "t.yaml",
		Text: []byte("partitions: 4\ncommit_interval: 20ms\nlookback: {default: 10d}\nsources: [{topic: a}, {topic: b}]\n"),
		Environ: []string{"TRIBUTARY_COMMIT_INTERVAL=30ms", "TRIBUTARY_LOOKBACK_DEFAULT=20d", "TRIBUTARY_KAFKA_BROKERS=k1:9092, k2:9092",
			"TRIBUTARY_MODELS=[{type: linear}]", "TRIBUTARY_STATE_DIR=", "HOME=/root", "TRIBUTARY_LOOKBACK_BY_KIND={impression: 2d}"},
		Flags: map[string]string{"lookback.default": "25d", "conversions.lead.occurrence": "first", "lookback.by_kind.visit": "3d"},
	}
	l, err := Load(in)
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(l.Partitions, l.CommitInterval, l.Lookback, l.Kafka.Brokers, l.Models, l.Conversions, l.Sources)
	want := "4 30ms {600h0m0s map[impression:48h0m0s visit:72h0m0s]} [k1:9092 k2:9092] [{ linear 0s    }] map[lead:{first 0s false}] [{a native} {b native}]"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for path, want := range map[string]string{"partitions": "t.yaml:1", "commit_interval": "environment TRIBUTARY_COMMIT_INTERVAL",
		"lookback.default": "flag", "models[0].type": "environment TRIBUTARY_MODELS", "state.dir": "default", "sources[1].topic": "t.yaml:4",
		"conversions.lead.occurrence": "flag", "sources[1].format": "default", "lookback.by_kind.impression": "environment TRIBUTARY_LOOKBACK_BY_KIND"} {
		if got := l.Origin(path); got != want {
			t.Errorf("%s comes from %s, want %s", path, got, want)
		}
	}
	if Default().Lookback.ByKind["visit"] != 0 {
		t.Error("a flag changed the defaults")
	}
}

func TestWarnings(t *testing.T) {
	l, err := Load(Input{Environ: []string{"TRIBUTARY_COMIT_INTERVAL=20ms", "TRIBUTARY_IDENTITY_KEY=secret", "TRIBUTARY_CONFIG=x", "TRIBUTARYX=1",
		"TRIBUTARY_SERVICE_HOST=10.0.0.1", "TRIBUTARY_PORT=tcp://10.0.0.1:80", "TRIBUTARY_PORT_80_TCP_ADDR=10.0.0.1", "TRIBUTARY_WEB_SERVICE_PORT_HTTP=80",
		"TRIBUTARY_KAFKA_SASL_MECHANISM=plain", "TRIBUTARY_KAFKA_USER=me", "TRIBUTARY_COLOUR=blue"}})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"environment variable TRIBUTARY_COLOUR is no setting and has no effect",
		"environment variable TRIBUTARY_COMIT_INTERVAL is no setting and has no effect, did you mean TRIBUTARY_COMMIT_INTERVAL?",
		"kafka.sasl.mechanism is plain and kafka.tls.enabled is false: the password can be read on the network"}
	if !reflect.DeepEqual(l.Warnings, want) {
		t.Errorf("got %q", l.Warnings)
	}
}

// Each case is a file and the messages, in order, without the lines of text.
var faultCases = []struct{ name, text, want string }{
	{"values out of bounds", `
application_id: "two words"
partitions: 0
commit_interval: 5ms
kafka: {brokers: [localhost]}
lanes: {ingest: 65}
identity: {default_region: XX, limits: {phone: {any: -1}}}
sessions: {timezone: Mars/Base, rules: ga5}
default_currency: usd
output: {format: avro}
topics: {late: "a b", replication_factor: 0}
http: {listen: "8080"}
state: {dir: ""}
lookback: {default: 1500us}
`, `t.yaml:2:17: application_id: "two words": must be 1 to 100 letters, digits, '.', '_' and '-'
t.yaml:3:13: partitions: 0: must be 1 to 1024
t.yaml:4:18: commit_interval: 5ms: must be 10ms to 10s, in whole milliseconds
t.yaml:5:18: kafka.brokers: [localhost]: must be host:port of at least one broker
t.yaml:6:17: lanes.ingest: 65: must be 1 to 64
t.yaml:7:28: identity.default_region: XX: must be an ISO 3166 code in capitals, such as US
t.yaml:7:54: identity.limits.phone.any: -1: must be 0 to 1000000
t.yaml:8:22: sessions.timezone: Mars/Base: must be the IANA name of a time zone, such as Europe/Berlin or UTC
t.yaml:8:40: sessions.rules: ga5: must be ga4, ua or matomo
t.yaml:9:19: default_currency: usd: must be an ISO 4217 code in capitals, such as USD
t.yaml:10:18: output.format: avro: must be json or protobuf
t.yaml:11:16: topics.late: "a b": must be a topic's name: 1 to 249 letters, digits, '.', '_' and '-', not "." or ".."
t.yaml:11:43: topics.replication_factor: 0: must be -1, or 1 to 32767
t.yaml:12:16: http.listen: "8080": must be host:port, or empty
t.yaml:13:14: state.dir: "": must be the path of a directory
t.yaml:14:21: lookback.default: 1.5ms: must be 1s to 3650d, in whole milliseconds`},
	{"retention", "retention: 300d\nconversions: {first_paid: {lookback: 365d}}\n",
		`t.yaml:1:12: retention: 300d: must be at least 373d: conversions.first_paid.lookback (365d) + lateness.allowed (7d) + 1d`},
	{"retention by default", "lookback: {by_kind: {visit: 400d}}\n",
		`retention: 400d: must be at least 408d: lookback.by_kind.visit (400d) + lateness.allowed (7d) + 1d`},
	{"topics", "sources: [{topic: events}, {topic: late}, {topic: events}, {topic: tributary-journal}, {}]\n",
		`t.yaml:1:36: sources[1].topic: late: must differ from the topic of topics.late
t.yaml:1:51: sources[2].topic: events: must differ from the topic of sources[0].topic
t.yaml:1:68: sources[3].topic: tributary-journal: must differ from the topic of the journal
t.yaml:1:88: sources[4].topic: must be set, to a topic's name: 1 to 249 letters, digits, '.', '_' and '-', not "." or ".."`},
	{"models", `models:
  - {type: linear, half_life: 7d}
  - {type: markow}
  - {type: time_decay, half_life: 1ms, timezone: Mars}
  - {type: linear}
  - {type: position_based, first: 0.7}
  - {name: x}
`, `t.yaml:2:31: models[0].half_life: "168h0m0s": is used by time_decay only
t.yaml:3:12: models[1].type: markow: must be first_touch, last_touch, last_non_direct, linear, position_based, time_decay, j_shaped or inverse_j
t.yaml:4:35: models[2].half_life: "1ms": must be at least 1s, in whole milliseconds
t.yaml:4:50: models[2].timezone: Mars: is used with granularity day only
t.yaml:5:5: models[3].name: linear: must be unique; models[0] has it too
t.yaml:6:35: models[4].first: "0.7": first + last must be above 0 and at most 1; last is 0.4
t.yaml:7:5: models[5].type: must be set, to first_touch, last_touch, last_non_direct, linear, position_based, time_decay, j_shaped or inverse_j`},
	{"no models", "models: []\n", `t.yaml:1:9: models: []: must be a list of at least one`},
	{"identity", `identity:
  types: [{name: loyalty}, {name: Email}, {name: 9x, rank: 300}, {rank: 3}]
  blocked: {values: [ann@example.com], patterns: ["(secret"]}
  key_env: "MY KEY"
`, `t.yaml:2:35: identity.types[1].name: type "Email": the name is taken by "email"
t.yaml:2:50: identity.types[2].name: "9x": must be a letter, then up to 63 letters, digits, '_', '-' and '.'
t.yaml:2:60: identity.types[2].rank: 300: must be 1 to 255
t.yaml:2:66: identity.types[3].name: must be set, to a letter, then up to 63 letters, digits, '_', '-' and '.'
t.yaml:3:50: identity.blocked.patterns: must be regular expressions (RE2)
t.yaml:4:12: identity.key_env: "MY KEY": must be the name of an environment variable: letters, digits and '_'`},
	{"shared identifiers", `identity:
  shared: [{type: phone, value: 000}, {type: fax, value: "1"}, {type: email, value: ann}, {value: ann@example.com}, {type: email}, {type: phone, value: +1 415 555 2671}]
`, `t.yaml:2:33: identity.shared[0].value: is blocked, must be an identifier of its type that is not blocked
t.yaml:2:46: identity.shared[1].type: fax: must be a type of identifier
t.yaml:2:85: identity.shared[2].value: is invalid, must be an identifier of its type that is not blocked
t.yaml:2:91: identity.shared[3].type: must be set, to a type of identifier
t.yaml:2:117: identity.shared[4].value: must be set, to an identifier of its type that is not blocked`},
	{"security", "kafka:\n  tls: {ca_file: ca.pem, cert_file: c.pem}\n  sasl: {user_file: u}\n",
		`t.yaml:2:8: kafka.tls: cert_file and key_file must be set together
t.yaml:2:18: kafka.tls.ca_file: ca.pem: has no effect unless kafka.tls.enabled is true
t.yaml:2:37: kafka.tls.cert_file: c.pem: has no effect unless kafka.tls.enabled is true
t.yaml:3:21: kafka.sasl.user_file: u: has no effect unless kafka.sasl.mechanism is set`},
	{"channels", "channels:\n  rules:\n    - {channel: x}\n    - {channel: \" y\", when: {medium: a}}\n    - {channel: z, when: {medium: \"/(/\"}}\n    - {when: {source: a}}\n",
		`t.yaml:3:7: channels.rules[0].when: must have a condition; what no rule matches is direct anyway
t.yaml:4:17: channels.rules[1].channel: " y": must be 1 to 64 bytes without spaces at the ends
t.yaml:5:35: channels.rules[2].when.medium: not a regular expression: missing closing ): (?i:()
t.yaml:6:7: channels.rules[3].channel: must be set, to 1 to 64 bytes without spaces at the ends`},
	{"lateness", "lateness: {out_of_orderness: 2h, allowed: 1h}\n",
		`t.yaml:1:30: lateness.out_of_orderness: 2h: must be at most lateness.allowed, 1h`},
	{"empty names", "conversions: {\"\": {}}\nlookback: {by_kind: {\"\": 1d}}\n",
		`t.yaml:1:14: conversions: must not have an empty name
t.yaml:2:21: lookback.by_kind: must not have an empty name`},
	{"unknown keys and the rules between values, at once", "partitons: 4\nretention: 20d\n",
		`t.yaml:1:1: unknown key "partitons", did you mean "partitions"?
t.yaml:2:12: retention: 20d: must be at least 38d: lookback.default (30d) + lateness.allowed (7d) + 1d`},
}

func TestFaults(t *testing.T) {
	for _, c := range faultCases {
		t.Run(c.name, func(t *testing.T) {
			_, err := Load(Input{File: "t.yaml", Text: []byte(c.text)})
			if got := messages(err); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// messages are the faults without the lines of text below them.
func messages(err error) string {
	var faults yamldoc.Faults
	errors.As(err, &faults)
	lines := make([]string, len(faults))
	for i, f := range faults {
		lines[i], _, _ = strings.Cut(f.Error(), "\n")
	}
	return strings.Join(lines, "\n")
}

func TestFaultsOutsideOfTheFile(t *testing.T) {
	_, err := Load(Input{File: "t.yaml", Text: []byte("partitions: 2000\n"),
		Environ: []string{"TRIBUTARY_COMMIT_INTERVAL=soon", "TRIBUTARY_RETENTION=1d", "TRIBUTARY_IDENTITY_BLOCKED_PATTERNS=(ann@example.com"},
		Flags:   map[string]string{"lookback.defualt": "7d", "lateness.allowed": "3", "models": "[{type: x}]", "identity.blocked.values": "{ann@example.com: 1}"}})
	want := `environment TRIBUTARY_COMMIT_INTERVAL: commit_interval: "soon": must be a duration such as 50ms, 30m, 12h or 7d
environment TRIBUTARY_IDENTITY_BLOCKED_PATTERNS: identity.blocked.patterns: must be regular expressions (RE2)
environment TRIBUTARY_RETENTION: retention: 1d: must be at least 38d: lookback.default (30d) + lateness.allowed (7d) + 1d
flag: lateness.allowed: "3": must be a duration such as 50ms, 30m, 12h or 7d
flag: lookback.defualt: unknown key "lookback.defualt", did you mean "default"?
flag: models[0].type: x: must be first_touch, last_touch, last_non_direct, linear, position_based, time_decay, j_shaped or inverse_j
t.yaml:1:13: partitions: 2000: must be 1 to 1024`
	if got := messages(err); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

const full = `kafka:
  brokers: [k1:9092, "k2:9092"]
  tls: {enabled: true, ca_file: /etc/ca.pem}
  sasl: {mechanism: scram-sha-512}
identity:
  types: [{name: loyalty_id}, {name: desk, rank: 4}]
  blocked: {values: [ann@example.com, info@example.com], patterns: ["test.*"]}
  shared: [{type: email, value: sales@example.com}, {type: loyalty_id, value: "0x@0"}]
channels:
  rules:
    - {channel: brand, when: {medium: cpc, campaign: ["brand*", "/^x: y$/", "ü \"quoted\""]}}
    - {channel: own site, when: {referrer_host: shop.example.com}}
conversions:
  "a.b": {reset: true}
  first_paid: {occurrence: first, lookback: 365d}
lookback: {by_kind: {impression: 1d, "on": 1d12h}}
models: [{type: time_decay, half_life: 14d, granularity: day, timezone: Europe/Berlin}, {name: "2", type: position_based, first: 0.5}]
`

func TestPrint(t *testing.T) {
	l, err := Load(Input{File: "tributary.yaml", Text: []byte(full), Flags: map[string]string{"partitions": "4"},
		Environ: []string{"TRIBUTARY_STATE_DIR=/var/lib/tributary"}})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := l.Print(&b); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), "@") {
		t.Error("a blocked value is shown")
	}
	golden(t, "testdata/print.yaml", b.Bytes())
	again, err := Load(Input{File: "printed.yaml", Text: b.Bytes()})
	if err != nil {
		t.Fatal(err)
	}
	l.Identity.Blocked, l.Identity.Shared = Blocked{Values: []string{}, Patterns: []string{}}, []Shared{}
	if !reflect.DeepEqual(again.Settings, l.Settings) {
		t.Errorf("what is printed reads as %+v\nwant %+v", again.Settings, l.Settings)
	}
}

// golden compares with a file, or writes it when TRIBUTARY_GOLDEN=write.
func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if os.Getenv("TRIBUTARY_GOLDEN") == "write" {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is stale (TRIBUTARY_GOLDEN=write go test writes it):\n%s", path, got)
	}
}

func TestOpen(t *testing.T) {
	if _, err := Open("testdata/none.yaml", nil, nil); err == nil || !strings.HasPrefix(err.Error(), "settings file: open testdata/none.yaml") {
		t.Errorf("a missing file gives %v", err)
	}
	if _, err := Open("", nil, nil); err != nil {
		t.Error(err)
	}
	large := t.TempDir() + "/large.yaml"
	if err := os.WriteFile(large, bytes.Repeat([]byte("#"), 2*yamldoc.MaxBytes), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(large, nil, nil); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("a large file gives %v", err)
	}
}

func FuzzLoad(f *testing.F) {
	f.Add(example, "TRIBUTARY_MODELS=[{type: linear}]")
	f.Add(full, "TRIBUTARY_LOOKBACK_BY_KIND={a: 1d}")
	for _, c := range faultCases {
		f.Add(c.text, "TRIBUTARY_PARTITIONS=x")
	}
	f.Fuzz(func(t *testing.T, text, variable string) {
		l, err := Load(Input{File: "t.yaml", Text: []byte(text), Environ: []string{variable}})
		if err != nil {
			_ = err.Error()
			return
		}
		if err := l.JourneyRules().Validate(); err != nil {
			t.Errorf("journey refuses valid settings: %v", err)
		}
		if _, err := scoring.NewAll(l.ModelSpecs()); err != nil {
			t.Errorf("scoring refuses valid settings: %v", err)
		}
		if _, err := l.ChannelMapping(); err != nil {
			t.Errorf("channels refuses valid settings: %v", err)
		}
		if !identityAccepts(l.IdentityRules()) {
			t.Error("identity refuses valid settings")
		}
		var b bytes.Buffer
		if err := l.Print(&b); err != nil {
			t.Fatal(err)
		}
		again, err := Load(Input{File: "printed.yaml", Text: b.Bytes()})
		if err != nil {
			t.Fatalf("what is printed is refused: %v\n%s", err, b.Bytes())
		}
		var second bytes.Buffer
		again.Print(&second)
		if values(b.String()) != values(second.String()) {
			t.Errorf("printed\n%s\nand again\n%s", b.String(), second.String())
		}
	})
}

// values is what Print wrote without the origins.
func values(printed string) string {
	lines := strings.Split(printed, "\n")
	for i, line := range lines {
		if cut := strings.LastIndex(line, "# "); cut >= 0 {
			lines[i] = strings.TrimRight(line[:cut], " ")
		}
	}
	return strings.Join(lines, "\n")
}
