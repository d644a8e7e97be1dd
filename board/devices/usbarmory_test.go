//go:build usbarmory

package devices

import (
	"errors"
	"net"
	"testing"

	"ingot.dev/board/driver/ocotp"
	"ingot.dev/board/usbarmory"
)

// TestLights runs on the board.
func TestLights(t *testing.T) {
	l, err := OpenLights()
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	bank := l.(lights).Bank
	shines := func() (white, blue bool) {
		pins, high := bank.Outputs()
		if pins&(usbarmory.White|usbarmory.Blue) != usbarmory.White|usbarmory.Blue {
			t.Errorf("outputs are %#x", pins)
		}
		return high&usbarmory.White == 0, high&usbarmory.Blue == 0
	}
	// The kernel has set them up.
	if white, blue := shines(); white || blue {
		t.Errorf("at first: white %v, blue %v", white, blue)
	}
	for _, c := range []struct {
		name        string
		on          bool
		white, blue bool
	}{{"white", true, true, false}, {"blue", true, true, true}, {"white", false, false, true}, {"blue", false, false, false}} {
		if err := l.Set(c.name, c.on); err != nil {
			t.Error(err)
		}
		if white, blue := shines(); white != c.white || blue != c.blue {
			t.Errorf("%s %v: white %v, blue %v", c.name, c.on, white, blue)
		}
	}
	if err := l.Set("green", true); !errors.Is(err, ErrNoLight) {
		t.Error(err)
	}
}

// TestEthernetOverUSB: the emulator's controller is a host's, and its fuses are blank; both
// are said, and that there is no Ethernet.
func TestEthernetOverUSB(t *testing.T) {
	if _, err := overUSB(EthernetOptions{}, "no PHY"); !errors.Is(err, ErrNoEthernet) || !errors.Is(err, ocotp.ErrBlank) {
		t.Error(err)
	}
	_, err := overUSB(EthernetOptions{HardwareAddr: net.HardwareAddr{2, 0, 0, 0, 0, 2}}, "no PHY")
	if !errors.Is(err, ErrNoEthernet) {
		t.Error(err)
	}
	t.Log(err)
}

// TestClock: the emulator's board has none, and that is no hurdle.
func TestClock(t *testing.T) {
	c, err := OpenClock()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if now, err := c.Now(); err == nil {
		t.Errorf("it says %v", now)
	}
}
