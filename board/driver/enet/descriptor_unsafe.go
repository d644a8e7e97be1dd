package enet

import (
	"sync/atomic"
	"unsafe"
)

// descriptor is an enhanced buffer descriptor: IMX6ULRM, ENET, "Enhanced buffer
// descriptors", tables "Enhanced receive buffer descriptor" and "Enhanced
// transmit buffer descriptor". The controller sees it in little-endian order
// (ECR.DBSWP).
type descriptor struct {
	status  uint32 // length in the lower half, the bits below above it
	buffer  uint32 // physical address
	control uint32
	sums    uint32 // received: header length, protocol, checksum
	update  uint32 // bit 31: the controller is done with the descriptor
	stamp   uint32 // IEEE 1588
	_       [2]uint32
}

const descriptorSize = 32

// Bits of descriptor.status.
const (
	owned = 1 << 31 // E of a receive, R of a transmit descriptor: the controller's
	wrap  = 1 << 29 // W: the ring ends here
	last  = 1 << 27 // L: the frame ends here

	rxLG = 1 << 21 // longer than RCR.MAX_FL
	rxNO = 1 << 20 // not a whole number of bytes
	rxCR = 1 << 18 // wrong FCS
	rxOV = 1 << 17 // FIFO overrun; the other error bits mean nothing
	rxTR = 1 << 16 // truncated

	txTC = 1 << 26 // append the FCS

	lengthMask = 0xffff
)

// Bits of descriptor.control.
const (
	rxINT  = 1 << 23 // raise EIR.RXF
	txINT  = 1 << 30 // raise EIR.TXF
	txPINS = 1 << 28 // insert the TCP, UDP or ICMP checksum; see insertions
	txIINS = 1 << 27 // insert the IPv4 header checksum
)

// load reads the word that says whose the descriptor is. What the owner wrote
// before handing it over is there to be read afterwards.
func (x *descriptor) load() uint32 { return atomic.LoadUint32(&x.status) }

// handOver writes that word, after everything else that was written.
func (x *descriptor) handOver(status uint32) { atomic.StoreUint32(&x.status, status) }

// txWord reads a word of a frame in DMA memory at once, which is not cached.
//
// Preconditions: off is a multiple of 4; the frame's buffer is aligned.
func txWord(buf []byte, off int) uint32 {
	_ = buf[off+3]
	return *(*uint32)(unsafe.Pointer(&buf[off]))
}

// descriptors views DMA memory as a ring of n descriptors.
//
// Preconditions: mem has room for them and is aligned to their size.
func descriptors(mem []byte, n int) []descriptor {
	_ = mem[n*descriptorSize-1]
	return unsafe.Slice((*descriptor)(unsafe.Pointer(&mem[0])), n)
}
