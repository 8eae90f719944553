// Command oldshop plays the example's old shop: fill makes its tables and rows, run goes on writing to them.
package main

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	_ "github.com/go-sql-driver/mysql"

	"banyan.dev/banyan/examples/shop/generate"
	"banyan.dev/banyan/examples/shop/oldshop"
	"banyan.dev/banyan/examples/shop/schema"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command(ctx, os.Args[1:], os.Stderr); err != nil {
		stop()
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "oldshop:", err)
		}
		os.Exit(1) //nolint:gocritic // stop has run.
	}
}

const usage = `usage: oldshop fill --dsn DSN [--seed N] [--customers N] [--products N] [--orders N]
       oldshop run  --dsn DSN [--seed N] [--rate N]

fill makes the old shop's tables in an empty database, and rows in them.
run goes on writing to them as the old application does, until it is interrupted.
`

func command(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("oldshop", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.Usage = func() { fmt.Fprint(out, usage); flags.PrintDefaults() }
	dsn := flags.String("dsn", os.Getenv("BANYAN_LEGACY_DSN"), "go-sql-driver data source name; by default BANYAN_LEGACY_DSN")
	seed := flags.Uint64("seed", 1, "chooses the data, or the actions")
	customers := flags.Int("customers", 10_000, "fill: number of customers")
	products := flags.Int("products", 2_000, "fill: number of products")
	orders := flags.Int("orders", 50_000, "fill: number of orders")
	rate := flags.Float64("rate", 5, "run: actions in a second")
	if len(args) == 0 {
		flags.Usage()
		return flag.ErrHelp
	}
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	db, err := sql.Open("mysql", *dsn)
	if err != nil {
		return fmt.Errorf("--dsn: %w", err)
	}
	defer db.Close() //nolint:errcheck // The program ends.
	log := slog.New(slog.NewTextHandler(out, nil))
	switch args[0] {
	case "fill":
		begin := time.Now()
		if err := schema.Create(ctx, db); err != nil {
			return err
		}
		options := generate.Options{Seed: *seed, Customers: exactly(*customers), Products: exactly(*products), Orders: exactly(*orders)}
		if err := generate.Generate(ctx, db, options); err != nil {
			return err
		}
		log.Info("filled", "customers", *customers, "products", *products, "orders", *orders, "took", time.Since(begin).Round(time.Millisecond))
		return nil
	case "run":
		return oldshop.Run(ctx, db, oldshop.Options{Seed: *seed, Rate: *rate, Log: log})
	default:
		flags.Usage()
		return fmt.Errorf("there is no command %q", args[0])
	}
}

// exactly says 0 as generate.Options does, where zero is the default and a negative number is none.
func exactly(n int) int {
	if n == 0 {
		return -1
	}
	return n
}
