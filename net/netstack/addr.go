package netstack

import (
	"net"
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// toAddr converts an address for the stack. The invalid address becomes the
// empty one: every address.
func toAddr(a netip.Addr) tcpip.Address {
	switch a = a.Unmap(); {
	case a.Is4():
		return tcpip.AddrFrom4(a.As4())
	case a.Is6():
		return tcpip.AddrFrom16(a.As16())
	}
	return tcpip.Address{}
}

func fromAddr(a tcpip.Address) netip.Addr {
	addr, _ := netip.AddrFromSlice(a.AsSlice())
	return addr.Unmap()
}

func fromFull(a tcpip.FullAddress) netip.AddrPort {
	return netip.AddrPortFrom(fromAddr(a.Addr), a.Port)
}

// full returns the address for the stack; link-local addresses, groups and the limited
// broadcast, which mean nothing without an interface, get the one there is.
func full(a netip.AddrPort) tcpip.FullAddress {
	f := tcpip.FullAddress{Addr: toAddr(a.Addr()), Port: a.Port()}
	if addr := a.Addr().Unmap(); addr.IsLinkLocalUnicast() || addr.IsMulticast() ||
		addr == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
		f.NIC = ethernetID
	}
	return f
}

func protocolOf(a netip.Addr) tcpip.NetworkProtocolNumber {
	if a.Unmap().Is4() {
		return header.IPv4ProtocolNumber
	}
	return header.IPv6ProtocolNumber
}

func prefixOf(p netip.Prefix) tcpip.AddressWithPrefix {
	return tcpip.AddressWithPrefix{Address: toAddr(p.Addr()), PrefixLen: p.Bits()}
}

func tcpAddr(a netip.AddrPort) net.Addr {
	if !a.Addr().IsValid() {
		return &net.TCPAddr{IP: net.IPv6unspecified, Port: int(a.Port())}
	}
	return net.TCPAddrFromAddrPort(a)
}

func udpAddr(a netip.AddrPort) net.Addr {
	if !a.Addr().IsValid() {
		return &net.UDPAddr{IP: net.IPv6unspecified, Port: int(a.Port())}
	}
	return net.UDPAddrFromAddrPort(a)
}
