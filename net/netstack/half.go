package netstack

import (
	"sync"
	"sync/atomic"
	"time"

	"gvisor.dev/gvisor/pkg/waiter"
)

// half is one direction of an endpoint, reading or writing: who waits for it,
// and until when. The endpoint, a deadline and Close wake the same channel; the
// one who waits then looks what changed. So an operation needs no select, and
// an idle connection no memory beyond this.
type half struct {
	// mu is held by the one who reads or writes.
	mu sync.Mutex

	entry waiter.Entry
	wake  chan struct{}

	// expired is set when the deadline passed, and read without a lock.
	expired atomic.Bool

	deadlineMu sync.Mutex
	deadline   time.Time   // zero for none
	timer      *time.Timer // nil without a deadline
	stopped    bool
}

func (h *half) init(q *waiter.Queue, mask waiter.EventMask) {
	h.wake = make(chan struct{}, 1)
	h.entry.Init(h, mask|waiter.EventErr|waiter.EventHUp)
	q.EventRegister(&h.entry)
}

// NotifyEvent implements waiter.EventListener.
func (h *half) NotifyEvent(waiter.EventMask) { h.kick() }

// kick wakes the one who waits, or the next one who is about to.
func (h *half) kick() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// wait parks until something may have changed.
func (h *half) wait() { <-h.wake }

// stop ends the timer for good, at Close.
func (h *half) stop() {
	h.deadlineMu.Lock()
	defer h.deadlineMu.Unlock()
	h.stopped = true
	if h.timer != nil {
		h.timer.Stop()
	}
}

// setDeadline sets or, with the zero time, removes the deadline. A deadline in
// the past expires at once.
func (h *half) setDeadline(t time.Time) {
	h.deadlineMu.Lock()
	defer h.deadlineMu.Unlock()
	if h.stopped {
		return
	}
	if h.timer != nil {
		h.timer.Stop()
	}
	h.deadline = t
	h.expired.Store(false)
	if t.IsZero() {
		h.timer = nil // most connections that have had one will have no other
		return
	}
	d := time.Until(t)
	switch {
	case d <= 0:
		h.expired.Store(true)
		h.kick()
	case h.timer == nil:
		h.timer = time.AfterFunc(d, h.expire)
	default:
		h.timer.Reset(d)
	}
}

// expire runs when the timer fires, which may be too late: the deadline may have
// been moved meanwhile.
func (h *half) expire() {
	h.deadlineMu.Lock()
	defer h.deadlineMu.Unlock()
	if h.stopped || h.deadline.IsZero() {
		return
	}
	if d := time.Until(h.deadline); d > 0 {
		h.timer.Reset(d)
		return
	}
	h.expired.Store(true)
	h.kick()
}
