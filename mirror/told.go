package mirror

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"banyan.dev/banyan/mirror/change"
	"banyan.dev/banyan/protocol"
)

// The ledger's tables by which a service is told things.
const (
	fencesTable        = "fences"
	announcementsTable = "announcements"
	epochsTable        = "epochs"
)

// ledger looks at Banyan's own rows.
func (s *serviceEvents) ledger(ctx context.Context, r *change.Rows) error {
	switch r.Table.Name {
	case writersTable:
		s.author.marked = s.author.marked || isMark(r)
	case locksTable:
		for _, row := range r.Rows {
			if n := find(r.Table, row.After, locksNumber); n != nil && s.author.marked {
				s.author.writtenBack = append(s.author.writtenBack, n.Num&^1)
			}
		}
	case heartbeatTable:
		if beat, ok := s.beatOf(r); ok {
			s.beat = beat
		}
	case epochsTable:
		for _, row := range r.Rows { // before the fence, in its transaction
			if row.After != nil {
				s.back = text(r.Table, row.After, "back")
			}
		}
	case fencesTable, announcementsTable:
		if r.Op != change.Insert {
			return nil // they are swept later on
		}
		for i, row := range r.Rows {
			if text(r.Table, row.After, "service") != s.o.Service.Name {
				continue
			}
			if err := s.told(r.Table, row.After, r.First+uint32(i)); err != nil {
				return &change.StopError{
					What: fmt.Sprintf("a row of %s.%s in the transaction %s can't be read", s.o.Ledger, r.Table.Name, s.tx.ID), Cause: err,
					Fix: "if a newer Banyan has written it, run that one; else find out who has, and " + s.refill("that transaction"),
				}
			}
		}
	}
	return s.bound(ctx)
}

// told reads a fence or an announcement.
func (s *serviceEvents) told(t *change.Table, row []change.Value, number uint32) error {
	if t.Name == announcementsTable {
		return s.announcement(t, row, number)
	}
	f := fence{replyTo: text(t, row, "reply_to"), at: s.version(number), tx: s.tx}
	f.Fence = protocol.Fence{ID: text(t, row, "id"), Service: s.o.Service.Name, Capability: text(t, row, "capability")}
	epoch := find(t, row, "epoch")
	if f.ID == "" || epoch == nil {
		return errors.New("a fence without an id or an epoch")
	}
	f.Epoch, f.Back = epoch.Num, f.ID == s.back
	if err := json.Unmarshal([]byte(text(t, row, "void")), &f.Void); err != nil {
		return fmt.Errorf("the void writes of a fence: %w", err)
	}
	s.fences = append(s.fences, f)
	return nil
}

func (s *serviceEvents) announcement(t *change.Table, row []change.Value, number uint32) error {
	var ids []string
	if err := json.Unmarshal([]byte(text(t, row, "ids")), &ids); err != nil {
		return fmt.Errorf("the ids of an announcement: %w", err)
	}
	entity := text(t, row, "entity")
	for _, id := range ids {
		if entity == "" || id == "" || len(id) > mostID {
			return fmt.Errorf("an announcement of %q %.40q", entity, id)
		}
		ref := reference{entity, id, nil}
		s.held[ref] = held{row: number, announced: true, own: s.held[ref].own}
	}
	return nil
}
