// Package canal is what a team would write by hand to send a table's changes to RabbitMQ: go-mysql's canal, encoding/json
// and amqp091 with a window of publisher confirms. Beside it stands the same log only decoded, which is the limit for
// whoever reads it with go-mysql.
//
// It keeps its position after the confirms, and no message is taken for sent that nobody takes. It knows neither types
// that JSON would distort nor DDL nor other leaders, as hand-written mirrors rarely do.
package canal
