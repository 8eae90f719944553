package rabbitmq

import (
	"regexp"
	"strconv"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"
)

// AMQP doesn't tell how large a message may be (max_message_size of rabbitmq.conf; 128 MiB before RabbitMQ 4, 16 MiB from then
// on): one that is larger ends the channel, and with it what others were on their way.

// raiseMost says what to do about a message that is too large.
const raiseMost = "raise max_message_size in rabbitmq.conf and start RabbitMQ again, or let the contract have less in it"

// tooLarge is how RabbitMQ says it.
var tooLarge = regexp.MustCompile(`message size \d+ is larger than (?:the )?(?:configured )?max(?:imum)? size (\d+)`)

// mostOf gives how large a message may be where that is why a channel has ended.
func mostOf(err *amqp.Error) (most int, ok bool) {
	if err.Code != amqp.PreconditionFailed {
		return 0, false
	}
	m := tooLarge.FindStringSubmatch(err.Reason)
	if m == nil {
		return 0, false
	}
	most, wrong := strconv.Atoi(m[1])
	return most, wrong == nil && most > 0
}

// limit is how large a message may be, as far as it is known. It holds for the feed that is opened next: when that ends for
// another reason, such as a restart of the broker, it may be another.
type limit struct {
	mu   sync.Mutex
	most int
}

func (l *limit) learn(most int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.most = most
}

// take gives it for a feed; 0 where it is not known.
func (l *limit) take() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	most := l.most
	l.most = 0
	return most
}
