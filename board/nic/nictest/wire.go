package nictest

import (
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"ingot.dev/board/nic"
)

// WireOptions says what kind of wire [Pipe] builds. The zero value is a perfect
// one: nothing is lost, late or changed.
//
// Probabilities are between 0 and 1, for each frame, in both directions.
type WireOptions struct {
	// Seed starts the random choices. The same seed and the same calls in the
	// same order give the same faults.
	Seed uint64

	Loss      float64 // a frame vanishes
	Duplicate float64 // a frame arrives twice
	Reorder   float64 // a frame arrives after the next one
	// Corrupt: one bit of a frame changes. ARP is spared: it has no checksum of
	// its own, so that only Ethernet's would notice.
	Corrupt float64

	// Delay is how long a frame travels. With zero it arrives inside FlushTx,
	// as in an emulator that sends synchronously.
	Delay time.Duration

	// Jitter is the most that is added to Delay, a random part of it for each
	// frame. Frames stay in order.
	Jitter time.Duration

	// Rate is how many bytes of frames go over the wire in a second, in each
	// direction; 0 for no limit. With DropWhenFull no more than RxRing frames
	// queue for it.
	Rate int

	// RxRing and TxRing are the sizes of the rings, in frames; 128 and 64 when
	// zero.
	RxRing, TxRing int

	// DropWhenFull makes a full receive ring lose frames, as real Ethernet
	// does. Otherwise they stay in the sender's transmit ring, which fills up.
	DropWhenFull bool

	// Offloads is what both ends claim to do, and do.
	Offloads nic.Offloads

	// HardwareAddrs replaces the ends' addresses 02:00:00:00:00:0a and :0b.
	HardwareAddrs [2]net.HardwareAddr
}

// reorderHold bounds how long a frame that is to arrive after the next one
// waits for it.
const reorderHold = 2 * time.Millisecond

// bufferSize is the size of a ring's frame buffer.
const bufferSize = 2048

// Pipe returns the two ends of a new wire. Their link is up until
// [End.SetLink]. Closing an end ends what it sends and receives; the other end
// stays open, its frames go nowhere.
func Pipe(o WireOptions) (a, b *End) {
	if o.RxRing == 0 {
		o.RxRing = 128
	}
	if o.TxRing == 0 {
		o.TxRing = 64
	}
	w := &wire{o: o, random: rand.New(rand.NewPCG(o.Seed, 0x1960))}
	for i := range w.ends {
		addr := o.HardwareAddrs[i]
		if addr == nil {
			addr = net.HardwareAddr{2, 0, 0, 0, 0, byte(0x0a + i)}
		}
		w.ends[i] = newEnd(w, addr)
	}
	a, b = w.ends[0], w.ends[1]
	a.peer, b.peer = b, a
	return a, b
}

// wire joins two ends. One lock covers everything: this is a test's tool, and
// simple to be sure of.
type wire struct {
	o    WireOptions
	ends [2]*End

	mu     sync.Mutex
	random *rand.Rand
}

// travelling is a frame between the rings.
type travelling struct {
	data []byte
	due  time.Time
}

func (w *wire) hit(probability float64) bool {
	return probability > 0 && w.random.Float64() < probability
}

// transmitFlushed moves flushed frames from e's transmit ring onto the wire and
// from there into the peer's receive ring, as far as there is room.
//
// Preconditions: w.mu is held.
func (w *wire) transmitFlushed(e *End) {
	for moved := true; moved; {
		moved = w.deliver(e.peer)
		for e.txSent != e.txFlushed && w.roomFor(e.peer) {
			slot := int(e.txSent) % len(e.txRing)
			w.put(e.peer, e.txRing[slot][:e.txLength[slot]])
			scribble(e.txRing[slot])
			e.txSent++
			moved = true
		}
	}
	if e.txCommitted-e.txSent < uint32(len(e.txRing)) {
		wake(e.txWake)
	}
}

// put makes frame travel towards e, with the faults that fate has for it.
func (w *wire) put(e *End, frame []byte) {
	if w.hit(w.o.Loss) || !e.link.Up || !e.peer.link.Up || e.closed || e.peer.closed {
		return
	}
	size := len(frame)
	if size < 60 {
		size = 60 // IEEE 802.3 clause 4.2.3.3: the MAC pads
	}
	data := make([]byte, size)
	copy(data, frame)
	if w.o.Offloads.TxChecksum {
		InsertChecksums(data[:len(frame)])
	}
	if w.hit(w.o.Corrupt) && !isARP(data) {
		bit := w.random.IntN(size * 8)
		data[bit/8] ^= 1 << (bit % 8)
	}
	if w.o.Offloads.RxChecksum && !ChecksumsOK(data) {
		return
	}
	copies := 1
	if w.hit(w.o.Duplicate) {
		copies = 2
	}
	t := travelling{data: data}
	if d := w.travel(e, size); d > 0 {
		if w.o.Rate > 0 && w.o.DropWhenFull && len(e.arriving) >= w.o.RxRing {
			return
		}
		t.due = time.Now().Add(d)
		time.AfterFunc(d, func() { w.later(e) })
	}
	if e.held == nil && w.hit(w.o.Reorder) {
		e.held = &t
		time.AfterFunc(reorderHold, func() { w.releaseHeld(e) })
		copies--
	}
	for range copies {
		e.arriving = append(e.arriving, t)
	}
	if e.held != nil && copies > 0 {
		e.held.due = t.due
		e.arriving = append(e.arriving, *e.held)
		e.held = nil
	}
}

// travel returns how long a frame of size bytes takes to e from now on.
func (w *wire) travel(e *End, size int) time.Duration {
	d := w.o.Delay
	if w.o.Jitter > 0 {
		d += time.Duration(w.random.Int64N(int64(w.o.Jitter)))
	}
	if w.o.Rate > 0 {
		now := time.Now()
		if e.lineFree.Before(now) {
			e.lineFree = now
		}
		e.lineFree = e.lineFree.Add(time.Duration(size) * time.Second / time.Duration(w.o.Rate))
		d += e.lineFree.Sub(now)
	}
	return d
}

func isARP(frame []byte) bool { return frame[12] == 0x08 && frame[13] == 0x06 }

// later delivers what was delayed.
func (w *wire) later(e *End) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.deliver(e)
	w.transmitFlushed(e.peer)
}

// roomFor reports whether the wire takes another frame towards e. A wire that
// holds frames back holds no more than a receive ring.
func (w *wire) roomFor(e *End) bool {
	return w.o.DropWhenFull || e.closed || len(e.arriving) < w.o.RxRing
}

// releaseHeld lets a frame go on that waited in vain for another one.
func (w *wire) releaseHeld(e *End) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e.held != nil {
		e.arriving = append(e.arriving, *e.held)
		e.held = nil
	}
	w.deliver(e)
}

// deliver moves the frames that arrive at e by now into its receive ring, and
// reports whether there were any.
func (w *wire) deliver(e *End) bool {
	moved := false
	for len(e.arriving) > 0 {
		t := e.arriving[0]
		if !t.due.IsZero() && time.Now().Before(t.due) {
			break
		}
		full := e.rxArrived-e.rxReleased == uint32(len(e.rxRing))
		if full && !w.o.DropWhenFull && !e.closed {
			break
		}
		e.arriving = e.arriving[1:]
		moved = true
		if full || e.closed {
			continue
		}
		slot := int(e.rxArrived) % len(e.rxRing)
		e.rxLength[slot] = copy(e.rxRing[slot], t.data)
		e.rxArrived++
	}
	if e.rxArrived != e.rxNext {
		wake(e.rxWake)
	}
	return moved
}

// wake lets the waiter of c run, now or when it comes to wait.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// scribble overwrites a buffer that its user gave back, so that who goes on
// reading it notices.
func scribble(b []byte) {
	for i := range b {
		b[i] = 0xdb
	}
}
