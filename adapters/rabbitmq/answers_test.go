package rabbitmq_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	amqp "github.com/rabbitmq/amqp091-go"

	"banyan.dev/banyan/adapters/rabbitmq"
	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/protocol"
	"banyan.dev/banyan/strangler/control"
)

func receiveAnswers(t *testing.T, url string) *rabbitmq.Answers {
	t.Helper()
	answers, err := rabbitmq.NewAnswers(rabbitmq.Connection{URL: url, Name: "answers"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(within(t))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		answers.Run(ctx)
	}()
	t.Cleanup(func() { cancel(); <-ended })
	return answers
}

func answer(t *testing.T, channel *amqp.Channel, queue, fence string, a protocol.Answer) {
	t.Helper()
	body, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	if err := channel.PublishWithContext(t.Context(), "", queue, false, false, amqp.Publishing{CorrelationId: fence, Body: body}); err != nil {
		t.Fatal(err)
	}
}

func TestAnswersAreReceivedAgainAfterALostConnection(t *testing.T) {
	broker := devstack.OwnRabbitMQ(t)
	leaks(t)
	answers := receiveAnswers(t, broker.URL(""))
	connected := func(before string) {
		t.Helper()
		eventually(t, func() error {
			if q := answers.Queue(); q == "" || q == before {
				return fmt.Errorf("the queue is %q", q)
			}
			return nil
		})
	}
	connected("")
	before := answers.Queue()
	answer(t, dial(t, broker.URL("")), before, "a", protocol.Answer{Partitions: everywhere(), Fence: "a"})
	eventually(t, func() error {
		if _, ok := answers.Take("a"); !ok {
			return errors.New("no answer has come")
		}
		return nil
	})
	if _, err := broker.Control(within(t), "close_all_connections", "a test"); err != nil {
		t.Fatal(err)
	}
	connected(before)
	answer(t, dial(t, broker.URL("")), answers.Queue(), "b", protocol.Answer{Partitions: everywhere(), Fence: "b", Error: "why"})
	eventually(t, func() error {
		if b, ok := answers.Take("b"); !ok || b.Error != "why" {
			return errors.New("no answer has come")
		}
		return nil
	})
	if _, ok := answers.Take("a"); !ok {
		t.Error("the first answer is forgotten")
	}
}

func TestAnswersAreBounded(t *testing.T) {
	leaks(t)
	url := devstack.RabbitMQ(t).NewVHost(t)
	answers := receiveAnswers(t, url)
	eventually(t, func() error {
		if answers.Queue() == "" {
			return errors.New("there is no queue for answers")
		}
		return nil
	})
	channel := dial(t, url)
	arrived := func(fence string) {
		t.Helper()
		eventually(t, func() error {
			if _, ok := answers.Take(fence); !ok {
				return errors.New(fence + " has not come")
			}
			return nil
		})
	}
	for n := range 1002 {
		fence := fmt.Sprint(n % 1001) // 0 comes twice, and is new again then
		answer(t, channel, answers.Queue(), fence, protocol.Answer{Partitions: everywhere(), Fence: fence})
	}
	arrived("0")
	eventually(t, func() error {
		if _, ok := answers.Take("1"); ok {
			return errors.New("the oldest is still kept")
		}
		return nil
	})
	for _, fence := range []string{"0", "2", "1000"} {
		arrived(fence)
	}
	// By bytes, too; and what is larger than all room is none.
	many := make([]string, 70_000)
	for i := range many {
		many[i] = fmt.Sprintf("%0100d", i)
	}
	for _, fence := range []string{"x", "y", "z"} {
		answer(t, channel, answers.Queue(), fence, protocol.Answer{Partitions: everywhere(), Fence: fence, Committed: map[string][]string{"w": many}})
	}
	arrived("z")
	if _, ok := answers.Take("x"); ok {
		t.Error("more is kept than there is room for")
	}
	answer(t, channel, answers.Queue(), "w", protocol.Answer{Partitions: everywhere(), Fence: "w", Committed: map[string][]string{"w": slices.Concat(many, many, many)}})
	answer(t, channel, answers.Queue(), "other", protocol.Answer{Partitions: everywhere(), Fence: "v"})
	answer(t, channel, answers.Queue(), "last", protocol.Answer{Partitions: everywhere(), Fence: "last"})
	arrived("last")
	for _, fence := range []string{"w", "v", "other"} {
		if _, ok := answers.Take(fence); ok {
			t.Errorf("%s is an answer", fence)
		}
	}
}

// everywhere gives all partitions.
func everywhere() (all []int) {
	for p := range protocol.Partitions {
		all = append(all, p)
	}
	return all
}

// A fence is answered once all partitions are: what their answers say counts together.
func TestPartitionsAnswerTogether(t *testing.T) {
	leaks(t)
	url := devstack.RabbitMQ(t).NewVHost(t)
	answers := receiveAnswers(t, url)
	eventually(t, func() error {
		if answers.Queue() == "" {
			return errors.New("there is no queue for answers")
		}
		return nil
	})
	channel := dial(t, url)
	send := func(a protocol.Answer) { answer(t, channel, answers.Queue(), a.Fence, a) }
	all := everywhere()
	send(protocol.Answer{Fence: "f", Partitions: all[:40], Parked: []string{"b", "a"}, Committed: map[string][]string{"w": {"1"}}})
	send(protocol.Answer{Fence: "f", Partitions: all[:40], Parked: []string{"b"}}) // again
	send(protocol.Answer{Fence: "f", Partitions: all[41:], Parked: []string{"c"}, Committed: map[string][]string{"v": {"2"}}})
	send(protocol.Answer{Fence: "f"})
	send(protocol.Answer{Fence: "f", Partitions: []int{64}})
	send(protocol.Answer{Fence: "f", Partitions: []int{-1}})
	send(protocol.Answer{Fence: "e", Partitions: []int{3}, Error: "why"})
	eventually(t, func() error {
		if e, ok := answers.Take("e"); !ok || e.Error != "why" {
			return errors.New("an error has to be told at once")
		}
		return nil
	})
	if got, ok := answers.Take("f"); ok {
		t.Fatalf("partition 40 has not answered: %+v", got)
	}
	send(protocol.Answer{Fence: "f", Partitions: []int{40}})
	eventually(t, func() error {
		got, ok := answers.Take("f")
		want := control.FenceAnswer{Parked: []string{"a", "b", "c"}, Committed: map[string][]string{"w": {"1"}, "v": {"2"}}}
		if !ok {
			return errors.New("it is not complete")
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("(- want, + got):\n%s", diff)
		}
		return nil
	})
}

// Partitions that all name the same parked keys take the room of one, and what was taken stays as it is while others come.
func TestAnswersOfManyPartitionsTakeTheRoomOfOne(t *testing.T) {
	leaks(t)
	url := devstack.RabbitMQ(t).NewVHost(t)
	answers := receiveAnswers(t, url)
	eventually(t, func() error {
		if answers.Queue() == "" {
			return errors.New("there is no queue for answers")
		}
		return nil
	})
	channel := dial(t, url)
	parked := make([]string, protocol.MostParked)
	for i := range parked {
		parked[i] = fmt.Sprintf("%0500d", i)
	}
	for p := range protocol.Partitions {
		answer(t, channel, answers.Queue(), "f", protocol.Answer{Fence: "f", Partitions: []int{p}, Parked: parked, Committed: map[string][]string{"w": {"1"}}})
	}
	var taken control.FenceAnswer
	eventually(t, func() (err error) {
		var ok bool
		if taken, ok = answers.Take("f"); !ok {
			err = errors.New("it is not complete")
		}
		return err
	})
	if len(taken.Parked) != protocol.MostParked || taken.More {
		t.Errorf("%d are parked, and more: %v", len(taken.Parked), taken.More)
	}
	answer(t, channel, answers.Queue(), "f", protocol.Answer{Fence: "f", Partitions: []int{0}, Parked: []string{"!"}, Committed: map[string][]string{"v": {"2"}}})
	eventually(t, func() error {
		if again, _ := answers.Take("f"); len(again.Committed) < 2 {
			return errors.New("the last has not come")
		}
		return nil
	})
	if len(taken.Committed) != 1 || taken.Parked[0] != parked[0] {
		t.Errorf("what was taken has changed: %v, %.10s", taken.Committed, taken.Parked[0])
	}
}
