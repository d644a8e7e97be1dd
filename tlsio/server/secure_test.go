package server

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"ingot.dev/tlsio"
)

// TestImplicit: the handshake comes first, Connected when it is done.
//
//conform:ipworks SSLStartMode works tlsio/server.Config.StartMode
//conform:ipworks SSLStartMode.1 works tlsio/server.StartImplicit
//conform:ipworks SSLEnabled works tlsio/server.Config.StartMode, tlsio/server.Connection.TLS
//conform:ipworks SSLCert works tlsio/server.Config.TLS
//conform:ipworks event.SSLStatus works tlsio/server.Handler.TLSStatus
func TestImplicit(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		b := newBench(t, Config{StartMode: StartImplicit, TLS: serverTLS(t), SingleLineMode: true}, Handler{
			DataIn: func(c *Connection, line []byte, eol bool) { c.SendLine(strings.ToUpper(string(line))) },
		}, 0)
		config := clientTLS(t)
		config.MaxVersion = version
		cl := b.dialTLS(config)
		if e := b.next("TLSStatus"); e.text != "handshake begins" {
			t.Errorf("got %+v", e)
		}
		e := b.next("TLSStatus")
		if !strings.HasPrefix(e.text, "handshake done: "+tls.VersionName(version)+", TLS_") {
			t.Errorf("got %+v", e)
		}
		if e := b.next("Connected"); e.err != nil {
			t.Fatal(e.err)
		}
		b.next("ReadyToSend")
		c, err := b.Connection("1")
		if err != nil {
			t.Fatal(err)
		}
		if s, ok := c.ConnectionState(); !ok || s.Version != version || c.TLS() == nil {
			t.Error("no state")
		}
		cl.send("hello\n")
		if got := cl.line(); got != "HELLO" {
			t.Errorf("got %q", got)
		}
		b.next("DataIn")
		if err := c.StartTLS(); err == nil {
			t.Error("secured twice")
		}
		long := strings.Repeat("x", 100000)
		go func() {
			if err := c.SetTimeout(limit); err != nil {
				t.Error(err)
			}
			if n, err := c.SendText(long); n != len(long) || err != nil {
				t.Error(n, err)
			}
			c.Disconnect()
		}()
		if rest, clean := cl.ended(); rest != long || !clean {
			t.Errorf("got %d bytes, clean %v", len(rest), clean)
		}
		if e := b.next("Disconnected"); e.err != nil {
			t.Error(e.err)
		}
		b.Close()
	}
}

// TestHandshakeFails: Connected has the error, and there is no Disconnected for
// what never was connected.
//
//conform:ipworks error.276 works tlsio/server.CodeHandshake
//conform:ipworks event.Connected works tlsio/server.Handler.Connected, tlsio/server.Status
func TestHandshakeFails(t *testing.T) {
	b := newBench(t, Config{StartMode: StartImplicit, TLS: serverTLS(t)}, Handler{}, noStatus)
	cl := b.dial()
	cl.send("GET / HTTP/1.1\r\n\r\n")
	e := b.next("Connected")
	wantCode(t, e.err, 276)
	if _, ok := errors.AsType[*tlsio.Error](e.err); !ok {
		t.Errorf("%v has no tlsio.Error in it", e.err)
	}
	cl.ended()
	b.quiet()

	bad := clientTLS(t)
	bad.MinVersion, bad.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	conn := tls.Client(b.dial(), bad)
	if err := conn.HandshakeContext(within(t)); err == nil {
		t.Error("TLS 1.1 was accepted")
	}
	e = b.next("Connected")
	if wantCode(t, e.err, 276); !strings.Contains(e.err.Error(), "protocol_version") {
		t.Error(e.err)
	}
	b.quiet()
	wait(t, "nothing left", func() bool { return b.Statistics().Open == 0 })
}

// TestSilentHandshake: HandshakeInactivity ends handshakes of clients that stop, and
// TLS.HandshakeTimeout those of clients that drip.
//
//conform:ipworks config.DefaultConnectionTimeout works tlsio/server.Config.HandshakeInactivity
func TestSilentHandshake(t *testing.T) {
	o := serverTLS(t)
	o.HandshakeTimeout = time.Hour
	b := newBench(t, Config{StartMode: StartImplicit, TLS: o, HandshakeInactivity: 30 * time.Millisecond}, Handler{}, noStatus)
	cl := b.dial()
	cl.send("\x16\x03\x01\x01\x00")
	e := b.next("Connected")
	if wantCode(t, e.err, 10060); !errors.Is(e.err, tlsio.ErrHandshakeTimeout) {
		t.Error(e.err)
	}
	b.Close()

	o.HandshakeTimeout = 200 * time.Millisecond
	b = newBench(t, Config{StartMode: StartImplicit, TLS: o, HandshakeInactivity: time.Hour}, Handler{}, noStatus)
	cl = b.dial()
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		cl.Write([]byte("\x16\x03\x01\x40\x00"))
		for {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
				cl.Write([]byte{0})
			}
		}
	}()
	e = b.next("Connected")
	close(stop)
	<-done
	if !errors.Is(e.err, tlsio.ErrHandshakeTimeout) {
		t.Error(e.err)
	}
}

// TestHandshakeFlood: silent connections can't keep others from shaking hands.
func TestHandshakeFlood(t *testing.T) {
	o := serverTLS(t)
	o.MaxHandshakes = 2
	b := newBench(t, Config{StartMode: StartImplicit, TLS: o}, Handler{}, noStatus|noReady)
	for range 5 {
		b.dial()
	}
	// On a slow machine the first are dropped for the last before all are there.
	wait(t, "all are there", func() bool { return b.Statistics().Accepted == 5 })
	cl := b.dialTLS(clientTLS(t))
	for range 10 {
		e := b.next("Connected")
		if e.err != nil {
			if !errors.Is(e.err, tlsio.ErrEvicted) {
				t.Error(e.err)
			}
			continue
		}
		c, err := b.Connection(e.id)
		if err != nil {
			t.Fatal(err)
		}
		c.SendText("x")
		cl.read(1)
		return
	}
	t.Error("not served")
}

// TestStartTLS: plain text until StartTLS, whose answer is in plain text still;
// Connected again; what came behind the command is not taken for secured data.
//
//conform:ipworks event.Connected works tlsio/server.Handler.Connected, tlsio/server.Status
//conform:ipworks startSSL works tlsio/server.Connection.StartTLS, tlsio/server.Server.StartTLS
//conform:ipworks SSLStartMode.2 works tlsio/server.StartExplicit
func TestStartTLS(t *testing.T) {
	for _, viaLoop := range []bool{false, true} {
		config := Config{StartMode: StartExplicit, TLS: serverTLS(t), SingleLineMode: true}
		if viaLoop {
			config.Post = runLoop(t)
		}
		b := newBench(t, config, Handler{
			DataIn: func(c *Connection, line []byte, eol bool) {
				if string(line) != "STARTTLS" {
					c.SendLine("echo " + string(line))
					return
				}
				if _, err := c.SendLine("go ahead"); err != nil {
					t.Error(err)
				}
				if err := c.StartTLS(); err != nil {
					t.Error(err)
				}
				if n, err := c.SendText("too early"); n != 0 || !errors.Is(err, ErrWouldBlock) {
					t.Errorf("between StartTLS and the handshake: took %d, %v", n, err)
				}
				if c.StartTLS() == nil {
					t.Error("StartTLS twice")
				}
			},
		}, noStatus)
		cl := b.dial()
		b.next("Connected")
		b.next("ReadyToSend")
		cl.send("one\r\n")
		if got := cl.line(); got != "echo one" {
			t.Fatalf("got %q", got)
		}
		b.next("DataIn")
		cl.send("STARTTLS\r") // the LF comes later
		b.next("DataIn")
		if got := cl.line(); got != "go ahead" {
			t.Fatalf("got %q", got)
		}
		cl.send("\n")
		secured := cl.secure(clientTLS(t))
		if e := b.next("Connected"); e.id != "1" || e.err != nil {
			t.Fatalf("got %+v", e)
		}
		b.next("ReadyToSend")
		secured.send("two\n")
		if got := secured.line(); got != "echo two" {
			t.Errorf("got %q", got)
		}
		b.next("DataIn")
		c, err := b.Connection("1")
		if err != nil {
			t.Fatal(err)
		}
		if s, ok := c.ConnectionState(); !ok || !s.HandshakeComplete {
			t.Error("not secured")
		}
		secured.Close()
		if e := b.next("Disconnected"); e.err != nil {
			t.Error(e.err)
		}
		b.Close()
	}
}

// TestInjection: plain text behind STARTTLS never comes as DataIn (CVE-2011-0411).
func TestInjection(t *testing.T) {
	b := newBench(t, Config{StartMode: StartExplicit, TLS: serverTLS(t), SingleLineMode: true}, Handler{
		DataIn: func(c *Connection, line []byte, eol bool) {
			if string(line) == "STARTTLS" {
				c.StartTLS()
			}
		},
	}, noStatus|noReady)
	_, cl := b.open()
	cl.send("STARTTLS\r\nRCPT TO:<injected>\r\n")
	b.next("DataIn")
	e := b.next("Connected")
	wantCode(t, e.err, 276)
	e = b.next("Disconnected")
	wantCode(t, e.err, 276)
	cl.ended()
	b.quiet()
}

// TestStartTLSFromOutside secures a connection whose reader is waiting.
func TestStartTLSFromOutside(t *testing.T) {
	b := newBench(t, Config{StartMode: StartExplicit, TLS: serverTLS(t)}, Handler{}, noStatus|noReady)
	c, cl := b.open()
	if err := b.StartTLS(c.ID()); err != nil {
		t.Fatal(err)
	}
	secured := cl.secure(clientTLS(t))
	if b.next("Connected"); c.TLS() == nil {
		t.Fatal("not secured")
	}
	if _, err := c.SendText("hello"); err != nil {
		t.Error(err)
	}
	if got := secured.read(5); got != "hello" {
		t.Error(got)
	}
}

// TestStartTLSAndSends: sends that wait neither hold StartTLS up nor go on in plain
// text behind it.
func TestStartTLSAndSends(t *testing.T) {
	files := fstest.MapFS{"f": {Data: []byte("file")}}
	var b *bench
	b = newBench(t, Config{StartMode: StartExplicit, TLS: serverTLS(t), SingleLineMode: true, SendQueue: 1000, OutBufferSize: 4096}, Handler{
		DataIn: func(c *Connection, line []byte, eol bool) {
			if err := c.StartTLS(); err != nil {
				t.Error(err)
			}
			if n, err := c.SendFile(files, "f"); n != 0 || !errors.Is(err, ErrWouldBlock) {
				t.Error("SendFile behind StartTLS:", n, err)
			}
			c.SetTimeout(limit)
			if n, err := c.SendText("x"); n != 0 || !errors.Is(err, ErrWouldBlock) {
				t.Error("Send behind StartTLS:", n, err)
			}
			if n, err := b.Broadcast([]byte("x")); n != 0 || !errors.Is(err, ErrWouldBlock) {
				t.Error("Broadcast behind StartTLS:", n, err)
			}
		},
	}, noStatus|noReady)
	c, cl := b.open()
	if err := c.SetTimeout(limit); err != nil {
		t.Fatal(err)
	}
	big := strings.Repeat("x", 8<<20)
	done := make(chan error)
	go func() {
		_, err := c.SendText(big)
		done <- err
	}()
	wait(t, "the send waits", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.sending && c.queue.free() == 0
	})
	wantCode(t, c.StartTLS(), CodeInProgress)
	if got := cl.read(len(big)); got != big {
		t.Error("the text was changed")
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	cl.send("STARTTLS\n")
	secured := cl.secure(clientTLS(t))
	b.opened()
	if _, err := c.SendText("safe"); err != nil {
		t.Error(err)
	}
	if got := secured.read(4); got != "safe" {
		t.Errorf("got %q", got)
	}
}

// TestStartTLSWithoutTLS: there must be a certificate.
//
//conform:ipworks error.282 works tlsio/server.CodeNoServerCertificate
//conform:ipworks SSLStartMode.3 works tlsio/server.StartNone
func TestStartTLSWithoutTLS(t *testing.T) {
	b := newBench(t, Config{}, Handler{}, noReady)
	c, cl := b.open()
	wantCode(t, c.StartTLS(), 282)
	cl.send("still plain")
	if e := b.next("DataIn"); e.text != "still plain" {
		t.Errorf("got %+v", e)
	}
}

// TestTLSOptionsRefused: TLS is checked before anything listens.
func TestTLSOptionsRefused(t *testing.T) {
	for _, c := range []Config{
		{StartMode: StartImplicit},
		{StartMode: StartImplicit, TLS: tlsio.TLSOptions{ServerCertificate: [][]byte{{1}}, ServerKey: [][]byte{{2}}}},
		{StartMode: StartExplicit, TLS: serverTLS(t), AuthenticateClients: true}, // no CA
	} {
		b := prepare(t, c, Handler{}, 0)
		err := b.StartListening(within(t))
		if _, ok := errors.AsType[*tlsio.OptionError](err); !ok || b.Listening() {
			t.Errorf("%+v: %v", c.StartMode, err)
		}
	}
	context, err := tlsio.NewServerContext(serverTLS(t))
	if err != nil {
		t.Fatal(err)
	}
	b := prepare(t, Config{StartMode: StartImplicit, TLS: tlsio.TLSOptions{Context: context}, AuthenticateClients: true}, Handler{}, 0)
	if err := b.StartListening(within(t)); err == nil {
		t.Error("AuthenticateClients beside TLS.Context")
	}
}

// TestContext: one SecureContext for several servers.
func TestContext(t *testing.T) {
	context, err := tlsio.NewServerContext(serverTLS(t))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		b := newBench(t, Config{StartMode: StartImplicit, TLS: tlsio.TLSOptions{Context: context, HandshakeTimeout: limit}}, Handler{}, noStatus|noReady)
		b.dialTLS(clientTLS(t))
		b.opened()
	}
}

// TestAutomatic is explicit on the plain-text port and implicit elsewhere.
//
//conform:ipworks SSLStartMode.0 works tlsio/server.StartAutomatic, tlsio/server.Config.PlaintextPort
func TestAutomatic(t *testing.T) {
	b := newBench(t, Config{StartMode: StartAutomatic, TLS: serverTLS(t)}, Handler{}, noStatus|noReady)
	b.dialTLS(clientTLS(t))
	b.opened()
	port := b.LocalPort()
	if err := b.StopListening(); err != nil {
		t.Fatal(err)
	}
	if err := b.Configure(func(c *Config) { c.LocalPort, c.PlaintextPort = port, port }); err != nil {
		t.Fatal(err)
	}
	if err := b.StartListening(within(t)); err != nil {
		t.Fatal(err)
	}
	c, cl := b.open()
	cl.send("plain")
	if e := b.next("DataIn"); e.text != "plain" {
		t.Errorf("got %+v", e)
	}
	if err := c.StartTLS(); err != nil {
		t.Fatal(err)
	}
	cl.secure(clientTLS(t))
	b.opened()
}

// TestClientAuthentication: the event sees who comes, what is wrong with them, and
// decides, in both directions.
//
//conform:ipworks SSLAuthenticateClients works tlsio/server.Config.AuthenticateClients
//conform:ipworks event.SSLClientAuthentication works tlsio/server.Handler.ClientAuthentication, tlsio/server.ClientAuthentication
func TestClientAuthentication(t *testing.T) {
	w := testPKI(t)
	decide := func(*ClientAuthentication) {}
	seen := make(chan ClientAuthentication, 10)
	o := serverTLS(t)
	o.CA = [][]byte{w.ca.DER()}
	b := newBench(t, Config{StartMode: StartImplicit, TLS: o, AuthenticateClients: true, SingleLineMode: true}, Handler{
		ClientAuthentication: func(c *Connection, a *ClientAuthentication) {
			if c.ID() == "" || c.Connected() {
				t.Errorf("connection %q, connected %v", c.ID(), c.Connected())
			}
			seen <- *a
			decide(a)
		},
	}, noStatus|noReady)
	yes := func(a *ClientAuthentication) { a.Accept = true }
	no := func(a *ClientAuthentication) { a.Accept = false }
	keep := func(*ClientAuthentication) {}
	tests := []struct {
		name    string
		config  *tls.Config
		decide  func(*ClientAuthentication)
		subject string
		ok      bool // Status
		served  bool
		code    Code
	}{
		{"a good one", clientTLS(t, w.client), keep, "CN=client.test", true, true, 0},
		{"a good one, unwanted", clientTLS(t, w.client), no, "CN=client.test", true, false, 280},
		{"of another CA", clientTLS(t, w.rogue), keep, "CN=rogue.test", false, false, 274},
		{"of another CA, wanted", clientTLS(t, w.rogue), yes, "CN=rogue.test", false, true, 0},
		{"expired", clientTLS(t, w.expired), keep, "CN=old.test", false, false, 275},
		{"none", clientTLS(t), keep, "", false, false, 280},
		{"none, but welcome", clientTLS(t), yes, "", false, true, 0},
	}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, tt := range tests {
			t.Run(tls.VersionName(version)+"/"+tt.name, func(t *testing.T) {
				decide = tt.decide
				tt.config.MinVersion, tt.config.MaxVersion = version, version
				raw, err := testNetwork(t).DialContext(within(t), "tcp", b.address())
				if err != nil {
					t.Fatal(err)
				}
				conn := tls.Client(raw, tt.config)
				defer conn.Close()
				conn.SetDeadline(time.Now().Add(limit))
				conn.Handshake() // the server's connection tells
				a := <-seen
				subject := ""
				if len(a.Chain) > 0 {
					subject = a.Chain[0].Subject.String()
				}
				if subject != tt.subject || (a.Status == nil) != tt.ok || a.Accept != tt.ok {
					t.Errorf("saw %q, status %v, accept %v", subject, a.Status, a.Accept)
				}
				e := b.skipTo("Connected")
				if (e.err == nil) != tt.served {
					t.Fatalf("Connected says %v", e.err)
				}
				if !tt.served {
					if tt.code != 0 && tt.code != 280 {
						wantCode(t, e.err, tt.code)
					}
					return
				}
				c, err := b.Connection(e.id)
				if err != nil {
					t.Fatal(err)
				}
				if s := c.TLS().State(); s.Authorized() != tt.ok {
					t.Errorf("Authorized is %v", s.Authorized())
				}
			})
		}
	}
}

// TestResumedClient: the event is asked about clients that resume a session too: the
// answer may have changed.
func TestResumedClient(t *testing.T) {
	w := testPKI(t)
	accept := true
	var seen []string
	var mu sync.Mutex
	o := serverTLS(t)
	o.CA = [][]byte{w.ca.DER()}
	b := newBench(t, Config{StartMode: StartImplicit, TLS: o, AuthenticateClients: true}, Handler{
		ClientAuthentication: func(c *Connection, a *ClientAuthentication) {
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, a.Chain[0].Subject.CommonName)
			a.Accept = a.Accept && accept
		},
	}, noStatus|noReady)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		seen, accept = nil, true
		config := clientTLS(t, w.client)
		config.MinVersion, config.MaxVersion = version, version
		config.ClientSessionCache = tls.NewLRUClientSessionCache(1)
		for i := range 2 {
			cl := b.dialTLS(config)
			c := b.opened()
			c.SendLine("so that the ticket is read")
			cl.line()
			if s, _ := c.ConnectionState(); s.DidResume != (i == 1) {
				t.Errorf("%s, connection %d: resumed %v", tls.VersionName(version), i, s.DidResume)
			}
			cl.Close()
			b.skipTo("Disconnected")
		}
		mu.Lock()
		accept = false
		mu.Unlock()
		tls.Client(b.dial(), config).Handshake()
		if e := b.skipTo("Connected"); e.err == nil {
			t.Error("a resumed session was let in against the event's decision")
		}
		mu.Lock()
		if got := strings.Join(seen, " "); got != "client.test client.test client.test" {
			t.Errorf("seen: %s", got)
		}
		mu.Unlock()
	}
}

// TestClientAuthenticationPolicy: without the event the recommendation holds, and
// with tlsio's own VerifyPeer that counts too.
func TestClientAuthenticationPolicy(t *testing.T) {
	w := testPKI(t)
	o := serverTLS(t)
	o.CA = [][]byte{w.ca.DER()}
	o.VerifyPeer = func(s *tlsio.State) error {
		if s.PeerCertificates[0].Subject.CommonName != "client.test" {
			return errors.New("not on the list")
		}
		return nil
	}
	b := newBench(t, Config{StartMode: StartImplicit, TLS: o, AuthenticateClients: true}, Handler{}, noStatus|noReady)
	b.dialTLS(clientTLS(t, w.client))
	b.opened()
	for _, config := range []*tls.Config{clientTLS(t, w.server), clientTLS(t, w.rogue), clientTLS(t)} {
		tls.Client(b.dial(), config).Handshake()
		if e := b.next("Connected"); e.err == nil {
			t.Error("served")
		}
	}
}

// TestChooseCertificate: the event sees what the client offers and chooses, RSA for
// those that know nothing else; without a choice Config.TLS decides.
//
//conform:ipworks event.SSLConnectionRequest works tlsio/server.Handler.TLSConnectionRequest, tlsio/server.TLSConnectionRequest
func TestChooseCertificate(t *testing.T) {
	w := testPKI(t)
	ecdsa, rsa, other := w.server.TLS(), w.rsa.TLS(), w.rogue.TLS()
	mode := "offer"
	requests := make(chan TLSConnectionRequest, 10)
	b := newBench(t, Config{StartMode: StartImplicit, TLS: serverTLS(t)}, Handler{
		TLSConnectionRequest: func(c *Connection, r *TLSConnectionRequest) {
			if c.ID() == "" || c.Connected() {
				t.Errorf("connection %q, connected %v", c.ID(), c.Connected())
			}
			requests <- *r
			switch mode {
			case "offer":
				r.Certificate = &rsa
				if r.Hello.SupportsCertificate(&ecdsa) == nil {
					r.Certificate = &ecdsa
				}
			case "other":
				r.Certificate = &other
			case "panic":
				panic(mode)
			}
		},
	}, noStatus|noReady)
	subject := func(config *tls.Config) *x509.Certificate {
		t.Helper()
		cl := b.dialTLS(config)
		b.opened()
		return cl.Conn.(*tls.Conn).ConnectionState().PeerCertificates[0]
	}
	onlyRSA := clientTLS(t)
	onlyRSA.MaxVersion = tls.VersionTLS12
	onlyRSA.CipherSuites = []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}
	if got := subject(onlyRSA); got.PublicKeyAlgorithm != x509.RSA {
		t.Errorf("a client that knows RSA only got %v", got.PublicKeyAlgorithm)
	}
	r := <-requests
	if got := r.SupportedCipherSuites(); got != "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256" {
		t.Errorf("suites %q", got)
	}
	if got := r.SupportedSignatureAlgs(); !strings.Contains(got, "PSSWithSHA256,") {
		t.Errorf("signatures %q", got)
	}
	if got := subject(clientTLS(t)); got.PublicKeyAlgorithm != x509.ECDSA {
		t.Errorf("another client got %v", got.PublicKeyAlgorithm)
	}
	mode = "leave"
	anyName := clientTLS(t)
	anyName.ServerName = "127.0.0.1" // no SNI
	if got := subject(anyName); !got.Equal(w.server.Cert) {
		t.Error("without a choice the configured certificate isn't used")
	}
	mode = "other"
	trusting := clientTLS(t)
	trusting.RootCAs.AddCert(w.other.Cert)
	trusting.ServerName = "rogue.test"
	if got := subject(trusting); !got.Equal(w.rogue.Cert) {
		t.Error("the chosen certificate isn't used")
	}
	mode = "panic"
	tls.Client(b.dial(), clientTLS(t)).Handshake()
	if e := b.next("Error"); !errors.Is(e.err, ErrPanic) {
		t.Errorf("got %+v", e)
	}
	if e := b.next("Connected"); e.err == nil {
		t.Error("served")
	}
}

// TestLogTLSPackets shows each record, in both directions.
//
//conform:ipworks config.LogSSLPackets works tlsio/server.Config.LogTLSPackets
func TestLogTLSPackets(t *testing.T) {
	b := newBench(t, Config{StartMode: StartImplicit, TLS: serverTLS(t), LogTLSPackets: true}, Handler{}, noReady)
	cl := b.dialTLS(clientTLS(t))
	cl.send("0123456789")
	var log []string
	for !strings.Contains(strings.Join(log, "\n"), "received application_data record of 27 bytes") {
		select {
		case e := <-b.events:
			if e.kind == "TLSStatus" {
				log = append(log, e.text)
			}
		case <-time.After(limit):
			t.Fatalf("got %q", log)
		}
	}
	all := strings.Join(log, "\n")
	for _, want := range []string{"received handshake record", "sent handshake record", "sent application_data record"} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q in\n%s", want, all)
		}
	}
}

func TestRecordLog(t *testing.T) {
	var got []string
	stream := []byte("\x16\x03\x01\x00\x02ab\x17\x03\x03\x00\x00\x15\x03\x03\x00\x01xGET /")
	for _, step := range []int{1, 3, 100} {
		got = nil
		l := recordLog{what: "sent", tell: func(m string) { got = append(got, m) }}
		for rest := stream; len(rest) > 0; {
			n := min(step, len(rest))
			l.see(rest[:n])
			rest = rest[n:]
		}
		want := "sent handshake record of 2 bytes\nsent application_data record of 0 bytes\nsent alert record of 1 bytes\nsent something that is no TLS record"
		if strings.Join(got, "\n") != want {
			t.Errorf("step %d: %q", step, got)
		}
	}
}

// TestCutShort: a secured connection that ends within a line, without close_notify,
// may have been cut by somebody.
func TestCutShort(t *testing.T) {
	b := newBench(t, Config{StartMode: StartImplicit, TLS: serverTLS(t), SingleLineMode: true}, Handler{}, noStatus|noReady)
	for _, tt := range []struct {
		text   string
		notify bool
		cut    bool
	}{{"unfinished", false, true}, {"unfinished", true, false}, {"line\n", false, false}} {
		raw := b.dial()
		cl := raw.secure(clientTLS(t))
		b.opened()
		cl.send(tt.text)
		if tt.text == "line\n" {
			b.next("DataIn")
		}
		if tt.notify {
			cl.Close()
		} else {
			raw.Conn.(interface{ CloseWrite() error }).CloseWrite()
		}
		if tt.text != "line\n" {
			if e := b.next("DataIn"); e.text != tt.text || e.eol {
				t.Errorf("got %+v", e)
			}
		}
		e := b.next("Disconnected")
		if errors.Is(e.err, ErrCutShort) != tt.cut {
			t.Errorf("%q, close_notify %v: %v", tt.text, tt.notify, e.err)
		}
	}
}

// TestReloadCertificate: Configure changes the certificate of handshakes to come.
func TestReloadCertificate(t *testing.T) {
	w := testPKI(t)
	b := newBench(t, Config{StartMode: StartImplicit, TLS: serverTLS(t)}, Handler{}, noStatus|noReady)
	serial := func() string {
		cl := b.dialTLS(clientTLS(t))
		b.opened()
		return cl.Conn.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	if got := serial(); got != w.server.Cert.SerialNumber.String() {
		t.Error(got)
	}
	key, err := w.rsa.KeyDER()
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Configure(func(c *Config) { c.TLS.ServerCertificate, c.TLS.ServerKey = [][]byte{w.rsa.DER()}, nil }); err == nil {
		t.Error("a certificate without key was taken")
	}
	if got := serial(); got != w.server.Cert.SerialNumber.String() {
		t.Error("what was refused was used")
	}
	if err := b.Configure(func(c *Config) {
		c.TLS.ServerCertificate, c.TLS.ServerKey = [][]byte{w.rsa.DER()}, [][]byte{key}
	}); err != nil {
		t.Fatal(err)
	}
	if got := serial(); got != w.rsa.Cert.SerialNumber.String() {
		t.Error("the new certificate isn't used")
	}
}
