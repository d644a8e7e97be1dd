package server

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ingot.dev/internal/pki"
	"ingot.dev/internal/testenv"
	"ingot.dev/tlsio"
	"ingot.dev/tlsio/internal/tlsiotest"
)

// testNetwork is the network that tests run on.
// Tests that talk to other programs use HostNetwork itself.
func testNetwork(t testing.TB) tlsio.Network {
	t.Helper()
	return tlsiotest.Network(t)
}

// limit is how long a test waits for what must come.
const limit = 2 * time.Minute

func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	return ctx
}

// valve is a network whose accepted connections write only while it is open.
type valve struct {
	tlsio.Network
	mu   sync.Mutex
	cond sync.Cond
	open bool
}

func newValve(t testing.TB) *valve {
	v := &valve{Network: testNetwork(t), open: true}
	v.cond.L = &v.mu
	return v
}

// set opens or closes the valve.
func (v *valve) set(open bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.open = open
	v.cond.Broadcast()
}

func (v *valve) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	ln, err := v.Network.Listen(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &valveListener{ln, v}, nil
}

type valveListener struct {
	net.Listener
	v *valve
}

func (l *valveListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &valveConn{Conn: conn, v: l.v}, nil
}

type valveConn struct {
	net.Conn
	v      *valve
	closed bool // guarded by v.mu; no more waiting
}

// SetWriteDeadline ends writes that wait, if its time is past.
func (c *valveConn) SetWriteDeadline(end time.Time) error {
	c.v.mu.Lock()
	c.closed = c.closed || !end.IsZero() && end.Before(time.Now())
	c.v.cond.Broadcast()
	c.v.mu.Unlock()
	return c.Conn.SetWriteDeadline(end)
}

func (c *valveConn) Write(p []byte) (int, error) {
	c.v.mu.Lock()
	for !c.v.open && !c.closed {
		c.v.cond.Wait()
	}
	shut := !c.v.open
	c.v.mu.Unlock()
	if shut { // whoever has ended the wait need not be through with closing
		return 0, os.ErrDeadlineExceeded
	}
	return c.Conn.Write(p)
}

func (c *valveConn) Close() error {
	c.v.mu.Lock()
	c.closed = true
	c.v.cond.Broadcast()
	c.v.mu.Unlock()
	return c.Conn.Close()
}

func (c *valveConn) CloseWrite() error { return c.Conn.(interface{ CloseWrite() error }).CloseWrite() }

// event is one call of a Handler as a test sees it.
type event struct {
	kind string
	id   string
	text string
	eol  bool
	err  error
	over chan struct{} // closed when the handler has returned
}

// bench is a server under test that records its events.
type bench struct {
	t testing.TB
	*Server
	events chan event
	mu     sync.Mutex
	busy   map[string]bool // connections in an event
}

// Events that only some tests look at.
const (
	noStatus = 1 << iota
	noReady
)

// newBench starts a server whose handler records, and then calls what handler has.
func newBench(t testing.TB, config Config, handler Handler, quiet int) *bench {
	t.Helper()
	return newBenchOn(t, testNetwork(t), config, handler, quiet)
}

func newBenchOn(t testing.TB, network tlsio.Network, config Config, handler Handler, quiet int) *bench {
	t.Helper()
	b := prepareOn(t, network, config, handler, quiet)
	if err := b.StartListening(within(t)); err != nil {
		t.Fatal(err)
	}
	return b
}

// prepare is newBench without listening.
func prepare(t testing.TB, config Config, handler Handler, quiet int) *bench {
	t.Helper()
	return prepareOn(t, testNetwork(t), config, handler, quiet)
}

func prepareOn(t testing.TB, network tlsio.Network, config Config, handler Handler, quiet int) *bench {
	t.Helper()
	leaks(t)
	b := &bench{t: t, events: make(chan event, 100000), busy: map[string]bool{}}
	own := handler
	handler.Connected = func(c *Connection, err error) {
		defer b.note(event{kind: "Connected", id: c.ID(), err: err})()
		if own.Connected != nil {
			own.Connected(c, err)
		}
	}
	handler.DataIn = func(c *Connection, data []byte, eol bool) {
		defer b.note(event{kind: "DataIn", id: c.ID(), text: string(data), eol: eol})()
		if own.DataIn != nil {
			own.DataIn(c, data, eol)
		}
	}
	handler.Disconnected = func(c *Connection, err error) {
		defer b.note(event{kind: "Disconnected", id: c.ID(), err: err})()
		if own.Disconnected != nil {
			own.Disconnected(c, err)
		}
	}
	handler.Error = func(c *Connection, err error) {
		e := event{kind: "Error", err: err}
		if c != nil {
			e.id = c.ID()
		}
		b.events <- e // within another event, if that has panicked
		if own.Error != nil {
			own.Error(c, err)
		}
	}
	if quiet&noReady == 0 {
		handler.ReadyToSend = func(c *Connection) {
			defer b.note(event{kind: "ReadyToSend", id: c.ID()})()
			if own.ReadyToSend != nil {
				own.ReadyToSend(c)
			}
		}
	}
	if quiet&noStatus == 0 {
		handler.TLSStatus = func(c *Connection, message string) {
			defer b.note(event{kind: "TLSStatus", id: c.ID(), text: message})()
			if own.TLSStatus != nil {
				own.TLSStatus(c, message)
			}
		}
	}
	var err error
	if b.Server, err = New(network, config, handler); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// note records an event and returns what to call at its end. Events of a connection
// must not overlap.
func (b *bench) note(e event) func() {
	b.mu.Lock()
	if b.busy[e.id] {
		b.t.Errorf("%s of connection %s while another event runs", e.kind, e.id)
	}
	b.busy[e.id] = true
	b.mu.Unlock()
	e.over = make(chan struct{})
	b.events <- e
	return func() {
		defer close(e.over)
		b.mu.Lock()
		delete(b.busy, e.id)
		b.mu.Unlock()
	}
}

// next returns the next event, which must be of kind.
func (b *bench) next(kind string) event {
	b.t.Helper()
	select {
	case e := <-b.events:
		if e.kind != kind {
			b.t.Fatalf("got %+v, want %s", e, kind)
		}
		return e
	case <-time.After(limit):
		b.t.Fatalf("no %s", kind)
		return event{}
	}
}

// skipTo returns the next event of kind, whatever comes before.
func (b *bench) skipTo(kind string) event {
	b.t.Helper()
	for {
		select {
		case e := <-b.events:
			if e.kind == kind {
				return e
			}
		case <-time.After(limit):
			b.t.Fatalf("no %s", kind)
		}
	}
}

// quiet fails if an event comes in a while.
func (b *bench) quiet() {
	b.t.Helper()
	select {
	case e := <-b.events:
		b.t.Fatalf("unexpected %+v", e)
	case <-time.After(50 * time.Millisecond):
	}
}

// address is where the bench's server can be reached.
func (b *bench) address() string {
	b.t.Helper()
	return fmt.Sprintf("127.0.0.1:%d", b.LocalPort())
}

// client is the other end of a connection.
type client struct {
	net.Conn
	t testing.TB
	r *bufio.Reader
}

// dial connects to the bench, in plain text.
func (b *bench) dial() *client {
	b.t.Helper()
	return dial(b.t, b.address())
}

func dial(t testing.TB, address string) *client {
	t.Helper()
	conn, err := testNetwork(t).DialContext(within(t), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return newClient(t, conn)
}

func newClient(t testing.TB, conn net.Conn) *client {
	conn.SetDeadline(time.Now().Add(limit))
	t.Cleanup(func() { conn.Close() })
	return &client{Conn: conn, t: t, r: bufio.NewReader(conn)}
}

// dialTLS connects to the bench and shakes hands.
func (b *bench) dialTLS(config *tls.Config) *client {
	b.t.Helper()
	return b.dial().secure(config)
}

// secure shakes hands on a connection in plain text.
func (c *client) secure(config *tls.Config) *client {
	c.t.Helper()
	conn := tls.Client(c.Conn, config)
	if err := conn.HandshakeContext(within(c.t)); err != nil {
		c.t.Fatal(err)
	}
	return newClient(c.t, conn)
}

func (c *client) send(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		c.t.Fatal(err)
	}
}

// line reads a line, without its end.
func (c *client) line() string {
	c.t.Helper()
	s, err := c.r.ReadString('\n')
	if err != nil {
		c.t.Fatalf("reading a line: %v after %q", err, s)
	}
	return strings.TrimRight(s, "\r\n")
}

func (c *client) read(n int) string {
	c.t.Helper()
	p := make([]byte, n)
	if _, err := io.ReadFull(c.r, p); err != nil {
		c.t.Fatal(err)
	}
	return string(p)
}

// ended reads up to the end; clean is whether it was one without a reset.
func (c *client) ended() (rest string, clean bool) {
	c.t.Helper()
	p, err := io.ReadAll(c.r)
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		c.t.Fatal("the connection doesn't end")
	}
	return string(p), err == nil
}

// open connects, and returns both ends, past Connected and ReadyToSend.
func (b *bench) open() (*Connection, *client) {
	b.t.Helper()
	cl := b.dial()
	return b.opened(), cl
}

// opened is the connection whose Connected comes next, after its handler.
func (b *bench) opened() *Connection {
	b.t.Helper()
	e := b.skipTo("Connected")
	if e.err != nil {
		b.t.Fatal(e.err)
	}
	<-e.over
	c, err := b.Connection(e.id)
	if err != nil {
		b.t.Fatal(err)
	}
	return c
}

// wait polls until f is true.
func wait(t testing.TB, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if f() {
			return
		}
	}
	t.Fatalf("never came true: %s", what)
}

// wantCode checks an error's number.
func wantCode(t testing.TB, err error, code Code) {
	t.Helper()
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Code != code {
		t.Errorf("got %v, want number %d", err, int(code))
	}
}

// leaks fails t if, at its end, goroutines of this package are still running.
func leaks(t testing.TB) {
	t.Helper()
	testenv.NoLeaks(t, "ingot.dev/tlsio/server.")
}

// world is the PKI that tests use.
type world struct {
	ca, other           *pki.Credential
	server, rsa, client *pki.Credential
	rogue, expired      *pki.Credential
}

var theWorld = sync.OnceValues(func() (w world, err error) {
	var errs []error
	must := func(c *pki.Credential, err error) *pki.Credential {
		errs = append(errs, err)
		return c
	}
	names := pki.Template{CommonName: "server.test", DNSNames: []string{"server.test"}, IPs: []net.IP{net.IPv4(127, 0, 0, 1)}}
	w.ca = must(pki.NewAuthority(pki.Template{CommonName: "test CA"}))
	w.other = must(pki.NewAuthority(pki.Template{CommonName: "other CA"}))
	if err := errors.Join(errs...); err != nil {
		return w, err
	}
	w.server = must(w.ca.Issue(names))
	names.Algorithm = pki.RSA2048
	w.rsa = must(w.ca.Issue(names))
	w.client = must(w.ca.Issue(pki.Template{CommonName: "client.test", DNSNames: []string{"client.test"}}))
	w.rogue = must(w.other.Issue(pki.Template{CommonName: "rogue.test", DNSNames: []string{"rogue.test"}}))
	w.expired = must(w.ca.Issue(pki.Template{CommonName: "old.test", DNSNames: []string{"old.test"},
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(-24 * time.Hour)}))
	return w, errors.Join(errs...)
})

func testPKI(t testing.TB) world {
	t.Helper()
	w, err := theWorld()
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// serverTLS are options of a server with the test's certificate.
func serverTLS(t testing.TB, more ...*pki.Credential) tlsio.TLSOptions {
	t.Helper()
	o := tlsio.TLSOptions{HandshakeTimeout: limit} // an emulated board takes its time
	for _, c := range append([]*pki.Credential{testPKI(t).server}, more...) {
		key, err := c.KeyDER()
		if err != nil {
			t.Fatal(err)
		}
		o.ServerCertificate = append(o.ServerCertificate, c.DER())
		o.ServerKey = append(o.ServerKey, key)
	}
	return o
}

// clientTLS is a client that trusts the test's CA, and shows certs for itself.
func clientTLS(t testing.TB, certs ...*pki.Credential) *tls.Config {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AddCert(testPKI(t).ca.Cert)
	c := &tls.Config{ServerName: "server.test", RootCAs: pool}
	for _, cert := range certs {
		pair := cert.TLS()
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	return c
}

func ids(all []*Connection) []string {
	var list []string
	for _, c := range all {
		list = append(list, c.ID())
	}
	return slices.Clip(list)
}
