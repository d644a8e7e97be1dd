package peer

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"ingot.dev/board/nic"
)

// Frames on the socket have their length before them, in four bytes, big-endian
// (QEMU's net/socket.c).
const lengthSize = 4

// writeAtOnce is how many frames are written with one system call, at most.
const writeAtOnce = 32

// Lengths of the rings. What is sent while the receiver's is full is lost.
const (
	rxRing = 1024
	txRing = 256
)

// end is our end of the wire, a port like any other.
type end struct {
	conn  net.Conn
	addr  net.HardwareAddr
	delay time.Duration // of an interrupt, after the frame that it is for

	in, out line       // what happens to frames on the way
	writing sync.Mutex // to conn

	mu      sync.Mutex
	changed sync.Cond // on mu: frames have come or gone, closed
	closed  bool
	broken  error
	told    sync.WaitGroup // functions of OnLink under way
	worker  sync.WaitGroup

	// Counters run freely; modulo its ring's length each is a slot.
	rx                             [rxRing][]byte
	arrived, shown, next, released uint32
	interrupting                   bool // what has arrived will be shown
	tx                             [txRing][]byte
	taken                          bool
	committed, flushed, sent       uint32
}

var _ nic.Device = (*end)(nil)

func newEnd(conn net.Conn, addr net.HardwareAddr, delay time.Duration) *end {
	e := &end{conn: conn, addr: addr, delay: delay}
	e.changed.L = &e.mu
	e.in.overdue, e.out.overdue = e.arrive, func(frame []byte) { e.write(frame) }
	for i := range e.rx {
		e.rx[i] = make([]byte, 0, nic.MaxFrame)
	}
	for i := range e.tx {
		e.tx[i] = make([]byte, lengthSize, lengthSize+nic.MaxFrame)
	}
	e.worker.Go(e.receive)
	e.worker.Go(e.transmit)
	return e
}

// fail notes why the wire is of no use any more.
func (e *end) fail(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.broken == nil {
		e.broken = err
	}
	e.show()
}

func (e *end) receive() {
	in := bufio.NewReaderSize(e.conn, 64<<10)
	var length [lengthSize]byte
	frame := make([]byte, nic.MaxFrame)
	for {
		if _, err := io.ReadFull(in, length[:]); err != nil {
			e.fail(fmt.Errorf("peer: the machine was unplugged: %w", err))
			return
		}
		n := binary.BigEndian.Uint32(length[:])
		if n < nic.HeaderSize || n > nic.MaxFrame {
			e.fail(fmt.Errorf("peer: a frame of %d bytes", n))
			return
		}
		if _, err := io.ReadFull(in, frame[:n]); err != nil {
			e.fail(fmt.Errorf("peer: the machine was unplugged: %w", err))
			return
		}
		e.in.pace(int(n))
		e.in.pass(frame[:n], e.arrive)
	}
}

// arrive puts a frame into the receive ring.
func (e *end) arrive(frame []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.arrived-e.released < rxRing {
		slot := &e.rx[e.arrived%rxRing]
		*slot = append((*slot)[:0], frame...)
		e.arrived++
		switch {
		case e.delay == 0:
			e.show()
		case !e.interrupting:
			e.interrupting = true
			time.AfterFunc(e.delay, e.interrupt)
		}
	}
}

// write sends frames, each with its length before it.
func (e *end) write(frames ...[]byte) {
	e.writing.Lock()
	defer e.writing.Unlock()
	out := net.Buffers(frames)
	if _, err := out.WriteTo(e.conn); err != nil {
		e.fail(fmt.Errorf("peer: the machine was unplugged: %w", err))
	}
}

// show lets the stack have what has arrived. e.mu is held.
func (e *end) show() {
	e.shown = e.arrived
	e.changed.Broadcast()
}

func (e *end) interrupt() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.interrupting = false
	e.show()
}

func (e *end) transmit() {
	var out [][]byte
	add := func(frame []byte) { out = append(out, frame) }
	for {
		e.mu.Lock()
		for e.sent == e.flushed && !e.closed && e.broken == nil {
			e.changed.Wait()
		}
		if e.closed || e.broken != nil {
			e.mu.Unlock()
			return
		}
		first, last := e.sent, e.flushed
		e.mu.Unlock()
		out = out[:0]
		for i := first; i != last; i++ {
			frame := e.tx[i%txRing]
			e.out.pace(len(frame) - lengthSize)
			e.out.pass(frame, add)
			if len(out) >= writeAtOnce {
				e.write(out...)
				out = out[:0]
			}
		}
		e.write(out...)
		e.mu.Lock()
		e.sent = last
		e.changed.Broadcast()
		e.mu.Unlock()
	}
}

func (e *end) HardwareAddr() net.HardwareAddr { return slices.Clone(e.addr) }
func (e *end) MTU() int                       { return nic.MTU }

// Offloads says that what comes has good checksums: no bit flips on the way through a
// socket.
func (e *end) Offloads() nic.Offloads { return nic.Offloads{RxChecksum: true} }

// wait returns when ready says so. e.mu is held.
func (e *end) wait(ready func() bool) error {
	for {
		switch {
		case e.closed:
			return net.ErrClosed
		case ready():
			return nil
		case e.broken != nil:
			return e.broken
		}
		e.changed.Wait()
	}
}

func (e *end) WaitRx() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.wait(func() bool { return e.next != e.shown })
}

func (e *end) NextRx() ([]byte, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed || e.next == e.shown {
		return nil, false
	}
	frame := e.rx[e.next%rxRing]
	e.next++
	return slices.Clip(frame), true
}

func (e *end) ReleaseRx() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.released = e.next
}

func (e *end) TxSlot() []byte {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed || e.committed-e.sent == txRing {
		return nil
	}
	e.taken = true
	slot := e.tx[e.committed%txRing]
	return slot[lengthSize:cap(slot)]
}

// minFrame is what Ethernet frames are padded to, without their check sequence.
const minFrame = 60

func (e *end) CommitTx(n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.taken {
		panic("peer: CommitTx without TxSlot")
	}
	if n < nic.HeaderSize || n > nic.MaxFrame {
		panic(fmt.Sprintf("peer: CommitTx of %d bytes, want %d to %d", n, nic.HeaderSize, nic.MaxFrame))
	}
	e.taken = false
	slot := &e.tx[e.committed%txRing]
	*slot = (*slot)[:lengthSize+max(n, minFrame)]
	clear((*slot)[lengthSize+n:])
	binary.BigEndian.PutUint32(*slot, uint32(len(*slot)-lengthSize))
	e.committed++
}

func (e *end) FlushTx() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.flushed = e.committed
	e.changed.Broadcast()
}

func (e *end) WaitTx() error {
	e.FlushTx()
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.wait(func() bool { return e.committed-e.sent < txRing })
}

// linkUp is the only state that there is until the machine is gone, and then nobody asks.
var linkUp = nic.LinkState{Up: true, Speed: 100, FullDuplex: true}

func (e *end) LinkState() nic.LinkState { return linkUp }

func (e *end) OnLink(f func(nic.LinkState)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.closed {
		e.told.Go(func() { f(linkUp) })
	}
}

func (e *end) Close() error {
	e.mu.Lock()
	closed := e.closed
	e.closed = true
	e.changed.Broadcast()
	e.mu.Unlock()
	if closed {
		return nil
	}
	err := e.conn.Close()
	e.worker.Wait()
	e.told.Wait()
	if errors.Is(err, net.ErrClosed) {
		err = nil
	}
	return err
}
