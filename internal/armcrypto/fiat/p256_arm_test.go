package fiat

import (
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
)

// The field's modulus, the order of the group, and 2^256, as SP 800-186, 3.2.1.3 has them.
var (
	p = number("ffffffff00000001000000000000000000000000ffffffffffffffffffffffff")
	n = number("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551")
	r = new(big.Int).Lsh(big.NewInt(1), 256)
)

func number(hex string) *big.Int {
	x, ok := new(big.Int).SetString(hex, 16)
	if !ok {
		panic(hex)
	}
	return x
}

// words are those of x, 64 bits each, the least significant first.
func words(x *big.Int) (w [4]uint64) {
	b := x.FillBytes(make([]byte, 32))
	for i, v := range b {
		w[3-i/8] = w[3-i/8]<<8 | uint64(v)
	}
	return w
}

func value(w *[4]uint64) *big.Int {
	x := new(big.Int)
	for _, v := range slices.Backward(w[:]) {
		x.Lsh(x, 64).Or(x, new(big.Int).SetUint64(v))
	}
	return x
}

// edges are numbers below m next to which carries and reductions happen.
func edges(m *big.Int) []*big.Int {
	var list []*big.Int
	add := func(x *big.Int) {
		for d := int64(-2); d <= 2; d++ {
			list = append(list, new(big.Int).Mod(new(big.Int).Add(x, big.NewInt(d)), m))
		}
	}
	add(new(big.Int))
	add(new(big.Int).Rsh(m, 1))
	add(r)
	for bit := uint(32); bit < 256; bit += 32 {
		add(new(big.Int).Lsh(big.NewInt(1), bit))
		add(new(big.Int).Sub(m, new(big.Int).Lsh(big.NewInt(1), bit)))
	}
	return list
}

// random makes numbers below m of which many words are all zeros or all ones.
func random(rnd *rand.Rand, m *big.Int) *big.Int {
	x := new(big.Int)
	for range 8 {
		w := rnd.Uint32()
		switch rnd.IntN(4) {
		case 0:
			w = 0
		case 1:
			w = ^uint32(0)
		}
		x.Lsh(x, 32).Or(x, big.NewInt(int64(w)))
	}
	return x.Mod(x, m)
}

// pairs calls f with all pairs of edges, and with as many random pairs as the test's
// length allows.
func pairs(t *testing.T, m *big.Int, f func(a, b *big.Int)) {
	e := edges(m)
	for _, a := range e {
		for _, b := range e {
			f(a, b)
		}
	}
	count := 1_000_000
	if testing.Short() {
		count = 10_000
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	for range count {
		f(random(rnd, m), random(rnd, m))
	}
}

// TestField compares the field's operations with math/big.
func TestField(t *testing.T) {
	inverse := new(big.Int).ModInverse(r, p)
	want := new(big.Int)
	pairs(t, p, func(a, b *big.Int) {
		x, y := p256MontgomeryDomainFieldElement(words(a)), p256MontgomeryDomainFieldElement(words(b))
		for _, op := range []struct {
			name string
			f    func(out, a, b *p256MontgomeryDomainFieldElement)
			want func()
		}{
			{"Mul", p256Mul, func() { want.Mod(want.Mul(want.Mul(a, b), inverse), p) }},
			{"Add", p256Add, func() { want.Mod(want.Add(a, b), p) }},
			{"Sub", p256Sub, func() { want.Mod(want.Sub(a, b), p) }},
		} {
			op.want()
			var out p256MontgomeryDomainFieldElement
			op.f(&out, &x, &y)
			if w := p256MontgomeryDomainFieldElement(words(want)); out != w {
				t.Fatalf("%s(%x, %x) = %x, want %x", op.name, a, b, out, w)
			}
			// The result may go where an operand is.
			first, second := x, y
			op.f(&first, &first, &y)
			op.f(&second, &x, &second)
			if first != out || second != out {
				t.Fatalf("%s(%x, %x) = %x or %x in place, want %x", op.name, a, b, first, second, out)
			}
		}
	})
}

// TestSquare has both operands and the result in one place.
func TestSquare(t *testing.T) {
	for _, a := range edges(p) {
		x := p256MontgomeryDomainFieldElement(words(a))
		var want p256MontgomeryDomainFieldElement
		y := x
		p256Mul(&want, &x, &y)
		p256Square(&x, &x)
		if x != want {
			t.Errorf("square of %x is %x, want %x", a, x, want)
		}
	}
}

// TestConversions goes from bytes to Montgomery's domain and back.
func TestConversions(t *testing.T) {
	var one p256MontgomeryDomainFieldElement
	p256SetOne(&one)
	if want := new(big.Int).Sub(r, p); value((*[4]uint64)(&one)).Cmp(want) != 0 {
		t.Errorf("one is %x", one)
	}
	for _, a := range edges(p) {
		var in, out [32]byte
		a.FillBytes(in[:])
		slices.Reverse(in[:])
		var plain, back p256NonMontgomeryDomainFieldElement
		var x p256MontgomeryDomainFieldElement
		p256FromBytes((*[4]uint64)(&plain), &in)
		p256ToMontgomery(&x, &plain)
		want := new(big.Int).Mul(a, r)
		if value((*[4]uint64)(&x)).Cmp(want.Mod(want, p)) != 0 {
			t.Errorf("%x becomes %x, want %x", a, x, want)
		}
		p256FromMontgomery(&back, &x)
		p256ToBytes(&out, (*[4]uint64)(&back))
		if back != plain || out != in {
			t.Errorf("%x came back as %x, %x", in, back, out)
		}
	}
}

func TestSelect(t *testing.T) {
	a, b := [4]uint64{1, 2, 3, 4}, [4]uint64{5, ^uint64(0), 7, 8}
	for yes, want := range [][4]uint64{a, b} {
		var out [4]uint64
		if p256Selectznz(&out, p256Uint1(yes), &a, &b); out != want {
			t.Errorf("%d: %x", yes, out)
		}
	}
}

// TestPick looks up every element of tables as the points' are.
func TestPick(t *testing.T) {
	for _, count := range []int{1, 16, 32} {
		for _, every := range []int{1, 2, 3} {
			table := make([]p256MontgomeryDomainFieldElement, count*every)
			rnd := rand.New(rand.NewPCG(3, 4))
			for i := range table {
				for j := range table[i] {
					table[i][j] = rnd.Uint64()
				}
			}
			for n := range count + 1 {
				var want, out p256MontgomeryDomainFieldElement
				if n > 0 {
					want = table[(n-1)*every]
				}
				out = p256MontgomeryDomainFieldElement{9, 9, 9, 9}
				if p256Pick(&out, &table[0], uintptr(32*every), uintptr(count), uint32(n)); out != want {
					t.Errorf("%d of %d, of each %d: %x, want %x", n, count, every, out, want)
				}
			}
		}
	}
}

// TestOrder compares products and inverses modulo the order with math/big.
func TestOrder(t *testing.T) {
	inverse := new(big.Int).ModInverse(r, n)
	want := new(big.Int)
	pairs(t, n, func(a, b *big.Int) {
		x, y := words(a), words(b)
		var out [4]uint64
		p256OrdMul(&out, &x, &y)
		want.Mod(want.Mul(want.Mul(a, b), inverse), n)
		if out != words(want) {
			t.Fatalf("%x · %x = %x, want %x", a, b, out, want)
		}
		if p256OrdMul(&y, &x, &y); y != out {
			t.Fatalf("%x · %x = %x in place, want %x", a, b, y, out)
		}
	})
	rnd := rand.New(rand.NewPCG(5, 6))
	list := edges(n)
	for range 100 {
		list = append(list, random(rnd, n))
	}
	for _, a := range list {
		x := words(a)
		P256OrdInverse(&x)
		want := new(big.Int)
		if a.Sign() > 0 {
			want.ModInverse(a, n)
		}
		if x != words(want) {
			t.Errorf("1/%x = %x, want %x", a, x, want)
		}
	}
}

func BenchmarkMul(b *testing.B) {
	var x p256MontgomeryDomainFieldElement
	for b.Loop() {
		p256Mul(&x, &x, &x)
	}
}

func BenchmarkAdd(b *testing.B) {
	var x p256MontgomeryDomainFieldElement
	for b.Loop() {
		p256Add(&x, &x, &x)
	}
}

func BenchmarkOrdInverse(b *testing.B) {
	x := [4]uint64{5}
	for b.Loop() {
		P256OrdInverse(&x)
	}
}

func BenchmarkPick(b *testing.B) {
	var table [32]p256MontgomeryDomainFieldElement
	for b.Loop() {
		p256Pick(&table[0], &table[0], 32, 32, 7)
	}
}
