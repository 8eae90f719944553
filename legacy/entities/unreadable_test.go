package entities_test

import (
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/legacy"
	"banyan.dev/banyan/mirror"
	"banyan.dev/banyan/mirror/change"
	"banyan.dev/banyan/strangler"
)

// What legacy has is never told to be gone, whatever keeps it from being read: it is named, with what to do.
func TestWhatCantBeReadIsNotGone(t *testing.T) {
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			l := newLab(t, server)
			e := l.open()
			l.exec(t, "ALTER TABLE boxes MODIFY n BIGINT UNSIGNED NOT NULL; UPDATE boxes SET n = 18446744073709551615 WHERE id = 9;"+
				"ALTER TABLE smalls MODIFY id BIGINT; INSERT INTO smalls VALUES (3000000000, 0)")
			at := l.end(t)
			for _, test := range []struct{ entity, id, what, cause, fix string }{
				{"lab.v1.Box", "9", "the lab.v1.Box 9 can't be read", "18446744073709551615", "mend its rows"},
				{"lab.v1.Kept", "9", "the lab.v1.Kept 9 can't be read", "boxes has it", "what its Get misses"},
				{"lab.v1.Small", "3000000000", "the lab.v1.Small 3000000000 can't be read", "smalls has it", ""},
			} {
				// Those of other messages in the same snapshot are read all the same.
				states, err := e.Read(t.Context(), at, slices.Concat(named(test.entity, test.id), named("lab.v1.Owner", "ann")))
				if err != nil || len(states) != 2 || states[1].Unreadable != nil || states[1].Key != "ann" {
					t.Errorf("%s %s: %+v, %v", test.entity, test.id, states, err)
					continue
				}
				stop := states[0].Unreadable
				if stop == nil || states[0].Deleted || stop.What != test.what+" in legacy" || !strings.Contains(stop.Cause.Error(), test.cause) || !strings.Contains(stop.Fix, test.fix) {
					t.Errorf("%s %s: %+v", test.entity, test.id, states[0])
				}
			}
			for _, test := range []struct{ entity, id string }{
				{"lab.v1.Kept", "3"},
				{"lab.v1.Small", "4"},
				{"lab.v1.Small", "3000000001"},
				{"lab.v1.Small", "99999999999999999999"},
				{"lab.v1.Small", "1x"},
				{"lab.v1.Small", ""},
				{"lab.v1.Small", "2"}, // its first statement leaves it out: that is how it is deleted
			} {
				states, err := e.Read(t.Context(), at, named(test.entity, test.id))
				if err != nil {
					t.Errorf("%s %s: %v", test.entity, test.id, err)
					continue
				}
				compare(t, states, []mirror.EntityState{{ID: test.id, Deleted: true}})
			}
			l.exec(t, "INSERT INTO owners VALUES ('bob')")
			if states, err := e.Read(t.Context(), l.end(t), named("lab.v1.Kept", "9")); err != nil || states[0].Deleted {
				t.Errorf("once it is mended: %+v, %v", states, err)
			}
		})
	}
}

// A server that is away may come back: that stops nothing.
func TestAServerThatIsAwayMayComeBack(t *testing.T) {
	l := newLab(t, devstack.Databases(t)[0])
	e := l.open()
	at := l.end(t)
	l.pool.Close()
	if _, err := e.Read(t.Context(), at, named("lab.v1.Box", "1")); err == nil || change.Stops(err) != nil {
		t.Errorf("it says %v", err)
	}
}

// DDL that comes between a snapshot's beginning and its reading makes the server ask for another snapshot: that is no fault of
// an entity's.
func TestASnapshotThatDDLHasOvertakenIsTakenAnew(t *testing.T) {
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			l := newLab(t, server)
			box := l.program.Event("lab.v1.Box")
			altered := false
			err := l.backend.Snapshot(t.Context(), l.end(t), []legacy.Asked{{Event: box, ID: "3"}, {Event: box, ID: "1"}}, func(_ legacy.Asked, _ protoreflect.Message, err error) error {
				if !altered { // there is no box 3: its things were not asked for
					l.exec(t, "ALTER TABLE things MODIFY name VARCHAR(30) NOT NULL, FORCE")
					altered = true
				}
				return err
			})
			if told := strangler.AsError(err); err == nil || told.Code != codes.Aborted || told.Reason != "SCHEMA_CHANGED" {
				t.Errorf("it says %v", err)
			}
		})
	}
}

// Who is told of other entities than were announced, or than were kept by an earlier config, is told of these all the same.
func TestStrangersAreApart(t *testing.T) {
	l := newLab(t, devstack.Databases(t)[0])
	all := slices.Concat(named("lab.v1.Gone", "1"), named("lab.v1.Box", "1"), named("lab.v1.Gone", "2", "3"), named("lab.v1.Owner", "ann"), named("lab.v1.Gone", "4"))
	states, err := l.open().Read(t.Context(), l.end(t), all)
	if err != nil || len(states) != len(all) {
		t.Fatalf("%+v, %v", states, err)
	}
	for i, of := range all {
		stop := states[i].Unreadable
		if gone := of.Entity == "lab.v1.Gone"; states[i].ID != of.ID || gone != (stop != nil) || gone && !strings.Contains(stop.What, "told of no lab.v1.Gone by this config") {
			t.Errorf("%v: %+v", of, states[i])
		}
	}
	if states, err = l.bounded(1).Read(t.Context(), l.end(t), all[1:]); err != nil || len(states) != 3 {
		t.Errorf("of a bounded reading there are %+v, %v", states, err)
	}
}
