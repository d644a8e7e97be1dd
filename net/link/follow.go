package link

import "math/bits"

// Of a stream's segments nearly all come right after the one before, and differ from it in
// a few fields of their headers. Those are found to belong to it here, by comparing words:
// a quarter of the instructions that it takes to look at a frame and to compare it with
// others field by field. What isn't of that kind takes the long way, with the same result.

// alike reports whether the headers of f are those of g, but for what differs among
// segments that merge: IP's length, identification and checksum, and TCP's sequence and
// acknowledgement numbers, PSH flag, window and checksum. g is looked at, and of class
// payload. Words are little-endian.
func (f *frame) alike(g *frame) bool {
	const noPSH = 0xf7ff0000
	a, b := f.words(), g.words()
	var differ uint32
	options := 13 // the word with the urgent pointer and the options' first two bytes
	if g.tcp == v4Payload {
		differ = (a[3] ^ b[3]) | // Ethernet's type, version, type of service
			(a[5] ^ b[5]) | // fragmentation, time to live, protocol
			(a[6]^b[6])&0xffff0000 | (a[7] ^ b[7]) | (a[8] ^ b[8]) | // addresses, source port
			(a[9]^b[9])&0x0000ffff | // destination port
			(a[11]^b[11])&noPSH
	} else {
		options = 18
		differ = (a[3] ^ b[3]) | (a[4]^b[4])&0x0000ffff | // Ethernet's type, version, class, flow label
			(a[5] ^ b[5]) | // next header, hop limit
			(a[6] ^ b[6]) | (a[7] ^ b[7]) | (a[8] ^ b[8]) | (a[9] ^ b[9]) | // addresses
			(a[10] ^ b[10]) | (a[11] ^ b[11]) | (a[12] ^ b[12]) | (a[13] ^ b[13]) | // source port
			(a[14]^b[14])&0x0000ffff | // destination port
			(a[16]^b[16])&noPSH
	}
	differ |= (a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2]) // Ethernet addresses
	// The length of all headers is two more than a multiple of four.
	n := int(g.data) / 4 % len(a)
	for i := options; i < n; i++ {
		differ |= a[i] ^ b[i]
	}
	return differ == 0 && uint16(a[n]) == uint16(b[n])
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
	// The numbers lie across words. TCP's begin in the second of its header.
	w := f.words()
	length, at := bits.ReverseBytes16(uint16(w[4])), 9
	end := ipStart + int(length)
	if first.tcp != v4Payload {
		length, at = bits.ReverseBytes16(uint16(w[4]>>16)), 14
		end = v6Payload + int(length)
	}
	size := end - data
	seq := bits.ReverseBytes32(w[at]>>16 | w[at+1]<<16)
	ack := bits.ReverseBytes32(w[at+1]>>16 | w[at+2]<<16)
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
	b.laden = first.total+size > mergedMax
	b.merged++
	b.n++
	return true
}
