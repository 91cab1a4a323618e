package bench

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// Write prints the rows as a table.
func Write(w io.Writer, rows []Row) {
	t := table.NewWriter()
	t.SetStyle(table.StyleRounded)
	t.Style().Format.Header = text.FormatDefault
	t.AppendHeader(table.Row{"figure", "what", "measured", "beside", "ratio"})
	for i, r := range rows {
		if i > 0 && r.Figure != rows[i-1].Figure {
			t.AppendSeparator()
		}
		name := r.Figure
		if i > 0 && name == rows[i-1].Figure {
			name = ""
		}
		t.AppendRow(table.Row{name, r.What, r.Measured, r.Beside, fmt.Sprintf("%.2f", r.Ratio)})
	}
	t.SetColumnConfigs([]table.ColumnConfig{{Number: 3, Align: text.AlignRight}, {Number: 4, Align: text.AlignRight}, {Number: 5, Align: text.AlignRight}})
	fmt.Fprintln(w, t.Render())
}

// Machine names cores and processor, so that figures are not compared across machines by accident.
func Machine() string {
	return fmt.Sprintf("%d cores (%d used), %s, %s %s/%s", runtime.NumCPU(), runtime.GOMAXPROCS(0), processor(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// processor is the processor's name where the system tells it.
func processor() string {
	data, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "processor not named"
	}
	for line := range strings.Lines(string(data)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "processor not named"
}

// count writes a whole number with thousands apart.
func count[T int | int64 | float64](n T) string {
	s := fmt.Sprintf("%.0f", float64(n))
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// bytesOf writes a size.
func bytesOf(n int) string {
	switch {
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d B", n)
}
