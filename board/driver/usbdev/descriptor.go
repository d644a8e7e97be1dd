package usbdev

import "fmt"

// Descriptor types: USB 2.0, table 9-5.
const (
	DescDevice        = 1
	DescConfiguration = 2
	DescString        = 3
	DescInterface     = 4
	DescEndpoint      = 5
	DescQualifier     = 6
	DescOtherSpeed    = 7
)

// An endpoint of an interface's alternate setting.
type endpoint struct {
	iface, alt byte
	address    byte
	kind       byte // 2 bulk, 3 interrupt
	max        uint16
}

// A configuration is what the driver has to know of a configuration descriptor.
type configuration struct {
	value     byte
	alts      []byte // by interface: the number of alternate settings
	endpoints []endpoint
}

// parse reads a configuration descriptor with all that belongs to it (USB 2.0, section
// 9.6.3). Interfaces and their settings are in the order of their numbers.
func parse(b []byte) (c configuration, err error) {
	if len(b) < 9 || b[0] != 9 || b[1] != DescConfiguration || int(b[2])|int(b[3])<<8 != len(b) || len(b) > controlSize {
		return c, fmt.Errorf("a configuration descriptor of %d bytes has a wrong head", len(b))
	}
	c.value = b[5]
	if c.value == 0 {
		return c, fmt.Errorf("a configuration has the value 0")
	}
	interfaces := int(b[4])
	for b = b[9:]; len(b) > 0; b = b[b[0]:] {
		if len(b) < 2 || b[0] < 2 || int(b[0]) > len(b) {
			return c, fmt.Errorf("a descriptor doesn't fit into its configuration")
		}
		n := len(c.alts)
		switch b[1] {
		case DescInterface:
			switch {
			case b[0] != 9:
				return c, fmt.Errorf("an interface descriptor has %d bytes", b[0])
			case b[3] == 0 && int(b[2]) == n:
				c.alts = append(c.alts, 1)
			case n > 0 && int(b[2]) == n-1 && b[3] == c.alts[n-1]:
				c.alts[n-1]++
			default:
				return c, fmt.Errorf("setting %d of interface %d is out of order", b[3], b[2])
			}
		case DescEndpoint:
			if n == 0 || b[0] < 7 {
				return c, fmt.Errorf("an endpoint descriptor has %d bytes or no interface", b[0])
			}
			e := endpoint{iface: byte(n - 1), alt: c.alts[n-1] - 1, address: b[2], kind: b[3] & 3, max: uint16(b[4]) | uint16(b[5])<<8}
			if e.address&15 == 0 || e.address&15 >= endpoints || e.kind < 2 || e.max == 0 || BufferSize%e.max != 0 {
				return c, fmt.Errorf("endpoint %#x of type %d with packets of %d bytes is none that the controller can have", e.address, e.kind, e.max)
			}
			c.endpoints = append(c.endpoints, e)
		}
	}
	if len(c.alts) != interfaces {
		return c, fmt.Errorf("%d interfaces where the configuration says %d", len(c.alts), interfaces)
	}
	return c, nil
}

// text is a string descriptor: USB 2.0, section 9.6.7. s is plain ASCII.
func text(s string) []byte {
	b := []byte{byte(2 + 2*len(s)), DescString}
	for i := range len(s) {
		b = append(b, s[i], 0)
	}
	return b
}

// qualifier tells what the device would be at the other speed: section 9.6.2.
func qualifier(device []byte) []byte {
	return []byte{10, DescQualifier, device[2], device[3], device[4], device[5], device[6], device[7], 1, 0}
}
