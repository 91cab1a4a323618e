// Package service runs the roles on Kafka: it looks at the cluster and its topics, opens the store, starts the lanes of
// each role and the listener for metrics and probes, and stops them in order.
//
// Several services with one application id share the work: each is a member of the groups <app>-ingest and <app>-journey.
package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"tributary/identity"
	"tributary/schemas"
	"tributary/scoring"
	"tributary/state"
	"tributary/stream/attribution"
	"tributary/stream/ingest"
	"tributary/stream/lane"
	"tributary/stream/metrics"
	"tributary/stream/operator"
	"tributary/stream/roles"
	"tributary/stream/settings"
	"tributary/stream/topics"
)

// Role is a part of the work that can run apart.
type Role string

// The roles.
const (
	RoleIngest  Role = "ingest"
	RoleJourney Role = "journey"
)

// Roles are all roles, in the order in which records pass through them.
var Roles = []Role{RoleIngest, RoleJourney}

// Config says what to run.
type Config struct {
	Settings *settings.Settings
	Keys     identity.Keyring
	Client   []kgo.Opt // how to reach the cluster
	Roles    []Role    // none: all

	// Instance names this process among those of the application id: part of its transactional ids. It must be the same
	// after a restart and unlike that of every other instance that runs. Static makes it a static group member too, so
	// that a restart within the session timeout moves no partition.
	Instance string
	Static   bool
	Version  string // of the program, for the audit topic

	Metrics *metrics.Metrics
	Log     *slog.Logger

	// tune is for tests: it may change the settings of a lane, and put a task of its own around the role's.
	tune func(*lane.Config, lane.Task) lane.Task
	// patience is for tests: startPatience if 0.
	patience time.Duration
}

// Service is a service that has looked at its cluster and is ready to run.
type Service struct {
	Config
	topics roles.Topics
	batch  map[string]int32 // largest batch that a topic takes, in bytes
	lanes  []*runner
	store  *state.Store // of the journey role
	gate   *lane.Gate   // of its lanes
	failed bool         // the store

	purgeEvery time.Duration
}

// runner is one lane of one role.
type runner struct {
	role   Role
	number int
	*lane.Lane
}

// TopicsOf names the topics that the settings lead to.
func TopicsOf(s *settings.Settings) roles.Topics {
	sources := make(map[string]int32, len(s.Sources))
	for _, source := range s.Sources {
		sources[source.Topic] = 0
	}
	return roles.Topics{Sources: sources, Replay: s.ReplayTopic(), Journal: s.JournalTopic(), Changelog: s.ChangelogTopic(), Partitions: s.Partitions,
		Attributions: s.Topics.Attributions, Protobuf: s.Output.Format == "protobuf",
		Aliases: s.Topics.Aliases, DeadLetters: roles.Letters{Topic: s.Topics.DeadLetters}, Late: roles.Letters{Topic: s.Topics.Late}, Audit: s.Topics.Audit}
}

// AttributionConfig is what the answers depend on, by the settings.
func AttributionConfig(s *settings.Settings, keys identity.Keyring) (attribution.Config, error) {
	models, err := scoring.NewAll(s.ModelSpecs())
	if err != nil {
		return attribution.Config{}, err
	}
	return attribution.Config{Partitions: s.Partitions, Limits: s.IdentityLimits(), MaxMembers: uint32(s.Identity.Limits.MaxMembers),
		Rules: s.JourneyRules(), Models: models, Key: keys.Active(), AllowedLateness: s.Lateness.Allowed, Retention: s.Retention}, nil
}

// IngestOf is ingest by the settings.
func IngestOf(s *settings.Settings, keys identity.Keyring) (*ingest.Ingest, error) {
	normalizer, err := identity.NewNormalizer(s.IdentityRules(), keys)
	if err != nil {
		return nil, err
	}
	mapping, err := s.ChannelMapping()
	if err != nil {
		return nil, err
	}
	return &ingest.Ingest{Normalizer: normalizer, Channels: mapping, WithoutConsent: ingest.Consent(s.Consent.Without),
		DefaultCurrency: s.DefaultCurrency, Shared: ingest.SharedOf(normalizer, s.SharedIdentifiers())}, nil
}

// New looks at the cluster, for which it waits a minute, creates the internal topics that are missing, checks those that exist, and opens the store.
// Close gives back what it opened, whether or not Run was called.
func New(ctx context.Context, c Config) (*Service, error) {
	if len(c.Roles) == 0 {
		c.Roles = Roles
	}
	if c.patience == 0 {
		c.patience = startPatience
	}
	s := &Service{Config: c, topics: TopicsOf(c.Settings), purgeEvery: purgeInterval}
	for _, step := range []func(context.Context) error{s.prepareTopics, s.auditConfiguration, s.share} {
		if err := s.patiently(ctx, step); err != nil {
			return nil, err
		}
	}
	if err := s.addLanes(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// startPatience is how long a step of the start waits for a cluster that can't be reached: longer than a broker takes to
// restart, shorter than the startup probe of a pod. Running lanes wait for as long as it takes.
const startPatience = time.Minute

// patiently repeats a step of the start while what fails may pass by itself.
func (s *Service) patiently(ctx context.Context, step func(context.Context) error) error {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = 200*time.Millisecond, 5*time.Second
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		err := step(ctx)
		if err != nil && !topics.Passing(err) {
			err = backoff.Permanent(err)
		}
		return struct{}{}, err
	}, backoff.WithBackOff(pause), backoff.WithMaxElapsedTime(s.patience), backoff.WithNotify(func(err error, again time.Duration) {
		s.Log.Warn("the start waits for the cluster", "error", err, "again_in", again.Round(time.Millisecond))
	}))
	return err
}

func (s *Service) prepareTopics(ctx context.Context) error {
	client, err := topics.Connect(s.Client)
	if err != nil {
		return err
	}
	defer client.Close()
	found, err := topics.Prepare(ctx, client, Topics(s.Settings), s.Log)
	if err != nil {
		return err
	}
	s.batch = make(map[string]int32, len(found))
	for _, f := range found {
		s.batch[f.Name] = int32(f.MaxBatchBytes())
		if _, ok := s.topics.Sources[f.Name]; ok {
			s.topics.Sources[f.Name] = int32(f.Partitions)
		}
	}
	for _, letters := range []*roles.Letters{&s.topics.DeadLetters, &s.topics.Late} {
		letters.Bytes = int(s.batchBytes(letters.Topic))
	}
	return nil
}

// share declares what the settings say is shared, at every start: to declare it again changes nothing.
func (s *Service) share(ctx context.Context) error {
	identifiers := s.Settings.SharedIdentifiers()
	if len(identifiers) == 0 {
		return nil
	}
	o := operator.Operator{Settings: s.Settings, Keys: s.Keys, Client: s.Client}
	if err := o.Share(ctx, "settings", identifiers...); err != nil {
		return fmt.Errorf("declare shared identifiers: %w", err)
	}
	return nil
}

// auditConfiguration says that this instance starts, and with what settings.
func (s *Service) auditConfiguration(ctx context.Context) error {
	client, err := kgo.NewClient(s.Client...)
	if err != nil {
		return err
	}
	defer client.Close()
	a := schemas.Audit{Kind: schemas.AuditConfiguration, At: schemas.MillisOf(time.Now()), Instance: s.Instance, Version: s.Version,
		Settings: s.Settings.InEffect()}
	if err := client.ProduceSync(ctx, &kgo.Record{Topic: s.topics.Audit, Value: a.Encode(nil)}).FirstErr(); err != nil {
		return fmt.Errorf("write to topic %s: %w", s.topics.Audit, err)
	}
	return nil
}

func (s *Service) addLanes() error {
	if slices.Contains(s.Roles, RoleIngest) {
		decide, err := IngestOf(s.Settings, s.Keys)
		if err != nil {
			return err
		}
		for i := range s.Settings.Lanes.Ingest {
			if err := s.addIngest(decide, i); err != nil {
				return err
			}
		}
	}
	if !slices.Contains(s.Roles, RoleJourney) {
		return nil
	}
	config, err := AttributionConfig(s.Settings, s.Keys)
	if err != nil {
		return err
	}
	if s.store, err = state.Open(s.Settings.State.Dir, state.Options{NoWAL: true, Log: s.Log}); err != nil {
		return err
	}
	s.gate = lane.NewGate()
	for i := range s.Settings.Lanes.Journey {
		if err := s.addJourney(config, i); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) addIngest(decide *ingest.Ingest, number int) error {
	lateness := s.Settings.Lateness
	task := roles.NewIngest(roles.IngestConfig{Decide: decide, Topics: s.topics, OutOfOrderness: lateness.OutOfOrderness,
		Allowed: lateness.Allowed, Count: s.Metrics.Ingested})
	sources := append(slices.Sorted(maps.Keys(s.topics.Sources)), s.topics.Replay)
	return s.add(RoleIngest, number, lane.Config{Topics: sources, IdleAfter: lateness.IdleAfter}, task)
}

func (s *Service) addJourney(config attribution.Config, number int) error {
	task := roles.NewJourney(attribution.New(config), s.store, s.topics, s.Metrics.Journeyed)
	return s.add(RoleJourney, number, lane.Config{Topics: []string{s.topics.Journal}, Changelog: s.topics.Changelog, Spanning: true,
		Gate: s.gate, MaxPollRecords: journalPoll}, task)
}

// journalPoll is how many journal records are taken at once: about as many messages as a lane's default of records.
const journalPoll = 5_000 * 200 / roles.RecordBytes

const (
	// fetchMaxWait is how long a broker may hold back an answer without records. A partition that comes to a lane is asked
	// for only when the question before has been answered: with the client's default of 5 s it would lie still so long.
	fetchMaxWait = 500 * time.Millisecond

	// A transaction lives through at least this many commit intervals, and a member through this many transactions.
	intervalsOfTransaction, transactionsOfSession = 5, 2
)

func (s *Service) add(role Role, number int, c lane.Config, task lane.Task) error {
	c.Client = slices.Concat(s.Client, LaneOptions(), []kgo.Opt{kgo.ProducerBatchMaxBytesFn(s.batchBytes)})
	c.Group = s.group(role)
	c.TransactionalID = fmt.Sprintf("%s-%s-%d", c.Group, s.Instance, number)
	if s.Static {
		c.InstanceID = c.TransactionalID
	}
	c.Addressed = []string{s.topics.Journal, s.topics.Changelog}
	c.CommitInterval = s.Settings.CommitInterval
	c.TransactionTimeout = max(10*time.Second, intervalsOfTransaction*c.CommitInterval)
	c.SessionTimeout = transactionsOfSession * c.TransactionTimeout
	c.Log = s.Log.With("role", string(role), "lane", number)
	if s.tune != nil {
		task = s.tune(&c, task)
	}
	l, err := lane.New(c, task)
	if err != nil {
		return err
	}
	s.lanes = append(s.lanes, &runner{role, number, l})
	s.Metrics.Lane(string(role), number, l.Stats())
	return nil
}

// LaneOptions are how lanes read and write, beside what a lane itself decides and how large its batches may be.
func LaneOptions() []kgo.Opt {
	return []kgo.Opt{kgo.FetchMaxWait(fetchMaxWait), kgo.ProducerBatchCompression(kgo.SnappyCompression(), kgo.NoCompression())}
}

// group is the consumer group of a role.
func (s *Service) group(role Role) string { return groupOf(s.Settings, role) }

func groupOf(s *settings.Settings, role Role) string {
	return fmt.Sprintf("%s-%s", s.ApplicationID, role)
}

// batchBytes is how large a batch may be for a topic. A batch that is too large for its topic would end the service.
func (s *Service) batchBytes(topic string) int32 {
	if n, ok := s.batch[topic]; ok {
		return n
	}
	return topics.MaxRecordBytes
}

// Run works until ctx is cancelled, then ends the open transactions and returns nil. If one lane meets a bug or damaged
// data, all stop and Run returns its error: records are never skipped. If the store fails, Run returns soon, whether or not all have
// stopped: whoever waits for that disk may wait for ever.
func (s *Service) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- s.runAll(ctx) }()
	var failed <-chan error
	if s.store != nil {
		failed = s.store.Failed()
	}
	select {
	case err := <-ended:
		select {
		case cause := <-failed: // a lane met it too
			return s.failure(cause)
		default:
			return err
		}
	case err := <-failed:
		stop()
		select {
		case <-ended:
		case <-time.After(failedPatience):
		}
		return s.failure(err)
	}
}

func (s *Service) failure(err error) error {
	s.failed = true
	return fmt.Errorf("state in %s: %w", s.Settings.State.Dir, err)
}

// failedPatience is how long everybody has to stop when the store has failed.
const failedPatience = 5 * time.Second

func (s *Service) runAll(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	if s.Settings.HTTP.Listen != "" {
		group.Go(func() error { return s.listen(ctx) })
	}
	if s.store != nil {
		group.Go(func() error { return s.purge(ctx) })
		group.Go(func() error { return s.scrub(ctx) })
	}
	for _, l := range s.lanes {
		group.Go(func() error { return l.Run(ctx) })
	}
	return group.Wait()
}

// Close closes the store. Call it when Run has returned. A store that has failed may not answer any more: the end of the process
// closes it.
func (s *Service) Close() error {
	if s.store == nil {
		return nil
	}
	if s.failed {
		closed := make(chan error, 1)
		go func() { closed <- s.store.Close() }()
		select {
		case <-closed: // what it says has been said
		case <-time.After(failedPatience):
		}
		return nil
	}
	err := s.store.Close()
	s.store = nil
	return err
}
