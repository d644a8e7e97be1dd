package relay

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"ingot.dev/tlsio"
)

// Pauses between attempts to reach a server that is away.
const (
	firstPause   = 100 * time.Millisecond
	longestPause = 5 * time.Second
)

// An UnreachableError says that a connection could not be passed on.
type UnreachableError struct {
	To       string
	Waited   time.Duration
	Attempts int // that were made for this connection
	Err      error
}

func (e *UnreachableError) Error() string {
	return fmt.Sprintf("relay: %s could not be reached for %v: %v", e.To, e.Waited.Round(time.Millisecond), e.Err)
}

func (e *UnreachableError) Unwrap() error { return e.Err }

// A dialer makes connections to one server. While that is away, those who want one take
// turns, with a pause before each attempt, so that a server that comes back isn't met by
// a crowd, and one that doesn't isn't asked all the time.
type dialer struct {
	to   string
	dial func(ctx context.Context) (net.Conn, error)
	turn chan struct{} // holds a token while somebody tries

	mu    sync.Mutex
	away  bool
	pause time.Duration
	err   error // why it is away
}

func newDialer(to string, dial func(context.Context) (net.Conn, error)) *dialer {
	return &dialer{to: to, dial: dial, turn: make(chan struct{}, 1)}
}

// connect makes a connection, or waits for one until ctx ends. An attempt goes on until
// dialing ends.
func (d *dialer) connect(ctx, dialing context.Context) (net.Conn, error) {
	start, attempts := time.Now(), 0
	fail := func(err error) (net.Conn, error) {
		return nil, &UnreachableError{d.to, time.Since(start), attempts, err}
	}
	for {
		away, _, last := d.state()
		if !away {
			attempts++
			conn, err := d.attempt(dialing)
			if err == nil {
				return conn, nil
			}
			if last = err; hopeless(err) || ctx.Err() != nil {
				return fail(err)
			}
		}
		select {
		case d.turn <- struct{}{}:
		case <-ctx.Done():
			return fail(errors.Join(last, context.Cause(ctx)))
		}
		// It may have come back while we waited for our turn.
		away, pause, last := d.state()
		if !away {
			<-d.turn
			continue
		}
		timer := time.NewTimer(pause/2 + rand.N(pause/2))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			<-d.turn
			return fail(last)
		}
		attempts++
		conn, err := d.attempt(dialing)
		<-d.turn
		switch {
		case err == nil:
			return conn, nil
		case hopeless(err), ctx.Err() != nil:
			return fail(err)
		}
	}
}

func (d *dialer) state() (away bool, pause time.Duration, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.away, d.pause, d.err
}

// attempt dials once, and notes what came of it. An attempt that was called off, because
// its client left, says nothing of the server.
func (d *dialer) attempt(ctx context.Context) (net.Conn, error) {
	conn, err := d.dial(ctx)
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case err == nil:
		d.away, d.pause, d.err = false, 0, nil
	case errors.Is(ctx.Err(), context.Canceled):
	case !d.away:
		d.away, d.pause, d.err = true, firstPause, err
	default:
		d.pause, d.err = min(2*d.pause, longestPause), err
	}
	return conn, err
}

// hopeless reports whether waiting won't help: the server is there, and isn't the one
// that was meant.
func hopeless(err error) bool {
	e, ok := errors.AsType[*tlsio.Error](err)
	return ok && (e.Stage == tlsio.StageVerify || e.Stage == tlsio.StageOptions)
}
