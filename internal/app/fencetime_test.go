package app_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"banyan.dev/banyan/internal/chaos/boxes"
)

// A fence goes all the way to the service and back, and keeps nobody from writing afterwards.
func TestAFenceIsTimed(t *testing.T) {
	b := newShiftLab(t, boxes.Options{Lag: 20 * time.Millisecond}, "300ms")
	url := "http://" + b.replicas[1].Admin + "/admin/v1/services/"
	ask := func(service string) (int, string) {
		t.Helper()
		answer, err := http.Post(url+service+":fence", "application/json", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, string(text)
	}
	for range 3 {
		code, text := ask("boxes")
		var told struct {
			Service string   `json:"service"`
			Took    string   `json:"took"`
			Parked  []string `json:"parked"`
		}
		if err := json.Unmarshal([]byte(text), &told); err != nil || code != http.StatusOK || told.Service != "boxes" || len(told.Parked) != 0 {
			t.Fatalf("%d %s, %v", code, text, err)
		}
		if took, err := time.ParseDuration(told.Took); err != nil || took <= 0 || took > 30*time.Second {
			t.Errorf("it took %s: %v", told.Took, err)
		}
	}
	if code, text := ask("nobody"); code != http.StatusNotFound || !strings.Contains(text, "NO_SUCH_SERVICE") {
		t.Errorf("%d %s", code, text)
	}
	// A service that doesn't answer is waited for as long as the caller does.
	b.stop()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"boxes:fence", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Grpc-Timeout", "300m")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if text, err := io.ReadAll(answer.Body); err != nil || answer.StatusCode != http.StatusGatewayTimeout || !strings.Contains(string(text), "FENCE_NOT_ANSWERED") {
		t.Errorf("without the service: %d %s, %v", answer.StatusCode, text, err)
	}
}
