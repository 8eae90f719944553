package upstream

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// The retries of reads. They cost the service at most a tenth more calls while it fails (gRFC A6).
const (
	attempts      = 3
	firstBackoff  = "0.05s"
	mostBackoff   = "1s"
	backoffFactor = 2
	retryTokens   = 100
	retryRatio    = 0.1
)

type methodName struct {
	Service string `json:"service"`
	Method  string `json:"method"`
}

// serviceConfig gives gRPC's service config (grpc/service_config.proto): calls go to all addresses in turn that say they
// are healthy, or that have no health service, and reads are tried again.
func serviceConfig(reads []string) (string, error) {
	type object map[string]any
	config := object{
		"loadBalancingConfig": []object{{"round_robin": object{}}},
		"healthCheckConfig":   object{"serviceName": ""},
	}
	var names []methodName
	var wrong []error
	for _, read := range slices.Compact(slices.Sorted(slices.Values(reads))) {
		service, method, ok := strings.Cut(strings.TrimPrefix(read, "/"), "/")
		if !strings.HasPrefix(read, "/") || !ok || service == "" || method == "" || strings.Contains(method, "/") {
			wrong = append(wrong, fmt.Errorf("%q is no method's full name: write it as /shop.v2.Orders/GetOrder", read))
			continue
		}
		names = append(names, methodName{service, method})
	}
	if len(names) > 0 {
		config["methodConfig"] = []object{{
			"name": names,
			"retryPolicy": object{
				"maxAttempts": attempts, "initialBackoff": firstBackoff, "maxBackoff": mostBackoff,
				"backoffMultiplier": backoffFactor, "retryableStatusCodes": []string{"UNAVAILABLE"},
			},
		}}
		config["retryThrottling"] = object{"maxTokens": retryTokens, "tokenRatio": retryRatio}
	}
	text, err := json.Marshal(config)
	return string(text), errors.Join(append(wrong, err)...)
}
