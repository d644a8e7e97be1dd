package server

import (
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
)

// PanicError is the cause when an event's function has panicked, or called
// runtime.Goexit; it matches ErrPanic.
type PanicError struct {
	Event string
	Value any
	Stack []byte
}

func (e *PanicError) Error() string {
	if e.Value == errGoexit {
		return e.Event + " " + errGoexit.Error()
	}
	return fmt.Sprintf("%s panicked: %v", e.Event, e.Value)
}

// errGoexit is the Value for an event that has ended its goroutine, as
// testing.T.FailNow does. What is left to do for the connection is done by deferred
// functions then.
var errGoexit = errors.New("called runtime.Goexit")

// Is reports whether target is ErrPanic.
func (e *PanicError) Is(target error) bool { return target == ErrPanic }

// Unwrap returns what was panicked with, if that is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// turns has the events of a connection called one after another. The reading
// goroutine takes its turn itself; what others have to tell waits in a queue for
// whoever has the turn.
type turns struct {
	mu     sync.Mutex
	taken  bool
	queue  []func()
	waiter chan struct{} // the reading goroutine, when somebody else has the turn
}

// begin waits for the turn. Only the reading goroutine calls it.
func (t *turns) begin() {
	t.mu.Lock()
	if !t.taken {
		t.taken = true
		t.mu.Unlock()
		return
	}
	w := make(chan struct{})
	t.waiter = w
	t.mu.Unlock()
	<-w
}

// end gives the turn up, after what is queued.
func (t *turns) end() {
	done := false
	defer func() {
		if !done { // an event has ended the goroutine
			t.end()
		}
	}()
	for {
		t.mu.Lock()
		if len(t.queue) > 0 {
			f := t.queue[0]
			t.queue[0] = nil
			t.queue = t.queue[1:]
			t.mu.Unlock()
			f()
			continue
		}
		done = true
		t.queue = nil
		if w := t.waiter; w != nil {
			t.waiter = nil
			t.mu.Unlock()
			close(w)
			return
		}
		t.taken = false
		t.mu.Unlock()
		return
	}
}

// add queues f and reports whether the caller must have end called.
func (t *turns) add(f func()) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.queue = append(t.queue, f)
	if t.taken {
		return false
	}
	t.taken = true
	return true
}

// call has f called as an event, and waits for it. Only the reading goroutine calls
// it. f isn't called, which it reports, if the connection is broken off while it waits
// for Post.
func (c *Connection) call(event string, f func()) (called bool) {
	if c.post == nil {
		c.turns.begin()
		defer c.turns.end()
		c.guard(event, f)
		return true
	}
	// A program that has stopped calling its loop must not hold up goroutines
	// after Close; but what has begun is waited for, because f may use buffers.
	var mu sync.Mutex
	begun, dropped := false, false
	done := make(chan struct{})
	c.post(func() {
		mu.Lock()
		begun = !dropped
		mu.Unlock()
		if begun {
			defer close(done)
			c.guard(event, f)
		}
	})
	select {
	case <-done:
		return true
	case <-c.ctx.Done():
	}
	mu.Lock()
	dropped = !begun
	mu.Unlock()
	if dropped {
		return false
	}
	<-done
	return true
}

// later has f called as an event, without waiting, unless the last event was.
func (c *Connection) later(event string, f func()) {
	once := func() {
		if !c.over() {
			c.guard(event, f)
		}
	}
	if c.post != nil {
		c.post(once)
		return
	}
	if c.turns.add(once) {
		c.server.spawn(c.turns.end)
	}
}

// dataIn is call for DataIn, which is the one that must be cheap.
func (c *Connection) dataIn(data []byte, eol bool) {
	h := c.server.handler.DataIn
	if h == nil {
		return
	}
	if c.post != nil {
		c.call("DataIn", func() { h(c, data, eol) })
		return
	}
	c.turns.begin()
	defer c.turns.end()
	returned := false
	defer func() { c.caught("DataIn", recover(), returned) }()
	h(c, data, eol)
	returned = true
}

// guard calls an event's function and survives it.
func (c *Connection) guard(event string, f func()) {
	returned := false
	defer func() { c.caught(event, recover(), returned) }()
	f()
	returned = true
}

// caught turns a panic with v, or a goroutine's end, into an Error event and the
// connection's end.
func (c *Connection) caught(event string, v any, returned bool) {
	if returned {
		return
	}
	err := panicError(event, c.id, v)
	c.fail(err)
	c.server.report(c, err)
}

// panicError is about an event that didn't return; v is what it has panicked with, nil
// if it hasn't.
func panicError(event, id string, v any) error {
	if v == nil {
		v = errGoexit
	}
	return &Error{event, id, CodeAborted, &PanicError{event, v, debug.Stack()}}
}

// report calls the Error event; the caller has the turn. Another panic there is
// not reported: who should be told?
func (s *Server) report(c *Connection, err error) {
	if s.handler.Error == nil {
		return
	}
	defer func() { recover() }()
	s.handler.Error(c, err)
}

// reportLater is report for those without the turn, and for the server itself.
func (s *Server) reportLater(c *Connection, err error) {
	if s.handler.Error == nil {
		return
	}
	if c != nil {
		c.later("Error", func() { s.report(c, err) })
		return
	}
	if post := s.post(); post != nil {
		post(func() { s.report(nil, err) })
		return
	}
	s.report(nil, err)
}
