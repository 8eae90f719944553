package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	consumerv1 "banyan.dev/banyan/proto/banyan/consumer/v1"
	"banyan.dev/banyan/protocol"
)

// ills is how many kinds of entities there are of which a sick service can apply none.
const ills = 4

// Refuse says whether a service can't apply an event, by a file that says of which entities it can't. Without the file it can.
func Refuse(file string) func(protocol.EntityEvent) error {
	return func(e protocol.EntityEvent) error {
		text, err := os.ReadFile(file)
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		id, err := strconv.ParseUint(e.ID, 10, 64)
		if err == nil && strconv.FormatUint(id%ills, 10) == strings.TrimSpace(string(text)) {
			err = fmt.Errorf("entity %s is one of those that can't be applied now", e.ID)
		}
		return err
	}
}

func (r *shiftRun) illness() string { return filepath.Join(r.Dir, "ill") }

// sicken lets both processes of the new service fail at a part of the entities, of which the first events are parked, and all
// later ones behind them.
func (r *shiftRun) sicken(kind int) error {
	part := r.illness() + ".part"
	return errors.Join(os.WriteFile(part, []byte(strconv.Itoa(kind)), 0o600), os.Rename(part, r.illness()))
}

// illnessPatience is how long a service may be ill without an event for what it can't apply.
const illnessPatience = 6 * time.Second

// parked waits until the service has parked something, or for a while.
func (r *shiftRun) parked(ctx context.Context) error {
	return r.ask(func(service consumerv1.ConsumerServiceClient) error {
		ctx, cancel := context.WithTimeout(ctx, illnessPatience)
		defer cancel()
		return poll(ctx, 50*time.Millisecond, func() error {
			got, err := service.GetStatus(ctx, &consumerv1.GetStatusRequest{})
			if err == nil && got.GetParkedEvents() == 0 {
				err = errors.New("nothing is parked")
			}
			return err
		})
	})
}

// ask gives the new service's answers to people.
func (r *shiftRun) ask(do func(consumerv1.ConsumerServiceClient) error) error {
	conn, err := grpc.NewClient(r.at, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // it was only asked
	return do(consumerv1.NewConsumerServiceClient(conn))
}

// heal ends that, and retries all that is parked until nothing is left.
func (r *shiftRun) heal(ctx context.Context) error {
	if err := os.Remove(r.illness()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return r.ask(func(service consumerv1.ConsumerServiceClient) error {
		return poll(ctx, 100*time.Millisecond, func() error { return r.retry(ctx, service) })
	})
}

// retry retries what is parked. Its error says that something is left, or may be.
func (r *shiftRun) retry(ctx context.Context, service consumerv1.ConsumerServiceClient) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	left, err := service.GetStatus(ctx, &consumerv1.GetStatusRequest{})
	if err != nil || left.GetParkedEvents() == 0 {
		return err
	}
	done, err := service.RetryParked(ctx, &consumerv1.RetryParkedRequest{All: true})
	if err != nil {
		return err
	}
	r.report.set(func() { r.report.Parked += int(done.GetApplied()) })
	if done.GetLeft() > 0 {
		return fmt.Errorf("%d events are still parked: %v", done.GetLeft(), done.GetStuck())
	}
	return errors.New("more may have been parked meanwhile")
}
