package tlsio

import (
	"net"
	"sync"
	"sync/atomic"
)

// heldConn is a connection that has something of a Budget, or counts against a limit,
// until it is closed.
type heldConn struct {
	net.Conn
	account *Account // nil without a budget
	leave   func()   // called once; nil for nothing
	once    sync.Once

	handshake atomic.Bool // under way: what comes is counted
}

// budgetOpen is Budget.open.
func budgetOpen(b *Budget, c cost, conn net.Conn) (net.Conn, error) {
	a, err := b.account(c)
	if err != nil {
		return nil, err
	}
	h := &heldConn{Conn: conn, account: a}
	h.handshake.Store(c.handshake > 0)
	return h, nil
}

// accountOf returns the account of a connection, which may be nil.
func accountOf(conn net.Conn) *Account {
	if c, ok := conn.(*Conn); ok {
		conn = c.wire.raw
	}
	if h, ok := conn.(*heldConn); ok {
		return h.account
	}
	return nil
}

// AccountOf returns what conn has of a Budget, so that what is queued for it can be
// accounted for; nil, which accounts for nothing, if it belongs to none. conn is a
// connection from a listener of this package, or one taken from an instance.
func AccountOf(conn net.Conn) *Account {
	for conn != nil {
		if a := accountOf(conn); a != nil {
			return a
		}
		under, ok := conn.(interface{ NetConn() net.Conn })
		if !ok {
			break
		}
		conn = under.NetConn()
	}
	return nil
}

// Read implements net.Conn.
func (h *heldConn) Read(p []byte) (int, error) {
	n, err := h.Conn.Read(p)
	if n > 0 && h.handshake.Load() {
		if e := h.account.received(n); e != nil {
			return 0, e
		}
	}
	return n, err
}

func (h *heldConn) established() {
	if h.handshake.Swap(false) {
		h.account.established()
	}
}

// Close implements net.Conn.
func (h *heldConn) Close() error {
	err := h.Conn.Close()
	h.once.Do(func() {
		h.account.Close()
		if h.leave != nil {
			h.leave()
		}
	})
	return err
}

// UnbufferedConn returns it to who waits for something to read: nothing is kept here.
func (h *heldConn) UnbufferedConn() net.Conn { return h.Conn }

// NetConn returns the connection of the network, with whatever methods it has.
func (h *heldConn) NetConn() net.Conn { return h.Conn }
