package link

import (
	"encoding/binary"
	"io"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

const (
	// batchSize is how many frames are looked at together: more than fit in
	// one merged packet, and no more than a ring can spare meanwhile.
	batchSize = 64

	// mergedMax bounds the payload of a merged packet in bytes, so that it
	// stays within the 16-bit length of IP and the stack's largest pooled
	// buffer (64 KiB).
	mergedMax = 62000

	// openMax is how many flows are merged side by side in one batch.
	openMax = 8
)

// batch is a look at everything that lay ready in the receive ring.
type batch struct {
	frames [batchSize]frame
	n      int

	// trusted: the MAC dropped what had a wrong checksum.
	trusted bool

	// open holds, for each of the flows seen last, the frame that a next one
	// may join: the first of the newest chain.
	open  [openMax]int
	opens int

	// stream is the one of them that payload came for last; -1 for none.
	stream int

	chain chain // that is copied out of the ring

	// laden: a stream's packet takes no more. What follows begins one in the next batch,
	// and isn't cut in two by the end of this one.
	laden bool

	merged, coalesced int // frames saved
}

func (b *batch) reset() {
	b.n, b.opens, b.stream, b.laden, b.merged, b.coalesced = 0, 0, -1, false, 0, 0
}

// full reports whether the batch takes no more frames.
func (b *batch) full() bool { return b.n == batchSize || b.laden }

// add looks at a frame and merges it with earlier ones where that is possible.
func (b *batch) add(ring []byte) {
	i := b.n
	b.n++
	f := &b.frames[i]
	f.look(ring)
	f.last = i
	switch {
	case b.trusted:
		f.checked = f.checkable
	case f.class == payload || f.class == pureAck:
		// Only verified frames may change other frames.
		if f.checked = f.verify(); !f.checked {
			f.class = fence
		}
	}
	if f.class == other {
		return
	}
	if f.class == payload {
		f.total = f.size()
	}

	for slot := 0; slot < b.opens; slot++ {
		first := &b.frames[b.open[slot]]
		if !first.sameFlow(f) {
			continue
		}
		if b.join(first, f, i) {
			b.stream = b.open[slot]
			return
		}
		if f.class == pureAck {
			if first.class == pureAck && !first.keep && supersedes(f, first) {
				first.drop = true
				b.coalesced++
			}
			f.keep = f.ack == b.frames[first.last].ack
		}
		b.opened(f, b.open[slot], i)
		b.open[slot] = i
		return
	}
	replaced := -1
	if b.opens == openMax {
		replaced = b.open[0]
		copy(b.open[:], b.open[1:])
		b.opens--
	}
	b.opened(f, replaced, i)
	b.open[b.opens] = i
	b.opens++
}

// opened notes that f, the frame i, is open in the place of another, or of none.
func (b *batch) opened(f *frame, replaced, i int) {
	if f.class == payload {
		b.stream = i
	} else if b.stream == replaced {
		b.stream = -1
	}
}

// join appends f to the chain of first when f's data continues it.
func (b *batch) join(first, f *frame, i int) bool {
	last := &b.frames[first.last]
	if first.class != payload || f.class != payload ||
		f.seq != first.seq+uint32(first.total) ||
		int32(f.ack-last.ack) < 0 ||
		first.total+f.size() > mergedMax ||
		!first.sameTreatment(f) {
		return false
	}
	last.next = i
	first.last = i
	first.total += f.size()
	b.merged++
	return true
}

// supersedes reports whether the pure acknowledgement g is obsolete once f
// arrived: f acknowledges strictly more and leaves everything else as it was.
// The same acknowledgement again is a duplicate, which loss recovery counts.
func supersedes(f, g *frame) bool {
	if f.seq != g.seq || int32(f.ack-g.ack) <= 0 || f.data != g.data {
		return false
	}
	// Congestion marks (RFC 3168) have to arrive one by one.
	if f.tcp == v4Payload {
		return f.head[ipStart+1] == g.head[ipStart+1]
	}
	return binary.BigEndian.Uint16(f.head[ipStart:]) == binary.BigEndian.Uint16(g.head[ipStart:])
}

// packet copies the frame i, and what was merged with it, out of the ring, without its
// first bytes. It returns nil for a frame that went into another packet.
func (b *batch) packet(i, from int) *buffer.View {
	f := &b.frames[i]
	if f.drop {
		return nil
	}
	if f.next < 0 {
		v := buffer.NewView(len(f.ring) - from)
		v.Write(f.ring[from:])
		return v
	}

	// The merged header is the first one, with the newest acknowledgement and
	// window.
	last := &b.frames[f.last]
	head := f.head[:f.data]
	length := int(f.data) - ipStart + f.total
	if f.tcp == v4Payload {
		ip := head[ipStart:v4Payload]
		binary.BigEndian.PutUint16(ip[2:], uint16(length))
		ip[10], ip[11] = 0, 0
		binary.BigEndian.PutUint16(ip[10:], ^checksum.Checksum(ip, 0))
	} else {
		binary.BigEndian.PutUint16(head[ipStart+4:], uint16(length-header.IPv6MinimumSize))
	}
	tcp := head[f.tcp:]
	copy(tcp[8:12], last.head[last.tcp+8:])
	copy(tcp[14:16], last.head[last.tcp+14:])

	v := buffer.NewView(int(f.data) - from + f.total)
	v.Write(head[from:])
	c := &b.chain
	c.b, c.next, c.flags = b, i, f.flags()
	v.ReadFrom(c)
	v.AsSlice()[int(f.tcp)-from+13] = byte(c.flags)
	return v
}

// A chain is read as the payload of its frames, all at once: a view has room for it.
type chain struct {
	b     *batch
	next  int
	flags header.TCPFlags // of the frames that were read
}

// Read implements io.Reader.
func (c *chain) Read(p []byte) (n int, err error) {
	if len(p) == 0 { // which a view asks for first
		return 0, nil
	}
	for c.next >= 0 {
		g := &c.b.frames[c.next]
		n += copy(p[n:], g.ring[g.data:])
		c.flags |= g.flags()
		c.next, g.next, g.drop = g.next, -1, true
	}
	return n, io.EOF
}
