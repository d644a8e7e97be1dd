package sha256

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"math/big"
	"math/bits"
	"math/rand/v2"
	"testing"
)

// root is the first 32 bits of the fractional part of the square or cube root of n.
func root(n int64, cube bool) uint32 {
	x := new(big.Int).Lsh(big.NewInt(n), 64)
	if !cube {
		return uint32(x.Sqrt(x).Uint64())
	}
	// The largest y with y³ <= n * 2⁹⁶.
	x.Lsh(x, 32)
	y := new(big.Int).Lsh(big.NewInt(int64(math.Cbrt(float64(n)))), 32)
	for bit := 31; bit >= 0; bit-- {
		z := new(big.Int).SetBit(y, bit, 1)
		if new(big.Int).Exp(z, big.NewInt(3), nil).Cmp(x) <= 0 {
			y = z
		}
	}
	return uint32(y.Uint64())
}

// constants are those of FIPS 180-4, section 4.2.2, and the state of section 5.3.3.
func constants() (k [64]uint32, h [8]uint32) {
	n := 0
	for p := int64(2); n < len(k); p++ {
		if !big.NewInt(p).ProbablyPrime(0) {
			continue
		}
		if n < len(h) {
			h[n] = root(p, false)
		}
		k[n] = root(p, true)
		n++
	}
	return k, h
}

// reference is FIPS 180-4, section 6.2.2, as it is written there.
func reference(state *[8]uint32, k *[64]uint32, p []byte) {
	rotr := func(x uint32, n int) uint32 { return bits.RotateLeft32(x, -n) }
	for ; len(p) > 0; p = p[64:] {
		var w [64]uint32
		for t := range w {
			if t < 16 {
				w[t] = binary.BigEndian.Uint32(p[4*t:])
				continue
			}
			s0 := rotr(w[t-15], 7) ^ rotr(w[t-15], 18) ^ w[t-15]>>3
			s1 := rotr(w[t-2], 17) ^ rotr(w[t-2], 19) ^ w[t-2]>>10
			w[t] = s1 + w[t-7] + s0 + w[t-16]
		}
		v := *state
		for t := range w {
			a, b, c, e, f, g := v[0], v[1], v[2], v[4], v[5], v[6]
			t1 := v[7] + (rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25)) + (e&f ^ ^e&g) + k[t] + w[t]
			t2 := (rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22)) + (a&b ^ a&c ^ b&c)
			copy(v[1:], v[:7])
			v[4] += t1
			v[0] = t1 + t2
		}
		for i := range v {
			state[i] += v[i]
		}
	}
}

// "abc", by section 5.1.1 one block.
func TestVector(t *testing.T) {
	block := make([]byte, 64)
	copy(block, "abc\x80")
	block[63] = 24
	k, h := constants()
	for name, f := range map[string]func(*[8]uint32, *[64]uint32, []byte){"assembly": blocks, "reference": reference} {
		state := h
		f(&state, &k, block)
		var sum []byte
		for _, w := range state {
			sum = binary.BigEndian.AppendUint32(sum, w)
		}
		if got := hex.EncodeToString(sum); got != "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// Any number of blocks, at any address, from any state; and other constants than the
// right ones, to see that each is used once.
func TestReference(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	k, _ := constants()
	var lengths []int
	for n := range 20 {
		lengths = append(lengths, 64*n)
	}
	lengths = append(lengths, chunkSize-64, chunkSize, chunkSize+64, 2*chunkSize+128)
	for _, n := range lengths {
		for from := range 8 {
			buf := make([]byte, n+8)
			for i := range buf {
				buf[i] = byte(r.Uint32())
			}
			var state [8]uint32
			for i := range state {
				state[i] = r.Uint32()
			}
			input, constants := string(buf), k
			if from == 7 {
				for i := range constants {
					constants[i] = r.Uint32()
				}
			}
			want, got := state, state
			reference(&want, &constants, buf[from:from+n])
			blocks(&got, &constants, buf[from:from+n])
			if got != want {
				t.Fatalf("%d bytes at offset %d: %08x, want %08x", n, from, got, want)
			}
			if string(buf) != input {
				t.Fatalf("%d bytes at offset %d: they changed", n, from)
			}
		}
	}
}

func BenchmarkBlocks(b *testing.B) {
	k, state := constants()
	for _, n := range []int{64, 256, 1024, 16384} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			buf := make([]byte, n)
			b.SetBytes(int64(n))
			for b.Loop() {
				blocks(&state, &k, buf)
			}
		})
	}
}
