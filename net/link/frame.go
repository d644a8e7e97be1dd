package link

import (
	"bytes"
	"encoding/binary"

	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// Offsets in an Ethernet frame, and of the transport header behind the two IP
// headers that are looked into (RFC 791 without options, RFC 8200 without
// extension headers).
const (
	etherSize = header.EthernetMinimumSize
	ipStart   = etherSize
	v4Payload = ipStart + header.IPv4MinimumSize
	v6Payload = ipStart + header.IPv6MinimumSize

	// headSize is what is copied of every frame to be looked at: ring memory
	// may be uncached, where each access costs a bus transfer. It holds the
	// longest headers of interest, 14+40+60 bytes.
	headSize = 128
)

// class says what may be done with a frame.
type class uint8

const (
	// other is passed on as it is, and stands in no order to anything.
	other class = iota
	// fence is TCP that must keep its place in its flow: nothing of the flow
	// merges across it.
	fence
	// payload is TCP data with no flag but ACK and PSH.
	payload
	// pureAck is an acknowledgement and nothing else: no data, no other flag,
	// no SACK option.
	pureAck
)

// frame is one received frame, looked at. The frames of a merged packet are
// chained by next, from the first on, which alone holds their sum.
type frame struct {
	ring []byte // the frame in ring memory, without Ethernet padding if it is IP
	head [headSize]byte

	class     class
	checked   bool // checksums cover the frame and are known to be right
	checkable bool // all of it is covered by checksums that a MAC understands
	drop      bool // superseded by a later frame
	keep      bool // repeats the acknowledgement before it: not to be superseded
	refused   bool // by the filter; drop is set too
	tcp       uint8
	data      uint8
	seq, ack  uint32

	next  int // in the chain; -1 at its end
	last  int // first frame only: end of the chain
	total int // first frame only: payload bytes in the chain
}

// look takes a frame from the ring and finds out what it is.
func (f *frame) look(ring []byte) {
	n := copy(f.head[:], ring)
	f.ring, f.class, f.next = ring, other, -1
	f.checked, f.checkable, f.drop, f.keep, f.refused = false, false, false, false, false
	f.tcp, f.seq, f.ack = 0, 0, 0
	h := f.head[:n]
	if n < etherSize {
		return
	}

	var proto byte
	var l4, end int
	switch binary.BigEndian.Uint16(h[12:]) {
	case uint16(header.IPv4ProtocolNumber):
		// A first byte of 0x45 is version 4 with five words of header.
		if n < v4Payload || h[ipStart] != 0x45 {
			return
		}
		if binary.BigEndian.Uint16(h[ipStart+6:])&0x3fff != 0 {
			return // a fragment (RFC 791: MF or an offset)
		}
		l4, end = v4Payload, ipStart+int(binary.BigEndian.Uint16(h[ipStart+2:]))
		proto = h[ipStart+9]
	case uint16(header.IPv6ProtocolNumber):
		if n < v6Payload || h[ipStart]>>4 != 6 {
			return
		}
		l4, end = v6Payload, v6Payload+int(binary.BigEndian.Uint16(h[ipStart+4:]))
		proto = h[ipStart+6]
	default:
		return
	}
	if end < l4 || end > len(ring) {
		return
	}
	if proto == byte(header.UDPProtocolNumber) {
		f.checkable = true
		return
	}
	if proto != byte(header.TCPProtocolNumber) || end < l4+header.TCPMinimumSize {
		return
	}
	f.ring = ring[:end]
	f.checkable = true
	f.class = fence
	tcp := h[l4:]
	size := int(tcp[12]>>4) * 4
	if size < header.TCPMinimumSize || l4+size > end {
		return
	}
	f.tcp, f.data = uint8(l4), uint8(l4+size)
	f.seq = binary.BigEndian.Uint32(tcp[4:])
	f.ack = binary.BigEndian.Uint32(tcp[8:])
	if tcp[12]&0x0f != 0 || binary.BigEndian.Uint16(tcp[18:]) != 0 {
		return // reserved bits or an urgent pointer
	}
	flags := header.TCPFlags(tcp[13])
	switch {
	case end > l4+size:
		if flags&^header.TCPFlagPsh == header.TCPFlagAck {
			f.class = payload
		}
	case flags == header.TCPFlagAck && !hasSACK(tcp[header.TCPMinimumSize:size]):
		f.class = pureAck
	}
}

// size returns the number of payload bytes of this frame alone.
func (f *frame) size() int { return len(f.ring) - int(f.data) }

// flags returns the TCP flags of a frame that is TCP.
func (f *frame) flags() header.TCPFlags { return header.TCPFlags(f.head[f.tcp+13]) }

// hasSACK reports whether TCP options contain SACK blocks (RFC 2018, kind 5).
// Malformed options count as if they did: nothing is decided on them.
func hasSACK(options []byte) bool {
	for len(options) > 0 {
		switch options[0] {
		case header.TCPOptionEOL:
			return false
		case header.TCPOptionNOP:
			options = options[1:]
			continue
		case header.TCPOptionSACK:
			return true
		}
		if len(options) < 2 || options[1] < 2 || int(options[1]) > len(options) {
			return true
		}
		options = options[options[1]:]
	}
	return false
}

// sameFlow reports whether two TCP frames have the same addresses and ports.
func (f *frame) sameFlow(g *frame) bool {
	if f.tcp != g.tcp || !bytes.Equal(f.head[f.tcp:f.tcp+4], g.head[g.tcp:g.tcp+4]) {
		return false
	}
	if f.tcp == v4Payload {
		return bytes.Equal(f.head[ipStart+12:v4Payload], g.head[ipStart+12:v4Payload])
	}
	return bytes.Equal(f.head[ipStart+8:v6Payload], g.head[ipStart+8:v6Payload])
}

// sameTreatment reports whether two frames of one flow were marked alike on
// their way: Ethernet addresses and type; type of service, fragmentation bits
// and time to live, or traffic class, flow label and hop limit; the length and
// bytes of the TCP options.
func (f *frame) sameTreatment(g *frame) bool {
	if f.data != g.data || !bytes.Equal(f.head[:etherSize], g.head[:etherSize]) ||
		!bytes.Equal(f.head[f.tcp+header.TCPMinimumSize:f.data], g.head[g.tcp+header.TCPMinimumSize:g.data]) {
		return false
	}
	a, b := f.head[ipStart:f.tcp], g.head[ipStart:g.tcp]
	if f.tcp == v4Payload {
		return a[1] == b[1] && a[6] == b[6] && a[8] == b[8]
	}
	return bytes.Equal(a[:4], b[:4]) && a[7] == b[7]
}

// verify computes the checksums of a TCP frame.
func (f *frame) verify() bool {
	if f.tcp == v4Payload && checksum.Checksum(f.head[ipStart:v4Payload], 0) != 0xffff {
		return false
	}
	sum := pseudoHeader(f.head[:f.tcp], len(f.ring)-int(f.tcp))
	return checksum.Checksum(f.ring[f.tcp:], sum) == 0xffff
}

// pseudoHeader returns the sum of the TCP pseudo-header (RFC 9293 §3.1; RFC 8200
// §8.1) of a frame whose headers up to TCP are given.
func pseudoHeader(head []byte, length int) uint16 {
	addresses := head[ipStart+12 : v4Payload]
	if len(head) != v4Payload {
		addresses = head[ipStart+8 : v6Payload]
	}
	sum := checksum.Checksum(addresses, uint16(header.TCPProtocolNumber))
	return checksum.Combine(sum, uint16(length))
}
