package enet

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"ingot.dev/board/nic"
)

// link is the state of the link, and who wants to know it.
type link struct {
	running  sync.WaitGroup // linkMonitor
	interval time.Duration
	fixed    bool
	phy      phy
	kick     chan struct{} // someone registered

	mu        sync.Mutex
	state     nic.LinkState
	listeners []listener
}

type listener struct {
	f    func(nic.LinkState)
	told bool
	last nic.LinkState
}

func (l *link) init(d *Driver, o Options) error {
	l.kick = make(chan struct{}, 1)
	l.interval = o.LinkInterval
	if l.interval == 0 {
		l.interval = time.Second
	}
	if o.FixedLink != nil {
		l.fixed, l.state = true, *o.FixedLink
		return nil
	}
	var err error
	if l.phy, err = d.findPHY(o.PHYAddresses); err != nil {
		return err
	}
	d.log.Debug("PHY found", "model", l.phy.name, "id", fmt.Sprintf("%04x:%04x", l.phy.id>>16, l.phy.id&0xffff), "address", l.phy.addr)
	l.state, err = d.linkState(l.phy)
	return err
}

// LinkState implements [nic.Device].
func (d *Driver) LinkState() nic.LinkState {
	d.link.mu.Lock()
	defer d.link.mu.Unlock()
	return d.link.state
}

// OnLink implements [nic.Device].
func (d *Driver) OnLink(f func(nic.LinkState)) {
	d.link.mu.Lock()
	d.link.listeners = append(d.link.listeners, listener{f: f})
	d.link.mu.Unlock()
	select {
	case d.link.kick <- struct{}{}:
	default:
	}
}

// linkMonitor is the driver's goroutine: see doc.go.
func (d *Driver) linkMonitor() {
	ticker := time.NewTicker(d.link.interval)
	defer ticker.Stop()
	for {
		d.tellListeners()
		select {
		case <-d.done:
			return
		case <-d.link.kick:
		case <-ticker.C:
			d.checkLink()
			d.checkErrors()
		}
	}
}

// checkLink asks the PHY. When it doesn't answer, the link stays as it was.
func (d *Driver) checkLink() {
	if d.link.fixed {
		return
	}
	s, err := d.linkState(d.link.phy)
	if err != nil {
		if !errors.Is(err, ErrMDIO) {
			d.log.Warn("PHY", "error", err)
		}
		return
	}
	if s == d.LinkState() {
		return
	}
	if s.Up {
		d.adopt(s)
	}
	d.link.mu.Lock()
	d.link.state = s
	d.link.mu.Unlock()
	d.log.Info("link", "address", d.addr, "state", s)
}

// tellListeners calls those who don't know the present state yet.
func (d *Driver) tellListeners() {
	l := &d.link
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := 0; i < len(l.listeners); i++ { // f may register another one
		if d.closed.Load() {
			return
		}
		if to := &l.listeners[i]; !to.told || to.last != l.state {
			to.told, to.last = true, l.state
			f, s := to.f, l.state
			l.mu.Unlock()
			f(s)
			l.mu.Lock()
		}
	}
}

// checkErrors looks for what raises no interrupt: errors, and a transmitter
// that stands still with work to do.
func (d *Driver) checkErrors() {
	if events := d.hw.Read32(eir) & eirErrors; events != 0 {
		d.hw.Write32(eir, events)
		d.errs.mu.Lock()
		if events&(eirLC|eirRL|eirUN|eirBABT) != 0 {
			d.errs.Transmit++
		}
		if events&eirBABR != 0 {
			d.errs.Receive++
		}
		if events&eirEBERR != 0 {
			d.errs.Bus++
		}
		d.errs.mu.Unlock()
		if events&eirEBERR != 0 {
			d.log.Error("bus error in the controller's DMA, starting it again", "address", d.addr)
			d.restart()
		}
	}
	t := &d.tx
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.reclaim(); t.done != t.flushed && d.hw.Read32(tdar) == 0 {
		d.startTx()
		d.errs.mu.Lock()
		d.errs.Stalls++
		d.errs.mu.Unlock()
	}
}
