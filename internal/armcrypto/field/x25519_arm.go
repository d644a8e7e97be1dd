package field

import "math/bits"

// An x25519Element is a number modulo 2^255 - 19.
type x25519Element [8]uint32

// An x25519Ladder is what the ladder works on; x25519_arm.s knows where it all is.
type x25519Ladder struct {
	x1, x2, z2, x3, z3, t0, t1 x25519Element
}

//go:noescape
func x25519Mul(out, a, b *x25519Element)

//go:noescape
func x25519Step(l *x25519Ladder)

//go:noescape
func x25519Swap(l *x25519Ladder, yes uint32)

// X25519 sets dst to the X25519 function of a scalar and a point, RFC 7748, section 5.
func X25519(dst, scalar, point *[32]byte) {
	e := *scalar
	e[0] &= 248
	e[31] &= 127
	e[31] |= 64

	var l x25519Ladder
	for i, b := range point {
		l.x1[i/4] |= uint32(b) << (i % 4 * 8)
	}
	l.x1[7] &= 1<<31 - 1
	l.x2[0] = 1
	l.x3 = l.x1
	l.z3[0] = 1
	last := uint32(0)
	for i := 254; i >= 0; i-- {
		bit := uint32(e[i/8]) >> (i % 8) & 1
		x25519Swap(&l, last^bit)
		x25519Step(&l)
		last = bit
	}
	x25519Swap(&l, last)
	l.z2.invert(&l.z2)
	x25519Mul(&l.x2, &l.x2, &l.z2)
	l.x2.reduce()
	for i := range dst {
		dst[i] = byte(l.x2[i/4] >> (i % 4 * 8))
	}
}

// square sets v to x squared n times.
func (v *x25519Element) square(x *x25519Element, n int) {
	x25519Mul(v, x, x)
	for range n - 1 {
		x25519Mul(v, v, v)
	}
}

// invert sets v to x^(p-2), which is 1/x unless x is zero. Exponents are in the comments;
// p - 2 is 2^255 - 21.
func (v *x25519Element) invert(x *x25519Element) {
	var a, b, c, x11 x25519Element
	a.square(x, 1)          // 2
	b.square(&a, 2)         // 8
	x25519Mul(&b, &b, x)    // 9
	x25519Mul(&x11, &a, &b) // 11
	a.square(&x11, 1)       // 22
	x25519Mul(&a, &a, &b)   // 2^5 - 1
	b.square(&a, 5)         // 2^10 - 2^5
	x25519Mul(&a, &b, &a)   // 2^10 - 1
	b.square(&a, 10)        // 2^20 - 2^10
	x25519Mul(&b, &b, &a)   // 2^20 - 1
	c.square(&b, 20)        // 2^40 - 2^20
	x25519Mul(&b, &c, &b)   // 2^40 - 1
	b.square(&b, 10)        // 2^50 - 2^10
	x25519Mul(&a, &b, &a)   // 2^50 - 1
	b.square(&a, 50)        // 2^100 - 2^50
	x25519Mul(&b, &b, &a)   // 2^100 - 1
	c.square(&b, 100)       // 2^200 - 2^100
	x25519Mul(&b, &c, &b)   // 2^200 - 1
	b.square(&b, 50)        // 2^250 - 2^50
	x25519Mul(&a, &b, &a)   // 2^250 - 1
	a.square(&a, 5)         // 2^255 - 2^5
	x25519Mul(v, &a, &x11)  // 2^255 - 21
}

// reduce makes v the least of the numbers that are the same modulo p. It has 256 bits,
// so p is in it once or twice or not at all.
func (v *x25519Element) reduce() {
	for range 2 {
		var d x25519Element
		borrow := uint32(0)
		for i, w := range v {
			p := ^uint32(0)
			switch i {
			case 0:
				p -= 18
			case 7:
				p >>= 1
			}
			d[i], borrow = bits.Sub32(w, p, borrow)
		}
		for i := range v {
			v[i] = v[i]&-borrow | d[i]&^-borrow
		}
	}
}
