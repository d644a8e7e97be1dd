package netstack

import (
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/waiter"

	"ingot.dev/net/inet"
)

// Listener accepts TCP connections.
//
// Connections that nobody accepts are held up to the backlog (inet.Options),
// then SYNs are dropped and the peers try again. Handshakes that are going on
// are held up to the backlog too; beyond it they are answered with SYN cookies
// (RFC 4987 §3.6) and cost no memory.
type Listener struct {
	ep      tcpip.Endpoint
	wq      waiter.Queue
	network string
	local   netip.AddrPort
	options inet.Options
	gate    *gate

	closed atomic.Bool
	in     half
}

var _ net.Listener = (*Listener)(nil)

// Accept implements net.Listener; the connection is a *Conn.
func (l *Listener) Accept() (net.Conn, error) {
	c, err := l.accept()
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (l *Listener) accept() (*Conn, error) {
	h := &l.in
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		if l.closed.Load() {
			return nil, l.opError("accept", net.ErrClosed)
		}
		if h.expired.Load() {
			return nil, l.opError("accept", os.ErrDeadlineExceeded)
		}
		ep, wq, err := l.ep.Accept(nil)
		switch err.(type) {
		case nil:
			c := l.gate.s.newConn(ep, wq, l.network)
			c.established()
			if !l.gate.asks(c.remote) {
				c.SetLinger(0) // a reset
			} else if l.options.Apply(c) == nil {
				return c, nil
			}
			c.Close()
		case *tcpip.ErrWouldBlock:
			h.wait()
		default:
			if !l.closed.Load() {
				return nil, l.opError("accept", sysError("accept", err))
			}
		}
	}
}

// SetDeadline bounds Accept.
func (l *Listener) SetDeadline(t time.Time) error {
	if l.closed.Load() {
		return l.opError("set", net.ErrClosed)
	}
	l.in.setDeadline(t)
	return nil
}

// SetBacklog changes how many connections may wait for Accept, and how many
// handshakes may go on at once. It fails if more wait already.
func (l *Listener) SetBacklog(n int) error {
	if l.closed.Load() {
		return l.opError("set", net.ErrClosed)
	}
	if n < 1 {
		return l.opError("set", os.NewSyscallError("listen", syscall.EINVAL))
	}
	if err := l.ep.Listen(n); err != nil {
		return l.opError("set", sysError("listen", err))
	}
	return nil
}

// Close implements net.Listener. Connections that wait to be accepted are reset.
func (l *Listener) Close() error {
	if l.closed.Swap(true) {
		return l.opError("close", net.ErrClosed)
	}
	l.gate.close()
	l.in.stop()
	l.wq.EventUnregister(&l.in.entry)
	l.ep.Close()
	l.in.kick()
	return nil
}

// Addr implements net.Listener; the address is a *net.TCPAddr.
func (l *Listener) Addr() net.Addr { return tcpAddr(l.local) }

func (l *Listener) opError(op string, err error) error {
	return &net.OpError{Op: op, Net: l.network, Addr: l.Addr(), Err: err}
}
