package devstack

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// BrokerOptions say how a private RabbitMQ is started. The zero value is a broker in a directory that is removed with it.
type BrokerOptions struct {
	// Dir keeps data, settings and log. Data found in it is used again. Empty:
	// a temporary directory, removed when the broker is stopped or this program ends.
	Dir string
	// Port for AMQP, on loopback. Zero: a free one.
	Port int
	// Plugins to enable besides rabbitmq_stream.
	Plugins []string
}

// Broker is a private RabbitMQ. Its methods may be called concurrently.
type Broker struct {
	*instance
	// Port and StreamPort are where it listens on 127.0.0.1 for AMQP 0-9-1 and
	// for RabbitMQ's stream protocol, also after a Restart.
	Port, StreamPort int

	programs brokerPrograms
	password string
	node     string // Erlang's name for it
	distPort int    // Erlang's own protocol
	epmdPort int    // Erlang's port mapper, one for each broker
	vhosts   vhosts
}

type brokerPrograms struct{ server, control, epmd string }

// StartBroker starts a RabbitMQ and returns when it answers. ctx bounds only
// the start. A missing program is a MissingError.
func StartBroker(ctx context.Context, options BrokerOptions) (*Broker, error) {
	ctx, cancel := startContext(ctx)
	defer cancel()
	programs, err := findBrokerPrograms()
	if err != nil {
		return nil, err
	}
	running, err := newInstance(ctx, "RabbitMQ", options.Dir)
	if err != nil {
		return nil, err
	}
	b := &Broker{instance: running, programs: programs}
	running.launch = b.launchBroker
	if err := b.configureAndStart(ctx, options); err != nil {
		return nil, errors.Join(fmt.Errorf("start RabbitMQ: %w", err), b.Stop(ctx))
	}
	return b, nil
}

// findBrokerPrograms looks for the scripts themselves first: those that Debian
// has in PATH change to the system's own account and directories.
func findBrokerPrograms() (brokerPrograms, error) {
	places := []string{"/usr/lib/rabbitmq/bin", "/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin", "/opt/homebrew/sbin", "/usr/local/sbin"}
	var found brokerPrograms
	for name, target := range map[string]*string{"rabbitmq-server": &found.server, "rabbitmqctl": &found.control} {
		path, err := programIn(name, places...)
		if err != nil {
			path, err = program(name, serverPlaces()...)
		}
		if err != nil {
			return brokerPrograms{}, err
		}
		*target = path
	}
	var err error
	found.epmd, err = program("epmd", append(serverPlaces(), "/usr/lib/erlang/erts-*/bin", "/usr/lib64/erlang/erts-*/bin")...)
	return found, err
}

// URL gives the AMQP address of a virtual host; empty means the default one, "/".
func (b *Broker) URL(vhost string) string {
	if vhost == "" {
		vhost = "/"
	}
	address := url.URL{
		Scheme: "amqp", User: url.UserPassword(account, b.password),
		Host: net.JoinHostPort(loopback, strconv.Itoa(b.Port)),
		Path: "/" + vhost, RawPath: "/" + url.PathEscape(vhost),
	}
	return address.String()
}

// Control runs rabbitmqctl on this broker and gives what it printed.
func (b *Broker) Control(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, b.programs.control, append([]string{"--quiet", "--longnames", "--node", b.node}, args...)...)
	cmd.Dir, cmd.Env = b.Dir, b.environment()
	output, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("rabbitmqctl %s: %w; it wrote:\n%s", strings.Join(args, " "), err, output)
	}
	return string(output), nil
}

// launchBroker starts the port mapper and the broker, and waits until an account can log in.
func (b *Broker) launchBroker(ctx context.Context) (started []*process, err error) {
	defer func() {
		if err != nil {
			for _, p := range started {
				p.kill()
			}
			started = nil
		}
	}()
	for _, port := range []int{b.Port, b.StreamPort, b.distPort, b.epmdPort} {
		if err := probePort(ctx, port); err != nil {
			return started, err
		}
	}
	// Without one of its own, Erlang would start a mapper that stays behind
	// and listens on the well-known port.
	epmd, err := b.launchProgram(ctx, "epmd.log", b.programs.epmd, "-port", strconv.Itoa(b.epmdPort), "-address", loopback)
	if err != nil {
		return started, err
	}
	started = append(started, epmd)
	if err := poll(ctx, epmd, func(ctx context.Context) error { return dialPort(ctx, b.epmdPort) }); err != nil {
		return started, err
	}
	server, err := b.launchProgram(ctx, "rabbitmq.log", b.programs.server)
	if err != nil {
		return started, err
	}
	started = append(started, server)
	if err := poll(ctx, server, b.login); err != nil {
		if said := server.output(); strings.Contains(said, "eaddrinuse") || strings.Contains(said, "dist_port_already_used") {
			err = fmt.Errorf("%w: %w", errPortTaken, err)
		}
		return started, err
	}
	return started, nil
}

func (b *Broker) launchProgram(ctx context.Context, log, path string, args ...string) (*process, error) {
	cmd := exec.CommandContext(context.WithoutCancel(ctx), path, args...)
	cmd.Dir, cmd.Env = b.Dir, b.environment()
	return startProcess(cmd, filepath.Join(b.Dir, log), b.guard)
}

// login opens and closes an AMQP connection, and the port of streams, whose plugin starts last.
func (b *Broker) login(ctx context.Context) error {
	if err := dialPort(ctx, b.StreamPort); err != nil {
		return err
	}
	connection, err := amqp.DialConfig(b.URL(""), amqp.Config{Dial: amqp.DefaultDial(5 * time.Second)})
	if err != nil {
		return fmt.Errorf("log in to RabbitMQ: %w", err)
	}
	if err := connection.Close(); err != nil {
		return fmt.Errorf("log out of RabbitMQ: %w", err)
	}
	return nil
}

// Log is the path of the file that the broker logs to.
func (b *Broker) Log() string { return filepath.Join(b.Dir, "rabbitmq.log") }

// dialPort says whether somebody listens on a port of loopback.
func dialPort(ctx context.Context, port int) error {
	var dialer net.Dialer
	connection, err := dialer.DialContext(ctx, "tcp4", net.JoinHostPort(loopback, strconv.Itoa(port)))
	if err != nil {
		return fmt.Errorf("connect to port %d: %w", port, err)
	}
	return connection.Close()
}

// secret reads a secret from a file, or makes it there.
func secret(path string, mode os.FileMode) (string, error) {
	text, err := os.ReadFile(path)
	if err == nil {
		return string(text), nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("read a secret: %w", err)
	}
	made := randomHex(12)
	if err := os.WriteFile(path, []byte(made), mode); err != nil {
		return "", fmt.Errorf("keep a secret: %w", err)
	}
	return made, nil
}
