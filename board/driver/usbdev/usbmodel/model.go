package usbmodel

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"unsafe"
)

// Registers and bits, from the manual again and not from the driver.
const (
	usbcmd         = 0x140
	usbsts         = 0x144
	usbintr        = 0x148
	deviceaddr     = 0x154
	endptlistaddr  = 0x158
	portsc1        = 0x184
	otgsc          = 0x1a4
	usbmode        = 0x1a8
	endptsetupstat = 0x1ac
	endptprime     = 0x1b0
	endptflush     = 0x1b4
	endptstat      = 0x1b8
	endptcomplete  = 0x1bc
	endptctrl      = 0x1c0

	run, reset, sutw, atdtw  = 1 << 0, 1 << 1, 1 << 13, 1 << 14
	ui, uei, pci, uri, sli   = 1 << 0, 1 << 1, 1 << 2, 1 << 6, 1 << 8
	active, halted, bufError = 1 << 7, 1 << 6, 1 << 5
	ioc                      = 1 << 15
	slom, sdis               = 1 << 3, 1 << 4
	stallBit, toggleBit      = 1 << 0, 1 << 6
	enableBit                = 1 << 7

	physBase = 0x8e000000
)

// Errors of the host's transfers.
var (
	ErrStall   = errors.New("usbmodel: the device stalls")
	ErrDetach  = errors.New("usbmodel: the device is not there")
	ErrTimeout = errors.New("usbmodel: the host gave up")
)

// Options of a model.
type Options struct {
	DMASize int          // 256 KiB when 0
	Report  func(string) // of mistakes; without it they panic
	Trip    int          // every so many reads of USBCMD find the add-dTD tripwire cleared
}

// Model is a controller and its host.
type Model struct {
	o   Options
	mem []byte

	mu      sync.Mutex
	cond    *sync.Cond
	regs    map[uint32]uint32
	woken   bool
	closed  bool
	unplug  bool
	engines [32]engine // by bit: OUT n, IN 16+n
	pending uint32     // address to take, with bit 31
	reads   int        // of USBCMD
	config  []Descriptor
	second  []byte // a setup packet that comes while the driver reads one
	resets  int    // of the bus that the driver has dealt with
	deaf    bool   // it still takes stalls of endpoint 0 back
}

// engine is what the controller does for one direction of an endpoint.
type engine struct {
	at     uint32 // offset of the dTD at work
	left   int
	moved  int
	words  [7]uint32 // of the dTD, but for its next pointer
	toggle bool      // the device's
	host   bool      // the host's
}

// New returns a controller after power-on, with the cable plugged in.
func New(o Options) *Model {
	if o.DMASize == 0 {
		o.DMASize = 256 << 10
	}
	raw := make([]byte, o.DMASize+4096)
	skip := -int(uintptr(unsafe.Pointer(&raw[0]))) & 4095
	m := &Model{o: o, mem: raw[skip:][:o.DMASize]}
	m.cond = sync.NewCond(&m.mu)
	m.powerOn()
	return m
}

func (m *Model) powerOn() {
	m.regs = map[uint32]uint32{usbcmd: 0x00080000, usbsts: 0, usbintr: 0, deviceaddr: 0, endptlistaddr: 0,
		portsc1: 0, otgsc: 0, usbmode: 0, endptsetupstat: 0, endptprime: 0, endptflush: 0, endptstat: 0, endptcomplete: 0}
	for n := range uint32(8) {
		m.regs[endptctrl+4*n] = 0
	}
	m.regs[endptctrl] = 0x00800080 // endpoint 0 is always enabled
	clear(m.engines[:])
}

func (m *Model) mistake(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if m.o.Report == nil {
		panic("usbmodel: " + text)
	}
	m.o.Report(text)
}

// DMA returns the DMA memory.
func (m *Model) DMA() ([]byte, uint32) { return m.mem, physBase }

// Read32 reads a register.
func (m *Model) Read32(off uint32) uint32 {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok := m.regs[off]
	if !ok {
		m.mistake("read of unknown register %#x", off)
	}
	if off == usbcmd && v&atdtw != 0 && m.o.Trip > 0 {
		if m.reads++; m.reads%m.o.Trip == 0 {
			v &^= atdtw
			m.regs[off] = v
		}
	}
	return v
}

// Write32 writes a register.
func (m *Model) Write32(off, v uint32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	defer m.cond.Broadcast()
	old, ok := m.regs[off]
	if !ok {
		m.mistake("write of %#x to unknown register %#x", v, off)
		return
	}
	switch off {
	case usbcmd:
		if v&reset != 0 {
			if old&run != 0 {
				m.mistake("reset while it runs")
			}
			if primed := m.regs[endptstat]; primed != 0 {
				m.mistake("reset with endpoints primed: %#x", primed)
			}
			m.powerOn()
			return
		}
		if v&run != 0 && (m.regs[usbmode]&3 != 2 || m.regs[endptlistaddr] == 0) {
			m.mistake("run with USBMODE %#x and ENDPTLISTADDR %#x", m.regs[usbmode], m.regs[endptlistaddr])
		}
		if v&run != 0 && m.regs[usbmode]&(slom|sdis) != slom|sdis {
			m.mistake("run with USBMODE %#x: no tripwire for setup packets, or streaming (ERR007881)", m.regs[usbmode])
		}
		m.regs[off] = v
		if v&sutw != 0 && old&sutw == 0 && m.second != nil {
			packet := m.second
			m.second = nil
			m.putSetup(packet)
		}
	case usbsts, endptsetupstat, endptcomplete:
		m.regs[off] &^= v
		if off == endptsetupstat && old&v&1 != 0 {
			m.deaf = true
		}
	case endptflush:
		if v == ^uint32(0) && m.regs[usbcmd]&run != 0 {
			m.resets++
		}
		m.regs[endptstat] &^= v
		m.regs[endptprime] &^= v
	case endptprime:
		for bit := range 32 {
			if v>>bit&1 != 0 {
				m.prime(bit)
			}
		}
	case endptstat:
		m.mistake("write of %#x to ENDPTSTAT, which is read-only", v)
	case endptlistaddr:
		if v%2048 != 0 || v < physBase || v-physBase+1024 > uint32(len(m.mem)) {
			m.mistake("ENDPTLISTADDR is %#x", v)
			return
		}
		m.regs[off] = v
	case deviceaddr:
		if v&(1<<24) != 0 {
			m.pending = v>>25 | 1<<31
		} else {
			m.regs[off] = v
		}
	case usbmode:
		if old&3 != 0 && old&3 != v&3 {
			m.mistake("USBMODE changes its mode from %#x to %#x without a reset", old, v)
		}
		m.regs[off] = v
	default:
		if n := (off - endptctrl) / 4; off >= endptctrl && n < 8 {
			for half, bit := range []int{int(n), 16 + int(n)} {
				if h := v >> (16 * half); h&toggleBit != 0 {
					m.engines[bit].toggle = false
				}
				if n > 0 && v&(enableBit<<16|enableBit) != 0 && v>>(16*half)&0xc == 0 {
					m.mistake("ENDPTCTRL%d is %#x: a half says that it is of type control", n, v)
				}
			}
			v &^= toggleBit | toggleBit<<16
			if stalls := uint32(stallBit | stallBit<<16); n == 0 && v&stalls != 0 {
				// Stalls are taken back until the setup packet is acknowledged, and a
				// moment longer: here, until one was.
				if m.deaf || m.regs[endptsetupstat]&1 != 0 {
					v &^= stalls
				}
				m.deaf = false
			}
		}
		m.regs[off] = v
	}
}

// UnmaskWait waits for the interrupt.
func (m *Model) UnmaskWait() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for {
		switch {
		case m.closed:
			return os.ErrClosed
		case m.woken:
			m.woken = false
			return nil
		case m.regs[usbsts]&m.regs[usbintr] != 0:
			return nil
		}
		m.cond.Wait()
	}
}

// Wake makes a wait end.
func (m *Model) Wake() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.woken = true
	m.cond.Broadcast()
}

// Close ends all waits.
func (m *Model) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	m.cond.Broadcast()
	return nil
}

func (m *Model) raise(events uint32) {
	m.regs[usbsts] |= events
	m.cond.Broadcast()
}

// word is a word of a queue head or descriptor in DMA memory.
func (m *Model) word(off uint32) *uint32 { return (*uint32)(unsafe.Pointer(&m.mem[off])) }

func (m *Model) get(off uint32) uint32 { return atomic.LoadUint32(m.word(off)) }

func (m *Model) head(bit int) uint32 {
	i := uint32(2 * (bit & 15))
	if bit >= 16 {
		i++
	}
	return m.regs[endptlistaddr] - physBase + 64*i
}

// prime loads the descriptor that a queue head names.
func (m *Model) prime(bit int) {
	n, half := bit&15, bit/16
	switch {
	case m.regs[usbcmd]&run == 0:
		m.mistake("prime of %d while stopped", bit)
		return
	case m.regs[endptctrl+4*uint32(n)]>>(16*half)&enableBit == 0:
		m.mistake("prime of %d, which is not enabled", bit)
		return
	case m.regs[endptstat]>>bit&1 != 0:
		m.mistake("prime of %d, which is primed", bit)
		return
	case n == 0 && m.regs[endptsetupstat]&1 != 0:
		return // a setup packet is to be dealt with first: the prime fails
	}
	h := m.head(bit)
	if info := m.get(h); info>>16&0x7ff == 0 || info&(1<<29) == 0 {
		m.mistake("the queue head of %d has %#x", bit, info)
	}
	if t := m.get(h + 12); t&(active|halted) != 0 {
		m.mistake("prime of %d with token %#x in its queue head", bit, t)
	}
	next := m.get(h + 8)
	if m.load(bit, next) {
		m.regs[endptstat] |= 1 << bit
	}
}

// load takes a descriptor over.
func (m *Model) load(bit int, phys uint32) bool {
	if phys%32 != 0 || phys < physBase || phys-physBase+32 > uint32(len(m.mem)) {
		m.mistake("%d: dTD at %#x", bit, phys)
		return false
	}
	e := &m.engines[bit]
	e.at = phys - physBase
	for i := range e.words {
		if i > 0 {
			e.words[i] = m.get(e.at + 4*uint32(i))
		}
	}
	token := e.words[1]
	if token&active == 0 {
		m.mistake("%d: dTD at %#x is not active: %#x", bit, phys, token)
		return false
	}
	e.left, e.moved = int(token>>16&0x7fff), 0
	if e.left > 16<<10 {
		m.mistake("%d: dTD of %d bytes", bit, e.left)
	}
	return true
}

// span is memory of the descriptor's buffer.
func (m *Model) span(bit, n int) [][]byte {
	e := &m.engines[bit]
	var spans [][]byte
	for n > 0 {
		at := int(e.words[2]&0xfff) + e.moved
		page := e.words[2+at>>12] &^ 0xfff
		size := min(n, 4096-at&0xfff)
		off := page - physBase + uint32(at&0xfff)
		if page < physBase || int(off)+size > len(m.mem) {
			m.mistake("%d: buffer at %#x", bit, page)
			return spans
		}
		spans = append(spans, m.mem[off:][:size])
		e.moved += size
		n -= size
	}
	return spans
}

// retire gives the descriptor back and goes on to the next.
func (m *Model) retire(bit int, errors uint32) {
	e := &m.engines[bit]
	for i := 1; i < len(e.words); i++ {
		if got := m.get(e.at + 4*uint32(i)); got != e.words[i] {
			m.mistake("%d: word %d of a dTD was changed from %#x to %#x while it was the controller's", bit, i, e.words[i], got)
		}
	}
	next := m.get(e.at)
	atomic.StoreUint32(m.word(e.at+4), uint32(e.left)<<16|e.words[1]&ioc|errors)
	m.regs[usbcmd] &^= atdtw
	if e.words[1]&ioc != 0 || errors != 0 {
		m.regs[endptcomplete] |= 1 << bit
		m.raise(ui)
	}
	if errors != 0 {
		m.raise(uei)
	}
	if errors != 0 || next&1 != 0 || !m.load(bit, next) {
		m.regs[endptstat] &^= 1 << bit
	}
	m.cond.Broadcast()
}
