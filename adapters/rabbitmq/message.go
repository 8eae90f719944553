package rabbitmq

import (
	"encoding/binary"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"

	"banyan.dev/banyan/mirror/change"
)

// headerPrefix stands before an attribute's name, as the AMQP binding of CloudEvents 1.0 says, section 3.1.3
// (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/amqp-protocol-binding.md).
const headerPrefix = "cloudEvents:"

// specVersion is that of CloudEvents.
const specVersion = "1.0"

// The attributes, and how a message names further routing keys. Properties that would say the same again stay empty: each costs
// a broker some microseconds for every message.
const (
	headerSpec    = headerPrefix + "specversion"
	headerID      = headerPrefix + "id"
	headerSource  = headerPrefix + "source"
	headerType    = headerPrefix + "type"
	headerVersion = headerPrefix + "banyanversion"
	headerTerm    = headerPrefix + "banyanterm"
	headerAlso    = "CC"
)

const (
	contentType = "application/json"
	persistent  = 2
)

// The flags of a message's properties, in the order in which the properties follow.
const (
	flagContentType   = 1 << 15
	flagHeaders       = 1 << 13
	flagDeliveryMode  = 1 << 12
	flagCorrelationID = 1 << 10
	flagReplyTo       = 1 << 9
	flagTimestamp     = 1 << 6
)

// check says what of a message AMQP can't carry. What is wrong stays wrong.
func check(m *change.Message, key string, frame int) error {
	size := 256 + len(headerPrefix)*6 + len(m.CorrelationID) + len(m.ReplyTo) + len(m.ID) + len(m.Source) + len(m.Type) + len(m.Version) + len(m.Term)
	longest := key
	for _, also := range m.Also {
		size += 5 + len(also)
		if len(also) > len(longest) {
			longest = also
		}
	}
	key = longest
	var what string
	switch {
	case len(key) > maxShort:
		what = fmt.Sprintf("the routing key %.40q… has %d bytes, and may have %d", key, len(key), maxShort)
	case len(m.CorrelationID) > maxShort || len(m.ReplyTo) > maxShort:
		what = fmt.Sprintf("the event %q asks for an answer by a name of more than %d bytes", m.ID, maxShort)
	case size > frame:
		what = fmt.Sprintf("the attributes of the event %q have %d bytes together, and may have %d", m.ID, size, frame)
	default:
		return nil
	}
	return &change.StopError{What: what, Fix: "leave the table out of the mirror's scope, or give it shorter names"}
}

// appendPublish appends the frames of basic.publish for a message that was checked.
func appendPublish(dst []byte, channel uint16, exchange, key string, m *change.Message, frame int, mandatory bool) []byte {
	dst, start := beginFrame(dst, frameMethod, channel)
	dst = append(dst, 0, classBasic, 0, 40, 0, 0)
	dst = appendShort(dst, exchange)
	dst = appendShort(dst, key)
	if mandatory {
		dst = append(dst, 1)
	} else {
		dst = append(dst, 0)
	}
	dst = endFrame(dst, start)

	dst, start = beginFrame(dst, frameHeader, channel)
	dst = append(dst, 0, classBasic, 0, 0)
	dst = binary.BigEndian.AppendUint64(dst, uint64(len(m.Body)))
	dst = appendProperties(dst, m)
	dst = endFrame(dst, start)

	for body := m.Body; len(body) > 0; {
		part := body[:min(len(body), frame-frameEdge)]
		body = body[len(part):]
		dst, start = beginFrame(dst, frameBody, channel)
		dst = append(dst, part...)
		dst = endFrame(dst, start)
	}
	return dst
}

func appendProperties(dst []byte, m *change.Message) []byte {
	flags := uint16(flagContentType | flagHeaders | flagDeliveryMode)
	if !m.Time.IsZero() {
		flags |= flagTimestamp
	}
	if m.CorrelationID != "" {
		flags |= flagCorrelationID
	}
	if m.ReplyTo != "" {
		flags |= flagReplyTo
	}
	dst = binary.BigEndian.AppendUint16(dst, flags)
	dst = appendShort(dst, contentType)
	dst = appendHeaders(dst, m)
	dst = append(dst, persistent)
	if m.CorrelationID != "" {
		dst = appendShort(dst, m.CorrelationID)
	}
	if m.ReplyTo != "" {
		dst = appendShort(dst, m.ReplyTo)
	}
	if !m.Time.IsZero() {
		dst = binary.BigEndian.AppendUint64(dst, uint64(m.Time.Unix())) //nolint:gosec // AMQP's times before 1970 are as amqp091-go's.
	}
	return dst
}

func appendHeaders(dst []byte, m *change.Message) []byte {
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	dst = appendHeader(dst, headerSpec, specVersion)
	dst = appendHeader(dst, headerID, m.ID)
	dst = appendHeader(dst, headerSource, m.Source)
	dst = appendHeader(dst, headerType, m.Type)
	dst = appendHeader(dst, headerVersion, m.Version)
	dst = appendHeader(dst, headerTerm, m.Term)
	dst = appendAlso(dst, m.Also)
	binary.BigEndian.PutUint32(dst[start:], uint32(len(dst)-start-4)) //nolint:gosec // It was checked.
	return dst
}

func appendHeader(dst []byte, name, text string) []byte {
	if text == "" {
		return dst
	}
	dst = append(appendShort(dst, name), 'S')
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(text))) //nolint:gosec // It was checked.
	return append(dst, text...)
}

// appendAlso appends further routing keys, as RabbitMQ's extension for them has it
// (https://www.rabbitmq.com/docs/sender-selected).
func appendAlso(dst []byte, keys []string) []byte {
	if len(keys) == 0 {
		return dst
	}
	dst = append(appendShort(dst, headerAlso), 'A', 0, 0, 0, 0)
	start := len(dst)
	for _, key := range keys {
		dst = binary.BigEndian.AppendUint32(append(dst, 'S'), uint32(len(key))) //nolint:gosec // It was checked.
		dst = append(dst, key...)
	}
	binary.BigEndian.PutUint32(dst[start-4:], uint32(len(dst)-start)) //nolint:gosec // The same.
	return dst
}

func appendShort(dst []byte, text string) []byte {
	return append(append(dst, byte(len(text))), text...)
}

func beginFrame(dst []byte, kind byte, channel uint16) (out []byte, start int) {
	return append(dst, kind, byte(channel>>8), byte(channel), 0, 0, 0, 0), len(dst)
}

func endFrame(dst []byte, start int) []byte {
	binary.BigEndian.PutUint32(dst[start+3:], uint32(len(dst)-start-frameEdge+1)) //nolint:gosec // At most frameMax.
	return append(dst, frameEnd)
}

// fromDelivery reads a message as it comes from a queue. What a foreign message lacks stays empty.
func fromDelivery(d *amqp.Delivery) change.Message {
	text := func(name, otherwise string) string {
		if s, ok := d.Headers[name].(string); ok && s != "" {
			return s
		}
		return otherwise
	}
	m := change.Message{
		Key: d.RoutingKey, ID: text(headerID, d.MessageId), Source: text(headerSource, ""), Type: text(headerType, d.Type),
		Time: d.Timestamp, Version: text(headerVersion, ""), Term: text(headerTerm, ""), ReplyTo: d.ReplyTo, CorrelationID: d.CorrelationId, Body: d.Body,
	}
	if also, ok := d.Headers[headerAlso].([]any); ok {
		for _, key := range also {
			if text, ok := key.(string); ok {
				m.Also = append(m.Also, text)
			}
		}
	}
	if !m.Time.IsZero() {
		m.Time = m.Time.UTC()
	}
	return m
}
