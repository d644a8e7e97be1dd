//go:build usbarmory

package devices

import (
	"errors"
	"fmt"

	"ingot.dev/board/driver/enet"
	"ingot.dev/board/driver/gpio"
	"ingot.dev/board/nic"
	"ingot.dev/board/uio"
	"ingot.dev/board/usbarmory"
)

// Ethernet opens the port of the LAN model: ENET2. The other models have none; the error
// wraps ErrNoEthernet.
func Ethernet(o EthernetOptions) (nic.Device, error) {
	none := func(why string) error {
		return fmt.Errorf("%w: %s; it takes a USB armory Mk II LAN: there is no driver for Ethernet over USB yet", ErrNoEthernet, why)
	}
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
		return nil, none("its i.MX6ULZ has no Ethernet controller")
	}
	// The PHY, a DP83825I, is at address 0. The emulator has another one, at 1.
	d, err := ethernet(2, "enet2", []uint8{0, 1}, o)
	if errors.Is(err, enet.ErrNoPHY) {
		return nil, none(err.Error())
	}
	if err != nil {
		return nil, err
	}
	return d, nil
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
