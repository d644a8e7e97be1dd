package tlsio

import (
	"net"
	"sync"
)

// leftover are bytes that were read from a connection before somebody else took it
// over.
type leftover struct {
	mu sync.Mutex
	p  []byte
}

// read moves bytes to p. more says whether there are others.
func (l *leftover) read(p []byte) (n int, more bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n = copy(p, l.p)
	l.p = l.p[n:]
	return n, len(l.p) > 0
}

// withLeftover returns conn such that reads begin with p. A *Conn stays one.
func withLeftover(conn net.Conn, p []byte) net.Conn {
	if len(p) == 0 {
		return conn
	}
	if c, ok := conn.(*Conn); ok {
		c.left.Store(&leftover{p: p})
		return c
	}
	return &unreadConn{conn, leftover{p: p}}
}

// readLeft reads what was left over; 0 if nothing.
func (c *Conn) readLeft(p []byte) int {
	l := c.left.Load()
	if l == nil {
		return 0
	}
	n, more := l.read(p)
	if !more {
		c.left.CompareAndSwap(l, nil)
	}
	return n
}

// unreadConn is a connection without TLS that has a leftover.
type unreadConn struct {
	net.Conn
	left leftover
}

func (c *unreadConn) Read(p []byte) (int, error) {
	if n, _ := c.left.read(p); n > 0 {
		return n, nil
	}
	return c.Conn.Read(p)
}

// CloseWrite ends the sending side, if the connection below can do that.
func (c *unreadConn) CloseWrite() error {
	if below, ok := find[writeCloser](c.Conn); ok {
		return below.CloseWrite()
	}
	return &Error{Op: "CloseWrite", Stage: StageClose, Err: ErrNotSupported}
}

// NetConn returns the connection below, whose reads miss the leftover.
func (c *unreadConn) NetConn() net.Conn { return c.Conn }
