package tlsio

import "sync"

// gatherer sends the records of a connection, several with one write when it is asked
// to: each write costs the transport about as much as encrypting some thousand bytes.
type gatherer struct {
	mu      sync.Mutex // guards the others, and the order of what is sent
	records []byte     // to be sent with one write; nil while each is sent at once
	err     error      // of such a write: nothing can be sent after what is missing
}

// write takes a record, or sends it.
func (g *gatherer) write(w *wire, p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err != nil {
		return 0, g.err
	}
	if len(p) > cap(g.records)-len(g.records) {
		if err := g.send(w); err != nil {
			return 0, err
		}
	}
	if len(p) > cap(g.records) {
		return w.send(p)
	}
	g.records = append(g.records, p...)
	return len(p), nil
}

// send sends what was gathered. g.mu is held.
func (g *gatherer) send(w *wire) error {
	if len(g.records) > 0 {
		_, g.err = w.send(g.records)
		g.records = g.records[:0]
	}
	return g.err
}

// begin makes write fill buf, and send when that is full, until end sends the rest.
func (g *gatherer) begin(buf []byte) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.records = buf[:0]
}

func (g *gatherer) end(w *wire) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	err := g.send(w)
	g.records = nil
	return err
}

// writeTogether is Write by which the transport gets as many records at once as buf
// holds.
func (c *Conn) writeTogether(g *gatherer, p, buf []byte) (int, error) {
	c.wire.sending.Add(1)
	defer c.wire.sending.Add(-1)
	g.begin(buf)
	n, err := c.Write(p)
	if e := g.end(&c.wire); e != nil && err == nil {
		n, err = 0, newError("Write", c.RemoteAddr(), StageWrite, nil, c.server, e)
	}
	return n, err
}
