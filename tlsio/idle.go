package tlsio

import "time"

// ErrIdleTimeout is what OnError is told when nothing came or went for the idle
// timeout of an instance without OnTimeout.
var ErrIdleTimeout error = idleTimeout{}

type idleTimeout struct{}

func (idleTimeout) Error() string   { return "tlsio: idle for too long" }
func (idleTimeout) Timeout() bool   { return true }
func (idleTimeout) Temporary() bool { return false }

// idleTimer is the part of a link that knows when something last came or went.
// All of it is guarded by the link's mu.
type idleTimer struct {
	after time.Duration // 0 for no timeout
	last  time.Time     // when bytes came or went, or the timer was set
	timer *time.Timer   // nil until the first timeout is set
	told  bool          // OnTimeout runs, and has not set the timeout again
}

// SetIdleTimeout begins to wait for d in which no byte comes or goes, from now on
// or, before the connection is set up, from then on. Then OnTimeout is called once,
// and the instance closed when it returns, as by Close, unless it called
// SetIdleTimeout again. Without an OnTimeout, the connection is closed and
// OnError told ErrIdleTimeout. 0 ends the waiting.
func (i *instance) SetIdleTimeout(d time.Duration) error {
	const op = "SetIdleTimeout"
	l, err := i.enter(op)
	if err != nil {
		return err
	}
	defer l.mu.Unlock()
	if d < 0 {
		return &Error{Op: op, Stage: StageOptions, Err: &OptionError{"IdleTimeout", d, "use a positive duration, or 0 for none"}}
	}
	l.idle.told = false
	l.setIdle(d)
	return nil
}

// setIdle sets the timeout. l.mu is held.
func (l *link) setIdle(d time.Duration) {
	l.events &^= evTimeout
	l.idle.after = d
	if d == 0 {
		l.stopIdle()
	} else if l.up {
		l.armIdle()
	}
}

// armIdle starts the timer, if there is to be one. l.mu is held.
func (l *link) armIdle() {
	if l.idle.after == 0 || l.owner == nil {
		return
	}
	l.idle.last = time.Now()
	if l.idle.timer == nil {
		l.idle.timer = time.AfterFunc(l.idle.after, l.idleFired)
	} else {
		l.idle.timer.Reset(l.idle.after)
	}
}

// stopIdle ends the timeout. l.mu is held.
func (l *link) stopIdle() {
	l.idle.after = 0
	if l.idle.timer != nil {
		l.idle.timer.Stop()
	}
}

// touch notes that bytes came or went, or can again. l.mu is held.
func (l *link) touch() {
	if l.idle.after != 0 {
		l.idle.last = time.Now()
	}
}

// idleFired is called by the timer, which is not moved with each byte.
func (l *link) idleFired() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stillIdle() {
		l.post(evTimeout)
	}
}

// stillIdle reports whether the timeout has passed; if not, it sets the timer for
// what is left. l.mu is held.
func (l *link) stillIdle() bool {
	if l.idle.after == 0 || l.owner == nil || l.owner.failed {
		return false
	}
	if l.telling {
		l.idle.last = time.Now() // who would see what comes is in a callback
	}
	if left := l.idle.after - time.Since(l.idle.last); left > 0 {
		l.idle.timer.Reset(left)
		return false
	}
	return true
}

// idleExpired tells o that the timeout has passed, and closes. l.mu is held, but
// not during the callback.
func (l *link) idleExpired(o *instance, h callbacks) {
	if !l.stillIdle() {
		return // something came while the event stood in the queue
	}
	l.idle.after = 0
	l.idle.told = true
	told := false
	if h != nil {
		l.outside(func() { told = h.timeout() })
	}
	if l.owner != o || !l.idle.told {
		return // closed, handed over, or set again
	}
	l.idle.told = false
	if told {
		l.close()
		return
	}
	addr := l.conn.RemoteAddr()
	l.fail(newError("SetIdleTimeout", addr, StageRead, nil, l.secured != nil && l.secured.server, ErrIdleTimeout))
	go l.conn.Close()
}
