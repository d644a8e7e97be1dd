package netstack

import (
	"bytes"
	"io"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/waiter"
)

// Conn is a TCP connection. It has the methods of *net.TCPConn, but for those
// that hand out a file descriptor, and their semantics. It needs no goroutine.
type Conn struct {
	ep    tcpip.Endpoint
	wq    *waiter.Queue
	turns *turns

	local, remote netip.AddrPort
	network       string // as dialed or listened: "tcp", "tcp4", "tcp6"

	closed  atomic.Bool
	failure atomic.Pointer[tcpip.Error] // what ended the connection, if not a FIN

	in  half
	dst tcpip.SliceWriter // guarded by in.mu; here so that Read allocates nothing

	out half
	src bytes.Reader // guarded by out.mu
}

var _ net.Conn = (*Conn)(nil)

// newConn returns the connection of an endpoint, established or about to be.
func (s *Stack) newConn(ep tcpip.Endpoint, wq *waiter.Queue, network string) *Conn {
	c := &Conn{ep: ep, wq: wq, turns: &s.turns, network: network}
	c.in.init(wq, waiter.ReadableEvents)
	c.out.init(wq, waiter.WritableEvents)
	return c
}

// established notes the addresses, which later can't be asked for any more.
func (c *Conn) established() {
	if a, err := c.ep.GetLocalAddress(); err == nil {
		c.local = fromFull(a)
	}
	if a, err := c.ep.GetRemoteAddress(); err == nil {
		c.remote = fromFull(a)
	}
}

func (c *Conn) opError(op string, err error) error {
	return &net.OpError{Op: op, Net: c.network, Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
}

// Read implements net.Conn. It returns what there is, waiting only for the
// first byte; io.EOF after the peer closed its side.
func (c *Conn) Read(b []byte) (int, error) {
	h := &c.in
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		if c.closed.Load() {
			return 0, c.opError("read", net.ErrClosed)
		}
		if h.expired.Load() {
			return 0, c.opError("read", os.ErrDeadlineExceeded)
		}
		if len(b) == 0 {
			return 0, nil
		}
		c.dst = b
		res, err := c.ep.Read(&c.dst, tcpip.ReadOptions{})
		c.dst = nil
		if err == nil {
			return res.Count, nil
		}
		if _, ok := err.(*tcpip.ErrWouldBlock); ok {
			h.wait()
			continue
		}
		if c.closed.Load() {
			continue
		}
		if _, ok := err.(*tcpip.ErrClosedForReceive); ok {
			if err = c.ended(); err == nil {
				return 0, io.EOF
			}
		} else {
			c.fail(err)
		}
		return 0, c.opError("read", sysError("read", err))
	}
}

// fail notes what has ended the connection, if that isn't noted yet. It is here so that
// errors of every read and write needn't live in the heap.
func (c *Conn) fail(err tcpip.Error) { c.failure.CompareAndSwap(nil, &err) }

// ended says why there is nothing more to read: nil for a FIN. The stack reports
// a failure once, to the reader or the writer; the other must not take the end
// for a proper one.
func (c *Conn) ended() tcpip.Error {
	if e := c.failure.Load(); e != nil {
		return *e
	}
	if tcp.EndpointState(c.ep.State()) == tcp.StateError {
		return &tcpip.ErrConnectionReset{}
	}
	return nil
}

// Write implements net.Conn. It returns when the stack has taken all of b.
func (c *Conn) Write(b []byte) (int, error) {
	h := &c.out
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for {
		if c.closed.Load() {
			return n, c.opError("write", net.ErrClosed)
		}
		if h.expired.Load() {
			return n, c.opError("write", os.ErrDeadlineExceeded)
		}
		if n == len(b) {
			return n, nil
		}
		c.src.Reset(b[n:])
		// Atomic spares the stack to drop and retake its locks for the copy.
		m, err := c.ep.Write(&c.src, tcpip.WriteOptions{Atomic: true})
		c.src.Reset(nil)
		n += int(m)
		if m > 0 {
			c.turns.wrote(int(m))
		}
		if err == nil {
			if n == len(b) {
				return n, nil
			}
			continue
		}
		if _, ok := err.(*tcpip.ErrWouldBlock); ok {
			h.wait()
			continue
		}
		if c.closed.Load() {
			continue
		}
		if _, ok := err.(*tcpip.ErrClosedForSend); ok {
			if e := c.failure.Load(); e != nil {
				err = *e
			}
		} else {
			c.fail(err)
		}
		return n, c.opError("write", sysError("write", err))
	}
}

// Close implements net.Conn. Reads and writes that wait return net.ErrClosed;
// data that was written is sent in the background, unless SetLinger(0).
func (c *Conn) Close() error {
	if c.closed.Swap(true) {
		return c.opError("close", net.ErrClosed)
	}
	c.in.stop()
	c.out.stop()
	// The endpoint may live on for its FIN and TIME-WAIT, this must not.
	c.wq.EventUnregister(&c.in.entry)
	c.wq.EventUnregister(&c.out.entry)
	c.ep.Close()
	c.in.kick()
	c.out.kick()
	return nil
}

// CloseRead ends reading: Read returns io.EOF from now on.
func (c *Conn) CloseRead() error { return c.shutdown(tcpip.ShutdownRead) }

// CloseWrite ends writing: the peer reads io.EOF after what was written.
func (c *Conn) CloseWrite() error { return c.shutdown(tcpip.ShutdownWrite) }

func (c *Conn) shutdown(flags tcpip.ShutdownFlags) error {
	if c.closed.Load() {
		return c.opError("close", net.ErrClosed)
	}
	if err := c.ep.Shutdown(flags); err != nil {
		return c.opError("close", sysError("shutdown", err))
	}
	return nil
}

// LocalAddr implements net.Conn; the address is a *net.TCPAddr.
func (c *Conn) LocalAddr() net.Addr { return tcpAddr(c.local) }

// RemoteAddr implements net.Conn; the address is a *net.TCPAddr.
func (c *Conn) RemoteAddr() net.Addr { return tcpAddr(c.remote) }

// SetDeadline implements net.Conn.
func (c *Conn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

// SetReadDeadline implements net.Conn.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.setDeadline(&c.in, t) }

// SetWriteDeadline implements net.Conn.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.setDeadline(&c.out, t) }

func (c *Conn) setDeadline(h *half, t time.Time) error {
	if c.closed.Load() {
		return c.opError("set", net.ErrClosed)
	}
	h.setDeadline(t)
	return nil
}

// set runs f unless the connection is closed.
func (c *Conn) set(f func() tcpip.Error) error {
	if c.closed.Load() {
		return c.opError("set", net.ErrClosed)
	}
	if err := f(); err != nil {
		return c.opError("set", sysError("setsockopt", err))
	}
	return nil
}

// SetNoDelay sends small segments at once (true, the default), or holds them
// back while data is unacknowledged (RFC 896).
func (c *Conn) SetNoDelay(noDelay bool) error {
	return c.set(func() tcpip.Error {
		c.ep.SocketOptions().SetDelayOption(!noDelay)
		return nil
	})
}

// SetKeepAlive turns keep-alive probes on or off.
func (c *Conn) SetKeepAlive(on bool) error {
	return c.set(func() tcpip.Error {
		c.ep.SocketOptions().SetKeepAlive(on)
		return nil
	})
}

// SetKeepAlivePeriod sets the idle time and the interval of keep-alive probes.
func (c *Conn) SetKeepAlivePeriod(d time.Duration) error {
	return c.setKeepAlive(d, d, -1)
}

// Defaults of net.KeepAliveConfig.
const (
	keepAliveTime  = 15 * time.Second
	keepAliveCount = 9
)

// SetKeepAliveConfig sets all of keep-alive. As in package net, 0 stands for a
// default and negative values leave a setting as it is.
func (c *Conn) SetKeepAliveConfig(k net.KeepAliveConfig) error {
	if err := c.SetKeepAlive(k.Enable); err != nil {
		return err
	}
	if k.Idle == 0 {
		k.Idle = keepAliveTime
	}
	if k.Interval == 0 {
		k.Interval = keepAliveTime
	}
	if k.Count == 0 {
		k.Count = keepAliveCount
	}
	return c.setKeepAlive(k.Idle, k.Interval, k.Count)
}

func (c *Conn) setKeepAlive(idle, interval time.Duration, count int) error {
	return c.set(func() tcpip.Error {
		if idle > 0 {
			v := tcpip.KeepaliveIdleOption(idle)
			if err := c.ep.SetSockOpt(&v); err != nil {
				return err
			}
		}
		if interval > 0 {
			v := tcpip.KeepaliveIntervalOption(interval)
			if err := c.ep.SetSockOpt(&v); err != nil {
				return err
			}
		}
		if count > 0 {
			return c.ep.SetSockOptInt(tcpip.KeepaliveCountOption, count)
		}
		return nil
	})
}

// SetLinger says what Close does with data not yet sent: negative, it is sent in
// the background (the default); 0, it is dropped and the connection reset.
// Positive values, seconds, are as negative ones: Close never waits.
func (c *Conn) SetLinger(seconds int) error {
	return c.set(func() tcpip.Error {
		c.ep.SocketOptions().SetLinger(tcpip.LingerOption{
			Enabled: seconds >= 0,
			Timeout: time.Duration(max(seconds, 0)) * time.Second,
		})
		return nil
	})
}

// SetReadBuffer sets how many bytes may wait to be read, headers included.
func (c *Conn) SetReadBuffer(n int) error {
	return c.setBuffer(n, func() { c.ep.SocketOptions().SetReceiveBufferSize(int64(n), true) })
}

// SetWriteBuffer sets how many bytes may wait to be sent and acknowledged.
func (c *Conn) SetWriteBuffer(n int) error {
	return c.setBuffer(n, func() { c.ep.SocketOptions().SetSendBufferSize(int64(n), true) })
}

func (c *Conn) setBuffer(n int, f func()) error {
	if n <= 0 {
		return c.opError("set", os.NewSyscallError("setsockopt", syscall.EINVAL))
	}
	return c.set(func() tcpip.Error {
		f()
		return nil
	})
}
