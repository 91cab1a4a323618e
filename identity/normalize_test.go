package identity

import (
	"bufio"
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unicode"

	"tributary/schemas"
)

// mustNormalizer is a Normalizer under key 7 of the tests.
func mustNormalizer(t testing.TB, rules Rules) *Normalizer {
	t.Helper()
	keys, err := NewKeyring(testKey(t, 7), Key{})
	if err != nil {
		t.Fatal(err)
	}
	n, err := NewNormalizer(rules, keys)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestNormalizeScenarios(t *testing.T) {
	f, err := os.Open("testdata/normalize.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var n *Normalizer
	cases := 0
	lines := bufio.NewScanner(f)
	for number := 1; lines.Scan(); number++ {
		words := quotedFields(t, lines.Text())
		if len(words) == 0 {
			continue
		}
		if words[0] == "rules" {
			n = mustNormalizer(t, parseRules(t, words[1:]))
			continue
		}
		cases++
		raw := schemas.Identifier{Type: words[0], Value: words[1]}
		got := verdictOf(n.Normal(raw))
		if want := strings.Join(words[3:], " "); got != want {
			t.Errorf("testdata/normalize.txt:%d: %s %q => %q, want %q", number, words[0], words[1], got, want)
		}
		if again := verdictOf(n.Normal(raw)); again != got {
			t.Errorf("testdata/normalize.txt:%d: the second time %q, the first time %q", number, again, got)
		}
	}
	if err := lines.Err(); err != nil || cases < 100 {
		t.Fatalf("%d cases, error %v", cases, err)
	}
}

// verdictOf writes a result as the scenarios do.
func verdictOf(n Normal, v Verdict) string {
	if v != Kept {
		return v.String()
	}
	return "kept " + *n.text
}

// quotedFields splits a line at spaces and unquotes Go strings, also behind "name="; a comment has no fields.
func quotedFields(t *testing.T, line string) (fields []string) {
	t.Helper()
	for line = strings.TrimSpace(line); line != "" && line[0] != '#'; line = strings.TrimSpace(line) {
		end := strings.IndexAny(line, " \"")
		if end < 0 {
			end = len(line)
		}
		word := line[:end]
		line = line[end:]
		if strings.HasPrefix(line, `"`) {
			quoted, err := strconv.QuotedPrefix(line)
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			text, err := strconv.Unquote(quoted)
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			word += text
			line = line[len(quoted):]
		}
		fields = append(fields, word)
	}
	return fields
}

func parseRules(t *testing.T, words []string) (r Rules) {
	t.Helper()
	for _, w := range words {
		name, value, _ := strings.Cut(w, "=")
		switch name {
		case "region":
			r.DefaultRegion = value
		case "type":
			name, rank, _ := strings.Cut(value, ":")
			number, _ := strconv.Atoi(cmp.Or(rank, "0"))
			r.Types = append(r.Types, Type{name, uint8(number)})
		case "block":
			r.BlockedValues = append(r.BlockedValues, value)
		case "pattern":
			r.BlockedPatterns = append(r.BlockedPatterns, value)
		default:
			t.Fatalf("rules: %q", w)
		}
	}
	return r
}

// TestTooLong shows that long values are refused before anything works on them.
func TestTooLong(t *testing.T) {
	n := mustNormalizer(t, Rules{DefaultRegion: "US"})
	for _, c := range []struct {
		typ, value string
		want       Verdict
	}{
		{"user_id", strings.Repeat("x", maxPlainBytes), Kept},
		{"user_id", strings.Repeat("x", maxPlainBytes+1), Invalid},
		{"user_id", strings.Repeat(" ", 5000) + "x", Kept},
		{"user_id", strings.Repeat("0", maxPlainBytes), Blocked},
		{"email", strings.Repeat("x", maxEmailBytes-4) + "@a.b", Kept},
		{"email", strings.Repeat("x", maxEmailBytes-3) + "@a.b", Invalid},
		{"email", strings.Repeat("Ⱥ", 100) + "@a.b", Kept},    // 2 bytes each, 3 in lower case
		{"email", strings.Repeat("Ⱥ", 120) + "@a.b", Invalid}, // 244 bytes, 364 in lower case
		{"phone", "+14155552671" + strings.Repeat(" ", 5000), Kept},
		{"phone", "+1" + strings.Repeat(" ", maxPhoneBytes-12) + "4155552671", Kept},
		{"phone", "+1" + strings.Repeat(" ", maxPhoneBytes-11) + "4155552671", Invalid},
	} {
		if _, got := n.Normal(schemas.Identifier{Type: c.typ, Value: c.value}); got != c.want {
			t.Errorf("%s of %d bytes: %s, want %s", c.typ, len(c.value), got, c.want)
		}
	}
}

func TestIDs(t *testing.T) {
	n := mustNormalizer(t, Rules{DefaultRegion: "US", Types: []Type{{"loyalty_id", 0}}})
	buffer := make([]ID, 0, 8)
	got, outcome := n.IDs([]schemas.Identifier{
		{Type: "loyalty_id", Value: "L 9"},
		{Type: "phone", Value: "(415) 555-2671"},
		{Type: "phone", Value: "+14155552671"}, // the same
		{Type: "phone", Value: "12"},
		{Type: "phone", Value: "0000000000"},
		{Type: "email", Value: " Ann@Example.com"},
		{Type: "user_id", Value: "U-81"},
		{Type: "user_id", Value: "null"},
		{Type: "shoe_size", Value: "42"},
	}, buffer)
	want := []string{ // computed apart from this program, with Python's hmac
		"0107f250d77eabfe5ac1b7c5db5fe5ac",
		"03077521a885c5ee4193299b9186ef46",
		"04074ec960f27b9061e15647a6619ea6",
		"0707ae965b1a5bd2282fd8fe86562667",
	}
	if text := fmt.Sprint(got); text != fmt.Sprint(want) {
		t.Errorf("ids %s, want %s", text, want)
	}
	if &got[0] != &buffer[:1][0] {
		t.Error("the buffer was not used")
	}
	var lines []string
	outcome.Each(func(typ string, v Verdict, n int) { lines = append(lines, fmt.Sprintf("%s %s %d", typ, v, n)) })
	wantLines := "user_id kept 1; user_id blocked 1; email kept 1; phone kept 2; phone blocked 1; phone invalid 1; loyalty_id kept 1;  unknown_type 1"
	if text := strings.Join(lines, "; "); text != wantLines {
		t.Errorf("outcome %s, want %s", text, wantLines)
	}
	for v, want := range map[Verdict]int{Kept: 5, Blocked: 2, Invalid: 1, UnknownType: 1} {
		if n := outcome.Count(v); n != want {
			t.Errorf("%s: %d, want %d", v, n, want)
		}
	}

	before := append([]ID{{9}, {3}}, make([]ID, 0, 9)...)
	got, _ = n.IDs([]schemas.Identifier{{Type: "user_id", Value: "U-81"}}, before)
	if len(got) != 3 || got[0] != (ID{9}) || got[1] != (ID{3}) {
		t.Errorf("what the slice held before is now %v", got)
	}
	if got, _ := n.IDs([]schemas.Identifier{{Type: "user_id", Value: "null"}}, nil); got != nil {
		t.Errorf("nothing kept, but %v", got)
	}
}

// TestRotation shows that events of both sides of a rotation meet in the previous pseudonym, and that the customer's
// smallest identifier stays the smallest.
func TestRotation(t *testing.T) {
	key7, key8 := testKey(t, 7), testKey(t, 8)
	before := mustNormalizer(t, Rules{})
	keys, err := NewKeyring(key8, key7)
	if err != nil {
		t.Fatal(err)
	}
	during, err := NewNormalizer(Rules{}, keys)
	if err != nil {
		t.Fatal(err)
	}
	after, err := NewNormalizer(Rules{}, Keyring{active: key8})
	if err != nil {
		t.Fatal(err)
	}
	ids := []schemas.Identifier{{Type: "email", Value: "ann@example.com"}, {Type: "user_id", Value: "U-81"}}
	old, _ := before.IDs(ids, nil)
	both, outcome := during.IDs(ids, nil)
	fresh, _ := after.IDs(ids, nil)
	if want := []ID{old[0], fresh[0], old[1], fresh[1]}; !slices.Equal(both, want) {
		t.Errorf("during the rotation %v, want %v", both, want)
	}
	if n := outcome.Count(Kept); n != 2 {
		t.Errorf("%d kept, want 2: the second pseudonym is no second identifier", n)
	}
	if both[0] != old[0] {
		t.Error("the smallest identifier is another one now")
	}
}

// naiveIDs is IDs written for a reader only: no cache, no pools, no tables. Rules: region US, nothing of the settings.
func naiveIDs(secret []byte, keyID byte, ids []schemas.Identifier) []ID {
	ranks := map[string]byte{"user_id": 1, "customer_id": 2, "email": 3, "phone": 4, "device_id": 5, "anonymous_id": 6}
	nobody := strings.Fields("-1 null none nil nan undefined anonymous guest unknown true false id email distinct_id distinctid not_authenticated")
	set := map[ID]bool{}
	for _, raw := range ids {
		value := strings.TrimSpace(raw.Value)
		word := func(w string) bool { return strings.EqualFold(w, value) }
		if strings.Trim(value, "0-") == "" || slices.ContainsFunc(nobody, word) || word("[object Object]") {
			continue
		}
		switch raw.Type {
		case "email":
			value = strings.ToLower(value)
			at := strings.Index(value, "@")
			if at < 1 || at == len(value)-1 || strings.Count(value, "@") > 1 || strings.ContainsFunc(value, unicode.IsSpace) {
				continue
			}
		case "phone":
			var ok bool
			if value, ok = parsePhone(value, "US"); !ok {
				continue
			}
		}
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(raw.Type + "\x00" + value))
		id := ID{ranks[raw.Type], keyID}
		copy(id[2:], mac.Sum(nil))
		set[id] = true
	}
	var sorted []ID
	for id := range set {
		sorted = append(sorted, id)
	}
	slices.SortFunc(sorted, func(a, b ID) int { return strings.Compare(string(a[:]), string(b[:])) })
	return sorted
}

// TestIDsTwin compares IDs, with a cache so small that it always turns over, with the naive twin, from several
// goroutines at once.
func TestIDsTwin(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	n := mustNormalizer(t, Rules{DefaultRegion: "US"})
	n.phones = newPhoneCache(8)
	secret := n.keys.active.macs().secret
	var workers sync.WaitGroup
	for worker := range uint64(4) {
		workers.Go(func() {
			random := rand.New(rand.NewPCG(seed, worker))
			var buffer []ID
			for range 3000 {
				raw := randomIdentifiers(random)
				buffer, _ = n.IDs(raw, buffer[:0])
				if want := naiveIDs(secret, 7, raw); !slices.Equal(buffer, want) {
					t.Errorf("ids %v, want %v (seed %d, worker %d)", buffer, want, seed, worker)
					return
				}
			}
		})
	}
	workers.Wait()
}

func randomIdentifiers(random *rand.Rand) []schemas.Identifier {
	pick := func(from ...string) string { return from[random.IntN(len(from))] }
	ids := make([]schemas.Identifier, random.IntN(6))
	for i := range ids {
		typ := pick("user_id", "customer_id", "email", "phone", "phone", "device_id", "anonymous_id")
		number := strconv.Itoa(random.IntN(40))
		value := pick(
			"u"+number, "U"+number, number, "null", "NaN", "", "0-0", "[object object]",
			"a"+number+"@x.example", "A"+number+"@X.example ", "a@b@c", "a "+number+"@x.example", "É"+number+"@x.example",
			"415 555 26"+number, "+1415555267"+number, "(415) 555-26"+number, "415-555-2671 x"+number, "tel:+1415555"+number+"71",
		)
		ids[i] = schemas.Identifier{Type: typ, Value: pick("", " ", "\t") + value + pick("", " ", "\n")}
	}
	return ids
}

func TestPhoneCacheIsBounded(t *testing.T) {
	c := newPhoneCache(100)
	for i := range 10_000 {
		c.put(strconv.Itoa(i), "+1")
		if _, hit := c.get("0"); !hit {
			t.Fatalf("after %d others the number that is always asked for is gone", i)
		}
		if n := len(c.young) + len(c.old); n > 200 {
			t.Fatalf("%d entries, at most 200", n)
		}
	}
	if _, hit := c.get("9000"); hit {
		t.Error("a number that nobody asked for is still there after 1000 others")
	}
}

func TestNewNormalizerReportsEveryFault(t *testing.T) {
	_, err := NewNormalizer(Rules{
		DefaultRegion:   "usa",
		Types:           []Type{{"Email", 0}, {"", 0}, {"9lives", 0}, {"a b", 0}, {"x", 9}, {"X", 9}},
		BlockedValues:   []string{"fine", "secret-\xff"},
		BlockedPatterns: []string{"secret(", "a)|(b", "fine"},
	}, Keyring{})
	want := []string{
		`identity keys: no active key`,
		`default region "usa": not an ISO 3166 code in capitals, such as US`,
		`identifier type "Email": the name is taken by "email"`,
		`identifier type "": the name has to have 1 to 64 bytes`,
		`identifier type "9lives": the name has to begin with a letter`,
		`identifier type "a b": the name may hold only letters, digits, '_', '-' and '.'`,
		`identifier type "X": the name is taken by "x"`,
		`blocked value 2: not UTF-8`,
		`blocked pattern 1: missing closing )`,
		`blocked pattern 2: unexpected )`,
	}
	if err == nil || err.Error() != strings.Join(want, "\n") {
		t.Errorf("error\n%v\nwant\n%s", err, strings.Join(want, "\n"))
	}
}

func TestTypes(t *testing.T) {
	types, err := NewTypes(Type{"loyalty_id", 0}, Type{"crm_guid", 2})
	if err != nil {
		t.Fatal(err)
	}
	want := "[{user_id 1} {customer_id 2} {crm_guid 2} {email 3} {phone 4} {device_id 5} {anonymous_id 6} {loyalty_id 7}]"
	if got := fmt.Sprint(types.All()); got != want {
		t.Errorf("types %s, want %s", got, want)
	}
	if typ, ok := types.Lookup("crm_guid"); !ok || typ.Rank != 2 {
		t.Errorf("crm_guid: %v %v", typ, ok)
	}
	if _, ok := types.Lookup("EMAIL"); ok {
		t.Error("EMAIL is a type")
	}
	extra := make([]Type, MaxTypes-len(standardTypes)+1)
	for i := range extra {
		extra[i].Name = "t" + strconv.Itoa(i)
	}
	if _, err := NewTypes(extra...); err == nil {
		t.Error("one type too many is let in")
	}
	if _, err := NewTypes(extra[1:]...); err != nil {
		t.Error(err)
	}
}

// TestEmailNormalFormIsItsOwn tries every letter, alone and with marks that compose with some letters in one case only.
func TestEmailNormalFormIsItsOwn(t *testing.T) {
	check := func(value string) {
		if once, ok := normalEmail(value); ok {
			if twice, ok := normalEmail(once); !ok || twice != once {
				t.Errorf("%+q has the normal form %+q, whose own is %+q (%v)", value, once, twice, ok)
			}
		}
	}
	for r := rune(0); r < 0x20000; r++ {
		check(string(r) + "@x")
		if r < 0x2200 {
			for _, mark := range []rune{0x307, 0x308, 0x30a, 0x30c, 0x331, 0x342, 0x345} {
				check(string([]rune{'a', r, mark}) + "@x")
			}
		}
	}
}
