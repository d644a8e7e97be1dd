package endpoint_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"ingot.dev/certs/certstest"
	"ingot.dev/firmware/endpoint"
	"ingot.dev/firmware/internal/servicetest"
	"ingot.dev/firmware/tally"
	"ingot.dev/internal/simnet"
	"ingot.dev/net/inet"
	"ingot.dev/tlsio"
)

// echo runs an echo with these options, and returns how to dial it.
func echo(t *testing.T, r *servicetest.Rig, o endpoint.Options) func() (*tls.Conn, error) {
	t.Helper()
	o.Listen = "127.0.0.1:0"
	service, err := endpoint.Echo(o)
	if err != nil {
		t.Fatal(err)
	}
	addr, _ := r.Serve(t, service)
	return func() (*tls.Conn, error) {
		d := &net.Dialer{Timeout: servicetest.Patience}
		c, err := tls.DialWithDialer(d, "tcp", addr, &tls.Config{RootCAs: r.CA.Pool(), ServerName: "localhost"})
		if err == nil {
			c.SetDeadline(time.Now().Add(servicetest.Patience))
			t.Cleanup(func() { c.Close() })
		}
		return c, err
	}
}

// works reports whether a connection echoes.
func works(c net.Conn) bool {
	var b [1]byte
	_, err := c.Write([]byte("x"))
	if err == nil {
		_, err = io.ReadFull(c, b[:])
	}
	return err == nil && b[0] == 'x'
}

func prefixes(list ...string) (all []netip.Prefix) {
	for _, p := range list {
		all = append(all, netip.MustParsePrefix(p))
	}
	return all
}

func TestLists(t *testing.T) {
	for _, tt := range []struct {
		allow, block []netip.Prefix
		in           bool
	}{
		{nil, nil, true},
		{prefixes("127.0.0.0/8"), nil, true},
		{prefixes("10.0.0.0/8", "::/0"), nil, false},
		{nil, prefixes("127.0.0.1/32"), false},
		{prefixes("127.0.0.0/8"), prefixes("127.0.0.0/16"), false},
		{prefixes("0.0.0.0/0"), prefixes("10.0.0.0/8"), true},
	} {
		r := servicetest.New(t)
		dial := echo(t, r, endpoint.Options{Allow: tt.allow, Block: tt.block})
		c, err := dial()
		if in := err == nil && works(c); in != tt.in {
			t.Errorf("allow %v, block %v: let in %v, %v", tt.allow, tt.block, in, err)
		}
		if !tt.in {
			servicetest.WaitTally(t, r.System(t), func(c *tally.Tally) bool { return c.Errors[tally.Address].Load() > 0 && c.Accepted.Load() == 0 })
			r.Log.Wait(t, `refused service=echo remote=127\.0\.0\.1:\d+ err=".*this address may not connect"`)
		}
	}
}

// TestMaxPerAddress: the limit holds for connections in all states, and ends with them.
func TestMaxPerAddress(t *testing.T) {
	r := servicetest.New(t)
	dial := echo(t, r, endpoint.Options{MaxPerAddress: 3})
	var conns []*tls.Conn
	for range 3 {
		c, err := dial()
		if err != nil || !works(c) {
			t.Fatal(err)
		}
		conns = append(conns, c)
	}
	if c, err := dial(); err == nil && works(c) {
		t.Error("a fourth came in")
	}
	conns[1].Close()
	servicetest.WaitTally(t, r.System(t), func(c *tally.Tally) bool { return c.Open.Load() == 2 })
	if c, err := dial(); err != nil || !works(c) {
		t.Errorf("after one has left: %v", err)
	}
}

// TestRate: a burst gets in, the next has to wait its time.
func TestRate(t *testing.T) {
	r := servicetest.New(t)
	dial := echo(t, r, endpoint.Options{Rate: 0.001, Burst: 2})
	for range 2 {
		if c, err := dial(); err != nil || !works(c) {
			t.Fatal(err)
		}
	}
	for range 3 {
		if c, err := dial(); err == nil && works(c) {
			t.Error("too early, and came in")
		}
	}
	servicetest.WaitTally(t, r.System(t), func(c *tally.Tally) bool { return c.Errors[tally.Rate].Load() == 3 && c.Accepted.Load() == 2 })
}

// TestHandshakeRate: what comes too fast is refused, whoever it is.
func TestHandshakeRate(t *testing.T) {
	r := servicetest.New(t)
	once := echo(t, r, endpoint.Options{HandshakeRate: 1})
	var all sync.WaitGroup
	for range 30 { // five seconds' worth is for free, and who is next waits for a second
		all.Go(func() {
			if c, err := once(); err == nil {
				c.Close()
			}
		})
	}
	all.Wait()
	servicetest.WaitTally(t, r.System(t), func(c *tally.Tally) bool { return c.Errors[tally.Rate].Load() > 0 && c.Handshakes.Load() >= 5 })
}

// TestBeforeSYNACK: on our own network, whoever may not come in costs no connection:
// Dial itself is refused.
func TestBeforeSYNACK(t *testing.T) {
	n, err := simnet.Open(t.Context(), simnet.Perfect())
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	for _, plain := range []bool{false, true} {
		for _, o := range []endpoint.Options{
			{Block: prefixes("10.0.2.15/32")},
			{MaxPerAddress: 1},
			{MaxConnections: 1},
			{Rate: 0.001, Burst: 1},
		} {
			r := servicetest.New(t)
			r.Net = n.Server
			o.Listen = ":0"
			var p endpoint.Problems
			e := endpoint.Check("test", o, plain, &p)
			if err := p.Err(""); err != nil {
				t.Fatal(err)
			}
			service := e.Service()
			service.Serve = func(_ context.Context, c net.Conn) { io.Copy(io.Discard, c) }
			addr, stop := r.Serve(t, service)
			_, port, _ := net.SplitHostPort(addr)
			dial := func() (net.Conn, error) {
				return n.Client.DialContext(t.Context(), "tcp", net.JoinHostPort(simnet.ServerAddress, port))
			}
			if len(o.Block) == 0 {
				c, err := dial()
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				servicetest.WaitTally(t, r.System(t), func(c *tally.Tally) bool { return c.Open.Load() == 1 })
			}
			if c, err := dial(); err == nil {
				t.Errorf("plain %v, %+v: connected", plain, o)
				c.Close()
			}
			servicetest.WaitTally(t, r.System(t), func(c *tally.Tally) bool {
				return c.Errors[tally.Address].Load()+c.Errors[tally.Connections].Load()+c.Errors[tally.Rate].Load() > 0
			})
			stop()
		}
	}
}

// TestIdentity: the service is who it is told to be, whatever the client asks for.
func TestIdentity(t *testing.T) {
	r := servicetest.New(t)
	r.Tree.AddIdentity("gateway", r.CA.Issue(certstest.Template{Names: []string{"gateway.test", "www.gateway.test"}}))
	for _, name := range []string{"gateway", "www.gateway.test"} {
		service, err := endpoint.Echo(endpoint.Options{Listen: "127.0.0.1:0", Identity: name})
		if err != nil {
			t.Fatal(err)
		}
		addr, _ := r.Serve(t, service)
		for _, sni := range []string{"localhost", "gateway.test", ""} {
			c, err := tls.Dial("tcp", addr, &tls.Config{ServerName: sni, InsecureSkipVerify: true})
			if err != nil {
				t.Fatal(err)
			}
			if got := c.ConnectionState().PeerCertificates[0].DNSNames[0]; got != "gateway.test" {
				t.Errorf("Identity %q, SNI %q: %s", name, sni, got)
			}
			c.Close()
		}
	}
}

// TestClientGroup: naming a group requires a certificate that it vouches for.
func TestClientGroup(t *testing.T) {
	r := servicetest.New(t)
	sensors := certstest.NewCA(t, certstest.Template{})
	r.Tree.AddAnchor("sensors", sensors)
	service, err := endpoint.Echo(endpoint.Options{Listen: "127.0.0.1:0", ClientGroup: "sensors"})
	if err != nil {
		t.Fatal(err)
	}
	addr, _ := r.Serve(t, service)
	for _, tt := range []struct {
		name  string
		certs []tls.Certificate
		in    bool
	}{
		{"none", nil, false},
		{"other group's", []tls.Certificate{r.CA.Issue(certstest.Template{Client: true}).TLS()}, false},
		{"own", []tls.Certificate{sensors.Issue(certstest.Template{Client: true}).TLS()}, true},
	} {
		c, err := tls.Dial("tcp", addr, &tls.Config{ServerName: "localhost", RootCAs: r.CA.Pool(),
			GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
				if len(tt.certs) == 0 {
					return &tls.Certificate{}, nil
				}
				return &tt.certs[0], nil
			}})
		if err != nil {
			t.Fatal(err)
		}
		if in := works(c); in != tt.in {
			t.Errorf("%s certificate: let in %v", tt.name, in)
		}
		c.Close()
	}
	servicetest.WaitTally(t, r.System(t), func(c *tally.Tally) bool {
		return c.Errors[tally.Certificate].Load() == 2 && c.Handshakes.Load() == 1
	})
}

// TestRevoked: the store's lists hold for a service's clients.
func TestRevoked(t *testing.T) {
	r := servicetest.New(t)
	good, bad := r.CA.Issue(certstest.Template{Client: true}), r.CA.Issue(certstest.Template{Client: true})
	r.Tree["crls/ca.crl"] = r.CA.CRL(certstest.RevocationTemplate{Revoked: []*certstest.Identity{bad}})
	service, err := endpoint.Echo(endpoint.Options{Listen: "127.0.0.1:0", ClientAuth: tlsio.ClientAuthRequire})
	if err != nil {
		t.Fatal(err)
	}
	addr, _ := r.Serve(t, service)
	for id, in := range map[*certstest.Identity]bool{good: true, bad: false} {
		c, err := tls.Dial("tcp", addr, &tls.Config{ServerName: "localhost", RootCAs: r.CA.Pool(), Certificates: []tls.Certificate{id.TLS()}})
		if err != nil {
			t.Fatal(err)
		}
		if works(c) != in {
			t.Errorf("let in %v, want %v", !in, in)
		}
		c.Close()
	}
}

// TestFlood: a service that is at its limits still serves those whom it has.
func TestFlood(t *testing.T) {
	r := servicetest.New(t)
	once := echo(t, r, endpoint.Options{MaxConnections: 8, HandshakeTimeout: time.Second})
	dial := func() *tls.Conn { // a slow machine may need more than a second at times
		t.Helper()
		for limit := time.Now().Add(servicetest.Patience); ; {
			c, err := once()
			if err == nil && works(c) {
				return c
			}
			if time.Now().After(limit) {
				t.Fatal(err)
			}
		}
	}
	first := dial()
	addr := first.RemoteAddr().String()
	for i := range 200 {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			continue
		}
		switch i % 4 {
		case 0:
			c.Write([]byte("GET / HTTP/1.1\r\n\r\n"))
		case 1:
			endpoint.Reset(c)
		}
		if i%2 == 1 {
			defer c.Close() // half-open until the handshake's time is over
		}
	}
	if !works(first) {
		t.Error("who was there before the flood is not served")
	}
	servicetest.WaitTally(t, r.System(t), func(c *tally.Tally) bool { return c.Open.Load() == 1 })
	dial()
}

// TestGuard: idle and stalled connections end with errors of their own, on networks of
// both kinds, and an explicit deadline stays one.
func TestGuard(t *testing.T) {
	n, err := simnet.Open(t.Context(), simnet.Perfect())
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	for name, network := range map[string]inet.Network{"host": inet.Host(), "netstack": n.Server} {
		t.Run(name, func(t *testing.T) {
			l, err := network.Listen(t.Context(), "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			pair := func(idle, stall time.Duration, counts *tally.Tally) (net.Conn, net.Conn) {
				a, err := network.DialContext(t.Context(), "tcp", l.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				b, err := l.Accept()
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { a.Close(); b.Close() })
				return a, endpoint.Guard(b, idle, stall, counts)
			}
			var counts tally.Tally
			a, b := pair(2*time.Second, 0, &counts)
			a.Write([]byte("x"))
			got, err := io.ReadAll(b)
			if string(got) != "x" || !errors.Is(err, endpoint.ErrIdle) || counts.Errors[tally.Idle].Load() != 1 {
				t.Errorf("idle: %q, %v", got, err)
			}
			b.SetReadDeadline(time.Time{})
			if _, err := b.Read(make([]byte, 1)); !errors.Is(err, endpoint.ErrIdle) {
				t.Errorf("idle, again: %v", err)
			}
			if _, err := b.Write([]byte("bye")); err != nil {
				t.Errorf("nothing can be said to who is idle: %v", err)
			}

			fill := func(b net.Conn) error {
				for chunk := make([]byte, 1<<16); ; {
					if _, err := b.Write(chunk); err != nil {
						return err
					}
				}
			}
			_, b = pair(0, 100*time.Millisecond, &counts)
			if err := fill(b); !errors.Is(err, endpoint.ErrStalled) || counts.Errors[tally.Stalled].Load() != 1 {
				t.Errorf("stalled: %v", err)
			}
			_, b = pair(0, time.Hour, &counts)
			b.SetDeadline(time.Now().Add(50 * time.Millisecond))
			var timeout net.Error
			if err := fill(b); errors.Is(err, endpoint.ErrStalled) || !errors.As(err, &timeout) || !timeout.Timeout() {
				t.Errorf("explicit deadline: %v", err)
			}
			if _, err := b.Read(make([]byte, 1)); !errors.As(err, &timeout) || !timeout.Timeout() {
				t.Errorf("explicit deadline of reads: %v", err)
			}
			if counts.Errors[tally.Stalled].Load() != 1 {
				t.Error("an explicit deadline was counted as a stall")
			}
		})
	}
}

func TestOptions(t *testing.T) {
	_, err := endpoint.New(endpoint.Options{
		MinimumVersion: "TLSv1.3", MaximumVersion: "TLSv1.2", ClientAuth: "maybe", ALPN: []string{"h2", ""},
		MaxConnections: -1, MaxPerAddress: -1, MaxHandshakes: -1, HandshakeRate: -1, Burst: 3, HandshakeTimeout: -1, StallTimeout: -5,
		Allow: []netip.Prefix{{}, netip.MustParsePrefix("10.1.0.0/8"), netip.MustParsePrefix("192.168.1.0/24"), netip.MustParsePrefix("::ffff:10.0.0.0/104")},
		Block: prefixes("192.168.0.0/16"),
	}, nil)
	servicetest.Wants(t, err, "Listen", "MinimumVersion", "ClientAuth", "ALPN[1]", "MaxConnections", "MaxPerAddress", "MaxHandshakes", "HandshakeRate", "Burst",
		"HandshakeTimeout", "StallTimeout", "Allow[0]", "Allow[1]", "Allow[2]", "Allow[3]", "serve")
	_, err = endpoint.Echo(endpoint.Options{Listen: ":1", Policy: "20261122-tls13", MaximumVersion: tlsio.TLSv12})
	servicetest.Wants(t, err, "Policy")
	if _, err := endpoint.Echo(endpoint.Options{Listen: ":1", Policy: "20261122-strict", ClientAuth: tlsio.ClientAuthRequest, Rate: 1.5, IdleTimeout: endpoint.Off}); err != nil {
		t.Error(err)
	}
}
