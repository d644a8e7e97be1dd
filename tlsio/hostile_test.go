package tlsio

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestIdentityWildcardNotBypassed: a ServerCertificate for one name below an
// Identity's wildcard lets clients around that Identity's rules as much as one for the
// wildcard itself.
func TestIdentityWildcardNotBypassed(t *testing.T) {
	w := pki(t)
	wild := w.ca.issue(t, []string{"*.wild.test"}, nil)
	strict := Identity{Names: []string{"*.wild.test"}, Certificate: [][]byte{wild.cert}, Key: [][]byte{wild.key},
		ClientAuth: ClientAuthRequire, CA: [][]byte{w.caDER}}
	for name, refused := range map[string]bool{"a.wild.test": true, "*.wild.test": true, "A.Wild.test": true, "wild.test": false, "a.b.wild.test": false, "a.other.test": false} {
		plain := w.ca.issue(t, []string{name}, nil)
		_, err := NewServerContext(TLSOptions{ServerCertificate: [][]byte{plain.cert}, ServerKey: [][]byte{plain.key}, With: []Feature{Identities{List: []Identity{strict}}}})
		if refused {
			if err == nil {
				t.Errorf("a ServerCertificate for %s stands beside a stricter *.wild.test", name)
				continue
			}
			wantOption(t, err, "With[0].List[0].Names[0]")
		} else if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestIdentityRulesCompared: what an Identity asks counts as more, if clients that
// TLSOptions lets in wouldn't pass it.
func TestIdentityRulesCompared(t *testing.T) {
	w := pki(t)
	id := func(auth ClientAuth, mode VerifyMode, ca []byte) Identity {
		return Identity{Names: []string{"server.test"}, Certificate: [][]byte{w.server.cert}, Key: [][]byte{w.server.key},
			ClientAuth: auth, VerifyMode: mode, CA: [][]byte{ca}}
	}
	for _, tt := range []struct {
		name    string
		own     Identity
		auth    ClientAuth
		mode    VerifyMode
		refused bool
	}{
		{"the same", id(ClientAuthRequire, "", w.caDER), ClientAuthRequire, "", false},
		{"less", id(ClientAuthRequest, VerifyOptional, w.caDER), ClientAuthRequire, "", false},
		{"verified against required", id(ClientAuthRequest, "", w.caDER), ClientAuthRequire, VerifyOptional, true},
		{"required against verified", id(ClientAuthRequire, VerifyOptional, w.caDER), ClientAuthRequest, "", true},
		{"another CA", id(ClientAuthRequire, "", w.otherDER), ClientAuthRequire, "", true},
	} {
		o := serverOptions(t)
		o.ClientAuth, o.VerifyMode, o.CA = tt.auth, tt.mode, [][]byte{w.caDER}
		o.With = []Feature{Identities{List: []Identity{tt.own}}}
		if _, err := NewServerContext(o); (err != nil) != tt.refused {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// TestOverrideWithoutCA: a connection's own ClientAuth on an Identity that has no CA
// doesn't let in what any public CA has signed.
func TestOverrideWithoutCA(t *testing.T) {
	w := pki(t)
	o := serverOptions(t)
	o.ClientAuth, o.CA = ClientAuthRequest, [][]byte{w.caDER}
	named := w.ca.issue(t, []string{"open.test"}, nil)
	o.With = []Feature{Identities{List: []Identity{{Names: []string{"open.test"}, Certificate: [][]byte{named.cert}, Key: [][]byte{named.key}}}}}
	server, err := NewServerContext(o)
	if err != nil {
		t.Fatal(err)
	}
	auth := ClientAuthRequire
	client := clientContext(t, func(o *TLSOptions) {
		o.Host, o.ClientCertificate, o.ClientKey = "open.test", [][]byte{w.client.cert}, [][]byte{w.client.key}
	})
	for _, mode := range []VerifyMode{VerifyRequired, VerifyOptional} {
		p := connect(t, server, client, SecureOptions{ClientAuth: &auth, VerifyMode: mode}, SecureOptions{})
		if mode == VerifyOptional {
			s := p.ok(t).server.State()
			if s.Authorized() || !errors.Is(s.AuthorizationError(), errNoClientCA) {
				t.Errorf("%s: authorized %v, %v", mode, s.Authorized(), s.AuthorizationError())
			}
		} else if !errors.Is(p.serverErr, errNoClientCA) {
			t.Errorf("%s: %v", mode, p.serverErr)
		}
	}
}

// TestSessionOfOtherHost: a context's Session isn't offered to another server than the
// one that it is of.
func TestSessionOfOtherHost(t *testing.T) {
	w := pki(t)
	both := w.ca.issue(t, []string{"server.test", "other.test"}, nil)
	server := serverContext(t, func(o *TLSOptions) {
		o.ServerCertificate, o.ServerKey = [][]byte{both.cert}, [][]byte{both.key}
	})
	session, err := connect(t, server, clientContext(t, nil), SecureOptions{}, SecureOptions{}).ok(t).client.Session()
	if err != nil {
		t.Fatal(err)
	}
	for _, mode := range []VerifyMode{VerifyRequired, VerifyOptional} {
		client := clientContext(t, func(o *TLSOptions) { o.Session, o.VerifyMode = session, mode })
		if p := connect(t, server, client, SecureOptions{}, SecureOptions{Host: "other.test"}).ok(t); p.client.State().DidResume {
			t.Errorf("%s: the session with server.test was offered to other.test", mode)
		}
		if p := connect(t, server, client, SecureOptions{}, SecureOptions{}).ok(t); !p.client.State().DidResume {
			t.Errorf("%s: not resumed with its own server", mode)
		}
	}
}

// TestNoHostIsNotAuthorized: a server is never authorized without a name to compare
// its certificate with, as when a context loses its Host before a connection is made.
func TestNoHostIsNotAuthorized(t *testing.T) {
	for _, mode := range []VerifyMode{VerifyRequired, VerifyOptional} {
		client := clientContext(t, func(o *TLSOptions) { o.VerifyMode = mode })
		one := &SecureOptions{}
		client.beside(client, false, &TLSOptions{Context: client}, new(optionErrors), "")
		o := clientOptions(t)
		o.Host, o.VerifyMode = "", mode
		if err := client.Reload(o); err != nil {
			t.Fatal(err)
		}
		ln := testListen(t)
		go func() {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			if c, err := serverContext(t, nil).Secure(context.Background(), conn, SecureOptions{}); err == nil {
				c.Close()
			}
		}()
		c, err := client.current.Load().connect(timeout(t), "Dial", testDial(t, ln.Addr().String()), one)
		if err != nil {
			continue
		}
		if s := c.State(); s.Authorized() || s.AuthorizationError() == nil {
			t.Errorf("%s: authorized, compared with no name", mode)
		}
		c.Close()
	}
}

// TestLegacyCommonNameConstraints: a CA that may issue for some names only can't
// evade that by leaving the SAN out.
func TestLegacyCommonNameConstraints(t *testing.T) {
	w := pki(t)
	sub := func(change func(*x509.Certificate)) *authority {
		key := newKey(t)
		tmpl := *newAuthority(t, "constrained CA").cert
		tmpl.SerialNumber, tmpl.SubjectKeyId = nextSerial(), nil
		change(&tmpl)
		der, err := x509.CreateCertificate(rand.Reader, &tmpl, w.ca.cert, key.Public(), w.ca.key)
		if err != nil {
			t.Fatal(err)
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return &authority{cert, key}
	}
	for _, tt := range []struct {
		name    string
		change  func(*x509.Certificate)
		accepts bool
	}{
		{"none", func(*x509.Certificate) {}, true},
		{"permitted", func(c *x509.Certificate) {
			c.PermittedDNSDomains, c.PermittedDNSDomainsCritical = []string{"inside.test"}, true
		}, false},
		{"excluded", func(c *x509.Certificate) {
			c.ExcludedDNSDomains, c.PermittedDNSDomainsCritical = []string{"server.test"}, true
		}, false},
	} {
		ca := sub(tt.change)
		leaf := ca.issue(t, []string{"server.test"}, onlyCN)
		chain := append(append([]byte(nil), leaf.cert...), ca.cert.Raw...)
		server := serverContext(t, func(o *TLSOptions) { o.ServerCertificate, o.ServerKey = [][]byte{chain}, [][]byte{leaf.key} })
		client := clientContext(t, func(o *TLSOptions) { o.VerifyMode, o.With = VerifyOptional, []Feature{LegacyCommonName{}} })
		s := connect(t, server, client, SecureOptions{}, SecureOptions{}).ok(t).client.State()
		if s.Authorized() != tt.accepts {
			t.Errorf("%s: authorized %v, %v", tt.name, s.Authorized(), s.AuthorizationError())
		}
	}
}

// TestVerifiedChainsAreTheAccepted: State.VerifiedChains holds what all rules have
// accepted, in both roles, by Dial and Listen too.
func TestVerifiedChainsAreTheAccepted(t *testing.T) {
	// Two chains: the CA's key is certified by itself and by another.
	w := pki(t)
	tmpl := *w.ca.cert
	tmpl.SerialNumber = nextSerial()
	der, err := x509.CreateCertificate(rand.Reader, &tmpl, w.otherCA.cert, w.ca.key.Public(), w.otherCA.key)
	if err != nil {
		t.Fatal(err)
	}
	leaf := append(append([]byte(nil), w.server.cert...), der...)
	clientLeaf := append(append([]byte(nil), w.client.cert...), der...)
	pins := Pins{PinOf(w.otherCA.cert), PinOf(pki(t).rogue.leaf)}
	both := [][]byte{w.caDER, w.otherDER}

	so := serverOptions(t)
	so.ServerCertificate = [][]byte{leaf}
	so.ClientAuth, so.CA, so.With = ClientAuthRequire, both, []Feature{pins}
	ln := listen(t, so)
	accepted := make(chan *Conn, 1)
	go func() {
		c, err := ln.Accept()
		if err == nil {
			exchange(c.(*Conn))
			accepted <- c.(*Conn)
		}
		close(accepted)
	}()
	co := clientOptions(t)
	co.CA, co.With = both, []Feature{pins}
	co.ClientCertificate, co.ClientKey = [][]byte{clientLeaf}, [][]byte{w.client.key}
	conn, err := Dial(timeout(t), testNetwork(t), ln.Addr().String(), co)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := exchange(conn.(*Conn)); err != nil {
		t.Fatal(err)
	}
	server := <-accepted
	if server == nil {
		t.Fatal("not accepted")
	}
	defer server.Close()
	for role, c := range map[string]*Conn{"client": conn.(*Conn), "server": server} {
		s := c.State()
		if !s.Authorized() || len(s.VerifiedChains) != 1 {
			t.Errorf("%s: authorized %v, %d chains", role, s.Authorized(), len(s.VerifiedChains))
		}
		for _, chain := range s.VerifiedChains {
			if !chain[len(chain)-1].Equal(w.otherCA.cert) {
				t.Errorf("%s: a chain without a pinned key", role)
			}
		}
	}
}

// TestResumedChains: in resumed sessions VerifiedChains end at the CAs of today.
func TestResumedChains(t *testing.T) {
	w := pki(t)
	tmpl := *w.ca.cert
	tmpl.SerialNumber = nextSerial()
	cross, err := x509.CreateCertificate(rand.Reader, &tmpl, w.otherCA.cert, w.ca.key.Public(), w.otherCA.key)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range bothVersions {
		o := serverOptions(t)
		o.MinimumVersion, o.MaximumVersion = v, v
		o.ClientAuth, o.CA = ClientAuthRequire, [][]byte{w.caDER, w.otherDER}
		server, err := NewServerContext(o)
		if err != nil {
			t.Fatal(err)
		}
		client := clientContext(t, func(o *TLSOptions) {
			o.ClientCertificate, o.ClientKey = [][]byte{append(append([]byte(nil), w.client.cert...), cross...)}, [][]byte{w.client.key}
		})
		connect(t, server, client, SecureOptions{}, SecureOptions{}).ok(t)
		o.CA = [][]byte{w.otherDER} // the first CA isn't trusted any more
		if err := server.Reload(o); err != nil {
			t.Fatal(err)
		}
		s := connect(t, server, client, SecureOptions{}, SecureOptions{}).ok(t).server.State()
		if !s.Authorized() {
			t.Fatalf("%s: %v", v, s.AuthorizationError())
		}
		for _, chain := range s.VerifiedChains {
			if root := chain[len(chain)-1]; !root.Equal(w.otherCA.cert) {
				t.Errorf("%s: resumed %v: VerifiedChains end at %s", v, s.DidResume, root.Subject)
			}
		}
	}
}

// TestTicketKeysBounded: a clock that swings makes no more keys than one that runs.
func TestTicketKeysBounded(t *testing.T) {
	tk := &ticketer{}
	now := time.Unix(1_800_000_000, 0)
	for i := range 1000 {
		at := now
		if i%2 == 0 {
			at = now.Add(30 * time.Hour)
		}
		if keys, _ := tk.at(at, -1, ""); len(keys) == 0 || len(keys) > 16 {
			t.Fatalf("%d keys after %d swings", len(keys), i)
		}
	}
}

// TestForgedListCounts: a list in the name of an issuer, by its key's identifier,
// whose signature is wrong isn't passed over, not even with Partial.
func TestForgedListCounts(t *testing.T) {
	root := newListAuthority(t, "CRL root", nil)
	leaf := root.issue(t, []string{"server.test"}, nil)
	der := root.revoke(t, time.Now().Add(-time.Hour), time.Now().Add(time.Hour), leaf.leaf)
	der[len(der)-1] ^= 1
	server := serverContext(t, func(o *TLSOptions) { o.ServerCertificate, o.ServerKey = [][]byte{leaf.cert}, [][]byte{leaf.key} })
	client := clientContext(t, func(o *TLSOptions) {
		o.CA, o.With = [][]byte{root.cert.Raw}, []Feature{CRLs{DER: [][]byte{der}, Partial: true}}
	})
	p := connect(t, server, client, SecureOptions{}, SecureOptions{})
	var unknown *CRLError
	if !errors.As(p.clientErr, &unknown) {
		t.Errorf("a damaged list was passed over: %v", p.clientErr)
	}
}

// TestOnRefusedCloses: OnRefused may close its listener.
func TestOnRefusedCloses(t *testing.T) {
	leaks(t)
	var ln atomic.Pointer[net.Listener]
	closed := make(chan struct{})
	o := serverOptions(t)
	o.OnRefused = func(net.Addr, error) {
		(*ln.Load()).Close()
		close(closed)
	}
	l, err := Listen(timeout(t), testNetwork(t), "127.0.0.1:0", o)
	if err != nil {
		t.Fatal(err)
	}
	ln.Store(&l)
	raw := testDial(t, l.Addr().String())
	raw.Write([]byte("GET / HTTP/1.0\r\n\r\n"))
	select {
	case <-closed:
	case <-time.After(limit):
		t.Fatal("Close in OnRefused waits for OnRefused")
	}
}

// TestSlowOnRefused: failed handshakes whose report waits cost no goroutine each.
func TestSlowOnRefused(t *testing.T) {
	release := make(chan struct{})
	var calls, running atomic.Int32
	o := serverOptions(t)
	o.OnRefused = func(net.Addr, error) {
		calls.Add(1)
		running.Add(1)
		<-release
		running.Add(-1)
	}
	ln := listen(t, o)
	const peers = 20
	for range peers {
		raw := testDial(t, ln.Addr().String())
		raw.Write([]byte("GET / HTTP/1.0\r\n\r\n"))
		gone(t, raw)
	}
	wait(t, "a report", func() bool { return calls.Load() > 0 })
	if n := running.Load(); n > 1 {
		t.Errorf("%d reports wait at once", n)
	}
	close(release)
	wait(t, "all reports", func() bool { return calls.Load() == peers })
}

// noDeadlines is a transport that knows no deadlines.
type noDeadlines struct{ net.Conn }

func (noDeadlines) SetDeadline(time.Time) error      { return errors.ErrUnsupported }
func (noDeadlines) SetReadDeadline(time.Time) error  { return errors.ErrUnsupported }
func (noDeadlines) SetWriteDeadline(time.Time) error { return errors.ErrUnsupported }

// TestHandshakeTimeoutWithoutDeadlines: HandshakeTimeout holds on any transport.
func TestHandshakeTimeoutWithoutDeadlines(t *testing.T) {
	left, right := net.Pipe()
	defer right.Close()
	done := make(chan error, 1)
	go func() {
		_, err := serverContext(t, nil).Secure(context.Background(), noDeadlines{left}, SecureOptions{HandshakeTimeout: 20 * time.Millisecond})
		done <- err
	}()
	select {
	case err := <-done:
		if !errors.Is(err, ErrHandshakeTimeout) {
			t.Errorf("got %v", err)
		}
		if e, ok := err.(*Error); !ok || e.Code() != CodeHandshakeTimeout || !e.Timeout() {
			t.Errorf("got %v", err)
		}
	case <-time.After(limit):
		t.Fatal("the handshake has no limit")
	}
}

// TestHintsOnlyWhatIsCertain: no hint that the facts don't bear out.
func TestHintsOnlyWhatIsCertain(t *testing.T) {
	w := pki(t)
	// TLS 1.2 has no alert for a missing certificate but handshake_failure.
	for _, v := range bothVersions {
		server := serverContext(t, func(o *TLSOptions) {
			o.MinimumVersion, o.MaximumVersion = v, v
			o.ClientAuth, o.CA = ClientAuthRequire, [][]byte{w.caDER}
		})
		p := connect(t, server, clientContext(t, nil), SecureOptions{}, SecureOptions{})
		e, ok := p.serverErr.(*Error)
		if !ok || e.Code() != CodeNoCertificate || !strings.Contains(e.Hint, "the client sent no certificate") {
			t.Errorf("%s: %v", v, p.serverErr)
		}
	}
	// Certificates without a name of a host.
	uri, _ := url.Parse("spiffe://server.test/x")
	for _, tt := range []struct {
		change func(*x509.Certificate)
		code   Code
		hint   string
	}{
		{onlyCN, CodeOnlyCommonName, "only a CN"},
		{func(c *x509.Certificate) { onlyCN(c); c.URIs = []*url.URL{uri} }, CodeNameMismatch, "no DNS name"},
		{func(c *x509.Certificate) {
			onlyCN(c)
			c.Subject.CommonName = ""
			c.Subject.Organization = []string{"x"}
		}, CodeNameMismatch, "no DNS name"},
	} {
		id := w.ca.issue(t, []string{"server.test"}, tt.change)
		server := serverContext(t, func(o *TLSOptions) { o.ServerCertificate, o.ServerKey = [][]byte{id.cert}, [][]byte{id.key} })
		p := connect(t, server, clientContext(t, nil), SecureOptions{}, SecureOptions{})
		e, ok := p.clientErr.(*Error)
		if !ok || e.Code() != tt.code || !strings.Contains(e.Hint, tt.hint) {
			t.Errorf("code %v, hint %q, want %v, %q", e.Code(), e.Hint, tt.code, tt.hint)
		}
	}
	// A leaf with its CA's name isn't self-signed.
	ca := newAuthority(t, "localhost")
	id := ca.issue(t, []string{"server.test"}, func(c *x509.Certificate) { c.Subject = ca.cert.Subject })
	self, key := SelfSigned("server.test", time.Now().Add(-time.Hour))
	for _, tt := range []struct {
		id   identity
		code Code
	}{{id, CodeUnknownAuthority}, {identity{cert: self, key: key}, CodeSelfSigned}} {
		server := serverContext(t, func(o *TLSOptions) { o.ServerCertificate, o.ServerKey = [][]byte{tt.id.cert}, [][]byte{tt.id.key} })
		p := connect(t, server, clientContext(t, nil), SecureOptions{}, SecureOptions{})
		e, ok := p.clientErr.(*Error)
		if !ok || e.Code() != tt.code || strings.Contains(e.Hint, "self-signed") != (tt.code == CodeSelfSigned) {
			t.Errorf("%v: %v", tt.code, p.clientErr)
		}
	}
	// A record that is too long is TLS's all the same.
	ln := testListen(t)
	go func() {
		if conn, err := ln.Accept(); err == nil {
			conn.Write([]byte{22, 3, 3, 0xff, 0xff})
			conn.Read(make([]byte, 4096))
			conn.Close()
		}
	}()
	_, err := clientContext(t, nil).Secure(timeout(t), testDial(t, ln.Addr().String()), SecureOptions{})
	if e, ok := err.(*Error); !ok || e.Code() != CodeHandshake || strings.Contains(e.Hint, "doesn't speak TLS") {
		t.Errorf("got %v", err)
	}
}

// TestPolicyComesFirst: a Policy doesn't undo in silence what stands before it.
func TestPolicyComesFirst(t *testing.T) {
	for _, before := range []Feature{CipherSuites{"ECDHE-RSA-AES128-GCM-SHA256"}, Groups{"X25519"}, DefaultPolicy} {
		o := clientOptions(t)
		o.With = []Feature{before, DefaultPolicy}
		_, err := NewClientContext(o)
		if err == nil {
			t.Errorf("%T before a Policy is ignored", before)
			continue
		}
		wantOption(t, err, "With[1]")
	}
}

// closedTap notes its end.
type closedTap struct{ closed atomic.Int32 }

func (*closedTap) Sent([]byte)     {}
func (*closedTap) Received([]byte) {}
func (*closedTap) Secret([]byte)   {}
func (c *closedTap) Closed(error)  { c.closed.Add(1) }

// TestTapEnds: Terminate too ends what a tap is told.
func TestTapEnds(t *testing.T) {
	tap := &closedTap{}
	client := clientContext(t, func(o *TLSOptions) { o.Tap = func(_, _ net.Addr, _ bool) Tap { return tap } })
	p := connect(t, serverContext(t, nil), client, SecureOptions{}, SecureOptions{}).ok(t)
	p.client.Terminate()
	p.client.Close()
	if n := tap.closed.Load(); n != 1 {
		t.Errorf("told %d times of the end", n)
	}
}

// TestBudgetOutOfRange: a budget in which nothing has room is refused.
func TestBudgetOutOfRange(t *testing.T) {
	for _, bytes := range []int64{-1, 0, 1000} {
		o := serverOptions(t)
		o.Budget = NewBudget(bytes)
		if ln, err := Listen(timeout(t), HostNetwork{}, "127.0.0.1:0", o); err == nil {
			ln.Close()
			t.Errorf("a listener on %d bytes", bytes)
		}
	}
	b := NewBudget(1 << 20)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("an account of less than nothing")
			}
		}()
		b.Account(-1 << 30)
	}()
	a, err := b.Account(1 << 10)
	if err != nil {
		t.Fatal(err)
	}
	func() {
		defer func() { recover() }()
		a.Release(BudgetKind(200), 1)
	}()
	a.Close()
	if r := b.Report(); r.Used != 0 || r.Accounts != 0 {
		t.Errorf("%+v", r)
	}
}

// TestIdentityPinsNotBypassed: Pins and CRLs count among what an Identity asks.
func TestIdentityPinsNotBypassed(t *testing.T) {
	w := pki(t)
	pins := Pins{PinOf(w.client.leaf), PinOf(w.server.leaf)}
	id := Identity{Names: []string{"server.test"}, Certificate: [][]byte{w.server.cert}, Key: [][]byte{w.server.key},
		ClientAuth: ClientAuthRequire, CA: [][]byte{w.caDER}, With: []Feature{pins}}
	o := serverOptions(t)
	o.ClientAuth, o.CA = ClientAuthRequire, [][]byte{w.caDER}
	o.With = []Feature{Identities{List: []Identity{id}}}
	_, err := NewServerContext(o)
	if err == nil {
		t.Error("clients without SNI get around an Identity's Pins")
	} else {
		wantOption(t, err, "With[0].List[0].Names[0]")
	}
	o.With = append(o.With, pins)
	if _, err := NewServerContext(o); err != nil {
		t.Error(err)
	}
}

// TestSecureTakesOver: a connection that Secure refuses for its options is closed too.
func TestSecureTakesOver(t *testing.T) {
	left, right := net.Pipe()
	defer right.Close()
	_, err := clientContext(t, nil).Secure(context.Background(), left, SecureOptions{VerifyMode: "x"})
	wantOption(t, err, "VerifyMode")
	if _, err := left.Write([]byte{1}); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("the connection is open: %v", err)
		left.Close()
	}
}

// TestCodeOfNothing: an Error that a program made has a code too.
func TestCodeOfNothing(t *testing.T) {
	for stage, want := range map[Stage]Code{"": 0, StageVerify: CodeVerify, StageHandshake: CodeHandshake, StageRead: CodeRead, StageConnect: CodeConnect} {
		if got := (&Error{Stage: stage}).Code(); got != want {
			t.Errorf("%q: %d", stage, got)
		}
	}
	if got := (&Error{Stage: StageConnect, Err: ErrBudget}).Code(); got != CodeBudget {
		t.Errorf("ErrBudget: %d", got)
	}
}

// TestSecretsDontPrint: what holds keys can be logged, in each form, without them.
func TestSecretsDontPrint(t *testing.T) {
	w := pki(t)
	secret := bytes.Repeat([]byte{0xa7}, 32)
	key := [][]byte{secret}
	for _, v := range []any{
		Identity{Key: key, Names: []string{"seen.test"}},
		[]Identity{{Key: key, Names: []string{"seen.test"}}},
		TicketKeys(key),
	} {
		for _, form := range []string{"%v", "%+v", "%#v", "%s", "%x", "%X", "%q", "%d"} {
			text := strings.ToLower(fmt.Sprintf(form, v))
			for _, leak := range []string{"167", "a7", "\xa7", "p6en"} {
				if strings.Contains(text, leak) {
					t.Errorf("%T with %s: %.200q", v, form, text)
					break
				}
			}
			if (form == "%v" || form == "%+v") && !strings.Contains(fmt.Sprintf("%T", v), "TicketKeys") && !strings.Contains(text, "seen.test") {
				t.Errorf("%T with %s hides all: %s", v, form, text)
			}
		}
		var log strings.Builder
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", v)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "v", v)
		for _, leak := range []string{"167 167", "a7a7", "p6en"} {
			if strings.Contains(strings.ToLower(log.String()), leak) {
				t.Errorf("%T: %s", v, log.String())
			}
		}
	}
	// Connections and their parts, with secrets inside.
	p := connect(t, serverContext(t, nil), clientContext(t, nil), SecureOptions{}, SecureOptions{}).ok(t)
	session, err := p.client.Session()
	if err != nil {
		t.Fatal(err)
	}
	_ = w
	state := p.client.State()
	part := fmt.Sprintf("%x", session[len(session)-16:])
	for _, v := range []any{p.client, p.server, state, &state, clientContext(t, nil), serverContext(t, nil)} {
		for _, form := range []string{"%v", "%+v", "%#v", "%x"} {
			if strings.Contains(fmt.Sprintf(form, v), part) {
				t.Errorf("%T with %s", v, form)
			}
		}
	}
}

// TestReloadWhileHandshaking: each handshake is judged by one set of options, before
// or after a Reload, never by a mixture.
func TestReloadWhileHandshaking(t *testing.T) {
	w := pki(t)
	named := w.ca.issue(t, []string{"named.test"}, nil)
	options := func(ca []byte, mark string) TLSOptions {
		o := serverOptions(t)
		o.ClientAuth, o.CA, o.VerifyMode = ClientAuthRequire, [][]byte{ca}, VerifyOptional
		o.ApplicationLayerProtocol = []string{mark}
		o.With = []Feature{Identities{List: []Identity{{Names: []string{"named.test"}, Certificate: [][]byte{named.cert}, Key: [][]byte{named.key},
			ClientAuth: ClientAuthRequire, CA: [][]byte{ca}, VerifyMode: VerifyOptional}}}}
		return o
	}
	sets := []TLSOptions{options(w.caDER, "trusted"), options(w.otherDER, "untrusted")}
	server, err := NewServerContext(sets[0])
	if err != nil {
		t.Fatal(err)
	}
	client := clientContext(t, func(o *TLSOptions) {
		o.ApplicationLayerProtocol = []string{"trusted", "untrusted"}
		o.ClientCertificate, o.ClientKey = [][]byte{w.client.cert}, [][]byte{w.client.key}
	})
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
			}
			if err := server.Reload(sets[i%2]); err != nil {
				t.Error(err)
			}
		}
	})
	hosts := []string{"server.test", "named.test"}
	var hands sync.WaitGroup
	for i := range 2 {
		hands.Go(func() {
			for range 15 {
				p := connect(t, server, client, SecureOptions{}, SecureOptions{Host: hosts[i]})
				if p.serverErr != nil || p.clientErr != nil {
					t.Errorf("%v, %v", p.serverErr, p.clientErr)
					return
				}
				s := p.server.State()
				if want := s.NegotiatedProtocol == "trusted"; s.Authorized() != want {
					t.Errorf("%s: authorized %v under the options %q (resumed %v)", hosts[i], s.Authorized(), s.NegotiatedProtocol, s.DidResume)
				}
			}
		})
	}
	hands.Wait()
	close(stop)
	wg.Wait()
}

// TestUnsetClock: a clock that says nothing, the zero time, isn't taken for the machine's.
func TestUnsetClock(t *testing.T) {
	for _, mode := range []VerifyMode{VerifyRequired, VerifyOptional} {
		client := clientContext(t, func(o *TLSOptions) {
			o.VerifyMode, o.Now = mode, func() time.Time { return time.Time{} }
		})
		p := connect(t, serverContext(t, nil), client, SecureOptions{}, SecureOptions{})
		if mode == VerifyRequired {
			if e, ok := p.clientErr.(*Error); !ok || e.Code() != CodeNotYetValid {
				t.Errorf("got %v", p.clientErr)
			}
		} else if s := p.ok(t).client.State(); s.Authorized() {
			t.Error("authorized at the zero time")
		}
	}
}
