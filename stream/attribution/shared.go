package attribution

import (
	"fmt"

	"tributary/identity"
	"tributary/schemas"
	"tributary/schemas/tributarypb"
)

// Shared is an identifier that many people share, and what was lost by it.
type Shared struct {
	ID         identity.ID
	Why        string        // "declared", or the setting of the limit that it went beyond
	Candidates []identity.ID // identifiers that it was seen with, the strongest first: a bounded number
	Touches    []LostTouch   // that name shared identifiers only, the oldest first: the newest of them
}

// LostTouch is a touch that is nobody's.
type LostTouch struct {
	At                              schemas.Millis
	Kind, Channel, Source, Campaign string
}

// SharedOf reads what the rows say of a shared identifier.
func SharedOf(rows identity.Rows, id identity.ID) (Shared, error) {
	s := Shared{ID: id}
	why := rows.Node(id).Reason
	if s.Why = why.String(); why != identity.ReasonDeclared {
		s.Why = "identity.limits." + id.Type() + "." + s.Why
	}
	for _, nb := range rows.Neighbours(id) {
		s.Candidates = append(s.Candidates, nb.ID)
	}
	var c tributarypb.TouchContent
	for _, f := range rows.Kept(id) {
		c.Reset()
		if err := c.UnmarshalVT(f.Body); err != nil {
			return s, fmt.Errorf("content of a touch at %v: %w", f.At, err)
		}
		if !c.Activity {
			s.Touches = append(s.Touches, LostTouch{f.At, c.Kind, c.Channel, c.Source, c.Campaign})
		}
	}
	return s, nil
}
