package entities

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/legacy"
	"banyan.dev/banyan/mirror"
	"banyan.dev/banyan/mirror/change"
	"banyan.dev/banyan/strangler"
)

// Options say which entities are read, and how.
type Options struct {
	Backend  *legacy.Backend
	Contract *contract.Contract
	// Schema is that of tables whose events name none.
	Schema string
	// Entities are read, by the full name of the message.
	Entities map[protoreflect.FullName]Entity
	// Protobuf gives messages in protobuf's bytes instead of its JSON.
	Protobuf bool
	// MaxBytes is about how much of both one Read gives; 0 for no bound.
	MaxBytes int
	// FoldCase says that the server's names of schemas and tables are the same in any case.
	FoldCase bool
}

// Entity is one that is read.
type Entity struct {
	Event *legacy.Event
	// Key gives what requests about an entity are routed by.
	Key func(protoreflect.Message) (string, error)
}

// Entities reads entities. It is safe for concurrent use.
type Entities struct {
	options Options
	tables  map[string][]mirror.EntityTable // by schema.table, and by "schema." for all of them
	paths   map[*mirror.Path]path
	steps   int // of the longest
	json    protojson.MarshalOptions
}

// path is where a path begins.
type path struct {
	event *legacy.Event
	table int
}

// New makes Entities of a verified program's events.
func New(o Options) *Entities {
	e := &Entities{options: o, tables: map[string][]mirror.EntityTable{}, paths: map[*mirror.Path]path{}, json: protojson.MarshalOptions{Resolver: o.Contract.Types}}
	for name, entity := range o.Entities {
		for i, t := range entity.Event.Tables {
			schema := t.Schema
			if schema == "" {
				schema = o.Schema
			}
			at := e.key(schema, t.Table)
			of := mirror.EntityTable{Entity: string(name), Column: t.Column}
			if steps := entity.Event.Steps(i); steps > 0 {
				of.Path = &mirror.Path{Entity: of.Entity}
				e.steps = max(e.steps, steps)
				e.paths[of.Path] = path{entity.Event, i}
			} else if i == 0 && entity.Event.Spelled() {
				of.Own = &mirror.Path{Entity: of.Entity}
				e.paths[of.Own] = path{entity.Event, legacy.Itself}
			}
			e.tables[at] = append(e.tables[at], of)
			whole := e.key(schema, "")
			e.tables[whole] = append(e.tables[whole], of)
		}
	}
	return e
}

func (e *Entities) key(schema, table string) string {
	key := schema + "." + table
	if e.options.FoldCase {
		key = strings.ToLower(key)
	}
	return key
}

// Of implements mirror.Entities.
func (e *Entities) Of(schema, table string) []mirror.EntityTable {
	return e.tables[e.key(schema, table)]
}

const (
	// firstWait and mostWait bound the pauses between two looks at a snapshot that is still too old: rows reach the log
	// before the engine commits them.
	firstWait = time.Millisecond
	mostWait  = 100 * time.Millisecond
)

// errEnough ends a reading whose entities are large.
var errEnough = errors.New("enough was read")

// Steps implements mirror.Entities.
func (e *Entities) Steps() int { return e.steps }

// Committing implements mirror.Entities.
func (e *Entities) Committing(ctx context.Context, at change.Position, xa []string) ([]string, error) {
	return e.options.Backend.Committing(ctx, at, xa)
}

// Read implements mirror.Entities.
func (e *Entities) Read(ctx context.Context, at change.Position, all []mirror.EntityName) (out []mirror.EntityState, err error) {
	var asked []legacy.Asked
	for _, of := range all {
		if known, ok := e.options.Entities[protoreflect.FullName(of.Entity)]; ok {
			asked = append(asked, legacy.Asked{Event: known.Event, ID: of.ID})
		}
	}
	err = e.patiently(ctx, func() error {
		out = e.strangers(make([]mirror.EntityState, 0, len(all)), all)
		size := 0
		return e.options.Backend.Snapshot(ctx, at, asked, func(of legacy.Asked, m protoreflect.Message, err error) error {
			if err != nil && passes(strangler.AsError(err)) {
				return fmt.Errorf("read the %s %s: %w", of.Event.Entity.FullName(), of.ID, err)
			}
			var state mirror.EntityState
			if err != nil {
				state.Unreadable = unreadable(of, err)
			} else {
				state = e.state(of, m)
			}
			if state.Unreadable != nil {
				state = mirror.EntityState{ID: of.ID, Unreadable: state.Unreadable}
			}
			out = e.strangers(append(out, state), all)
			if size += len(state.Data) + len(state.Proto); e.options.MaxBytes > 0 && size >= e.options.MaxBytes {
				return errEnough
			}
			return nil
		})
	})
	if err != nil && !errors.Is(err, errEnough) {
		return nil, err
	}
	return out, nil
}

// strangers appends the states of those that come next and that the service is not told of: somebody has announced them, or they
// were kept when a config still had them.
func (e *Entities) strangers(out []mirror.EntityState, all []mirror.EntityName) []mirror.EntityState {
	for len(out) < len(all) {
		of := all[len(out)]
		if _, known := e.options.Entities[protoreflect.FullName(of.Entity)]; known {
			break
		}
		out = append(out, mirror.EntityState{ID: of.ID, Unreadable: &change.StopError{
			What: fmt.Sprintf("the service is told of no %s by this config", of.Entity),
			Fix:  "run all processes with the same config; if it is gone from all for good, delete its rows of the table unreadable, and start again",
		}})
	}
	return out
}

// Follow implements mirror.Entities.
func (e *Entities) Follow(ctx context.Context, at change.Position, all []mirror.Step) (ids []string, err error) {
	steps := make([]legacy.Follow, len(all))
	for i, step := range all {
		from := e.paths[step.Path]
		steps[i] = legacy.Follow{Event: from.event, Table: from.table, Value: step.Value}
	}
	err = e.patiently(ctx, func() (err error) {
		ids, err = e.options.Backend.Follow(ctx, at, steps)
		return err
	})
	return ids, err
}

// patiently reads again while snapshots are too old.
func (e *Entities) patiently(ctx context.Context, read func() error) error {
	for wait := firstWait; ; wait = min(2*wait, mostWait) {
		if err := read(); !errors.Is(err, legacy.ErrTooOld) {
			return err
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
}

// unreadable says of a failure that does not pass which entity can't be read.
func unreadable(of legacy.Asked, err error) *change.StopError {
	stop := &change.StopError{
		What: fmt.Sprintf("the %s %s can't be read in legacy", of.Event.Entity.FullName(), of.ID), Cause: err,
		Fix: "mend its rows, or let the contract and its SQL say what they have; it is read again by itself",
	}
	if there := (*legacy.ThereError)(nil); errors.As(err, &there) {
		stop.Fix = "add what its Get misses beside it, or let the first statement of the Get read the entity's first table alone; it is read again by itself"
	}
	return stop
}

// passes says whether a failure may pass by itself.
func passes(told *strangler.Error) bool {
	switch told.Code {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Aborted, codes.Canceled:
		return true
	case codes.ResourceExhausted:
		return told.Reason != "REPLY_TOO_LARGE" && told.Reason != "TOO_MANY_ROWS_AT_ONCE"
	default:
		return false
	}
}

// state gives what is told of an entity, nil for one that legacy doesn't have.
func (e *Entities) state(of legacy.Asked, m protoreflect.Message) (state mirror.EntityState) {
	entity, id := of.Event.Entity.FullName(), of.ID
	state = mirror.EntityState{ID: id, Deleted: m == nil}
	if m == nil {
		return state
	}
	cant := func(what, fix string, err error) {
		state.Unreadable = &change.StopError{What: fmt.Sprintf(what, entity, id), Cause: err, Fix: fix}
	}
	var err error
	if state.Key, err = e.options.Entities[entity].Key(m); err != nil {
		cant("the key of the %s %s can't be told", "mend its rows, or the key in the config, which is an expression over the message's fields; it is read again by itself", err)
		return state
	}
	if e.options.Protobuf {
		// None are not nil: that would be a message that is not there.
		if state.Proto, err = (proto.MarshalOptions{Deterministic: true}).MarshalAppend([]byte{}, m.Interface()); err != nil {
			cant("the %s %s can't be written as protobuf", "mend its rows; it is read again by itself", err)
		}
		return state
	}
	if state.Data, err = e.json.Marshal(m.Interface()); err != nil {
		cant("the %s %s can't be written as JSON", "mend its rows; it is read again by itself", err)
	}
	return state
}

var _ mirror.Entities = (*Entities)(nil)
