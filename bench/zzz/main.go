// Package main is scratch.
package main

import (
	"context"
	"fmt"
	"os"
	"sort"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"banyan.dev/banyan/adapters/rabbitmq"
	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/mirror/change"
)

func main() {
	ctx := context.Background()
	b, err := devstack.StartBroker(ctx, devstack.BrokerOptions{})
	if err != nil {
		panic(err)
	}
	defer b.Stop(ctx)
	pidText, err := b.Control(ctx, "eval", "os:getpid().")
	if err != nil {
		panic(err)
	}
	pid := strings.Trim(strings.TrimSpace(pidText), "\"")
	beam := func() float64 {
		text, err := os.ReadFile("/proc/" + pid + "/stat")
		if err != nil {
			panic(err)
		}
		f := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+2:]))
		var u, s float64
		fmt.Sscan(f[11], &u)
		fmt.Sscan(f[12], &s)
		return (u + s) * 10000 // µs
	}
	body := func(n int) []byte { return []byte(`{"x":"` + strings.Repeat("a", n) + `"}`) }
	t := time.Now()
	full := change.Message{Key: "row.orders.insert", ID: "0-1-4711:7", Source: "/mirrors/x", Type: "dev.banyan.row.insert.v1", Subject: "orders/12345", Time: t,
		Version: "0001-0000000c-000000003039-00000007", Origin: "foreign", Term: "1", Body: body(500)}
	four := full
	four.Subject, four.Version, four.Origin, four.Term, four.Time = "", "", "", "", time.Time{}
	six := full
	six.Subject, six.Origin, six.Term = "", "", ""
	none := change.Message{Key: full.Key, Body: full.Body}
	small := full
	small.Body = body(200)
	nonesmall := none
	nonesmall.Body = body(200)
	big := full
	big.Body = body(1000)
	type v struct {
		name string
		m    change.Message
		w    int
	}
	vs := []v{{"full 4096", full, 4096}, {"full 1000", full, 1000}, {"six 1000", six, 1000}, {"four 1000", four, 1000}, {"none 1000", none, 1000},
		{"full body 200", small, 1000}, {"none body 200", nonesmall, 1000}, {"full body 1000", big, 1000}}
	kinds := []string{"stream", "classic", "quorum"}
	if len(os.Args) > 1 {
		kinds = os.Args[1:]
	}
	const n = 30000
	for _, kind := range kinds {
		res, cpu := map[string][]float64{}, map[string][]float64{}
		for r := 0; r < 5; r++ {
			for _, x := range vs {
				c, _ := amqp.Dial(b.URL(""))
				ch, _ := c.Channel()
				ch.ExchangeDeclare("e", "topic", true, false, false, false, nil)
				if _, err := ch.QueueDeclare("q", true, false, false, false, amqp.Table{"x-queue-type": kind}); err != nil {
					panic(err)
				}
				ch.QueueBind("q", "#", "e", false, nil)
				s, err := rabbitmq.NewSink(rabbitmq.Options{Connection: rabbitmq.Connection{URL: b.URL("")}, Exchange: "e", Window: x.w})
				if err != nil {
					panic(err)
				}
				f, err := s.Open(ctx)
				if err != nil {
					panic(err)
				}
				t := time.Now()
				c0 := beam()
				for i := 0; i < n; i++ {
					if err := f.Send(ctx, &x.m); err != nil {
						panic(err)
					}
				}
				if err := f.Flush(ctx); err != nil {
					panic(err)
				}
				res[x.name] = append(res[x.name], n/time.Since(t).Seconds())
				cpu[x.name] = append(cpu[x.name], (beam()-c0)/n)
				f.Close()
				ch.QueueDelete("q", false, false, false)
				c.Close()
			}
		}
		for _, x := range vs {
			sort.Float64s(res[x.name])
			sort.Float64s(cpu[x.name])
			fmt.Printf("%s %-18s cpu %.1f (%.1f-%.1f) median %.0f max %.0f min %.0f\n", kind, x.name, cpu[x.name][2], cpu[x.name][0], cpu[x.name][4], res[x.name][2], res[x.name][4], res[x.name][0])
		}
	}
}
