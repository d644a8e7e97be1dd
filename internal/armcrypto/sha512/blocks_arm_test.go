package sha512

import (
	"encoding/binary"
	"encoding/hex"
	"math/big"
	"math/bits"
	"math/rand/v2"
	"testing"
)

// root is the first 64 bits of the fractional part of the square or cube root of n: the
// uppermost bits of the largest y with y² <= n · 2^128 or y³ <= n · 2^192.
func root(n, power int64) uint64 {
	x := new(big.Int).Lsh(big.NewInt(n), uint(64*power))
	y := new(big.Int)
	for bit := 69; bit >= 0; bit-- {
		z := new(big.Int).SetBit(y, bit, 1)
		if new(big.Int).Exp(z, big.NewInt(power), nil).Cmp(x) <= 0 {
			y = z
		}
	}
	return y.And(y, new(big.Int).SetUint64(^uint64(0))).Uint64()
}

// constants are those of FIPS 180-4, section 4.2.3, and the state of section 5.3.5.
func constants() (k [80]uint64, h [8]uint64) {
	n := 0
	for p := int64(2); n < len(k); p++ {
		if !big.NewInt(p).ProbablyPrime(0) {
			continue
		}
		if n < len(h) {
			h[n] = root(p, 2)
		}
		k[n] = root(p, 3)
		n++
	}
	return k, h
}

// reference is FIPS 180-4, section 6.4.2, as it is written there.
func reference(state *[8]uint64, k *[80]uint64, p []byte) {
	rotr := func(x uint64, n int) uint64 { return bits.RotateLeft64(x, -n) }
	for ; len(p) > 0; p = p[128:] {
		var w [80]uint64
		for t := range w {
			if t < 16 {
				w[t] = binary.BigEndian.Uint64(p[8*t:])
				continue
			}
			s0 := rotr(w[t-15], 1) ^ rotr(w[t-15], 8) ^ w[t-15]>>7
			s1 := rotr(w[t-2], 19) ^ rotr(w[t-2], 61) ^ w[t-2]>>6
			w[t] = s1 + w[t-7] + s0 + w[t-16]
		}
		v := *state
		for t := range w {
			a, b, c, e, f, g := v[0], v[1], v[2], v[4], v[5], v[6]
			t1 := v[7] + (rotr(e, 14) ^ rotr(e, 18) ^ rotr(e, 41)) + (e&f ^ ^e&g) + k[t] + w[t]
			t2 := (rotr(a, 28) ^ rotr(a, 34) ^ rotr(a, 39)) + (a&b ^ a&c ^ b&c)
			copy(v[1:], v[:7])
			v[4] += t1
			v[0] = t1 + t2
		}
		for i := range v {
			state[i] += v[i]
		}
	}
}

// "abc", by section 5.1.2 one block.
func TestVector(t *testing.T) {
	block := make([]byte, 128)
	copy(block, "abc\x80")
	block[127] = 24
	k, h := constants()
	for name, f := range map[string]func(*[8]uint64, *[80]uint64, []byte){"assembly": blocks, "reference": reference} {
		state := h
		f(&state, &k, block)
		var sum []byte
		for _, w := range state {
			sum = binary.BigEndian.AppendUint64(sum, w)
		}
		want := "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
		if got := hex.EncodeToString(sum); got != want {
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
		lengths = append(lengths, 128*n)
	}
	lengths = append(lengths, chunkSize-128, chunkSize, chunkSize+128, 2*chunkSize+256)
	for _, n := range lengths {
		for from := range 8 {
			buf := make([]byte, n+8)
			for i := range buf {
				buf[i] = byte(r.Uint32())
			}
			var state [8]uint64
			for i := range state {
				state[i] = r.Uint64()
			}
			input, constants := string(buf), k
			if from == 7 {
				for i := range constants {
					constants[i] = r.Uint64()
				}
			}
			want, got := state, state
			reference(&want, &constants, buf[from:from+n])
			blocks(&got, &constants, buf[from:from+n])
			if got != want {
				t.Fatalf("%d bytes at offset %d: %016x, want %016x", n, from, got, want)
			}
			if string(buf) != input {
				t.Fatalf("%d bytes at offset %d: they changed", n, from)
			}
		}
	}
}

func BenchmarkBlock(b *testing.B) {
	k, h := constants()
	var p [128]byte
	for b.Loop() {
		blocks(&h, &k, p[:])
	}
}
