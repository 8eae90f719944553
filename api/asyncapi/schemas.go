package asyncapi

import "banyan.dev/banyan/protocol"

// The schemas of headers.
const (
	rowHeaders    = "RowHeaders"
	entityHeaders = "EntityHeaders"
	fenceHeaders  = "FenceHeaders"
)

const versionPattern = `^[0-9a-f]{4}-[0-9a-f]{8}-[0-9a-f]{12}-[0-9a-f]{8,9}$`

func text(description string) object { return object{"type": "string", "description": description} }

func list(of any, description string) object {
	return object{"type": "array", "items": of, "description": description}
}

// headers describes the headers of messages: CloudEvents' attributes, as docs/events.md has them.
func (b *builder) headers() {
	of := func(more object, required ...string) object {
		properties := object{
			"cloudEvents:specversion":   object{"const": "1.0"},
			"cloudEvents:id":            text("The same each time a message is sent."),
			"cloudEvents:source":        text("/mirrors/NAME."),
			"cloudEvents:type":          text("What it is."),
			"cloudEvents:banyanversion": object{"type": "string", "pattern": versionPattern, "description": "Orders states: the greater text, byte by byte, is the newer one."},
			"cloudEvents:banyanterm":    text("Which leader of the mirror has sent it, counted up at each takeover."),
		}
		for name, schema := range more {
			properties[name] = schema
		}
		return object{"type": "object", "properties": properties, "required": append([]string{
			"cloudEvents:specversion", "cloudEvents:id", "cloudEvents:source", "cloudEvents:type", "cloudEvents:banyanversion", "cloudEvents:banyanterm",
		}, required...)}
	}
	if b.o.Exchange != "" || b.o.History != "" {
		b.schemas[rowHeaders] = of(object{"CC": list(object{"type": "string"}, "Further routing keys, of renames and cascades only.")})
	}
	if len(b.o.Services) > 0 {
		b.schemas[entityHeaders] = of(nil)
		b.schemas[fenceHeaders] = of(object{
			"reply_to":       text("The AMQP property: the queue that the answer goes to."),
			"correlation_id": text("The AMQP property: the fence's id, which the answer has, too."),
		}, "reply_to", "correlation_id")
	}
}

// entitySchema is the body of an entity event: protocol.EntityEvent.
func entitySchema(full string) object {
	return object{
		"type": "object",
		"properties": object{
			"entity": object{"const": full}, "id": text("Identifies it."), "key": text("What its requests are routed by; absent where it was deleted."),
			"origin": object{
				"enum":        []any{protocol.OriginLegacy, protocol.OriginForeign, protocol.OriginWriteBack, protocol.OriginAnnounce},
				"description": "A call through Banyan, a change behind its back, the service's own write brought to legacy, or legacy's state told anew.",
			},
			"version": object{"type": "string", "pattern": versionPattern}, "event": text("The message's CloudEvents id."),
			"deleted": object{"type": "boolean", "description": "Legacy doesn't have it (any more)."},
			"data":    ref("schemas", full),
			"proto":   object{"type": "string", "contentEncoding": "base64", "description": "In place of data: the message in protobuf's wire form, for a service with format: protobuf."},
		},
		"required": []string{"entity", "id", "origin", "version"},
	}
}

// fences describes fences and their answers: protocol.Fence and protocol.Answer.
func (b *builder) fences() {
	b.message(protocol.TypeFence, protocol.TypeFence, "Fence", "A marker behind all that was committed before it.", fenceHeaders, object{
		"type": "object",
		"properties": object{
			"id": text("Identifies it; a repetition has the same."), "service": text("Whom it asks."), "capability": text("Which capability it is about; empty when it only measures."),
			"epoch":     object{"type": "integer", "minimum": 0, "description": "From the answer on, the service refuses writes of the capability that were decided under a lower one."},
			"partition": object{"type": "integer", "minimum": 0, "description": "Which of its copies this is."},
			"back": object{
				"type": "boolean", "description": "All keys of the capability are legacy's again: what the service wrote itself under lower epochs is its own no longer. Absent when not so.",
			},
			"void": list(object{"type": "string"}, "Ids of live writes that are given up."),
		},
		"required": []string{"id", "service", "capability", "epoch"},
	})
	b.message("answer", "answer", "Answer", "The service has applied all before the fence.", answerHeaders, object{
		"type": "object",
		"properties": object{
			"fence": text("The fence's id."), "service": text("Who answers."),
			"parked":     list(object{"type": "string"}, "Keys with parked events."),
			"more":       object{"type": "boolean", "description": "There are others."},
			"committed":  object{"type": "object", "additionalProperties": list(object{"type": "string"}, "Ids of its entities."), "description": "The fence's void writes that the service had committed."},
			"partitions": list(object{"type": "integer"}, "Those that it answers for."),
			"error":      text("Why the service could not do what the fence asks; empty when it could."),
		},
		"required": []string{"fence", "service"},
	})
	b.schemas[answerHeaders] = object{"type": "object", "properties": object{"correlation_id": text("The AMQP property: the fence's id.")}, "required": []string{"correlation_id"}}
	b.add("answers", object{
		"address": nil, "title": "Answers to fences", "servers": b.on("amqp"),
		"description": "A queue of each Banyan process, which RabbitMQ names: a fence's reply_to.",
	}, []string{"answer"}, "", nil)
	b.operations["hear.answers"] = object{
		"action": "receive", "channel": object{"$ref": "#/channels/answers"}, "messages": []any{object{"$ref": "#/channels/answers/messages/answer"}},
	}
}

const answerHeaders = "AnswerHeaders"
