package tlsio

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ingot.dev/internal/testenv"
)

// TestSessionExport: a session goes out as bytes and comes back in another context.
//
//conform:bun getSession works tlsio.Conn.Session
//conform:bun setSession differs tlsio.SecureOptions.Session, tlsio.TLSOptions.Session -- given with the connection, before its handshake
//conform:bun getTLSTicket works tlsio.Conn.SessionTicket
//conform:iotjs option.session works tlsio.TLSOptions.Session
func TestSessionExport(t *testing.T) {
	for _, v := range bothVersions {
		server := serverContext(t, only(v))
		p := connect(t, server, clientContext(t, nil), SecureOptions{}, SecureOptions{}).ok(t)
		session, err := p.client.Session()
		if err != nil {
			t.Fatal(err)
		}
		if ticket := p.client.SessionTicket(); len(ticket) == 0 || !bytes.Contains(session, ticket) {
			t.Errorf("ticket %x", ticket)
		}
		if _, err := p.server.Session(); !errors.Is(err, ErrServerSession) || p.server.SessionTicket() != nil {
			t.Errorf("server: %v", err)
		}
		// By the connection's options, and by those of the context.
		for _, again := range []func() *pair{
			func() *pair {
				return connect(t, server, clientContext(t, nil), SecureOptions{}, SecureOptions{Session: session})
			},
			func() *pair {
				c := clientContext(t, func(o *TLSOptions) { o.Session = session })
				return connect(t, server, c, SecureOptions{}, SecureOptions{})
			},
		} {
			if s, c := again().ok(t).states(); !s.DidResume || !c.DidResume || !c.Authorized() {
				t.Errorf("%s: resumed %v and %v, %v", v, s.DidResume, c.DidResume, c.AuthorizationError())
			}
		}
		// A stranger's CA doesn't accept it, although the session would be valid.
		strict := clientContext(t, func(o *TLSOptions) { o.CA = [][]byte{pki(t).otherDER} })
		if p := connect(t, server, strict, SecureOptions{}, SecureOptions{Session: session}); p.clientErr == nil {
			t.Error("a session from another context got around the CA")
		}
		for _, o := range []SecureOptions{{Session: session, Host: "other.test"}, {Session: session[:len(session)-1]}, {Session: []byte{}}} {
			_, err := clientContext(t, nil).Secure(timeout(t), nil, o)
			wantOption(t, err, "conn", "Session")
		}
	}
	// Nothing to export.
	for _, change := range []func(*TLSOptions){func(o *TLSOptions) { o.NoSessions = true }} {
		p := connect(t, serverContext(t, nil), clientContext(t, change), SecureOptions{}, SecureOptions{}).ok(t)
		if _, err := p.client.Session(); !errors.Is(err, ErrNoSession) || p.client.SessionTicket() != nil {
			t.Errorf("got %v", err)
		}
		p = connect(t, serverContext(t, change), clientContext(t, nil), SecureOptions{}, SecureOptions{}).ok(t)
		if _, err := p.client.Session(); !errors.Is(err, ErrNoSession) {
			t.Errorf("got %v", err)
		}
	}
	o := clientOptions(t)
	o.NoSessions, o.Session = true, []byte("x")
	_, err := NewClientContext(o)
	wantOption(t, err, "Session", "Session")
}

// fuzzTime is when the sessions of FuzzSession's corpus were made.
var fuzzTime = time.Unix(1_795_334_400, 0)

// FuzzSession: bytes are a session or ErrSessionFormat, and a handshake that offers
// what was accepted does not crash. The corpus in testdata has a session of each
// version.
func FuzzSession(f *testing.F) {
	cert, _ := SelfSigned("server.test", fuzzTime.Add(-time.Hour))
	client, err := NewClientContext(TLSOptions{Host: "server.test", CA: [][]byte{cert}, VerifyMode: VerifyOptional, Now: func() time.Time { return fuzzTime }})
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(sessionMagic + "\x00\x00\x00\x00\x00\x00\x00\x01a\x00\x00\x00\x03\x03\x04\x02"))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, session, err := parseSession(b)
		if err != nil {
			if !errors.Is(err, ErrSessionFormat) || session != nil {
				t.Errorf("%v, %v", session, err)
			}
			return
		}
		left, right := net.Pipe()
		go func() { // takes the first message and leaves
			right.Read(make([]byte, 16<<10))
			right.Close()
		}()
		conn := client.current.Load().clientConn(notPipe{left}, &SecureOptions{session: session})
		if err := conn.handshake(context.Background(), "Fuzz", limit); err == nil {
			t.Error("a handshake with nobody")
		}
	})
}

// TestSessionCorpus: what FuzzSession begins with are sessions.
func TestSessionCorpus(t *testing.T) {
	testenv.NeedFiles(t)
	for _, v := range []string{"tls12", "tls13"} {
		b, err := os.ReadFile("testdata/fuzz/FuzzSession/" + v)
		if err != nil {
			t.Fatal(err)
		}
		_, line, _ := strings.Cut(string(b), "\n")
		line = strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(line), "[]byte("), ")")
		raw, err := strconv.Unquote(line)
		if err != nil {
			t.Fatal(err)
		}
		if host, session, err := parseSession([]byte(raw)); err != nil || session == nil || host != "server.test" {
			t.Errorf("%s: %q, %v", v, host, err)
		}
	}
}

// notPipe hides that a connection is a pipe, so that it offers sessions.
type notPipe struct{ net.Conn }

func (notPipe) LocalAddr() net.Addr { return nil }

// TestSessionCache: bounded, the least recently used goes first, contexts apart.
func TestSessionCache(t *testing.T) {
	if _, err := NewSessionCache(0); err == nil {
		t.Error("a cache for nothing")
	}
	cache, err := NewSessionCache(2)
	if err != nil {
		t.Fatal(err)
	}
	a, b, c := &tls.ClientSessionState{}, &tls.ClientSessionState{}, &tls.ClientSessionState{}
	cache.put("a", a)
	cache.put("b", b)
	cache.get("a")
	cache.put("c", c)
	if cache.get("b") != nil || cache.get("a") != a || cache.get("c") != c || cache.Len() != 2 {
		t.Error("the wrong one was dropped")
	}
	cache.put("a", b)
	cache.put("c", nil)
	cache.put("d", nil)
	if cache.get("a") != b || cache.get("c") != nil || cache.Len() != 1 {
		t.Error("not replaced or removed")
	}

	server := serverContext(t, nil)
	shared, _ := NewSessionCache(10)
	one, two := clientContext(t, feature(shared)), clientContext(t, feature(shared))
	resumed := func(c *SecureContext, o SecureOptions) bool {
		return connect(t, server, c, SecureOptions{}, o).ok(t).client.State().DidResume
	}
	for i, want := range []struct {
		c       *SecureContext
		o       SecureOptions
		resumed bool
	}{{one, SecureOptions{}, false}, {one, SecureOptions{}, true}, {two, SecureOptions{}, false}, {two, SecureOptions{}, true},
		{one, SecureOptions{VerifyMode: VerifyOptional}, false}, {one, SecureOptions{VerifyMode: VerifyOptional}, true}} {
		if resumed(want.c, want.o) != want.resumed {
			t.Errorf("connection %d: resumed %v", i, !want.resumed)
		}
	}
	if shared.Len() != 3 {
		t.Errorf("%d sessions", shared.Len())
	}
	o := clientOptions(t)
	o.With = []Feature{shared}
	if err := one.Reload(o); err != nil {
		t.Fatal(err)
	}
	if resumed(one, SecureOptions{}) {
		t.Error("a session from before Reload was resumed")
	}
}

// clock is an injected time.
type clock struct{ offset atomic.Int64 }

func (c *clock) now() time.Time          { return time.Now().Add(time.Duration(c.offset.Load())) }
func (c *clock) advance(d time.Duration) { c.offset.Add(int64(d)) }

// TestTicketRotation: keys change each day and open tickets for a week, by the
// context's own clock.
func TestTicketRotation(t *testing.T) {
	for _, v := range bothVersions {
		var c clock
		long := pki(t).ca.issue(t, []string{"server.test"}, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(9 * 24 * time.Hour) })
		server := serverContext(t, with(only(v), serve(long), func(o *TLSOptions) { o.Now = c.now }))
		client := clientContext(t, func(o *TLSOptions) { o.Now = c.now })
		keys := func() [][32]byte {
			k, _ := server.current.Load().tickets.at(c.now(), -1, "")
			return k
		}
		first := connect(t, server, client, SecureOptions{}, SecureOptions{}).ok(t)
		session, err := first.client.Session()
		if err != nil {
			t.Fatal(err)
		}
		resume := func() bool {
			return connect(t, server, client, SecureOptions{}, SecureOptions{Session: session}).ok(t).server.State().DidResume
		}
		before := keys()
		c.advance(25 * time.Hour)
		if !resume() {
			t.Error("a day later: not resumed")
		}
		if after := keys(); after[0] == before[0] || len(after) != 2 || after[1] != before[0] {
			t.Error("the key wasn't changed")
		}
		c.advance(7 * 24 * time.Hour)
		if resume() {
			t.Error("a week later: resumed")
		}
		for _, k := range keys() {
			if k == before[0] {
				t.Error("the old key is still there")
			}
		}
		c.advance(-30 * 24 * time.Hour) // a clock set back doesn't keep a key forever
		back := keys()
		c.advance(25 * time.Hour)
		if again := keys(); again[0] == back[0] {
			t.Error("no change after the clock was set back")
		}
	}
}

// TestTicketKeys: servers with the same keys resume each other's sessions; others
// don't.
func TestTicketKeys(t *testing.T) {
	key := func() []byte { b := make([]byte, 32); rand.Read(b); return b }
	shared, other := key(), key()
	server := func(keys ...[]byte) *SecureContext { return serverContext(t, feature(TicketKeys(keys))) }
	for _, v := range bothVersions {
		a, b, c := server(shared), server(other, shared), server(other)
		client := clientContext(t, only(v))
		p := connect(t, a, client, SecureOptions{}, SecureOptions{}).ok(t)
		session, err := p.client.Session()
		if err != nil {
			t.Fatal(err)
		}
		for i, tt := range []struct {
			c    *SecureContext
			want bool
		}{{b, true}, {c, false}} {
			s := connect(t, tt.c, client, SecureOptions{}, SecureOptions{Session: session}).ok(t).server.State()
			if s.DidResume != tt.want {
				t.Errorf("server %d: resumed %v", i, s.DidResume)
			}
		}
		o := serverOptions(t)
		o.With = []Feature{TicketKeys{other}}
		if err := a.Reload(o); err != nil {
			t.Fatal(err)
		}
		if connect(t, a, client, SecureOptions{}, SecureOptions{Session: session}).ok(t).server.State().DidResume {
			t.Error("keys taken away are still in use")
		}
	}
}

// TestReloadJudgesTickets: tickets outlive Reload, but their clients are judged anew.
func TestReloadJudgesTickets(t *testing.T) {
	w := pki(t)
	for _, v := range bothVersions {
		o := serverOptions(t)
		o.ClientAuth, o.CA = ClientAuthRequire, [][]byte{w.caDER}
		server, err := NewServerContext(o)
		if err != nil {
			t.Fatal(err)
		}
		client := clientContext(t, with(only(v), present(w.client)))
		connect(t, server, client, SecureOptions{}, SecureOptions{}).ok(t)
		if err := server.Reload(o); err != nil {
			t.Fatal(err)
		}
		if s := connect(t, server, client, SecureOptions{}, SecureOptions{}).ok(t).server.State(); !s.DidResume || !s.Authorized() {
			t.Errorf("%s: resumed %v, %v", v, s.DidResume, s.AuthorizationError())
		}
		for name, change := range map[string]func(*TLSOptions){
			"CA":      func(o *TLSOptions) { o.CA = [][]byte{w.otherDER} },
			"pins":    feature(Pins{PinOf(w.otherCA.cert), PinOf(w.server.leaf)}),
			"expired": func(o *TLSOptions) { o.Now = func() time.Time { return w.client.leaf.NotAfter.Add(time.Minute) } },
		} {
			for _, mode := range []VerifyMode{VerifyRequired, VerifyOptional} {
				session, err := connect(t, server, client, SecureOptions{}, SecureOptions{}).ok(t).client.Session()
				if err != nil {
					t.Fatal(err)
				}
				changed := o
				changed.VerifyMode = mode
				change(&changed)
				if err := server.Reload(changed); err != nil {
					t.Fatal(err)
				}
				p := connect(t, server, client, SecureOptions{}, SecureOptions{Session: session})
				if mode == VerifyRequired && p.serverErr == nil {
					t.Errorf("%s, %s: accepted", v, name)
				}
				if mode == VerifyOptional {
					if s := p.ok(t).server.State(); s.Authorized() {
						t.Errorf("%s, %s: authorized (resumed %v)", v, name, s.DidResume)
					}
				}
				if err := server.Reload(o); err != nil {
					t.Fatal(err)
				}
			}
		}
		// Nobody is asked any more: an old ticket makes nobody authorized.
		session, _ := connect(t, server, client, SecureOptions{}, SecureOptions{}).ok(t).client.Session()
		if err := server.Reload(serverOptions(t)); err != nil {
			t.Fatal(err)
		}
		if s := connect(t, server, client, SecureOptions{}, SecureOptions{Session: session}).ok(t).server.State(); s.Authorized() || !errors.Is(s.AuthorizationError(), errNotAsked) {
			t.Errorf("%v", s.AuthorizationError())
		}
	}
}

// identitiesServer has a.test for all, b.test for clients of the CA, *.wild.test.
func identitiesServer(t *testing.T, change func(*TLSOptions, *Identities)) *SecureContext {
	t.Helper()
	w := pki(t)
	id := func(names ...string) Identity {
		c := w.ca.issue(t, names, nil)
		return Identity{Names: names, Certificate: [][]byte{c.cert}, Key: [][]byte{c.key}}
	}
	ids := Identities{List: []Identity{id("a.test"), id("b.test", "bb.test"), id("*.wild.test"), id("one.wild.test")}}
	ids.List[0].ApplicationLayerProtocol = []string{"a"}
	ids.List[1].ClientAuth, ids.List[1].CA = ClientAuthRequire, [][]byte{w.caDER}
	o := TLSOptions{ApplicationLayerProtocol: []string{"x"}}
	if change != nil {
		change(&o, &ids)
	}
	o.With = append(o.With, ids)
	c, err := NewServerContext(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func named(host string) func(*TLSOptions) { return func(o *TLSOptions) { o.Host = host } }

func TestIdentities(t *testing.T) {
	w := pki(t)
	plain := identitiesServer(t, nil)
	withDefault := identitiesServer(t, func(o *TLSOptions, _ *Identities) { serve(w.server)(o) })
	strict := identitiesServer(t, func(o *TLSOptions, ids *Identities) { serve(w.server)(o); ids.RefuseUnknown = true })
	for _, v := range bothVersions {
		for _, tt := range []struct {
			name     string
			server   *SecureContext
			host     string
			client   func(*TLSOptions)
			identity string // "refused", "112"
			alpn     string
		}{
			{"a", plain, "a.test", nil, "a.test", "a"},
			{"A", plain, "A.TEST", nil, "a.test", "a"},
			{"b, stranger", plain, "b.test", nil, "refused", ""},
			{"b", plain, "b.test", present(w.client), "b.test", "x"},
			{"b, other name", plain, "bb.test", present(w.client), "b.test", "x"},
			{"wildcard", plain, "two.wild.test", nil, "*.wild.test", "x"},
			{"exact", plain, "one.wild.test", nil, "one.wild.test", "x"},
			{"too deep", plain, "a.two.wild.test", nil, "112", ""},
			{"unknown", plain, "c.test", nil, "112", ""},
			{"no SNI", plain, "127.0.0.1", nil, "112", ""},
			{"unknown, default", withDefault, "server.test", nil, "", "x"},
			{"no SNI, default", withDefault, "127.0.0.1", nil, "", "x"},
			{"unknown, strict", strict, "server.test", nil, "112", ""},
			{"no SNI, strict", strict, "127.0.0.1", nil, "", "x"},
		} {
			t.Run(v+"/"+tt.name, func(t *testing.T) {
				client := clientContext(t, with(only(v), named(tt.host), tt.client, func(o *TLSOptions) { o.ApplicationLayerProtocol = []string{"a", "x"} }))
				p := connect(t, tt.server, client, SecureOptions{}, SecureOptions{})
				switch tt.identity {
				case "refused":
					if p.serverErr == nil || p.clientErr == nil {
						t.Errorf("server %v, client %v", p.serverErr, p.clientErr)
					}
				case "112":
					wantError(t, p.clientErr, StageHandshake, Alert{AlertReceived, 112})
				default:
					s, c := p.ok(t).states()
					if s.Identity != tt.identity || s.NegotiatedProtocol != tt.alpn || !c.Authorized() {
						t.Errorf("identity %q, protocol %q, %v", s.Identity, s.NegotiatedProtocol, c.AuthorizationError())
					}
					if s.Authorized() != (tt.client != nil) {
						t.Errorf("authorized %v: %v", s.Authorized(), s.AuthorizationError())
					}
					if !bytes.Equal(s.LocalCertificate().Raw, c.PeerCertificates[0].Raw) {
						t.Error("LocalCertificate is another than was sent")
					}
				}
			})
		}
	}
}

// oneSession is a client's cache that offers the same session to every server.
type oneSession struct{ session *tls.ClientSessionState }

func (o *oneSession) Get(string) (*tls.ClientSessionState, bool) {
	return o.session, o.session != nil
}
func (o *oneSession) Put(_ string, s *tls.ClientSessionState) {
	if o.session == nil {
		o.session = s
	}
}

// TestTicketOfAnotherIdentity attacks: a client that nobody knows gets a ticket from
// a.test, where all may in, and presents it to b.test, or without SNI.
func TestTicketOfAnotherIdentity(t *testing.T) {
	w := pki(t)
	for _, v := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, mode := range []VerifyMode{VerifyRequired, VerifyOptional} {
			server := identitiesServer(t, func(o *TLSOptions, ids *Identities) {
				serve(w.server)(o)
				ids.List[1].VerifyMode = mode
			})
			attack := func(sni string, cache tls.ClientSessionCache, certs ...tls.Certificate) (*Conn, bool, error) {
				ln := testListen(t)
				raw := testDial(t, ln.Addr().String())
				client := tls.Client(raw, &tls.Config{ServerName: sni, InsecureSkipVerify: true, MaxVersion: v, ClientSessionCache: cache, Certificates: certs, Time: time.Now})
				type result struct {
					c   *Conn
					err error
				}
				done := make(chan result, 1)
				accepted := accept(t, ln)
				go func() {
					c, err := server.Secure(timeout(t), accepted, SecureOptions{})
					if err == nil {
						c.Write([]byte{1})
					} else {
						accepted.Close()
					}
					done <- result{c, err}
				}()
				client.Read(make([]byte, 1))
				r := <-done
				return r.c, client.ConnectionState().DidResume, r.err
			}
			stolen := &oneSession{}
			if _, _, err := attack("a.test", stolen); err != nil || stolen.session == nil {
				t.Fatalf("%v, %v", err, stolen.session)
			}
			if _, resumed, err := attack("a.test", stolen); err != nil || !resumed {
				t.Fatalf("the ticket doesn't even work at a.test: %v, resumed %v", err, resumed)
			}
			if _, resumed, err := attack("b.test", stolen); resumed || err == nil {
				t.Errorf("%x: a ticket of a.test at b.test: resumed %v, %v", v, resumed, err)
			}
			if _, resumed, err := attack("server.test", stolen); resumed || err != nil {
				t.Errorf("%x: a ticket of a.test at the default: resumed %v, %v", v, resumed, err)
			}
			// The other way: a client of b.test is nobody at a.test, ticket or not.
			own := &oneSession{}
			known := tls.Certificate{Certificate: [][]byte{w.client.cert}, PrivateKey: w.client.signer}
			if c, _, err := attack("b.test", own, known); err != nil || own.session == nil {
				t.Fatal(err)
			} else if s := c.State(); !s.Authorized() {
				t.Error(s.AuthorizationError())
			}
			if c, resumed, err := attack("a.test", own); err != nil || resumed {
				t.Errorf("%x: resumed %v, %v", v, resumed, err)
			} else if s := c.State(); s.Authorized() || len(s.PeerCertificates) != 0 {
				t.Errorf("%x: authorized at a.test", v)
			}
		}
	}
}

// TestIdentityPolicyNotBypassed: options by which leaving out the SNI would get around
// an identity's rules are refused.
func TestIdentityPolicyNotBypassed(t *testing.T) {
	w := pki(t)
	both := w.ca.issue(t, []string{"open.test", "closed.test"}, nil)
	ids := Identities{List: []Identity{{Names: []string{"closed.test"}, Certificate: [][]byte{both.cert}, Key: [][]byte{both.key},
		ClientAuth: ClientAuthRequire, CA: [][]byte{w.caDER}}}}
	o := TLSOptions{ServerCertificate: [][]byte{both.cert}, ServerKey: [][]byte{both.key}, With: []Feature{ids}}
	_, err := NewServerContext(o)
	wantOption(t, err, "With[0].List[0].Names[0]")
	o.ClientAuth, o.CA = ClientAuthRequire, [][]byte{w.caDER}
	if _, err := NewServerContext(o); err != nil {
		t.Error(err)
	}
	bad := Identities{List: []Identity{
		{Names: []string{"x.test", "X.test."}, Certificate: [][]byte{both.cert}, Key: [][]byte{both.key}, ClientAuth: "maybe"},
		{Names: []string{"*"}, With: []Feature{TicketKeys{}}},
	}}
	_, err = NewServerContext(TLSOptions{With: []Feature{bad}})
	wantOption(t, err, "With[0].List[0].ClientAuth", "With[0].List[0].Names[1]", "With[0].List[1].With[0]", "With[0].List[1].Certificate", "With[0].List[1].Names[0]")
}

// TestCertificateByOffer: RSA or ECDSA, by what the client can verify.
func TestCertificateByOffer(t *testing.T) {
	w := pki(t)
	key := rsaTestKey(t)
	rsaCert := w.ca.issueFor(t, key, "server.test")
	rsaKey, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	chains := func(o *TLSOptions) {
		o.ServerCertificate, o.ServerKey = [][]byte{w.server.cert, rsaCert}, [][]byte{w.server.key, rsaKey}
	}
	one := serverContext(t, chains)
	many, err := NewServerContext(TLSOptions{With: []Feature{Identities{List: []Identity{{Names: []string{"server.test"},
		Certificate: [][]byte{w.server.cert, rsaCert}, Key: [][]byte{w.server.key, rsaKey}}}}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, server := range []*SecureContext{one, many} {
		for _, tt := range []struct {
			suite CipherSuites
			want  []byte
		}{{CipherSuites{"ECDHE-ECDSA-AES128-GCM-SHA256"}, w.server.cert}, {CipherSuites{"ECDHE-RSA-AES128-GCM-SHA256"}, rsaCert}} {
			s, c := connect(t, server, clientContext(t, with(only(TLSv12), feature(tt.suite))), SecureOptions{}, SecureOptions{}).ok(t).states()
			if !bytes.Equal(c.PeerCertificates[0].Raw, tt.want) || !bytes.Equal(s.LocalCertificate().Raw, tt.want) {
				t.Errorf("%v: another certificate", tt.suite)
			}
		}
	}
}

// TestManyHandshakesAtOnce: one context, many connections, reloads meanwhile.
func TestManyHandshakesAtOnce(t *testing.T) {
	w := pki(t)
	server := identitiesServer(t, nil)
	client := clientContext(t, named(""))
	errs := make(chan error, 40)
	for i := range 40 {
		go func() {
			host := []string{"a.test", "one.wild.test"}[i%2]
			ln := testListen(t)
			raw := testDial(t, ln.Addr().String())
			go func() {
				conn, err := ln.Accept()
				if err != nil {
					return
				}
				if c, err := server.Secure(context.Background(), conn, SecureOptions{HandshakeTimeout: limit}); err == nil {
					exchange(c)
					c.Close()
				}
			}()
			c, err := client.Secure(timeout(t), raw, SecureOptions{Host: host, HandshakeTimeout: limit})
			if err == nil {
				err = exchange(c)
				if s := c.State(); s.ServerName != host {
					err = fmt.Errorf("%s: %s", host, s.ServerName)
				}
				c.Close()
			}
			errs <- err
		}()
		if i%10 == 0 {
			o := clientOptions(t)
			o.Host, o.CA = "", [][]byte{w.caDER}
			if err := client.Reload(o); err != nil {
				t.Error(err)
			}
		}
	}
	for range 40 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}
