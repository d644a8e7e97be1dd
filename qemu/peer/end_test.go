package peer

import (
	"net"
	"testing"

	"ingot.dev/board/nic"
	"ingot.dev/board/nic/nictest"
)

func TestDevice(t *testing.T) {
	nictest.Run(t, func(t *testing.T) (nic.Device, nic.Device) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		a, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		b, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		return newEnd(a, net.HardwareAddr{2, 0, 0, 0, 0, 1}), newEnd(b, net.HardwareAddr{2, 0, 0, 0, 0, 2})
	})
}
