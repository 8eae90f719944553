package strangler_test

import (
	"context"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/open-feature/go-sdk/openfeature"
	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/flags"
	"banyan.dev/banyan/strangler"
)

func get(key string) map[string]string { return map[string]string{"id": "1", "customer": key} }

func TestOperationsOutsideOfCapabilitiesAreLegacys(t *testing.T) {
	b := newBed(t)
	b.all(flags.Complete)
	if _, err := b.call(t.Context(), "GetShop", get("c")); err != nil {
		t.Error(err)
	}
	if got := b.trace.all(); got[0] != "legacy GetShop" {
		t.Errorf("%q", got)
	}
}

func TestKeys(t *testing.T) {
	b := newBed(t)
	b.turn(func(key string) flags.Decision {
		switch key {
		case "moved":
			return flags.Decision{Stage: flags.Live, Reads: flags.Modern}
		case "":
			return flags.Decision{Stage: flags.Shadow, Mixed: true}
		default:
			return flags.Decision{Stage: flags.Mirrored}
		}
	})
	b.legacy.put("1", []string{"legacy"}, true)
	b.modern.put("1", []string{"modern"}, true)
	for key, want := range map[string]string{"moved": "modern", "other": "legacy", "": "legacy"} {
		reply, err := b.call(t.Context(), "GetOrder", get(key))
		if err != nil || linesOf(t, reply)[0] != want {
			t.Errorf("key %q is answered by %v, %v", key, reply, err)
		}
	}
	before := len(b.trace.all())
	_, err := b.call(t.Context(), "AddLine", get(""))
	wantError(t, err, codes.FailedPrecondition, strangler.ReasonKeyNeeded)
	for _, op := range []string{"AddLine", "GetOrder"} {
		_, err = b.call(t.Context(), op, get("?"))
		wantError(t, err, codes.InvalidArgument, "INVALID_FIELD")
	}
	if got := b.trace.all()[before:]; len(got) != 0 && got[0] != "modern GetOrder" { // the shadow read of the keyless one
		t.Errorf("refused calls did %q", got)
	}
	b.all(flags.Live)
	if _, err = b.call(t.Context(), "AddLine", map[string]string{"id": "1", "line": "x"}); err != nil {
		t.Errorf("a write without a key where all keys are live: %v", err)
	}
	if w := b.ledger.writes()[0]; w.Keyed || w.Key != "" {
		t.Errorf("it is keyed: %+v", w)
	}
}

func TestStreamsAreRouted(t *testing.T) {
	b := newBed(t)
	for stage, want := range map[flags.Stage]string{flags.Shadow: "legacy", flags.Live: "modern"} {
		b.all(stage)
		from := len(b.trace.all())
		if _, err := b.call(t.Context(), "WatchOrders", get("c")); err != nil {
			t.Error(err)
		}
		if got := b.trace.all()[from:]; got[0] != want+" WatchOrders" {
			t.Errorf("%s: %q", stage, got)
		}
	}
	b.all(flags.Shadow)
	if _, err := b.call(t.Context(), "ImportOrders", get("c")); err != nil {
		t.Errorf("a streaming write by legacy: %v", err)
	}
	b.all(flags.Live)
	_, err := b.call(t.Context(), "ImportOrders", get("c"))
	wantError(t, err, codes.Unimplemented, strangler.ReasonNotLive)
	b.capability.Entity = nil
	_, err = b.add(t.Context(), "x")
	wantError(t, err, codes.Unimplemented, strangler.ReasonNotLive)
	if len(b.ledger.writes()) != 0 {
		t.Error("a write that can't be live is in the ledger")
	}
}

func TestWritesWaitForALease(t *testing.T) {
	for name, lose := range map[string]func(*switches, bool){
		"lease": func(s *switches, lost bool) { s.setLease(!lost) },
		"flag":  func(s *switches, lost bool) { s.mu.Lock(); s.missing = lost; s.set(s.version, s.decide); s.mu.Unlock() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBed(t)
				b.all(flags.Shadow)
				lose(b.switches, true)
				done := b.adding(t.Context(), "x")
				synctest.Wait()
				if len(b.trace.all()) != 0 || !b.router.Settled("orders", math.MaxUint64) {
					t.Errorf("a waiting write did %q, or is on its way", b.trace.all())
				}
				time.Sleep(900 * time.Millisecond)
				lose(b.switches, false)
				if got := <-done; got.err != nil || got.took > 950*time.Millisecond {
					t.Errorf("%+v", got)
				}

				lose(b.switches, true)
				got := <-b.adding(t.Context(), "y")
				reason := map[string]string{"lease": strangler.ReasonNoLease, "flag": strangler.ReasonNoFlag}[name]
				if e := wantError(t, got.err, codes.Unavailable, reason); e.RetryAfter == 0 || got.took != time.Second {
					t.Errorf("hint %s, took %s", e.RetryAfter, got.took)
				}
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				got = <-b.adding(ctx, "z")
				wantError(t, got.err, codes.Canceled, "CANCELLED")
				if got := b.legacy.lines("1"); len(got) != 1 || got[0] != "x" {
					t.Errorf("legacy has %q", got)
				}
			})
		})
	}
}

// said is an evaluation that is always the same.
type said openfeature.StringEvaluationDetails

func (s said) StringValueDetails(context.Context, string, string, openfeature.EvaluationContext, ...openfeature.Option) (openfeature.StringEvaluationDetails, error) {
	return openfeature.StringEvaluationDetails(s), nil
}

// What no stage can be read of is no stage: reads are legacy's, writes are refused.
func TestFlagsThatCantBeRead(t *testing.T) {
	meta := func(m openfeature.FlagMetadata) said {
		return said{Value: "live", EvaluationDetails: openfeature.EvaluationDetails{ResolutionDetail: openfeature.ResolutionDetail{FlagMetadata: m}}}
	}
	for name, flag := range map[string]said{
		"stage":   {Value: "lvie"},
		"version": meta(openfeature.FlagMetadata{"version": "1"}),
		"minus":   meta(openfeature.FlagMetadata{"version": int64(-1)}),
		"reads":   meta(openfeature.FlagMetadata{"reads": true}),
		"mixed":   meta(openfeature.FlagMetadata{"mixed": "yes"}),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBed(t, func(o *strangler.RouterOptions) { o.Flags = flag })
				if _, err := b.call(t.Context(), "GetOrder", get("c")); err != nil {
					t.Error(err)
				}
				if got := b.trace.all(); got[0] != "legacy GetOrder" {
					t.Errorf("%q", got)
				}
				_, err := b.add(t.Context(), "x")
				wantError(t, err, codes.Unavailable, strangler.ReasonNoFlag)
			})
		})
	}
}

func TestHeldWrites(t *testing.T) {
	for _, to := range []flags.Stage{flags.Shadow, flags.Live} {
		t.Run(string(to), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBed(t)
				b.all(flags.Shadow)
				b.hold(flags.Legacy)
				done := b.adding(t.Context(), "x")
				synctest.Wait()
				b.hold(flags.Modern)
				synctest.Wait()
				if len(b.trace.all()) != 0 || !b.router.Settled("orders", math.MaxUint64) {
					t.Errorf("a held write did %q, or is on its way", b.trace.all())
				}
				b.all(to)
				if got := <-done; got.err != nil || got.took != 0 {
					t.Errorf("%+v", got)
				}
				want := to.Authority().String() + " AddLine"
				if got := b.trace.all(); got[0] != want && got[1] != want {
					t.Errorf("%q", got)
				}
			})
		})
	}
	t.Run("for too long", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := newBed(t)
			b.hold(flags.Legacy)
			done := b.adding(t.Context(), "x")
			time.Sleep(6 * time.Second)
			b.hold(flags.Modern) // the time is for all of it
			got := <-done
			if e := wantError(t, got.err, codes.Unavailable, strangler.ReasonHeld); e.RetryAfter == 0 || got.took != 10*time.Second {
				t.Errorf("hint %s, took %s", e.RetryAfter, got.took)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			wantError(t, (<-b.adding(ctx, "x")).err, codes.DeadlineExceeded, strangler.ReasonHeld)
			ctx, cancel = context.WithCancel(t.Context())
			cancel()
			wantError(t, (<-b.adding(ctx, "x")).err, codes.Canceled, "CANCELLED")
		})
	})
}

// A write is on its way from before its decision until it is done, whoever does it; a caller that takes its reply slowly
// does not count.
func TestSettled(t *testing.T) {
	for _, stage := range []flags.Stage{flags.Off, flags.Complete} {
		synctest.Test(t, func(t *testing.T) {
			b := newBed(t)
			going := make(chan struct{})
			b.legacy.before = func(context.Context, *strangler.Call) error { <-going; return nil }
			b.modern.before = b.legacy.before
			old := b.all(stage)
			taking := make(chan struct{})
			done := make(chan error)
			op := operation("AddLine")
			go func() {
				done <- b.router.Call(t.Context(), &strangler.Call{Operation: op, Request: message(op.Input, get("c"))}, func(*strangler.Reply) error {
					<-taking
					return nil
				})
			}()
			synctest.Wait()
			next := b.hold(flags.Legacy)
			if !b.router.Settled("orders", old) || b.router.Settled("orders", next) {
				t.Error("the write is not where it should be")
			}
			close(going)
			synctest.Wait()
			if !b.router.Settled("orders", next) {
				t.Error("the write counts while its caller takes the reply")
			}
			close(taking)
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}

// Where a write is decided, flags may change at any moment: it counts under what it may be decided by.
func TestSettledWhileDeciding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := &slowFlags{switches: newSwitches(), asked: make(chan struct{}), answer: make(chan struct{})}
		b := newBed(t, func(o *strangler.RouterOptions) { o.Flags, o.Waiter = slow, slow })
		old := slow.all(flags.Off)
		done := b.adding(t.Context(), "x")
		<-slow.asked // it has read the old flag, and nobody knows
		next := slow.hold(flags.Legacy)
		if b.router.Settled("orders", next) {
			t.Error("settled, with a write that will be done under the flag before")
		}
		if old >= next {
			t.Error("the flag went back")
		}
		close(slow.answer)
		if got := <-done; got.err != nil {
			t.Error(got.err)
		}
		if !b.router.Settled("orders", next) {
			t.Error("not settled after the last write")
		}
	})
}

// slowFlags wait between reading a flag and saying it.
type slowFlags struct {
	*switches
	asked, answer chan struct{}
}

func (s *slowFlags) StringValueDetails(ctx context.Context, flag, byDefault string, about openfeature.EvaluationContext, options ...openfeature.Option) (openfeature.StringEvaluationDetails, error) {
	details, err := s.switches.StringValueDetails(ctx, flag, byDefault, about, options...)
	close(s.asked)
	<-s.answer
	return details, err
}

// A write of legacy whose COMMIT was lost counts until its transaction can't be under way any more.
func TestLostCommitsAreDrained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		drained := make(chan struct{})
		tries := 0
		b := newBed(t, func(o *strangler.RouterOptions) {
			o.Drained = func(context.Context) error {
				if tries++; tries < 8 {
					return errLegacy
				}
				<-drained
				return nil
			}
		})
		b.legacy.before = times(2, func(context.Context, *strangler.Call) error { return errCommit })
		for range 2 {
			_, err := b.add(t.Context(), "x")
			wantError(t, err, codes.Unavailable, "COMMIT_OUTCOME_UNKNOWN")
		}
		next := b.hold(flags.Legacy)
		time.Sleep(5 * time.Second)
		if b.router.Settled("orders", next) {
			t.Error("settled, with transactions that may be under way")
		}
		close(drained)
		synctest.Wait()
		if !b.router.Settled("orders", next) {
			t.Error("not settled after they are over")
		}
	})
}
