package edge_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http/httptest"
	"sync"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/emptypb"

	"banyan.dev/banyan/api/edge/edgetest"
	apigrpc "banyan.dev/banyan/api/grpc"
	"banyan.dev/banyan/api/rest"
)

// The same fault is the same error over gRPC and over REST: code, message and details.
func TestBothEdgesGiveTheSameErrors(t *testing.T) {
	c := edgetest.Contract(t)
	server := apigrpc.New(c, edgetest.Echo{}, apigrpc.Options{})
	lis := bufconn.Listen(1 << 16)
	var served sync.WaitGroup
	served.Go(func() {
		if err := server.Serve(lis); err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	conn, err := grpc.NewClient("passthrough:///test", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return lis.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	defer served.Wait()
	defer func() { _ = server.Shutdown(context.Background()) }()
	defer func() { _ = conn.Close() }()
	h, err := rest.New(c, edgetest.Echo{}, rest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	faults := []int{edgetest.FailPanic, edgetest.FailPlain, edgetest.FailDeadline, edgetest.FailNoReply, edgetest.FailTwoReplies}
	for n := range 16 {
		faults = append(faults, n+1)
	}
	for _, fault := range faults {
		in := dynamicpb.NewMessage(c.Message("test.v1.FailRequest"))
		in.Set(in.Descriptor().Fields().ByName("code"), protoreflect.ValueOfInt32(int32(fault)))
		st := status.Convert(conn.Invoke(t.Context(), "/test.v1.AllService/Fail", in, &emptypb.Empty{}))
		want := map[string]any{"status": code.Code(st.Code()).String(), "message": st.Message()}
		var details []any
		for _, d := range st.Proto().GetDetails() {
			b, err := protojson.Marshal(d)
			if err != nil {
				t.Fatal(err)
			}
			var v any
			if err := json.Unmarshal(b, &v); err != nil {
				t.Fatal(err)
			}
			details = append(details, v)
		}
		want["details"] = details

		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", fmt.Sprintf("/v1/fail/%d", fault), nil))
		var got struct{ Error map[string]any }
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatalf("%d: %v", fault, err)
		}
		delete(got.Error, "code") // HTTP's
		if g, w := fmt.Sprint(got.Error), fmt.Sprint(want); g != w {
			t.Errorf("%d:\nREST %s\ngRPC %s", fault, g, w)
		}
	}
}
