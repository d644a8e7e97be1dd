package wdog

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"ingot.dev/board/uio"
)

// Registers: IMX6ULRM, WDOG memory map. They have 16 bits, and are to be
// accessed like that: a 32-bit access would hit two of them.
const (
	wcr      = 0x0    // control
	wcrWT    = 8      // shift: timeout, in half seconds less one
	wcrWDA   = 1 << 5 // 0 asserts the WDOG_B pin
	wcrSRS   = 1 << 4 // 0 resets at once
	wcrWDE   = 1 << 2 // enable; stays set
	wcrWDBG  = 1 << 1 // stand still while a debugger holds the processor
	wsr      = 0x2    // service
	wsrFirst = 0x5555
	wsrThen  = 0xaaaa
	wrsr     = 0x4    // why there was a reset
	wrsrPOR  = 1 << 4 // power came on
	wrsrTOUT = 1 << 1 // the watchdog ran out
	wrsrSFTW = 1 << 0 // the program wanted it
	wmcr     = 0x8    // power-down counter
	wmcrPDE  = 1 << 0 // enable; can only be cleared
)

// Step is the resolution of the timeout.
const Step = 500 * time.Millisecond

// The timeout is between these. The hardware also has half a second, which is
// shorter than a program should promise, and which QEMU takes for none.
const (
	MinTimeout = 2 * Step
	MaxTimeout = 256 * Step
)

// Registers is what the driver needs of the hardware; [*uio.Device] has it.
type Registers interface {
	Read16(off uint32) uint16
	Write16(off uint32, v uint16)
}

var _ Registers = (*uio.Device)(nil)

// ErrStarted says that a watchdog is started already: its timeout is fixed.
var ErrStarted = errors.New("watchdog is already started")

// ErrNotStarted says that there is nothing to guard with yet.
var ErrNotStarted = errors.New("watchdog is not started")

// Watchdog is one watchdog. Its methods may be called from anywhere.
type Watchdog struct {
	regs Registers

	mu      sync.Mutex
	timeout time.Duration // 0: not started
}

// Open opens the UIO device of the given name, for example "wdog1", and stops
// its power-down counter. The device stays open for good, as the watchdog runs
// for good.
func Open(name string) (*Watchdog, error) {
	dev, err := uio.Open(name)
	if err != nil {
		return nil, fmt.Errorf("wdog: %w", err)
	}
	return New(dev), nil
}

// New is Open for registers that somebody else found.
func New(regs Registers) *Watchdog {
	regs.Write16(wmcr, 0)
	return &Watchdog{regs: regs}
}

// Start starts the watchdog: from now on it wants service before timeout is
// over, each time. The timeout is rounded up to the next Step, and must be
// between MinTimeout and MaxTimeout. A watchdog starts once, the error is
// ErrStarted after that; one that the boot loader started is taken over.
func (w *Watchdog) Start(timeout time.Duration) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timeout != 0 {
		return fmt.Errorf("wdog: start: %w with %v", ErrStarted, w.timeout)
	}
	steps := (timeout + Step - 1) / Step
	if timeout < MinTimeout || steps > MaxTimeout/Step {
		return fmt.Errorf("wdog: start: timeout of %v is not between %v and %v", timeout, MinTimeout, MaxTimeout)
	}
	// One write does it all: the hardware locks some bits with the first one,
	// and QEMU forgets WDE with the second.
	w.regs.Write16(wcr, uint16(steps-1)<<wcrWT|wcrWDA|wcrSRS|wcrWDE|wcrWDBG)
	w.timeout = steps * Step
	w.service() // the timeout counts from now, also when it was running before
	return nil
}

// Timeout returns how long the watchdog waits for service; 0 before Start.
func (w *Watchdog) Timeout() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.timeout
}

// Service tells the watchdog that all is well: the timeout starts anew. Most
// programs leave that to Guard.
func (w *Watchdog) Service() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.service()
}

func (w *Watchdog) service() {
	w.regs.Write16(wsr, wsrFirst)
	w.regs.Write16(wsr, wsrThen)
}

// Cause is why the processor was reset the last time.
type Cause int

// The causes that a watchdog knows.
const (
	CauseOther    Cause = iota // not known, for example another watchdog
	CausePower                 // power came on
	CauseTimeout               // this watchdog ran out
	CauseSoftware              // a program reset through this watchdog
)

// String returns a form for logs.
func (c Cause) String() string {
	switch c {
	case CausePower:
		return "power-on"
	case CauseTimeout:
		return "watchdog timeout"
	case CauseSoftware:
		return "software"
	}
	return "unknown"
}

// ResetCause returns why the processor was reset the last time.
func (w *Watchdog) ResetCause() Cause {
	switch cause := w.regs.Read16(wrsr); {
	case cause&wrsrTOUT != 0:
		return CauseTimeout
	case cause&wrsrSFTW != 0:
		return CauseSoftware
	case cause&wrsrPOR != 0:
		return CausePower
	}
	return CauseOther
}
