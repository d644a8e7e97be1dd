package nictest

import "encoding/binary"

// Numbers of the protocols that a MAC's checksum unit knows (IANA "EtherType"
// and "Protocol Numbers").
const (
	etherIPv4 = 0x0800
	etherIPv6 = 0x86dd
	etherVLAN = 0x8100

	protoICMP   = 1
	protoTCP    = 6
	protoUDP    = 17
	protoICMPv6 = 58
)

// packet is a frame taken apart as far as its checksums need it. The slices
// alias the frame.
type packet struct {
	ipHeader []byte // IPv4 only: the header with its checksum at 10
	segment  []byte // the transport header and payload, nil if none is known
	field    int    // offset of the checksum in segment
	pseudo   uint32 // unfolded sum of the pseudo-header
	udp      bool
	v6       bool
}

// parse finds the checksums of a frame. It reports false for what a checksum
// unit leaves alone: not IP, cut short, or malformed.
func parse(frame []byte) (p packet, ok bool) {
	if len(frame) < 14 {
		return p, false
	}
	kind, ip := binary.BigEndian.Uint16(frame[12:]), frame[14:]
	if kind == etherVLAN && len(ip) >= 4 {
		kind, ip = binary.BigEndian.Uint16(ip[2:]), ip[4:]
	}
	var proto byte
	switch {
	case kind == etherIPv4 && len(ip) >= 20 && ip[0]>>4 == 4:
		header, total := int(ip[0]&15)*4, int(binary.BigEndian.Uint16(ip[2:]))
		if header < 20 || total < header || total > len(ip) {
			return p, false
		}
		p.ipHeader = ip[:header]
		if binary.BigEndian.Uint16(ip[6:])&0x3fff != 0 {
			return p, true // a fragment: no transport checksum to find
		}
		proto, p.segment = ip[9], ip[header:total]
		p.pseudo = sum(0, ip[12:20])
	case kind == etherIPv6 && len(ip) >= 40 && ip[0]>>4 == 6:
		n := int(binary.BigEndian.Uint16(ip[4:]))
		if n > len(ip)-40 {
			return p, false
		}
		p.v6 = true
		proto, p.segment = ip[6], ip[40:40+n]
		p.pseudo = sum(0, ip[8:40])
	default:
		return p, false
	}
	p.pseudo += uint32(proto) + uint32(len(p.segment))
	minimum := 0
	switch {
	case proto == protoTCP:
		minimum, p.field = 20, 16
	case proto == protoUDP:
		minimum, p.field, p.udp = 8, 6, true
	case proto == protoICMP && !p.v6:
		minimum, p.field, p.pseudo = 8, 2, 0 // RFC 792: no pseudo-header
	case proto == protoICMPv6 && p.v6:
		minimum, p.field = 8, 2
	default:
		p.segment = nil
	}
	if len(p.segment) < minimum {
		p.segment = nil
	}
	return p, true
}

// InsertChecksums does to a frame what a MAC with [nic.Offloads].TxChecksum
// does: it fills in the IPv4 header checksum and the TCP, UDP or ICMP checksum,
// computed over the frame as it is. The fields must be zero; a wrong value in
// them gives a wrong checksum, as on hardware that adds instead of replacing.
func InsertChecksums(frame []byte) {
	p, ok := parse(frame)
	if !ok {
		return
	}
	if p.ipHeader != nil {
		binary.BigEndian.PutUint16(p.ipHeader[10:], ^fold(sum(0, p.ipHeader)))
	}
	if p.segment != nil {
		c := ^fold(sum(p.pseudo, p.segment))
		if c == 0 && p.udp {
			c = 0xffff // RFC 768: zero means that there is none
		}
		binary.BigEndian.PutUint16(p.segment[p.field:], c)
	}
}

// ChecksumsOK does to a frame what a MAC with [nic.Offloads].RxChecksum does:
// it reports whether every checksum that it finds is right. A frame without
// any is fine.
func ChecksumsOK(frame []byte) bool {
	p, ok := parse(frame)
	if !ok {
		return true
	}
	if p.ipHeader != nil && fold(sum(0, p.ipHeader)) != 0xffff {
		return false
	}
	if p.segment == nil {
		return true
	}
	if p.udp && !p.v6 && binary.BigEndian.Uint16(p.segment[p.field:]) == 0 {
		return true
	}
	return fold(sum(p.pseudo, p.segment)) == 0xffff
}

// sum adds the 16-bit words of b to s (RFC 1071), an odd last byte being the
// upper half of a word. 1500 bytes can't overflow 32 bits.
func sum(s uint32, b []byte) uint32 {
	for ; len(b) >= 2; b = b[2:] {
		s += uint32(b[0])<<8 | uint32(b[1])
	}
	if len(b) == 1 {
		s += uint32(b[0]) << 8
	}
	return s
}

func fold(s uint32) uint16 {
	s = s>>16 + s&0xffff
	return uint16(s>>16 + s)
}
