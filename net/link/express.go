package link

import (
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
)

// The stack asks of every packet whether its addresses are allowed, and which endpoint
// it is for. Of the segments of one connection the answers are the same each time, so
// they are kept, and what follows goes from here right to TCP. That is for segments of
// established connections with flags of no consequence and checksums that are right;
// all else takes the long way, and so does the first segment of each connection.

// express knows the connections that segments came for lately. The receive goroutine's,
// but for generation.
type express struct {
	stack *stack.Stack
	nic   tcpip.NICID
	tcp   queuer
	late  settler // nil with a stack as it is
	lines [64]line
	swept int // the line looked at last for an endpoint that is no longer of use
	turns turns

	// generation counts how often what is known became void.
	generation atomic.Uint32
}

// queuer is the part of TCP that takes segments.
type queuer interface {
	QueuePacket(stack.TransportEndpoint, stack.TransportEndpointID, *stack.PacketBuffer)
}

// settler is what TCP is, too, in images, where it may leave an acknowledgement for later;
// see tools/image/shortcuts.go.
type settler interface {
	Owes(*tcp.Endpoint) bool
	Settle(*tcp.Endpoint, stack.TransportEndpointID)
}

// A line is one known connection.
type line struct {
	key        [36]byte // addresses and ports, as they are in the frame
	size       uint8    // of key; 12 for IPv4
	credit     uint8    // segments of others that it stays for
	generation uint32
	ep         *tcp.Endpoint // nil: none
	id         stack.TransportEndpointID
}

// creditMax is how many segments of other connections have to come, before those of a
// connection are forgotten for another with the same line.
const creditMax = 8

// SetStack tells which stack the port belongs to, as which interface, so that segments
// of known connections take a shorter way to it. It is called before Attach.
func (e *Endpoint) SetStack(s *stack.Stack, id tcpip.NICID) {
	q, ok := s.TransportProtocolInstance(tcp.ProtocolNumber).(queuer)
	if !ok {
		return
	}
	e.express.stack, e.express.nic, e.express.tcp = s, id, q
	e.express.late, _ = q.(settler)
}

// Forget is called when addresses have changed.
func (e *Endpoint) Forget() { e.express.generation.Add(1) }

// regular reports whether a segment is of the kind that may be known.
func (f *frame) regular() bool {
	return (f.class == payload || f.class == pureAck) && f.checked && (f.head[0]|f.head[6])&1 == 0
}

// key returns the addresses and ports of a TCP segment, which lie side by side.
func (f *frame) key() []byte {
	if f.tcp == v4Payload {
		return f.head[ipStart+12 : v4Payload+4]
	}
	return f.head[ipStart+8 : v6Payload+4]
}

func (x *express) line(f *frame) *line {
	return &x.lines[(f.head[f.tcp+1]^f.head[f.tcp+3]<<3)%uint8(len(x.lines))]
}

// find returns the connection that a regular segment is for, or nil.
func (x *express) find(f *frame) *line {
	if x.stack == nil || !f.regular() {
		return nil
	}
	l := x.line(f)
	if l.ep == nil || string(l.key[:l.size]) != string(f.key()) {
		return nil
	}
	if l.generation != x.generation.Load() || !open(l.ep) {
		l.ep = nil
		return nil
	}
	l.credit = creditMax
	return l
}

// open reports whether segments are still for this endpoint.
func open(ep *tcp.Endpoint) bool {
	switch ep.EndpointState() {
	case tcp.StateEstablished, tcp.StateCloseWait, tcp.StateFinWait1, tcp.StateFinWait2, tcp.StateClosing, tcp.StateLastAck:
		return true
	}
	return false
}

// learn notes the connection of a regular segment that the stack has taken. The stack's
// own rules hold: the local address is one of this port, the remote one of nobody here.
func (x *express) learn(f *frame) {
	if x.stack == nil || !f.regular() {
		return
	}
	l := x.line(f)
	if l.ep != nil && l.credit > 0 && open(l.ep) {
		l.credit--
		return
	}
	generation := x.generation.Load()
	remote, local := f.ends()
	id := stack.TransportEndpointID{
		LocalPort: local.Port, LocalAddress: local.Addr,
		RemotePort: remote.Port, RemoteAddress: remote.Addr,
	}
	proto := f.network()
	ep, ok := x.stack.FindTransportEndpoint(proto, tcp.ProtocolNumber, id, x.nic).(*tcp.Endpoint)
	if !ok || !open(ep) || // a listener, for one
		x.stack.CheckLocalAddress(0, proto, local.Addr) != x.nic ||
		x.stack.CheckLocalAddress(0, proto, remote.Addr) != 0 {
		return
	}
	*l = line{size: uint8(len(f.key())), credit: creditMax, generation: generation, ep: ep, id: id}
	copy(l.key[:], f.key())
}

// sweep lets go of one connection if it has ended.
func (x *express) sweep() {
	x.swept = (x.swept + 1) % len(x.lines)
	if l := &x.lines[x.swept]; l.ep != nil && !open(l.ep) {
		l.ep = nil
	}
}

func (f *frame) network() tcpip.NetworkProtocolNumber {
	if f.tcp == v4Payload {
		return header.IPv4ProtocolNumber
	}
	return header.IPv6ProtocolNumber
}

// noLocks in a received packet's hash says that its sender holds no lock of the stack,
// so that TCP may work on it right away. The stack as it is ignores it, and has another
// goroutine do that; see tools/image/shortcuts.go.
const noLocks = 1

// board makes the segment f ready for TCP. v has it from its IP header on.
func (x *express) board(f *frame, v *buffer.View) *stack.PacketBuffer {
	pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithView(v)})
	pkt.NetworkProtocolNumber = f.network()
	pkt.TransportProtocolNumber = tcp.ProtocolNumber
	pkt.PktType = tcpip.PacketHost
	pkt.NICID = x.nic
	pkt.RXChecksumValidated = true
	pkt.Hash = noLocks
	pkt.NetworkHeader().Consume(int(f.tcp) - ipStart)
	pkt.TransportHeader().Consume(int(f.data - f.tcp))
	return pkt
}
