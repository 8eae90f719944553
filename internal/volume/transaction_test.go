package volume_test

import (
	"fmt"
	"testing"
	"time"
)

// fill makes orders with two lines each, from 1 to n.
func (l *lab) fill(n int) {
	l.t.Helper()
	l.transaction(
		fmt.Sprintf("INSERT INTO orders SELECT seq, seq %% 997 + 1, 0, CONCAT('order ', seq) FROM seq_1_to_%d", n),
		fmt.Sprintf("INSERT INTO order_lines (order_id, sku, quantity) SELECT (seq - 1) DIV 2 + 1, CONCAT('sku-', seq %% 89), seq %% 7 FROM seq_1_to_%d", 2*n))
}

// change changes orders from 1 to n, and lines of a tenth of them, in one transaction.
func (l *lab) change(n int) {
	l.t.Helper()
	l.transaction(
		fmt.Sprintf("UPDATE orders SET n = n + 1 WHERE id <= %d", n),
		fmt.Sprintf("UPDATE order_lines SET quantity = quantity + 1 WHERE order_id <= %d AND order_id %% 10 = 0", n))
}

// However many orders one transaction changes, all of them are told, in bounded memory; a fence that is asked for while they
// are on their way comes behind them.
func TestATransactionOfVeryManyOrders(t *testing.T) {
	many := *manyOrders
	few := many / 10
	l := newLab(t, options{queues: 4, before: func(l *lab) { l.fill(many) }})
	var peaks [2][2]int64
	for i, n := range []int{few, many} {
		l.banyan.forgetPeak()
		l.service.forgetPeak()
		before := l.look("SELECT COALESCE(SUM(applied), 0) FROM orders")
		l.change(n)
		took := l.fence()
		// Those whose lines were changed, too, may have been told before the transaction was read to its end, and then again.
		if told := l.look("SELECT SUM(applied) FROM orders") - before; told < int64(n) || told > int64(n+n/10) {
			t.Errorf("%d events of %d orders were applied before the fence was answered", told, n)
		}
		if had := l.look("SELECT COUNT(*) FROM orders"); had != int64(n) {
			t.Errorf("the service has %d orders of %d before the fence was answered", had, n)
		}
		peaks[i] = [2]int64{l.banyan.peak(), l.service.peak()}
		t.Logf("one transaction changes %d orders: %s, %.0f a second; Banyan has had %s, the service %s", n, took.Round(time.Millisecond), float64(n)/took.Seconds(), mib(peaks[i][0]), mib(peaks[i][1]))
	}
	l.compare()
	bounded(t, "Banyan", peaks[0][0], peaks[1][0])
	bounded(t, "the service", peaks[0][1], peaks[1][1])
}
