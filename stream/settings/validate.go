package settings

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"tributary/identity"
	"tributary/schemas"
	"tributary/scoring"
	"tributary/stream/yamldoc"
)

// Validate reports everything that is wrong with s at once, each with path, value and rule, as yamldoc.Faults; nil when
// nothing is.
func (s *Settings) Validate() error {
	return (&Loaded{Settings: *s, file: new(yamldoc.Document)}).validate().Err()
}

func (l *Loaded) validate() yamldoc.Faults {
	v := validation{Loaded: l}
	yamldoc.Walk(&l.Settings, v.leaf)
	v.topics()
	v.security()
	v.identity()
	v.channels()
	v.models()
	v.times()
	return v.faults
}

// validation collects faults.
type validation struct {
	*Loaded
	faults yamldoc.Faults
}

func (v *validation) refuse(path, format string, args ...any) {
	v.faults = append(v.faults, v.fault(path, fmt.Sprintf(format, args...)))
}

// refuseHidden does not show the line of the file.
func (v *validation) refuseHidden(path, format string, args ...any) {
	v.refuse(path, format, args...)
	v.faults[len(v.faults)-1].Source = ""
}

// leaf checks one value against the rule of its setting.
func (v *validation) leaf(leaf yamldoc.Leaf) {
	setting := byPath()[leaf.Pattern]
	if setting == nil || setting.Rule.holds == nil {
		return
	}
	if setting.Default == "" && leaf.Value.IsZero() && !v.isGiven(leaf.Path) {
		if required[leaf.Pattern] {
			v.refuse(leaf.Path, "must be set, to %s", setting.Rule.text)
		}
		return
	}
	if setting.Rule.holds(leaf.Value) {
		return
	}
	if setting.Hidden {
		v.refuseHidden(leaf.Path, "must be %s", setting.Rule.text)
		return
	}
	v.refuse(leaf.Path, "%s: must be %s", shorten(written(leaf.Value)), setting.Rule.text)
}

// required are the settings without a default that an entry of a list must have.
var required = map[string]bool{"sources[].topic": true, "identity.types[].name": true, "identity.shared[].type": true,
	"identity.shared[].value": true, "channels.rules[].channel": true, "models[].type": true}

// topics must all be different: one that is read and written would feed itself.
func (v *validation) topics() {
	taken := map[string]string{v.JournalTopic(): "the journal", v.ChangelogTopic(): "the changelog", v.ReplayTopic(): "replays"}
	claim := func(path, name string) {
		if other, ok := taken[name]; ok && name != "" {
			v.refuse(path, "%s: must differ from the topic of %s", quoted(name), other)
			return
		}
		taken[name] = path
	}
	claim("topics.attributions", v.Topics.Attributions)
	claim("topics.aliases", v.Topics.Aliases)
	claim("topics.late", v.Topics.Late)
	claim("topics.dead_letters", v.Topics.DeadLetters)
	claim("topics.audit", v.Topics.Audit)
	for i, source := range v.Sources {
		claim(fmt.Sprintf("sources[%d].topic", i), source.Topic)
	}
}

func (v *validation) security() {
	tls, sasl := v.Kafka.TLS, v.Kafka.SASL
	if !tls.Enabled {
		for _, f := range []struct{ path, value string }{{"ca_file", tls.CAFile}, {"cert_file", tls.CertFile}, {"key_file", tls.KeyFile}} {
			if f.value != "" {
				v.refuse("kafka.tls."+f.path, "%s: has no effect unless kafka.tls.enabled is true", quoted(f.value))
			}
		}
	}
	if (tls.CertFile == "") != (tls.KeyFile == "") {
		v.refuse("kafka.tls", "cert_file and key_file must be set together")
	}
	if sasl.Mechanism != "" {
		return
	}
	for _, f := range []struct{ path, value string }{{"user_file", sasl.UserFile}, {"password_file", sasl.PasswordFile}} {
		if f.value != "" {
			v.refuse("kafka.sasl."+f.path, "%s: has no effect unless kafka.sasl.mechanism is set", quoted(f.value))
		}
	}
}

func (v *validation) identity() {
	var added []identity.Type
	for i, t := range v.Identity.Types {
		if !byPath()["identity.types[].name"].Rule.holds(reflect.ValueOf(t.Name)) {
			continue
		}
		next := append(slices.Clone(added), identity.Type{Name: t.Name})
		if _, err := identity.NewTypes(next...); err != nil {
			v.refuse(fmt.Sprintf("identity.types[%d].name", i), "%s", strings.TrimPrefix(err.Error(), "identifier "))
			continue
		}
		added = next
	}
	v.shared()
}

// shared checks that each identifier is one, under the rules of the other settings if these are valid.
func (v *validation) shared() {
	normalizer, err := identity.NewNormalizer(v.IdentityRules(), developmentKeys())
	if err != nil {
		return // said elsewhere
	}
	for i, id := range v.Identity.Shared {
		if id.Type == "" || id.Value == "" {
			continue // said by the rule of the value
		}
		switch _, verdict := normalizer.Normal(schemas.Identifier{Type: id.Type, Value: id.Value}); verdict {
		case identity.Kept:
		case identity.UnknownType:
			v.refuseHidden(fmt.Sprintf("identity.shared[%d].type", i), "%s: must be a type of identifier", quoted(id.Type))
		default:
			v.refuseHidden(fmt.Sprintf("identity.shared[%d].value", i), "is %s, must be an identifier of its type that is not blocked", verdict)
		}
	}
}

func (v *validation) channels() {
	for i, r := range v.Channels.Rules {
		if err := r.Validate(); err != nil && r.Channel != "" && strings.HasPrefix(err.Error(), "when: ") {
			v.refuse(fmt.Sprintf("channels.rules[%d].when", i), "%s", strings.TrimPrefix(err.Error(), "when: "))
		}
	}
}

// models are scoring's to check.
func (v *validation) models() {
	if len(v.Models) == 0 {
		return // said by the rule of the list
	}
	for _, err := range scoring.ValidateAll(v.ModelSpecs()) {
		var fault scoring.Fault
		if !errors.As(err, &fault) {
			v.refuse("models", "%v", err)
			continue
		}
		if strings.HasSuffix(fault.Field, ".type") {
			continue // said by the rule of the value
		}
		v.refuse(fault.Field, "%s: %s", quoted(fault.Value), fault.Rule)
	}
}

func (v *validation) times() {
	if out, allowed := v.Lateness.OutOfOrderness, v.Lateness.Allowed; out > allowed {
		v.refuse("lateness.out_of_orderness", "%s: must be at most lateness.allowed, %s", yamldoc.FormatDuration(out), yamldoc.FormatDuration(allowed))
	}
	for _, kind := range slices.Sorted(maps.Keys(v.Lookback.ByKind)) {
		if kind == "" {
			v.refuse("lookback.by_kind", "must not have an empty name")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(v.Conversions)) {
		if name == "" {
			v.refuse("conversions", "must not have an empty name")
		}
	}
	path, lookback := v.longestLookback()
	need := lookback + v.Lateness.Allowed + day
	if v.Retention < need {
		v.refuse("retention", "%s: must be at least %s: %s (%s) + lateness.allowed (%s) + 1d", yamldoc.FormatDuration(v.Retention),
			yamldoc.FormatDuration(need), path, yamldoc.FormatDuration(lookback), yamldoc.FormatDuration(v.Lateness.Allowed))
	}
}

// longestLookback is the longest time that a conversion can look back, and the setting that says so.
func (s *Settings) longestLookback() (path string, longest time.Duration) {
	path, longest = "lookback.default", s.Lookback.Default
	for _, kind := range slices.Sorted(maps.Keys(s.Lookback.ByKind)) {
		if d := s.Lookback.ByKind[kind]; d > longest {
			path, longest = "lookback.by_kind."+kind, d
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Conversions)) {
		if d := s.Conversions[name].Lookback; d > longest {
			path, longest = "conversions."+name+".lookback", d
		}
	}
	return path, longest
}

func asDuration(v reflect.Value) (time.Duration, bool) {
	if !v.CanInterface() {
		return 0, false
	}
	d, ok := v.Interface().(time.Duration)
	return d, ok
}
