package admin

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"

	adminv1 "banyan.dev/banyan/proto/banyan/admin/v1"
	"banyan.dev/banyan/strangler"
	"banyan.dev/banyan/strangler/backfill"
)

// maxTargets bounds what one request may name.
const maxTargets = 1000

// filling is respond for what is about backfills.
func filling[T any](ctx context.Context, s *service, parameters []string, call func(context.Context) (T, error)) (T, error) {
	return respond(ctx, s, parameters, func(ctx context.Context) (out T, err error) {
		if s.backfills == nil {
			return out, strangler.Fail(codes.FailedPrecondition, adminv1.ReasonNoMirror,
				"this process runs no mirror (its --roles are others, or the config has no broker.url); ask one that does")
		}
		return call(ctx)
	})
}

// whoAsks gives who commands, as checkChange wants him.
func whoAsks(ctx context.Context) (string, error) {
	who := ""
	if a, ok := ctx.Value(askedKey{}).(*asked); ok {
		who = a.who
	}
	return who, checkWho(who)
}

// StartBackfills keeps what is to be sent.
func (s *service) StartBackfills(ctx context.Context, r *adminv1.StartBackfillsRequest) (*adminv1.StartBackfillsResponse, error) {
	return filling(ctx, s, nil, func(ctx context.Context) (*adminv1.StartBackfillsResponse, error) {
		who, err := whoAsks(ctx)
		if err != nil {
			return nil, err
		}
		if len(r.GetTargets()) > maxTargets {
			return nil, strangler.Invalid("targets", "name at most %d at once", maxTargets)
		}
		if lag := r.GetMaxLag(); lag != nil && lag.CheckValid() != nil {
			return nil, strangler.Invalid("max_lag", "it is no duration, such as 5s")
		}
		jobs, err := s.backfills.Start(ctx, backfill.Request{
			Targets: r.GetTargets(), All: r.GetAll(), Service: r.GetService(), Rate: r.GetRate(), MaxLag: r.GetMaxLag().AsDuration(), Who: who,
		})
		if err != nil {
			return nil, err
		}
		out := &adminv1.StartBackfillsResponse{}
		for i := range jobs {
			s.logger.InfoContext(ctx, "a backfill was asked for", "backfill", jobs[i].ID, "of", jobs[i].String(), "mirror", jobs[i].Mirror, "who", who)
			out.Backfills = append(out.Backfills, backfillMessage(&jobs[i]))
		}
		return out, nil
	})
}

// ListBackfills lists them.
func (s *service) ListBackfills(ctx context.Context, r *adminv1.ListBackfillsRequest) (*adminv1.ListBackfillsResponse, error) {
	return filling(ctx, s, []string{"limit"}, func(ctx context.Context) (*adminv1.ListBackfillsResponse, error) {
		limit, err := limitOf(r.GetLimit())
		if err != nil {
			return nil, err
		}
		jobs, err := s.backfills.List(ctx, limit)
		if err != nil {
			return nil, err
		}
		out := &adminv1.ListBackfillsResponse{}
		for i := range jobs {
			out.Backfills = append(out.Backfills, backfillMessage(&jobs[i]))
		}
		return out, nil
	})
}

// GetBackfill tells of one.
func (s *service) GetBackfill(ctx context.Context, r *adminv1.GetBackfillRequest) (*adminv1.Backfill, error) {
	return filling(ctx, s, nil, func(ctx context.Context) (*adminv1.Backfill, error) {
		job, err := s.backfills.Get(ctx, r.GetId())
		if err != nil {
			return nil, err
		}
		return backfillMessage(&job), nil
	})
}

// StopBackfill stops one.
func (s *service) StopBackfill(ctx context.Context, r *adminv1.StopBackfillRequest) (*adminv1.Backfill, error) {
	return filling(ctx, s, nil, func(ctx context.Context) (*adminv1.Backfill, error) {
		who, err := whoAsks(ctx)
		if err != nil {
			return nil, err
		}
		job, err := s.backfills.Stop(ctx, r.GetId(), who)
		if err != nil {
			return nil, err
		}
		s.logger.InfoContext(ctx, "a backfill is to stop", "backfill", job.ID, "of", job.String(), "state", string(job.State), "who", who)
		return backfillMessage(&job), nil
	})
}

func backfillMessage(j *backfill.Job) *adminv1.Backfill {
	return &adminv1.Backfill{
		Id: j.ID, Target: j.String(), Mirror: j.Mirror, State: string(j.State), Done: j.Done, Total: j.Total, Rate: j.Rate,
		MaxLag: durationpb.New(j.MaxLag), Note: j.Note, Who: j.Who, Created: instant(j.Created), Began: instant(j.Began), Changed: instant(j.Changed),
	}
}
