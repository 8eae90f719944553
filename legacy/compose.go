package legacy

import (
	"cmp"
	"context"
	"database/sql/driver"
	"fmt"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"banyan.dev/banyan/legacy/value"
	"banyan.dev/banyan/strangler"
)

// columnOfID is what .last_insert_id and .rows look like as a column.
var columnOfID = value.Column{Name: "last_insert_id", Type: "BIGINT"}

// columnOfText is what a claim looks like as a column.
var columnOfText = value.Column{Name: "claim", Type: "VARCHAR"}

// column gives the column that a parameter's value is like, for the parameters that are no fields.
func (p *param) column() value.Column {
	switch {
	case p.from != nil && (p.origin == fromColumn || p.origin == fromElement):
		return p.from.captureColumn(p.slot)
	case p.origin == fromClaim:
		return columnOfText
	default:
		return columnOfID
	}
}

// compose builds a message from parameters.
func compose(r *run, md protoreflect.MessageDescriptor, fields []assignment) (protoreflect.Message, error) {
	m := dynamicpb.NewMessage(md)
	for _, a := range fields {
		if err := a.set(r, m); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// set gives the field its value. A field of the request goes over as it is; any other value is converted as a column
// would be.
func (a *assignment) set(r *run, m protoreflect.Message) error {
	leaf := a.path[len(a.path)-1]
	if a.param.leaf != nil {
		v := a.param.field(r)
		if !v.IsValid() {
			return nil
		}
		parent := m
		for _, fd := range a.path[:len(a.path)-1] {
			parent = parent.Mutable(fd).Message()
		}
		if leaf.IsList() && v.List().Len() == 0 || leaf.IsMap() && v.Map().Len() == 0 {
			return nil
		}
		parent.Set(leaf, v)
		return nil
	}
	v, err := a.param.scalar(r)
	if err != nil {
		return err
	}
	return a.convert(r.backend.program.codec, m, v)
}

// convert encodes a driver value as the field and merges it into m.
func (a *assignment) convert(codec *value.Codec, m protoreflect.Message, v driver.Value) error {
	enc, err := codec.Encoder(a.param.column(), a.path[len(a.path)-1])
	if err != nil {
		return err
	}
	b, err := enc(nil, v)
	if err != nil {
		return a.unrepresentable(err)
	}
	for i := len(a.path) - 2; i >= 0 && len(b) > 0; i-- {
		outer := protowire.AppendTag(nil, a.path[i].Number(), protowire.BytesType)
		b = protowire.AppendBytes(outer, b)
	}
	return proto.UnmarshalOptions{Merge: true}.Unmarshal(b, m.Interface())
}

func (a *assignment) unrepresentable(err error) error {
	return strangler.Fail(codes.Internal, "UNREPRESENTABLE_VALUE", "a value can't be expressed in the contract; the log names it under the request id").
		WithCause(fmt.Errorf("%s: %w", a.param.ast, err))
}

// field gives the value of a parameter that is a field.
func (p *param) field(r *run) protoreflect.Value {
	switch {
	case p.origin == fromElement:
		return r.element.value(p.path)
	case r.values != nil:
		return r.values[p.place]
	default:
		return fieldValue(r.request, p.path)
	}
}

// encodeDirectly readies the fields of a :reply that need no message in between: values whose column is known now, each
// into a field of the reply itself. It leaves the others as they are, and all where there is one of those.
func (b *binder) encodeDirectly(s *statement) {
	fields := slices.Clone(s.fields)
	for i := range fields {
		a := &fields[i]
		switch a.param.origin {
		case fromInsertID, fromMatched, fromNumber:
		default:
			return
		}
		if len(a.path) != 1 {
			return
		}
		var err error
		if a.encode, err = b.program.codec.Encoder(a.param.column(), a.path[0]); err != nil {
			return // it is reported when the program is verified
		}
	}
	slices.SortStableFunc(fields, func(a, b assignment) int { return cmp.Compare(a.path[0].Number(), b.path[0].Number()) })
	s.fields, s.direct = fields, len(fields) > 0
}

// encodeReply fills the reply from parameters, straight into its wire form.
func (s *statement) encodeReply(r *run) error {
	res := &r.results[s.index]
	b := res.buf[:0]
	for i := range s.fields {
		a := &s.fields[i]
		v, err := a.param.scalar(r)
		if err != nil {
			return err
		}
		if b, err = a.encode(b, v); err != nil {
			return a.unrepresentable(err)
		}
	}
	res.rows, res.buf, res.ends = 1, b, append(res.ends[:0], len(b))
	r.size += len(b)
	return nil
}

// runReply fills the reply from parameters.
func (s *statement) runReply(r *run) error {
	if s.direct {
		return s.encodeReply(r)
	}
	m, err := compose(r, s.op.output, s.fields)
	if err != nil {
		return err
	}
	b, err := proto.Marshal(m.Interface())
	if err != nil {
		return err
	}
	r.results[s.index].give(b)
	r.size += len(b)
	return r.bounded()
}

// runCall answers by another operation, on the same connection and in the same transaction.
func (s *statement) runCall(ctx context.Context, r *run) error {
	req, err := compose(r, s.call.op.input, s.call.args)
	if err != nil {
		return err
	}
	sub, err := r.backend.start(s.call.op, r.call, input{message: req})
	if err != nil {
		return err
	}
	defer sub.free()
	sub.conn = r.conn
	if err := sub.statements(ctx); err != nil {
		return err
	}
	b, err := sub.reply()
	if err != nil {
		return err
	}
	r.results[s.index].give(b)
	r.size += len(b)
	return r.bounded()
}

// give makes b the one row of the result.
func (r *result) give(b []byte) {
	r.rows = 1
	r.buf = append(r.buf[:0], b...)
	r.ends = append(r.ends[:0], len(r.buf))
}
