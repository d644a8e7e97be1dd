package netstack_test

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"golang.org/x/net/dns/dnsmessage"

	"ingot.dev/board/nic"
	"ingot.dev/board/nic/nictest"
	"ingot.dev/net/netstack"
)

func TestConfigErrors(t *testing.T) {
	prefix := netip.MustParsePrefix
	addr := netip.MustParseAddr
	for _, tt := range []struct {
		field string
		c     netstack.Config
	}{
		{"Address", netstack.Config{Address: prefix("::1/64")}},
		{"Address", netstack.Config{Address: prefix("224.0.0.1/4")}},
		{"Address", netstack.Config{Address: prefix("10.0.0.1/0")}},
		{"Gateway", netstack.Config{Gateway: addr("10.0.0.1")}},
		{"Gateway", netstack.Config{Address: prefix("10.0.0.2/24"), Gateway: addr("10.0.1.1")}},
		{"Gateway", netstack.Config{Address: prefix("10.0.0.2/24"), Gateway: addr("10.0.0.2")}},
		{"Address6", netstack.Config{Address6: prefix("10.0.0.2/24")}},
		{"Address6", netstack.Config{Address6: prefix("fe80::2/64")}},
		{"Address6", netstack.Config{Address6: prefix("::ffff:10.0.0.2/120")}},
		{"Address6", netstack.Config{Address6: prefix("2001:db8::2/0")}},
		{"Address6", netstack.Config{Address6: prefix("2001:db8::2/64"), NoIPv6: true}},
		{"Gateway6", netstack.Config{Gateway6: addr("fe80::1")}},
		{"Gateway6", netstack.Config{Address6: prefix("2001:db8::2/64"), Gateway6: addr("2001:db8:1::1")}},
		{"Gateway6", netstack.Config{Address6: prefix("2001:db8::2/64"), Gateway6: addr("2001:db8::2")}},
		{"DNS", netstack.Config{DNS: []netip.Addr{{}}}},
	} {
		a, _ := nictest.Pipe(nictest.WireOptions{})
		_, err := netstack.Open(context.Background(), a, tt.c)
		var ce *netstack.ConfigError
		if !errors.As(err, &ce) || ce.Field != tt.field {
			t.Errorf("%+v: %v", tt.c, err)
		}
		if err := a.WaitRx(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("the port stays open: %v", err)
		}
	}
}

func TestOpenGivesUp(t *testing.T) {
	a, _ := nictest.Pipe(nictest.WireOptions{})
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	_, err := netstack.Open(ctx, a, netstack.Config{Log: testLog(t)})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

// dhcpServer answers on a stack as a server for one address does.
type dhcpServer struct {
	lease  atomic.Uint32 // seconds
	nak    atomic.Bool
	silent atomic.Bool
	acks   atomic.Int32
}

func (d *dhcpServer) serve(t *testing.T, s *netstack.Stack) {
	c, err := s.ListenPacket(testContext(t), "udp4", ":67")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	go func() {
		b := make([]byte, 1500)
		for {
			n, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			m, err := dhcpv4.FromBytes(b[:n])
			if err != nil || d.silent.Load() {
				continue
			}
			kind := dhcpv4.MessageTypeOffer
			if m.MessageType() == dhcpv4.MessageTypeRequest {
				if kind = dhcpv4.MessageTypeAck; d.nak.Load() {
					kind = dhcpv4.MessageTypeNak
				} else {
					d.acks.Add(1)
				}
			}
			r, err := dhcpv4.NewReplyFromRequest(m,
				dhcpv4.WithMessageType(kind),
				dhcpv4.WithYourIP(net.IP{10, 0, 2, 15}),
				dhcpv4.WithOption(dhcpv4.OptServerIdentifier(net.IP{10, 0, 2, 2})),
				dhcpv4.WithNetmask(net.CIDRMask(24, 32)),
				dhcpv4.WithOption(dhcpv4.OptRouter(net.IP{10, 0, 2, 2})),
				dhcpv4.WithOption(dhcpv4.OptDNS(net.IP{10, 0, 2, 2})),
				dhcpv4.WithOption(dhcpv4.OptNTPServers(net.IP{10, 0, 2, 2})),
				dhcpv4.WithLeaseTime(d.lease.Load()))
			if err != nil {
				t.Error(err)
				continue
			}
			to := from
			if m.IsBroadcast() {
				to = &net.UDPAddr{IP: net.IPv4bcast, Port: 68}
			}
			if _, err := c.WriteTo(r.ToBytes(), to); err != nil {
				t.Log("DHCP server:", err)
			}
		}
	}()
}

// eventually waits until f holds.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !f(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not in %v", what, limit)
		}
	}
}

//conform:ecma-419 NetworkInterface differs net/netstack.Stack.Addresses, net/netstack.Stack.Lease -- the stack connects itself and stays connected; a program asks it for addresses and lease in place of connect, disconnect and onChanged
func TestDHCP(t *testing.T) {
	for _, o := range []nic.Offloads{{}, {TxChecksum: true, RxChecksum: true}} {
		da, db := nictest.Pipe(nictest.WireOptions{Offloads: o})
		b := open(t, db, netstack.Config{Address: netip.MustParsePrefix("10.0.2.2/24"), NoIPv6: true})
		d := new(dhcpServer)
		d.lease.Store(4)
		d.serve(t, b)
		a := open(t, da, netstack.Config{NoIPv6: true, Hostname: "board"})

		l := a.Lease()
		if got, want := l.String(), "address 10.0.2.15/24 gateway 10.0.2.2 dns 10.0.2.2 ntp 10.0.2.2 lease 4s"; got != want {
			t.Errorf("%q, want %q", got, want)
		}
		if got := a.NameServers(); len(got) != 1 || got[0].String() != "10.0.2.2" {
			t.Errorf("name servers %v", got)
		}
		c, p := connect(t, a, b, "10.0.2.2")

		// After 2 s it is renewed, by unicast, and connections don't notice.
		eventually(t, "renewal", func() bool { return d.acks.Load() >= 2 })
		if _, err := c.Write([]byte("x")); err != nil {
			t.Error(err)
		}
		p.SetReadDeadline(time.Now().Add(limit))
		if _, err := p.Read(make([]byte, 1)); err != nil {
			t.Error(err)
		}

		// Refused, the address goes; then it is leased anew.
		d.nak.Store(true)
		eventually(t, "loss by NAK", func() bool { return !a.Lease().Prefix.IsValid() })
		if got := a.Addresses(); len(got) != 0 {
			t.Errorf("addresses left: %v", got)
		}
		d.nak.Store(false)
		eventually(t, "new lease", func() bool { return a.Lease().Prefix.IsValid() })

		d.silent.Store(true)
		eventually(t, "loss by expiry", func() bool { return !a.Lease().Prefix.IsValid() })
	}
}

// raw is the other end of the wire, used frame by frame.
type raw struct {
	end *nictest.End
	mu  sync.Mutex
}

func (r *raw) send(frame []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	nictest.InsertChecksums(frame)
	r.end.CommitTx(copy(r.end.TxSlot(), frame))
	r.end.FlushTx()
}

// receive calls f for each frame until the end closes.
func (r *raw) receive(f func([]byte)) {
	for r.end.WaitRx() == nil {
		for {
			frame, ok := r.end.NextRx()
			if !ok {
				break
			}
			f(slices.Clone(frame))
		}
		r.end.ReleaseRx()
	}
}

// ipv6Packet returns a frame with an ICMPv6 message from a router.
func ipv6Packet(dst netip.Addr, mac []byte, icmp []byte) []byte {
	f := append(slices.Clone(mac), 2, 0, 0, 0, 0, 0x0b, 0x86, 0xdd, 0x60, 0, 0, 0)
	f = binary.BigEndian.AppendUint16(f, uint16(len(icmp)))
	f = append(f, 58, 255)
	src := netip.MustParseAddr("fe80::b").As16()
	to := dst.As16()
	return append(append(append(f, src[:]...), to[:]...), icmp...)
}

// An advertisement (RFC 4861 §4.2) gives the stack an address, routes and a
// name server; when it takes them back, they go.
// TestAddress6: a fixed IPv6 address is reached, and what isn't in its network is sent by
// way of the router.
func TestAddress6(t *testing.T) {
	da, db := nictest.Pipe(nictest.WireOptions{})
	prefix, addr := netip.MustParsePrefix, netip.MustParseAddr
	a := open(t, da, netstack.Config{Address: prefix("10.0.2.15/24"), Address6: prefix("2001:db8::15/64"), Gateway6: addr("2001:db8::2")})
	b := open(t, db, netstack.Config{Address: prefix("10.0.2.2/24"), Address6: prefix("2001:db8::2/64")})
	eventually(t, "both addresses", func() bool {
		return slices.Contains(a.Addresses(), prefix("2001:db8::15/64")) && slices.Contains(b.Addresses(), prefix("2001:db8::2/64"))
	})
	l, err := a.Listen(testContext(t), "tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	eventually(t, "a connection", func() bool { // both look for duplicates first
		c, err := b.DialContext(testContext(t), "tcp", net.JoinHostPort("2001:db8::15", port))
		if err != nil {
			return false
		}
		defer c.Close()
		return c.RemoteAddr().String() == net.JoinHostPort("2001:db8::15", port) && strings.HasPrefix(c.LocalAddr().String(), "[2001:db8::2]:")
	})
	eventually(t, "a way to the world", func() bool {
		c, err := a.DialContext(testContext(t), "udp", "[2001:db8:7::1]:9")
		if err != nil {
			return false
		}
		defer c.Close()
		return strings.HasPrefix(c.LocalAddr().String(), "[2001:db8::15]:")
	})
	if c, err := b.DialContext(testContext(t), "udp", "[2001:db8:7::1]:9"); err == nil {
		t.Errorf("without a router there is a way from %v", c.LocalAddr())
		c.Close()
	}
}

func TestSLAAC(t *testing.T) {
	da, db := nictest.Pipe(nictest.WireOptions{})
	r := &raw{end: db}
	defer db.Close()
	advertise := func(router uint16, lifetime uint32) {
		icmp := []byte{134, 0, 0, 0, 64, 0}
		icmp = binary.BigEndian.AppendUint16(icmp, router)
		icmp = append(icmp, make([]byte, 8)...)
		icmp = append(icmp, 1, 1, 2, 0, 0, 0, 0, 0x0b) // source link-layer address
		icmp = append(icmp, 3, 4, 64, 0xc0)            // prefix: on-link, autonomous
		icmp = binary.BigEndian.AppendUint32(icmp, lifetime)
		icmp = binary.BigEndian.AppendUint32(icmp, lifetime)
		icmp = append(icmp, 0, 0, 0, 0)
		p := netip.MustParseAddr("2001:db8:1::").As16()
		icmp = append(icmp, p[:]...)
		icmp = append(icmp, 25, 3, 0, 0) // name server (RFC 8106 §5.1)
		icmp = binary.BigEndian.AppendUint32(icmp, lifetime)
		dns := netip.MustParseAddr("2001:db8:1::53").As16()
		icmp = append(icmp, dns[:]...)
		r.send(ipv6Packet(netip.MustParseAddr("ff02::1"), []byte{0x33, 0x33, 0, 0, 0, 1}, icmp))
	}
	var solicited atomic.Bool
	go r.receive(func(f []byte) {
		if len(f) > 54 && f[12] == 0x86 && f[20] == 58 && f[54] == 133 {
			solicited.Store(true)
			advertise(1800, 7200)
		}
	})
	a := open(t, da, netstack.Config{Address: netip.MustParsePrefix("10.0.2.15/24")})
	eventually(t, "address", func() bool {
		return slices.Contains(a.Addresses(), netip.MustParsePrefix("2001:db8:1:0:0:ff:fe00:a/64"))
	})
	if !solicited.Load() {
		t.Error("no router solicitation")
	}
	eventually(t, "name server", func() bool {
		return slices.Contains(a.NameServers(), netip.MustParseAddr("2001:db8:1::53"))
	})
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	// A route exists: UDP can be sent beyond the router.
	eventually(t, "route", func() bool {
		c, err := a.DialContext(ctx, "udp", "[2001:db8:2::1]:9")
		if err != nil {
			return false
		}
		defer c.Close()
		return strings.HasPrefix(c.LocalAddr().String(), "[2001:db8:1::ff:fe00:a]:")
	})
	advertise(0, 0)
	eventually(t, "name server gone", func() bool { return len(a.NameServers()) == 0 })
	eventually(t, "route gone", func() bool {
		c, err := a.DialContext(ctx, "udp", "[2001:db8:2::1]:9")
		if err == nil {
			c.Close()
		}
		return err != nil
	})
}

// The stack answers ARP and ICMP echo, of every size, and echo over IPv6.
func TestEcho(t *testing.T) {
	da, db := nictest.Pipe(nictest.WireOptions{})
	r := &raw{end: db}
	defer db.Close()
	replies := make(chan []byte, 10)
	go r.receive(func(f []byte) {
		switch {
		case f[12] == 8 && f[13] == 6 && f[21] == 1 && f[41] == 2: // ARP: who has .2
			reply := append(slices.Clone(f[6:12]), 2, 0, 0, 0, 0, 0x0b, 8, 6, 0, 1, 8, 0, 6, 4, 0, 2, 2, 0, 0, 0, 0, 0x0b)
			reply = append(append(reply, f[38:42]...), f[22:32]...)
			r.send(reply)
		case f[12] == 8 && f[13] == 0 && f[23] == 1 && f[34] == 0:
			replies <- f
		}
	})
	open(t, da, netstack.Config{Address: netip.MustParsePrefix("10.0.2.15/24"), NoIPv6: true})
	for _, size := range []int{0, 56, 1472} {
		f := append(slices.Clone([]byte(da.HardwareAddr())), 2, 0, 0, 0, 0, 0x0b, 8, 0, 0x45, 0)
		f = binary.BigEndian.AppendUint16(f, uint16(28+size))
		f = append(f, 0, 1, 0, 0, 64, 1, 0, 0, 10, 0, 2, 2, 10, 0, 2, 15)
		f = append(f, 8, 0, 0, 0, 0, 7, 0, byte(size))
		for i := range size {
			f = append(f, byte(i))
		}
		r.send(f)
		select {
		case got := <-replies:
			if !nictest.ChecksumsOK(got) || !slices.Equal(got[38:42+size], f[38:]) {
				t.Errorf("%d bytes: % x", size, got)
			}
		case <-time.After(limit):
			t.Fatalf("no answer to echo of %d bytes", size)
		}
	}
}

// dnsServer answers on a stack for a few names.
func dnsServer(t *testing.T, s *netstack.Stack, answer func(q dnsmessage.Question) (dnsmessage.RCode, []dnsmessage.Resource)) {
	c, err := s.ListenPacket(testContext(t), "udp4", ":53")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	go func() {
		b := make([]byte, 1500)
		for {
			n, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(b[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			m.Response, m.Authoritative, m.RecursionAvailable = true, true, true
			m.Additionals = nil
			m.RCode, m.Answers = answer(m.Questions[0])
			if out, err := m.Pack(); err == nil {
				c.WriteTo(out, from)
			}
		}
	}()
}

func TestDNS(t *testing.T) {
	a, b := pairConfig(t, nictest.WireOptions{}, netstack.Config{
		NoIPv6: true,
		// The first one is never there.
		DNS: []netip.Addr{netip.MustParseAddr("10.0.2.99"), netip.MustParseAddr(addrB)},
	}, netstack.Config{NoIPv6: true})
	dnsServer(t, b, func(q dnsmessage.Question) (dnsmessage.RCode, []dnsmessage.Resource) {
		h := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 60}
		switch q.Name.String() {
		case "board.example.":
			if q.Type == dnsmessage.TypeA {
				return dnsmessage.RCodeSuccess, []dnsmessage.Resource{
					{Header: h, Body: &dnsmessage.AResource{A: [4]byte{10, 0, 2, 98}}}, // nobody
					{Header: h, Body: &dnsmessage.AResource{A: [4]byte{10, 0, 2, 2}}},
				}
			}
			return dnsmessage.RCodeSuccess, nil
		}
		return dnsmessage.RCodeNameError, nil
	})
	ctx := testContext(t)
	got, err := a.LookupHost(ctx, "board.example.")
	if err != nil || len(got) != 2 || !slices.Contains(got, addrB) {
		t.Errorf("%v, %v", got, err)
	}
	_, err = a.LookupHost(ctx, "nobody.example.")
	var dns *net.DNSError
	if !errors.As(err, &dns) || !dns.IsNotFound {
		t.Errorf("%v", err)
	}
	for name, want := range map[string]string{"localhost": "127.0.0.1", "192.0.2.1": "192.0.2.1", "2001:db8::1": "2001:db8::1"} {
		if got, err := a.LookupHost(ctx, name); err != nil || got[0] != want {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}

	// Dialing a name tries its addresses in turn.
	l, err := b.Listen(ctx, "tcp", ":7000")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := a.DialContext(ctx, "tcp", "board.example.:7000")
	if err != nil {
		t.Fatal(err)
	}
	if got := c.RemoteAddr().String(); got != addrB+":7000" {
		t.Errorf("connected to %s", got)
	}
	c.Close()

	if _, err := b.LookupHost(ctx, "board.example."); !errors.As(err, &dns) || !strings.Contains(dns.Err, "no name server") {
		t.Errorf("without servers: %v", err)
	}
}

// ntpServer tells a time, 48 bytes as of RFC 5905 §7.3.
func ntpServer(t *testing.T, s *netstack.Stack, now func() time.Time) {
	c, err := s.ListenPacket(testContext(t), "udp4", ":123")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	stamp := func(b []byte, at time.Time) {
		seconds := uint64(at.Unix()) + 2208988800
		binary.BigEndian.PutUint32(b, uint32(seconds))
		binary.BigEndian.PutUint32(b[4:], uint32(uint64(at.Nanosecond())<<32/1e9))
	}
	go func() {
		b := make([]byte, 100)
		for {
			n, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			if n != 48 {
				continue
			}
			r := make([]byte, 48)
			r[0], r[1], r[2], r[3] = 0x24, 2, 6, 0xec // version 4, server; stratum 2
			copy(r[24:32], b[40:48])                  // their transmit time
			stamp(r[16:], now().Add(-time.Minute))
			stamp(r[32:], now())
			stamp(r[40:], now())
			c.WriteTo(r, from)
		}
	}()
}

func TestClock(t *testing.T) {
	set := make(chan time.Time, 10)
	a, b := pairConfig(t, nictest.WireOptions{}, netstack.Config{
		NoIPv6:   true,
		NTP:      []string{addrB},
		SetClock: func(now time.Time) error { set <- now; return nil },
		Floor:    time.Now(),
	}, netstack.Config{NoIPv6: true})
	const ahead = 24 * time.Hour
	// The first question may come before the server is there; it is repeated.
	ntpServer(t, b, func() time.Time { return time.Now().Add(ahead) })
	select {
	case now := <-set:
		if off := time.Until(now) - ahead; off.Abs() > limit {
			t.Errorf("clock set to %v", now)
		}
	case <-time.After(limit):
		t.Fatal("the clock was not set")
	}
	eventually(t, "status", func() bool { return a.Clock().Server == addrB })
	if s := a.Clock(); s.Stratum != 2 || !s.Stepped || (s.Offset-ahead).Abs() > limit {
		t.Errorf("%+v", s)
	}
}

// Closing a stack ends what waits on it, and its peers notice.
func TestClose(t *testing.T) {
	a, b := pair(t, nictest.WireOptions{})
	c, p := connect(t, a, b, addrB)
	l, err := b.Listen(testContext(t), "tcp", ":1")
	if err != nil {
		t.Fatal(err)
	}
	failed := make(chan error, 3)
	go func() { _, err := l.Accept(); failed <- err }()
	go func() { _, err := p.Read(make([]byte, 1)); failed <- err }()
	go func() { _, err := c.Read(make([]byte, 1)); failed <- err }()
	time.Sleep(10 * time.Millisecond)
	b.Close()
	for range 3 {
		select {
		case err := <-failed:
			if err == nil {
				t.Error("no error")
			}
		case <-time.After(limit):
			t.Fatal("something still waits")
		}
	}
	if err := b.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("second Close: %v", err)
	}
}

// What a lossy link is measured with (ingot bench --part load) is what the stack does.
func TestLossRecovery(t *testing.T) {
	a, _ := pair(t, nictest.WireOptions{})
	sack, rack, congestion, timeout := a.LossRecovery()
	if !sack || !rack || congestion != "reno" {
		t.Errorf("SACK %v, RACK %v, %s", sack, rack, congestion)
	}
	// Less than 40 ms would take acknowledgements that Linux delays for losses.
	if timeout <= 40*time.Millisecond || timeout > 100*time.Millisecond {
		t.Errorf("timeouts of %v and more", timeout)
	}
}
