package netstack_test

import (
	"net/netip"
	"testing"
	"time"

	"ingot.dev/board/nic/nictest"
	"ingot.dev/net/netstack"
)

// TestMulticast hears a group while it is joined, and only then.
func TestMulticast(t *testing.T) {
	a, b := pair(t, nictest.WireOptions{})
	ctx := testContext(t)
	group := netip.MustParseAddr("224.0.0.251")
	conn, err := b.ListenPacket(ctx, "udp4", ":5353")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := conn.(*netstack.PacketConn)
	from, err := a.ListenPacket(ctx, "udp4", addrA+":0")
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	send := func(text string, to netip.Addr) {
		t.Helper()
		if _, err := from.(*netstack.PacketConn).WriteToAddrPort([]byte(text), netip.AddrPortFrom(to, 5353)); err != nil {
			t.Fatal(err)
		}
	}
	next := func() string {
		t.Helper()
		buf := make([]byte, 20)
		c.SetReadDeadline(time.Now().Add(limit))
		n, _, err := c.ReadFrom(buf)
		if err != nil {
			t.Fatal(err)
		}
		return string(buf[:n])
	}
	direct := netip.MustParseAddr(addrB)
	send("before", group) // comes to nobody
	send("direct", direct)
	if got := next(); got != "direct" {
		t.Errorf("got %q before joining", got)
	}
	if err := c.JoinGroup(group); err != nil {
		t.Fatal(err)
	}
	send("to all", group)
	if got := next(); got != "to all" {
		t.Errorf("got %q", got)
	}
	if err := c.LeaveGroup(group); err != nil {
		t.Fatal(err)
	}
	send("after", group)
	send("direct", direct)
	if got := next(); got != "direct" {
		t.Errorf("got %q after leaving", got)
	}
	if err := c.LeaveGroup(group); err == nil {
		t.Error("left twice")
	}
	c.Close()
	if err := c.JoinGroup(group); err == nil {
		t.Error("joined with a closed socket")
	}
}
