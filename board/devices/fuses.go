//go:build imx6ulevk || imx6ullevk || usbarmory

package devices

import (
	"errors"
	"net"

	"ingot.dev/board/driver/enet"
	"ingot.dev/board/driver/ocotp"
	"ingot.dev/board/nic"
	"ingot.dev/board/uio"
)

// ethernet opens a controller (1 or 2). Its address, if neither the caller nor a boot
// loader has given it one, is the one in the processor's fuses.
func ethernet(controller int, name string, phys []uint8, o EthernetOptions) (nic.Device, error) {
	d, err := enet.Open(name, enet.Options{HardwareAddr: o.HardwareAddr, PHYAddresses: phys, Log: o.Log,
		FindAddr: func() (net.HardwareAddr, error) { return fusedAddr(controller) }})
	if err != nil {
		return nil, err
	}
	return d, nil
}

func fusedAddr(controller int) (net.HardwareAddr, error) {
	fuses, err := uio.Open("ocotp")
	if err != nil {
		return nil, err
	}
	addr, err := ocotp.HardwareAddr(fuses, controller)
	return addr, errors.Join(err, fuses.Close())
}
