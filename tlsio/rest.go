package tlsio

import (
	"bytes"
	"net"
	"sync"
)

// poller is a connection that tells when it can be read, so that who waits needs no
// buffer; those of a board's network are.
type poller interface {
	WaitReadable() error
	Readable() bool
}

// pollerOf returns raw's poller; nil if it has none. It looks below those only that say
// that they keep no bytes, of which nobody below would know.
func pollerOf(raw net.Conn) poller {
	for {
		if p, ok := raw.(poller); ok {
			return p
		}
		u, ok := raw.(interface{ UnbufferedConn() net.Conn })
		if !ok {
			return nil
		}
		raw = u.UnbufferedConn()
	}
}

// Buffers of connections that have read and now wait, for others that have something to
// read. They have what room crypto/tls has made in them: up to 40 KB where full records
// pass. Those of handshakes are small, and stay among themselves.
var inputs, handshakes sync.Pool // of *bytes.Buffer

// The longest buffers that go there: two records and a half, as crypto/tls makes them;
// and messages with a chain of a few certificates.
const (
	keptInput     = 48 << 10
	keptHandshake = 8 << 10
)

// TLSRest waits for something to read, without crypto/tls's buffers for that: raw, for
// records, which is empty, and hand, for messages of handshakes. Otherwise each
// connection keeps the largest that it has ever had, and each handshake makes its own. crypto/tls calls
// it in images, after a change that is made to it on the way to the compiler
// (tools/image/resting.go), before it reads a record; elsewhere nobody does.
func (w *wire) TLSRest(raw, hand *bytes.Buffer) {
	if w.poller == nil || w.noWait || len(w.prefix) > 0 {
		return
	}
	wait := !w.poller.Readable()
	if (wait || w.established) && hand.Len() == 0 {
		w.lend(&handshakes, keptHandshake, hand)
	}
	if wait {
		w.endTurn()
		if w.shaken {
			w.lend(&inputs, keptInput, raw)
		} else {
			w.lend(&handshakes, keptHandshake, raw)
		}
		w.poller.WaitReadable() // Read says what is wrong
	}
	if w.shaken = w.established; w.shaken {
		w.borrow(&inputs, raw)
	} else {
		w.borrow(&handshakes, raw)
		w.borrow(&handshakes, hand)
	}
}

// lend gives b's memory to a pool, unless it is too much to keep.
func (w *wire) lend(pool *sync.Pool, most int, b *bytes.Buffer) {
	if b.Cap() > 0 && b.Cap() <= most {
		lent := w.rested
		if w.rested = nil; lent == nil {
			lent = new(bytes.Buffer)
		}
		b.Reset()
		*lent = *b
		pool.Put(lent)
	}
	*b = bytes.Buffer{}
}

// borrow gives b memory from a pool, if it has none and there is some.
func (w *wire) borrow(pool *sync.Pool, b *bytes.Buffer) {
	if b.Cap() > 0 {
		return
	}
	if lent, ok := pool.Get().(*bytes.Buffer); ok {
		*b, *lent = *lent, bytes.Buffer{}
		w.rested = lent
	}
}
