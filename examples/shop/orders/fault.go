package orders

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"

	"banyan.dev/banyan/protocol"
)

// domain is that of the contract's own reasons.
const domain = "shop.v2"

// fail makes an error of the contract.
func fail(code codes.Code, reason, format string, args ...any) error {
	return withDetails(status.New(code, fmt.Sprintf(format, args...)), &errdetails.ErrorInfo{Domain: domain, Reason: reason})
}

// invalid makes an INVALID_ARGUMENT about a field of the request; an empty field names none.
func invalid(reason, field, format string, args ...any) error {
	what := fmt.Sprintf(format, args...)
	info := &errdetails.ErrorInfo{Domain: protocol.ErrorDomain, Reason: reason}
	if field == "" {
		return withDetails(status.New(codes.InvalidArgument, "a value in the request "+what), info)
	}
	return withDetails(status.New(codes.InvalidArgument, field+": "+what), info,
		&errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{{Field: field, Description: what}}})
}

func withDetails(st *status.Status, details ...protoadapt.MessageV1) error {
	full, err := st.WithDetails(details...)
	if err != nil { // only OK can't carry details
		return st.Err()
	}
	return full.Err()
}

// field makes an error about a field whose value is none that it may have.
func field(name, format string, args ...any) error {
	return invalid("INVALID_FIELD", name, format, args...)
}

// What is said of texts that the old shop can't hold.
const (
	tooLong     = "is too long; give a shorter one"
	notStorable = "can't be stored as it is, such as a text that is no date or a character that the field can't hold; change it"
)

// noOrder is for an id that no order has.
func noOrder(id int64) error {
	return fail(codes.NotFound, "ORDER_NOT_FOUND", "there is no order %d; ListOrders gives those that there are", id)
}

// seen gives an error as callers see it: the contract's and the kit's as they are, the rest without its cause, which is logged.
func (s *Service) seen(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if _, is := status.FromError(err); is {
		if status.Code(err) == codes.Unavailable {
			s.logger.WarnContext(ctx, "a call could not be served now", "error", err)
		}
		return err
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return status.FromContextError(err).Err()
	}
	s.logger.ErrorContext(ctx, "a call failed", "error", err)
	return status.Error(codes.Internal, "something went wrong in the order service; its log names the cause")
}
