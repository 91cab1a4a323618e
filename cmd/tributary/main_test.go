package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
)

// tributary runs the program and returns its exit status and what it wrote.
func tributary(t *testing.T, in string, environ []string, args ...string) (status int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	status = run(t.Context(), args, &console{in: strings.NewReader(in), out: &o, err: &e, environ: environ})
	return status, o.String(), e.String()
}

func TestExitStatus(t *testing.T) {
	for _, c := range []struct {
		args string
		want int
		errs string // must be in what goes to standard error
	}{
		{"--help", done, ""},
		{"generate --help", done, ""},
		{"version", done, ""},
		{"", wrongUse, "expected one of"},
		{"frobnicate", wrongUse, "unexpected argument frobnicate"},
		{"generate --customers=many", wrongUse, "--customers"},
		{"generate --customers=0", wrongUse, "customers: 0: must be 1 to 50000000"},
		{"generate --max-delay=soon", wrongUse, "--max-delay: must be a duration"},
		{"generate --start=spring", wrongUse, "--start: must be a date"},
		{"generate --out=/none/x", failed, "/none/x"},
		{"import x.csv", wrongUse, "--mapping"},
		{"import --mapping=/none/m.yaml x.csv", failed, "mapping: open /none/m.yaml"},
		{"import --mapping=testdata/july2018.mapping.yaml", wrongUse, "<files>"},
		{"import --mapping=testdata/july2018.mapping.yaml /none/x.csv", failed, "open /none/x.csv"},
		{"import --mapping=testdata/july2018.mapping.yaml --topic=a --out=b x.csv", wrongUse, "--topic and --out"},
		{"import --mapping=testdata/july2018.mapping.yaml --live x.csv", wrongUse, "--live: only with --topic\ntributary: see tributary import --help"},
		{"topics --config=/none/t.yaml", failed, "settings file: open /none/t.yaml"},
		{"inspect shared --config=/none/t.yaml", failed, "settings file: open /none/t.yaml"},
		{"inspect ledger --config=/none/t.yaml", failed, "settings file: open /none/t.yaml"},
		{"inspect watermarks --config=/none/t.yaml", failed, "settings file: open /none/t.yaml"},
		{"config check --config=/none/t.yaml", failed, "settings file: open /none/t.yaml"},
		{"config check --set=partitions=0", failed, "flag: partitions: 0: must be 1 to 1024"},
		{"config check --set=partitions", wrongUse, "see tributary config check --help"},
	} {
		status, out, errs := tributary(t, "", nil, strings.Fields(c.args)...)
		if status != c.want || !strings.Contains(errs, c.errs) {
			t.Errorf("tributary %s: status %d, want %d; standard error %q, want %q in it", c.args, status, c.want, errs, c.errs)
		}
		if status != done && out != "" {
			t.Errorf("tributary %s: fails and writes %q to standard output", c.args, out)
		}
	}
}

func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var o, e bytes.Buffer
	status := run(ctx, []string{"generate"}, &console{out: &o, err: &e})
	if status != failed || e.String() != "tributary: interrupted\n" {
		t.Errorf("status %d, %q", status, e.String())
	}
}

func TestConfigCheck(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tributary.yaml")
	if err := os.WriteFile(file, []byte("partitions: 4\nsources: []\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	status, out, errs := tributary(t, "", []string{"TRIBUTARY_CONFIG=" + file, "TRIBUTARY_STATE_DIR=/tmp/s"}, "config", "check", "--set", "lookback.default=60d", "--set", "models=[{type: linear}]")
	for _, want := range []string{"partitions: 4 ", "# " + file + ":1", "# environment TRIBUTARY_STATE_DIR", "default: 60d ", "# flag", "- type: linear"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
	for _, want := range []string{"warning: sources: must name at least one topic", "warning: no identity key: environment variable TRIBUTARY_IDENTITY_KEY is not set"} {
		if !strings.Contains(errs, want) {
			t.Errorf("%q is not in\n%s", want, errs)
		}
	}
	if status != done {
		t.Errorf("status %d", status)
	}
	key := "1:" + strings.Repeat("0123456789abcdef", 4)
	status, out, errs = tributary(t, "", []string{"TRIBUTARY_IDENTITY_KEY=" + key}, "config", "check")
	if status != done || errs != "" || strings.Contains(out, key[2:]) {
		t.Errorf("with a key: status %d, %q, output %q", status, errs, out)
	}
	status, _, errs = tributary(t, "", []string{"TRIBUTARY_IDENTITY_KEY=1:abc"}, "config", "check")
	if status != failed || strings.Contains(errs, "abc") {
		t.Errorf("with a damaged key: status %d, %q", status, errs)
	}
}

func TestVersionText(t *testing.T) {
	built := &debug.BuildInfo{Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "0123456789abcdef"}, {Key: "vcs.time", Value: "2026-11-21T10:00:00Z"},
		{Key: "vcs.modified", Value: "true"}}}
	built.Main.Version = "v1.0.0"
	for _, c := range []struct {
		linked string
		info   *debug.BuildInfo
		want   string
	}{
		{"v1.2.3", built, "tributary v1.2.3, commit 0123456789ab with changes of 2026-11-21T10:00:00Z, go"},
		{"", built, "tributary v1.0.0, commit "},
		{"", nil, "tributary development build, go"},
	} {
		if got := versionText(c.linked, c.info); !strings.HasPrefix(got, c.want) {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}
