package canal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// keepEvery is the time between two writings of the position.
const keepEvery = time.Second

// reap waits for the confirms in order, and keeps the position behind those that came.
func (p *Publisher) reap(ctx context.Context, h *handler) (err error) {
	var at, kept Position
	save := func() error {
		if at == kept {
			return nil
		}
		kept = at
		return p.keep(at)
	}
	defer func() { err = errors.Join(err, save()) }()
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := save(); err != nil {
				return err
			}
		case s := <-h.window:
			if s.confirm == nil {
				at = s.position
				continue
			}
			acked, err := s.confirm.WaitContext(ctx)
			if err != nil {
				return nil // ctx has ended
			}
			if !acked {
				return errors.New("the broker refused a message, or is gone")
			}
			select {
			case r := <-h.returned: // it came before the confirm
				return fmt.Errorf("nobody takes %s: %s", r.RoutingKey, r.ReplyText)
			default:
			}
			p.confirmed.Add(1)
		}
	}
}

// keep writes a position, whole or not at all.
func (p *Publisher) keep(at Position) (err error) {
	text, err := json.Marshal(at)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(p.options.Keep), "position-")
	if err != nil {
		return fmt.Errorf("keep the position: %w", err)
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("keep the position: %w", errors.Join(err, os.Remove(f.Name())))
	}
	if err := os.Rename(f.Name(), p.options.Keep); err != nil {
		return fmt.Errorf("keep the position: %w", err)
	}
	return nil
}
