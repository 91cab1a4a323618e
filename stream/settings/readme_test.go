package settings

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

const (
	tableBegins = "<!-- settings -->\n"
	tableEnds   = "<!-- end of settings -->\n"
)

// The table of README.md is made from the catalogue. Of limits it has those with a default: all would be half of it.
func TestReadmeTable(t *testing.T) {
	var b strings.Builder
	b.WriteString("| setting | default | must be | what and why | variable |\n| --- | --- | --- | --- | --- |\n")
	for _, e := range Catalogue() {
		if strings.HasPrefix(e.Path, "identity.limits.") && e.Default == "" {
			continue
		}
		def, variable := "", ""
		if e.Default != "" {
			def = code(e.Default)
		}
		if e.Fixed() {
			variable = code(e.Variable())
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", code(e.Path), def, cell(e.Rule.text), cell(e.Why), variable)
	}
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(readme), tableBegins)
	_, after, ok2 := strings.Cut(rest, tableEnds)
	if !ok || !ok2 {
		t.Fatal("README.md has no place for the table")
	}
	golden(t, "README.md", []byte(before+tableBegins+b.String()+tableEnds+after))
}

func code(s string) string { return "`" + strings.ReplaceAll(s, "|", `\|`) + "`" }

func cell(s string) string { return strings.NewReplacer("|", `\|`, "*", `\*`).Replace(s) }
