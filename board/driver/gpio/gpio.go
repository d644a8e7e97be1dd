package gpio

import (
	"fmt"
	"sync"

	"ingot.dev/board/uio"
)

// Registers.
const (
	dr   = 0x00 // data: what outputs put out
	gdir = 0x04 // direction: 1 for outputs
)

// Hardware is a bank's registers: a [*uio.Device], or a model.
type Hardware interface {
	Read32(off uint32) uint32
	Write32(off uint32, v uint32)
	Close() error
}

// A Bank is 32 pins. Its methods may be called concurrently.
type Bank struct {
	mu sync.Mutex // the registers are read, changed and written
	hw Hardware
}

// Open opens the UIO device of a name, such as "gpio4".
func Open(name string) (*Bank, error) {
	hw, err := uio.Open(name)
	if err != nil {
		return nil, fmt.Errorf("gpio: %w", err)
	}
	return New(hw), nil
}

// New is the bank of hw, which it closes.
func New(hw Hardware) *Bank { return &Bank{hw: hw} }

// Set makes outputs of the pins whose bits are set, and puts out 1 at all of them or 0.
// Others stay as they are.
func (b *Bank) Set(pins uint32, high bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	v := b.hw.Read32(dr) &^ pins
	if high {
		v |= pins
	}
	b.hw.Write32(dr, v) // first, so that nothing else is put out meanwhile
	b.hw.Write32(gdir, b.hw.Read32(gdir)|pins)
}

// Outputs tells which pins are outputs, and what they put out.
func (b *Bank) Outputs() (pins, high uint32) {
	b.mu.Lock()
	defer b.mu.Unlock()
	pins = b.hw.Read32(gdir)
	return pins, b.hw.Read32(dr) & pins
}

// Close gives the registers back. Pins stay as they are.
func (b *Bank) Close() error { return b.hw.Close() }
