package jsonmsg

import (
	"sync/atomic"

	"ingot.dev/tlsio"
)

// meter counts the bytes that all connections of a Server, or a Client, hold for
// their peers: incomplete lines, messages that wait for their handler, messages
// that wait to be sent.
type meter struct {
	limit int64 // 0: none
	used  atomic.Int64
}

// take books n bytes, unless that would go above the limit.
func (m *meter) take(n int) bool {
	for {
		used := m.used.Load()
		if m.limit > 0 && used+int64(n) > m.limit {
			return false
		}
		if m.used.CompareAndSwap(used, used+int64(n)) {
			return true
		}
	}
}

// give undoes take.
func (m *meter) give(n int) {
	m.used.Add(-int64(n))
}

// purse is what one connection pays from: the meter, and its account if the listener
// has a budget. A nil purse has no limit.
type purse struct {
	meter   *meter
	account *tlsio.Account
}

// take books n bytes, unless that would go above a limit.
func (p *purse) take(n int) bool {
	if p == nil || n == 0 {
		return true
	}
	if !p.meter.take(n) {
		return false
	}
	if p.account.Reserve(tlsio.BudgetQueues, n) != nil {
		p.meter.give(n)
		return false
	}
	return true
}

// give undoes take. The account forgets by itself when the connection is closed.
func (p *purse) give(n int) {
	if p != nil && n != 0 {
		p.meter.give(n)
		p.account.Release(tlsio.BudgetQueues, n)
	}
}
