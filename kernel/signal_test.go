//go:build !arm

package kernel

import (
	"math/rand/v2"
	"testing"
	"unsafe"
)

// Offsets in what a handler finds on its stack: siginfo, then ucontext, of which
// the registers are at 20+12, the mask at 104 and the VFP at 232 (Linux,
// arch/arm/include/uapi/asm/ucontext.h and sigcontext.h).
const (
	frameContext = 128
	frameR0      = frameContext + 20 + 12
	framePC      = frameR0 + 15*4
	frameCPSR    = framePC + 4
	frameFault   = frameCPSR + 4
	frameMask    = frameContext + 104
	frameVFP     = frameContext + 232
)

// handler installs one for a signal.
func (m *machineUnderTest) handler(sig, at, flags uint32) {
	m.t.Helper()
	act := m.scratch + 15*pageSize
	m.poke(act, at, flags, 0, 0, 0)
	m.wantCall(0, sysRtSigaction, sig, act, 0, 8)
}

func TestFrameLayout(t *testing.T) {
	if unsafe.Sizeof(sigframe{}) != 128+744 {
		t.Fatalf("a frame has %d bytes", unsafe.Sizeof(sigframe{}))
	}
	m := newTestKernel(t)
	m.handler(10, testText+0x204, saOnStack)
	alt := m.scratch + 0x2000
	m.poke(m.scratch, alt, 0, 0x1004)
	m.wantCall(0, sysSigaltstack, m.scratch, 0)
	m.poke(m.scratch, 1<<13|1<<2, 0x80) // blocks 3, 14 and 40
	m.wantCall(0, sysRtSigprocmask, 2, m.scratch, 0, 8)
	th := &m.threads[m.cur]
	for i := range th.R {
		th.R[i] = 0x1000 + uint32(i)
	}
	th.R[13] = stackEnd - 0x1000
	th.CPSR = cpsrUser | 1<<31 | 5<<16
	for i := range m.fp.D {
		m.fp.D[i] = 0x2000 + uint32(i)
	}
	m.fp.FPSCR = 1 << 22
	m.send(m.cur, 10, siTkill)
	m.leave()
	m.check()
	sp := th.R[13]
	eq(t, "sp", sp, (alt+0x1004-872)&^7)
	eq(t, "pc", th.PC, testText+0x204)
	eq(t, "cpsr", th.CPSR, cpsrUser)
	eq(t, "r0", th.R[0], 10)
	eq(t, "r1", th.R[1], sp)
	eq(t, "r2", th.R[2], sp+128)
	eq(t, "lr", th.R[14], m.sigreturnStub())
	for _, w := range []struct {
		what      string
		off, want uint32
	}{
		{"si_signo", 0, 10}, {"si_errno", 4, 0}, {"si_code", 8, 0xfffffffa}, {"si_pid", 12, 1},
		{"uc_flags", frameContext, 0}, {"uc_link", frameContext + 4, 0},
		{"ss_sp", frameContext + 8, alt}, {"ss_size", frameContext + 16, 0x1004},
		{"oldmask", frameContext + 28, 1<<13 | 1<<2},
		{"r0", frameR0, 0x1000}, {"r12", frameR0 + 48, 0x100c}, {"sp", frameR0 + 52, stackEnd - 0x1000},
		{"lr", frameR0 + 56, 0x100e}, {"pc", framePC, testSVC}, {"cpsr", frameCPSR, cpsrUser | 1<<31 | 5<<16},
		{"fault_address", frameFault, 0},
		{"uc_sigmask", frameMask, 1<<13 | 1<<2}, {"uc_sigmask high", frameMask + 4, 0x80},
		{"VFP magic", frameVFP, 0x56465001}, {"VFP size", frameVFP + 4, 288},
		{"d0", frameVFP + 8, 0x2000}, {"d31 high", frameVFP + 8 + 252, 0x203f}, {"FPSCR", frameVFP + 8 + 256, 1 << 22},
		{"end of regspace", frameVFP + 288, 0},
	} {
		if got := m.peek(sp + w.off); got != w.want {
			t.Errorf("%s, at %d: %#x, want %#x", w.what, w.off, got, w.want)
		}
	}
	eq(t, "mask in the handler", th.sigMask, 1<<13|1<<2|0x80<<32|1<<9)

	// The handler changes registers in the frame, as Go's preemption does.
	m.poke(sp+framePC, testText+0x300)
	m.poke(sp+frameR0+16, 0x4444)
	m.poke(sp+frameVFP+8, 0x5555)
	m.poke(sp+frameMask, 0)
	m.fp.D[0] = 1
	th.R[7] = sysRtSigreturn
	m.trap(trapSyscall)
	m.check()
	eq(t, "pc after sigreturn", th.PC, testText+0x300)
	eq(t, "r0", th.R[0], 0x1000)
	eq(t, "r4", th.R[4], 0x4444)
	eq(t, "r14", th.R[14], 0x100e)
	eq(t, "cpsr", th.CPSR, cpsrUser|1<<31|5<<16)
	eq(t, "d0", m.fp.D[0], 0x5555)
	eq(t, "d31", m.fp.D[63], 0x203f)
	eq(t, "mask", th.sigMask, 0x80<<32)
}

func TestFaults(t *testing.T) {
	const badAddress = 0x08000004
	for _, c := range []struct {
		what      string
		fault     func(m *machineUnderTest)
		sig       int32
		code      int8
		addr      uint32
		addrKnown bool
	}{
		{"read of nothing", func(m *machineUnderTest) { m.load(badAddress) }, sigSEGV, segvMap, badAddress, true},
		{"write of nil", func(m *machineUnderTest) { m.store(8, 1) }, sigSEGV, segvMap, 8, true},
		{"write of text", func(m *machineUnderTest) { m.store(testText, 1) }, sigSEGV, segvAcc, testText, true},
		{"write of rodata", func(m *machineUnderTest) { m.store(testRodata, 1) }, sigSEGV, segvAcc, testRodata, true},
		{"read of the kernel", func(m *machineUnderTest) { m.load(0xfff00000) }, sigSEGV, segvAcc, 0xfff00000, true},
		{"read of what is reserved", func(m *machineUnderTest) {
			m.load(uint32(m.mmapCall(0x30000000, pageSize, 0, anonymous)))
		}, sigSEGV, segvAcc, 0x30000000, true},
		{"jump to data", func(m *machineUnderTest) {
			m.status, m.addr = faultPermPage, testData
			m.trap(trapPrefetch)
		}, sigSEGV, segvAcc, testData, true},
		{"jump to nothing", func(m *machineUnderTest) {
			m.status, m.addr = faultTransPage, badAddress
			m.trap(trapPrefetch)
		}, sigSEGV, segvMap, badAddress, true},
		{"breakpoint", func(m *machineUnderTest) {
			m.status, m.addr = faultDebug, testText
			m.trap(trapPrefetch)
		}, sigTRAP, trapBreak, testText, true},
		{"unaligned", func(m *machineUnderTest) {
			m.status, m.addr = faultAlignment, testData+1
			m.trap(trapData)
		}, sigBUS, busAlign, testData + 1, true},
		{"external abort", func(m *machineUnderTest) {
			m.status, m.addr = 8, 0x50000000
			m.trap(trapData)
		}, sigBUS, busAddr, 0x50000000, true},
		{"undefined instruction", func(m *machineUnderTest) { m.trap(trapUndefined) }, sigILL, illOpcode, testSVC, true},
	} {
		t.Run(c.what, func(t *testing.T) {
			m := newTestKernel(t)
			m.handler(uint32(c.sig), testText+0x200, 0)
			th := &m.threads[m.cur]
			c.fault(m)
			m.check()
			sp := th.R[13]
			eq(t, "pc", th.PC, testText+0x200)
			eq(t, "signal", int32(m.peek(sp)), c.sig)
			eq(t, "code", int8(m.peek(sp+8)), c.code)
			eq(t, "address", m.peek(sp+12), c.addr)
			eq(t, "fault_address", m.peek(sp+frameFault), c.addr)

			// Once more in the handler, where the signal is blocked.
			c.fault(m)
			m.expectExit(128 + c.sig)

			// Without a handler.
			m = newTestKernel(t)
			c.fault(m)
			m.expectExit(128 + c.sig)
		})
	}
}

func TestNoDeferNests(t *testing.T) {
	m := newTestKernel(t)
	m.handler(sigSEGV, testText+0x200, saNoDefer)
	th := &m.threads[m.cur]
	sp := th.R[13]
	for range 3 {
		m.load(8)
		m.check()
		if th.R[13] >= sp {
			t.Fatalf("sp %#x after %#x", th.R[13], sp)
		}
		sp = th.R[13]
	}
	for range 3 {
		th.R[7] = sysRtSigreturn
		m.trap(trapSyscall)
		m.check()
	}
	eq(t, "pc at last", th.PC, testSVC)
}

func TestPendingAndMasks(t *testing.T) {
	m := newTestKernel(t)
	for _, sig := range []uint32{10, 12, 40} {
		m.handler(sig, testText+0x200+sig*4, 0)
	}
	th := &m.threads[m.cur]
	block := func(how int, set uint64) {
		m.poke(m.scratch, uint32(set), uint32(set>>32))
		m.beginCall(sysRtSigprocmask, uint32(how), m.scratch, m.scratch+16, 8)
		m.check()
	}
	block(0, ^uint64(0))
	eq(t, "mask", th.sigMask, ^uint64(unblockable))
	th.PC = testSVC
	for _, sig := range []uint32{40, 12, 10} {
		m.wantCall(0, sysTgkill, 1, uint32(th.tid), sig)
	}
	block(1, sigBit(12))
	eq(t, "the one let through", th.PC, testText+0x200+48)
	eq(t, "result in the frame", m.peek(th.R[13]+frameR0), 0)
	th.PC = testSVC
	block(2, 0)
	// 10 is delivered first, 40 on top of it.
	eq(t, "on top", th.PC, testText+0x200+160)
	th.R[7] = sysRtSigreturn
	m.trap(trapSyscall)
	eq(t, "below", th.PC, testText+0x200+40)
	m.wantCall(EINVAL, sysRtSigprocmask, 7, m.scratch, 0, 8)
	m.wantCall(EINVAL, sysRtSigprocmask, 0, m.scratch, 0, 4)
}

func TestSigactionRefuses(t *testing.T) {
	m := newTestKernel(t)
	act := m.scratch
	for _, c := range []struct {
		sig, act, size uint32
		want           errno
	}{
		{0, act, 8, EINVAL}, {65, act, 8, EINVAL}, {sigKILL, act, 8, EINVAL}, {sigSTOP, act, 8, EINVAL},
		{10, act, 4, EINVAL}, {sigKILL, 0, 8, 0}, {64, act, 8, 0},
	} {
		m.wantCall(c.want, sysRtSigaction, c.sig, c.act, 0, c.size)
	}
	m.handler(10, 0x1234, saOnStack)
	m.wantCall(0, sysRtSigaction, 10, 0, act, 8)
	eq(t, "handler", m.peek(act), 0x1234)
	eq(t, "flags", m.peek(act+4), saOnStack)
}

func TestAltStack(t *testing.T) {
	m := newTestKernel(t)
	set := func(want errno, words ...uint32) {
		t.Helper()
		m.poke(m.scratch, words...)
		m.wantCall(want, sysSigaltstack, m.scratch, 0)
	}
	read := func() (uint32, uint32, uint32) {
		m.wantCall(0, sysSigaltstack, 0, m.scratch)
		return m.peek(m.scratch), m.peek(m.scratch + 4), m.peek(m.scratch + 8)
	}
	if _, flags, _ := read(); flags != ssDisable {
		t.Errorf("at first: flags %d", flags)
	}
	set(ENOMEM, m.scratch+0x1000, 0, minAltStack-1)
	set(EINVAL, m.scratch+0x1000, 4, 0x2000)
	set(0, m.scratch+0x1000, 0, 0x2000)
	if at, flags, size := read(); at != m.scratch+0x1000 || flags != 0 || size != 0x2000 {
		t.Errorf("set: %#x %d %#x", at, flags, size)
	}
	th := &m.threads[m.cur]
	sp := th.R[13]
	th.R[13] = m.scratch + 0x1800
	set(EPERM, m.scratch+0x4000, 0, 0x2000)
	if _, flags, _ := read(); flags != ssOnStack {
		t.Errorf("on it: flags %d", flags)
	}
	// A handler that runs on it already goes on below.
	m.handler(10, testText, saOnStack)
	m.wantCall2(sysTgkill, 1, uint32(th.tid), 10)
	eq(t, "sp of a nested handler", th.R[13], m.scratch+0x1800-sigframeSize)
	th.PC, th.R[13] = testSVC, sp
	set(0, 0, ssDisable, 0)
	if _, flags, _ := read(); flags != ssDisable {
		t.Errorf("disabled: flags %d", flags)
	}
	i := m.newThread()
	eq(t, "a new thread's", m.threads[i].altSize, 0)
}

// wantCall2 makes a call after which a handler runs.
func (m *machineUnderTest) wantCall2(nr uint32, args ...uint32) {
	m.t.Helper()
	m.beginCall(nr, args...)
	m.check()
	if m.threads[m.cur].PC == testSVC+4 {
		m.t.Fatalf("no handler runs")
	}
}

// TestRestart: a read that a signal interrupts starts over after the handler; a
// sleep and epoll_wait say EINTR.
func TestRestart(t *testing.T) {
	const handlerAt = testText + 0x200
	for _, c := range []struct {
		what  string
		begin func(m *machineUnderTest) int32
		again bool
	}{
		{"read of the console", func(m *machineUnderTest) int32 { return m.call(sysRead, 0, m.scratch, 10) }, true},
		{"nanosleep", func(m *machineUnderTest) int32 {
			m.poke(m.scratch, 5, 0)
			return m.call(sysNanosleep, m.scratch, 0)
		}, false},
		{"epoll_wait", func(m *machineUnderTest) int32 {
			return m.call(sysEpollWait, m.mustCall(sysEpollCreate1), m.scratch, 4, ^uint32(0))
		}, false},
		{"epoll_wait with a timeout", func(m *machineUnderTest) int32 {
			return m.call(sysEpollWait, m.mustCall(sysEpollCreate1), m.scratch, 4, 1000)
		}, false},
	} {
		t.Run(c.what, func(t *testing.T) {
			m := newTestKernel(t)
			m.handler(10, handlerAt, 0)
			back := m.cur
			i := m.newThread()
			m.run(i)
			if r := c.begin(m); r != blocked {
				t.Fatalf("result %d", r)
			}
			m.run(back)
			th := &m.threads[i]
			// What is ignored or blocked does not disturb it.
			m.wantCall(0, sysTgkill, 1, uint32(th.tid), sigURG)
			eq(t, "state after an ignored signal", th.state, threadBlocked)
			m.wantCall(0, sysTgkill, 1, uint32(th.tid), 10)
			m.run(i)
			eq(t, "pc", th.PC, handlerAt)
			pc, r0 := m.peek(th.R[13]+framePC), int32(m.peek(th.R[13]+frameR0))
			if c.again && pc != testSVC || !c.again && (pc != testSVC+4 || r0 != EINTR) {
				t.Errorf("after the handler: pc %#x, r0 %d", pc, r0)
			}
			eq(t, "timers", m.timers.n, 0)
		})
	}
}

// TestSignalBeforeSecondAttempt: the signal comes when epoll_wait has been woken
// but has not run again. Its deadline must not outlive it.
func TestSignalBeforeSecondAttempt(t *testing.T) {
	m := newTestKernel(t)
	m.handler(10, testText+0x200, 0)
	back := m.cur
	ep := m.mustCall(sysEpollCreate1)
	ev := m.mustCall(sysEventfd2, 0, oNonblock)
	m.poke(m.scratch, pollIn, 0, 1, 2)
	m.wantCall(0, sysEpollCtl, ep, 1, ev, m.scratch)
	i := m.newThread()
	m.run(i)
	if r := m.call(sysEpollWait, ep, m.scratch+64, 4, 100); r != blocked {
		t.Fatal(r)
	}
	m.run(back)
	m.poke(m.scratch+128, 1, 0)
	m.wantCall(8, sysWrite, ev, m.scratch+128, 8)
	th := &m.threads[i]
	eq(t, "state", th.state, threadReady)
	m.wantCall(0, sysTgkill, 1, uint32(th.tid), 10)
	m.run(i)
	eq(t, "pc", th.PC, testText+0x200)
	eq(t, "r0 after the handler", int32(m.peek(th.R[13]+frameR0)), EINTR)
	eq(t, "pc after the handler", m.peek(th.R[13]+framePC), testSVC+4)
	// An epoll_wait of the handler's own knows nothing of the other's deadline.
	th.PC = testSVC
	m.wantCall(8, sysRead, ev, m.scratch+128, 8)
	if r := m.call(sysEpollWait, ep, m.scratch+64, 4, ^uint32(0)); r != blocked {
		t.Errorf("an endless epoll_wait: %d", r)
	}
	eq(t, "timers", m.timers.n, 0)
}

func TestKill(t *testing.T) {
	m := newTestKernel(t)
	for _, c := range []struct {
		pid  int32
		sig  uint32
		want errno
	}{{2, 10, ESRCH}, {1, 65, EINVAL}, {1, 0, 0}, {0, 0, 0}, {-1, 0, 0}, {1, sigCHLD, 0}, {1, sigWNCH, 0}} {
		m.wantCall(c.want, sysKill, uint32(c.pid), c.sig)
	}
	m.wantCall(EINVAL, sysTgkill, 1, uint32(m.threads[m.cur].tid), 65)
	m.wantCall(ESRCH, sysTgkill, 2, uint32(m.threads[m.cur].tid), 10)
	m.wantCall(ESRCH, sysTkill, 0, 10)
	m.wantCall(ESRCH, sysTkill, ^uint32(0), 10)
	m.wantCall(0, sysTkill, uint32(m.threads[m.cur].tid), 0)

	// It goes to a thread that lets it through, also one that waits.
	m.handler(10, testText+0x200, 0)
	i := m.futexWaiter(m.scratch + 64)
	m.poke(m.scratch, 1<<9, 0)
	m.wantCall(0, sysRtSigprocmask, 0, m.scratch, 0, 8)
	m.wantCall(0, sysKill, 1, 10)
	eq(t, "the waiting thread", m.threads[i].state, threadReady)
	m.run(i)
	eq(t, "its pc", m.threads[i].PC, testText+0x200)

	m = newTestKernel(t)
	m.beginCall(sysKill, 1, 15)
	m.expectExit(143)
	m = newTestKernel(t)
	i = m.futexWaiter(m.scratch)
	m.beginCall(sysTgkill, 1, uint32(m.threads[i].tid), sigKILL)
	for range 3 {
		if !m.exited {
			m.beginCall(sysSchedYield)
		}
	}
	m.expectExit(137)
}

// TestFrameWithoutStack: nowhere to put the frame ends the program, once.
func TestFrameWithoutStack(t *testing.T) {
	for _, sp := range []uint32{0, 8, 100, 0x08000000, userEnd, userEnd + 872, 0xffffffff, testRodata + 0x1000} {
		m := newTestKernel(t)
		m.handler(10, testText, 0)
		m.threads[m.cur].R[13] = sp
		m.beginCall(sysTkill, uint32(m.threads[m.cur].tid), 10)
		m.expectExit(128 + sigSEGV)
		m = newTestKernel(t)
		m.threads[m.cur].R[13] = sp | 4
		m.beginCall(sysRtSigreturn)
		m.expectExit(128 + sigSEGV)
	}
}

// FuzzSigreturn gives sigreturn any frame: what comes back is user mode.
func FuzzSigreturn(f *testing.F) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 10 {
		f.Add(randomBytes(r, sigframeSize), uint32(0))
	}
	f.Add(make([]byte, sigframeSize), uint32(0x1d3))
	f.Add(make([]byte, sigframeSize), ^uint32(0))
	m := newTestKernel(f)
	f.Fuzz(func(t *testing.T, frame []byte, cpsr uint32) {
		m.t = t
		th := &m.threads[m.cur]
		sp := m.scratch + pageSize - 400&^7
		frame = frame[:min(len(frame), sigframeSize)]
		m.pokeBytes(sp, frame)
		if cpsr != 0 {
			m.poke(sp+frameCPSR, cpsr)
		}
		th.R[13] = sp
		th.R[7] = sysRtSigreturn
		m.trap(trapSyscall)
		if th.CPSR&0xff != cpsrUser || th.CPSR&^uint32(cpsrFlags) != cpsrUser || th.PC&3 != 0 {
			t.Fatalf("cpsr %#x, pc %#x", th.CPSR, th.PC)
		}
		eq(t, "r0", th.R[0], m.peek(sp+frameR0))
		eq(t, "sp", th.R[13], m.peek(sp+frameR0+52))
		th.PC = testSVC
		m.check()
	})
}
