package settings

import (
	"time"

	"tributary/identity"
	"tributary/schemas"
	"tributary/scoring"
	"tributary/state/journey"
	"tributary/stream/channels"
)

// The functions of this file give valid settings the shape in which the other packages want them.

// JourneyRules are sessions, touch unit, lookback and conversions.
func (s *Settings) JourneyRules() journey.Rules {
	zone, err := time.LoadLocation(s.Sessions.Timezone)
	if err != nil {
		zone = time.UTC // Validate refuses it
	}
	conversions := make(map[string]journey.ConversionRule, len(s.Conversions))
	for name, c := range s.Conversions {
		conversions[name] = journey.ConversionRule{Occurrence: c.Occurrence, Lookback: c.Lookback, Reset: c.Reset}
	}
	return journey.Rules{
		SessionTimeout: s.Sessions.Timeout,
		SessionRules:   s.Sessions.Rules,
		Timezone:       zone,
		TouchUnit:      s.TouchUnit,
		Lookback:       journey.Lookback{Default: s.Lookback.Default, ByKind: s.Lookback.ByKind},
		Conversions:    conversions,
	}
}

// ModelSpecs are the models, in their order.
func (s *Settings) ModelSpecs() []scoring.Spec {
	specs := make([]scoring.Spec, len(s.Models))
	for i, m := range s.Models {
		specs[i] = scoring.Spec{Name: m.Name, Type: m.Type, HalfLife: m.HalfLife, Granularity: m.Granularity,
			Timezone: m.Timezone, First: m.First, Last: m.Last}
	}
	return specs
}

// IdentityRules say how raw identifiers are read.
func (s *Settings) IdentityRules() identity.Rules {
	types := make([]identity.Type, len(s.Identity.Types))
	for i, t := range s.Identity.Types {
		types[i] = identity.Type{Name: t.Name, Rank: uint8(t.Rank)}
	}
	return identity.Rules{
		DefaultRegion:   s.Identity.DefaultRegion,
		Types:           types,
		BlockedValues:   s.Identity.Blocked.Values,
		BlockedPatterns: s.Identity.Blocked.Patterns,
	}
}

// SharedIdentifiers are the identifiers that are declared shared.
func (s *Settings) SharedIdentifiers() []schemas.Identifier {
	all := make([]schemas.Identifier, len(s.Identity.Shared))
	for i, id := range s.Identity.Shared {
		all[i] = schemas.Identifier{Type: id.Type, Value: id.Value}
	}
	return all
}

// IdentityLimits are the limits on neighbours, by rank: a type that settings add at the rank of a standard type has its
// limits, and counts as it.
func (s *Settings) IdentityLimits() (limits identity.Limits) {
	l := &s.Identity.Limits
	for i, n := range []*Neighbours{&l.UserID, &l.CustomerID, &l.Email, &l.Phone, &l.DeviceID, &l.AnonymousID, &l.Other} {
		class := i + 1
		limits.Neighbours[class] = uint32(n.Any)
		for k, of := range []int{n.UserID, n.CustomerID, n.Email, n.Phone, n.DeviceID, n.AnonymousID, n.Other} {
			limits.NeighboursOf[class][k+1] = uint32(of)
		}
	}
	return limits
}

// ChannelMapping is the rules of the settings and after them those of the grouping. Valid settings give no error.
func (s *Settings) ChannelMapping() (*channels.Mapping, error) {
	rules := append([]channels.Rule(nil), s.Channels.Rules...)
	if s.Channels.Grouping == "standard" {
		rules = append(rules, channels.Standard()...)
	}
	return channels.New(rules)
}
