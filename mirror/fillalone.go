package mirror

import (
	"context"
	"time"
)

// notCommitted is how long what is in the log, and not committed, is waited for at a time.
const notCommitted = 10 * time.Millisecond

// alone reads and sends a small chunk while the live stream waits: foreign keys change the table all the time.
func (f *filling) alone(ctx context.Context, from string) (reached string, over bool, err error) {
	if err := f.room(ctx, &readChunk{}); err != nil {
		return from, false, err
	}
	c, err := f.aloneLocked(ctx, from)
	if err != nil {
		return from, false, err
	}
	if c == nil { // the last of those changes is not committed yet
		wait(ctx, notCommitted)
		return from, false, ctx.Err()
	}
	f.pace.took(time.Now(), len(c.ends))
	f.swept = 0
	return c.read.Reached, c.read.Last, nil
}

// aloneLocked gives the chunk that it has sent; nil: there was none to send.
func (f *filling) aloneLocked(ctx context.Context, from string) (*readChunk, error) {
	f.s.sending.Lock()
	defer f.s.sending.Unlock()
	limited, cancel := context.WithTimeout(ctx, slowRead)
	defer cancel()
	c := f.chunkAt(limited, from, sweptRows, f.rows, f.s.at)
	if c.err != nil || c.version.Compare(f.at.swept) < 0 {
		return nil, c.err
	}
	if err := f.sendLocked(ctx, c, 0, len(c.ends)); err != nil {
		return nil, err
	}
	f.sentLocked(c)
	return c, nil
}
