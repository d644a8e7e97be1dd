//go:build !arm

package kernel

import "unsafe"

// machine is a simulated one: tests set its time and raise its interrupts.
type machine struct {
	ram     []byte
	ramBase uint32

	time    uint64 // ticks
	timerAt uint64
	pending []uint32 // interrupts that ackIRQ will return
	masked  map[uint32]bool
	outside func() // raises interrupts when nothing else is to come; may be nil
	output  []byte

	status, addr uint32 // of the next abort
	halted       bool
	flushes      int
	fp           FPContext
	tlsRegister  uint32
	semihosting  bool

	registers Registers // what setUp sets up
}

// Registers are those of a simulated board's devices, and the frequency register of its
// timer.
type Registers interface {
	Read(pa uint32) uint32
	Write(pa, v uint32)
	SetFrequency(hz uint32)
}

func (m *machine) readRegister(pa uint32) uint32 { return m.registers.Read(pa) }
func (m *machine) writeRegister(pa, v uint32)    { m.registers.Write(pa, v) }
func (m *machine) setFrequency(hz uint32)        { m.registers.SetFrequency(hz) }

const (
	timerIRQ = 27
	spurious = 1023
)

func (m *machine) ptr(pa uint32) unsafe.Pointer { return unsafe.Pointer(&m.ram[pa-m.ramBase]) }
func (m *machine) word(pa uint32) *uint32       { return (*uint32)(m.ptr(pa)) }
func (m *machine) zeroPage(pa uint32)           { clear(m.ram[pa-m.ramBase:][:pageSize]) }

func (m *machine) now() uint64        { return m.time }
func (m *machine) setTimer(at uint64) { m.timerAt = at }

// waitForInterrupt lets simulated time pass until the timer, unless another
// interrupt is there already. With nothing to come, not even from outside, the
// machine stops.
func (k *Kernel) waitForInterrupt() {
	m := &k.machine
	if len(m.pending) > 0 {
		return
	}
	if m.timerAt == ^uint64(0) && m.outside != nil {
		if m.outside(); len(m.pending) > 0 {
			return
		}
	}
	if m.timerAt == ^uint64(0) {
		m.halted = true
		k.exited = true
		return
	}
	m.time = max(m.time, m.timerAt)
	m.pending = append(m.pending, timerIRQ)
}

func (m *machine) ackIRQ() uint32 {
	if len(m.pending) == 0 {
		return spurious
	}
	irq := m.pending[0]
	m.pending = m.pending[1:]
	return irq
}

func (m *machine) endIRQ(uint32)        {}
func (m *machine) maskIRQ(irq uint32)   { m.masked[irq] = true }
func (m *machine) unmaskIRQ(irq uint32) { delete(m.masked, irq) }

func (m *machine) consoleIRQ() uint32 { return 58 }
func (k *Kernel) consoleInterrupt()   { k.received('x') }
func (m *machine) putByte(b byte)     { m.output = append(m.output, b) }

func (m *machine) flushTLB()        { m.flushes++ }
func (m *machine) flushPage(uint32) { m.flushes++ }
func (m *machine) syncTables()      {}

func (m *machine) storeFP(f *FPContext) { *f = m.fp }
func (m *machine) loadFP(f *FPContext)  { m.fp = *f }
func (m *machine) setTLS(v uint32)      { m.tlsRegister = v }

func (m *machine) faultStatus() (uint32, uint32)    { return m.status, m.addr }
func (m *machine) prefetchStatus() (uint32, uint32) { return m.status, m.addr }
func (m *machine) sigreturnStub() uint32            { return 0x80020000 }

func (m *machine) setSemihosting() { m.semihosting = true }
func (k *Kernel) halt(code int32)  { k.machine.halted = true }
