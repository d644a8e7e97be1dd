package enet

import (
	"fmt"
	"sync"

	"ingot.dev/board/nic"
)

// txRing transmits. As in the receive ring, frame c is in buffer c mod n and in
// descriptor (c - base) mod n.
//
//	done <= flushed <= head
//	  |  the con-  | committed, |  free, up to
//	  |  troller's | to flush   |  done + n
type txRing struct {
	// The transmitting caller's.
	head      uint32   // the frame that TxSlot returns
	limit     uint32   // done + n, when last looked at
	taken     bool     // TxSlot returned it
	committed []uint32 // by buffer: the frame's length, txPINS, txIINS

	noIPv6Sums bool // see phyModel

	buffers []byte
	mask    uint32
	phys    uint32 // of the ring
	frames  uint32 // physical address of the buffers

	mu      sync.Mutex
	ring    []descriptor
	base    uint32
	done    uint32
	flushed uint32
	stats   Stats // Tx only
}

func (t *txRing) init(mem []byte, phys uint32, l layout) {
	t.ring = descriptors(mem[l.txRing():], l.tx)
	t.buffers = mem[l.txBuffers():][:l.tx*bufferSize]
	t.committed = make([]uint32, l.tx)
	t.limit = uint32(l.tx)
	t.mask = uint32(l.tx - 1)
	t.phys = phys + uint32(l.txRing())
	t.frames = phys + uint32(l.txBuffers())
}

// prepare empties the ring.
//
// Preconditions: t.mu is held, the controller is stopped.
func (t *txRing) prepare() {
	t.reclaim()
	t.stats.Tx.Dropped += uint64(t.flushed - t.done)
	t.base, t.done = t.flushed, t.flushed
	for i := range uint32(len(t.ring)) {
		x := &t.ring[i]
		x.buffer = t.frames + (t.base+i)&t.mask*bufferSize
		x.control, x.sums, x.update, x.stamp = 0, 0, 0, 0
		status := uint32(0)
		if i == t.mask {
			status = wrap
		}
		x.handOver(status)
	}
}

// reclaim finds out which frames were sent.
//
// Preconditions: t.mu is held.
func (t *txRing) reclaim() {
	if t.done == t.flushed {
		return
	}
	// The controller sends in order, so mostly one look is enough.
	if t.ring[(t.flushed-1-t.base)&t.mask].load()&owned == 0 {
		t.done = t.flushed
		return
	}
	for t.done != t.flushed && t.ring[(t.done-t.base)&t.mask].load()&owned == 0 {
		t.done++
	}
}

// room reports whether there is a free slot.
func (t *txRing) room() bool {
	if t.head != t.limit {
		return true
	}
	t.mu.Lock()
	t.reclaim()
	t.limit = t.done + uint32(len(t.ring))
	t.mu.Unlock()
	return t.head != t.limit
}

// TxSlot implements [nic.Device].
func (d *Driver) TxSlot() []byte {
	t := &d.tx
	if d.closed.Load() || !t.room() {
		return nil
	}
	t.taken = true
	off := int(t.head&t.mask) * bufferSize
	return t.buffers[off : off+bufferSize : off+bufferSize]
}

// CommitTx implements [nic.Device].
func (d *Driver) CommitTx(n int) {
	t := &d.tx
	if !t.taken {
		panic("enet: CommitTx without TxSlot")
	}
	if n < nic.HeaderSize || n > nic.MaxFrame {
		panic(fmt.Sprintf("enet: CommitTx of %d bytes, want %d to %d", n, nic.HeaderSize, nic.MaxFrame))
	}
	t.taken = false
	i := t.head & t.mask
	t.committed[i] = uint32(n) | t.insertions(t.buffers[i*bufferSize:][:bufferSize], n)
	t.head++
}

// FlushTx implements [nic.Device]. An emulator sends inside of it, and what
// comes back arrives meanwhile.
func (d *Driver) FlushTx() {
	t := &d.tx
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.flushed == t.head || d.closed.Load() {
		return
	}
	// One interrupt for each quarter of the ring. They are let through only
	// while WaitTx waits, with all of the ring in flight: so one always comes.
	quarter := t.mask >> 2
	t.stats.Tx.Frames += uint64(t.head - t.flushed)
	for ; t.flushed != t.head; t.flushed++ {
		i := (t.flushed - t.base) & t.mask
		x := &t.ring[i]
		frame := t.committed[t.flushed&t.mask]
		length, control := frame&lengthMask, frame&^lengthMask
		t.stats.Tx.Bytes += uint64(length)
		if i&quarter == quarter {
			control |= txINT
		}
		x.control = control
		x.update = 0
		status := owned | last | txTC | length
		if i == t.mask {
			status |= wrap
		}
		x.handOver(status)
	}
	d.startTx()
}

// startTx makes the controller look at the transmit ring. Erratum ERR007885: it
// may clear TDAR for the frames before at the very moment when it is set for
// new ones, which are then forgotten. So TDAR is written when it reads clear; a
// controller that still shows it set after several looks will see the new
// frames by itself. linkMonitor catches what slips through.
//
// Preconditions: d.tx.mu is held.
func (d *Driver) startTx() {
	for range 4 {
		if d.hw.Read32(tdar) == 0 {
			d.hw.Write32(tdar, active)
			return
		}
	}
}
