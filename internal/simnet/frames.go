package simnet

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"time"

	"ingot.dev/board/nic/nictest"
	"ingot.dev/net/netstack"
)

// Addresses of the two hosts.
const (
	ClientAddress = "10.0.2.15"
	ServerAddress = "10.0.2.2"
)

// Faults draws a wire from a seed: how much it loses, doubles, reorders and
// damages, how slow and how narrow it is. Some seeds have all of it, some a single
// kind, and rates are such that TCP gets through within seconds.
func Faults(seed uint64) nictest.WireOptions {
	r := rand.New(rand.NewPCG(seed, 0xfa17))
	o := nictest.WireOptions{Seed: seed}
	some := func(most float64) float64 {
		if r.IntN(3) == 0 {
			return 0
		}
		return r.Float64() * most
	}
	o.Loss = some(0.02)
	o.Duplicate = some(0.05)
	o.Reorder = some(0.10)
	o.Corrupt = some(0.02)
	if r.IntN(2) == 0 {
		o.Delay = time.Duration(r.IntN(2000)) * time.Microsecond
		o.Jitter = time.Duration(r.IntN(2000)) * time.Microsecond
	}
	if r.IntN(2) == 0 {
		o.Rate = 200_000 + r.IntN(20_000_000)
		o.DropWhenFull = r.IntN(2) == 0
	}
	o.RxRing = 16 + r.IntN(112)
	return o
}

// Perfect is a wire without faults.
func Perfect() nictest.WireOptions { return nictest.WireOptions{} }

// Network is two stacks joined by a wire. Who dials is the client host, who
// listens the server host; otherwise it is like any network. Its methods may be
// called from any goroutine.
type Network struct {
	Client, Server *netstack.Stack
	local          bool
}

// Open brings both stacks up. Close has to be called.
func Open(ctx context.Context, o nictest.WireOptions) (*Network, error) {
	a, b := nictest.Pipe(o)
	client, err := open(ctx, a, ClientAddress, ServerAddress)
	if err != nil {
		b.Close()
		return nil, err
	}
	server, err := open(ctx, b, ServerAddress, ClientAddress)
	if err != nil {
		client.Close()
		return nil, err
	}
	return &Network{Client: client, Server: server}, nil
}

func open(ctx context.Context, dev *nictest.End, address, gateway string) (*netstack.Stack, error) {
	return netstack.Open(ctx, dev, netstack.Config{
		Address: netip.MustParsePrefix(address + "/24"),
		Gateway: netip.MustParseAddr(gateway),
		NoIPv6:  true,
		Log:     slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
}

// Loopback is one stack on a wire that leads nowhere: a network for programs that
// talk to themselves at 127.0.0.1 where there is no operating system to do it.
func Loopback(ctx context.Context) (*netstack.Stack, error) {
	dev, _ := nictest.Pipe(nictest.WireOptions{DropWhenFull: true})
	return netstack.Open(ctx, dev, netstack.Config{
		Address: netip.MustParsePrefix(ClientAddress + "/24"),
		Log:     slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
}

// Close ends both stacks and every connection.
func (n *Network) Close() error {
	n.Client.Close()
	return n.Server.Close()
}

// Local returns a view of the network in which 127.0.0.1 is the server host when
// dialing and listening, and the address of either end of a TCP connection: for
// tests that were written for one host. UDP stays on the server host's own
// loopback, since both ends of it listen.
func (n *Network) Local() *Network { return &Network{n.Client, n.Server, true} }

var loopback = netip.MustParseAddr("127.0.0.1")

// target translates an address to dial.
func (n *Network) target(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil || !n.local || host != loopback.String() {
		return address
	}
	return net.JoinHostPort(ServerAddress, port)
}

// DialContext connects from the client host. It is tlsio.Network's.
func (n *Network) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if n.local && len(network) >= 3 && network[:3] == "udp" {
		return n.Server.DialContext(ctx, network, address)
	}
	c, err := n.Client.DialContext(ctx, network, n.target(address))
	return n.view(c), err
}

// Listen listens at the server host. It is tlsio.Network's.
func (n *Network) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	l, err := n.Server.Listen(ctx, network, n.target(address))
	if err != nil || !n.local {
		return l, err
	}
	return &localListener{l.(*netstack.Listener), n}, nil
}

// ListenPacket receives datagrams at the server host.
func (n *Network) ListenPacket(ctx context.Context, network, address string) (net.PacketConn, error) {
	return n.Server.ListenPacket(ctx, network, address)
}

// LookupHost knows addresses only: there is no name server.
func (n *Network) LookupHost(ctx context.Context, host string) ([]string, error) {
	return n.Client.LookupHost(ctx, host)
}

// String tells what the wires carried, for logs of failed tests.
func (n *Network) String() string {
	return fmt.Sprintf("client %+v, server %+v", n.Client.LinkStats(), n.Server.LinkStats())
}

func (n *Network) view(c net.Conn) net.Conn {
	if tcp, ok := c.(*netstack.Conn); ok && n.local {
		return &localConn{tcp}
	}
	return c
}

// localListener and localConn are the stack's, at 127.0.0.1.
type localListener struct {
	*netstack.Listener
	network *Network
}

func (l *localListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return l.network.view(c), nil
}

func (l *localListener) Addr() net.Addr { return atLoopback(l.Listener.Addr()) }

type localConn struct{ *netstack.Conn }

func (c *localConn) LocalAddr() net.Addr  { return atLoopback(c.Conn.LocalAddr()) }
func (c *localConn) RemoteAddr() net.Addr { return atLoopback(c.Conn.RemoteAddr()) }

func atLoopback(a net.Addr) net.Addr {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return a
	}
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(loopback, uint16(tcp.Port)))
}
