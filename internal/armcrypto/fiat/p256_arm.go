package fiat

type (
	// Numbers modulo p, four words of 64 bits, the least significant first.
	p256MontgomeryDomainFieldElement    [4]uint64 // times 2^256
	p256NonMontgomeryDomainFieldElement [4]uint64

	// p256Uint1 is 0 or 1.
	p256Uint1 uint64
)

// p256Mul sets out to a · b / 2^256, p256Add to a + b, p256Sub to a - b. They are the
// assembly, by the names by which they are called.
func p256Mul(out, a, b *p256MontgomeryDomainFieldElement) { p256MulARM(out, a, b) }
func p256Add(out, a, b *p256MontgomeryDomainFieldElement) { p256AddARM(out, a, b) }
func p256Sub(out, a, b *p256MontgomeryDomainFieldElement) { p256SubARM(out, a, b) }

//go:noescape
func p256MulARM(out, a, b *p256MontgomeryDomainFieldElement)

//go:noescape
func p256AddARM(out, a, b *p256MontgomeryDomainFieldElement)

//go:noescape
func p256SubARM(out, a, b *p256MontgomeryDomainFieldElement)

// p256Square sets out to a² / 2^256.
func p256Square(out, a *p256MontgomeryDomainFieldElement) { p256Mul(out, a, a) }

// p256SetOne sets out to 1, which is 2^256 - p.
func p256SetOne(out *p256MontgomeryDomainFieldElement) {
	*out = p256MontgomeryDomainFieldElement{1, 0xffffffff00000000, 0xffffffffffffffff, 0xfffffffe}
}

// p256ToMontgomery multiplies by 2^256, as p256Mul by its square does.
func p256ToMontgomery(out *p256MontgomeryDomainFieldElement, a *p256NonMontgomeryDomainFieldElement) {
	p256Mul(out, (*p256MontgomeryDomainFieldElement)(a), &p256MontgomeryDomainFieldElement{3, 0xfffffffbffffffff, 0xfffffffffffffffe, 0x4fffffffd})
}

// p256FromMontgomery divides by 2^256.
func p256FromMontgomery(out *p256NonMontgomeryDomainFieldElement, a *p256MontgomeryDomainFieldElement) {
	p256Mul((*p256MontgomeryDomainFieldElement)(out), a, &p256MontgomeryDomainFieldElement{1})
}

// p256Selectznz sets out to zero if yes is 0, and to nonzero if it is 1.
func p256Selectznz(out *[4]uint64, yes p256Uint1, zero, nonzero *[4]uint64) {
	mask := -uint64(yes)
	for i, z := range zero {
		out[i] = z ^ mask&(z^nonzero[i])
	}
}

// p256ToBytes and p256FromBytes convert numbers to and from bytes, the least significant
// first.
func p256ToBytes(out *[32]uint8, a *[4]uint64) {
	for i := range out {
		out[i] = byte(a[i/8] >> (i % 8 * 8))
	}
}

func p256FromBytes(out *[4]uint64, b *[32]uint8) {
	*out = [4]uint64{}
	for i, v := range b {
		out[i/8] |= uint64(v) << (i % 8 * 8)
	}
}

// p256Pick sets out to the nth, from 1, of count elements that are stride bytes apart, or
// to zero if n is 0. It takes as long, and reads the same, for every n.
//
//go:noescape
func p256Pick(out, first *p256MontgomeryDomainFieldElement, stride, count uintptr, n uint32)

// p256OrdMul sets out to a · b / 2^256 modulo the order of the group, n.
//
//go:noescape
func p256OrdMul(out, a, b *[4]uint64)

// P256OrdInverse sets k to 1/k modulo n, or to 0 if it is 0. It must be less than n.
func P256OrdInverse(k *[4]uint64) {
	// 1/k is k^(n-2), of which this takes four bits at a time: powers[i] is k^i.
	// The exponent is no secret.
	exponent := [4]uint64{0xf3b9cac2fc63254f, 0xbce6faada7179e84, 0xffffffffffffffff, 0xffffffff00000000}
	var powers [16][4]uint64
	powers[1] = [4]uint64{0x83244c95be79eea2, 0x4699799c49bd6fa6, 0x2845b2392b6bec59, 0x66e12d94f3d95620} // 2^512
	p256OrdMul(&powers[1], &powers[1], k)
	for i := 2; i < 16; i++ {
		p256OrdMul(&powers[i], &powers[i-1], &powers[1])
	}
	x := powers[15] // the uppermost bits
	for i := 248; i >= 0; i -= 4 {
		for range 4 {
			p256OrdMul(&x, &x, &x)
		}
		if d := exponent[i/64] >> (i % 64) & 15; d != 0 {
			p256OrdMul(&x, &x, &powers[d])
		}
	}
	p256OrdMul(k, &x, &[4]uint64{1})
}
