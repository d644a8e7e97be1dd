package enet_test

import (
	"fmt"

	"ingot.dev/board/driver/enet"
	"ingot.dev/board/driver/enet/enetmodel"
)

// On a board, the controller comes from enet.Open("enet1", enet.Options{}). Here
// it is a model, with a frame coming in.
func ExampleNew() {
	hw := enetmodel.New(enetmodel.Options{HardwareAddr: addrA})
	dev, err := enet.New(hw, enet.Options{Log: quiet})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer dev.Close()
	fmt.Println(dev.HardwareAddr(), dev.LinkState())

	hw.Inject([]byte("destinsourcet: hello"))
	if err := dev.WaitRx(); err != nil {
		fmt.Println(err)
		return
	}
	frame, _ := dev.NextRx()
	fmt.Printf("%s\n", frame[15:])
	dev.ReleaseRx()
	// Output:
	// 52:54:00:12:34:56 100 Mbit/s full duplex
	// hello
}
