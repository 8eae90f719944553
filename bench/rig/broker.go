package rig

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// brokerTime gives the CPU that the broker has used since its start, as the system counts it, or Erlang, whose command line takes a
// second of a processor: user and system time of all threads.
func (s *Servers) brokerTime(ctx context.Context) (time.Duration, error) {
	if s.brokerPID != "" {
		return processTime(s.brokerPID)
	}
	text, err := s.Broker.Control(ctx, "eval", "element(1, erlang:statistics(runtime)).")
	if err != nil {
		return 0, err
	}
	ms, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("ask the broker for its CPU time: %w", err)
	}
	return time.Duration(ms) * time.Millisecond, nil
}

// BrokerEffort gives the broker's CPU during run, in microseconds for each of n.
func (s *Servers) BrokerEffort(ctx context.Context, n int, run func() error) (float64, error) {
	before, err := s.brokerTime(ctx)
	if err != nil {
		return 0, err
	}
	if err := run(); err != nil {
		return 0, err
	}
	after, err := s.brokerTime(ctx)
	return float64((after - before).Microseconds()) / float64(n), err
}
