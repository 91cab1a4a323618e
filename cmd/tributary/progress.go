package main

import (
	"fmt"
	"io"
	"os"
	"time"
)

// progress tells on a terminal how far long work is: one line that is written over, at most a few times a second. Into a
// file or pipe it writes a line every ten seconds.
type progress struct {
	w        io.Writer
	what     string
	started  time.Time
	next     time.Time
	every    time.Duration
	terminal bool
	shown    bool
}

func newProgress(w io.Writer, what string) *progress {
	p := &progress{w: w, what: what, started: time.Now(), every: 10 * time.Second}
	if f, ok := w.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			p.terminal, p.every = true, 200*time.Millisecond
		}
	}
	p.next = p.started.Add(p.every)
	return p
}

// tick says that n events are done. It is cheap enough to be called for each.
func (p *progress) tick(n int) {
	if n%256 == 0 {
		p.now(n)
	}
}

func (p *progress) now(n int) {
	now := time.Now()
	if now.Before(p.next) {
		return
	}
	p.next = now.Add(p.every)
	p.line(n, now)
}

func (p *progress) line(n int, now time.Time) {
	p.shown = true
	seconds := now.Sub(p.started).Seconds()
	text := fmt.Sprintf("%s: %d events, %.0f a second", p.what, n, float64(n)/max(seconds, 1e-3))
	if p.terminal {
		fmt.Fprintf(p.w, "\r\x1b[K%s", text)
	} else {
		fmt.Fprintln(p.w, text)
	}
}

// end says how much was done in all, if anything was said before.
func (p *progress) end(n int) {
	if !p.shown {
		return
	}
	p.line(n, time.Now())
	if p.terminal {
		fmt.Fprintln(p.w)
	}
}
