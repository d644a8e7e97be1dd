package dhcp4

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
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
	kind   dhcpv4.MessageType
	server netip.Addr
	lease  Lease // of an offer or an acknowledgement
}

// parseReply checks a message. The error says what is wrong with it.
func parseReply(msg []byte, xid dhcpv4.TransactionID, hw net.HardwareAddr) (*reply, error) {
	m, err := dhcpv4.FromBytes(msg)
	if err != nil {
		return nil, err
	}
	if m.OpCode != dhcpv4.OpcodeBootReply || m.TransactionID != xid || !bytes.Equal(m.ClientHWAddr, hw) {
		return nil, errNotOurs
	}
	r := &reply{kind: m.MessageType(), server: hostAddr(m.ServerIdentifier())}
	if !r.server.IsValid() {
		return nil, errors.New("no server identifier")
	}
	switch r.kind {
	case dhcpv4.MessageTypeNak:
		return r, nil
	case dhcpv4.MessageTypeOffer, dhcpv4.MessageTypeAck:
	default:
		return nil, fmt.Errorf("unexpected message type %d", r.kind)
	}
	if r.lease, err = parseLease(m); err != nil {
		return nil, err
	}
	r.lease.Server = r.server
	return r, nil
}

func parseLease(m *dhcpv4.DHCPv4) (l Lease, err error) {
	address := hostAddr(m.YourIPAddr)
	if !address.IsValid() {
		return l, fmt.Errorf("%v is not the address of a host", m.YourIPAddr)
	}
	bits := 0
	if mask := m.SubnetMask(); mask != nil {
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
	for _, ip := range m.Router() {
		if a := hostAddr(ip); a.IsValid() && a != address && l.Prefix.Contains(a) {
			l.Gateway = a
			break
		}
	}
	l.DNS = servers(m.DNS())
	l.NTP = servers(m.NTPServers())

	text := m.Options.Get(dhcpv4.OptionIPAddressLeaseTime)
	if len(text) != 4 {
		return l, errors.New("no lease time")
	}
	seconds := uint32(text[0])<<24 | uint32(text[1])<<16 | uint32(text[2])<<8 | uint32(text[3])
	switch seconds {
	case 0:
		return l, errors.New("lease time 0")
	case infinite:
		return l, nil
	}
	l.Expire = time.Duration(seconds) * time.Second
	l.Renew = m.IPAddressRenewalTime(l.Expire / 2)
	l.Rebind = m.IPAddressRebindingTime(l.Expire / 8 * 7)
	if l.Renew <= 0 || l.Renew >= l.Rebind || l.Rebind >= l.Expire {
		// RFC 2131 §4.4.5
		l.Renew, l.Rebind = l.Expire/2, l.Expire/8*7
	}
	return l, nil
}

// hostAddr returns the address of a host, or the invalid address.
func hostAddr(ip net.IP) netip.Addr {
	a, ok := netip.AddrFromSlice(ip.To4())
	if !ok || a.IsUnspecified() || a.IsMulticast() || a.IsLoopback() || a.As4()[0] == 0 || a.As4()[0] >= 240 {
		return netip.Addr{}
	}
	return a
}

func servers(ips []net.IP) (addrs []netip.Addr) {
	for _, ip := range ips {
		if a := hostAddr(ip); a.IsValid() && len(addrs) < serversMax {
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
