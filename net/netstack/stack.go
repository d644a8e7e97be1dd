package netstack

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/loopback"
	"gvisor.dev/gvisor/pkg/tcpip/network/arp"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"

	"ingot.dev/board/nic"
	"ingot.dev/net/inet"
	"ingot.dev/net/link"
)

// The interfaces of the stack.
const (
	ethernetID tcpip.NICID = 1
	loopbackID tcpip.NICID = 2
)

// Config says how a Stack is to be set up. The zero value gets everything from
// the network.
type Config struct {
	// Address is the IPv4 address with its prefix length, such as
	// 10.0.2.15/24. The zero Prefix asks DHCP.
	Address netip.Prefix

	// Gateway is the IPv4 router of a static Address. Without one only the
	// local network is reached.
	Gateway netip.Addr

	// Address6 is a fixed IPv6 address with its prefix length, beside the link-local
	// one and those that routers announce; Gateway6 a router, by a link-local
	// address or one in that prefix, beside those that announce themselves.
	Address6 netip.Prefix
	Gateway6 netip.Addr

	// DNS are the name servers, before those that DHCP and routers name.
	DNS []netip.Addr

	// NTP are time servers, names or addresses; without any, those that DHCP
	// names. SetClock must be set for them to be asked.
	NTP []string

	// SetClock is called with the right time whenever a time server told it.
	// See Clock for what else is done. Nil leaves the clock alone.
	SetClock func(time.Time) error

	// Floor is the earliest time that the clock may be set to: the time of the
	// build. Servers that tell less are not believed.
	Floor time.Time

	// Hostname is told to the DHCP server.
	Hostname string

	// NoIPv6 leaves IPv6 out.
	NoIPv6 bool

	// Options are those of every socket; see With.
	Options inet.Options

	// Log is told what was obtained and lost; nil for slog.Default().
	Log *slog.Logger
}

// ConfigError says which field of a Config can't be used.
type ConfigError struct {
	Field, Reason string
}

func (e *ConfigError) Error() string { return "netstack: " + e.Field + ": " + e.Reason }

func (c *Config) check() error {
	if c.Address.IsValid() {
		if a := c.Address.Addr(); !a.Is4() || a.IsUnspecified() || a.IsMulticast() || a.IsLoopback() {
			return &ConfigError{"Address", c.Address.String() + " is not the IPv4 address of a host"}
		}
		if c.Address.Bits() == 0 {
			return &ConfigError{"Address", c.Address.String() + " has no network prefix"}
		}
	}
	if c.Gateway.IsValid() {
		if !c.Address.IsValid() {
			return &ConfigError{"Gateway", "given without an Address; DHCP names its own"}
		}
		if !c.Gateway.Is4() || !c.Address.Contains(c.Gateway) || c.Gateway == c.Address.Addr() {
			return &ConfigError{"Gateway", fmt.Sprintf("%v is not a neighbour of %v", c.Gateway, c.Address)}
		}
	}
	if a := c.Address6.Addr(); c.Address6.IsValid() && (!a.Is6() || a.Is4In6() || !a.IsGlobalUnicast() || c.Address6.Bits() == 0 || c.NoIPv6) {
		return &ConfigError{"Address6", c.Address6.String() + " is not the global IPv6 address of a host that has IPv6"}
	}
	if g := c.Gateway6; g.IsValid() && (!c.Address6.IsValid() || !g.IsLinkLocalUnicast() && !c.Address6.Contains(g) || !g.Is6() || g == c.Address6.Addr()) {
		return &ConfigError{"Gateway6", fmt.Sprintf("%v is not a neighbour of %v", g, c.Address6)}
	}
	for _, a := range c.DNS {
		if !a.IsValid() || a.IsUnspecified() || a.IsMulticast() {
			return &ConfigError{"DNS", a.String() + " is not the address of a host"}
		}
	}
	return nil
}

// Stack is TCP/IP on one Ethernet port. It is an inet.Network; every method may
// be called from any goroutine.
type Stack struct {
	network // with Config.Options

	stack  *stack.Stack
	link   *link.Endpoint
	config Config
	log    *slog.Logger
	ndp    *ndp // nil without IPv6
	gates  gates
	turns  turns

	cancel  context.CancelFunc // ends the background goroutines
	running sync.WaitGroup

	ready     chan struct{} // closed when there is an address to be reached at
	readyOnce sync.Once

	mu     sync.Mutex
	v4     Lease // as configured or leased; its Prefix is zero without an address
	dns6   dnsServers
	clock  ClockStatus
	closed bool
}

// Lease is the IPv4 configuration in force.
type Lease struct {
	Prefix  netip.Prefix // address and prefix length
	Gateway netip.Addr   // invalid without one
	DNS     []netip.Addr
	NTP     []netip.Addr
	Server  netip.Addr    // who leased it; invalid for a static address
	Time    time.Duration // of the lease; 0 for ever
}

// Open brings up a stack that owns dev, and waits until it can be reached at an
// IPv4 address, or, where no DHCP server answers within ten seconds, at a global
// IPv6 address. If ctx ends first, its error is returned and dev is closed.
//
// Open draws random numbers (TCP's secrets): it blocks while the system has no
// entropy, and panics if it never will.
func Open(ctx context.Context, dev nic.Device, c Config) (*Stack, error) {
	if err := c.check(); err != nil {
		dev.Close()
		return nil, err
	}
	s := &Stack{config: c, log: c.Log, ready: make(chan struct{})}
	if s.log == nil {
		s.log = slog.Default()
	}
	s.network = network{s, c.Options}
	if err := s.build(dev); err != nil {
		dev.Close()
		return nil, err
	}
	background, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.configure(background, dev)

	select {
	case <-s.ready:
		return s, nil
	case <-ctx.Done():
		s.Close()
		return nil, fmt.Errorf("netstack: no address: %w", context.Cause(ctx))
	}
}

// build makes the stack and its interfaces.
func (s *Stack) build(dev nic.Device) error {
	networks := []stack.NetworkProtocolFactory{ipv4.NewProtocol, arp.NewProtocol}
	if !s.config.NoIPv6 {
		networks = append(networks, s.ipv6Protocol())
	}
	s.stack = stack.New(stack.Options{
		NetworkProtocols:   networks,
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol, udp.NewProtocol},
		HandleLocal:        true,
		SecureRNG:          rand.Reader,
		Clock:              newClock(),
	})
	s.link = link.New(dev, link.Options{Log: s.log})
	s.link.SetStack(s.stack, ethernetID)
	start := time.Now()
	s.turns.now = func() time.Duration { return time.Since(start) }
	s.turns.urgent, s.turns.yield = s.link.Urgent, runtime.Gosched
	if err := s.tune(); err != nil {
		s.stack.Destroy()
		return err
	}
	err := s.stack.CreateNICWithOptions(loopbackID, loopback.New(), stack.NICOptions{Name: "lo"})
	if err == nil {
		err = s.addAddress(loopbackID, netip.MustParsePrefix("127.0.0.1/8"))
	}
	if err == nil && !s.config.NoIPv6 {
		s.noDuplicates(loopbackID)
		err = s.addAddress(loopbackID, netip.MustParsePrefix("::1/128"))
	}
	if err == nil {
		err = s.stack.CreateNICWithOptions(ethernetID, s.link, stack.NICOptions{Name: "eth"})
	}
	if p := s.config.Address6; err == nil && p.IsValid() {
		err = s.addAddress(ethernetID, p)
		s.stack.AddRoute(tcpip.Route{Destination: subnetOf(p), NIC: ethernetID})
		if g := s.config.Gateway6; g.IsValid() {
			s.stack.AddRoute(tcpip.Route{Destination: header.IPv6EmptySubnet, Gateway: toAddr(g.WithZone("")), NIC: ethernetID})
		}
	}
	if err != nil {
		s.stack.Destroy()
		return fmt.Errorf("netstack: creating the interfaces: %s", err)
	}
	s.stack.AddRoute(tcpip.Route{Destination: header.IPv4LoopbackSubnet, NIC: loopbackID})
	if !s.config.NoIPv6 {
		s.stack.AddRoute(tcpip.Route{Destination: subnetOf(netip.MustParsePrefix("::1/128")), NIC: loopbackID})
		s.stack.AddRoute(tcpip.Route{Destination: header.IPv6LinkLocalPrefix.Subnet(), NIC: ethernetID})
		s.stack.AddRoute(tcpip.Route{Destination: subnetOf(netip.MustParsePrefix("ff00::/8")), NIC: ethernetID})
	}
	return nil
}

// Buffer sizes in bytes, and times: see the package's documentation.
const (
	bufferMin     = 4 << 10
	bufferDefault = 256 << 10
	bufferMax     = 1 << 20

	timeWait = 10 * time.Second
	finWait2 = 20 * time.Second
)

// What a stream does about frames that are lost. Figures are the share of the throughput
// without faults that is left on an Ethernet of 100 Mbit/s which loses 1 % and
// reorders 1 %: 0.25 to 0.6 with gVisor's defaults, CUBIC and 200 ms.
const (
	// 0.5 to 0.8 with 200 ms. gVisor's CUBIC grows by whole segments for each
	// acknowledgement or not at all, and as if no round trip took less than 1 ms: with the
	// few segments that a window has after some losses, and at the round trips of a local
	// network, it hardly grows; then there are no duplicate acknowledgements, and timeouts
	// in their place. With windows of at most bufferDefault, 180 segments, CUBIC
	// (RFC 9438) is as slow as Reno over long ways, too.
	congestionControl = "reno"

	// 0.75 to 0.95, as what is left to timeouts (a retransmission that is lost, too, or
	// the end of a window) doesn't cost 200 ms each time. RFC 6298, 2.4, asks for a
	// second, which nobody does; Linux has 200 ms for itself, and acknowledges after
	// 40 at the latest, which must not be mistaken for a loss.
	minRTO = 50 * time.Millisecond
)

// tune sets the stack's options. Those that are its defaults today are set all
// the same: they are relied on.
func (s *Stack) tune() error {
	sack := tcpip.TCPSACKEnabled(true)
	recovery := tcpip.TCPRecovery(tcpip.TCPRACKLossDetection)
	// Not adapted to the traffic: when gVisor enlarges a buffer it can forget to tell
	// the peer that the window has opened, and the peer waits for seconds.
	moderate := tcpip.TCPModerateReceiveBufferOption(false)
	delay := tcpip.TCPDelayEnabled(false)
	congestion := tcpip.CongestionControlOption(congestionControl)
	timeout := tcpip.TCPMinRTOOption(minRTO)
	wait := tcpip.TCPTimeWaitTimeoutOption(timeWait)
	reuse := tcpip.TCPTimeWaitReuseOption(tcpip.TCPTimeWaitReuseGlobal)
	orphan := tcpip.TCPLingerTimeoutOption(finWait2)
	for _, o := range []tcpip.SettableTransportProtocolOption{
		&sack, &recovery, &moderate, &delay, &congestion, &timeout, &wait, &reuse, &orphan,
		&tcpip.TCPReceiveBufferSizeRangeOption{Min: bufferMin, Default: bufferDefault, Max: bufferMax},
		&tcpip.TCPSendBufferSizeRangeOption{Min: bufferMin, Default: bufferDefault, Max: bufferMax},
	} {
		if err := s.stack.SetTransportProtocolOption(tcp.ProtocolNumber, o); err != nil {
			return fmt.Errorf("netstack: TCP option %T: %s", o, err)
		}
	}
	return nil
}

// configure starts what runs in the background.
func (s *Stack) configure(ctx context.Context, dev nic.Device) {
	dev.OnLink(s.linkChanged(dev))
	if s.config.Address.IsValid() {
		s.setIPv4(Lease{Prefix: s.config.Address, Gateway: s.config.Gateway})
	} else {
		s.running.Go(func() { s.runDHCP(ctx, dev.HardwareAddr()) })
	}
	if !s.config.NoIPv6 {
		s.running.Go(func() { s.watchIPv6(ctx) })
	}
	if s.config.SetClock != nil {
		s.running.Go(func() { s.runClock(ctx) })
	}
}

// linkChanged returns the function that logs the link's state. The first call
// says nothing of a link that has yet to come up.
func (s *Stack) linkChanged(dev nic.Device) func(nic.LinkState) {
	first := true
	return func(now nic.LinkState) {
		if now.Up || !first {
			s.log.Info("link "+now.String(), "mac", dev.HardwareAddr().String())
		}
		first = false
	}
}

// Close resets every connection, closes every socket and the port.
func (s *Stack) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return net.ErrClosed
	}
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.running.Wait()
	// The order matters: first the resets go out, then the receive goroutine
	// ends, which may need the stack's locks until then.
	s.stack.Close()
	s.link.Close()
	s.link.Wait()
	s.stack.Wait()
	return nil
}

// setReady lets Open return.
func (s *Stack) setReady() { s.readyOnce.Do(func() { close(s.ready) }) }

// LinkStats returns the counters of the link.
func (s *Stack) LinkStats() link.Stats { return s.link.Stats() }

// Lease returns the IPv4 configuration in force; its Prefix is invalid while
// there is none.
func (s *Stack) Lease() Lease {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.v4
}

// Addresses returns the addresses of the Ethernet port, IPv4 first, link-local
// ones last.
func (s *Stack) Addresses() []netip.Prefix {
	var v4, v6, local []netip.Prefix
	for _, a := range s.stack.AllAddresses()[ethernetID] {
		p := netip.PrefixFrom(fromAddr(a.AddressWithPrefix.Address), a.AddressWithPrefix.PrefixLen)
		switch {
		case p.Addr() == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
			// The stack keeps the broadcast address in the same list.
		case p.Addr().Is4():
			v4 = append(v4, p)
		case p.Addr().IsLinkLocalUnicast():
			local = append(local, p)
		default:
			v6 = append(v6, p)
		}
	}
	return append(append(v4, v6...), local...)
}

func (s *Stack) addAddress(id tcpip.NICID, p netip.Prefix) tcpip.Error {
	return s.stack.AddProtocolAddress(id, tcpip.ProtocolAddress{
		Protocol:          protocolOf(p.Addr()),
		AddressWithPrefix: prefixOf(p),
	}, stack.AddressProperties{})
}

// setIPv4 replaces the IPv4 configuration; the zero Lease removes it.
func (s *Stack) setIPv4(l Lease) error {
	s.mu.Lock()
	old := s.v4
	s.v4 = l
	s.mu.Unlock()

	if old.Prefix.IsValid() && old.Prefix == l.Prefix && old.Gateway == l.Gateway {
		level := slog.LevelDebug // renewed: nothing to tell
		if old.String() != l.String() {
			level = slog.LevelInfo
		}
		s.log.Log(context.Background(), level, l.String())
		return nil
	}
	if old.Prefix != l.Prefix {
		defer s.link.Forget()
		if l.Prefix.IsValid() {
			if err := s.addAddress(ethernetID, l.Prefix); err != nil {
				return errors.New("netstack: adding " + l.Prefix.String() + ": " + err.String())
			}
		}
		if old.Prefix.IsValid() {
			s.stack.RemoveAddress(ethernetID, toAddr(old.Prefix.Addr()))
		}
	}
	s.stack.RemoveRoutes(func(r tcpip.Route) bool {
		return r.NIC == ethernetID && r.Destination.ID().BitLen() == 32
	})
	if !l.Prefix.IsValid() {
		s.log.Warn("IPv4 address lost", "address", old.Prefix.String())
		return nil
	}
	s.stack.AddRoute(tcpip.Route{Destination: subnetOf(l.Prefix), NIC: ethernetID})
	if l.Gateway.IsValid() {
		s.stack.AddRoute(tcpip.Route{Destination: header.IPv4EmptySubnet, Gateway: toAddr(l.Gateway), NIC: ethernetID})
	}
	s.log.Info(l.String())
	s.setReady()
	return nil
}

func subnetOf(p netip.Prefix) tcpip.Subnet { return prefixOf(p).Subnet() }

// String returns the form for logs: "address 10.0.2.15/24 gateway 10.0.2.2 dns
// 10.0.2.3 lease 24h0m0s".
func (l Lease) String() string {
	if !l.Prefix.IsValid() {
		return "no address"
	}
	t := "address " + l.Prefix.String()
	if l.Gateway.IsValid() {
		t += " gateway " + l.Gateway.String()
	}
	for i, a := range l.DNS {
		t += []string{" dns ", ","}[min(i, 1)] + a.String()
	}
	for i, a := range l.NTP {
		t += []string{" ntp ", ","}[min(i, 1)] + a.String()
	}
	if l.Time > 0 {
		t += " lease " + l.Time.String()
	}
	return t
}
