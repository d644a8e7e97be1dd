package tlsio

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"ingot.dev/internal/rawtls"
)

// Peers may send records without data: OpenSSL does in TLS 1.0 (tlsio/interop tries
// that), and TLS 1.3 has records that are all padding, against who counts bytes.
// crypto/tls takes 16 in a row.
const mostEmpty = 16

// protections are what such records can be protected by.
var protections = []struct {
	name    string
	version uint16
	suite   uint16
	padding int
}{
	{"TLS 1.3", tls.VersionTLS13, 0, 0},
	{"TLS 1.3 padded", tls.VersionTLS13, 0, 300},
	{"TLS 1.3 full of padding", tls.VersionTLS13, 0, rawtls.MaxData},
	{"TLS 1.2 AES-GCM", tls.VersionTLS12, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, 0},
	{"TLS 1.2 AES-CBC", tls.VersionTLS12, tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, 0},
}

// rawClient is a peer of a listener of ours.
func rawClient(t testing.TB, addr string, version, suite uint16) *rawtls.Peer {
	t.Helper()
	conn := testDial(t, addr)
	conn.SetDeadline(time.Now().Add(limit))
	roots := x509.NewCertPool()
	roots.AddCert(pki(t).ca.cert)
	p, err := rawtls.Client(timeout(t), conn, &tls.Config{ServerName: "server.test", RootCAs: roots, MaxVersion: version, CipherSuites: []uint16{suite}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// rawServer is what a client of ours connects to: its address, and what it becomes.
func rawServer(t testing.TB, version, suite uint16) (addr net.Addr, shaken <-chan *rawtls.Peer) {
	t.Helper()
	w := pki(t)
	ln := testListen(t)
	done := make(chan *rawtls.Peer, 1)
	go func() {
		defer close(done)
		conn, err := ln.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		t.Cleanup(func() { conn.Close() })
		conn.SetDeadline(time.Now().Add(limit))
		p, err := rawtls.Server(timeout(t), conn, &tls.Config{MaxVersion: version, CipherSuites: []uint16{suite},
			Certificates: []tls.Certificate{{Certificate: [][]byte{w.server.cert}, PrivateKey: w.server.signer}}})
		if err != nil {
			t.Error(err)
			return
		}
		done <- p
	}()
	return ln.Addr(), done
}

// rawPair is a Conn of ours, of either role, and its peer.
func rawPair(t testing.TB, server bool, version, suite uint16) (*Conn, *rawtls.Peer) {
	t.Helper()
	var ours *Conn
	var peer *rawtls.Peer
	if server {
		so := serverOptions(t)
		so.NoSessions = true
		ln := listen(t, so)
		accepted := make(chan *Conn, 1)
		go func() {
			defer close(accepted)
			if c, err := ln.Accept(); err == nil {
				accepted <- c.(*Conn)
			}
		}()
		peer = rawClient(t, ln.Addr().String(), version, suite)
		ours = <-accepted
	} else {
		addr, shaken := rawServer(t, version, suite)
		conn, err := Dial(timeout(t), testNetwork(t), addr.String(), clientOptions(t))
		if err != nil {
			t.Fatal(err)
		}
		ours, peer = conn.(*Conn), <-shaken
	}
	if ours == nil || peer == nil {
		t.Fatal("not connected")
	}
	t.Cleanup(func() { ours.Close() })
	ours.SetDeadline(time.Now().Add(limit))
	return ours, peer
}

// amidst puts empty records everywhere between pieces of data, as many in a row as are
// allowed, and returns the data too.
func amidst(padding int) (records []rawtls.Record, data string) {
	empty := rawtls.Record{Padding: padding}
	add := func(n int, piece string) {
		records = append(records, rawtls.Repeat(empty, n)...)
		records = append(records, rawtls.Text(piece))
		data += piece
	}
	add(3, "first")
	add(mostEmpty, "second")
	add(1, strings.Repeat("0123456789abcdef", rawtls.MaxData/16)) // a full record
	add(0, "x")
	add(mostEmpty, "last")
	return append(records, empty, empty), data
}

// onProtections calls f with each protection, in both roles of ours.
func onProtections(t *testing.T, f func(t *testing.T, server bool, version, suite uint16, padding int)) {
	for _, p := range protections {
		for _, server := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s server=%v", p.name, server), func(t *testing.T) { f(t, server, p.version, p.suite, p.padding) })
		}
	}
}

func TestEmptyRecordsConn(t *testing.T) {
	leaks(t)
	reads := map[string]func(c *Conn) (string, error){
		"Read": func(c *Conn) (string, error) {
			var all []byte
			p := make([]byte, 5000)
			for {
				n, err := c.Read(p)
				if n == 0 && err == nil {
					return "", errors.New("Read returned 0 and no error")
				}
				all = append(all, p[:n]...)
				if err == io.EOF {
					return string(all), nil
				} else if err != nil {
					return string(all), err
				}
			}
		},
		"WriteTo": func(c *Conn) (string, error) {
			var b strings.Builder
			_, err := c.WriteTo(&b)
			return b.String(), err
		},
	}
	onProtections(t, func(t *testing.T, server bool, version, suite uint16, padding int) {
		for name, read := range reads {
			c, peer := rawPair(t, server, version, suite)
			records, want := amidst(padding)
			sent := make(chan error, 1)
			go func() { sent <- peer.Send(append(records, rawtls.CloseNotify())...) }()
			got, err := read(c)
			if got != want || err != nil || !c.CloseNotifyReceived() {
				t.Errorf("%s: %d bytes of %d, %v, close_notify %v", name, len(got), len(want), err, c.CloseNotifyReceived())
			}
			if err := <-sent; err != nil {
				t.Error(err)
			}
			c.Close()
		}
	})
}

// One more than allowed ends the connection: what came before is read, the error says
// what is the matter, and so does the alert to the peer.
func TestTooManyEmptyRecordsConn(t *testing.T) {
	leaks(t)
	onProtections(t, func(t *testing.T, server bool, version, suite uint16, padding int) {
		c, peer := rawPair(t, server, version, suite)
		sent := make(chan error, 1)
		go func() {
			sent <- peer.Send(append([]rawtls.Record{rawtls.Text("before")}, append(rawtls.Repeat(rawtls.Record{Padding: padding}, mostEmpty+1), rawtls.Text("after"))...)...)
		}()
		got := make([]byte, len("before"))
		if _, err := io.ReadFull(c, got); err != nil || string(got) != "before" {
			t.Fatalf("%q, %v", got, err)
		}
		for range 2 { // and it stays so
			n, err := c.Read(got)
			tooManyEmpty(t, err)
			if n != 0 {
				t.Errorf("read %d bytes behind them", n)
			}
		}
		if err := <-sent; err != nil {
			t.Error(err)
		}
		if _, err := peer.Read(got); err == nil || !strings.Contains(err.Error(), "unexpected message") {
			t.Errorf("the peer was told %v", err)
		}
	})
}

func tooManyEmpty(t testing.TB, err error) {
	t.Helper()
	e := wantError(t, err, StageRead, Alert{AlertSent, 10})
	if !strings.Contains(e.Error(), "without data") || !strings.Contains(e.Error(), "unexpected_message") {
		t.Errorf("it doesn't say what is the matter: %v", e)
	}
}

// rawPair makes a TLS of either role on r, past its first OnWritable, and its peer.
func (r *rig) rawPair(server bool, version, suite uint16) (*TLS, *rawtls.Peer) {
	r.t.Helper()
	var sock *TLS
	var peer *rawtls.Peer
	if server {
		so := serverOptions(r.t)
		so.NoSessions = true
		accepted := make(chan *TLS, 1)
		ln, err := NewTLSListener(r.app, TLSListenerOptions{Address: "127.0.0.1", TLS: so, Connection: Handlers[*TLS]{
			OnReadable: func(t *TLS, n int) { r.note("readable", t, n, nil) },
			OnWritable: func(t *TLS, n int) { r.note("writable", t, n, nil) },
			OnError:    func(t *TLS, err error) { r.note("error", t, 0, err) },
		}, OnReadable: func(l *TLSListener, n int) {
			for range n {
				s, err := l.Read()
				if err != nil {
					r.t.Error(err)
					return
				}
				accepted <- s
			}
		}})
		if err != nil {
			r.t.Fatal(err)
		}
		r.t.Cleanup(func() { ln.Close() })
		port, err := ln.Port()
		if err != nil {
			r.t.Fatal(err)
		}
		peer = rawClient(r.t, fmt.Sprintf("127.0.0.1:%d", port), version, suite)
		select {
		case sock = <-accepted:
		case <-time.After(limit):
			r.t.Fatal("not accepted")
		}
	} else {
		addr, shaken := rawServer(r.t, version, suite)
		o := r.tls(TLSClientOptions{TLS: clientOptions(r.t)})
		o.Address, o.Port = "127.0.0.1", int(addrPort(addr).Port())
		var err error
		if sock, err = NewTLS(r.app, o); err != nil {
			r.t.Fatal(err)
		}
		if peer = <-shaken; peer == nil {
			r.t.Fatal("not connected")
		}
	}
	r.t.Cleanup(func() { sock.Close() })
	r.next("writable")
	return sock, peer
}

// The classes don't tell of records without data, lose nothing between them, and take
// none for an end.
func TestEmptyRecordsTLS(t *testing.T) {
	onProtections(t, func(t *testing.T, server bool, version, suite uint16, padding int) {
		r := newRig(t)
		sock, peer := r.rawPair(server, version, suite)
		// Between two lines of an exchange: whatever the empty ones cause has been
		// told before the answer to the next byte.
		for _, text := range []string{"a", "b", "c"} {
			if err := peer.Send(append(rawtls.Repeat(rawtls.Record{Padding: padding}, mostEmpty), rawtls.Text(text))...); err != nil {
				t.Fatal(err)
			}
			if c := r.next("readable"); c.n != 1 {
				t.Fatalf("OnReadable(%d)", c.n)
			}
			if p, err := sock.ReadAvailable(); string(p) != text || err != nil {
				t.Fatalf("read %q, %v", p, err)
			}
		}
		records, want := amidst(padding)
		sent := make(chan error, 1)
		go func() { sent <- peer.Send(append(records, rawtls.CloseNotify())...) }()
		var got []byte
		for {
			var c call
			select {
			case c = <-r.calls:
			case <-time.After(limit):
				t.Fatal("nothing comes")
			}
			if c.kind == "error" {
				if !errors.Is(c.err, io.EOF) {
					t.Error(c.err)
				}
				break
			}
			if c.kind != "readable" || c.n == 0 {
				t.Fatalf("%s(%d)", c.kind, c.n)
			}
			r.do(func() { // not beside a callback that is on its way
				p, err := sock.ReadAvailable()
				if err != nil && !errors.Is(err, ErrFailed) {
					t.Error(err)
				}
				got = append(got, p...)
			})
		}
		if string(got) != want {
			t.Errorf("read %d bytes, want %d", len(got), len(want))
		}
		if err := <-sent; err != nil {
			t.Error(err)
		}
		r.quiet()
	})
}

// Too many fail the one instance, after what it has been sent before.
func TestTooManyEmptyRecordsTLS(t *testing.T) {
	onProtections(t, func(t *testing.T, server bool, version, suite uint16, padding int) {
		r := newRig(t)
		other, otherPeer := r.rawPair(server, version, suite)
		sock, peer := r.rawPair(server, version, suite)
		sent := make(chan error, 1)
		go func() {
			sent <- peer.Send(append([]rawtls.Record{rawtls.Text("before")}, rawtls.Repeat(rawtls.Record{Padding: padding}, mostEmpty+1)...)...)
		}()
		if c := r.next("readable"); c.n != len("before") {
			t.Fatalf("OnReadable(%d)", c.n)
		}
		if err := <-sent; err != nil {
			t.Fatal(err)
		}
		// OnError waits for the reading.
		if p, err := sock.ReadAvailable(); string(p) != "before" || err != nil {
			t.Fatalf("read %q, %v", p, err)
		}
		c := r.next("error")
		if c.who != sock {
			t.Error("another instance failed")
		}
		tooManyEmpty(t, c.err)
		if err := otherPeer.Send(rawtls.Text("still here")); err != nil {
			t.Fatal(err)
		}
		if c := r.next("readable"); c.who != other {
			t.Error("another instance reads")
		}
		if p, err := other.ReadAvailable(); string(p) != "still here" || err != nil {
			t.Errorf("read %q, %v", p, err)
		}
		r.quiet()
	})
}

// Messages of the handshake's protocol without data between them are the other way to
// keep a peer busy: here tickets, which a server may send whenever it likes.
func TestTooManyTickets(t *testing.T) {
	leaks(t)
	c, peer := rawPair(t, false, tls.VersionTLS13, 0)
	ticket := []byte{4, 0, 0, 14, // new_session_ticket, of 14 bytes
		0, 0, 0, 0, 0, 0, 0, 0, 0, // lifetime, age_add, no nonce
		0, 1, 'x', 0, 0} // a ticket of one byte, no extensions
	some := rawtls.Record{Type: rawtls.TypeHandshake, Data: bytes.Repeat(ticket, mostEmpty)}
	one := rawtls.Record{Type: rawtls.TypeHandshake, Data: ticket}
	if err := peer.Send(some, rawtls.Text("a"), some, rawtls.Text("b"), some, one, rawtls.Text("c")); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 3)
	n, err := io.ReadFull(c, got)
	if string(got[:n]) != "ab" {
		t.Errorf("read %q", got[:n])
	}
	tooManyEmpty(t, err)
}
