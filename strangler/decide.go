package strangler

import (
	"context"
	"fmt"

	"github.com/open-feature/go-sdk/openfeature"
	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/flags"
)

// Flags is what the Router needs of an OpenFeature client. A capability's name is the flag's key, its stage the value. The
// metadata have version (an integer), and, where the stage alone doesn't say it, reads (legacy or modern) and mixed (a
// boolean), as flags.Decision has them. An evaluation is made in memory; it fails with PROVIDER_NOT_READY where this
// replica has no lease.
type Flags interface {
	StringValueDetails(ctx context.Context, flag, defaultValue string, evalCtx openfeature.EvaluationContext, options ...openfeature.Option) (openfeature.StringEvaluationDetails, error)
}

// Waiter tells when flags change. Its methods return ctx's error when that ends first, and are safe for concurrent use.
type Waiter interface {
	// Wait returns once decisions of a capability are made under a version greater than beyond; at once where they are.
	Wait(ctx context.Context, capability string, beyond uint64) error
	// WaitLease returns once there is a lease; at once where there is.
	WaitLease(ctx context.Context) error
}

// The names of a decision's parts in the metadata of an evaluation.
const (
	metaVersion = "version"
	metaReads   = "reads"
	metaMixed   = "mixed"
)

// undecided says that the flags don't tell a stage now.
type undecided struct {
	code  openfeature.ErrorCode
	cause error
}

func (u *undecided) Error() string { return fmt.Sprintf("no decision: %v", u.cause) }

func (u *undecided) Unwrap() error { return u.cause }

// notReady says that there is no lease.
func (u *undecided) notReady() bool { return u.code == openfeature.ProviderNotReadyCode }

// keyless is about calls without a key.
var keyless = openfeature.NewTargetlessEvaluationContext(nil)

// decide asks the flags what becomes of calls with a key, "" for those without. Errors are *undecided.
func (r *Router) decide(ctx context.Context, m *managed, key string) (flags.Decision, error) {
	about := keyless
	if key != "" {
		about = openfeature.NewEvaluationContext(key, nil)
	}
	details, err := r.opts.Flags.StringValueDetails(ctx, m.Name, string(flags.Off), about)
	if err != nil {
		return flags.Decision{}, &undecided{code: details.ErrorCode, cause: err}
	}
	d, err := decision(details)
	if err != nil {
		return flags.Decision{}, &undecided{code: openfeature.ParseErrorCode, cause: fmt.Errorf("the flag %s: %w", m.Name, err)}
	}
	return d, nil
}

// decision reads what an evaluation says.
func decision(details openfeature.StringEvaluationDetails) (flags.Decision, error) {
	d := flags.Decision{Stage: flags.Stage(details.Value)}
	if _, known := stages[d.Stage]; !known {
		return d, fmt.Errorf("%q is no stage", details.Value)
	}
	d.Reads = d.Stage.Authority()
	meta := details.FlagMetadata
	if value, ok := meta[metaVersion]; ok {
		version, ok := value.(int64)
		if !ok || version < 0 {
			return d, fmt.Errorf("its metadata say %v as %s", value, metaVersion)
		}
		d.Version = uint64(version)
	}
	if value, ok := meta[metaReads]; ok {
		switch value {
		case flags.Legacy.String():
			d.Reads = flags.Legacy
		case flags.Modern.String():
			d.Reads = flags.Modern
		default:
			return d, fmt.Errorf("its metadata say %v as %s", value, metaReads)
		}
	}
	if value, ok := meta[metaMixed]; ok {
		if d.Mixed, ok = value.(bool); !ok {
			return d, fmt.Errorf("its metadata say %v as %s", value, metaMixed)
		}
	}
	return d, nil
}

// owned refuses a call that names an entity and another owner than the entity's, where that would take it to the wrong
// side: while keys are on both, and for all live writes, whose rows say whose they are. It may also be *undecided.
func (r *Router) owned(ctx context.Context, m *member, call *Call, key string, stage flags.Stage) error {
	if key == "" || m.route.Owner == nil {
		return nil
	}
	if stage != flags.Live || call.Operation.Read {
		if d, err := r.decide(ctx, m.managed, ""); err != nil || !d.Mixed {
			return err
		}
	}
	owner, ok, err := m.route.Owner(ctx, call)
	switch {
	case err != nil && AsError(err).Code == codes.NotFound:
		return nil
	case err != nil:
		return err
	case ok && owner != key:
		return keyMismatch(call)
	}
	return nil
}

// key gives what a call is routed by, "" when by nothing.
func (m *member) key(ctx context.Context, call *Call) (string, error) {
	if m.route == nil || m.route.Key == nil {
		return "", nil
	}
	key, ok, err := m.route.Key(ctx, call)
	if err != nil || !ok {
		return "", err
	}
	return key, nil
}
