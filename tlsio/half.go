package tlsio

import (
	"fmt"
	"net"
)

// ErrWriteClosed is returned by writes after End or CloseWrite.
var ErrWriteClosed error = &sentinel{"tlsio: the sending side was closed before", nil}

// End writes p as the last data, which may be empty, and closes the sending side
// when all that was written has been sent. It takes all of p or, if p is longer
// than the writable count, nothing, and then the sending side stays open. Reading
// goes on until the peer ends too.
//
// In TLS the end is a close_notify, and then the transport's end if it has one.
func (i *instance) End(p []byte) (n int, err error) {
	if err := i.end("End", p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// CloseWrite is End without last data.
func (i *instance) CloseWrite() error { return i.end("CloseWrite", nil) }

func (i *instance) end(op string, p []byte) error {
	l, err := i.enter(op)
	if err != nil {
		return err
	}
	defer l.mu.Unlock()
	if l.up && l.secured == nil {
		if _, ok := find[writeCloser](l.conn); !ok {
			return &Error{Op: op, Stage: StageClose, Err: ErrNotSupported, Hint: "this network's connections can't be closed in one direction"}
		}
	}
	if _, err := l.accept(op, p); err != nil {
		return err
	}
	l.ending = true
	l.kick()
	return nil
}

type writeCloser interface{ CloseWrite() error }

// closeWrite ends the sending side of a connection that was found to be able to.
func closeWrite(conn net.Conn) error {
	c, _ := find[writeCloser](conn)
	return c.CloseWrite()
}

// find returns what of conn, or of what it is made on, has T's methods. It doesn't
// look below a TLS session for T where the session has it itself.
func find[T any](conn net.Conn) (T, bool) {
	for conn != nil {
		if c, ok := conn.(T); ok {
			return c, true
		}
		below, ok := conn.(interface{ NetConn() net.Conn })
		if !ok {
			break
		}
		conn = below.NetConn()
	}
	var none T
	return none, false
}

// Terminate ends the instance like Close, but at once: what was written and not
// yet sent is dropped, and the peer sees a reset (RST) in place of an orderly end,
// in TLS too. The error says that the network's connections can't be reset: then
// the connection was closed without one. Terminating again does nothing.
func (i *instance) Terminate() error {
	l := i.link.Load()
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.owner != i {
		return nil
	}
	l.disown()
	l.closed, l.terminated = true, true
	var err error
	if l.conn == nil && l.shaking != nil {
		err = resetting(l.shaking) // the end of its handshake closes it
	}
	l.cancel()
	l.changed.Broadcast()
	if l.conn == nil {
		return err
	}
	l.writeErr = &Error{Op: "Terminate", Stage: StageClose, Err: ErrClosed} // drain stops
	return reset(l.conn)
}

// resetting makes closing conn send a RST, if it can.
func resetting(conn net.Conn) error {
	if c, ok := find[interface{ SetLinger(int) error }](conn); ok {
		c.SetLinger(0) // fails on a connection that has ended, which needs no RST
		return nil
	}
	return &Error{Op: "Terminate", Stage: StageClose, Err: ErrNotSupported,
		Hint: fmt.Sprintf("a %T can't be reset; it was closed", conn)}
}

// shakes notes the transport on which l's handshake begins, for Terminate.
func (l *link) shakes(raw net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.shaking = raw
	if l.terminated {
		resetting(raw)
	}
}

// reset closes conn with a RST, if it can.
func reset(conn net.Conn) error {
	err := resetting(conn)
	if secured, ok := conn.(*Conn); ok {
		secured.abandon()
	} else {
		conn.Close()
	}
	return err
}

// Terminate closes the connection with a reset (RST), without close_notify. What
// was not sent yet is dropped. See TCP's method of this name for its error.
func (c *Conn) Terminate() error {
	if c.closed.Load() {
		return ErrClosed
	}
	return reset(c)
}

// abandon closes the transport without close_notify.
func (c *Conn) abandon() {
	if c.closed.Swap(true) {
		return
	}
	c.wire.raw.Close()
	c.wire.ended(nil)
	if c.release != nil {
		c.release()
	}
}
