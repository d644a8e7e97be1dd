//go:build !arm

package kernel

import (
	"bytes"
	"testing"
)

func TestOpenClose(t *testing.T) {
	m := newTestKernel(t)
	for _, c := range []struct {
		path  string
		flags uint32
		want  int32 // a descriptor is any
	}{
		{"/dev/null", 2, 0},
		{"/dev/random", 0, 0},
		{"/dev/urandom", 2, 0},
		{"/dev/uio0", 2, 0},
		{"/dev/uio2", 2, 0},
		{"/dev/uio3", 2, ENOENT},
		{"/dev/uio", 2, ENOENT},
		{"/dev/uio00", 2, ENOENT},
		{"/dev/uio0x", 2, ENOENT},
		{"/dev/uio-1", 2, ENOENT},
		{"/dev/uio100", 2, ENOENT},
		{"/proc/meminfo", 0, 0},
		{"/proc/ingot", 0, 0},
		{"/proc/ingot", 1, EACCES},
		{"/proc/ingot", 2, EACCES},
		{"/proc", 0, ENOENT},
		{"", 0, ENOENT},
		{"/etc/hosts", 0, ENOENT},
		{"/sys/class/uio/uio0/name", 0, 0},
		{"/sys/class/uio/uio0/maps/map1/size", 0, 0},
		{"/sys/class/uio/uio1/maps/map1/size", 0, ENOENT}, // has no DMA memory
		{"/sys/class/uio/uio0/maps/map2/size", 0, ENOENT},
		{"/sys/class/uio/uio3/name", 0, ENOENT},
	} {
		got := m.openPath(c.path, c.flags)
		if c.want == 0 && got != 3 || c.want != 0 && got != c.want {
			t.Errorf("open of %q: %d, want %d", c.path, got, c.want)
		}
		if got >= 0 {
			m.wantCall(0, sysClose, uint32(got))
			m.wantCall(EBADF, sysClose, uint32(got))
		}
	}
	for fd := int32(3); fd < MaxFiles; fd++ {
		eq(t, "lowest free descriptor", m.openPath("/dev/null", 2), fd)
	}
	for _, nr := range []uint32{sysEpollCreate1, sysEventfd2} {
		m.wantCall(EMFILE, nr)
	}
	m.wantCall(EMFILE, sysPipe2, m.scratch)
	eq(t, "open", m.openPath("/dev/null", 2), EMFILE)
	m.wantCall(0, sysClose, 40)
	m.wantCall(EMFILE, sysPipe2, m.scratch) // it needs two
	eq(t, "open", m.openPath("/dev/null", 2), 40)
	for _, fd := range []uint32{MaxFiles, 1 << 31, ^uint32(0), 0xffff0003} {
		m.wantCall(EBADF, sysClose, fd)
		m.wantCall(EBADF, sysRead, fd, m.scratch, 1)
		m.wantCall(EBADF, sysWrite, fd, m.scratch, 1)
		m.wantCall(EBADF, sysFcntl64, fd, 3)
		m.wantCall(EBADF, sysIoctl, fd, 3)
	}
}

func TestTablesRunOut(t *testing.T) {
	m := newTestKernel(t)
	for _, c := range []struct{ nr, max uint32 }{{sysEpollCreate1, MaxPolls}, {sysEventfd2, MaxEventFDs}} {
		var fds []uint32
		for range c.max {
			fds = append(fds, m.mustCall(c.nr))
		}
		m.wantCall(EMFILE, c.nr)
		m.wantCall(0, sysClose, fds[1])
		m.wantCall(int32(fds[1]), c.nr)
	}
	for range MaxPipes {
		m.wantCall(0, sysPipe2, m.scratch)
	}
	m.wantCall(EMFILE, sysPipe2, m.scratch)
}

func TestFcntl(t *testing.T) {
	m := newTestKernel(t)
	fd := m.mustCall(sysEventfd2, 0, 0)
	m.wantCall(2, sysFcntl64, fd, 3)
	m.wantCall(0, sysFcntl64, fd, 4, oNonblock|1)
	m.wantCall(2|oNonblock, sysFcntl, fd, 3)
	m.wantCall(EAGAIN, sysRead, fd, m.scratch, 8)
	m.wantCall(0, sysFcntl64, fd, 4, 0)
	m.wantCall(2, sysFcntl64, fd, 3)
	m.wantCall(0, sysFcntl64, fd, 1)
	m.wantCall(EINVAL, sysFcntl64, fd, 99)
}

func TestEventFD(t *testing.T) {
	m := newTestKernel(t)
	m.wantCall(EINVAL, sysEventfd2, 0, 1) // EFD_SEMAPHORE
	fd := m.mustCall(sysEventfd2, 3, oNonblock|0x80000)
	m.poke(m.scratch, 4, 1)
	m.wantCall(8, sysWrite, fd, m.scratch, 8)
	m.wantCall(EINVAL, sysRead, fd, m.scratch, 7)
	m.wantCall(EINVAL, sysWrite, fd, m.scratch, 7)
	m.wantCall(EFAULT, sysRead, fd, 0, 8)
	m.wantCall(8, sysRead, fd, m.scratch, 100)
	eq(t, "sum, low", m.peek(m.scratch), 7)
	eq(t, "sum, high", m.peek(m.scratch+4), 1)
	m.wantCall(EAGAIN, sysRead, fd, m.scratch, 8)
	m.poke(m.scratch, ^uint32(0), ^uint32(0))
	m.wantCall(EINVAL, sysWrite, fd, m.scratch, 8)
	m.poke(m.scratch, ^uint32(0)-1, ^uint32(0))
	m.wantCall(8, sysWrite, fd, m.scratch, 8)
	m.poke(m.scratch, 1, 0)
	m.wantCall(EAGAIN, sysWrite, fd, m.scratch, 8)

	// A full counter makes a writer wait, a read lets it go on.
	m.wantCall(0, sysFcntl64, fd, 4, 0)
	back := m.cur
	i := m.newThread()
	m.run(i)
	if r := m.call(sysWrite, fd, m.scratch, 8); r != blocked {
		t.Fatal(r)
	}
	m.run(back)
	m.wantCall(8, sysRead, fd, m.scratch+8, 8)
	m.run(i)
	eq(t, "write", m.finish(), 8)
}

func TestPipe(t *testing.T) {
	m := newTestKernel(t)
	committed := m.frames.committed
	m.wantCall(0, sysPipe2, m.scratch, oNonblock)
	out, in := m.peek(m.scratch), m.peek(m.scratch+4)
	buf := m.scratch + pageSize
	m.wantCall(EBADF, sysRead, in, buf, 1)
	m.wantCall(EBADF, sysWrite, out, buf, 1)
	m.wantCall(0, sysRead, out, buf, 0)
	m.wantCall(0, sysWrite, in, buf, 0)
	m.wantCall(EAGAIN, sysRead, out, buf, 1)

	// Bytes come out as they went in, around the ring's end too.
	var model []byte
	next := byte(0)
	for _, n := range []int{1, 100, 4000, 4000, 4096, 1, 5000, 7} {
		b := make([]byte, n)
		for i := range b {
			b[i] = next
			next += 3
		}
		m.pokeBytes(buf, b)
		want := int32(min(n, pipeSize-len(model)))
		if want == 0 {
			want = EAGAIN
		}
		m.wantCall(want, sysWrite, in, buf, uint32(n))
		if want > 0 {
			model = append(model, b[:want]...)
		} else {
			want = 0
		}
		next -= 3 * byte(n-int(want))
		r := min(len(model), n*2/3)
		if r == 0 {
			continue
		}
		m.wantCall(int32(r), sysRead, out, buf, uint32(r))
		if !bytes.Equal(m.peekBytes(buf, r), model[:r]) {
			t.Fatalf("%d bytes came out wrong", r)
		}
		model = model[r:]
	}
	// A bad address after good ones: what fitted counts, and nothing is lost.
	m.wantCall(int32(len(model)), sysRead, out, buf, 10000)
	m.pokeBytes(buf, bytes.Repeat([]byte{9}, pipeSize))
	m.wantCall(pipeSize, sysWrite, in, buf, pipeSize)
	end := m.scratch + 16*pageSize
	r := m.call(sysRead, out, end-100, 4000)
	left := int32(m.pipes[0].n)
	if r == EFAULT && left != pipeSize || r > 0 && r+left != pipeSize {
		t.Errorf("read over the end of memory: %d, and %d bytes are left", r, left)
	}

	m.wantCall(0, sysClose, out)
	m.wantCall(EPIPE, sysWrite, in, buf, 1)
	m.wantCall(0, sysClose, in)
	eq(t, "committed after close", m.frames.committed, committed)
}

func TestPipeBlocks(t *testing.T) {
	m := newTestKernel(t)
	m.wantCall(0, sysPipe2, m.scratch)
	out, in := m.peek(m.scratch), m.peek(m.scratch+4)
	buf := m.scratch + pageSize
	back := m.cur
	reader := m.newThread()
	m.run(reader)
	if r := m.call(sysRead, out, buf, 10); r != blocked {
		t.Fatal(r)
	}
	m.run(back)
	m.wantCall(5, sysWrite, in, buf, 5)
	m.run(reader)
	eq(t, "read", m.finish(), 5)
	if r := m.call(sysRead, out, buf, 10); r != blocked {
		t.Fatal(r)
	}
	m.run(back)
	m.wantCall(0, sysClose, in)
	m.run(reader)
	eq(t, "read at the end", m.finish(), 0)
}

// TestCloseEndsWaits: who waits at a descriptor that is closed gets EBADF, even if
// the number is another file's before it runs.
func TestCloseEndsWaits(t *testing.T) {
	m := newTestKernel(t)
	back := m.cur
	ev := m.mustCall(sysEventfd2, 0, 0)
	ep := m.mustCall(sysEpollCreate1)
	reader, poller := m.newThread(), m.newThread()
	m.run(reader)
	if r := m.call(sysRead, ev, m.scratch, 8); r != blocked {
		t.Fatal(r)
	}
	m.run(poller)
	if r := m.call(sysEpollWait, ep, m.scratch, 4, 5000); r != blocked {
		t.Fatal(r)
	}
	m.run(back)
	m.wantCall(0, sysClose, ev)
	m.wantCall(0, sysClose, ep)
	m.wantCall(int32(ev), sysEventfd2, 1, 0)
	m.wantCall(int32(ep), sysEventfd2, 1, 0)
	m.run(reader)
	eq(t, "read", m.finish(), EBADF)
	m.run(poller)
	eq(t, "epoll_wait", m.finish(), EBADF)
	eq(t, "timers", m.timers.n, 0)
}

// watch adds a descriptor to an epoll instance, with its number as data.
func (m *machineUnderTest) watch(ep, fd, events uint32) {
	m.t.Helper()
	m.poke(m.scratch, events, 0, fd, ^fd)
	m.wantCall(0, sysEpollCtl, ep, 1, fd, m.scratch)
}

// poll is an epoll_wait that does not wait; it returns events by descriptor.
func (m *machineUnderTest) poll(ep uint32) map[uint32]uint32 {
	m.t.Helper()
	n := m.mustCall(sysEpollWait, ep, m.scratch+0x800, 64, 0)
	got := map[uint32]uint32{}
	for i := range n {
		at := m.scratch + 0x800 + i*16
		fd := m.peek(at + 8)
		if m.peek(at+12) != ^fd {
			m.t.Fatalf("data of event %d: %#x %#x", i, fd, m.peek(at+12))
		}
		if _, twice := got[fd]; twice {
			m.t.Fatalf("descriptor %d is reported twice", fd)
		}
		got[fd] = m.peek(at)
	}
	return got
}

func (m *machineUnderTest) wantPoll(what string, ep uint32, want ...uint32) {
	m.t.Helper()
	got := m.poll(ep)
	if len(got)*2 != len(want) {
		m.t.Fatalf("%s: events %v, want %v", what, got, want)
	}
	for i := 0; i < len(want); i += 2 {
		if got[want[i]] != want[i+1] {
			m.t.Fatalf("%s: events %v, want %v", what, got, want)
		}
	}
}

func TestEpollEdgeAndLevel(t *testing.T) {
	m := newTestKernel(t)
	edge, level := m.mustCall(sysEpollCreate1), m.mustCall(sysEpollCreate1)
	m.wantCall(0, sysPipe2, m.scratch+0x100, oNonblock)
	out, in := m.peek(m.scratch+0x100), m.peek(m.scratch+0x104)
	for _, fd := range []uint32{in, out} {
		m.watch(edge, fd, pollIn|pollOut|pollET)
		m.watch(level, fd, pollIn|pollOut)
	}
	buf := m.scratch + pageSize
	m.wantPoll("edge, at first", edge, in, pollOut)
	m.wantPoll("edge, again", edge)
	m.wantPoll("level", level, in, pollOut)
	m.wantPoll("level, again", level, in, pollOut)
	m.wantCall(4000, sysWrite, in, buf, 4000)
	m.wantPoll("edge, written", edge, out, pollIn)
	m.wantPoll("level, written", level, out, pollIn, in, pollOut)
	m.wantCall(10, sysRead, out, buf, 10)
	m.wantPoll("edge, read a little", edge, in, pollOut)
	m.wantCall(10, sysWrite, in, buf, 10)
	m.wantPoll("edge, more came", edge, out, pollIn)
	m.wantCall(96, sysWrite, in, buf, 1000)
	m.wantPoll("level, full", level, out, pollIn)
	m.wantCall(0, sysClose, in)
	m.wantPoll("edge, hung up", edge, out, pollIn|pollHup)
	m.wantCall(4096, sysRead, out, buf, 5000)
	m.wantPoll("level, at the end", level, out, pollHup)
	m.wantCall(0, sysRead, out, buf, 5000)
	m.wantCall(0, sysClose, out)
	m.wantPoll("edge, closed", edge)
	m.wantPoll("level, closed", level)

	m.wantCall(0, sysPipe2, m.scratch+0x100, oNonblock)
	out, in = m.peek(m.scratch+0x100), m.peek(m.scratch+0x104)
	m.watch(edge, in, pollET)
	m.wantPoll("nothing asked for", edge)
	m.wantCall(0, sysClose, out)
	m.wantPoll("the reader is gone", edge, in, pollErr)
}

func TestEpollCtl(t *testing.T) {
	m := newTestKernel(t)
	ep := m.mustCall(sysEpollCreate1)
	ev := m.mustCall(sysEventfd2, 1, oNonblock)
	null := uint32(m.openPath("/dev/null", 2))
	m.poke(m.scratch, pollIn, 0, 7, ^uint32(7))
	const add, del, mod = 1, 2, 3
	for _, c := range []struct {
		what       string
		ep, op, fd uint32
		want       errno
	}{
		{"mod of nothing", ep, mod, ev, ENOENT},
		{"del of nothing", ep, del, ev, ENOENT},
		{"unknown operation", ep, 9, ev, EINVAL},
		{"no instance", ev, add, ev, EINVAL},
		{"itself", ep, add, ep, EINVAL},
		{"null", ep, add, null, EPERM},
		{"closed", ep, add, 60, EBADF},
		{"closed instance", 60, add, ev, EBADF},
		{"add", ep, add, ev, 0},
		{"add twice", ep, add, ev, EEXIST},
		{"mod", ep, mod, ev, 0},
		{"console", ep, add, 0, 0},
	} {
		if got := m.call(sysEpollCtl, c.ep, c.op, c.fd, m.scratch); got != c.want {
			t.Errorf("%s: %d, want %d", c.what, got, c.want)
		}
	}
	m.poke(m.scratch, pollIn|pollOneShot, 0, 0, 0)
	m.wantCall(EINVAL, sysEpollCtl, ep, mod, ev, m.scratch)
	m.wantPoll("after mod", ep, 7, pollIn)
	m.wantCall(0, sysEpollCtl, ep, del, ev, 0)
	m.wantPoll("after del", ep)
	for _, c := range []struct {
		ep, max uint32
		want    errno
	}{{ep, 0, EINVAL}, {ep, ^uint32(0), EINVAL}, {ev, 1, EINVAL}, {60, 1, EBADF}} {
		m.wantCall(c.want, sysEpollWait, c.ep, m.scratch, c.max, 0)
	}
	m.wantCall(EINVAL, sysEpollPwait, ep, m.scratch, 1, 0, m.scratch, 8)
}

func TestWatchesRunOut(t *testing.T) {
	m := newTestKernel(t)
	eps := []uint32{m.mustCall(sysEpollCreate1), m.mustCall(sysEpollCreate1), m.mustCall(sysEpollCreate1), m.mustCall(sysEpollCreate1)}
	var fds []uint32
	for range MaxPipes {
		m.wantCall(0, sysPipe2, m.scratch)
		fds = append(fds, m.peek(m.scratch), m.peek(m.scratch+4))
	}
	for range MaxEventFDs {
		fds = append(fds, m.mustCall(sysEventfd2))
	}
	fds = append(fds, 0, 1, 2)
	for i := int16(0); i < MaxDevices && i < int16(m.ndevices); i++ {
		fds = append(fds, uint32(m.openPath([]string{"/dev/uio0", "/dev/uio1", "/dev/uio2"}[i], 2)))
	}
	n := 0
	for _, ep := range eps {
		for _, fd := range fds {
			m.poke(m.scratch, pollIn, 0, fd, ^fd)
			r := m.call(sysEpollCtl, ep, 1, fd, m.scratch)
			if n < MaxWatches && r != 0 || n >= MaxWatches && r != ENOSPC {
				t.Fatalf("watch %d: %d", n, r)
			}
			n++
		}
	}
	if n < MaxWatches {
		t.Logf("%d watches are all that %d descriptors need", n, len(fds))
	}
	m.wantCall(0, sysClose, eps[0])
	m.wantCall(0, sysClose, fds[0])
	m.wantCall(0, sysClose, fds[1])
}

func TestEpollTimeout(t *testing.T) {
	m := newTestKernel(t)
	ep := m.mustCall(sysEpollCreate1)
	ev := m.mustCall(sysEventfd2, 0, oNonblock)
	m.watch(ep, ev, pollOut|pollET)
	m.wantPoll("at first", ep, ev, pollOut)
	for _, ms := range []uint32{1, 250, 1 << 20} {
		start := m.time
		m.wantCall(0, sysEpollWait, ep, m.scratch, 4, ms)
		if d := m.nanoseconds(m.time - start); d < uint64(ms)*1e6 || d > uint64(ms)*1e6+1000 {
			t.Errorf("waited %d ns of %d ms", d, ms)
		}
	}
	// Events that nobody asked for don't move the deadline.
	m.poke(m.scratch, pollIn|pollET, 0, ev, ^ev)
	m.wantCall(0, sysEpollCtl, ep, 3, ev, m.scratch)
	back := m.cur
	i := m.newThread()
	m.run(i)
	start := m.time
	if r := m.call(sysEpollWait, ep, m.scratch, 4, 100); r != blocked {
		t.Fatal(r)
	}
	for range 9 {
		m.run(back)
		m.advance(10_000_000)
		m.wakePoll(m.files[ep].object, false)
		m.leave()
		m.run(i)
		m.settle()
		eq(t, "state", m.threads[i].state, threadBlocked)
	}
	m.run(back)
	m.advance(10_500_000)
	m.run(i)
	eq(t, "result", m.finish(), 0)
	if d := m.nanoseconds(m.time - start); d > 110_000_000 {
		t.Errorf("waited %d ns", d)
	}
}

// TestEpollFair: with more ready files than places, all are reported in turn.
func TestEpollFair(t *testing.T) {
	m := newTestKernel(t)
	ep := m.mustCall(sysEpollCreate1)
	seen := map[uint32]int{}
	for range 6 {
		ev := m.mustCall(sysEventfd2, 1, oNonblock)
		m.watch(ep, ev, pollIn)
		seen[ev] = 0
	}
	for range 12 {
		m.wantCall(2, sysEpollWait, ep, m.scratch, 2, 0)
		seen[m.peek(m.scratch+8)]++
		seen[m.peek(m.scratch+24)]++
	}
	for fd, n := range seen {
		eq(t, "reports of a descriptor", n, 4)
		_ = fd
	}
}

// TestEpollAllWaiters: several threads in epoll_wait, and a signal for the one that
// would have taken the event.
func TestEpollAllWaiters(t *testing.T) {
	m := newTestKernel(t)
	m.handler(10, testText+0x200, 0)
	back := m.cur
	ep := m.mustCall(sysEpollCreate1)
	ev := m.mustCall(sysEventfd2, 0, oNonblock)
	m.watch(ep, ev, pollIn|pollET)
	a, b := m.newThread(), m.newThread()
	for _, i := range []int16{a, b} {
		m.run(i)
		if r := m.call(sysEpollWait, ep, m.scratch+0x200, 4, ^uint32(0)); r != blocked {
			t.Fatal(r)
		}
	}
	m.run(back)
	m.poke(m.scratch, 1, 0)
	m.wantCall(8, sysWrite, ev, m.scratch, 8)
	m.wantCall(0, sysTgkill, 1, uint32(m.threads[a].tid), 10)
	m.run(a)
	eq(t, "pc of the first", m.threads[a].PC, testText+0x200)
	m.threads[a].PC, m.threads[a].R[7] = testSVC, 0
	m.run(b)
	eq(t, "events for the second", m.finish(), 1)
}

func TestConsoleInput(t *testing.T) {
	m := newTestKernel(t)
	back := m.cur
	i := m.newThread()
	m.run(i)
	if r := m.call(sysRead, 0, m.scratch, 10); r != blocked {
		t.Fatal(r)
	}
	m.run(back)
	m.interruptBy(58)
	eq(t, "who runs", m.cur, i)
	eq(t, "read", m.finish(), 1)
	eq(t, "byte", m.peekBytes(m.scratch, 1)[0], 'x')
	// The ring holds 256 bytes; what comes then is lost.
	for n := range 300 {
		m.received(byte(n))
	}
	m.leave()
	m.wantCall(0, sysRead, 0, m.scratch, 0)
	m.wantCall(200, sysRead, 0, m.scratch, 200)
	for n := range 100 {
		m.received(byte(n))
	}
	m.leave()
	m.wantCall(156, sysRead, 0, m.scratch+200, 500)
	got := m.peekBytes(m.scratch, 356)
	for n := range got {
		want := byte(n)
		if n >= 256 {
			want = byte(n - 256)
		}
		if got[n] != want {
			t.Fatalf("byte %d is %d", n, got[n])
		}
	}
}

func TestNull(t *testing.T) {
	m := newTestKernel(t)
	fd := uint32(m.openPath("/dev/null", 2))
	m.wantCall(0, sysRead, fd, m.scratch, 10)
	m.wantCall(10, sysWrite, fd, 0, 10)
	m.wantCall(1<<30, sysWrite, fd, 0, ^uint32(0))
}
