package tlsio

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// The tests of this file prove what Bun's sockets tell about TLS, and what of TLS
// they can set.

// securedPair is a client's connection and the server's, over testNetwork; bytes
// of the server have reached the client, so that it has the server's tickets.
func securedPair(t *testing.T, co, so TLSOptions) (client, server *Conn) {
	t.Helper()
	ln := listen(t, so)
	defer ln.Close()
	c, err := Dial(timeout(t), testNetwork(t), ln.Addr().String(), co)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	s, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	for _, c := range []net.Conn{c, s} {
		c.SetDeadline(time.Now().Add(limit))
	}
	if _, err := s.Write([]byte("!")); err != nil {
		t.Fatal(err)
	}
	readAll(t, c, 1)
	return c.(*Conn), s.(*Conn)
}

func state(c *Conn) *State { s := c.State(); return &s }

// TestBunAuthorized: the result of verification, in both roles, when it holds and
// when it doesn't, and on a resumed session.
//
//conform:bun authorized works tlsio.State.Authorized
//conform:bun getAuthorizationError works tlsio.State.AuthorizationError
//conform:bun getPeerX509Certificate works tlsio.State.PeerCertificates
//conform:bun getX509Certificate works tlsio.State.LocalCertificate
func TestBunAuthorized(t *testing.T) {
	w := pki(t)
	so := serverOptions(t)
	so.ClientAuth, so.CA, so.VerifyMode = ClientAuthRequest, [][]byte{w.caDER}, VerifyOptional
	for _, tt := range []struct {
		name           string
		change         func(*TLSOptions)
		client, server bool
		sent           *identity
	}{
		{"both", func(o *TLSOptions) {
			o.ClientCertificate, o.ClientKey = [][]byte{w.client.cert}, [][]byte{w.client.key}
		}, true, true, &w.client},
		{"no client certificate", func(*TLSOptions) {}, true, false, nil},
		{"expired client certificate", func(o *TLSOptions) {
			o.ClientCertificate, o.ClientKey = [][]byte{w.expiredClient.cert}, [][]byte{w.expiredClient.key}
		}, true, false, &w.expiredClient},
		{"unknown CA", func(o *TLSOptions) { o.CA = [][]byte{w.otherDER} }, false, false, nil},
		{"other name", func(o *TLSOptions) { o.Host = "other.test" }, false, false, nil},
		{"nothing verified", func(o *TLSOptions) { o.VerifyMode, o.CA = InsecureVerifyNone, nil }, false, false, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			co := clientOptions(t)
			co.VerifyMode = VerifyOptional
			tt.change(&co)
			c, s := securedPair(t, co, so)
			for side, want := range map[*State]bool{state(c): tt.client, state(s): tt.server} {
				if side.Authorized() != want || (side.AuthorizationError() == nil) != want {
					t.Errorf("server %v: authorized %v, %v", side.Server, side.Authorized(), side.AuthorizationError())
				}
			}
			if cert := state(c).PeerCertificates[0]; !bytes.Equal(cert.Raw, w.server.cert) {
				t.Error("the client has another certificate of the server")
			}
			if cert := state(s).LocalCertificate(); cert == nil || !bytes.Equal(cert.Raw, w.server.cert) {
				t.Error("the server doesn't know its own certificate")
			}
			own, seen := state(c).LocalCertificate(), state(s).PeerCertificates
			if tt.sent == nil && (own != nil || len(seen) != 0) {
				t.Errorf("a client certificate from nowhere: %v, %v", own, seen)
			}
			if tt.sent != nil && (own == nil || !bytes.Equal(own.Raw, tt.sent.cert) || len(seen) == 0 || !bytes.Equal(seen[0].Raw, tt.sent.cert)) {
				t.Errorf("client certificate: %v, %v", own, seen)
			}
		})
	}
}

// TestBunNegotiated: protocol, version, cipher suite, key exchange and names of a
// connection, as each side sees them.
//
//conform:bun alpnProtocol differs tlsio.State.NegotiatedProtocol, tlsio.State.HandshakeComplete -- "" in place of false, and before the handshake
//conform:bun getTLSVersion differs tlsio.State.VersionName -- servers get it too; empty before the handshake
//conform:bun getCipher works tlsio.State.Cipher, tlsio.CipherInfo
//conform:bun getEphemeralKeyInfo differs tlsio.State.EphemeralKey -- hybrid groups are {KEM, X25519MLKEM768}
//conform:bun getServername works tlsio.State.ServerName
//conform:bun setServername differs tlsio.TLSOptions.Host, tlsio.SecureOptions.Host -- given with the connection, before its handshake
//conform:bun getSharedSigalgs differs tlsio.State.SharedSignatureAlgorithms, tlsio.ErrSharedSignatureAlgorithms -- servers only: crypto/tls doesn't tell clients
func TestBunNegotiated(t *testing.T) {
	for _, tt := range []struct {
		version     string
		name        string
		standard    string
		groups      []string
		kind, group string
		bits        int
	}{
		{TLSv13, "", "", []string{"X25519MLKEM768"}, "KEM", "X25519MLKEM768", 0},
		{TLSv13, "", "", []string{"x25519"}, "ECDH", "X25519", 253},
		{TLSv12, "ECDHE-ECDSA-AES256-GCM-SHA384", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", []string{"secp256r1"}, "ECDH", "prime256v1", 256},
		{TLSv11, "ECDHE-ECDSA-AES128-SHA", "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", []string{"secp384r1"}, "ECDH", "secp384r1", 384},
	} {
		t.Run(tt.version+" "+tt.group, func(t *testing.T) {
			co, so := clientOptions(t), serverOptions(t)
			co.MinimumVersion, co.MaximumVersion = tt.version, tt.version
			so.MinimumVersion = TLSv11
			so.ApplicationLayerProtocol = []string{"one", "two"}
			if tt.version != TLSv13 {
				co.ApplicationLayerProtocol = []string{"two"}
				co.With = append(co.With, CipherSuites{tt.name})
			}
			co.With = append(co.With, Groups(tt.groups))
			c, s := securedPair(t, co, so)
			for _, side := range []*State{state(c), state(s)} {
				if side.VersionName() != tt.version {
					t.Errorf("version %s", side.VersionName())
				}
				want := ""
				if tt.version != TLSv13 {
					want = "two"
				}
				if side.NegotiatedProtocol != want {
					t.Errorf("protocol %q", side.NegotiatedProtocol)
				}
				suite := side.Cipher()
				if tt.name == "" {
					if suite.Version != TLSv13 || suite.Name != suite.StandardName || !strings.HasPrefix(suite.Name, "TLS_") {
						t.Errorf("suite %+v", suite)
					}
				} else if suite.Name != tt.name || suite.StandardName != tt.standard {
					t.Errorf("suite %+v", suite)
				}
				if side.ServerName != "server.test" {
					t.Errorf("server %v: name %q", side.Server, side.ServerName)
				}
			}
			if k := state(c).EphemeralKey(); k == nil || k.Type != tt.kind || k.Name != tt.group || k.Size != tt.bits {
				t.Errorf("key exchange %+v", k)
			}
			if k := state(s).EphemeralKey(); k != nil {
				t.Errorf("on the server: %+v", k)
			}
			shared, err := state(s).SharedSignatureAlgorithms()
			if tt.version == TLSv11 {
				return // older clients don't say
			}
			if err != nil || !slices.Contains(shared, "ECDSA+SHA256") {
				t.Errorf("shared signature algorithms %q, %v", shared, err)
			}
			if _, err := state(c).SharedSignatureAlgorithms(); !errors.Is(err, ErrSharedSignatureAlgorithms) {
				t.Errorf("on the client: %v", err)
			}
		})
	}
	network := &slow{testNetwork(t), make(chan struct{})}
	sock, err := NewTLS(NewApp(network), TLSClientOptions{Address: "127.0.0.1", Port: 1, TLS: clientOptions(t)})
	if err != nil {
		t.Fatal(err)
	}
	before, err := sock.State()
	if err != nil || before.HandshakeComplete || before.VersionName() != "" || before.NegotiatedProtocol != "" {
		t.Errorf("before the handshake: %+v, %v", before, err)
	}
	sock.Close()
	if _, err := sock.State(); !errors.Is(err, ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

// TestBunKeyingMaterial: both sides derive the same bytes, and other ones for another
// label, context or connection.
//
//conform:bun exportKeyingMaterial works tlsio.State.ExportKeyingMaterial
//conform:bun exportKeyingMaterial.context works tlsio.State.ExportKeyingMaterial
//conform:bun getTLSFinishedMessage refused tlsio.Conn.FinishedMessages, tlsio.ErrFinished -- crypto/tls doesn't give it out; State.ChannelBinding is what it was for
//conform:bun getTLSPeerFinishedMessage refused tlsio.Conn.FinishedMessages, tlsio.ErrFinished -- crypto/tls doesn't give it out; State.ChannelBinding is what it was for
func TestBunKeyingMaterial(t *testing.T) {
	export := func(c *Conn, label string, context []byte, n int) string {
		t.Helper()
		b, err := state(c).ExportKeyingMaterial(label, context, n)
		if err != nil || len(b) != n {
			t.Fatalf("%d bytes, %v", len(b), err)
		}
		return string(b)
	}
	seen := map[string]bool{}
	for _, v := range []string{TLSv12, TLSv13} {
		co := clientOptions(t)
		co.MaximumVersion = v
		c, s := securedPair(t, co, serverOptions(t))
		for _, label := range []string{"EXPORTER-one", "EXPORTER-two"} {
			for _, context := range []string{"here", "there"} {
				a, b := export(c, label, []byte(context), 128), export(s, label, []byte(context), 128)
				if a != b {
					t.Errorf("%s: the sides differ", v)
				}
				if seen[a] {
					t.Errorf("%s: the same bytes for %s, %s", v, label, context)
				}
				seen[a] = true
			}
		}
		if v == TLSv12 {
			if _, err := state(c).ExportKeyingMaterial("client finished", nil, 32); err == nil {
				t.Error("a label of the handshake itself was taken")
			}
		}
		for _, side := range []*Conn{c, s} {
			if _, _, err := side.FinishedMessages(); !errors.Is(err, ErrFinished) || !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("Finished messages: %v", err)
			}
		}
		a, err1 := state(c).ChannelBinding(BindingExporter)
		b, err2 := state(s).ChannelBinding(BindingExporter)
		if err1 != nil || err2 != nil || len(a) != 32 || !bytes.Equal(a, b) {
			t.Errorf("%s: channel binding % x (%v), % x (%v)", v, a, err1, b, err2)
		}
	}
}

// TestBunSession: a session is exported, stored, and resumed by a client that knows
// nothing else of it.
//
//conform:bun getSession works tlsio.Conn.Session
//conform:bun setSession differs tlsio.TLSOptions.Session, tlsio.SecureOptions.Session -- given with the connection, before its handshake
//conform:bun getTLSTicket works tlsio.Conn.SessionTicket
//conform:bun isSessionReused works tlsio.State.DidResume
//conform:iotjs option.session works tlsio.TLSOptions.Session, tlsio.Conn.Session
func TestBunSession(t *testing.T) {
	for _, v := range []string{TLSv12, TLSv13} {
		t.Run(v, func(t *testing.T) {
			server, err := NewServerContext(serverOptions(t))
			if err != nil {
				t.Fatal(err)
			}
			so := TLSOptions{Context: server}
			client := func() TLSOptions {
				o := clientOptions(t)
				o.MaximumVersion = v
				return o
			}
			first, err := NewClientContext(client())
			if err != nil {
				t.Fatal(err)
			}
			c, s := securedPair(t, TLSOptions{Context: first, Host: "server.test"}, so)
			if state(c).DidResume || state(s).DidResume {
				t.Error("resumed from nothing")
			}
			session, err := c.Session()
			if err != nil || len(session) == 0 {
				t.Fatalf("Session: %d bytes, %v", len(session), err)
			}
			if len(c.SessionTicket()) == 0 {
				t.Error("no ticket")
			}
			if _, err := s.Session(); !errors.Is(err, ErrServerSession) {
				t.Errorf("Session of a server: %v", err)
			}
			if s.SessionTicket() != nil {
				t.Error("a server has a ticket")
			}

			fresh := client()
			fresh.Session = session
			c, s = securedPair(t, fresh, so)
			if !state(c).DidResume || !state(s).DidResume || !state(c).Authorized() {
				t.Errorf("resumed %v and %v, authorized %v", state(c).DidResume, state(s).DidResume, state(c).Authorized())
			}

			fresh.Session = []byte("not a session")
			_, err = Dial(timeout(t), noNetwork{t}, "127.0.0.1:1", fresh)
			wantOption(t, err, "Session")

			// The rules of now judge the resumed session: its CA is trusted no more.
			strict := client()
			strict.Session, strict.CA = session, [][]byte{pki(t).otherDER}
			ln := listen(t, so)
			if c, err := Dial(timeout(t), testNetwork(t), ln.Addr().String(), strict); err == nil {
				c.Close()
				t.Error("resumed under a CA that isn't trusted any more")
			}
		})
	}
}

// TestBunSetMaxSendFragment limits records, between two writes.
//
//conform:bun setMaxSendFragment differs tlsio.Conn.SetMaxSendFragment, tlsio.TLS.Conn -- an error in place of false; 512 at least, as OpenSSL
func TestBunSetMaxSendFragment(t *testing.T) {
	r := newRig(t)
	ln, address, port := local(t)
	sock, err := NewTLS(r.app, r.tls(TLSClientOptions{Address: address, Port: port, TLS: clientOptions(t)}))
	if err != nil {
		t.Fatal(err)
	}
	defer sock.Close()
	tapped := &recordTap{Conn: accept(t, ln)}
	peer := r.serve(tapped, nil)
	r.next("writable")
	c, err := sock.Conn()
	if c == nil || err != nil {
		t.Fatalf("Conn: %v", err)
	}
	for _, bad := range []int{-1, 0, 511, 16385} {
		wantOption(t, c.SetMaxSendFragment(bad), "bytes")
	}
	data := pattern(20000)
	before := 0 // a limit that is raised again counts too
	for _, size := range []int{512, 4000, 16384} {
		if err := c.SetMaxSendFragment(size); err != nil {
			t.Fatal(err)
		}
		tapped.largest = 0
		wait(t, "room", func() bool { return sock.Writable() >= len(data) })
		if _, err := sock.Write(data); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(readAll(t, peer, len(data)), data) {
			t.Error("bytes differ")
		}
		if tapped.largest > size+17 || tapped.largest <= before+17 {
			t.Errorf("the largest record has %d bytes with a limit of %d", tapped.largest, size)
		}
		before = size
	}
}

// TestBunSetVerifyMode: TLS can't change its mind, so the mode is an option of each
// connection, and the method says so.
//
//conform:bun setVerifyMode differs tlsio.TLSOptions.VerifyMode, tlsio.TLSOptions.ClientAuth, tlsio.Conn.SetVerifyMode, tlsio.ErrHandshakeBegun -- given with the connection, before its handshake; afterwards refused
func TestBunSetVerifyMode(t *testing.T) {
	w := pki(t)
	for _, tt := range []struct {
		auth  ClientAuth
		mode  VerifyMode
		works bool
	}{
		{ClientAuthNone, "", true},
		{ClientAuthRequest, VerifyOptional, true},
		{ClientAuthRequest, VerifyRequired, false},
	} {
		so := serverOptions(t)
		so.ClientAuth, so.VerifyMode = tt.auth, tt.mode
		if tt.auth != ClientAuthNone {
			so.CA = [][]byte{w.otherDER} // the client's isn't among them
		}
		refused := make(refusals, 1)
		so.OnRefused = refused.note
		ln := listen(t, so)
		go echo(ln)
		co := clientOptions(t)
		co.ClientCertificate, co.ClientKey = [][]byte{w.client.cert}, [][]byte{w.client.key}
		co.MaximumVersion = TLSv12 // the refusal reaches the client in its handshake
		c, err := Dial(timeout(t), testNetwork(t), ln.Addr().String(), co)
		if (err == nil) != tt.works {
			t.Errorf("%q, %q: %v", tt.auth, tt.mode, err)
		}
		if err != nil {
			wantError(t, refused.next(t), StageVerify, Alert{AlertSent, 48})
			continue
		}
		if err := c.(*Conn).SetVerifyMode(VerifyOptional, ClientAuthRequest); !errors.Is(err, ErrHandshakeBegun) {
			t.Errorf("SetVerifyMode: %v", err)
		}
		c.Close()
	}
}

// TestBunRenegotiate: connections are never renegotiated. A client's attempt gets a
// fatal alert, a server's is refused, both sides' programs are told.
//
//conform:bun renegotiate refused tlsio.Conn.Renegotiate, tlsio.ErrRenegotiation -- crypto/tls can't begin one; TLS 1.3 has none
//conform:bun disableRenegotiation works tlsio.Conn.DisableRenegotiation
func TestBunRenegotiate(t *testing.T) {
	c, s := securedPair(t, clientOptions(t), serverOptions(t))
	for _, side := range []*Conn{c, s} {
		if err := side.Renegotiate(); !errors.Is(err, ErrRenegotiation) || !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("Renegotiate: %v", err)
		}
		side.DisableRenegotiation()
	}
	go io.Copy(s, s)
	roundTrip(t, c, pattern(1000)) // nothing has happened to it

	bin := openssl(t)
	w := pki(t)
	t.Run("client's attempt", func(t *testing.T) {
		ln := listenOn(t, HostNetwork{}, serverOptions(t))
		cmd := exec.Command(bin, "s_client", "-connect", ln.Addr().String(), "-tls1_2", "-CAfile", writePEM(t, "CERTIFICATE", w.caDER))
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		var said bytes.Buffer
		cmd.Stderr = &said
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		c := accept(t, ln)
		io.WriteString(in, "hello\n")
		if got := string(readAll(t, c, 6)); got != "hello\n" {
			t.Errorf("got %q", got)
		}
		io.WriteString(in, "R\n")
		_, err = c.Read(make([]byte, 1))
		wantError(t, err, StageRead, Alert{})
		c.Close()
		cmd.Wait() // which fails
		if !strings.Contains(said.String(), "unexpected message") {
			t.Errorf("s_client got no fatal alert, but:\n%s", said.String())
		}
	})
	t.Run("server's attempt", func(t *testing.T) {
		addr, in := typedServer(t, w.server, "-tls1_2")
		c, err := Dial(timeout(t), HostNetwork{}, addr, clientOptions(t))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(limit))
		io.WriteString(in, "hello\n")
		if got := string(readAll(t, c, 6)); got != "hello\n" {
			t.Errorf("got %q", got)
		}
		io.WriteString(in, "r\n")
		_, err = c.Read(make([]byte, 1))
		wantError(t, err, StageRead, Alert{AlertSent, 100})
	})
}
