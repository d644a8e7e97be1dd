package link

import (
	"encoding/binary"
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// Filter decides about a request for a connection, a TCP segment with SYN and
// without ACK and RST, before the stack sees it. If it returns false the request is
// answered with RST and forgotten: nothing of it is held, anywhere.
//
// It is called on the receive goroutine and must neither wait nor send. Requests
// with IP options, IPv6 extension headers or in fragments, and those with a wrong
// checksum, are not shown to it; they reach the stack.
type Filter func(source, destination netip.AddrPort) bool

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
func (f *frame) ends() (source, destination netip.AddrPort) {
	tcp := f.head[f.tcp:]
	var s, d netip.Addr
	if f.tcp == v4Payload {
		s = netip.AddrFrom4([4]byte(f.head[ipStart+12:]))
		d = netip.AddrFrom4([4]byte(f.head[ipStart+16:]))
	} else {
		s = netip.AddrFrom16([16]byte(f.head[ipStart+8:]))
		d = netip.AddrFrom16([16]byte(f.head[ipStart+24:]))
	}
	return netip.AddrPortFrom(s, binary.BigEndian.Uint16(tcp)),
		netip.AddrPortFrom(d, binary.BigEndian.Uint16(tcp[2:]))
}

// refuse answers the refused requests of the batch.
func (e *Endpoint) refuse(b *batch) {
	if !e.up.Load() {
		return
	}
	e.tx.mu.Lock()
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

	ip, tcp := out[ipStart:f.tcp], out[f.tcp:]
	if f.tcp == v4Payload {
		ip[0] = 0x45
		binary.BigEndian.PutUint16(ip[2:], uint16(n-ipStart))
		ip[6] = 0x40 // don't fragment, so it needs no identification (RFC 6864)
		ip[8], ip[9] = ttl, byte(header.TCPProtocolNumber)
		copy(ip[12:], f.head[ipStart+16:v4Payload])
		copy(ip[16:], f.head[ipStart+12:ipStart+16])
		if !offloaded {
			binary.BigEndian.PutUint16(ip[10:], ^checksum.Checksum(ip, 0))
		}
	} else {
		ip[0] = 0x60
		binary.BigEndian.PutUint16(ip[4:], header.TCPMinimumSize)
		ip[6], ip[7] = byte(header.TCPProtocolNumber), ttl
		copy(ip[8:], f.head[ipStart+24:v6Payload])
		copy(ip[24:], f.head[ipStart+8:ipStart+24])
	}

	request := f.head[f.tcp:]
	copy(tcp, request[2:4])
	copy(tcp[2:], request[:2])
	length := uint32(f.size()) + 1
	if f.flags()&header.TCPFlagFin != 0 {
		length++
	}
	binary.BigEndian.PutUint32(tcp[8:], f.seq+length)
	tcp[12] = header.TCPMinimumSize / 4 << 4
	tcp[13] = byte(header.TCPFlagRst | header.TCPFlagAck)
	if !offloaded {
		setTCPChecksum(out[ipStart:], int(f.tcp)-ipStart, f.tcp == v6Payload)
	}
	return n
}
