package poly1305

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math/big"
	"math/rand/v2"
	"testing"
)

var p = new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 130), big.NewInt(5))

// number is the one that words make, least significant first.
func number(words ...uint64) *big.Int {
	n := new(big.Int)
	for i := len(words) - 1; i >= 0; i-- {
		n.Or(n.Lsh(n, 64), new(big.Int).SetUint64(words[i]))
	}
	return n
}

// reference is h after the blocks of msg, modulo 2¹³⁰ - 5, by the RFC's arithmetic.
func reference(h [3]uint64, r [2]uint64, msg []byte) *big.Int {
	sum, factor := number(h[:]...), number(r[:]...)
	for ; len(msg) > 0; msg = msg[16:] {
		var m [17]byte // most significant first
		for i := range 16 {
			m[16-i] = msg[i]
		}
		m[0] = 1
		sum.Add(sum, new(big.Int).SetBytes(m[:]))
		sum.Mod(sum.Mul(sum, factor), p)
	}
	return sum.Mod(sum, p)
}

// most is what h is below.
var most = new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), 130), new(big.Int).Lsh(big.NewInt(1), 32))

func check(t *testing.T, what string, h [3]uint64, r [2]uint64, msg []byte) {
	t.Helper()
	want, got := reference(h, r, msg), h
	input := bytes.Clone(msg)
	blocks(&got, &r, msg)
	n := number(got[:]...)
	if len(msg) > 0 && n.Cmp(most) >= 0 {
		t.Errorf("%s: %x is too large", what, n)
	}
	if n.Mod(n, p).Cmp(want) != 0 {
		t.Fatalf("%s: h %x, r %x, message %x: %x, want %x", what, h, r, msg, n, want)
	}
	if !bytes.Equal(msg, input) {
		t.Fatalf("%s: the message changed", what)
	}
}

func clamp(r [2]uint64) [2]uint64 {
	return [2]uint64{r[0] & 0x0ffffffc0fffffff, r[1] & 0x0ffffffc0ffffffc}
}

// RFC 8439, section 2.5.2: the sum before s is added.
func TestVector(t *testing.T) {
	msg := []byte("Cryptographic Forum Research Gro") // 2 of the 3 blocks
	key, err := hex.DecodeString("85d6be7857556d337f4452fe42d506a8")
	if err != nil {
		t.Fatal(err)
	}
	var raw [2]uint64
	for i, b := range key {
		raw[i/8] |= uint64(b) << (8 * (i % 8))
	}
	r := clamp(raw)
	if want, _ := new(big.Int).SetString("806d5400e52447c036d555408bed685", 16); number(r[:]...).Cmp(want) != 0 {
		t.Fatalf("r is %x", r)
	}
	for n, want := range map[int]string{16: "2c88c77849d64ae9147ddeb88e69c83fc", 32: "2d8adaf23b0337fa7cccfb4ea344b30de"} {
		var h [3]uint64
		blocks(&h, &r, msg[:n])
		got := number(h[:]...)
		if w, _ := new(big.Int).SetString(want, 16); got.Mod(got, p).Cmp(w) != 0 {
			t.Errorf("%d bytes: %x, want %s", n, got, want)
		}
	}
}

// What carries furthest: words of nothing but ones, numbers around the modulus, and few
// bits.
func TestExtremes(t *testing.T) {
	ones := ^uint64(0)
	hs := [][3]uint64{
		{}, {1}, {ones, ones, 3}, {ones - 4, ones, 3}, {ones - 5, ones, 3}, {ones - 3, ones, 3},
		{0, 0, 4}, {1<<32 - 1, 0, 4}, {0, 0, 3}, {ones}, {0, ones}, {ones, ones}, {0, 0, 2}, {1 << 32}, {0, 1 << 32},
		{ones - 10, ones, 7}, {0, 0, 7}, {1, 0, 7}, {ones, ones, 7}, {ones, ones, 100}, // more than the standard library's code leaves
	}
	rs := [][2]uint64{{ones, ones}, {}, {1}, {4, 4}, {ones, 0}, {0, ones}, {1 << 32, 0}, {0, 1 << 32}, {0x0fffffff, 0}, {0, 0x0ffffffc}, {5, 1 << 59}}
	var msgs [][]byte
	for _, b := range []byte{0, 0xff, 1, 0x80, 0xfb} {
		for _, n := range []int{16, 32, 48, 160} {
			msgs = append(msgs, bytes.Repeat([]byte{b}, n))
		}
	}
	msgs = append(msgs, append([]byte{0xfb}, bytes.Repeat([]byte{0xff}, 15)...), append(bytes.Repeat([]byte{0xff}, 16), make([]byte, 16)...))
	for _, h := range hs {
		for _, r := range rs {
			for _, msg := range msgs {
				check(t, "extremes", h, clamp(r), msg)
			}
		}
	}
}

// Any number of blocks, at any address.
func TestReference(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var lengths []int
	for n := 0; n <= 70; n++ {
		lengths = append(lengths, 16*n)
	}
	lengths = append(lengths, chunkSize-16, chunkSize, chunkSize+16, 2*chunkSize+16)
	for _, n := range lengths {
		for from := range 8 {
			buf := make([]byte, n+8)
			for i := range buf {
				buf[i] = byte(r.Uint32())
			}
			key := clamp([2]uint64{r.Uint64(), r.Uint64()})
			h := [3]uint64{r.Uint64(), r.Uint64(), r.Uint64N(4)}
			check(t, fmt.Sprintf("%d bytes at offset %d", n, from), h, key, buf[from:from+n])
		}
	}
}

func BenchmarkBlocks(b *testing.B) {
	for _, n := range []int{16, 256, 1024, 16384} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var h [3]uint64
			r := clamp([2]uint64{1 << 40, 1 << 50})
			buf := make([]byte, n)
			b.SetBytes(int64(n))
			for b.Loop() {
				blocks(&h, &r, buf)
			}
		})
	}
}
