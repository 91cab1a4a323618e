package local_test

import (
	"encoding/csv"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"testing"

	"tributary/schemas/shareddata"
	"tributary/state"
	"tributary/stream/local"
	"tributary/stream/report"
	"tributary/stream/settings"
)

// sharedRows reads a CSV file of the shared data sets, each row by column name.
func sharedRows(t *testing.T, name string) (rows []map[string]string) {
	t.Helper()
	file, err := os.Open(shareddata.Path(t, name))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	all, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, record := range all[1:] {
		row := map[string]string{}
		for i, column := range all[0] {
			row[column] = record[i]
		}
		rows = append(rows, row)
	}
	return rows
}

// attribute runs events through the pipeline and returns the newest records.
func attribute(t *testing.T, yaml string, events func(yield func([]byte))) *reader {
	loaded, err := settings.Load(settings.Input{File: "settings", Text: []byte(yaml)})
	if err != nil {
		t.Fatal(err)
	}
	store, err := state.OpenMemory()
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	out := newReader(t)
	p := local.New(configOf(t, &loaded.Settings, loaded.Partitions), store, out)
	events(func(value []byte) {
		if r := p.Event(value, clock); r.Refusal != nil {
			t.Fatalf("%v: %s", r.Refusal, value)
		}
		if p.Waiting() > local.DefaultBatch {
			if err := p.Run(); err != nil {
				t.Fatal(err)
			}
		}
	})
	if err := p.Finish(); err != nil {
		t.Fatal(err)
	}
	if !p.Ledger.Settled() || p.Ledger.Applied != p.Ledger.Received {
		t.Errorf("ledger %+v, want all applied", p.Ledger)
	}
	return out
}

// The totals by channel of July 2018 are those that were published for these data: 62,483 impressions and conversions of
// 7,896 customers in no order. A conversion row is itself the last touch of its journey, and the next journey starts behind it.
func TestJuly2018(t *testing.T) {
	rows := sharedRows(t, "july2018/attribution_data.csv")
	out := attribute(t, `
conversions: {sale: {reset: true}}
lookback: {default: 45d}
models: [{type: first_touch}, {type: last_touch}, {type: linear}]
`, func(yield func([]byte)) {
		for i, row := range rows {
			typ, sale := "touch", ""
			if row["conversion"] == "1" {
				typ, sale = "conversion", fmt.Sprintf(`,"conversion":{"name":"sale","value":%q,"currency":"USD"}`, row["conversion_value"])
			}
			yield(fmt.Appendf(nil, `{"event_id":"row-%05d","type":%q,"occurred_at":%q,"identifiers":{"customer_id":%q},"touch":{"kind":%q,"channel":%q}%s}`,
				i+1, typ, row["time"], row["customer_id"], row["interaction"], row["channel"], sale))
		}
	})
	got := report.ByChannel(slices.Collect(maps.Values(out.Newest)))
	if got.Conversions != 1838 || got.Attributed != 1838 {
		t.Errorf("%d conversions, %d of them attributed, want 1838", got.Conversions, got.Attributed)
	}
	for model, want := range map[string]map[string]string{
		"first_touch": {"Facebook": "569.0000", "Instagram": "226.0000", "Online Display": "220.0000", "Online Video": "222.0000", "Paid Search": "601.0000"},
		"last_touch":  {"Facebook": "561.0000", "Instagram": "237.0000", "Online Display": "233.0000", "Online Video": "350.0000", "Paid Search": "457.0000"},
		"linear":      {"Facebook": "532.2776", "Instagram": "234.6260", "Online Display": "210.0265", "Online Video": "309.5611", "Paid Search": "551.5088"},
	} {
		totals := map[string]string{}
		for channel, millionths := range got.Shares[model] {
			totals[channel] = strconv.FormatFloat(float64(millionths)/1e6, 'f', 4, 64)
		}
		if !maps.Equal(totals, want) {
			t.Errorf("%s: %v, want %v", model, totals, want)
		}
	}
}

// customersOf feeds sightings of cookies, with a user or without, and returns the customer of every cookie and user: that
// of a conversion that names nothing else.
func customersOf(t *testing.T, sightings []map[string]string) (cookie, user map[string]string) {
	cookie, user = map[string]string{}, map[string]string{}
	out := attribute(t, "", func(yield func([]byte)) {
		event := func(id, typ, identifiers, part string) {
			yield(fmt.Appendf(nil, `{"event_id":%q,"type":%q,"occurred_at":"2026-03-01T10:00:00Z","identifiers":{%s}%s}`, id, typ, identifiers, part))
		}
		for i, s := range sightings {
			ids := fmt.Sprintf(`"anonymous_id":%q`, s["client_key"])
			cookie[s["client_key"]] = ""
			if s["user_id"] != "" {
				ids += fmt.Sprintf(`,"user_id":%q`, s["user_id"])
				user[s["user_id"]] = ""
			}
			event(fmt.Sprint("sighting-", i), "activity", ids, "")
		}
		for c := range cookie {
			event("cookie-"+c, "conversion", fmt.Sprintf(`"anonymous_id":%q`, c), `,"conversion":{"name":"probe"}`)
		}
		for u := range user {
			event("user-"+u, "conversion", fmt.Sprintf(`"user_id":%q`, u), `,"conversion":{"name":"probe"}`)
		}
	})
	for c := range cookie {
		cookie[c] = out.Newest["cookie-"+c].CustomerID
	}
	for u := range user {
		user[u] = out.Newest["user-"+u].CustomerID
	}
	return cookie, user
}

// The user mapping of dbt-ga4 gives every client (a cookie) the user that was last seen with it. What is the same here: a
// client and its last user are one customer, clients of one user are one, and a client that no user was seen with is alone.
func TestUserMappingOfGA4(t *testing.T) {
	cookie, user := customersOf(t, sharedRows(t, "velir_dbt_ga4/stg_Ga4__user_id_mapping__input.csv"))
	lastUser := map[string]string{}
	for _, row := range sharedRows(t, "velir_dbt_ga4/stg_Ga4__user_id_mapping__expected.csv") {
		lastUser[row["client_key"]] = row["last_seen_user_id"]
	}
	if len(cookie) != 5 || len(user) != 3 || len(lastUser) != 4 {
		t.Fatalf("%d clients, %d users and %d with a user: not the data that this test knows", len(cookie), len(user), len(lastUser))
	}
	for c, customer := range cookie {
		for u, theirs := range user {
			if same := customer == theirs; same != (lastUser[c] == u) {
				t.Errorf("client %s and user %s: one customer is %t, but GA4 maps the client to %q", c, u, same, lastUser[c])
			}
		}
		for d, other := range cookie {
			want := c == d || lastUser[c] != "" && lastUser[c] == lastUser[d]
			if same := customer == other; same != want {
				t.Errorf("clients %s and %s: one customer is %t, GA4 maps them to %q and %q", c, d, same, lastUser[c], lastUser[d])
			}
		}
	}
}

// What differs from GA4: a client that two users were seen with belongs to the last of them there, and the first keeps
// nothing of it. Here it makes one customer of the two, whoever was last, so that no order of arrival matters; too many
// users, and the client is shared and belongs to nobody.
func TestUserMappingDiffersFromGA4(t *testing.T) {
	sighting := func(client, user string) map[string]string {
		return map[string]string{"client_key": client, "user_id": user}
	}
	tablet := []map[string]string{sighting("a-phone", "A"), sighting("tablet", "A"), sighting("tablet", "B"), sighting("b-phone", "B")}
	_, user := customersOf(t, tablet)
	if user["A"] != user["B"] {
		t.Error("two users of one client are two customers")
	}
	cookie, user := customersOf(t, append(tablet, kiosk("tablet")...))
	if user["A"] == user["B"] || cookie["a-phone"] != user["A"] || cookie["b-phone"] != user["B"] || cookie["tablet"] != "" {
		t.Errorf("a client of too many users still links: %v, %v", cookie, user)
	}
}

// kiosk is a client with more users than a client can have by the defaults.
func kiosk(client string) (sightings []map[string]string) {
	for i := range settings.Default().Identity.Limits.AnonymousID.Any {
		sightings = append(sightings, map[string]string{"client_key": client, "user_id": fmt.Sprint("visitor-", i)})
	}
	return sightings
}
