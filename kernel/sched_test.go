//go:build !arm

package kernel

import (
	"slices"
	"testing"
)

func TestCloneAndExit(t *testing.T) {
	m := newTestKernel(t)
	parent := m.cur
	m.fp.D[3] = 77
	m.wantCall(0, sysRtSigprocmask, 0, m.scratch, 0, 8)
	m.wantCall(int32(m.mustCall(sysGetpid)), sysGettid) // the first thread's is the program's
	tid := m.mustCall(sysClone, 0x10f00|0x80000, m.scratch+0x1000, 0, 0xabcd)
	i := m.threadByTID(int32(tid))
	c := &m.threads[i]
	eq(t, "child's sp", c.R[13], m.scratch+0x1000)
	eq(t, "child's result", c.R[0], 0)
	eq(t, "child's tls", c.tls, 0xabcd)
	eq(t, "child's VFP", c.FP.D[3], 77)
	c.PC, c.R[7] = testSVC, 0
	m.run(i)
	eq(t, "TPIDRURO", m.tlsRegister, 0xabcd)
	eq(t, "VFP", m.fp.D[3], 77)
	m.wantCall(int32(tid), sysGettid)
	m.fp.D[3] = 78
	m.run(parent)
	eq(t, "the parent's VFP", m.fp.D[3], 77)
	m.run(i)
	eq(t, "the child's VFP", m.fp.D[3], 78)
	m.beginCall(sysExit, 0)
	m.check()
	eq(t, "who runs after exit", m.cur, parent)
	eq(t, "found after exit", m.threadByTID(int32(tid)), none)
	m.wantCall(ESRCH, sysTgkill, 1, tid, 10)
	// The number is not used again soon, though the place is.
	again := m.mustCall(sysClone, 0x10f00, 0)
	if m.threadByTID(int32(again)) != i || again == tid {
		t.Errorf("thread %d after %d", again, tid)
	}
	m.wantCall(ENOSYS, sysClone, 17, 0) // fork
}

func TestThreadsExhausted(t *testing.T) {
	m := newTestKernel(t)
	first := m.cur
	seen := map[uint32]bool{}
	for range MaxThreads - 1 {
		tid := m.mustCall(sysClone, 0x10f00, 0)
		if seen[tid] {
			t.Fatalf("two threads %d", tid)
		}
		seen[tid] = true
		i := m.threadByTID(int32(tid))
		m.threads[i].PC, m.threads[i].R[7] = testSVC, 0
	}
	m.wantCall(EAGAIN, sysClone, 0x10f00, 0)
	// They all end, the first one last: that is the program's end.
	for m.live > 1 {
		if m.cur == first {
			m.beginCall(sysSchedYield)
			continue
		}
		m.beginCall(sysExit, 3)
	}
	m.check()
	eq(t, "the last thread", m.cur, first)
	m.beginCall(sysExit, 0x105)
	m.expectExit(5)
}

func TestExitGroup(t *testing.T) {
	m := newTestKernel(t)
	m.newThread()
	m.beginCall(sysExitGroup, 7)
	m.expectExit(7)
}

// TestRoundRobin has busy threads share the processor in turns of a slice each.
func TestRoundRobin(t *testing.T) {
	m := newTestKernel(t)
	var order []int16
	threads := []int16{m.cur, m.newThread(), m.newThread(), m.newThread()}
	m.advance(sliceTime + 1000) // the one that made them has had no rival before
	for range 12 {
		order = append(order, m.cur)
		m.advance(sliceTime + 1000)
	}
	for i := range 8 {
		if order[i] != order[i+4] {
			t.Fatalf("order %v", order)
		}
	}
	first := slices.Clone(order[:4])
	slices.Sort(first)
	if !slices.Equal(first, threads) {
		t.Errorf("order %v", order)
	}
}

// TestAloneNoTick: with nobody else ready there is no timer.
func TestAloneNoTick(t *testing.T) {
	m := newTestKernel(t)
	m.wantCall(0, sysSchedYield)
	if m.timerAt != ^uint64(0) {
		t.Errorf("a lone thread has the timer set to %d", m.timerAt)
	}
}

// futexWaiter makes a thread that waits at addr, and goes back to the one that runs.
func (m *machineUnderTest) futexWaiter(addr uint32) int16 {
	m.t.Helper()
	back := m.cur
	i := m.newThread()
	m.run(i)
	if r := m.call(sysFutex, addr, futexWait, m.peek(addr), 0); r != blocked {
		m.t.Fatalf("futex wait: %d", r)
	}
	m.run(back)
	return i
}

// TestWakersGoOn: a thread that another one wakes waits for the waker's slice to
// end, which begins with the wake-up if the waker has had no rival.
func TestWakersGoOn(t *testing.T) {
	m := newTestKernel(t)
	waker := m.cur
	i := m.futexWaiter(m.scratch)
	m.advance(50 * sliceTime) // long without a rival
	m.wantCall(1, sysFutex, m.scratch, futexWake, 1)
	eq(t, "after the wake-up", m.cur, waker)
	m.advance(sliceTime / 2)
	eq(t, "half a slice later", m.cur, waker)
	m.advance(sliceTime)
	eq(t, "after the slice", m.cur, i)
}

// device opens the first device and has a new thread wait for its interrupt.
func (m *machineUnderTest) deviceWaiter() (thread int16, fd uint32) {
	m.t.Helper()
	fd = uint32(m.openPath("/dev/uio0", 2))
	back := m.cur
	thread = m.newThread()
	m.run(thread)
	if r := m.call(sysRead, fd, m.scratch+0x100, 4); r != blocked {
		m.t.Fatalf("read of a device: %d", r)
	}
	m.run(back)
	return thread, fd
}

func TestInterruptPreempts(t *testing.T) {
	m := newTestKernel(t)
	busy := m.cur
	driver, fd := m.deviceWaiter()
	m.advance(sliceTime * 3)
	for range 5 {
		eq(t, "before", m.cur, busy)
		m.interruptBy(150)
		eq(t, "after the interrupt", m.cur, driver)
		eq(t, "read", m.finish(), 4)
		if r := m.call(sysRead, fd, m.scratch+0x100, 4); r != blocked {
			t.Fatalf("read: %d", r)
		}
	}
}

// TestNoStarvation: interrupts more frequent than slices must not keep a busy
// thread on the processor for ever.
func TestNoStarvation(t *testing.T) {
	m := newTestKernel(t)
	driver, fd := m.deviceWaiter()
	other := m.newThread()
	busy := m.cur
	ran := map[int16]int{}
	for range 200 {
		m.advance(sliceTime / 10)
		ran[m.cur]++
		m.interruptBy(150)
		eq(t, "after the interrupt", m.cur, driver)
		m.finish()
		m.call(sysRead, fd, m.scratch+0x100, 4)
	}
	if a, b := ran[busy], ran[other]; a < 80 || b < 80 {
		t.Errorf("of 200 turns one thread had %d, the other %d", a, b)
	}
}

// TestWokenTogether: sleepers whose time has come run in the order of their
// deadlines, before the thread that they preempt.
func TestWokenTogether(t *testing.T) {
	m := newTestKernel(t)
	busy := m.cur
	var sleepers []int16
	for ms := range uint32(4) {
		i := m.newThread()
		m.run(i)
		m.poke(m.scratch, 0, 1_000_000+ms*1000)
		if r := m.call(sysNanosleep, m.scratch, 0); r != blocked {
			t.Fatalf("nanosleep: %d", r)
		}
		sleepers = append(sleepers, i)
		m.run(busy)
	}
	m.time += m.ticks(2_000_000)
	m.interruptBy(timerIRQ)
	for _, i := range sleepers {
		eq(t, "who runs", m.cur, i)
		m.beginCall(sysExit)
	}
	eq(t, "who runs at last", m.cur, busy)
}

func TestIdleWaitsForTheTimer(t *testing.T) {
	m := newTestKernel(t)
	m.poke(m.scratch, 2, 500)
	start := m.time
	m.wantCall(0, sysNanosleep, m.scratch, 0)
	if d := m.nanoseconds(m.time - start); d < 2_000_000_500 || d > 2_000_000_600 {
		t.Errorf("slept %d ns", d)
	}
	if m.stats.Idles != 1 {
		t.Errorf("idle %d times", m.stats.Idles)
	}
}
