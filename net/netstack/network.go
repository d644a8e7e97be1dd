package netstack

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"strconv"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
	"gvisor.dev/gvisor/pkg/waiter"

	"ingot.dev/net/inet"
)

// network is the stack as an inet.Network, with the options of its sockets.
type network struct {
	s       *Stack
	options inet.Options
}

var _ inet.Network = network{}

// With implements inet.Network.
func (n network) With(o inet.Options) inet.Network { return network{n.s, o} }

// dialError is what fails before there is a socket.
func dialError(op, network string, addr net.Addr, err error) error {
	return &net.OpError{Op: op, Net: network, Addr: addr, Err: err}
}

// split takes a network's name apart: the protocol, "tcp" or "udp", and the
// IP version, 0 for both.
func split(network string) (proto string, version byte, err error) {
	switch network {
	case "tcp", "udp":
		return network, 0, nil
	case "tcp4", "tcp6", "udp4", "udp6":
		return network[:3], network[3] - '0', nil
	}
	return "", 0, net.UnknownNetworkError(network)
}

// port returns a port's number. Only numbers are known: a board has no
// /etc/services.
func port(text string) (uint16, error) {
	if text == "" {
		return 0, nil
	}
	p, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return 0, &net.AddrError{Err: "invalid port", Addr: text}
	}
	return uint16(p), nil
}

// resolve returns the addresses that host:port means, as far as network and
// stack can use them.
func (n network) resolve(ctx context.Context, address string, version byte) ([]netip.AddrPort, error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	p, err := port(text)
	if err != nil {
		return nil, err
	}
	if host == "" {
		return []netip.AddrPort{netip.AddrPortFrom(netip.Addr{}, p)}, nil
	}
	var addrs []netip.Addr
	if a, err := netip.ParseAddr(host); err == nil {
		addrs = []netip.Addr{a}
	} else if addrs, err = n.s.lookup(ctx, host); err != nil {
		return nil, err
	}
	var usable []netip.AddrPort
	for _, a := range addrs {
		a = a.Unmap()
		if a.Is6() && (version == 4 || n.s.config.NoIPv6) || a.Is4() && version == 6 {
			continue
		}
		usable = append(usable, netip.AddrPortFrom(a, p))
	}
	if len(usable) == 0 {
		return nil, &net.AddrError{Err: "no suitable address found", Addr: host}
	}
	return usable, nil
}

// attemptMin is the least time that one of several addresses is given.
const attemptMin = 2 * time.Second

// DialContext implements inet.Network. The addresses of a name are tried in the
// resolver's order (RFC 6724); each gets its share of the time that is left.
func (n network) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	proto, version, err := split(network)
	if err != nil {
		return nil, dialError("dial", network, nil, err)
	}
	addrs, err := n.resolve(ctx, address, version)
	if err != nil {
		return nil, dialError("dial", network, nil, err)
	}
	var first error
	for i, a := range addrs {
		if !a.Addr().IsValid() {
			a = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), a.Port())
		}
		attempt, cancel := share(ctx, len(addrs)-i)
		c, err := n.dial(attempt, proto, network, a)
		cancel()
		if err == nil {
			return c, nil
		}
		if first == nil {
			first = err
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, first
}

// share returns a context for one of several attempts.
func share(ctx context.Context, attempts int) (context.Context, context.CancelFunc) {
	end, ok := ctx.Deadline()
	if !ok || attempts == 1 {
		return ctx, func() {}
	}
	left := time.Until(end)
	return context.WithTimeout(ctx, max(left/time.Duration(attempts), min(left, attemptMin)))
}

func (n network) dial(ctx context.Context, proto, network string, to netip.AddrPort) (net.Conn, error) {
	if proto == "udp" {
		return n.dialUDP(network, to)
	}
	c, err := n.dialTCP(ctx, network, to)
	if err != nil {
		return nil, err // not the nil *Conn
	}
	return c, nil
}

func (n network) dialTCP(ctx context.Context, network string, to netip.AddrPort) (*Conn, error) {
	fail := func(err error) error { return dialError("dial", network, tcpAddr(to), err) }
	if err := ctx.Err(); err != nil {
		return nil, fail(contextError(err))
	}
	wq := new(waiter.Queue)
	ep, terr := n.s.stack.NewEndpoint(tcp.ProtocolNumber, protocolOf(to.Addr()), wq)
	if terr != nil {
		return nil, fail(sysError("socket", terr))
	}
	c := n.s.newConn(ep, wq, network)
	stop := context.AfterFunc(ctx, c.out.kick)
	defer stop()

	terr = ep.Connect(full(to))
	if _, started := terr.(*tcpip.ErrConnectStarted); started {
		terr = nil
		for terr == nil {
			// Errors are looked for first: the state may change in between,
			// and one that is connected has none.
			terr = ep.LastError()
			state := tcp.EndpointState(ep.State())
			if terr == nil && connected(state) {
				break
			}
			if terr == nil && (state == tcp.StateError || state == tcp.StateClose) {
				if terr = ep.LastError(); terr == nil {
					terr = &tcpip.ErrConnectionRefused{}
				}
			}
			if terr != nil {
				break
			}
			if err := ctx.Err(); err != nil {
				c.Close()
				return nil, fail(contextError(err))
			}
			c.out.wait()
		}
	}
	if terr != nil {
		c.Close()
		return nil, fail(sysError("connect", terr))
	}
	c.established()
	if err := n.options.Apply(c); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// connected reports whether the handshake is done. The peer may already have
// closed.
func connected(s tcp.EndpointState) bool {
	switch s {
	case tcp.StateInitial, tcp.StateBound, tcp.StateListen, tcp.StateConnecting,
		tcp.StateSynSent, tcp.StateSynRecv, tcp.StateClose, tcp.StateError:
		return false
	}
	return true
}

// contextError makes the end of a context look as it does in package net.
func contextError(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return os.ErrDeadlineExceeded
	}
	return err
}

func (n network) dialUDP(network string, to netip.AddrPort) (*PacketConn, error) {
	fail := func(call string, err tcpip.Error) error {
		return dialError("dial", network, udpAddr(to), sysError(call, err))
	}
	c := &PacketConn{network: network, remote: to}
	var err tcpip.Error
	if c.ep, err = n.s.stack.NewEndpoint(udp.ProtocolNumber, protocolOf(to.Addr()), &c.wq); err != nil {
		return nil, fail("socket", err)
	}
	c.ep.SocketOptions().SetBroadcast(true)
	if err := c.ep.Connect(full(to)); err != nil {
		c.ep.Close()
		return nil, fail("connect", err)
	}
	return n.openUDP(c)
}

// openUDP completes a UDP socket that is bound.
func (n network) openUDP(c *PacketConn) (*PacketConn, error) {
	if a, err := c.ep.GetLocalAddress(); err == nil {
		c.local = fromFull(a)
	}
	c.init()
	for _, o := range []struct {
		size int
		set  func(int) error
	}{{n.options.ReadBuffer, c.SetReadBuffer}, {n.options.WriteBuffer, c.SetWriteBuffer}} {
		if o.size > 0 {
			if err := o.set(o.size); err != nil {
				c.Close()
				return nil, err
			}
		}
	}
	return c, nil
}

// local returns the address to bind and the IP version of the socket. An empty
// host is every address: of both versions, unless network says otherwise.
func (n network) local(ctx context.Context, address string, version byte) (a netip.AddrPort, proto tcpip.NetworkProtocolNumber, both bool, err error) {
	addrs, err := n.resolve(ctx, address, version)
	if err != nil {
		return a, 0, false, err
	}
	a = addrs[0]
	if version == 6 && n.s.config.NoIPv6 {
		return a, 0, false, &net.AddrError{Err: "there is no IPv6", Addr: address}
	}
	switch {
	case a.Addr().IsValid() && !(a.Addr().IsUnspecified() && a.Addr().Is6() && version == 0):
		proto = protocolOf(a.Addr())
	case version == 4 || n.s.config.NoIPv6:
		proto = header.IPv4ProtocolNumber
	default:
		proto, both = header.IPv6ProtocolNumber, version == 0
	}
	if a.Addr().IsUnspecified() {
		a = netip.AddrPortFrom(netip.Addr{}, a.Port())
	}
	return a, proto, both, nil
}

// Listen implements inet.Network; the listener is a *Listener.
func (n network) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	return n.ListenAdmit(ctx, network, address, nil)
}

// ListenAdmit is Listen with a say in who may connect. admit is asked for each
// request for a connection (SYN) before anything of it is kept; when it returns
// false, the request is answered with a reset.
//
// It is asked on the goroutine that receives, so it must not wait: it looks at what
// is known, and that's all. It is asked again when a request is repeated, and once
// more when the connection, now established, is accepted: what it knows may have
// changed meanwhile, and some requests come another way (from this machine, in
// fragments, with IP options or extension headers). A connection refused then is
// reset. So it must not count on being asked once for each, nor by one goroutine at
// a time. remote is never an IPv4-mapped address.
//
// A nil admit admits everybody.
func (n network) ListenAdmit(ctx context.Context, network, address string, admit func(remote netip.AddrPort) bool) (net.Listener, error) {
	fail := func(err error) error { return dialError("listen", network, nil, err) }
	proto, version, err := split(network)
	if err == nil && proto != "tcp" {
		err = net.UnknownNetworkError(network)
	}
	if err != nil {
		return nil, fail(err)
	}
	at, number, both, err := n.local(ctx, address, version)
	if err != nil {
		return nil, fail(err)
	}
	fail = func(err error) error { return dialError("listen", network, tcpAddr(at), err) }

	l := &Listener{network: network, options: n.options}
	var terr tcpip.Error
	if l.ep, terr = n.s.stack.NewEndpoint(tcp.ProtocolNumber, number, &l.wq); terr != nil {
		return nil, fail(sysError("socket", terr))
	}
	l.ep.SocketOptions().SetReuseAddress(true)
	if number == header.IPv6ProtocolNumber {
		l.ep.SocketOptions().SetV6Only(!both)
	}
	if terr = l.ep.Bind(full(at)); terr != nil {
		l.ep.Close()
		return nil, fail(sysError("bind", terr))
	}
	l.in.init(&l.wq, waiter.ReadableEvents)
	l.local = netip.AddrPortFrom(at.Addr(), at.Port())
	if a, terr := l.ep.GetLocalAddress(); terr == nil {
		l.local = netip.AddrPortFrom(at.Addr(), a.Port)
	}
	if n.options.ReadBuffer > 0 { // of the connections too that nobody has accepted yet
		l.ep.SocketOptions().SetReceiveBufferSize(int64(n.options.ReadBuffer), true)
	}
	l.gate = n.s.openGate(l.local, number == header.IPv6ProtocolNumber, both, admit) // before the first request
	if terr = l.ep.Listen(n.backlog()); terr != nil {
		l.gate.close()
		l.ep.Close()
		return nil, fail(sysError("listen", terr))
	}
	return l, nil
}

// ListenPacket implements inet.Network; the connection is a *PacketConn.
func (n network) ListenPacket(ctx context.Context, network, address string) (net.PacketConn, error) {
	fail := func(err error) error { return dialError("listen", network, nil, err) }
	proto, version, err := split(network)
	if err == nil && proto != "udp" {
		err = net.UnknownNetworkError(network)
	}
	if err != nil {
		return nil, fail(err)
	}
	at, number, both, err := n.local(ctx, address, version)
	if err != nil {
		return nil, fail(err)
	}
	c, err := n.listenUDP(network, at, number, both, 0)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// listenUDP opens a UDP socket, bound to one interface unless that is 0.
func (n network) listenUDP(network string, at netip.AddrPort, number tcpip.NetworkProtocolNumber, both bool, device tcpip.NICID) (*PacketConn, error) {
	fail := func(call string, err tcpip.Error) error {
		return dialError("listen", network, udpAddr(at), sysError(call, err))
	}
	c := &PacketConn{network: network, v6: number == header.IPv6ProtocolNumber}
	var err tcpip.Error
	if c.ep, err = n.s.stack.NewEndpoint(udp.ProtocolNumber, number, &c.wq); err != nil {
		return nil, fail("socket", err)
	}
	c.ep.SocketOptions().SetBroadcast(true)
	if number == header.IPv6ProtocolNumber {
		c.ep.SocketOptions().SetV6Only(!both)
	}
	if device != 0 {
		if err = c.ep.SocketOptions().SetBindToDevice(int32(device)); err != nil {
			c.ep.Close()
			return nil, fail("setsockopt", err)
		}
	}
	if err = c.ep.Bind(full(at)); err != nil {
		c.ep.Close()
		return nil, fail("bind", err)
	}
	return n.openUDP(c)
}

// LookupHost implements inet.Network.
func (n network) LookupHost(ctx context.Context, host string) ([]string, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []string{a.String()}, nil
	}
	addrs, err := n.s.lookup(ctx, host)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(addrs))
	for i, a := range addrs {
		names[i] = a.String()
	}
	return names, nil
}
