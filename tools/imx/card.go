package imx

import (
	"encoding/binary"
	"fmt"
)

const sector = 512

// A partition table, in a card's first sector (as PCs have it, "MBR").
const (
	tableAt   = 446
	entrySize = 16
	typeOther = 0xDA // not a file system
	// lastCHS is the cylinder, head and sector of what has no such address.
	lastCHS = "\xfe\xff\xff"
)

// Card returns the bytes of an SD card or eMMC with the image, from its first sector on.
// The rest of the card does not matter.
func (im *Image) Card() ([]byte, error) {
	boot, err := im.Encode()
	if err != nil {
		return nil, err
	}
	return Card(boot)
}

// Card returns the bytes of an SD card or eMMC with a boot image, as Encode returns it, or
// as another program has made it: a whole number of sectors.
func Card(boot []byte) ([]byte, error) {
	if _, err := Parse(boot); err != nil {
		return nil, err
	}
	boot = append(boot[:len(boot):len(boot)], make([]byte, -len(boot)&(sector-1))...)
	card := make([]byte, IVTOffset+len(boot))
	copy(card[IVTOffset:], boot)
	e := card[tableAt:][:entrySize]
	// Not to be started by a PC; addresses as numbers of sectors only.
	copy(e[1:], lastCHS)
	e[4] = typeOther
	copy(e[5:], lastCHS)
	binary.LittleEndian.PutUint32(e[8:], IVTOffset/sector)
	binary.LittleEndian.PutUint32(e[12:], uint32(len(boot)/sector))
	card[510], card[511] = 0x55, 0xAA
	return card, nil
}

// ParseCard reads the boot image of a card. Errors wrap ErrInvalid.
func ParseCard(card []byte) (*Image, error) {
	if len(card) < IVTOffset {
		return nil, fmt.Errorf("%w: %d bytes are too few for a card", ErrInvalid, len(card))
	}
	return Parse(card[IVTOffset:])
}
