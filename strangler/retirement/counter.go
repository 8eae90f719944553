package retirement

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/strangler"
)

const (
	// saveEvery is the time between two looks for what is to be saved.
	saveEvery = 10 * time.Second
	// saveTimeout bounds saving when the process ends.
	saveTimeout = 5 * time.Second
	// atOnce is how many uses are saved by one statement.
	atOnce = 500
	// mostCallers bounds how many callers a process tells apart on one day. Those that come later are counted as Others.
	mostCallers = 10_000
	// keptFor is how long uses are kept.
	keptFor = 400 * 24 * time.Hour
	// mostAgent bounds what is kept of a client's own words, in bytes.
	mostAgent = 128
)

// Others is the agent that stands for callers who came when a process had told mostCallers apart that day.
const Others = "(others)"

// Counter counts who calls, in memory, and has a Book keep it. It is safe for concurrent use.
type Counter struct {
	book   Book
	logger *slog.Logger
	most   int

	saving sync.Mutex // one at a time
	mu     sync.Mutex
	uses   map[user]*use
}

// user is whose calls are counted together.
type user struct {
	operation *contract.Operation
	client    string
	agent     string
	day       int64 // since 1970, in UTC
}

type use struct {
	unsaved uint64
	last    time.Time
}

// NewCounter makes a Counter that saves to book once it runs.
func NewCounter(book Book, logger *slog.Logger) *Counter {
	return &Counter{book: book, logger: logger, most: mostCallers, uses: map[user]*use{}}
}

// Count counts a call.
func (c *Counter) Count(call *strangler.Call) {
	now := time.Now()
	u := user{operation: call.Operation, client: call.Client, day: dayOf(now)}
	if u.client == "" {
		u.agent = agent(call)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	found := c.uses[u]
	if found == nil {
		if len(c.uses) >= c.most {
			u.client, u.agent = "", Others
			found = c.uses[u]
		}
		if found == nil {
			found = &use{}
			c.uses[u] = found
		}
	}
	found.unsaved++
	found.last = now
}

// agent gives what a client says it is.
func agent(call *strangler.Call) string {
	if call.Header == nil {
		return ""
	}
	var words []byte
	for _, text := range call.Header("user-agent") {
		for i := range min(len(text), mostAgent-len(words)) {
			if text[i] < ' ' || text[i] > '~' {
				words = append(words, '?')
				continue
			}
			words = append(words, text[i])
		}
		break // there is one, or it is nobody's honest word
	}
	return strings.TrimSpace(string(words))
}

func dayOf(t time.Time) int64 {
	const day = 24 * 60 * 60
	return t.Unix() / day
}

func midnight(day int64) time.Time { return time.Unix(day*24*60*60, 0).UTC() }

// Run saves what is counted, every ten seconds, and what is left once ctx has ended. It also forgets what is too old.
func (c *Counter) Run(ctx context.Context, versions []*Version) {
	var watched []*contract.Operation
	for _, v := range versions {
		watched = append(watched, v.Watched()...)
	}
	names := namesOf(watched)
	tick := time.NewTicker(saveEvery)
	defer tick.Stop()
	watching, failing, swept := false, false, int64(0)
	for {
		var err error
		if !watching {
			err = c.book.Watch(ctx, names)
			watching = err == nil
		}
		err = errors.Join(err, c.Save(ctx))
		if today := dayOf(time.Now()); swept != today && err == nil {
			if _, err = c.book.Sweep(ctx, time.Now().Add(-keptFor)); err == nil {
				swept = today
			}
		}
		if err != nil && ctx.Err() == nil && !failing {
			c.logger.Warn("who calls deprecated operations can't be saved at present; it is kept in memory and tried again", "cause", err)
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			c.last(ctx)
			return
		case <-tick.C:
		}
	}
}

// last saves what is left.
func (c *Counter) last(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()
	if err := c.Save(ctx); err != nil {
		c.logger.Error("who called deprecated operations last could not be saved, and is lost", "calls", c.unsaved(), "cause", err)
	}
}

func (c *Counter) unsaved() (n uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, u := range c.uses {
		n += u.unsaved
	}
	return n
}

// Save saves what was counted before. What it could not save is saved the next time.
func (c *Counter) Save(ctx context.Context) error {
	c.saving.Lock()
	defer c.saving.Unlock()
	for batch := range slices.Chunk(c.taken(), atOnce) {
		uses := make([]Use, len(batch))
		for i, t := range batch {
			uses[i] = Use{
				Operation: string(t.operation.Name), Client: t.client, Agent: t.agent, Day: midnight(t.day), Calls: t.unsaved, Last: t.last,
			}
		}
		if err := c.book.Add(ctx, uses); err != nil {
			return fmt.Errorf("save %d callers: %w", len(uses), err)
		}
		c.saved(batch)
	}
	return nil
}

// taken is what is to be saved of one user.
type taken struct {
	user
	use
}

// taken gives what is to be saved, in the order of the Book's key, so that replicas don't meet each other crosswise. Those
// of past days that have nothing to be saved are forgotten.
func (c *Counter) taken() (out []taken) {
	c.mu.Lock()
	defer c.mu.Unlock()
	today := dayOf(time.Now())
	for who, what := range c.uses {
		switch {
		case what.unsaved > 0:
			out = append(out, taken{who, *what})
		case who.day < today:
			delete(c.uses, who)
		}
	}
	slices.SortFunc(out, func(a, b taken) int {
		return cmp.Or(strings.Compare(string(a.operation.Name), string(b.operation.Name)), strings.Compare(a.client, b.client),
			strings.Compare(a.agent, b.agent), cmp.Compare(a.day, b.day))
	})
	return out
}

func (c *Counter) saved(batch []taken) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range batch {
		c.uses[t.user].unsaved -= t.unsaved
	}
}

func namesOf(operations []*contract.Operation) []string {
	names := make([]string, len(operations))
	for i, op := range operations {
		names[i] = string(op.Name)
	}
	return names
}
