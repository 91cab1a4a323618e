package reference

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

const day = int64(24 * time.Hour / time.Millisecond)

// Population makes deliveries of a few people who share devices, log in, buy, pay back, and are delivered twice.
func Population(r *rand.Rand, n int) []Delivery {
	start := int64(1_767_225_600_000) // 2026-01-01
	people := 1 + r.IntN(4)
	channels := []string{"search", "social", "emails", "direct"}
	kinds := []string{"click", "impression", "visit"}
	identifier := func() [2]string {
		p := r.IntN(people)
		switch r.IntN(6) {
		case 0:
			return [2]string{"user_id", fmt.Sprint("u", p)}
		case 1:
			forms := []string{"Ann%d@Example.com", " ann%d@example.com", "ANN%d@EXAMPLE.COM "}
			return [2]string{"email", fmt.Sprintf(forms[r.IntN(3)], p)}
		case 2:
			forms := []string{"(415) 555-267%d", "+1 415 555 267%d", "415-555-267%d"}
			return [2]string{"phone", fmt.Sprintf(forms[r.IntN(3)], p)}
		case 3:
			return [2]string{"anonymous_id", []string{"null", "guest", "0-0", "unknown"}[r.IntN(4)]}
		default:
			return [2]string{"anonymous_id", fmt.Sprintf("c%d%d", p, r.IntN(3))}
		}
	}
	identifiers := func(least int) (ids [][2]string) {
		for range least + r.IntN(3) {
			ids = append(ids, identifier())
		}
		return ids
	}
	at := func() int64 {
		t := start + r.Int64N(60)*day
		if r.IntN(2) == 0 { // cluster, so that sessions form
			t = start + r.Int64N(3)*day + r.Int64N(12)*int64(10*time.Minute/time.Millisecond)
		}
		return t
	}
	touch := func() *touchFields {
		return &touchFields{kind: kinds[r.IntN(len(kinds))], channel: channels[r.IntN(len(channels))], campaign: "spring"}
	}
	var all []Delivery
	for i := range n {
		s := Delivery{id: fmt.Sprintf("e%d", i), at: at()}
		switch k := r.IntN(23); {
		case k < 9:
			s.typ, s.ids, s.touch, s.agreed = "touch", identifiers(1), touch(), r.IntN(10) == 0
		case k < 11:
			s.typ, s.ids = "activity", identifiers(1)
		case k < 13:
			s.typ, s.ids = "identify", identifiers(2)
		case k >= 20:
			s.typ, s.ids, s.agreed = "consent", identifiers(1), r.IntN(2) == 0
		case k < 18:
			s.typ, s.ids, s.minor = "conversion", identifiers(0), r.Int64N(128)
			s.name = []string{"purchase", "lead", "paid"}[r.IntN(3)]
			if r.IntN(2) == 0 {
				s.conv = fmt.Sprint("order", r.IntN(1+n/8))
			}
			if r.IntN(3) == 0 {
				s.touch = touch()
			}
		default:
			s.typ, s.ids, s.minor = "refund", identifiers(0), r.Int64N(100)
			s.conv = fmt.Sprint("order", r.IntN(1+n/8))
		}
		if s.typ != "conversion" && s.typ != "refund" && len(normals(s.ids)) == 0 {
			s.ids = append(s.ids, [2]string{"anonymous_id", "c00"})
		}
		all = append(all, s)
	}
	for range r.IntN(1 + n/3) { // delivered again: the same, or with other identifiers, time or content
		s := all[r.IntN(len(all))]
		switch r.IntN(5) {
		case 0:
			if s.typ == "touch" || s.typ == "activity" || s.typ == "consent" {
				s.ids = append(slices.Clone(s.ids), identifier())
			}
		case 1:
			if s.typ == "touch" || s.typ == "consent" {
				s.at = at()
			}
		case 2:
			if s.touch != nil && s.typ == "touch" {
				t := *s.touch
				t.channel = channels[r.IntN(len(channels))]
				s.touch = &t
			}
			if s.typ == "consent" {
				s.agreed = !s.agreed
			}
		case 3:
			if s.typ == "conversion" || s.typ == "refund" {
				s.minor = r.Int64N(100)
			}
		}
		all = append(all, s)
	}
	return all
}

// WithForgets returns a population in which one to three people ask to be forgotten. All statements of a conversion name the
// same identifiers: what those of a forgotten one linked, of which none named both, may stay linked or not. Event ids are
// random texts, so that they can be looked for in files.
func WithForgets(r *rand.Rand, all []Delivery) []Delivery {
	all = slices.Clone(all)
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	named, text := map[string][][2]string{}, map[string]string{}
	var anybody [][2]string
	for i := range all {
		d := &all[i]
		if text[d.id] == "" {
			random := make([]byte, 12)
			for i := range random {
				random[i] = letters[r.IntN(len(letters))]
			}
			text[d.id] = string(random) + "." + d.id
		}
		d.id = text[d.id]
		if d.typ == "conversion" {
			if ids, ok := named[d.conversionID()]; ok {
				d.ids = ids
			}
			named[d.conversionID()] = d.ids
		}
		for _, id := range d.ids {
			if normal(id) != "" {
				anybody = append(anybody, id)
			}
		}
	}
	for i := range 1 + r.IntN(3) {
		if len(anybody) == 0 {
			break
		}
		d := Delivery{id: fmt.Sprint("forget", i), typ: "forget", at: all[r.IntN(len(all))].at}
		for range 1 + r.IntN(2) {
			d.ids = append(d.ids, anybody[r.IntN(len(anybody))])
		}
		all = append(all, d)
	}
	return all
}

// areas are telephone areas, one for each population of a crowd.
var areas = strings.Fields("415 212 312 213 305 404 512 602 617 702 713 714 718 808 813 818 901 916 919 925 201 202 206 214 215 216 217 224 225 228 " +
	"234 239 240 248 251 252 253 254 256 260")

// Crowd makes as many populations that have nobody in common, 40 at most, of n events each.
func Crowd(r *rand.Rand, populations, n int) []Delivery {
	return Generations(r, populations, n, 0)
}

// Generations is a crowd of which each population comes so much later than the one before.
func Generations(r *rand.Rand, populations, n int, apart int64) []Delivery {
	var all []Delivery
	for p, area := range areas[:populations] {
		tag := fmt.Sprintf("p%d-", p)
		for _, s := range Population(r, n) {
			s.id = tag + s.id
			s.at += int64(p) * apart
			if s.conv != "" {
				s.conv = tag + s.conv
			}
			s.ids = slices.Clone(s.ids)
			for i, id := range s.ids {
				switch {
				case id[0] == "phone":
					s.ids[i][1] = strings.Replace(id[1], "415", area, 1)
				case len(normals(s.ids[i:i+1])) > 0: // the others are nobody's in every population
					s.ids[i][1] = tag + strings.TrimSpace(id[1])
				}
			}
			all = append(all, s)
		}
	}
	return all
}

// RandomRules draws settings. Half of the limits are far below what anyone would choose, so that they are met.
func RandomRules(r *rand.Rand) Rules {
	longest := []int64{3, 40}[r.IntN(2)]
	out := Rules{Timeout: int64(30 * time.Minute / time.Millisecond), Lookback: (1 + r.Int64N(longest)) * day, UnitSession: r.IntN(2) == 0,
		First: map[string]bool{}, Reset: map[string]bool{}, LookbackOf: map[string]int64{}, Alike: map[string]int{}}
	if r.IntN(2) == 0 {
		out.LookbackOf["impression"] = day
	}
	for _, name := range []string{"lead", "paid"} {
		out.First[name] = r.IntN(2) == 0
		out.Reset[name] = r.IntN(3) == 0
	}
	if r.IntN(3) == 0 {
		out.Degree = 1 + r.IntN(4)
	}
	for range r.IntN(3) {
		types := []string{"user_id", "email", "phone", "anonymous_id"}
		out.Alike[types[r.IntN(4)]+" "+types[r.IntN(4)]] = 1 + r.IntN(3)
	}
	if r.IntN(3) == 0 {
		out.Shared = [][2]string{{"phone", "415.555.2670"}, {"anonymous_id", "c01"}}[:1+r.IntN(2)]
	}
	if r.IntN(4) == 0 {
		out.Members = 2 + r.IntN(4)
	}
	return out
}

// Steady is a shop that nothing changes in: each day's deliveries, in the order of time. Every day newcomers appear, come for
// two weeks and never again. Regulars come for ever, each time with a telephone that they know them by or a browser that they replace
// every two weeks. All of them link identifiers, buy, pay back and say what they think of it.
func Steady(days, newcomers, regulars int) [][]Delivery {
	start := int64(1_767_225_600_000) // 2026-01-01
	byDay := make([][]Delivery, days)
	n := 0
	add := func(on int, s Delivery, ids ...[2]string) {
		if on >= days {
			return
		}
		s.id, s.ids, s.at = fmt.Sprint("e", n), ids, start+int64(on)*day+int64(n%1000)*60_000
		if s.typ == "touch" {
			s.touch = &touchFields{kind: "visit", channel: "search", campaign: "spring"}
		}
		n++
		byDay[on] = append(byDay[on], s)
	}
	buys := func(on int, id, name string, minor int64, ids ...[2]string) {
		add(on, Delivery{typ: "conversion", conv: id, name: name, minor: minor}, ids...)
	}
	for d := range days {
		for k := range newcomers {
			who := fmt.Sprint(d, "-", k)
			laptop, phone := [2]string{"anonymous_id", "laptop-" + who}, [2]string{"anonymous_id", "phone-" + who}
			email, user := [2]string{"email", who + "@example.com"}, [2]string{"user_id", "user-" + who}
			order := "order-" + who
			add(d, Delivery{typ: "touch"}, laptop)
			add(d+1, Delivery{typ: "touch"}, phone)
			add(d+1, Delivery{typ: "identify"}, email, laptop)
			buys(d+2, order, "purchase", 100, email)
			add(d+3, Delivery{typ: "refund", conv: order, minor: 30}, email)
			add(d+4, Delivery{typ: "consent", agreed: k%2 == 0}, laptop)
			add(d+6, Delivery{typ: "touch"}, user, email, phone)
			buys(d+9, order+"-lead", "lead", 50, user)
			add(d+14, Delivery{typ: "refund", conv: "unknown-" + who, minor: 30})
		}
		for k := range regulars {
			user := [2]string{"user_id", fmt.Sprint("regular-", k)}
			browser := [2]string{"anonymous_id", fmt.Sprint("browser-", k, "-", d/14)}
			switch (d + k) % 7 {
			case 0:
				add(d, Delivery{typ: "touch"}, browser)
				add(d, Delivery{typ: "identify"}, user, browser)
			case 2, 3:
				add(d, Delivery{typ: "touch"}, browser)
			case 4:
				buys(d, fmt.Sprint("regular-", k, "-", d), "paid", 100, user)
				add(d, Delivery{typ: "consent", agreed: d%2 == 0}, browser)
			case 5:
				add(d, Delivery{typ: "consent", agreed: true}, user)
			}
			if (d+k)%35 == 0 {
				buys(d, fmt.Sprint("loyal-", k, "-", d), "lead", 100, user)
			}
		}
	}
	return byDay
}

// Returning makes people who come back by each of their identifiers at least every so many days, by themselves or with another one:
// whoever remembers for as long knows them for ever.
func Returning(r *rand.Rand, days int, within float64) (all []Delivery) {
	start := int64(1_767_225_600_000) // 2026-01-01
	people := 1 + r.IntN(3)
	identifier := func(p, i int) [2]string {
		switch i {
		case 0:
			return [2]string{"user_id", fmt.Sprint("u", p)}
		case 1:
			return [2]string{"email", fmt.Sprint("ann", p, "@example.com")}
		}
		return [2]string{"anonymous_id", fmt.Sprint("c", p, i)}
	}
	for p := range people {
		mine := 2 + r.IntN(3)
		order := 0
		for i := range mine {
			for at := r.Float64() * within; at < float64(days); at += r.Float64() * within {
				s := Delivery{id: fmt.Sprint("e", len(all)), at: start + int64(at*float64(day)), ids: [][2]string{identifier(p, i)}}
				with := identifier(p, (i+1+r.IntN(mine-1))%mine)
				if r.IntN(40) == 0 {
					with = identifier((p+1)%people, (i+1)%2)
				}
				switch k := r.IntN(20); {
				case k < 10:
					s.typ, s.touch = "touch", &touchFields{kind: "click", channel: []string{"search", "emails"}[r.IntN(2)], campaign: "spring"}
				case k < 12:
					s.typ = "identify"
				case k < 15:
					s.typ, s.name, s.minor = "conversion", []string{"purchase", "lead", "paid"}[r.IntN(3)], r.Int64N(128)
					order++
					s.conv = fmt.Sprint("order", p, "-", order)
				case k < 17:
					s.typ, s.agreed = "consent", r.IntN(2) == 0
				default:
					s.typ = "activity"
				}
				if s.typ == "identify" || r.IntN(3) == 0 {
					s.ids = append(s.ids, with)
				}
				all = append(all, s)
				if s.typ == "conversion" && r.IntN(2) == 0 {
					all = append(all, Delivery{id: fmt.Sprint("e", len(all)), typ: "refund", at: s.at + r.Int64N(day), conv: s.conv, minor: r.Int64N(100)})
				}
			}
		}
	}
	return all
}
