package enet_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"ingot.dev/board/driver/enet"
	"ingot.dev/board/driver/enet/enetmodel"
	"ingot.dev/board/nic"
)

var allModes = []nic.LinkState{
	{Up: true, Speed: 100, FullDuplex: true},
	{Up: true, Speed: 100},
	{Up: true, Speed: 10, FullDuplex: true},
	{Up: true, Speed: 10},
}

func TestLinkAtStart(t *testing.T) {
	for _, s := range append(allModes, nic.LinkState{}) {
		t.Run(s.String(), func(t *testing.T) {
			m := newModel(t, enetmodel.Options{})
			m.SetLink(s)
			d := open(t, m, enet.Options{})
			if got := d.LinkState(); got != s {
				t.Errorf("LinkState is %v, want %v", got, s)
			}
			if running, mode := m.Running(); !running || s.Up && mode != s {
				t.Errorf("running %v, set up for %v, want %v", running, mode, s)
			}
		})
	}
}

func TestLinkChanges(t *testing.T) {
	d, m := single(t, enetmodel.Options{})
	states := make(chan nic.LinkState, 64)
	d.OnLink(func(s nic.LinkState) { states <- s })
	want := []nic.LinkState{allModes[0]}
	if got := <-states; got != want[0] {
		t.Fatalf("at registration %v, want %v", got, want[0])
	}
	for round, s := range []nic.LinkState{
		{}, allModes[0], {}, allModes[1], allModes[2], {}, allModes[3], allModes[0],
	} {
		m.SetLink(s)
		if err := within(t, "OnLink", func() error {
			if got := <-states; got != s {
				t.Errorf("change %d: told %v, want %v", round, got, s)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if !s.Up {
			continue
		}
		if running, mode := m.Running(); !running || mode != s {
			t.Errorf("change %d: running %v, set up for %v, want %v", round, running, mode, s)
		}
		m.Inject(frame(200, uint32(round)))
		if err := d.WaitRx(); err != nil {
			t.Fatal(err)
		}
		expect(t, d, frame(200, uint32(round)))
	}
	if n := d.Stats().Errors.Restarts; n != 4 {
		t.Errorf("%d restarts, want one for each new mode: 4", n)
	}
}

// A restart in the middle of everything: what receiver and transmitter hold is
// theirs, before and after.
func TestRestartKeepsWhatIsHeld(t *testing.T) {
	m := newModel(t, enetmodel.Options{})
	d := open(t, m, enet.Options{LinkInterval: 2 * time.Millisecond})
	sent := make(chan []byte, 256)
	m.OnSend(func(f []byte) { sent <- f })
	for round := range uint32(40) {
		// The receiver holds some frames, others wait in the ring; the
		// transmitter has a slot in hand, others committed, others on the way.
		var held [][]byte
		hold := int(round*7%20) + 1
		for i := range uint32(hold) {
			m.Inject(frame(300, round*100+i))
			f, ok := d.NextRx()
			if !ok {
				t.Fatalf("round %d: no frame %d", round, i)
			}
			held = append(held, f)
		}
		for range round % 5 {
			m.Inject(frame(300, 9999))
		}
		m.Pause(true)
		for range round % 4 {
			d.CommitTx(copy(d.TxSlot(), frame(60, 5555)))
		}
		d.FlushTx()
		d.CommitTx(copy(d.TxSlot(), frame(60, round)))
		slot := d.TxSlot()
		copy(slot, frame(70, round))

		restarts := d.Stats().Errors.Restarts
		m.SetLink(allModes[(round+1)%4])
		eventually(t, "restart", func() bool { return d.Stats().Errors.Restarts > restarts })
		m.Pause(false)

		// Frames that come now don't land in buffers that are held.
		for i := range uint32(100) {
			m.Inject(frame(400, round*100+i))
		}
		for i, f := range held {
			if !bytes.Equal(f, frame(300, round*100+uint32(i))) {
				t.Fatalf("round %d: held frame %d changed", round, i)
			}
		}
		for i := uint32(0); i < 100; {
			f, ok := d.NextRx()
			if !ok {
				t.Fatalf("round %d: frame %d is missing after the restart", round, i)
			}
			if bytes.Equal(f, frame(300, 9999)) {
				continue // looked at before the restart
			}
			if !bytes.Equal(f, frame(400, round*100+i)) {
				t.Fatalf("round %d: frame %d is %x", round, i, f)
			}
			i++
		}
		d.ReleaseRx()

		d.CommitTx(70)
		d.FlushTx()
		for _, want := range [][]byte{frame(60, round), frame(70, round)} {
			if got := <-sent; !bytes.Equal(got, want) {
				t.Fatalf("round %d: sent %x, want %x", round, got, want)
			}
		}
	}
	if d.Stats().Tx.Dropped == 0 {
		t.Error("no frame was on the way at any restart: the test doesn't test that")
	}
}

// What a waiting transmitter waits for may vanish with a restart.
func TestRestartWakesTransmitter(t *testing.T) {
	d, m := single(t, enetmodel.Options{})
	m.OnSend(func([]byte) {})
	for round := range 10 {
		m.Pause(true)
		for slot := d.TxSlot(); slot != nil; slot = d.TxSlot() {
			d.CommitTx(copy(slot, frame(60, 1)))
		}
		woken := make(chan error, 1)
		go func() { woken <- d.WaitTx() }()
		time.Sleep(time.Millisecond)
		m.SetLink(allModes[(round+1)%4])
		if err := within(t, "WaitTx", func() error { return <-woken }); err != nil {
			t.Fatal(err)
		}
		m.Pause(false)
		if d.TxSlot() == nil {
			t.Fatal("no slot after WaitTx")
		}
	}
}

func TestPHYModels(t *testing.T) {
	for _, tt := range []struct {
		name    string
		id      uint32
		address uint8
		reg     int
		have    uint16
		want    uint16
	}{
		{"QEMU", 0x0007c0d1, 2, 0x1f, 0, 0},
		{"KSZ8081RNB", 0x00221561, 2, 0x1f, 0x8100, 0x8180},
		{"DP83825I", 0x2000a140, 0, 0x17, 0x0041, 0x00c1},
		{"another one", 0x12345678, 31, 0x1f, 0x0100, 0x0100},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newModel(t, enetmodel.Options{PHYID: tt.id, PHYAddress: tt.address})
			m.SetPHYRegister(tt.reg, tt.have)
			d := open(t, m, enet.Options{})
			if got := m.PHYRegister(tt.reg); got != tt.want {
				t.Errorf("register %#x is %#04x, want %#04x", tt.reg, got, tt.want)
			}
			if !d.LinkState().Up {
				t.Error("link is down")
			}
			if id, err := d.ReadPHY(tt.address, 3); err != nil || id != uint16(tt.id) {
				t.Errorf("ReadPHY: %#x, %v", id, err)
			}
			if v, err := d.ReadPHY((tt.address+1)%32, 3); err != nil || v != 0xffff {
				t.Errorf("ReadPHY where none is: %#x, %v", v, err)
			}
		})
	}
}

func TestNegotiationOff(t *testing.T) {
	for control, want := range map[uint16]nic.LinkState{
		0x2100: allModes[0], 0x2000: allModes[1], 0x0100: allModes[2], 0: allModes[3],
	} {
		m := newModel(t, enetmodel.Options{})
		m.SetPHYRegister(0, control)
		if got := open(t, m, enet.Options{}).LinkState(); got != want {
			t.Errorf("control %#04x: %v, want %v", control, got, want)
		}
	}
}

func TestNoPHY(t *testing.T) {
	m := newModel(t, enetmodel.Options{PHYAddress: 5})
	_, err := enet.New(m, enet.Options{PHYAddresses: []uint8{1, 2}, Log: quiet})
	if err == nil || !strings.Contains(err.Error(), "[1 2]") {
		t.Errorf("%v, want an error that says where was looked", err)
	}
	if running, _ := m.Running(); running {
		t.Error("the controller runs after an error")
	}

	fixed := nic.LinkState{Up: true, Speed: 10, FullDuplex: true}
	d := open(t, newModel(t, enetmodel.Options{PHYAddress: 5}), enet.Options{PHYAddresses: []uint8{1}, FixedLink: &fixed})
	if got := d.LinkState(); got != fixed {
		t.Errorf("LinkState is %v, want the fixed one", got)
	}
}

// dead is a controller whose MDIO unit, or reset, never finishes.
type dead struct {
	*enetmodel.Model
	reg, bits uint32
	stuck     uint32
}

func (h dead) Read32(off uint32) uint32 {
	v := h.Model.Read32(off)
	if off == h.reg {
		v = v&^h.bits | h.stuck
	}
	return v
}

func TestDeadHardware(t *testing.T) {
	_, err := enet.New(dead{newModel(t, enetmodel.Options{}), 0x004, 1 << 23, 0}, enet.Options{Log: quiet})
	if !errors.Is(err, enet.ErrMDIO) {
		t.Errorf("MDIO that doesn't answer: %v", err)
	}
	_, err = enet.New(dead{newModel(t, enetmodel.Options{}), 0x024, 1, 1}, enet.Options{Log: quiet})
	if err == nil || !strings.Contains(err.Error(), "reset") {
		t.Errorf("reset that doesn't end: %v", err)
	}
}

// Functions registered late, and from within one, are told.
func TestOnLinkFromWithin(t *testing.T) {
	d, _ := single(t, enetmodel.Options{})
	inner := make(chan nic.LinkState, 1)
	d.OnLink(func(nic.LinkState) {
		d.OnLink(func(s nic.LinkState) { inner <- s })
	})
	if err := within(t, "OnLink", func() error {
		if s := <-inner; !s.Up {
			t.Errorf("told %v", s)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}
