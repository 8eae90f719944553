package admin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/flags"
	adminv1 "banyan.dev/banyan/proto/banyan/admin/v1"
	"banyan.dev/banyan/strangler"
	"banyan.dev/banyan/strangler/control"
)

// Bounds of what a command may say, as the history keeps it, and of lists.
const (
	maxCapability = 64
	maxWho        = 255
	maxReason     = 1000
	usualLimit    = 100
	maxLimit      = 1000
)

// service answers the admin API's calls.
type service struct {
	adminv1.UnimplementedAdminServiceServer
	operator  control.Operator
	versions  Versions
	fences    Fences
	backfills Backfills
	// stopping is the service's own end, with errStopping; it is no call's.
	stopping context.Context
	logger   *slog.Logger
}

// ListStatus tells of all capabilities.
func (s *service) ListStatus(ctx context.Context, _ *adminv1.ListStatusRequest) (*adminv1.ListStatusResponse, error) {
	return answer(ctx, s, nil, func(ctx context.Context) (*adminv1.ListStatusResponse, error) {
		all, err := s.operator.Status(ctx, "")
		if err != nil {
			return nil, err
		}
		slices.SortFunc(all, func(a, b control.CapabilityStatus) int { return strings.Compare(a.Capability, b.Capability) })
		out := &adminv1.ListStatusResponse{}
		for i := range all {
			told, err := statusMessage(&all[i])
			if err != nil {
				return nil, err
			}
			out.Capabilities = append(out.Capabilities, told)
		}
		return out, nil
	})
}

// GetStatus tells of one capability.
func (s *service) GetStatus(ctx context.Context, r *adminv1.GetStatusRequest) (*adminv1.CapabilityStatus, error) {
	return answer(ctx, s, nil, func(ctx context.Context) (*adminv1.CapabilityStatus, error) {
		all, err := s.operator.Status(ctx, r.GetCapability())
		if err != nil {
			return nil, err
		}
		for i := range all {
			if all[i].Capability == r.GetCapability() {
				return statusMessage(&all[i])
			}
		}
		return nil, strangler.Fail(codes.NotFound, "NO_SUCH_CAPABILITY", "there is no capability %q; `banyan status` lists them", r.GetCapability())
	})
}

// Advance shifts keys to a stage.
func (s *service) Advance(ctx context.Context, r *adminv1.AdvanceRequest) (*adminv1.Outcome, error) {
	return s.command(ctx, "advance", control.Change{
		Capability: r.GetCapability(), Stage: flags.Stage(r.GetStage()), Percent: int(r.GetPercent()), Reason: r.GetReason(), DryRun: r.GetDryRun(),
	}, s.advance)
}

func (s *service) advance(ctx context.Context, c control.Change) (control.Outcome, error) {
	if !c.Stage.Valid() {
		return control.Outcome{}, strangler.Invalid("stage", "%q is no stage: it is off, mirrored, shadow, live or complete", c.Stage)
	}
	if c.Percent < 0 || c.Percent > 100 {
		return control.Outcome{}, strangler.Invalid("percent", "%d is no share of the keys: it is 1 to 100, or 0 for all", c.Percent)
	}
	return s.operator.Advance(ctx, c)
}

// Rollback puts keys that are past shadow back.
func (s *service) Rollback(ctx context.Context, r *adminv1.RollbackRequest) (*adminv1.Outcome, error) {
	return s.command(ctx, "rollback", control.Change{Capability: r.GetCapability(), Reason: r.GetReason(), DryRun: r.GetDryRun()},
		func(ctx context.Context, c control.Change) (control.Outcome, error) {
			return s.operator.Rollback(ctx, c)
		})
}

// ListHistory lists what happened.
func (s *service) ListHistory(ctx context.Context, r *adminv1.ListHistoryRequest) (*adminv1.ListHistoryResponse, error) {
	return answer(ctx, s, []string{"capability", "limit"}, func(ctx context.Context) (*adminv1.ListHistoryResponse, error) {
		limit, err := limitOf(r.GetLimit())
		if err != nil {
			return nil, err
		}
		all, err := s.operator.History(ctx, r.GetCapability(), limit)
		if err != nil {
			return nil, err
		}
		out := &adminv1.ListHistoryResponse{}
		for i := range all {
			out.Audits = append(out.Audits, auditMessage(&all[i]))
		}
		return out, nil
	})
}

// ListWrites lists live writes.
func (s *service) ListWrites(ctx context.Context, r *adminv1.ListWritesRequest) (*adminv1.ListWritesResponse, error) {
	return answer(ctx, s, []string{"capability", "state", "limit"}, func(ctx context.Context) (*adminv1.ListWritesResponse, error) {
		limit, err := limitOf(r.GetLimit())
		if err != nil {
			return nil, err
		}
		state := strangler.WriteState(r.GetState())
		switch state {
		case "", strangler.WriteOpen, strangler.WriteClosed, strangler.WriteFailed, strangler.WriteVoid, strangler.WriteDoubt:
		default:
			return nil, strangler.Invalid("state", "%q is no state of a write: it is open, closed, failed, void or doubt", state)
		}
		all, err := s.operator.Writes(ctx, r.GetCapability(), state, limit)
		if err != nil {
			return nil, err
		}
		out := &adminv1.ListWritesResponse{}
		for i := range all {
			out.Writes = append(out.Writes, writeMessage(&all[i]))
		}
		return out, nil
	})
}

func limitOf(asked int32) (int, error) {
	switch {
	case asked < 0 || asked > maxLimit:
		return 0, strangler.Invalid("limit", "%d is out of range: it is 1 to %d, or 0 for %d", asked, maxLimit, usualLimit)
	case asked == 0:
		return usualLimit, nil
	default:
		return int(asked), nil
	}
}

// command checks what all commands have, gives it to do, and waits. Who waits no longer is told that it goes on.
func (s *service) command(ctx context.Context, name string, c control.Change, do func(context.Context, control.Change) (control.Outcome, error)) (*adminv1.Outcome, error) {
	return answer(ctx, s, nil, func(ctx context.Context) (*adminv1.Outcome, error) {
		if a, ok := ctx.Value(askedKey{}).(*asked); ok {
			c.Who = a.who
		}
		if err := checkChange(c); err != nil {
			return nil, err
		}
		begun := time.Now()
		outcome, err := do(ctx, c)
		log := s.logger.With("command", name, "capability", c.Capability, "who", c.Who, "reason", c.Reason, "dry_run", c.DryRun, "took", time.Since(begun).String())
		if !outcome.Done && !c.DryRun {
			if left := wentOn(ctx, c.Capability, err); left != nil {
				log.InfoContext(ctx, "nobody waits for a command any more", "cause", context.Cause(ctx))
				return nil, left
			}
		}
		if err != nil {
			log.WarnContext(ctx, "a command was refused, or failed", "cause", err)
			return nil, err
		}
		log.InfoContext(ctx, "commanded", "from", outcome.From, "to", outcome.To, "version", outcome.Version, "done", outcome.Done, "why", outcome.Why)
		return outcomeMessage(&outcome), nil
	})
}

// wentOn is the error for a caller who does not wait for a command's outcome any more; nil when it was refused, or has an
// outcome.
func wentOn(ctx context.Context, capability string, err error) *strangler.Error {
	var refused *strangler.Error
	if ctx.Err() == nil || errors.As(err, &refused) && refused.Code != codes.Canceled && refused.Code != codes.DeadlineExceeded {
		return nil
	}
	const look = "a command that was begun goes on by itself: see `banyan status %s`"
	switch {
	case errors.Is(context.Cause(ctx), errStopping):
		return strangler.Fail(codes.Unavailable, "STOPPING", "this replica is stopping and can't wait for the outcome; "+look+" at another one", capability).WithCause(err)
	case errors.Is(ctx.Err(), context.DeadlineExceeded) && err != nil:
		return strangler.Fail(codes.DeadlineExceeded, "STILL_UNDER_WAY", "the time to wait is over; "+look, capability).WithCause(err)
	default: // an outcome that says it is still under way, or a caller who has gone
		return nil
	}
}

func checkChange(c control.Change) error {
	switch {
	case c.Capability == "" || len(c.Capability) > maxCapability:
		return strangler.Invalid("capability", "name one, in at most %d characters; `banyan status` lists them", maxCapability)
	case checkWho(c.Who) != nil:
		return checkWho(c.Who)
	case !text(c.Reason, maxReason):
		return strangler.Invalid("reason", "write printable text on one line, at most %d characters", maxReason)
	}
	return nil
}

// checkWho looks at who commands.
func checkWho(who string) error {
	switch {
	case who == "":
		return strangler.Fail(codes.InvalidArgument, "WHO_MISSING", "say who commands this, in the header %s: for the history, such as ada@laptop", adminv1.WhoHeader)
	case !text(who, maxWho):
		return strangler.Fail(codes.InvalidArgument, "WHO_INVALID", "the header %s has to be printable text in UTF-8 of at most %d characters", adminv1.WhoHeader, maxWho)
	}
	return nil
}

// text says whether s is fit to be shown in one line, and not too long.
func text(s string, most int) bool {
	return utf8.ValidString(s) && utf8.RuneCountInString(s) <= most && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// answer is respond for what is about capabilities.
func answer[T any](ctx context.Context, s *service, parameters []string, call func(context.Context) (T, error)) (T, error) {
	return respond(ctx, s, parameters, func(ctx context.Context) (out T, err error) {
		if s.operator == nil {
			return out, strangler.Fail(codes.FailedPrecondition, adminv1.ReasonNoCapabilities,
				"no capabilities are configured here; name them and their services in banyan.yaml (services, capabilities), and start Banyan again")
		}
		return call(ctx)
	})
}

// respond does what all calls need: it refuses parameters that the call doesn't have, ends with the process, and makes
// every failure an error for people, with its cause in the log.
func respond[T any](ctx context.Context, s *service, parameters []string, call func(context.Context) (T, error)) (out T, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = strangler.AsError(fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
		}
		if err != nil {
			err = s.told(ctx, err)
		}
	}()
	if a, ok := ctx.Value(askedKey{}).(*asked); ok {
		for _, name := range slices.Sorted(maps.Keys(a.query)) {
			if !slices.Contains(parameters, name) {
				return out, strangler.Invalid(name, "unknown parameter; there is %s", list(parameters))
			}
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(s.stopping, func() { cancel(context.Cause(s.stopping)) })()
	out, err = call(ctx)
	if err != nil && errors.Is(context.Cause(ctx), errStopping) && !told(err) {
		err = strangler.Fail(codes.Unavailable, "SHUTTING_DOWN", "the service is stopping; try again").WithRetry(time.Second).WithCause(err)
	}
	return out, err
}

func list(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// told says whether an error says by itself what is the matter.
func told(err error) bool {
	var e *strangler.Error
	return errors.As(err, &e) && e.Code != codes.Canceled
}

// told makes an error one for people, and logs what is not the caller's doing.
func (s *service) told(ctx context.Context, err error) *strangler.Error {
	e := strangler.AsError(err)
	if e.Logged {
		return e
	}
	switch e.Code {
	case codes.Internal, codes.Unknown, codes.DataLoss:
		s.logger.ErrorContext(ctx, "a call of the admin API failed", "reason", e.Reason, "message", e.Message, "cause", e.Cause)
	case codes.Unavailable:
		s.logger.WarnContext(ctx, "a call of the admin API failed", "reason", e.Reason, "message", e.Message, "cause", e.Cause)
	default:
	}
	return e
}
