//go:build !arm

package kernel

import "testing"

func TestUnknownCalls(t *testing.T) {
	m := newTestKernel(t)
	unknown := m.stats.Unknown
	for _, nr := range []uint32{0, 2, 11, 281, 9999, 1 << 31, ^uint32(0), 0xf0001} {
		m.wantCall(ENOSYS, nr)
		unknown++
		eq(t, "unknown calls counted", m.stats.Unknown, unknown)
	}
}

func TestSmallCalls(t *testing.T) {
	m := newTestKernel(t)
	m.wantCall(1, sysGetpid)
	for _, nr := range []uint32{sysGetppid, sysGetuid32, sysGetgid32, sysGeteuid32, sysGetegid32} {
		m.wantCall(0, nr)
	}
	tid := m.threads[m.cur].tid
	m.wantCall(tid, sysGettid)
	m.wantCall(tid, sysSetTidAddress, m.scratch)
	m.wantCall(0, sysARMSetTLS, 0x1234)
	eq(t, "TPIDRURO", m.tlsRegister, 0x1234)
	for _, nr := range []uint32{sysStat64, sysFstatat64, sysStatx, sysFaccessat, sysFaccessat2} {
		m.wantCall(ENOENT, nr)
	}
	m.wantCall(EINVAL, sysPrctl)
	m.wantCall(EINVAL, sysGetaffinity, 0, 3, m.scratch)
	m.wantCall(4, sysGetaffinity, 0, 1024, m.scratch)
	eq(t, "processors", m.peek(m.scratch), 1)
	m.wantCall(2, sysGetcwd, m.scratch, 64)
	eq(t, "directory", m.peekString(m.scratch), "/")
	m.wantCall(-34, sysGetcwd, m.scratch, 1)
	m.wantCall(0, sysPrlimit64, 0, 7, 0, m.scratch)
	eq(t, "open files allowed", m.peek(m.scratch), MaxFiles)
	eq(t, "at most", m.peek(m.scratch+8), MaxFiles)

	at := m.scratch + pageSize - 100 // across pages
	m.wantCall(0, sysUname, at)
	for i, want := range []string{"Linux", "ingot", "6.6.0", "Ingot", "armv7l", ""} {
		eq(t, "uname", m.peekString(at+uint32(i)*65), want)
	}
}
