//go:build !arm

package kernel

import (
	"math/rand/v2"
	"testing"
)

// TestTimerHeap compares the heap with a table of deadlines.
func TestTimerHeap(t *testing.T) {
	k := bootKernel(seedParams())
	r := rand.New(rand.NewPCG(3, 4))
	model := map[int16]uint64{}
	for step := range 20000 {
		i := int16(r.IntN(MaxThreads))
		switch _, running := model[i]; {
		case !running:
			d := uint64(r.IntN(50)) // many are equal
			k.startTimer(i, d)
			model[i] = d
		case r.IntN(2) == 0:
			k.stopTimer(i)
			delete(model, i)
		default:
			first := k.timers.heap[0]
			for j, d := range model {
				if d < k.threads[first].deadline {
					t.Fatalf("step %d: thread %d is first, thread %d is earlier", step, first, j)
				}
			}
			k.stopTimer(first)
			delete(model, first)
		}
		if int(k.timers.n) != len(model) {
			t.Fatalf("step %d: %d timers, want %d", step, k.timers.n, len(model))
		}
		for n := range k.timers.n {
			j := k.timers.heap[n]
			if d, ok := model[j]; !ok || k.threads[j].deadline != d || k.threads[j].timer != n ||
				n > 0 && k.threads[k.timers.heap[(n-1)/2]].deadline > d {
				t.Fatalf("step %d: timer of thread %d at %d", step, j, n)
			}
		}
	}
}

func TestTimespec(t *testing.T) {
	m := newTestKernel(t)
	for _, c := range []struct {
		what  string
		words []uint32
		wide  bool
		ns    uint64
		errno errno
	}{
		{"zero", []uint32{0, 0}, false, 0, 0},
		{"one and a half", []uint32{1, 500_000_000}, false, 1_500_000_000, 0},
		{"the longest", []uint32{1<<31 - 1, 999_999_999}, false, 1<<31*1e9 - 1, 0},
		{"a year", []uint32{31536000, 1}, false, 31536000_000_000_001, 0},
		{"negative", []uint32{^uint32(0), 0}, false, 0, EINVAL},
		{"too many ns", []uint32{0, 1_000_000_000}, false, 0, EINVAL},
		{"negative ns", []uint32{0, ^uint32(0)}, false, 0, EINVAL},
		{"wide", []uint32{5, 0, 7, 0}, true, 5_000_000_007, 0},
		{"wide, long", []uint32{0, 1, 7, 0}, true, 1<<32*1e9 + 7, 0},
		{"wide, the longest", []uint32{^uint32(0), 1<<31 - 1, 7, 0}, true, forever, 0},
		{"wide, negative", []uint32{0, 1 << 31, 7, 0}, true, 0, EINVAL},
		{"wide, too many ns", []uint32{0, 0, 7, 1}, true, 0, EINVAL},
	} {
		m.poke(m.scratch, c.words...)
		ns, e := m.timespec(m.scratch, c.wide)
		if e != c.errno || ns != c.ns {
			t.Errorf("%s: %d, %d; want %d, %d", c.what, ns, e, c.ns, c.errno)
		}
	}
}

func TestSleepUntil(t *testing.T) {
	m := newTestKernel(t)
	const absolute = 1
	now, _ := m.readClock(1)
	at := now + 3_000_000_000
	m.poke(m.scratch, uint32(at/1e9), uint32(at%1e9))
	m.wantCall(0, sysClockNanosleep, 1, absolute, m.scratch)
	if now, _ = m.readClock(1); now < at || now > at+100 {
		t.Errorf("woke at %d, want %d", now, at)
	}
	m.wantCall(0, sysClockNanosleep, 1, absolute, m.scratch) // is past
	m.wantCall(EINVAL, sysClockNanosleep, 99, 0, m.scratch)
	m.poke(m.scratch, 1, 0, 0, 0)
	m.wantCall(0, sysClockNanosleep64, 1, 0, m.scratch)
	if d, _ := m.readClock(1); d < now+1_000_000_000 {
		t.Errorf("slept %d ns", d-now)
	}
}
