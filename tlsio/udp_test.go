package tlsio

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"ingot.dev/internal/testenv"
)

// The tests of this file are named after the rows of ECMA-419 section 10.14.

// udpNetwork is testNetwork, if it has packets.
func udpNetwork(t testing.TB) Network {
	t.Helper()
	if n := testNetwork(t); isPacketNetwork(n) {
		return n
	}
	return HostNetwork{}
}

func isPacketNetwork(n Network) bool { _, ok := n.(PacketNetwork); return ok }

func (r *rig) udp(o UDPOptions) *UDP {
	r.t.Helper()
	o.OnReadable = func(u *UDP, n int) { r.note("readable", u, n, nil) }
	o.OnError = func(u *UDP, err error) { r.note("error", u, 0, err) }
	if o.Address == "" {
		o.Address = "127.0.0.1"
	}
	u, err := NewUDP(r.app, o)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { u.Close() })
	return u
}

func (u *UDP) waiting() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.queue)
}

//conform:ecma-419 UDP works tlsio.UDP, tlsio.NewUDP
//conform:ecma-419 UDP.port works tlsio.UDPOptions.Port
//conform:ecma-419 UDP.address works tlsio.UDPOptions.Address
//conform:ecma-419 UDP.target works tlsio.UDPOptions.Target, tlsio.UDP.Target
//conform:ecma-419 UDP.onReadable works tlsio.UDPOptions.OnReadable
//conform:ecma-419 UDP.read works tlsio.UDP.Read
//conform:ecma-419 UDP.write works tlsio.UDP.Write
func TestUDP(t *testing.T) {
	r := newRigOn(t, udpNetwork(t))
	a, b := r.udp(UDPOptions{Target: "a"}), r.udp(UDPOptions{})
	pa, err1 := a.Port()
	pb, err2 := b.Port()
	if pa == 0 || pb == 0 || pa == pb || errors.Join(err1, err2) != nil {
		t.Fatalf("ports %d, %d", pa, pb)
	}
	if addr, err := a.LocalAddress(); addr != "127.0.0.1" || err != nil || a.Target() != "a" {
		t.Errorf("LocalAddress = %q, %v", addr, err)
	}
	if p, err := b.Read(); p != nil || err != nil {
		t.Errorf("Read of nothing = %v, %v", p, err)
	}
	// Packets stay whole, empty ones too, and are told with their number.
	sizes := []int{5, 0, 1400}
	r.do(func() {
		for _, n := range sizes {
			if err := a.Write(pattern(n), "127.0.0.1", pb); err != nil {
				t.Fatal(err)
			}
		}
		wait(t, "3 packets", func() bool { return b.waiting() == 3 })
	})
	if c := r.next("readable"); c.n != 3 || c.who != b {
		t.Errorf("OnReadable(%d)", c.n)
	}
	r.quiet() // unread, not repeated
	for _, n := range sizes {
		p, err := b.Read()
		if err != nil || p == nil || !bytes.Equal(p.Data, pattern(n)) || p.Address != "127.0.0.1" || p.Port != pa {
			t.Errorf("Read = %+v, %v", p, err)
		}
	}
	// A second one on the same port is refused by the constructor.
	_, err := NewUDP(r.app, UDPOptions{Address: "127.0.0.1", Port: pb})
	wantError(t, err, StageListen, Alert{})
}

//conform:ecma-419 UDP.read.buffer works tlsio.UDP.ReadInto, tlsio.ErrShortBuffer
func TestUDPReadInto(t *testing.T) {
	r := newRigOn(t, udpNetwork(t))
	a, b := r.udp(UDPOptions{}), r.udp(UDPOptions{})
	pa, _ := a.Port()
	pb, _ := b.Port()
	buf := make([]byte, 10)
	if n, _, _, err := b.ReadInto(buf); n != -1 || err != nil {
		t.Errorf("ReadInto of nothing = %d, %v", n, err)
	}
	a.Write([]byte("0123456789a"), "127.0.0.1", pb)
	a.Write(nil, "127.0.0.1", pb)
	wait(t, "2 packets", func() bool { return b.waiting() == 2 })
	if n, _, _, err := b.ReadInto(buf); n != 11 || !errors.Is(err, ErrShortBuffer) {
		t.Errorf("short buffer: %d, %v", n, err)
	}
	buf = make([]byte, 20) // it wasn't lost
	if n, addr, port, err := b.ReadInto(buf); string(buf[:n]) != "0123456789a" || addr != "127.0.0.1" || port != pa || err != nil {
		t.Errorf("ReadInto = %d, %s, %d, %v", n, addr, port, err)
	}
	if n, _, _, err := b.ReadInto(nil); n != 0 || err != nil {
		t.Errorf("empty packet: %d, %v", n, err)
	}
}

//conform:ecma-419 UDP.format works tlsio.UDPOptions.Format, tlsio.UDP.SetFormat
func TestUDPOptions(t *testing.T) {
	network := &packetTap{}
	_, err := NewUDP(NewApp(network), UDPOptions{Address: "name", Port: 65536, Format: FormatNumber, QueueBytes: -1, MaxPacket: 65508})
	wantOption(t, err, "Address", "Port", "Format", "QueueBytes", "MaxPacket")
	if network.last != nil {
		t.Error("bound in spite of bad options")
	}
	_, err = NewUDP(nil, UDPOptions{})
	wantOption(t, err, "app")
	if _, err = NewUDP(NewApp(&memory{}), UDPOptions{}); !errors.Is(err, ErrNotSupported) {
		t.Errorf("on a network without packets: %v", err)
	}
	r := newRigOn(t, network)
	u := r.udp(UDPOptions{})
	if f, err := u.Format(); f != FormatBuffer || err != nil {
		t.Errorf("format %q, %v", f, err)
	}
	if err := u.SetFormat(FormatBuffer); err != nil {
		t.Error(err)
	}
	wantOption(t, u.SetFormat(FormatNumber), "Format")
	wantOption(t, u.Write(make([]byte, 65508), "host", 0), "address", "port", "p")
}

//conform:ecma-419 UDP.close works tlsio.UDP.Close
func TestUDPClose(t *testing.T) {
	r := newRigOn(t, udpNetwork(t))
	a, b := r.udp(UDPOptions{}), r.udp(UDPOptions{})
	pb, _ := b.Port()
	r.do(func() {
		a.Write([]byte("never told"), "127.0.0.1", pb)
		wait(t, "a packet", func() bool { return b.waiting() == 1 })
		for range 2 {
			if err := b.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	r.quiet()
	_, _, _, err := b.ReadInto(nil)
	for name, err := range map[string]error{"Read": second(b.Read()), "ReadInto": err, "Write": b.Write(nil, "127.0.0.1", 1),
		"Port": second(b.Port()), "LocalAddress": second(b.LocalAddress()), "Format": second(b.Format()),
		"SetFormat": b.SetFormat(FormatBuffer), "Add": b.Add("224.0.0.1"), "Remove": b.Remove("224.0.0.1")} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%s after Close: %v", name, err)
		}
	}
	b.SetTarget(1)
	if b.Target() != 1 || b.Dropped() != 0 {
		t.Error("Target and Dropped don't work on closed instances")
	}
	// The port is free again.
	r.udp(UDPOptions{Port: pb})
}

// TestUDPQueueIsBounded: a flood costs what the queue may hold and no more; what
// was accepted is whole and in order.
func TestUDPQueueIsBounded(t *testing.T) {
	network := &packetTap{}
	r := newRigOn(t, network)
	u := r.udp(UDPOptions{QueueBytes: 10 * (100 + packetCost), MaxPacket: 100})
	from := netip.MustParseAddrPort("192.0.2.1:99")
	feed := func(p []byte) { network.last.in <- datagram{p, from} }
	feed(make([]byte, 101)) // too long: dropped, not cut
	for n := range 30 {
		feed(bytes.Repeat([]byte{byte(n)}, 100))
	}
	wait(t, "all handled", func() bool { return u.Dropped() == 21 })
	for n := range 10 {
		p, err := u.Read()
		if err != nil || p == nil || len(p.Data) != 100 || p.Data[0] != byte(n) {
			t.Fatalf("packet %d: %v, %v", n, p, err)
		}
	}
	if p, _ := u.Read(); p != nil {
		t.Error("more than the queue holds")
	}
	// Empty packets are bounded too.
	for range 100 {
		feed(nil)
	}
	wait(t, "all handled", func() bool { return u.Dropped()+uint64(u.waiting()) == 121 })
	if n := u.waiting(); n > 10*(100+packetCost)/packetCost {
		t.Errorf("%d empty packets wait", n)
	}
}

//conform:ecma-419 UDP.onError works tlsio.UDPOptions.OnError
func TestUDPOnError(t *testing.T) {
	network := &packetTap{}
	r := newRigOn(t, network)
	u := r.udp(UDPOptions{})
	network.last.in <- datagram{[]byte("last"), netip.MustParseAddrPort("192.0.2.1:99")}
	r.next("readable")
	network.last.fail <- errors.New("interface is gone")
	r.quiet() // held back until the packet was read
	if p, err := u.Read(); string(p.Data) != "last" || err != nil {
		t.Errorf("%v, %v", p, err)
	}
	e := wantError(t, r.next("error").err, StageRead, Alert{})
	if e.Err.Error() != "interface is gone" {
		t.Error(e)
	}
	if _, err := u.Read(); !errors.Is(err, ErrFailed) {
		t.Errorf("after OnError: %v", err)
	}
	if err := r.app.Wait(timeout(t)); err != nil {
		t.Errorf("a failed instance keeps serving: %v", err)
	}
}

// TestUDPWriteErrors: a packet that can't be sent is an error of Write's, and no
// more than that.
func TestUDPWriteErrors(t *testing.T) {
	network := &packetTap{}
	r := newRigOn(t, network)
	u := r.udp(UDPOptions{})
	network.last.refuse = os.ErrDeadlineExceeded
	if err := u.Write([]byte("x"), "192.0.2.1", 9); !errors.Is(err, ErrOverflow) {
		t.Errorf("no room: %v", err)
	}
	network.last.refuse = errors.New("no route")
	wantError(t, u.Write([]byte("x"), "192.0.2.1", 9), StageWrite, Alert{})
	network.last.refuse = nil
	if err := u.Write([]byte("x"), "::1", 9); err != nil {
		t.Error(err)
	}
	r.quiet()
}

//conform:ecma-419 UDP.add works tlsio.UDP.Add
//conform:ecma-419 UDP.remove works tlsio.UDP.Remove
func TestUDPMulticast(t *testing.T) {
	network := &packetTap{}
	r := newRigOn(t, network)
	u := r.udp(UDPOptions{})
	for _, group := range []string{"224.0.0.251", "ff02::fb"} {
		if err := u.Add(group); err != nil || network.last.groups[netip.MustParseAddr(group)] != 1 {
			t.Errorf("Add(%s): %v", group, err)
		}
		if err := u.Remove(group); err != nil || network.last.groups[netip.MustParseAddr(group)] != 0 {
			t.Errorf("Remove(%s): %v", group, err)
		}
	}
	wantError(t, u.Remove("224.0.0.251"), StageListen, Alert{})
	wantOption(t, u.Add("192.0.2.1"), "group")
	wantOption(t, u.Remove("all"), "group")
	network.plain = true
	if err := r.udp(UDPOptions{}).Add("224.0.0.251"); !errors.Is(err, ErrNotSupported) {
		t.Errorf("without multicast: %v", err)
	}
}

// TestUDPMulticastHost joins a group for real and hears what is sent to it.
func TestUDPMulticastHost(t *testing.T) {
	testenv.NeedHost(t)
	if os.Getenv("INGOT_TEST_NETWORK") != "" {
		t.Skip("for the operating system's network")
	}
	r := newRigOn(t, HostNetwork{})
	u, err := NewUDP(r.app, UDPOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	const group = "224.0.0.199"
	if err := u.Add(group); err != nil {
		t.Skipf("this machine has no route for multicast: %v", err)
	}
	port, _ := u.Port()
	if err := u.Write([]byte("to all"), group, port); err != nil {
		t.Skipf("this machine sends no multicast: %v", err)
	}
	wait(t, "our own packet", func() bool { return u.waiting() == 1 })
	if err := u.Remove(group); err != nil {
		t.Error(err)
	}
	if err := u.Remove(group); err == nil {
		t.Error("left twice")
	}
}

// packetTap is a network of packets that the test makes.
type packetTap struct {
	memory
	plain bool // without multicast
	last  *packetPipe
}

func (n *packetTap) ListenPacket(_ context.Context, _, address string) (net.PacketConn, error) {
	n.last = &packetPipe{local: netip.MustParseAddrPort(address), in: make(chan datagram), fail: make(chan error),
		done: make(chan struct{}), groups: map[netip.Addr]int{}}
	if n.plain {
		return struct{ net.PacketConn }{n.last}, nil
	}
	return n.last, nil
}

type packetPipe struct {
	local  netip.AddrPort
	in     chan datagram
	fail   chan error
	done   chan struct{}
	refuse error
	groups map[netip.Addr]int
}

func (c *packetPipe) ReadFrom(p []byte) (int, net.Addr, error) {
	select {
	case d := <-c.in:
		return copy(p, d.data), net.UDPAddrFromAddrPort(d.from), nil
	case err := <-c.fail:
		return 0, nil, err
	case <-c.done:
		return 0, nil, net.ErrClosed
	}
}

func (c *packetPipe) WriteTo(p []byte, _ net.Addr) (int, error) { return len(p), c.refuse }

func (c *packetPipe) JoinGroup(g netip.Addr) error { c.groups[g]++; return nil }

func (c *packetPipe) LeaveGroup(g netip.Addr) error {
	if c.groups[g] == 0 {
		return errors.New("not in the group")
	}
	c.groups[g]--
	return nil
}

func (c *packetPipe) Close() error                     { close(c.done); return nil }
func (c *packetPipe) LocalAddr() net.Addr              { return net.UDPAddrFromAddrPort(c.local) }
func (c *packetPipe) SetDeadline(time.Time) error      { return nil }
func (c *packetPipe) SetReadDeadline(time.Time) error  { return nil }
func (c *packetPipe) SetWriteDeadline(time.Time) error { return nil }
