package relay

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"ingot.dev/certs/certstest"
	"ingot.dev/firmware/endpoint"
	"ingot.dev/firmware/internal/servicetest"
	"ingot.dev/firmware/tally"
)

// restartable is where servers listen that are to come back at the same port: an address
// that nobody connects from, so that the port isn't taken meanwhile.
const restartable = "127.9.8.7:0"

// server accepts connections at a free port of the host, or at address, and serves each.
func server(t *testing.T, address string, serve func(net.Conn)) (addr string, stop func()) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return serveOn(t, l, serve)
}

func serveOn(t *testing.T, l net.Listener, serve func(net.Conn)) (addr string, stop func()) {
	var mu sync.Mutex
	conns := map[net.Conn]bool{}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns[c] = true
			mu.Unlock()
			all.Go(func() {
				defer c.Close()
				serve(c)
			})
		}
	})
	stop = sync.OnceFunc(func() {
		l.Close()
		mu.Lock()
		for c := range conns {
			endpoint.Reset(c)
		}
		mu.Unlock()
		all.Wait()
	})
	t.Cleanup(stop)
	return l.Addr().String(), stop
}

// halves is a connection that can end its side.
type halves interface {
	net.Conn
	CloseWrite() error
}

// echo returns what it receives, and says at its end that it has.
func echo(c net.Conn) {
	io.Copy(c, c)
	io.WriteString(c, ".")
	c.(halves).CloseWrite()
}

// rig has a terminate or an originate between a client and a server.
type rig struct {
	*servicetest.Rig
	dial func(t *testing.T) halves // as the client does
	addr string                    // of the relay
	to   string                    // of the server
	stop func()                    // the server
}

func terminated(t *testing.T, o TerminateOptions, serve func(net.Conn)) *rig {
	return terminatedOn(t, servicetest.New(t), o, serve)
}

func terminatedOn(t *testing.T, base *servicetest.Rig, o TerminateOptions, serve func(net.Conn)) *rig {
	r := &rig{Rig: base}
	if o.To == "" {
		o.To, r.stop = server(t, restartable, serve)
	}
	r.to = o.To
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	service, err := Terminate(o)
	if err != nil {
		t.Fatal(err)
	}
	addr, _ := r.Serve(t, service)
	r.addr = addr
	cache := tls.NewLRUClientSessionCache(4)
	r.dial = func(t *testing.T) halves {
		t.Helper()
		c, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: r.CA.Pool(), ServerName: "localhost", ClientSessionCache: cache})
		if err != nil {
			t.Fatal(err)
		}
		c.SetDeadline(time.Now().Add(servicetest.Patience))
		t.Cleanup(func() { c.Close() })
		return c
	}
	return r
}

func originated(t *testing.T, o OriginateOptions, serve func(net.Conn)) *rig {
	return originatedOn(t, servicetest.New(t), o, serve)
}

func originatedOn(t *testing.T, base *servicetest.Rig, o OriginateOptions, serve func(net.Conn)) *rig {
	r := &rig{Rig: base}
	if o.To == "" {
		r.to, r.stop = tlsServer(t, r.CA, restartable, serve)
		o.To, o.Host = r.to, "localhost"
	}
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	service, err := Originate(o)
	if err != nil {
		t.Fatal(err)
	}
	addr, _ := r.Serve(t, service)
	r.addr = addr
	r.dial = func(t *testing.T) halves {
		t.Helper()
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		c.SetDeadline(time.Now().Add(servicetest.Patience))
		t.Cleanup(func() { c.Close() })
		return c.(*net.TCPConn)
	}
	return r
}

// tlsServer is server with TLS. Its ticket key is the same whenever it starts again.
func tlsServer(t *testing.T, ca *certstest.CA, address string, serve func(net.Conn)) (addr string, stop func()) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{ca.Issue(certstest.Template{Names: []string{"localhost"}}).TLS()},
		ClientCAs: ca.Pool(), ClientAuth: tls.VerifyClientCertIfGiven}
	config.SetSessionTicketKeys([][32]byte{{1, 2, 3}})
	return serveOn(t, tls.NewListener(l, config), serve)
}

// both runs a test with terminate and with originate.
func both(t *testing.T, serve func(net.Conn), o endpoint.Options, f func(t *testing.T, r *rig)) {
	t.Run("terminate", func(t *testing.T) { f(t, terminated(t, TerminateOptions{Options: o}, serve)) })
	t.Run("originate", func(t *testing.T) { f(t, originated(t, OriginateOptions{Options: o}, serve)) })
}

// TestHalfClose: each side can end its data and still read all of the other's, of any
// amount, the last byte included.
func TestHalfClose(t *testing.T) {
	both(t, echo, endpoint.Options{}, func(t *testing.T, r *rig) {
		for _, size := range []int{0, 1, 16 << 10, 16<<10 + 1, 3_000_000} {
			c := r.dial(t)
			sent := make([]byte, size)
			rand.NewChaCha8([32]byte{byte(size)}).Read(sent)
			go func() {
				c.Write(sent)
				c.CloseWrite()
			}()
			got, err := io.ReadAll(c)
			if err != nil || !bytes.Equal(got, append(sent, '.')) {
				t.Errorf("%d bytes: %d came back, %v", size, len(got), err)
			}
			c.Close()
			r.Log.Wait(t, fmt.Sprintf(`relayed service=(terminate|originate) remote=127\.0\.0\.1:\d+ to=\S+ in=%d out=%d duration=\S+ end=closed tls=TLSv1\.3`, size, size+1))
		}
	})
}

// TestServerEndsFirst: what the server says after its end doesn't exist, but the
// client may go on, and the server gets all of it.
func TestServerEndsFirst(t *testing.T) {
	sums := make(chan [32]byte, 2)
	both(t, func(c net.Conn) {
		io.WriteString(c, "hello")
		c.(halves).CloseWrite()
		all, err := io.ReadAll(c)
		if err != nil {
			t.Error(err)
		}
		sums <- sha256.Sum256(all)
	}, endpoint.Options{}, func(t *testing.T, r *rig) {
		c := r.dial(t)
		if got, err := io.ReadAll(c); err != nil || string(got) != "hello" {
			t.Fatalf("%q, %v", got, err)
		}
		sent := bytes.Repeat([]byte("after its end "), 50_000)
		if _, err := c.Write(sent); err != nil {
			t.Fatal(err)
		}
		c.CloseWrite()
		if <-sums != sha256.Sum256(sent) {
			t.Error("the server got something else")
		}
	})
}

// TestBackPressure: a relay holds back who sends when nobody takes it.
func TestBackPressure(t *testing.T) {
	let := make(chan struct{})
	counted := make(chan int64, 2)
	both(t, func(c net.Conn) {
		<-let
		n, _ := io.Copy(io.Discard, c)
		counted <- n
	}, endpoint.Options{StallTimeout: endpoint.Off}, func(t *testing.T, r *rig) {
		c := r.dial(t)
		c.SetWriteDeadline(time.Now().Add(time.Second))
		n, err := 0, error(nil)
		// More than all buffers on the way can be: those of sockets of the host grow
		// to 6 MB each.
		chunk := make([]byte, 1<<16)
		for n < 64<<20 && err == nil {
			var m int
			m, err = c.Write(chunk)
			n += m
		}
		if err == nil {
			t.Errorf("%d bytes were taken, and nobody read them", n)
		}
		let <- struct{}{}
		endpoint.Reset(c)
		<-counted
	})
}

// TestResets: when one side breaks off, the other learns that it was no proper end, and
// what came before it isn't lost.
func TestResets(t *testing.T) {
	ended := make(chan error, 2)
	both(t, func(c net.Conn) {
		var b [6]byte
		if _, err := io.ReadFull(c, b[:]); err != nil {
			ended <- err
			return
		}
		switch string(b[:]) {
		case "reset!":
			endpoint.Reset(c)
			ended <- nil
		default:
			_, err := io.Copy(io.Discard, c)
			ended <- err
		}
	}, endpoint.Options{}, func(t *testing.T, r *rig) {
		c := r.dial(t)
		io.WriteString(c, "reset!")
		if got, err := io.ReadAll(c); err == nil {
			t.Errorf("a reset became a proper end, after %q", got)
		}
		<-ended
		r.Log.Wait(t, `end=server .*err=`)
		c = r.dial(t)
		io.WriteString(c, "listen")
		r.wait(t, func(tally *tally.Tally) bool { return tally.Open.Load() == 1 })
		endpoint.Reset(c)
		if err := <-ended; err == nil {
			t.Error("the client's reset became a proper end")
		}
		r.Log.Wait(t, `end=client .*err=`)
	})
}

// wait waits until the tally of the relay says something.
func (r *rig) wait(t *testing.T, f func(*tally.Tally) bool) {
	t.Helper()
	servicetest.WaitTally(t, r.System(t), f)
}

// TestTruncation: TLS that ends without close_notify is no proper end, unless it is
// allowed.
func TestTruncation(t *testing.T) {
	for _, allow := range []bool{false, true} {
		ended := make(chan error, 1)
		r := terminated(t, TerminateOptions{AllowTruncation: allow}, func(c net.Conn) {
			_, err := io.Copy(io.Discard, c)
			ended <- err
		})
		c := r.dial(t).(*tls.Conn)
		io.WriteString(c, "half of a mess")
		c.NetConn().(*net.TCPConn).CloseWrite()
		if err := <-ended; (err == nil) != allow {
			t.Errorf("allowed %v: the server's end was %v", allow, err)
		}
		c.NetConn().Close()
		if !allow {
			r.Log.Wait(t, `end=client .*close_notify`)
		}
	}
}

// TestServerRestarts: connections that come while the server is away wait for it, all of
// them, and TLS sessions live on.
func TestServerRestarts(t *testing.T) {
	for _, kind := range []string{"terminate", "originate"} {
		t.Run(kind, func(t *testing.T) {
			var r *rig
			start := server
			o := endpoint.Options{}
			if kind == "terminate" {
				r = terminated(t, TerminateOptions{Options: o, ConnectTimeout: servicetest.Patience}, echo)
			} else {
				r = originated(t, OriginateOptions{Options: o, ConnectTimeout: servicetest.Patience}, echo)
				start = func(t *testing.T, address string, serve func(net.Conn)) (string, func()) {
					return tlsServer(t, r.CA, address, serve)
				}
			}
			ask := func(c halves) {
				io.WriteString(c, "hello")
				c.CloseWrite()
				if got, err := io.ReadAll(c); err != nil || string(got) != "hello." {
					t.Errorf("%q, %v", got, err)
				}
			}
			ask(r.dial(t))
			r.stop()
			const n = 20
			var waiting [n]halves
			for i := range waiting {
				waiting[i] = r.dial(t)
			}
			var all sync.WaitGroup
			for _, c := range waiting {
				all.Go(func() { ask(c) })
			}
			r.wait(t, func(tally *tally.Tally) bool { return tally.Open.Load() >= n })
			start(t, r.to, echo)
			all.Wait()
			r.Log.Wait(t, `end=closed tls=TLSv1.3 resumed=true`)
		})
	}
}

// TestServerStaysAway: after ConnectTimeout the client is reset, and the log says why.
func TestServerStaysAway(t *testing.T) {
	to, stop := server(t, "127.0.0.1:0", echo)
	stop()
	r := terminated(t, TerminateOptions{To: to, ConnectTimeout: 300 * time.Millisecond}, nil)
	c := r.dial(t)
	if got, err := io.ReadAll(c); err == nil {
		t.Errorf("a server that isn't there said %q", got)
	}
	r.Log.Wait(t, `end=server .*could not be reached for .*`+to)
	r.wait(t, func(c *tally.Tally) bool { return c.Errors[tally.Upstream].Load() == 1 && c.Open.Load() == 0 })
}

// TestStrangeServer: a server that can't prove who it is gets nothing, at once.
func TestStrangeServer(t *testing.T) {
	stranger := certstest.NewCA(t, certstest.Template{})
	to, _ := tlsServer(t, stranger, "127.0.0.1:0", echo)
	_, port, _ := net.SplitHostPort(to)
	r := originated(t, OriginateOptions{To: "localhost:" + port, ConnectTimeout: servicetest.Patience}, nil)
	if c, err := net.Dial("tcp", r.addr); err == nil { // or it is reset that soon
		defer c.Close()
		c.SetDeadline(time.Now().Add(servicetest.Patience))
		io.WriteString(c, "secret")
		if got, err := io.ReadAll(c); err == nil {
			t.Errorf("a stranger said %q", got)
		}
	}
	r.Log.Wait(t, `end=server .*verify`)
}

// TestPresents: the server sees the identity that Present names.
func TestPresents(t *testing.T) {
	r := originated(t, OriginateOptions{Present: "client"}, func(c net.Conn) {
		c.(*tls.Conn).Handshake()
		fmt.Fprint(c, c.(*tls.Conn).ConnectionState().PeerCertificates[0].Subject)
	})
	c := r.dial(t)
	if got, err := io.ReadAll(c); err != nil || string(got) != "CN=relay" {
		t.Errorf("%q, %v", got, err)
	}
	c.CloseWrite()
	r.Log.Wait(t, `peer="CN=localhost"`)
}

// TestIdleAndStalled: neither side can hold a connection for ever.
func TestIdleAndStalled(t *testing.T) {
	silent := func(c net.Conn) { io.Copy(io.Discard, c) }
	both(t, silent, endpoint.Options{IdleTimeout: 2 * time.Second}, func(t *testing.T, r *rig) {
		c := r.dial(t)
		if _, err := io.ReadAll(c); err == nil {
			t.Error("an idle connection ended properly")
		}
		r.wait(t, func(c *tally.Tally) bool { return c.Errors[tally.Idle].Load() == 1 && c.Open.Load() == 0 })
		r.Log.Wait(t, `nothing came or went`)
	})
	flood := func(c net.Conn) {
		for chunk := make([]byte, 1<<16); ; {
			if _, err := c.Write(chunk); err != nil {
				return
			}
		}
	}
	both(t, flood, endpoint.Options{StallTimeout: 200 * time.Millisecond}, func(t *testing.T, r *rig) {
		r.dial(t) // and never reads
		r.wait(t, func(c *tally.Tally) bool { return c.Errors[tally.Stalled].Load() == 1 && c.Open.Load() == 0 })
	})
}

// TestStops: when the firmware ends, so do the connections.
func TestStops(t *testing.T) {
	r := servicetest.New(t)
	to, _ := server(t, "127.0.0.1:0", func(c net.Conn) { io.Copy(io.Discard, c) })
	service, err := Terminate(TerminateOptions{Options: endpoint.Options{Listen: "127.0.0.1:0"}, To: to})
	if err != nil {
		t.Fatal(err)
	}
	addr, stop := r.Serve(t, service)
	c, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: r.CA.Pool(), ServerName: "localhost"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, "x")
	servicetest.WaitTally(t, r.System(t), func(c *tally.Tally) bool { return c.Handshakes.Load() == 1 })
	stop()
	c.SetDeadline(time.Now().Add(servicetest.Patience))
	io.ReadAll(c)
	if !strings.Contains(r.Log.String(), "end=shutdown") {
		t.Errorf("the log says\n%s", r.Log)
	}
}

// TestOptions: whatever is wrong is said at once.
func TestOptions(t *testing.T) {
	_, err := Terminate(TerminateOptions{
		Options: endpoint.Options{Listen: "here", MinimumVersion: "TLSv1.4", Policy: "2026", ALPN: []string{""}, MaxPerAddress: -1, Rate: -1, IdleTimeout: -2},
		To:      "there", ConnectTimeout: -3,
	})
	servicetest.Wants(t, err, "Listen", "MinimumVersion", "Policy", "ALPN[0]", "MaxPerAddress", "Rate", "IdleTimeout", "To", "ConnectTimeout")
	_, err = Originate(OriginateOptions{
		Options: endpoint.Options{Listen: ":1", Identity: "x", ClientGroup: "y", ALPN: []string{"h2"}, MaxHandshakes: 3, HandshakeRate: 5, HandshakeTimeout: 1},
		To:      ":1", Host: "a b", Upstream: Upstream{MaximumVersion: "SSL"},
	})
	servicetest.Wants(t, err, "Identity", "ClientGroup", "ALPN", "MaxHandshakes", "HandshakeRate", "HandshakeTimeout", "To", "Upstream.Host", "Upstream.MaximumVersion")
	// What only the store can tell is told when the system starts.
	r := servicetest.New(t)
	for _, o := range []endpoint.Options{{Listen: "127.0.0.1:0", Identity: "nobody"}, {Listen: "127.0.0.1:0", ClientGroup: "nobody"}} {
		service, err := Terminate(TerminateOptions{Options: o, To: "127.0.0.1:1"})
		if err != nil {
			t.Fatal(err)
		}
		_, err = r.System(t).Listen(context.Background(), &service)
		identity, _ := errors.AsType[*endpoint.IdentityError](err)
		group, _ := errors.AsType[*endpoint.GroupError](err)
		if identity == nil && group == nil {
			t.Errorf("%+v: %v", o, err)
		}
	}
}
