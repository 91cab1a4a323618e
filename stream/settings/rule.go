package settings

import (
	"fmt"
	"net"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"tributary/identity"
	"tributary/schemas"
	"tributary/stream/yamldoc"
)

// rule is what one value must be, whatever the others are.
type rule struct {
	text  string                     // completes the sentence "must be …"
	holds func(v reflect.Value) bool // nil: every value of the type is right
}

// The values of these kinds have no rule of their own.
var (
	anyFlag  = rule{text: "true or false"}
	anyList  = rule{text: "a list"}
	anyMap   = rule{text: "a mapping, name: value"}
	modelOwn = rule{text: "as the model's type has it"} // scoring checks it
)

var (
	filePath      = matching(`.`, "the path of a file")
	envName       = matching(`^[A-Za-z_][A-Za-z0-9_]*$`, "the name of an environment variable: letters, digits and '_'")
	topicName     = text("a topic's name: 1 to 249 letters, digits, '.', '_' and '-', not \".\" or \"..\"", isTopicName)
	address       = text("host:port", isAddress)
	listenAddress = text("host:port, or empty", func(s string) bool { return s == "" || isListenAddress(s) })
	timeZone      = text("the IANA name of a time zone, such as Europe/Berlin or UTC", isTimeZone)
	currency      = text("an ISO 4217 code in capitals, such as USD", isCurrency)
	region        = text("an ISO 3166 code in capitals, such as US", isRegion)
	atLeastOne    = rule{text: "a list of at least one", holds: func(v reflect.Value) bool { return v.Len() > 0 }}
	replication   = rule{text: "-1, or 1 to 32767", holds: func(v reflect.Value) bool {
		return v.Int() == -1 || v.Int() >= 1 && v.Int() <= 32767
	}}
	blockedPattern = text("a regular expression (RE2)", isBlockedPattern)
)

func text(say string, holds func(string) bool) rule {
	return rule{text: say, holds: func(v reflect.Value) bool { return holds(v.String()) }}
}

func matching(pattern, say string) rule {
	return text(say, regexp.MustCompile(pattern).MatchString)
}

func oneOf(words ...string) rule {
	say := words[0]
	if len(words) > 1 {
		say = strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
	}
	return text(say, func(s string) bool {
		for _, word := range words {
			if s == word {
				return true
			}
		}
		return false
	})
}

func between(low, high int64) rule {
	return rule{text: fmt.Sprintf("%d to %d", low, high), holds: func(v reflect.Value) bool {
		return v.Int() >= low && v.Int() <= high
	}}
}

// within wants whole milliseconds too, the resolution of every time in Tributary.
func within(low, high time.Duration) rule {
	say := fmt.Sprintf("%s to %s, in whole milliseconds", yamldoc.FormatDuration(low), yamldoc.FormatDuration(high))
	return rule{text: say, holds: func(v reflect.Value) bool {
		d := time.Duration(v.Int())
		return d >= low && d <= high && d%time.Millisecond == 0
	}}
}

// each wants r of every word of a list, and at least so many words.
func each(r rule, atLeast int, say string) rule {
	return rule{text: say, holds: func(v reflect.Value) bool {
		for i := range v.Len() {
			if !r.holds(v.Index(i)) {
				return false
			}
		}
		return v.Len() >= atLeast
	}}
}

var topicCharacters = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,249}$`)

// isTopicName is Kafka's own rule (org.apache.kafka.common.internals.Topic).
func isTopicName(s string) bool { return topicCharacters.MatchString(s) && s != "." && s != ".." }

func isAddress(s string) bool {
	host, _, err := net.SplitHostPort(s)
	return err == nil && host != "" && isListenAddress(s)
}

func isListenAddress(s string) bool {
	_, port, err := net.SplitHostPort(s)
	if err != nil || strings.ContainsAny(s, " \t/") {
		return false
	}
	_, err = strconv.ParseUint(port, 10, 16)
	return err == nil
}

func isTimeZone(name string) bool {
	_, err := time.LoadLocation(name)
	return err == nil && name != "" && name != "Local" // the machine's own zone would make answers depend on the machine
}

func isCurrency(code string) bool {
	_, ok := schemas.CurrencyDecimals(code)
	return ok
}

// developmentKeys let identity check rules without a secret; no pseudonym is made with them here.
func developmentKeys() identity.Keyring {
	keys, err := identity.NewKeyring(identity.DevelopmentKey(), identity.Key{})
	if err != nil {
		panic(err)
	}
	return keys
}

func identityAccepts(r identity.Rules) bool {
	_, err := identity.NewNormalizer(r, developmentKeys())
	return err == nil
}

func isRegion(code string) bool {
	return code != "" && identityAccepts(identity.Rules{DefaultRegion: code})
}

func isBlockedPattern(p string) bool {
	return identityAccepts(identity.Rules{BlockedPatterns: []string{p}})
}
