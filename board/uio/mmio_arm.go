package uio

import "unsafe"

// Implemented in mmio_arm.s.
//
// Preconditions: p is aligned to the size of the access and points into mapped
// memory.

//go:noescape
func load32(p unsafe.Pointer) uint32

//go:noescape
func store32(p unsafe.Pointer, v uint32)

//go:noescape
func load16(p unsafe.Pointer) uint16

//go:noescape
func store16(p unsafe.Pointer, v uint16)
