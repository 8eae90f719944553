package strangler

import (
	"context"

	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/contract"
)

// Router is the Backend that takes each call to the side that answers it. Now that is legacy, always; which side
// answers a call will depend on the stage of its capability for its key.
type Router struct {
	legacy   Backend
	unserved map[*contract.Operation]bool
}

// NewRouter makes a Router. unserved are the operations that neither side answers, on purpose.
func NewRouter(legacy Backend, unserved []*contract.Operation) *Router {
	r := &Router{legacy: legacy, unserved: make(map[*contract.Operation]bool, len(unserved))}
	for _, op := range unserved {
		r.unserved[op] = true
	}
	return r
}

// Call answers by legacy, or with UNIMPLEMENTED for an unserved operation.
func (r *Router) Call(ctx context.Context, call *Call, send func(*Reply) error) error {
	if r.unserved[call.Operation] {
		return Fail(codes.Unimplemented, "UNSERVED", "%s is declared, but not served here", call.Operation.Name)
	}
	return r.legacy.Call(ctx, call, send)
}
