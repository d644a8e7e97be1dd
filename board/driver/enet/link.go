package enet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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

	nic.Watch
}

func (l *link) init(d *Driver, o Options) error {
	l.kick = make(chan struct{}, 1)
	l.interval = o.LinkInterval
	if l.interval == 0 {
		l.interval = time.Second
	}
	if o.FixedLink != nil {
		l.fixed = true
		l.Set(*o.FixedLink)
		return nil
	}
	var err error
	if l.phy, err = d.findPHY(o.PHYAddresses); err != nil {
		return err
	}
	if d.log.Enabled(context.Background(), slog.LevelDebug) {
		d.log.Debug("PHY found", "model", l.phy.name, "id", fmt.Sprintf("%04x:%04x", l.phy.id>>16, l.phy.id&0xffff), "address", l.phy.addr)
	}
	s, err := d.linkState(l.phy)
	l.Set(s)
	return err
}

// LinkState implements [nic.Device].
func (d *Driver) LinkState() nic.LinkState {
	return d.link.State()
}

// OnLink implements [nic.Device].
func (d *Driver) OnLink(f func(nic.LinkState)) {
	d.link.Add(f)
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
		d.link.Tell(d.closed.Load)
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
	d.link.Set(s)
	d.log.Info("link", "address", d.addr, "state", s)
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
