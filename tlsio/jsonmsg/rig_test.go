package jsonmsg

import (
	"bufio"
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"ingot.dev/internal/pki"
	"ingot.dev/internal/testenv"
	"ingot.dev/tlsio"
)

// limit is how long a test waits for what must happen.
const limit = 2 * time.Minute

// soon is how long a test waits for what must not happen.
const soon = 50 * time.Millisecond

func timeout(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	return ctx
}

// leaks fails t if, at its end, goroutines of this package or of tlsio are left.
func leaks(t testing.TB) {
	t.Helper()
	testenv.NoLeaks(t, ours)
}

// ours is how the packages begin whose goroutines are watched.
const ours = "ingot.dev/tlsio"

type world struct {
	ca, server      *pki.Credential
	cert, key, root []byte
}

// certificates are for "server.test" and 127.0.0.1.
var certificates = sync.OnceValue(func() *world {
	must := func(c *pki.Credential, err error) *pki.Credential {
		if err != nil {
			panic(err)
		}
		return c
	}
	w := &world{}
	w.ca = must(pki.NewAuthority(pki.Template{CommonName: "test CA"}))
	w.server = must(w.ca.Issue(pki.Template{CommonName: "server.test", DNSNames: []string{"server.test", "localhost"},
		IPs: []net.IP{net.IPv4(127, 0, 0, 1)}, Usages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}))
	w.cert, w.root = w.server.DER(), w.ca.DER()
	var err error
	if w.key, err = w.server.KeyDER(); err != nil {
		panic(err)
	}
	return w
})

func serverTLS() tlsio.TLSOptions {
	w := certificates()
	return tlsio.TLSOptions{ServerCertificate: [][]byte{w.cert}, ServerKey: [][]byte{w.key}}
}

func clientTLS() tlsio.TLSOptions {
	return tlsio.TLSOptions{CA: [][]byte{certificates().root}}
}

// note is what a handler was told.
type note struct {
	kind string
	id   uint64
	body string
	err  error
	r    *Responder
	n    int
}

type notes struct {
	t  testing.TB
	ch chan note
}

func newNotes(t testing.TB) notes { return notes{t, make(chan note, 10000)} }

func (n notes) add(x note) {
	select {
	case n.ch <- x:
	default:
		n.t.Error("too many notes")
	}
}

// next waits for the next note, which must be of one of the kinds.
func (n notes) next(kinds ...string) note {
	n.t.Helper()
	select {
	case x := <-n.ch:
		for _, k := range kinds {
			if x.kind == k {
				return x
			}
		}
		n.t.Fatalf("%s: id %d, %.100s, %v; want %v", x.kind, x.id, x.body, x.err, kinds)
	case <-time.After(limit):
		n.t.Fatalf("no %v", kinds)
	}
	panic("not reached")
}

// find waits for a note of the kind, passing others over.
func (n notes) find(kind string) note {
	n.t.Helper()
	end := time.After(limit)
	for {
		select {
		case x := <-n.ch:
			if x.kind == kind {
				return x
			}
		case <-end:
			n.t.Fatalf("no %s", kind)
		}
	}
}

// quiet checks that there is no note.
func (n notes) quiet() {
	n.t.Helper()
	select {
	case x := <-n.ch:
		n.t.Errorf("unexpected %s: id %d, %.100s, %v", x.kind, x.id, x.body, x.err)
	case <-time.After(soon):
	}
}

// testServer is a server whose handlers take notes.
type testServer struct {
	*Server
	notes
	addr string
	port int
}

const kitty = "this string is a password, change it"

func newTestServer(t testing.TB, change func(*ServerOptions)) *testServer {
	t.Helper()
	return newTestServerOn(t, testNetwork(t), "127.0.0.1:0", change)
}

func newTestServerOn(t testing.TB, network tlsio.Network, address string, change func(*ServerOptions)) *testServer {
	t.Helper()
	leaks(t)
	s := &testServer{notes: newNotes(t)}
	o := ServerOptions{
		TLS:      serverTLS(),
		Password: kitty,
		OnAuthenticated: func(_ *Server, id uint64, conn *tlsio.Conn) {
			s.add(note{kind: "authenticated", id: id, body: conn.RemoteAddr().String()})
		},
		OnMessage: func(_ *Server, id uint64, m json.RawMessage) {
			s.add(note{kind: "message", id: id, body: string(m)})
		},
		OnRequest: func(_ *Server, id uint64, m json.RawMessage, r *Responder) {
			s.add(note{kind: "request", id: id, body: string(m), r: r})
		},
		OnClose:   func(_ *Server, id uint64, err error) { s.add(note{kind: "close", id: id, err: err}) },
		OnError:   func(_ *Server, id uint64, err error) { s.add(note{kind: "error", id: id, err: err}) },
		OnTimeout: func(_ *Server, id uint64) { s.add(note{kind: "timeout", id: id}) },
		OnRefused: func(_ *Server, a net.Addr, err error) { s.add(note{kind: "refused", body: a.String(), err: err}) },
	}
	if change != nil {
		change(&o)
	}
	var err error
	if s.Server, err = NewServer(o); err != nil {
		t.Fatal(err)
	}
	ln, err := s.Listen(timeout(t), network, address)
	if err != nil {
		t.Fatal(err)
	}
	s.addr = ln.Addr().String()
	fmt.Sscanf(s.addr[strings.LastIndex(s.addr, ":")+1:], "%d", &s.port)
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		if err := <-served; err != ErrServerClosed {
			t.Errorf("Serve: %v", err)
		}
		if st := s.Stats(); st.Clients != 0 || st.Memory != 0 {
			t.Errorf("left at the end: %+v", st)
		}
	})
	return s
}

// testClient is a client whose handlers take notes.
type testClient struct {
	*Client
	notes
}

func newTestClient(t testing.TB, port int, change func(*ClientOptions)) *testClient {
	t.Helper()
	return newTestClientOn(t, testNetwork(t), port, change)
}

func newTestClientOn(t testing.TB, network tlsio.Network, port int, change func(*ClientOptions)) *testClient {
	t.Helper()
	leaks(t)
	c := &testClient{notes: newNotes(t)}
	o := ClientOptions{
		TLS: clientTLS(), Host: "server.test", Address: "127.0.0.1", Port: port, Password: kitty,
		OnAuthenticated: func(*Client) { c.add(note{kind: "authenticated"}) },
		OnMessage:       func(_ *Client, m json.RawMessage) { c.add(note{kind: "message", body: string(m)}) },
		OnRequest: func(_ *Client, m json.RawMessage, r *Responder) {
			c.add(note{kind: "request", body: string(m), r: r})
		},
		OnClose:            func(_ *Client, err error) { c.add(note{kind: "close", err: err}) },
		OnError:            func(_ *Client, err error) { c.add(note{kind: "error", err: err}) },
		OnReconnectAttempt: func(_ *Client, n int) { c.add(note{kind: "reconnect", n: n}) },
	}
	if change != nil {
		change(&o)
	}
	var err error
	if c.Client, err = NewClient(network, o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Disconnect()
		c.wg.Wait()
		if st := c.Stats(); st.Memory != 0 {
			t.Errorf("left at the end: %+v", st)
		}
	})
	return c
}

// pair is a server with one authenticated client.
func pair(t testing.TB, server func(*ServerOptions), client func(*ClientOptions)) (*testServer, *testClient, uint64) {
	t.Helper()
	s := newTestServer(t, server)
	c := newTestClient(t, s.port, client)
	c.next("authenticated")
	return s, c, s.next("authenticated").id
}

// peer is a connection under a test's own hand.
type peer struct {
	t    testing.TB
	conn net.Conn
	r    *bufio.Reader
}

func dialPeer(t testing.TB, port int) *peer {
	t.Helper()
	return dialPeerOn(t, testNetwork(t), port)
}

func dialPeerOn(t testing.TB, network tlsio.Network, port int) *peer {
	t.Helper()
	o := clientTLS()
	o.Host = "server.test"
	c, err := tlsio.Dial(timeout(t), network, fmt.Sprintf("127.0.0.1:%d", port), o)
	if err != nil {
		t.Fatal(err)
	}
	return newPeer(t, c)
}

func newPeer(t testing.TB, c net.Conn) *peer {
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(limit))
	return &peer{t, c, bufio.NewReader(c)}
}

// loginPeer is a peer that has authenticated.
func loginPeer(t testing.TB, port int) *peer {
	t.Helper()
	return loginPeerOn(t, testNetwork(t), port)
}

func loginPeerOn(t testing.TB, network tlsio.Network, port int) *peer {
	t.Helper()
	p := dialPeerOn(t, network, port)
	p.write(`{"password":"` + kitty + `"}` + "\n")
	p.want(`{"authenticated":true}`)
	return p
}

func (p *peer) write(s string) {
	p.t.Helper()
	if _, err := p.conn.Write([]byte(s)); err != nil {
		p.t.Fatal(err)
	}
}

func (p *peer) line() string {
	p.t.Helper()
	s, err := p.r.ReadString('\n')
	if err != nil {
		p.t.Fatalf("%v after %q", err, s)
	}
	return strings.TrimSuffix(s, "\n")
}

func (p *peer) want(line string) {
	p.t.Helper()
	if got := p.line(); got != line {
		p.t.Fatalf("got %q, want %q", got, line)
	}
}

// ended waits for the end of the connection and returns what came before it.
func (p *peer) ended() string {
	p.t.Helper()
	var b strings.Builder
	_, err := p.r.WriteTo(&b)
	if e, ok := err.(net.Error); ok && e.Timeout() {
		p.t.Fatal("the connection doesn't end")
	}
	return b.String()
}

// peerServer accepts connections for a test to answer by hand.
type peerServer struct {
	t    testing.TB
	ln   net.Listener
	port int
}

func newPeerServer(t testing.TB) *peerServer {
	t.Helper()
	return newPeerServerOn(t, testNetwork(t))
}

func newPeerServerOn(t testing.TB, network tlsio.Network) *peerServer {
	t.Helper()
	leaks(t)
	ln, err := tlsio.Listen(timeout(t), network, "127.0.0.1:0", serverTLS())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	s := &peerServer{t: t, ln: ln}
	addr := ln.Addr().String()
	fmt.Sscanf(addr[strings.LastIndex(addr, ":")+1:], "%d", &s.port)
	return s
}

func (s *peerServer) accept() *peer {
	s.t.Helper()
	type result struct {
		c   net.Conn
		err error
	}
	ch := make(chan result, 1)
	go func() {
		c, err := s.ln.Accept()
		ch <- result{c, err}
	}()
	select {
	case r := <-ch:
		if r.err != nil {
			s.t.Fatal(r.err)
		}
		return newPeer(s.t, r.c)
	case <-time.After(limit):
		s.t.Fatal("no connection")
	}
	panic("not reached")
}

// login accepts a client and authenticates it.
func (s *peerServer) login() *peer {
	s.t.Helper()
	p := s.accept()
	p.want(`{"password":"` + kitty + `"}`)
	p.write(`{"authenticated":true}` + "\n")
	return p
}

// wait waits until f says yes.
func wait(t testing.TB, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no %s", what)
		}
	}
}
