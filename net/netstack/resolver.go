package netstack

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"ingot.dev/net/dns"
)

const (
	// lookupTime bounds a lookup whose context has no deadline.
	lookupTime = 20 * time.Second
	// serverTime is what a name server is given while there is another one.
	serverTime = 5 * time.Second
)

// NameServers returns the name servers in the order in which they are asked:
// those of the Config, of the lease, of the routers' advertisements.
func (s *Stack) NameServers() []netip.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := slices.Concat(s.config.DNS, s.v4.DNS, s.dns6.list(time.Now()))
	var unique []netip.Addr
	for _, a := range list {
		if !slices.Contains(unique, a) {
			unique = append(unique, a)
		}
	}
	return unique
}

// lookup returns the addresses of a name, in the order in which to try them.
func (s *Stack) lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	if strings.EqualFold(strings.TrimSuffix(host, "."), "localhost") {
		// RFC 6761 §6.3: never asked of a server.
		return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}, nil
	}
	servers := s.NameServers()
	if len(servers) == 0 {
		return nil, &net.DNSError{Err: "no name server is known", Name: host, IsTemporary: true}
	}
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, lookupTime)
		defer cancel()
	}
	var last error
	for i, server := range servers {
		addrs, err := s.ask(ctx, server, host, i < len(servers)-1)
		if err == nil {
			return s.order(addrs), nil
		}
		last = err
		var e *net.DNSError
		if errors.As(err, &e) && e.IsNotFound || ctx.Err() != nil {
			break
		}
	}
	return nil, last
}

// ask looks a name up at one server.
func (s *Stack) ask(ctx context.Context, server netip.Addr, host string, others bool) ([]netip.Addr, error) {
	if others {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, serverTime)
		defer cancel()
	}
	resolver := dns.Server{Addr: netip.AddrPortFrom(server, 53), Dial: func(ctx context.Context, proto string, to netip.AddrPort) (net.Conn, error) {
		return network{s: s}.dial(ctx, proto, proto, to)
	}}
	return resolver.Lookup(ctx, host)
}

// order puts the addresses that are likely to be reached first: IPv6 only when
// this port has a global address (2000::/3, RFC 4291 §2.4), or the name has no
// other.
func (s *Stack) order(addrs []netip.Addr) []netip.Addr {
	global := slices.ContainsFunc(s.Addresses(), func(p netip.Prefix) bool { return isGlobal(p.Addr()) })
	n := 0 // those at the front, in their old order
	for i, a := range addrs {
		if a.Unmap().Is4() == !global {
			copy(addrs[n+1:i+1], addrs[n:i])
			addrs[n] = a
			n++
		}
	}
	return addrs
}

// isGlobal says whether the internet can be reached from an address. Unique and
// site-local ones (fec0::/10, deprecated by RFC 3879, but what QEMU's network
// announces) are used like any other, yet are no reason to prefer IPv6.
func isGlobal(a netip.Addr) bool {
	return a.Is6() && !a.Is4In6() && a.As16()[0]&0xe0 == 0x20
}
