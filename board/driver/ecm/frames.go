package ecm

import (
	"fmt"
	"net"
	"sync/atomic"

	"ingot.dev/board/driver/usbdev"
	"ingot.dev/board/nic"
)

// receiver is the receiving goroutine's.
//
//	released <= given <= filled
type receiver struct {
	pipe     *usbdev.Pipe
	released uint32
	given    uint32
	filled   uint32 // when last looked at
	out      bool   // frames were returned since the last release
	rest     bool   // what comes is the rest of a frame that was too long
	bad      atomic.Uint64
}

// WaitRx implements [nic.Device].
func (d *Device) WaitRx() error {
	for {
		if d.closed.Load() {
			return net.ErrClosed
		}
		if d.rx.ready() {
			return nil
		}
		if err := d.wait(d.rx.pipe); err != nil {
			return err
		}
	}
}

func (r *receiver) ready() bool {
	if r.given == r.filled {
		r.filled = r.pipe.Done()
	}
	return r.given != r.filled
}

// NextRx implements [nic.Device].
func (d *Device) NextRx() ([]byte, bool) {
	r := &d.rx
	if d.closed.Load() {
		return nil, false
	}
	for r.ready() {
		c := r.given
		r.given++
		n := r.pipe.Received(c)
		rest := r.rest
		r.rest = n == usbdev.BufferSize // there was no end to it yet
		if rest || n < nic.HeaderSize || n > nic.MaxFrame {
			r.bad.Add(1)
			if !r.out { // nobody is going to release it
				r.giveBack()
			}
			continue
		}
		r.out = true
		return r.pipe.Buffer(c)[:n:n], true
	}
	return nil, false
}

// ReleaseRx implements [nic.Device].
func (d *Device) ReleaseRx() {
	if d.rx.out && !d.closed.Load() {
		d.rx.giveBack()
	}
}

func (r *receiver) giveBack() {
	r.out = false
	r.released = r.given
	r.pipe.Receive(r.released + r.pipe.Slots())
}

// transmitter is the transmitting caller's.
type transmitter struct {
	pipe     *usbdev.Pipe
	head     uint32 // the frame that TxSlot returns
	done     uint32 // when last looked at
	taken    bool
	lengths  []int
	filtered atomic.Uint64
}

// minFrame is what short frames are padded to: IEEE 802.3, clause 3.2.7, without the FCS.
const minFrame = 60

func (t *transmitter) room() bool {
	if t.head-t.done == t.pipe.Slots() {
		t.done = t.pipe.Done()
	}
	return t.head-t.done != t.pipe.Slots()
}

// TxSlot implements [nic.Device].
func (d *Device) TxSlot() []byte {
	if d.closed.Load() || !d.tx.room() {
		return nil
	}
	d.tx.taken = true
	return d.tx.pipe.Buffer(d.tx.head)
}

// CommitTx implements [nic.Device]. A frame that the host doesn't want ends here.
func (d *Device) CommitTx(n int) {
	t := &d.tx
	if !t.taken {
		panic("ecm: CommitTx without TxSlot")
	}
	if n < nic.HeaderSize || n > nic.MaxFrame {
		panic(fmt.Sprintf("ecm: CommitTx of %d bytes, want %d to %d", n, nic.HeaderSize, nic.MaxFrame))
	}
	t.taken = false
	frame := t.pipe.Buffer(t.head)
	if !d.filter.passes(frame) {
		t.filtered.Add(1)
		return
	}
	if n < minFrame {
		clear(frame[n:minFrame])
		n = minFrame
	}
	t.lengths[int(t.head)%len(t.lengths)] = n
	t.head++
}

// FlushTx implements [nic.Device].
func (d *Device) FlushTx() {
	if !d.closed.Load() {
		d.tx.pipe.Send(d.tx.head, d.tx.lengths)
	}
}

// WaitTx implements [nic.Device].
func (d *Device) WaitTx() error {
	d.FlushTx()
	for {
		if d.closed.Load() {
			return net.ErrClosed
		}
		if d.tx.room() {
			return nil
		}
		if err := d.wait(d.tx.pipe); err != nil {
			return err
		}
	}
}
