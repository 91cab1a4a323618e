package settings

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"tributary/identity"
	"tributary/scoring"
	"tributary/stream/channels"
	"tributary/stream/yamldoc"
)

// Setting is all there is to know about one setting. The catalogue is the only place where a default stands.
type Setting struct {
	// Path is its place in the file; [] is any item of a list and * any name in a map.
	Path string
	// Default is what it is without being set, as it would be written in an environment variable. Empty means not set.
	Default string
	// Rule is what it must be, as text and as a check.
	Rule rule
	// Why says what it does and where the default comes from.
	Why string
	// Hidden is for values that must not be printed.
	Hidden bool
}

const day = yamldoc.Day

// catalogue lists the settings in the order of the file.
var catalogue = slices.Concat(beforeLimits, limits(), afterLimits)

var beforeLimits = []Setting{
	{Path: "application_id", Default: "tributary", Rule: matching(`^[a-zA-Z0-9._-]{1,100}$`, "1 to 100 letters, digits, '.', '_' and '-'"),
		Why: "prefix of groups, transactional ids and internal topics: two applications on one cluster need two"},

	{Path: "kafka.brokers", Default: "localhost:9092", Rule: each(address, 1, "host:port of at least one broker"),
		Why: "where to find the cluster; the port is Kafka's usual one"},
	{Path: "kafka.tls.enabled", Default: "false", Rule: anyFlag,
		Why: "encrypts the connections and checks the brokers' certificates; off, since a broker on the same machine has none"},
	{Path: "kafka.tls.ca_file", Rule: filePath, Why: "PEM file of the authorities to trust instead of the system's"},
	{Path: "kafka.tls.cert_file", Rule: filePath, Why: "PEM file of the client's own certificate, for brokers that ask for one"},
	{Path: "kafka.tls.key_file", Rule: filePath, Why: "PEM file of that certificate's key"},
	{Path: "kafka.sasl.mechanism", Rule: oneOf("plain", "scram-sha-256", "scram-sha-512"),
		Why: "how to sign in to the brokers; not set: no signing in. plain sends the password as it is, so use it with TLS only"},
	{Path: "kafka.sasl.user_env", Default: "TRIBUTARY_KAFKA_USER", Rule: envName, Why: "environment variable that holds the user's name"},
	{Path: "kafka.sasl.password_env", Default: "TRIBUTARY_KAFKA_PASSWORD", Rule: envName, Why: "environment variable that holds the password"},
	{Path: "kafka.sasl.user_file", Rule: filePath, Why: "file that holds the user's name; comes before user_env"},
	{Path: "kafka.sasl.password_file", Rule: filePath, Why: "file that holds the password; comes before password_env"},

	{Path: "sources", Default: "[{topic: events}]", Rule: anyList, Why: "topics that events come from; `run` needs at least one, and `run --beside` none"},
	{Path: "sources[].topic", Rule: topicName, Why: "name of the topic"},
	{Path: "sources[].format", Default: "native", Rule: oneOf("native"), Why: "how its records are written: native is the contract's JSON"},

	{Path: "topics.attributions", Default: "attributions", Rule: topicName, Why: "where attribution records go, by conversion id"},
	{Path: "topics.aliases", Default: "aliases", Rule: topicName, Why: "where it is told that one customer id became another"},
	{Path: "topics.late", Default: "late", Rule: topicName, Why: "where events go that came too late"},
	{Path: "topics.dead_letters", Default: "dead-letters", Rule: topicName, Why: "where refused records go, with the reason"},
	{Path: "topics.audit", Default: "audit", Rule: topicName, Why: "where it is told what was erased, unlinked and configured"},
	{Path: "topics.audit_retention", Default: "1095d", Rule: within(day, 36500*day),
		Why: "how long such a record is kept, when Tributary creates the topic; three years cover most claims that a receipt answers"},
	{Path: "topics.replication_factor", Default: "-1", Rule: replication,
		Why: "copies of each topic that Tributary creates; -1 leaves it to the brokers, who know how many they are"},

	{Path: "partitions", Default: "16", Rule: between(1, 1024),
		Why: "of the internal topics, fixed for the life of an application_id; the most instances that can share the work. Four times " +
			"the instances one starts with leaves room to grow"},
	{Path: "commit_interval", Default: "50ms", Rule: within(10*time.Millisecond, 10*time.Second),
		Why: "length of one transaction. An attribution is visible after about three of them; each costs a marker on every partition it wrote"},
	{Path: "lanes.ingest", Default: "1", Rule: between(1, 64), Why: "transactional producers of the ingest role in one process; more use more cores and write more markers"},
	{Path: "lanes.journey", Default: "1", Rule: between(1, 64), Why: "the same for the journey role; where cores are idle, a second one works while the first waits for its commit"},

	{Path: "identity.default_region", Default: "US", Rule: region, Why: "country of phone numbers that come without a country code, ISO 3166"},
	{Path: "identity.key_env", Default: "TRIBUTARY_IDENTITY_KEY", Rule: envName,
		Why: "environment variable that holds the key under which identifiers become pseudonyms, ID:SECRET"},
	{Path: "identity.key_file", Rule: filePath, Why: "file that holds the key; comes before key_env"},
	{Path: "identity.previous_key_env", Rule: envName, Why: "the key before this one, while identifiers move from it; its id must be smaller"},
	{Path: "identity.previous_key_file", Rule: filePath, Why: "file that holds that key; comes before previous_key_env"},
	{Path: "identity.types", Default: "[]", Rule: anyList, Why: "identifier types beside user_id, customer_id, email, phone, device_id and anonymous_id"},
	{Path: "identity.types[].name", Rule: matching(`^[a-zA-Z][a-zA-Z0-9_.-]{0,63}$`, "a letter, then up to 63 letters, digits, '_', '-' and '.'"),
		Why: "the type as events write it"},
	{Path: "identity.types[].rank", Default: fmt.Sprint(identity.RankOther), Rule: between(1, 255),
		Why: "strength: user_id is 1, anonymous_id 6, weaker types more. It can never change, since it is part of every pseudonym"},
	{Path: "identity.blocked.values", Default: "[]", Rule: anyList, Hidden: true,
		Why: "values that link nobody, whatever their letter case, beside those of the contract: the shop's own number, info@"},
	{Path: "identity.blocked.patterns", Default: "[]", Rule: each(blockedPattern, 0, "regular expressions (RE2)"), Hidden: true,
		Why: "the same by regular expression that matches the whole value, letter case counts"},
	{Path: "identity.shared", Default: "[]", Rule: anyList, Hidden: true,
		Why: "identifiers that many people share, such as a call centre's number: they link nobody, as after `tributary identity unlink`, for ever"},
	{Path: "identity.shared[].type", Rule: matching(`.`, "a type of identifier"), Why: "type of the identifier, as events write it"},
	{Path: "identity.shared[].value", Rule: matching(`.`, "an identifier of its type that is not blocked"), Hidden: true,
		Why: "the identifier, in any way of writing"},
}

// identifierTypes are the types that limits can be set for. "other" are those of rank 7 and weaker.
var identifierTypes = []string{"user_id", "customer_id", "email", "phone", "device_id", "anonymous_id", "other"}

// neighbourLimits are the limits that differ from no limit, and why.
var neighbourLimits = map[string]Setting{
	"user_id.any": {Default: "200", Why: "other identifiers that one user id may be seen with; with one more it is shared and links nobody. " +
		"0: no limit. People collect cookies for years under one login"},
	"customer_id.any":          {Default: "200", Why: "the same for a CRM's id, which gathers as much"},
	"email.any":                {Default: "50", Why: "the same; above it stand info@ and test addresses"},
	"phone.any":                {Default: "30", Why: "the same; a family's line stays below, a call centre's does not"},
	"phone.user_id":            {Default: "5", Why: "the same, for neighbours of type user_id alone: a family's accounts"},
	"phone.customer_id":        {Default: "5", Why: "the same for a CRM's ids: the number of a call centre or of a reception stands with more"},
	"phone.email":              {Default: "8", Why: "the same for e-mail addresses, of which many people have two"},
	"device_id.any":            {Default: "50", Why: "the same; above it stand tablets in shops"},
	"device_id.user_id":        {Default: "3", Why: "the same, for neighbours of type user_id alone: what more people sign in on is a tablet in a shop"},
	"device_id.customer_id":    {Default: "3", Why: "the same for a CRM's ids"},
	"device_id.email":          {Default: "5", Why: "the same for e-mail addresses, of which many people have two"},
	"anonymous_id.any":         {Default: "50", Why: "the same; above it stand cookies copied by crawlers and caches"},
	"anonymous_id.user_id":     {Default: "3", Why: "the same, for neighbours of type user_id alone: a browser that more people sign in on is everybody's"},
	"anonymous_id.customer_id": {Default: "3", Why: "the same for a CRM's ids"},
	"anonymous_id.email":       {Default: "5", Why: "the same for e-mail addresses, of which many people have two"},
	"other.any":                {Default: "50", Why: "the same for types of rank 7 and weaker"},
}

// limits lists for each type the limit on all neighbours, then those on the neighbours of each type.
func limits() (all []Setting) {
	for _, typ := range identifierTypes {
		for _, of := range append([]string{"any"}, identifierTypes...) {
			s := neighbourLimits[typ+"."+of]
			s.Path, s.Rule = "identity.limits."+typ+"."+of, between(0, 1_000_000)
			if s.Why == "" {
				s.Why = "the same, for neighbours of type " + of + " alone"
			}
			all = append(all, s)
		}
	}
	return all
}

var afterLimits = []Setting{
	{Path: "identity.limits.max_members", Default: "1000", Rule: between(0, 10_000_000),
		Why: "identifiers of one customer; a customer of more is not attributed. 0: no limit. No person has so many"},

	{Path: "consent.without", Default: "anonymous", Rule: oneOf("anonymous", "filter", "refuse"),
		Why: "an event with consent.attribution false is counted and dropped (filter), or a dead letter (refuse). anonymous drops as filter " +
			"does, but keeps conversions and refunds without identifiers: unattributed, and the books still balance"},

	{Path: "channels.rules", Default: "[]", Rule: anyList, Why: "rules tried before the grouping, the first that matches wins; see stream/channels"},
	{Path: "channels.rules[].channel", Rule: matching(`^\S(.{0,62}\S)?$`, fmt.Sprintf("1 to %d bytes without spaces at the ends", channels.MaxName)),
		Why: "the channel that the rule gives"},
	{Path: "channels.rules[].when.source", Rule: anyList, Why: "words, globs (google*) or /regular expressions/, one of which must match the source"},
	{Path: "channels.rules[].when.medium", Rule: anyList, Why: "the same for the medium"},
	{Path: "channels.rules[].when.campaign", Rule: anyList, Why: "the same for the campaign"},
	{Path: "channels.rules[].when.referrer_host", Rule: anyList, Why: "the same for the referrer's host; a word also matches subdomains"},
	{Path: "channels.rules[].when.click_id", Rule: anyList, Why: "the same for the kind of click id: gclid"},
	{Path: "channels.rules[].when.kind", Rule: anyList, Why: "the same for the touch's kind: email_click"},
	{Path: "channels.grouping", Default: "standard", Rule: oneOf("standard", "none"),
		Why: "rules tried after channels.rules: those that ship (stream/channels/standard.yaml), or none"},

	{Path: "default_currency", Rule: currency, Why: "ISO 4217 code for amounts that come without a currency; not set: such events are refused"},

	{Path: "sessions.timeout", Default: "30m", Rule: within(time.Second, 30*day), Why: "longest pause within a session; half an hour is the convention of web analytics"},
	{Path: "sessions.rules", Default: "ga4", Rule: oneOf("ga4", "ua", "matomo"), Why: "ua and matomo also begin a session at midnight and with a new campaign"},
	{Path: "sessions.timezone", Default: "UTC", Rule: timeZone, Why: "whose midnight that is"},
	{Path: "touch_unit", Default: "touch", Rule: oneOf("touch", "session"), Why: "every eligible touch earns credit, or one of each session"},
	{Path: "lookback.default", Default: "30d", Rule: within(time.Second, 3650*day), Why: "how long before a conversion a touch may be; 30 days is what most advertising platforms use"},
	{Path: "lookback.by_kind", Default: "{}", Rule: anyMap, Why: "lookback of touches of one kind, such as {impression: 1d}; comes before the conversion's. None, since that is a choice"},
	{Path: "lookback.by_kind.*", Rule: within(time.Second, 3650*day), Why: "lookback of touches of this kind"},
	{Path: "conversions", Default: "{}", Rule: anyMap, Why: "what is special about conversions, by name; a name that is not listed has the defaults below"},
	{Path: "conversions.*.occurrence", Default: "every", Rule: oneOf("every", "first"), Why: "every conversion counts, or only the customer's earliest of this name, within the retention"},
	{Path: "conversions.*.lookback", Rule: within(time.Second, 3650*day), Why: "lookback of this conversion instead of lookback.default"},
	{Path: "conversions.*.reset", Default: "false", Rule: anyFlag, Why: "whether the journey starts anew after it; no, since a purchase does not undo what led to the next one"},

	{Path: "models", Default: modelsText(scoring.DefaultSpecs()), Rule: atLeastOne, Why: "models that every record carries: those that need no data and that people compare first"},
	{Path: "models[].name", Rule: modelOwn, Why: "key in the record; not set: the type"},
	{Path: "models[].type", Rule: oneOf(scoring.Types()...), Why: "formula of the model; see scoring"},
	{Path: "models[].half_life", Rule: modelOwn, Why: "time_decay: age at which a touch weighs half; not set: 7d"},
	{Path: "models[].granularity", Rule: modelOwn, Why: "time_decay: continuous, or day to count whole calendar days; not set: continuous"},
	{Path: "models[].timezone", Rule: modelOwn, Why: "time_decay by day: whose calendar; not set: UTC"},
	{Path: "models[].first", Rule: modelOwn, Why: "position_based: share of the first touch; not set: 0.4"},
	{Path: "models[].last", Rule: modelOwn, Why: "position_based: share of the last touch; not set: 0.4"},

	{Path: "lateness.out_of_orderness", Default: "1m", Rule: within(0, day), Why: "how far the watermark stays behind the newest event of a partition: ordinary disorder of senders"},
	{Path: "lateness.allowed", Default: "7d", Rule: within(0, 365*day), Why: "how far behind the watermark an event is still applied; longer makes conversions final later, and lets refunds in for longer. A week lets a shop's night and a phone's holiday pass"},
	{Path: "lateness.idle_after", Default: "1m", Rule: within(time.Second, day), Why: "a source partition with nothing to read for so long stops holding the others back"},
	{Path: "retention", Default: "400d", Rule: within(day, 36500*day),
		Why: "everything is kept so long, by event time, identifiers for up to three tenths more: at least the longest lookback + lateness.allowed + 1d, or refused. A year's lookback and a month"},
	{Path: "output.format", Default: "json", Rule: oneOf("json", "protobuf"), Why: "encoding of attribution records; JSON can be read by everybody"},
	{Path: "state.dir", Default: "./data", Rule: matching(`.`, "the path of a directory"), Why: "where journeys are kept; one directory for each process"},
	{Path: "http.listen", Default: "127.0.0.1:8080", Rule: listenAddress, Why: "address of /metrics, /livez and /readyz, host:port; empty for none. Local, since it asks nobody for a password"},
}

// Catalogue is the list of all settings, in the order of the file.
func Catalogue() []Setting { return append([]Setting(nil), catalogue...) }

// byPath finds a setting of the catalogue.
var byPath = sync.OnceValue(func() map[string]*Setting {
	m := make(map[string]*Setting, len(catalogue))
	for i := range catalogue {
		m[catalogue[i].Path] = &catalogue[i]
	}
	return m
})

// Fixed reports whether the setting has one place, so that a variable and a flag can name it.
func (s *Setting) Fixed() bool { return !strings.ContainsAny(s.Path, "[*") }

// Variable is the environment variable of a fixed setting: TRIBUTARY_ and the path in capitals, "_" for each dot. It is
// empty for the others.
func (s *Setting) Variable() string {
	if !s.Fixed() {
		return ""
	}
	return variablePrefix + strings.ToUpper(strings.ReplaceAll(s.Path, ".", "_"))
}

// Default returns the settings of somebody who sets nothing.
func Default() *Settings {
	s := new(Settings)
	for i := range catalogue {
		if e := &catalogue[i]; e.Fixed() && e.Default != "" {
			mustSet(s, e.Path, e.Default)
		}
	}
	return s
}

// setDefaults fills item, an entry of a list or map, with the defaults of the settings that begin with prefix.
func setDefaults(item any, prefix string) {
	for path, def := range itemDefaults()[prefix] {
		mustSet(item, path, def)
	}
}

// itemDefaults are the defaults inside lists and maps, by prefix and name.
var itemDefaults = sync.OnceValue(func() map[string]map[string]string {
	m := make(map[string]map[string]string)
	for i := range catalogue {
		e := &catalogue[i]
		cut := strings.LastIndexByte(e.Path, '.') + 1
		if e.Fixed() || e.Default == "" {
			continue
		}
		if m[e.Path[:cut]] == nil {
			m[e.Path[:cut]] = make(map[string]string)
		}
		m[e.Path[:cut]][e.Path[cut:]] = e.Default
	}
	return m
})

func mustSet(dst any, path, text string) {
	if err := yamldoc.Set(dst, path, text); err != nil {
		panic("settings: default of " + path + ": " + err.Error()) // a test reads every default
	}
}

func modelsText(specs []scoring.Spec) string {
	types := make([]string, len(specs))
	for i, spec := range specs {
		types[i] = "{type: " + spec.Type + "}"
	}
	return "[" + strings.Join(types, ", ") + "]"
}
