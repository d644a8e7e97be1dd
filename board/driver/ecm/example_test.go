package ecm_test

import (
	"fmt"

	"ingot.dev/board/driver/ecm"
	"ingot.dev/board/driver/usbdev/usbmodel"
	"ingot.dev/board/nic"
)

// On a board, the controller comes from ecm.Open("usb1", ...). Here it is a model, with a
// host that plugs it in.
func ExampleNew() {
	hw := usbmodel.New(usbmodel.Options{})
	dev, err := ecm.New(hw, ecm.Options{HardwareAddr: addrA, Vendor: 0x1209, Product: 1, Log: quiet})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer dev.Close()
	link := make(chan nic.LinkState, 2)
	dev.OnLink(func(s nic.LinkState) { link <- s })
	fmt.Println(<-link)
	if _, _, err := hw.Enumerate(true); err != nil {
		fmt.Println(err)
	}
	if _, err := hw.Control(usbmodel.Setup(1, 11, 1, 1, 0), nil); err != nil {
		fmt.Println(err)
	}
	fmt.Println(<-link)
	// Output:
	// down
	// 480 Mbit/s full duplex
}
