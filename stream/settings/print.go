package settings

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"tributary/schemas"
	"tributary/stream/yamldoc"
)

// Print writes the settings in effect as a settings file, with the origin of each value as a comment:
//
//	application_id: shop                      # tributary.yaml:1
//	kafka:
//	  brokers: ["k1:9092", "k2:9092"]         # environment TRIBUTARY_KAFKA_BROKERS
//
// Values that can be personal data are counted, not shown. Settings that are not set and have no default are left out.
func (l *Loaded) Print(w io.Writer) error {
	p := printer{w: w}
	l.Settings.shown(func(leaf yamldoc.Leaf, value string, hidden int) {
		if leaf.Value.IsZero() && byPath()[leaf.Pattern].Default == "" && !l.isGiven(leaf.Path) {
			return
		}
		origin := l.Origin(leaf.Path)
		if hidden > 0 {
			origin = fmt.Sprintf("%d not shown, %s", hidden, origin)
		}
		p.leaf(leaf.Path, value, origin)
	})
	return p.err
}

// InEffect lists the settings in the order of the file, as Print writes them. Those that are empty and have no default are
// left out.
func (s *Settings) InEffect() (list []schemas.AuditSetting) {
	s.shown(func(leaf yamldoc.Leaf, value string, hidden int) {
		if leaf.Value.IsZero() && byPath()[leaf.Pattern].Default == "" {
			return
		}
		if hidden > 0 {
			value = fmt.Sprintf("%d not shown", hidden)
		}
		list = append(list, schemas.AuditSetting{Path: leaf.Path, Value: value})
	})
	return list
}

// shown calls yield for every setting in the order of the file, with its value as it is written there. Of values that can
// be personal data it tells only how many they are.
func (s *Settings) shown(yield func(leaf yamldoc.Leaf, value string, hidden int)) {
	view := *s
	view.Identity.Shared = nil
	yamldoc.Walk(&view, func(leaf yamldoc.Leaf) {
		setting := byPath()[leaf.Pattern]
		if setting == nil {
			return
		}
		hidden := 0
		switch {
		case !setting.Hidden:
		case leaf.Path == "identity.shared":
			hidden = len(s.Identity.Shared)
		default:
			hidden = leaf.Value.Len()
		}
		value := written(leaf.Value)
		if hidden > 0 {
			value = "[]"
		}
		yield(leaf, value, hidden)
	})
}

// printer writes leaves as nested YAML; it remembers the headings under which the last one stood.
type printer struct {
	w    io.Writer
	open []string
	err  error
}

// commentColumn is where origins begin, if the value leaves room.
const commentColumn = 48

func (p *printer) leaf(path, value, origin string) {
	steps := stepsOf(path)
	last := len(steps) - 1
	same := 0
	for same < min(last, len(p.open)) && p.open[same] == steps[same] {
		same++
	}
	first := false // of an item of a list
	for depth := same; depth < last; depth++ {
		if isItem(steps[depth]) {
			first = true
			continue
		}
		p.line(indent(depth, first)+quoted(steps[depth])+":", "")
		first = false
	}
	p.open = steps[:last]
	p.line(indent(last, first)+quoted(steps[last])+": "+value, "# "+origin)
}

// indent is two spaces for every heading and item around; the first line of an item has its dash in the last two.
func indent(depth int, first bool) string {
	if first {
		return strings.Repeat("  ", depth-1) + "- "
	}
	return strings.Repeat("  ", depth)
}

func (p *printer) line(text, comment string) {
	if p.err != nil {
		return
	}
	if comment != "" {
		text += strings.Repeat(" ", max(commentColumn-utf8.RuneCountInString(text), 1)) + comment
	}
	_, p.err = fmt.Fprintln(p.w, text)
}

// stepsOf cuts "models[2].type" into "models", "[2]", "type". The one path whose last step is a free name, under a map of
// plain values, keeps dots in that name.
func stepsOf(path string) []string {
	for _, prefix := range []string{"lookback.by_kind.", "conversions."} {
		name, ok := strings.CutPrefix(path, prefix)
		if !ok {
			continue
		}
		steps := strings.Split(strings.TrimSuffix(prefix, "."), ".")
		if cut := strings.LastIndexByte(name, '.'); prefix == "conversions." && cut >= 0 {
			return append(steps, name[:cut], name[cut+1:])
		}
		return append(steps, name)
	}
	return strings.Split(strings.ReplaceAll(path, "[", ".["), ".")
}

func isItem(step string) bool { return strings.HasPrefix(step, "[") && strings.HasSuffix(step, "]") }

// quoted is a text as a YAML value: bare if it can be mistaken for nothing else.
func quoted(s string) string {
	bare := s != ""
	for i, c := range s {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '/'
		inside := c >= '0' && c <= '9' || c == '-' || c == '.'
		if !letter && (i == 0 || !inside) {
			bare = false
		}
	}
	switch strings.ToLower(s) {
	case "true", "false", "null", "yes", "no", "on", "off", "y", "n":
		bare = false
	}
	if bare {
		return s
	}
	return doubleQuoted(s)
}

// doubleQuoted escapes what YAML and a terminal could take for something else.
func doubleQuoted(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteRune(c)
		case c < ' ' || c == 0x7f:
			fmt.Fprintf(&b, `\x%02x`, c)
		case c >= 0x80 && c < 0xa0 || c == 0x2028 || c == 0x2029 || c == 0xfeff:
			fmt.Fprintf(&b, `\u%04x`, c)
		default:
			b.WriteRune(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
