package main

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
)

// version is set by the linker: -ldflags "-X main.version=v1.2.3".
var version = ""

type versionCommand struct{}

func (versionCommand) Run(c *console) error {
	info, _ := debug.ReadBuildInfo()
	_, err := fmt.Fprintln(c.out, versionText(version, info))
	return err
}

// versionText is the linked version, else the module's, and what the build knows about its source.
func versionText(linked string, info *debug.BuildInfo) string {
	if info == nil {
		info = &debug.BuildInfo{}
	}
	built := map[string]string{}
	for _, s := range info.Settings {
		built[s.Key] = s.Value
	}
	module := info.Main.Version
	if module == "(devel)" {
		module = ""
	}
	text := "tributary " + cmp.Or(linked, module, "development build")
	if commit := built["vcs.revision"]; commit != "" {
		text += ", commit " + commit[:min(len(commit), 12)]
		if built["vcs.modified"] == "true" {
			text += " with changes"
		}
		text += " of " + built["vcs.time"]
	}
	return fmt.Sprintf("%s, %s %s/%s", text, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
