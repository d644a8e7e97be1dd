//go:build !linux

package serial

import (
	"errors"
	"fmt"
	"os"
)

// Rates lists the rates in bits per second that Open takes.
func Rates() []int { return []int{115200} }

// ErrNoPort says that a file is no serial port.
var ErrNoPort = errors.New("not a serial port")

// Open is for Linux only.
func Open(name string, rate int) (*os.File, error) {
	return nil, fmt.Errorf("%s: serial ports are opened on Linux only; pipe the console into 'ingot monitor -': %w", name, errors.ErrUnsupported)
}
