//go:build !arm

package kernel

import "testing"

// setProfile sets ITIMER_PROF, in microseconds.
func (m *machineUnderTest) setProfile(value, interval uint32) {
	m.t.Helper()
	m.poke(m.scratch, interval/1e6, interval%1e6, value/1e6, value%1e6)
	m.wantCall(0, sysSetitimer, itimerProf, m.scratch, 0)
}

// profiled installs a handler, and returns a count of its signals that have come to
// running threads, each of which the handler returned from at once.
func (m *machineUnderTest) profiled() func() int {
	m.handler(sigPROF, testText+0x204, 0)
	total := 0
	return func() int {
		for i := range m.threads {
			t := &m.threads[i]
			if t.state != threadFree && t.PC == testText+0x204 {
				if i != int(m.cur) {
					m.t.Fatalf("thread %d has got the signal and does not run", i)
				}
				total++
				t.R[7] = sysRtSigreturn
				m.trap(trapSyscall)
				m.check()
			}
		}
		return total
	}
}

func TestProfileTimer(t *testing.T) {
	m := newTestKernel(t)
	signals := m.profiled()
	th := &m.threads[m.cur]
	m.setProfile(10_000, 1_000)
	m.advance(9_900_000)
	eq(t, "signals before the first is due", signals(), 0)
	m.advance(200_000)
	eq(t, "signals after 10 ms", signals(), 1)
	eq(t, "pc behind the handler", th.PC, testSVC)
	for i := range 20 {
		m.advance(1_010_000)
		eq(t, "signals", signals(), i+2)
	}
	m.setProfile(0, 1_000)
	m.advance(1e9)
	eq(t, "signals once it was stopped", signals(), 21)
	eq(t, "timer of a machine with nothing to come", m.timerAt, ^uint64(0))

	m.setProfile(500, 0)
	m.advance(600_000)
	eq(t, "signals of a timer that goes off once", signals(), 22)
	m.advance(1e9)
	eq(t, "signals later", signals(), 22)

	m.setProfile(500, 0)
	m.wantCall(0, sysSetitimer, itimerProf, 0, m.scratch)
	eq(t, "microseconds left", m.peek(m.scratch+12), 500)
	m.advance(1e9)
	eq(t, "signals of a timer that NULL has stopped", signals(), 22)
}

// TestProfileFrame: the handler learns that a timer of the kernel's sent it. Go
// believes no other.
func TestProfileFrame(t *testing.T) {
	m := newTestKernel(t)
	m.handler(sigPROF, testText+0x204, 0)
	m.threads[m.cur].faultAddr = 0x1234
	m.setProfile(100, 100)
	m.advance(150_000)
	sp := m.threads[m.cur].R[13]
	eq(t, "pc", m.threads[m.cur].PC, testText+0x204)
	eq(t, "si_signo", m.peek(sp), sigPROF)
	eq(t, "si_code", m.peek(sp+8), 0x80) // SI_KERNEL
	eq(t, "si_addr", m.peek(sp+12), 0)
	eq(t, "fault address", m.peek(sp+frameFault), 0)
	eq(t, "where it was", m.peek(sp+framePC), testSVC)
}

// TestProfileHandlerGetsOn: a handler that takes longer than the period is not called
// again before it has returned and the program has got on.
func TestProfileHandlerGetsOn(t *testing.T) {
	m := newTestKernel(t)
	signals := m.profiled()
	m.setProfile(100, 100)
	m.advance(150_000)
	m.advance(1e6) // ten periods in the handler
	th := &m.threads[m.cur]
	eq(t, "signals pending", th.sigPending, 0)
	eq(t, "signals", signals(), 1)
	eq(t, "back in the program", th.PC, testSVC)
	m.advance(110_000)
	eq(t, "signals", signals(), 2)
}

// TestProfileIsOfWork: waiting is not in a profile, and no profile ends a wait.
func TestProfileIsOfWork(t *testing.T) {
	m := newTestKernel(t)
	signals := m.profiled()
	m.setProfile(1_000, 1_000)
	m.advance(700_000)
	m.poke(m.scratch, 3600, 0)
	timers := m.stats.Timers
	m.beginCall(sysNanosleep, m.scratch, 0) // idles for an hour and returns
	eq(t, "timer interrupts in it", m.stats.Timers-timers, 1)
	eq(t, "idle seconds", m.nanoseconds(m.stats.IdleTicks)/1e9, 3600)
	eq(t, "nanosleep", m.threads[m.cur].R[0], 0)
	m.threads[m.cur].R[7] = 0
	eq(t, "signals in it", signals(), 0)
	m.advance(200_000)
	eq(t, "signals after 0.9 ms of work", signals(), 0)
	m.advance(200_000)
	eq(t, "signals after 1.1 ms of work", signals(), 1)
}

// TestProfileOfWhoeverRuns: threads get signals by the time they take.
func TestProfileOfWhoeverRuns(t *testing.T) {
	m := newTestKernel(t)
	m.newThread()
	m.handler(sigPROF, testText+0x204, 0)
	m.setProfile(100, 100)
	got := map[int16]int{}
	for range 200 {
		m.advance(101_000) // much less than a slice
		if th := &m.threads[m.cur]; th.PC == testText+0x204 {
			got[m.cur]++
			th.R[7] = sysRtSigreturn
			m.trap(trapSyscall)
			th.R[7] = 0
		}
	}
	if len(got) != 2 {
		t.Fatalf("signals by thread: %v", got)
	}
	for i, n := range got {
		if n < 80 {
			t.Errorf("thread %d, which runs for half of the time, got %d of 200 signals", i, n)
		}
	}
}

func TestItimerValues(t *testing.T) {
	m := newTestKernel(t)
	for _, tt := range []struct{ intervalSec, intervalUsec, valueSec, valueUsec uint32 }{
		{0, 0, 0, 0}, {0, 0, 1, 0}, {0, 20, 0, 999_999}, {7, 1, 1 << 30, 3},
	} {
		m.poke(m.scratch, tt.intervalSec, tt.intervalUsec, tt.valueSec, tt.valueUsec)
		m.wantCall(0, sysSetitimer, itimerProf, m.scratch, 0)
		m.wantCall(0, sysGetitimer, itimerProf, m.scratch)
		for i, want := range []uint32{tt.intervalSec*usecPerSec + tt.intervalUsec, tt.valueSec*usecPerSec + tt.valueUsec} {
			got := m.peek(m.scratch+uint32(i)*8)*usecPerSec + m.peek(m.scratch+uint32(i)*8+4)
			if got != want {
				t.Errorf("%+v: came back as %d us, want %d", tt, got, want)
			}
		}
	}
	// What is due already has the shortest time left, not none.
	m.poke(m.scratch, 0, 0, 0, 100)
	m.wantCall(0, sysSetitimer, itimerProf, m.scratch, 0)
	m.time += m.ticks(1e9)
	m.wantCall(0, sysGetitimer, itimerProf, m.scratch)
	eq(t, "left of what is due", m.peek(m.scratch+12), 1)
	// One that is too short for the machine is as short as can be.
	m.poke(m.scratch, 0, 1, 0, 1)
	m.wantCall(0, sysSetitimer, itimerProf, m.scratch, 0)
	m.wantCall(0, sysGetitimer, itimerProf, m.scratch)
	eq(t, "shortest interval", m.peek(m.scratch+4), minProfile/1000)
}

func TestItimerRefuses(t *testing.T) {
	m := newTestKernel(t)
	m.setProfile(5_000_000, 0)
	for _, bad := range [][4]uint32{{0, usecPerSec, 0, 0}, {0, 0, 0, usecPerSec}, {^uint32(0), 0, 0, 0}, {0, 0, 1 << 31, 0}, {0, 0, 0, ^uint32(0)}} {
		m.poke(m.scratch, bad[:]...)
		m.wantCall(EINVAL, sysSetitimer, itimerProf, m.scratch, 0)
	}
	m.poke(m.scratch, 0, 0, 0, 1)
	for which, want := range []errno{ENOSYS, ENOSYS, 0, EINVAL} {
		if want != 0 {
			m.wantCall(want, sysSetitimer, uint32(which), m.scratch, 0)
			m.wantCall(want, sysGetitimer, uint32(which), m.scratch)
		}
	}
	m.wantCall(EFAULT, sysSetitimer, itimerProf, 16, 0)
	m.wantCall(EFAULT, sysSetitimer, itimerProf, m.scratch, testText)
	m.wantCall(EFAULT, sysGetitimer, itimerProf, testText)
	m.wantCall(0, sysGetitimer, itimerProf, m.scratch)
	eq(t, "seconds left of the timer that none of this changed", m.peek(m.scratch+8), 5)
}

const usecPerSec = 1_000_000
