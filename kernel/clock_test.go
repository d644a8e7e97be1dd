//go:build !arm

package kernel

import (
	"math/big"
	"math/rand/v2"
	"testing"
)

// TestConversions compares with exact arithmetic.
func TestConversions(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for _, freq := range []uint32{62_500_000, 8_000_000, 24_000_000} {
		k := bootKernel(params{})
		k.initClock(freq)
		exact := func(ticks uint64) *big.Int {
			n := new(big.Int).SetUint64(ticks)
			return n.Mul(n, big.NewInt(1e9)).Div(n, big.NewInt(int64(freq)))
		}
		for i := range 20000 {
			ticks := r.Uint64() >> (r.IntN(50) + 7) // up to 2^57: a century and more
			if i < 100 {
				ticks = uint64(i)
			}
			got, want := new(big.Int).SetUint64(k.nanoseconds(ticks)), exact(ticks)
			late := new(big.Int).Sub(want, got)
			// Exact, but for 24 MHz, which is a nanosecond in 10^9 slow.
			limit := big.NewInt(0)
			if freq == 24_000_000 {
				limit.Div(want, big.NewInt(1e9)).Add(limit, big.NewInt(1))
			}
			if late.Sign() < 0 || late.Cmp(limit) > 0 {
				t.Fatalf("%d Hz: %d ticks are %v ns, got %v", freq, ticks, want, got)
			}
			// A wait is never too short, and not much too long.
			ns := r.Uint64() >> (r.IntN(60) + 1)
			n := k.ticks(ns) + 1
			if w := k.nanoseconds(n); w < ns || w-ns > 2*k.nanoseconds(1)+3+ns/50_000_000 {
				t.Fatalf("%d Hz: %d ns are %d ticks, which are %d ns", freq, ns, n, w)
			}
		}
		if k.nanoseconds(1<<57) <= k.nanoseconds(1<<57-1)-1 {
			t.Errorf("%d Hz: time goes back", freq)
		}
	}
}

func TestClocks(t *testing.T) {
	m := newTestKernel(t)
	read := func(id uint32, wide bool) uint64 {
		t.Helper()
		if wide {
			m.wantCall(0, sysClockGettime64, id, m.scratch)
			return (uint64(m.peek(m.scratch))+uint64(m.peek(m.scratch+4))<<32)*1e9 + uint64(m.peek(m.scratch+8))
		}
		m.wantCall(0, sysClockGettime, id, m.scratch)
		return uint64(m.peek(m.scratch))*1e9 + uint64(m.peek(m.scratch+4))
	}
	m.time += 12_345_678
	want := m.nanoseconds(m.time)
	for _, id := range []uint32{1, 4, 6, 7} {
		eq(t, "monotonic", read(id, id&1 == 0), want)
	}
	const now = 1_800_000_000
	m.poke(m.scratch, now, 5)
	m.wantCall(0, sysClockSettime, 0, m.scratch)
	m.time += 62_500_000
	for _, id := range []uint32{0, 5, 11} {
		eq(t, "real time", read(id, id&1 == 0), (now+1)*1e9+5)
	}
	eq(t, "monotonic", read(1, false), want+1e9)
	// Back before the boot, and far ahead.
	m.poke(m.scratch, 1, 0)
	m.wantCall(0, sysClockSettime, 0, m.scratch)
	eq(t, "1970", read(0, true), 1e9)
	m.poke(m.scratch, 0, 1, 0, 0) // 2106
	m.wantCall(0, sysClockSettime64, 0, m.scratch)
	eq(t, "2106", read(0, true), 1<<32*1e9)
	for _, id := range []uint32{2, 3, 8, 12, ^uint32(0)} {
		m.wantCall(EINVAL, sysClockGettime, id, m.scratch)
		m.wantCall(EINVAL, sysClockGetres, id, m.scratch)
		m.wantCall(EINVAL, sysClockSettime, id, m.scratch)
	}
	m.wantCall(EINVAL, sysClockSettime, 1, m.scratch)
	m.poke(m.scratch, 1, 1e9)
	m.wantCall(EINVAL, sysClockSettime, 0, m.scratch)
	m.wantCall(0, sysClockGetres, 1, 0)
	m.wantCall(0, sysClockGetres, 1, m.scratch)
	if s, ns := m.peek(m.scratch), m.peek(m.scratch+4); s != 0 || ns < 16 || ns > 17 {
		t.Errorf("resolution %d.%09d", s, ns)
	}
}

// TestClockPage reads the page as vdso_arm.s does, and compares with the system call.
func TestClockPage(t *testing.T) {
	m := newTestKernel(t)
	r := rand.New(rand.NewPCG(9, 10))
	m.setWall(1_800_000_000_123_456_789)
	seq := m.peek(clockPage)
	for range 5000 {
		m.time += r.Uint64() >> (30 + r.IntN(30))
		if r.IntN(3) == 0 {
			m.setWall(m.nanoseconds(m.time) + 1_800_000_000_000_000_000 + r.Uint64()>>20)
		}
		m.mustCall(sysGettid) // any call
		ticks := m.time - (uint64(m.peek(clockPage+8)) | uint64(m.peek(clockPage+12))<<32)
		if ticks > uint64(m.clock.freq)*4 {
			t.Fatalf("the page is %d ticks old after a trap", ticks)
		}
		mult := uint64(m.peek(clockPage + 4))
		ns := ticks >> 32 * mult << 8
		ns += ticks & (1<<32 - 1) * mult >> 24
		for id, at := range map[uint32]uint32{1: clockPage + 16, 0: clockPage + 24} {
			got := uint64(m.peek(at))*1e9 + uint64(m.peek(at+4)) + ns
			want, _ := m.readClock(id)
			if d := int64(got - want); d < -1 || d > 1 {
				t.Fatalf("clock %d: the page says %d, the kernel %d", id, got, want)
			}
		}
	}
	if m.peek(clockPage) == seq {
		t.Error("seq does not change")
	}
	if m.store(clockPage, 1) {
		t.Error("the program can write the clock page")
	}
}
