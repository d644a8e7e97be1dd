package snvs

import (
	"errors"
	"fmt"
	"time"

	"ingot.dev/board/uio"
)

// Errors of clocks.
var (
	// ErrNotSet says that the clock does not run: nobody has set it since it had power. It
	// is also what QEMU's board says, which has none.
	ErrNotSet = errors.New("the board's clock is not set")
	// ErrStuck says that it doesn't do what it is told to.
	ErrStuck = errors.New("the board's clock does not answer")
)

// Registers.
const (
	lpcr      = 0x38 // LP control
	lpcrRun   = 1 << 0
	lpsrtcmr  = 0x50 // SRTC, upper 15 bits
	lpsrtclr  = 0x54 // SRTC, lower 32
	perSecond = 32768

	// polls bounds how often a register is looked at: changes take a few periods of
	// 32 kHz.
	polls = 100_000
)

// Hardware is the block's registers: a [*uio.Device], or a model.
type Hardware interface {
	Read32(off uint32) uint32
	Write32(off uint32, v uint32)
	Close() error
}

// A Clock is the board's. Its methods may not be called concurrently.
type Clock struct{ hw Hardware }

// Open opens the UIO device of a name, such as "snvs".
func Open(name string) (*Clock, error) {
	hw, err := uio.Open(name)
	if err != nil {
		return nil, fmt.Errorf("snvs: %w", err)
	}
	return New(hw), nil
}

// New is the clock in hw, which it closes.
func New(hw Hardware) *Clock { return &Clock{hw} }

// Now returns the time. The error is ErrNotSet or ErrStuck.
func (c *Clock) Now() (time.Time, error) {
	if c.hw.Read32(lpcr)&lpcrRun == 0 {
		return time.Time{}, ErrNotSet
	}
	// The halves change one after the other: until two looks agree.
	last := c.count()
	for range polls {
		now := c.count()
		if now-last <= 1 {
			return time.Unix(int64(now/perSecond), int64(now%perSecond)*int64(time.Second)/perSecond), nil
		}
		last = now
	}
	return time.Time{}, ErrStuck
}

func (c *Clock) count() uint64 {
	const upper = 0x7fff
	return uint64(c.hw.Read32(lpsrtcmr)&upper)<<32 | uint64(c.hw.Read32(lpsrtclr))
}

// Set sets the time, which must be after 1970, and starts the clock. The error is
// ErrStuck.
func (c *Clock) Set(t time.Time) error {
	if t.Unix() < 0 {
		return fmt.Errorf("snvs: %v is before 1970", t)
	}
	if err := c.run(false); err != nil {
		return err
	}
	count := uint64(t.Unix())*perSecond + uint64(t.Nanosecond())*perSecond/uint64(time.Second)
	c.hw.Write32(lpsrtclr, uint32(count))
	c.hw.Write32(lpsrtcmr, uint32(count>>32))
	return c.run(true)
}

// run starts or stops the counter, which must stand to be written.
func (c *Clock) run(on bool) error {
	v := c.hw.Read32(lpcr) &^ lpcrRun
	if on {
		v |= lpcrRun
	}
	c.hw.Write32(lpcr, v)
	for range polls {
		if c.hw.Read32(lpcr)&lpcrRun == v&lpcrRun {
			return nil
		}
	}
	return ErrStuck
}

// Close gives the registers back. The clock goes on.
func (c *Clock) Close() error { return c.hw.Close() }
