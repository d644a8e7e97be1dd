package server

// queue is a ring of bytes that takes memory as it needs it, up to limit.
type queue struct {
	buf   []byte
	start int
	n     int
	limit int
}

func (q *queue) free() int { return q.limit - q.n }

// write takes as much of p as there is room for.
func (q *queue) write(p []byte) int {
	p = p[:min(len(p), q.free())]
	if q.n+len(p) > len(q.buf) {
		q.grow(q.n + len(p))
	}
	end := (q.start + q.n) % max(len(q.buf), 1)
	m := copy(q.buf[end:], p)
	copy(q.buf, p[m:])
	q.n += len(p)
	return len(p)
}

// grow makes a ring for n bytes, which are within limit.
func (q *queue) grow(n int) {
	size := min(max(512, 2*len(q.buf)), q.limit)
	for size < n {
		size = min(2*size, q.limit)
	}
	buf := make([]byte, size)
	m := copy(buf, q.buf[q.start:min(q.start+q.n, len(q.buf))])
	copy(buf[m:], q.buf[:q.n-m])
	q.buf, q.start = buf, 0
}

// peek returns the oldest bytes, without a break. They stay as they are until
// drop, also when more is written: growing leaves the old ring alone.
func (q *queue) peek() []byte {
	return q.buf[q.start:min(q.start+q.n, len(q.buf))]
}

// drop removes the n oldest bytes.
func (q *queue) drop(n int) {
	q.n -= n
	if q.n > 0 {
		q.start = (q.start + n) % len(q.buf)
		return
	}
	q.start = 0
}

// release gives memory back that an idle connection needn't hold.
func (q *queue) release() {
	if q.n == 0 && len(q.buf) > 1024 {
		q.buf = nil
	}
}

// clear drops everything.
func (q *queue) clear() { q.buf, q.start, q.n = nil, 0, 0 }
