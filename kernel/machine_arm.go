package kernel

import (
	"unsafe"

	"ingot.dev/kernel/layout"
)

// machine is the processor, its interrupt controller and timer, and the console's
// UART. Addresses are the kernel's.
type machine struct {
	gicd, gicc  uint32
	uart        uint32
	uartIRQ     uint32
	watchdog    uint32
	timerAt     uint64
	semihosting bool
}

// Where the kernel sees things: see package layout.
const (
	directMap = layout.DirectMap
	deviceMap = layout.DeviceMap

	kernelTable = layout.KernelTable
	kernelAddr  = layout.KernelAddr
	gPage       = layout.GPage
	stackLow    = layout.StackLow
	stackHigh   = layout.StackHigh
	faultStack  = layout.FaultStack
	vectorPage  = layout.VectorPage
)

const _ = uint(gPage - kernelAddr - unsafe.Sizeof(Kernel{})) // it fits, with a hole behind

// Where these are in RAM, from its start.
const (
	offVectors    = layout.OffVectors
	offTable      = layout.OffTable
	offFaultStack = layout.OffFaultStack
	offL1         = layout.OffL1
	offStack      = layout.OffStack
	offG          = layout.OffG
	offImage      = layout.OffImage
)

func (machine) ptr(pa uint32) unsafe.Pointer { return unsafe.Pointer(uintptr(pa + directMap)) }
func (machine) word(pa uint32) *uint32       { return (*uint32)(unsafe.Pointer(uintptr(pa + directMap))) }

func (m *machine) zeroPage(pa uint32) { zeroWords(m.ptr(pa), pageSize) }

func reg(addr uint32) *uint32 { return (*uint32)(unsafe.Pointer(uintptr(addr))) }
func read(addr uint32) uint32 { return loadWord(reg(addr)) }
func write(addr, v uint32)    { storeWord(reg(addr), v) }

func (m *machine) readRegister(pa uint32) uint32 { return read(pa + deviceMap) }
func (m *machine) writeRegister(pa, v uint32)    { write(pa+deviceMap, v) }
func (m *machine) setFrequency(hz uint32)        { setFrequency(hz) }

// In cpu_arm.s.

// None keeps what it is pointed to, so nothing has to be on a heap.

//go:noescape
func loadWord(p *uint32) uint32 // a load that the compiler can't move or drop
//go:noescape
func storeWord(p *uint32, v uint32) // likewise
//go:noescape
func storeHalf(p *uint32, v uint32)

//go:noescape
func zeroWords(p unsafe.Pointer, n uint32) // n: a multiple of 64, but 0
func counter() uint64
func frequency() uint32
func setFrequency(hz uint32)
func setCompare(at uint64)
func setTimerControl(v uint32)
func allowUserCounter()
func waitForEvent()
func invalidateTLB()
func invalidatePage(va uint32)
func barrier()

//go:noescape
func storeVFP(f *FPContext)

//go:noescape
func loadVFP(f *FPContext)
func setThreadRegister(v uint32)
func dataFault() (status, addr uint32)
func prefetchFault() (status, addr uint32)
func setVectors(va uint32)
func cleanLine(va uint32)

//go:noescape
func discardLines(p unsafe.Pointer, n uint32) // of the data cache, whose contents go to memory; n: not 0
func invalidateCode()

//go:noescape
func semihost(op uint32, arg unsafe.Pointer)
func stop()

// Addresses of code: in trap_arm.s and vdso_arm.s.

func vectorTarget(i uint32) uint32
func sigreturnAddr() uint32
func vdsoAddr() uint32
func rt0Addr() uint32

// Generic timer, its virtual counter (ARM ARM B8).

const timerIRQ = 27

func (m *machine) now() uint64 { return counter() }

func (m *machine) setTimer(at uint64) {
	if at == m.timerAt {
		return
	}
	m.timerAt = at
	if at == ^uint64(0) {
		setTimerControl(0)
		return
	}
	setCompare(at)
	setTimerControl(1)
}

func (k *Kernel) waitForInterrupt() { waitForEvent() }

// Generic interrupt controller, version 2.
const (
	gicdCTLR       = 0x000
	gicdIGROUPR    = 0x080
	gicdISENABLER  = 0x100
	gicdICENABLER  = 0x180
	gicdIPRIORITYR = 0x400
	gicdITARGETSR  = 0x800

	giccCTLR = 0x00
	giccPMR  = 0x04
	giccIAR  = 0x0C
	giccEOIR = 0x10
)

func (m *machine) initGIC() {
	write(m.gicd+gicdCTLR, 1)
	write(m.gicc+giccPMR, 0xff)
	write(m.gicc+giccCTLR, 1)
}

func (m *machine) ackIRQ() uint32 {
	// The upper bits name the processor that sent a software interrupt.
	return read(m.gicc+giccIAR) & 0x3ff
}

func (m *machine) endIRQ(irq uint32)  { write(m.gicc+giccEOIR, irq) }
func (m *machine) maskIRQ(irq uint32) { write(m.gicd+gicdICENABLER+irq>>5<<2, 1<<(irq&31)) }

func (m *machine) unmaskIRQ(irq uint32) {
	// In group 0, which is what the controller is turned on for; a loader may have
	// moved it to the other.
	group := m.gicd + gicdIGROUPR + irq>>5<<2
	write(group, read(group)&^(1<<(irq&31)))
	if irq >= 32 { // to this processor, at a priority above the mask
		at, shift := m.gicd+gicdITARGETSR+irq&^3, irq&3*8
		write(at, read(at)&^(0xff<<shift)|1<<shift)
	}
	at, shift := m.gicd+gicdIPRIORITYR+irq&^3, irq&3*8
	write(at, read(at)&^(0xff<<shift)|0x80<<shift)
	write(m.gicd+gicdISENABLER+irq>>5<<2, 1<<(irq&31))
}

// UART (IMX6ULRM chapter "Universal Asynchronous Receiver/Transmitter").
const (
	uartURXD = 0x00
	uartUTXD = 0x40
	uartUCR1 = 0x80
	uartUCR2 = 0x84
	uartUSR2 = 0x98
	uartUTS  = 0xB4

	urxdReady  = 1 << 15
	ucr1Enable = 1 << 0
	ucr1RxIRQ  = 1 << 9
	ucr2NoRst  = 1 << 0
	ucr2RxOn   = 1 << 1
	ucr2TxOn   = 1 << 2
	ucr2Bits8  = 1 << 5
	ucr2NoRTS  = 1 << 14
	usr2Done   = 1 << 3
	utsTxFull  = 1 << 4
)

// initUART keeps the speed that the board's steps or the boot loader have set.
func (m *machine) initUART() {
	write(m.uart+uartUCR2, read(m.uart+uartUCR2)|ucr2NoRst|ucr2RxOn|ucr2TxOn|ucr2Bits8|ucr2NoRTS)
	write(m.uart+uartUCR1, read(m.uart+uartUCR1)|ucr1Enable|ucr1RxIRQ)
}

func (m *machine) putByte(b byte) {
	for read(m.uart+uartUTS)&utsTxFull != 0 {
	}
	write(m.uart+uartUTXD, uint32(b))
}

func (m *machine) flushConsole() {
	for range 1 << 20 { // a UART without a clock must not hang the reset
		if read(m.uart+uartUSR2)&usr2Done != 0 {
			return
		}
	}
}

func (m *machine) consoleIRQ() uint32 { return m.uartIRQ }

func (k *Kernel) consoleInterrupt() {
	for {
		c := read(k.uart + uartURXD)
		if c&urxdReady == 0 {
			return
		}
		k.received(byte(c))
	}
}

func (m *machine) flushTLB()             { invalidateTLB() }
func (m *machine) flushPage(va uint32)   { invalidatePage(va) }
func (m *machine) syncTables()           { barrier() }
func (m *machine) storeFP(f *FPContext)  { storeVFP(f) }
func (m *machine) loadFP(f *FPContext)   { loadVFP(f) }
func (m *machine) setTLS(v uint32)       { setThreadRegister(v) }
func (m *machine) sigreturnStub() uint32 { return sigreturnAddr() }
func (m *machine) setSemihosting()       { m.semihosting = true }

func (m *machine) faultStatus() (uint32, uint32)    { return dataFault() }
func (m *machine) prefetchStatus() (uint32, uint32) { return prefetchFault() }

// Watchdog (IMX6ULRM chapter "Watchdog Timer"). Its registers have 16 bits.
const (
	wdogWCR  = 0x0
	wdogWMCR = 0x8

	wcrWDA = 1 << 5 // do not pull the pin
	wcrSRS = 1 << 4 // 0: reset
	wcrWDE = 1 << 2 // enable
)

// stopPowerDown stops the counter that cuts the board's power 16 s after reset.
func (m *machine) stopPowerDown() { storeHalf(reg(m.watchdog+wdogWMCR), 0) }

// halt ends everything: with the exit code as QEMU's own where semihosting is
// answered, else by resetting the board.
func (k *Kernel) halt(code int32) {
	k.flushConsole()
	if k.semihosting {
		// SYS_EXIT_EXTENDED with ADP_Stopped_ApplicationExit.
		block := [2]uint32{0x20026, uint32(code)}
		semihost(0x20, unsafe.Pointer(&block))
	}
	// Thrice: the bit counts when it is written twice within one period of the
	// 32 kHz clock (i.MX6 erratum ERR004346).
	for range 3 {
		storeHalf(reg(k.watchdog+wdogWCR), wcrWDA|wcrWDE)
	}
	stop()
}
