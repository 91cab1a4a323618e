package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"tributary/schemas"
	"tributary/stream/metrics"
)

// barWidth is the width of a full bar, in characters.
const barWidth = 6

// WriteLedger prints what became of every record, and whether it adds up if so many are still on their way.
func WriteLedger(w io.Writer, l metrics.Ledger, waiting int64) {
	fmt.Fprintln(w, "What became of every record")
	t := newTable()
	t.AppendHeader(table.Row{"records", "", "meaning"})
	type row struct {
		name    string
		n       int64
		meaning string
	}
	rows := []row{
		{"applied", l.Applied, "in a journey, or changed a conversion"},
		{"duplicate", l.Duplicate, "delivered before"},
		{"refused", l.Refused, "in the dead letters, with the reason"},
		{"late", l.Late, "in the late topic: too far behind the newest of its partition"},
		{"filtered", l.Filtered + l.Forgotten + l.Shared + l.Expired, "without consent, forgotten, expired, or of nobody in particular"},
	}
	if waiting > 0 {
		rows = append(rows, row{"on the way", waiting, "accepted, and not handled yet"})
	}
	var sum int64
	for _, r := range rows {
		t.AppendRow(table.Row{r.name, count(r.n), r.meaning})
		sum += r.n
	}
	verdict := "adds up"
	if sum != l.Received {
		verdict = fmt.Sprintf("DOES NOT ADD UP: %s ended somewhere", count(sum))
	}
	t.AppendFooter(table.Row{"received", count(l.Received), verdict})
	fmt.Fprintln(w, t.Render())
}

// WriteChannels prints credit by channel and model, as conversions and as money.
func WriteChannels(w io.Writer, c *Channels) {
	fmt.Fprintf(w, "%s conversions count: %s with touches, %s without; %s do not count (refunded, or not the first)\n\n",
		count(int64(c.Conversions)), count(int64(c.Attributed)), count(int64(c.Conversions-c.Attributed)), count(int64(c.Retracted)))
	fmt.Fprintln(w, "Conversions by channel and model")
	c.write(w, c.Shares, func(v int64) string { return fmt.Sprintf("%.1f", float64(v)/1e6) })
	for _, currency := range c.Currencies {
		if currency == schemas.NoCurrency {
			continue
		}
		fmt.Fprintf(w, "\n%s by channel and model\n", currency)
		c.write(w, c.Values[currency], func(v int64) string { return schemas.Money{Minor: v, Currency: currency}.String() })
	}
}

// write prints a table of channel and model; bars are shares of the largest cell.
func (c *Channels) write(w io.Writer, cells map[string]map[string]int64, format func(int64) string) {
	var most int64
	for _, channels := range cells {
		for _, v := range channels {
			most = max(most, v)
		}
	}
	t := newTable()
	header := table.Row{"channel"}
	for _, m := range c.Models {
		header = append(header, m)
	}
	t.AppendHeader(header)
	for _, channel := range c.Channels {
		row := table.Row{channel}
		for _, m := range c.Models {
			v := cells[m][channel]
			row = append(row, bar(v, most)+" "+format(v))
		}
		t.AppendRow(row)
	}
	footer := table.Row{"total"}
	for _, m := range c.Models {
		var sum int64
		for _, v := range cells[m] {
			sum += v
		}
		footer = append(footer, format(sum))
	}
	t.AppendFooter(footer)
	configs := []table.ColumnConfig{{Number: 1, Align: text.AlignLeft}}
	for i := range c.Models {
		configs = append(configs, table.ColumnConfig{Number: i + 2, Align: text.AlignRight, AlignFooter: text.AlignRight, AlignHeader: text.AlignRight})
	}
	t.SetColumnConfigs(configs)
	fmt.Fprintln(w, t.Render())
}

// WriteJourney prints one conversion touch by touch.
func WriteJourney(w io.Writer, a *schemas.Attribution) {
	fmt.Fprintf(w, "One journey: %s %q of %s on %s, %d touches in %d sessions\n", a.Conversion.Name, a.ConversionID,
		amount(a.Conversion.NetValue), a.Conversion.OccurredAt, a.Journey.Touches, a.Journey.Sessions)
	fmt.Fprintln(w, touches(a))
}

// WriteCorrection prints what a late event, a merge or a refund changed.
func WriteCorrection(w io.Writer, c *Correction) {
	fmt.Fprintf(w, "One correction: %s %q, revision %d to %d because of %s (%s)\n", c.After.Conversion.Name, c.After.ConversionID,
		c.Before.Revision, c.After.Revision, c.After.Cause, c.After.Change)
	fmt.Fprintf(w, "before: %s\n%s\nafter: %s\n%s\n", summary(c.Before), touches(c.Before), summary(c.After), touches(c.After))
}

func summary(a *schemas.Attribution) string {
	s := fmt.Sprintf("%s, %s", a.Status, amount(a.Conversion.NetValue))
	if a.Unattributed != "" {
		s += ", " + string(a.Unattributed)
	}
	return s
}

func touches(a *schemas.Attribution) string {
	if len(a.Touches) == 0 {
		return "  (no touches)"
	}
	t := newTable()
	header := table.Row{"when", "session", "kind", "channel", "campaign"}
	for _, m := range a.Models {
		header = append(header, m.Name)
	}
	t.AppendHeader(header)
	for i := range a.Touches {
		touch := &a.Touches[i]
		row := table.Row{touch.OccurredAt.Time().Format("Jan 02 15:04"), touch.Session, touch.Kind, touch.Channel, touch.Campaign}
		for _, c := range touch.Credit {
			row = append(row, schemas.Money{Minor: c.Minor, Currency: a.Conversion.Value.Currency}.String())
		}
		t.AppendRow(row)
	}
	configs := make([]table.ColumnConfig, 0, len(a.Models))
	for i := range a.Models {
		configs = append(configs, table.ColumnConfig{Number: i + 6, Align: text.AlignRight, AlignHeader: text.AlignRight})
	}
	t.SetColumnConfigs(configs)
	return t.Render()
}

func newTable() table.Writer {
	t := table.NewWriter()
	t.SetStyle(table.StyleRounded)
	t.Style().Format.Header = text.FormatDefault
	t.Style().Format.Footer = text.FormatDefault
	return t
}

// bar draws v out of most, in eighths of a character.
func bar(v, most int64) string {
	if most <= 0 || v <= 0 {
		return ""
	}
	eighths := int(v * barWidth * 8 / most)
	s := strings.Repeat("█", eighths/8)
	if rest := eighths % 8; rest > 0 {
		s += string([]rune("▏▎▍▌▋▊▉")[rest-1])
	}
	return s
}

func amount(m schemas.Money) string {
	if m.Currency == schemas.NoCurrency {
		return "no value"
	}
	return m.String() + " " + m.Currency
}

// count writes a number with thousands apart.
func count(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
