package retirement

import (
	"context"
	"time"

	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/strangler"
)

// ReasonGone is the reason of the error for callers of a version that is not served any more.
const ReasonGone = "VERSION_GONE"

// Gate is a Backend that counts calls of operations that go, and refuses those of versions that are gone. All else is
// the next one's.
type Gate struct {
	next    strangler.Backend
	counter *Counter
	// of has the version of each operation that is watched, or may be refused.
	of map[*contract.Operation]*Version
}

// NewGate stands before next. Without a counter nothing is counted.
func NewGate(versions []*Version, counter *Counter, next strangler.Backend) *Gate {
	g := &Gate{next: next, counter: counter, of: map[*contract.Operation]*Version{}}
	for _, v := range versions {
		for _, op := range v.Watched() {
			g.of[op] = v
		}
	}
	return g
}

// Gone says whether all calls of an operation are refused now.
func (g *Gate) Gone(op *contract.Operation) bool {
	v := g.of[op]
	return v != nil && v.State(time.Now()) == Gone
}

// Call answers by the next Backend, or with UNIMPLEMENTED.
func (g *Gate) Call(ctx context.Context, call *strangler.Call, send func(*strangler.Reply) error) error {
	v := g.of[call.Operation]
	if v == nil {
		return g.next.Call(ctx, call, send)
	}
	if g.counter != nil {
		g.counter.Count(call)
	}
	if v.State(time.Now()) == Gone {
		return gone(v)
	}
	return g.next.Call(ctx, call, send)
}

func gone(v *Version) *strangler.Error {
	instead := "ask its operators what to use instead"
	switch {
	case v.Of != "" && v.Link != "":
		instead = "use " + string(v.Of) + ", as " + v.Link + " says"
	case v.Of != "":
		instead = "use " + string(v.Of)
	case v.Link != "":
		instead = v.Link + " says what to use instead"
	}
	err := strangler.Fail(codes.Unimplemented, ReasonGone, "%s is not served any more since %s: %s", v.Package, v.Sunset.UTC().Format(time.RFC3339), instead)
	err.Metadata = map[string]string{"version": string(v.Package), "sunset": v.Sunset.UTC().Format(time.RFC3339)}
	if v.Of != "" {
		err.Metadata["successor"] = string(v.Of)
	}
	if v.Link != "" {
		err.Metadata["link"] = v.Link
	}
	err.Unsent = true
	return err
}
