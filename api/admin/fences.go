package admin

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"

	adminv1 "banyan.dev/banyan/proto/banyan/admin/v1"
	"banyan.dev/banyan/strangler"
)

// FenceService times a fence.
func (s *service) FenceService(ctx context.Context, r *adminv1.FenceServiceRequest) (*adminv1.FenceServiceResponse, error) {
	return respond(ctx, s, nil, func(ctx context.Context) (*adminv1.FenceServiceResponse, error) {
		switch {
		case r.GetService() == "" || len(r.GetService()) > maxCapability:
			return nil, strangler.Invalid("service", "name one, in at most %d characters, as the config does", maxCapability)
		case s.fences == nil:
			return nil, strangler.Fail(codes.FailedPrecondition, adminv1.ReasonNoCapabilities,
				"no service has a stream that this process could send a fence down; name services and what they are told of in banyan.yaml, and ask a process with the role facade")
		}
		took, err := s.fences.Time(ctx, r.GetService())
		if err != nil {
			return nil, err
		}
		return &adminv1.FenceServiceResponse{Service: took.Service, Took: durationpb.New(took.Took), Parked: took.Parked, More: took.More}, nil
	})
}
