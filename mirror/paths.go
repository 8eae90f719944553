package mirror

import (
	"context"
	"fmt"

	"banyan.dev/banyan/mirror/change"
)

// A row that does not have its entity's id leads to it by a path: its column refers to the row of another table, which has the id,
// or leads on. The log has the row's own columns only, so that the others are looked up in legacy, in a snapshot that contains the
// row's transaction X, and maybe later ones.
//
// There a row on the way may be another than it was when X was committed, or gone: it was moved to another entity, or deleted, in X
// itself or in a later transaction Y that the snapshot contains. Then the entity that X has changed is not found by way of it.
// But tables on the way are tables of the entity, too. So the log has the change of that row in Y, with what it was before, which
// leads to the very entity that X has changed, by a path that is shorter by one; and when that one finds another row changed, the
// same holds again, until a row has the id itself. The entity is told of with Y, by a state that contains X as well: nothing is
// missing in the end, whether X and Y are one transaction or several. What a row leads to that is not what it led to then, is
// told of needlessly, and rightly: it is read like all others.
//
// What is left to care for are fences, which promise that all before them has been told. Behind X, and before Y, a fence would be
// wrong. So it waits until the log is read up to where it ended once all paths before the fence had been followed: all that their
// snapshots contained is told then. Paths that are followed meanwhile are shorter by one; it waits again for each step that the
// longest path has. It is a short wait, since the log's end of then is where reading comes to in a moment. What a leader before this
// one has followed counts, too.

// follow puts the entities in the place of what leads to them.
func (p *pump) follow(ctx context.Context, at change.Position, all []touched) ([]touched, error) {
	var steps []Step
	for _, t := range all {
		if t.path != nil {
			steps = append(steps, Step{t.path, t.id})
		}
	}
	if len(steps) == 0 {
		return all, nil
	}
	p.followed = true
	ids, err := p.ids(ctx, at, steps)
	if err != nil {
		return nil, err
	}
	found := all[:0]
	for _, t := range all {
		if t.path != nil {
			t.id, ids = ids[0], ids[1:]
			switch {
			case t.id == "":
				continue
			case len(t.id) > mostID:
				return nil, &change.StopError{
					What: fmt.Sprintf("rows in the transaction %s lead to a %s whose id has %d bytes, and may have %d", t.tx.ID, t.entity, len(t.id), mostID),
					Fix:  "mend the row that has it; the stream then goes on by itself",
				}
			}
			t.path, t.origin, t.by = nil, t.by.origin(t.entity, t.id), nil
		}
		found = append(found, t)
	}
	return coalesce(found), nil
}

// ids gives the id that each step leads to.
func (p *pump) ids(ctx context.Context, at change.Position, steps []Step) ([]string, error) {
	ids, err := p.s.o.Service.Entities.Follow(ctx, at, steps)
	if err != nil {
		return nil, fmt.Errorf("find the entities of %d rows: %w", len(steps), err)
	}
	if len(ids) != len(steps) {
		return nil, fmt.Errorf("of %d rows, the entities of %d were found", len(steps), len(ids))
	}
	return ids, nil
}

// unsettled is what a fence waits for, see above.
type unsettled struct {
	to    change.Position // how far the log has to be read
	again int             // how often it is looked for the log's end once more
}

// settling gives what a fence behind a place has to wait for.
func (p *pump) settling(ctx context.Context, read change.Position) (u unsettled, done bool, err error) {
	u = unsettled{to: read}
	if p.followed {
		u.again = p.s.o.Service.Entities.Steps()
	}
	done, err = p.settled(ctx, &u, read)
	return u, done, err
}

// settled says whether a fence has waited for long enough, now that all up to a place was told.
func (p *pump) settled(ctx context.Context, u *unsettled, read change.Position) (bool, error) {
	for u.again > 0 && reaches(read, u.to) {
		tail, err := p.s.o.Source.Tail(ctx)
		if err != nil {
			return false, fmt.Errorf("find the end of the log: %w", err)
		}
		if tail.Server != p.s.stream.Server() {
			return false, errMoved
		}
		if reaches(read, tail) { // nothing could have been read too early
			*u, p.followed = unsettled{to: read}, false
			break
		}
		u.again--
		u.to = tail
	}
	return u.again == 0 && reaches(read, u.to), nil
}
