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
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

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

// heal ends that, and retries all that is parked until nothing is left.
func (r *shiftRun) heal(ctx context.Context) error {
	if err := os.Remove(r.illness()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	conn, err := grpc.NewClient(r.at, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // it was only asked
	service := consumerv1.NewConsumerServiceClient(conn)
	return poll(ctx, 100*time.Millisecond, func() error {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		left, err := service.GetStatus(ctx, &consumerv1.GetStatusRequest{})
		if err != nil {
			return err
		}
		if left.GetParkedEvents() == 0 {
			return nil
		}
		done, err := service.RetryParked(ctx, &consumerv1.RetryParkedRequest{All: true})
		if err != nil {
			return err
		}
		r.report.set(func() { r.report.Parked += int(done.GetApplied()) })
		if done.GetLeft() > 0 {
			return fmt.Errorf("%d events are still parked: %v", done.GetLeft(), done.GetStuck())
		}
		return status.Error(codes.Aborted, "look whether more was parked meanwhile")
	})
}
