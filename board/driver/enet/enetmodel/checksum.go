package enetmodel

import (
	"encoding/binary"

	"ingot.dev/board/nic/nictest"
)

// insert does what the bits PINS and IINS of a transmit descriptor ask for: all
// that the manual promises (IMX6ULRM, ENET, "IP accelerator functions"), or as
// much of it as QEMU does. The latter takes anything for IPv4 whose version
// says so, whatever the frame's type.
func (m *Model) insert(frame []byte, control uint32) {
	iins := control&txIINS != 0 && m.regs[tacc]&taccIPCHK != 0
	pins := control&txPINS != 0 && m.regs[tacc]&taccPROCHK != 0
	if (iins || pins) && m.regs[tfwr]&tfwrSTRFWD == 0 {
		m.mistake("checksums to insert without store and forward (TFWR.STRFWD)")
		return
	}
	at := 14
	if binary.BigEndian.Uint16(frame[12:]) == 0x8100 {
		at += 4
	}
	// All of them, of which some are taken.
	sums := append([]byte(nil), frame...)
	nictest.InsertChecksums(sums)
	take := func(field int) {
		if field+2 > len(frame) {
			return
		}
		if binary.BigEndian.Uint16(frame[field:]) != 0 {
			m.mistake("checksum to insert at %d of a frame where there is one: %x", field, frame)
		}
		copy(frame[field:field+2], sums[field:])
	}
	switch {
	case len(frame) >= at+20 && frame[at]>>4 == 4:
		if !m.o.AllChecksums && binary.BigEndian.Uint16(frame[at-2:]) != 0x0800 && (iins || pins) {
			m.mistake("checksums to insert into a frame that isn't IP")
			return
		}
		if pins && binary.BigEndian.Uint16(frame[at+6:])&0x3fff == 0 {
			switch segment := at + int(frame[at]&15)*4; frame[at+9] {
			case 6:
				take(segment + 16)
			case 17:
				take(segment + 6)
			case 1:
				if m.o.AllChecksums {
					take(segment + 2)
				}
			}
		}
		if iins {
			take(at + 10)
		}
	case len(frame) >= at+40 && frame[at]>>4 == 6 && pins && m.o.AllChecksums:
		switch frame[at+6] {
		case 6:
			take(at + 40 + 16)
		case 17:
			take(at + 40 + 6)
		case 58:
			take(at + 40 + 2)
		}
	}
}
