package strangler

import (
	"fmt"
	"strconv"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"banyan.dev/banyan/contract"
)

// IDText gives a message's field as the text that identifies an entity: texts as they are, integers in decimal. It is
// empty where the field is empty or 0, which identifies nothing, and where it is of another kind or not the message's.
func IDText(m protoreflect.Message, field protoreflect.FieldDescriptor) string {
	own := m.Descriptor().Fields().ByNumber(field.Number())
	if own == nil || own.FullName() != field.FullName() || own.IsList() || own.IsMap() || !m.Has(own) {
		return ""
	}
	v := m.Get(own)
	switch n := v.Interface().(type) {
	case string:
		return n
	case int32, int64:
		if v.Int() != 0 {
			return strconv.FormatInt(v.Int(), 10)
		}
	case uint32, uint64:
		if v.Uint() != 0 {
			return strconv.FormatUint(v.Uint(), 10)
		}
	}
	return ""
}

// Request makes the request that reads the entity with an id, as IDText gives it.
func (e *Entity) Request(id string) (*contract.Payload, error) {
	v, err := idValue(e.GetID, id)
	if err != nil {
		return nil, fmt.Errorf("%q is no id of %s: %w", id, e.Message.FullName(), err)
	}
	m := dynamicpb.NewMessage(e.Get.Input)
	m.Set(e.GetID, v)
	return contract.FromMessage(m), nil
}

func idValue(field protoreflect.FieldDescriptor, id string) (v protoreflect.Value, err error) {
	switch field.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(id), nil
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		n, err := strconv.ParseInt(id, 10, 32)
		return protoreflect.ValueOfInt32(int32(n)), err
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		n, err := strconv.ParseInt(id, 10, 64)
		return protoreflect.ValueOfInt64(n), err
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		n, err := strconv.ParseUint(id, 10, 32)
		return protoreflect.ValueOfUint32(uint32(n)), err
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		n, err := strconv.ParseUint(id, 10, 64)
		return protoreflect.ValueOfUint64(n), err
	default:
		return v, fmt.Errorf("%s is neither a text nor an integer", field.FullName())
	}
}

// idInRequest gives the id of the entity that a request is about, "" where only the reply tells.
func (r *Route) idInRequest(request *contract.Payload) (string, error) {
	if r == nil || r.EntityID == nil {
		return "", nil
	}
	m, err := request.Message()
	if err != nil {
		return "", err
	}
	return IDText(m, r.EntityID), nil
}

// idInReply gives the id of the entity that a reply is.
func (e *Entity) idInReply(reply *contract.Payload) (string, error) {
	if got := reply.Descriptor().FullName(); got != e.Message.FullName() {
		return "", fmt.Errorf("neither the request nor the reply, a %s, says which %s it is about", got, e.Message.FullName())
	}
	m, err := reply.Message()
	if err != nil {
		return "", err
	}
	id := IDText(m, e.ID)
	if id == "" {
		return "", fmt.Errorf("modern's reply is a %s without %s", e.Message.FullName(), e.ID.Name())
	}
	return id, nil
}
