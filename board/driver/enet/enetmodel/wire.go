package enetmodel

import (
	"encoding/binary"
	"hash/crc32"
	"runtime"

	"ingot.dev/board/nic/nictest"
)

// sendOne sends the next frame of the transmit ring, or finds it empty.
func (m *Model) sendOne() {
	r := &m.tx
	if r.size == 0 || !m.inspect(r, r.at) {
		m.regs[tdar] = 0
		return
	}
	i := r.at
	buf := m.buffer(r, i)
	if buf == nil {
		m.regs[tdar] = 0
		return
	}
	m.intact(r, i, buf)
	control := m.get(r, i, wordControl)
	frame := append([]byte(nil), r.shadows[i].content...)
	m.insert(frame, control)
	m.release(r, i, m.get(r, i, wordStatus))
	if control&txINT != 0 {
		m.raise(eventTXF)
	}
	for len(frame) < 60 {
		frame = append(frame, 0)
	}
	if m.onSend != nil {
		m.onSend(frame)
	} else if m.peer != nil {
		m.peer.arrive(frame)
	}
}

// send sends what is in the transmit ring, now or soon.
func (m *Model) send() {
	if m.o.Async && !m.sending {
		m.sending = true
		go m.transmitter()
	}
	for !m.o.Async && m.enabled() && !m.paused && m.regs[tdar] != 0 {
		m.sendOne()
	}
	m.w.cond.Broadcast()
}

// transmitter sends in the background, a frame at a time.
func (m *Model) transmitter() {
	defer m.lock()()
	for !m.closed {
		if m.enabled() && !m.paused && m.regs[tdar] != 0 {
			m.sendOne()
			m.w.mu.Unlock()
			runtime.Gosched()
			m.w.mu.Lock()
		} else {
			m.w.cond.Wait()
		}
	}
}

// Inject makes a frame, without FCS, arrive from the wire.
func (m *Model) Inject(frame []byte) {
	defer m.lock()()
	m.arrive(frame)
}

// InjectRaw makes something arrive as the controller would never say it:
// content with the given length and status bits in its descriptor. It reports
// whether there was a descriptor for it.
func (m *Model) InjectRaw(content []byte, length uint16, status uint32) bool {
	defer m.lock()()
	return m.store(content, uint32(length)|status&^uint32(owned|wrap|0xffff))
}

// limit bounds what waits for a descriptor.
const limit = 4096

func (m *Model) arrive(frame []byte) {
	if m.closed || !m.enabled() {
		return
	}
	// RACC.IPDIS, RACC.PRODIS
	if m.regs[racc]&6 == 6 && !nictest.ChecksumsOK(frame) {
		return
	}
	if len(m.waiting) > 0 || !m.storeFrame(frame) {
		if !m.o.DropWhenFull && len(m.waiting) < limit {
			m.waiting = append(m.waiting, frame)
		}
	}
}

func (m *Model) receiveWaiting() {
	for len(m.waiting) > 0 && m.storeFrame(m.waiting[0]) {
		m.waiting = m.waiting[1:]
	}
	if len(m.waiting) == 0 && m.regs[rdar] != 0 {
		// As QEMU does: what RDAR says is whether the next one is empty.
		if r := &m.rx; r.size > 0 && !m.inspect(r, r.at) {
			m.regs[rdar] = 0
		}
	}
}

// storeFrame adds the FCS and the flags of a good frame.
func (m *Model) storeFrame(frame []byte) bool {
	content := binary.LittleEndian.AppendUint32(append([]byte(nil), frame...), crc32.ChecksumIEEE(frame))
	status := uint32(len(content)) | last
	if len(content) > int(m.regs[rcr]>>16&0x7ff) {
		status |= 1 << 21
	}
	return m.store(content, status)
}

// store puts content into the next receive buffer.
func (m *Model) store(content []byte, status uint32) bool {
	r := &m.rx
	if m.regs[rdar] == 0 || r.size == 0 {
		return false
	}
	if !m.inspect(r, r.at) {
		m.regs[rdar] = 0
		return false
	}
	i := r.at
	buf := m.buffer(r, i)
	if buf == nil {
		return false
	}
	m.intact(r, i, buf)
	copy(buf, content)
	control := m.get(r, i, wordControl) // not ours to read afterwards
	m.release(r, i, status|m.get(r, i, wordStatus)&wrap)
	if control&rxINT != 0 {
		m.raise(eventRXF)
	}
	if !m.inspect(r, r.at) {
		m.regs[rdar] = 0
	}
	return true
}
