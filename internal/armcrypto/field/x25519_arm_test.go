package field

import (
	"encoding/hex"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
)

// p is 2^255 - 19.
var p = new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))

// value is the number that an element has, of up to 256 bits.
func (v *x25519Element) value() *big.Int {
	x := new(big.Int)
	for _, w := range slices.Backward(v[:]) {
		x.Lsh(x, 32).Or(x, big.NewInt(int64(w)))
	}
	return x
}

func element(x *big.Int) (v x25519Element) {
	for i, b := range x.FillBytes(make([]byte, 32)) {
		v[7-i/4] = v[7-i/4]<<8 | uint32(b)
	}
	return v
}

// edges are numbers of 256 bits next to which carries and reductions happen.
func edges() []x25519Element {
	var list []x25519Element
	limit := new(big.Int).Lsh(big.NewInt(1), 256)
	add := func(x *big.Int) {
		for d := int64(-3); d <= 3; d++ {
			list = append(list, element(new(big.Int).Mod(new(big.Int).Add(x, big.NewInt(d)), limit)))
		}
	}
	add(new(big.Int)) // with 2^256
	add(p)
	add(new(big.Int).Add(p, p))
	for bit := uint(32); bit < 256; bit += 32 {
		add(new(big.Int).Lsh(big.NewInt(1), bit))
		add(new(big.Int).Sub(limit, new(big.Int).Lsh(big.NewInt(1), bit)))
	}
	add(new(big.Int).Lsh(big.NewInt(1), 255))
	return list
}

// random makes elements of which many words are all zeros or all ones.
func random(rnd *rand.Rand) (v x25519Element) {
	for i := range v {
		switch rnd.IntN(4) {
		case 0:
		case 1:
			v[i] = ^uint32(0)
		default:
			v[i] = rnd.Uint32()
		}
	}
	return v
}

// count is how many random cases a test has.
func count() int {
	if testing.Short() {
		return 10_000
	}
	return 1_000_000
}

// TestMul compares products with math/big. They are as small as additions want them.
func TestMul(t *testing.T) {
	want, limit := new(big.Int), new(big.Int).Add(p, big.NewInt(1<<11))
	check := func(x, y x25519Element) {
		var out x25519Element
		x25519Mul(&out, &x, &y)
		want.Mod(want.Mul(x.value(), y.value()), p)
		got := out.value()
		if got.Cmp(limit) >= 0 || got.Mod(got, p).Cmp(want) != 0 {
			t.Fatalf("%x · %x = %x, want %x", x, y, out, want)
		}
		first, second := x, y
		x25519Mul(&first, &first, &y)
		x25519Mul(&second, &x, &second)
		if first != out || second != out {
			t.Fatalf("%x · %x = %x or %x in place, want %x", x, y, first, second, out)
		}
	}
	for _, x := range edges() {
		for _, y := range edges() {
			check(x, y)
		}
		square, y := x, x
		x25519Mul(&square, &square, &square)
		if x25519Mul(&x, &x, &y); x != square {
			t.Fatalf("the square of %x in place is %x, want %x", y, square, x)
		}
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	for range count() {
		check(random(rnd), random(rnd))
	}
}

// TestReduce compares canonical forms and inverses with math/big.
func TestReduce(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	list := edges()
	for range 300 {
		list = append(list, random(rnd))
	}
	for _, x := range list {
		want := new(big.Int).Mod(x.value(), p)
		y, z := x, x
		if y.reduce(); y != element(want) {
			t.Errorf("%x reduced is %x, want %x", x, y, want)
		}
		z.invert(&z)
		z.reduce()
		if want.Sign() > 0 {
			want.ModInverse(want, p)
		}
		if z != element(want) {
			t.Errorf("1/%x = %x, want %x", x, z, want)
		}
	}
}

// step is what x25519Step is to do, as RFC 7748, section 5, writes it.
func step(x1, x2, z2, x3, z3 *big.Int) [4]*big.Int {
	mod := func(x *big.Int) *big.Int { return x.Mod(x, p) }
	add := func(x, y *big.Int) *big.Int { return mod(new(big.Int).Add(x, y)) }
	sub := func(x, y *big.Int) *big.Int { return mod(new(big.Int).Sub(x, y)) }
	mul := func(x, y *big.Int) *big.Int { return mod(new(big.Int).Mul(x, y)) }
	a, b, c, d := add(x2, z2), sub(x2, z2), add(x3, z3), sub(x3, z3)
	aa, bb, da, cb := mul(a, a), mul(b, b), mul(d, a), mul(c, b)
	e := sub(aa, bb)
	sum, diff := add(da, cb), sub(da, cb)
	return [4]*big.Int{
		mul(aa, bb),
		mul(e, add(aa, mul(big.NewInt(121665), e))),
		mul(sum, sum),
		mul(x1, mul(diff, diff)),
	}
}

// TestStep compares a step with math/big, from all that a multiplication gives: numbers
// below 2^255 + 2^11.
func TestStep(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	var small []x25519Element
	for _, x := range edges() {
		if x[7] < 1<<31 || x.value().Cmp(new(big.Int).Add(p, big.NewInt(1<<11))) < 0 {
			small = append(small, x)
		}
	}
	for d := range 20 {
		small = append(small, element(new(big.Int).Add(p, big.NewInt(int64(d*100)))))
	}
	number := func() x25519Element {
		if rnd.IntN(2) == 0 {
			return small[rnd.IntN(len(small))]
		}
		x := random(rnd)
		x[7] &= 1<<31 - 1
		return x
	}
	for range count() / 10 {
		l := x25519Ladder{x1: number(), x2: number(), z2: number(), x3: number(), z3: number()}
		before := l
		want := step(l.x1.value(), l.x2.value(), l.z2.value(), l.x3.value(), l.z3.value())
		x25519Step(&l)
		for i, v := range []*x25519Element{&l.x2, &l.z2, &l.x3, &l.z3} {
			got := v.value()
			if got.Mod(got, p).Cmp(want[i]) != 0 || l.x1 != before.x1 {
				t.Fatalf("a step from %x: result %d is %x, want %x", before, i, got, want[i])
			}
		}
	}
}

func TestSwap(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 8))
	a, b, c, d, e := random(rnd), random(rnd), random(rnd), random(rnd), random(rnd)
	l := x25519Ladder{x1: e, x2: a, z2: b, x3: c, z3: d, t0: e, t1: e}
	same := l
	if x25519Swap(&l, 0); l != same {
		t.Errorf("swapped without need: %x", l)
	}
	if x25519Swap(&l, 1); l != (x25519Ladder{x1: e, x2: c, z2: d, x3: a, z3: b, t0: e, t1: e}) {
		t.Errorf("swapped: %x", l)
	}
}

func fromHex(t *testing.T, s string) *[32]byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != 32 {
		t.Fatal(s, err)
	}
	return (*[32]byte)(b)
}

// RFC 7748, section 5.2.
func TestVectors(t *testing.T) {
	for _, v := range []struct{ scalar, point, want string }{
		{"a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4", "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c", "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"},
		{"4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d", "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493", "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957"},
	} {
		var out [32]byte
		if X25519(&out, fromHex(t, v.scalar), fromHex(t, v.point)); out != *fromHex(t, v.want) {
			t.Errorf("%s · %s = %x, want %s", v.scalar, v.point, out, v.want)
		}
	}
	k := [32]byte{9}
	u := k
	rounds, want := 1000, "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51"
	if testing.Short() {
		rounds, want = 1, "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079"
	}
	for range rounds {
		var out [32]byte
		X25519(&out, &k, &u)
		k, u = out, k
	}
	if k != *fromHex(t, want) {
		t.Errorf("after %d rounds: %x, want %s", rounds, k, want)
	}
}

// TestReference compares whole results with the ladder in math/big, from points that are
// not below p, too.
func TestReference(t *testing.T) {
	rnd := rand.New(rand.NewPCG(9, 10))
	points := edges()
	if testing.Short() {
		points = points[:20]
	}
	for _, point := range append(points, random(rnd)) {
		var scalar, u, out [32]byte
		for i := range scalar {
			scalar[i] = byte(rnd.Uint32())
		}
		for i := range u {
			u[i] = byte(point[i/4] >> (i % 4 * 8))
		}
		X25519(&out, &scalar, &u)

		point[7] &= 1<<31 - 1
		x1 := new(big.Int).Mod(point.value(), p)
		a, b := [2]*big.Int{big.NewInt(1), new(big.Int)}, [2]*big.Int{x1, big.NewInt(1)}
		scalar[0] &= 248
		scalar[31] = scalar[31]&127 | 64
		for i := 254; i >= 0; i-- {
			bit := scalar[i/8] >> (i % 8) & 1
			if bit == 1 {
				a, b = b, a
			}
			s := step(x1, a[0], a[1], b[0], b[1])
			a, b = [2]*big.Int{s[0], s[1]}, [2]*big.Int{s[2], s[3]}
			if bit == 1 {
				a, b = b, a
			}
		}
		want := new(big.Int)
		if a[1].Sign() > 0 {
			want.ModInverse(a[1], p)
		}
		want.Mod(want.Mul(want, a[0]), p)
		b32 := want.FillBytes(make([]byte, 32))
		if slices.Reverse(b32); out != [32]byte(b32) {
			t.Errorf("%x · %x = %x, want %x", scalar, u, out, b32)
		}
	}
}

func BenchmarkX25519(b *testing.B) {
	k, u := [32]byte{1}, [32]byte{9}
	for b.Loop() {
		X25519(&u, &k, &u)
	}
}
