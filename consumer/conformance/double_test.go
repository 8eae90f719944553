package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"banyan.dev/banyan/examples/notes/notesv1"
	"banyan.dev/banyan/protocol"
)

// known is what the double keeps of an entity.
type known struct {
	key, version, event string
	local               uint64 // the epoch under which the service has written it
	deleted             bool
}

// write is what it keeps of a live write.
type write struct {
	reply *notesv1.Note
	id    string
}

// double is a service in memory that is right, but for the faults that are planted.
type double struct {
	notesv1.UnimplementedNoteServiceServer
	faults map[string]bool

	mu       sync.Mutex
	notes    map[string]*notesv1.Note
	entities map[string]known
	parked   []protocol.EntityEvent
	epochs   map[string]uint64
	writes   map[string]write
	backs    map[string]map[int]bool
	made     int
}

func newDouble(faults ...string) *double {
	d := &double{
		faults: map[string]bool{}, notes: map[string]*notesv1.Note{}, entities: map[string]known{}, epochs: map[string]uint64{},
		writes: map[string]write{}, backs: map[string]map[int]bool{},
	}
	for _, f := range faults {
		d.faults[f] = true
	}
	return d
}

// has says whether a fault is planted.
func (d *double) has(fault string) bool { return d.faults[fault] }

// consume declares one queue and takes its messages, until the test ends, or stop is called.
func (d *double) consume(t *testing.T, url string) (stop func()) {
	t.Helper()
	return d.queue(t, url, 1, 0)
}

// queue declares queue i of n and takes its messages.
func (d *double) queue(t *testing.T, url string, n, i int) (stop func()) {
	t.Helper()
	conn, err := amqp.Dial(url)
	if err != nil {
		t.Fatal(err)
	}
	channel, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	arguments := amqp.Table{amqp.QueueTypeArg: amqp.QueueTypeQuorum, amqp.SingleActiveConsumerArg: true}
	if version, _ := conn.Properties["version"].(string); limited(version) {
		arguments["x-delivery-limit"] = -1
	}
	if d.has("a queue that drops") {
		arguments[amqp.QueueMaxLenArg] = 10
	}
	queue := protocol.QueueName("notes", n, i)
	if err := errors.Join(channel.ExchangeDeclare(protocol.ExchangeName("notes"), "direct", true, false, false, false, nil), channel.Qos(200, 0, false)); err != nil {
		t.Fatal(err)
	}
	if _, err := channel.QueueDeclare(queue, true, false, false, false, arguments); err != nil {
		t.Fatal(err)
	}
	for p := i; p < protocol.Partitions; p += n {
		if p == 17 && d.has("a partition that is not bound") {
			continue
		}
		if err := channel.QueueBind(queue, protocol.RoutingKey(p), protocol.ExchangeName("notes"), false, nil); err != nil {
			t.Fatal(err)
		}
	}
	messages, err := channel.Consume(queue, "", false, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	var working sync.WaitGroup
	stop = func() { _ = conn.Close(); working.Wait() }
	t.Cleanup(stop)
	later := make(chan amqp.Delivery, 300)
	working.Go(func() {
		defer close(later)
		for m := range messages {
			// Answered when it is received, while what came before waits to be applied.
			if d.has("fences answered early") && m.Headers["cloudEvents:type"] == protocol.TypeFence {
				d.take(channel, m)
				continue
			}
			later <- m
		}
	})
	working.Go(func() {
		for m := range later {
			d.take(channel, m)
		}
	})
	return stop
}

// forget makes a service have two queues, and deletes the one that it had with what waits there.
func (d *double) forget(t *testing.T, url string, stop func()) error {
	stop()
	conn, err := amqp.Dial(url)
	if err != nil {
		return err
	}
	defer conn.Close()
	channel, err := conn.Channel()
	if err != nil {
		return err
	}
	old := protocol.QueueName("notes", 1, 0)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for waiting := 0; waiting == 0; <-tick.C {
		q, err := channel.QueueDeclarePassive(old, true, false, false, false, nil)
		if err != nil {
			return err
		}
		waiting = q.Messages
	}
	for i := range 2 {
		d.queue(t, url, 2, i)
	}
	_, err = channel.QueueDelete(old, false, false, false)
	return err
}

func (d *double) take(channel *amqp.Channel, m amqp.Delivery) {
	if m.Headers["cloudEvents:type"] == protocol.TypeFence {
		var f protocol.Fence
		if json.Unmarshal(m.Body, &f) != nil {
			return
		}
		answer, err := json.Marshal(d.fence(f))
		if err != nil || m.ReplyTo == "" {
			_ = m.Ack(false)
			return
		}
		correlation := m.CorrelationId
		if d.has("no correlation id") {
			correlation = ""
		}
		_ = channel.Publish("", m.ReplyTo, false, false, amqp.Publishing{CorrelationId: correlation, Body: answer})
		_ = m.Ack(false)
		return
	}
	var e protocol.EntityEvent
	if json.Unmarshal(m.Body, &e) != nil {
		return
	}
	if d.has("fences answered early") {
		tick := time.NewTimer(time.Millisecond) // as a database would take
		<-tick.C
	}
	if err := d.event(e); err != nil && d.has("requeue") {
		_ = m.Nack(false, true)
		return
	}
	_ = m.Ack(false)
}

// event takes an event. The error says that it was not applied, and is for a service that requeues.
func (d *double) event(e protocol.EntityEvent) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	have, seen := d.entities[e.ID]
	if !d.has("no version check") && e.Version <= have.version && !(have.deleted && d.has("tombstones forgotten")) {
		return nil
	}
	announce := e.Origin == protocol.OriginAnnounce
	if e.Event == have.event && (!announce || d.has("announcements by event id")) && !d.has("event ids forgotten") {
		have.version = e.Version
		d.entities[e.ID] = have
		return nil
	}
	key := e.Key
	if key == "" {
		key = have.key
	}
	if announce && !d.has("announcements that settle nothing") {
		d.parked = slices.DeleteFunc(d.parked, func(p protocol.EntityEvent) bool {
			return p.ID == e.ID && (p.Version <= e.Version || d.has("announcements that drop newer")) || p.Key == key && d.has("announcements that free the key")
		})
	}
	behind := slices.ContainsFunc(d.parked, func(p protocol.EntityEvent) bool { return p.Key == key || p.ID == e.ID })
	if behind && !announce && !d.has("keys not parked") {
		e.Key = key
		d.parked = append(d.parked, e)
		return nil
	}
	if err := d.apply(e, have, key, seen); err != nil {
		if d.has("requeue") {
			return err
		}
		if !d.has("failures dropped") {
			e.Key = key
			d.parked = append(d.parked, e)
		}
		return nil
	}
	if announce && !d.has("announcements that settle nothing") { // the rest of the key
		waiting := d.parked
		d.parked = nil
		stuck := false
		for _, p := range waiting {
			have := d.entities[p.ID]
			if p.Key != key || stuck {
				d.parked = append(d.parked, p)
			} else if p.Version > have.version && d.apply(p, have, key, true) != nil {
				stuck, d.parked = true, append(d.parked, p)
			}
		}
	}
	return nil
}

func (d *double) apply(e protocol.EntityEvent, have known, key string, _ bool) error {
	if e.Origin == protocol.OriginForeign && have.local > 0 && !d.has("conflicts applied") {
		return errors.New("conflict")
	}
	now := known{key: key, version: e.Version, event: e.Event, deleted: e.Deleted}
	if e.Origin == protocol.OriginWriteBack && !d.has("write-backs applied") {
		now.event, now.local = have.event, have.local
		if d.has("write-backs' ids kept") {
			now.event = e.Event
		}
		if d.has("write-backs ignored") {
			now.version = have.version
		}
		d.entities[e.ID] = now
		return nil
	}
	if e.Deleted {
		delete(d.notes, e.ID)
		d.entities[e.ID] = now
		return nil
	}
	n := &notesv1.Note{}
	if e.Proto != nil {
		if err := proto.Unmarshal(e.Proto, n); err != nil {
			return err
		}
		if len(n.ProtoReflect().GetUnknown()) > 0 && !d.has("unknown fields dropped") {
			return errors.New("there is an unknown field")
		}
		n.ProtoReflect().SetUnknown(nil)
	} else if err := (protojson.UnmarshalOptions{DiscardUnknown: d.has("unknown fields dropped")}).Unmarshal(e.Data, n); err != nil {
		return err
	}
	d.notes[e.ID] = n
	d.entities[e.ID] = now
	return nil
}

func (d *double) fence(f protocol.Fence) protocol.Answer {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.has("epochs ignored") && (f.Epoch > d.epochs[f.Capability] || f.Epoch > 0 && d.has("epochs lowered")) {
		d.epochs[f.Capability] = f.Epoch
	}
	a := protocol.Answer{Fence: f.ID, Service: "notes", Partitions: []int{f.Partition}, Committed: map[string][]string{}}
	if f.Capability == "" && d.has("measuring fences refused") {
		a.Error = "there is no such capability"
	}
	if f.Back {
		id := fmt.Sprint(f.Capability, f.Epoch, f.ID)
		if d.backs[id] == nil {
			d.backs[id] = map[int]bool{}
		}
		d.backs[id][f.Partition] = true
		if len(d.backs[id]) == protocol.Partitions && !d.has("ways back ignored") || d.has("ways back at once") {
			for id, have := range d.entities {
				if have.local > 0 && have.local < f.Epoch && (d.has("ways back of parked ones") || !slices.ContainsFunc(d.parked, func(p protocol.EntityEvent) bool { return p.ID == id })) {
					have.local = 0
					d.entities[id] = have
				}
			}
		}
	}
	for _, id := range f.Void {
		if w, is := d.writes[id]; is && !d.has("voids not told") {
			a.Committed[id] = []string{w.id}
		}
	}
	if !d.has("parked keys not told") {
		for _, p := range d.parked {
			if !slices.Contains(a.Parked, p.Key) {
				a.Parked = append(a.Parked, p.Key)
			}
		}
	}
	return a
}

func (d *double) GetNote(_ context.Context, r *notesv1.GetNoteRequest) (*notesv1.Note, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.notes[r.GetId()]
	if n == nil {
		return nil, status.Error(codes.NotFound, "no such note")
	}
	return proto.CloneOf(n), nil
}

func (d *double) WriteNote(ctx context.Context, r *notesv1.WriteNoteRequest) (*notesv1.Note, error) {
	return d.write(ctx, func() (*notesv1.Note, error) {
		d.made++
		n := proto.CloneOf(r.GetNote())
		n.Id = fmt.Sprint("made-", d.made)
		return n, nil
	})
}

func (d *double) EditNote(ctx context.Context, r *notesv1.EditNoteRequest) (*notesv1.Note, error) {
	return d.write(ctx, func() (*notesv1.Note, error) {
		n := d.notes[r.GetId()]
		if n == nil {
			return nil, status.Error(codes.NotFound, "no such note")
		}
		n = proto.CloneOf(n)
		n.Text, n.Stars = r.GetText(), n.GetStars()+1
		return n, nil
	})
}

// write does a write once.
func (d *double) write(ctx context.Context, do func() (*notesv1.Note, error)) (*notesv1.Note, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	id := md.Get(protocol.MetadataWrite)[0]
	epoch, err := strconv.ParseUint(md.Get(protocol.MetadataEpoch)[0], 10, 63)
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	passed := epoch < d.epochs["notes"]
	if w, is := d.writes[id]; is && !d.has("write ids forgotten") && !(passed && d.has("epochs before ids")) {
		return w.reply, nil
	}
	if passed {
		st := status.New(codes.FailedPrecondition, "the epoch has passed")
		if !d.has("refusals without a reason") {
			if st, err = st.WithDetails(&errdetails.ErrorInfo{Domain: protocol.ErrorDomain, Reason: protocol.ReasonEpochPassed}); err != nil {
				return nil, err
			}
		}
		return nil, st.Err()
	}
	n, err := do()
	if err != nil {
		return nil, err
	}
	d.notes[n.GetId()] = n
	have := d.entities[n.GetId()]
	have.key, have.local = n.GetOwner(), epoch
	if d.has("writes not marked") {
		have.local = 0
	}
	d.entities[n.GetId()] = have
	d.writes[id] = write{proto.CloneOf(n), n.GetId()}
	return proto.CloneOf(n), nil
}
