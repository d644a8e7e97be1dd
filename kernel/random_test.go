//go:build !arm

package kernel

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"unsafe"
)

// TestChaCha20 is RFC 8439 §2.1.1, and appendix A.1, test vectors 1 to 3 and 5, as far as
// the generator can be made to compute them: its nonce is zero.
func TestChaCha20(t *testing.T) {
	a, b, c, d := quarter(0x11111111, 0x01020304, 0x9b8d6f43, 0x01234567)
	eq(t, "quarter round", [4]uint32{a, b, c, d}, [4]uint32{0xea2a92f4, 0xcb1cf8ce, 0x4581472e, 0x5881c4bb})
	for _, tt := range []struct {
		key     [8]uint32
		counter uint32
		want    string
	}{
		{[8]uint32{}, 0, "" +
			"76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7" +
			"da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586"},
		{[8]uint32{}, 1, "" +
			"9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed" +
			"29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f"},
		{[8]uint32{7: 1 << 24}, 1, "" +
			"3aeb5224ecf849929b9d828db1ced4dd832025e8018b8160b82284f3c949aa5a" +
			"8eca00bbb4a73bdad192b5c42f73f2fd4e273644c8b36125a64addeb006c13a0"},
	} {
		var out [16]uint32
		chacha20(&out, &tt.key, tt.counter)
		eq(t, fmt.Sprintf("block %d", tt.counter), hexWords(out[:]), tt.want)
		if tt.counter != 0 {
			continue
		}
		r := random{key: tt.key}
		r.step(&out)
		eq(t, "next key", hexWords(r.key[:]), tt.want[:64])
		eq(t, "output", hexWords(out[:]), strings.Repeat("00", 32)+tt.want[64:])
	}
}

func hexWords(words []uint32) string {
	var b []byte
	for _, w := range words {
		b = binary.LittleEndian.AppendUint32(b, w)
	}
	return hex.EncodeToString(b)
}

// TestRandomStream: what getrandom gives is the rest of the block that the next key was
// taken of, and then the same key's next blocks.
func TestRandomStream(t *testing.T) {
	for _, n := range []uint32{0, 1, 31, 32, 33, 95, 96, 97, 4096, maxRandom} {
		m := newTestKernel(t)
		var want []byte
		key := m.random.key
		for counter := range uint32(1 + maxRandom/64) {
			var out [16]uint32
			chacha20(&out, &key, counter)
			for _, w := range out {
				want = binary.LittleEndian.AppendUint32(want, w)
			}
		}
		m.wantCall(int32(n), sysGetrandom, m.scratch, n, 0)
		eq(t, "next key", hexWords(m.random.key[:]), hex.EncodeToString(want[:32]))
		if got := m.peekBytes(m.scratch, int(n)); !bytes.Equal(got, want[32:32+n]) {
			t.Errorf("%d bytes: %x, want %x", n, got, want[32:32+n])
		}
	}
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
		r.step(&out)
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
