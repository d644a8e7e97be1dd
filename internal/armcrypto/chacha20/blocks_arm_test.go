package chacha20

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"testing"
)

// reference is the block function as RFC 8439, section 2.3, writes it down.
func reference(state *blockState) (block [64]byte) {
	start := [16]uint32{0x61707865, 0x3320646e, 0x79622d32, 0x6b206574}
	copy(start[4:], state[:])
	x := start
	quarter := func(a, b, c, d int) {
		for _, r := range [2][2]int{{16, 12}, {8, 7}} {
			x[a] += x[b]
			x[d] = bits.RotateLeft32(x[d]^x[a], r[0])
			x[c] += x[d]
			x[b] = bits.RotateLeft32(x[b]^x[c], r[1])
		}
	}
	for range 10 {
		for i := range 4 {
			quarter(i, 4+i, 8+i, 12+i)
		}
		for i := range 4 {
			quarter(i, 4+(i+1)%4, 8+(i+2)%4, 12+(i+3)%4)
		}
	}
	for i := range x {
		binary.LittleEndian.PutUint32(block[4*i:], x[i]+start[i])
	}
	return block
}

func referenceXOR(dst, src []byte, state *blockState) {
	for ; len(src) > 0; dst, src = dst[64:], src[64:] {
		block := reference(state)
		for i := range block {
			dst[i] = src[i] ^ block[i]
		}
		state[8]++
	}
}

// RFC 8439, section 2.3.2.
func TestVector(t *testing.T) {
	state := blockState{8: 1, 9: 0x09000000, 10: 0x4a000000}
	for i := range 8 {
		state[i] = 0x03020100 + 0x04040404*uint32(i)
	}
	want := [16]uint32{
		0xe4e7f110, 0x15593bd1, 0x1fdd0f50, 0xc47120a3, 0xc7f4d1c7, 0x0368c033, 0x9aaa2204, 0x4e6cd4c3,
		0x466482d2, 0x09aa9f07, 0x05d7c214, 0xa2028bd9, 0xd19c12b5, 0xb94e16de, 0xe883d0cb, 0x4e3c50a2,
	}
	for name, f := range map[string]func(dst, src []byte, state *blockState){"assembly": xorBlocks, "reference": referenceXOR} {
		s, block := state, make([]byte, 64)
		f(block, block, &s)
		for i, w := range want {
			if got := binary.LittleEndian.Uint32(block[4*i:]); got != w {
				t.Errorf("%s: word %d is %08x, want %08x", name, i, got, w)
			}
		}
		if s[8] != 2 {
			t.Errorf("%s: counter %d, want 2", name, s[8])
		}
	}
}

func randomState(r *rand.Rand) (s blockState) {
	for i := range s {
		s[i] = r.Uint32()
	}
	if r.IntN(4) == 0 {
		s[8] = -uint32(r.IntN(20)) // the counter wraps
	}
	return s
}

// fill makes bytes from r.
func fill(r *rand.Rand, b []byte) {
	for i := range b {
		b[i] = byte(r.Uint32())
	}
}

// Any number of blocks, at any address, in place and not, and nothing around it is touched.
func TestReference(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var lengths []int
	for n := 0; n <= 20; n++ {
		lengths = append(lengths, n*64)
	}
	lengths = append(lengths, chunkSize-64, chunkSize, chunkSize+64, 2*chunkSize, 2*chunkSize+320)
	for _, n := range lengths {
		for from := range 8 {
			for to := range 8 {
				state := randomState(r)
				src := make([]byte, n+16)
				fill(r, src)
				want := make([]byte, n)
				s1, s2 := state, state
				referenceXOR(want, src[from:from+n], &s1)

				dst := make([]byte, n+16)
				fill(r, dst)
				before, input := bytes.Clone(dst), bytes.Clone(src)
				xorBlocks(dst[to:to+n], src[from:from+n], &s2)
				if !bytes.Equal(dst[to:to+n], want) || s1 != s2 {
					t.Fatalf("%d bytes from offset %d to %d: wrong\n%x\n%x\n%x\n%x", n, from, to, dst[to:to+n], want, s1, s2)
				}
				if !bytes.Equal(dst[:to], before[:to]) || !bytes.Equal(dst[to+n:], before[to+n:]) || !bytes.Equal(src, input) {
					t.Fatalf("%d bytes from offset %d to %d: what is beside dst changed", n, from, to)
				}
				if s2 = state; from == to {
					xorBlocks(src[from:from+n], src[from:from+n], &s2)
					if !bytes.Equal(src[from:from+n], want) || s1 != s2 {
						t.Fatalf("%d bytes at offset %d, in place: wrong", n, from)
					}
				}
			}
		}
	}
}

// The integer instructions alone, and NEON's alone, for as many blocks as one call does.
func TestParts(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for n := 1; n <= 21; n++ {
		for name, f := range map[string]func(dst, src []byte, state *blockState){
			"integers": func(dst, src []byte, state *blockState) { xorBlocksARM(&dst[0], &src[0], len(src)/64, state) },
			"NEON":     func(dst, src []byte, state *blockState) { xorTriplesARM(&dst[0], &src[0], len(src)/192, state) },
		} {
			if n%3 != 0 && name == "NEON" {
				continue
			}
			state := randomState(r)
			buf := make([]byte, 64*n)
			fill(r, buf)
			want := make([]byte, len(buf))
			s1, s2 := state, state
			referenceXOR(want, buf, &s1)
			if f(buf, buf, &s2); !bytes.Equal(buf, want) || s1 != s2 {
				t.Errorf("%d blocks by %s: wrong\n%x\n%x", n, name, buf, want)
			}
		}
	}
}

func BenchmarkIntegers(b *testing.B) {
	var s blockState
	buf := make([]byte, 4096)
	b.SetBytes(int64(len(buf)))
	for b.Loop() {
		xorBlocksARM(&buf[0], &buf[0], len(buf)/64, &s)
	}
}

func BenchmarkXOR(b *testing.B) {
	for _, n := range []int{64, 256, 1024, 16384} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var s blockState
			buf := make([]byte, n)
			b.SetBytes(int64(n))
			for b.Loop() {
				xorBlocks(buf, buf, &s)
			}
		})
	}
}
