package dhcp4

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"
)

// Lease is what a server granted.
type Lease struct {
	Prefix  netip.Prefix // the address, with the prefix length of its network
	Gateway netip.Addr   // first router that is a neighbour; invalid without one
	DNS     []netip.Addr // at most serversMax
	NTP     []netip.Addr // at most serversMax
	Server  netip.Addr

	// Times since Granted, which is when the request was sent. All are 0 for a
	// lease without end.
	Renew, Rebind, Expire time.Duration
	Granted               time.Time
}

// serversMax bounds the name and time servers taken from one reply.
const serversMax = 4

// infinite is the lease time that means for ever (RFC 2131 §3.3).
const infinite = 0xffffffff

// errNotOurs says that a message is no reply to this client's request.
var errNotOurs = errors.New("not a reply to this client")

// reply is a message from a server, checked as far as its kind allows.
type reply struct {
	kind   messageType
	server netip.Addr
	lease  Lease // of an offer or an acknowledgement
}

// parseReply checks a message. The error says what is wrong with it.
func parseReply(msg []byte, xid [4]byte, hw net.HardwareAddr) (*reply, error) {
	m, err := decode(msg)
	if err != nil {
		return nil, err
	}
	if m.op != opReply || m.xid != xid || !bytes.Equal(m.hw, hw) {
		return nil, errNotOurs
	}
	// RFC 6842 §3: servers return it, though old ones may not.
	if id, ok := m.options[optClientID]; ok && !bytes.Equal(id, clientID(hw)) {
		return nil, errNotOurs
	}
	r := &reply{kind: m.options.kind(), server: hostAddr(m.options.addr(optServer))}
	if !r.server.IsValid() {
		return nil, errors.New("no server identifier")
	}
	switch r.kind {
	case nak:
		return r, nil
	case offer, ack:
	default:
		return nil, fmt.Errorf("unexpected message type %d", r.kind)
	}
	if r.lease, err = parseLease(m); err != nil {
		return nil, err
	}
	r.lease.Server = r.server
	return r, nil
}

func parseLease(m *message) (l Lease, err error) {
	address := hostAddr(m.your)
	if !address.IsValid() {
		return l, fmt.Errorf("%v is not the address of a host", m.your)
	}
	bits := 0
	if value, ok := m.options[optMask]; ok {
		mask := net.IPMask(value)
		ones, size := mask.Size() // 0, 0 unless the ones come first
		if size != 32 || ones == 0 {
			return l, fmt.Errorf("subnet mask %v", mask)
		}
		bits = ones
	} else {
		// RFC 2132 doesn't require one; what is left is the address class.
		bits, _ = net.IP(address.AsSlice()).DefaultMask().Size()
	}
	l.Prefix = netip.PrefixFrom(address, bits)
	if bits < 31 && (address == l.Prefix.Masked().Addr() || address == broadcast(l.Prefix)) {
		return l, fmt.Errorf("%v is not the address of a host", l.Prefix)
	}
	for _, a := range m.options.addrs(optRouter) {
		if a = hostAddr(a); a.IsValid() && a != address && l.Prefix.Contains(a) {
			l.Gateway = a
			break
		}
	}
	l.DNS = servers(m.options.addrs(optDNS))
	l.NTP = servers(m.options.addrs(optNTP))

	seconds, ok := m.options.number(optLeaseTime)
	if !ok {
		return l, errors.New("no lease time")
	}
	switch seconds {
	case 0:
		return l, errors.New("lease time 0")
	case infinite:
		return l, nil
	}
	l.Expire = time.Duration(seconds) * time.Second
	l.Renew = m.options.duration(optRenew, l.Expire/2)
	l.Rebind = m.options.duration(optRebind, l.Expire/8*7)
	if l.Renew <= 0 || l.Renew >= l.Rebind || l.Rebind >= l.Expire {
		// RFC 2131 §4.4.5
		l.Renew, l.Rebind = l.Expire/2, l.Expire/8*7
	}
	return l, nil
}

// hostAddr returns the address of a host, or the invalid address.
func hostAddr(a netip.Addr) netip.Addr {
	if !a.Is4() || a.IsUnspecified() || a.IsMulticast() || a.IsLoopback() || a.As4()[0] == 0 || a.As4()[0] >= 240 {
		return netip.Addr{}
	}
	return a
}

func servers(list []netip.Addr) (addrs []netip.Addr) {
	for _, a := range list {
		if a = hostAddr(a); a.IsValid() && len(addrs) < serversMax {
			addrs = append(addrs, a)
		}
	}
	return addrs
}

func broadcast(p netip.Prefix) netip.Addr {
	a := p.Masked().Addr().As4()
	for bit := p.Bits(); bit < 32; bit++ {
		a[bit/8] |= 0x80 >> (bit % 8)
	}
	return netip.AddrFrom4(a)
}
