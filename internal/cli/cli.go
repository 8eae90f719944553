package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"banyan.dev/banyan/internal/config"
	"banyan.dev/banyan/internal/fault"
)

// Exit codes.
const (
	ExitOK    = 0
	ExitFault = 1
	ExitUsage = 2
)

// System is what a command takes from the process that it runs in.
type System struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	LookupEnv      config.Lookup
	// Version is this build's, such as v1.2.3; empty when it wasn't built from a tag.
	Version string
	// Program is how this program was called, such as bin/banyan.
	Program string
	// Signals are the signals to stop: the first stops in order, the second at once.
	Signals <-chan os.Signal

	abort <-chan struct{} // closed by the second signal
}

// Process gives what this process has. From then on it takes the signals to stop itself.
func Process(version string) System {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	return System{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		LookupEnv: os.LookupEnv, Version: version, Program: os.Args[0], Signals: signals,
	}
}

// usageError is a command line that can't be understood.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// errReported is a failure that has been printed in full.
var errReported = errors.New("reported")

// Run runs the command that args (without the program's name) ask for, and gives its exit code.
func Run(ctx context.Context, args []string, sys System) int {
	ctx, abort, release := sys.stop(ctx)
	defer release()
	sys.abort = abort
	root := newRoot(sys)
	root.SetArgs(args)
	root.SetIn(sys.Stdin)
	root.SetOut(sys.Stdout)
	root.SetErr(sys.Stderr)
	cmd, err := root.ExecuteContextC(ctx)
	var usage usageError
	if errors.As(err, &usage) && cmd.HasSubCommands() && cmd.Annotations[takesArguments] == "" {
		if _, rest, found := root.Find(args); found == nil && len(rest) > 0 && !strings.HasPrefix(rest[0], "-") {
			err = noArgs(cmd, rest) // a flag of a misspelt command is not what is wrong
		}
	}
	var faults *fault.Errors
	switch {
	case err == nil:
		return ExitOK
	case errors.Is(err, errReported):
		return ExitFault
	case errors.As(err, &faults):
		printFaults(sys.Stderr, faults.Faults)
		return ExitFault
	case errors.As(err, &usage), strings.HasPrefix(err.Error(), "unknown command"):
		fmt.Fprintf(sys.Stderr, "banyan: %v\nSee: %s --help\n", err, cmd.CommandPath())
		return ExitUsage
	}
	fmt.Fprintf(sys.Stderr, "banyan: %v\n", err)
	return ExitFault
}

func newRoot(sys System) *cobra.Command {
	root := &cobra.Command{
		Use:   "banyan",
		Short: "Put a versioned gRPC and REST facade in front of a legacy MySQL database",
		Long: `Banyan puts a versioned gRPC and REST facade in front of a legacy MySQL or
MariaDB database. A team brings three kinds of files: .proto files (the API),
annotated SQL (how the database answers it) and banyan.yaml (where things are).

Exit codes: 0 all is well, 1 faults were found or the command failed,
2 the command line was wrong.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(newServe(sys), newCheck(sys), newStatus(sys), newContract(sys), newAdvance(sys), newRollback(sys), newHistory(sys), newWrites(sys), newVersions(sys),
		newMirror(sys), newBackfill(sys), newMigrate(sys), newGrants(sys), newEvents(sys), newParked(sys), newConsumer(sys), newDemo(sys), newVersion(sys))
	return root
}

// takesArguments is the annotation of a command that has both commands and arguments of its own.
const takesArguments = "takes-arguments"

// noArgs refuses arguments, as a mistake in the command line.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	text := fmt.Sprintf("%q is not a command of %s", args[0], cmd.CommandPath())
	if !cmd.HasSubCommands() {
		return usageError{fmt.Errorf("%s takes no arguments, but was given %q", cmd.CommandPath(), args[0])}
	}
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		text += "; did you mean " + strings.Join(near, " or ") + "?"
	}
	return usageError{errors.New(text)}
}

// configFlag adds -c.
const defaultConfig = "banyan.yaml"

func configFlag(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVarP(file, "config", "c", defaultConfig, "config `FILE`")
}

// outputFlag adds -o.
func outputFlag(cmd *cobra.Command, format *string) {
	cmd.Flags().StringVarP(format, "output", "o", "text", "output `FORMAT`: text or json")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp)) // the flag exists
}

func checkOutput(format string) error {
	if format != "text" && format != "json" {
		return usageError{fmt.Errorf("-o %s is not a format: it is text or json", format)}
	}
	return nil
}

func printFaults(w io.Writer, faults []fault.Fault) {
	for _, f := range faults {
		fmt.Fprintln(w, f)
	}
}
