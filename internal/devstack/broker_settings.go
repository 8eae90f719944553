package devstack

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// configureAndStart writes the broker's files and starts it, with other ports if somebody was faster.
func (b *Broker) configureAndStart(ctx context.Context, options BrokerOptions) error {
	var err error
	// RabbitMQ creates the account only with a new database, so the password has to be kept.
	if b.password, err = secret(filepath.Join(b.Dir, "password"), 0o600); err != nil {
		return err
	}
	if _, err = secret(filepath.Join(b.Dir, ".erlang.cookie"), 0o400); err != nil {
		return err
	}
	return b.start(ctx, options.Port != 0, func() error {
		for _, port := range []*int{&b.Port, &b.StreamPort, &b.distPort, &b.epmdPort} {
			if *port, err = freePort(ctx); err != nil {
				return err
			}
		}
		if options.Port != 0 {
			b.Port = options.Port
		}
		// A long name with an address needs no resolver. The name is always the
		// same: the database in Dir belongs to it, and each broker has a port mapper of its own.
		b.node = "banyan@" + loopback
		return b.writeFiles(options)
	})
}

func (b *Broker) writeFiles(options BrokerOptions) error {
	plugins := strings.Join(append([]string{"rabbitmq_stream"}, options.Plugins...), ",")
	for name, text := range map[string]string{
		"enabled_plugins": "[" + plugins + "].\n",
		"rabbitmq.conf":   b.settings(),
	} {
		if err := os.WriteFile(filepath.Join(b.Dir, name), []byte(text), 0o600); err != nil {
			return fmt.Errorf("write RabbitMQ's files: %w", err)
		}
	}
	return nil
}

// settings gives the text of rabbitmq.conf.
func (b *Broker) settings() string {
	return fmt.Sprintf(`# Written at each start.
listeners.tcp.1 = %[1]s:%[2]d
stream.listeners.tcp.1 = %[1]s:%[3]d
stream.advertised_host = %[1]s
stream.advertised_port = %[3]d
default_user = %[4]s
default_pass = %[5]s
log.console = true
log.console.level = info
log.file = false
# Small: quorum queues would otherwise set half a gigabyte of disk aside.
raft.wal_max_size_bytes = 32000000
`, loopback, b.Port, b.StreamPort, account, b.password)
}

// environment is all that RabbitMQ's scripts and Erlang get to see: nothing of
// the system's own RabbitMQ may reach them.
func (b *Broker) environment() []string {
	in := func(name string) string { return filepath.Join(b.Dir, name) }
	environment := []string{
		"HOME=" + b.Dir, // Has the Erlang cookie.
		"PATH=" + os.Getenv("PATH") + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"LANG=C.UTF-8",
		"ERL_EPMD_PORT=" + strconv.Itoa(b.epmdPort),
		"ERL_EPMD_ADDRESS=" + loopback,
		"ERL_CRASH_DUMP_SECONDS=0",
		"RABBITMQ_NODENAME=" + b.node,
		"RABBITMQ_USE_LONGNAME=true",
		"RABBITMQ_NODE_IP_ADDRESS=" + loopback,
		"RABBITMQ_NODE_PORT=" + strconv.Itoa(b.Port),
		"RABBITMQ_DIST_PORT=" + strconv.Itoa(b.distPort),
		"RABBITMQ_MNESIA_BASE=" + in("data"),
		"RABBITMQ_LOG_BASE=" + in("log"),
		"RABBITMQ_LOGS=-",
		"RABBITMQ_CONF_ENV_FILE=" + in("no-rabbitmq-env.conf"),
		"RABBITMQ_CONFIG_FILE=" + in("rabbitmq.conf"),
		"RABBITMQ_CONFIG_FILES=" + in("no-conf.d"),
		"RABBITMQ_ADVANCED_CONFIG_FILE=" + in("no-advanced.config"),
		"RABBITMQ_ENABLED_PLUGINS_FILE=" + in("enabled_plugins"),
		"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1} -start_epmd false",
		"RABBITMQ_CTL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1} -start_epmd false",
		// Makes the script become the broker instead of standing in front of it:
		// signals and the parent's death then reach the broker itself.
		"RUNNING_UNDER_SYSTEMD=true",
	}
	if dir := os.Getenv("TMPDIR"); dir != "" {
		environment = append(environment, "TMPDIR="+dir)
	}
	return environment
}
