package nictest

import (
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"ingot.dev/board/nic"
)

// End is one end of a [Pipe]. It implements [nic.Device].
type End struct {
	w    *wire
	peer *End
	addr net.HardwareAddr
	done chan struct{}

	rxWake, txWake chan struct{}

	// Nobody reads these. Each side's methods write them without a lock, for
	// the race detector to find calls that should have been serialised.
	rxOwner, txOwner int

	// What follows is guarded by w.mu. Counters run freely; a counter modulo
	// the ring's length is a slot.
	closed bool

	rxRing     [][]byte
	rxLength   []int
	rxArrived  uint32 // frames that the wire put into the ring
	rxNext     uint32 // frames that NextRx returned
	rxReleased uint32
	arriving   []travelling // on their way to rxRing
	held       *travelling  // to arrive after the next one
	lineFree   time.Time    // when the wire to here has sent what it was given

	txRing      [][]byte
	txLength    []int
	txTaken     bool   // TxSlot returned the slot of txCommitted
	txCommitted uint32 // frames that CommitTx queued
	txFlushed   uint32
	txSent      uint32 // frames that left for the wire

	link      nic.LinkState
	listeners notifier
}

var _ nic.Device = (*End)(nil)

func newEnd(w *wire, addr net.HardwareAddr) *End {
	e := &End{
		w: w, addr: addr,
		done:     make(chan struct{}),
		rxWake:   make(chan struct{}, 1),
		txWake:   make(chan struct{}, 1),
		rxRing:   make([][]byte, w.o.RxRing),
		rxLength: make([]int, w.o.RxRing),
		txRing:   make([][]byte, w.o.TxRing),
		txLength: make([]int, w.o.TxRing),
		link:     nic.LinkState{Up: true, Speed: 100, FullDuplex: true},
	}
	for _, ring := range [][][]byte{e.rxRing, e.txRing} {
		for i := range ring {
			ring[i] = make([]byte, bufferSize)
		}
	}
	return e
}

// HardwareAddr implements [nic.Device].
func (e *End) HardwareAddr() net.HardwareAddr { return slices.Clone(e.addr) }

// MTU implements [nic.Device].
func (e *End) MTU() int { return nic.MTU }

// Offloads implements [nic.Device].
func (e *End) Offloads() nic.Offloads { return e.w.o.Offloads }

// WaitRx implements [nic.Device].
func (e *End) WaitRx() error {
	e.rxOwner++
	return e.wait(e.rxWake, func() bool { return e.rxArrived != e.rxNext })
}

// WaitTx implements [nic.Device].
func (e *End) WaitTx() error {
	e.FlushTx()
	return e.wait(e.txWake, func() bool { return e.txCommitted-e.txSent < uint32(len(e.txRing)) })
}

func (e *End) wait(woken chan struct{}, ready func() bool) error {
	for {
		e.w.mu.Lock()
		closed, ok := e.closed, ready()
		e.w.mu.Unlock()
		if closed {
			return net.ErrClosed
		}
		if ok {
			return nil
		}
		select {
		case <-woken:
		case <-e.done:
		}
	}
}

// NextRx implements [nic.Device].
func (e *End) NextRx() ([]byte, bool) {
	e.rxOwner++
	e.w.mu.Lock()
	defer e.w.mu.Unlock()
	if e.closed || e.rxNext == e.rxArrived {
		return nil, false
	}
	slot := int(e.rxNext) % len(e.rxRing)
	e.rxNext++
	n := e.rxLength[slot]
	return e.rxRing[slot][:n:n], true
}

// ReleaseRx implements [nic.Device].
func (e *End) ReleaseRx() {
	e.rxOwner++
	e.w.mu.Lock()
	defer e.w.mu.Unlock()
	if e.closed || e.rxReleased == e.rxNext {
		return
	}
	for ; e.rxReleased != e.rxNext; e.rxReleased++ {
		scribble(e.rxRing[int(e.rxReleased)%len(e.rxRing)])
	}
	e.w.transmitFlushed(e.peer)
}

// TxSlot implements [nic.Device].
func (e *End) TxSlot() []byte {
	e.txOwner++
	e.w.mu.Lock()
	defer e.w.mu.Unlock()
	if e.closed || e.txCommitted-e.txSent == uint32(len(e.txRing)) {
		return nil
	}
	e.txTaken = true
	return e.txRing[int(e.txCommitted)%len(e.txRing)]
}

// CommitTx implements [nic.Device].
func (e *End) CommitTx(n int) {
	e.txOwner++
	e.w.mu.Lock()
	defer e.w.mu.Unlock()
	if !e.txTaken {
		panic("nictest: CommitTx without TxSlot")
	}
	if n < nic.HeaderSize || n > nic.MaxFrame {
		panic(fmt.Sprintf("nictest: CommitTx of %d bytes, want %d to %d", n, nic.HeaderSize, nic.MaxFrame))
	}
	e.txTaken = false
	e.txLength[int(e.txCommitted)%len(e.txRing)] = n
	e.txCommitted++
}

// FlushTx implements [nic.Device].
func (e *End) FlushTx() {
	e.txOwner++
	e.w.mu.Lock()
	defer e.w.mu.Unlock()
	e.txFlushed = e.txCommitted
	if !e.closed {
		e.w.transmitFlushed(e)
	}
}

// LinkState implements [nic.Device].
func (e *End) LinkState() nic.LinkState {
	e.w.mu.Lock()
	defer e.w.mu.Unlock()
	return e.link
}

// SetLink changes the state of the link as this end sees it. While the link is
// not up at both ends, frames are lost.
func (e *End) SetLink(s nic.LinkState) {
	e.w.mu.Lock()
	e.link = s
	e.w.mu.Unlock()
	e.listeners.changed(s)
}

// OnLink implements [nic.Device].
func (e *End) OnLink(f func(nic.LinkState)) {
	e.listeners.add(f, e.LinkState())
}

// Close implements [nic.Device].
func (e *End) Close() error {
	e.w.mu.Lock()
	closed := e.closed
	e.closed = true
	e.w.mu.Unlock()
	if !closed {
		close(e.done)
		e.listeners.close()
		e.w.mu.Lock()
		e.w.transmitFlushed(e.peer) // it must not wait for us any more
		e.w.mu.Unlock()
	}
	return nil
}

// notifier calls functions with link states, in order, from a goroutine that
// lives as long as there is something to say.
type notifier struct {
	mu      sync.Mutex
	all     []func(nic.LinkState)
	queue   []func()
	running bool
	closed  bool
	idle    sync.WaitGroup
}

func (n *notifier) add(f func(nic.LinkState), now nic.LinkState) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all = append(n.all, f)
	n.say(func() { f(now) })
}

func (n *notifier) changed(s nic.LinkState) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, f := range n.all {
		n.say(func() { f(s) })
	}
}

func (n *notifier) say(f func()) {
	if n.closed {
		return
	}
	n.queue = append(n.queue, f)
	if !n.running {
		n.running = true
		n.idle.Go(n.linkNotifier)
	}
}

func (n *notifier) linkNotifier() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for len(n.queue) > 0 && !n.closed {
		f := n.queue[0]
		n.queue = n.queue[1:]
		n.mu.Unlock()
		f()
		n.mu.Lock()
	}
	n.running = false
}

// close waits for a call that is under way: there are none afterwards.
func (n *notifier) close() {
	n.mu.Lock()
	n.closed = true
	n.mu.Unlock()
	n.idle.Wait()
}
