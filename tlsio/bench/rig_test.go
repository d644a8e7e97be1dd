package bench

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"ingot.dev/certs/certstest"
	"ingot.dev/tlsio"
)

var strict = flag.Bool("strict", false, "hold times to the figures that are promised, on a quiet machine")

// limit is how long anything may take; generous, for slow machines.
const limit = 2 * time.Minute

// world is the identity that every server here has, and who trusts it.
type world struct {
	ca     *certstest.CA
	server *certstest.Identity
}

var (
	theWorld world
	makeOnce sync.Once
)

func pki(t testing.TB) world {
	makeOnce.Do(func() {
		theWorld.ca = certstest.NewCA(t, certstest.Template{})
		theWorld.server = theWorld.ca.Issue(certstest.Template{Names: []string{"server.test"}})
	})
	return theWorld
}

// The same settings for crypto/tls and for tlsio.
func serverConfig(t testing.TB) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{pki(t).server.TLS()}}
}

func clientConfig(t testing.TB) *tls.Config {
	return &tls.Config{RootCAs: pki(t).ca.Pool(), ServerName: "server.test"}
}

func serverOptions(t testing.TB) tlsio.TLSOptions {
	w := pki(t)
	return tlsio.TLSOptions{ServerCertificate: [][]byte{w.server.DER}, ServerKey: [][]byte{w.server.KeyDER}}
}

func clientOptions(t testing.TB) tlsio.TLSOptions {
	return tlsio.TLSOptions{Host: "server.test", CA: [][]byte{pki(t).ca.DER()}}
}

// kind is one of the ways to speak TLS that are compared.
type kind string

const (
	bare kind = "crypto/tls"
	// conns has a Conn at both ends, the others TLS instances at one end, and
	// crypto/tls at the other: what is measured is one end's cost.
	conns       kind = "Conn"
	classWrites kind = "TLS that writes"
	classReads  kind = "TLS that reads"
)

// fixedBuffers is the loopback interface with buffers of one size. The system's choice
// differs from connection to connection, and what is in them from what is in caches.
type fixedBuffers struct{ tlsio.HostNetwork }

func (n fixedBuffers) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := n.HostNetwork.DialContext(ctx, network, address)
	return setBuffers(c), err
}

func (n fixedBuffers) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	l, err := n.HostNetwork.Listen(ctx, network, address)
	return fixedListener{l}, err
}

type fixedListener struct{ net.Listener }

func (l fixedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return setBuffers(c), err
}

func setBuffers(c net.Conn) net.Conn {
	if c, ok := c.(*net.TCPConn); ok {
		c.SetReadBuffer(100_000)
		c.SetWriteBuffer(100_000)
	}
	return c
}

// flow is a TLS connection over which bytes go from one end to the other.
type flow struct {
	// send sends n bytes, in writes of 16 KB, and returns when they have all been
	// read at the other end.
	send  func(n int) error
	close func()
}

// writeSize is what a full record holds.
const writeSize = 16 << 10

func newFlow(t testing.TB, k kind, network tlsio.Network) flow {
	switch k {
	case classWrites:
		return writerFlow(t, network)
	case classReads:
		return readerFlow(t, network)
	}
	client, server := connect(t, k, network)
	reader := newCounter()
	go reader.read(server)
	return flow{
		send:  func(n int) error { return reader.sent(n, client) },
		close: func() { client.Close(); server.Close() },
	}
}

// read counts what comes from conn until it ends.
func (c *counter) read(conn net.Conn) {
	buf := make([]byte, 2*writeSize)
	for {
		n, err := conn.Read(buf)
		c.add(n)
		if err != nil {
			c.fail(err)
			return
		}
	}
}

// sent sends n bytes over conn and waits until they are counted.
func (c *counter) sent(n int, conn net.Conn) error {
	done := c.expect(n)
	for p := make([]byte, writeSize); n > 0; n -= len(p) {
		if _, err := conn.Write(p[:min(n, len(p))]); err != nil {
			return err
		}
	}
	return wait(done)
}

// connect returns both ends of a TLS connection.
func connect(t testing.TB, k kind, network tlsio.Network) (client, server net.Conn) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	var ln net.Listener
	var err error
	if k == bare {
		if ln, err = network.Listen(ctx, "tcp", "127.0.0.1:0"); err == nil {
			ln = tls.NewListener(ln, serverConfig(t))
		}
	} else {
		ln, err = tlsio.Listen(ctx, network, "127.0.0.1:0", serverOptions(t))
	}
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	accepted := make(chan net.Conn, 1)
	go func() {
		c, err := ln.Accept()
		if tc, ok := c.(*tls.Conn); ok {
			err = tc.Handshake()
		}
		if err != nil {
			t.Errorf("accepting: %v", err)
		}
		accepted <- c
	}()
	if k == bare {
		var raw net.Conn
		if raw, err = network.DialContext(ctx, "tcp", ln.Addr().String()); err == nil {
			tc := tls.Client(raw, clientConfig(t))
			client, err = tc, tc.HandshakeContext(ctx)
		}
	} else {
		client, err = tlsio.Dial(ctx, network, ln.Addr().String(), clientOptions(t))
	}
	if err != nil {
		t.Fatal(err)
	}
	server = <-accepted
	return client, server
}

// counter counts bytes that arrive and tells when as many as expected have.
type counter struct {
	mu   sync.Mutex
	got  int
	want int
	done chan error
}

func newCounter() *counter { return &counter{done: make(chan error, 1)} }

func (c *counter) expect(n int) <-chan error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.want += n
	return c.done
}

func (c *counter) add(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n > 0 {
		if c.got += n; c.got == c.want {
			c.done <- nil
		}
	}
}

func (c *counter) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.got < c.want {
		c.done <- fmt.Errorf("after %d of %d bytes: %w", c.got, c.want, err)
	}
}

func wait(done <-chan error) error {
	select {
	case err := <-done:
		return err
	case <-time.After(limit):
		return errors.New("nothing came any more")
	}
}

// runApp runs an application until the returned function is called.
func runApp(t testing.TB, network tlsio.Network) (*tlsio.App, func()) {
	app := tlsio.NewApp(network)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); app.Run(ctx) }()
	return app, func() { cancel(); <-ended }
}

// writerFlow sends with a TLS instance to plain crypto/tls.
func writerFlow(t testing.TB, network tlsio.Network) flow {
	t.Helper()
	ln, err := network.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	reader := newCounter()
	accepted := make(chan net.Conn, 1)
	go func() {
		c, err := ln.Accept()
		if err != nil {
			t.Errorf("accepting: %v", err)
			close(accepted)
			return
		}
		c = tls.Server(c, serverConfig(t))
		accepted <- c
		reader.read(c)
	}()
	app, stop := runApp(t, network)
	// What follows belongs to the application's loop.
	var instance *tlsio.TLS
	p, left := make([]byte, writeSize), 0
	write := func(writable int) {
		for left > 0 && writable >= min(left, len(p)) {
			n := min(left, len(p))
			var err error
			if writable, err = instance.Write(p[:n]); err != nil {
				reader.fail(err)
				return
			}
			left -= n
		}
	}
	up := make(chan error, 1)
	told := false
	app.Post(func() {
		var err error
		instance, err = tlsio.NewTLS(app, tlsio.TLSClientOptions{
			Address: "127.0.0.1", Port: ln.Addr().(*net.TCPAddr).Port, TLS: clientOptions(t), NoDelay: true,
			OnWritable: func(_ *tlsio.TLS, n int) {
				if !told {
					told = true
					up <- nil
				}
				write(n)
			},
			OnError: func(_ *tlsio.TLS, err error) { reader.fail(err) }})
		if err != nil {
			up <- err
		}
	})
	if err := wait(up); err != nil {
		t.Fatal(err)
	}
	server := <-accepted
	return flow{
		send: func(n int) error {
			done := reader.expect(n)
			app.Post(func() { left += n; write(instance.Writable()) })
			return wait(done)
		},
		close: func() { instance.Close(); server.Close(); stop() },
	}
}

// readerFlow receives with a TLS instance what plain crypto/tls sends.
func readerFlow(t testing.TB, network tlsio.Network) flow {
	t.Helper()
	app, stop := runApp(t, network)
	reader := newCounter()
	buf := make([]byte, 2*writeSize)
	ln, err := tlsio.NewTLSListener(app, tlsio.TLSListenerOptions{Address: "127.0.0.1", TLS: serverOptions(t),
		OnReadable: func(l *tlsio.TLSListener, _ int) {
			accepted, err := l.Read()
			if err == nil && accepted != nil {
				_, err = tlsio.NewTLS(app, tlsio.TLSClientOptions{From: accepted,
					OnReadable: func(s *tlsio.TLS, _ int) {
						for {
							n, err := s.ReadInto(buf)
							if err != nil {
								reader.fail(err)
							}
							if n <= 0 {
								return
							}
							reader.add(n)
						}
					},
					OnError: func(s *tlsio.TLS, err error) { reader.fail(err); s.Close() }})
			}
			if err != nil {
				reader.fail(err)
			}
		}})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	port, err := ln.Port()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := network.DialContext(t.Context(), "tcp", join(port))
	if err != nil {
		t.Fatal(err)
	}
	client := tls.Client(raw, clientConfig(t))
	if err := client.HandshakeContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := reader.sent(1, client); err != nil { // the instance is there
		t.Fatal(err)
	}
	return flow{
		send:  func(n int) error { return reader.sent(n, client) },
		close: func() { client.Close(); stop() },
	}
}

func join(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
