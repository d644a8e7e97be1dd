package enet

import (
	"sync"

	"ingot.dev/board/nic"
)

// rxRing receives. Frames are numbered by counters that run freely: frame c is
// in buffer c mod n, and in descriptor (c - base) mod n; base moves when the
// controller is restarted, which makes it begin again at descriptor 0.
//
//	released <= returned <= next
//	   |   held by the   |  looked at,  |
//	   |    receiver     |  not given   |  the controller's
type rxRing struct {
	// The receiving goroutine's. Frames are looked at in batches, so that the
	// lock is taken once for many.
	batch    [rxBatch]rxFrame
	given    int    // frames of the batch that NextRx returned
	filled   int    // frames in the batch
	returned uint32 // everything before may be released
	next     uint32 // everything before was looked at
	out      bool   // the receiver holds frames

	buffers []byte
	mask    uint32
	phys    uint32 // of the ring
	frames  uint32 // physical address of the buffers

	mu       sync.Mutex
	ring     []descriptor
	base     uint32
	released uint32
	split    bool  // within a frame of several descriptors
	stats    Stats // Rx only
}

const rxBatch = 64

type rxFrame struct {
	number uint32
	length int
}

func (r *rxRing) init(mem []byte, phys uint32, l layout) {
	r.ring = descriptors(mem, l.rx)
	r.buffers = mem[l.rxBuffers():][:l.rx*bufferSize]
	r.mask = uint32(l.rx - 1)
	r.phys = phys
	r.frames = phys + uint32(l.rxBuffers())
}

// prepare gives the controller every descriptor whose buffer nobody holds.
//
// Preconditions: r.mu is held, the controller is stopped. The receiving
// goroutine may be anywhere: of its fields, only next is needed, which changes
// with r.mu held.
func (r *rxRing) prepare() {
	n := uint32(len(r.ring))
	free := n - (r.next - r.released)
	r.base = r.next
	r.split = false
	for i := range n {
		x := &r.ring[i]
		x.buffer = r.frames + (r.base+i)&r.mask*bufferSize
		x.control, x.sums, x.update, x.stamp = rxINT, 0, 0, 0
		status := uint32(0)
		if i < free {
			status = owned
		}
		if i == n-1 {
			status |= wrap
		}
		x.handOver(status)
	}
}

// look fills the batch with what the controller received, and reports whether
// there is anything in it.
//
// Preconditions: the batch is used up.
func (d *Driver) look() bool {
	r := &d.rx
	r.mu.Lock()
	defer r.mu.Unlock()
	r.given, r.filled = 0, 0
	n := uint32(len(r.ring))
	for r.filled < rxBatch && r.next-r.released < n {
		status := r.ring[(r.next-r.base)&r.mask].load()
		if status&owned != 0 {
			break
		}
		number := r.next
		r.next++
		if length, ok := r.accept(status); ok {
			r.batch[r.filled] = rxFrame{number, length}
			r.filled++
		}
	}
	if r.filled > 0 {
		return true
	}
	r.returned = r.next
	if !r.out && r.released != r.returned {
		d.giveBack() // nothing but bad frames: nobody would release them
	}
	return false
}

// accept judges a frame by its descriptor, and returns its length without FCS.
//
// Preconditions: r.mu is held.
func (r *rxRing) accept(status uint32) (length int, ok bool) {
	s := &r.stats.Rx
	whole := status&last != 0 && !r.split
	r.split = status&last == 0
	length = int(status&lengthMask) - nic.FCSSize
	switch {
	case !whole:
		s.Split++
	case status&rxOV != 0:
		s.Overrun++
	case status&rxTR != 0:
		s.Truncated++
	case status&rxLG != 0:
		s.TooLong++
	case status&rxNO != 0:
		s.Alignment++
	case status&rxCR != 0:
		s.CRC++
	case length < nic.HeaderSize || length > nic.MaxFrame:
		s.Length++
	default:
		s.Frames++
		s.Bytes += uint64(length)
		return length, true
	}
	return 0, false
}

// NextRx implements [nic.Device].
func (d *Driver) NextRx() ([]byte, bool) {
	r := &d.rx
	if d.closed.Load() || r.given == r.filled && !d.look() {
		return nil, false
	}
	f := r.batch[r.given]
	r.given++
	r.out = true
	r.returned = f.number + 1
	if r.given == r.filled {
		r.returned = r.next // with bad frames that followed
	}
	off := int(f.number&r.mask) * bufferSize
	return r.buffers[off : off+f.length : off+f.length], true
}

// ReleaseRx implements [nic.Device].
func (d *Driver) ReleaseRx() {
	r := &d.rx
	if !r.out || d.closed.Load() {
		return
	}
	r.out = false
	r.mu.Lock()
	defer r.mu.Unlock()
	d.giveBack()
}

// giveBack hands the descriptors of returned frames to the controller.
//
// Preconditions: d.rx.mu is held.
func (d *Driver) giveBack() {
	r := &d.rx
	for ; r.released != r.returned; r.released++ {
		i := (r.released - r.base) & r.mask
		x := &r.ring[i]
		x.control = rxINT
		x.update = 0
		status := uint32(owned)
		if i == r.mask {
			status |= wrap
		}
		x.handOver(status)
	}
	// The controller stopped looking if it found the ring used up.
	d.hw.Write32(rdar, active)
}

// rxReady reports whether NextRx has a frame to return.
func (d *Driver) rxReady() bool { return d.rx.given != d.rx.filled || d.look() }

// PeekRx implements [nic.Peeker].
func (d *Driver) PeekRx(want func(frame []byte) bool) bool {
	if d.closed.Load() || !d.rx.peek(want) {
		return false
	}
	w := &d.wait
	w.mu.Lock()
	waiting := w.rx.waiting
	w.mu.Unlock()
	if waiting {
		d.hw.Wake() // the leader, who tells the receiver if he isn't it himself
	}
	return true
}

// peek reports whether there is a wanted one among the frames that the controller has
// received and nobody has looked at. Bad ones are for accept to find.
func (r *rxRing) peek(want func([]byte) bool) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := r.next; c-r.released < uint32(len(r.ring)); c++ {
		status := r.ring[(c-r.base)&r.mask].load()
		if status&owned != 0 {
			break
		}
		length := int(status&lengthMask) - nic.FCSSize
		if status&last == 0 || length < nic.HeaderSize || length > nic.MaxFrame {
			continue
		}
		off := int(c&r.mask) * bufferSize
		if want(r.buffers[off : off+length : off+length]) {
			return true
		}
	}
	return false
}
