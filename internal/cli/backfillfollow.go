package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	adminv1 "banyan.dev/banyan/proto/banyan/admin/v1"
	"banyan.dev/banyan/strangler/backfill"
)

const (
	// backfillEvery is the time between two looks at backfills, plainEvery between two lines about one where there is no terminal.
	backfillEvery = 500 * time.Millisecond
	plainEvery    = 10 * time.Second
	// mostAsked is how many of them are looked at each time: those of a mirror are done one after another.
	mostAsked = 8
	barWidth  = 24
)

// progress is one backfill that is followed.
type progress struct {
	told  *adminv1.Backfill
	begun time.Time // of what follows
	from  uint64
	rate  float64 // a second of late; 0 is not known
	line  time.Time
}

// note takes what is told now.
func (p *progress) note(b *adminv1.Backfill, now time.Time) {
	if p.begun.IsZero() || b.GetDone() < p.from {
		p.begun, p.from = now, b.GetDone()
	}
	if took := now.Sub(p.begun); took >= 2*time.Second && b.GetDone() > p.from {
		late := float64(b.GetDone()-p.from) / took.Seconds()
		p.rate = late
		if took >= 10*time.Second {
			p.begun, p.from = now, b.GetDone()
		}
	}
	p.told = b
}

// text is one line: how far it is, how fast, and how long it may take still.
func (p *progress) text(bar bool) string {
	b := p.told
	parts := []string{printable(b.GetTarget())}
	if bar && b.GetTotal() > 0 {
		share := min(float64(b.GetDone())/float64(max(b.GetTotal(), 1)), 1)
		filled := int(share * barWidth)
		parts = append(parts, fmt.Sprintf("[%s%s] %3.0f%%", strings.Repeat("█", filled), strings.Repeat("·", barWidth-filled), 100*share))
	}
	parts = append(parts, howFar(b))
	if p.rate > 0 && !over(b) {
		parts = append(parts, grouped(uint64(p.rate))+"/s")
		if b.GetTotal() > b.GetDone() {
			left := time.Duration(float64(b.GetTotal()-b.GetDone()) / p.rate * float64(time.Second))
			parts = append(parts, left.Round(time.Second).String()+" left")
		}
	}
	if b.GetNote() != "" {
		parts = append(parts, printable(b.GetNote()))
	}
	return strings.Join(parts, "  ")
}

// followBackfills shows how far some are until all are over.
func (f *adminFlags) followBackfills(ctx context.Context, sys System, client *adminClient, all []*adminv1.Backfill) error {
	v := &followed{sys: sys, paint: colours(sys), quiet: f.output == "json", live: f.output != "json" && terminal(sys.Stdout)}
	for _, b := range all {
		v.all = append(v.all, &progress{told: b})
	}
	tick := time.NewTicker(backfillEvery)
	defer tick.Stop()
	for {
		left, err := v.look(ctx, client)
		if ctx.Err() != nil {
			v.clear()
			return v.interrupted(f)
		}
		if err != nil {
			v.clear()
			return err
		}
		if left == 0 {
			break
		}
		select {
		case <-ctx.Done():
			v.clear()
			return v.interrupted(f)
		case <-tick.C:
		}
	}
	return v.ended(f)
}

// followed are backfills that are shown.
type followed struct {
	sys   System
	paint paint
	all   []*progress
	quiet bool
	live  bool
	lines int // on the terminal, that are written over
}

// look asks for those that are next, shows them, and gives how many are not over.
func (v *followed) look(ctx context.Context, client *adminClient) (left int, err error) {
	now := time.Now()
	asked := 0
	var lines []string
	for _, p := range v.all {
		if over(p.told) {
			continue
		}
		if asked++; asked > mostAsked {
			left++
			continue
		}
		before := p.told.GetState()
		b := &adminv1.Backfill{}
		if _, err := client.get(ctx, backfillsPath+"/"+strconv.FormatUint(p.told.GetId(), 10), nil, b); err != nil {
			return 0, err
		}
		p.note(b, now)
		switch {
		case over(b):
			v.clear()
			v.say(fmt.Sprintf("%s  %s", v.paint.in(backfillColour(b.GetState()), b.GetState()), p.text(false)))
			continue
		case v.live && b.GetState() == string(backfill.Running):
			lines = append(lines, p.text(true))
		case !v.live && b.GetState() == string(backfill.Running) && (before != b.GetState() || now.Sub(p.line) >= plainEvery):
			p.line = now
			v.say(b.GetState() + "  " + p.text(false))
		}
		left++
	}
	if v.live && left > 0 {
		v.clear()
		if waiting := left - len(lines); waiting > 0 {
			lines = append(lines, fmt.Sprintf("%d waiting", waiting))
		}
		for _, line := range lines {
			fmt.Fprintln(v.sys.Stdout, line)
		}
		v.lines = len(lines)
	}
	return left, nil
}

func (v *followed) say(line string) {
	if !v.quiet {
		fmt.Fprintln(v.sys.Stdout, line)
	}
}

// clear takes the lines back that are written over (ECMA-48: cursor up, erase below).
func (v *followed) clear() {
	if v.lines > 0 {
		fmt.Fprintf(v.sys.Stdout, "\x1b[%dA\x1b[J", v.lines)
		v.lines = 0
	}
}

func (v *followed) interrupted(f *adminFlags) error {
	fmt.Fprintln(v.sys.Stderr, "The backfill goes on. Next: "+f.next("banyan backfill status --follow"))
	return errReported
}

// ended says what became of all.
func (v *followed) ended(f *adminFlags) error {
	all := &adminv1.ListBackfillsResponse{}
	failed := 0
	for _, p := range v.all {
		all.Backfills = append(all.Backfills, p.told)
		if p.told.GetState() != string(backfill.Done) {
			failed++
		}
	}
	if v.quiet {
		if err := f.showBackfills(v.sys, all, ""); err != nil {
			return err
		}
	}
	switch {
	case failed == 0:
		return nil
	case len(v.all) == 1:
		return errReported
	}
	return fmt.Errorf("%d of %d backfills were not done: %s", failed, len(v.all), f.next("banyan backfill list"))
}
