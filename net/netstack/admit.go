package netstack

import (
	"encoding/binary"
	"net/netip"
	"sync"
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"ingot.dev/net/link"
)

// gate is the local end of a listener, with ListenAdmit's function if it has one.
// Those without are known too: a listener at one address takes precedence over one
// at all addresses of the same port, whose function then has no say.
type gate struct {
	s       *Stack
	local   netip.AddrPort // the address is invalid for all
	v6      bool           // the socket is IPv6 ...
	both    bool           // ... and takes IPv4 as well
	admit   func(netip.AddrPort) bool
	refused atomic.Uint64
}

// gates are those of a stack. The receive goroutine reads list without a lock.
type gates struct {
	mu   sync.Mutex
	list atomic.Pointer[[]*gate]
}

func (s *Stack) openGate(local netip.AddrPort, v6, both bool, admit func(netip.AddrPort) bool) *gate {
	g := &gate{s: s, local: local, v6: v6, both: both, admit: admit}
	s.changeGates(g, nil)
	return g
}

func (g *gate) close() { g.s.changeGates(nil, g) }

// changeGates adds one gate, or removes one.
func (s *Stack) changeGates(add, remove *gate) {
	s.gates.mu.Lock()
	defer s.gates.mu.Unlock()
	var list []*gate
	if old := s.gates.list.Load(); old != nil {
		for _, g := range *old {
			if g != remove {
				list = append(list, g)
			}
		}
	}
	if add != nil {
		list = append(list, add)
	}
	s.gates.list.Store(&list)
	// Requests are looked at only while a listener wants it.
	var filter link.Filter
	for _, g := range list {
		if g.admit != nil {
			filter = s.admits
		}
	}
	s.link.SetFilter(filter)
}

// covers reports whether requests to an address and port of this machine reach the
// gate's listener.
func (g *gate) covers(to netip.AddrPort) bool {
	return g.local.Port() == to.Port() &&
		(!g.local.Addr().IsValid() || g.local.Addr() == to.Addr()) &&
		(g.v6 == to.Addr().Is6() || g.both)
}

// asks lets the function decide.
func (g *gate) asks(from netip.AddrPort) bool {
	if g.admit == nil || g.admit(from) {
		return true
	}
	g.refused.Add(1)
	return false
}

// admits is the link's filter.
func (s *Stack) admits(source, destination tcpip.FullAddress) bool {
	from, to := fromFull(source), fromFull(destination)
	var gate *gate
	for _, g := range *s.gates.list.Load() {
		if g.covers(to) && (gate == nil || g.local.Addr().IsValid()) {
			gate = g
		}
	}
	if gate == nil || gate.admit == nil {
		return true
	}
	// What is for somebody else, or can't be answered, is the stack's to drop.
	if from.Port() == 0 || !s.answers(from.Addr()) || !s.owns(to.Addr()) {
		return true
	}
	return gate.asks(from)
}

// answers reports whether a can be the address of another machine: no group, broadcast
// or reserved one (RFC 1122 §3.2.1.3), and not our own, which is forged.
func (s *Stack) answers(a netip.Addr) bool {
	if a.IsUnspecified() || a.IsMulticast() || a.IsLoopback() {
		return false
	}
	if !a.Is4() {
		return !s.owns(a)
	}
	if a.As4()[0] >= 240 {
		return false
	}
	own := s.Lease().Prefix
	return a != own.Addr() && (!own.IsValid() || own.Bits() > 30 || !own.Contains(a) || !isLast(a, own.Bits()))
}

// isLast reports whether all bits of an IPv4 address behind the first ones are set.
func isLast(a netip.Addr, bits int) bool {
	b := a.As4()
	return binary.BigEndian.Uint32(b[:])|^uint32(0)<<(32-bits) == ^uint32(0)
}

// owns reports whether a is an address of the Ethernet port, broadcasts left out.
func (s *Stack) owns(a netip.Addr) bool {
	if a.Is4() {
		return a == s.Lease().Prefix.Addr()
	}
	return s.stack.CheckLocalAddress(ethernetID, header.IPv6ProtocolNumber, toAddr(a)) == ethernetID
}

// Refused returns how many times ListenAdmit's function has refused, so far: requests
// and, where the request had to be let pass, connections.
func (l *Listener) Refused() uint64 {
	return l.gate.refused.Load()
}
