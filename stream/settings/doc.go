// Package settings reads tributary.yaml and turns it into what the other packages want.
//
// In come the text of the file, environment variables and flags; out comes one Settings that is valid, with the origin of
// every value, or everything that is wrong at once. Defaults come first, then the file, then the environment, then flags:
//
//	loaded, err := settings.Open("tributary.yaml", os.Environ(), map[string]string{"lookback.default": "60d"})
//
//	tributary.yaml:4:12: retention: 300d: must be at least 373d: conversions.first_paid.lookback (365d) + lateness.allowed (7d) + 1d
//	  4 | retention: 300d
//	    |            ^
//	environment TRIBUTARY_COMMIT_INTERVAL: commit_interval: 5ms: must be 10ms to 10s, in whole milliseconds
//
// Every setting, its default and its reason stand once, in catalogue.go; README.md is made from it. The file never holds a
// secret: it names the variable or file that does, and Keyring and Kafka.Options read it there. Load is pure; only Open,
// Keyring and Options touch the world.
package settings
