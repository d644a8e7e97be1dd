package enet

import (
	"errors"
	"time"

	"ingot.dev/board/nic"
)

// reset puts the controller into its initial state and gets MDIO going.
func (d *Driver) reset(clock uint32) error {
	if clock == 0 {
		clock = 66_000_000
	}
	d.hw.Write32(ecr, ecrRESET)
	// It takes 8 clock cycles (IMX6ULRM, ENET_ECR).
	if !d.poll(ecr, ecrRESET, 0) {
		return errors.New("the controller doesn't come out of its reset; is its clock on?")
	}
	// MDC may have 2.5 MHz (IEEE 802.3 clause 22.2.2.11); it has the register
	// clock's frequency divided by 2 * (MII_SPEED + 1).
	speed := (clock+5_000_000-1)/5_000_000 - 1
	d.hw.Write32(mscr, min(max(speed, 1), 63)<<1)
	return nil
}

// poll reads a register until the bits of mask have the given value, and
// reports whether they do. It is for what takes microseconds.
func (d *Driver) poll(reg, mask, value uint32) bool {
	const spins = 64
	var deadline time.Time
	for i := 0; ; i++ {
		if d.hw.Read32(reg)&mask == value {
			return true
		}
		if i < spins {
			continue
		}
		if now := time.Now(); deadline.IsZero() {
			deadline = now.Add(pollTimeout)
		} else if now.After(deadline) {
			return false
		}
		time.Sleep(10 * time.Microsecond)
	}
}

// pollTimeout is long for an MDIO frame (26 µs), so that a machine that stops
// for a while, as emulators do, isn't taken for a broken one.
const pollTimeout = 50 * time.Millisecond

// configure sets the controller up for d.mode and starts it, with fresh rings.
// What was in the transmit ring is dropped, as are received frames that nobody
// looked at; frames that a receiver holds stay his. It is used for restarts,
// too: duplex may only change while ETHEREN is clear, and clearing that makes
// the controller start over at the first descriptors.
func (d *Driver) configure() {
	d.rx.mu.Lock()
	defer d.rx.mu.Unlock()
	d.tx.mu.Lock()
	defer d.tx.mu.Unlock()

	hw := d.hw
	const idle = ecrEN1588 | ecrDBSWP
	hw.Write32(ecr, idle)
	d.rx.prepare()
	d.tx.prepare()

	receive := uint32(maxFrame<<rcrMAXFL | rcrMII | rcrRMII)
	transmit := uint32(tcrFDEN)
	if d.mode.Speed == 10 {
		receive |= rcrRMII10T
	}
	if !d.mode.FullDuplex {
		receive |= rcrDRT
		transmit = 0
	}
	a := d.addr
	for _, w := range []struct{ reg, value uint32 }{
		{palr, uint32(a[0])<<24 | uint32(a[1])<<16 | uint32(a[2])<<8 | uint32(a[3])},
		{paur, uint32(a[4])<<24 | uint32(a[5])<<16 | 0x8808},
		// Unicast: ours only. Multicast: all, the stack has its own filter.
		{iaur, 0}, {ialr, 0},
		{gaur, 0xffffffff}, {galr, 0xffffffff},
		{rcr, receive},
		{tcr, transmit},
		// Checksums need whole frames in the FIFOs.
		{tfwr, tfwrSTRFWD},
		{tacc, taccIPCHK | taccPROCHK},
		{rsfl, 0},
		{racc, raccIPDIS | raccPRODIS | raccLINEDIS},
		{mrbr, bufferSize},
		{ftrl, maxLength},
		{rdsr, d.rx.phys},
		{tdsr, d.tx.phys},
		{ecr, idle | ecrETHEREN},
		{rdar, active},
	} {
		hw.Write32(w.reg, w.value)
	}
}

// adopt makes the controller fit the state that a link came up with.
func (d *Driver) adopt(s nic.LinkState) {
	mode := nic.LinkState{Speed: s.Speed, FullDuplex: s.FullDuplex}
	if have := d.mode; have.Speed == mode.Speed && have.FullDuplex == mode.FullDuplex {
		// Nothing to change, but a PHY that was away may have stopped the RMII
		// clock: say again that we are on.
		d.rx.mu.Lock()
		d.hw.Write32(ecr, ecrEN1588|ecrDBSWP|ecrETHEREN)
		d.hw.Write32(rdar, active)
		d.rx.mu.Unlock()
		return
	}
	d.mode = mode
	d.restart()
}

// restart starts the controller anew and lets those know who wait for what it
// was doing.
func (d *Driver) restart() {
	d.configure()
	d.errs.mu.Lock()
	d.errs.Restarts++
	d.errs.mu.Unlock()
	d.wait.wakeAll(d.hw)
}
