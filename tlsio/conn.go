package tlsio

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Conn is a secured connection whose handshake is done. It is a net.Conn, with
// that interface's rules on concurrent use. While idle it holds no buffer and no
// goroutine beyond those of the caller; what crypto/tls keeps, see TLSRest.
//
// Read returns io.EOF at the peer's end of data, whether or not the peer said so
// with close_notify; CloseNotifyReceived tells which.
type Conn struct {
	tls     *tls.Conn
	wire    wire
	server  bool
	limit   atomic.Int32 // longest record payload we send; 0 means crypto/tls's choice
	release func()       // called once when the connection is closed
	closed  atomic.Bool
	left    atomic.Pointer[leftover] // read before, by the instance that gave it away; mostly nil

	// Set during the handshake, constant afterwards.
	terms    *terms
	rules    *rules
	local    *tls.Certificate      // what this side chose to send
	offered  []tls.SignatureScheme // server: by the client
	identity string                // server: name of the Identity that serves
	override *SecureOptions        // what the connection has of its own; nil for nothing
	alone    bool                  // its tls.Config serves no other connection
	// sessions is a *connSessions for clients, nil with NoSessions. As an
	// interface it keeps that type out of programs that are servers only.
	sessions tls.ClientSessionCache
	recorded bool // the next two hold the result of rules.judge
	authErr  error
	chains   [][]*x509.Certificate
}

// handshake runs the handshake until it is done, fails, ctx ends or the limit has
// passed. The transport is closed when it fails.
func (c *Conn) handshake(ctx context.Context, op string, limit time.Duration) error {
	addr := c.wire.raw.RemoteAddr() // some networks forget it with the connection
	limited := ctx
	if c.wire.raw.SetDeadline(time.Now().Add(limit)) != nil {
		// A transport without deadlines is closed when the time is up.
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	returned := false
	defer func() {
		if !returned { // and nothing below is reached
			c.wire.raw.Close()
			c.wire.ended(exited(op, addr, c.server))
		}
	}()
	err := func() (err error) {
		defer c.wire.endTurn() // also when a function of the program ends the goroutine
		defer caught(&err)
		return c.tls.HandshakeContext(limited)
	}()
	c.wire.turns = nil
	returned = true
	if err == nil {
		c.wire.raw.SetDeadline(time.Time{})
		c.wire.established = true
		return nil
	}
	c.wire.raw.Close()
	if ctx.Err() == nil && isTimeout(err) {
		err = &timeoutError{err}
	}
	err = newError(op, addr, StageHandshake, &c.wire, c.server, err)
	c.wire.ended(err)
	return err
}

// timeoutError keeps the transport's deadline error below ErrHandshakeTimeout.
type timeoutError struct{ cause error }

func (e *timeoutError) Error() string   { return ErrHandshakeTimeout.Error() }
func (e *timeoutError) Unwrap() []error { return []error{ErrHandshakeTimeout, e.cause} }

// ConnectionState returns what was negotiated.
func (c *Conn) ConnectionState() tls.ConnectionState { return c.tls.ConnectionState() }

// MaximumFragmentLengthNegotiated reports whether both sides agreed on RFC 6066's
// limit. It is always false: crypto/tls can't negotiate it, so that
// MaximumFragmentLength binds our own records only.
func (c *Conn) MaximumFragmentLengthNegotiated() bool { return false }

// CloseNotifyReceived reports, once Read has returned io.EOF, whether the peer
// ended its data with close_notify. If not, the data may have been cut short on
// the way (RFC 8446 section 6.1).
func (c *Conn) CloseNotifyReceived() bool { return !c.wire.eof }

// Read implements io.Reader.
func (c *Conn) Read(p []byte) (int, error) {
	if n := c.readLeft(p); n > 0 {
		return n, nil
	}
	n, err := c.tls.Read(p)
	if err != nil {
		err = c.readError(err)
	}
	return n, err
}

func (c *Conn) readError(err error) error {
	if err == io.EOF {
		return err
	}
	if c.closed.Load() && errors.Is(err, net.ErrClosed) {
		err = ErrClosed
	}
	return newError("Read", c.RemoteAddr(), StageRead, nil, c.server, err)
}

// Write implements io.Writer. With an error, n is what was encrypted: less of it may have
// been sent, and nothing can be written any more.
func (c *Conn) Write(p []byte) (n int, err error) {
	c.wire.sending.Add(1)
	for {
		part := p[n:]
		if limit := int(c.limit.Load()); limit > 0 && len(part) > limit {
			part = part[:limit]
		}
		var m int
		m, err = c.tls.Write(part)
		n += m
		if err != nil || n == len(p) {
			break
		}
	}
	c.wire.sending.Add(-1)
	if err != nil {
		if c.closed.Load() && errors.Is(err, net.ErrClosed) {
			err = ErrClosed
		}
		err = newError("Write", c.RemoteAddr(), StageWrite, nil, c.server, err)
	}
	return n, err
}

// readMore reads what can be had without waiting; it returns 0 and no error if
// that is nothing. No other Read may run meanwhile.
func (c *Conn) readMore(p []byte) (int, error) {
	c.wire.noWait = true
	n, err := c.tls.Read(p)
	c.wire.noWait = false
	if err == errWouldBlock {
		err = nil
	}
	return n, err
}

// copyBuffers holds the buffers of WriteTo. One record's payload fits.
var copyBuffers = sync.Pool{New: func() any { return new([16 << 10]byte) }}

// WriteTo implements io.WriterTo, so that io.Copy(dst, conn) holds a buffer only
// while there is data to pass on: an idle connection waits with one byte.
func (c *Conn) WriteTo(dst io.Writer) (written int64, err error) {
	var first [1]byte
	for {
		var n int
		if n = c.readLeft(first[:]); n == 0 {
			n, err = c.tls.Read(first[:])
		}
		if n > 0 {
			buf := copyBuffers.Get().(*[16 << 10]byte)
			buf[0] = first[0]
			n = 1
			if m := c.readLeft(buf[1:]); m > 0 {
				n += m
			} else if err == nil {
				m, err = c.readMore(buf[1:])
				n += m
			}
			w, werr := dst.Write(buf[:n])
			copyBuffers.Put(buf)
			written += int64(w)
			if werr != nil {
				return written, werr
			}
			if w != n {
				return written, io.ErrShortWrite
			}
		}
		if err == io.EOF {
			return written, nil
		}
		if err != nil {
			return written, c.readError(err)
		}
	}
}

// stuckTimeout is what Close grants to a write that is under way.
const stuckTimeout = time.Second

// Close sends close_notify and closes the transport.
func (c *Conn) Close() error {
	if c.closed.Swap(true) {
		return ErrClosed
	}
	// A Read may be stuck in sending an alert to a peer that doesn't read, holding a
	// lock that crypto/tls's Close wants too.
	c.wire.raw.SetWriteDeadline(time.Now().Add(stuckTimeout))
	// crypto/tls's error may be that close_notify could not be sent: a peer that
	// is gone, or doesn't read, is no failure of closing.
	c.tls.Close()
	c.wire.ended(nil)
	if c.release != nil {
		c.release()
	}
	return newError("Close", c.RemoteAddr(), StageClose, nil, c.server, c.wire.closeErr)
}

// CloseWrite sends close_notify and shuts the sending side of the transport down,
// if that can be done; reading goes on.
func (c *Conn) CloseWrite() error {
	if err := c.tls.CloseWrite(); err != nil {
		return newError("CloseWrite", c.RemoteAddr(), StageClose, nil, c.server, err)
	}
	if cw, ok := find[writeCloser](c.wire.raw); ok {
		return cw.CloseWrite()
	}
	return nil
}

// NetConn returns the transport. Reading from or writing to it breaks the session.
func (c *Conn) NetConn() net.Conn { return c.wire.raw }

// LocalAddr implements net.Conn.
func (c *Conn) LocalAddr() net.Addr { return c.wire.raw.LocalAddr() }

// RemoteAddr implements net.Conn.
func (c *Conn) RemoteAddr() net.Addr { return c.wire.raw.RemoteAddr() }

// SetDeadline implements net.Conn. As crypto/tls says, a write that timed out
// leaves the connection unusable for writing.
func (c *Conn) SetDeadline(t time.Time) error { return c.tls.SetDeadline(t) }

// SetReadDeadline implements net.Conn.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.tls.SetReadDeadline(t) }

// SetWriteDeadline implements net.Conn; see SetDeadline.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.tls.SetWriteDeadline(t) }
