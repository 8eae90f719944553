package chaos

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"banyan.dev/banyan/internal/chaos/replica"
)

// Report is what a run has shown.
type Report struct {
	Seed   uint64
	Length time.Duration
	Plan   []Fault
	// Shop and Facade count what the old shop and callers of the facade have done, Writes transactions of the other
	// writers. Refused and Unanswered are calls of the facade, Failed are other writes, that faults have prevented.
	Shop, Facade, Writes        uint64
	Refused, Unanswered, Failed uint64
	// Consumed is what the consumer has seen, Compared what the comparison of all rows has shown.
	Consumed replica.Counts
	Compared *replica.Comparison
	// Audited is what came, held against the log.
	Audited *replica.Audit
	// Registered counts customers that the facade has acknowledged, Vanished those of them that were not rebuilt.
	Registered, Vanished int
	// Starts counts starts of Banyan. Settled is how long the last events took after the last fault, AfterKill and
	// AfterStop how long a change took when the leader was killed, or stopped without a word, just before. Big is how long
	// the big transaction took after the kill in its middle.
	Starts                             int
	Settled, AfterKill, AfterStop, Big time.Duration
	// Memory is the most that a process of Banyan had resident, in bytes.
	Memory int64
}

// judge ends the reading, and compares.
func (r *run) judge(ctx context.Context) error {
	for _, b := range r.banyans {
		r.report.Starts += b.restarted
		r.report.Memory = max(r.report.Memory, b.memory())
		if b.died() {
			return b.lastWords()
		}
	}
	r.stopReading()
	if err := r.watch.err(); err != nil {
		return fmt.Errorf("rebuild the database: %w", err)
	}
	if err := r.consumer.Flush(ctx); err != nil {
		return fmt.Errorf("flush what was rebuilt: %w", err)
	}
	r.report.Consumed = r.consumer.Counts()
	var err error
	if r.report.Compared, err = replica.Compare(ctx, r.db, r.rebuilt, shopSchema, shopSchema); err != nil {
		return err
	}
	if err := r.acknowledged(ctx); err != nil {
		return err
	}
	end, err := r.source.Tail(ctx)
	if err != nil {
		return err
	}
	r.report.Audited, err = r.consumer.Audit(ctx, r.source, r.from, end)
	return err
}

// acknowledged looks for the customers that the facade has said to have opened.
func (r *run) acknowledged(ctx context.Context) error {
	r.report.Registered = len(r.registered)
	for _, login := range r.registered {
		var found int
		if err := r.rebuilt.QueryRowContext(ctx, "SELECT COUNT(*) FROM "+shopSchema+".customers WHERE customers_login = ?", login).Scan(&found); err != nil {
			return fmt.Errorf("look for a customer: %w", err)
		}
		r.report.Vanished += 1 - found
	}
	return nil
}

// Err says what the mirror did wrong; nil is what everybody hopes for.
func (r *Report) Err() error {
	err := errors.Join(r.Consumed.Err(), r.Compared.Err(), r.Audited.Err())
	if r.Vanished > 0 {
		err = errors.Join(err, fmt.Errorf("%d of %d customers that the facade has acknowledged were not rebuilt", r.Vanished, r.Registered))
	}
	return err
}

// String gives the report for people.
func (r *Report) String() string {
	var b strings.Builder
	kinds := map[Kind]int{}
	for _, f := range r.Plan {
		kinds[f.Kind]++
	}
	fmt.Fprintf(&b, "seed %d, %s, %d faults:", r.Seed, r.Length, len(r.Plan))
	for i, kind := range slices.Sorted(maps.Keys(kinds)) {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, " %d × %s", kinds[kind], kind)
	}
	c := &r.Consumed
	fmt.Fprintf(&b, "\nload: %d actions of the old shop, %d writes by the facade (%d refused, %d unanswered), %d other transactions (%d failed)\n",
		r.Shop, r.Facade, r.Refused, r.Unanswered, r.Writes, r.Failed)
	fmt.Fprintf(&b, "events: %d new in %d transactions from %d leaders (%d starts of banyan), %d repeats, all as before but %d\n", c.Events, c.Transactions, c.Terms, r.Starts, c.Repeats, c.Altered)
	for i, op := range slices.Sorted(maps.Keys(c.Ops)) {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%d %s", c.Ops[op], op)
	}
	fmt.Fprintf(&b, "; %d of Banyan's own writes\nacknowledged by the facade: %d new customers, %d not rebuilt", c.Banyan, r.Registered, r.Vanished)
	fmt.Fprintf(&b, "\nout of order: %d for their key, %d behind others; %d malformed, %d opaque\n", c.OutOfOrder, c.Unordered, c.Malformed, c.Opaque)
	fmt.Fprintf(&b, "lost: %d of the log's %d changes; %d events of no change\n", r.Audited.Lost, r.Audited.Expected, r.Audited.Unknown)
	fmt.Fprintf(&b, "compared: %d rows of %d tables, %d different\n", r.Compared.Rows, r.Compared.Tables, r.Compared.Different)
	fmt.Fprintf(&b, "settled in %.1fs; %.1fs for a change after a kill of the leader, %.1fs after it was stopped; %.1fs for the big transaction; at most %d MiB in a process",
		r.Settled.Seconds(), r.AfterKill.Seconds(), r.AfterStop.Seconds(), r.Big.Seconds(), r.Memory>>20)
	return b.String()
}
