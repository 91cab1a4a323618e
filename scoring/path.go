package scoring

import "tributary/schemas"

// Direct is the channel of a visit that no marketing brought. Only last_non_direct treats it differently.
const Direct = "direct"

// Touchpoint is what models may know of one eligible touch.
type Touchpoint struct {
	At      schemas.Millis
	Channel string
	Kind    string
}

// Path is the eligible touches of one conversion.
// Invariant: Touches are in order of time, none after ConvertedAt.
type Path struct {
	Touches     []Touchpoint
	ConvertedAt schemas.Millis
}
