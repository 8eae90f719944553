package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"banyan.dev/banyan/internal/cli/demo"
	"banyan.dev/banyan/internal/config"
	"banyan.dev/banyan/internal/fault"
	consumerv1 "banyan.dev/banyan/proto/banyan/consumer/v1"
)

// serviceFlags say which new service is asked, for how long, and how its answer is shown.
type serviceFlags struct {
	file, target, output string
	timeout              time.Duration
	cmd                  *cobra.Command
	program              string
}

const serviceHelp = `The service is asked itself, by gRPC, at the first address of services.NAME.target
in the config, or at --target. It has to serve banyan.consumer.v1.ConsumerService,
as the Go kit does (consumer.RegisterAdmin).`

func (f *serviceFlags) flags(cmd *cobra.Command, timeout time.Duration) {
	f.cmd = cmd
	configFlag(cmd, &f.file)
	outputFlag(cmd, &f.output)
	cmd.Flags().StringVar(&f.target, "target", "", "`HOST:PORT` of the service, instead of the config's")
	cmd.Flags().DurationVar(&f.timeout, "timeout", timeout, "how long to wait for the answer")
}

// mostParkedEvent bounds an event that is shown, in bytes.
const mostParkedEvent = 256 << 20

// ask calls a service.
func (f *serviceFlags) ask(ctx context.Context, sys System, service string, call func(context.Context, consumerv1.ConsumerServiceClient) error) (err error) {
	if err := checkOutput(f.output); err != nil {
		return err
	}
	if f.timeout < time.Millisecond {
		return usageError{fmt.Errorf("--timeout %s is no time to wait: write a duration such as 30s", f.timeout)}
	}
	f.program = sys.Program
	target, err := f.address(service, sys.LookupEnv)
	if err != nil {
		return err
	}
	conn, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDisableServiceConfig(),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(mostParkedEvent)))
	if err != nil {
		return usageError{fmt.Errorf("%s is no address: %w", target, err)}
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	return f.refused(call(ctx, consumerv1.NewConsumerServiceClient(conn)), service, target)
}

// refused says what a service's error means to who has typed.
func (f *serviceFlags) refused(err error, service, target string) error {
	st, is := status.FromError(err)
	if err == nil || !is {
		return err
	}
	switch st.Code() {
	case codes.Unimplemented:
		return fmt.Errorf("the service %s at %s doesn't serve banyan.consumer.v1.ConsumerService: register it (consumer.RegisterAdmin), or look into its database", service, target)
	case codes.Unavailable:
		return fmt.Errorf("the service %s at %s can't answer: %s", service, target, printable(st.Message()))
	case codes.DeadlineExceeded:
		return fmt.Errorf("no answer from the service %s at %s within --timeout %s; what it has done by then stays done", service, target, f.timeout)
	case codes.Canceled:
		return errors.New("stopped waiting; what was done by then stays done")
	}
	return errors.New(printable(st.Message()))
}

// address gives where a service is: the first of its addresses, since its processes share a database.
func (f *serviceFlags) address(service string, lookup config.Lookup) (string, error) {
	if f.target != "" {
		if host, port, err := net.SplitHostPort(f.target); err != nil || host == "" || port == "" {
			return "", usageError{fmt.Errorf("--target %s is no HOST:PORT, such as 127.0.0.1:9200", f.target)}
		}
		return f.target, nil
	}
	if _, err := os.Stat(f.file); err != nil {
		return "", fmt.Errorf("where the service is is not known, since there is no config (%w): name one with -c FILE, or say --target HOST:PORT", err)
	}
	cfg, _ := config.Load(f.file, lookup) // what else is wrong with it does not matter
	known, is := cfg.Services[service]
	if !is {
		fix := "add it below services, or say --target HOST:PORT"
		if near := fault.Nearest(service, slices.Collect(maps.Keys(cfg.Services))); near != "" {
			fix = "did you mean " + near + "?"
		}
		return "", fmt.Errorf("%s has no service %s: %s", f.file, service, fix)
	}
	first, _, _ := strings.Cut(known.Target, ",")
	if first = strings.TrimSpace(first); first == "" {
		return "", fmt.Errorf("%s doesn't say where the service %s is: give it services.%s.target, or say --target HOST:PORT", f.file, service, service)
	}
	return first, nil
}

// next is a command to type next, for the service that was asked.
func (f *serviceFlags) next(command string) string {
	if strings.Contains(f.program, "/") {
		command = demo.Quote(f.program) + strings.TrimPrefix(command, "banyan")
	}
	switch {
	case f.cmd.Flags().Changed("target"):
		command += " --target " + f.target
	case f.cmd.Flags().Changed("config"):
		command += " -c " + demo.Quote(f.file)
	}
	return command
}

// show writes a message as JSON on one line, or a page.
func (f *serviceFlags) show(sys System, m proto.Message, page func(p paint) string) error {
	if f.output != "json" {
		return write(sys.Stdout, page(colours(sys)))
	}
	text, err := protojson.MarshalOptions{UseProtoNames: true, EmitUnpopulated: true}.Marshal(m)
	if err != nil {
		return fmt.Errorf("write the answer as JSON: %w", err)
	}
	var line bytes.Buffer
	if err := json.Compact(&line, text); err != nil {
		return fmt.Errorf("write the answer as JSON: %w", err)
	}
	return write(sys.Stdout, line.String()+"\n")
}
