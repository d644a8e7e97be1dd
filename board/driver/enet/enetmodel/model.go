package enetmodel

import (
	"fmt"
	"net"
	"os"
	"sync"
	"unsafe"

	"ingot.dev/board/nic"
)

// Options of a model. The zero value behaves like QEMU.
type Options struct {
	// Report is told about the driver's mistakes. When nil, they panic.
	Report func(mistake string)

	// DMASize is the size of the DMA memory in bytes; 512 KiB when zero.
	DMASize int

	// Async makes transmission go on while the driver does, as hardware does.
	// Otherwise everything is sent inside the write of TDAR.
	Async bool

	// DropWhenFull makes frames vanish that find no receive descriptor, as
	// hardware does. Otherwise they wait, as in QEMU.
	DropWhenFull bool

	// AllChecksums makes PINS and IINS insert what the manual says. Otherwise,
	// as in QEMU, only the checksums of IPv4 headers, and of TCP and UDP over
	// IPv4. A PHYID other than QEMU's tells the driver.
	AllChecksums bool

	// HardwareAddr is what PALR and PAUR have at reset; zero when nil.
	HardwareAddr net.HardwareAddr

	// PHYAddress and PHYID are the PHY's MDIO address and identifier;
	// QEMU's 0007:c0d1 when zero.
	PHYAddress uint8
	PHYID      uint32
}

// physBase is where the controller sees the DMA memory.
const physBase = 0x8f000000

// Model is one controller. All of its methods may be called from anywhere.
type Model struct {
	o   Options
	mem []byte

	w *world // shared by controllers joined by a wire

	// Guarded by w.mu.
	regs     map[uint32]uint32
	peer     *Model
	onSend   func(frame []byte)
	waiting  [][]byte // frames that found no descriptor
	rx, tx   ring
	sawTDAR  bool // TDAR read clear since it was written
	sending  bool // the transmitter runs
	paused   bool
	mdioBusy bool // an MDIO transfer's event is not yet collected
	unmasked bool
	woken    bool
	closed   bool
	phy      phy
	counts   Counts
}

// Counts counts what the driver did, for tests of its thrift.
type Counts struct {
	RegisterReads, RegisterWrites, Waits int
}

// world has the lock that joined controllers share, since each delivers into
// the other.
type world struct {
	mu   sync.Mutex
	cond *sync.Cond // something changed
}

// New returns a controller out of reset, its link up.
func New(o Options) *Model {
	if o.DMASize == 0 {
		o.DMASize = 512 << 10
	}
	if o.PHYID == 0 {
		o.PHYID = 0x0007c0d1
	}
	m := &Model{o: o, w: &world{}, mem: aligned(o.DMASize)}
	m.w.cond = sync.NewCond(&m.w.mu)
	m.phy.reset()
	m.reset()
	return m
}

// Connect joins two controllers by a wire.
//
// Preconditions: neither is in use yet.
func Connect(a, b *Model) {
	b.w = a.w
	b.peer, a.peer = a, b
}

// aligned returns memory aligned to 4096 bytes.
func aligned(size int) []byte {
	mem := make([]byte, size+4096)
	off := -int(uintptr(unsafe.Pointer(&mem[0]))) & 4095
	return mem[off : off+size : off+size]
}

// OnSend gives every frame that is sent, without FCS, to f instead of a wire. f
// must not call the model.
func (m *Model) OnSend(f func(frame []byte)) {
	defer m.lock()()
	m.onSend = f
}

// Stats returns the counts so far.
func (m *Model) Stats() Counts {
	defer m.lock()()
	return m.counts
}

// SetLink changes what the PHY says.
func (m *Model) SetLink(s nic.LinkState) {
	defer m.lock()()
	m.phy.setLink(s)
}

// Pause makes the controller stop sending, as a PAUSE frame does, or go on.
func (m *Model) Pause(on bool) {
	defer m.lock()()
	m.paused = on
	m.send()
}

// Raise sets bits of EIR, for events that the model has no cause for.
func (m *Model) Raise(events uint32) {
	defer m.lock()()
	m.raise(events)
}

// Running reports whether the controller is enabled, and in which mode.
func (m *Model) Running() (bool, nic.LinkState) {
	defer m.lock()()
	mode := nic.LinkState{Up: true, Speed: 100, FullDuplex: m.regs[tcr]&tcrFDEN != 0}
	if m.regs[rcr]&rcrRMII10T != 0 {
		mode.Speed = 10
	}
	return m.enabled(), mode
}

// lock takes the lock and returns what releases it.
func (m *Model) lock() func() {
	m.w.mu.Lock()
	return m.w.mu.Unlock
}

func (m *Model) mistake(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if m.o.Report == nil {
		panic("enetmodel: " + text)
	}
	m.o.Report(text)
}

// DMA returns the DMA memory.
func (m *Model) DMA() ([]byte, uint32) { return m.mem, physBase }

// UnmaskWait waits for the interrupt.
func (m *Model) UnmaskWait() error {
	defer m.lock()()
	m.counts.Waits++
	m.unmasked = true
	for {
		switch {
		case m.closed:
			return os.ErrClosed
		case m.woken:
			m.woken = false
			return nil
		case m.regs[eir]&m.regs[eimr] != 0:
			m.unmasked = false
			return nil
		}
		m.w.cond.Wait()
	}
}

// Wake makes a wait end.
func (m *Model) Wake() {
	defer m.lock()()
	m.woken = true
	m.w.cond.Broadcast()
}

// Close ends all waits.
func (m *Model) Close() error {
	defer m.lock()()
	m.closed = true
	m.w.cond.Broadcast()
	return nil
}

func (m *Model) raise(events uint32) {
	m.regs[eir] |= events
	m.w.cond.Broadcast()
}

func (m *Model) enabled() bool { return m.regs[ecr]&ecrETHEREN != 0 }
