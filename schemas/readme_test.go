package schemas

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// The documentation's examples are real, and its tables name every word.
func TestReadme(t *testing.T) {
	content, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(content)
	examples := regexp.MustCompile("(?s)```json\n(.*?)```").FindAllStringSubmatch(page, -1)
	if len(examples) != 2 {
		t.Fatalf("%d examples, want an event and a record", len(examples))
	}
	if _, err := DecodeEvent([]byte(examples[0][1])); err != nil {
		t.Errorf("the event: %v", err)
	}
	a, err := DecodeAttribution([]byte(examples[1][1]))
	if err == nil {
		err = a.Check()
	}
	if err != nil {
		t.Errorf("the record: %v", err)
	}
	var words []string
	for _, w := range append(Reasons, FilteredReasons...) {
		words = append(words, "| `"+string(w)+"` |")
	}
	for _, w := range UnattributedReasons {
		words = append(words, "| `"+string(w)+"` |")
	}
	for _, w := range EventTypes {
		words = append(words, "| `"+string(w)+"` |")
	}
	for _, w := range Causes {
		words = append(words, "`"+string(w)+"`")
	}
	for _, w := range words {
		if !strings.Contains(page, w) {
			t.Errorf("README.md does not explain %s", w)
		}
	}
}
