//go:build ignore

package fiat

// P256Pick sets out to the nth, from 1, of count elements that are stride bytes apart, or
// to zero if n is 0. It takes as long, and reads the same, for every n.
func P256Pick(out, first *P256Element, stride, count uintptr, n uint8) {
	p256Pick(&out.x, &first.x, stride, count, uint32(n))
}
