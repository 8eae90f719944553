package health

import (
	"encoding/json"
	"net/http"
)

// Livez answers 200 for as long as the process can answer at all: whoever asks is told to restart it only when it hangs.
func (h *Health) Livez(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, map[string]bool{"live": true})
}

// Readyz answers 200 when calls can be answered, else 503, with a Report as JSON.
func (h *Health) Readyz(w http.ResponseWriter, _ *http.Request) {
	r := h.Ready()
	status := http.StatusOK
	if !r.Ready {
		status = http.StatusServiceUnavailable
	}
	answer(w, status, r)
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // it fails only when the prober has gone
}
