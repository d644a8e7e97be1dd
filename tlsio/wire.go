package tlsio

import (
	"bytes"
	"net"
	"sync/atomic"
	"time"
)

// wire stands between crypto/tls and the transport. It costs a few words per
// connection and gives five things that crypto/tls doesn't: bytes already read
// by someone else can be put before the transport's, a read can be told not to
// wait, or waits without a buffer, alerts sent in the clear are seen, and records can
// be sent together.
type wire struct {
	raw    net.Conn
	owner  *Conn  // whose wire this is
	prefix []byte // bytes to deliver before those of raw
	tap    Tap    // sees what passes, if not nil

	sentAlert   uint8 // last alert sent in the clear, but for close_notify
	established bool  // handshake finished: stop looking at records
	wroteRecord bool
	eof         bool        // raw's end was reached
	noWait      bool        // Read returns errWouldBlock in place of waiting
	ready       func() bool // under noWait: whether raw has something; nil is no
	gotBytes    atomic.Bool // the peer has sent something
	closeErr    error       // what closing raw returned

	turns *turns // of a handshake that takes turns with others; nil after it
	turn  bool   // it has one

	poller poller        // raw's; nil if it has none
	rested *bytes.Buffer // TLSRest's, empty; nil while one is in a pool
	shaken bool          // TLSRest's: what is read is not a handshake's

	room    *room        // nil but while a Write of several records uses it
	sending atomic.Int32 // calls of Conn's Write and writeTogether under way
	watched atomic.Int32 // writes that were watched over

	// gather is a *gatherer, or nil where records are never sent together. As an
	// interface it keeps that type out of programs without classes.
	gather interface {
		write(w *wire, p []byte) (int, error)
	}
}

// errWouldBlock is what Read returns under noWait. crypto/tls keeps a connection
// usable after errors that are temporary, as it must for read deadlines.
var errWouldBlock error = wouldBlock{}

type wouldBlock struct{}

func (wouldBlock) Error() string   { return "tlsio: no data yet" }
func (wouldBlock) Timeout() bool   { return true }
func (wouldBlock) Temporary() bool { return true }

// Read implements net.Conn. crypto/tls calls it from one goroutine at a time.
func (w *wire) Read(p []byte) (int, error) {
	w.endTurn()
	if len(w.prefix) > 0 {
		n := copy(p, w.prefix)
		w.prefix = w.prefix[n:]
		if len(w.prefix) == 0 {
			w.prefix = nil
		}
		w.gotBytes.Store(true)
		return n, w.show(Tap.Received, p[:n])
	}
	if w.noWait && (w.ready == nil || !w.ready()) {
		return 0, errWouldBlock
	}
	n, err := w.raw.Read(p)
	if n > 0 && !w.established {
		w.gotBytes.Store(true)
		if w.wroteRecord && w.owner.rules.auth != ClientAuthNone {
			w.beginTurn()
		}
	}
	if e := w.show(Tap.Received, p[:n]); e != nil {
		err = e
	} else if err != nil && !isTimeout(err) {
		w.eof = true
	}
	return n, err
}

// Write implements net.Conn. crypto/tls writes whole records, several at once
// during the handshake.
func (w *wire) Write(p []byte) (int, error) {
	if !w.established {
		w.endTurn()
		w.inspect(p)
	}
	if w.room != nil {
		return w.room.write(w, p)
	}
	if w.gather != nil {
		return w.gather.write(w, p)
	}
	return w.send(p)
}

func (w *wire) send(p []byte) (int, error) {
	var watch *time.Timer
	if w.established && mayBeAlert(p) {
		watch = w.watch()
	}
	n, err := w.raw.Write(p)
	if watch != nil {
		watch.Stop()
		w.watched.Add(1)
	}
	if e := w.show(Tap.Sent, p[:n]); e != nil {
		err = e
	}
	return n, err
}

// alertTimeout is how long a peer that has erred may leave the alert about it unread.
const alertTimeout = 5 * time.Second

// mayBeAlert reports whether p is an alert that is encrypted, or two bytes of data in
// TLS 1.3, which look alike: the type, and an authentication code of 16 bytes.
func mayBeAlert(p []byte) bool {
	return p[0] == recordAlert || len(p) == recordHeaderSize+2+1+16
}

// watch bounds a write that may be an alert. crypto/tls sends alerts from within Read,
// which would otherwise wait, with the error to tell, for as long as the peer doesn't
// read. What the program writes has all the time that it needs.
func (w *wire) watch() *time.Timer {
	this := w.watched.Load()
	return time.AfterFunc(alertTimeout, func() {
		if w.sending.Load() == 0 && w.watched.Load() == this {
			w.raw.SetWriteDeadline(time.Unix(1, 0)) // nothing can be sent behind an alert
		}
	})
}

// ended tells the tap, if there is one, that nothing follows.
func (w *wire) ended(err error) {
	if w.tap != nil {
		defer caught(new(error)) // nothing is left that could fail
		w.tap.Closed(err)
	}
}

// show gives p to the tap, if there is one and p isn't empty.
func (w *wire) show(to func(Tap, []byte), p []byte) (err error) {
	if w.tap != nil && len(p) > 0 {
		defer caught(&err)
		to(w.tap, p)
	}
	return err
}

const (
	recordHeaderSize = 5
	recordAlert      = 21
)

// inspect notes alerts among the records in p. An alert in the clear has two
// bytes; encrypted ones are longer.
func (w *wire) inspect(p []byte) {
	for len(p) >= recordHeaderSize {
		w.wroteRecord = true
		n := int(p[3])<<8 | int(p[4])
		if p[0] == recordAlert && n == 2 && len(p) >= recordHeaderSize+2 && p[6] != 0 {
			w.sentAlert = p[6]
		}
		if len(p) < recordHeaderSize+n {
			return
		}
		p = p[recordHeaderSize+n:]
	}
}

func (w *wire) Close() error {
	w.closeErr = w.raw.Close()
	return w.closeErr
}

func (w *wire) LocalAddr() net.Addr                { return w.raw.LocalAddr() }
func (w *wire) RemoteAddr() net.Addr               { return w.raw.RemoteAddr() }
func (w *wire) SetDeadline(t time.Time) error      { return w.raw.SetDeadline(t) }
func (w *wire) SetReadDeadline(t time.Time) error  { return w.raw.SetReadDeadline(t) }
func (w *wire) SetWriteDeadline(t time.Time) error { return w.raw.SetWriteDeadline(t) }

func isTimeout(err error) bool {
	t, ok := err.(net.Error)
	return ok && t.Timeout()
}
