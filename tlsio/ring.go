package tlsio

import "sync"

// bufferSize is the capacity of each instance's input and output: two of TLS's
// largest records, so that one can be encrypted while the next is filled.
const bufferSize = 32 << 10

var ringArrays = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// ring is a byte queue of bufferSize. It holds memory only while it holds bytes
// (or a region lent out by space).
type ring struct {
	buf  *[bufferSize]byte
	head int // index of the oldest byte
	n    int // bytes held
}

func (r *ring) free() int { return bufferSize - r.n }

// space returns the next contiguous free region; commit says how much was filled.
// While it is lent out, reading is allowed, writing and release are not.
func (r *ring) space() []byte {
	if r.buf == nil {
		r.buf = ringArrays.Get().(*[bufferSize]byte)
		r.head = 0
	}
	tail := r.head + r.n
	if tail >= bufferSize {
		return r.buf[tail-bufferSize : r.head]
	}
	return r.buf[tail:]
}

func (r *ring) commit(n int) { r.n += n }

// write appends p. Precondition: len(p) <= r.free().
func (r *ring) write(p []byte) {
	for len(p) > 0 {
		n := copy(r.space(), p)
		r.n += n
		p = p[n:]
	}
}

// peek returns the oldest contiguous bytes.
func (r *ring) peek() []byte {
	if r.n == 0 {
		return nil
	}
	return r.buf[r.head:min(r.head+r.n, bufferSize)]
}

// drop removes the n oldest bytes.
func (r *ring) drop(n int) {
	r.head += n
	if r.head >= bufferSize {
		r.head -= bufferSize
	}
	r.n -= n
}

// read moves the oldest bytes to p and returns their number.
func (r *ring) read(p []byte) (total int) {
	for total < len(p) && r.n > 0 {
		n := copy(p[total:], r.peek())
		r.drop(n)
		total += n
	}
	return total
}

// release gives the memory of an empty ring back.
func (r *ring) release() {
	if r.n == 0 && r.buf != nil {
		ringArrays.Put(r.buf)
		r.buf = nil
	}
}
