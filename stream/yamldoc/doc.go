// Package yamldoc reads a small YAML document, such as a settings file, into a Go struct and is strict about it.
//
// In comes the text of one document and a pointer to a struct whose fields carry `yaml:"name"` tags; out come the filled
// struct, the place of every value in the text, and all faults at once: unknown keys with the nearest known one, keys
// given twice, values of the wrong kind. Each fault has file, line, column and the line itself with a caret:
//
//	tributary.yaml:3:1: unknown key "comit_interval", did you mean "commit_interval"?
//	  3 | comit_interval: 50ms
//	    | ^
//
// What a value may be follows from the Go type of its field:
//
//	string              text or a number, kept as written
//	bool, int, float64  YAML's own
//	time.Duration       30d, 12h, 1d12h, 50ms: see ParseDuration
//	[]T                 a list, or one bare value instead of a list of one
//	map[string]T        a mapping
//	struct              a mapping with the known keys; absent keys leave the field as it was
//	TextUnmarshaler     text; its error becomes the fault
//
// A list or map in the document replaces the one in the struct, it does not add to it. Anchors and aliases work; merge
// keys, tags and several documents in one file are refused. It opens no files and knows no settings: package settings,
// importer and channels do.
package yamldoc
