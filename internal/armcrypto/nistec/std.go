//go:build ignore

package nistec

import (
	"crypto/internal/constanttime"
	"crypto/internal/fips140/nistec/fiat"
	"unsafe"
)

// Select sets p to the nth multiple of the table's point. It works in constant time. n
// must be in [0, 16].
func (table *p256Table) Select(p *P256Point, n uint8) {
	if n > 16 {
		panic("nistec: internal error: p256Table called with out-of-bounds value")
	}
	const stride, count = unsafe.Sizeof(table[0]), 16
	fiat.P256Pick(&p.x, &table[0].x, stride, count, n)
	fiat.P256Pick(&p.y, &table[0].y, stride, count, n)
	fiat.P256Pick(&p.z, &table[0].z, stride, count, n)
	p.Select(NewP256Point(), p, constanttime.ByteEq(n, 0)) // the point at infinity
}

// Select sets p to the nth multiple of the table's point. It works in constant time. n can
// be in [0, 32]; if it is 0, p is no point.
func (table *p256AffineTable) Select(p *p256AffinePoint, n uint8) {
	if n > 32 {
		panic("nistec: internal error: p256AffineTable.Select called with out-of-bounds value")
	}
	const stride, count = unsafe.Sizeof(table[0]), 32
	fiat.P256Pick(&p.x, &table[0].x, stride, count, n)
	fiat.P256Pick(&p.y, &table[0].y, stride, count, n)
}
