package cli

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"banyan.dev/banyan/internal/app"
	"banyan.dev/banyan/internal/config"
)

func newMirror(sys System) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "mirror",
		Short: "Change where the mirror reads, and time its streams",
		Args:  noArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newMirrorReset(sys), newMirrorFence(sys))
	return cmd
}

// resetTimeout bounds a reset.
const resetTimeout = 30 * time.Second

func newMirrorReset(sys System) *cobra.Command {
	var file, name, to string
	var confirm bool
	cmd := &cobra.Command{
		Use:   "reset",
		Short: "Let the mirror go on from another position, in a new epoch",
		Long: `Let the mirror go on from another position, in a new epoch: the way out when the
binlog that it still had to read is gone, or the legacy was restored from a backup.

Changes between the old position and the new one are not sent: every consumer needs
a fresh copy of the tables, and sees by the epoch in the versions that it does.
The stream of a service is a mirror, too: --name service.NAME. After its reset, the
service has to be filled anew. It goes back only while no key is at live.
A mirror that runs begins anew by itself. Without --confirm it only says what it would do.`,
		Example: "  banyan mirror reset\n  banyan mirror reset --to now --confirm\n  banyan mirror reset --to binlog.000012:4 --confirm\n  banyan mirror reset --name service.orders --confirm",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, faults := config.Load(file, sys.LookupEnv)
			if err := faults.Err(); err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), resetTimeout)
			defer cancel()
			r, err := app.PlanReset(ctx, cfg, name, to, slog.New(cfg.Log.Handler(sys.Stderr)))
			if err != nil {
				return err
			}
			defer r.Close()
			fmt.Fprintf(sys.Stdout, "mirror %s: from %s to %s in a new epoch\n", r.Name, r.From, r.To)
			if !confirm {
				fmt.Fprintln(sys.Stdout, "Nothing was changed. Changes between the two are not sent; say --confirm to go on.")
				return nil
			}
			if err := r.Do(ctx); err != nil {
				return err
			}
			need := "Consumers need a fresh copy of the tables."
			if r.Name != cfg.Mirror.Name.String() {
				need = "The service has to be filled anew."
			}
			fmt.Fprintln(sys.Stdout, "Done. "+need+"\nNext: banyan status")
			return nil
		},
	}
	configFlag(cmd, &file)
	cmd.Flags().StringVar(&name, "name", "", "the `MIRROR`, such as service.orders (default mirror.name)")
	cmd.Flags().StringVar(&to, "to", "now", "the new `POSITION`: now, or FILE:OFFSET at the beginning of a transaction")
	cmd.Flags().BoolVar(&confirm, "confirm", false, "do it")
	return cmd
}
