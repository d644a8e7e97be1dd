package nictest_test

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"ingot.dev/board/nic"
	"ingot.dev/board/nic/nictest"
)

func TestPipeCompliance(t *testing.T) {
	for name, o := range map[string]nictest.WireOptions{
		"perfect":  {},
		"offloads": {Offloads: nic.Offloads{TxChecksum: true, RxChecksum: true}},
		"delay":    {Delay: 200 * time.Microsecond},
		"tight":    {RxRing: 32, TxRing: 4},
		"dropping": {RxRing: 64, DropWhenFull: true},
	} {
		t.Run(name, func(t *testing.T) {
			nictest.Run(t, func(t *testing.T) (a, b nic.Device) {
				return nictest.Pipe(o)
			})
		})
	}
}

// number sends count numbered frames one by one and returns the numbers that
// arrive, with a frame that isn't what was sent shown as -1.
func number(t *testing.T, o nictest.WireOptions, count int) []int {
	t.Helper()
	a, b := nictest.Pipe(o)
	defer a.Close()
	defer b.Close()
	var got []int
	for i := range count {
		frame := a.TxSlot()[:60]
		clear(frame)
		binary.BigEndian.PutUint32(frame[20:], uint32(i))
		a.CommitTx(60)
		a.FlushTx()
		for {
			frame, ok := b.NextRx()
			if !ok {
				break
			}
			n := int(binary.BigEndian.Uint32(frame[20:]))
			for j, c := range frame {
				if c != 0 && (j < 20 || j > 23) {
					n = -1
				}
			}
			if n >= count {
				n = -1
			}
			got = append(got, n)
		}
		b.ReleaseRx()
	}
	return got
}

func TestFaults(t *testing.T) {
	const count = 2000
	for _, tt := range []struct {
		name  string
		o     nictest.WireOptions
		check func(got []int) error
	}{
		{"none", nictest.WireOptions{}, func(got []int) error {
			for i, n := range got {
				if n != i {
					return fmt.Errorf("frame %d at %d", n, i)
				}
			}
			return between(len(got), count, count)
		}},
		{"loss", nictest.WireOptions{Loss: 0.25}, func(got []int) error {
			return between(len(got), count*65/100, count*85/100)
		}},
		{"duplicate", nictest.WireOptions{Duplicate: 0.25}, func(got []int) error {
			return between(len(got), count*115/100, count*135/100)
		}},
		{"corrupt", nictest.WireOptions{Corrupt: 0.25}, func(got []int) error {
			bad := 0
			for i, n := range got {
				if n != i {
					bad++
				}
			}
			return between(bad, count*15/100, count*35/100)
		}},
		{"reorder", nictest.WireOptions{Reorder: 0.25}, func(got []int) error {
			late := 0
			for i := 1; i < len(got); i++ {
				if got[i] < got[i-1] {
					late++
				}
			}
			if err := between(late, count*10/100, count*30/100); err != nil {
				return err
			}
			return between(len(got), count-1, count)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.o.Seed = 42
			if err := tt.check(number(t, tt.o, count)); err != nil {
				t.Error(err)
			}
		})
	}
}

func between(n, low, high int) error {
	if n < low || n > high {
		return fmt.Errorf("%d, want %d to %d", n, low, high)
	}
	return nil
}

func TestSeedRepeats(t *testing.T) {
	o := nictest.WireOptions{Seed: 7, Loss: 0.1, Duplicate: 0.1, Corrupt: 0.1}
	first, second := number(t, o, 500), number(t, o, 500)
	if fmt.Sprint(first) != fmt.Sprint(second) {
		t.Error("the same seed gives other faults")
	}
	o.Seed = 8
	if fmt.Sprint(first) == fmt.Sprint(number(t, o, 500)) {
		t.Error("another seed gives the same faults")
	}
}

// The last frame is not kept for ever when nothing follows it.
func TestReorderedLastFrameArrives(t *testing.T) {
	a, b := nictest.Pipe(nictest.WireOptions{Reorder: 1})
	defer a.Close()
	defer b.Close()
	a.TxSlot()
	a.CommitTx(60)
	a.FlushTx()
	if err := b.WaitRx(); err != nil {
		t.Fatal(err)
	}
	if _, ok := b.NextRx(); !ok {
		t.Error("no frame after WaitRx")
	}
}

func TestOffloadedReceiverDropsBadChecksums(t *testing.T) {
	a, b := nictest.Pipe(nictest.WireOptions{Offloads: nic.Offloads{RxChecksum: true}})
	defer a.Close()
	defer b.Close()
	for _, sum := range []byte{1, 0} { // a wrong one, then none
		frame := a.TxSlot()[:60]
		clear(frame)
		copy(frame[12:], "\x08\x00\x45\x00\x00\x1e\x00\x00\x00\x00\x40\x11\xf8\xb6\xc0\xa8\x00\x01\xc0\xa8\x00\xc7\x00\x35\x10\x00\x00\x0a")
		frame[40] = sum
		a.CommitTx(60)
		a.FlushTx()
	}
	frame, ok := b.NextRx()
	if !ok || frame[40] != 0 {
		t.Fatalf("got %x, want the frame without UDP checksum", frame)
	}
	if frame, ok = b.NextRx(); ok {
		t.Errorf("got also %x", frame)
	}
}

func TestSetLink(t *testing.T) {
	a, b := nictest.Pipe(nictest.WireOptions{})
	defer b.Close()
	states := make(chan nic.LinkState, 8)
	a.OnLink(func(s nic.LinkState) { states <- s })
	if s := <-states; !s.Up {
		t.Errorf("at registration: %v", s)
	}
	a.SetLink(nic.LinkState{})
	if s := <-states; s.Up {
		t.Errorf("after SetLink: %v", s)
	}
	b.TxSlot()
	b.CommitTx(60)
	b.FlushTx()
	if frame, ok := a.NextRx(); ok {
		t.Errorf("a frame over a link that is down: %x", frame)
	}
	a.Close()
	a.SetLink(nic.LinkState{Up: true})
	select {
	case s := <-states:
		t.Errorf("told %v after Close", s)
	case <-time.After(20 * time.Millisecond):
	}
}

// A receiver that stops reading fills the sender's ring, and WaitTx returns
// when it goes on.
func TestBackPressure(t *testing.T) {
	a, b := nictest.Pipe(nictest.WireOptions{RxRing: 4, TxRing: 4})
	defer a.Close()
	defer b.Close()
	sent := 0
	for a.TxSlot() != nil {
		a.CommitTx(60)
		a.FlushTx()
		if sent++; sent > 100 {
			t.Fatal("the ring never fills")
		}
	}
	freed := make(chan error, 1)
	go func() { freed <- a.WaitTx() }()
	select {
	case err := <-freed:
		t.Fatalf("WaitTx returned %v with nothing freed", err)
	case <-time.After(20 * time.Millisecond):
	}
	b.NextRx()
	b.ReleaseRx()
	if err := <-freed; err != nil {
		t.Fatal(err)
	}
	if a.TxSlot() == nil {
		t.Error("no slot after WaitTx")
	}
}

func ExamplePipe() {
	a, b := nictest.Pipe(nictest.WireOptions{})
	defer a.Close()
	defer b.Close()

	copy(a.TxSlot(), "destinsourcet: hello")
	a.CommitTx(20)
	a.FlushTx()

	if err := b.WaitRx(); err != nil {
		fmt.Println(err)
	}
	frame, _ := b.NextRx()
	fmt.Printf("%s, padded to %d bytes\n", frame[15:20], len(frame))
	b.ReleaseRx()
	// Output: hello, padded to 60 bytes
}
