// Command oldshop plays the example's old shop: fill makes its tables and rows, run goes on writing to them, and taxes tells what
// is in no contract.
package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/go-sql-driver/mysql"

	"banyan.dev/banyan/examples/shop/generate"
	"banyan.dev/banyan/examples/shop/oldshop"
	"banyan.dev/banyan/examples/shop/schema"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := command(ctx, os.Args[1:], os.Getenv, os.Stderr)
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return
	}
	stop()
	fmt.Fprintln(os.Stderr, "oldshop:", err)
	os.Exit(1) //nolint:gocritic // stop has run.
}

const usage = `usage: oldshop fill [--dsn DSN] [--seed N] [--customers N] [--products N] [--orders N]
       oldshop run  [--dsn DSN] [--seed N] [--rate N]
       oldshop taxes [--seed N] [--products N]

fill makes the old shop's tables in an empty database, and rows in them.
run goes on writing to them as the old application does, until it is interrupted.
taxes prints the percent of tax of each product that fill makes, as orders --taxes reads it.

Without --dsn the database is the one that the environment's BANYAN_LEGACY_DSN names.

`

// dsnVariable names the database where --dsn does not.
const dsnVariable = "BANYAN_LEGACY_DSN"

func command(ctx context.Context, args []string, env func(string) string, out io.Writer) error {
	flags := flag.NewFlagSet("oldshop", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.Usage = func() { fmt.Fprint(out, usage); flags.PrintDefaults() }
	// The environment's DSN is no default of the flag: the help would show its password.
	dsn := flags.String("dsn", "", "go-sql-driver data source `name`, such as user:password@tcp(127.0.0.1:3306)/shop")
	seed := flags.Uint64("seed", 1, "chooses the data, or the actions")
	customers := flags.Int("customers", 10_000, "fill: `number` of customers")
	products := flags.Int("products", 2_000, "fill: `number` of products")
	orders := flags.Int("orders", 50_000, "fill: `number` of orders")
	rate := flags.Float64("rate", 5, "run: actions in a second")
	name := ""
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		name, args = args[0], args[1:]
	}
	if err := flags.Parse(args); err != nil {
		return err
	}
	switch {
	case name == "help":
		flags.Usage()
		return nil
	case name == "":
		return errors.New("say what to do, fill, run or taxes; oldshop --help tells more")
	case name != "fill" && name != "run" && name != "taxes":
		return fmt.Errorf("there is no command %q; it is fill, run or taxes", name)
	case flags.NArg() > 0:
		return fmt.Errorf("%s takes flags only, but was given %q", name, flags.Arg(0))
	case name == "taxes":
		return taxes(os.Stdout, generate.Options{Seed: *seed, Products: exactly(*products), Customers: -1, Orders: -1})
	case *dsn == "":
		*dsn = env(dsnVariable)
	}
	config, err := mysql.ParseDSN(*dsn)
	if err != nil {
		return fmt.Errorf("--dsn or %s: %w", dsnVariable, err)
	}
	if config.DBName == "" {
		return fmt.Errorf("--dsn or %s has to name a database: user:password@tcp(127.0.0.1:3306)/shop", dsnVariable)
	}
	db, err := sql.Open("mysql", *dsn)
	if err != nil {
		return fmt.Errorf("--dsn or %s: %w", dsnVariable, err)
	}
	defer db.Close() //nolint:errcheck // The program ends.
	log := slog.New(slog.NewTextHandler(out, nil))
	if name == "run" {
		return run(ctx, db, oldshop.Options{Seed: *seed, Rate: *rate, Log: log}, out)
	}
	options := generate.Options{Seed: *seed, Customers: exactly(*customers), Products: exactly(*products), Orders: exactly(*orders)}
	begin := time.Now()
	if err := fill(ctx, db, config.DBName, options); err != nil {
		return err
	}
	log.Info("filled", "customers", *customers, "products", *products, "orders", *orders, "took", time.Since(begin).Round(time.Millisecond))
	return nil
}

// tableExists is MySQL's error for a table that is there already.
const tableExists = 1050

func fill(ctx context.Context, db *sql.DB, name string, options generate.Options) error {
	err := schema.Create(ctx, db)
	var refused *mysql.MySQLError
	if errors.As(err, &refused) && refused.Number == tableExists {
		return fmt.Errorf("the database %[1]s is filled already, at least in part (%[2]s); to start anew, "+
			"DROP DATABASE %[1]s; CREATE DATABASE %[1]s CHARACTER SET utf8mb4; and fill it again", name, refused.Message)
	}
	if err != nil {
		return err
	}
	return generate.Generate(ctx, db, options)
}

// taxes prints what the new order service has to be told of products.
func taxes(out io.Writer, options generate.Options) error {
	percents, err := generate.Taxes(options)
	if err != nil {
		return err
	}
	in := json.NewEncoder(out)
	in.SetIndent("", "  ")
	return in.Encode(percents)
}

// run plays the old shop, and tells every few seconds what it has done since.
func run(ctx context.Context, db *sql.DB, options oldshop.Options, out io.Writer) error {
	fmt.Fprintln(out, "The old shop is open; Ctrl-C closes it.")
	t := newTally(out, time.Now)
	options.Done = t.add
	err := oldshop.Run(ctx, db, options)
	t.tell()
	return err
}

// exactly says 0 as generate.Options does, where zero is the default and a negative number is none.
func exactly(n int) int {
	if n == 0 {
		return -1
	}
	return n
}
