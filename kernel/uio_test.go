//go:build !arm

package kernel

import (
	"strings"
	"testing"
)

func TestUIO(t *testing.T) {
	m := newTestKernel(t)
	fd := uint32(m.openPath("/dev/uio0", 2|oNonblock))
	eq(t, "open of an open device", m.openPath("/dev/uio0", 2), EBUSY)
	buf := m.scratch + 0x100
	unmask := func(v uint32) { m.poke(buf, v); m.wantCall(4, sysWrite, fd, buf, 4) }
	m.wantCall(EAGAIN, sysRead, fd, buf, 4)
	m.wantCall(EINVAL, sysRead, fd, buf, 3)
	m.wantCall(EINVAL, sysWrite, fd, buf, 8)
	m.masked[150] = true
	unmask(1)
	if m.masked[150] {
		t.Error("write of 1 did not unmask the interrupt")
	}
	m.interruptBy(150)
	if !m.masked[150] {
		t.Error("the interrupt is not masked after it came")
	}
	m.interruptBy(150)
	m.wantCall(EFAULT, sysRead, fd, 0, 4)
	m.wantCall(4, sysRead, fd, buf, 4)
	eq(t, "count", m.peek(buf), 2)
	m.wantCall(EAGAIN, sysRead, fd, buf, 4)
	unmask(1)
	unmask(0)
	if !m.masked[150] {
		t.Error("write of 0 did not mask the interrupt")
	}
	unmask(1)

	ep := m.mustCall(sysEpollCreate1)
	m.watch(ep, fd, pollIn|pollET)
	m.wantPoll("quiet", ep)
	m.interruptBy(150)
	m.wantPoll("after an interrupt", ep, fd, pollIn)
	unmask(1)
	m.wantCall(0, sysClose, fd)
	if !m.masked[150] {
		t.Error("the interrupt of a closed device is not masked")
	}
	m.interruptBy(150) // nobody listens
	m.interruptBy(99)  // nobody has it
	if !m.masked[99] {
		t.Error("an interrupt that nobody has is not masked")
	}
	// Who opens it again hears of new interrupts only.
	fd = uint32(m.openPath("/dev/uio0", 2|oNonblock))
	m.wantCall(EAGAIN, sysRead, fd, buf, 4)
	m.interruptBy(150)
	m.wantCall(4, sysRead, fd, buf, 4)
	eq(t, "count since boot", m.peek(buf), 5)

	quiet := uint32(m.openPath("/dev/uio2", 2))
	m.wantCall(EINVAL, sysRead, quiet, buf, 4)
	m.poke(buf, 1)
	m.wantCall(EINVAL, sysWrite, quiet, buf, 4)
}

func TestMapDevice(t *testing.T) {
	m := newTestKernel(t)
	fd := uint32(m.openPath("/dev/uio0", 2))
	other := uint32(m.openPath("/dev/uio1", 2))
	for _, c := range []struct {
		what                         string
		size, prot, flags, fd, index uint32
		want                         errno
	}{
		{"too much of the registers", 0x5000, rw, mapShared, fd, 0, EINVAL},
		{"too much DMA memory", 0x9000, rw, mapShared, fd, 1, EINVAL},
		{"region 2", 0x1000, rw, mapShared, fd, 2, EINVAL},
		{"private", 0x1000, rw, mapPrivate, fd, 0, EINVAL},
		{"no rights", 0x1000, 0, mapShared, fd, 0, EINVAL},
		{"executable", 0x1000, protRead | protExec, mapShared, fd, 0, EACCES},
		{"no DMA memory", 0x1000, rw, mapShared, other, 1, EINVAL},
	} {
		if got := m.call(sysMmap2, 0, c.size, c.prot, c.flags, c.fd, c.index); got != c.want {
			t.Errorf("%s: %d, want %d", c.what, got, c.want)
		}
	}
	committed := m.frames.committed
	regs := m.mustCall(sysMmap2, 0, 0x4000, rw, mapShared, fd, 0)
	for i := uint32(0); i < 4; i++ {
		eq(t, "registers", m.entry(regs+i*pageSize), 0x02188000+i*pageSize|pteDevice|pteUser)
	}
	ro := m.mustCall(sysMmap2, 0, 1, protRead, mapShared, fd, 0)
	eq(t, "registers, read-only", m.entry(ro), 0x02188000|pteDevice|pteUser|pteRO)
	dma := m.mustCall(sysMmap2, 0, 0x8000, rw, mapShared, fd, 1)
	eq(t, "DMA memory", m.entry(dma+0x7000), testDMA+0x7000|pteUncached|pteUser)
	eq(t, "committed", m.frames.committed, committed)
	m.store(dma+0x10, 0x1234)
	eq(t, "DMA memory in RAM", *m.word(testDMA + 0x10), 0x1234)

	// The kernel copies to and from DMA memory, but never touches registers for the program.
	m.wantCall(0, sysUname, dma)
	m.wantCall(EFAULT, sysUname, regs)
	m.wantCall(EFAULT, sysWrite, 1, regs, 1)
	m.wantCall(EACCES, sysMprotect, regs, pageSize, protRead)
	m.store(dma+0x10, 0x5678)
	m.wantCall(0, sysMadvise, dma, 0x8000, madvDontNeed)
	eq(t, "DMA memory after madvise", m.peek(dma+0x10), 0x5678)

	// Over memory, and memory over it.
	used := m.frames.used
	m.store(m.scratch, 1)
	m.store(m.scratch+pageSize, 1)
	m.wantCall(int32(m.scratch), sysMmap2, m.scratch, 2*pageSize, rw, mapShared|mapFixed, fd, 1)
	if m.frames.used > used {
		t.Errorf("%d frames in use, before %d", m.frames.used, used)
	}
	eq(t, "committed", m.frames.committed, committed-2)
	m.wantCall(int32(m.scratch), sysMmap2, m.scratch, 2*pageSize, rw, anonymous|mapFixed, noFD, 0)
	eq(t, "contents", m.peek(m.scratch), 0)
	m.wantCall(0, sysMunmap, regs, 0x4000)
	m.wantCall(0, sysMunmap, dma, 0x8000)
}

func (m *machineUnderTest) readFile(path string, piece uint32) string {
	m.t.Helper()
	fd := m.openPath(path, 0)
	if fd < 0 {
		m.t.Fatalf("open of %s: %d", path, fd)
	}
	var s strings.Builder
	for {
		n := m.mustCall(sysRead, uint32(fd), m.scratch, piece)
		if n == 0 {
			m.wantCall(EBADF, sysWrite, uint32(fd), m.scratch, 1)
			m.wantCall(0, sysClose, uint32(fd))
			return s.String()
		}
		s.Write(m.peekBytes(m.scratch, int(n)))
	}
}

func TestTexts(t *testing.T) {
	m := newTestKernel(t)
	for path, want := range map[string]string{
		"/sys/class/uio/uio0/name":           "first\n",
		"/sys/class/uio/uio1/name":           "second-with-a-l\n",
		"/sys/class/uio/uio0/maps/map0/addr": "0x02188000\n",
		"/sys/class/uio/uio0/maps/map0/size": "0x00004000\n",
		"/sys/class/uio/uio0/maps/map1/addr": "0x80700000\n",
		"/sys/class/uio/uio0/maps/map1/size": "0x00008000\n",
	} {
		for _, piece := range []uint32{1, 7, 4096} {
			if got := m.readFile(path, piece); got != want {
				t.Errorf("%s: %q, want %q", path, got, want)
			}
		}
	}
	mem := m.readFile("/proc/meminfo", 4096)
	for _, line := range []string{"MemTotal:       ", "MemFree:        ", "CommitLimit:    ", "Committed_AS:   "} {
		if !strings.Contains(mem, line) {
			t.Errorf("/proc/meminfo: %q", mem)
		}
	}
	m.call(9999)
	if stats := m.readFile("/proc/ingot", 4096); !strings.Contains(stats, "unknown 1\n") || !strings.Contains(stats, "threads 1\n") {
		t.Errorf("/proc/ingot: %q", stats)
	}
	for _, c := range []struct {
		v    uint64
		want string
	}{{0, "0"}, {9, "9"}, {10, "10"}, {4294967295, "4294967295"}, {1e19, "10000000000000000000"}, {1<<64 - 1, "18446744073709551615"}} {
		var b textBuffer
		b.decimal(c.v)
		eq(t, "decimal", string(b.text[:b.n]), c.want)
	}
	var b textBuffer
	for range 100 {
		b.string("more than fits ")
	}
	eq(t, "length of a full buffer", b.n, 512)
}
