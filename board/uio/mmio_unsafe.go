package uio

import (
	"fmt"
	"unsafe"
)

// Read32 reads the 32-bit register at byte offset off. It panics when off is
// not a multiple of 4 or outside of the registers, as does every method here
// for its width.
func (d *Device) Read32(off uint32) uint32 { return load32(d.register(off, 4)) }

// Write32 writes the 32-bit register at byte offset off, after everything that
// was stored before.
func (d *Device) Write32(off uint32, v uint32) { store32(d.register(off, 4), v) }

// Read16 reads the 16-bit register at byte offset off.
func (d *Device) Read16(off uint32) uint16 { return load16(d.register(off, 2)) }

// Write16 writes the 16-bit register at byte offset off, after everything that
// was stored before.
func (d *Device) Write16(off uint32, v uint16) { store16(d.register(off, 2), v) }

func (d *Device) register(off, width uint32) unsafe.Pointer {
	if off&(width-1) != 0 || uint64(off)+uint64(width) > uint64(len(d.registers)) {
		panic(fmt.Sprintf("uio: %s: %d-bit access at %#x of %#x bytes of registers", d.name, width*8, off, len(d.registers)))
	}
	return unsafe.Pointer(&d.registers[off])
}
