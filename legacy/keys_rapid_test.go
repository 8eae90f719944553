package legacy_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/strangler"
)

// keyLife is what has become of a key since it was new, or forgotten.
type keyLife struct {
	taken map[string]int // rows that were there before, by who took them
	body  string         // of what was done; empty: nothing
	reply string
}

// Calls with few keys and bodies come at once to several processes, some of them are broken off at any point, and keys
// expire. Between two expiries a key's write is done once at most, each who is told that it is done is told the same, and
// another body is refused.
func TestKeysUnderAnyInterleaving(t *testing.T) {
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			c := newCounter(t, server)
			c.exec(t, "UPDATE tokens SET n = 1000000")
			processes := []strangler.Backend{c.once, c.idempotent()}
			example := 0
			rapid.Check(t, func(rt *rapid.T) {
				example++
				lives := map[string]*keyLife{}
				for step := range rapid.IntRange(1, 8).Draw(rt, "steps") {
					key := fmt.Sprintf("%d-%s", example, rapid.SampledFrom([]string{"a", "b"}).Draw(rt, fmt.Sprint("key", step)))
					life := lives[key]
					if life == nil {
						life = &keyLife{taken: map[string]int{}}
						lives[key] = life
					}
					if rapid.IntRange(0, 4).Draw(rt, fmt.Sprint("expire", step)) == 0 {
						c.marks.exec(t, "UPDATE idempotency SET expires_at = UTC_TIMESTAMP(6) - INTERVAL 1 SECOND WHERE idempotency_key = ?", key)
						*life = keyLife{taken: map[string]int{}}
						for _, body := range []string{"x", "y"} {
							life.taken[body] = c.count(t, key+body)
						}
						continue
					}
					calls := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) (out struct {
						body  string
						after time.Duration
					},
					) {
						out.body = rapid.SampledFrom([]string{"x", "x", "y"}).Draw(rt, "body")
						if rapid.IntRange(0, 2).Draw(rt, "broken off") == 0 {
							out.after = time.Duration(rapid.IntRange(1, 3000).Draw(rt, "after µs")) * time.Microsecond
						}
						return out
					}), 1, 4).Draw(rt, fmt.Sprint("calls", step))
					answers := make([]answer, len(calls))
					var all sync.WaitGroup
					for i, call := range calls {
						all.Go(func() {
							ctx := t.Context()
							if call.after > 0 {
								short, cancel := context.WithTimeout(ctx, call.after)
								defer cancel()
								ctx = short
							}
							answers[i] = c.take(ctx, t, processes[rand.IntN(len(processes))], "Take", "", key, fmt.Sprintf(`{"by":"%s%s"}`, key, call.body))
						})
					}
					all.Wait()
					// Who is broken off leaves it open whether it was done. A call that isn't settles that.
					last := c.take(t.Context(), t, processes[0], "Take", "", key, fmt.Sprintf(`{"by":"%sx"}`, key))
					life.judge(rt, c, t, key, slices.Concat(answers, []answer{last}), last)
				}
			})
		})
	}
}

func (l *keyLife) judge(rt *rapid.T, c *counter, t *testing.T, key string, answers []answer, last answer) {
	done := map[string]int{}
	for _, body := range []string{"x", "y"} {
		done[body] = c.count(t, key+body) - l.taken[body]
	}
	if done["x"]+done["y"] != 1 {
		rt.Fatalf("%s was done %v times", key, done)
	}
	body := "x"
	if done["y"] == 1 {
		body = "y"
	}
	if l.body != "" && l.body != body {
		rt.Fatalf("%s was done for %s, and now for %s", key, l.body, body)
	}
	l.body = body
	for _, a := range answers {
		switch e := strangler.AsError(a.err); {
		case e == nil && l.reply == "":
			l.reply = a.json
		case e == nil && a.json != l.reply:
			rt.Fatalf("%s was answered %s and %s", key, l.reply, a.json)
		case e != nil && e.Reason == strangler.ReasonKeyReused && body == "x" && a == last:
			rt.Fatalf("%s was done for x, and refuses it", key)
		}
	}
	if e := strangler.AsError(last.err); (body == "y") != (e != nil && e.Reason == strangler.ReasonKeyReused) || body == "x" && e != nil {
		rt.Fatalf("%s was done for %s, and then x is answered %v (%v)", key, body, last, last.err)
	}
}
