package control_test

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"banyan.dev/banyan/strangler"
	"banyan.dev/banyan/strangler/control"
)

func (m *memory) FenceWriter(ctx context.Context, replica string) error {
	return m.change(ctx, "take marks", func() error {
		m.taken = append(m.taken, replica)
		return nil
	})
}

// some gives writes, the oldest first.
func (m *memory) some(limit int, which func(w strangler.Write) bool) []strangler.Write {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []strangler.Write
	for _, w := range m.writes {
		if which(w) {
			out = append(out, w)
		}
	}
	slices.SortFunc(out, func(a, b strangler.Write) int { return cmp.Compare(a.ID, b.ID) })
	return out[:min(limit, len(out))]
}

func (m *memory) Open(ctx context.Context, capability string, before uint64, after strangler.Write, limit int) ([]strangler.Write, error) {
	return m.some(limit, func(w strangler.Write) bool {
		return w.ID > after.ID && w.Capability == capability && (before == 0 || w.Epoch < before) && (w.State == strangler.WriteOpen || w.State == strangler.WriteDoubt)
	}), ctx.Err()
}

func (m *memory) Void(ctx context.Context, capability string, epoch uint64, ids []string, reason string) (voided []string, err error) {
	err = m.change(ctx, "void", func() error {
		for _, id := range ids {
			w := m.writes[id]
			if w.State == strangler.WriteOpen || w.State == strangler.WriteDoubt {
				w.State, w.Reason = strangler.WriteVoid, reason
				m.writes[id] = w
			}
			if w.State == strangler.WriteVoid && w.Capability == capability {
				voided = append(voided, id)
				if _, known := m.voids[id]; !known {
					m.voids[id] = epoch
				}
			}
		}
		return nil
	})
	return voided, err
}

func (m *memory) Settle(ctx context.Context, capability string, void []string, committed map[string][]string) error {
	return m.change(ctx, "settle", func() error {
		for _, id := range void {
			if w := m.writes[id]; w.Capability == capability && w.State == strangler.WriteVoid {
				w.Settled, w.Carried = true, len(committed[id]) > 0
				m.writes[id] = w
			}
		}
		return nil
	})
}

func (m *memory) Voids(_ context.Context, _ string, first, last uint64, after string, limit int) (ids []string, all int, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, epoch := range m.voids {
		if epoch < first || epoch > last {
			continue
		}
		if all++; id > after {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids[:min(limit, len(ids))], all, nil
}

func (m *memory) Greatest(_ context.Context, capability string) (greatest uint64, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, w := range m.writes {
		if w.Capability == capability {
			greatest = max(greatest, w.Epoch)
		}
	}
	for _, f := range m.fences {
		if f.Capability == capability {
			greatest = max(greatest, f.Epoch)
		}
	}
	return greatest, nil
}

func (m *memory) Settled(ctx context.Context, _ string, epoch uint64) error {
	return m.change(ctx, "settled", func() error {
		maps.DeleteFunc(m.voids, func(_ string, e uint64) bool { return e <= epoch })
		return nil
	})
}

func (m *memory) SendFence(ctx context.Context, f control.FenceRow) error {
	return m.change(ctx, "send a fence", func() error {
		m.fences = append(m.fences, f)
		if a := m.service(f); a != nil {
			time.AfterFunc(20*time.Millisecond, func() {
				m.set(func(m *memory) {
					for _, b := range m.boxes {
						if b.queue == f.ReplyTo {
							b.answers[f.ID] = *a
							select {
							case b.arrived <- struct{}{}:
							default:
							}
						}
					}
				})
			})
		}
		return nil
	})
}

func (m *memory) Announce(ctx context.Context, a control.Announcement) error {
	return m.change(ctx, "announce", func() error {
		for _, f := range m.fences {
			if f.Capability == a.Capability && f.Epoch > a.Epoch {
				return control.ErrPassed
			}
		}
		m.announced = append(m.announced, a)
		return nil
	})
}

func (m *memory) List(_ context.Context, capability string, state strangler.WriteState, limit int) ([]strangler.Write, error) {
	return m.some(limit, func(w strangler.Write) bool {
		return (capability == "" || w.Capability == capability) && (state == "" || w.State == state)
	}), nil
}

func (m *memory) Stale(context.Context, string, time.Duration, strangler.Write, int) ([]strangler.Write, error) {
	return nil, nil
}

// Next lists the ids of entities in legacy.
func (m *memory) Next(_ context.Context, _, after string, limit int) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i, found := slices.BinarySearch(m.ids, after)
	if found {
		i++
	}
	return slices.Clone(m.ids[i:min(i+limit, len(m.ids))]), nil
}

// mailbox is where one coordinator gets answers.
type mailbox struct {
	m       *memory
	queue   string
	answers map[string]control.FenceAnswer
	arrived chan struct{}
}

func (m *memory) mailbox(queue string) *mailbox {
	b := &mailbox{m: m, queue: queue, answers: map[string]control.FenceAnswer{}, arrived: make(chan struct{}, 1)}
	m.set(func(m *memory) { m.boxes = append(m.boxes, b) })
	return b
}

func (b *mailbox) Queue() string { return b.queue }

func (b *mailbox) Take(fence string) (control.FenceAnswer, bool) {
	b.m.mu.Lock()
	defer b.m.mu.Unlock()
	a, ok := b.answers[fence]
	return a, ok
}

func (b *mailbox) Arrived() <-chan struct{} { return b.arrived }
