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
// pass.
var inputs sync.Pool // of *bytes.Buffer

// keptInput is the longest buffer that goes there: two records and a half, as crypto/tls
// makes them.
const keptInput = 48 << 10

// TLSRest waits for something to read, without crypto/tls's buffers for that: raw, for
// records, which is empty, and hand, for messages of handshakes. Otherwise each
// connection keeps the largest that it has ever had. crypto/tls calls it in images, after
// a change that is made to it on the way to the compiler (tools/image/resting.go), before
// it reads from a connection whose handshake is done; elsewhere nobody does.
func (w *wire) TLSRest(raw, hand *bytes.Buffer) {
	if w.poller == nil || w.noWait || len(w.prefix) > 0 || w.poller.Readable() {
		return
	}
	if hand.Len() == 0 {
		*hand = bytes.Buffer{}
	}
	b := w.rested
	if b == nil {
		b = new(bytes.Buffer)
	}
	if raw.Reset(); raw.Cap() > 0 && raw.Cap() <= keptInput {
		*b = *raw
		inputs.Put(b)
		b = nil
	}
	*raw, w.rested = bytes.Buffer{}, b
	w.poller.WaitReadable() // Read says what is wrong
	if p, ok := inputs.Get().(*bytes.Buffer); ok {
		*raw, *p = *p, bytes.Buffer{}
		w.rested = p
	}
}
