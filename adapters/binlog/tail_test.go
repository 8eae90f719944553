package binlog_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"banyan.dev/banyan/mirror/change"
)

// The end's GTIDs are those that reading comes by, also while others write.
func TestTailsHaveAllGTIDsBeforeThem(t *testing.T) {
	onServers(t, func(t *testing.T, b *bench, _ bool) {
		b.exec("CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY)")
		first := b.tail()
		ctx, stop := context.WithCancel(t.Context())
		var writers sync.WaitGroup
		for range 6 {
			writers.Go(func() {
				for ctx.Err() == nil {
					_, _ = b.db.ExecContext(ctx, "INSERT INTO t () VALUES ()")
				}
			})
		}
		var tails []change.Position
		for range 15 {
			tails = append(tails, b.tail())
		}
		stop()
		writers.Wait()
		last := b.tail()
		var nexts []change.Position
		for _, h := range b.read(first, last) {
			if h.line == "" {
				nexts = append(nexts, h.next)
			}
		}
		for _, at := range append(tails, last) {
			if at != first && !slices.Contains(nexts, at) { // where reading begins, nothing ends
				i := slices.IndexFunc(nexts, func(p change.Position) bool { return p.File == at.File && p.Offset >= at.Offset })
				t.Errorf("the end %s %s is not where reading comes by: %s %s", at, at.GTIDs, nexts[max(i, 0)], nexts[max(i, 0)].GTIDs)
			}
		}
	})
}

// A person gives a file and an offset only.
func TestPlacesWithoutGTIDsGetThem(t *testing.T) {
	onServers(t, func(t *testing.T, b *bench, _ bool) {
		b.exec("CREATE TABLE t (id INT PRIMARY KEY, a TEXT)")
		from := b.tail()
		b.session("INSERT INTO t VALUES (1, REPEAT('x', 3000))", "INSERT INTO t VALUES (2, 'b')")
		to := b.tail()
		want := b.read(from, to)
		bare := from
		bare.GTIDs = ""
		if got := b.read(bare, to); !slices.Equal(got, want) {
			t.Errorf("without GTIDs:\n%+v\nwith them:\n%+v", got, want)
		}
		for _, shift := range []int{1, 60, 77, 79, 100} {
			bare.Offset = from.Offset + uint64(shift)
			if slices.ContainsFunc(want, func(h happened) bool { return h.next.Offset == bare.Offset }) {
				continue
			}
			_, err := b.source.Open(t.Context(), bare)
			wantStop(t, err, fmt.Sprint(bare.Offset), "no transaction begins", "banyan mirror reset")
		}
		events := b.showEvents(to.File, from.Offset)
		for _, offset := range events[1 : len(events)-1] {
			bare.Offset = offset
			if slices.ContainsFunc(want, func(h happened) bool { return h.next.Offset == offset }) {
				continue
			}
			_, err := b.source.Open(t.Context(), bare)
			wantStop(t, err, "no transaction begins")
		}
	})
}

// A log that was begun anew has old GTIDs again.
func TestTransactionsThatComeAgainStop(t *testing.T) {
	onServers(t, func(t *testing.T, b *bench, mariadb bool) {
		b.exec("CREATE TABLE t (id INT PRIMARY KEY)")
		from := b.tail()
		b.session("INSERT INTO t VALUES (1)")
		wrong := b.tail()
		if wrong.File != from.File {
			t.Skip("the log went on in another file")
		}
		wrong.Offset = from.Offset
		_, err := b.source.Open(t.Context(), wrong)
		if mariadb {
			wantStop(t, err, "other transactions")
		} else {
			wantStop(t, err, "begun anew")
		}
	})
}

func (b *bench) showEvents(file string, from uint64) (offsets []uint64) {
	b.t.Helper()
	rows, err := b.db.QueryContext(b.t.Context(), fmt.Sprintf("SHOW BINLOG EVENTS IN '%s' FROM %d LIMIT 8", file, from))
	if err != nil {
		b.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var offset uint64
		var skip any
		if err := rows.Scan(&skip, &offset, &skip, &skip, &skip, &skip); err != nil {
			b.t.Fatal(err)
		}
		offsets = append(offsets, offset)
	}
	if err := rows.Err(); err != nil {
		b.t.Fatal(err)
	}
	return offsets
}
