//go:build !arm

package uio

import (
	"sync/atomic"
	"unsafe"
)

// On the hosts that tests run on, Go's atomic accesses are single accesses with
// an order that is stronger than needed.

func load32(p unsafe.Pointer) uint32     { return atomic.LoadUint32((*uint32)(p)) }
func store32(p unsafe.Pointer, v uint32) { atomic.StoreUint32((*uint32)(p), v) }

// There are no 16-bit atomics; a call that isn't inlined makes the compiler do
// the access just once, here.

//go:noinline
func load16(p unsafe.Pointer) uint16 { return *(*uint16)(p) }

//go:noinline
func store16(p unsafe.Pointer, v uint16) { *(*uint16)(p) = v }
