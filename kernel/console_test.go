//go:build !arm

package kernel

import (
	"bytes"
	"strings"
	"testing"
)

// writeAll has the running thread write to the console to the end of the call,
// and returns its result and in how many pieces the kernel wrote. between, if
// not nil, runs after each piece but the last.
func (m *machineUnderTest) writeAll(fd, buf, n uint32, between func()) (result int32, pieces int) {
	m.t.Helper()
	t := &m.threads[m.cur]
	m.beginCall(sysWrite, fd, buf, n)
	for pieces = 1; ; pieces++ {
		m.check()
		if &m.threads[m.cur] != t {
			m.t.Fatalf("thread %d runs in place of the one that writes", m.cur)
		}
		if t.PC != testSVC {
			t.PC, t.R[7] = testSVC, 0
			return int32(t.R[0]), pieces
		}
		if between != nil {
			between()
			m.check()
		}
		t.PC += syscallSize
		m.trap(trapSyscall)
	}
}

func TestConsoleWrite(t *testing.T) {
	for _, n := range []int{0, 1, maxConsoleWrite - 1, maxConsoleWrite, maxConsoleWrite + 1, 2 * maxConsoleWrite, 10_001} {
		m := newTestKernel(t)
		text := strings.Repeat("0123456789\nabcde", 1+n/16)[:n]
		m.pokeBytes(m.scratch, []byte(text))
		got, pieces := m.writeAll(1, m.scratch, uint32(n), nil)
		if got != int32(n) || pieces != max(1, (n+maxConsoleWrite-1)/maxConsoleWrite) {
			t.Errorf("%d bytes: %d in %d pieces", n, got, pieces)
		}
		if want := strings.ReplaceAll(text, "\n", "\r\n"); !bytes.Equal(m.output, []byte(want)) {
			t.Errorf("%d bytes: the console shows %d: %.40q...", n, len(m.output), m.output)
		}
	}
}

// A write that runs into memory that isn't there returns what was written.
func TestConsoleWriteFault(t *testing.T) {
	m := newTestKernel(t)
	end := m.scratch + 16*pageSize
	for _, c := range []struct{ n, want int32 }{
		{maxConsoleWrite + 10, maxConsoleWrite + 10},
		{maxConsoleWrite, maxConsoleWrite},
		{10, 10},
		{0, int32(EFAULT)},
	} {
		m.output = nil
		got, _ := m.writeAll(2, end-uint32(c.n), uint32(c.n)+5*maxConsoleWrite, nil)
		if got != c.want || len(m.output) != int(c.n) {
			t.Errorf("%d bytes before the end: %d, and %d on the console; want %d", c.n, got, len(m.output), c.want)
		}
	}
}

// Interrupts are answered and others run between the pieces of a write.
func TestConsoleWriteGivesWay(t *testing.T) {
	m := newTestKernel(t)
	writer, other := m.cur, m.newThread()
	m.run(writer)
	m.beginCall(sysWrite, 1, m.scratch, 4*maxConsoleWrite)
	m.advance(sliceTime)
	m.check()
	if m.cur != other {
		t.Fatalf("thread %d runs after the slice of the writer, want %d", m.cur, other)
	}
	if n := len(m.output); n != maxConsoleWrite {
		t.Errorf("%d bytes written, want one piece", n)
	}
	m.run(writer)
	if m.threads[writer].written == 0 {
		t.Error("the writer has forgotten where it was")
	}
	m.threads[writer].PC += syscallSize
	m.trap(trapSyscall)
	m.check()
	if n := len(m.output); n != 2*maxConsoleWrite {
		t.Errorf("%d bytes written, want two pieces", n)
	}
}

// A signal waits for the end of a write, or Go's preemption would cut off what
// its runtime prints.
func TestConsoleWriteAndSignals(t *testing.T) {
	const handler = testText + 0x200
	m := newTestKernel(t)
	m.handlers[sigURG] = sigaction{handler: handler}
	writer := &m.threads[m.cur]
	m.beginCall(sysWrite, 1, m.scratch, maxConsoleWrite+7)
	m.send(m.cur, sigURG, siTkill)
	m.leave()
	m.check()
	if writer.PC != testSVC {
		t.Fatalf("after the first piece, PC is %#x", writer.PC)
	}
	writer.PC += syscallSize
	m.trap(trapSyscall)
	m.check()
	if writer.PC != handler || len(m.output) != maxConsoleWrite+7 {
		t.Fatalf("PC %#x, %d bytes on the console; want the handler, after the write", writer.PC, len(m.output))
	}
	m.beginCall(sysRtSigreturn)
	m.check()
	if writer.PC != testSVC+syscallSize || writer.R[0] != maxConsoleWrite+7 {
		t.Errorf("after the handler: PC %#x, result %d", writer.PC, int32(writer.R[0]))
	}
}

// The descriptor may be closed, and used for something else, between two pieces.
func TestConsoleWriteClosed(t *testing.T) {
	for _, name := range []string{"closed", "an eventfd"} {
		m := newTestKernel(t)
		got, pieces := m.writeAll(2, m.scratch, 5*maxConsoleWrite, func() {
			if m.files[2].kind == fileConsole {
				m.close(2)
				if name != "closed" {
					if fd := m.eventfd(0, 0); fd != 2 {
						t.Fatalf("descriptor %d", fd)
					}
				}
			}
		})
		if got != maxConsoleWrite || pieces != 2 {
			t.Errorf("%s: %d in %d pieces; want one piece written and its size", name, got, pieces)
		}
		m.wantCall(8, sysWrite, m.mustCall(sysEventfd2, 0, 0), m.scratch, 8)
	}
}

// A thread whose code vanishes in the middle of a write gets its signal.
func TestConsoleWriteFaultAtCall(t *testing.T) {
	const handler = testText + 0x200
	m := newTestKernel(t)
	m.handlers[sigSEGV] = sigaction{handler: handler}
	m.beginCall(sysWrite, 1, m.scratch, 2*maxConsoleWrite)
	m.status, m.addr = faultPermPage, testSVC
	m.trap(trapPrefetch)
	m.check()
	if pc := m.threads[m.cur].PC; pc != handler {
		t.Errorf("PC %#x, want the handler", pc)
	}
}
