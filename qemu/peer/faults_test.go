package peer

import (
	"encoding/binary"
	"net"
	"slices"
	"sync"
	"testing"
	"time"
)

// run sends n numbered frames through a line and returns the numbers that come out.
func run(t *testing.T, f Faults, n int) (out []int) {
	t.Helper()
	var mu sync.Mutex
	come := func(frame []byte) {
		mu.Lock()
		defer mu.Unlock()
		out = append(out, int(binary.BigEndian.Uint32(frame)))
	}
	l := &line{overdue: come}
	l.set(f, 1)
	for i := range n {
		frame := binary.BigEndian.AppendUint32(nil, uint32(i))
		l.pass(frame, come)
		clear(frame) // it is the caller's again
	}
	// One may be held for a moment yet.
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		l.mu.Lock()
		mu.Lock()
		all := len(out)+l.lost == n
		mu.Unlock()
		l.mu.Unlock()
		if all {
			return out
		}
		if time.Now().After(end) {
			t.Fatalf("%d frames of %d came, %d were lost", len(out), n, l.lost)
		}
	}
}

func TestFaults(t *testing.T) {
	const n = 20_000
	for _, tt := range []struct {
		name string
		f    Faults
	}{
		{"perfect", Faults{}},
		{"seeded, perfect", Faults{Seed: 5}},
		{"loss", Faults{Seed: 1, Loss: 0.01}},
		{"reordering", Faults{Seed: 2, Reorder: 0.01}},
		{"both", Faults{Seed: 3, Loss: 0.02, Reorder: 0.05}},
		{"nothing left", Faults{Loss: 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out := run(t, tt.f, n)
			lost := n - len(out)
			seen := make([]bool, n)
			late, newest := 0, -1
			for _, i := range out {
				if seen[i] {
					t.Fatalf("frame %d comes twice", i)
				}
				seen[i] = true
				if i < newest {
					late++
				}
				newest = max(newest, i)
			}
			for what, v := range map[string][2]float64{"lost": {float64(lost), tt.f.Loss}, "late": {float64(late), tt.f.Reorder * (1 - tt.f.Loss)}} {
				if want := v[1] * n; v[0] < want*0.7 || v[0] > want*1.3 {
					t.Errorf("%v frames are %s, want about %v", v[0], what, want)
				}
			}
		})
	}
}

// The same seed does the same to the same frames; another one doesn't.
func TestFaultsSeed(t *testing.T) {
	f := Faults{Seed: 7, Loss: 0.05}
	a, b := run(t, f, 1000), run(t, f, 1000)
	f.Seed++
	c := run(t, f, 1000)
	if !slices.Equal(a, b) || slices.Equal(a, c) {
		t.Errorf("%d, %d and %d frames", len(a), len(b), len(c))
	}
}

// A wire with a rate takes its time.
func TestRate(t *testing.T) {
	l := new(line)
	l.set(Faults{Rate: 1_000_000}, 1)
	start := time.Now()
	for range 50 {
		l.pace(1000)
	}
	// All of it but what may go at once.
	if took, least := time.Since(start), 50*time.Millisecond-burst; took < least {
		t.Errorf("50,000 bytes took %v, at 1 MB a second", took)
	}
	l.set(Faults{}, 1)
	start = time.Now()
	for range 50 {
		l.pace(1 << 30)
	}
	if took := time.Since(start); took > time.Minute {
		t.Errorf("without a rate it takes %v", took)
	}
}

// A wire can be disturbed while there are frames on it, in both directions.
func TestDisturb(t *testing.T) {
	w, err := Listen()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	theirs := newEnd(plugIn(t, w), net.HardwareAddr{2, 0, 0, 0, 0, 9}, 0)
	defer theirs.Close()
	ours, err := w.listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	e := newEnd(ours, net.HardwareAddr{2, 0, 0, 0, 0, 1}, 0)
	defer e.Close()
	w.end = e
	send := func(from *end, number byte) {
		t.Helper()
		slot := from.TxSlot()
		if slot == nil {
			t.Fatal("no slot")
		}
		clear(slot[:minFrame])
		slot[0] = number
		from.CommitTx(minFrame)
		from.FlushTx()
	}
	next := func(at *end) byte {
		t.Helper()
		for {
			if err := at.WaitRx(); err != nil {
				t.Fatal(err)
			}
			if frame, ok := at.NextRx(); ok {
				number := frame[0]
				at.ReleaseRx()
				return number
			}
		}
	}
	lost := 0
	for number, f := range []Faults{{}, {Loss: 1}, {Reorder: 1}, {Loss: 1}, {}} {
		for _, ends := range [][2]*end{{e, theirs}, {theirs, e}} {
			w.Disturb(f)
			send(ends[0], byte(number))
			if f.Loss > 0 {
				for lost++; w.Lost() < lost; {
					time.Sleep(time.Millisecond)
				}
				w.Disturb(Faults{})
				send(ends[0], 100)
				if got := next(ends[1]); got != 100 {
					t.Fatalf("frame %d arrives, which was lost", got)
				}
			} else if got := next(ends[1]); got != byte(number) {
				t.Fatalf("frame %d arrives, want %d", got, number)
			}
		}
	}
	if w.Lost() != lost {
		t.Errorf("%d frames were lost, want %d", w.Lost(), lost)
	}
}
