package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"banyan.dev/banyan/api/health"
	"banyan.dev/banyan/strangler"
	"banyan.dev/banyan/strangler/backfill"
	"banyan.dev/banyan/strangler/control"
	"banyan.dev/banyan/strangler/retirement"
)

// Options are what a Handler stands on. All but Operator are needed.
type Options struct {
	Metrics prometheus.Gatherer
	Health  *health.Health
	// Status gives what /status shows as JSON.
	Status func() any
	// Operator does what people command. Nil: no capabilities are configured, which the admin API then says.
	Operator control.Operator
	// Versions tells of the contract's versions. Nil: this process serves none, which the admin API then says.
	Versions Versions
	// Fences times fences. Nil: no service has a stream that this process could send one down, which the admin API then says.
	Fences Fences
	// Backfills sends what was there before. Nil: this process runs no mirror, which the admin API then says.
	Backfills Backfills
	Logger    *slog.Logger
	// AnyHost takes requests for any host name. Without it the admin API takes only those for an IP address or localhost,
	// so that no web page reaches it through a name that it controls.
	AnyHost bool
	// BodyTimeout is how long a client may take to send a request, WriteTimeout how long to receive an answer. The time
	// between does not count: a command may wait for its outcome longer than the server's own timeouts.
	BodyTimeout, WriteTimeout time.Duration
}

// Versions tells of the contract's versions and of who calls those that are deprecated, see retirement.Reporter.
type Versions interface {
	Report(ctx context.Context, days, limit int) (all []retirement.Report, more bool, err error)
}

// Fences times fences, see control.Fencer.
type Fences interface {
	Time(ctx context.Context, service string) (control.FenceTime, error)
}

// Backfills sends what was there before, see backfill.Desk.
type Backfills interface {
	// Start keeps what is to be sent, for whoever leads the mirrors.
	Start(ctx context.Context, request backfill.Request) ([]backfill.Job, error)
	List(ctx context.Context, limit int) ([]backfill.Job, error)
	Get(ctx context.Context, id uint64) (backfill.Job, error)
	Stop(ctx context.Context, id uint64, who string) (backfill.Job, error)
}

// Handler serves /metrics, /status, /livez, /readyz and /admin/v1/. It is safe for concurrent use.
type Handler struct {
	mux  *http.ServeMux
	stop context.CancelCauseFunc
}

// errStopping is why calls of the admin API end when the process does.
var errStopping = errors.New("this process is stopping")

// New makes a Handler.
func New(o Options) (*Handler, error) {
	stopping, stop := context.WithCancelCause(context.Background())
	api, err := newAPI(o, &service{operator: o.Operator, versions: o.Versions, fences: o.Fences, backfills: o.Backfills, stopping: stopping, logger: o.Logger})
	if err != nil {
		stop(nil)
		return nil, fmt.Errorf("admin API: %w", err)
	}
	mux := http.NewServeMux()
	machine, err := os.Hostname()
	if err != nil || machine == "" {
		machine = "localhost" // a name less that Prometheus may ask by
	}
	// A page of another site can have its own name lead here, and then read what it asks for. It can't have this machine's own,
	// which the machine finds without asking others. Any other name may be somebody's, one without a dot too: who answers for
	// those is whoever is quickest in the local network, or writes the names of a search domain.
	known := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := knownHost(r, o.AnyHost || strings.EqualFold(hostOf(r), machine)); err != nil {
				http.Error(w, strangler.AsError(err).Message, http.StatusForbidden)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
	mux.Handle("GET /metrics", known(promhttp.HandlerFor(o.Metrics, promhttp.HandlerOpts{
		ErrorLog:          slog.NewLogLogger(o.Logger.Handler(), slog.LevelError),
		ErrorHandling:     promhttp.ContinueOnError,
		EnableOpenMetrics: true,
	})))
	mux.Handle("GET /status", known(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		text, err := json.Marshal(o.Status())
		if err != nil {
			o.Logger.Error("the status can't be shown", "cause", err)
			http.Error(w, "the status can't be shown; the log says why", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(append(text, '\n')) // whoever asked has gone
	})))
	mux.HandleFunc("GET /livez", o.Health.Livez)
	mux.HandleFunc("GET /readyz", o.Health.Readyz)
	mux.Handle("/admin/v1/", api)
	return &Handler{mux: mux, stop: stop}, nil
}

// ServeHTTP answers a request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.mux.ServeHTTP(w, r) }

// Stop ends calls that wait for the outcome of a command, which goes on without them; they are told so. It does not wait
// until they have the answer: http.Server's Shutdown does. It may be called twice.
func (h *Handler) Stop() { h.stop(errStopping) }
