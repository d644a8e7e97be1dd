package enetmodel

import "ingot.dev/board/nic"

// phy is a PHY with the registers of IEEE 802.3 clause 22, and memory for the
// vendor's.
type phy struct {
	regs [32]uint16
	lost bool // the link went down since register 1 was read
}

func (p *phy) reset() {
	p.regs = [32]uint16{0: 0x3000, 1: 0x7809, 4: 0x01e1}
	p.setLink(nic.LinkState{Up: true, Speed: 100, FullDuplex: true})
}

func (p *phy) setLink(s nic.LinkState) {
	const up = 1<<5 | 1<<2
	if !s.Up {
		p.lost = true
		p.regs[1] &^= up
		return
	}
	p.regs[1] |= up
	ability := uint16(1 << 5)
	if s.FullDuplex {
		ability <<= 1
	}
	if s.Speed == 100 {
		ability <<= 2
	}
	p.regs[5] = ability | 1<<14 | 1
}

// mdio does a transfer and returns MMFR afterwards.
func (m *Model) mdio(v uint32) uint32 {
	addr, reg := uint8(v>>23&31), v>>18&31
	op := v >> 28 & 3
	if v>>30 != 1 || v>>16&3 != 2 || op != 1 && op != 2 {
		m.mistake("MMFR written with %#x", v)
		return v
	}
	p := &m.phy
	present := addr == m.o.PHYAddress
	if op == 1 {
		if present && reg > 0 {
			p.regs[reg] = uint16(v)
		}
		return v
	}
	data := uint16(0xffff)
	if present {
		data = p.regs[reg]
		switch reg {
		case 1:
			if p.lost {
				data &^= 1 << 2
				p.lost = false
			}
		case 2:
			data = uint16(m.o.PHYID >> 16)
		case 3:
			data = uint16(m.o.PHYID)
		}
	}
	return v&0xffff0000 | uint32(data)
}

// PHYRegister returns a register of the PHY.
func (m *Model) PHYRegister(reg int) uint16 {
	defer m.lock()()
	return m.phy.regs[reg]
}

// SetPHYRegister sets a register of the PHY.
func (m *Model) SetPHYRegister(reg int, v uint16) {
	defer m.lock()()
	m.phy.regs[reg] = v
}
