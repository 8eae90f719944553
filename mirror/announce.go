package mirror

import (
	"context"
	"errors"

	"banyan.dev/banyan/strangler/backfill"
)

// Announcer tells a service of entities that it is to have anew.
type Announcer interface {
	// Announce does a part of a job: some entities behind job.Reached, or all that are left. It answers once the service has applied
	// them, which may take as long as the service is away; meanwhile it calls waits about once a second, with what it waits for, and
	// ends with its error, which says that the job is not to go on. It changes Reached, Done and Total, and says whether it was the
	// last part. What can't be mended by trying again is an *UnreadableError.
	Announce(ctx context.Context, job *backfill.Job, waits func(ctx context.Context, note string) error) (last bool, err error)
}

// announce does a service's backfill, part by part.
func (s *session) announce(ctx context.Context, job *backfill.Job) error {
	for {
		if why := s.behind(job); why != "" {
			job.Note = why
			if err := s.keep(ctx, job); err != nil {
				return err
			}
			if wait(ctx, s.o.Fills.every()); ctx.Err() != nil {
				return ctx.Err()
			}
			continue
		}
		job.Note = ""
		last, err := s.o.Fills.Announcer.Announce(ctx, job, func(ctx context.Context, note string) error {
			now := *job
			now.Note = note
			err := s.keep(ctx, &now)
			if err != nil && !errors.Is(err, errStopped) && ctx.Err() == nil {
				s.o.Logger.Warn("what a backfill waits for can't be kept", "backfill", job.ID, "waits", note, "cause", err)
				return nil // to end would be to tell the same entities again
			}
			return err
		})
		if err != nil || last {
			return err
		}
		if err := s.keep(ctx, job); err != nil {
			return err
		}
	}
}
