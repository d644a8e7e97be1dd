package endpoint

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"ingot.dev/firmware/tally"
)

// Errors of connections that a timeout has ended. They are no net.Errors with Timeout:
// the connection can't be used further.
var (
	ErrIdle    = errors.New("endpoint: nothing came or went for IdleTimeout")
	ErrStalled = errors.New("endpoint: the peer didn't take what was sent to it within StallTimeout")
)

// Conn is a connection as the network made it, with limits on how long nothing may
// happen. Everything else is the connection's own.
type Conn struct {
	net.Conn
	idle, stall time.Duration // 0 for none
	tally       *tally.Tally
	leave       func() // called once, when it is closed

	start time.Time
	last  atomic.Int64 // when something came or went, since start
	timer *time.Timer  // for idle; nil without
	over  atomic.Bool  // idle for too long
	done  atomic.Bool  // closed

	writeMu  sync.Mutex // of the write deadlines
	deadline time.Time  // that was asked for; zero for none
	limit    time.Time  // that is set for stall; zero for none
}

// Guard puts limits on a connection, as endpoint's own have them. 0 is no limit. t counts
// its bytes and timeouts; it may be nil.
func Guard(conn net.Conn, idle, stall time.Duration, t *tally.Tally) *Conn {
	return guard(conn, idle, stall, t, nil)
}

func guard(conn net.Conn, idle, stall time.Duration, t *tally.Tally, leave func()) *Conn {
	if t == nil {
		t = new(tally.Tally)
	}
	c := &Conn{Conn: conn, idle: idle, stall: stall, tally: t, leave: leave, start: time.Now()}
	if idle > 0 {
		// Held until the timer is there: it may fire at once.
		c.writeMu.Lock()
		c.timer = time.AfterFunc(idle, c.tick)
		c.writeMu.Unlock()
	}
	return c
}

// NetConn returns the connection below, for its other methods.
func (c *Conn) NetConn() net.Conn { return c.Conn }

// UnbufferedConn is NetConn for tlsio, which waits there without a buffer for something to
// read: nothing is kept here.
func (c *Conn) UnbufferedConn() net.Conn { return c.Conn }

func (c *Conn) now() int64 { return int64(time.Since(c.start)) }

// tick ends the connection if it has been idle for too long, else waits for the rest.
func (c *Conn) tick() {
	if c.done.Load() {
		return
	}
	left := c.idle - time.Duration(c.now()-c.last.Load())
	if left > 0 {
		c.writeMu.Lock()
		timer := c.timer
		c.writeMu.Unlock()
		timer.Reset(left)
		return
	}
	// The reader ends the connection, so that TLS can say goodbye.
	c.over.Store(true)
	c.tally.Fail(tally.Idle)
	c.Conn.SetReadDeadline(time.Unix(1, 0))
}

// Read implements net.Conn.
func (c *Conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.last.Store(c.now())
		c.tally.Received.Add(uint64(n))
	}
	if err != nil && c.over.Load() {
		err = ErrIdle
	}
	return n, err
}

// Write implements net.Conn.
func (c *Conn) Write(p []byte) (int, error) {
	ours := false
	if c.stall > 0 {
		c.writeMu.Lock()
		limit := time.Now().Add(c.stall)
		ours = c.deadline.IsZero() || limit.Before(c.deadline)
		// Setting it is as much work as sending a kilobyte: not for each Write.
		if ours && limit.Sub(c.limit) > c.stall/4 {
			c.limit = limit
			c.Conn.SetWriteDeadline(limit)
		}
		c.writeMu.Unlock()
	}
	n, err := c.Conn.Write(p)
	if n > 0 {
		c.last.Store(c.now())
		c.tally.Sent.Add(uint64(n))
	}
	if err != nil && ours && errors.Is(err, os.ErrDeadlineExceeded) {
		c.writeMu.Lock()
		ours = c.deadline.IsZero() || c.deadline.After(time.Now())
		c.writeMu.Unlock()
		if ours {
			c.tally.Fail(tally.Stalled)
			err = ErrStalled
		}
	}
	return n, err
}

// SetReadDeadline implements net.Conn. An idle connection stays ended.
func (c *Conn) SetReadDeadline(t time.Time) error {
	err := c.Conn.SetReadDeadline(t)
	if c.over.Load() {
		c.Conn.SetReadDeadline(time.Unix(1, 0))
	}
	return err
}

// SetWriteDeadline implements net.Conn.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	c.writeMu.Lock()
	defer c.writeMu.Unlock()
	c.deadline, c.limit = t, time.Time{}
	return c.Conn.SetWriteDeadline(t)
}

// SetDeadline implements net.Conn.
func (c *Conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// Close implements net.Conn.
func (c *Conn) Close() error {
	if !c.done.Swap(true) {
		if c.timer != nil {
			c.timer.Stop()
		}
		if c.leave != nil {
			c.leave()
		}
	}
	return c.Conn.Close()
}

// CloseWrite ends our side, where the connection can.
func (c *Conn) CloseWrite() error {
	if w, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return errors.ErrUnsupported
}

// SetLinger is the connection's, where it has one.
func (c *Conn) SetLinger(seconds int) error {
	if l, ok := c.Conn.(interface{ SetLinger(int) error }); ok {
		return l.SetLinger(seconds)
	}
	return errors.ErrUnsupported
}

// Reset closes a connection so that its peer learns that something is missing: with
// RST where the network can, and without TLS's close_notify.
func Reset(conn net.Conn) {
	for below := conn; ; {
		if l, ok := below.(interface{ SetLinger(int) error }); ok {
			l.SetLinger(0)
			below.Close()
			break
		}
		b, ok := below.(interface{ NetConn() net.Conn })
		if !ok {
			below.Close()
			break
		}
		below = b.NetConn()
	}
	conn.Close()
}

// addrPort returns an address as a value; zero if it isn't IP's.
func addrPort(a net.Addr) netip.AddrPort {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return tcp.AddrPort()
	}
	return netip.AddrPort{}
}
