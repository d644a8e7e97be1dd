package tlsio

import "sync"

// bufferSize is the capacity of each instance's input and output: two of TLS's
// largest records, so that one can be encrypted while the next is filled.
// bufferSmall is what it is under a Budget that has no more.
const (
	bufferSize  = 32 << 10
	bufferSmall = 2 << 10
)

var ringArrays = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// recordsSize holds the records of a full output.
const recordsSize = bufferSize + 8<<10

var recordArrays = sync.Pool{New: func() any { return new([recordsSize]byte) }}

// ring is a byte queue of bufferSize, or less while its account has no memory for
// that. It holds memory only while it holds bytes (or a region lent out by space).
type ring struct {
	buf     []byte    // nil, bufferSmall or bufferSize bytes
	head    int       // index of the oldest byte
	n       int       // bytes held
	account *Account  // nil without a budget
	dir     direction // of an output, free may promise what fits will try to get
	wants   bool      // fits was turned away since the ring was last enlarged
}

// free returns how many bytes can be written. Input is certain of them; output is,
// too, without a budget. With one, fits has the last word.
func (r *ring) free() int {
	switch {
	case r.account == nil || len(r.buf) == bufferSize:
		return bufferSize - r.n
	case r.dir == output && r.account.forecast(output):
		return bufferSize - r.n
	case r.dir == input && r.n == bufferSmall && r.enlarge():
		return bufferSize - r.n
	}
	return bufferSmall - r.n
}

// fits makes room for n bytes if it can.
func (r *ring) fits(n int) bool {
	if r.account == nil || len(r.buf) == bufferSize {
		return n <= bufferSize-r.n
	}
	if n <= bufferSmall-r.n || n > bufferSize-r.n {
		return n <= bufferSmall-r.n
	}
	r.wants = !r.enlarge()
	return !r.wants
}

// enlarge makes the ring a large one, if the account has the memory.
func (r *ring) enlarge() bool {
	if r.account != nil && !r.account.grow(r.dir) {
		return false
	}
	buf := ringArrays.Get().(*[bufferSize]byte)[:]
	n := copy(buf, r.peek())
	if n < r.n {
		copy(buf[n:], r.buf[:r.n-n])
	}
	r.buf, r.head, r.wants = buf, 0, false
	return true
}

// space returns the next contiguous free region; commit says how much was filled.
// While it is lent out, reading is allowed, writing and release are not.
func (r *ring) space() []byte {
	if r.buf == nil {
		r.head = 0
		if !r.enlarge() {
			r.buf = make([]byte, bufferSmall)
		}
	}
	tail := r.head + r.n
	if tail >= len(r.buf) {
		return r.buf[tail-len(r.buf) : r.head]
	}
	return r.buf[tail:]
}

func (r *ring) commit(n int) { r.n += n }

// write appends p. Precondition: fits(len(p)), or len(p) <= free() of an input.
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
	return r.buf[r.head:min(r.head+r.n, len(r.buf))]
}

// drop removes the n oldest bytes.
func (r *ring) drop(n int) {
	r.head += n
	if r.head >= len(r.buf) {
		r.head -= len(r.buf)
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
		if len(r.buf) == bufferSize {
			ringArrays.Put((*[bufferSize]byte)(r.buf))
			if r.account != nil {
				r.account.Release(BudgetBuffers, bufferSize)
			}
		}
		r.buf = nil
	}
}
