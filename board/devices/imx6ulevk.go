//go:build imx6ulevk || imx6ullevk

package devices

import (
	"ingot.dev/board/driver/enet"
	"ingot.dev/board/nic"
)

// Ethernet opens the board's Ethernet port: ENET1. Its PHY answers at address 2.
func Ethernet(o EthernetOptions) (nic.Device, error) {
	d, err := enet.Open("enet1", enet.Options{HardwareAddr: o.HardwareAddr, PHYAddresses: []uint8{2}, Log: o.Log})
	if err != nil {
		return nil, err
	}
	return d, nil
}
