package netstack_test

import (
	"errors"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"ingot.dev/board/nic/nictest"
	"ingot.dev/internal/testenv"
	"ingot.dev/net/inet"
	"ingot.dev/net/netstack"
)

// Datagrams to a group arrive at who has joined it, until it leaves.
func TestMulticast(t *testing.T) {
	a, b := pairConfig(t, nictest.WireOptions{}, netstack.Config{}, netstack.Config{})
	ctx := testContext(t)
	unicast := map[string]string{"udp4": addrB, "udp": addrB, "udp6": linkLocal(t, a, b)}
	for _, tt := range []struct{ network, group, wrong string }{
		{"udp4", "239.1.2.3", "ff02::1"},
		{"udp4", "224.0.0.251", "10.0.2.15"},
		{"udp6", "ff02::1234", "fe80::1"},
		{"udp", "239.1.2.4", "2001:db8::1"},
		{"udp", "ff05::77", "0.0.0.0"},
	} {
		listener, err := b.ListenPacket(ctx, tt.network, ":5353")
		if err != nil {
			t.Fatal(err)
		}
		p := listener.(*netstack.PacketConn)
		group := netip.MustParseAddr(tt.group)
		send := func(host, text string) {
			t.Helper()
			to := net.JoinHostPort(host, "5353")
			c, err := a.DialContext(ctx, "udp", to)
			if err != nil {
				t.Fatal(to, err)
			}
			defer c.Close()
			if _, err := c.Write([]byte(text)); err != nil {
				t.Error(to, err)
			}
		}
		receive := func(want string) {
			t.Helper()
			buf := make([]byte, 100)
			p.SetReadDeadline(time.Now().Add(limit))
			if n, _, err := p.ReadFrom(buf); string(buf[:n]) != want {
				t.Errorf("%s: %q, %v; want %q", group, buf[:n], err, want)
			}
		}
		// Frames stay in order: what comes before this one has come.
		fence := func() { t.Helper(); send(unicast[tt.network], "fence"); receive("fence") }
		if err := p.JoinGroup(netip.MustParseAddr(tt.wrong)); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("%s: joining %s: %v", tt.network, tt.wrong, err)
		}
		if err := p.LeaveGroup(group); !errors.Is(err, syscall.EADDRNOTAVAIL) {
			t.Errorf("leaving before joining %s: %v", group, err)
		}
		send(tt.group, "before")
		fence()
		if err := p.JoinGroup(group); err != nil {
			t.Fatalf("%s: joining %s: %v", tt.network, group, err)
		}
		if err := p.JoinGroup(group); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("joining %s again: %v", group, err)
		}
		send(tt.group, "joined")
		receive("joined")
		// Groups can be sent to by a socket that listens, which hears itself.
		if _, err := p.WriteTo([]byte("own"), net.UDPAddrFromAddrPort(netip.AddrPortFrom(group, 5353))); err != nil {
			t.Errorf("%s: %v", group, err)
		}
		receive("own")
		if err := p.LeaveGroup(group); err != nil {
			t.Error(err)
		}
		send(tt.group, "left")
		fence()
		p.Close()
		if err := p.JoinGroup(group); !errors.Is(err, net.ErrClosed) {
			t.Errorf("closed: %v", err)
		}
	}
}

// What SetLinger(0) and Close do to the peer, here and on the host's network.
func TestLingerReset(t *testing.T) {
	a, b := pair(t, nictest.WireOptions{})
	for name, n := range map[string]struct {
		dial, listen inet.Network
		address      string
	}{
		"stack":    {a, b, addrB + ":7777"},
		"loopback": {b, b, "127.0.0.1:7778"},
		"host":     {inet.Host(), inet.Host(), "127.0.0.1:0"},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "host" {
				testenv.NeedHost(t)
			}
			l, err := n.listen.Listen(testContext(t), "tcp", n.address)
			if err != nil {
				t.Fatal(err)
			}
			for _, linger := range []int{-1, 0} {
				c, err := n.dial.DialContext(testContext(t), "tcp", l.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				p, err := l.Accept()
				if err != nil {
					t.Fatal(err)
				}
				if err := p.(interface{ SetLinger(int) error }).SetLinger(linger); err != nil {
					t.Error(err)
				}
				p.Close()
				c.SetReadDeadline(time.Now().Add(limit))
				_, err = c.Read(make([]byte, 1))
				if reset := errors.Is(err, syscall.ECONNRESET); reset != (linger == 0) {
					t.Errorf("linger %d: %v", linger, err)
				}
				c.Close()
			}
			l.Close()
		})
	}
}
