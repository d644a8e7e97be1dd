package ecm

import (
	"encoding/hex"
	"net"
	"strings"

	"ingot.dev/board/driver/usbdev"
)

// Endpoint addresses and interfaces.
const (
	dataIn  = 0x81
	dataOut = 0x01
	notesIn = 0x82

	control = 0
	data    = 1
)

// Indices of strings.
const (
	manufacturer = 1 + iota
	product
	serial
	mac
)

func deviceDescriptor(o Options) []byte {
	return []byte{18, usbdev.DescDevice,
		0x00, 0x02, // USB 2.0
		2, 0, 0, // class: communications (CDC, "Communications Device Class Code")
		64, // packets of endpoint 0
		byte(o.Vendor), byte(o.Vendor >> 8), byte(o.Product), byte(o.Product >> 8),
		0x00, 0x01, // release 1.0
		manufacturer, product, serial,
		1, // configurations
	}
}

// configuration is the configuration descriptor of a speed. bulk is the packet size (USB
// 2.0, section 5.8.3), interval that of notifications, 32 ms, in the unit of the speed
// (table 9-13).
func configuration(bulk uint16, interval byte) []byte {
	b := []byte{9, usbdev.DescConfiguration, 0, 0, 2, 1, 0,
		0x80, 250, // bus-powered, 500 mA

		9, usbdev.DescInterface, control, 0, 1, 2, 6, 0, 0, // communications, ECM
		5, 0x24, 0x00, 0x20, 0x01, // CDC, "Header Functional Descriptor": 1.20
		5, 0x24, 0x06, control, data, // CDC, "Union Functional Descriptor"
		13, 0x24, 0x0f, mac, 0, 0, 0, 0, // ECM, "Ethernet Networking Functional Descriptor": no statistics
		maxFrame & 0xff, maxFrame >> 8, 0, 0, 0, // no multicast filters, no wake-up patterns
		7, usbdev.DescEndpoint, notesIn, 3, 64, 0, interval,

		9, usbdev.DescInterface, data, 0, 0, 10, 0, 0, 0, // setting 0: no network
		9, usbdev.DescInterface, data, 1, 2, 10, 0, 0, 0,
		7, usbdev.DescEndpoint, dataIn, 2, byte(bulk), byte(bulk >> 8), 0,
		7, usbdev.DescEndpoint, dataOut, 2, byte(bulk), byte(bulk >> 8), 0,
	}
	b[2] = byte(len(b))
	return b
}

// maxFrame is wMaxSegmentSize: a frame without a VLAN tag, as ECM has it.
const maxFrame = 1514

// macString is iMACAddress: twelve digits (ECM, "Ethernet Networking Functional Descriptor").
func macString(a net.HardwareAddr) string { return strings.ToUpper(hex.EncodeToString(a)) }

// hostAddr is the address that the host is given: the port's with its last bit turned, and
// marked as one that no manufacturer has given away.
func hostAddr(a net.HardwareAddr) net.HardwareAddr {
	return net.HardwareAddr{a[0] | 2, a[1], a[2], a[3], a[4], a[5] ^ 1}
}
