package rabbitmq

import (
	"encoding/binary"

	"banyan.dev/banyan/mirror/change"
)

// A stream keeps messages in the form of AMQP 1.0 (OASIS, part 3, section 3.2). What is sent by the native protocol is
// written as RabbitMQ writes what comes to a stream by AMQP 0-9-1, so that both are read alike: exchange and routing key are
// annotations, headers are application properties. Further routing keys, which RabbitMQ 3.10 leaves out, are an annotation, as
// RabbitMQ 4 has it.
const (
	annotationExchange = "x-exchange"
	annotationKey      = "x-routing-key"
	annotationMode     = "x-basic-delivery-mode"
	annotationAlso     = "x-cc"
)

// The types of AMQP 1.0, part 1, section 1.6, and the sections' descriptors.
const (
	amqpNull, amqpUbyte, amqpMillis             = 0x40, 0x50, 0x83
	amqpData8, amqpData32                       = 0xa0, 0xb0
	amqpString8, amqpString32, amqpSymbol8      = 0xa1, 0xb1, 0xa3
	amqpList32, amqpMap32                       = 0xd0, 0xd1
	sectionAnnotations, sectionProperties       = 0x72, 0x73
	sectionApplicationProperties, sectionOfData = 0x74, 0x75
)

// nativeSize is more than a message has when it is written, but for the length of its body.
func nativeSize(m *change.Message, exchange string) int {
	size := 512 + len(exchange) + len(m.Key) + len(m.ID) + len(m.Source) + len(m.Type) + len(m.Version) + len(m.Term) + len(m.ReplyTo) + len(m.CorrelationID)
	for _, also := range m.Also {
		size += 5 + len(also)
	}
	return size
}

// appendNativeMessage appends a message in the form that streams keep.
func appendNativeMessage(dst []byte, exchange string, m *change.Message) []byte {
	dst, start := beginCompound(dst, sectionAnnotations, amqpMap32)
	elements := 6
	dst = appendText(appendSymbol(dst, annotationExchange), exchange)
	dst = appendText(appendSymbol(dst, annotationKey), m.Key)
	dst = append(appendSymbol(dst, annotationMode), amqpUbyte, persistent)
	if len(m.Also) > 0 {
		elements += 2
		dst = append(appendSymbol(dst, annotationAlso), amqpList32, 0, 0, 0, 0, 0, 0, 0, 0)
		list := len(dst) - 8
		for _, also := range m.Also {
			dst = appendText(dst, also)
		}
		dst = endCompound(dst, list, len(m.Also))
	}
	dst = endCompound(dst, start, elements)

	dst, start = beginCompound(dst, sectionProperties, amqpList32)
	dst = append(dst, amqpNull, amqpNull, amqpNull, amqpNull) // message-id, user-id, to, subject
	dst = appendOptional(dst, m.ReplyTo)
	dst = appendOptional(dst, m.CorrelationID)
	dst = appendSymbol(dst, contentType)
	dst = append(dst, amqpNull, amqpNull) // content-encoding, absolute-expiry-time
	if m.Time.IsZero() {
		dst = append(dst, amqpNull)
	} else {
		// Whole seconds, as by AMQP 0-9-1.
		dst = binary.BigEndian.AppendUint64(append(dst, amqpMillis), uint64(m.Time.Unix()*1000)) //nolint:gosec // Times before 1970 are negative on the wire.
	}
	dst = endCompound(dst, start, 10)

	dst, start = beginCompound(dst, sectionApplicationProperties, amqpMap32)
	headers := 0
	for _, header := range [...]struct{ name, text string }{
		{headerSpec, specVersion},
		{headerID, m.ID},
		{headerSource, m.Source},
		{headerType, m.Type},
		{headerVersion, m.Version},
		{headerTerm, m.Term},
	} {
		if header.text != "" {
			dst = appendText(appendText(dst, header.name), header.text)
			headers++
		}
	}
	dst = endCompound(dst, start, 2*headers)

	dst = append(dst, 0, 0x53, sectionOfData)
	if len(m.Body) < 1<<8 {
		dst = append(dst, amqpData8, byte(len(m.Body)))
	} else {
		dst = binary.BigEndian.AppendUint32(append(dst, amqpData32), uint32(len(m.Body))) //nolint:gosec // It was checked.
	}
	return append(dst, m.Body...)
}

// beginCompound begins a section that is a list or a map; endCompound puts in how large it is and how many elements it has.
func beginCompound(dst []byte, section, kind byte) (out []byte, start int) {
	dst = append(dst, 0, 0x53, section, kind)
	return append(dst, 0, 0, 0, 0, 0, 0, 0, 0), len(dst)
}

func endCompound(dst []byte, start, elements int) []byte {
	binary.BigEndian.PutUint32(dst[start:], uint32(len(dst)-start-4)) //nolint:gosec // It was checked.
	binary.BigEndian.PutUint32(dst[start+4:], uint32(elements))       //nolint:gosec // The same.
	return dst
}

func appendSymbol(dst []byte, text string) []byte {
	return append(append(dst, amqpSymbol8, byte(len(text))), text...)
}

func appendText(dst []byte, text string) []byte {
	if len(text) < 1<<8 {
		return append(append(dst, amqpString8, byte(len(text))), text...)
	}
	dst = binary.BigEndian.AppendUint32(append(dst, amqpString32), uint32(len(text))) //nolint:gosec // It was checked.
	return append(dst, text...)
}

func appendOptional(dst []byte, text string) []byte {
	if text == "" {
		return append(dst, amqpNull)
	}
	return appendText(dst, text)
}
