package enet

import (
	"errors"
	"fmt"

	"ingot.dev/board/nic"
)

// Registers that every PHY has: IEEE 802.3 clause 22.2.4, and clause 28.2.4 for
// what the two ends advertise.
const (
	phyControl   = 0
	controlFast  = 1 << 13 // 100 Mbit/s, without negotiation
	controlAuto  = 1 << 12 // negotiate
	controlFull  = 1 << 8  // full duplex, without negotiation
	phyStatus    = 1
	statusDone   = 1 << 5 // negotiation is complete
	statusLink   = 1 << 2 // link is up; stays 0 after a loss until read
	phyID1       = 2
	phyID2       = 3
	phyAdvertise = 4
	phyPartner   = 5
	ability100FD = 1 << 8
	ability100   = 1 << 7
	ability10FD  = 1 << 6
	ability10    = 1 << 5
)

// phyModel is a kind of PHY with the settings it needs, told by its identifier.
type phyModel struct {
	name     string
	id, mask uint32
	setup    []phyWrite

	// noIPv6Sums: the controller beside it doesn't insert checksums of TCP and
	// UDP over IPv6. Only an emulator has that defect, and its PHY gives it
	// away.
	noIPv6Sums bool
}

// phyWrite sets bits of a register after clearing others.
type phyWrite struct {
	reg        uint8
	clear, set uint16
}

// phyModels are those on boards that we know. Others work with what their pins
// say.
var phyModels = []phyModel{
	{name: "LAN9118 (QEMU)", id: 0x0007c0d1, mask: 0xffffffff, noIPv6Sums: true},
	{
		// MCIMX6UL-EVK, MCIMX6ULL-EVK. KSZ8081RNB data sheet, register 1Fh
		// "PHY Control 2", bit 7: the RMII reference clock has 50 MHz.
		name: "KSZ8081", id: 0x00221560, mask: 0xfffffff0,
		setup: []phyWrite{{reg: 0x1f, set: 1 << 7}},
	},
	{
		// USB armory Mk II LAN. DP83825I data sheet, register 17h "RCSR", bit
		// 7: likewise.
		name: "DP83825I", id: 0x2000a140, mask: 0xfffffff0,
		setup: []phyWrite{{reg: 0x17, set: 1 << 7}},
	},
}

// ErrNoPHY says that nothing was found at the addresses where the PHY should be.
var ErrNoPHY = errors.New("no PHY answers")

// phy is the PHY that was found.
type phy struct {
	addr uint8
	id   uint32
	name string
}

// findPHY asks addresses until a PHY answers, and sets it up.
func (d *Driver) findPHY(addrs []uint8) (phy, error) {
	if addrs == nil {
		for a := range uint8(32) {
			addrs = append(addrs, a)
		}
	}
	for _, a := range addrs {
		hi, err := d.ReadPHY(a, phyID1)
		if err != nil {
			return phy{}, err
		}
		lo, err := d.ReadPHY(a, phyID2)
		if err != nil {
			return phy{}, err
		}
		if hi == mdioAbsent || hi == 0 && lo == 0 {
			continue
		}
		p := phy{addr: a, id: uint32(hi)<<16 | uint32(lo), name: "unknown"}
		return p, d.setupPHY(&p)
	}
	return phy{}, fmt.Errorf("%w at MDIO addresses %v", ErrNoPHY, addrs)
}

func (d *Driver) setupPHY(p *phy) error {
	for _, m := range phyModels {
		if p.id&m.mask != m.id&m.mask {
			continue
		}
		p.name = m.name
		d.tx.noIPv6Sums = m.noIPv6Sums
		for _, w := range m.setup {
			v, err := d.ReadPHY(p.addr, w.reg)
			if err != nil {
				return err
			}
			if err := d.WritePHY(p.addr, w.reg, v&^w.clear|w.set); err != nil {
				return err
			}
		}
		break
	}
	return nil
}

// linkState asks the PHY for the state of the link.
func (d *Driver) linkState(p phy) (s nic.LinkState, err error) {
	read := func(reg uint8) (v uint16) {
		if err == nil {
			v, err = d.ReadPHY(p.addr, reg)
		}
		return v
	}
	read(phyStatus) // a loss of link since the last time
	status := read(phyStatus)
	if err != nil || status == mdioAbsent || status&statusLink == 0 {
		return nic.LinkState{}, err
	}
	control := read(phyControl)
	if control&controlAuto == 0 {
		s = nic.LinkState{Up: true, Speed: 10, FullDuplex: control&controlFull != 0}
		if control&controlFast != 0 {
			s.Speed = 100
		}
		return s, err
	}
	if status&statusDone == 0 {
		return nic.LinkState{}, err
	}
	common := read(phyAdvertise) & read(phyPartner)
	if err != nil {
		return nic.LinkState{}, err
	}
	return negotiated(common), nil
}

// negotiated picks the best of what both ends can: clause 28B.3. A partner that
// doesn't negotiate is heard at its speed, without duplex (clause 28.2.3.1).
func negotiated(common uint16) nic.LinkState {
	s := nic.LinkState{Up: true, Speed: 10}
	switch {
	case common&ability100FD != 0:
		s.Speed, s.FullDuplex = 100, true
	case common&ability100 != 0:
		s.Speed = 100
	case common&ability10FD != 0:
		s.FullDuplex = true
	}
	return s
}
