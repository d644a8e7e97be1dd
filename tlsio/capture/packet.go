package capture

import (
	"encoding/binary"
	"net/netip"
)

// TCP flags (RFC 9293 §3.1).
const (
	fin = 1 << iota
	syn
	rst
	psh
	ack
)

// segment is one made-up TCP segment.
type segment struct {
	from, to netip.AddrPort
	seq, ack uint32
	flags    byte
	data     []byte
}

const (
	ipv4Size = 20
	ipv6Size = 40
	tcpSize  = 20
	// segmentMax is the most payload that the length fields of either version of
	// IP can say, in a round number.
	segmentMax = 65000
	protoTCP   = 6
	ttl        = 64
	window     = 0xffff
)

// packet appends the segment as an IP packet.
func (s *segment) packet(b []byte) []byte {
	start := len(b)
	size := tcpSize + len(s.data)
	v4 := s.from.Addr().Is4()
	if v4 {
		b = append(b, 0x45, 0)
		b = binary.BigEndian.AppendUint16(b, uint16(ipv4Size+size))
		b = append(b, 0, 0, 0x40, 0, ttl, protoTCP, 0, 0) // don't fragment
		b = append(b, s.from.Addr().AsSlice()...)
		b = append(b, s.to.Addr().AsSlice()...)
		binary.BigEndian.PutUint16(b[start+10:], ^fold(sum(0, b[start:])))
	} else {
		b = append(b, 0x60, 0, 0, 0)
		b = binary.BigEndian.AppendUint16(b, uint16(size))
		b = append(b, protoTCP, ttl)
		b = append(b, s.from.Addr().AsSlice()...)
		b = append(b, s.to.Addr().AsSlice()...)
	}
	tcp := len(b)
	b = binary.BigEndian.AppendUint16(b, s.from.Port())
	b = binary.BigEndian.AppendUint16(b, s.to.Port())
	b = binary.BigEndian.AppendUint32(b, s.seq)
	b = binary.BigEndian.AppendUint32(b, s.ack)
	b = append(b, tcpSize/4<<4, s.flags)
	b = binary.BigEndian.AppendUint16(b, window)
	b = append(b, 0, 0, 0, 0)
	b = append(b, s.data...)
	// The pseudo-header (RFC 9293 §3.1, RFC 8200 §8.1) has the addresses, the
	// protocol and the length in both versions.
	check := sum(sum(0, s.from.Addr().AsSlice()), s.to.Addr().AsSlice()) + protoTCP + uint32(size)
	binary.BigEndian.PutUint16(b[tcp+16:], ^fold(sum(check, b[tcp:])))
	return b
}

// sum adds the 16-bit words of b (RFC 1071). 65535 bytes don't overflow it.
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
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return uint16(s)
}
