package enetmodel

// The registers that the model has, by their offsets.
const (
	eir  = 0x004
	eimr = 0x008
	rdar = 0x010
	tdar = 0x014
	ecr  = 0x024
	mmfr = 0x040
	mscr = 0x044
	rcr  = 0x084
	tcr  = 0x0c4
	palr = 0x0e4
	paur = 0x0e8
	iaur = 0x118
	ialr = 0x11c
	gaur = 0x120
	galr = 0x124
	tfwr = 0x144
	rdsr = 0x180
	tdsr = 0x184
	mrbr = 0x188
	rsfl = 0x190
	ftrl = 0x1b0
	tacc = 0x1c0
	racc = 0x1c4

	active     = 1 << 24 // RDAR, TDAR
	ecrRESET   = 1 << 0
	ecrETHEREN = 1 << 1
	ecrEN1588  = 1 << 4
	ecrDBSWP   = 1 << 8
	rcrRMII10T = 1 << 9
	tcrFDEN    = 1 << 2
	tfwrSTRFWD = 1 << 8
	taccIPCHK  = 1 << 3
	taccPROCHK = 1 << 4

	eventMII = 1 << 23
	eventRXF = 1 << 25
	eventTXF = 1 << 27

	// The events that a driver may clear: those above, and the errors BABR,
	// BABT, EBERR, LC, RL and UN.
	clearable = eventMII | eventRXF | eventTXF | 1<<30 | 1<<29 | 1<<22 | 1<<21 | 1<<20 | 1<<19
)

// frozen are the registers that must not be written while the controller is
// enabled (IMX6ULRM: in the descriptions of TCR, and of the DMA's registers).
var frozen = map[uint32]string{
	rcr: "RCR", tcr: "TCR", rdsr: "RDSR", tdsr: "TDSR", mrbr: "MRBR", ftrl: "FTRL", tfwr: "TFWR",
	tacc: "TACC", racc: "RACC", rsfl: "RSFL", palr: "PALR", paur: "PAUR",
}

func (m *Model) reset() {
	m.regs = map[uint32]uint32{
		eir: 0, eimr: 0, rdar: 0, tdar: 0, ecr: 0xf0000000, mmfr: 0, mscr: 0,
		rcr: 0x05ee0001, tcr: 0, palr: 0, paur: 0x8808, iaur: 0, ialr: 0, gaur: 0, galr: 0,
		tfwr: 0, rdsr: 0, tdsr: 0, mrbr: 0, rsfl: 0, ftrl: 0x7ff, tacc: 0, racc: 0,
	}
	if a := m.o.HardwareAddr; a != nil {
		m.regs[palr] = uint32(a[0])<<24 | uint32(a[1])<<16 | uint32(a[2])<<8 | uint32(a[3])
		m.regs[paur] |= uint32(a[4])<<24 | uint32(a[5])<<16
	}
	m.mdioBusy = false
}

// Read32 reads a register.
func (m *Model) Read32(off uint32) uint32 {
	defer m.lock()()
	m.counts.RegisterReads++
	v, ok := m.regs[off]
	if !ok {
		m.mistake("read of unknown register %#x", off)
	}
	if off == tdar {
		m.sawTDAR = v == 0
	}
	return v
}

// Write32 writes a register.
func (m *Model) Write32(off, v uint32) {
	defer m.lock()()
	m.counts.RegisterWrites++
	if _, ok := m.regs[off]; !ok {
		m.mistake("write of %#x to unknown register %#x", v, off)
		return
	}
	if name := frozen[off]; name != "" && m.enabled() {
		m.mistake("write of %#x to %s while the controller is enabled", v, name)
	}
	switch off {
	case eir:
		if v&^uint32(clearable) != 0 {
			m.mistake("EIR cleared with %#x: bits that no driver handles", v)
		}
		if v&(v-1) != 0 && v&^m.regs[eir] != 0 {
			m.mistake("EIR cleared with %#x while it is %#x: events that weren't seen", v, m.regs[eir])
		}
		m.regs[eir] &^= v
		if v&eventMII != 0 {
			m.mdioBusy = false
		}
	case ecr:
		if v&ecrRESET != 0 {
			m.rx.forget()
			m.tx.forget()
			m.reset()
			return
		}
		was := m.enabled()
		m.regs[ecr] = v
		switch {
		case !m.enabled():
			m.regs[rdar], m.regs[tdar] = 0, 0
			m.rx.forget()
			m.tx.forget()
		case !was:
			m.enable()
		}
	case rdar:
		if m.enabled() {
			m.scan(&m.rx)
			m.regs[rdar] = active
			m.receiveWaiting()
		}
	case tdar:
		if !m.sawTDAR {
			m.mistake("TDAR written without having been read as clear (ERR007885)")
		}
		m.sawTDAR = false
		if m.enabled() {
			m.scan(&m.tx)
			m.regs[tdar] = active
			m.send()
		}
	case mmfr:
		if m.mdioBusy {
			m.mistake("MDIO transfer before the last one's event was cleared")
		}
		m.regs[mmfr] = m.mdio(v)
		m.mdioBusy = true
		m.raise(eventMII)
	default:
		m.regs[off] = v
	}
	m.w.cond.Broadcast() // EIMR, EIR: the line may have changed
}

// enable looks at what the driver set up, the way that the controller will use it.
func (m *Model) enable() {
	if m.regs[ecr]&ecrEN1588 == 0 {
		m.mistake("enabled without enhanced descriptors (ECR.EN1588)")
	}
	if m.regs[ecr]&ecrDBSWP == 0 {
		m.mistake("enabled without little-endian descriptors (ECR.DBSWP)")
	}
	if speed := m.regs[mscr] >> 1 & 63; 66e6/(2*float64(speed+1)) > 2.5e6 {
		m.mistake("MDIO clock is too fast: MSCR is %#x", m.regs[mscr])
	}
	if m.regs[mrbr]&15 != 0 || m.regs[mrbr] == 0 {
		m.mistake("MRBR is %#x", m.regs[mrbr])
	}
	m.rx.find(m, "receive", m.regs[rdsr], int(m.regs[mrbr]))
	m.tx.find(m, "transmit", m.regs[tdsr], int(m.regs[mrbr]))
	if m.rx.base < m.tx.base+m.tx.bytes() && m.tx.base < m.rx.base+m.rx.bytes() {
		m.mistake("the rings overlap")
	}
	m.checkBuffers()
}
