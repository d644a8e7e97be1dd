package netstack_test

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/header"

	"ingot.dev/board/nic"
	"ingot.dev/board/nic/nictest"
	"ingot.dev/net/netstack"
)

// door is a listener with a function that the test can change.
type door struct {
	*netstack.Listener
	port   string
	asked  atomic.Int64
	closed atomic.Bool // refuses
	mu     sync.Mutex
	last   netip.AddrPort
}

func (d *door) admit(remote netip.AddrPort) bool {
	d.asked.Add(1)
	d.mu.Lock()
	d.last = remote
	d.mu.Unlock()
	return !d.closed.Load()
}

func listenAdmit(t testing.TB, s *netstack.Stack, network, address string) *door {
	t.Helper()
	d := &door{}
	l, err := s.ListenAdmit(testContext(t), network, address, d.admit)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	d.Listener = l.(*netstack.Listener)
	_, d.port, _ = net.SplitHostPort(l.Addr().String())
	return d
}

// A refused request is answered with a reset and leaves nothing behind; an admitted
// one connects.
func TestAdmit(t *testing.T) {
	for name, o := range map[string]nic.Offloads{"software checksums": {}, "offloads": {TxChecksum: true, RxChecksum: true}} {
		t.Run(name, func(t *testing.T) {
			wire := nictest.WireOptions{Offloads: o}
			a, b := pairConfig(t, wire, netstack.Config{}, netstack.Config{})
			ctx := testContext(t)
			six := linkLocal(t, a, b)
			d := listenAdmit(t, b, "tcp", ":0")
			for _, host := range []string{addrB, six} {
				d.closed.Store(true)
				asked, refused := d.asked.Load(), b.LinkStats().RxRefused
				_, err := a.DialContext(ctx, "tcp", net.JoinHostPort(host, d.port))
				if !errors.Is(err, syscall.ECONNREFUSED) {
					t.Fatalf("%s: %v", host, err)
				}
				if d.asked.Load() == asked || b.LinkStats().RxRefused == refused || d.Refused() == 0 {
					t.Errorf("%s: asked %d times, %+v", host, d.asked.Load()-asked, b.LinkStats())
				}
				if s := b.TCPStats(); s.Endpoints != 0 || s.PassiveOpenings != 0 || s.ListenOverflow != 0 {
					t.Errorf("%s: the stack has seen it: %+v", host, s)
				}
			}
			d.closed.Store(false)
			for _, host := range []string{addrB, six} {
				c, err := a.DialContext(ctx, "tcp", net.JoinHostPort(host, d.port))
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				p, err := d.Accept()
				if err != nil {
					t.Fatal(err)
				}
				defer p.Close()
				d.mu.Lock()
				if got := p.RemoteAddr().(*net.TCPAddr).AddrPort(); got != d.last {
					t.Errorf("asked about %v, connected %v", d.last, got)
				}
				d.mu.Unlock()
				// A connection that exists isn't asked about any more.
				asked := d.asked.Load()
				if _, err := c.Write(make([]byte, 100000)); err != nil {
					t.Error(err)
				}
				if _, err := io.ReadFull(p, make([]byte, 100000)); err != nil {
					t.Error(err)
				}
				if d.asked.Load() != asked {
					t.Errorf("asked %d times about an established connection", d.asked.Load()-asked)
				}
			}
		})
	}
}

// linkLocal returns b's IPv6 address once a can reach it.
func linkLocal(t *testing.T, a, b *netstack.Stack) string {
	t.Helper()
	eventually(t, "IPv6", func() bool {
		if len(a.Addresses()) < 2 || len(b.Addresses()) < 2 {
			return false
		}
		for _, s := range [][2]*netstack.Stack{{a, b}, {b, a}} {
			c, err := s[0].DialContext(testContext(t), "udp", net.JoinHostPort(s[1].Addresses()[1].Addr().String(), "9"))
			if err != nil {
				return false
			}
			c.Close()
		}
		return true
	})
	return b.Addresses()[1].Addr().String()
}

// Only the listener's own address, port and version are guarded, and only while it
// is open.
func TestAdmitScope(t *testing.T) {
	a, b := pairConfig(t, nictest.WireOptions{}, netstack.Config{}, netstack.Config{})
	ctx := testContext(t)
	six := linkLocal(t, a, b)
	d := listenAdmit(t, b, "tcp4", addrB+":7000")
	d.closed.Store(true)
	open := func(address string) error {
		t.Helper()
		c, err := a.DialContext(ctx, "tcp", address)
		if err == nil {
			c.Close()
		}
		return err
	}
	for _, l := range [][2]string{{"tcp4", ":7001"}, {"tcp6", ":7000"}} {
		l, err := b.Listen(ctx, l[0], l[1])
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
	}
	if err := open(addrB + ":7001"); err != nil {
		t.Errorf("another port: %v", err)
	}
	if err := open(net.JoinHostPort(six, "7000")); err != nil {
		t.Errorf("another version: %v", err)
	}
	if err := open(addrB + ":7000"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("the guarded one: %v", err)
	}
	// A listener at one address comes before that at all of them, and is the one
	// whose function is asked, if it has any.
	all := listenAdmit(t, b, "tcp4", ":7003")
	all.closed.Store(true)
	if err := open(addrB + ":7003"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("all addresses: %v", err)
	}
	one, err := b.Listen(ctx, "tcp4", addrB+":7003")
	if err != nil {
		t.Fatal(err)
	}
	if err := open(addrB + ":7003"); err != nil {
		t.Errorf("one address, unguarded: %v", err)
	}
	one.Close()
	if err := open(addrB + ":7003"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("all addresses again: %v", err)
	}
	e := listenAdmit(t, b, "tcp4", addrB+":7002")
	if err := open(addrB + ":7002"); err != nil || e.asked.Load() == 0 {
		t.Errorf("its neighbour: %v", err)
	}
	asked := d.asked.Load()
	d.Close()
	l, err := b.Listen(ctx, "tcp4", addrB+":7000")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := open(addrB + ":7000"); err != nil || d.asked.Load() != asked {
		t.Errorf("after Close: %v, asked %d times", err, d.asked.Load()-asked)
	}
	if d.Close() == nil {
		t.Error("second Close has no error")
	}
	// A port in use, and one that can't be had, leave no guard behind.
	if _, err := b.ListenAdmit(ctx, "tcp4", ":7001", d.admit); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("port in use: %v", err)
	}
	if err := open(addrB + ":7001"); err != nil {
		t.Errorf("after a failed ListenAdmit: %v", err)
	}
}

// Connections that the link doesn't see, from this machine itself, are judged when
// they are accepted, as is one that was admitted and is no longer welcome.
func TestAdmitLate(t *testing.T) {
	a, b := pairConfig(t, nictest.WireOptions{}, netstack.Config{}, netstack.Config{})
	ctx := testContext(t)
	d := listenAdmit(t, b, "tcp", ":0")
	accepted := make(chan net.Conn, 10)
	go func() {
		for {
			c, err := d.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	for _, host := range []string{"127.0.0.1", "::1", addrB} {
		d.closed.Store(true)
		// The handshake is done before the decision.
		c, err := b.DialContext(ctx, "tcp", net.JoinHostPort(host, d.port))
		if err == nil {
			c.SetReadDeadline(time.Now().Add(limit))
			_, err = c.Read(make([]byte, 1))
			c.Close()
		}
		if !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%s: refused with %v, not a reset", host, err)
		}
		d.closed.Store(false)
		c, err = b.DialContext(ctx, "tcp", net.JoinHostPort(host, d.port))
		if err != nil {
			t.Fatal(err)
		}
		select {
		case p := <-accepted:
			p.Close()
		case <-time.After(limit):
			t.Fatalf("%s: not accepted", host)
		}
		c.Close()
	}
	if n := b.LinkStats().RxRefused; n != 0 {
		t.Errorf("the link has refused %d", n)
	}

	// Admitted on arrival, refused at accept.
	var once atomic.Bool
	l, err := b.ListenAdmit(ctx, "tcp", ":0", func(netip.AddrPort) bool { return !once.Swap(true) })
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go l.Accept()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	c, err := a.DialContext(ctx, "tcp", addrB+":"+port)
	if err == nil {
		c.SetReadDeadline(time.Now().Add(limit))
		_, err = c.Read(make([]byte, 1))
		c.Close()
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("%v", err)
	}
}

// What the filter answers, and what it leaves to the stack, frame by frame.
func TestAdmitFrames(t *testing.T) {
	da, db := nictest.Pipe(nictest.WireOptions{})
	b := open(t, db, netstack.Config{Address: netip.MustParsePrefix(addrB + "/24"), NoIPv6: true})
	d := listenAdmit(t, b, "tcp4", ":7000")
	d.closed.Store(true)
	frames := make(chan []byte, 100)
	r := &raw{end: da}
	go r.receive(func(f []byte) { frames <- append([]byte(nil), f...) })

	request := func(change func(eth header.Ethernet, ip header.IPv4, tcp header.TCP)) []byte {
		f := make([]byte, 14+20+20+3)
		eth, ip, tcp := header.Ethernet(f), header.IPv4(f[14:]), header.TCP(f[34:])
		copy(f, db.HardwareAddr())
		copy(f[6:], da.HardwareAddr())
		f[12], f[13] = 8, 0
		ip[0], ip[8], ip[9] = 0x45, 64, 6
		ip.SetTotalLength(uint16(len(f) - 14))
		copy(ip[12:], netip.MustParseAddr(addrA).AsSlice())
		copy(ip[16:], netip.MustParseAddr(addrB).AsSlice())
		tcp.SetSourcePort(4321)
		tcp.SetDestinationPort(7000)
		tcp.SetSequenceNumber(0xfffffffe)
		tcp.SetDataOffset(20)
		tcp.SetFlags(uint8(header.TCPFlagSyn))
		if change != nil {
			change(eth, ip, tcp)
		}
		return f
	}
	// answer returns the reset for a frame, nil if the filter wasn't asked.
	answer := func(f []byte) []byte {
		t.Helper()
		asked := d.asked.Load()
		r.send(f)
		// Frames stay in order: once this one is answered, f has been judged.
		r.send(arpRequest(da.HardwareAddr()))
		var reset []byte
		for {
			select {
			case g := <-frames:
				if g[12] == 8 && g[13] == 6 {
					if d.asked.Load() != asked {
						return reset
					}
					return nil
				}
				if g[23] == 6 && g[47]&4 != 0 {
					reset = g
				}
			case <-time.After(limit):
				t.Fatal("no answer")
			}
		}
	}
	reset := answer(request(nil))
	if reset == nil {
		t.Fatal("not judged")
	}
	if !nictest.ChecksumsOK(reset) {
		t.Error("wrong checksums")
	}
	tcp := header.TCP(reset[34:])
	// Three bytes of data came with the request; the sum wraps.
	if tcp.Flags() != header.TCPFlagRst|header.TCPFlagAck || tcp.SequenceNumber() != 0 || tcp.AckNumber() != 2 ||
		tcp.SourcePort() != 7000 || tcp.DestinationPort() != 4321 || tcp.DataOffset() != 20 || header.IPv4(reset[14:]).TotalLength() != 40 {
		t.Errorf("reset: flags %v, seq %d, ack %d, %d bytes", tcp.Flags(), tcp.SequenceNumber(), tcp.AckNumber(), len(reset))
	}
	if fin := answer(request(func(_ header.Ethernet, _ header.IPv4, tcp header.TCP) {
		tcp.SetFlags(uint8(header.TCPFlagSyn | header.TCPFlagFin))
	})); fin == nil || header.TCP(fin[34:]).AckNumber() != 3 {
		t.Errorf("FIN isn't acknowledged: %x", fin)
	}
	for name, change := range map[string]func(header.Ethernet, header.IPv4, header.TCP){
		"another port": func(_ header.Ethernet, _ header.IPv4, tcp header.TCP) { tcp.SetDestinationPort(7001) },
		"acknowledges": func(_ header.Ethernet, _ header.IPv4, tcp header.TCP) {
			tcp.SetFlags(uint8(header.TCPFlagSyn | header.TCPFlagAck))
		},
		"resets": func(_ header.Ethernet, _ header.IPv4, tcp header.TCP) {
			tcp.SetFlags(uint8(header.TCPFlagSyn | header.TCPFlagRst))
		},
		"no SYN":            func(_ header.Ethernet, _ header.IPv4, tcp header.TCP) { tcp.SetFlags(uint8(header.TCPFlagFin)) },
		"another address":   func(_ header.Ethernet, ip header.IPv4, _ header.TCP) { ip[19]++ },
		"broadcast address": func(_ header.Ethernet, ip header.IPv4, _ header.TCP) { ip[19] = 255 },
		"broadcast frame":   func(eth header.Ethernet, _ header.IPv4, _ header.TCP) { copy(eth, "\xff\xff\xff\xff\xff\xff") },
		"from a group":      func(_ header.Ethernet, ip header.IPv4, _ header.TCP) { ip[12] = 224 },
		"from nobody":       func(_ header.Ethernet, ip header.IPv4, _ header.TCP) { copy(ip[12:16], "\x00\x00\x00\x00") },
		"from everybody":    func(_ header.Ethernet, ip header.IPv4, _ header.TCP) { copy(ip[12:16], "\xff\xff\xff\xff") },
		"from reserved":     func(_ header.Ethernet, ip header.IPv4, _ header.TCP) { copy(ip[12:16], "\xf0\x00\x00\x01") },
		"from the network":  func(_ header.Ethernet, ip header.IPv4, _ header.TCP) { ip[15] = 255 },
		"from itself":       func(_ header.Ethernet, ip header.IPv4, _ header.TCP) { copy(ip[12:16], ip[16:20]) },
		"port 0":            func(_ header.Ethernet, _ header.IPv4, tcp header.TCP) { tcp.SetSourcePort(0) },
		"a fragment":        func(_ header.Ethernet, ip header.IPv4, _ header.TCP) { ip[6] = 0x20 },
		"header too short":  func(_ header.Ethernet, _ header.IPv4, tcp header.TCP) { tcp.SetDataOffset(16) },
	} {
		if got := answer(request(change)); got != nil {
			t.Errorf("%s: judged", name)
		}
	}
	wrong := request(nil)
	wrong[50] = 1 // what is filled in becomes wrong
	if answer(wrong) != nil {
		t.Error("wrong checksum: judged")
	}
}

// arpRequest asks for the address of b.
func arpRequest(mac net.HardwareAddr) []byte {
	f := make([]byte, 60)
	copy(f, "\xff\xff\xff\xff\xff\xff")
	copy(f[6:], mac)
	f[12], f[13] = 8, 6
	arp := header.ARP(f[14:])
	arp.SetIPv4OverEthernet()
	arp.SetOp(header.ARPRequest)
	copy(arp.HardwareAddressSender(), mac)
	copy(arp.ProtocolAddressSender(), netip.MustParseAddr(addrA).AsSlice())
	copy(arp.ProtocolAddressTarget(), netip.MustParseAddr(addrB).AsSlice())
	return f
}
