package jsonmsg

import "sync/atomic"

// meter counts the bytes that all connections of a Server, or a Client, hold for
// their peers: incomplete lines, messages that wait for their handler, messages
// that wait to be sent. A nil meter has no limit.
type meter struct {
	limit int64 // 0: none
	used  atomic.Int64
}

// take books n bytes, unless that would go above the limit.
func (m *meter) take(n int) bool {
	if m == nil || n == 0 {
		return true
	}
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
	if m != nil {
		m.used.Add(-int64(n))
	}
}
