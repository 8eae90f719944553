package cli

import (
	"errors"

	"github.com/spf13/cobra"

	"banyan.dev/banyan/internal/cli/demo"
)

func newDemo(sys System) *cobra.Command {
	var o demo.Options
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Run the example shop behind Banyan, on private servers",
		Long: `Run the example shop behind Banyan, on private servers, in the foreground: MariaDB
with the old shop's data, RabbitMQ, the old application that goes on writing, two
replicas of Banyan, a new order service that they can move the orders to, and
clients. When all is ready, addresses and commands to try are printed, and
--ready-file is written as JSON: rest, grpc and admin (host:port), second_rest and
second_admin, orders, legacy_dsn, amqp_url, and config (the path of its
banyan.yaml).

Everything is in --dir. The data is made once; another start with the same
directory uses it again; its other files are written anew. One demo at a time runs
in a directory. SIGTERM or SIGINT ends it all.

Exit codes: 0 ended by a signal, 1 a failure, 2 wrong command line.`,
		Example: "  banyan demo --dir .cache/demo --ready-file .cache/demo/ready.json\n  banyan demo --dir big --customers 10000 --orders 50000",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.Dir == "" {
				return usageError{errors.New("--dir is missing: name a directory for the demo's data")}
			}
			if o.Customers < 0 || o.Orders < 0 {
				return usageError{errors.New("--customers and --orders are numbers from 1; 0 is the usual size")}
			}
			o.Out, o.Log, o.LookupEnv, o.Version, o.Abort = sys.Stdout, sys.Stderr, sys.LookupEnv, sys.build().Version, sys.abort
			o.Program = sys.Program
			return demo.Run(cmd.Context(), o)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.Dir, "dir", "", "`DIR` that keeps data, files and logs (required)")
	flags.StringVar(&o.ReadyFile, "ready-file", "", "`FILE` to write when all is ready")
	flags.IntVar(&o.Customers, "customers", 0, "`N` customers to make (0: the generator's default)")
	flags.IntVar(&o.Orders, "orders", 0, "`N` orders to make (0: the generator's default)")
	flags.BoolVar(&o.FreePorts, "free-ports", false, "listen on any free ports, even where 8080, 9090 and 9091 are free")
	return cmd
}
