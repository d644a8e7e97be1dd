//go:build !arm

package kernel

import "testing"

func TestFutexWaitAndWake(t *testing.T) {
	m := newTestKernel(t)
	a, b := m.scratch, m.scratch+futexHash*4*64 // another word of the same bucket
	if futexBucket(a) != futexBucket(b) {
		b = a
		for b += 4; futexBucket(a) != futexBucket(b); b += 4 {
		}
	}
	m.poke(a, 5)
	m.poke(b, 5)
	m.wantCall(EAGAIN, sysFutex, a, futexWait, 4, 0)
	m.wantCall(EAGAIN, sysFutexTime64, a, futexWait|futexPrivateFlag, 4, 0)
	m.wantCall(EINVAL, sysFutex, a+1, futexWait, 5, 0)
	m.wantCall(ENOSYS, sysFutex, a, 3, 5, 0) // FUTEX_REQUEUE
	m.wantCall(0, sysFutex, a, futexWake, 1)

	var at [3]int16
	for i := range at {
		at[i] = m.futexWaiter(a)
	}
	other := m.futexWaiter(b)
	m.wantCall(0, sysFutex, a, futexWake, 0)
	m.wantCall(2, sysFutex, a, futexWake, 2)
	eq(t, "the first woken", m.threads[at[0]].state, threadReady)
	eq(t, "the third", m.threads[at[2]].state, threadBlocked)
	eq(t, "another word's", m.threads[other].state, threadBlocked)
	m.wantCall(1, sysFutex, a, futexWake|futexPrivateFlag, 1<<31-1)
	for _, i := range at {
		m.run(i)
		eq(t, "result", m.finish(), 0)
	}
	m.run(0)
	m.wantCall(1, sysFutex, b, futexWake, 1)
}

func TestFutexTimeout(t *testing.T) {
	for _, wide := range []bool{false, true} {
		m := newTestKernel(t)
		nr := uint32(sysFutex)
		m.poke(m.scratch+16, 1, 250)
		if wide {
			nr = sysFutexTime64
			m.poke(m.scratch+16, 1, 0, 250, 0)
		}
		start := m.time
		m.wantCall(ETIMEDOUT, nr, m.scratch, futexWait, 0, m.scratch+16)
		if d := m.nanoseconds(m.time - start); d < 1_000_000_250 || d > 1_000_000_350 {
			t.Errorf("waited %d ns", d)
		}
		m.poke(m.scratch+16, 0, 0, 0, 0)
		m.wantCall(ETIMEDOUT, nr, m.scratch, futexWait, 0, m.scratch+16)
		m.poke(m.scratch+16, 0, 1_000_000_000, 1_000_000_000, 0)
		m.wantCall(EINVAL, nr, m.scratch, futexWait, 0, m.scratch+16)

		// A wake-up that comes first takes the timer along.
		back := m.cur
		i := m.newThread()
		m.run(i)
		m.poke(m.scratch+16, 1, 0, 0, 0)
		if r := m.call(nr, m.scratch, futexWait, 0, m.scratch+16); r != blocked {
			t.Fatal(r)
		}
		m.run(back)
		m.wantCall(1, sysFutex, m.scratch, futexWake, 1)
		eq(t, "timers", m.timers.n, 0)
		m.run(i)
		eq(t, "result", m.finish(), 0)
	}
}

func TestFutexSignal(t *testing.T) {
	m := newTestKernel(t)
	m.handler(10, testText+0x200, 0)
	back := m.cur
	i := m.futexWaiter(m.scratch)
	m.run(back)
	m.wantCall(0, sysTgkill, 1, uint32(m.threads[i].tid), 10)
	m.run(i)
	eq(t, "pc", m.threads[i].PC, testText+0x200)
	eq(t, "r0 in the frame", int32(m.peek(m.threads[i].R[13]+frameR0)), EINTR)
	m.run(back)
	m.wantCall(0, sysFutex, m.scratch, futexWake, 1)
}
