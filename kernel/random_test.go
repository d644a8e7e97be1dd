//go:build !arm

package kernel

import (
	"bytes"
	"encoding/binary"
	"testing"
	"unsafe"
)

// TestChaCha20 is RFC 8439 §2.3.2, as far as the generator can be made to compute
// it: its counter and nonce are zero, as in appendix A.1, test vectors 1 and 5.
func TestChaCha20(t *testing.T) {
	for _, c := range []struct {
		key  [32]byte
		want string // the whole block; its first half is the next key
	}{
		{[32]byte{}, "" +
			"\x76\xb8\xe0\xad\xa0\xf1\x3d\x90\x40\x5d\x6a\xe5\x53\x86\xbd\x28" +
			"\xbd\xd2\x19\xb8\xa0\x8d\xed\x1a\xa8\x36\xef\xcc\x8b\x77\x0d\xc7" +
			"\xda\x41\x59\x7c\x51\x57\x48\x8d\x77\x24\xe0\x3f\xb8\xd8\x4a\x37" +
			"\x6a\x43\xb8\xf4\x15\x18\xa1\x1c\xc3\x87\xb6\x69\xb2\xee\x65\x86"},
	} {
		var r random
		for i := range r.key {
			r.key[i] = binary.LittleEndian.Uint32(c.key[i*4:])
		}
		var out [16]uint32
		r.block(&out)
		for i := range 8 {
			eq(t, "next key", r.key[i], binary.LittleEndian.Uint32([]byte(c.want[i*4:])))
			eq(t, "left of it in the output", out[i], 0)
			eq(t, "output", out[8+i], binary.LittleEndian.Uint32([]byte(c.want[32+i*4:])))
		}
	}
	// The round function alone, with a counter and a nonce: RFC 8439 §2.1.1.
	x := [16]uint32{0x11111111, 0x01020304, 0x9b8d6f43, 0x01234567}
	quarter(&x, 0, 1, 2, 3)
	eq(t, "quarter round", [4]uint32(x[:4]), [4]uint32{0xea2a92f4, 0xcb1cf8ce, 0x4581472e, 0x5881c4bb})
}

// TestKeyErasure: the state after an output gives nothing back of it.
func TestKeyErasure(t *testing.T) {
	m := newTestKernel(t)
	m.wantCall(64, sysGetrandom, m.scratch, 64, 0)
	first := m.peekBytes(m.scratch, 64)
	m.wantCall(64, sysGetrandom, m.scratch, 64, 0)
	if bytes.Equal(first, m.peekBytes(m.scratch, 64)) {
		t.Error("the same bytes twice")
	}
	state := unsafe.Slice((*byte)(unsafe.Pointer(&m.random.key)), 32)
	for i := 0; i+8 <= len(first); i += 8 {
		if bytes.Contains(state, first[i:i+8]) {
			t.Error("the state holds bytes that were given out")
		}
	}
	other := newTestKernel(t)
	other.random.key[7] ^= 1
	other.wantCall(64, sysGetrandom, other.scratch, 64, 0)
	if bytes.Equal(first, other.peekBytes(other.scratch, 64)) {
		t.Error("another state gives the same bytes")
	}
}

func TestGetrandom(t *testing.T) {
	m := newTestKernel(t)
	for _, n := range []uint32{0, 1, 31, 32, 33, 5000} {
		m.wantCall(int32(n), sysGetrandom, m.scratch+3, n, 0)
	}
	m.wantCall(maxRandom, sysGetrandom, m.scratch, 1<<20, 0) // the rest is another call's
	m.wantCall(EINVAL, sysGetrandom, m.scratch, 8, 8)
	m.wantCall(EINVAL, sysGetrandom, m.scratch, 8, 6)
	m.wantCall(8, sysGetrandom, m.scratch, 8, 1)
	m.wantCall(EFAULT, sysGetrandom, testText, 8, 0)
	fd := uint32(m.openPath("/dev/urandom", 2))
	m.wantCall(100, sysRead, fd, m.scratch, 100)
	m.wantCall(100, sysWrite, fd, m.scratch, 100)
	m.wantCall(maxRandom, sysWrite, fd, m.scratch, 1<<20)
}

// TestSeedAccounting: nothing comes out before 256 bits went in that somebody
// vouched for.
func TestSeedAccounting(t *testing.T) {
	m := newUnseeded(t)
	m.wantCall(EAGAIN, sysGetrandom, m.scratch, 8, 1)
	m.wantCall(EAGAIN, sysGetrandom, m.scratch, 8, 5) // not even "insecure"
	slow, quick := uint32(m.openPath("/dev/random", 2)), uint32(m.openPath("/dev/random", 2|oNonblock))
	m.wantCall(EAGAIN, sysRead, quick, m.scratch, 8)
	back := m.cur
	i, j := m.newThread(), m.newThread()
	m.run(i)
	if r := m.call(sysGetrandom, m.scratch+0x100, 32, 0); r != blocked {
		t.Fatalf("getrandom: %d", r)
	}
	m.run(j)
	if r := m.call(sysRead, slow, m.scratch+0x200, 16); r != blocked {
		t.Fatalf("read: %d", r)
	}
	m.run(back)
	m.wantCall(200, sysWrite, slow, m.scratch, 200) // anybody may; it counts for nothing
	m.wantCall(EAGAIN, sysGetrandom, m.scratch, 8, 1)

	const add = 0x40085203
	buf := m.scratch + pageSize
	m.poke(buf, 100, 12)
	m.wantCall(EINVAL, sysIoctl, slow, add, buf) // 100 bits of 96
	m.poke(buf, 8, 0x20000001)
	m.wantCall(EINVAL, sysIoctl, slow, add, buf)
	m.poke(buf, ^uint32(0), 4)
	m.wantCall(EINVAL, sysIoctl, slow, add, buf)
	m.wantCall(EFAULT, sysIoctl, slow, add, 8)
	m.wantCall(ENOTTY, sysIoctl, slow, 0x5401, buf)
	m.wantCall(ENOTTY, sysIoctl, 1, add, buf)
	m.poke(buf, 128, 16)
	m.wantCall(0, sysIoctl, slow, add, buf)
	m.poke(buf, 127, 16)
	m.wantCall(0, sysIoctl, slow, add, buf)
	m.wantCall(EAGAIN, sysGetrandom, m.scratch, 8, 1)
	eq(t, "waiting", m.threads[i].state, threadBlocked)
	m.poke(buf, 1, 4)
	m.wantCall(0, sysIoctl, slow, add, buf)
	m.wantCall(8, sysGetrandom, m.scratch, 8, 1)
	m.run(i)
	eq(t, "getrandom", m.finish(), 32)
	m.run(j)
	eq(t, "read", m.finish(), 16)
}

// TestSeedMatters: every bit of a seed changes what comes out, also of a long one.
func TestSeedMatters(t *testing.T) {
	output := func(seed []byte) [16]uint32 {
		var r random
		r.mix(unsafe.Pointer(&seed[0]), uint32(len(seed)), uint32(len(seed))*8)
		var out [16]uint32
		r.block(&out)
		return out
	}
	seen := map[[16]uint32]bool{}
	seed := make([]byte, 64)
	for i := range 64 * 8 {
		seed[i/8] ^= 1 << (i % 8)
		seen[output(seed)] = true
		seed[i/8] ^= 1 << (i % 8)
	}
	seen[output(seed)] = true
	seen[output(seed[:32])] = true
	eq(t, "different outputs", len(seen), 64*8+2)
}
