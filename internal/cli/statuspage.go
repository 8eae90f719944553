package cli

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"banyan.dev/banyan/flags"
	adminv1 "banyan.dev/banyan/proto/banyan/admin/v1"
)

// capabilityTable shows capabilities, a line each.
func capabilityTable(p paint, all []*adminv1.CapabilityStatus) string {
	const stage, open, doubt, blockers = 1, 4, 5, 6
	var rows [][]string
	for _, c := range all {
		applied, of := appliedBy(c)
		blocked := strings.Join(c.GetBlockers(), "; ")
		if blocked == "" {
			blocked = "none"
		}
		rows = append(rows, []string{
			printable(c.GetCapability()), printable(stages(c)), strconv.FormatUint(c.GetVersion(), 10), fmt.Sprintf("%d/%d", applied, of),
			strconv.FormatUint(uint64(c.GetOpen()), 10), strconv.FormatUint(uint64(c.GetDoubt()), 10), printable(blocked),
		})
	}
	return p.columns([]string{"CAPABILITY", "STAGE", "VERSION", "REPLICAS", "OPEN", "DOUBT", "BLOCKERS"}, rows, func(row, column int) string {
		switch c := all[row]; {
		case column == stage:
			return bold
		case column == doubt && c.GetDoubt() > 0:
			return red
		case column == open && c.GetOpen() > 0, column == blockers && len(c.GetBlockers()) > 0:
			return yellow
		}
		return ""
	})
}

// nextOfAll looks closer at the first that wants it.
func nextOfAll(all []*adminv1.CapabilityStatus) string {
	i := max(0, slices.IndexFunc(all, func(c *adminv1.CapabilityStatus) bool {
		return c.GetDoubt() > 0 || c.GetShift() != "" || len(c.GetBlockers()) > 0
	}))
	return "banyan status " + all[i].GetCapability()
}

// stages gives the stages in words, with the phase of a shift that is under way.
func stages(c *adminv1.CapabilityStatus) string {
	if c.GetPhase() == string(flags.Steady) {
		return c.GetStage()
	}
	return c.GetStage() + " (" + c.GetPhase() + ")"
}

// appliedBy counts the replicas that have applied the flag's version, of those that are not fenced.
func appliedBy(c *adminv1.CapabilityStatus) (applied, of int) {
	for _, r := range c.GetReplicas() {
		if r.GetFenced() {
			continue
		}
		of++
		if r.GetAcks()[c.GetCapability()].GetApplied() >= c.GetVersion() {
			applied++
		}
	}
	return applied, of
}

// capabilityPage shows all about one; next is the command to type next.
func capabilityPage(p paint, c *adminv1.CapabilityStatus, next string) string {
	var b strings.Builder
	title := printable(c.GetCapability())
	if service := c.GetService(); service != "" {
		title += printable(" (service " + service + ")")
	}
	fmt.Fprintf(&b, "%s: %s, version %d\n", title, p.in(bold, printable(stages(c))), c.GetVersion())
	row := func(name, colour, format string, args ...any) {
		fmt.Fprintf(&b, "  %-10s %s\n", name, p.in(colour, printable(fmt.Sprintf(format, args...))))
	}
	if c.GetShift() != "" {
		row("shift", yellow, "%s", c.GetShift())
	}
	applied, of := appliedBy(c)
	row("replicas", shade(applied == of, "", yellow), "%d of %d have applied version %d", applied, of, c.GetVersion())
	b.WriteString(replicaLines(p, c))
	switch c.GetBackfill() {
	case "":
		row("backfill", "", "not begun")
	default:
		row("backfill", "", "%s, %d entities", c.GetBackfill(), c.GetBackfilled())
	}
	row("writes", shade(c.GetDoubt() == 0, "", red), "%d open, %d in doubt", c.GetOpen(), c.GetDoubt())
	shadow := c.GetShadow()
	row("shadow", shade(shadow.GetDifferent() == 0, "", yellow), "%d same, %d different, %d failed, %d dropped (of the replica that answers)",
		shadow.GetSame(), shadow.GetDifferent(), shadow.GetFailed(), shadow.GetDropped())
	switch why := c.GetRollbackWhy(); {
	case c.GetRollbackSafe() && why == "":
		row("rollback", green, "safe now: it keeps every write")
	case c.GetRollbackSafe():
		row("rollback", green, "safe now: %s", why)
	default:
		row("rollback", red, "not safe now: %s", why)
	}
	if len(c.GetBlockers()) == 0 {
		row("blockers", green, "none")
	}
	for i, blocker := range c.GetBlockers() {
		row([]string{"blockers", ""}[min(i, 1)], yellow, "%s", blocker)
	}
	if c.GetLast() != "" {
		row("last", "", "%s", c.GetLast())
	}
	if next != "" {
		fmt.Fprintf(&b, "Next: %s\n", p.in(bold, printable(next)))
	}
	return b.String()
}

func shade(well bool, good, bad string) string {
	if well {
		return good
	}
	return bad
}

// replicaLines shows what each replica has done about the flag.
func replicaLines(p paint, c *adminv1.CapabilityStatus) string {
	var b strings.Builder
	width := 0
	for _, r := range c.GetReplicas() {
		width = max(width, len(r.GetName()))
	}
	for _, r := range c.GetReplicas() {
		line := fmt.Sprintf("%-*s  ", width, r.GetName())
		ack, ok := r.GetAcks()[c.GetCapability()]
		switch {
		case !ok:
			line += "has no flag yet"
		default:
			line += fmt.Sprintf("applied %d, settled %d", ack.GetApplied(), ack.GetSettled())
		}
		line += ", heard from " + lasting(r.GetSilent().AsDuration()) + " ago"
		colour := shade(ack.GetApplied() >= c.GetVersion(), "", yellow)
		if r.GetFenced() {
			line += ", fenced: it may not write until it has joined again"
			colour = red
		}
		if r.GetAddress() != "" {
			line += " (" + r.GetAddress() + ")"
		}
		fmt.Fprintf(&b, "  %-10s   %s\n", "", p.in(colour, printable(line)))
	}
	return b.String()
}

// lasting gives a duration as a person reads it: 412 ms, 2.4 s, 3m20s.
func lasting(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return d.Round(time.Second).String()
}
