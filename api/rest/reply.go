package rest

import (
	"bytes"
	"context"
	"net/http"

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

// stream sends each reply as soon as it is there. One of them is in memory at a time; a slow caller slows the Backend.
func (s *server) stream(ctx context.Context, w http.ResponseWriter, rt *route, call *strangler.Call) {
	control := http.NewResponseController(w)
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
			return gone(ctx, err)
		}
		if err := control.Flush(); err != nil {
			return gone(ctx, err)
		}
		return nil
	})
	switch {
	case failed != nil && started:
		_, _ = w.Write(append(errorJSON(httpStatus(failed), failed), '\n'))
		_ = control.Flush()
	case failed != nil:
		s.refuse(w, failed)
	case !started:
		w.Header().Set("Content-Type", streamType)
		w.WriteHeader(http.StatusOK)
	}
}

// gone says that the caller hung up, by the context's error where it has noticed already.
func gone(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return strangler.AsError(context.Canceled).WithCause(err)
}
