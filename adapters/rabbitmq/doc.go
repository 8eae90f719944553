// Package rabbitmq takes messages to RabbitMQ, and reads them back from the history stream.
//
// A Sink is a change.Sink: it declares the topic exchange and the history stream, checks what is there already, and
// sends with confirms. A ServiceSink does so for the exchange of one service, whose queue is the service's own, and Answers
// receives what services answer to fences. OpenHistory and Tail read the stream, SendTo puts messages into one queue again, and Match tells
// which routing keys a pattern takes.
//
// amqp091-go connects, declares, consumes, and keeps the connection alive. What is done for every message, the frames
// of basic.publish and of basic.ack, is done here, below it: amqp091-go makes a system call for each message that is
// sent, allocates and looks up several times for each one that is confirmed, and drops a notice, even that of a returned
// message, when nobody has taken it within five seconds. See docs/decisions.
//
// What messages say is the mirror's work.
package rabbitmq
