// Package devices opens the devices of the board that the program was built for,
// each with its driver, in the form that the rest of the program wants: an Ethernet
// port as a [ingot.dev/board/nic.Device], a watchdog.
//
// A hosted program has none: ErrHosted says so.
package devices

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"time"

	"ingot.dev/board/driver/wdog"
)

// ErrHosted says that the program runs on an operating system, which owns the
// devices.
var ErrHosted = errors.New("devices: no board: the program runs on an operating system")

// ErrNoEthernet says that this board has no Ethernet port.
var ErrNoEthernet = errors.New("devices: this board has no Ethernet port")

// ErrNoLight says that this board has no LED of a name that programs can switch.
var ErrNoLight = errors.New("devices: this board has no such LED")

// Lights are a board's LEDs.
type Lights interface {
	// Set switches one on or off; the error wraps ErrNoLight.
	Set(name string, on bool) error
	// Close leaves them as they are.
	Close() error
}

// EthernetOptions adjust an Ethernet port. The zero value is good.
type EthernetOptions struct {
	// HardwareAddr is the port's MAC address; nil for the one that the boot
	// loader, the emulator or the board's fuses have set.
	HardwareAddr net.HardwareAddr
	Log          *slog.Logger // nil for slog.Default()
}

// A Clock goes on without the processor, while it has power. See package snvs.
type Clock interface {
	Now() (time.Time, error) // an error where nobody has set it since it had power
	Set(time.Time) error
	Close() error
}

// A Watchdog resets the board unless it is serviced in time. See package wdog.
type Watchdog interface {
	// Start starts it, for good; timeout is 1 s to 128 s.
	Start(timeout time.Duration) error
	// Guard services it for as long as a health check passes, until ctx ends.
	Guard(ctx context.Context, o wdog.GuardOptions) error
	// ResetCause is why the board started.
	ResetCause() wdog.Cause
}
