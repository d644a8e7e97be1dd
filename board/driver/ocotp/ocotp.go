package ocotp

import (
	"errors"
	"fmt"
	"net"
)

// ErrBlank says that nobody has programmed the fuses.
var ErrBlank = errors.New("the fuses are blank")

// Registers are those of the controller: a [ingot.dev/board/uio.Device], or a model.
type Registers interface {
	Read32(off uint32) uint32
}

// Shadow registers.
const (
	cfg0 = 0x410 // unique number, low
	cfg1 = 0x420 // unique number, high
	mac0 = 0x620 // bytes 2 to 5 of the first address
	mac1 = 0x630 // bytes 4 and 5 of the second address; bytes 0 and 1 of the first
	mac2 = 0x640 // bytes 0 to 3 of the second address
)

// UniqueID returns the processor's number, which no other one has. The error is ErrBlank
// where there is none, as in QEMU.
func UniqueID(r Registers) (uint64, error) {
	id := uint64(r.Read32(cfg1))<<32 | uint64(r.Read32(cfg0))
	if id == 0 {
		return 0, fmt.Errorf("ocotp: unique number: %w", ErrBlank)
	}
	return id, nil
}

// HardwareAddr returns the address of an Ethernet controller, 1 or 2. The error wraps
// ErrBlank where there is none or, on boards whose makers keep other things there, none of
// a single port.
func HardwareAddr(r Registers, controller int) (net.HardwareAddr, error) {
	v0, v1, v2 := r.Read32(mac0), r.Read32(mac1), r.Read32(mac2)
	addr := net.HardwareAddr{byte(v1 >> 8), byte(v1), byte(v0 >> 24), byte(v0 >> 16), byte(v0 >> 8), byte(v0)}
	if controller == 2 {
		addr = net.HardwareAddr{byte(v2 >> 24), byte(v2 >> 16), byte(v2 >> 8), byte(v2), byte(v1 >> 24), byte(v1 >> 16)}
	}
	// Who makes it is never 0, and a single port's is not a group's.
	if addr[0]|addr[1]|addr[2] == 0 || addr[0]&1 != 0 {
		return nil, fmt.Errorf("ocotp: address of Ethernet controller %d: %w", controller, ErrBlank)
	}
	return addr, nil
}
