package netstack

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// ipv6Protocol configures IPv6 as a host that listens to routers: addresses made
// of their prefixes and the MAC (RFC 4862, RFC 4291 appendix A: a board has no
// use for addresses that change), duplicate address detection on.
func (s *Stack) ipv6Protocol() stack.NetworkProtocolFactory {
	n := &ndp{events: make(chan struct{}, 1)}
	s.ndp = n
	c := ipv6.DefaultNDPConfigurations()
	c.AutoGenTempGlobalAddresses = false
	return ipv6.NewProtocolWithOptions(ipv6.Options{
		NDPConfigs:       c,
		NDPDisp:          n,
		AutoGenLinkLocal: true,
		DADConfigs:       stack.DefaultDADConfigurations(),
	})
}

// noDuplicates turns duplicate address detection off on an interface where there
// is nobody to ask: addresses are usable at once.
func (s *Stack) noDuplicates(id tcpip.NICID) {
	ep, err := s.stack.GetNetworkEndpoint(id, header.IPv6ProtocolNumber)
	if err != nil {
		return
	}
	if d, ok := ep.(stack.DuplicateAddressDetector); ok {
		d.SetDADConfigurations(stack.DADConfigurations{RetransmitTimer: time.Second})
	}
}

// ndp receives what neighbour discovery finds out. It is called with the
// stack's locks held and so must not call the stack: what there is to do is
// noted, and done by watchIPv6.
type ndp struct {
	events chan struct{}

	mu   sync.Mutex
	todo []func(*Stack)
}

func (n *ndp) later(f func(*Stack)) {
	n.mu.Lock()
	n.todo = append(n.todo, f)
	n.mu.Unlock()
	select {
	case n.events <- struct{}{}:
	default:
	}
}

// watchIPv6 applies what neighbour discovery found out.
func (s *Stack) watchIPv6(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.ndp.events:
		}
		s.ndp.mu.Lock()
		todo := s.ndp.todo
		s.ndp.todo = nil
		s.ndp.mu.Unlock()
		for _, f := range todo {
			f(s)
		}
	}
}

// aloneWait is how long an IPv6 address has to wait for DHCP before it alone
// makes the stack ready.
const aloneWait = 10 * time.Second

func (n *ndp) OnDuplicateAddressDetectionResult(id tcpip.NICID, a tcpip.Address, r stack.DADResult) {
	if id != ethernetID {
		return
	}
	addr := fromAddr(a)
	switch r.(type) {
	case *stack.DADSucceeded:
		n.later(func(s *Stack) {
			s.log.Info("address " + addr.String())
			if !addr.IsLinkLocalUnicast() {
				time.AfterFunc(aloneWait, s.setReady)
			}
		})
	case *stack.DADDupAddrDetected:
		n.later(func(s *Stack) { s.log.Error("another host uses this port's address", "address", addr.String()) })
	}
}

func (n *ndp) OnOffLinkRouteUpdated(id tcpip.NICID, dst tcpip.Subnet, router tcpip.Address, _ header.NDPRoutePreference) {
	n.later(func(s *Stack) { s.stack.ReplaceRoute(tcpip.Route{Destination: dst, Gateway: router, NIC: id}) })
}

func (n *ndp) OnOffLinkRouteInvalidated(id tcpip.NICID, dst tcpip.Subnet, router tcpip.Address) {
	n.later(func(s *Stack) {
		s.stack.RemoveRoutes(func(r tcpip.Route) bool {
			return r.NIC == id && r.Destination == dst && r.Gateway == router
		})
	})
}

func (n *ndp) OnOnLinkPrefixDiscovered(id tcpip.NICID, p tcpip.Subnet) {
	n.later(func(s *Stack) { s.stack.ReplaceRoute(tcpip.Route{Destination: p, NIC: id}) })
}

func (n *ndp) OnOnLinkPrefixInvalidated(id tcpip.NICID, p tcpip.Subnet) {
	n.later(func(s *Stack) {
		s.stack.RemoveRoutes(func(r tcpip.Route) bool {
			return r.NIC == id && r.Destination == p && r.Gateway.Len() == 0
		})
	})
}

func (n *ndp) OnAutoGenAddress(tcpip.NICID, tcpip.AddressWithPrefix) stack.AddressDispatcher {
	return nil
}

func (n *ndp) OnAutoGenAddressDeprecated(tcpip.NICID, tcpip.AddressWithPrefix) {}

func (n *ndp) OnAutoGenAddressInvalidated(_ tcpip.NICID, a tcpip.AddressWithPrefix) {
	addr := fromAddr(a.Address)
	n.later(func(s *Stack) {
		s.link.Forget()
		s.log.Warn("IPv6 address lost", "address", addr.String())
	})
}

func (n *ndp) OnRecursiveDNSServerOption(_ tcpip.NICID, addrs []tcpip.Address, lifetime time.Duration) {
	end := time.Now().Add(lifetime)
	var servers []netip.Addr
	for _, a := range addrs {
		servers = append(servers, fromAddr(a))
	}
	n.later(func(s *Stack) {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, a := range servers {
			s.dns6.add(a, end)
		}
	})
}

func (n *ndp) OnDNSSearchListOption(tcpip.NICID, []string, time.Duration) {}

func (n *ndp) OnDHCPv6Configuration(tcpip.NICID, ipv6.DHCPv6ConfigurationFromNDPRA) {}

// dns6Max bounds the name servers that routers can announce (RFC 8106 §5.3.1
// asks for three at least).
const dns6Max = 4

// dnsServers are name servers with the end of their lifetime.
type dnsServers []struct {
	addr netip.Addr
	end  time.Time
}

func (d *dnsServers) add(a netip.Addr, end time.Time) {
	for i := range *d {
		if (*d)[i].addr == a {
			(*d)[i].end = end
			return
		}
	}
	d.expire(time.Now())
	if len(*d) < dns6Max {
		*d = append(*d, struct {
			addr netip.Addr
			end  time.Time
		}{a, end})
	}
}

func (d *dnsServers) expire(now time.Time) {
	kept := (*d)[:0]
	for _, e := range *d {
		if now.Before(e.end) {
			kept = append(kept, e)
		}
	}
	*d = kept
}

func (d *dnsServers) list(now time.Time) (addrs []netip.Addr) {
	d.expire(now)
	for _, e := range *d {
		addrs = append(addrs, e.addr)
	}
	return addrs
}
