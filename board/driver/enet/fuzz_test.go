package enet_test

import (
	"bytes"
	"testing"
	"time"

	"ingot.dev/board/driver/enet"
	"ingot.dev/board/driver/enet/enetmodel"
	"ingot.dev/board/nic"
)

// FuzzSequence plays any sequence of what wire, receiver and transmitter may
// do, and checks that nothing is lost, changed or out of order. The model lets
// frames wait for descriptors, so nothing may be missing at all.
func FuzzSequence(f *testing.F) {
	f.Add([]byte{0, 10, 1, 5, 2, 0, 3, 20, 4, 0, 5, 1, 3, 70, 4, 0, 5, 0})
	f.Add(bytes.Repeat([]byte{0, 200, 1, 255, 2, 0}, 20))
	f.Add(bytes.Repeat([]byte{3, 63, 4, 0}, 20))
	f.Add(bytes.Repeat([]byte{5, 1, 3, 200, 4, 0, 6, 0, 5, 0, 7, 3}, 8))
	f.Fuzz(func(t *testing.T, script []byte) {
		if len(script) > 400 {
			return
		}
		async := len(script)%2 == 1
		m := newModel(t, enetmodel.Options{DMASize: 100 << 10, Async: async})
		d := open(t, m, enet.Options{LinkInterval: time.Hour})
		sent := make(chan []byte, 1<<16)
		m.OnSend(func(f []byte) { sent <- f })

		size := func(n uint32) int { return 60 + int(n*2654435761>>16)%(nic.HeaderSize+nic.MTU-60+1) }
		var injected, taken, committed uint32
		var held [][]byte
		check := func() {
			t.Helper()
			for i, h := range held {
				n := taken - uint32(len(held)-i)
				if !bytes.Equal(h, frame(size(n), n)) {
					t.Fatalf("held frame %d changed", n)
				}
			}
			held = held[:0]
		}
		next := func() bool {
			t.Helper()
			h, ok := d.NextRx()
			if !ok {
				return false
			}
			if taken == injected {
				t.Fatalf("a frame too many: %x", h)
			}
			if !bytes.Equal(h, frame(size(taken), taken)) {
				t.Fatalf("frame %d of %d bytes:\ngot %x", taken, size(taken), h)
			}
			held = append(held, h)
			taken++
			return true
		}
		for ; len(script) >= 2; script = script[2:] {
			n := uint32(script[1])
			switch script[0] % 8 {
			case 0:
				for ; n > 0 && injected-taken < 1000; n-- {
					m.Inject(frame(size(injected), injected))
					injected++
				}
			case 1:
				for ; n > 0 && next(); n-- {
				}
			case 2:
				check()
				d.ReleaseRx()
			case 3:
				for ; n > 0; n-- {
					slot := d.TxSlot()
					if slot == nil {
						break
					}
					d.CommitTx(copy(slot, frame(size(committed), committed)))
					committed++
				}
			case 4:
				d.FlushTx()
			case 5:
				m.Pause(n&1 != 0)
			case 6:
				d.TxSlot() // and no use of it
			case 7:
				if len(held) == 0 && injected != taken { // or else it may wait for ever
					if err := d.WaitRx(); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		check()
		d.ReleaseRx()
		for taken < injected {
			if !next() {
				t.Fatalf("frame %d of %d is missing", taken, injected)
			}
			check()
			d.ReleaseRx()
		}
		m.Pause(false)
		d.FlushTx()
		for i := range committed {
			select {
			case got := <-sent:
				if !bytes.Equal(got, frame(size(i), i)) {
					t.Fatalf("sent frame %d: %x", i, got)
				}
			case <-time.After(patience):
				t.Fatalf("frame %d of %d was never sent", i, committed)
			}
		}
		if err := d.WaitTx(); err != nil {
			t.Fatal(err)
		}
		s := d.Stats()
		if s.Rx.Frames != uint64(injected) || s.Tx.Frames != uint64(committed) {
			t.Errorf("%+v, want %d received and %d sent", s, injected, committed)
		}
	})
}

// FuzzDescriptors lets the controller say anything about what it received:
// whatever comes out is a possible frame, and good ones still get through.
func FuzzDescriptors(f *testing.F) {
	f.Add([]byte{0, 104, 0x08, 0, 0xff, 0xff, 0x08, 0, 0, 0, 0, 0})
	f.Add([]byte{5, 242, 0x08, 0, 5, 243, 0x08, 0, 0, 18, 0x08, 0, 0, 17, 0x08, 0})
	f.Fuzz(func(t *testing.T, script []byte) {
		m := newModel(t, enetmodel.Options{DMASize: 64 << 10})
		d := open(t, m, enet.Options{LinkInterval: time.Hour})
		for n := uint32(0); len(script) >= 4; n++ {
			length := uint16(script[0])<<8 | uint16(script[1])
			status := uint32(script[2])<<24 | uint32(script[3])<<16
			script = script[4:]
			if !m.InjectRaw(nil, length, status) {
				t.Fatalf("no descriptor for input %d", n)
			}
			const last = 1 << 27
			if status&last == 0 {
				m.InjectRaw(nil, 100, last) // the end of a frame in parts
			}
			m.Inject(frame(100, n))
			good := false
			for {
				got, ok := d.NextRx()
				if !ok {
					break
				}
				if len(got) < nic.HeaderSize || len(got) > nic.MaxFrame || cap(got) != len(got) {
					t.Fatalf("frame of %d bytes, capacity %d", len(got), cap(got))
				}
				good = bytes.Equal(got, frame(100, n))
			}
			d.ReleaseRx()
			if !good {
				t.Fatalf("the frame after length %#x, status %#x is missing", length, status)
			}
		}
	})
}
