package enet

import (
	"fmt"
	"net"
	"sync"
)

// waits lets two goroutines wait for one interrupt: the receiver for EIR.RXF,
// the transmitter for EIR.TXF.
//
// Whoever of them comes first becomes the leader: he waits on the UIO file
// himself. The other one waits for what the leader finds, or to become leader.
// Each side does this, in this order:
//
//  1. say that he waits, and let his event through the mask (expect);
//  2. clear his event;
//  3. look at the ring: is there something already?
//  4. park.
//
// What happens before 2 is seen in 3. What happens after 2 sets the event again,
// and since the interrupt is level-triggered it comes as soon as a leader
// unmasks it. A leader clears an event of the other side only to wake him, and
// knows that he is there by 1.
type waits struct {
	leader chan struct{} // holds one token: take it to lead

	mu     sync.Mutex
	mask   uint32 // what EIMR has
	rx, tx side
	count  uint64 // interrupts
}

type side struct {
	waiting bool
	wake    chan struct{}
}

func (w *waits) init() {
	w.leader = make(chan struct{}, 1)
	w.leader <- struct{}{}
	w.rx.wake = make(chan struct{}, 1)
	w.tx.wake = make(chan struct{}, 1)
}

func (s *side) notify() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// WaitRx implements [nic.Device].
func (d *Driver) WaitRx() error {
	for {
		if d.closed.Load() {
			return net.ErrClosed
		}
		if d.rxReady() {
			return nil
		}
		d.expect(&d.wait.rx, true)
		d.hw.Write32(eir, eirRXF)
		ready := d.rxReady()
		var err error
		if !ready {
			err = d.park(&d.wait.rx, eirRXF)
		}
		d.expect(&d.wait.rx, false)
		if err != nil {
			return err
		}
		if ready {
			return nil
		}
	}
}

// WaitTx implements [nic.Device].
func (d *Driver) WaitTx() error {
	d.FlushTx()
	for {
		if d.closed.Load() {
			return net.ErrClosed
		}
		if d.tx.room() {
			return nil
		}
		d.expect(&d.wait.tx, true)
		d.hw.Write32(eir, eirTXF)
		ready := d.tx.room()
		var err error
		if !ready {
			err = d.park(&d.wait.tx, eirTXF)
		}
		d.expect(&d.wait.tx, false)
		if err != nil {
			return err
		}
		if ready {
			return nil
		}
	}
}

// expect says whether a side waits, and keeps the mask in step. The receive
// event stays let through while only the receiver comes and goes, which spares
// two register writes each time: nobody listens in between.
func (d *Driver) expect(s *side, waiting bool) {
	w := &d.wait
	w.mu.Lock()
	defer w.mu.Unlock()
	s.waiting = waiting
	mask := uint32(0)
	if w.rx.waiting || !w.tx.waiting {
		mask |= eirRXF
	}
	if w.tx.waiting {
		mask |= eirTXF
	}
	if mask != w.mask {
		w.mask = mask
		d.hw.Write32(eimr, mask)
	}
}

// park waits for a side's event, or leads and waits for any.
func (d *Driver) park(s *side, own uint32) error {
	w := &d.wait
	select {
	case <-w.leader:
	default:
		select {
		case <-w.leader:
		case <-s.wake:
			return nil
		case <-d.done:
			return net.ErrClosed
		}
	}
	err := d.hw.UnmaskWait()
	if err == nil {
		d.dispatch(own)
	}
	w.leader <- struct{}{}
	switch {
	case d.closed.Load():
		return net.ErrClosed
	case err != nil:
		return fmt.Errorf("enet: %w", err)
	}
	return nil
}

// dispatch tells the other side about its event. The leader's own he clears by
// himself before he waits the next time.
func (d *Driver) dispatch(own uint32) {
	w := &d.wait
	w.mu.Lock()
	defer w.mu.Unlock()
	w.count++
	if !w.rx.waiting || !w.tx.waiting {
		return
	}
	events := d.hw.Read32(eir) & (eirRXF | eirTXF) &^ own
	if events == 0 {
		return
	}
	d.hw.Write32(eir, events)
	if events&eirRXF != 0 {
		w.rx.notify()
	}
	if events&eirTXF != 0 {
		w.tx.notify()
	}
}

// wakeAll makes both sides look again.
func (w *waits) wakeAll(hw Hardware) {
	w.rx.notify()
	w.tx.notify()
	hw.Wake()
}
