package link

import (
	"encoding/binary"

	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// Of a stream's segments nearly all come right after the one before, and differ from it in
// a few fields of their headers. Those are found to belong to it here, by comparing words:
// a fifth of the instructions that it takes to look at a frame and to compare it with
// others field by field. What isn't of that kind takes the long way, with the same result.

// steady4 and steady6 say which bits are the same in the headers of all segments that
// merge, from Ethernet's to TCP's urgent pointer: all but IP's length, identification and
// checksum, and TCP's sequence and acknowledgement numbers, PSH flag, window and checksum.
// Behind them are TCP's options, which are the same too. Words are little-endian.
var (
	steady4 = [...]uint32{
		all, all, all, all, 0, all, 0xffff0000, all, all,
		0x0000ffff, 0, 0xf7ff0000, 0,
	}
	steady6 = [...]uint32{
		all, all, all, all, 0x0000ffff, all, all, all, all, all, all, all, all, all,
		0x0000ffff, 0, 0xf7ff0000, 0,
	}
)

const all = 0xffffffff

// alike reports whether the headers in front of the payload of f have the steady bits of
// g's, which is looked at and of class payload.
func (f *frame) alike(g *frame) bool {
	a, b := f.words(), g.words()
	steady := steady4[:]
	if g.tcp != v4Payload {
		steady = steady6[:]
	}
	for i, bits := range steady {
		if (a[i]^b[i])&bits != 0 {
			return false
		}
	}
	// The length of all headers is two more than a multiple of four.
	n := int(g.data) / 4
	for i := len(steady); i < n; i++ {
		if a[i] != b[i] {
			return false
		}
	}
	return uint16(a[n]) == uint16(b[n])
}

// follow takes a frame that continues the stream that came last, and reports whether it
// was one. If not, nothing has happened.
func (b *batch) follow(ring []byte) bool {
	if b.stream < 0 || !b.trusted {
		return false
	}
	first := &b.frames[b.stream]
	data := int(first.data)
	if len(ring) <= data {
		return false
	}
	f := &b.frames[b.n]
	copy(f.head[:], ring[:data])
	if !f.alike(first) {
		return false
	}
	end := ipStart + int(binary.BigEndian.Uint16(f.head[ipStart+2:]))
	if first.tcp != v4Payload {
		end = v6Payload + int(binary.BigEndian.Uint16(f.head[ipStart+4:]))
	}
	size := end - data
	tcp := f.head[first.tcp : first.tcp+header.TCPMinimumSize]
	seq, ack := binary.BigEndian.Uint32(tcp[4:]), binary.BigEndian.Uint32(tcp[8:])
	last := &b.frames[first.last]
	if size <= 0 || end > len(ring) || seq != first.seq+uint32(first.total) ||
		int32(ack-last.ack) < 0 || first.total+size > mergedMax {
		return false
	}
	f.ring, f.class, f.next = ring[:end], payload, -1
	f.checked, f.checkable, f.drop, f.keep, f.refused = true, true, false, false, false
	f.tcp, f.data, f.seq, f.ack = first.tcp, first.data, seq, ack
	last.next = b.n
	first.last = b.n
	first.total += size
	b.merged++
	b.n++
	return true
}
