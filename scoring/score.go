package scoring

import (
	"slices"

	"tributary/schemas"
)

// Credit is what one model gives one touch.
type Credit struct {
	Share schemas.Share // the shares of a model add up to schemas.WholeShare
	Value int64         // minor units of the conversion's currency; the values of a model add up to its net value
}

// Scorer computes credit with a set of models and keeps its working memory between paths. It must not be used by two
// goroutines at once; the models may be shared.
type Scorer struct {
	models    []Named
	allocator Allocator
	weights   []uint64
	parts     []int64
}

// NewScorer makes a scorer of the given models, in their order.
func NewScorer(models []Named) *Scorer {
	return &Scorer{models: models}
}

// Models are the models in the order in which Score gives their credit.
func (s *Scorer) Models() []Named { return s.models }

// Score appends to dst the credit of every touch of p under every model, touch by touch: with m models, the credit of
// touch i under model j is entry i·m + j of what was appended. A path without touches appends nothing. netMinor is the
// conversion's net value in minor units, at least 0.
//
// Shares and values are allocated each on the exact weights. A value is therefore not the rounded share of the money:
// both are as near to the weights as they can be.
func (s *Scorer) Score(dst []Credit, p Path, netMinor int64) []Credit {
	from, m := len(dst), len(s.models)
	dst = slices.Grow(dst, len(p.Touches)*m)[:from+len(p.Touches)*m]
	for j, named := range s.models {
		s.weights = named.Model.Weights(p, s.weights)
		s.parts = s.allocator.Allocate(int64(schemas.WholeShare), s.weights, s.parts)
		for i, part := range s.parts {
			dst[from+i*m+j].Share = schemas.Share(part)
		}
		s.parts = s.allocator.Allocate(netMinor, s.weights, s.parts)
		for i, part := range s.parts {
			dst[from+i*m+j].Value = part
		}
	}
	return dst
}

// Score is (*Scorer).Score for one path.
func Score(models []Named, p Path, netMinor int64) []Credit {
	return NewScorer(models).Score(nil, p, netMinor)
}
