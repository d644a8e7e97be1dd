//go:build ignore

package nistec

import (
	"crypto/internal/constanttime"
	"crypto/internal/fips140/nistec/fiat"
)

// A window is six bits of a scalar, and the standard library has a table for each of the 43:
// of the multiples 1 to 32 of 2^(6i) · G. Of these tables, every third is in an image.
const windows, stride = 43, 3

// ScalarBaseMult sets p to scalar · G, G being the generator of the group, and returns p. If
// scalar, a number with its most significant byte first, hasn't 32 bytes, it returns an error.
// It works in constant time.
func (p *P256Point) ScalarBaseMult(scalar []byte) (*P256Point, error) {
	s, err := new(p256OrdElement).SetBytes(scalar)
	if err != nil {
		return nil, err
	}
	// Windows i, i+3, i+6 ... by the tables for windows 0, 3, 6 ...: that is the sum, but
	// for a factor of 2^(6i). Doubling gives it that, six times between each i and the next.
	p.x, p.z = fiat.P256Element{}, fiat.P256Element{} // the point at infinity
	p.y.One()
	var t p256AffinePoint
	for i := stride - 1; ; i-- {
		for w := i; w < windows; w += stride {
			// Booth's encoding looks at the bit below a window, too.
			bits := s[0] << 1
			if w > 0 {
				bits = s.Rsh(6*w - 1)
			}
			sel, sign := boothW6(bits & 0b1111111)
			p256GeneratorTables[w/stride].Select(&t, sel)
			t.Negate(sign)
			p.AddAffine(p, &t, constanttime.ByteEq(sel, 0)) // none, if sel is 0
		}
		if i == 0 {
			return p, nil
		}
		for range 6 {
			p.Double(p)
		}
	}
}
