package chaos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/go-sql-driver/mysql"
)

// banyan is a process of `banyan serve` that is killed, paused and started again.
type banyan struct {
	command   []string
	dir       string
	number    int
	rest      string
	grpc      string
	admin     string
	env       []string
	dsn       string // the administrator's
	client    *http.Client
	mu        sync.Mutex
	mirrors   bool // serves no facade
	running   *exec.Cmd
	alive     io.Closer // its standard input, which ends with us
	ended     chan struct{}
	paused    bool
	most      int64 // bytes of memory, over all that were
	restarted int
}

// dsnVariable is where the configs of runs take the DSN from.
const dsnVariable = "BANYAN_LEGACY_DSN="

// newBanyan makes a process in a project's directory. Nothing runs yet.
func newBanyan(command []string, dir string, number int, dsn, broker string) (*banyan, error) {
	ports := [3]string{}
	for i := range ports {
		var err error
		if ports[i], err = freeAddress(); err != nil {
			return nil, err
		}
	}
	return &banyan{
		command: command, dir: dir, number: number, rest: ports[0], grpc: ports[1], admin: ports[2], dsn: dsn,
		env: append(os.Environ(),
			dsnVariable+dsn, "BANYAN_BROKER_URL="+broker, "BANYAN_REST="+ports[0], "BANYAN_GRPC="+ports[1], "BANYAN_ADMIN="+ports[2]),
		client: &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 8}},
	}, nil
}

// freeAddress gives a port on loopback that nobody listens on. It is below those that Linux hands out to outgoing
// connections (32768 and up), so that none of these sits on it while who listens there is down.
func freeAddress() (string, error) {
	const lowest, highest, tries = 12000, 32000, 200
	var last error
	for range tries {
		l, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", lowest+rand.IntN(highest-lowest))) //nolint:gosec,noctx // It is closed at once.
		if err == nil {
			return l.Addr().String(), l.Close()
		}
		last = err
	}
	return "", fmt.Errorf("look for a free port: %w", last)
}

// start starts it, unless it runs.
func (b *banyan) start() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.running != nil {
		return nil
	}
	args := append([]string(nil), b.command[1:]...)
	args = append(args, "serve", "-c", filepath.Join(b.dir, "banyan.yaml"))
	if b.mirrors {
		args = append(args, "--roles", "mirror")
	}
	cmd := exec.Command(b.command[0], args...) //nolint:gosec,noctx // It is to end in no other way than by kill.
	cmd.Env, cmd.Dir = b.env, b.dir
	output, err := os.OpenFile(b.log(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open the log of banyan: %w", err)
	}
	defer output.Close() //nolint:errcheck // banyan writes it, not we
	cmd.Stdout, cmd.Stderr = output, output
	input, err := cmd.StdinPipe()
	if err != nil {
		return fmt.Errorf("start banyan: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start banyan: %w", err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // killed, or as its log says
	}()
	b.running, b.alive, b.ended, b.paused = cmd, input, ended, false
	b.restarted++
	return nil
}

func (b *banyan) log() string { return filepath.Join(b.dir, "banyan-"+strconv.Itoa(b.number)+".log") }

// kill ends it by SIGKILL, and waits until it is gone.
func (b *banyan) kill() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.running == nil {
		return
	}
	b.measure()
	_ = b.running.Process.Kill() // it may have ended
	<-b.ended
	_ = b.alive.Close()
	b.running = nil
}

// signal sends a signal, if it runs.
func (b *banyan) signal(s syscall.Signal) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.running == nil {
		return nil
	}
	b.paused = s == syscall.SIGSTOP
	if err := b.running.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal banyan: %w", err)
	}
	return nil
}

// died says that it ended although nobody killed it, which banyan serve does not do for what passes.
func (b *banyan) died() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.running == nil {
		return false
	}
	select {
	case <-b.ended:
		return true
	default:
		return false
	}
}

// lastWords says why it ended by itself, as far as its log tells.
func (b *banyan) lastWords() error {
	const most = 3000
	text, err := os.ReadFile(b.log())
	if err != nil {
		return fmt.Errorf("banyan %d ended by itself: %w", b.number, err)
	}
	var told strings.Builder
	for line := range strings.Lines(string(text)) {
		if !strings.Contains(line, ": warning: ") && !strings.Contains(line, ": note: ") { // they come at each start
			told.WriteString(line)
		}
	}
	words := told.String()
	return fmt.Errorf("banyan %d ended by itself; its log ends with:\n%s", b.number, words[max(0, len(words)-most):])
}

// memory gives the most bytes that a process of it has had resident; 0 where the system does not tell.
func (b *banyan) memory() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.measure()
	return b.most
}

func (b *banyan) measure() {
	if b.running == nil {
		return
	}
	text, err := os.ReadFile("/proc/" + strconv.Itoa(b.running.Process.Pid) + "/status")
	if err != nil {
		return
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "VmHWM:" {
			kib, err := strconv.ParseInt(fields[1], 10, 64)
			if err == nil {
				b.most = max(b.most, kib<<10)
			}
		}
	}
}

// ready waits until it serves.
func (b *banyan) ready(ctx context.Context) error {
	return poll(ctx, 100*time.Millisecond, func() error {
		if b.died() {
			return fatal{b.lastWords()}
		}
		code, _, err := b.call(ctx, "GET", "http://"+b.admin+"/readyz", "")
		if err == nil && code != http.StatusOK {
			err = fmt.Errorf("it answers %d", code)
		}
		return err
	})
}

// call makes an HTTP request with a JSON body. Headers are pairs of name and value.
func (b *banyan) call(ctx context.Context, method, address, body string, headers ...string) (code int, answer string, err error) {
	request, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(body))
	if err != nil {
		return 0, "", fmt.Errorf("make a request: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := b.client.Do(request)
	if err != nil {
		return 0, "", fmt.Errorf("call banyan: %w", err)
	}
	defer response.Body.Close() //nolint:errcheck // it was read
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, "", fmt.Errorf("read banyan's answer: %w", err)
	}
	return response.StatusCode, string(text), nil
}

// through gives a DSN and a broker's URL with other addresses in them.
func through(dsn, databaseLink, broker, brokerLink string) (string, string, error) {
	config, err := mysql.ParseDSN(dsn)
	if err != nil {
		return "", "", fmt.Errorf("read the DSN: %w", err)
	}
	config.Addr = databaseLink
	u, err := url.Parse(broker)
	if err != nil {
		return "", "", fmt.Errorf("read the broker's URL: %w", err)
	}
	u.Host = brokerLink
	return config.FormatDSN(), u.String(), nil
}

// poll tries until it works, ctx ends, or an error is fatal.
func poll(ctx context.Context, every time.Duration, try func() error) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		err := try()
		var stop fatal
		switch {
		case err == nil:
			return nil
		case errors.As(err, &stop):
			return stop.error
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("gave up: %w; the last was: %w", context.Cause(ctx), err)
		case <-tick.C:
		}
	}
}
