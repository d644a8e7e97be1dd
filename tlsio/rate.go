package tlsio

import (
	"runtime"
	"sync"
	"time"
)

// ErrHandshakeRate is reported for connections above HandshakeRate.
var ErrHandshakeRate error = &sentinel{"tlsio: too many handshakes in a short time", nil}

// HandshakeRate bounds the handshakes of a listener in time, so that a flood of them
// leaves the processor to established connections: a token bucket, from which each
// handshake takes one. A handshake for which there is none begins a second late at most;
// who would have to wait longer is refused (ErrHandshakeRate), before the network answers
// where it can ask. And of the handshakes of all listeners that have a rate, only as many
// compute at the same time as leave a processor (of GOMAXPROCS) free, first come first,
// but one at least.
type HandshakeRate struct {
	PerSecond int // tokens per second; 0 for no limit
	Burst     int // tokens after a quiet time; 0 for five seconds' worth
}

// handshakeDelay is how late a handshake may begin.
const handshakeDelay = time.Second

func (r HandshakeRate) check(errs *optionErrors, prefix string) {
	if r.PerSecond < 0 || r.PerSecond > 1e6 {
		errs.add(prefix+"HandshakeRate.PerSecond", r.PerSecond, "use 1 to 1000000, or 0 for no limit")
	}
	if r.Burst < 0 || r.Burst > 0 && r.PerSecond == 0 {
		errs.add(prefix+"HandshakeRate.Burst", r.Burst, "use a positive number, with PerSecond, or 0 for five seconds' worth")
	}
}

// bucket is a HandshakeRate under way.
type bucket struct {
	now      func() time.Time
	interval time.Duration // between tokens
	burst    time.Duration // what due may be ahead of now by

	mu sync.Mutex
	// due is when the next handshake would come if they came evenly: the
	// theoretical arrival time of GCRA (ITU-T I.371).
	due time.Time
}

// bucket returns nil where there is no limit.
func (r HandshakeRate) bucket() *bucket {
	if r.PerSecond == 0 {
		return nil
	}
	burst := r.Burst
	if burst == 0 {
		burst = 5 * r.PerSecond
	}
	interval := time.Second / time.Duration(r.PerSecond)
	return &bucket{now: time.Now, interval: interval, burst: time.Duration(burst-1) * interval}
}

// asks says whether there would be a token in time. It takes none.
func (b *bucket) asks() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, err := b.wait()
	return err
}

// take takes a token and returns when it will be there.
func (b *bucket) take() (time.Duration, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	wait, err := b.wait()
	if err == nil {
		b.due = b.due.Add(b.interval)
	}
	return wait, err
}

// wait returns how long one more token would take. b.mu is held.
func (b *bucket) wait() (time.Duration, error) {
	now := b.now()
	if b.due.Before(now) {
		b.due = now
	}
	wait := b.due.Sub(now) - b.burst
	if wait > handshakeDelay {
		return 0, ErrHandshakeRate
	}
	return max(wait, 0), nil
}

// turns has handshakes compute one after another: each has a turn from when its client's
// hello is there until it reads or writes again, and, if it wants a certificate, another
// one for that. A turn is no lock: who has waited for too long goes on without, since a
// program's functions may take their time in one.
type turns struct {
	room     chan struct{}
	patience time.Duration
}

// turnPatience is more than all handshakes of a listener take, one after another.
const turnPatience = 3 * time.Second

// allTurns are those of all listeners with a rate.
var allTurns struct {
	once sync.Once
	turns
}

func sharedTurns() *turns {
	allTurns.once.Do(func() {
		allTurns.turns = turns{make(chan struct{}, max(runtime.GOMAXPROCS(0)-1, 1)), turnPatience}
	})
	return &allTurns.turns
}

// begin waits for a turn and reports whether there is one, which must end then.
func (t *turns) begin() bool {
	select {
	case t.room <- struct{}{}:
		return true
	default:
	}
	patience := time.NewTimer(t.patience)
	defer patience.Stop()
	select {
	case t.room <- struct{}{}:
		return true
	case <-patience.C:
		return false
	}
}

func (t *turns) end() { <-t.room }

// beginTurn is called before much is computed, and endTurn before waiting for the peer and
// when the handshake has ended.
func (w *wire) beginTurn() {
	if w.turns != nil && !w.turn {
		w.turn = w.turns.begin()
	}
}

func (w *wire) endTurn() {
	if w.turn {
		w.turn = false
		w.turns.end()
	}
}
