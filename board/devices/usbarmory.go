//go:build usbarmory

package devices

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"net"

	"ingot.dev/board/driver/ecm"
	"ingot.dev/board/driver/enet"
	"ingot.dev/board/driver/gpio"
	"ingot.dev/board/driver/ocotp"
	"ingot.dev/board/nic"
	"ingot.dev/board/uio"
	"ingot.dev/board/usbarmory"
)

// Ethernet opens the port of the LAN model, ENET2. The other models have none: theirs is
// Ethernet over USB, and the error wraps ErrNoEthernet if that doesn't work either.
func Ethernet(o EthernetOptions) (nic.Device, error) {
	src, err := uio.Open("src")
	if err != nil {
		return nil, err
	}
	// An i.MX6ULZ has no controller to ask. IMX6ULZRM, chapter "System Reset
	// Controller (SRC)", SRC_SBMR2: bit 6 tells it from an i.MX6ULL.
	const sbmr2, ulz = 0x1c, 1 << 6
	isULZ := src.Read32(sbmr2)&ulz != 0
	if err := src.Close(); err != nil {
		return nil, err
	}
	if isULZ {
		return overUSB(o, "its i.MX6ULZ has no Ethernet controller")
	}
	// The PHY, a DP83825I, is at address 0. The emulator has another one, at 1.
	d, err := ethernet(2, "enet2", []uint8{0, 1}, o)
	if errors.Is(err, enet.ErrNoPHY) {
		return overUSB(o, err.Error())
	}
	if err != nil {
		return nil, err
	}
	return d, nil
}

// overUSB makes a network adapter of the board for the host that it is plugged into.
func overUSB(o EthernetOptions, why string) (nic.Device, error) {
	d, err := func() (nic.Device, error) {
		addr := o.HardwareAddr
		if addr == nil {
			var err error
			if addr, err = ownAddr(); err != nil {
				return nil, err
			}
		}
		// The ids that pid.codes, which has the vendor's, lists for the USB armory.
		d, err := ecm.Open("usb1", ecm.Options{HardwareAddr: addr, Vendor: 0x1209, Product: 0x2702,
			Manufacturer: "Ingot", Name: "USB armory Mk II", Log: o.Log})
		if err != nil {
			return nil, err
		}
		return d, nil
	}()
	if err != nil {
		return nil, fmt.Errorf("%w: %s; and Ethernet over USB: %w", ErrNoEthernet, why, err)
	}
	return d, nil
}

// ownAddr is the address in the fuses or, since models without Ethernet need not have been
// given one, an address made from the processor's number and marked as such.
func ownAddr() (net.HardwareAddr, error) {
	addr, err := fusedAddr(1)
	if !errors.Is(err, ocotp.ErrBlank) {
		return addr, err
	}
	fuses, err := uio.Open("ocotp")
	if err != nil {
		return nil, err
	}
	id, err := ocotp.UniqueID(fuses)
	if err := errors.Join(err, fuses.Close()); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(binary.LittleEndian.AppendUint64(nil, id))
	return append(net.HardwareAddr{2}, sum[:5]...), nil
}

// OpenLights opens the board's LEDs, "white" and "blue".
func OpenLights() (Lights, error) {
	bank, err := gpio.Open("gpio4")
	if err != nil {
		return nil, err
	}
	return lights{bank}, nil
}

type lights struct{ *gpio.Bank }

func (l lights) Set(name string, on bool) error {
	pin, ok := map[string]uint32{"white": usbarmory.White, "blue": usbarmory.Blue}[name]
	if !ok {
		return fmt.Errorf("%w: %q; there are white and blue", ErrNoLight, name)
	}
	l.Bank.Set(pin, !on) // they are between the supply and the pin
	return nil
}
