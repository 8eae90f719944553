package grpc_test

import (
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/emptypb"

	"banyan.dev/banyan/api/edge/edgetest"
	apigrpc "banyan.dev/banyan/api/grpc"
)

func TestARequestIDThatIsNotSaneIsReplaced(t *testing.T) {
	b := start(t, edgetest.Echo{}, apigrpc.Options{})
	for _, id := range []string{"", "two words", strings.Repeat("x", 200)} {
		var header metadata.MD
		ctx := metadata.AppendToOutgoingContext(t.Context(), "x-request-id", id)
		in := b.message(t, "test.v1.All", nil)
		if err := b.conn.Invoke(ctx, "/test.v1.AllService/Echo", in, dynamicpb.NewMessage(in.Descriptor()), grpc.Header(&header)); err != nil {
			t.Fatal(err)
		}
		if got := header.Get("x-request-id"); len(got) != 1 || got[0] == id || len(got[0]) < 16 {
			t.Errorf("for %q: %q", id, got)
		}
	}
}

func TestARequestIDOfOurOwnComesWithFailures(t *testing.T) {
	b := start(t, edgetest.Echo{}, apigrpc.Options{})
	for code, want := range map[codes.Code]int{codes.OK: 0, codes.NotFound: 1} {
		var header metadata.MD
		in := b.message(t, "test.v1.FailRequest", map[string]any{"code": int32(code)})
		err := b.conn.Invoke(t.Context(), "/test.v1.AllService/Fail", in, &emptypb.Empty{}, grpc.Header(&header))
		if (err != nil) != (code != codes.OK) {
			t.Errorf("%s: %v", code, err)
		}
		if got := header.Get("x-request-id"); len(got) != want || want > 0 && len(got[0]) < 16 {
			t.Errorf("%s: the header has %q", code, got)
		}
	}
}
