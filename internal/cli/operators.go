package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/user"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"banyan.dev/banyan/internal/cli/demo"
	"banyan.dev/banyan/internal/config"
	adminv1 "banyan.dev/banyan/proto/banyan/admin/v1"
)

// adminFlags say which Banyan is asked, for how long, and how its answer is shown.
type adminFlags struct {
	file, admin, output string
	tls                 adminTLS
	timeout             time.Duration
	program             string
	cmd                 *cobra.Command
}

// How long is waited for an answer, and for the outcome of a command, where --timeout says nothing else.
const (
	askTimeout     = 10 * time.Second
	commandTimeout = 2 * time.Minute
)

// answerGrace is how much longer than --timeout is waited for the answer that the time is over.
const answerGrace = 5 * time.Second

func (f *adminFlags) flags(cmd *cobra.Command, timeout time.Duration) {
	f.cmd = cmd
	configFlag(cmd, &f.file)
	outputFlag(cmd, &f.output)
	cmd.Flags().StringVar(&f.admin, "admin", "", "`HOST:PORT` of the admin listener (https://HOST:PORT with TLS), instead of $BANYAN_ADMIN or the config's")
	f.tls.flags(cmd)
	cmd.Flags().DurationVar(&f.timeout, "timeout", timeout, "how long to wait for the answer")
}

// client finds out whom to ask.
func (f *adminFlags) client(sys System) (*adminClient, error) {
	if err := checkOutput(f.output); err != nil {
		return nil, err
	}
	f.program = sys.Program
	if f.timeout < time.Millisecond {
		return nil, usageError{fmt.Errorf("--timeout %s is no time to wait: write a duration such as 30s", f.timeout)}
	}
	at, from := f.admin, "--admin"
	if at == "" {
		at, _ = sys.LookupEnv("BANYAN_ADMIN")
		from = "BANYAN_ADMIN="
	}
	secured, err := f.tls.given(sys.LookupEnv)
	if err != nil {
		return nil, err
	}
	c := &adminClient{timeout: f.timeout, scheme: "http", http: http.DefaultClient}
	if at == "" {
		var own string
		if c.at, own, err = adminAddress(f.file, sys.LookupEnv); err != nil {
			return nil, err
		}
		return c.over(f.tls, secured || own != "", own)
	}
	var https bool
	if c.at, https = strings.CutPrefix(at, "https://"); https {
		secured = true
	}
	if host, port, err := net.SplitHostPort(c.at); err != nil || host == "" || port == "" || strings.Contains(c.at, "/") {
		return nil, usageError{fmt.Errorf("%s is no HOST:PORT, such as 127.0.0.1:9091", strings.TrimSpace(strings.Replace(from+" "+at, "= ", "=", 1)))}
	}
	return c.over(f.tls, secured, "")
}

// over gives the client with TLS, if it is to have that.
func (c *adminClient) over(t adminTLS, secured bool, own string) (*adminClient, error) {
	if !secured {
		return c, nil
	}
	var err error
	c.scheme = "https"
	// A server says so when it has the client's last word, which may be too late to be heard.
	c.hint = "; if it asks for a certificate, show one with --admin-cert and --admin-key"
	if t.cert != "" {
		c.hint = "; if it doesn't take the certificate, show one of an authority that its listen.admin_tls.client_ca has"
	}
	c.http, err = t.client(own)
	return c, err
}

// next is a command to type next: one for the Banyan that was asked, by the program as it was called.
func (f *adminFlags) next(command string) string {
	rest, ours := strings.CutPrefix(command, "banyan ")
	switch {
	case !ours:
		return command
	case strings.Contains(f.program, "/"):
		command = demo.Quote(f.program) + " " + rest
	}
	switch {
	case f.cmd.Flags().Changed("admin"):
		command += " --admin " + f.admin
	case f.cmd.Flags().Changed("config"):
		command += " -c " + f.file
	}
	for _, t := range f.tls.all() {
		if f.cmd.Flags().Changed(t.name) {
			command += " --" + t.name + " " + demo.Quote(*t.to)
		}
	}
	return command
}

// adminAddress gives where a config lets the admin listener listen, and its certificate's file, if it has one. What else is
// wrong with the config does not matter.
func adminAddress(file string, lookup config.Lookup) (at, certificate string, err error) {
	if _, err := os.Stat(file); err != nil {
		return "", "", fmt.Errorf("which Banyan is to be asked is not known, since there is no config (%w): name one with -c FILE, or say --admin HOST:PORT or BANYAN_ADMIN", err)
	}
	cfg, _ := config.Load(file, lookup)
	at, certificate = string(cfg.Listen.Admin), cfg.Listen.AdminTLS.Certificate
	host, port, err := net.SplitHostPort(at)
	switch {
	case err != nil || port == "0":
		return "", "", usageError{errors.New("the config lets the system choose the admin listener's port: say --admin HOST:PORT, which the log names")}
	case host == "" || host == "0.0.0.0" || host == "::":
		return net.JoinHostPort("127.0.0.1", port), certificate, nil
	}
	return at, certificate, nil
}

// adminClient asks an admin listener.
type adminClient struct {
	scheme, at string
	http       *http.Client
	timeout    time.Duration
	// hint is what may help where there is no answer.
	hint string
}

// refusal is an error that Banyan answers.
type refusal struct {
	reason, message string
}

func (r *refusal) Error() string { return r.message }

// unanswered is a request that got no answer. Sent says that it may have arrived.
type unanswered struct {
	sent  bool
	cause error
}

func (u *unanswered) Error() string { return u.cause.Error() }
func (u *unanswered) Unwrap() error { return u.cause }

// maxAnswer bounds an answer, in bytes.
const maxAnswer = 64 << 20

// send makes a request and gives the body of the answer.
func (c *adminClient) send(ctx context.Context, method, target string, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout+answerGrace)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, c.scheme+"://"+c.at+target, bytes.NewReader(body))
	if err != nil {
		return nil, usageError{fmt.Errorf("%s is no HOST:PORT: %w", c.at, err)}
	}
	request.Header.Set(adminv1.TimeoutHeader, strconv.FormatInt(c.timeout.Milliseconds(), 10)+"m")
	if method == http.MethodPost {
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set(adminv1.WhoHeader, who())
	}
	answer, err := c.http.Do(request)
	if err != nil {
		var dialled *net.OpError
		if !errors.As(err, &dialled) || dialled.Op != "dial" {
			return nil, &unanswered{true, fmt.Errorf("%s gave no answer: %w%s", c.at, err, c.hint)}
		}
		return nil, &unanswered{false, fmt.Errorf("no Banyan answers at %s: %w; start it, or name its admin listener with --admin HOST:PORT", c.at, err)}
	}
	defer answer.Body.Close() //nolint:errcheck // it was read
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return nil, &unanswered{true, fmt.Errorf("%s broke off its answer: %w", c.at, err)}
	}
	if answer.StatusCode == http.StatusOK {
		return text, nil
	}
	var told struct {
		Error struct {
			Message string `json:"message"`
			Details []struct {
				Reason string `json:"reason"`
			} `json:"details"`
		} `json:"error"`
	}
	if answer.StatusCode == http.StatusBadRequest && bytes.Contains(text, []byte("HTTP request to an HTTPS server")) {
		return nil, fmt.Errorf("%s speaks TLS: say --admin https://%s, and --admin-ca where the system does not trust it", c.at, c.at)
	}
	if json.Unmarshal(text, &told) != nil || told.Error.Message == "" {
		return nil, fmt.Errorf("%s answers %s: is it the admin listener of a Banyan of this version?", c.at, answer.Status)
	}
	r := &refusal{message: printable(told.Error.Message)}
	for _, d := range told.Error.Details {
		if d.Reason != "" {
			r.reason = d.Reason
		}
	}
	return nil, r
}

// get asks for something, and gives it as it is in JSON, too.
func (c *adminClient) get(ctx context.Context, target string, query url.Values, out proto.Message) ([]byte, error) {
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	text, err := c.send(ctx, http.MethodGet, target, nil)
	if err != nil {
		return nil, err
	}
	return text, c.decode(text, out)
}

func (c *adminClient) decode(text []byte, out proto.Message) error {
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(text, out); err != nil {
		return fmt.Errorf("%s gave something else than was asked for: %w", c.at, err)
	}
	return nil
}

// status asks for one capability.
func (c *adminClient) status(ctx context.Context, capability string) (*adminv1.CapabilityStatus, []byte, error) {
	out := &adminv1.CapabilityStatus{}
	text, err := c.get(ctx, capabilityPath(capability), nil, out)
	return out, text, err
}

func capabilityPath(name string) string { return "/admin/v1/capabilities/" + url.PathEscape(name) }

// who gives the person who types, for the history: user@host.
func who() string {
	name, host := "unknown", "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	} else if env := os.Getenv("USER"); env != "" {
		name = env
	}
	if h, err := os.Hostname(); err == nil {
		host = h
	}
	return printable(name + "@" + host)
}
