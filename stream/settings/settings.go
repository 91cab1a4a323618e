package settings

import (
	"fmt"
	"path/filepath"
	"time"

	"tributary/stream/channels"
)

// Settings are everything that can be set. What each setting means, its default and the rule it must keep stand in the
// catalogue (catalogue.go), from which README.md is made; the types here only give it a shape. Start from Default or
// Load: the zero value is not valid.
type Settings struct {
	ApplicationID   string                `yaml:"application_id"`
	Kafka           Kafka                 `yaml:"kafka"`
	Sources         []Source              `yaml:"sources"`
	Topics          Topics                `yaml:"topics"`
	Partitions      int                   `yaml:"partitions"`
	CommitInterval  time.Duration         `yaml:"commit_interval"`
	Lanes           Lanes                 `yaml:"lanes"`
	Identity        Identity              `yaml:"identity"`
	Consent         Consent               `yaml:"consent"`
	Channels        Channels              `yaml:"channels"`
	DefaultCurrency string                `yaml:"default_currency"`
	Sessions        Sessions              `yaml:"sessions"`
	TouchUnit       string                `yaml:"touch_unit"`
	Lookback        Lookback              `yaml:"lookback"`
	Conversions     map[string]Conversion `yaml:"conversions"`
	Models          []Model               `yaml:"models"`
	Lateness        Lateness              `yaml:"lateness"`
	Retention       time.Duration         `yaml:"retention"`
	Output          Output                `yaml:"output"`
	State           State                 `yaml:"state"`
	HTTP            HTTP                  `yaml:"http"`
}

// Kafka says how the cluster is reached. Options makes a client's options of it.
type Kafka struct {
	Brokers []string `yaml:"brokers"`
	TLS     TLS      `yaml:"tls"`
	SASL    SASL     `yaml:"sasl"`
}

// TLS is the encryption of the connections to the brokers. Certificates are always checked.
type TLS struct {
	Enabled  bool   `yaml:"enabled"`
	CAFile   string `yaml:"ca_file"`
	CertFile string `yaml:"cert_file"`
	KeyFile  string `yaml:"key_file"`
}

// SASL is how the brokers come to know who this is. It names places of secrets, never secrets.
type SASL struct {
	Mechanism    string `yaml:"mechanism"`
	UserEnv      string `yaml:"user_env"`
	PasswordEnv  string `yaml:"password_env"`
	UserFile     string `yaml:"user_file"`
	PasswordFile string `yaml:"password_file"`
}

// Source is a topic that events come from.
type Source struct {
	Topic  string `yaml:"topic"`
	Format string `yaml:"format"`
}

// SetDefaults gives a source what it does not say.
func (s *Source) SetDefaults() { setDefaults(s, "sources[].") }

// Topics are the topics that results go to.
type Topics struct {
	Attributions      string        `yaml:"attributions"`
	Aliases           string        `yaml:"aliases"`
	Late              string        `yaml:"late"`
	DeadLetters       string        `yaml:"dead_letters"`
	Audit             string        `yaml:"audit"`
	AuditRetention    time.Duration `yaml:"audit_retention"`
	ReplicationFactor int           `yaml:"replication_factor"`
}

// Lanes are how many transactional producers each role runs in one process.
type Lanes struct {
	Ingest  int `yaml:"ingest"`
	Journey int `yaml:"journey"`
}

// Identity says how identifiers are read and when they link.
type Identity struct {
	DefaultRegion   string           `yaml:"default_region"`
	KeyEnv          string           `yaml:"key_env"`
	KeyFile         string           `yaml:"key_file"`
	PreviousKeyEnv  string           `yaml:"previous_key_env"`
	PreviousKeyFile string           `yaml:"previous_key_file"`
	Types           []IdentifierType `yaml:"types"`
	Blocked         Blocked          `yaml:"blocked"`
	Shared          []Shared         `yaml:"shared"`
	Limits          Limits           `yaml:"limits"`
}

// IdentifierType is a type beside the standard ones.
type IdentifierType struct {
	Name string `yaml:"name"`
	Rank int    `yaml:"rank"`
}

// SetDefaults gives a type what it does not say.
func (t *IdentifierType) SetDefaults() { setDefaults(t, "identity.types[].") }

// Blocked are the values that link nobody, beside those of the contract. They can be personal data: they are not printed.
type Blocked struct {
	Values   []string `yaml:"values"`
	Patterns []string `yaml:"patterns"`
}

// Shared is an identifier that many people share: a call centre's number. It can be personal data: it is not printed.
type Shared struct {
	Type  string `yaml:"type"`
	Value string `yaml:"value"`
}

// Limits keep identifiers that many people share from making one customer of them. By type of an identifier: how many
// others it may be seen with.
type Limits struct {
	UserID      Neighbours `yaml:"user_id"`
	CustomerID  Neighbours `yaml:"customer_id"`
	Email       Neighbours `yaml:"email"`
	Phone       Neighbours `yaml:"phone"`
	DeviceID    Neighbours `yaml:"device_id"`
	AnonymousID Neighbours `yaml:"anonymous_id"`
	Other       Neighbours `yaml:"other"`
	MaxMembers  int        `yaml:"max_members"`
}

// Neighbours is the largest number of different identifiers that one identifier may be seen with: altogether, and of one
// type. 0: no limit.
type Neighbours struct {
	Any         int `yaml:"any"`
	UserID      int `yaml:"user_id"`
	CustomerID  int `yaml:"customer_id"`
	Email       int `yaml:"email"`
	Phone       int `yaml:"phone"`
	DeviceID    int `yaml:"device_id"`
	AnonymousID int `yaml:"anonymous_id"`
	Other       int `yaml:"other"`
}

// Consent says what happens to events whose sender says consent.attribution: false.
type Consent struct {
	Without string `yaml:"without"`
}

// Channels are the rules that find a touch's channel.
type Channels struct {
	Rules    []channels.Rule `yaml:"rules"`
	Grouping string          `yaml:"grouping"`
}

// Sessions say how a customer's events are cut into visits.
type Sessions struct {
	Timeout  time.Duration `yaml:"timeout"`
	Rules    string        `yaml:"rules"`
	Timezone string        `yaml:"timezone"`
}

// Lookback is how long before a conversion a touch may be.
type Lookback struct {
	Default time.Duration            `yaml:"default"`
	ByKind  map[string]time.Duration `yaml:"by_kind"`
}

// Conversion is what is special about the conversions of one name.
type Conversion struct {
	Occurrence string        `yaml:"occurrence"`
	Lookback   time.Duration `yaml:"lookback"` // 0: Lookback.Default
	Reset      bool          `yaml:"reset"`
}

// SetDefaults gives a conversion what it does not say.
func (c *Conversion) SetDefaults() { setDefaults(c, "conversions.*.") }

// Model is one attribution model. What is empty has the model's own default.
type Model struct {
	Name        string        `yaml:"name"`
	Type        string        `yaml:"type"`
	HalfLife    time.Duration `yaml:"half_life"`
	Granularity string        `yaml:"granularity"`
	Timezone    string        `yaml:"timezone"`
	First       string        `yaml:"first"`
	Last        string        `yaml:"last"`
}

// Lateness says how long events are waited for.
type Lateness struct {
	OutOfOrderness time.Duration `yaml:"out_of_orderness"`
	Allowed        time.Duration `yaml:"allowed"`
	IdleAfter      time.Duration `yaml:"idle_after"`
}

// Output is the form of the attribution records.
type Output struct {
	Format string `yaml:"format"`
}

// State is where the journeys are kept.
type State struct {
	Dir string `yaml:"dir"`
}

// HTTP is the listener for metrics and probes.
type HTTP struct {
	Listen string `yaml:"listen"`
}

// JournalTopic is the internal topic of messages between identifiers.
func (s *Settings) JournalTopic() string { return s.ApplicationID + "-journal" }

// ChangelogTopic is the internal topic of row changes.
func (s *Settings) ChangelogTopic() string { return s.ApplicationID + "-changelog" }

// Beside returns settings for another application over the same cluster, with topics and state of its own, that has no
// sources and lives on what is replayed to it.
func (s *Settings) Beside(id string) (*Settings, error) {
	if id == s.ApplicationID {
		return nil, fmt.Errorf("application_id %s: it must be another one", id)
	}
	other := *s
	other.ApplicationID = id
	other.Sources = nil
	for _, name := range []*string{&other.Topics.Attributions, &other.Topics.Aliases, &other.Topics.Late, &other.Topics.DeadLetters, &other.Topics.Audit} {
		*name = id + "-" + *name
	}
	other.State.Dir = filepath.Join(filepath.Dir(s.State.Dir), filepath.Base(s.State.Dir)+"-"+id)
	return &other, other.Validate()
}

// ReplayTopic is the topic of events that are fed through the pipeline once more.
func (s *Settings) ReplayTopic() string { return s.ApplicationID + "-replay" }
