//go:build imx6ulevk || imx6ullevk

package devices

import "ingot.dev/board/nic"

// Ethernet opens the board's Ethernet port: ENET1. Its PHY answers at address 2.
func Ethernet(o EthernetOptions) (nic.Device, error) {
	return ethernet(1, "enet1", []uint8{2}, o)
}

// OpenLights opens the board's LEDs: there is none that programs can switch.
func OpenLights() (Lights, error) { return nil, ErrNoLight }
