package admin

import (
	"context"

	"google.golang.org/grpc/codes"

	adminv1 "banyan.dev/banyan/proto/banyan/admin/v1"
	"banyan.dev/banyan/strangler"
	"banyan.dev/banyan/strangler/retirement"
)

// Days of which calls are counted.
const (
	usualDays = 30
	maxDays   = 400
)

// ListVersions lists the contract's versions.
func (s *service) ListVersions(ctx context.Context, r *adminv1.ListVersionsRequest) (*adminv1.ListVersionsResponse, error) {
	return respond(ctx, s, []string{"days", "limit"}, func(ctx context.Context) (*adminv1.ListVersionsResponse, error) {
		if s.versions == nil {
			return nil, strangler.Fail(codes.FailedPrecondition, adminv1.ReasonNoFacade,
				"this process does not serve the contract (its --roles are others); ask one that does")
		}
		days := int(r.GetDays())
		switch {
		case days < 0 || days > maxDays:
			return nil, strangler.Invalid("days", "%d is out of range: it is 1 to %d, or 0 for %d", days, maxDays, usualDays)
		case days == 0:
			days = usualDays
		}
		limit, err := limitOf(r.GetLimit())
		if err != nil {
			return nil, err
		}
		all, more, err := s.versions.Report(ctx, days, limit)
		if err != nil {
			return nil, err
		}
		out := &adminv1.ListVersionsResponse{Days: int32(days), More: more}
		for i := range all {
			out.Versions = append(out.Versions, versionMessage(&all[i]))
		}
		return out, nil
	})
}

func versionMessage(r *retirement.Report) *adminv1.Version {
	v := r.Version
	out := &adminv1.Version{
		Package: string(v.Package), Translates: string(v.Of), State: string(r.State), Deprecated: instant(v.Deprecated), Sunset: instant(v.Sunset),
		RefusedAfterSunset: v.Refuse, Link: v.Link, Operations: count(len(v.Operations)), Watched: count(r.Watched), CountedSince: instant(r.Since),
	}
	for _, c := range r.Callers {
		out.Callers = append(out.Callers, &adminv1.Caller{Operation: c.Operation, Client: c.Client, Agent: c.Agent, Calls: c.Calls, Last: instant(c.Last)})
	}
	return out
}
