package mirror

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"banyan.dev/banyan/mirror/change"
	"banyan.dev/banyan/protocol"
)

const (
	// mostWaiting is how many entities and fences may wait for the pump until reading waits, too.
	mostWaiting = 10_000
	// chunk is how many entities are read in one snapshot.
	chunk = 200
)

// work is what one transaction, or a part of a large one, asks for: entities first, then fences.
type work struct {
	touched []touched
	fences  []fence
	beat    uint64 // 0 for none
	// begins is where the transaction begins, before a place from which all that is there can be read again: it lies before
	// begins while a prepared XA transaction is undecided.
	begins, before change.Position
	xa             string // change.Transaction.XA, where there are entities
	// at is a place behind the transaction. next is where to go on from once all is safe; zero while there is more to come. read
	// is the place that the log is read up to with it.
	at, next, read change.Position
}

// size is what the work takes of the room that there is.
func (w *work) size() int { return len(w.touched) + len(w.fences) }

// follow adds one that has nothing to send.
func (w *work) follow(next work) {
	w.next, w.read = next.next, next.read
	if next.beat != 0 {
		w.beat = next.beat
	}
}

// pump reads entities and sends them, in order, beside the reading of the log. Transactions that wait for it share a
// snapshot, and an entity that several of them changed is sent once.
type pump struct {
	s *session

	mu      sync.Mutex
	queue   []work
	waiting int           // the size of queue
	filled  chan struct{} // has room for one
	emptied chan struct{} // the same
	// undecided are the XA transactions that are prepared where the log was read to; none are known within a transaction.
	undecided string

	secured  bool // nothing was told since the last secured position
	followed bool // a path may have been followed since all was settled, see paths.go
	late     []lateFence
	apart    apart
}

func newPump(s *session) *pump {
	return &pump{s: s, secured: true, followed: s.o.Service.Entities.Steps() > 0, filled: make(chan struct{}, 1), emptied: make(chan struct{}, 1)}
}

// put hands work over. It blocks while too much waits.
func (p *pump) put(ctx context.Context, w work) error {
	p.mu.Lock()
	p.undecided = w.read.Undecided
	p.mu.Unlock()
	for {
		p.mu.Lock()
		if p.waiting == 0 || p.waiting+w.size() <= mostWaiting {
			if n := len(p.queue); n > 0 && w.size() == 0 {
				p.queue[n-1].follow(w)
			} else {
				p.queue = append(p.queue, w)
				p.waiting += w.size()
			}
			p.s.m.watch.waiting(p.waiting)
			p.mu.Unlock()
			signal(p.filled)
			return nil
		}
		p.mu.Unlock()
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-p.emptied:
		}
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// take gives the transactions at the head of the queue that can share snapshots: up to the first fence, or a chunk.
func (p *pump) take() []work {
	p.mu.Lock()
	defer p.mu.Unlock()
	n, entities := 0, 0
	for n < len(p.queue) && (n == 0 || entities+len(p.queue[n].touched) <= chunk) {
		entities += len(p.queue[n].touched)
		p.waiting -= p.queue[n].size()
		n++
		if len(p.queue[n-1].fences) > 0 {
			break
		}
	}
	taken := slices.Clone(p.queue[:n])
	p.queue = slices.Delete(p.queue, 0, n)
	p.s.m.watch.waiting(p.waiting)
	return taken
}

// run works until ctx ends or something fails.
func (p *pump) run(ctx context.Context) error {
	if err := p.load(ctx); err != nil {
		return causeOf(ctx, err)
	}
	again := time.NewTimer(rereadEvery)
	defer again.Stop()
	for {
		apart := len(p.apart.kept)+len(p.apart.told) > 0
		if apart && !time.Now().Before(p.apart.next) {
			if err := p.reread(ctx); err != nil {
				return causeOf(ctx, err)
			}
		}
		taken := p.take()
		if len(taken) == 0 {
			if again.Stop(); apart {
				again.Reset(time.Until(p.apart.next))
			}
			select {
			case <-ctx.Done():
				return nil
			case <-p.filled:
			case <-again.C:
			}
			continue
		}
		signal(p.emptied)
		if err := p.do(ctx, taken); err != nil {
			return causeOf(ctx, err)
		}
	}
}

// do sends what transactions ask for, the last one's fences at the end.
func (p *pump) do(ctx context.Context, taken []work) error {
	last := taken[len(taken)-1]
	if err := p.committed(ctx, last.at, taken); err != nil {
		return err
	}
	all, err := p.follow(ctx, last.at, merge(taken))
	if err != nil {
		return err
	}
	for part := range slices.Chunk(all, chunk) {
		if err := p.entities(ctx, last.at, part); err != nil {
			return err
		}
	}
	if err := p.fences(ctx, &last); err != nil {
		return err
	}
	for _, w := range taken {
		if w.beat != 0 {
			p.s.m.watch.beatSeen(w.beat)
		}
	}
	if !last.next.IsZero() {
		if err := p.lateFences(ctx, &last); err != nil {
			return err
		}
		if len(p.late) == 0 { // or they would not be read again
			p.s.marks.add(p.s.sent, last.next, p.s.feed.Confirmed)
		}
	}
	return nil
}

// entities reads and sends some entities, in their order.
func (p *pump) entities(ctx context.Context, at change.Position, part []touched) error {
	for len(part) > 0 {
		states, err := p.read(ctx, at, part)
		if err != nil {
			return err
		}
		if err := p.leave(ctx, at, part, states); err != nil {
			return err
		}
		p.secured = false
		n := 0
		var unread []Unreadable
		for n < len(part) {
			state, there := states[part[n].reference]
			if !there {
				break // they are large, and it is read with those behind it
			}
			if t := &part[n]; state.Unreadable != nil {
				if p.unread() == nil {
					return state.Unreadable
				}
				unread = append(unread, t.unreadable(state.Unreadable))
			} else if err := p.entity(ctx, t, &state); err != nil {
				stop := tooLarge(t.entity, t.id, err)
				if stop == nil {
					return err
				}
				if p.unread() == nil {
					return stop
				}
				unread = append(unread, t.unreadable(stop))
			}
			n++
		}
		if err := p.setApart(ctx, unread); err != nil {
			return err
		}
		p.s.m.watch.told(n-len(unread), 0)
		part = part[n:]
	}
	return nil
}

// read gives the states of some entities, of the first one at least: all of them as they are at one moment, whatever their messages
// are, so that what one transaction has changed is told as one.
func (p *pump) read(ctx context.Context, at change.Position, part []touched) (map[reference]EntityState, error) {
	states := make(map[reference]EntityState, len(part))
	var refs []reference
	var names []EntityName
	for _, t := range part {
		if _, again := states[t.reference]; !again {
			states[t.reference] = EntityState{}
			refs, names = append(refs, t.reference), append(names, EntityName{t.entity, t.id})
		}
	}
	clear(states)
	read, err := p.s.o.Service.Entities.Read(ctx, at, names)
	if err != nil {
		return nil, fmt.Errorf("read %d entities: %w", len(names), err)
	}
	if len(read) == 0 || len(read) > len(names) {
		return nil, fmt.Errorf("of %d entities, %d were read", len(names), len(read))
	}
	for i, state := range read {
		states[refs[i]] = state
	}
	return states, nil
}

// leave says of ids that rows have left that they are gone, also where legacy finds an entity by them: in other letters.
func (p *pump) leave(ctx context.Context, at change.Position, part []touched, states map[reference]EntityState) error {
	var left []reference
	var steps []Step
	for _, t := range part {
		if state, there := states[t.reference]; there && t.own != nil && !state.Deleted {
			left, steps = append(left, t.reference), append(steps, Step{t.own, t.id})
		}
	}
	if len(steps) == 0 {
		return nil
	}
	ids, err := p.ids(ctx, at, steps)
	if err != nil {
		return err
	}
	for i, ref := range left {
		if ids[i] != ref.id {
			states[ref] = EntityState{ID: ref.id, Deleted: true}
		}
	}
	return nil
}

// entity sends an entity's state.
func (p *pump) entity(ctx context.Context, t *touched, state *EntityState) error {
	version := t.at.String()
	id := t.event()
	body, err := event(EntityName{t.entity, t.id}, state, t.origin, version, id)
	if err != nil {
		return err
	}
	if err := p.send(ctx, t.tx, protocol.PartitionOf(t.entity, t.id, state.Key), &change.Message{ID: id, Type: protocol.TypeEntity, Version: version, Body: body}); err != nil {
		return err
	}
	p.tellApart(EntityName{t.entity, t.id})
	return nil
}

// event gives the body of an entity's event.
func event(of EntityName, state *EntityState, origin protocol.Origin, version, id string) ([]byte, error) {
	body, err := json.Marshal(protocol.EntityEvent{
		Entity: of.Entity, ID: of.ID, Key: state.Key, Origin: origin, Version: version, Event: id, Deleted: state.Deleted, Data: state.Data, Proto: state.Proto,
	})
	if err != nil {
		return nil, fmt.Errorf("write %s %s as JSON: %w", of.Entity, of.ID, err)
	}
	return body, nil
}

// eventID gives the id of what a row of a transaction gave rise to.
func eventID(tx *change.Transaction, v change.Version, of string) string {
	return tx.ID + ":" + strconv.FormatUint(uint64(v.Row), 10) + ":" + of
}

func (p *pump) send(ctx context.Context, tx *change.Transaction, partition int, m *change.Message) error {
	m.Key, m.Source, m.Term, m.Time = protocol.RoutingKey(partition), p.s.encoder.source, p.s.encoder.term, tx.Committed
	return p.s.deliver(ctx, m)
}
