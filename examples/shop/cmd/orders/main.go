// Command orders is the example's new order service.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"banyan.dev/banyan/examples/shop/orders"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := command(ctx, os.Args[1:], os.Getenv, os.Stderr)
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return
	}
	stop()
	fmt.Fprintln(os.Stderr, "orders:", err)
	os.Exit(1) //nolint:gocritic // stop has run.
}

const usage = `usage: orders --db FILE --banyan HOST:PORT[,HOST:PORT…] [flags]

orders serves shop.v2.OrderService on a SQLite database, is fed by Banyan's entity events, and takes live writes from Banyan,
until it is interrupted.

`

// brokerVariable names the broker where --broker does not: its address may have a password.
const brokerVariable = "BANYAN_BROKER_URL"

func command(ctx context.Context, args []string, env func(string) string, out io.Writer) error {
	flags := flag.NewFlagSet("orders", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.Usage = func() { fmt.Fprint(out, usage); flags.PrintDefaults() }
	o := orders.Options{}
	flags.StringVar(&o.Listen, "listen", "127.0.0.1:9200", "`address` to serve gRPC on; port 0 is a free one")
	flags.StringVar(&o.Database, "db", "", "`file` of the SQLite database, made where it is missing")
	broker := flags.String("broker", "", "RabbitMQ's `URL`; "+brokerVariable+" where it is not given; none consumes no events")
	banyan := flags.String("banyan", "", "gRPC `addresses` of Banyan's facade, for customers and products")
	flags.StringVar(&o.Name, "service", "orders", "the service's `name` in banyan.yaml")
	flags.StringVar(&o.Capability, "capability", "orders", "the capability's `name` in banyan.yaml")
	flags.IntVar(&o.Queues, "queues", 4, "how many `processes` can take events at the same time: 1, 2, 4, 8, 16, 32 or 64; it only grows")
	config := flags.String("config", "", "`file` with fees, currencies, countries and taxes in JSON, instead of the example's")
	taxes := flags.String("taxes", "", "`file` with the percent of tax by article number in JSON, such as oldshop taxes prints")
	flags.BoolVar(&o.TagsOnly, "banyan-only", false, "refuse writes that don't come through Banyan")
	level := flags.String("log", "info", "least `level` to log: debug, info, warn, error")
	flags.StringVar(&o.ReadyFile, "ready-file", "", "`file` to write once it serves, with the address in JSON")
	flags.DurationVar(&o.Delay, "delay", 0, "for trials: hold replies back for so long")
	flags.IntVar(&o.DelayShare, "delay-share", 100, "for trials: `percent` of replies to hold back")
	if err := flags.Parse(args); err != nil {
		return err
	}
	switch {
	case flags.NArg() > 0:
		return fmt.Errorf("it takes flags only, but was given %q; orders --help shows them", flags.Arg(0))
	case o.Database == "":
		return errors.New("--db is missing: say where the database is to be")
	case *banyan == "":
		return errors.New("--banyan is missing: say where Banyan's facade is, such as 127.0.0.1:9090")
	}
	if o.Broker = *broker; o.Broker == "" {
		o.Broker = env(brokerVariable)
	}
	o.Facade = strings.Split(*banyan, ",")
	var least slog.Level
	if err := least.UnmarshalText([]byte(*level)); err != nil {
		return fmt.Errorf("--log %q: it is debug, info, warn or error", *level)
	}
	o.Logger = slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: least}))
	var err error
	if o.Config, err = readConfig(*config, *taxes); err != nil {
		return err
	}
	service, err := orders.Open(ctx, o)
	if err != nil {
		return err
	}
	return errors.Join(service.Serve(ctx), service.Close())
}

// readConfig reads the configuration's files.
func readConfig(config, taxes string) (*orders.Config, error) {
	c, err := orders.DefaultConfig()
	if config != "" {
		text, reading := os.ReadFile(config)
		if reading != nil {
			return nil, fmt.Errorf("--config: %w", reading)
		}
		c, err = orders.ParseConfig(text)
	}
	if err != nil || taxes == "" {
		return c, err
	}
	text, err := os.ReadFile(taxes)
	if err != nil {
		return nil, fmt.Errorf("--taxes: %w", err)
	}
	if err := c.AddTaxes(text); err != nil {
		return nil, fmt.Errorf("--taxes: %w", err)
	}
	return c, nil
}
