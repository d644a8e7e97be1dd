package usbdev

import "fmt"

// stage is how far a control transfer on endpoint 0 is.
type stage int

const (
	idle stage = iota
	dataIn
	dataOut
	status
)

// Endpoint 0's bits.
const (
	out0 = 1 << 0
	in0  = 1 << 16
)

// controller is the goroutine that waits for the interrupt: see doc.go.
func (d *Device) controller() {
	for {
		err := d.hw.UnmaskWait()
		d.mu.Lock()
		stopped := d.stopped
		d.mu.Unlock()
		if stopped {
			return
		}
		if err != nil {
			d.end(fmt.Errorf("usbdev: %w", err))
			return
		}
		d.service()
		if d.changed {
			d.changed = false
			s := d.state
			s.Alts = append([]byte(nil), s.Alts...)
			d.config.Function.Changed(s)
		}
	}
}

// service does what the interrupt is for.
func (d *Device) service() {
	events := d.hw.Read32(usbsts) & interrupts
	d.hw.Write32(usbsts, events)
	if events&stsURI != 0 {
		d.busReset()
	}
	if events&stsSLI != 0 {
		d.suspend(true)
	}
	if events&stsPCI != 0 {
		d.suspend(false)
		if fast := d.hw.Read32(portsc1)&portHSP != 0; fast != d.state.HighSpeed {
			d.state.HighSpeed = fast
			d.changed = true
		}
	}
	// Completions first: the status stage of SET_ADDRESS may lie before the next request.
	complete := d.hw.Read32(endptcomplete)
	d.hw.Write32(endptcomplete, complete)
	if complete&(in0|out0) != 0 {
		d.advance(complete)
	}
	for _, p := range d.pipes {
		if events&(stsUEI) != 0 || complete&p.bit() != 0 {
			d.mu.Lock()
			p.reap()
			d.mu.Unlock()
			p.notify()
		}
	}
	for range 4 { // the host may break a request off with the next
		if d.hw.Read32(endptsetupstat)&1 == 0 {
			return
		}
		s, ok := d.readSetup()
		if ok {
			d.begin(s)
		}
	}
	d.hw.Wake() // there was another one: once more, behind what else there is
}

func (d *Device) suspend(on bool) {
	if d.state.Suspended != on {
		d.state.Suspended = on
		d.changed = true
	}
}

// busReset: IMX6ULRM, "Bus Reset". The controller has taken the address 0 by itself.
func (d *Device) busReset() {
	d.hw.Write32(endptsetupstat, d.hw.Read32(endptsetupstat))
	d.hw.Write32(endptcomplete, d.hw.Read32(endptcomplete))
	d.poll(endptprime, ^uint32(0))
	d.flush(^uint32(0))
	d.stage = idle
	d.configure(0)
	d.state.Suspended = false
}

// readSetup: IMX6ULRM, "Setup Phase", with the tripwire: the controller clears SUTW when
// another packet comes in while this one is read.
func (d *Device) readSetup() (Setup, bool) {
	d.hw.Write32(endptsetupstat, 1)
	for range tripwires {
		d.command(cmdSUTW)
		a, b := d.heads[0].setupWord(0), d.heads[0].setupWord(1)
		whole := d.hw.Read32(usbcmd)&cmdSUTW != 0
		d.command(0)
		if whole {
			// What is left of the request before.
			d.flush(in0 | out0)
			return Setup{byte(a), byte(a >> 8), uint16(a >> 16), uint16(b), uint16(b >> 16)}, d.hw.Read32(endptsetupstat)&1 == 0
		}
	}
	return Setup{}, false
}

// command writes USBCMD, which the pipes' tripwire uses, too.
func (d *Device) command(bits uint32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.stopped {
		d.hw.Write32(usbcmd, cmdRS|bits)
	}
}

// begin starts to answer a request.
func (d *Device) begin(s Setup) {
	d.setup, d.stage = s, idle
	if !s.In() && s.Length > 0 {
		if s.Length > controlSize {
			d.stall()
			return
		}
		d.stage = dataOut
		d.receive(int(s.Length))
		return
	}
	answer, ok := d.request(s, nil)
	switch {
	case !ok || len(answer) > controlSize || len(answer) > 0 && !s.In():
		d.stall()
	case s.In() && s.Length > 0:
		d.stage = dataIn
		d.send(answer[:min(len(answer), int(s.Length))], int(s.Length))
	default:
		d.stage = status
		d.send(nil, 0)
	}
}

func (d *Device) request(s Setup, data []byte) ([]byte, bool) {
	switch s.Type & kinds {
	case ofStandard:
		if data != nil {
			return nil, false
		}
		return d.standard(s)
	case ofClass:
		return d.config.Function.Request(s, data)
	}
	return nil, false
}

// advance goes on to a request's next stage.
func (d *Device) advance(complete uint32) {
	switch {
	case d.stage == dataIn && complete&in0 != 0 && (d.ep0[0].load()|d.ep0[1].load())&tokenActive == 0:
		d.stage = status
		d.receive(0)
	case d.stage == dataOut && complete&out0 != 0 && d.ep0[2].load()&tokenActive == 0:
		n := int(d.setup.Length) - int(d.ep0[2].load()>>tokenTotal&0x7fff)
		if n != int(d.setup.Length) {
			d.stall()
			return
		}
		data := append([]byte(nil), d.out[:n]...)
		if answer, ok := d.request(d.setup, data); !ok || len(answer) > 0 {
			d.stall()
			return
		}
		d.stage = status
		d.send(nil, 0)
	case d.stage == status && complete&(in0|out0) != 0:
		d.stage = idle
	}
}

// send primes endpoint 0 with an answer. One that is shorter than what the host wants and
// a multiple of the packet size needs a packet without data behind it: USB 2.0, section
// 5.5.3.
func (d *Device) send(answer []byte, wanted int) {
	copy(d.in, answer)
	d.ep0[1].drop()
	if n := len(answer); n > 0 && n < wanted && n%64 == 0 {
		d.ep0[1].fill(d.inPhys, 0)
	}
	t := &d.ep0[0]
	t.fill(d.inPhys, len(answer))
	if d.ep0[1].load()&tokenActive != 0 {
		t.link(d.ep0Phys + transferSize)
	}
	d.prime(1, d.ep0Phys, in0)
}

func (d *Device) receive(n int) {
	d.ep0[2].fill(d.outPhys, n)
	d.prime(0, d.ep0Phys+2*transferSize, out0)
}

// prime doesn't take when a setup packet comes at the same time, which is dealt with
// next.
func (d *Device) prime(i int, transfer, bit uint32) {
	d.heads[i].next, d.heads[i].token = transfer, 0
	d.hw.Write32(endptprime, bit)
	d.poll(endptprime, bit)
}

// stall refuses a request: the controller takes the stall back with the next one. It goes on
// taking it back for up to 50 clocks after ENDPTSETUPSTAT was cleared; so it is written
// until it stays or the next one is there (ENDPTCTRL, TXS, as HPMicro's hpm_usb_regs.h has
// the text of the same core's manual; Linux, too, writes until it stays: hw_ep_set_halt).
func (d *Device) stall() {
	d.stage = idle
	const both = ctrlStall | ctrlStall<<16
	for range tripwires {
		v := d.hw.Read32(endptctrl)
		if v&both == both || d.hw.Read32(endptsetupstat)&1 != 0 {
			return
		}
		d.hw.Write32(endptctrl, v|both)
	}
}
