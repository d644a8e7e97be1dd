package link

import (
	"encoding/binary"

	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// The stack asks of every segment that it sends whether there is a route, an address to send
// from and a neighbour to send to, and puts one header before the other on the way down. Of
// one connection the answers and most of the headers are the same for a while. In images TCP
// keeps them (tools/image/lane.go): it sends from there right to the port, and goes the
// long way once a second, for what is lost, and when Forget was called.

// Lanes returns the generation of what the stack was told of addresses. It changes when that
// becomes void.
func (e *Endpoint) Lanes() uint32 { return e.express.generation.Load() }

// WriteSegments sends payload, which has no headers, or nothing if it is nil, as TCP
// segments of at most mss bytes. Their Ethernet, IP and TCP headers are in head, the IP
// header ipSize bytes long; what isn't there yet is filled in. It reports false if they have
// to take the long way: the generation isn't the one that Lanes returns now, or
// they can't be sent.
func (e *Endpoint) WriteSegments(generation uint32, head []byte, ipSize int, payload *stack.PacketBuffer, mss int, seq, ack uint32, flags uint8, window uint16) bool {
	if generation != e.express.generation.Load() || !e.up.Load() {
		return false
	}
	tcp := head[etherSize+ipSize:]
	_ = tcp[header.TCPMinimumSize-1]
	binary.BigEndian.PutUint32(tcp[4:], seq)
	binary.BigEndian.PutUint32(tcp[8:], ack)
	tcp[12], tcp[13] = byte(len(tcp)/4<<4), flags
	binary.BigEndian.PutUint16(tcp[14:], window)
	tcp[18], tcp[19] = 0, 0
	if ipSize == header.IPv4MinimumSize {
		head[etherSize+4], head[etherSize+5] = 0, 0 // as the stack's: not to be fragmented
	}
	var c cursor
	rest := 0
	if payload != nil {
		c = newCursor(payload)
		rest = payload.Size()
	}
	if mss == 0 {
		mss = rest
	}
	e.tx.lock()
	frames, err := e.cut(head, ipSize, ipSize == header.IPv6MinimumSize, &c, rest, mss)
	e.dev.FlushTx()
	e.tx.mu.Unlock()
	if err != nil {
		return false
	}
	e.stats.txFrames.Add(uint64(frames))
	e.stats.txPackets.Add(1)
	e.stats.txLanes.Add(1)
	return true
}
