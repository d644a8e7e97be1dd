package nistec

import (
	"bytes"
	"math/big"
	"testing"
)

// The curve y² = x³ - 3x + b modulo p, of order n.
var (
	bigP, _ = new(big.Int).SetString("ffffffff00000001000000000000000000000000ffffffffffffffffffffffff", 16)
	bigN, _ = new(big.Int).SetString("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551", 16)
)

// A bigPoint is one in affine coordinates; nil is infinity.
type bigPoint struct{ x, y *big.Int }

// add is the sum by the law of the group.
func (a *bigPoint) add(b *bigPoint) *bigPoint {
	if a == nil {
		return b
	}
	if b == nil {
		return a
	}
	mod := func(x *big.Int) *big.Int { return x.Mod(x, bigP) }
	over, under := new(big.Int).Sub(b.y, a.y), new(big.Int).Sub(b.x, a.x)
	if mod(under).Sign() == 0 {
		if mod(over).Sign() != 0 || a.y.Sign() == 0 {
			return nil
		}
		over.Mul(a.x, a.x)
		over.Mul(over, big.NewInt(3))
		over.Sub(over, big.NewInt(3))
		under.Lsh(a.y, 1)
	}
	slope := new(big.Int).Mul(over, under.ModInverse(mod(under), bigP))
	x := new(big.Int).Mul(slope, slope)
	mod(x.Sub(x, a.x).Sub(x, b.x))
	y := new(big.Int).Sub(a.x, x)
	return &bigPoint{x, mod(y.Mul(y, slope).Sub(y, a.y))}
}

func (a *bigPoint) times(k *big.Int) (sum *bigPoint) {
	for i := k.BitLen() - 1; i >= 0; i-- {
		sum = sum.add(sum)
		if k.Bit(i) == 1 {
			sum = sum.add(a)
		}
	}
	return sum
}

func (a *bigPoint) bytes() []byte {
	if a == nil {
		return []byte{0}
	}
	return append(append([]byte{4}, a.x.FillBytes(make([]byte, 32))...), a.y.FillBytes(make([]byte, 32))...)
}

// Points with the assembly's arithmetic are what math/big makes of them, for scalars with
// long runs of bits, and around multiples of the order. That takes as long as hundreds of
// products, so few cases are tried. Package fiat's own tests try them all.
func TestPortable(t *testing.T) {
	r := newRandom(t)
	generator := NewP256Point().SetGenerator()
	encoded := generator.Bytes()
	g := &bigPoint{new(big.Int).SetBytes(encoded[1:33]), new(big.Int).SetBytes(encoded[33:])}
	limit := new(big.Int).Lsh(big.NewInt(1), 256)
	var scalars []*big.Int
	for _, x := range []*big.Int{new(big.Int), bigN, limit} {
		for d := int64(-3); d <= 3; d++ {
			k := new(big.Int).Add(x, big.NewInt(d))
			scalars = append(scalars, k.Mod(k, limit))
		}
	}
	for i := range len(scalars) + 4 + cases(t)/5000 {
		var b [32]byte
		r.bytes(b[:])
		k := new(big.Int).SetBytes(b[:])
		if i < len(scalars) {
			k = scalars[i]
		}
		scalar := k.FillBytes(b[:])
		got, err := NewP256Point().ScalarBaseMult(scalar)
		if want := g.times(new(big.Int).Mod(k, bigN)); err != nil || !bytes.Equal(got.Bytes(), want.bytes()) {
			t.Fatalf("%x · G = %x, %v; want %x", k, got.Bytes(), err, want.bytes())
		}
		if g.times(k) == nil {
			continue
		}
		// From the point that this gave, with another scalar.
		r.bytes(b[:])
		base := got
		if p, err := NewP256Point().ScalarMult(base, b[:]); err != nil || !bytes.Equal(p.Bytes(), g.times(k).times(new(big.Int).Mod(new(big.Int).SetBytes(b[:]), bigN)).bytes()) {
			t.Fatalf("%x · %x · G = %x, %v", b, k, p.Bytes(), err)
		}
		back, err := NewP256Point().SetBytes(base.BytesCompressed())
		if err != nil || !bytes.Equal(back.Bytes(), base.Bytes()) {
			t.Fatalf("%x comes back as %x, %v", base.Bytes(), back.Bytes(), err)
		}
	}
}

// Looking up in tables is what the portable code does.
func TestPortableSelect(t *testing.T) {
	r := newRandom(t)
	var k [32]byte
	for range 5 {
		r.bytes(k[:])
		p, err := NewP256Point().ScalarBaseMult(k[:])
		if err != nil {
			t.Fatal(err)
		}
		table := new(p256Table).Compute(p)
		for n := range uint8(17) {
			var got, want P256Point
			table.Select(&got, n)
			table.selectPortable(&want, n)
			if got != want {
				t.Errorf("point %d: %x, want %x", n, got.Bytes(), want.Bytes())
			}
		}
	}
	for i := range p256GeneratorTables {
		for n := uint8(1); n <= 32; n++ { // 0 is no point
			var got, want p256AffinePoint
			p256GeneratorTables[i].Select(&got, n)
			p256GeneratorTables[i].selectPortable(&want, n)
			if got != want {
				t.Errorf("table %d, point %d", i, n)
			}
		}
	}
}

// The generator's tables that are left are those for every third window.
func TestPortableTables(t *testing.T) {
	base := NewP256Point().SetGenerator()
	for i := range p256GeneratorTables {
		testP256AffineTable(t, base, &p256GeneratorTables[i])
		for range 3 * 6 {
			base.Double(base)
		}
	}
}

// Multiples of the generator, by its tables, are those of any other point that is the
// same: for numbers in a single window, next to what the encoding turns around, and for those
// with all windows alike.
func TestPortableBase(t *testing.T) {
	generator := NewP256Point().SetGenerator()
	limit := new(big.Int).Lsh(big.NewInt(1), 256)
	for _, digit := range []int64{1, 31, 32, 33, 63} {
		all := new(big.Int)
		for window := uint(0); window <= 43; window++ {
			k := new(big.Int).Lsh(big.NewInt(digit), 6*window)
			all.Or(all, k)
			if window == 43 {
				k = all
			}
			scalar := k.Mod(k, limit).FillBytes(make([]byte, 32))
			got, err := NewP256Point().ScalarBaseMult(scalar)
			if err != nil {
				t.Fatal(err)
			}
			want, err := NewP256Point().ScalarMult(generator, scalar)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Bytes(), want.Bytes()) {
				t.Errorf("%x · G = %x, want %x", k, got.Bytes(), want.Bytes())
			}
		}
	}
	p := NewP256Point().SetGenerator()
	for _, n := range []int{0, 31, 33} {
		if _, err := p.ScalarBaseMult(make([]byte, n)); err == nil {
			t.Errorf("a scalar of %d bytes", n)
		}
	}
	if !bytes.Equal(p.Bytes(), generator.Bytes()) {
		t.Error("a scalar that is refused changes the point")
	}
}
