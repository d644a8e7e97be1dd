package nistec

import _ "unsafe" // for go:linkname

// traced is the guest's way to what others can't import.
//
//go:linkname traced main.scalarBaseMult
func traced(p *P256Point, scalar []byte) { p.ScalarBaseMult(scalar) }
