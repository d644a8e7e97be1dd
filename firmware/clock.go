package firmware

import (
	"fmt"
	"log/slog"
	"sync"
	"time"

	"ingot.dev/board/devices"
)

// buildTime is set by the linker: -X ingot.dev/firmware.buildTime=SECONDS, the
// seconds since 1970 of the build or, for reproducible builds, of the source.
var buildTime string

// buildFloor is the earliest that it can be, or zero if nobody told the linker.
func buildFloor() time.Time {
	if sec := parseSeconds(buildTime); sec > 0 {
		return time.Unix(sec, 0)
	}
	return time.Time{}
}

func parseSeconds(s string) int64 {
	n := int64(0)
	for _, c := range []byte(s) {
		if c < '0' || c > '9' || n > 1<<40 {
			return 0
		}
		n = n*10 + int64(c-'0')
	}
	return n
}

// startClock moves the clock to the latest of what it says itself, which is the boot
// loader's time, the board's clock and floor, and says which it was.
func startClock(now, board, floor time.Time, set func(time.Time) error) (source string, err error) {
	source = "the board's clock"
	to := board
	if to.Before(floor) {
		to, source = floor, "the build: no better source yet"
	}
	if !now.Before(to) {
		return "the boot loader", nil
	}
	if err := set(to); err != nil {
		return "", fmt.Errorf("the clock says %v, before %s, and can't be set: %w", now.UTC().Format(time.RFC3339), to.UTC().Format(time.RFC3339), err)
	}
	return source, nil
}

// A boardClock keeps the board's clock, if it has a good one, at the system's time.
type boardClock struct {
	log *slog.Logger

	mu    sync.Mutex
	clock devices.Clock // nil without one
}

// open looks for the board's clock, and what it says; zero if that is nothing.
func (c *boardClock) open(open func() (devices.Clock, error)) time.Time {
	clock, err := open()
	if err != nil {
		c.log.Warn("the board's clock is not used", "err", err)
		return time.Time{}
	}
	c.clock = clock
	now, err := clock.Now()
	if err != nil {
		return time.Time{} // it is set when the time is known
	}
	return now
}

// set sets the system's time, and the board's clock with it.
func (c *boardClock) set(t time.Time) error {
	if err := setClock(t); err != nil {
		return err
	}
	c.keep(t)
	return nil
}

func (c *boardClock) keep(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.clock == nil {
		return
	}
	if err := c.clock.Set(t); err != nil {
		c.log.Info("the time will be lost with the power", "err", err)
		c.clock.Close()
		c.clock = nil
	}
}

func (c *boardClock) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.clock != nil {
		c.clock.Close()
		c.clock = nil
	}
}
