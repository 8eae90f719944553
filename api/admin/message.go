package admin

import (
	"fmt"
	"math"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	adminv1 "banyan.dev/banyan/proto/banyan/admin/v1"
	"banyan.dev/banyan/strangler"
	"banyan.dev/banyan/strangler/control"
)

func statusMessage(s *control.CapabilityStatus) (*adminv1.CapabilityStatus, error) {
	out := &adminv1.CapabilityStatus{
		Capability: s.Capability, Service: s.Service, Stage: s.Stage, Version: s.Version, Phase: string(s.Phase),
		Shift: s.Shift, Backfill: s.Backfill, Backfilled: s.Backfilled, Open: count(s.Open), Doubt: count(s.Doubt),
		Shadow: &adminv1.Comparisons{
			Same: s.Shadow.Same, Different: s.Shadow.Different, Failed: s.Shadow.Failed, Dropped: s.Shadow.Dropped,
		},
		Blockers: s.Blockers, RollbackSafe: s.RollbackSafe, RollbackWhy: s.RollbackWhy, Last: s.Last, Next: s.Next,
	}
	if len(s.Flag) > 0 {
		out.Flag = &structpb.Struct{}
		if err := protojson.Unmarshal(s.Flag, out.Flag); err != nil {
			return nil, fmt.Errorf("the flag of %s: %w", s.Capability, err)
		}
	}
	for i := range s.Replicas {
		out.Replicas = append(out.Replicas, replicaMessage(&s.Replicas[i]))
	}
	return out, nil
}

func replicaMessage(r *control.Replica) *adminv1.Replica {
	out := &adminv1.Replica{
		Name: r.Name, Address: r.Address, Silent: durationpb.New(r.Silent), Fenced: r.Fenced, Acks: make(map[string]*adminv1.Ack, len(r.Acks)),
	}
	for name, ack := range r.Acks {
		out.Acks[name] = &adminv1.Ack{Applied: ack.Applied, Settled: ack.Settled}
	}
	return out
}

func outcomeMessage(o *control.Outcome) *adminv1.Outcome {
	return &adminv1.Outcome{
		Version: o.Version, From: o.From, To: o.To, Done: o.Done, Why: o.Why, Replicas: count(o.Replicas), Of: count(o.Of),
		Fenced: o.Fenced, Took: durationpb.New(o.Took), Paused: durationpb.New(o.Paused), Voided: count(o.Voided), Steps: o.Steps,
	}
}

func auditMessage(a *control.Audit) *adminv1.Audit {
	return &adminv1.Audit{
		At: instant(a.At), Capability: a.Capability, Version: a.Version, Who: a.Who, What: a.What, From: a.From, To: a.To, Reason: a.Reason,
	}
}

func writeMessage(w *strangler.Write) *adminv1.Write {
	return &adminv1.Write{
		Id: w.ID, Capability: w.Capability, Operation: w.Operation, Key: w.Key, Keyed: w.Keyed, Entity: w.Entity, Epoch: w.Epoch,
		Replica: w.Replica, State: string(w.State), Reason: w.Reason, Created: instant(w.Created), Changed: instant(w.Changed),
	}
}

// instant gives null for no time.
func instant(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

// count gives what JSON shows as a number.
func count(n int) uint32 {
	return uint32(min(max(n, 0), math.MaxUint32))
}
