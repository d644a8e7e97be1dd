package server

import (
	"context"
	"sync"
)

// Loop holds events until the program asks for them: its Post is for Config.Post,
// and DoEvents calls what waits, on the goroutine that calls DoEvents. It stands in
// for the loop of programs that do one thing after another. The zero value is
// ready to use.
//
// Unlike in the reference, timeouts and sending go on by themselves between two
// DoEvents.
type Loop struct {
	mu      sync.Mutex
	queue   []func()
	running bool
	wake    chan struct{}
}

// Post queues f. It may be called from any goroutine, in events too.
func (l *Loop) Post(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queue = append(l.queue, f)
	if l.wake != nil {
		close(l.wake)
		l.wake = nil
	}
}

// DoEvents calls the events that wait and returns their number. If there are none it
// waits for one until ctx ends; with a ctx that has ended it doesn't wait. Within an
// event, or while another goroutine is in it, it does nothing: events are not
// re-entrant.
func (l *Loop) DoEvents(ctx context.Context) int {
	l.mu.Lock()
	if l.running {
		l.mu.Unlock()
		return 0
	}
	l.running = true
	defer func() {
		l.mu.Lock()
		l.running = false
		l.mu.Unlock()
	}()
	for len(l.queue) == 0 {
		if l.wake == nil {
			l.wake = make(chan struct{})
		}
		wake := l.wake
		l.mu.Unlock()
		select {
		case <-wake:
		case <-ctx.Done():
			return 0
		}
		l.mu.Lock()
	}
	batch := l.queue
	l.queue = nil
	l.mu.Unlock()
	for _, f := range batch {
		f()
	}
	return len(batch)
}
