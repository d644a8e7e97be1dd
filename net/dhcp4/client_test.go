package dhcp4

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

var (
	hw      = net.HardwareAddr{2, 0, 0, 0, 0, 1}
	server  = netip.MustParseAddr("10.0.2.2")
	address = netip.MustParseAddr("10.0.2.15")
)

// network is a Transport with one server behind it: a function that answers
// messages. Time is that of a synctest bubble.
type network struct {
	mu       sync.Mutex
	answer   func(m *dhcpv4.DHCPv4, unicast bool) [][]byte
	log      []string // what was sent: kind, and "unicast" if it was
	start    time.Time
	incoming chan []byte
}

func (n *network) send(msg []byte, unicast bool) error {
	m, err := dhcpv4.FromBytes(msg)
	if err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	kind := m.MessageType().String()
	if unicast {
		kind += " unicast"
	}
	n.log = append(n.log, kind)
	for _, reply := range n.answer(m, unicast) {
		n.incoming <- reply
	}
	return nil
}

func (n *network) Broadcast(msg []byte) error { return n.send(msg, false) }

func (n *network) Unicast(to netip.Addr, msg []byte) error {
	if to != server {
		return errors.New("unicast to " + to.String())
	}
	return n.send(msg, true)
}

func (n *network) Receive(ctx context.Context) ([]byte, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case msg := <-n.incoming:
		return msg, nil
	}
}

func (n *network) set(f func(m *dhcpv4.DHCPv4, unicast bool) [][]byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.answer = f
	n.log = nil
}

func (n *network) sent() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.log)
}

// theirs is a message of ours as another implementation reads it.
func theirs(t testing.TB, m *message) *dhcpv4.DHCPv4 {
	t.Helper()
	d, err := dhcpv4.FromBytes(m.encode())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// replyTo builds an answer as a server would.
func replyTo(m *dhcpv4.DHCPv4, kind dhcpv4.MessageType, mods ...dhcpv4.Modifier) []byte {
	r, err := dhcpv4.NewReplyFromRequest(m, append([]dhcpv4.Modifier{
		dhcpv4.WithMessageType(kind),
		dhcpv4.WithYourIP(address.AsSlice()),
		dhcpv4.WithOption(dhcpv4.OptServerIdentifier(server.AsSlice())),
		dhcpv4.WithNetmask(net.CIDRMask(24, 32)),
		dhcpv4.WithOption(dhcpv4.OptRouter(server.AsSlice())),
		dhcpv4.WithOption(dhcpv4.OptDNS(net.IP{10, 0, 2, 3})),
		dhcpv4.WithOption(dhcpv4.OptNTPServers(net.IP{10, 0, 2, 4})),
		dhcpv4.WithLeaseTime(3600),
	}, mods...)...)
	if err != nil {
		panic(err)
	}
	return r.ToBytes()
}

// proper answers as it should be.
func proper(m *dhcpv4.DHCPv4, _ bool) [][]byte {
	switch m.MessageType() {
	case dhcpv4.MessageTypeDiscover:
		return [][]byte{replyTo(m, dhcpv4.MessageTypeOffer)}
	case dhcpv4.MessageTypeRequest:
		return [][]byte{replyTo(m, dhcpv4.MessageTypeAck)}
	}
	return nil
}

func silent(*dhcpv4.DHCPv4, bool) [][]byte { return nil }

// events is what a client did: "bound 10.0.2.15/24", "lost".
type events struct {
	mu     sync.Mutex
	list   []string
	leases []Lease
	fail   error
}

func (e *events) bound(l Lease) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = append(e.list, "bound "+l.Prefix.String())
	e.leases = append(e.leases, l)
	err := e.fail
	e.fail = nil
	return err
}

func (e *events) lost() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = append(e.list, "lost")
}

func (e *events) take() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	list := e.list
	e.list = nil
	return list
}

// run starts a client in a bubble and gives it to f.
func run(t *testing.T, f func(t *testing.T, n *network, e *events)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := &network{answer: proper, start: time.Now(), incoming: make(chan []byte, 100)}
		e := new(events)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() {
			done <- Run(ctx, Config{
				HardwareAddr: hw, Hostname: "ingot", Transport: n,
				Bound: e.bound, Lost: e.lost, Log: slog.New(slog.DiscardHandler),
			})
		}()
		synctest.Wait()
		f(t, n, e)
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run returned %v", err)
		}
	})
}

// after lets virtual time pass and checks what happened meanwhile.
func after(t *testing.T, d time.Duration, e *events, want ...string) {
	t.Helper()
	time.Sleep(d)
	synctest.Wait()
	if got := e.take(); !slices.Equal(got, want) {
		t.Errorf("after %v: %q, want %q", d, got, want)
	}
}

func TestAcquire(t *testing.T) {
	run(t, func(t *testing.T, n *network, e *events) {
		after(t, 0, e, "bound 10.0.2.15/24")
		l := e.leases[0]
		if l.Gateway != server || l.Server != server || len(l.DNS) != 1 || l.DNS[0].String() != "10.0.2.3" ||
			len(l.NTP) != 1 || l.Expire != time.Hour || l.Renew != 30*time.Minute || l.Rebind != time.Hour/8*7 {
			t.Errorf("%+v", l)
		}
		if got := n.sent(); !slices.Equal(got, []string{"DISCOVER", "REQUEST"}) {
			t.Errorf("%q", got)
		}
	})
}

func TestRetransmit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{answer: silent, start: time.Now(), incoming: make(chan []byte, 100)}
		e := new(events)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			Run(ctx, Config{HardwareAddr: hw, Transport: n, Bound: e.bound, Lost: e.lost, Log: slog.New(slog.DiscardHandler)})
			close(done)
		}()
		time.Sleep(10 * time.Minute)
		// 1, 2, 4 ... 64 s, each up to a second more.
		if got := len(n.sent()); got < 12 || got > 16 {
			t.Errorf("%d messages in ten minutes", got)
		}
		n.set(proper)
		after(t, 2*time.Minute, e, "bound 10.0.2.15/24")
		cancel()
		<-done
	})
}

func TestOfferWithoutAck(t *testing.T) {
	run(t, func(t *testing.T, n *network, e *events) {
		after(t, 0, e, "bound 10.0.2.15/24")
		// The server forgets the client, and then only ever offers.
		n.set(func(m *dhcpv4.DHCPv4, u bool) [][]byte {
			if m.MessageType() == dhcpv4.MessageTypeDiscover {
				return proper(m, u)
			}
			return nil
		})
		after(t, 2*time.Hour, e, "lost")
		discovers := 0
		for _, s := range n.sent() {
			if s == "DISCOVER" {
				discovers++
			}
		}
		if discovers < 10 {
			t.Errorf("%d new starts in an hour", discovers)
		}
	})
}

func TestRenew(t *testing.T) {
	run(t, func(t *testing.T, n *network, e *events) {
		after(t, time.Minute, e, "bound 10.0.2.15/24")
		n.set(proper)
		after(t, 30*time.Minute, e, "bound 10.0.2.15/24")
		if got := n.sent(); !slices.Equal(got, []string{"REQUEST unicast"}) {
			t.Errorf("%q", got)
		}
		after(t, 10*time.Hour, e, slices.Repeat([]string{"bound 10.0.2.15/24"}, 20)...)
	})
}

func TestRenewRetransmitThenRebind(t *testing.T) {
	run(t, func(t *testing.T, n *network, e *events) {
		after(t, time.Minute, e, "bound 10.0.2.15/24")
		n.set(silent)
		// T1 at 30:00, T2 at 52:30. In between: half the time left, but at
		// least a minute: 30:00, 41:15, 46:52, 49:41, 51:05, and 52:05, when
		// only another server answers, which is not taken before T2.
		after(t, 51*time.Minute, e)
		if got := n.sent(); !slices.Equal(got, slices.Repeat([]string{"REQUEST unicast"}, 5)) {
			t.Errorf("renewing: %q", got)
		}
		n.set(func(m *dhcpv4.DHCPv4, unicast bool) [][]byte {
			if m.ClientIPAddr.String() != address.String() || m.Options.Has(dhcpv4.OptionServerIdentifier) || m.Options.Has(dhcpv4.OptionRequestedIPAddress) {
				t.Errorf("rebinding with %v", m)
			}
			// Another server takes over.
			return [][]byte{replyTo(m, dhcpv4.MessageTypeAck, dhcpv4.WithOption(dhcpv4.OptServerIdentifier(net.IP{10, 0, 2, 9})))}
		})
		after(t, 2*time.Minute, e, "bound 10.0.2.15/24")
		if got := n.sent(); !slices.Equal(got, []string{"REQUEST unicast", "REQUEST"}) {
			t.Errorf("rebinding: %q", got)
		}
		if s := e.leases[1].Server.String(); s != "10.0.2.9" {
			t.Errorf("server %s", s)
		}
	})
}

func TestExpiry(t *testing.T) {
	run(t, func(t *testing.T, n *network, e *events) {
		after(t, time.Minute, e, "bound 10.0.2.15/24")
		n.set(silent)
		after(t, 58*time.Minute, e)
		after(t, 2*time.Minute, e, "lost")
		n.set(proper)
		after(t, 2*time.Minute, e, "bound 10.0.2.15/24")
	})
}

func TestNak(t *testing.T) {
	run(t, func(t *testing.T, n *network, e *events) {
		after(t, time.Minute, e, "bound 10.0.2.15/24")
		n.set(func(m *dhcpv4.DHCPv4, unicast bool) [][]byte {
			if unicast {
				return [][]byte{replyTo(m, dhcpv4.MessageTypeNak, dhcpv4.WithYourIP(net.IPv4zero))}
			}
			return proper(m, unicast)
		})
		after(t, 31*time.Minute, e, "lost", "bound 10.0.2.15/24")
	})
}

func TestNakOfTheOffer(t *testing.T) {
	run(t, func(t *testing.T, n *network, e *events) {
		after(t, time.Minute, e, "bound 10.0.2.15/24")
		n.set(func(m *dhcpv4.DHCPv4, unicast bool) [][]byte {
			if m.MessageType() == dhcpv4.MessageTypeDiscover {
				return proper(m, unicast)
			}
			return [][]byte{replyTo(m, dhcpv4.MessageTypeNak)}
		})
		after(t, 31*time.Minute, e, "lost")
		// It doesn't hammer the server.
		if got := len(n.sent()); got > 2*120+2 {
			t.Errorf("%d messages in two minutes", got)
		}
	})
}

func TestInfiniteLease(t *testing.T) {
	run(t, func(t *testing.T, n *network, e *events) {
		after(t, time.Minute, e, "bound 10.0.2.15/24")
		n.set(func(m *dhcpv4.DHCPv4, unicast bool) [][]byte {
			kind := dhcpv4.MessageTypeAck
			if m.MessageType() == dhcpv4.MessageTypeDiscover {
				kind = dhcpv4.MessageTypeOffer
			}
			return [][]byte{replyTo(m, kind, dhcpv4.WithLeaseTime(infinite))}
		})
		after(t, time.Hour, e, "bound 10.0.2.15/24")
		n.set(silent)
		after(t, 10*365*24*time.Hour, e)
		if got := n.sent(); len(got) != 0 {
			t.Errorf("%q", got)
		}
	})
}

func TestUnusableLeaseStartsOver(t *testing.T) {
	run(t, func(t *testing.T, n *network, e *events) {
		after(t, time.Minute, e, "bound 10.0.2.15/24")
		e.mu.Lock()
		e.fail = errors.New("no")
		e.mu.Unlock()
		after(t, 30*time.Minute, e, "bound 10.0.2.15/24", "lost", "bound 10.0.2.15/24")
	})
}

// Replies that must count as if they never came, each before a right one.
func TestBadReplies(t *testing.T) {
	for name, mod := range map[string]dhcpv4.Modifier{
		"transaction":      func(d *dhcpv4.DHCPv4) { d.TransactionID[0]++ },
		"hardware address": dhcpv4.WithHwAddr(net.HardwareAddr{2, 0, 0, 0, 0, 9}),
		"a request":        func(d *dhcpv4.DHCPv4) { d.OpCode = dhcpv4.OpcodeBootRequest },
		"no server":        dhcpv4.WithoutOption(dhcpv4.OptionServerIdentifier),
		"server 0":         dhcpv4.WithOption(dhcpv4.OptServerIdentifier(net.IPv4zero)),
		"no address":       dhcpv4.WithYourIP(net.IPv4zero),
		"multicast":        dhcpv4.WithYourIP(net.IP{224, 0, 0, 1}),
		"loopback":         dhcpv4.WithYourIP(net.IP{127, 0, 0, 1}),
		"network address":  dhcpv4.WithYourIP(net.IP{10, 0, 2, 0}),
		"broadcast":        dhcpv4.WithYourIP(net.IP{10, 0, 2, 255}),
		"mask with holes":  dhcpv4.WithNetmask(net.IPMask{255, 0, 255, 0}),
		"mask 0":           dhcpv4.WithNetmask(net.IPMask{0, 0, 0, 0}),
		"no lease time":    dhcpv4.WithoutOption(dhcpv4.OptionIPAddressLeaseTime),
		"lease time 0":     dhcpv4.WithLeaseTime(0),
		"short lease time": dhcpv4.WithGeneric(dhcpv4.OptionIPAddressLeaseTime, []byte{1}),
		"message type":     dhcpv4.WithMessageType(dhcpv4.MessageTypeInform),
		"client id":        dhcpv4.WithGeneric(dhcpv4.OptionClientIdentifier, []byte{1, 2, 0, 0, 0, 0, 9}),
		"mask of 3 bytes":  dhcpv4.WithGeneric(dhcpv4.OptionSubnetMask, []byte{255, 255, 255}),
		"two servers":      dhcpv4.WithGeneric(dhcpv4.OptionServerIdentifier, []byte{10, 0, 2, 2, 10, 0, 2, 3}),
		"no message type":  dhcpv4.WithoutOption(dhcpv4.OptionDHCPMessageType),
	} {
		t.Run(name, func(t *testing.T) {
			m := theirs(t, (&client{Config: Config{HardwareAddr: hw}, xid: [4]byte{1, 2, 3, 4}}).message(request))
			if _, err := parseReply(replyTo(m, dhcpv4.MessageTypeAck), m.TransactionID, hw); err != nil {
				t.Fatal("the right one:", err)
			}
			if r, err := parseReply(replyTo(m, dhcpv4.MessageTypeAck, mod), m.TransactionID, hw); err == nil {
				t.Errorf("accepted: %+v", r)
			}
		})
	}
}

// Parts of a reply that make no sense are left out, the rest counts.
func TestTolerated(t *testing.T) {
	for _, tt := range []struct {
		name string
		mod  dhcpv4.Modifier
		ok   func(Lease) bool
	}{
		{"foreign router", dhcpv4.WithOption(dhcpv4.OptRouter(net.IP{192, 0, 2, 1})), func(l Lease) bool { return !l.Gateway.IsValid() }},
		{"second router", dhcpv4.WithOption(dhcpv4.OptRouter(net.IP{0, 0, 0, 0}, net.IP{10, 0, 2, 7})), func(l Lease) bool { return l.Gateway.String() == "10.0.2.7" }},
		{"many servers", dhcpv4.WithOption(dhcpv4.OptDNS(slices.Repeat([]net.IP{{9, 9, 9, 9}}, 30)...)), func(l Lease) bool { return len(l.DNS) == serversMax }},
		{"server 0", dhcpv4.WithOption(dhcpv4.OptDNS(net.IPv4zero)), func(l Lease) bool { return len(l.DNS) == 0 }},
		{"address cut short", dhcpv4.WithGeneric(dhcpv4.OptionDomainNameServer, []byte{9, 9, 9, 9, 9}), func(l Lease) bool { return len(l.DNS) == 0 }},
		{"no client id", dhcpv4.WithoutOption(dhcpv4.OptionClientIdentifier), func(l Lease) bool { return l.Expire == time.Hour }},
		{"short T1", dhcpv4.WithGeneric(dhcpv4.OptionRenewTimeValue, []byte{1}), func(l Lease) bool { return l.Renew == 30*time.Minute }},
		{"no mask", dhcpv4.WithoutOption(dhcpv4.OptionSubnetMask), func(l Lease) bool { return l.Prefix.Bits() == 8 }},
		{"point to point", dhcpv4.WithNetmask(net.CIDRMask(32, 32)), func(l Lease) bool { return l.Prefix.Bits() == 32 }},
		{"T1 after T2", dhcpv4.WithOption(dhcpv4.OptRenewTimeValue(3000 * time.Second)), func(l Lease) bool { return l.Renew == 3000*time.Second && l.Rebind == 3150*time.Second }},
		{"T1 after the end", dhcpv4.WithOption(dhcpv4.OptRenewTimeValue(2 * time.Hour)), func(l Lease) bool { return l.Renew == 30*time.Minute }},
		{"T2 0", dhcpv4.WithGeneric(dhcpv4.OptionRebindingTimeValue, make([]byte, 4)), func(l Lease) bool { return l.Rebind == time.Hour/8*7 }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := theirs(t, (&client{Config: Config{HardwareAddr: hw}}).message(request))
			r, err := parseReply(replyTo(m, dhcpv4.MessageTypeAck, tt.mod), m.TransactionID, hw)
			if err != nil {
				t.Fatal(err)
			}
			if !tt.ok(r.lease) {
				t.Errorf("%+v", r.lease)
			}
		})
	}
}

// Garbage between the server's answers changes nothing.
func TestGarbage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{start: time.Now(), incoming: make(chan []byte, 100)}
		n.answer = func(m *dhcpv4.DHCPv4, unicast bool) [][]byte {
			good := proper(m, unicast)[0]
			other := *m
			other.TransactionID[2]++
			return [][]byte{nil, {1}, good[:200], proper(&other, false)[0], good}
		}
		e := new(events)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			Run(ctx, Config{HardwareAddr: hw, Transport: n, Bound: e.bound, Lost: e.lost, Log: slog.New(slog.DiscardHandler)})
			close(done)
		}()
		// The queue between transport and client is short on purpose: what
		// is lost in it is asked for again.
		after(t, time.Minute, e, "bound 10.0.2.15/24")
		cancel()
		<-done
	})
}

func FuzzParseReply(f *testing.F) {
	m := theirs(f, (&client{Config: Config{HardwareAddr: hw}, xid: [4]byte{1, 2, 3, 4}}).message(request))
	for _, kind := range []dhcpv4.MessageType{dhcpv4.MessageTypeOffer, dhcpv4.MessageTypeAck, dhcpv4.MessageTypeNak} {
		f.Add(replyTo(m, kind))
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, msg []byte) {
		r, err := parseReply(msg, m.TransactionID, hw)
		if err != nil {
			return
		}
		if !r.server.Is4() || r.server.IsUnspecified() || r.server.IsMulticast() {
			t.Fatalf("server %v", r.server)
		}
		if r.kind == nak {
			return
		}
		l := r.lease
		if a := l.Prefix.Addr(); !l.Prefix.IsValid() || l.Prefix.Bits() == 0 || !a.Is4() || a.IsUnspecified() || a.IsMulticast() || a.IsLoopback() {
			t.Fatalf("prefix %v", l.Prefix)
		}
		if l.Gateway.IsValid() && (!l.Prefix.Contains(l.Gateway) || l.Gateway == l.Prefix.Addr()) {
			t.Fatalf("gateway %v of %v", l.Gateway, l.Prefix)
		}
		if len(l.DNS) > serversMax || len(l.NTP) > serversMax {
			t.Fatalf("%+v", l)
		}
		if l.Expire != 0 && !(0 < l.Renew && l.Renew < l.Rebind && l.Rebind < l.Expire) {
			t.Fatalf("times %v %v %v", l.Renew, l.Rebind, l.Expire)
		}
	})
}
