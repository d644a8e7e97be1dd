package ecm

import (
	"sync"
	"sync/atomic"

	"ingot.dev/board/driver/usbdev"
	"ingot.dev/board/nic"
)

// link is the state of the link, and who wants to know it.
type link struct {
	running sync.WaitGroup // linkMonitor
	kick    chan struct{}

	fresh atomic.Bool // the host has chosen a setting: it is to be told anew

	nic.Watch
}

func (l *link) init() { l.kick = make(chan struct{}, 1) }

func (l *link) wake() {
	select {
	case l.kick <- struct{}{}:
	default:
	}
}

// changed is told what the host has made of the device.
func (l *link) changed(s usbdev.State) {
	state := nic.LinkState{}
	if s.Configuration != 0 && s.Alts[data] == 1 && !s.Suspended {
		state = nic.LinkState{Up: true, Speed: 12, FullDuplex: true}
		if s.HighSpeed {
			state.Speed = 480
		}
	}
	l.Set(state)
	l.fresh.Store(true)
	l.wake()
}

// LinkState implements [nic.Device].
func (d *Device) LinkState() nic.LinkState {
	return d.link.State()
}

// OnLink implements [nic.Device].
func (d *Device) OnLink(f func(nic.LinkState)) {
	d.link.Add(f)
	d.link.wake()
}

// notes are the notifications to the host, linkMonitor's.
type notes struct {
	pipe    *usbdev.Pipe
	head    uint32
	lengths [noteSlots]int
}

const noteSlots = 4

// linkMonitor is the driver's goroutine: it tells both sides about the link.
func (d *Device) linkMonitor() {
	var logged nic.LinkState
	for {
		if s := d.LinkState(); s != logged && !d.closed.Load() {
			logged = s
			d.log.Info("link", "address", d.addr, "state", s)
		}
		d.tellHost()
		d.link.Tell(d.closed.Load)
		select {
		case <-d.link.kick:
		case <-d.notes.pipe.Wake():
		case <-d.usb.Done():
			return
		}
	}
}

// tellHost queues notifications when there is room for both; else it is called again when
// the host has fetched some.
func (d *Device) tellHost() {
	n := &d.notes
	if n.head-n.pipe.Done() > noteSlots-2 {
		return
	}
	if !d.link.fresh.Swap(false) {
		return
	}
	state := d.link.State()
	add := func(length int) {
		n.lengths[n.head%noteSlots] = length
		n.head++
	}
	add(notification(n.pipe.Buffer(n.head), state.Up))
	if state.Up {
		add(speedNotification(n.pipe.Buffer(n.head), state.Speed))
	}
	n.pipe.Send(n.head, n.lengths[:])
}
