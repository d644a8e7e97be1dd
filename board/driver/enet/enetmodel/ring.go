package enetmodel

import (
	"bytes"
	"sync/atomic"
	"unsafe"
)

const (
	descriptorSize = 32

	// Words of a descriptor.
	wordStatus  = 0
	wordBuffer  = 1
	wordControl = 2
	wordUpdate  = 4

	owned = 1 << 31
	wrap  = 1 << 29
	last  = 1 << 27
	txTC  = 1 << 26

	rxINT  = 1 << 23
	txINT  = 1 << 30
	txPINS = 1 << 28
	txIINS = 1 << 27
)

// ring is a descriptor ring as the controller goes around it.
type ring struct {
	name    string
	base    uint32 // offset in DMA memory
	size    int    // descriptors; 0 when unknown
	at      int    // the next one to use
	shadows []shadow
}

// shadow is what the controller knows of a descriptor that belongs to it.
type shadow struct {
	ours    bool
	words   [8]uint32
	content []byte // of the buffer
}

func (r *ring) bytes() uint32 { return uint32(r.size * descriptorSize) }

func (r *ring) forget() { *r = ring{} }

// word accesses a word of a descriptor: as the driver does, with an order.
func (m *Model) word(r *ring, i, word int) *uint32 {
	return (*uint32)(unsafe.Pointer(&m.mem[int(r.base)+i*descriptorSize+word*4]))
}

func (m *Model) get(r *ring, i, word int) uint32    { return atomic.LoadUint32(m.word(r, i, word)) }
func (m *Model) set(r *ring, i, word int, v uint32) { atomic.StoreUint32(m.word(r, i, word), v) }

// find walks a ring from its start to the descriptor with the wrap bit.
func (r *ring) find(m *Model, name string, phys uint32, bufferSize int) {
	r.forget()
	r.name = name
	if phys%64 != 0 || phys < physBase || phys-physBase >= uint32(len(m.mem)) {
		m.mistake("%s ring at %#x", name, phys)
		return
	}
	r.base = phys - physBase
	for n := 0; int(r.base)+(n+1)*descriptorSize <= len(m.mem) && n < 1024; n++ {
		if m.get(r, n, wordStatus)&wrap != 0 {
			r.size = n + 1
			r.shadows = make([]shadow, r.size)
			m.scan(r)
			return
		}
	}
	m.mistake("%s ring at %#x has no descriptor with wrap bit", name, phys)
}

// buffer returns the memory of a descriptor's buffer, nil if that is wrong.
func (m *Model) buffer(r *ring, i int) []byte {
	phys := m.get(r, i, wordBuffer)
	size := uint32(m.regs[mrbr])
	if phys%64 != 0 || phys < physBase || uint64(phys-physBase)+uint64(size) > uint64(len(m.mem)) {
		m.mistake("%s descriptor %d has its buffer at %#x", r.name, i, phys)
		return nil
	}
	return m.mem[phys-physBase:][:size]
}

// checkBuffers makes sure that no memory is used twice.
func (m *Model) checkBuffers() {
	used := make([]bool, len(m.mem)/64)
	take := func(what string, from, to uint32) {
		for i := from / 64; i < (to+63)/64; i++ {
			if used[i] {
				m.mistake("%s at %#x shares memory with something else", what, physBase+from)
				return
			}
			used[i] = true
		}
	}
	for _, r := range []*ring{&m.rx, &m.tx} {
		take(r.name+" ring", r.base, r.base+r.bytes())
		for i := range r.size {
			if b := m.buffer(r, i); b != nil {
				from := m.get(r, i, wordBuffer) - physBase
				take(r.name+" buffer", from, from+uint32(len(b)))
			}
		}
	}
}

// scan takes over the descriptors that the driver handed over, and makes sure
// that it left alone those that it had.
func (m *Model) scan(r *ring) {
	for i := range r.size {
		m.inspect(r, i)
	}
}

// poison fills receive buffers that belong to the controller: who reads one
// that he gave back notices, and so does the model when he writes one.
const poison = 0xee

// inspect reports whether descriptor i is the controller's.
func (m *Model) inspect(r *ring, i int) bool {
	s := &r.shadows[i]
	status := m.get(r, i, wordStatus)
	if status&owned == 0 {
		if s.ours {
			m.mistake("%s descriptor %d was taken back from the controller", r.name, i)
			s.ours = false
		}
		return false
	}
	var words [8]uint32
	for w := range words {
		words[w] = m.get(r, i, w)
	}
	if s.ours {
		if words != s.words {
			m.mistake("%s descriptor %d was changed while it belonged to the controller:\nwas %x\nis  %x", r.name, i, s.words, words)
			s.words = words
		}
		return true
	}
	s.ours, s.words = true, words
	if (status&wrap != 0) != (i == r.size-1) {
		m.mistake("%s descriptor %d of %d: wrap bit is %v", r.name, i, r.size, status&wrap != 0)
	}
	buf := m.buffer(r, i)
	if buf == nil {
		return true
	}
	if r == &m.rx {
		for j := range buf {
			buf[j] = poison
		}
		return true
	}
	length := status & 0xffff
	if length < 14 || length > 1518 || status&last == 0 || status&txTC == 0 {
		m.mistake("transmit descriptor %d: status %#x", i, status)
		length = 60
	}
	s.content = append(s.content[:0], buf[:length]...)
	return true
}

// intact makes sure that nobody touched a buffer of the controller's.
func (m *Model) intact(r *ring, i int, buf []byte) {
	want := r.shadows[i].content
	got := buf
	if r == &m.tx {
		got = buf[:len(want)]
	} else {
		want = bytes.Repeat([]byte{poison}, len(buf))
	}
	if !bytes.Equal(got, want) {
		m.mistake("%s buffer %d was changed while it belonged to the controller", r.name, i)
	}
}

// release hands descriptor i to the driver and goes on to the next one.
func (m *Model) release(r *ring, i int, status uint32) {
	r.shadows[i].ours = false
	m.set(r, i, wordUpdate, 1<<31)
	m.set(r, i, wordStatus, status&^owned)
	if r.at++; status&wrap != 0 || r.at == r.size {
		r.at = 0
	}
}
