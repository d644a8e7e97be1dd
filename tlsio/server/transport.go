package server

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// transport is a connection's TCP. It watches over the handshake's silence and
// shows the records to those who want to see them.
type transport struct {
	net.Conn
	gotBytes atomic.Bool // during the handshake

	// For the reading goroutine only.
	handshaking bool
	silence     time.Duration // allowed between two reads of the handshake; 0 for any
	deadline    time.Time     // of the whole handshake
	dropLF      bool          // an LF, should it come first, was a line's end

	in, out *recordLog // nil unless records are shown

	goOn func(n int) bool // asked after n bytes and a deadline
}

func (t *transport) Read(p []byte) (int, error) {
	if !t.handshaking {
		n, err := t.Conn.Read(p)
		if n > 0 && t.in != nil {
			t.in.see(p[:n])
		}
		return n, err
	}
	for {
		if t.silence > 0 {
			end := time.Now().Add(t.silence)
			if !t.deadline.IsZero() && t.deadline.Before(end) {
				end = t.deadline
			}
			t.Conn.SetReadDeadline(end)
		}
		n, err := t.Conn.Read(p)
		if n > 0 && t.dropLF {
			t.dropLF = false
			if p[0] == '\n' {
				if n = copy(p, p[1:n]); n == 0 && err == nil {
					continue
				}
			}
		}
		if n > 0 {
			t.gotBytes.Store(true)
			if t.in != nil {
				t.in.see(p[:n])
			}
		}
		return n, err
	}
}

func (t *transport) Write(p []byte) (int, error) {
	if t.out != nil {
		t.out.see(p)
	}
	for done := 0; ; {
		n, err := t.Conn.Write(p[done:])
		done += n
		if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) || !t.goOn(n) {
			return done, err
		}
	}
}

// SetDeadline implements net.Conn; tlsio sets the handshake's time by it.
func (t *transport) SetDeadline(end time.Time) error {
	if t.handshaking {
		t.deadline = end
	}
	return t.Conn.SetDeadline(end)
}

// CloseWrite ends the sending direction, if the network can.
func (t *transport) CloseWrite() error {
	if c, ok := t.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return errors.ErrUnsupported
}

// reset closes the connection so that the peer sees a reset, if the network can.
func reset(conn net.Conn) {
	if c, ok := conn.(interface{ SetLinger(int) error }); ok {
		c.SetLinger(0)
	}
	conn.Close()
}
