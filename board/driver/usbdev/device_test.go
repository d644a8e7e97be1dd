package usbdev_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	"ingot.dev/board/driver/usbdev"
	"ingot.dev/board/driver/usbdev/usbmodel"
)

// echo is a class with one request that takes data and one that gives them back.
type echo struct{ data []byte }

func (e *echo) Request(s usbdev.Setup, data []byte) ([]byte, bool) {
	switch {
	case s.Request == 1 && !s.In():
		e.data = data
		return nil, true
	case s.Request == 2 && s.In():
		return e.data, true
	}
	return nil, false
}

func (e *echo) Changed(usbdev.State) {}

var deviceDescriptor = []byte{18, 1, 0, 2, 0xff, 0, 0, 64, 0x09, 0x12, 1, 0, 0, 1, 1, 2, 0, 1}

// configuration has a pair of bulk endpoints.
func configuration(packet uint16) []byte {
	return []byte{9, 2, 32, 0, 1, 1, 0, 0x80, 50,
		9, 4, 0, 0, 2, 0xff, 0, 0, 0,
		7, 5, 0x81, 2, byte(packet), byte(packet >> 8), 0,
		7, 5, 0x01, 2, byte(packet), byte(packet >> 8), 0}
}

func config() usbdev.Config {
	return usbdev.Config{Device: deviceDescriptor, FullSpeed: configuration(64), HighSpeed: configuration(512),
		Strings: []string{"Ingot", strings.Repeat("x", 126)}, Function: &echo{},
		Pipes: []usbdev.PipeConfig{{Address: 0x81, Slots: 4}, {Address: 0x01, Slots: 4}}}
}

func open(t testing.TB) (*usbdev.Device, *usbmodel.Model) {
	t.Helper()
	m := usbmodel.New(usbmodel.Options{Report: func(s string) { t.Errorf("the model says: %s", s) }})
	d, err := usbdev.New(m, config())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	d.Start()
	if _, _, err := m.Enumerate(true); err != nil {
		t.Fatal(err)
	}
	return d, m
}

func TestEnumerate(t *testing.T) {
	for _, high := range []bool{true, false} {
		_, m := open(t)
		device, c, err := m.Enumerate(high)
		if err != nil || !bytes.Equal(device, deviceDescriptor) {
			t.Fatalf("%x, %v", device, err)
		}
		here, there := configuration(64), configuration(512)
		if high {
			here, there = there, here
		}
		if !bytes.Equal(c, here) {
			t.Errorf("high %v: %x", high, c)
		}
		there[1] = 7
		for _, want := range []struct {
			kind, index, language int
			b                     []byte
		}{
			{6, 0, 0, []byte{10, 6, 0, 2, 0xff, 0, 0, 64, 1, 0}},
			{7, 0, 0, there},
			{3, 0, 0, []byte{4, 3, 9, 4}},
			{3, 1, 0x409, []byte{12, 3, 'I', 0, 'n', 0, 'g', 0, 'o', 0, 't', 0}},
		} {
			got, err := m.Control(usbmodel.Setup(0x80, 6, want.kind<<8|want.index, want.language, 255), nil)
			if err != nil || !bytes.Equal(got, want.b) {
				t.Errorf("descriptor %d: %x, %v; want %x", want.kind, got, err, want.b)
			}
		}
		// 254 bytes, cut, and with full packets at the end.
		for _, n := range []int{1, 63, 64, 65, 128, 192, 254, 255, 512} {
			got, err := m.Control(usbmodel.Setup(0x80, 6, 3<<8|2, 0x409, n), nil)
			if err != nil || len(got) != min(n, 254) {
				t.Errorf("%d bytes of %d: %v", len(got), n, err)
			}
		}
	}
}

// TestRequests: those of chapter 9, right and wrong.
func TestRequests(t *testing.T) {
	_, m := open(t)
	const stall = "stall"
	for _, c := range []struct {
		setup []byte
		want  string // in hex, or stall
	}{
		{usbmodel.Setup(0x80, 8, 0, 0, 1), "01"},          // GET_CONFIGURATION
		{usbmodel.Setup(0x80, 0, 0, 0, 2), "0000"},        // GET_STATUS
		{usbmodel.Setup(0x81, 0, 0, 0, 2), "0000"},        // of the interface
		{usbmodel.Setup(0x81, 0, 0, 1, 2), stall},         // there is none
		{usbmodel.Setup(0x82, 0, 0, 0x81, 2), "0000"},     // of an endpoint
		{usbmodel.Setup(0x82, 0, 0, 0x82, 2), stall},      // there is none
		{usbmodel.Setup(0x02, 3, 0, 0x81, 0), ""},         // halt it
		{usbmodel.Setup(0x82, 0, 0, 0x81, 2), "0100"},     // it is
		{usbmodel.Setup(0x82, 0, 0, 0x01, 2), "0000"},     // the other isn't
		{usbmodel.Setup(0x02, 1, 0, 0x81, 0), ""},         // clear
		{usbmodel.Setup(0x82, 0, 0, 0x81, 2), "0000"},     //
		{usbmodel.Setup(0x02, 3, 0, 0x181, 0), stall},     //
		{usbmodel.Setup(0x02, 3, 1, 0x81, 0), stall},      // no such feature
		{usbmodel.Setup(0x00, 3, 1, 0, 0), stall},         // remote wake-up
		{usbmodel.Setup(0x00, 3, 2, 0x100, 0), stall},     // test mode
		{usbmodel.Setup(0x81, 10, 0, 0, 1), "00"},         // GET_INTERFACE
		{usbmodel.Setup(0x81, 10, 0, 7, 1), stall},        //
		{usbmodel.Setup(0x01, 11, 0, 0, 0), ""},           // SET_INTERFACE
		{usbmodel.Setup(0x01, 11, 1, 0, 0), stall},        // no such setting
		{usbmodel.Setup(0x01, 11, 0, 1, 0), stall},        // no such interface
		{usbmodel.Setup(0x01, 11, 256, 0, 0), stall},      //
		{usbmodel.Setup(0x00, 9, 2, 0, 0), stall},         // no such configuration
		{usbmodel.Setup(0x00, 9, 257, 0, 0), stall},       //
		{usbmodel.Setup(0x00, 5, 9, 0, 0), stall},         // SET_ADDRESS while configured
		{usbmodel.Setup(0x80, 6, 0x309, 0x409, 9), stall}, // no such string
		{usbmodel.Setup(0x80, 6, 0x301, 0x407, 9), stall}, // no such language
		{usbmodel.Setup(0x80, 6, 0x201, 0, 9), stall},     // no such configuration
		{usbmodel.Setup(0x80, 6, 0x500, 0, 9), stall},     // endpoint descriptors aren't for sale alone
		{usbmodel.Setup(0x82, 12, 0, 0x81, 2), stall},     // SYNCH_FRAME
		{usbmodel.Setup(0xc0, 1, 0, 0, 8), stall},         // a vendor's
		{usbmodel.Setup(0x00, 9, 0, 0, 0), ""},            // unconfigured
		{usbmodel.Setup(0x81, 0, 0, 0, 2), stall},         // there is no interface now
		{usbmodel.Setup(0x81, 10, 0, 0, 1), stall},        //
		{usbmodel.Setup(0x01, 11, 0, 0, 0), stall},        //
		{usbmodel.Setup(0x82, 0, 0, 0x81, 2), stall},      //
		{usbmodel.Setup(0x80, 8, 0, 0, 1), "00"},          //
		{usbmodel.Setup(0x00, 5, 200, 0, 0), stall},       // no address
	} {
		got, err := m.Control(c.setup, nil)
		answer := fmt.Sprintf("%x", got)
		if errors.Is(err, usbmodel.ErrStall) {
			answer = stall
		} else if err != nil {
			t.Fatalf("% x: %v", c.setup, err)
		}
		if answer != c.want {
			t.Errorf("% x: %s, want %s", c.setup, answer, c.want)
		}
	}
}

// TestControlData: class requests with data, of all sizes that there are and one more.
func TestControlData(t *testing.T) {
	_, m := open(t)
	for n := range 514 {
		data := bytes.Repeat([]byte{byte(n)}, n)
		_, err := m.Control(usbmodel.Setup(0x21, 1, 0, 0, n), data)
		if n > 512 {
			if !errors.Is(err, usbmodel.ErrStall) {
				t.Fatalf("%d bytes: %v, want a stall", n, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		got, err := m.Control(usbmodel.Setup(0xa1, 2, 0, 0, 512), nil)
		if err != nil || !bytes.Equal(got, data) {
			t.Fatalf("%d bytes: %x, %v", n, got, err)
		}
	}
}

// TestSetupTripwire: a request that comes while the driver reads another one, or while it
// answers it, counts alone.
func TestSetupTripwire(t *testing.T) {
	_, m := open(t)
	status := usbmodel.Setup(0x80, 8, 0, 0, 1)
	for range 50 {
		for _, first := range [][]byte{usbmodel.Setup(0x80, 6, 0x100, 0, 18), usbmodel.Setup(0, 9, 0, 0, 0), usbmodel.Setup(0x21, 1, 0, 0, 100)} {
			got, err := m.BreakOff(first, status, nil)
			if err != nil || !bytes.Equal(got, []byte{1}) {
				t.Fatalf("%x, %v", got, err)
			}
		}
		m.Begin(usbmodel.Setup(0x21, 1, 0, 0, 100))
		if got, err := m.Control(status, nil); err != nil || !bytes.Equal(got, []byte{1}) {
			t.Fatalf("%x, %v", got, err)
		}
	}
}

// TestHalt: a halted pipe stalls, and goes on in step when that is cleared.
func TestHalt(t *testing.T) {
	d, m := open(t)
	p := d.Pipe(0x81)
	for round := range uint32(10) {
		lengths := make([]int, p.Slots())
		lengths[round&3] = copy(p.Buffer(round), "hello")
		p.Send(round+1, lengths)
		if round%2 == 0 {
			if _, err := m.Control(usbmodel.Setup(2, 3, 0, 0x81, 0), nil); err != nil {
				t.Fatal(err)
			}
			if _, err := m.In(1, 512); !errors.Is(err, usbmodel.ErrStall) {
				t.Fatalf("%v, want a stall", err)
			}
			if _, err := m.Control(usbmodel.Setup(2, 1, 0, 0x81, 0), nil); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := m.In(1, 512); err != nil || string(got) != "hello" {
			t.Fatalf("%q, %v", got, err)
		}
	}
}

func TestClose(t *testing.T) {
	d, m := open(t)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	<-d.Done()
	if !errors.Is(d.Err(), net.ErrClosed) {
		t.Errorf("%v", d.Err())
	}
	if m.Read32(0x140)&1 != 0 {
		t.Error("it still runs")
	}
	d.Pipe(0x01).Receive(4)
	d.Pipe(0x81).Done()
}

// TestTakeOver: what a loader has left primed is taken away before the reset.
func TestTakeOver(t *testing.T) {
	d, m := open(t)
	d.Pipe(0x01).Receive(4)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if m.Read32(0x1b8) != 1<<1 {
		t.Fatalf("ENDPTSTAT is %#x: nothing to take over", m.Read32(0x1b8))
	}
	if _, err := usbdev.New(m, config()); err != nil {
		t.Fatal(err)
	}
	if m.Read32(0x1b8) != 0 {
		t.Errorf("ENDPTSTAT is %#x", m.Read32(0x1b8))
	}
}

func TestBadConfig(t *testing.T) {
	for _, c := range []struct {
		spoil func(*usbdev.Config)
		want  string
	}{
		{func(c *usbdev.Config) { c.Device = c.Device[:17] }, "device descriptor"},
		{func(c *usbdev.Config) { c.FullSpeed = c.FullSpeed[:31] }, "wrong head"},
		{func(c *usbdev.Config) { c.FullSpeed[4] = 2 }, "1 interfaces where"},
		{func(c *usbdev.Config) { c.FullSpeed[9] = 8 }, "8 bytes"},
		{func(c *usbdev.Config) { c.FullSpeed[9] = 0 }, "doesn't fit"},
		{func(c *usbdev.Config) { c.FullSpeed[25] = 200 }, "doesn't fit"},
		{func(c *usbdev.Config) { c.FullSpeed[12] = 3 }, "out of order"},
		{func(c *usbdev.Config) { c.FullSpeed[20] = 0x88 }, "endpoint 0x88"},
		{func(c *usbdev.Config) { c.FullSpeed[22] = 63 }, "63 bytes"},
		{func(c *usbdev.Config) { c.HighSpeed[5] = 2 }, "differ"},
		{func(c *usbdev.Config) { c.Pipes = c.Pipes[:1] }, "no pipe"},
		{func(c *usbdev.Config) { c.Pipes[0].Slots = 1 }, "power of two"},
		{func(c *usbdev.Config) { c.Pipes[0].Slots = 1 << 12 }, "too few"},
	} {
		x := config()
		c.spoil(&x)
		_, err := usbdev.New(usbmodel.New(usbmodel.Options{}), x)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}

// FuzzControl: whatever the host asks, it is answered or stalled, within what it asked
// for, and the device goes on.
func FuzzControl(f *testing.F) {
	f.Add([]byte{0x80, 6, 0, 1, 0, 0, 18, 0}, []byte(nil))
	f.Add([]byte{0x00, 9, 1, 0, 0, 0, 0, 0, 0x01, 11, 0, 0, 0, 0, 0, 0}, []byte(nil))
	f.Add([]byte{0x21, 1, 0, 0, 0, 0, 100, 0, 0xa1, 2, 0, 0, 0, 0, 100, 0}, bytes.Repeat([]byte{7}, 100))
	f.Add([]byte{0x02, 3, 0, 0, 0x81, 0, 0, 0, 0x82, 0, 0, 0, 0x81, 0, 2, 0}, []byte(nil))
	f.Fuzz(func(t *testing.T, setups, data []byte) {
		if len(setups) > 64 || len(data) > 1024 {
			return
		}
		d, m := open(t)
		for ; len(setups) >= 8; setups = setups[8:] {
			s := bytes.Clone(setups[:8])
			out := data
			if s[0]&0x80 == 0 { // a host sends what it announces
				s[6], s[7] = byte(len(data)), byte(len(data)>>8)
			} else {
				out = nil
			}
			if _, err := m.Control(s, out); err != nil && !errors.Is(err, usbmodel.ErrStall) {
				t.Fatalf("% x: %v", s, err)
			}
		}
		if got, err := m.Control(usbmodel.Setup(0x80, 0, 0, 0, 2), nil); err != nil || len(got) != 2 {
			t.Fatalf("afterwards: %x, %v", got, err)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

type nothing struct{}

func (nothing) Request(usbdev.Setup, []byte) ([]byte, bool) { return nil, false }
func (nothing) Changed(usbdev.State)                        {}

// A device without a class of its own: the host finds it and asks what it is.
func ExampleNew() {
	hw := usbmodel.New(usbmodel.Options{}) // on a board: usbdev.Open("usb1", ...)
	c := config()
	c.Function = nothing{}
	dev, err := usbdev.New(hw, c)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer dev.Close()
	dev.Start()
	device, _, err := hw.Enumerate(true)
	fmt.Printf("%x:%x %v\n", device[8:10], device[10:12], err)
	// Output: 0912:0100 <nil>
}
