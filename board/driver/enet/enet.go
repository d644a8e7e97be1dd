package enet

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"ingot.dev/board/nic"
	"ingot.dev/board/uio"
)

// Hardware is what the driver needs of a controller. [*uio.Device] is one; so
// is the model that tests use.
type Hardware interface {
	// Read32 and Write32 access the register at a byte offset. Stores made
	// before Write32 are visible to the controller when it gets the write;
	// loads after Read32 see what was there when it answered.
	Read32(off uint32) uint32
	Write32(off uint32, v uint32)

	// DMA returns memory that driver and controller share, and the address the
	// controller sees it at.
	DMA() (mem []byte, phys uint32)

	// UnmaskWait lets the interrupt through and waits for it; it is masked
	// again afterwards. Wake makes it return without one. One goroutine waits
	// at a time.
	UnmaskWait() error
	Wake()

	// Close ends waiting. Registers and memory stay accessible.
	Close() error
}

var _ Hardware = (*uio.Device)(nil)

// Options of a driver. The zero value is right for most boards.
type Options struct {
	// HardwareAddr is the port's address. When nil, it is the one that the
	// boot loader (or the emulator) left in the controller.
	HardwareAddr net.HardwareAddr

	// FindAddr is asked for the address when HardwareAddr is nil and nobody left one
	// in the controller. When it is nil, too, there is none.
	FindAddr func() (net.HardwareAddr, error)

	// PHYAddresses are the MDIO addresses to look for the PHY at, in order;
	// the first that answers is taken. When nil, all of them, upwards.
	PHYAddresses []uint8

	// FixedLink is the state of a link without a PHY to ask, for example to a
	// switch chip. When nil, there is a PHY.
	FixedLink *nic.LinkState

	// Clock is the frequency in Hz of the controller's register clock, which
	// the MDIO clock is derived from; 66 MHz when zero.
	Clock uint32

	// LinkInterval is how often the PHY is asked for the state of the link;
	// one second when zero.
	LinkInterval time.Duration

	// RxRing and TxRing are the lengths of the rings in frames, powers of two
	// from 8. When zero, they are chosen by the size of the DMA memory, up to
	// 256 and 64; 512 KiB give 128 and 64.
	RxRing, TxRing int

	// Log is told about the PHY, the link and errors; slog.Default() when nil.
	Log *slog.Logger
}

// ErrNoAddress says that the controller has no hardware address: nobody put one
// into it, and none is fused. Options.HardwareAddr gives it one.
var ErrNoAddress = errors.New("no hardware address")

// Driver drives one controller. It implements [nic.Device].
type Driver struct {
	hw   Hardware
	log  *slog.Logger
	addr net.HardwareAddr

	closed atomic.Bool
	done   chan struct{} // closed by Close

	rx   rxRing
	tx   txRing
	wait waits
	mdio mdio
	link link

	// mode is what the controller is set up for. linkMonitor's.
	mode nic.LinkState

	errs errorCounts
}

var (
	_ nic.Device = (*Driver)(nil)
	_ nic.Peeker = (*Driver)(nil)
)

// Open opens the UIO device of the given name, for example "enet1", and starts
// its controller.
func Open(name string, o Options) (*Driver, error) {
	hw, err := uio.Open(name)
	if err != nil {
		return nil, fmt.Errorf("enet: %w", err)
	}
	d, err := New(hw, o)
	if err != nil {
		hw.Close()
		return nil, err
	}
	return d, nil
}

// New starts a controller. The driver closes hw when it is closed; when New
// fails, hw is the caller's.
func New(hw Hardware, o Options) (*Driver, error) {
	d, err := start(hw, o)
	if err != nil {
		return nil, fmt.Errorf("enet: %w", err)
	}
	return d, nil
}

func start(hw Hardware, o Options) (*Driver, error) {
	mem, phys := hw.DMA()
	if err := checkMemory(mem, phys); err != nil {
		return nil, err
	}
	l, err := chooseLayout(len(mem), o)
	if err != nil {
		return nil, err
	}
	addr, err := hardwareAddr(hw, o)
	if err != nil {
		return nil, err
	}
	d := &Driver{hw: hw, log: o.Log, addr: addr, done: make(chan struct{})}
	if d.log == nil {
		d.log = slog.Default()
	}
	d.rx.init(mem, phys, l)
	d.tx.init(mem, phys, l)
	d.wait.init()
	if err := d.reset(o.Clock); err != nil {
		return nil, err
	}
	if err := d.link.init(d, o); err != nil {
		hw.Write32(ecr, ecrRESET)
		return nil, err
	}
	d.mode = nic.LinkState{Speed: 100, FullDuplex: true}
	if s := d.link.State(); s.Up {
		d.mode = s
	}
	d.configure()
	d.link.running.Go(d.linkMonitor)
	return d, nil
}

// hardwareAddr finds the port's address.
func hardwareAddr(hw Hardware, o Options) (net.HardwareAddr, error) {
	addr := slices.Clone(o.HardwareAddr)
	if addr == nil {
		lo, hi := hw.Read32(palr), hw.Read32(paur)
		addr = net.HardwareAddr{byte(lo >> 24), byte(lo >> 16), byte(lo >> 8), byte(lo), byte(hi >> 24), byte(hi >> 16)}
		if bytes.Equal(addr, make([]byte, 6)) {
			if o.FindAddr == nil {
				return nil, ErrNoAddress
			}
			found, err := o.FindAddr()
			if err != nil {
				return nil, fmt.Errorf("%w: %w", ErrNoAddress, err)
			}
			addr = slices.Clone(found)
		}
	}
	if len(addr) != 6 || addr[0]&1 != 0 || bytes.Equal(addr, make([]byte, 6)) {
		return nil, fmt.Errorf("%v is not the address of one Ethernet port", addr)
	}
	return addr, nil
}

// HardwareAddr implements [nic.Device].
func (d *Driver) HardwareAddr() net.HardwareAddr { return slices.Clone(d.addr) }

// MTU implements [nic.Device].
func (d *Driver) MTU() int { return nic.MTU }

// Offloads implements [nic.Device].
//
// What the controller doesn't insert, CommitTx does: see insertions. QEMU
// doesn't look at the checksums of received frames: its wire doesn't corrupt
// them.
func (d *Driver) Offloads() nic.Offloads {
	return nic.Offloads{TxChecksum: true, RxChecksum: true}
}

// Close implements [nic.Device].
func (d *Driver) Close() error {
	if d.closed.Swap(true) {
		return nil
	}
	close(d.done)
	d.link.running.Wait()
	d.rx.mu.Lock()
	d.tx.mu.Lock()
	d.hw.Write32(eimr, 0)
	d.hw.Write32(ecr, ecrEN1588|ecrDBSWP) // without ETHEREN: DMA stops
	d.tx.mu.Unlock()
	d.rx.mu.Unlock()
	return d.hw.Close()
}

// errorCounts are counted by linkMonitor and by the transfer of MDIO frames.
type errorCounts struct {
	mu sync.Mutex
	Errors
}

// Errors counts what the controller complained about.
type Errors struct {
	Bus      uint64 // DMA met a bus error, and was restarted
	Transmit uint64 // seconds with collisions, underruns or frames too long
	Receive  uint64 // seconds with frames too long
	MDIO     uint64 // the PHY, or the controller's MDIO unit, didn't answer
	Stalls   uint64 // transmission had to be started again
	Restarts uint64 // of the controller, for a new speed or after a bus error
}

// Stats counts since the start.
type Stats struct {
	Rx struct {
		Frames, Bytes uint64 // given to NextRx's caller

		// Frames dropped, by reason. The controller drops most bad frames by
		// itself and doesn't say so.
		CRC, Overrun, Alignment, TooLong, Truncated, Length, Split uint64
	}
	Tx struct {
		Frames, Bytes uint64 // given to the controller
		Dropped       uint64 // not sent, because it was restarted meanwhile
	}
	Errors Errors
}

// Stats returns the counts so far.
func (d *Driver) Stats() Stats {
	var s Stats
	d.rx.mu.Lock()
	s.Rx = d.rx.stats.Rx
	d.rx.mu.Unlock()
	d.tx.mu.Lock()
	s.Tx = d.tx.stats.Tx
	d.tx.mu.Unlock()
	d.errs.mu.Lock()
	s.Errors = d.errs.Errors
	d.errs.mu.Unlock()
	return s
}
