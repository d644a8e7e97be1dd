package link

import (
	"context"
	"net"
	"net/netip"
	"testing"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/loopback"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"

	"ingot.dev/board/nic"
)

// silent is a port that never receives.
type silent struct{ port }

func (*silent) WaitRx() error { return net.ErrClosed }
func (*silent) Close() error  { return nil }

// between returns a frame of a connection, as it would come from the network.
func between(from, to tcpip.FullAddress) []byte {
	f := segment{flags: ack, data: "forged"}.frame()
	copy(f[26:], from.Addr.AsSlice())
	copy(f[30:], to.Addr.AsSlice())
	f[34], f[35] = byte(from.Port>>8), byte(from.Port)
	f[36], f[37] = byte(to.Port>>8), byte(to.Port)
	return f
}

// Connections of the stack with itself are none of the network's: who forges a segment
// of one is not to have it delivered by a shorter way than the stack's, which drops it.
func TestLocalConnectionsStayUnknown(t *testing.T) {
	s := stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol},
		HandleLocal:        true,
	})
	defer s.Destroy()
	dev := &silent{port{offloads: nic.Offloads{RxChecksum: true}, ring: 8}}
	e := New(dev, Options{})
	e.SetStack(s, 1)
	for id, ep := range map[tcpip.NICID]stack.LinkEndpoint{1: e, 2: loopback.New()} {
		if err := s.CreateNIC(id, ep); err != nil {
			t.Fatal(err)
		}
	}
	e.Wait() // the receive goroutine is done: its part is this test's
	full := func(text string) tcpip.FullAddress {
		a := netip.MustParseAddrPort(text)
		return tcpip.FullAddress{Addr: tcpip.AddrFrom4(a.Addr().As4()), Port: a.Port()}
	}
	own, loop, far := full("10.0.2.15:7000"), full("127.0.0.1:7001"), full("10.0.2.2:7002")
	for id, a := range map[tcpip.NICID]tcpip.FullAddress{1: own, 2: loop} {
		if err := s.AddProtocolAddress(id, tcpip.ProtocolAddress{
			Protocol:          ipv4.ProtocolNumber,
			AddressWithPrefix: a.Addr.WithPrefix(),
		}, stack.AddressProperties{}); err != nil {
			t.Fatal(err)
		}
		s.AddRoute(tcpip.Route{Destination: header.IPv4EmptySubnet, NIC: id})
	}

	known := func(f []byte) bool {
		b := &e.rx.batch
		b.reset()
		b.add(f)
		if !b.frames[0].regular() {
			t.Fatalf("% x: not regular", f)
		}
		e.express.learn(&b.frames[0])
		return e.express.find(&b.frames[0]) != nil
	}
	for _, at := range []tcpip.FullAddress{own, loop} {
		l, err := gonet.ListenTCP(s, at, ipv4.ProtocolNumber)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		c, err := gonet.DialContextTCP(context.Background(), s, at, ipv4.ProtocolNumber)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		p, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		end := full(c.LocalAddr().String())
		if known(between(end, at)) || known(between(at, end)) {
			t.Errorf("the connection from %v to %v is known on the wire", c.LocalAddr(), l.Addr())
		}
		if known(between(far, at)) {
			t.Errorf("the listener at %v is taken for a connection", l.Addr())
		}
	}
}

// Only segments of no consequence beyond their data and acknowledgement are regular.
func TestRegular(t *testing.T) {
	group := segment{flags: ack, data: "x"}.frame()
	group[0] |= 1
	fragment := segment{flags: ack, data: "x"}.frame()
	fragment[20] |= 0x20
	for _, tt := range []struct {
		name    string
		frame   []byte
		trusted bool
		want    bool
	}{
		{"data", segment{flags: ack, data: "x"}.frame(), true, true},
		{"data with PSH", segment{flags: ack | psh, data: "x"}.frame(), true, true},
		{"acknowledgement", segment{flags: ack}.frame(), true, true},
		{"IPv6", segment{v6: true, flags: ack, data: "x"}.frame(), true, true},
		{"verified by us", segment{flags: ack, data: "x"}.frame(), false, true},
		{"wrong checksum", segment{flags: ack, data: "x", bad: true}.frame(), false, false},
		{"SYN", segment{flags: syn}.frame(), true, false},
		{"FIN", segment{flags: ack | fin, data: "x"}.frame(), true, false},
		{"congestion", segment{flags: ack | ece, data: "x"}.frame(), true, false},
		{"to a group", group, true, false},
		{"fragment", fragment, true, false},
		{"short", group[:10], true, false},
	} {
		b := batch{trusted: tt.trusted}
		b.add(tt.frame)
		if got := b.frames[0].regular(); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}
