package relay

import (
	"errors"
	"io"
	"sync"
)

// aheadMost is what a client may send before its server is there, in bytes. Whoever
// sends more is held up.
const aheadMost = 64 << 10

// late stands for the connection to a server until that is there: it keeps what is
// written. So a client is read from while it waits, and a client that breaks off or is
// idle for too long is noticed.
type late struct {
	to io.Writer // set by start

	mu    sync.Mutex
	moved sync.Cond // of mu: something below has changed
	ahead []byte    // written, and not yet passed on
	begun bool      // start was called
	ready bool      // ahead is passed on: writes go to the connection
	ended bool      // CloseWrite was called before that
	err   error     // why writing is over
}

func newLate() *late {
	l := &late{}
	l.moved.L = &l.mu
	return l
}

// Write passes p on, or keeps a copy until that can be done.
func (l *late) Write(p []byte) (int, error) {
	l.mu.Lock()
	for !l.ready && l.err == nil {
		if !l.begun && len(l.ahead)+len(p) <= aheadMost {
			l.ahead = append(l.ahead, p...)
			l.mu.Unlock()
			return len(p), nil
		}
		l.moved.Wait()
	}
	err := l.err
	l.mu.Unlock()
	if err != nil {
		return 0, err
	}
	return l.to.Write(p)
}

// CloseWrite ends the server's input, behind all that was written.
func (l *late) CloseWrite() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.ready {
		l.ended = true
		return l.err
	}
	return closeWrite(l.to)
}

// start passes on what was kept, and lets writes through.
func (l *late) start(to io.Writer) error {
	l.mu.Lock()
	ahead := l.ahead
	l.to, l.begun, l.ahead = to, true, nil
	l.mu.Unlock()
	var err error
	if len(ahead) > 0 {
		_, err = to.Write(ahead)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil && l.ended {
		err = closeWrite(to)
	}
	l.ready, l.err = true, err
	l.moved.Broadcast()
	return err
}

// fail ends writing, since there will be no server.
func (l *late) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = err
	l.moved.Broadcast()
}

// closeWrite ends one direction of a connection. That the peer is gone already is no
// error: if that was no proper end, the opposite direction has it.
func closeWrite(to io.Writer) error {
	c, ok := to.(interface{ CloseWrite() error })
	if !ok {
		return errors.ErrUnsupported
	}
	c.CloseWrite()
	return nil
}
