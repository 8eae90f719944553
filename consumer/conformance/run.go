package conformance

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Verdict is what came of a promise.
type Verdict string

// The verdicts.
const (
	Pass Verdict = "PASS"
	Fail Verdict = "FAIL"
	// Skip says that it was not tried.
	Skip Verdict = "SKIP"
)

// Result is what came of one promise.
type Result struct {
	// Name identifies the promise, Promise says it.
	Name    string  `json:"name"`
	Promise string  `json:"promise"`
	Verdict Verdict `json:"verdict"`
	// Detail says what was seen instead, or why it was not tried.
	Detail string `json:"detail"`
	// Do says what to do about it, and See where it is written; empty for what holds.
	Do  string `json:"do"`
	See string `json:"see"`
}

// promise is one that is tried.
type promise struct {
	name, says, do, see string
	// vital ends the run when it is broken: nothing else can be seen then.
	vital bool
	try   func(r *rig, ctx context.Context) error
}

// errSkip marks what is not tried, with why.
var errSkip = errors.New("not tried")

func skip(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errSkip, fmt.Sprintf(format, args...))
}

// Run tries all promises in their order, and gives each result as soon as it is there. The error says that the run itself failed:
// wrong options, or no broker. It needs no longer than some seconds for each promise that holds.
func Run(ctx context.Context, options Options, tell func(Result)) error {
	options, err := options.check()
	if err != nil {
		return fmt.Errorf("conformance: %w", err)
	}
	if err := (&rig{Options: options}).sound(); err != nil {
		return fmt.Errorf("conformance: %w", err)
	}
	r, err := newRig(ctx, options)
	if err != nil {
		return fmt.Errorf("conformance: %w", err)
	}
	defer r.close()
	given := ""
	for _, p := range promises() {
		result := Result{Name: p.name, Promise: p.says, Verdict: Pass}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case given != "":
			result.Verdict, result.Detail = Skip, "not before this holds: "+given
		default:
			err := p.try(r, ctx)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			var broker *brokerError
			switch {
			case err == nil:
			case errors.Is(err, errSkip):
				result.Verdict, result.Detail = Skip, strings.TrimPrefix(err.Error(), errSkip.Error()+": ")
			case errors.As(err, &broker):
				return fmt.Errorf("conformance: %w", err)
			default:
				result.Verdict, result.Detail, result.Do, result.See = Fail, err.Error(), p.do, "docs/consuming.md#"+p.see
				if p.vital {
					given = p.says
				}
			}
		}
		tell(result)
	}
	return nil
}
