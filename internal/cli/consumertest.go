package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"banyan.dev/banyan/consumer/conformance"
	"banyan.dev/banyan/internal/app"
	"banyan.dev/banyan/internal/config"
)

// conformanceFlags say which service is held against the protocol, and how.
type conformanceFlags struct {
	serviceFlags
	service, capability, broker string
	entity, id, key, get        string
	states                      []string
	write, request              string
	format, grow                string
	within                      time.Duration
	confirm                     bool
}

// brokerVariable names the broker where --broker does not: its address may have a password.
const brokerVariable = "BANYAN_BROKER_URL"

func newConsumerTest(sys System) *cobra.Command {
	var f conformanceFlags
	cmd := &cobra.Command{
		Use:   "test [HOST:PORT] --service NAME --broker URL --state FILE",
		Short: "Hold a running service, in any language, against the protocol",
		Long: `Play Banyan against a running service, in any language and on any store: send entity
events and fences down its own exchange, make live writes, and read back by the
entity's Get what came of them. Each promise of docs/consuming.md is printed with
PASS or FAIL, and what to do about it.

Run it ONLY against a service that is fed by nothing else, with a store that is thrown
away afterwards: it leaves entities behind, and raises the capability's epoch so far
that writes of a real flag would be refused. Start the service on a virtual host of
its own, and name that with --broker or BANYAN_BROKER_URL; the config's own broker is
refused without --confirm.

The service is asked at HOST:PORT, or at the first address of services.NAME.target.
The config says what its capability's entity and key are, and where the contract is.

--state names files with valid states of one entity as its Get would give it, in JSON,
one each or several in an array; at least two, which differ in more than id and key.
The test puts ids and keys of its own in their place.

--write is an operation that writes, with --request as JSON. Where that has ${id}, it
changes entities that the test has told (best: then all promises are tried), else it
makes one, and its reply must be it. ${key} stands for a key of the test's.

--format protobuf tells it messages in protobuf's bytes, which is what it gets with
services.NAME.format; without the flag that says which.

--grow is a command of the shell that makes the service have more queues while it runs,
and returns once it has been asked: events and fences are sent meanwhile.

A service that takes nothing over is told of an entity of services.NAME.entities, and
has to serve its Get.

Exit codes: 0 no promise is broken, 1 one is, or a failure, 2 wrong command line.`,
		Example: "  banyan consumer test 127.0.0.1:9200 --service orders --broker amqp://guest:guest@127.0.0.1/try --state orders.json \\\n" +
			"      --write CancelOrder --request '{\"id\": \"${id}\"}'",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usageError{fmt.Errorf("%s takes the address of one service, but was given %d words", cmd.CommandPath(), len(args))}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				f.target = args[0]
			}
			return f.run(cmd.Context(), sys)
		},
	}
	f.cmd = cmd
	configFlag(cmd, &f.file)
	outputFlag(cmd, &f.output)
	cmd.Flags().StringVar(&f.service, "service", "", "the `NAME` of the service in banyan.yaml; not needed if there is one only")
	cmd.Flags().StringVar(&f.capability, "capability", "", "the `NAME` of its capability; not needed if there is one only")
	cmd.Flags().StringVar(&f.broker, "broker", "", "the `URL` of the virtual host that the service consumes; without it $BANYAN_BROKER_URL")
	cmd.Flags().StringArrayVar(&f.states, "state", nil, "a `FILE` with states of an entity in JSON; may be given several times (required)")
	cmd.Flags().StringVar(&f.write, "write", "", "an `OPERATION` that writes, in short or in full")
	cmd.Flags().StringVar(&f.request, "request", "", "its request, as `JSON`")
	cmd.Flags().StringVar(&f.format, "format", "", "how it is told: `json or protobuf`, instead of the config's services.NAME.format")
	cmd.Flags().StringVar(&f.grow, "grow", "", "a shell `COMMAND` that makes the service have more queues")
	cmd.Flags().StringVar(&f.entity, "entity", "", "the `MESSAGE` that is told, instead of the capability's")
	cmd.Flags().StringVar(&f.id, "id", "id", "the entity's `FIELD` that identifies it")
	cmd.Flags().StringVar(&f.key, "key", "", "the entity's `FIELD` that is its key, instead of the capability's")
	cmd.Flags().StringVar(&f.get, "get", "", "the `OPERATION` that reads an entity; without it Get and the message's name")
	cmd.Flags().DurationVar(&f.within, "within", 30*time.Second, "how long to wait for the service, each time")
	cmd.Flags().BoolVar(&f.confirm, "confirm", false, "yes, with the config's own broker: the service gets nothing else, and its store is thrown away")
	return cmd
}

// verdicts is what the test writes as JSON.
type verdicts struct {
	Service string               `json:"service"`
	Passed  int                  `json:"passed"`
	Failed  int                  `json:"failed"`
	Skipped int                  `json:"skipped"`
	Results []conformance.Result `json:"results"`
}

func (f *conformanceFlags) run(ctx context.Context, sys System) (err error) {
	if err := checkOutput(f.output); err != nil {
		return err
	}
	options, close, err := f.options(ctx, sys)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, close()) }()
	all := verdicts{Service: options.Service, Results: []conformance.Result{}}
	paint := colours(sys)
	if err := conformance.Run(ctx, options, func(r conformance.Result) {
		all.Results = append(all.Results, r)
		switch r.Verdict {
		case conformance.Pass:
			all.Passed++
		case conformance.Fail:
			all.Failed++
		case conformance.Skip:
			all.Skipped++
		}
		if f.output != "json" {
			_ = write(sys.Stdout, verdictLines(paint, r)) // the last line is looked at
		}
	}); err != nil {
		return err
	}
	line := fmt.Sprintf("%s: %d promises kept, %d broken, %d not tried\n", options.Service, all.Passed, all.Failed, all.Skipped)
	if f.output == "json" {
		text, err := json.Marshal(all)
		if err != nil {
			return fmt.Errorf("write the results as JSON: %w", err)
		}
		line = string(text) + "\n"
	}
	if err := write(sys.Stdout, line); err != nil {
		return err
	}
	if all.Failed > 0 {
		return errReported
	}
	return nil
}

func verdictLines(p paint, r conformance.Result) string {
	colour := map[conformance.Verdict]string{conformance.Pass: green, conformance.Fail: red, conformance.Skip: yellow}[r.Verdict]
	text := p.in(colour, string(r.Verdict)) + "  " + r.Promise + "\n"
	if r.Detail != "" {
		text += "      " + printable(r.Detail) + "\n"
	}
	if r.Do != "" {
		text += "      do:  " + r.Do + "\n      see: " + r.See + "\n"
	}
	return text
}

// options finds out what is tried; close closes the connection.
func (f *conformanceFlags) options(ctx context.Context, sys System) (o conformance.Options, close func() error, err error) {
	if o.Broker = f.broker; o.Broker == "" {
		o.Broker, _ = sys.LookupEnv(brokerVariable)
	}
	switch {
	case o.Broker == "":
		return o, nil, usageError{errors.New("--broker is missing: name the virtual host that the service consumes, or set BANYAN_BROKER_URL")}
	case (f.write == "") != (f.request == ""):
		return o, nil, usageError{errors.New("--write and --request go together: an operation, and its request as JSON")}
	case f.format != "" && f.format != string(conformance.JSON) && f.format != string(conformance.Protobuf):
		return o, nil, usageError{fmt.Errorf("--format %s: it is json or protobuf", f.format)}
	case len(f.states) == 0:
		return o, nil, usageError{errors.New("--state is missing: name a file with at least two states of an entity, as its Get would give it, in a JSON array")}
	}
	if o.States, err = readStates(f.states); err != nil {
		return o, nil, err
	}
	cfg, _ := config.Load(f.file, sys.LookupEnv) // what else is wrong with it does not matter
	c, err := app.LoadContract(ctx, f.file, sys.LookupEnv)
	if err != nil {
		return o, nil, err
	}
	if cfg.Broker.URL.Reveal() == o.Broker && !f.confirm {
		return o, nil, errors.New("the broker is the config's own, by which real events come: start the service on a virtual host of its own, or say --confirm if it gets nothing else and its store is thrown away")
	}
	if err := f.bind(cfg, c.Contract, &o); err != nil {
		return o, nil, err
	}
	target, err := f.address(o.Service, sys.LookupEnv)
	if err != nil {
		return o, nil, err
	}
	conn, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDisableServiceConfig(),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(mostParkedEvent)))
	if err != nil {
		return o, nil, usageError{fmt.Errorf("%s is no address: %w", target, err)}
	}
	o.Conn, o.Within = conn, f.within
	if f.grow != "" {
		o.Grow = func(ctx context.Context) error { return shell(ctx, sys, f.grow) }
	}
	return o, conn.Close, nil
}

// shell runs a command that its user has written. What it leaves running is its own affair.
func shell(ctx context.Context, sys System, command string) error {
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	cmd.Stdout, cmd.Stderr = sys.Stderr, sys.Stderr
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	switch {
	case errors.Is(err, exec.ErrWaitDelay):
		return nil
	case err != nil && ctx.Err() != nil:
		return fmt.Errorf("the command %q did not return in time: let it start what lasts longer in the background", command)
	case err != nil:
		return fmt.Errorf("the command %q: %w", command, err)
	}
	return nil
}

// mostStates bounds a file of states, in bytes.
const mostStates = 64 << 20

// readStates reads files of states, one each or several in an array.
func readStates(files []string) (out []json.RawMessage, err error) {
	for _, name := range files {
		info, err := os.Stat(name)
		if err != nil {
			return nil, fmt.Errorf("--state: %w", err)
		}
		if info.Size() > mostStates {
			return nil, fmt.Errorf("--state %s: it is larger than 64 MiB", name)
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("--state: %w", err)
		}
		if text = bytes.TrimSpace(text); !bytes.HasPrefix(text, []byte("[")) {
			text = slices.Concat([]byte("["), text, []byte("]"))
		}
		var some []json.RawMessage
		if err := json.Unmarshal(text, &some); err != nil {
			return nil, fmt.Errorf("--state %s: it has neither a JSON object nor an array of them: %w", name, err)
		}
		out = append(out, some...)
	}
	if len(out) < 2 {
		return nil, usageError{fmt.Errorf("--state: there is %d state; two are needed, which differ in more than id and key", len(out))}
	}
	return out, nil
}

// short gives the last part of a full name.
func short(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }
