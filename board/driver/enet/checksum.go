package enet

import "encoding/binary"

// Who computes the checksums of a sent frame. The controller can do it for IPv4
// headers (IINS), and for TCP, UDP and ICMP over IPv4 and IPv6 (PINS; IMX6ULRM,
// ENET, "IP accelerator functions"). QEMU only does it for IPv4 headers and for
// TCP and UDP over IPv4: everything else would leave with the zero that the
// sender put there, and with it all of neighbour discovery. So:
//
//	                    controller    QEMU's
//	IPv4 header         inserts       inserts
//	TCP, UDP on IPv4    inserts       inserts
//	TCP, UDP on IPv6    inserts       here
//	ICMP, ICMPv6        here          here
//	anything else       stays as it is
//
// ICMP is rare and short: it is not worth a distinction.

// Words of a frame, as txWord reads them: little-endian.
const (
	// From byte 12: type 0x0800, version 4, header of 20 bytes.
	wordType, wordTypeMask, wordTypeIPv4 = 12, 0x00ff_ffff, 0x45_0008
	// From byte 20, if that is so: more fragments and offset; and the protocol.
	wordProto, wordFragment, wordProtoShift = 20, 0xff3f, 24
)

// Types and protocols (IANA "EtherType" and "Protocol Numbers").
const (
	typeIPv4 = 0x0800
	typeIPv6 = 0x86dd
	typeVLAN = 0x8100

	protoICMP   = 1
	protoTCP    = 6
	protoUDP    = 17
	protoICMPv6 = 58
)

// insertions returns the bits of descriptor.control for a frame of n bytes at
// the start of buf, after inserting checksums that the controller shall not
// insert. Almost every frame is TCP over IPv4: two loads and three comparisons
// tell, since loads from DMA memory are slow.
func (t *txRing) insertions(buf []byte, n int) uint32 {
	w := txWord(buf, wordProto)
	if txWord(buf, wordType)&wordTypeMask == wordTypeIPv4 && w>>wordProtoShift == protoTCP && w&wordFragment == 0 {
		return txPINS | txIINS
	}
	return insertOthers(buf[:n], t.noIPv6Sums)
}

// insertOthers is insertions for all frames. With software6, the controller
// doesn't know IPv6.
func insertOthers(frame []byte, software6 bool) uint32 {
	kind, ip := binary.BigEndian.Uint16(frame[12:]), frame[14:]
	if kind == typeVLAN && len(ip) >= 4 {
		kind, ip = binary.BigEndian.Uint16(ip[2:]), ip[4:]
	}
	switch {
	case kind == typeIPv4 && len(ip) >= 20:
		header, total := int(ip[0]&15)*4, int(binary.BigEndian.Uint16(ip[2:]))
		if header < 20 || total < header || total > len(ip) || binary.BigEndian.Uint16(ip[6:])&0x3fff != 0 {
			// A fragment has a part of what is summed up, or none of the
			// checksum.
			return txIINS
		}
		switch ip[9] {
		case protoTCP, protoUDP:
			return txPINS | txIINS
		case protoICMP:
			insert(ip[header:total], 2, 0) // RFC 792: no pseudo-header
		}
		return txIINS

	case kind == typeIPv6 && len(ip) >= 40:
		size, proto := int(binary.BigEndian.Uint16(ip[4:])), ip[6]
		if size > len(ip)-40 {
			return 0
		}
		field := 0
		switch proto {
		case protoTCP:
			field = 16
		case protoUDP:
			field = 6
		case protoICMPv6:
			field, software6 = 2, true
		default:
			return 0 // among them extension headers
		}
		if !software6 {
			return txPINS
		}
		// RFC 8200 §8.1
		pseudo := sum(uint32(size)+uint32(proto), ip[8:40])
		segment := ip[40 : 40+size]
		if insert(segment, field, pseudo) == 0 && proto == protoUDP {
			segment[field], segment[field+1] = 0xff, 0xff // zero says: none
		}
	}
	return 0
}

// insert puts the checksum of a segment, now zero, at an offset of it, and
// returns it. A segment too short to have one is left alone.
func insert(segment []byte, field int, pseudo uint32) uint16 {
	if len(segment) < field+2 {
		return 1
	}
	s := sum(pseudo, segment)
	s = s>>16 + s&0xffff
	c := ^uint16(s>>16 + s)
	binary.BigEndian.PutUint16(segment[field:], c)
	return c
}

// sum adds the 16-bit words of b to s (RFC 1071). A frame can't overflow it.
func sum(s uint32, b []byte) uint32 {
	for ; len(b) >= 2; b = b[2:] {
		s += uint32(b[0])<<8 | uint32(b[1])
	}
	if len(b) == 1 {
		s += uint32(b[0]) << 8
	}
	return s
}
