package netstack_test

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"sync"
	"testing"
	"time"

	"ingot.dev/board/nic"
	"ingot.dev/board/nic/nictest"
	"ingot.dev/net/netstack"
)

// Segments of known connections go right to them, whichever kind of address; their
// connections end as all do.
func TestKnownConnections(t *testing.T) {
	hardware := nic.Offloads{TxChecksum: true, RxChecksum: true}
	for _, tt := range []struct {
		name string
		wire nictest.WireOptions
		v6   bool
	}{
		{"IPv4", nictest.WireOptions{}, false},
		{"IPv4, offloads", nictest.WireOptions{Offloads: hardware}, false},
		{"IPv6", nictest.WireOptions{}, true},
		{"IPv6, offloads", nictest.WireOptions{Offloads: hardware}, true},
		{"faults", nictest.WireOptions{Seed: 8, Loss: 0.01, Reorder: 0.02, Duplicate: 0.02, Corrupt: 0.01}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, b := pairConfig(t, tt.wire, netstack.Config{NoIPv6: !tt.v6}, netstack.Config{NoIPv6: !tt.v6})
			host := addrB
			if tt.v6 {
				host = linkLocal(t, a, b)
			}
			conns, messages := 100, 5 // more than there is room to know
			if tt.wire.Loss > 0 {
				conns = 10
			}
			var wg sync.WaitGroup
			for i := range conns {
				c, p := connect(t, a, b, host)
				wg.Go(func() {
					if err := pingPong(c, p, messages, fmt.Sprint("message of ", i, " ")); err != nil {
						t.Errorf("connection %d: %v", i, err)
					}
				})
			}
			wg.Wait()
			for _, s := range []*netstack.Stack{a, b} {
				if l := s.LinkStats(); l.RxKnown < uint64(conns/2) {
					t.Errorf("%d of %d packets were of known connections", l.RxKnown, l.RxPackets)
				}
			}
		})
	}
}

// pingPong sends messages there and back over one connection, whose ends are c and p,
// and then closes it, properly or with a reset.
func pingPong(c, p *netstack.Conn, messages int, text string) error {
	end := time.Now().Add(limit)
	c.SetDeadline(end)
	p.SetDeadline(end)
	got := make([]byte, len(text))
	for range messages {
		for _, ends := range [][2]*netstack.Conn{{c, p}, {p, c}} {
			if _, err := io.WriteString(ends[0], text); err != nil {
				return err
			}
			if _, err := io.ReadFull(ends[1], got); err != nil {
				return err
			}
			if string(got) != text {
				return fmt.Errorf("%q arrived as %q", text, got)
			}
		}
	}
	if len(text)%2 == 0 {
		p.SetLinger(0)
		p.Close()
		if _, err := c.Read(got); err == nil || errors.Is(err, io.EOF) {
			return fmt.Errorf("after a reset: %v", err)
		}
		return nil
	}
	p.CloseWrite()
	if _, err := c.Read(got); err != io.EOF {
		return fmt.Errorf("at the end: %v", err)
	}
	return nil
}

// When the address changes, nothing is known any more.
func TestKnownConnectionsForgotten(t *testing.T) {
	da, db := nictest.Pipe(nictest.WireOptions{})
	b := open(t, db, netstack.Config{Address: netip.MustParsePrefix(addrB + "/24"), NoIPv6: true})
	a := open(t, da, netstack.Config{Address: netip.MustParsePrefix(addrA + "/24"), NoIPv6: true})
	c, p := connect(t, b, a, addrA)
	end := time.Now().Add(limit)
	p.SetReadDeadline(end)
	buf := make([]byte, 4)
	say := func() {
		t.Helper()
		if _, err := io.WriteString(c, "ping"); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(p, buf); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "a known connection", func() bool { say(); return a.LinkStats().RxKnown > 0 })
	if err := a.Readdress(netip.MustParsePrefix("10.0.2.77/24")); err != nil {
		t.Fatal(err)
	}
	before := a.LinkStats()
	if _, err := io.WriteString(c, "ping"); err != nil {
		t.Fatal(err)
	}
	// It will be sent again and again. What came before the address changed may be
	// counted a little later, but not after what came behind it.
	more := func(than uint64) func() bool {
		return func() bool { return a.LinkStats().RxPackets > than+1 }
	}
	eventually(t, "packets for the old address", more(before.RxPackets))
	between := a.LinkStats()
	eventually(t, "more packets for the old address", more(between.RxPackets))
	if now := a.LinkStats(); now.RxKnown != between.RxKnown {
		t.Errorf("%d packets for an address that is gone went right to their connection", now.RxKnown-between.RxKnown)
	}
}
