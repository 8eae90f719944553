package change

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Source reads a database's log. Its methods may be called concurrently.
type Source interface {
	// Tail gives the end of the log, on the server that answers now.
	Tail(ctx context.Context) (Position, error)
	// Behind gives how many bytes of log lie between a position and the end. For a position of another server that is
	// ErrServers.
	Behind(ctx context.Context, p Position) (bytes uint64, err error)
	// Open goes on from a position, which must not be zero. When the server is not the position's own, it goes on from
	// the position's GTIDs, and Stream.Server tells. ctx bounds opening only. What makes going on impossible is a
	// *StopError; all else may pass.
	Open(ctx context.Context, from Position) (Stream, error)
}

// Stream gives a log's events in order. It is for one goroutine, save Close.
type Stream interface {
	// Server identifies the server that is read, as in Position.Server.
	Server() string
	// Next gives the next event. It blocks until there is one, until ctx ends, or until the stream is closed. The event and
	// all that it has, but for Rows.Table, is valid until the next call of Next. After an error there are no more events;
	// what a person has to look at is a *StopError.
	Next(ctx context.Context) (Event, error)
	// Close ends the stream and waits for what it has started. It may be called twice, and while Next waits.
	Close() error
}

// Sink takes messages to where consumers get them.
type Sink interface {
	// Open connects, declares what is missing and checks what is there. ctx bounds opening only. What a person has to
	// look at, such as a queue of another kind, is a *StopError; all else may pass.
	Open(ctx context.Context) (Feed, error)
}

// Feed takes messages in order. Send and Flush are for one goroutine; the other methods may be called by any.
type Feed interface {
	// Send hands a message over. It blocks while too much is unconfirmed. Nothing of the message is kept once it returns.
	// An error is final: the feed's messages that are not confirmed may have arrived or not, and have to be sent again.
	// A message that nobody takes is a *StopError. A *TooLargeError alone is not final: nothing of that message was sent, and
	// others may be.
	Send(ctx context.Context, m *Message) error
	// Flush waits until all that was sent is confirmed. Its error is as Send's.
	Flush(ctx context.Context) error
	// Confirmed counts messages, from the first on without a gap, that are safe.
	Confirmed() uint64
	// Status says how it goes.
	Status() FeedStatus
	// Failed is closed when the feed has failed. Send and Flush then say why.
	Failed() <-chan struct{}
	// Close ends the feed without waiting for confirms. It may be called twice.
	Close() error
}

// FeedStatus is a feed's state for people and metrics.
type FeedStatus struct {
	// Sent, Confirmed and Returned count messages since the feed was opened. Bytes counts the bodies of those sent.
	Sent, Confirmed, Returned, Bytes uint64
	// Blocked is why the broker takes nothing at present, such as a lack of memory; empty when it does.
	Blocked string
	// Oldest is how long the first unconfirmed message has waited.
	Oldest time.Duration
}

// Message is an event in the form of CloudEvents 1.0, ready to be sent.
type Message struct {
	// Key is the routing key, at most 255 bytes. Also are further ones: whoever takes any of them gets the message once.
	Key  string
	Also []string
	// ID, Source and Type are the context attributes of those names. Subject and time, which are optional, and whose the
	// change is are in the body only: each attribute costs a broker microseconds for every message.
	ID, Source, Type string
	// Time is when the change was committed.
	Time time.Time
	// Version and Term are extension attributes: the change's version as text, and which leader of the mirror sends it,
	// counted up at each takeover.
	Version, Term string
	// ReplyTo and CorrelationID ask for an answer, and where to; empty for most.
	ReplyTo, CorrelationID string
	// Body is JSON.
	Body []byte
}

// StopError is a condition that does not pass by waiting: the mirror stops, and a person decides.
type StopError struct {
	// What is wrong, and Fix, what to do about it, are for people.
	What, Fix string
	// Cause may be nil.
	Cause error
}

func (e *StopError) Error() string {
	text := e.What
	if e.Cause != nil {
		text += ": " + e.Cause.Error()
	}
	if e.Fix != "" {
		text += " (" + e.Fix + ")"
	}
	return text
}

func (e *StopError) Unwrap() error { return e.Cause }

// TooLargeError says that a message has more bytes than whoever takes messages takes of one.
type TooLargeError struct {
	Bytes, Most int
	// Fix, what to do about it, is for people.
	Fix string
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("its event has %d bytes, and the broker takes %d at most", e.Bytes, e.Most)
}

// Stops gives the StopError in err, or nil when err may pass.
func Stops(err error) *StopError {
	var stop *StopError
	if errors.As(err, &stop) {
		return stop
	}
	return nil
}
