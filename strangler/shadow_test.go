package strangler_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/flags"
	"banyan.dev/banyan/strangler"
)

func TestShadowReads(t *testing.T) {
	for _, test := range []struct {
		name    string
		arrange func(b *bed)
		want    strangler.Comparisons
		logged  string
	}{
		{"same", func(*bed) {}, strangler.Comparisons{Same: 1}, ""},
		{"same, on another wire", func(b *bed) {
			// The same message, with its fields in another order.
			b.capability.Modern = replies([]byte("\x12\x01a\x0a\x011"))
			b.legacy.put("1", []string{"a"}, true)
		}, strangler.Comparisons{Same: 1}, ""},
		{"a field", func(b *bed) { b.capability.Modern = replies([]byte("\x0a\x011\x1a\x03\x0a\x01P")) }, strangler.Comparisons{Different: 1}, "at=to"},
		{"an element", func(b *bed) {
			b.legacy.put("1", []string{"a", "secret"}, true)
			b.modern.put("1", []string{"a", "other"}, true)
		}, strangler.Comparisons{Different: 1}, "at=lines[1]"},
		{"a missing element", func(b *bed) { b.legacy.put("1", []string{"secret"}, true) }, strangler.Comparisons{Different: 1}, "at=lines"},
		{"there and not", func(b *bed) { b.modern.put("1", nil, false) }, strangler.Comparisons{Different: 1}, "legacy says OK, modern NotFound"},
		{"not there and there", func(b *bed) { b.legacy.put("1", nil, false) }, strangler.Comparisons{Different: 1}, "legacy says NotFound, modern OK"},
		{"neither there", func(b *bed) { b.legacy.put("1", nil, false); b.modern.put("1", nil, false) }, strangler.Comparisons{Same: 1}, ""},
		{"legacy is away", func(b *bed) { b.legacy.before = fails(codes.Unavailable) }, strangler.Comparisons{}, ""},
		{"modern is away", func(b *bed) { b.modern.before = fails(codes.Unavailable) }, strangler.Comparisons{Failed: 1}, "not answered"},
		{"modern hangs", func(b *bed) { b.modern.before = hang }, strangler.Comparisons{Failed: 1}, "not answered"},
		{"modern panics", func(b *bed) {
			b.modern.before = func(context.Context, *strangler.Call) error { panic("a test's panic") }
		}, strangler.Comparisons{Failed: 1}, "a test's panic"},
		{"modern says nothing", func(b *bed) {
			b.capability.Modern = strangler.BackendFunc(func(context.Context, *strangler.Call, func(*strangler.Reply) error) error { return nil })
		}, strangler.Comparisons{Failed: 1}, "answered nothing"},
		{"modern says nonsense", func(b *bed) { b.capability.Modern = replies([]byte{0xff}) }, strangler.Comparisons{Failed: 1}, "modern's reply"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				b := newBed(t)
				test.arrange(b)
				b.router = strangler.NewRouter(strangler.RouterOptions{
					Legacy: b.legacy, Capabilities: []*strangler.Capability{b.capability}, Flags: b.switches, Waiter: b.switches,
					Logger: slog.New(slog.NewTextHandler(&log, nil)),
				})
				defer b.router.Close()
				b.all(flags.Shadow)
				begun := time.Now()
				_, err := b.call(t.Context(), "GetOrder", get("c"))
				if took := time.Since(begun); took != 0 {
					t.Errorf("the caller waited for %s", took)
				}
				if _, there := b.legacy.orders["1"]; (err == nil) != (there && b.legacy.before == nil) {
					t.Errorf("the caller is told %v", err)
				}
				time.Sleep(3 * time.Second)
				synctest.Wait()
				if got := b.router.Comparisons("orders"); got != test.want {
					t.Errorf("counted %+v, want %+v", got, test.want)
				}
				if got := log.String(); !strings.Contains(got, test.logged) || test.logged == "" && got != "" || strings.Contains(got, "secret") {
					t.Errorf("logged %q, want %q", got, test.logged)
				}
			})
		})
	}
}

// replies answers with bytes.
func replies(wire []byte) strangler.Backend {
	return strangler.BackendFunc(func(_ context.Context, call *strangler.Call, send func(*strangler.Reply) error) error {
		return send(&strangler.Reply{Message: contract.FromWire(call.Operation.Output, bytes.Clone(wire))})
	})
}

// A modern that hangs costs callers nothing, and memory only so much; Close ends it.
func TestShadowReadsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		b := newBed(t, func(o *strangler.RouterOptions) {
			o.ShadowReads, o.ShadowTimeout = 3, time.Hour
			o.Logger = slog.New(slog.NewTextHandler(&log, nil))
		})
		b.modern.before = hang
		b.all(flags.Shadow)
		for range 10 {
			if _, err := b.call(t.Context(), "GetOrder", get("c")); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if got := b.router.Comparisons("orders"); got.Dropped != 7 {
			t.Errorf("%+v", got)
		}
		b.router.Close()
		if got := b.router.Comparisons("orders"); got.Failed != 3 {
			t.Errorf("%+v", got)
		}
		if got := strings.Count(log.String(), "\n"); got != 1 {
			t.Errorf("%d lines in a second", got)
		}
		if _, err := b.call(t.Context(), "GetOrder", get("c")); err != nil {
			t.Errorf("after Close: %v", err)
		}
		if got := b.router.Comparisons("orders"); got.Dropped != 8 {
			t.Errorf("after Close: %+v", got)
		}
	})
}

// What a caller does with its reply is nothing to the comparison, nor does it see the caller's end.
func TestShadowReadsAreApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		b.modern.before = func(ctx context.Context, _ *strangler.Call) error {
			<-time.After(time.Second)
			return ctx.Err()
		}
		b.all(flags.Shadow)
		ctx, cancel := context.WithCancel(t.Context())
		op := operation("GetOrder")
		request := message(op.Input, get("c"))
		err := b.router.Call(ctx, &strangler.Call{Operation: op, Request: request}, func(r *strangler.Reply) error {
			wire, _ := r.Message.Wire()
			clear(wire)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		wire, _ := request.Wire()
		clear(wire)
		cancel()
		time.Sleep(2 * time.Second)
		if got := b.router.Comparisons("orders"); got.Same != 1 {
			t.Errorf("%+v", got)
		}
	})
}

// Tokens of pages are each side's own: of two the difference is none, and a page that one of them asks for is not compared.
func TestShadowReadsOfPages(t *testing.T) {
	listed := func(next string) []byte { return append([]byte("\x12"), append([]byte{byte(len(next))}, next...)...) }
	for _, test := range []struct {
		name, token    string
		legacy, modern []byte
		want           strangler.Comparisons
	}{
		{"each has its own", "", listed("a"), listed("bb"), strangler.Comparisons{Same: 1}},
		{"one has none", "", listed("a"), nil, strangler.Comparisons{Different: 1}},
		{"the other has none", "", nil, listed("a"), strangler.Comparisons{Different: 1}},
		{"other orders", "", append([]byte("\x0a\x03\x0a\x011"), listed("a")...), listed("bb"), strangler.Comparisons{Different: 1}},
		{"a further page", "a", listed("b"), nil, strangler.Comparisons{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBed(t)
				b.capability.Modern = replies(test.modern)
				b.router = strangler.NewRouter(strangler.RouterOptions{
					Legacy: replies(test.legacy), Capabilities: []*strangler.Capability{b.capability}, Flags: b.switches, Waiter: b.switches,
					Logger: slog.New(slog.DiscardHandler),
				})
				defer b.router.Close()
				b.all(flags.Shadow)
				if _, err := b.call(t.Context(), "ListOrders", map[string]string{"customer": "c", "page_token": test.token}); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if got := b.router.Comparisons("orders"); got != test.want {
					t.Errorf("counted %+v, want %+v", got, test.want)
				}
			})
		})
	}
}
