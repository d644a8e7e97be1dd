package enet

import (
	"errors"
	"fmt"
	"sync"
)

// mdio talks to PHYs over the management interface of IEEE 802.3 clause 22,
// through the MMFR register.
type mdio struct {
	mu sync.Mutex // one transfer at a time
}

// Fields of MMFR: clause 22.2.4.5.
const (
	mdioStart  = 1 << 30
	mdioWrite  = 1 << 28
	mdioRead   = 2 << 28
	mdioPHY    = 23 // shift: address of the PHY
	mdioReg    = 18 // shift: its register
	mdioTurn   = 2 << 16
	mdioData   = 0xffff
	mdioAbsent = 0xffff // what the bus's pull-up gives when nobody answers
)

// ErrMDIO says that the controller didn't complete an MDIO transfer.
var ErrMDIO = errors.New("MDIO transfer doesn't end")

// ReadPHY reads a register of the PHY at an MDIO address. With no PHY there, it
// reads 0xffff.
func (d *Driver) ReadPHY(addr, reg uint8) (uint16, error) {
	v, err := d.transfer(mdioRead, addr, reg, 0)
	if err != nil {
		return 0, fmt.Errorf("enet: read register %d of PHY %d: %w", reg, addr, err)
	}
	return v, nil
}

// WritePHY writes a register of the PHY at an MDIO address.
func (d *Driver) WritePHY(addr, reg uint8, v uint16) error {
	if _, err := d.transfer(mdioWrite, addr, reg, v); err != nil {
		return fmt.Errorf("enet: write register %d of PHY %d: %w", reg, addr, err)
	}
	return nil
}

func (d *Driver) transfer(op uint32, addr, reg uint8, v uint16) (uint16, error) {
	d.mdio.mu.Lock()
	defer d.mdio.mu.Unlock()
	d.hw.Write32(eir, eirMII)
	d.hw.Write32(mmfr, mdioStart|op|mdioTurn|uint32(addr&31)<<mdioPHY|uint32(reg&31)<<mdioReg|uint32(v))
	if !d.poll(eir, eirMII, eirMII) {
		d.errs.mu.Lock()
		d.errs.MDIO++
		d.errs.mu.Unlock()
		return 0, ErrMDIO
	}
	got := d.hw.Read32(mmfr)
	d.hw.Write32(eir, eirMII)
	return uint16(got & mdioData), nil
}
