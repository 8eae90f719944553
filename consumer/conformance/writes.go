package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/google/uuid"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"

	"banyan.dev/banyan/protocol"
)

// once is one live write, which can be tried many times.
type once struct {
	id      string
	request *dynamicpb.Message
	on      told // the entity of a write that names it; else that of the reply, once it is there
	named   bool
}

// newWrite prepares a write; one that names its entity tells it first.
func (r *rig) newWrite(ctx context.Context) (*once, error) {
	if r.Write == nil {
		return nil, skip("no write was given: --write OPERATION --request JSON")
	}
	w := &once{id: uuid.NewString(), named: r.Write.onTold()}
	w.on = r.fresh()
	if w.named {
		s := &script{r: r}
		s.add(w.on, protocol.OriginLegacy, 0)
		if err := s.sends(ctx); err != nil {
			return nil, err
		}
	}
	return w, w.prepare(r)
}

// prepare makes the request.
func (w *once) prepare(r *rig) error {
	text := string(r.Write.Request)
	for name, value := range map[string]string{"${id}": w.on.id, "${key}": w.on.key} {
		quoted, err := json.Marshal(value)
		if err != nil {
			return fmt.Errorf("put %s into the request: %w", name, err)
		}
		text = strings.ReplaceAll(text, name, strings.Trim(string(quoted), `"`))
	}
	w.request = dynamicpb.NewMessage(r.Write.Method.Input())
	if err := protojson.Unmarshal([]byte(text), w.request); err != nil {
		return fmt.Errorf("the request of the write is no %s: %w", r.Write.Method.Input().FullName(), err)
	}
	return nil
}

// try calls the service as Banyan does.
func (r *rig) try(ctx context.Context, w *once, epoch uint64) (*dynamicpb.Message, error) {
	ctx = metadata.AppendToOutgoingContext(ctx, protocol.MetadataWrite, w.id, protocol.MetadataEpoch, strconv.FormatUint(epoch, 10))
	reply := dynamicpb.NewMessage(r.Write.Method.Output())
	return reply, r.call(ctx, r.Write.Method, w.request, reply)
}

// do makes a write that has to succeed, and learns which entity it is of.
func (r *rig) do(ctx context.Context, w *once) (*dynamicpb.Message, error) {
	reply, err := r.try(ctx, w, r.epoch)
	if err != nil {
		return nil, fmt.Errorf("a live write under epoch %d gives %w", r.epoch, err)
	}
	if !w.named {
		w.on = told{id: reply.Get(r.Entity.ID).String(), key: reply.Get(r.Entity.Key).String()}
		if w.on.id == "" || w.on.id == "0" {
			return nil, fmt.Errorf("the reply of the write has no id: %s", brief(reply))
		}
	}
	return reply, nil
}

// written makes a write, and gives it.
func (r *rig) written(ctx context.Context) (*once, error) {
	w, err := r.newWrite(ctx)
	if err != nil {
		return nil, err
	}
	_, err = r.do(ctx, w)
	return w, err
}

// raise fences the capability with a greater epoch.
func (r *rig) raise(ctx context.Context, f protocol.Fence) (answer, error) {
	r.epoch++
	f.Epoch = r.epoch
	return r.fence(ctx, f, nil)
}

func (r *rig) writes(ctx context.Context) error {
	w, err := r.newWrite(ctx)
	if err != nil {
		return err
	}
	if _, err := r.raise(ctx, protocol.Fence{}); err != nil {
		return err
	}
	const tries = 4
	replies, failures := make([]*dynamicpb.Message, tries), make([]error, tries)
	var trying sync.WaitGroup
	for i := range tries { // all at once
		trying.Go(func() { replies[i], failures[i] = r.try(ctx, w, r.epoch) })
	}
	trying.Wait()
	for i, err := range failures {
		if err != nil {
			return fmt.Errorf("of %d tries of one live write at once, one gives %w", tries, err)
		}
		if !proto.Equal(replies[i], replies[0]) {
			return fmt.Errorf("two tries of one live write at once have different replies: %s, and %s", brief(replies[0]), brief(replies[i]))
		}
	}
	if _, err := r.do(ctx, w); err != nil {
		return err
	}
	state, err := r.get(ctx, w.on.id)
	if err != nil {
		return err
	}
	if state == nil {
		return fmt.Errorf("after a live write of %q, there is none", w.on.id)
	}
	later, err := r.try(ctx, w, r.epoch)
	if err != nil {
		return fmt.Errorf("a later try of a live write gives %w", err)
	}
	if !proto.Equal(later, replies[0]) {
		return fmt.Errorf("a later try of a live write gives %s, and the first gave %s: it was done again", brief(later), brief(replies[0]))
	}
	// Another write is another, though it asks for the same.
	if w.named {
		return nil
	}
	other, err := r.written(ctx)
	if err != nil {
		return err
	}
	if other.on.id == w.on.id {
		return fmt.Errorf("two writes with different ids made one entity, %q", w.on.id)
	}
	return nil
}

func (r *rig) void(ctx context.Context) error {
	w, err := r.written(ctx)
	if err != nil {
		return err
	}
	never := uuid.NewString()
	a, err := r.raise(ctx, protocol.Fence{Void: []string{w.id, never}})
	if err != nil {
		return err
	}
	ids, is := a.committed[w.id]
	switch {
	case !is:
		return errors.New("a write that was done is not in committed when a fence voids it: what it did would stay")
	case !slices.Equal(ids, []string{w.on.id}):
		return fmt.Errorf("committed has %q for a write of the entity %q", ids, w.on.id)
	}
	if ids, is := a.committed[never]; is {
		return fmt.Errorf("committed has %q for a write that was never made", ids)
	}
	return nil
}

// refusedEpoch says what is wrong with the error of a write whose epoch has passed.
func refusedEpoch(err error, reply proto.Message) error {
	if err == nil {
		return fmt.Errorf("it was done: %s", brief(reply))
	}
	st := status.Convert(err)
	if st.Code() != codes.FailedPrecondition {
		return fmt.Errorf("it gives %w, and should give FAILED_PRECONDITION", err)
	}
	for _, d := range st.Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok && info.GetDomain() == protocol.ErrorDomain && info.GetReason() == protocol.ReasonEpochPassed {
			return nil
		}
	}
	return fmt.Errorf("it gives FAILED_PRECONDITION (%s) without an ErrorInfo of domain %s and reason %s in the grpc-status-details-bin", st.Message(), protocol.ErrorDomain, protocol.ReasonEpochPassed)
}

func (r *rig) epochs(ctx context.Context) error {
	w, err := r.newWrite(ctx)
	if err != nil {
		return err
	}
	before, err := r.get(ctx, w.on.id)
	if err != nil {
		return err
	}
	if _, err := r.raise(ctx, protocol.Fence{}); err != nil {
		return err
	}
	reply, err := r.try(ctx, w, r.epoch-1)
	if wrong := refusedEpoch(err, reply); wrong != nil {
		return fmt.Errorf("a write of epoch %d after a fence with epoch %d: %w", r.epoch-1, r.epoch, wrong)
	}
	// A fence that comes late lowers nothing, and one of another capability raises nothing here.
	if _, err := r.fence(ctx, protocol.Fence{Epoch: r.epoch - 1}, nil); err != nil {
		return err
	}
	reply, err = r.try(ctx, w, r.epoch-1)
	if wrong := refusedEpoch(err, reply); wrong != nil {
		return fmt.Errorf("a write of epoch %d after fences with epoch %d and then %d: %w", r.epoch-1, r.epoch, r.epoch-1, wrong)
	}
	a, err := r.fence(ctx, protocol.Fence{Capability: r.Capability + "-other", Epoch: r.epoch + 1000, Void: []string{w.id}}, nil)
	if err != nil {
		return err
	}
	if ids, is := a.committed[w.id]; is {
		return fmt.Errorf("a write that was refused is in committed, with %q", ids)
	}
	if after, err := r.get(ctx, w.on.id); err != nil {
		return err
	} else if (after == nil) != (before == nil) || after != nil && !proto.Equal(after, before) {
		return fmt.Errorf("a write that was refused has changed %q", w.on.id)
	}
	if _, err := r.do(ctx, w); err != nil { // a refusal stores nothing
		return fmt.Errorf("the same write, decided anew: %w", err)
	}
	return nil
}

func (r *rig) knownWrites(ctx context.Context) error {
	w, err := r.newWrite(ctx)
	if err != nil {
		return err
	}
	first, err := r.do(ctx, w)
	if err != nil {
		return err
	}
	if _, err := r.raise(ctx, protocol.Fence{}); err != nil {
		return err
	}
	again, err := r.try(ctx, w, r.epoch-1)
	if err != nil {
		return fmt.Errorf("a write that was done, tried again under its own epoch after that has passed, gives %w", err)
	}
	if !proto.Equal(again, first) {
		return fmt.Errorf("a write that was done, tried again under its own epoch after that has passed, gives %s, and gave %s", brief(again), brief(first))
	}
	return nil
}
