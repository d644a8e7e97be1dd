package imx

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrInvalid says that something is no boot image, or one that the ROM would refuse.
var ErrInvalid = errors.New("not a good i.MX boot image")

const (
	// IVTOffset is where the IVT is on an SD card or eMMC.
	IVTOffset = 0x400
	// BodyOffset is where an image's own bytes begin there: behind what the ROM
	// reads first.
	BodyOffset = 0x1000

	headerSize = BodyOffset - IVTOffset

	ivtSize      = 32
	bootDataSize = 12

	tagIVT  = 0xD1
	version = 0x40 // 0x40 to 0x43 are versions of the same format

	// alignment is that of an image's length: ROMs have been seen to copy whole
	// blocks only.
	alignment = 4096

	// maxImage bounds what Parse believes: more than any of these boards has RAM.
	maxImage = 1 << 30
)

// An Image is a boot image.
type Image struct {
	Start uint32    // physical address to which the ROM copies byte 0 of the boot device
	Entry uint32    // physical address of the first instruction
	DCD   []Command // carried out before the ROM copies
	Body  []byte    // gets to Start + BodyOffset
}

// check refuses what the ROM can't start.
func (im *Image) check() error {
	size := uint64(BodyOffset) + uint64(len(im.Body))
	end := uint64(im.Start) + size
	switch {
	case len(im.Body) == 0:
		return fmt.Errorf("%w: it has no bytes to run", ErrInvalid)
	case size > maxImage:
		return fmt.Errorf("%w: %d bytes are more than the ROM has RAM for", ErrInvalid, size)
	case im.Start%4 != 0 || end > 1<<32:
		return fmt.Errorf("%w: it would be copied to %#x to %#x", ErrInvalid, im.Start, end)
	case uint64(im.Entry) < uint64(im.Start)+BodyOffset || uint64(im.Entry) >= end:
		return fmt.Errorf("%w: its entry point %#x is not in it (%#x to %#x)", ErrInvalid, im.Entry, im.Start+BodyOffset, end)
	}
	return nil
}

// Encode returns the file, which begins with the IVT: to be written at byte IVTOffset of
// a card, or sent by serial download. Its length fills the ROM's blocks. Errors wrap
// ErrInvalid.
func (im *Image) Encode() ([]byte, error) {
	if err := im.check(); err != nil {
		return nil, err
	}
	dcd, err := encodeDCD(im.DCD)
	if err != nil {
		return nil, err
	}
	size := align(BodyOffset+len(im.Body)) - IVTOffset
	b := make([]byte, size)
	self := im.Start + IVTOffset
	le := binary.LittleEndian
	copy(b, []byte{tagIVT, 0, ivtSize, version})
	le.PutUint32(b[4:], im.Entry)
	// b[8:] reserved
	if len(dcd) > 0 {
		le.PutUint32(b[12:], self+ivtSize+bootDataSize)
	}
	le.PutUint32(b[16:], self+ivtSize) // boot data
	le.PutUint32(b[20:], self)
	// b[24:] no signature, b[28:] reserved
	le.PutUint32(b[ivtSize:], im.Start)
	le.PutUint32(b[ivtSize+4:], uint32(IVTOffset+size))
	// b[ivtSize+8:] not a plug-in
	copy(b[ivtSize+bootDataSize:], dcd)
	copy(b[headerSize:], im.Body)
	return b, nil
}

func align(n int) int { return (n + alignment - 1) &^ (alignment - 1) }

// Parse reads what Encode writes, and what others write in the same format. Body has the
// bytes that fill the last block too. Errors wrap ErrInvalid and say what is wrong where.
func Parse(b []byte) (*Image, error) {
	if len(b) < headerSize {
		return nil, fmt.Errorf("%w: %d bytes are too few", ErrInvalid, len(b))
	}
	le := binary.LittleEndian
	if b[0] != tagIVT || b[1] != 0 || b[2] != ivtSize || b[3]&^3 != version {
		return nil, fmt.Errorf("%w: it begins with % x, not with an image vector table (d1 00 20 40)", ErrInvalid, b[:4])
	}
	entry, dcdAt, bootAt, self, csf := le.Uint32(b[4:]), le.Uint32(b[12:]), le.Uint32(b[16:]), le.Uint32(b[20:]), le.Uint32(b[24:])
	if csf != 0 {
		return nil, fmt.Errorf("%w: it is signed (CSF at %#x), which is not supported", ErrInvalid, csf)
	}
	// inside returns the header's bytes from an address on.
	inside := func(what string, at, n uint32) ([]byte, error) {
		off := at - self
		if at < self || off < ivtSize || off > headerSize-n {
			return nil, fmt.Errorf("%w: %s at %#x is not in the %d bytes from %#x that the ROM reads first", ErrInvalid, what, at, headerSize, self)
		}
		return b[off:headerSize], nil
	}
	boot, err := inside("boot data", bootAt, bootDataSize)
	if err != nil {
		return nil, err
	}
	start, length, plugin := le.Uint32(boot), le.Uint32(boot[4:]), le.Uint32(boot[8:])
	switch {
	case plugin != 0:
		return nil, fmt.Errorf("%w: it is a plug-in, which is not supported", ErrInvalid)
	case self < IVTOffset || start != self-IVTOffset:
		return nil, fmt.Errorf("%w: the table is at %#x in RAM and the image at %#x, not %#x before it", ErrInvalid, self, start, IVTOffset)
	case length > maxImage || uint64(length) > uint64(len(b))+IVTOffset:
		return nil, fmt.Errorf("%w: boot data promise %d bytes, there are %d", ErrInvalid, length, len(b)+IVTOffset)
	case length < BodyOffset:
		return nil, fmt.Errorf("%w: boot data has the ROM copy %d bytes: nothing behind the header", ErrInvalid, length)
	}
	im := &Image{Start: start, Entry: entry, Body: b[headerSize : length-IVTOffset]}
	if dcdAt != 0 {
		dcd, err := inside("the DCD", dcdAt, dcdHeader)
		if err != nil {
			return nil, err
		}
		if im.DCD, err = parseDCD(dcd); err != nil {
			return nil, err
		}
	}
	return im, im.check()
}
