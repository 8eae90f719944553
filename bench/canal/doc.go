// Package canal is what a team would write by hand to send a table's changes to RabbitMQ: go-mysql's canal, encoding/json
// and amqp091 with a window of publisher confirms. Beside it stands the same log only decoded, which is the limit for
// whoever reads it with go-mysql.
//
// It is also what a team would write by hand to send orders with their lines, which it reads once the log tells that they have
// changed, one by one or many at once. It reads them as they are at that moment, in no snapshot of which it knew what it contains.
//
// It keeps its position after the confirms, and no message is taken for sent that nobody takes. It knows neither types
// that JSON would distort nor DDL nor other leaders, as hand-written mirrors rarely do.
package canal
