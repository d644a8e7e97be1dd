package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ingot.dev/internal/testenv"
	"ingot.dev/tlsio"
)

// TestIdleTimeout ends connections on which nothing moves in either direction, and
// no others.
//
//conform:ipworks DefaultIdleTimeout works tlsio/server.Config.IdleTimeout, tlsio/server.ErrIdle
//conform:ipworks event.Disconnected works tlsio/server.Handler.Disconnected
//conform:ipworks Connection.IdleTimeout works tlsio/server.Connection.IdleTimeout, tlsio/server.Connection.SetIdleTimeout
func TestIdleTimeout(t *testing.T) {
	b := newBench(t, Config{IdleTimeout: time.Hour}, Handler{}, noReady)
	c, cl := b.open()
	if c.IdleTimeout() != time.Hour {
		t.Error("IdleTimeout is", c.IdleTimeout())
	}
	wantCode(t, c.SetIdleTimeout(-1), CodeInvalidArgument)
	// Two hours pass at once, and then something moves.
	pass := func() { c.active.Add(-int64(2 * time.Hour)) }
	recently := func() bool { return time.Duration(b.now()-c.active.Load()) < time.Hour }
	pass()
	cl.send("x")
	wait(t, "receiving counts", recently)
	c.checkIdle()
	pass()
	c.SendText("y")
	wait(t, "sending counts", recently)
	c.checkIdle()
	if cl.read(1); !c.Connected() {
		t.Fatal("ended though something moved")
	}
	b.next("DataIn")
	if err := c.SetIdleTimeout(0); err != nil {
		t.Fatal(err)
	}
	pass()
	if c.checkIdle(); !c.Connected() {
		t.Fatal("ended without a timeout")
	}
	if err := c.SetIdleTimeout(time.Hour); err != nil { // the time since bytes last moved counts
		t.Fatal(err)
	}
	e := b.next("Disconnected")
	if wantCode(t, e.err, 10060); !errors.Is(e.err, ErrIdle) || !errors.Is(e.err, ErrTimeout) {
		t.Errorf("got %+v", e)
	}
	cl.ended()

	if err := b.Configure(func(c *Config) { c.IdleTimeout = 20 * time.Millisecond }); err != nil {
		t.Fatal(err)
	}
	_, cl = b.open()
	if e := b.next("Disconnected"); !errors.Is(e.err, ErrIdle) {
		t.Errorf("got %+v", e)
	}
	cl.ended()
}

// TestClientLists: who is on the lists is refused, ConnectionRequest decides
// otherwise.
//
//conform:ipworks event.ConnectionRequest works tlsio/server.Handler.ConnectionRequest, tlsio/server.ConnectionRequest
//conform:ipworks config.AllowedClients differs tlsio/server.Config.AllowedClients -- addresses, prefixes and addresses with *; names would need reverse DNS, whose answers the peer can choose
//conform:ipworks config.BlockedClients differs tlsio/server.Config.BlockedClients -- as AllowedClients
func TestClientLists(t *testing.T) {
	for _, tt := range []struct {
		allowed, blocked []string
		override         *bool
		recommended      bool
		served           bool
	}{
		{nil, nil, nil, true, true},
		{nil, nil, new(false), true, false},
		{[]string{"*"}, nil, nil, true, true},
		{[]string{"127.0.0.*"}, nil, nil, true, true},
		{[]string{"10.0.0.0/8"}, nil, nil, false, false},
		{[]string{"10.0.0.0/8"}, nil, new(true), false, true},
		{nil, []string{"127.0.0.1"}, nil, false, false},
		{[]string{"127.*"}, []string{"127.0.0.0/30"}, nil, false, false},
		{[]string{"127.*"}, []string{"127.0.0.0/30"}, new(true), false, true},
	} {
		requests := make(chan ConnectionRequest, 10)
		h := Handler{ConnectionRequest: func(r *ConnectionRequest) {
			requests <- *r
			if tt.override != nil {
				r.Accept = *tt.override
			}
		}}
		b := newBench(t, Config{AllowedClients: tt.allowed, BlockedClients: tt.blocked}, h, noReady)
		conn, err := testNetwork(t).DialContext(within(t), "tcp", b.address())
		if err != nil && tt.served {
			t.Fatal(err)
		}
		r := <-requests
		if r.Address != netip.MustParseAddr("127.0.0.1") || r.Accept != tt.recommended {
			t.Errorf("%v %v: request %+v", tt.allowed, tt.blocked, r)
		}
		if conn != nil {
			cl := newClient(t, conn)
			if got := cl.LocalAddr().(*net.TCPAddr).Port; r.Port != got {
				t.Errorf("port %d, want %d", r.Port, got)
			}
			if tt.served {
				b.next("Connected")
			} else {
				cl.ended()
			}
		}
		if !tt.served {
			b.quiet()
			if st := b.Statistics(); st.Blocked != 1 || st.Accepted != 0 {
				t.Errorf("statistics: %+v", st)
			}
		}
		b.Close()
	}
}

// TestClientListsWithoutEvent: the lists alone decide.
func TestClientListsWithoutEvent(t *testing.T) {
	b := newBench(t, Config{BlockedClients: []string{"127.*"}}, Handler{}, noReady)
	if conn, err := testNetwork(t).DialContext(within(t), "tcp", b.address()); err == nil {
		newClient(t, conn).ended()
	}
	b.quiet()
	if err := b.Configure(func(c *Config) { c.BlockedClients = nil }); err != nil {
		t.Fatal(err)
	}
	b.open()
}

func TestClientPatterns(t *testing.T) {
	for _, tt := range []struct {
		pattern, addr string
		want          bool
	}{
		{"*", "1.2.3.4", true},
		{"*", "2001:db8::1", true},
		{"1.2.3.4", "1.2.3.4", true},
		{"1.2.3.4", "1.2.3.40", false},
		{"1.2.3.4", "::ffff:1.2.3.4", true},
		{"::ffff:1.2.3.4", "1.2.3.4", true},
		{"1.2.3.*", "1.2.3.250", true},
		{"1.2.3.*", "1.2.30.1", false},
		{"1.2.*.4", "1.2.3.4", true},
		{"1.2.*.4", "1.2.3.5", false},
		{"*.4", "1.2.3.4", true},
		{"1.*.3.*", "1.22.3.4", true},
		{"1.*.3.*", "1.22.33.4", false},
		{"10.0.0.0/8", "10.255.0.1", true},
		{"10.1.2.3/8", "10.255.0.1", true},
		{"10.0.0.0/8", "11.0.0.1", false},
		{"2001:db8::/32", "2001:db8:5::9", true},
		{"2001:DB8:*", "2001:db8:5::9", true},
		{"2001:db8::/32", "2001:db9::", false},
		{"fe80::/10", "fe80::1%eth0", true},
	} {
		var errs optionErrors
		list := parseClients(&errs, "x", []string{" " + tt.pattern + " "})
		if len(errs) > 0 || list.matches(netip.MustParseAddr(tt.addr)) != tt.want {
			t.Errorf("%s and %s: %v, errors %v", tt.pattern, tt.addr, !tt.want, errs)
		}
	}
	for _, bad := range []string{"", "example.org", "*.example.org", "1.2.3", "1.2.3.4/33", "10.*/8", "fe80::1%eth0", "12*"} {
		var errs optionErrors
		if parseClients(&errs, "x", []string{bad}); len(errs) != 1 {
			t.Errorf("%q was taken", bad)
		}
	}
}

// TestMaxConnections: more are refused, reported once, and there is room again when
// one has gone.
//
//conform:ipworks config.MaxConnections works tlsio/server.Config.MaxConnections, tlsio/server.ErrTooManyConnections
func TestMaxConnections(t *testing.T) {
	b := newBench(t, Config{MaxConnections: 2}, Handler{}, noReady)
	one, _ := b.open()
	b.open()
	for range 5 {
		if conn, err := testNetwork(t).DialContext(within(t), "tcp", b.address()); err == nil {
			newClient(t, conn).ended()
		}
	}
	e := b.next("Error")
	if wantCode(t, e.err, 10024); !errors.Is(e.err, ErrTooManyConnections) || e.id != "" {
		t.Errorf("got %+v", e)
	}
	b.quiet()
	wait(t, "all refused", func() bool { return b.Statistics().Full >= 5 })
	one.Disconnect()
	b.next("Disconnected")
	wait(t, "room", func() bool { return b.Statistics().Open == 1 })
	b.open()
	if _, err := New(tlsio.HostNetwork{}, Config{MaxConnections: MostConnections}, Handler{}); err != nil {
		t.Error(err)
	}
}

// recorder is a network that notes what is done to sockets.
type recorder struct {
	tlsio.Network
	mu      sync.Mutex
	noted   []string
	network string // of the last Listen
	bare    bool   // connections without switches
}

type recorderListener struct {
	net.Listener
	r *recorder
}

type recorderConn struct {
	net.Conn
	r *recorder
}

func (r *recorder) note(format string, args ...any) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.noted = append(r.noted, fmt.Sprintf(format, args...))
	return nil
}

func (r *recorder) take() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := strings.Join(r.noted, ", ")
	r.noted = nil
	return s
}

func (r *recorder) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	ln, err := r.Network.Listen(ctx, network, address)
	if err != nil {
		return nil, err
	}
	r.network = network
	if r.bare {
		return struct{ net.Listener }{&recorderListener{ln, r}}, nil
	}
	return &recorderListener{ln, r}, nil
}

func (l *recorderListener) SetBacklog(n int) error { return l.r.note("backlog %d", n) }

func (l *recorderListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if l.r.bare {
		return struct{ net.Conn }{conn}, nil
	}
	return &recorderConn{conn, l.r}, nil
}

func (c *recorderConn) SetNoDelay(on bool) error { return c.r.note("NoDelay %v", on) }
func (c *recorderConn) SetKeepAliveConfig(k net.KeepAliveConfig) error {
	return c.r.note("keep-alive %v %v %v", k.Enable, k.Idle, k.Interval)
}
func (c *recorderConn) SetReadBuffer(n int) error  { return c.r.note("read buffer %d", n) }
func (c *recorderConn) SetWriteBuffer(n int) error { return c.r.note("write buffer %d", n) }
func (c *recorderConn) SetLinger(n int) error      { return c.r.note("linger %d", n) }

// TestSocketOptions: what is asked of the network, at accept.
//
//conform:ipworks KeepAlive works tlsio/server.Config.KeepAlive
//conform:ipworks ConnectionBacklog works tlsio/server.Config.ConnectionBacklog
//conform:ipworks config.KeepAliveTime works tlsio/server.Config.KeepAliveTime
//conform:ipworks config.KeepAliveInterval works tlsio/server.Config.KeepAliveInterval
//conform:ipworks config.InBufferSize works tlsio/server.Config.InBufferSize
//conform:ipworks config.OutBufferSize works tlsio/server.Config.OutBufferSize
//conform:ipworks config.TcpNoDelay works tlsio/server.Config.NoDelay
func TestSocketOptions(t *testing.T) {
	r := &recorder{Network: testNetwork(t)}
	b := newBenchOn(t, r, Config{}, Handler{}, noReady)
	b.open()
	if got := r.take(); got != "backlog 5, NoDelay false, keep-alive false -1ns -1ns" {
		t.Errorf("defaults: %s", got)
	}
	if err := b.Configure(func(c *Config) {
		c.NoDelay, c.KeepAlive, c.KeepAliveTime, c.KeepAliveInterval = true, true, time.Minute, time.Second
		c.InBufferSize, c.OutBufferSize = 5000, 6000
	}); err != nil {
		t.Fatal(err)
	}
	if got := r.take(); got != "" {
		t.Errorf("existing connections were changed: %s", got)
	}
	b.open()
	if got := r.take(); got != "NoDelay true, keep-alive true 1m0s 1s, read buffer 5000, write buffer 6000" {
		t.Errorf("got %s", got)
	}
	b.Close()

	b = newBenchOn(t, r, Config{ConnectionBacklog: 77}, Handler{}, noReady)
	if got := r.take(); !strings.HasSuffix(got, "backlog 77") {
		t.Errorf("got %s", got)
	}
	b.Close()

	// A network without these switches: what was asked for and isn't there is
	// said, and the connection goes on.
	r.bare = true
	b = newBenchOn(t, r, Config{KeepAlive: true, InBufferSize: 1000, OutBufferSize: 1000}, Handler{}, noReady)
	cl := b.dial()
	for _, option := range []string{"KeepAlive", "InBufferSize", "OutBufferSize"} {
		e := b.next("Error")
		if wantCode(t, e.err, 10045); !strings.Contains(e.err.Error(), option) || e.id != "1" {
			t.Errorf("got %+v", e)
		}
	}
	b.next("Connected")
	cl.send("x")
	b.next("DataIn")
	b.Close()
	other := prepareOn(t, r, Config{ConnectionBacklog: 77}, Handler{}, noReady)
	if err := other.StartListening(within(t)); err == nil {
		t.Error("a backlog that can't be set was taken")
	}
}

// TestBacklogOfHost: the operating system's listeners take it.
func TestBacklogOfHost(t *testing.T) {
	testenv.NeedHost(t)
	ln, err := tlsio.HostNetwork{}.Listen(within(t), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if ok, err := setSocketBacklog(ln, 3); !ok || err != nil {
		t.Error(ok, err)
	}
	ln.Close()
	if _, err := setSocketBacklog(ln, 3); err == nil {
		t.Error("a closed listener took it")
	}
}

// TestIPVersions: which versions are listened for.
//
//conform:ipworks config.UseIPv6 works tlsio/server.Config.UseIPv6
func TestIPVersions(t *testing.T) {
	testenv.NeedHost(t)
	for version, want := range map[IPVersion]string{IPv4Only: "tcp4", IPv6Only: "tcp6", IPv4AndIPv6: "tcp"} {
		r := &recorder{Network: tlsio.HostNetwork{}}
		b := prepareOn(t, r, Config{UseIPv6: version}, Handler{}, noReady)
		if err := b.StartListening(within(t)); err != nil {
			if version == IPv6Only {
				t.Logf("no IPv6 here: %v", err)
				continue
			}
			t.Fatal(err)
		}
		if r.network != want {
			t.Errorf("version %d: network %s", version, r.network)
		}
		for host, served := range map[string]bool{"127.0.0.1": version != IPv6Only, "::1": version != IPv4Only} {
			conn, err := tlsio.HostNetwork{}.DialContext(within(t), "tcp", net.JoinHostPort(host, fmt.Sprint(b.LocalPort())))
			if err != nil {
				if served && host == "127.0.0.1" {
					t.Error(err)
				}
				continue
			}
			if !served {
				t.Errorf("version %d serves %s", version, host)
			}
			b.skipTo("Connected")
			c := b.Connections()
			if got, _ := c[len(c)-1].RemoteHost(); got != host {
				t.Errorf("%s appears as %s", host, got)
			}
			conn.Close()
		}
		b.Close()
	}
}

// TestLinger: by default a closing connection sends everything first.
//
//conform:ipworks Linger works tlsio/server.Config.NoLinger
func TestLinger(t *testing.T) {
	text := strings.Repeat("0123456789", 200000)
	b := newBench(t, Config{SendQueue: len(text)}, Handler{}, noReady)
	c, cl := b.open()
	cl.send("something that nobody reads")
	if n, err := c.SendText(text); n != len(text) || err != nil {
		t.Fatal(n, err)
	}
	if err := c.Disconnect(); err != nil {
		t.Fatal(err)
	}
	if n, err := c.SendText("late"); n != 0 || !errors.Is(err, ErrShutdown) && !errors.Is(err, ErrInvalidConnection) {
		t.Error("after Disconnect:", n, err)
	}
	if rest, clean := cl.ended(); rest != text || !clean {
		t.Errorf("got %d bytes, clean %v", len(rest), clean)
	}
	if e := b.skipTo("Disconnected"); e.err != nil {
		t.Error(e.err)
	}
	b.Close()

	// Cut off: the queue is lost, and the client sees a reset.
	v := newValve(t)
	r := &recorder{Network: v}
	b = newBenchOn(t, r, Config{NoLinger: true}, Handler{}, noReady)
	c, cl = b.open()
	v.set(false)
	if _, err := c.SendText("lost"); err != nil {
		t.Fatal(err)
	}
	r.take()
	c.Disconnect()
	if e := b.next("Disconnected"); e.err != nil {
		t.Error(e.err)
	}
	if rest, _ := cl.ended(); rest != "" {
		t.Errorf("got %q", rest)
	}
	if got := r.take(); got != "linger 0" {
		t.Errorf("got %s", got)
	}
}

// TestLingerReset: on the operating system's network NoLinger resets.
func TestLingerReset(t *testing.T) {
	b := newBench(t, Config{NoLinger: true}, Handler{}, noReady)
	c, cl := b.open()
	c.Disconnect()
	if _, clean := cl.ended(); clean {
		t.Error("closed without a reset")
	}
}

// TestLingerTimeout: a client that doesn't read can't hold a closing connection.
func TestLingerTimeout(t *testing.T) {
	v := newValve(t)
	b := newBenchOn(t, v, Config{LingerTimeout: 30 * time.Millisecond}, Handler{}, noReady)
	c, _ := b.open()
	v.set(false)
	c.SendText("stuck")
	c.Disconnect()
	if e := b.next("Disconnected"); e.err != nil {
		t.Error(e.err)
	}
	wait(t, "nothing left", func() bool { return b.Statistics().Open == 0 })
}

// TestReset: a client's reset has its number.
func TestClientResets(t *testing.T) {
	b := newBench(t, Config{}, Handler{}, noReady)
	_, cl := b.open()
	cl.Conn.(interface{ SetLinger(int) error }).SetLinger(0)
	cl.Close()
	e := b.next("Disconnected")
	wantCode(t, e.err, 10054)
}

// TestFlood: a crowd that connects and leaves at once leaves nothing behind.
func TestFlood(t *testing.T) {
	b := newBench(t, Config{MaxConnections: 50, ConnectionBacklog: 200}, Handler{
		DataIn: func(c *Connection, data []byte, eol bool) { c.Send(data) },
	}, noReady)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for j := range 50 {
				conn, err := testNetwork(t).DialContext(within(t), "tcp", b.address())
				if err != nil {
					continue
				}
				if (i+j)%3 == 0 {
					conn.Write([]byte("hello"))
				}
				if (i+j)%2 == 0 {
					conn.(interface{ SetLinger(int) error }).SetLinger(0)
				}
				conn.Close()
			}
		}()
	}
	wg.Wait()
	if err := b.Shutdown(within(t)); err != nil {
		t.Fatal(err)
	}
	connected, disconnected := map[string]int{}, map[string]int{}
	for len(b.events) > 0 {
		switch e := <-b.events; e.kind {
		case "Connected":
			connected[e.id]++
		case "Disconnected":
			disconnected[e.id]++
			if connected[e.id] != 1 {
				t.Errorf("%s: Disconnected before Connected", e.id)
			}
		}
	}
	if fmt.Sprint(connected) != fmt.Sprint(disconnected) {
		t.Errorf("connected %v\ndisconnected %v", connected, disconnected)
	}
	// Those that Shutdown came upon before their Connected have no events.
	if st := b.Statistics(); st.Open != 0 || int(st.Accepted) < len(connected) || len(connected) == 0 {
		t.Errorf("%+v, %d connected", st, len(connected))
	}
}

// FuzzClients holds wildcards against path.Match, and prefixes against netip.
func FuzzClients(f *testing.F) {
	for _, pattern := range []string{"*", "1.2.3.4", "1.*.3.*", "*.4", "10.0.0.0/8", "2001:db8::*", "::ffff:1.2.3.4", "**1.*"} {
		f.Add(pattern, []byte{1, 2, 3, 4})
		f.Add(pattern, []byte{0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1})
	}
	f.Fuzz(func(t *testing.T, pattern string, bytes []byte) {
		addr, ok := netip.AddrFromSlice(bytes)
		if !ok || len(pattern) > 100 {
			return
		}
		var errs optionErrors
		list := parseClients(&errs, "x", []string{pattern})
		if len(list)+len(errs) != 1 {
			t.Fatalf("%q: %d patterns, %d errors", pattern, len(list), len(errs))
		}
		if len(errs) == 1 {
			return
		}
		text := addr.Unmap().String()
		trimmed := strings.TrimSpace(pattern)
		want := false
		if strings.Contains(trimmed, "*") {
			want, _ = path.Match(strings.ToLower(trimmed), text)
		} else if p, err := netip.ParsePrefix(trimmed); err == nil {
			want = p.Contains(addr.Unmap())
		} else {
			a, err := netip.ParseAddr(trimmed)
			if err != nil {
				t.Fatalf("%q was taken", pattern)
			}
			want = a.Unmap() == addr.Unmap()
		}
		if got := list.matches(addr); got != want {
			t.Errorf("%q and %s: %v, want %v", pattern, text, got, want)
		}
	})
}

// A client that never reads loses its place, though it goes on sending and so is
// never idle; one that reads slowly keeps it.
func TestStallTimeout(t *testing.T) {
	b := newBench(t, Config{StallTimeout: 300 * time.Millisecond, IdleTimeout: time.Hour}, Handler{}, noReady)
	stuck, cl := b.open()
	fast, good := b.open()
	stop := make(chan struct{})
	var sending sync.WaitGroup
	defer sending.Wait()
	defer close(stop)
	sending.Go(func() { // fills the queue and the network's buffers
		for p := make([]byte, 16<<10); ; {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
				stuck.Send(p)
			}
		}
	})
	sending.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
				cl.Write([]byte("x"))
			}
		}
	})
	e := b.skipTo("Disconnected")
	if e.id != stuck.ID() {
		t.Fatalf("the wrong connection ended: %+v", e)
	}
	if wantCode(t, e.err, 10060); !errors.Is(e.err, ErrStalled) || !errors.Is(e.err, ErrTimeout) {
		t.Errorf("got %+v", e)
	}
	if _, err := fast.SendText("still here"); err != nil {
		t.Fatal(err)
	}
	if got := good.read(10); got != "still here" {
		t.Errorf("got %q", got)
	}
}

// drip is a network whose accepted connections, once it is on, take a few bytes of each
// write, which then waits for its deadline.
type drip struct {
	tlsio.Network
	on atomic.Bool
}

func (d *drip) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	ln, err := d.Network.Listen(ctx, network, address)
	return dripListener{ln, d}, err
}

type dripListener struct {
	net.Listener
	d *drip
}

func (l dripListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	return &dripConn{Conn: conn, d: l.d, met: make(chan struct{}, 1)}, err
}

type dripConn struct {
	net.Conn
	d   *drip
	met chan struct{}
}

func (c *dripConn) SetWriteDeadline(end time.Time) error {
	if !end.IsZero() {
		select {
		case c.met <- struct{}{}:
		default:
		}
	}
	return c.Conn.SetWriteDeadline(time.Time{})
}

func (c *dripConn) Write(p []byte) (int, error) {
	const most = 500
	if len(p) <= most || !c.d.on.Load() {
		return c.Conn.Write(p)
	}
	n, err := c.Conn.Write(p[:most])
	if err != nil {
		return n, err
	}
	<-c.met
	return n, os.ErrDeadlineExceeded
}

// A client that takes a little of a chunk in each StallTimeout is slow, not stuck; what
// it gets is whole.
func TestStallTimeoutSlowReader(t *testing.T) {
	for _, mode := range []StartMode{StartNone, StartImplicit} {
		config := Config{StallTimeout: 20 * time.Millisecond, StartMode: mode}
		if mode == StartImplicit {
			config.TLS = serverTLS(t)
		}
		d := &drip{Network: testNetwork(t)}
		b := newBenchOn(t, d, config, Handler{}, noReady|noStatus)
		cl := b.dial()
		if mode == StartImplicit {
			cl = cl.secure(clientTLS(t))
		}
		c := b.opened()
		d.on.Store(true)
		text := strings.Repeat("0123456789", 300)
		for range 3 {
			if n, err := c.SendText(text); n != len(text) || err != nil {
				t.Fatal(n, err)
			}
			if cl.read(len(text)) != text {
				t.Fatal("what the client got is not what was sent")
			}
		}
		if !c.Connected() {
			t.Error("a slow client was taken for a stuck one")
		}
		b.quiet()
	}
}
