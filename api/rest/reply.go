package rest

import (
	"bytes"
	"context"
	"net/http"
	"time"

	"banyan.dev/banyan/api/edge"
	"banyan.dev/banyan/api/problem"
	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/strangler"
)

const (
	jsonType = "application/json"
	// streamType is that of JSON objects, one a line; it is what grpc-gateway says.
	streamType = jsonType
)

// appendReply writes a reply, or the field of it that response_body names.
func (rt *route) appendReply(buf *bytes.Buffer, wire []byte) error {
	var (
		out []byte
		err error
	)
	if rt.reply != nil {
		out, err = rt.plan.AppendField(buf.AvailableBuffer(), wire, rt.reply)
	} else {
		out, err = rt.plan.Append(buf.AvailableBuffer(), wire)
	}
	if err != nil {
		return err
	}
	buf.Write(out)
	return nil
}

// stream sends each reply as soon as it is there. One of them is in memory at a time; a slow caller slows the Backend,
// until the stream's time is over.
func (s *server) stream(ctx context.Context, w http.ResponseWriter, rt *route, call *strangler.Call) {
	ctx, cancel := context.WithTimeoutCause(ctx, s.streamTimeout, s.streamTooLong)
	defer cancel()
	control := http.NewResponseController(w)
	ended := unblock(ctx, control)
	started := false
	buf := s.buffer()
	defer func() { s.release(buf) }()
	failed := s.edge.Call(ctx, call, func(_ *contract.Payload, wire []byte) error {
		buf.Reset()
		buf.WriteString(`{"result":`)
		if err := rt.appendReply(buf, wire); err != nil {
			return err
		}
		buf.WriteString("}\n")
		if !started {
			started = true
			w.Header().Set("Content-Type", streamType)
			w.WriteHeader(http.StatusOK)
		}
		if _, err := w.Write(buf.Bytes()); err != nil {
			return edge.Unsent(ctx, err)
		}
		if err := control.Flush(); err != nil {
			return edge.Unsent(ctx, err)
		}
		return nil
	})
	ended()
	s.boundWrites(w)
	switch {
	case failed != nil && started:
		_, _ = w.Write(append(problem.JSON(problem.Status(failed), failed), '\n'))
		_ = control.Flush()
	case failed != nil:
		s.refuse(w, failed)
	case !started:
		w.Header().Set("Content-Type", streamType)
		w.WriteHeader(http.StatusOK)
	}
}

// unblock lets writes last as long as ctx, and no longer: one that waits for a caller who doesn't read fails when ctx
// ends. What it returns ends that; the writes' deadline is anyone's to set from then on.
func unblock(ctx context.Context, control *http.ResponseController) (ended func()) {
	if control.SetWriteDeadline(time.Time{}) != nil {
		return func() {} // a connection without deadlines, as in tests
	}
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(done)
		_ = control.SetWriteDeadline(time.Unix(1, 0)) // it could be set before
	})
	return func() {
		if !stop() {
			<-done
		}
	}
}

// boundWrites gives the caller of w from now on so long to receive what is written.
func (s *server) boundWrites(w http.ResponseWriter) {
	// It fails for connections without deadlines only, as in tests.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(s.writeTimeout))
}
