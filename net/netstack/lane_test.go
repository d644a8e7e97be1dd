package netstack_test

import (
	"bytes"
	"io"
	"net"
	"net/netip"
	"reflect"
	"sync"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"

	"ingot.dev/board/nic"
	"ingot.dev/board/nic/nictest"
	"ingot.dev/net/netstack"
)

// lanes says whether this is an image whose TCP sends by lanes (tools/image/lane.go); if
// not, the same has to come out of it.
var _, lanes = reflect.TypeFor[tcp.Endpoint]().FieldByName("lane")

// handPeer is the other end of one connection, made by hand: it acknowledges what comes and
// says nothing.
type handPeer struct {
	*raw
	mac     net.HardwareAddr
	to      net.HardwareAddr
	port    uint16 // the other's
	options []byte // of its segments

	mu       sync.Mutex
	seq, ack uint32
	open     bool
	deaf     bool     // acknowledges nothing
	data     [][]byte // frames with data that came
}

func (p *handPeer) segment(flags header.TCPFlags) {
	f := make([]byte, 14+20+20+len(p.options))
	ip, tcp := header.IPv4(f[14:]), header.TCP(f[34:])
	copy(f, p.to)
	copy(f[6:], p.mac)
	f[12], f[13] = 8, 0
	ip[0], ip[8], ip[9] = 0x45, 64, 6
	ip.SetTotalLength(uint16(len(f) - 14))
	copy(ip[12:], netip.MustParseAddr(addrA).AsSlice())
	copy(ip[16:], netip.MustParseAddr(addrB).AsSlice())
	tcp.SetSourcePort(4321)
	tcp.SetDestinationPort(p.port)
	tcp.SetSequenceNumber(p.seq)
	tcp.SetAckNumber(p.ack)
	tcp.SetDataOffset(uint8(20 + len(p.options)))
	tcp.SetFlags(uint8(flags))
	tcp.SetWindowSize(50000)
	copy(tcp[20:], p.options)
	p.send(f)
}

// send leaves checksums to a port that fills them in.
func (p *handPeer) send(f []byte) {
	if !p.end.Offloads().TxChecksum {
		p.raw.send(f)
		return
	}
	p.raw.mu.Lock()
	defer p.raw.mu.Unlock()
	p.end.CommitTx(copy(p.end.TxSlot(), f))
	p.end.FlushTx()
}

func (p *handPeer) got(f []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if f[12] == 8 && f[13] == 6 { // asks who has the address
		arp := header.ARP(f[14:])
		if arp.Op() == header.ARPRequest && bytes.Equal(arp.ProtocolAddressTarget(), netip.MustParseAddr(addrA).AsSlice()) {
			r := arpRequest(p.mac)
			copy(r, f[6:12])
			header.ARP(r[14:]).SetOp(header.ARPReply)
			p.send(r)
		}
		return
	}
	if f[12] != 8 || f[13] != 0 || f[23] != 6 {
		return
	}
	ip, tcp := header.IPv4(f[14:]), header.TCP(f[34:])
	size := int(ip.TotalLength()) - 20 - int(tcp.DataOffset())
	switch {
	case tcp.Flags()&header.TCPFlagSyn != 0:
		p.seq, p.ack, p.open = p.seq+1, tcp.SequenceNumber()+1, true
		p.segment(header.TCPFlagAck)
	case size > 0 && !p.deaf:
		if tcp.SequenceNumber() == p.ack { // not sent twice
			p.data = append(p.data, f)
			p.ack += uint32(size)
		}
		p.segment(header.TCPFlagAck)
	}
}

// last returns the last frame with data and how many there were.
func (p *handPeer) last() ([]byte, int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.data) == 0 {
		return nil, 0
	}
	return p.data[len(p.data)-1], len(p.data)
}

// byHand connects a hand-made peer to a stack.
func byHand(t *testing.T, o nic.Offloads, options []byte) (*netstack.Stack, *netstack.Conn, *handPeer) {
	da, db := nictest.Pipe(nictest.WireOptions{Offloads: o})
	s := open(t, db, netstack.Config{Address: netip.MustParsePrefix(addrB + "/24"), NoIPv6: true})
	l, err := s.Listen(testContext(t), "tcp4", ":7000")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	p := &handPeer{raw: &raw{end: da}, mac: da.HardwareAddr(), to: db.HardwareAddr(), port: 7000, options: options, seq: 1000}
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.receive(p.got)
	}()
	t.Cleanup(func() { da.Close(); <-done })
	l.(*netstack.Listener).SetDeadline(time.Now().Add(limit))
	p.mu.Lock()
	p.segment(header.TCPFlagSyn)
	p.mu.Unlock()
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return s, c.(*netstack.Conn), p
}

// say has the stack send one message, and returns the frame that it came in.
func (p *handPeer) say(t *testing.T, c *netstack.Conn, message string) []byte {
	t.Helper()
	_, before := p.last()
	if _, err := io.WriteString(c, message); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the message", func() bool { _, n := p.last(); return n > before })
	f, _ := p.last()
	return f
}

// What goes by a lane differs from what went the long way in nothing but its numbers.
func TestLaneFrames(t *testing.T) {
	timestamp := []byte{1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0}
	for _, tt := range []struct {
		name    string
		o       nic.Offloads
		options []byte
	}{
		{"plain", nic.Offloads{}, nil},
		{"offloads", nic.Offloads{TxChecksum: true, RxChecksum: true}, nil},
		{"timestamps", nic.Offloads{}, timestamp},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, c, p := byHand(t, tt.o, tt.options)
			const message = "a message that is as long each time"
			first := p.say(t, c, message)
			for range 5 {
				f := p.say(t, c, message)
				if !nictest.ChecksumsOK(f) {
					t.Errorf("wrong checksums: % x", f)
				}
				tcp, was := header.TCP(f[34:]), header.TCP(first[34:])
				if got, want := tcp.SequenceNumber(), was.SequenceNumber()+uint32(len(message)); got != want {
					t.Errorf("sequence number %d, want %d", got, want)
				}
				if len(tt.options) > 0 && !bytes.Equal(tcp[20:28], []byte{1, 1, 8, 10, tcp[24], tcp[25], tcp[26], tcp[27]}) {
					t.Errorf("options % x", tcp[20:32])
				}
				g := bytes.Clone(first)
				first = bytes.Clone(f)
				for _, f := range [][]byte{f, g} {
					ip, tcp := header.IPv4(f[14:]), header.TCP(f[34:])
					ip.SetChecksum(0)
					tcp.SetSequenceNumber(0)
					tcp.SetChecksum(0)
					if len(tt.options) > 0 {
						copy(tcp[24:28], "time")
					}
				}
				if !bytes.Equal(f, g) {
					t.Errorf("got  % x\nlike % x", f, g)
				}
			}
			if lanes {
				eventually(t, "a segment by a lane", func() bool { p.say(t, c, message); return s.LinkStats().TxLanes > 0 })
			} else if n := s.LinkStats().TxLanes; n != 0 {
				t.Errorf("%d segments went by lanes", n)
			}
		})
	}
}

// A neighbour that gets another address of Ethernet's is reached there, soon.
func TestLaneNeighbour(t *testing.T) {
	_, c, p := byHand(t, nic.Offloads{}, nil)
	if f := p.say(t, c, "here"); !bytes.Equal(f[:6], p.mac) {
		t.Fatalf("sent to % x", f[:6])
	}
	p.mu.Lock()
	p.mac = net.HardwareAddr{2, 0, 0, 0, 0, 0x77}
	p.mu.Unlock()
	p.send(arpRequest(p.mac))
	eventually(t, "a frame to the new address", func() bool {
		f := p.say(t, c, "there")
		return bytes.Equal(f[:6], p.mac)
	})
}

// Settings that are in the headers count from the next segment on.
func TestLaneSettings(t *testing.T) {
	_, c, p := byHand(t, nic.Offloads{}, nil)
	for i := range 10 {
		ttl, tos := 30+i, 4*i
		if err := c.SetHeaders(ttl, tos); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			f := p.say(t, c, "x")
			if ip := header.IPv4(f[14:]); int(ip.TTL()) != ttl || int(ip[1]) != tos {
				t.Errorf("TTL %d, TOS %#x; want %d, %#x", ip.TTL(), ip[1], ttl, tos)
			}
		}
	}
}

// What nobody acknowledges is sent again, from the long way on.
func TestLaneLoss(t *testing.T) {
	s, c, p := byHand(t, nic.Offloads{}, nil)
	p.say(t, c, "before")
	p.say(t, c, "before")
	p.mu.Lock()
	p.deaf = true
	p.mu.Unlock()
	if _, err := io.WriteString(c, "lost"); err != nil {
		t.Fatal(err)
	}
	before := s.LinkStats()
	eventually(t, "it to be sent again", func() bool { return s.LinkStats().TxPackets > before.TxPackets+1 })
	if now := s.LinkStats(); now.TxLanes != before.TxLanes {
		t.Errorf("%d segments went by lanes meanwhile", now.TxLanes-before.TxLanes)
	}
	p.mu.Lock()
	p.deaf = false
	p.mu.Unlock()
	eventually(t, "what was lost", func() bool { f, _ := p.last(); return bytes.HasSuffix(bytes.TrimRight(f, "\x00"), []byte("lost")) })
	p.say(t, c, "after")
}

// Without its address a connection sends nothing more.
func TestLaneForgotten(t *testing.T) {
	s, c, p := byHand(t, nic.Offloads{}, nil)
	p.say(t, c, "before")
	p.say(t, c, "before")
	if err := s.Readdress(netip.MustParsePrefix("10.0.2.77/24")); err != nil {
		t.Fatal(err)
	}
	_, n := p.last()
	before := s.LinkStats().TxLanes
	if _, err := io.WriteString(c, "from nowhere"); err != nil {
		t.Fatal(err)
	}
	// Long enough for a retransmission or two, were they sent.
	time.Sleep(time.Second)
	if _, now := p.last(); now != n || s.LinkStats().TxLanes != before {
		t.Errorf("%d frames, %d by lanes, from an address that is gone", now-n, s.LinkStats().TxLanes-before)
	}
}

// Probes keep to the long way, and after them nothing is kept of it.
func TestLaneKeepAlive(t *testing.T) {
	s, c, p := byHand(t, nic.Offloads{}, nil)
	p.say(t, c, "before")
	p.say(t, c, "before")
	if err := c.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: time.Second, Interval: time.Second, Count: 100}); err != nil {
		t.Fatal(err)
	}
	p.say(t, c, "the last")
	before := s.LinkStats()
	eventually(t, "a probe", func() bool { return s.LinkStats().TxPackets > before.TxPackets })
	if now := s.LinkStats(); now.TxLanes != before.TxLanes {
		t.Errorf("%d probes went by lanes", now.TxLanes-before.TxLanes)
	}
	p.say(t, c, "after")
}
