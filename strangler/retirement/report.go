package retirement

import (
	"context"
	"errors"
	"time"

	"banyan.dev/banyan/contract"
)

// Report is how a version does on its way out.
type Report struct {
	Version *Version
	State   State
	// Watched counts its operations whose callers are counted.
	Watched int
	// Since is from when on callers of all of them are counted; zero: not yet.
	Since time.Time
	// Callers has who has called them, the latest first.
	Callers []Caller
}

// Reporter tells how versions do.
type Reporter struct {
	Versions []*Version
	// Counter has what is not saved yet; nil where nothing is counted.
	Counter *Counter
	// Book has what is; nil where nothing is counted.
	Book Book
}

// Report tells of all versions, in their order, with calls of the last days: today is the first. more says that there are
// more callers than limit, of all versions together: those who called last are given. What other replicas have counted in
// the last ten seconds may not be there yet.
func (r *Reporter) Report(ctx context.Context, days, limit int) (all []Report, more bool, err error) {
	now := time.Now()
	var operations []*contract.Operation
	owner := map[string]int{}
	for i, v := range r.Versions {
		watched := v.Watched()
		for _, op := range watched {
			owner[string(op.Name)] = i
		}
		operations = append(operations, watched...)
		all = append(all, Report{Version: v, State: v.State(now), Watched: len(watched)})
	}
	if r.Book == nil || len(operations) == 0 {
		return all, false, nil
	}
	if err := r.Counter.Save(ctx); err != nil {
		return nil, false, err
	}
	names := namesOf(operations)
	since, watched := r.Book.Watched(ctx, names)
	callers, err := r.Book.Callers(ctx, names, midnight(dayOf(now)-int64(days)+1), limit+1)
	if err := errors.Join(watched, err); err != nil {
		return nil, false, err
	}
	if more = len(callers) > limit; more {
		callers = callers[:limit]
	}
	for _, c := range callers {
		i := owner[c.Operation]
		all[i].Callers = append(all[i].Callers, c)
	}
	for i := range all {
		all[i].Since = latest(all[i].Version, since)
	}
	return all, more, nil
}

// latest gives from when on all that is watched of a version is counted.
func latest(v *Version, since map[string]time.Time) (at time.Time) {
	for _, op := range v.Watched() {
		one, counted := since[string(op.Name)]
		if !counted {
			return time.Time{}
		}
		if one.After(at) {
			at = one
		}
	}
	return at
}
