//go:build !arm

package kernel

import (
	"bytes"
	"testing"
	"unsafe"
)

// TestCopyBoundaries copies to and from every offset around a page border.
func TestCopyBoundaries(t *testing.T) {
	m := newTestKernel(t)
	src := make([]byte, 3*pageSize)
	for i := range src {
		src[i] = byte(i*7 + i>>8)
	}
	for _, n := range []int{0, 1, 2, 3, 4, 5, 7, 8, 31, 32, 33, 100, pageSize - 1, pageSize, pageSize + 1, 2*pageSize + 3} {
		for _, off := range []uint32{0, 1, 2, 3, 4, pageSize - 5, pageSize - 4, pageSize - 1} {
			for shift := range 4 {
				va := m.scratch + off
				before := m.peekBytes(m.scratch, 4*pageSize)
				if !m.copyOut(va, unsafe.Pointer(&src[shift]), uint32(n)) {
					t.Fatalf("copyOut of %d bytes at %#x", n, va)
				}
				copy(before[off:], src[shift:shift+n])
				if got := m.peekBytes(m.scratch, 4*pageSize); !bytes.Equal(got, before) {
					t.Fatalf("copyOut of %d bytes at offset %d wrote something else", n, off)
				}
				back := make([]byte, n+8)
				if !m.copyIn(unsafe.Pointer(&back[shift]), va, uint32(n)) || !bytes.Equal(back[shift:shift+n], src[shift:shift+n]) {
					t.Fatalf("copyIn of %d bytes at offset %d", n, off)
				}
			}
		}
	}
}

func TestCopyRefuses(t *testing.T) {
	m := newTestKernel(t)
	a := m.mustMap(4)
	m.wantCall(0, sysMunmap, a+pageSize, pageSize)
	m.wantCall(0, sysMprotect, a+3*pageSize, pageSize, protRead)
	var b [3 * pageSize]byte
	p := unsafe.Pointer(&b)
	for _, c := range []struct {
		what    string
		va, n   uint32
		in, out bool
	}{
		{"inside", a, pageSize, true, true},
		{"one byte too much", a, pageSize + 1, false, false},
		{"from a hole", a + 2*pageSize - 1, 2, false, false},
		{"into a page that is only read", a + 3*pageSize - 1, 2, true, false},
		{"page 0", 0, 1, false, false},
		{"up to page 0", 0xffffffff, 2, false, false},
		{"kernel", userEnd, 1, false, false},
		{"up to the kernel", userEnd - 1, 2, false, false},
		{"the Kernel", 0xfff00000, 4, false, false},
		{"nothing at a bad address", userEnd, 0, true, true},
	} {
		if got := m.copyIn(p, c.va, c.n); got != c.in {
			t.Errorf("copyIn, %s: %v", c.what, got)
		}
		if got := m.copyOut(c.va, p, c.n); got != c.out {
			t.Errorf("copyOut, %s: %v", c.what, got)
		}
		if got := m.writable(c.va, c.n); got != c.out {
			t.Errorf("writable, %s: %v", c.what, got)
		}
	}
	for off := uint32(0); off < 8; off++ { // words at any address, also across pages
		at := m.scratch + pageSize - 4 + off
		if !m.putWord(at, 0x01020304+off) {
			t.Fatalf("putWord at %#x", at)
		}
		if w, ok := m.getWord(at); !ok || w != 0x01020304+off {
			t.Errorf("getWord at %#x: %#x, %v", at, w, ok)
		}
	}
}

// TestNoAddressOfTheKernel gives every system call that takes addresses those of
// the kernel and of nothing.
func TestNoAddressOfTheKernel(t *testing.T) {
	m := newTestKernel(t)
	m.wantCall(0, sysPipe2, m.scratch)
	in := m.peek(m.scratch + 4)
	ep := m.mustCall(sysEpollCreate1)
	text := m.openPath("/proc/meminfo", 0)
	dev := m.openPath("/dev/uio0", 2)
	for _, bad := range []uint32{0, 0x0ffffffc, userEnd, 0xfff00000, 0xfffffffc} {
		for _, c := range []struct {
			nr   uint32
			args []uint32
		}{
			{sysWrite, []uint32{1, bad, 10}},
			{sysWrite, []uint32{in, bad, 10}},
			{sysWrite, []uint32{uint32(dev), bad, 4}},
			{sysRead, []uint32{uint32(text), bad, 10}},
			{sysOpen, []uint32{bad, 0}},
			{sysOpenat, []uint32{0, bad, 0}},
			{sysPipe2, []uint32{bad, 0}},
			{sysPipe2, []uint32{m.scratch + 16*pageSize - 4, 0}},
			{sysGetrandom, []uint32{bad, 16, 0}},
			{sysUname, []uint32{bad}},
			{sysUname, []uint32{m.scratch + 16*pageSize - 300}},
			{sysClockGettime, []uint32{1, bad}},
			{sysClockGettime64, []uint32{1, bad}},
			{sysClockGetres, []uint32{1, bad | 4}},
			{sysClockSettime, []uint32{0, bad}},
			{sysClockSettime64, []uint32{0, bad}},
			{sysNanosleep, []uint32{bad}},
			{sysClockNanosleep, []uint32{1, 0, bad}},
			{sysClockNanosleep64, []uint32{1, 0, bad}},
			{sysFutex, []uint32{bad, 0, 0, 0}},
			{sysFutex, []uint32{bad, 1, 0, 0}},
			{sysFutex, []uint32{m.scratch + 64, 0, 0, bad | 4}},
			{sysFutexTime64, []uint32{m.scratch + 64, 0, 0, bad | 4}},
			{sysRtSigaction, []uint32{10, bad | 4, 0, 8}},
			{sysRtSigaction, []uint32{10, 0, bad | 4, 8}},
			{sysRtSigprocmask, []uint32{0, bad | 4, 0, 8}},
			{sysRtSigprocmask, []uint32{0, 0, bad | 4, 8}},
			{sysSigaltstack, []uint32{bad | 4, 0}},
			{sysSigaltstack, []uint32{0, bad | 4}},
			{sysEpollCtl, []uint32{ep, 1, in, bad}},
			{sysGetaffinity, []uint32{0, 64, bad}},
			{sysGetcwd, []uint32{bad, 64}},
			{sysPrlimit64, []uint32{0, 7, 0, bad | 4}},
			{sysPrlimit64, []uint32{0, 7, bad | 4, 0}},
		} {
			if got := m.call(c.nr, c.args...); got != EFAULT {
				t.Errorf("system call %d%#x: %d, want EFAULT", c.nr, c.args, got)
			}
		}
	}
}

func TestGetPath(t *testing.T) {
	m := newTestKernel(t)
	var p [64]byte
	at := m.scratch + 2*pageSize - 5 // across pages
	m.pokeString(at, "/dev/null")
	if n, e := m.getPath(&p, at); e != 0 || string(p[:n]) != "/dev/null" {
		t.Errorf("path across pages: %q, %d", p[:n], e)
	}
	m.pokeString(at, string(bytes.Repeat([]byte{'a'}, 63)))
	if n, e := m.getPath(&p, at); e != 0 || n != 63 {
		t.Errorf("the longest path: %d, %d", n, e)
	}
	m.pokeString(at, string(bytes.Repeat([]byte{'a'}, 64)))
	if _, e := m.getPath(&p, at); e != ENOENT {
		t.Errorf("a longer one: %d", e)
	}
	end := m.scratch + 16*pageSize
	m.pokeBytes(end-3, []byte("abc"))
	if _, e := m.getPath(&p, end-3); e != EFAULT {
		t.Errorf("a path that runs out of memory: %d", e)
	}
}
