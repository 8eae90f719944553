package volume_test

import (
	"fmt"
	"testing"
	"time"
)

// A service that is very many events behind catches up, in order, also when it is killed on the way; nobody's memory depends on how
// many there are.
func TestAServiceThatIsVeryFarBehind(t *testing.T) {
	const atOnce = 5000
	l := newLab(t, options{queues: 4})
	n := *behind
	l.service.kill()
	empty := l.brokerMemory()
	began := time.Now()
	for from := 1; from <= n; from += atOnce {
		l.transaction(fmt.Sprintf("INSERT INTO orders SELECT seq, seq %% 9973 + 1, 1, 'x' FROM seq_%d_to_%d", from, min(from+atOnce-1, n)))
	}
	var early int64
	full := empty
	wait(t, "all is told", func() error {
		waiting := l.waiting()
		full = max(full, l.brokerMemory())
		if early == 0 && waiting > n/10 {
			early = l.banyan.peak()
		}
		if waiting < n {
			return fmt.Errorf("%d of %d events wait for the service", waiting, n)
		}
		return nil
	})
	told := time.Since(began)
	t.Logf("%d events are made and told in %s, %.0f a second; Banyan has had %s, the broker %s, and %s when it had none", n, told.Round(time.Millisecond), float64(n)/told.Seconds(), mib(l.banyan.peak()), mib(full), mib(empty))
	bounded(t, "Banyan", early, l.banyan.peak())

	var peak int64
	count := func() int64 { return l.look("SELECT COUNT(*) FROM orders") }
	for _, tenth := range []int64{1, 3, 5} {
		l.service.start()
		wait(t, "the service goes on", func() error {
			if have := count(); have < int64(n)*tenth/10 {
				return fmt.Errorf("it has %d", have)
			}
			return nil
		})
		peak = max(peak, l.service.peak())
		l.service.kill()
	}
	had, again := count(), time.Now()
	l.service.start()
	l.fence()
	took := time.Since(again)
	peak = max(peak, l.service.peak())
	full = max(full, l.brokerMemory())
	t.Logf("the service was killed three times, and has applied the last %d in %s, %.0f a second; it has had %s, the broker %s", int64(n)-had, took.Round(time.Millisecond), float64(int64(n)-had)/took.Seconds(), mib(peak), mib(full))
	l.compare()
	within(t, "the service", peak, mostService)
	if most := int64(brokerBase + brokerEach*n); full-empty > most {
		t.Errorf("the broker needed %s more than when it was empty, and may need %s", mib(full-empty), mib(most))
	}
	if left := l.waiting(); left != 0 {
		t.Errorf("%d messages are left", left)
	}
}
