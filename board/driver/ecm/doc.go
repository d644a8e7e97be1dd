// Package ecm is an Ethernet port over USB: the board is a USB device of the class CDC-ECM,
// and the host at the other end of the cable sees a network adapter. It offers the board's
// side as a [ingot.dev/board/nic.Device], whose only neighbour is the host.
//
// References: Universal Serial Bus Class Definitions for Communications Devices 1.2 (CDC);
// its Subclass Specification for Ethernet Control Model Devices 1.2 (ECM).
//
//	dev, err := ecm.Open("usb1", ecm.Options{HardwareAddr: addr, Vendor: v, Product: p})
//
// Linux (cdc_ether) and macOS know the class; Windows has no driver for it.
//
// A frame is a USB transfer: its end is a packet that is not full. Some hosts add a byte
// to frames that would end with a full packet, instead of sending an empty one; protocols
// above find their length in their own headers. There are no checksums to offload: USB has
// its own.
//
// The link is up while the host has chosen the data interface's setting 1, and does not
// sleep. What is sent while it has not is lost, as on any Ethernet.
package ecm
