package link

import (
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// Filter decides about a request for a connection, a TCP segment with SYN and
// without ACK and RST, before the stack sees it. If it returns false the request is
// answered with RST and forgotten: nothing of it is held, anywhere.
//
// It is called on the receive goroutine and must neither wait nor send. Requests
// with IP options, IPv6 extension headers or in fragments, and those with a wrong
// checksum, are not shown to it; they reach the stack.
type Filter func(source, destination tcpip.FullAddress) bool

// SetFilter makes f judge the requests from now on; nil lets all of them pass.
func (e *Endpoint) SetFilter(f Filter) {
	if f == nil {
		e.filter.Store(nil)
		return
	}
	e.filter.Store(&f)
}

// A segment that asks for a connection has of these flags just SYN (RFC 9293
// §3.10.7.2): the first test of the stack's LISTEN state, which a RST fails and
// an ACK is reset for.
const requestMask = header.TCPFlagSyn | header.TCPFlagAck | header.TCPFlagRst

// asks reports whether the frame is a request that the filter may judge: from one
// station to this one, since groups are never answered (RFC 1122 §4.2.3.10).
func (f *frame) asks() bool {
	return f.tcp != 0 && f.flags()&requestMask == header.TCPFlagSyn &&
		(f.head[0]|f.head[6])&1 == 0 && (f.checked || f.verify())
}

// ends returns the two ends of a TCP frame.
func (f *frame) ends() (source, destination tcpip.FullAddress) {
	tcp := header.TCP(f.head[f.tcp:])
	source.Port, destination.Port = tcp.SourcePort(), tcp.DestinationPort()
	if f.tcp == v4Payload {
		ip := header.IPv4(f.head[ipStart:v4Payload])
		source.Addr, destination.Addr = ip.SourceAddress(), ip.DestinationAddress()
	} else {
		ip := header.IPv6(f.head[ipStart:v6Payload])
		source.Addr, destination.Addr = ip.SourceAddress(), ip.DestinationAddress()
	}
	return source, destination
}

// refuse answers the refused requests of the batch.
func (e *Endpoint) refuse(b *batch) {
	if !e.up.Load() {
		return
	}
	e.tx.lock()
	defer e.tx.mu.Unlock()
	for i := range b.n {
		f := &b.frames[i]
		if !f.refused {
			continue
		}
		slot, err := e.slot(int(f.tcp) + header.TCPMinimumSize)
		if err != nil {
			return // the port is closed
		}
		e.dev.CommitTx(f.reset(slot, string(e.address), e.offloads.TxChecksum))
		e.stats.txFrames.Add(1)
	}
	e.dev.FlushTx()
}

// ttl is the time to live, or hop limit, of a reset (RFC 1700).
const ttl = 64

// reset builds the answer that RFC 9293 §3.5.2 (group 1) wants for a connection that
// does not exist: sequence number 0, and all of the request acknowledged. It returns
// the length of the frame.
func (f *frame) reset(out []byte, from string, offloaded bool) int {
	n := int(f.tcp) + header.TCPMinimumSize
	out = out[:n]
	clear(out)
	copy(out, f.head[6:12])
	copy(out[6:], from)
	copy(out[12:], f.head[12:etherSize])

	peer, self := f.ends()
	if f.tcp == v4Payload {
		ip := header.IPv4(out[ipStart:f.tcp])
		ip.Encode(&header.IPv4Fields{
			TotalLength: uint16(n - ipStart),
			Flags:       header.IPv4FlagDontFragment, // so it needs no identification (RFC 6864)
			TTL:         ttl,
			Protocol:    uint8(header.TCPProtocolNumber),
			SrcAddr:     self.Addr,
			DstAddr:     peer.Addr,
		})
		if !offloaded {
			ip.SetChecksum(^ip.CalculateChecksum())
		}
	} else {
		header.IPv6(out[ipStart:f.tcp]).Encode(&header.IPv6Fields{
			PayloadLength:     header.TCPMinimumSize,
			TransportProtocol: header.TCPProtocolNumber,
			HopLimit:          ttl,
			SrcAddr:           self.Addr,
			DstAddr:           peer.Addr,
		})
	}
	length := uint32(f.size()) + 1
	if f.flags()&header.TCPFlagFin != 0 {
		length++
	}
	header.TCP(out[f.tcp:]).Encode(&header.TCPFields{
		SrcPort:    self.Port,
		DstPort:    peer.Port,
		AckNum:     f.seq + length,
		DataOffset: header.TCPMinimumSize,
		Flags:      header.TCPFlagRst | header.TCPFlagAck,
	})
	if !offloaded {
		setTCPChecksum(out[ipStart:], int(f.tcp)-ipStart, f.tcp == v6Payload)
	}
	return n
}
