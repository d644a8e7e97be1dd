package tlsio

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// serverContext and clientContext make contexts of the usual options, changed.
func serverContext(t testing.TB, change func(*TLSOptions)) *SecureContext {
	t.Helper()
	o := serverOptions(t)
	if change != nil {
		change(&o)
	}
	c, err := NewServerContext(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func clientContext(t testing.TB, change func(*TLSOptions)) *SecureContext {
	t.Helper()
	o := clientOptions(t)
	if change != nil {
		change(&o)
	}
	c, err := NewClientContext(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// pair is a connection between two contexts. The errors are those of both
// handshakes and of one byte sent by each side after it, so that tickets and late
// alerts have arrived.
type pair struct {
	server, client       *Conn
	serverErr, clientErr error
}

func connect(t testing.TB, server, client *SecureContext, so, co SecureOptions) *pair {
	t.Helper()
	ln := testListen(t)
	raw := testDial(t, ln.Addr().String())
	p := &pair{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := ln.Accept()
		if err != nil {
			p.serverErr = err
			return
		}
		if p.server, p.serverErr = server.Secure(timeout(t), conn, so); p.serverErr == nil {
			p.serverErr = exchange(p.server)
		}
	}()
	if p.client, p.clientErr = client.Secure(timeout(t), raw, co); p.clientErr == nil {
		p.clientErr = exchange(p.client)
	}
	<-done
	t.Cleanup(func() {
		for _, c := range []*Conn{p.server, p.client} {
			if c != nil {
				c.Close()
			}
		}
	})
	return p
}

func exchange(c *Conn) error {
	c.SetDeadline(time.Now().Add(limit))
	if _, err := c.Write([]byte{1}); err != nil {
		return err
	}
	_, err := io.ReadFull(c, make([]byte, 1))
	return err
}

// ok fails the test unless both sides succeeded.
func (p *pair) ok(t testing.TB) *pair {
	t.Helper()
	if p.serverErr != nil || p.clientErr != nil {
		t.Fatalf("server: %v\nclient: %v", p.serverErr, p.clientErr)
	}
	return p
}

func (p *pair) states() (server, client State) { return p.server.State(), p.client.State() }

var bothVersions = []string{TLSv12, TLSv13}

func only(v string) func(*TLSOptions) {
	return func(o *TLSOptions) { o.MinimumVersion, o.MaximumVersion = v, v }
}

func with(changes ...func(*TLSOptions)) func(*TLSOptions) {
	return func(o *TLSOptions) {
		for _, c := range changes {
			if c != nil {
				c(o)
			}
		}
	}
}

func present(id identity) func(*TLSOptions) {
	return func(o *TLSOptions) { o.ClientCertificate, o.ClientKey = [][]byte{id.cert}, [][]byte{id.key} }
}

func serve(id identity) func(*TLSOptions) {
	return func(o *TLSOptions) { o.ServerCertificate, o.ServerKey = [][]byte{id.cert}, [][]byte{id.key} }
}

// TestVerifyModeClient: in each mode, the handshake goes on or not, and Authorized
// says the same about the same server; also when the session is resumed.
//
//conform:bun authorized works tlsio.State.Authorized
//conform:bun getAuthorizationError works tlsio.State.AuthorizationError
//conform:bun isSessionReused works tlsio.State.DidResume
//conform:iotjs TLSSocket.authorized works tlsio.State.Authorized
//conform:iotjs TLSSocket.authorizationError works tlsio.State.AuthorizationError
func TestVerifyModeClient(t *testing.T) {
	w := pki(t)
	for _, v := range bothVersions {
		for _, tt := range []struct {
			name  string
			id    identity
			cause string
		}{
			{"good", w.server, "none"},
			{"wrong name", w.client, "x509.HostnameError"},
			{"unknown CA", w.rogue, "x509.UnknownAuthorityError"},
			{"expired", w.ca.issue(t, []string{"server.test"}, expired), "x509.CertificateInvalidError"},
		} {
			for _, mode := range []VerifyMode{"", VerifyRequired, VerifyOptional, InsecureVerifyNone} {
				t.Run(v+"/"+tt.name+"/"+string(mode), func(t *testing.T) {
					server := serverContext(t, with(only(v), serve(tt.id)))
					client := clientContext(t, func(o *TLSOptions) { o.VerifyMode = mode })
					good := tt.cause == "none"
					p := connect(t, server, client, SecureOptions{}, SecureOptions{})
					if (mode == "" || mode == VerifyRequired) && !good {
						e := wantError(t, p.clientErr, StageVerify, Alert{AlertSent, 42})
						if causeType(e) != tt.cause {
							t.Errorf("cause: %v", e)
						}
						return
					}
					p.ok(t)
					for resumed := range 2 {
						if resumed == 1 {
							p = connect(t, server, client, SecureOptions{}, SecureOptions{}).ok(t)
						}
						s := p.client.State()
						wantResumed := resumed == 1 && tt.name != "expired" // crypto/tls drops those
						if s.DidResume != wantResumed {
							t.Errorf("resumed %v", s.DidResume)
						}
						switch {
						case mode == InsecureVerifyNone:
							if s.Authorized() || s.AuthorizationError() == nil || len(s.VerifiedChains) != 0 {
								t.Errorf("authorized %v (%v) with nothing verified", s.Authorized(), s.AuthorizationError())
							}
						case s.Authorized() != good || causeType(s.AuthorizationError()) != tt.cause || good != (len(s.VerifiedChains) > 0):
							t.Errorf("authorized %v: %v; %d chains", s.Authorized(), s.AuthorizationError(), len(s.VerifiedChains))
						}
					}
				})
			}
		}
	}
}

// TestVerifyModeServer: what a server asks of clients, and what it thinks of them.
//
//conform:bun setVerifyMode differs tlsio.SecureOptions.VerifyMode, tlsio.SecureOptions.ClientAuth, tlsio.ErrHandshakeBegun -- given with the connection, before its handshake; afterwards refused
//conform:ipworks SSLAuthenticateClients works tlsio.TLSOptions.ClientAuth
func TestVerifyModeServer(t *testing.T) {
	w := pki(t)
	for _, v := range bothVersions {
		for _, tt := range []struct {
			auth       ClientAuth
			mode       VerifyMode
			client     string // none, good, rogue
			ok, author bool
		}{
			{ClientAuthNone, "", "good", true, false},
			{ClientAuthRequest, "", "none", true, false},
			{ClientAuthRequest, "", "good", true, true},
			{ClientAuthRequest, "", "rogue", false, false},
			{ClientAuthRequest, VerifyOptional, "none", true, false},
			{ClientAuthRequest, VerifyOptional, "good", true, true},
			{ClientAuthRequest, VerifyOptional, "rogue", true, false},
			{ClientAuthRequire, "", "none", false, false},
			{ClientAuthRequire, "", "good", true, true},
			{ClientAuthRequire, "", "rogue", false, false},
			{ClientAuthRequire, VerifyOptional, "none", false, false},
			{ClientAuthRequire, VerifyOptional, "rogue", true, false},
			{ClientAuthRequire, VerifyOptional, "good", true, true},
			{ClientAuthRequire, InsecureVerifyNone, "good", true, false},
		} {
			t.Run(v+"/"+string(tt.auth)+"/"+string(tt.mode)+"/"+tt.client, func(t *testing.T) {
				present := map[string]func(*TLSOptions){"none": nil, "good": present(w.client), "rogue": present(w.rogue)}[tt.client]
				client := clientContext(t, with(only(v), present))
				fixed := serverContext(t, func(o *TLSOptions) {
					o.ClientAuth, o.VerifyMode = tt.auth, tt.mode
					if tt.auth != ClientAuthNone {
						o.CA = [][]byte{w.caDER}
					}
				})
				// The same, decided connection by connection.
				loose := serverContext(t, func(o *TLSOptions) { o.ClientAuth, o.CA = ClientAuthRequest, [][]byte{w.caDER} })
				for _, how := range []struct {
					c *SecureContext
					o SecureOptions
				}{{fixed, SecureOptions{}}, {loose, SecureOptions{ClientAuth: &tt.auth, VerifyMode: tt.mode}}} {
					for i := range 2 { // the second is resumed
						p := connect(t, how.c, client, how.o, SecureOptions{})
						if !tt.ok {
							if p.serverErr == nil || p.clientErr == nil {
								t.Fatalf("not refused: server %v, client %v", p.serverErr, p.clientErr)
							}
							wantError(t, p.serverErr, StageVerify, p.serverErr.(*Error).Alert)
							continue
						}
						p.ok(t)
						s := p.server.State()
						if s.DidResume != (i == 1) {
							t.Errorf("connection %d: resumed %v", i, s.DidResume)
						}
						if s.Authorized() != tt.author || len(s.VerifiedChains) > 0 != tt.author || (s.AuthorizationError() == nil) != tt.author {
							t.Errorf("authorized %v: %v (resumed %v)", s.Authorized(), s.AuthorizationError(), s.DidResume)
						}
						if err := p.server.SetVerifyMode(VerifyRequired, ClientAuthRequire); !errors.Is(err, ErrHandshakeBegun) {
							t.Errorf("SetVerifyMode after the handshake returned %v", err)
						}
					}
				}
			})
		}
	}
}

// TestVerifyPeer: the hook sees what verification said, may refuse, and can't make
// anybody authorized.
//
//conform:ipworks event.SSLClientAuthentication works tlsio.SecureOptions.VerifyPeer
func TestVerifyPeer(t *testing.T) {
	w := pki(t)
	refused := errors.New("not this one")
	for _, v := range bothVersions {
		var seen []error
		var verdict error
		hook := func(s *State) error {
			seen = append(seen, s.AuthorizationError())
			if !s.Server || s.RemoteAddr == nil || len(s.PeerCertificates) == 0 {
				t.Errorf("incomplete: %+v", s)
			}
			return verdict
		}
		server := serverContext(t, func(o *TLSOptions) {
			o.ClientAuth, o.CA, o.VerifyMode = ClientAuthRequest, [][]byte{w.caDER}, VerifyOptional
		})
		client := clientContext(t, with(only(v), present(w.rogue)))
		p := connect(t, server, client, SecureOptions{VerifyPeer: hook}, SecureOptions{}).ok(t)
		if s := p.server.State(); s.Authorized() {
			t.Error("the hook made a stranger authorized")
		}
		verdict = refused
		for range 2 { // the first one is resumed
			p = connect(t, server, client, SecureOptions{VerifyPeer: hook}, SecureOptions{})
			e := wantError(t, p.serverErr, StageVerify, Alert{AlertSent, 42})
			if d, ok := errors.AsType[*DecisionError](e); !ok || !errors.Is(e, refused) || d.Err != refused {
				t.Errorf("cause: %v", e)
			}
		}
		if len(seen) != 3 {
			t.Errorf("asked %d times", len(seen))
		}
		for _, err := range seen {
			if causeType(err) != "x509.UnknownAuthorityError" {
				t.Errorf("the hook saw %v", err)
			}
		}
		// Under VerifyRequired it isn't asked about those that are refused anyway.
		seen = nil
		p = connect(t, server, client, SecureOptions{VerifyPeer: hook, VerifyMode: VerifyRequired}, SecureOptions{})
		if p.serverErr == nil || len(seen) != 0 {
			t.Errorf("server: %v; asked %d times", p.serverErr, len(seen))
		}
	}
	// A client's hook.
	client := clientContext(t, func(o *TLSOptions) {
		o.VerifyPeer = func(s *State) error {
			if !s.Authorized() || s.Host != "server.test" {
				t.Errorf("the hook saw %v of %q", s.AuthorizationError(), s.Host)
			}
			return refused
		}
	})
	p := connect(t, serverContext(t, nil), client, SecureOptions{}, SecureOptions{})
	if wantError(t, p.clientErr, StageVerify, Alert{AlertSent, 42}); !errors.Is(p.clientErr, refused) {
		t.Error(p.clientErr)
	}
}

// TestContextReload: connections keep what they began with; new ones have the new.
//
//conform:iotjs tls.createSecureContext differs tlsio.NewServerContext, tlsio.NewClientContext -- a context has a role
func TestContextReload(t *testing.T) {
	w := pki(t)
	server, client := serverContext(t, nil), clientContext(t, nil)
	first := connect(t, server, client, SecureOptions{}, SecureOptions{}).ok(t)
	next := serverOptions(t)
	other := w.ca.issue(t, []string{"server.test"}, nil)
	serve(other)(&next)
	if err := server.Reload(TLSOptions{Host: "x"}); err == nil {
		t.Error("options of the other role were accepted")
	}
	if err := server.Reload(next); err != nil {
		t.Fatal(err)
	}
	strangers := clientContext(t, nil) // has no session
	second := connect(t, server, strangers, SecureOptions{}, SecureOptions{}).ok(t)
	if s := second.client.State(); !bytes.Equal(s.PeerCertificates[0].Raw, other.cert) {
		t.Error("the new certificate isn't used")
	}
	if s, _ := second.states(); !bytes.Equal(s.LocalCertificate().Raw, other.cert) {
		t.Error("LocalCertificate is the old one")
	}
	if s := first.client.State(); !bytes.Equal(s.PeerCertificates[0].Raw, w.server.cert) {
		t.Error("an old connection has changed")
	}
}

// TestContextOptions: what may stand beside a context, and what may not.
func TestContextOptions(t *testing.T) {
	server, client := serverContext(t, nil), clientContext(t, nil)
	net := noNetwork{t}
	_, err := Listen(timeout(t), net, "127.0.0.1:0", TLSOptions{Context: client})
	wantOption(t, err, "Context")
	_, err = Dial(timeout(t), net, "127.0.0.1:1", TLSOptions{Context: server})
	wantOption(t, err, "Context")
	_, err = Listen(timeout(t), net, "127.0.0.1:0", TLSOptions{Context: server, MinimumVersion: TLSv13})
	wantOption(t, err, "Context")
	_, err = Listen(timeout(t), net, "127.0.0.1:0", TLSOptions{Context: server, Host: "x", HandshakeTimeout: -1, MaxHandshakes: -1})
	wantOption(t, err, "MaxHandshakes", "Host", "HandshakeTimeout")
	_, err = NewServerContext(TLSOptions{Context: server, MaxConnections: 3})
	if err == nil {
		t.Error("a context in a context")
	}
	nameless, err := NewClientContext(TLSOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = nameless.Secure(timeout(t), nil, SecureOptions{})
	wantOption(t, err, "conn", "Host")
	required := ClientAuthRequire
	_, err = server.Secure(timeout(t), nil, SecureOptions{ClientAuth: &required, Host: "x", Session: []byte{1}, VerifyMode: "maybe"})
	wantOption(t, err, "conn", "Host", "VerifyMode", "Session")
	_, err = server.Secure(timeout(t), nil, SecureOptions{ClientAuth: &required})
	wantOption(t, err, "conn", "ClientAuth")
	_, err = client.Secure(timeout(t), nil, SecureOptions{Session: []byte("garbage")})
	wantOption(t, err, "conn", "Session")
	if !errors.Is(err, ErrSessionFormat) {
		t.Error(err)
	}
	for _, f := range []Feature{nil, Pins{"x"}, Policy("20200101"), CipherSuites{}, Groups{"x448"}, CRLs{}, TicketKeys{{1}}, Identities{}, (*SessionCache)(nil), MinDHSize(0), LegacyCommonName{}} {
		_, err := NewServerContext(TLSOptions{ServerCertificate: serverOptions(t).ServerCertificate, ServerKey: serverOptions(t).ServerKey, With: []Feature{f}})
		if e, ok := errors.AsType[*OptionError](err); !ok || !strings.HasPrefix(e.Option, "With[0]") {
			t.Errorf("%T: %v", f, err)
		}
	}
}

// TestListenWithContext: a listener and a client of contexts that are reloaded.
func TestListenWithContext(t *testing.T) {
	leaks(t)
	server := serverContext(t, nil)
	ln := listen(t, TLSOptions{Context: server, MaxConnections: 10, HandshakeTimeout: limit})
	go echo(ln)
	client := clientContext(t, func(o *TLSOptions) { o.Host = "" })
	for i := range 2 {
		c, err := Dial(timeout(t), testNetwork(t), ln.Addr().String(), TLSOptions{Context: client, Host: "server.test"})
		if err != nil {
			t.Fatal(err)
		}
		roundTrip(t, c, pattern(100))
		if s := c.(*Conn).State(); s.DidResume != (i == 1) || !s.Authorized() {
			t.Errorf("connection %d: resumed %v, %v", i, s.DidResume, s.AuthorizationError())
		}
		c.Close()
	}
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	_, err := Dial(timeout(t), testNetwork(t), net.JoinHostPort("127.0.0.1", port), TLSOptions{Context: client})
	if err != nil {
		t.Errorf("the name is taken from the address: %v", err)
	}
}
