package netstack

import (
	"sync/atomic"
	"time"
)

// A goroutine that encrypts and writes without end waits for nothing until a send buffer
// is full, and on one processor nobody runs beside it who isn't woken by the kernel: the
// receive goroutine and those that it wakes may wait for 10 ms, the time after which Go
// takes the processor away. So writing gives way after turnTime at most, if
// there is somebody for whom (link.Endpoint.Urgent). If there isn't, it goes on: giving
// way for nothing, or for acknowledgements, took up to 14 % more instructions for each
// byte that was sent.
const (
	turnBytes = 16 << 10 // the clock costs too much to look at it for less
	turnTime  = time.Millisecond
)

// turns are those of all connections of a stack together.
type turns struct {
	bytes atomic.Uint32 // since the last look at the clock
	last  atomic.Int64  // when others could have had their turn, in ns of now

	now    func() time.Duration
	urgent func() bool
	yield  func()
}

// wrote is told how much has been written, by who holds no lock that others wait for.
func (t *turns) wrote(n int) {
	if t.bytes.Add(uint32(n)) < turnBytes {
		return
	}
	t.bytes.Store(0)
	now := t.now()
	if now-time.Duration(t.last.Load()) < turnTime {
		return
	}
	t.last.Store(int64(now))
	if t.urgent() {
		t.yield()
	}
}
