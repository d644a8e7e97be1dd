package ecm_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"ingot.dev/board/driver/ecm"
	"ingot.dev/board/driver/usbdev/usbmodel"
	"ingot.dev/board/nic"
	"ingot.dev/board/nic/nictest"
)

var (
	addrA = net.HardwareAddr{0x52, 0x54, 0, 0x12, 0x34, 0x56}
	addrB = net.HardwareAddr{0x52, 0x54, 0, 0x12, 0x34, 0x58}
	quiet = slog.New(slog.NewTextHandler(io.Discard, nil))
)

func open(t testing.TB, addr net.HardwareAddr, trip int) (*ecm.Device, *usbmodel.Model) {
	t.Helper()
	m := usbmodel.New(usbmodel.Options{Trip: trip, Report: func(s string) { t.Errorf("the model says: %s", s) }})
	d, err := ecm.New(m, ecm.Options{HardwareAddr: addr, Vendor: 0x1209, Product: 1, Manufacturer: "Ingot", Name: "test", Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d, m
}

// up does what a host does until the link is up.
func up(t testing.TB, d *ecm.Device, m *usbmodel.Model, high bool) (configuration []byte) {
	t.Helper()
	_, configuration, err := m.Enumerate(high)
	if err != nil {
		t.Fatal(err)
	}
	setting(t, d, m, 1)
	return configuration
}

// setting chooses one of the data interface, and waits for the driver to know.
func setting(t testing.TB, d *ecm.Device, m *usbmodel.Model, alt int) {
	t.Helper()
	if _, err := m.Control(usbmodel.Setup(1, 11, alt, 1, 0), nil); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the link", func() bool { return d.LinkState().Up == (alt == 1) })
}

func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not after a minute", what)
		}
	}
}

// carry brings what one device sends to another, as a host with a bridge would.
func carry(from, to *usbmodel.Model, packet int) {
	for {
		frame, err := from.In(1, packet)
		if err != nil {
			return
		}
		if to.Out(1, packet, frame) != nil {
			return
		}
	}
}

func TestCompliance(t *testing.T) {
	for name, c := range map[string]struct {
		high bool
		trip int
	}{"high speed": {true, 0}, "full speed": {false, 0}, "tripwires": {true, 3}} {
		t.Run(name, func(t *testing.T) {
			nictest.Run(t, func(t *testing.T) (a, b nic.Device) {
				da, ma := open(t, addrA, c.trip)
				db, mb := open(t, addrB, c.trip)
				up(t, da, ma, c.high)
				up(t, db, mb, c.high)
				packet := 64
				if c.high {
					packet = 512
				}
				go carry(ma, mb, packet)
				go carry(mb, ma, packet)
				return da, db
			})
		})
	}
}

// TestDescriptors reads them as a host does that knows the class.
func TestDescriptors(t *testing.T) {
	for _, high := range []bool{true, false} {
		d, m := open(t, addrA, 0)
		b := up(t, d, m, high)
		all, err := usbmodel.Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		bulk, interval := 64, byte(32)
		if high {
			bulk, interval = 512, 9
		}
		var alts [][2]byte
		var ends []byte
		var union, header bool
		for _, e := range all {
			switch e[1] {
			case 4:
				alts = append(alts, [2]byte{e[2], e[3]})
				if e[2] == 0 && (e[5] != 2 || e[6] != 6) || e[2] == 1 && e[5] != 10 {
					t.Errorf("interface %d is of class %x", e[2], e[5:8])
				}
			case 5:
				ends = append(ends, e[2])
				size := int(binary.LittleEndian.Uint16(e[4:]))
				if e[3] == 2 && size != bulk || e[3] == 3 && (e[6] != interval || size > 64) {
					t.Errorf("endpoint %x", []byte(e))
				}
			case 0x24:
				switch e[2] {
				case 0:
					header = len(e) == 5 && binary.LittleEndian.Uint16(e[3:]) == 0x120
				case 6:
					union = bytes.Equal(e, []byte{5, 0x24, 6, 0, 1})
				case 15:
					if len(e) != 13 || binary.LittleEndian.Uint16(e[8:]) != 1514 {
						t.Errorf("Ethernet descriptor %x", []byte(e))
					}
					s, err := m.Control(usbmodel.Setup(0x80, 6, 3<<8|int(e[3]), 0x409, 255), nil)
					if err != nil || len(s) != 26 || s[0] != 26 || s[1] != 3 {
						t.Fatalf("iMACAddress %x: %v", s, err)
					}
					var digits []byte
					for i := 2; i < len(s); i += 2 {
						digits = append(digits, s[i])
					}
					if string(digits) != "525400123457" {
						t.Errorf("the host's address is %s", digits)
					}
				}
			}
		}
		if !union || !header || len(alts) != 3 || alts != nil && alts[2] != [2]byte{1, 1} || !bytes.Equal(ends, []byte{0x82, 0x81, 0x01}) {
			t.Errorf("union %v, header %v, settings %v, endpoints %x", union, header, alts, ends)
		}
	}
}

// TestNotifications: the host hears of the link each time that it chooses the setting.
func TestNotifications(t *testing.T) {
	d, m := open(t, addrA, 0)
	if _, _, err := m.Enumerate(true); err != nil {
		t.Fatal(err)
	}
	expect := func(want ...byte) {
		t.Helper()
		got, err := m.In(2, 64)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("notification %x, %v; want %x", got, err, want)
		}
	}
	expect(0xa1, 0, 0, 0, 0, 0, 0, 0)
	for range 5 {
		setting(t, d, m, 1)
		expect(0xa1, 0, 1, 0, 0, 0, 0, 0)
		// 480,000,000 is 0x1c9c3800.
		expect(0xa1, 0x2a, 0, 0, 0, 0, 8, 0, 0, 0x38, 0x9c, 0x1c, 0, 0x38, 0x9c, 0x1c)
		setting(t, d, m, 0)
		expect(0xa1, 0, 0, 0, 0, 0, 0, 0)
	}
}

// send sends a frame to an address.
func send(t *testing.T, d *ecm.Device, to string, number byte) {
	t.Helper()
	slot := d.TxSlot()
	if slot == nil {
		t.Fatal("no slot")
	}
	dst, err := net.ParseMAC(to)
	if err != nil {
		t.Fatal(err)
	}
	clear(slot[:60])
	copy(slot, dst)
	slot[14] = number
	d.CommitTx(60)
	d.FlushTx()
}

func TestPacketFilter(t *testing.T) {
	const host, all, group = "52:54:00:12:34:57", "ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:fb"
	d, m := open(t, addrA, 0)
	up(t, d, m, true)
	for _, c := range []struct {
		filter int
		want   []string
	}{
		{0x0c, []string{host, all}}, {0x04, []string{host}}, {0x08, []string{all}},
		{0x02, []string{group}}, {0x10, []string{group}}, {0x01, []string{host, all, group}}, {0x1f, []string{host, all, group}},
	} {
		if _, err := m.Control(usbmodel.Setup(0x21, 0x43, c.filter, 0, 0), nil); err != nil {
			t.Fatal(err)
		}
		for _, to := range []string{host, all, group} {
			send(t, d, to, byte(c.filter))
		}
		for _, want := range c.want {
			got, err := m.In(1, 512)
			if err != nil {
				t.Fatal(err)
			}
			if net.HardwareAddr(got[:6]).String() != want || got[14] != byte(c.filter) {
				t.Fatalf("filter %#x: %x, want one to %s", c.filter, got, want)
			}
		}
	}
	// What isn't ECM's, isn't announced, or has bits that don't exist.
	for _, s := range [][]byte{
		usbmodel.Setup(0x21, 0x43, 0x20, 0, 0), usbmodel.Setup(0x21, 0x43, 1, 1, 0), usbmodel.Setup(0x21, 0x43, 1, 0, 2),
		usbmodel.Setup(0x21, 0x40, 1, 0, 6), usbmodel.Setup(0xa1, 0x44, 1, 0, 4), usbmodel.Setup(0xa1, 0x43, 1, 0, 0), usbmodel.Setup(0x40, 1, 0, 0, 0),
	} {
		data := make([]byte, s[6])
		if s[0]&0x80 != 0 {
			data = nil
		}
		if _, err := m.Control(s, data); !errors.Is(err, usbmodel.ErrStall) {
			t.Errorf("% x: %v, want a stall", s, err)
		}
	}
}

// TestBadFrames: transfers that are no frames are dropped, between good ones, and when
// nobody releases anything.
func TestBadFrames(t *testing.T) {
	d, m := open(t, addrA, 0)
	up(t, d, m, true)
	good := func(n byte) []byte { return append(bytes.Repeat([]byte{n}, 99), 1) }
	bad := uint64(0)
	for i, size := range []int{0, 1, 13, 1519, 2047, 2048, 2049, 4096, 5000} {
		for range 40 {
			if err := m.Out(1, 512, make([]byte, size)); err != nil {
				t.Fatal(err)
			}
			bad += uint64(size/2048 + 1)
			if err := m.Out(1, 512, good(byte(i))); err != nil {
				t.Fatal(err)
			}
			if err := d.WaitRx(); err != nil {
				t.Fatal(err)
			}
			var got []byte
			eventually(t, "a frame", func() (ok bool) { got, ok = d.NextRx(); return ok })
			if !bytes.Equal(got, good(byte(i))) {
				t.Fatalf("behind one of %d bytes: %x", size, got)
			}
			d.ReleaseRx()
		}
	}
	if n := d.Stats().Bad; n != bad {
		t.Errorf("counted %d bad ones, want %d", n, bad)
	}
	// Alone.
	for range 200 {
		if err := m.Out(1, 512, nil); err != nil {
			t.Fatal(err)
		}
		if got, ok := d.NextRx(); ok {
			t.Fatalf("a frame: %x", got)
		}
	}
}

// TestErrors: a transfer that failed is lost, and nothing else.
func TestErrors(t *testing.T) {
	d, m := open(t, addrA, 0)
	up(t, d, m, true)
	for round := range byte(50) {
		if err := m.Fail(1); err != nil {
			t.Fatal(err)
		}
		if err := m.Out(1, 512, bytes.Repeat([]byte{round}, 100)); err != nil {
			t.Fatal(err)
		}
		var got []byte
		eventually(t, "a frame", func() (ok bool) { got, ok = d.NextRx(); return ok })
		if len(got) != 100 || got[0] != round {
			t.Fatalf("round %d: %x", round, got)
		}
		d.ReleaseRx()

		send(t, d, "52:54:00:12:34:57", 1)
		send(t, d, "52:54:00:12:34:57", 2)
		if err := m.Fail(16 + 1); err != nil {
			t.Fatal(err)
		}
		if got, err := m.In(1, 512); err != nil || got[14] != 2 {
			t.Fatalf("round %d: %x, %v", round, got, err)
		}
	}
}

// TestComingAndGoing: the host takes the device up and down in all ways that there are,
// with frames on the way, and it works afterwards each time. Frames that are held stay.
func TestComingAndGoing(t *testing.T) {
	d, m := open(t, addrA, 0)
	high := true
	packet := func() int {
		if high {
			return 512
		}
		return 64
	}
	up(t, d, m, high)
	number := byte(0)
	for round := range 30 {
		var held []byte
		number++
		first := number
		if err := m.Out(1, packet(), bytes.Repeat([]byte{number}, 300)); err != nil {
			t.Fatal(err)
		}
		eventually(t, "a frame", func() (ok bool) { held, ok = d.NextRx(); return ok })
		send(t, d, "ff:ff:ff:ff:ff:ff", 0xee) // never fetched
		switch round % 4 {
		case 0:
			setting(t, d, m, 0)
			setting(t, d, m, 1)
		case 1:
			high = !high
			if err := m.Reset(high); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the link", func() bool { return !d.LinkState().Up })
			up(t, d, m, high)
		case 2:
			if _, err := m.Control(usbmodel.Setup(0, 9, 0, 0, 0), nil); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the link", func() bool { return !d.LinkState().Up })
			for range 100 { // the ring doesn't fill up
				send(t, d, "ff:ff:ff:ff:ff:ff", 0xee)
			}
			up(t, d, m, high)
		case 3:
			m.Suspend()
			eventually(t, "suspension", func() bool { return !d.LinkState().Up })
			m.Resume()
			eventually(t, "the link", func() bool { return d.LinkState().Up })
			if got, err := m.In(1, packet()); err != nil || got[14] != 0xee {
				t.Fatalf("what was sent before: %x, %v", got, err)
			}
		}
		for range 70 { // once around the ring
			number++
			if err := m.Out(1, packet(), bytes.Repeat([]byte{number}, 300)); err != nil {
				t.Fatal(err)
			}
			var got []byte
			eventually(t, "a frame", func() (ok bool) { got, ok = d.NextRx(); return ok })
			if len(got) != 300 || got[0] != number {
				t.Fatalf("round %d: %x", round, got)
			}
			if number == first+1 && !bytes.Equal(held, bytes.Repeat([]byte{first}, 300)) {
				t.Fatalf("round %d: a held frame is now %x", round, held)
			}
			d.ReleaseRx()
		}
		send(t, d, "ff:ff:ff:ff:ff:ff", number)
		if got, err := m.In(1, packet()); err != nil || got[14] != number {
			t.Fatalf("round %d: %x, %v", round, got, err)
		}
		want := 12
		if high {
			want = 480
		}
		if s := d.LinkState(); s.Speed != want {
			t.Errorf("the link is %v", s)
		}
	}
}

func TestOptions(t *testing.T) {
	for _, c := range []struct {
		o    ecm.Options
		size int
		want string
	}{
		{ecm.Options{}, 0, "not the address"},
		{ecm.Options{HardwareAddr: net.HardwareAddr{1, 0, 0x5e, 0, 0, 1}}, 0, "not the address"},
		{ecm.Options{HardwareAddr: addrA, RxRing: 4}, 0, "rings of 4"},
		{ecm.Options{HardwareAddr: addrA, RxRing: 12}, 0, "power of two"},
		{ecm.Options{HardwareAddr: addrA}, 64 << 10, "too few"},
		{ecm.Options{HardwareAddr: addrA, Name: strings.Repeat("x", 127)}, 0, "longer than 126"},
	} {
		_, err := ecm.New(usbmodel.New(usbmodel.Options{DMASize: c.size}), c.o)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.o, err, c.want)
		}
	}
}
