package population

import (
	"errors"
	"fmt"
	"time"
)

// Config says what to invent. Start from Default. Shares are from 0 to 1.
type Config struct {
	Seed      uint64
	Customers int       // people, 1 to MaxCustomers
	Start     time.Time // when the first one appears; cut to the millisecond
	Days      int       // length of the period, 1 to 3650; nothing happens after it, but records may still arrive

	Duplicates float64       // share of records that arrive a second time
	Late       float64       // share of records that arrive late, by up to MaxDelay
	MaxDelay   time.Duration // longest way of a record; ordinary ones take seconds
	Families   float64       // share of people who share their phone number with one other
	CallCentre float64       // share of people on whose orders stands the call centre's number instead of their own
	Devices    float64       // share of people whose first browser is also that of one other: the family's computer
	Tablets    float64       // share of people whose last browser is a tablet in a shop, where many sign in
	Callers    float64       // share of people who make a booking by phone: a conversion that is a touch too
	Refunds    float64       // share of purchases that are taken back, in part or whole
	Broken     float64       // share of records that come a second time in a form that must be refused (a time without a zone)
}

// MaxCustomers bounds a population. There are more milliseconds in a day, so that everybody can appear at a time of her
// own.
const MaxCustomers = 50_000_000

// Default is a small population with everything in it that makes attribution hard, but for browsers that several people use.
func Default() Config {
	return Config{
		Seed:       1,
		Customers:  1000,
		Start:      time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC),
		Days:       30,
		Duplicates: 0.02,
		Late:       0.03,
		MaxDelay:   48 * time.Hour, // below the lateness that settings allow by default
		Families:   0.06,
		CallCentre: 0.01,
		Callers:    0.10,
		Refunds:    0.06,
	}
}

// Validate reports everything that is wrong with c at once.
func (c Config) Validate() error {
	var faults []error
	refuse := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if c.Customers < 1 || c.Customers > MaxCustomers {
		refuse("customers: %d: must be 1 to %d", c.Customers, MaxCustomers)
	}
	if c.Days < 1 || c.Days > 3650 {
		refuse("days: %d: must be 1 to 3650", c.Days)
	}
	if y := c.Start.UTC().Year(); y < 1971 || y > 9900 {
		refuse("start: year %d: must be 1971 to 9900", y)
	}
	if c.MaxDelay < time.Minute || c.MaxDelay > 365*24*time.Hour {
		refuse("max delay: %v: must be 1m to 365 days", c.MaxDelay)
	}
	for _, s := range []struct {
		name  string
		share float64
	}{{"duplicates", c.Duplicates}, {"late", c.Late}, {"families", c.Families}, {"call centre", c.CallCentre},
		{"devices", c.Devices}, {"tablets", c.Tablets}, {"callers", c.Callers}, {"refunds", c.Refunds}, {"broken", c.Broken}} {
		if !(s.share >= 0 && s.share <= 1) {
			refuse("%s: %v: must be 0 to 1", s.name, s.share)
		}
	}
	return errors.Join(faults...)
}
