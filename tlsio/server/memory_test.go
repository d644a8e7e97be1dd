package server

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"testing"

	"ingot.dev/tlsio"
)

// TestBudget: connections that don't fit are refused, before anything is kept for
// them; records must fit too; everything is given back.
func TestBudget(t *testing.T) {
	config, err := Config{StartMode: StartExplicit}.checked("")
	if err != nil {
		t.Fatal(err)
	}
	one := config.memory(testNetwork(t))
	budget := tlsio.NewBudget(2*one + one/2)
	b := newBench(t, Config{Budget: budget, StartMode: StartExplicit, TLS: serverTLS(t)}, Handler{}, noReady)
	c, _ := b.open()
	b.open()
	if conn, err := testNetwork(t).DialContext(within(t), "tcp", b.address()); err == nil {
		newClient(t, conn).ended()
	}
	e := b.next("Error")
	if wantCode(t, e.err, 10055); !errors.Is(e.err, tlsio.ErrBudget) {
		t.Errorf("got %+v", e)
	}
	if r := budget.Report(); r.Used != 2*one || r.Accounts != 2 {
		t.Errorf("report: %+v", r)
	}
	room := int(one / 2)
	if err := c.ChangeRecordLength(room); !errors.Is(err, tlsio.ErrBudget) {
		t.Errorf("a record that doesn't fit: %v", err)
	}
	if err := c.SetMaxLineLength(room); !errors.Is(err, tlsio.ErrBudget) {
		t.Errorf("a line that doesn't fit: %v", err)
	}
	if err := c.ChangeRecordLength(room / 2); err != nil {
		t.Error(err)
	}
	if err := c.SetMaxLineLength(room / 2); err != nil {
		t.Error(err)
	}
	if r := budget.Report(); r.Queues == 0 || r.Used > r.Limit {
		t.Errorf("report: %+v", r)
	}
	c.ChangeRecordLength(0)
	c.SetMaxLineLength(0)
	if r := budget.Report(); r.Queues != 0 {
		t.Errorf("report: %+v", r)
	}
	c.ChangeRecordLength(room / 2)
	c.Disconnect()
	b.next("Disconnected")
	wait(t, "given back", func() bool { return budget.Report().Used == one })
	b.open()
	if err := b.Shutdown(within(t)); err != nil {
		t.Fatal(err)
	}
	if r := budget.Report(); r.Used != 0 || r.Accounts != 0 {
		t.Errorf("report: %+v", r)
	}
}

// TestConnectionMemory: what a Budget counts is what connections hold, with TLS, full
// queues and unfinished lines.
func TestConnectionMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("measures memory")
	}
	const n = 50
	v := newValve(t)
	b := newBenchOn(t, v, Config{StartMode: StartImplicit, TLS: serverTLS(t), EOL: []byte("\n"), MaxLineLength: 8 << 10}, Handler{}, noStatus|noReady)
	var clients []*client
	var conns []*Connection
	var before, after runtime.MemStats
	for i := range n + 1 {
		cl := b.dialTLS(clientTLS(t))
		clients = append(clients, cl)
		c := b.opened()
		conns = append(conns, c)
		cl.send(strings.Repeat("x", 20<<10))
		cl.send(strings.Repeat("y", 7<<10))
		wait(t, "a line under way", func() bool {
			c.mu.Lock()
			defer c.mu.Unlock()
			return c.received == 27<<10
		})
		if i == 0 {
			for len(b.events) > 0 {
				<-b.events
			}
			runtime.GC()
			runtime.ReadMemStats(&before)
		}
	}
	v.set(false)
	for _, c := range conns {
		fill(t, c)
	}
	for len(b.events) > 0 {
		<-b.events
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	// The clients' ends live in this process too, and count.
	each := (int64(after.HeapInuse+after.StackInuse) - int64(before.HeapInuse+before.StackInuse)) / n
	counted := b.config.memory(b.network)
	t.Logf("%d bytes for both ends, %d counted for the server's", each, counted)
	if each > counted {
		t.Errorf("a connection holds %d bytes, %d are counted", each, counted)
	}
	runtime.KeepAlive(clients)
	v.set(true)
}

// admitter is a network that asks before it answers.
type admitter struct {
	tlsio.Network
	admit func(netip.AddrPort) bool
}

func (a *admitter) ListenAdmit(ctx context.Context, network, address string, admit func(netip.AddrPort) bool) (net.Listener, error) {
	a.admit = admit
	return a.Listen(ctx, network, address)
}

// TestAdmission: what can be decided before a peer gets an answer, is.
func TestAdmission(t *testing.T) {
	peer := netip.MustParseAddrPort("10.1.2.3:4000")
	local := netip.MustParseAddrPort("127.0.0.1:4000")
	for _, tt := range []struct {
		name        string
		config      Config
		handler     Handler
		peer, local bool
	}{
		{"nothing set", Config{}, Handler{}, true, true},
		{"lists", Config{AllowedClients: []string{"10.*", "127.*"}, BlockedClients: []string{"127.0.0.1"}}, Handler{}, true, false},
		{"lists, but the event decides", Config{BlockedClients: []string{"*"}}, Handler{ConnectionRequest: func(*ConnectionRequest) {}}, true, true},
		{"Admit", Config{Admit: func(a netip.AddrPort) error {
			if a.Addr().Is4() && a.Addr().IsLoopback() {
				return errors.New("no")
			}
			return nil
		}}, Handler{}, true, false},
		{"a budget that is used up", Config{Budget: tlsio.NewBudget(1000)}, Handler{}, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := &admitter{Network: testNetwork(t)}
			b := newBenchOn(t, n, tt.config, tt.handler, noReady)
			if got := n.admit(peer); got != tt.peer {
				t.Errorf("%s: %v", peer, got)
			}
			if got := n.admit(local); got != tt.local {
				t.Errorf("%s: %v", local, got)
			}
			b.Close()

			// The same on a network that doesn't ask.
			b = newBench(t, tt.config, tt.handler, noReady)
			conn, err := testNetwork(t).DialContext(within(t), "tcp", b.address())
			if err != nil {
				return
			}
			cl := newClient(t, conn)
			if tt.local && tt.handler.ConnectionRequest == nil {
				b.next("Connected")
			} else {
				cl.ended()
				if len(b.Connections()) != 0 {
					t.Error("served")
				}
			}
		})
	}
}

// TestSlowRequest: a ConnectionRequest that takes its time holds up nobody else.
func TestSlowRequest(t *testing.T) {
	first, release := make(chan struct{}), make(chan struct{})
	n := 0
	var b *bench
	b = newBench(t, Config{}, Handler{ConnectionRequest: func(r *ConnectionRequest) {
		b.mu.Lock()
		n++
		slow := n == 1
		b.mu.Unlock()
		if slow {
			close(first)
			<-release
		}
	}}, noReady)
	b.dial()
	<-first
	c, _ := b.open()
	if c.ID() != "1" {
		t.Errorf("id %s", c.ID())
	}
	close(release)
	if e := b.next("Connected"); e.id != "2" {
		t.Errorf("got %+v", e)
	}
}
