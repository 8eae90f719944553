package consumer

import (
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	consumerv1 "banyan.dev/banyan/proto/banyan/consumer/v1"
	"banyan.dev/banyan/protocol"
)

// RegisterAdmin serves banyan.consumer.v1.ConsumerService, by which `banyan parked` shows and settles parked events. It takes what Run
// takes; without a URL it says nothing of the queues. Who may call it is for the server's interceptors to say: it shows the
// service's data, and changes it.
func RegisterAdmin(registrar grpc.ServiceRegistrar, options Options) error {
	offline := options.URL == ""
	if offline {
		options.URL = "amqp://"
	}
	options, err := options.withDefaults()
	if err != nil {
		return err
	}
	consumerv1.RegisterConsumerServiceServer(registrar, &admin{Options: options, offline: offline, asking: make(chan struct{}, 1)})
	return nil
}

// admin answers people.
type admin struct {
	consumerv1.UnimplementedConsumerServiceServer
	Options
	offline bool
	asking  chan struct{} // holds who has a connection to the broker: one at a time will do
}

// most is how many parked events a page has, and stuck keys an answer.
const (
	usualPage = 100
	mostStuck = 100
)

// mostEpochs bounds how many capabilities are told of.
const mostEpochs = 1000

// GetStatus tells how far the service is.
func (a *admin) GetStatus(ctx context.Context, _ *consumerv1.GetStatusRequest) (*consumerv1.ServiceStatus, error) {
	count, err := a.Store.CountParked(ctx)
	if err != nil {
		return nil, unavailable(err)
	}
	now := a.Store.Stats()
	out := &consumerv1.ServiceStatus{
		Service: a.Service, ParkedEvents: count.Events, ParkedKeys: count.Keys, Processes: int32(now.Processes), //nolint:gosec // a few
		Counters: &consumerv1.Counters{
			Applied: now.Applied, Retried: now.Retried, Ignored: now.Ignored, Kept: now.Kept, Parked: now.Parked, Fences: now.Fences,
			Written: now.Written, Replayed: now.Replayed, Refused: now.Refused,
		},
	}
	if !count.Since.IsZero() {
		out.ParkedSince = timestamppb.New(count.Since)
	}
	if out.Epochs, err = a.epochs(ctx); err != nil {
		return nil, unavailable(err)
	}
	if !a.offline {
		out.Queues = a.queues(ctx, now.Queues)
	}
	return out, nil
}

func (a *admin) epochs(ctx context.Context) (out []*consumerv1.CapabilityEpoch, err error) {
	rows, err := a.Store.db.QueryContext(ctx, a.Store.ask.epochs, mostEpochs)
	if err != nil {
		return nil, fmt.Errorf("list epochs: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		one := &consumerv1.CapabilityEpoch{}
		if err := rows.Scan(&one.Capability, &one.Epoch); err != nil {
			return nil, fmt.Errorf("list epochs: %w", err)
		}
		out = append(out, one)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list epochs: %w", err)
	}
	return out, nil
}

// queues asks the broker what waits. That it can't be asked is said of each queue: all else is told all the same.
func (a *admin) queues(ctx context.Context, here []QueueStats) []*consumerv1.Queue {
	n, err := a.Store.number(ctx, a.Service)
	if err != nil {
		return []*consumerv1.Queue{{Error: err.Error()}}
	}
	local := map[string]QueueStats{}
	for _, q := range here {
		local[q.Name] = q
	}
	out := make([]*consumerv1.Queue, n)
	for i := range n {
		q := local[protocol.QueueName(a.Service, n, i)]
		out[i] = &consumerv1.Queue{Name: protocol.QueueName(a.Service, n, i), Due: q.Due, Lag: durationpb.New(q.Lag)}
	}
	if err := a.ask(ctx, out); err != nil {
		for _, q := range out {
			q.Error = err.Error()
		}
	}
	return out
}

func (a *admin) ask(ctx context.Context, queues []*consumerv1.Queue) error {
	select {
	case a.asking <- struct{}{}:
		defer func() { <-a.asking }()
	case <-ctx.Done():
		return ctx.Err()
	}
	conn, err := (&runner{Options: a.Options}).connect(ctx, asItIs)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // it was only asked
	stop := context.AfterFunc(ctx, func() { _ = conn.CloseDeadline(time.Now()) })
	defer stop()
	for _, q := range queues {
		err := onChannel(conn, func(channel *amqp.Channel) error {
			is, err := channel.QueueDeclarePassive(q.GetName(), true, false, false, false, nil)
			q.Waiting, q.Consumers = int64(is.Messages), int32(is.Consumers) //nolint:gosec // a few
			return err
		})
		if refused := (*amqp.Error)(nil); errors.As(err, &refused) && refused.Code == amqp.NotFound {
			err = errors.New("the queue is not there")
		}
		if err != nil {
			q.Error = err.Error()
		}
	}
	return nil
}

// ListParked lists parked events in their order.
func (a *admin) ListParked(ctx context.Context, request *consumerv1.ListParkedRequest) (*consumerv1.ListParkedResponse, error) {
	size := int(request.GetPageSize())
	switch {
	case size < 0:
		return nil, status.Errorf(codes.InvalidArgument, "page_size is %d: it is 1 to %d, or 0 for %d", size, mostListed, usualPage)
	case size == 0:
		size = usualPage
	}
	size = min(size, mostListed)
	after, err := readToken(request.GetPageToken())
	if err != nil {
		return nil, err
	}
	question, args := a.Store.ask.briefParked, []any{after, size + 1}
	if request.Key != nil {
		question, args = a.Store.ask.briefKey, []any{request.GetKey(), after, size + 1}
	}
	rows, err := a.Store.db.QueryContext(ctx, question, args...)
	if err != nil {
		return nil, unavailable(fmt.Errorf("list parked events: %w", err))
	}
	defer rows.Close()
	out := &consumerv1.ListParkedResponse{}
	for rows.Next() {
		e, err := scanParked(rows.Scan)
		if err != nil {
			return nil, unavailable(fmt.Errorf("list parked events: %w", err))
		}
		out.Events = append(out.Events, e)
	}
	if err := rows.Err(); err != nil {
		return nil, unavailable(fmt.Errorf("list parked events: %w", err))
	}
	if len(out.GetEvents()) > size {
		out.Events = out.GetEvents()[:size]
		out.NextPageToken = writeToken(out.GetEvents()[size-1].GetId())
	}
	return out, nil
}

// scanParked reads a row of a parked event, and what else is asked for.
func scanParked(scan func(...any) error, more ...any) (*consumerv1.ParkedEvent, error) {
	e := &consumerv1.ParkedEvent{}
	var at int64
	if err := scan(append([]any{&e.Id, &e.Key, &e.Entity, &e.EntityId, &e.Version, &e.Reason, &at, &e.Size}, more...)...); err != nil {
		return nil, err
	}
	e.ParkedAt = timestamppb.New(time.UnixMilli(at))
	return e, nil
}

const tokenPrefix = "after "

func writeToken(after int64) string {
	return base64.RawURLEncoding.EncodeToString([]byte(tokenPrefix + strconv.FormatInt(after, 10)))
}

func readToken(token string) (after int64, err error) {
	if token == "" {
		return 0, nil
	}
	text, err := base64.RawURLEncoding.DecodeString(token)
	if err == nil && len(text) > len(tokenPrefix) {
		after, err = strconv.ParseInt(string(text[len(tokenPrefix):]), 10, 64)
	}
	if err != nil || after <= 0 || writeToken(after) != token {
		return 0, status.Errorf(codes.InvalidArgument, "page_token is none that a page before has given")
	}
	return after, nil
}

// GetParked gives a parked event in full.
func (a *admin) GetParked(ctx context.Context, request *consumerv1.GetParkedRequest) (*consumerv1.ParkedEvent, error) {
	var body []byte
	e, err := scanParked(a.Store.db.QueryRowContext(ctx, a.Store.ask.oneParked, request.GetId()).Scan, &body)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, status.Errorf(codes.NotFound, "no event with the number %d is parked: it may have been applied, dropped, or made needless by a later one", request.GetId())
	}
	if err != nil {
		return nil, unavailable(fmt.Errorf("get a parked event: %w", err))
	}
	e.Event = string(body)
	return e, nil
}

// RetryParked applies parked events.
func (a *admin) RetryParked(ctx context.Context, request *consumerv1.RetryParkedRequest) (*consumerv1.RetryParkedResponse, error) {
	if (request.Key != nil) == request.GetAll() {
		return nil, status.Errorf(codes.InvalidArgument, "name one key, or ask for all")
	}
	out := &consumerv1.RetryParkedResponse{}
	one := func(key string) error {
		done, left, err := a.Store.retry(ctx, key, a.Apply)
		out.Applied += int64(done)
		out.Left += int64(left)
		if err != nil && left == 0 || ctx.Err() != nil { // the database, or the caller, has gone
			return errors.Join(err, ctx.Err())
		}
		if err != nil && len(out.GetStuck()) < mostStuck {
			if why := errors.Unwrap(err); why != nil { // the answer says itself how many are left
				err = why
			}
			out.Stuck = append(out.Stuck, &consumerv1.StuckKey{Key: key, Left: int64(left), Reason: plain(err.Error())})
		}
		return nil
	}
	if request.Key != nil {
		if err := a.has(ctx, request.GetKey()); err != nil {
			return nil, err
		}
		if err := one(request.GetKey()); err != nil {
			return nil, unavailable(err)
		}
		return out, nil
	}
	if err := one(""); err != nil {
		return nil, unavailable(err)
	}
	for after := ""; ; {
		keys, err := a.Store.ParkedKeys(ctx, after, mostListed)
		if err != nil {
			return nil, unavailable(err)
		}
		if len(keys) == 0 {
			return out, nil
		}
		for _, key := range keys {
			if err := one(key); err != nil {
				return nil, unavailable(err)
			}
		}
		after = keys[len(keys)-1]
	}
}

// has refuses a key without parked events: it may be a mistake.
func (a *admin) has(ctx context.Context, key string) error {
	var is bool
	if err := a.Store.db.QueryRowContext(ctx, a.Store.ask.keyParked, key).Scan(&is); err != nil {
		return unavailable(fmt.Errorf("look for parked events: %w", err))
	}
	if !is {
		return status.Errorf(codes.NotFound, "nothing is parked under the key %q", key)
	}
	return nil
}

// DropParked gives parked events up.
func (a *admin) DropParked(ctx context.Context, request *consumerv1.DropParkedRequest) (*consumerv1.DropParkedResponse, error) {
	if request.Key == nil {
		return nil, status.Errorf(codes.InvalidArgument, "name the key whose parked events are to be given up")
	}
	if request.GetThrough() < 0 {
		return nil, status.Errorf(codes.InvalidArgument, "through is %d: it is the number of a parked event, or 0 for all that are there", request.GetThrough())
	}
	if err := a.has(ctx, request.GetKey()); err != nil {
		return nil, err
	}
	n, err := a.Store.discard(ctx, request.GetKey(), request.GetThrough())
	if err != nil {
		return nil, unavailable(err)
	}
	a.Logger.Warn("parked events were given up by hand: the service's own state stands", "key", request.GetKey(), "count", n, "through", request.GetThrough())
	return &consumerv1.DropParkedResponse{Dropped: int64(n)}, nil
}

// unavailable gives a failure of the database as UNAVAILABLE.
func unavailable(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return status.FromContextError(err).Err()
	}
	return status.Errorf(codes.Unavailable, "the service's database can't be asked at present: %v", err)
}
