package ecdh

import (
	"bytes"
	"math/big"
	"testing"
)

// The assembly's X25519 is the portable code's, which takes six times as long: so one in a
// thousand cases is tried. The fields' own tests try them all.
func TestPortable(t *testing.T) {
	r := newRandom(t)
	p := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	var points [][]byte // around 0, p, 2p and 2^256
	for _, x := range []*big.Int{new(big.Int), p, new(big.Int).Add(p, p), new(big.Int).Lsh(big.NewInt(1), 255)} {
		for d := int64(-20); d <= 40; d += 3 {
			y := new(big.Int).Add(x, big.NewInt(d))
			b := y.Mod(y, new(big.Int).Lsh(big.NewInt(1), 256)).FillBytes(make([]byte, 32))
			for i := range 16 {
				b[i], b[31-i] = b[31-i], b[i]
			}
			points = append(points, b)
		}
	}
	for i := range len(points) + 20 + cases(t)/1000 {
		var scalar, point, got, want [32]byte
		r.bytes(scalar[:])
		r.bytes(point[:])
		if i < len(points) {
			copy(point[:], points[i])
		}
		x25519ScalarMult(got[:], scalar[:], point[:])
		x25519Portable(want[:], scalar[:], point[:])
		if !bytes.Equal(got[:], want[:]) {
			t.Fatalf("case %d: %x · %x = %x, want %x", i, scalar, point, got, want)
		}
	}
}
