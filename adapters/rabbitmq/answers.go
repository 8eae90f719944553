package rabbitmq

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"banyan.dev/banyan/protocol"
	"banyan.dev/banyan/strangler/control"
)

const (
	// mostAnswers and mostAnswerBytes bound the answers that are kept: the oldest goes first. keepAnswer is for how long they are.
	mostAnswers     = 1000
	mostAnswerBytes = 16 << 20
	keepAnswer      = 10 * time.Minute
	// answersRetry is the time between two tries to connect.
	answersRetry = time.Second
)

// Answers receives what services answer to fences, on a queue that is this process's own and goes with its connection. It
// is a control.Answers.
type Answers struct {
	connection Connection
	arrived    chan struct{} // has room for one

	mu    sync.Mutex
	queue string
	kept  map[string]*keptAnswer
	order []*keptAnswer // the one that had nothing new for longest first, one for each in kept
	bytes int           // of all that is kept
}

// keptAnswer is what the answers to one fence say together.
type keptAnswer struct {
	fence    string
	said     control.FenceAnswer
	answered [protocol.Partitions]bool
	left     int // partitions that have not answered
	bytes    int // of said
	at       time.Time
}

// complete says whether nothing more is waited for.
func (k *keptAnswer) complete() bool { return k.left == 0 || k.said.Error != "" }

// NewAnswers checks the connection's options. Run connects.
func NewAnswers(c Connection) (*Answers, error) {
	if err := c.fill(); err != nil {
		return nil, fmt.Errorf("answers by RabbitMQ: %w", err)
	}
	return &Answers{connection: c, arrived: make(chan struct{}, 1), kept: map[string]*keptAnswer{}}, nil
}

// Queue implements control.Answers.
func (a *Answers) Queue() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.queue
}

// Take implements control.Answers.
func (a *Answers) Take(fence string) (control.FenceAnswer, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	k := a.kept[fence]
	if k == nil || !k.complete() {
		return control.FenceAnswer{}, false
	}
	said := k.said // others of the fence may still come
	said.Parked, said.Committed = slices.Clone(said.Parked), maps.Clone(said.Committed)
	return said, true
}

// Arrived implements control.Answers.
func (a *Answers) Arrived() <-chan struct{} { return a.arrived }

// Run receives until ctx ends. It connects again for as long as it takes.
func (a *Answers) Run(ctx context.Context) {
	for ctx.Err() == nil {
		err := a.receive(ctx)
		a.mu.Lock()
		a.queue = ""
		a.mu.Unlock()
		if ctx.Err() != nil {
			return
		}
		a.connection.Logger.Warn("answers to fences can't be received: no shift can go forward until they can", "cause", err)
		timer := time.NewTimer(answersRetry)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
}

// receive takes answers over one connection until it fails.
func (a *Answers) receive(ctx context.Context) error {
	conn, err := a.connection.connect(ctx, func(c net.Conn) net.Conn { return c })
	if err != nil {
		return err
	}
	defer conn.CloseDeadline(time.Now().Add(parting)) //nolint:errcheck // It is closed whatever it says.
	stop := context.AfterFunc(ctx, func() { _ = conn.CloseDeadline(time.Now().Add(parting)) })
	defer stop()
	channel, err := conn.Channel()
	if err != nil {
		return fmt.Errorf("open a channel: %w", err)
	}
	queue, err := channel.QueueDeclare("", false, true, true, false, nil)
	if err != nil {
		return fmt.Errorf("declare a queue for answers: %w", err)
	}
	deliveries, err := channel.ConsumeWithContext(ctx, queue.Name, "", true, true, false, false, nil)
	if err != nil {
		return fmt.Errorf("consume answers: %w", err)
	}
	a.mu.Lock()
	a.queue = queue.Name
	a.mu.Unlock()
	a.signal()
	for d := range deliveries {
		a.take(&d)
	}
	return errors.New("the connection to RabbitMQ is lost")
}

func (a *Answers) take(d *amqp.Delivery) {
	var told protocol.Answer
	err := json.Unmarshal(d.Body, &told)
	if err == nil && (d.CorrelationId == "" || told.Fence != "" && told.Fence != d.CorrelationId) {
		err = fmt.Errorf("it is for the fence %q", told.Fence)
	}
	if err == nil && len(d.Body) > mostAnswerBytes {
		err = fmt.Errorf("it has %d bytes, and may have %d", len(d.Body), mostAnswerBytes)
	}
	if err == nil {
		err = checkPartitions(told.Partitions)
	}
	if err != nil {
		a.connection.Logger.Error("an answer to a fence can't be read: the service has to send a protocol.Answer with the fence's correlation id", "correlation_id", d.CorrelationId, "cause", err)
		return
	}
	a.keep(d.CorrelationId, &told)
	a.signal()
}

func checkPartitions(all []int) error {
	if len(all) == 0 {
		return errors.New("it names no partitions: those whose copies of the fence it answers")
	}
	for _, p := range all {
		if p < 0 || p >= protocol.Partitions {
			return fmt.Errorf("it is for the partition %d, and there are %d", p, protocol.Partitions)
		}
	}
	return nil
}

// keep adds an answer to others of the same fence, and forgets what is too old or too much.
func (a *Answers) keep(fence string, told *protocol.Answer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	k := a.kept[fence]
	if k == nil {
		k = &keptAnswer{fence: fence, left: protocol.Partitions}
		a.kept[fence] = k
	} else {
		a.order = slices.DeleteFunc(a.order, func(other *keptAnswer) bool { return other == k })
	}
	k.add(told)
	bytes := size(&k.said)
	a.bytes += bytes - k.bytes
	k.bytes, k.at = bytes, time.Now()
	a.order = append(a.order, k)
	for len(a.order) > mostAnswers || a.bytes > mostAnswerBytes || k.at.Sub(a.order[0].at) > keepAnswer {
		a.bytes -= a.order[0].bytes
		delete(a.kept, a.order[0].fence)
		a.order = slices.Delete(a.order, 0, 1)
	}
}

// add adds what an answer says.
func (k *keptAnswer) add(told *protocol.Answer) {
	for _, p := range told.Partitions {
		if !k.answered[p] {
			k.answered[p] = true
			k.left--
		}
	}
	k.said.Parked = append(k.said.Parked, told.Parked...)
	slices.Sort(k.said.Parked) // those of one service say much the same
	k.said.Parked = slices.Compact(k.said.Parked)
	k.said.More = k.said.More || told.More || len(k.said.Parked) > protocol.MostParked
	k.said.Parked = slices.Clone(k.said.Parked[:min(len(k.said.Parked), protocol.MostParked)])
	for write, ids := range told.Committed {
		if k.said.Committed == nil {
			k.said.Committed = map[string][]string{}
		}
		k.said.Committed[write] = ids
	}
	if told.Error != "" {
		k.said.Error = told.Error
	}
}

// size is about how many bytes an answer has.
func size(a *control.FenceAnswer) int {
	const text = 16 // beside its letters
	n := len(a.Error)
	for _, key := range a.Parked {
		n += text + len(key)
	}
	for write, ids := range a.Committed {
		n += text + len(write)
		for _, id := range ids {
			n += text + len(id)
		}
	}
	return n
}

func (a *Answers) signal() {
	select {
	case a.arrived <- struct{}{}:
	default:
	}
}

var _ control.Answers = (*Answers)(nil)
