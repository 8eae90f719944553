package entities

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"
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
	// MaxBytes is about how much JSON one Read gives; 0 for no bound.
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
	tables  map[string][]mirror.EntityTable // by schema.table
	json    protojson.MarshalOptions
}

// New makes Entities of a verified program's events.
func New(o Options) *Entities {
	e := &Entities{options: o, tables: map[string][]mirror.EntityTable{}, json: protojson.MarshalOptions{Resolver: o.Contract.Types}}
	for name, entity := range o.Entities {
		for _, t := range entity.Event.Tables {
			schema := t.Schema
			if schema == "" {
				schema = o.Schema
			}
			at := e.key(schema, t.Table)
			e.tables[at] = append(e.tables[at], mirror.EntityTable{Entity: string(name), Column: t.Column})
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

// Read implements mirror.Entities.
func (e *Entities) Read(ctx context.Context, at change.Position, entity string, ids []string) ([]mirror.EntityState, error) {
	known, ok := e.options.Entities[protoreflect.FullName(entity)]
	if !ok {
		return nil, &change.StopError{
			What: fmt.Sprintf("%s was announced, and the service is told of no such entity by this config", entity),
			Fix:  "run all processes with the same config; if the entity is gone for good, go on behind the announcement with banyan mirror reset --name service.NAME",
		}
	}
	for wait := firstWait; ; wait = min(2*wait, mostWait) {
		out, size := make([]mirror.EntityState, 0, len(ids)), 0
		err := e.options.Backend.Snapshot(ctx, at, known.Event, ids, func(id string, m protoreflect.Message) error {
			state, err := e.state(known, id, m)
			out = append(out, state)
			if size += len(state.Data); err == nil && e.options.MaxBytes > 0 && size >= e.options.MaxBytes {
				err = errEnough
			}
			return err
		})
		switch {
		case err == nil, errors.Is(err, errEnough):
			return out, nil
		case !errors.Is(err, legacy.ErrTooOld):
			return nil, unreadable(entity, err)
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		case <-timer.C:
		}
	}
}

// unreadable makes a StopError of a failure that does not pass, with the entity that can't be read.
func unreadable(entity string, err error) error {
	var of *legacy.EntityError
	var there *legacy.ThereError
	if !errors.As(err, &of) || passes(strangler.AsError(of.Err)) {
		return err
	}
	stop := &change.StopError{
		What: fmt.Sprintf("the %s %s can't be read in legacy", entity, of.ID), Cause: of.Err,
		Fix: "mend its rows, or let the contract and its SQL say what they have; the stream then goes on by itself",
	}
	if errors.As(err, &there) {
		stop.Fix = "add what its Get misses beside it, or let the first statement of the Get read the entity's first table alone; the stream then goes on by itself"
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

func (e *Entities) state(known Entity, id string, m protoreflect.Message) (mirror.EntityState, error) {
	state := mirror.EntityState{ID: id, Deleted: m == nil}
	if m == nil {
		return state, nil
	}
	var err error
	if state.Key, err = known.Key(m); err != nil {
		return state, &change.StopError{
			What: fmt.Sprintf("the key of the %s %s can't be told", known.Event.Entity.FullName(), id), Cause: err,
			Fix: "mend the capability's key in the config, which is an expression over the message's fields",
		}
	}
	if state.Data, err = e.json.Marshal(m.Interface()); err != nil {
		return state, fmt.Errorf("write the %s %s as JSON: %w", known.Event.Entity.FullName(), id, err)
	}
	return state, nil
}

var _ mirror.Entities = (*Entities)(nil)
