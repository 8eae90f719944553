package mirror

import (
	"context"
	"fmt"
	"time"

	"banyan.dev/banyan/mirror/change"
	"banyan.dev/banyan/strangler/backfill"
)

// Bounds of a chunk. How many rows it has follows from how long they take to be read.
const (
	firstRows  = 500
	fewestRows = 50
	mostRows   = 5000
	mostBytes  = 4 << 20
	// ratedChunks is in how many chunks the rows of a second are read where there is a rate.
	ratedChunks = 4
	// readFor is how long reading a chunk is to take. After one that took longer than slowRead the server is left alone for as long.
	readFor  = 50 * time.Millisecond
	slowRead = 250 * time.Millisecond
	// turn is how many rows are sent before it is a live event's turn, and mostUnconfirmed how many may be unconfirmed: live
	// events come behind them.
	turn            = 50
	mostUnconfirmed = 2000
	// mostSweeps is how many chunks in a row may be read in vain before one is read while the live stream waits.
	mostSweeps = 3
	sweptRows  = 100
)

// filling is the sending of one table.
type filling struct {
	s       *session
	job     *backfill.Job
	at      *filled
	encoder encoder // its own: the live stream's is in use
	limit   int
	pace    pace
	// progress is what was sent and not yet saved; next is when it is saved again.
	progress []reachedBy
	next     time.Time
	rows     uint64 // sent
	swept    int    // chunks in a row that were read in vain
	perRow   int    // bytes of late, of who reads chunks
}

// reachedBy says how far the table is sent once so many messages are confirmed.
type reachedBy struct {
	sent    uint64
	reached string
	done    uint64
}

// readChunk is a chunk that was read.
type readChunk struct {
	chunkRows
	from string
	read ChunkRead
	took time.Duration
	err  error
}

// fillTable sends a table's rows from where the job is to the end.
func (s *session) fillTable(ctx context.Context, job *backfill.Job) error {
	f := &filling{
		s: s, job: job, at: &filled{schema: job.Schema, table: job.Name}, limit: firstRows, rows: job.Done, pace: pace{rate: job.Rate},
		encoder: encoder{source: s.encoder.source, term: s.encoder.term, epoch: s.encoder.epoch},
	}
	s.sending.Lock()
	f.at.swept = s.swept // it may be of this table, and not committed yet, since the log has it before
	s.filled = f.at
	s.sending.Unlock()
	defer func() {
		s.sending.Lock()
		s.filled = nil
		s.sending.Unlock()
	}()
	if job.Total == 0 {
		total, err := s.o.Fills.Tables.Count(ctx, job.Schema, job.Name)
		if err != nil {
			return err
		}
		job.Total = total
	}
	for from := job.Reached; ; {
		reached, over, err := f.pass(ctx, from)
		if err != nil {
			return err
		}
		if over {
			return f.settle(ctx)
		}
		from = reached
	}
}

// pass sends chunks, reading the next one beside, until one was read in vain; that is where the next pass begins.
func (f *filling) pass(ctx context.Context, from string) (reached string, over bool, err error) {
	if f.swept >= mostSweeps {
		return f.alone(ctx, from)
	}
	reading, cancel := context.WithCancel(ctx)
	chunks := make(chan *readChunk)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		f.readOn(reading, from, chunks)
	}()
	defer func() {
		cancel()
		<-ended
	}()
	for {
		var c *readChunk
		select {
		case c = <-chunks:
		case <-ctx.Done():
			return from, false, ctx.Err()
		}
		if c.err != nil {
			return from, false, c.err
		}
		if err := f.room(ctx, c); err != nil {
			return from, false, err
		}
		sent, err := f.send(ctx, c)
		if err != nil {
			return from, false, err
		}
		if !sent {
			f.swept++
			return from, false, nil
		}
		f.swept = 0
		if c.read.Last {
			return "", true, nil
		}
		from = c.read.Reached
	}
}

// readOn reads chunk after chunk, until ctx ends, one fails, or the last is read. The second waits for the first to be taken.
func (f *filling) readOn(ctx context.Context, from string, chunks chan<- *readChunk) {
	limit, first := f.limit, f.rows
	most := mostRows
	if f.job.Rate > 0 { // several a second, so that a rate is no flood now and then
		most = min(mostRows, max(1, int(f.job.Rate)/ratedChunks))
	}
	for {
		limit = min(limit, most)
		c := f.chunk(ctx, from, limit, first)
		select {
		case chunks <- c:
		case <-ctx.Done():
			return
		}
		if c.err != nil || c.read.Last {
			return
		}
		from, first = c.read.Reached, first+uint64(c.read.Rows) //nolint:gosec // It is a count.
		limit = nextLimit(limit, c)
		if c.took > slowRead {
			wait(ctx, c.took)
		}
	}
}

// nextLimit makes the next chunk take about readFor, and no more bytes than there may be.
func nextLimit(limit int, c *readChunk) int {
	switch {
	case c.read.Rows < limit: // its bytes were enough
		limit = c.read.Rows
	case c.took > 2*readFor:
		limit /= 2
	case c.took < readFor && len(c.bodies) < mostBytes/2:
		limit *= 2
	}
	return min(max(limit, 1, min(fewestRows, c.read.Rows)), mostRows)
}

// chunk reads one.
func (f *filling) chunk(ctx context.Context, from string, limit int, first uint64) *readChunk {
	f.s.sending.Lock()
	log := f.s.at
	f.s.sending.Unlock()
	return f.chunkAt(ctx, from, limit, first, log)
}

func (f *filling) chunkAt(ctx context.Context, from string, limit int, first uint64, log change.Position) *readChunk {
	c := &readChunk{from: from}
	c.job, c.first, c.chunkRows.read = f.job.ID, first, time.Now()
	c.version.Epoch = f.encoder.epoch
	plans := plans{omit: f.s.o.Omit}
	c.bodies, c.ends = make([]byte, 0, min(f.perRow*limit, mostBytes)), make([]int, 0, limit)
	if server := f.s.stream.Server(); log.Server != server {
		c.err = fmt.Errorf("nothing was read yet from the log of the server %s", server)
		return c
	}
	place := func(at change.Position) (err error) {
		c.version.Offset = at.Offset
		c.version.File, err = at.FileNumber()
		return err
	}
	c.read, c.err = f.s.o.Fills.Tables.Read(ctx, Chunk{Schema: f.job.Schema, Table: f.job.Name, After: from, Limit: limit, Log: log},
		func(at change.Position, t *change.Table, row []change.Value) error {
			if len(c.ends) == 0 {
				if err := place(at); err != nil {
					return err
				}
			}
			if err := c.add(plans.of(t), row); err != nil {
				return err
			}
			if len(c.bodies) >= mostBytes {
				return ErrEnough
			}
			return nil
		})
	if c.err == nil {
		c.err = place(c.read.At)
	}
	if n := len(c.ends); n > 0 {
		f.perRow = len(c.bodies)/n + 16
	}
	c.took = time.Since(c.chunkRows.read)
	if c.err == nil && c.read.Anew && from != "" {
		f.s.o.Logger.Warn("the key of a table was changed while it was being sent: its backfill begins anew", "backfill", f.job.ID, "of", f.job.String())
	}
	return c
}

// send sends a chunk, some rows at a time. sent is false when a change has made it worthless: what was sent of it already was
// sent before that change.
func (f *filling) send(ctx context.Context, c *readChunk) (sent bool, err error) {
	for i := 0; i < len(c.ends); i += turn {
		if ok, err := f.sendSome(ctx, c, i, min(i+turn, len(c.ends))); err != nil || !ok {
			return false, err
		}
		if err := f.unconfirmed(ctx); err != nil {
			return false, err
		}
	}
	f.s.sending.Lock()
	defer f.s.sending.Unlock()
	f.sentLocked(c)
	return true, nil
}

func (f *filling) sendSome(ctx context.Context, c *readChunk, from, to int) (ok bool, err error) {
	f.s.sending.Lock()
	defer f.s.sending.Unlock()
	if c.version.Compare(f.at.swept) < 0 {
		return false, nil
	}
	return true, f.sendLocked(ctx, c, from, to)
}

func (f *filling) sendLocked(ctx context.Context, c *readChunk, from, to int) error {
	for i := from; i < to; i++ {
		if err := f.s.deliverLocked(ctx, c.message(&f.encoder, i)); err != nil {
			return &sendError{err}
		}
	}
	f.s.m.watch.count(change.Read, to-from)
	return nil
}

// sentLocked notes that a chunk is sent whole.
func (f *filling) sentLocked(c *readChunk) {
	if c.read.Anew {
		f.rows = 0
	}
	f.rows += uint64(len(c.ends))
	reached := c.read.Reached
	if reached == "" { // it was empty
		reached = c.from
	}
	f.progress = append(f.progress, reachedBy{f.s.sent, reached, f.rows})
}

// room waits until there is room for a chunk: while the live stream is late, and for the rate. It saves meanwhile.
func (f *filling) room(ctx context.Context, c *readChunk) error {
	for {
		why := f.s.behind(f.job)
		if err := f.save(ctx, why); err != nil {
			return err
		}
		now := time.Now()
		pause := f.pace.wait(now)
		if why == "" && pause <= 0 {
			f.pace.took(now, len(c.ends))
			return ctx.Err()
		}
		if why != "" {
			pause = max(pause, f.s.o.Fills.every()/4)
		}
		wait(ctx, min(pause, f.s.o.Fills.every()))
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// confirmPoll is the time between two looks at what is confirmed.
const confirmPoll = time.Millisecond

// unconfirmed waits until not too much is.
func (f *filling) unconfirmed(ctx context.Context) error {
	for {
		confirmed := f.s.feed.Confirmed()
		f.s.sending.Lock()
		waiting := f.s.sent - min(confirmed, f.s.sent)
		f.s.sending.Unlock()
		if waiting < mostUnconfirmed {
			return nil
		}
		if err := f.save(ctx, ""); err != nil {
			return err
		}
		if wait(ctx, confirmPoll); ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// save saves how far all is confirmed, once in a while; note says what it waits for.
func (f *filling) save(ctx context.Context, note string) error {
	now := time.Now()
	if now.Before(f.next) {
		return nil
	}
	f.next = now.Add(f.s.o.Fills.every())
	f.confirmed()
	f.job.Note = note
	return f.s.keep(ctx, f.job)
}

// confirmed takes over what is confirmed.
func (f *filling) confirmed() {
	confirmed := f.s.feed.Confirmed()
	n := 0
	for n < len(f.progress) && f.progress[n].sent <= confirmed {
		f.job.Reached, f.job.Done = f.progress[n].reached, f.progress[n].done
		n++
	}
	f.progress = f.progress[:copy(f.progress, f.progress[n:])]
}

// settle waits until all that was sent is confirmed.
func (f *filling) settle(ctx context.Context) error {
	for {
		f.confirmed()
		if len(f.progress) == 0 {
			return nil
		}
		if err := f.save(ctx, ""); err != nil {
			return err
		}
		if wait(ctx, confirmPoll); ctx.Err() != nil {
			return fmt.Errorf("wait for the last rows to be confirmed: %w", ctx.Err())
		}
	}
}

// pace keeps a rate.
type pace struct {
	rate uint32 // a second; 0: none
	next time.Time
}

// wait says how long to wait for the next.
func (p *pace) wait(now time.Time) time.Duration { return p.next.Sub(now) }

// took notes that n are taken.
func (p *pace) took(now time.Time, n int) {
	if p.rate == 0 {
		return
	}
	if p.next.Before(now) {
		p.next = now
	}
	p.next = p.next.Add(time.Duration(float64(n) / float64(p.rate) * float64(time.Second)))
}
