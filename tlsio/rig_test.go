package tlsio

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ingot.dev/internal/testenv"
)

// rig is an application whose loop runs until the test ends.
type rig struct {
	t     testing.TB
	app   *App
	busy  atomic.Int32 // callbacks running: never above 1
	calls chan call
}

// call is one callback as the test sees it.
type call struct {
	who  any // the instance
	kind string
	n    int
	err  error
}

func newRig(t testing.TB) *rig { return newRigOn(t, testNetwork(t)) }

func newRigOn(t testing.TB, network Network) *rig {
	leaks(t)
	r := &rig{t: t, app: NewApp(network), calls: make(chan call, 100000)}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := r.app.Run(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Run returned %v", err)
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	return r
}

// do runs f in the loop and waits for it.
func (r *rig) do(f func()) {
	done := make(chan struct{})
	r.app.Post(func() {
		r.enter()
		defer r.leave()
		defer close(done)
		f()
	})
	select {
	case <-done:
	case <-time.After(limit):
		r.t.Fatal("the loop is stuck")
	}
}

func (r *rig) enter() {
	if r.busy.Add(1) != 1 {
		r.t.Error("two callbacks at once")
	}
}
func (r *rig) leave() { r.busy.Add(-1) }

// note is a callback that records.
func (r *rig) note(kind string, who any, n int, err error) {
	r.enter()
	defer r.leave()
	r.calls <- call{who, kind, n, err}
}

// next returns the next callback, which must be of kind.
func (r *rig) next(kind string) call {
	r.t.Helper()
	select {
	case c := <-r.calls:
		if c.kind != kind {
			r.t.Fatalf("got %s(%d, %v), want %s", c.kind, c.n, c.err, kind)
		}
		return c
	case <-time.After(limit):
		r.t.Fatalf("no %s", kind)
		return call{}
	}
}

// skipTo returns the next callback of kind, whatever comes before.
func (r *rig) skipTo(kind string) call {
	r.t.Helper()
	for {
		select {
		case c := <-r.calls:
			if c.kind == kind {
				return c
			}
		case <-time.After(limit):
			r.t.Fatalf("no %s", kind)
		}
	}
}

// quiet fails if a callback comes in a while.
func (r *rig) quiet() {
	r.t.Helper()
	select {
	case c := <-r.calls:
		r.t.Fatalf("unexpected %s(%d, %v)", c.kind, c.n, c.err)
	case <-time.After(50 * time.Millisecond):
	}
}

// tcp fills in callbacks that record.
func (r *rig) tcp(o TCPOptions) TCPOptions {
	o.OnReadable = func(t *TCP, n int) { r.note("readable", t, n, nil) }
	o.OnWritable = func(t *TCP, n int) { r.note("writable", t, n, nil) }
	o.OnError = func(t *TCP, err error) { r.note("error", t, 0, err) }
	return o
}

func (r *rig) tls(o TLSClientOptions) TLSClientOptions {
	o.OnReadable = func(t *TLS, n int) { r.note("readable", t, n, nil) }
	o.OnWritable = func(t *TLS, n int) { r.note("writable", t, n, nil) }
	o.OnError = func(t *TLS, err error) { r.note("error", t, 0, err) }
	return o
}

// local is a plain listener for the peer's side.
func local(t testing.TB) (ln net.Listener, address string, port int) {
	t.Helper()
	ln = testListen(t)
	return ln, "127.0.0.1", ln.Addr().(*net.TCPAddr).Port
}

func accept(t testing.TB, ln net.Listener) net.Conn {
	t.Helper()
	c, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(limit))
	t.Cleanup(func() { c.Close() })
	return c
}

// tcpPair is a connected TCP, past its first OnWritable, and its peer.
func (r *rig) tcpPair(o TCPOptions) (*TCP, net.Conn) {
	r.t.Helper()
	ln, address, port := local(r.t)
	o.Address, o.Port = address, port
	sock, err := NewTCP(r.app, r.tcp(o))
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { sock.Close() })
	peer := accept(r.t, ln)
	r.next("writable")
	return sock, peer
}

// tlsPair is tcpPair for TLS; the peer is crypto/tls's.
func (r *rig) tlsPair(o TLSClientOptions, change func(*tls.Config)) (*TLS, *tls.Conn) {
	r.t.Helper()
	ln, address, port := local(r.t)
	o.Address, o.Port = address, port
	if o.TLS.isZero() {
		o.TLS = clientOptions(r.t)
	}
	sock, err := NewTLS(r.app, r.tls(o))
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { sock.Close() })
	peer := r.serve(accept(r.t, ln), change)
	r.next("writable")
	return sock, peer
}

// serve does the server's handshake on raw.
func (r *rig) serve(raw net.Conn, change func(*tls.Config)) *tls.Conn {
	r.t.Helper()
	w := pki(r.t)
	config := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{w.server.cert}, PrivateKey: w.server.signer}}}
	if change != nil {
		change(config)
	}
	peer := tls.Server(raw, config)
	if err := peer.Handshake(); err != nil {
		r.t.Fatalf("server handshake: %v", err)
	}
	return peer
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

// wantOption checks that err refuses exactly the options named, with a fix each.
func wantOption(t testing.TB, err error, options ...string) {
	t.Helper()
	e := wantError(t, err, StageOptions, Alert{})
	var got []string
	for _, o := range testenv.AllErrors[*OptionError](e) {
		got = append(got, o.Option)
		if text := o.Error(); o.Fix == "" || !strings.Contains(text, o.Option) || o.Value != nil && !strings.Contains(text, fmt.Sprint(o.Value)) {
			t.Errorf("incomplete: %v", o)
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(options) {
		t.Errorf("refused %q, want %q:\n%v", got, options, err)
	}
}

// readAll reads n bytes from peer.
func readAll(t testing.TB, peer io.Reader, n int) []byte {
	t.Helper()
	p := make([]byte, n)
	if _, err := io.ReadFull(peer, p); err != nil {
		t.Fatalf("peer's read: %v", err)
	}
	return p
}

// tap is testNetwork, and records what happens to sockets.
type tap struct {
	Network
	dials, listens atomic.Int32
	last           atomic.Pointer[tapConn]
}

func newTap(t testing.TB) *tap { return &tap{Network: testNetwork(t)} }

// tcpConn is what both networks' connections offer.
type tcpConn interface {
	net.Conn
	noDelayer
	keepAliver
	CloseWrite() error
}

type tapConn struct {
	tcpConn
	noDelay   atomic.Int32 // 0 unset, 1 off, 2 on
	keepAlive atomic.Pointer[net.KeepAliveConfig]
}

func (n *tap) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	n.dials.Add(1)
	c, err := n.Network.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	tc := &tapConn{tcpConn: c.(tcpConn)}
	n.last.Store(tc)
	return tc, nil
}

func (n *tap) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	n.listens.Add(1)
	return n.Network.Listen(ctx, network, address)
}

func (c *tapConn) SetNoDelay(on bool) error {
	c.noDelay.Store(1)
	if on {
		c.noDelay.Store(2)
	}
	return c.tcpConn.SetNoDelay(on)
}

func (c *tapConn) SetKeepAliveConfig(k net.KeepAliveConfig) error {
	c.keepAlive.Store(&k)
	return c.tcpConn.SetKeepAliveConfig(k)
}

func itoa(n int) string { return fmt.Sprint(n) }
