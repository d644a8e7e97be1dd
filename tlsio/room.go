package tlsio

import "sync"

// A room is where crypto/tls seals what one Write sends in several records of full
// length, one behind the other, so that the transport gets them at once: each write costs
// it about as much as encrypting some thousand bytes. A connection has one only while such
// a Write is under way. crypto/tls asks for it in images, after a change that is made to it
// on the way to the compiler (tools/image/resting.go); elsewhere nobody does, and each
// record is sent by itself.
type room struct {
	n    int // bytes that wait to be sent
	left int // of the Write's payload, behind the record that is being sealed
	buf  [roomSize]byte
}

// roomSize has space for four records.
const roomSize = 4 * (fullRecord + sealing)

// sealing is more than a record is longer than its payload. If a cipher suite takes still
// more, crypto/tls seals elsewhere, which write notices.
const sealing = 64

var rooms = sync.Pool{New: func() any { return new(room) }}

// TLSRoom returns where crypto/tls may seal a record with so much payload, of a Write that
// has so much left behind it; nil for where it likes. Records that are smaller, since the
// Write is, or the connection is young, are sent at once. crypto/tls sends one record after
// the other, whoever calls Write.
func (w *wire) TLSRoom(payload, left int) []byte {
	r := w.room
	if r == nil {
		if payload < fullRecord || left == 0 || w.gather != nil || !accountOf(w.raw).reserveSpare(BudgetBuffers, roomSize) {
			return nil
		}
		r = rooms.Get().(*room)
		w.room = r
	}
	r.left = left
	return r.buf[r.n:r.n]
}

// write takes a record that was sealed in the room, and sends all of them with the last,
// or before the next would be too long.
func (r *room) write(w *wire, p []byte) (int, error) {
	elsewhere := r.n+len(p) > len(r.buf) || &p[0] != &r.buf[r.n]
	if !elsewhere {
		r.n += len(p)
		if r.left > 0 && r.n+min(r.left, fullRecord)+sealing <= len(r.buf) {
			return len(p), nil
		}
	}
	var err error
	if r.n > 0 {
		_, err = w.send(r.buf[:r.n])
		r.n = 0
	}
	if elsewhere && err == nil {
		_, err = w.send(p)
	}
	if err != nil {
		return 0, r.leave(w, err)
	}
	if r.left == 0 {
		r.leave(w, nil)
	}
	return len(p), nil
}

// leave gives the room back.
func (r *room) leave(w *wire, err error) error {
	w.room = nil
	r.left = 0
	rooms.Put(r)
	if a := accountOf(w.raw); a != nil {
		a.Release(BudgetBuffers, roomSize)
	}
	return err
}
