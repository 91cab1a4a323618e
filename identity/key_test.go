package identity

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"tributary/schemas"
)

const (
	testSecretHex    = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	testSecretBase64 = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
)

// testKey has the secret 00 01 … 1f under id 7, another one under every other id.
func testKey(t testing.TB, id int) Key {
	t.Helper()
	secret := testSecretHex
	if id != 7 {
		secret = strings.Replace(testSecretHex, "000102", "ff"+strconv.FormatInt(int64(0x1000+id), 16), 1)
	}
	k, err := ParseKey(strconv.Itoa(id) + ":" + secret)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestParseKey(t *testing.T) {
	want := testKey(t, 7)
	for text, id := range map[string]uint8{
		testSecretHex:                                   1,
		"7:" + testSecretHex:                            7,
		"255:" + strings.ToUpper(testSecretHex):         255,
		"7:0x" + testSecretHex:                          7,
		" 7:" + testSecretBase64 + "\r\n":               7,
		"7:" + strings.TrimRight(testSecretBase64, "="): 7,
	} {
		k, err := ParseKey(text)
		if err != nil || k.ID() != id || !k.same(want) {
			t.Errorf("%s: %v, error %v", text, k, err)
		}
	}
	url, err := ParseKey("3:-_-_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8")
	if err != nil || url.ID() != 3 {
		t.Errorf("base64 of URLs: %v, error %v", url, err)
	}
	for text, want := range map[string]string{
		"":                                     "identity key: empty",
		" \n":                                  "identity key: empty",
		"0:" + testSecretHex:                   "identity key: the id before ':' is not a number from 1 to 255",
		"256:" + testSecretHex:                 "identity key: the id before ':' is not a number from 1 to 255",
		"hunter2:" + testSecretHex:             "identity key: the id before ':' is not a number from 1 to 255",
		"correct horse battery staple":         "identity key 1: neither hexadecimal nor base64",
		"5:" + testSecretHex[:62]:              "identity key 5: 31 bytes, at least 32 are needed",
		"5:hunter2":                            "identity key 5: 5 bytes, at least 32 are needed",
		"5:aHVudGVyMg==":                       "identity key 5: 7 bytes, at least 32 are needed",
		"5:" + testSecretHex + "0":             "identity key 5: neither hexadecimal nor base64",
		"5:":                                   "identity key 5: 0 bytes, at least 32 are needed",
		strings.Repeat(testSecretHex, 3):       "identity key 1: 96 bytes, at most 64 are allowed",
		strings.Repeat("0", 64):                "identity key 1: not random: fewer than 8 different bytes",
		strings.Repeat("deadbeef0123", 6)[:64]: "identity key 1: not random: fewer than 8 different bytes",
	} {
		k, err := ParseKey(text)
		if err == nil || err.Error() != want || !k.IsZero() {
			t.Errorf("%s: %v, error %v, want %s", text, k, err, want)
		}
	}
}

func TestNewKey(t *testing.T) {
	secret := make([]byte, 32)
	for i := range secret {
		secret[i] = byte(i)
	}
	text, err := NewKey(7, bytes.NewReader(secret))
	if want := "7:" + strings.TrimRight(testSecretBase64, "="); err != nil || text != want {
		t.Fatalf("%s, error %v, want %s", text, err, want)
	}
	if k, err := ParseKey(text); err != nil || k.ID() != 7 || !k.same(testKey(t, 7)) {
		t.Errorf("read back: %v, error %v", k, err)
	}
	if _, err := NewKey(0, bytes.NewReader(secret)); err == nil {
		t.Error("id 0 is let in")
	}
	if _, err := NewKey(7, bytes.NewReader(secret[:31])); err == nil {
		t.Error("too little randomness is let in")
	}
	if _, err := NewKey(7, bytes.NewReader(make([]byte, 32))); err == nil {
		t.Error("a source of zeros is let in")
	}
}

func TestReadKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "identity.key")
	write := func(text string, mode os.FileMode) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := ReadKeyFile(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	for mode, warned := range map[os.FileMode]bool{0o400: false, 0o600: false, 0o640: false, 0o440: false, 0o644: true, 0o660: true, 0o604: true} {
		write("7:"+testSecretHex+"\n", mode)
		k, warning, err := ReadKeyFile(path)
		if err != nil || k.ID() != 7 || (warning != "") != warned {
			t.Errorf("mode %o: %v, warning %q, error %v", mode, k, warning, err)
		}
	}
	write("7:hunter2\n", 0o600)
	_, _, err := ReadKeyFile(path)
	if want := path + ": identity key 7: 5 bytes, at least 32 are needed"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	write(strings.Repeat("hunter2 ", 1000), 0o600)
	_, _, err = ReadKeyFile(path)
	if want := "identity key file " + path + ": more than 4096 bytes"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestNewKeyring(t *testing.T) {
	key7, key8 := testKey(t, 7), testKey(t, 8)
	again, err := ParseKey("9:" + testSecretHex)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		active, previous Key
		want             string
	}{
		{key7, Key{}, ""},
		{key8, key7, ""},
		{key7, DevelopmentKey(), ""},
		{Key{}, Key{}, "identity keys: no active key"},
		{Key{}, key7, "identity keys: no active key"},
		{key7, key8, "identity keys: the active key has id 7, which has to be greater than 8, the id of the previous one"},
		{again, key7, "identity keys: the active key and the previous one have the same secret"},
	} {
		_, err := NewKeyring(c.active, c.previous)
		if got := errorText(err); got != c.want {
			t.Errorf("%v after %v: %s, want %s", c.active, c.previous, got, c.want)
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// TestDevelopmentKey holds the key of demonstrations to its value for ever: state made under it can be read again.
func TestDevelopmentKey(t *testing.T) {
	n, err := NewNormalizer(Rules{}, Keyring{active: DevelopmentKey()})
	if err != nil {
		t.Fatal(err)
	}
	ids, _ := n.IDs([]schemas.Identifier{{Type: "email", Value: "ann@example.com"}}, nil)
	if want := "0300b97d80ffe914e212e00c7f7e3c34"; len(ids) != 1 || ids[0].String() != want {
		t.Errorf("ids %v, want %s", ids, want)
	}
	if !DevelopmentKey().Development() || testKey(t, 7).Development() || (Key{}).Development() {
		t.Error("not told apart from other keys")
	}
}

// TestCustomerID holds public ids to values that were computed apart from this program, with Python's hmac.
func TestCustomerID(t *testing.T) {
	k := testKey(t, 7)
	n := mustNormalizer(t, Rules{})
	ids, _ := n.IDs([]schemas.Identifier{{Type: "user_id", Value: "U-81"}}, nil)
	for cut, want := range map[schemas.Millis]string{0: "c_veuuexg3ytkuwgofuczeuuo7ny", 1772359200250: "c_z3u2efomvnkrakqxxpejepftcu"} {
		if got := CustomerID(k, ids[0], cut); got != want {
			t.Errorf("cut %d: %s, want %s", cut, got, want)
		}
	}
	if CustomerID(testKey(t, 8), ids[0], 0) == CustomerID(k, ids[0], 0) {
		t.Error("the key makes no difference")
	}
}

// TestMACTwin compares MACs from reused hash states, of keys below, at and above SHA-256's block and of messages of many
// lengths, with a new HMAC each time.
func TestMACTwin(t *testing.T) {
	for _, size := range []int{32, 33, 63, 64} {
		secret := make([]byte, size)
		for i := range secret {
			secret[i] = byte(i * 7)
		}
		m := newMacs(secret)
		for length := range 300 {
			message := bytes.Repeat([]byte{byte(length)}, length)
			c := m.take()
			c.in = append(c.in, message...)
			naive := hmac.New(sha256.New, secret)
			naive.Write(message)
			if !bytes.Equal(c.sum(), naive.Sum(nil)) {
				t.Fatalf("secret of %d bytes, message of %d", size, length)
			}
			m.give(c)
		}
	}
}
