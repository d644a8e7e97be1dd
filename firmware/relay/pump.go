package relay

import (
	"errors"
	"io"
	"net"
	"sync"

	"ingot.dev/tlsio"
)

// ErrTruncated says that a TLS peer ended its connection without close_notify: what it
// sent may have been cut short by somebody on the way.
var ErrTruncated = errors.New("relay: the connection ended without close_notify; its data may have been cut short (AllowTruncation takes it as it is)")

// A buffer is as long as what the board's network sends at once (62,000 bytes with headers),
// also in four TLS records: each such packet costs as much as some ten kilobytes of what is
// in it, so that what goes over is expensive.
type chunk [60 << 10]byte

var buffers = sync.Pool{New: func() any { return new(chunk) }}

// A flow is what passes in one direction.
type flow struct {
	to        io.Writer
	n         int64 // bytes that to has taken
	readErr   error
	writeErr  error
	truncated bool // the end came without close_notify
}

// Write passes on what tlsio.Conn.WriteTo has read.
func (f *flow) Write(p []byte) (int, error) {
	n, err := f.to.Write(p)
	f.n += int64(n)
	f.writeErr = err
	return n, err
}

// run passes on what from sends until that ends, properly or not, and then, if it did,
// ends the other's as well.
func (f *flow) run(from net.Conn, allowTruncation bool) {
	if secured, ok := from.(*tlsio.Conn); ok {
		f.secured(secured, allowTruncation)
	} else {
		f.plain(from)
	}
	if f.ok() {
		f.writeErr = closeWrite(f.to)
	}
}

func (f *flow) ok() bool { return f.readErr == nil && f.writeErr == nil }

// A poller is a connection that tells when it can be read, so that who waits needs no
// buffer. Those of a board's network are.
type poller interface {
	WaitReadable() error
	Readable() bool
}

// pollerOf returns a connection's poller; nil if its network has none.
func pollerOf(conn net.Conn) poller {
	for {
		if p, ok := conn.(poller); ok {
			return p
		}
		b, ok := conn.(interface{ NetConn() net.Conn })
		if !ok {
			return nil
		}
		conn = b.NetConn()
	}
}

// secured reads from TLS.
func (f *flow) secured(from *tlsio.Conn, allowTruncation bool) {
	var err error
	if p := pollerOf(from); p == nil {
		_, err = from.WriteTo(f)
	} else {
		err = f.records(from, p)
	}
	switch {
	case f.writeErr != nil:
	case err != nil:
		f.readErr = err
	case !from.CloseNotifyReceived() && !allowTruncation:
		f.readErr = ErrTruncated
	}
}

// records passes on as many TLS records at once as have arrived. It returns nil at the
// end of the data.
func (f *flow) records(from *tlsio.Conn, p poller) error {
	read := tlsio.ReadHeld // what came with the handshake
	for more := true; ; read = tlsio.ReadReady {
		if !more {
			p.WaitReadable() // Read says what is wrong
		}
		buf := buffers.Get().(*chunk)
		var n int
		var err error
		n, more, err = read(from, buf[:], p.Readable)
		if n > 0 {
			f.Write(buf[:n])
		}
		buffers.Put(buf)
		switch {
		case f.writeErr != nil, err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
}

// plain reads from TCP.
func (f *flow) plain(from net.Conn) {
	p := pollerOf(from)
	for {
		if p != nil {
			p.WaitReadable()
		}
		buf := buffers.Get().(*chunk)
		n, err := from.Read(buf[:])
		if n > 0 {
			f.Write(buf[:n])
		}
		buffers.Put(buf)
		switch {
		case f.writeErr != nil, err == io.EOF:
			return
		case err != nil:
			f.readErr = err
			return
		}
	}
}
