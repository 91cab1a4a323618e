package local_test

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tributary/identity"
	"tributary/schemas"
	"tributary/scoring"
	"tributary/state"
	"tributary/stream/attribution"
	"tributary/stream/ingest"
	"tributary/stream/local"
	"tributary/stream/settings"
)

var rewrite = flag.Bool("rewrite", false, "write the answers of the scenarios in testdata as they come out now")

// TestScenarios plays the files of testdata/scenarios. README.md there says how to read them.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/scenarios/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) { playFile(t, file) })
	}
}

func playFile(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	stories, err := parseStories(file, string(text))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, s := range stories {
		got := s.play(t)
		if got != s.want && !*rewrite {
			t.Errorf("%s:%d:\n%s\n----\ngot:\n%s\nwant:\n%s", s.file, s.line, s.question, got, s.want)
		}
		out = append(out, s.question+"\n----\n"+got)
	}
	if *rewrite {
		if err := os.WriteFile(file, []byte(strings.Join(out, "\n\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// clock is the broker's clock of every scenario.
var clock = schemas.MillisOf(time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC))

// play returns what comes out in the written order, after it has seen that every other delivery says the same.
func (s *story) play(t *testing.T) string {
	want := s.deliver(t, 1)
	if got := s.deliver(t, 7); got.String() != want.String() {
		t.Errorf("%s:%d: 7 partitions instead of 1:\n%s\ninstead of\n%s", s.file, s.line, got, want)
	}
	if s.ordered {
		return want.String()
	}
	base := rand.Uint64()
	for i := range uint64(6) {
		r := rand.New(rand.NewPCG(base, i))
		partitions, times := []int{1, 7}[i%2], 1+int(i/2)%2
		if got := s.shuffle(t, r, partitions, times); got.newest() != want.newest() {
			t.Errorf("%s:%d: seed %d/%d, %d partitions, shuffled, each event %d times:\n%s\ninstead of\n%s",
				s.file, s.line, base, i, partitions, times, got.newest(), want.newest())
		}
	}
	return want.String()
}

// deliver plays the events in their order. Everything that follows from one happens before the next comes, so that the
// revisions on the way are those of this order and of no chance.
func (s *story) deliver(t *testing.T, partitions int) *outcome {
	return s.run(t, partitions, false, func(p *local.Pipeline, in *ingest.Ingest) {
		for _, e := range s.events {
			e.send(p, in)
			if err := p.Finish(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// shuffle plays the events in any order, each some times, in transactions of any size.
func (s *story) shuffle(t *testing.T, r *rand.Rand, partitions, times int) *outcome {
	events := slices.Repeat(s.events, times)
	r.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
	return s.run(t, partitions, r.IntN(2) == 0, func(p *local.Pipeline, in *ingest.Ingest) {
		for _, e := range events {
			e.send(p, in)
			for range r.IntN(3) {
				p.Step(r.Int32N(int32(partitions)), 1+r.IntN(4))
			}
		}
		for p.Waiting() > 0 {
			p.Step(r.Int32N(int32(partitions)), 1+r.IntN(4))
		}
	})
}

func (a arrival) send(p *local.Pipeline, in *ingest.Ingest) {
	switch {
	case a.event == nil:
		ids, _ := in.Normalizer.IDs(a.unlinked, nil)
		p.Share("unlink", ids...)
	case a.replayed:
		p.Replay(a.event, clock)
	default:
		p.Event(a.event, clock)
	}
}

func (s *story) run(t *testing.T, partitions int, everyBatch bool, deliver func(*local.Pipeline, *ingest.Ingest)) *outcome {
	store, err := state.OpenMemory()
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	config := configOf(t, s.settings, partitions)
	config.EveryBatch = everyBatch
	config.Timed, config.OutOfOrderness = s.timed, s.settings.Lateness.OutOfOrderness
	out := &outcome{reader: newReader(t), history: map[string][]schemas.Attribution{}, aliases: map[string]string{}}
	p := local.New(config, store, out)
	deliver(p, config.Ingest)
	if err := p.Finish(); err != nil {
		t.Fatal(err)
	}
	if !p.Ledger.Settled() {
		t.Errorf("%s:%d: the ledger does not add up: %+v", s.file, s.line, p.Ledger)
	}
	out.records = recordsLine(p)
	out.shared = sharedIn(t, store, partitions)
	out.withheld = p.Withheld()
	return out
}

// configOf is the pipeline by the settings, with a key of its own.
func configOf(t testing.TB, s *settings.Settings, partitions int) local.Config {
	keys, err := identity.NewKeyring(identity.DevelopmentKey(), identity.Key{})
	if err != nil {
		t.Fatal(err)
	}
	normalizer, err := identity.NewNormalizer(s.IdentityRules(), keys)
	if err != nil {
		t.Fatal(err)
	}
	mapping, err := s.ChannelMapping()
	if err != nil {
		t.Fatal(err)
	}
	models, err := scoring.NewAll(s.ModelSpecs())
	if err != nil {
		t.Fatal(err)
	}
	return local.Config{
		Ingest: &ingest.Ingest{Normalizer: normalizer, Channels: mapping, WithoutConsent: ingest.Consent(s.Consent.Without),
			DefaultCurrency: s.DefaultCurrency, Shared: ingest.SharedOf(normalizer, s.SharedIdentifiers())},
		Attribution: attribution.Config{Partitions: partitions, Limits: s.IdentityLimits(),
			MaxMembers: uint32(s.Identity.Limits.MaxMembers), Rules: s.JourneyRules(), Models: models, Key: keys.Active(),
			AllowedLateness: s.Lateness.Allowed},
	}
}

// outcome is what a reader of the records has in the end, and how it came to that.
type outcome struct {
	*reader
	history map[string][]schemas.Attribution // by conversion
	aliases map[string]string
	audit   []schemas.Audit
	records string
	shared  []attribution.Shared
	// withheld is how many revisions of final conversions did not come out.
	withheld int64
}

func (o *outcome) Attribution(a *schemas.Attribution) {
	o.reader.Attribution(a)
	o.history[a.ConversionID] = append(o.history[a.ConversionID], *o.Newest[a.ConversionID])
}

func (o *outcome) Alias(a schemas.Alias) { o.aliases[a.Old] = a.New }

func (o *outcome) Audit(a schemas.Audit) { o.audit = append(o.audit, a) }

// newest is what every delivery has to agree on: the last answers, without how they came to be. That a conversion was
// erased is nowhere to be seen if the forget came first, so it is left out.
func (o *outcome) newest() string {
	var lines []string
	for _, id := range slices.Sorted(maps.Keys(o.history)) {
		if a := o.Newest[id]; a.Unattributed != schemas.UnattributedErased {
			lines = append(lines, answerLines(a)...)
		}
	}
	lines = append(lines, o.customers()...)
	for i := range o.shared {
		lines = append(lines, sharedLine(&o.shared[i], false))
	}
	return strings.Join(lines, "\n")
}

func (o *outcome) String() string {
	var lines []string
	for _, id := range slices.Sorted(maps.Keys(o.history)) {
		lines = append(lines, answerLines(o.Newest[id])...)
		if all := o.history[id]; len(all) > 1 {
			for i := range all {
				lines = append(lines, revisionLine(&all[i]))
			}
			o.checkAliases(id)
		}
	}
	lines = append(lines, o.customers()...)
	for i := range o.shared {
		lines = append(lines, sharedLine(&o.shared[i], true))
	}
	lines = append(lines, o.receipts()...)
	if o.records != "" {
		lines = append(lines, o.records)
	}
	if o.withheld > 0 {
		lines = append(lines, fmt.Sprintf("withheld: %s", count(int(o.withheld), "revision", "revisions")))
	}
	return strings.Join(lines, "\n")
}

// checkAliases follows the aliases of customers that merged to where the conversion is now.
func (o *outcome) checkAliases(id string) {
	all := o.history[id]
	for i := 1; i < len(all); i++ {
		before, after := all[i-1].CustomerID, all[i].CustomerID
		if all[i].Cause != schemas.CauseIdentityMerge || before == after || before == "" {
			continue
		}
		if slices.ContainsFunc(all[i:], func(a schemas.Attribution) bool { return a.Cause == schemas.CauseIdentitySplit }) {
			continue // which withdrew the alias
		}
		at := before
		for range len(o.aliases) {
			if next, ok := o.aliases[at]; ok && at != after {
				at = next
			}
		}
		if at != after {
			o.t.Errorf("%s: revision %d has another customer id, but no alias leads to it", id, all[i].Revision)
		}
	}
}

// customers tells which conversions belong to one customer, if there is more than one conversion.
func (o *outcome) customers() []string {
	of := map[string][]string{}
	n := 0
	for _, id := range slices.Sorted(maps.Keys(o.Newest)) {
		if c := o.Newest[id].CustomerID; c != "" {
			of[c] = append(of[c], id)
			n++
		}
	}
	if n < 2 {
		return nil
	}
	var groups []string
	for _, ids := range of {
		groups = append(groups, strings.Join(ids, " "))
	}
	slices.Sort(groups)
	return []string{"customers: " + strings.Join(groups, " | ")}
}

// sharedIn are the shared identifiers of a store, in their order.
func sharedIn(t *testing.T, store *state.Store, partitions int) (all []attribution.Shared) {
	batch := store.NewBatch()
	defer batch.Close()
	for partition := range int32(partitions) {
		err := store.Entries(partition, func(e state.Entry) bool {
			id, node, ok, err := state.NodeEntry(e)
			if err != nil {
				t.Fatal(err)
			}
			if ok && node.Shared {
				found, err := attribution.SharedOf(batch.Rows(partition), id)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, found)
			}
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	slices.SortFunc(all, func(a, b attribution.Shared) int { return identity.Compare(a.ID, b.ID) })
	return all
}

// sharedLine is a shared identifier, why it is, how many identifiers of each type it was seen with, and the touches that are
// nobody's by it.
func sharedLine(s *attribution.Shared, why bool) string {
	line := "shared: " + s.ID.Type()
	if why {
		line += " (" + s.Why + ")"
	}
	of := map[string]int{}
	var types []string
	for _, id := range s.Candidates {
		if of[id.Type()]++; of[id.Type()] == 1 {
			types = append(types, id.Type())
		}
	}
	for i, typ := range types {
		types[i] = fmt.Sprintf("%d %s", of[typ], typ)
	}
	if len(types) > 0 {
		line += ", seen with " + strings.Join(types, ", ")
	}
	for _, touch := range s.Touches {
		line += fmt.Sprintf("; nobody's: %s %s", touch.Channel, said(touch.At))
	}
	return line
}

// receipts sums up the audit records of each request, in the order of the first.
func (o *outcome) receipts() (lines []string) {
	sums := map[string]*schemas.Audit{}
	var requests []string
	for _, a := range o.audit {
		request := fmt.Sprintf("%s by %s", a.Kind, cmp.Or(a.Request, "itself"))
		if sums[request] == nil {
			sums[request] = &schemas.Audit{Kind: a.Kind}
			requests = append(requests, request)
		}
		s := sums[request]
		s.Identifiers, s.Events, s.Conversions, s.Links = s.Identifiers+a.Identifiers, s.Events+a.Events, s.Conversions+a.Conversions, s.Links+a.Links
	}
	for _, request := range requests {
		s := sums[request]
		line := fmt.Sprintf("audit: %s of %s", request, count(int(s.Identifiers), "identifier", "identifiers"))
		if s.Kind == schemas.AuditUnlink {
			line += fmt.Sprintf(" with %s", count(int(s.Links), "link", "links"))
		} else {
			line += fmt.Sprintf(", %s, %s", count(int(s.Events), "event", "events"), count(int(s.Conversions), "conversion", "conversions"))
		}
		lines = append(lines, line)
	}
	return lines
}

// answerLines is one conversion with what each model says.
func answerLines(a *schemas.Attribution) []string {
	c := a.Conversion
	var words []string
	if c.Name != "" {
		words = append(words, fmt.Sprintf("%s at %s", c.Name, said(c.OccurredAt)))
	}
	if hasCurrency(c.Value) {
		words[0] += fmt.Sprintf(" of %s %s", c.Value, c.Value.Currency)
	}
	if c.NetValue != c.Value {
		words = append(words, "net "+c.NetValue.String())
	}
	if a.Status == schemas.StatusFinal {
		words = append(words, "final")
	}
	switch {
	case a.Status == schemas.StatusRetracted:
		words = append(words, fmt.Sprintf("retracted (%s)", a.Unattributed))
	case len(a.Touches) == 0:
		words = append(words, fmt.Sprintf("unattributed (%s)", a.Unattributed))
	default:
		words = append(words, count(a.Journey.Touches, "touch", "touches")+" in "+count(a.Journey.Sessions, "session", "sessions"))
	}
	lines := []string{a.ConversionID + ": " + strings.Join(words, ", ")}
	if len(a.Touches) == 0 {
		return lines
	}
	for m, model := range a.Models {
		lines = append(lines, "  "+model.Name+": "+creditWords(a, m))
	}
	return lines
}

func hasCurrency(m schemas.Money) bool { return m.Currency != "" && m.Currency != schemas.NoCurrency }

// creditWords names the touches that a model gives something.
func creditWords(a *schemas.Attribution, model int) string {
	var words []string
	for i := range a.Touches {
		t := &a.Touches[i]
		credit := t.Credit[model]
		if credit.Share == 0 && credit.Minor == 0 {
			continue
		}
		word := t.Channel + " " + said(t.OccurredAt)
		if hasCurrency(a.Conversion.NetValue) {
			word += " " + schemas.Money{Minor: credit.Minor, Currency: a.Conversion.NetValue.Currency}.String()
		}
		if credit.Share != schemas.WholeShare {
			word += fmt.Sprintf(" (%s)", credit.Share)
		}
		words = append(words, word)
	}
	return strings.Join(words, ", ")
}

// revisionLine is one revision on the way.
func revisionLine(a *schemas.Attribution) string {
	line := fmt.Sprintf("  revision %d, %s by %s:", a.Revision, a.Change, a.Cause)
	if n := a.Conversion.NetValue; hasCurrency(n) {
		line += " " + n.String()
	}
	if len(a.Touches) == 0 {
		return line + fmt.Sprintf(" (%s)", a.Unattributed)
	}
	var touches []string
	for i := range a.Touches {
		touches = append(touches, a.Touches[i].Channel+" "+said(a.Touches[i].OccurredAt))
	}
	return line + " to " + strings.Join(touches, ", ")
}

// recordsLine is the ledger, if there is more to say than that every event was applied.
func recordsLine(p *local.Pipeline) string {
	l := p.Ledger
	if l.Applied == l.Received {
		return ""
	}
	words := []string{fmt.Sprintf("%d applied", l.Applied)}
	add := func(n int64, word string) {
		if n > 0 {
			words = append(words, fmt.Sprintf("%d %s", n, word))
		}
	}
	duplicates := "duplicate"
	if l.Conflicts > 0 {
		duplicates = fmt.Sprintf("duplicate (%d conflicting)", l.Conflicts)
	}
	add(l.Duplicate, duplicates)
	for _, reason := range byName(p.Counts.Refused) {
		add(p.Counts.Refused[reason], "refused ("+string(reason)+")")
	}
	for _, reason := range byName(p.Counts.Filtered) {
		add(p.Counts.Filtered[reason], "filtered ("+string(reason)+")")
	}
	add(l.Late, "late")
	add(l.Forgotten, "forgotten")
	add(l.Shared, "nobody's")
	return "records: " + strings.Join(words, ", ")
}

func byName[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
