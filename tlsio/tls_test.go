package tlsio

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

// The tests of this file are named after the rows of ECMA-419 section 10.15 and of
// the TLS listener.

//conform:ecma-419 TLS.new works tlsio.NewTLS, tlsio.OptionError
//conform:ecma-419 option.tls works tlsio.TLSClientOptions.TLS, tlsio.TLSOptions
//conform:ecma-419 option.tls.minimumVersion works tlsio.TLSOptions.MinimumVersion
//conform:ecma-419 option.tls.maximumVersion works tlsio.TLSOptions.MaximumVersion
//conform:ecma-419 option.tls.DER works tlsio.TLSOptions.CA, tlsio.TLSOptions.ClientKey
func TestTLSOptionsValidatedFirst(t *testing.T) {
	network := newTap(t)
	app := NewApp(network)
	w := pki(t)
	here := func(o TLSOptions) TLSClientOptions {
		return TLSClientOptions{Address: "127.0.0.1", Port: 1, TLS: o}
	}
	pemCert := []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
	pemKey := []byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
	tests := []struct {
		name string
		o    TLSClientOptions
		want []string
	}{
		{"tls required", here(TLSOptions{}), []string{"TLS.Host"}},
		{"everything", TLSClientOptions{Format: "x", KeepAlive: -1, Address: "h", TLS: TLSOptions{
			MinimumVersion: "SSLv3", MaximumVersion: "TLSv1.0", ApplicationLayerProtocol: []string{"", strings.Repeat("x", 256)},
			MaximumFragmentLength: 1000, HandshakeTimeout: -1, MaxHandshakes: 1, GetCertificate: new(tls.Config).GetCertificate,
			ServerKey: [][]byte{w.server.key}, Host: "a b",
			CA: [][]byte{{1, 2}}, ClientKey: [][]byte{w.client.key}}},
			[]string{"Format", "KeepAlive", "Address", "Port", "TLS.MaximumVersion", "TLS.MinimumVersion",
				"TLS.ApplicationLayerProtocol[0]", "TLS.ApplicationLayerProtocol[1]", "TLS.MaximumFragmentLength", "TLS.HandshakeTimeout",
				"TLS.ServerCertificate, ServerKey, GetCertificate", "TLS.ClientAuth, " + limitNames,
				"TLS.Host", "TLS.CA[0]", "TLS.ClientCertificate"}},
		{"versions crossed", here(TLSOptions{Host: "h", MinimumVersion: TLSv13, MaximumVersion: TLSv12}), []string{"TLS.MinimumVersion"}},
		{"port in host", here(TLSOptions{Host: "h:443"}), []string{"TLS.Host"}},
		{"PEM", here(TLSOptions{Host: "h", CA: [][]byte{pemCert}, ClientCertificate: [][]byte{pemCert}, ClientKey: [][]byte{pemKey}}),
			[]string{"TLS.CA[0]", "TLS.ClientKey[0]", "TLS.ClientCertificate[0]"}},
		{"empty DER", here(TLSOptions{Host: "h", CA: [][]byte{nil}}), []string{"TLS.CA[0]"}},
		{"key of another", here(TLSOptions{Host: "h", ClientCertificate: [][]byte{w.client.cert}, ClientKey: [][]byte{w.server.key}}),
			[]string{"TLS.ClientCertificate[0]", "TLS.ClientKey[0]"}},
		{"two ways", here(TLSOptions{Host: "h", ClientCertificate: [][]byte{w.client.cert}, ClientKey: [][]byte{w.client.key},
			GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return nil, nil }}), []string{"TLS.GetClientCertificate"}},
		{"from closed TLS", TLSClientOptions{From: &TLS{}, TLS: TLSOptions{Host: "h"}}, []string{"From", "TLS"}},
		{"from nil", TLSClientOptions{From: (*TCP)(nil), TLS: TLSOptions{Host: "h"}}, []string{"From"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sock, err := NewTLS(app, tt.o)
			if sock != nil {
				t.Error("an instance in spite of the error")
			}
			wantOption(t, err, tt.want...)
		})
	}
	if network.dials.Load() != 0 {
		t.Error("dialled in spite of bad options")
	}
	_, err := NewTLS(app, here(TLSOptions{Host: "h", CA: [][]byte{pemCert}}))
	if err == nil || !strings.Contains(err.Error(), "openssl x509") {
		t.Errorf("PEM error doesn't say how to convert: %v", err)
	}
}

//conform:ecma-419 rule.8.2 differs tlsio.OptionError -- unknown options and callbacks of another kind don't compile
func TestTLSOptionsNotModified(t *testing.T) { // 8.2: frozen options must work
	r := newRig(t)
	w := pki(t)
	o := clientOptions(t)
	o.ApplicationLayerProtocol = []string{"b", "a"}
	o.ClientCertificate, o.ClientKey = [][]byte{w.client.cert}, [][]byte{w.client.key}
	before := [][]byte{bytes.Clone(w.caDER), bytes.Clone(w.client.cert), bytes.Clone(w.client.key)}
	r.tlsPair(TLSClientOptions{TLS: o}, nil)
	if !slices.Equal(o.ApplicationLayerProtocol, []string{"b", "a"}) ||
		!bytes.Equal(before[0], w.caDER) || !bytes.Equal(before[1], w.client.cert) || !bytes.Equal(before[2], w.client.key) {
		t.Error("options were modified")
	}
}

//conform:ecma-419 TLS works tlsio.TLS, tlsio.NewTLS
//conform:ecma-419 option.onReadable works tlsio.TLSClientOptions.OnReadable
//conform:ecma-419 option.onWritable works tlsio.TLSClientOptions.OnWritable
//conform:ecma-419 rule.10.15 works tlsio.TLSClientOptions.OnWritable
func TestTLSFirstOnWritableAfterHandshake(t *testing.T) { // 10.15
	for _, v := range []string{TLSv13, TLSv12, TLSv11} {
		t.Run(v, func(t *testing.T) {
			r := newRig(t)
			ln, address, port := local(t)
			o := clientOptions(t)
			o.MinimumVersion, o.MaximumVersion = v, v
			sock, err := NewTLS(r.app, r.tls(TLSClientOptions{Address: address, Port: port, TLS: o}))
			if err != nil {
				t.Fatal(err)
			}
			defer sock.Close()
			raw := accept(t, ln)
			r.quiet() // connected, but no handshake yet
			if _, err := sock.Write([]byte("x")); !errors.Is(err, ErrNotConnected) {
				t.Errorf("Write before the handshake: %v", err)
			}
			if _, ok, err := sock.ConnectionState(); ok || err != nil {
				t.Error("state before the handshake")
			}
			peer := r.serve(raw, func(c *tls.Config) { c.MinVersion = tls.VersionTLS11 })
			if c := r.next("writable"); c.n != bufferSize {
				t.Errorf("OnWritable(%d)", c.n)
			}
			if s, ok, err := sock.ConnectionState(); !ok || err != nil || s.Version != versionNumber(v) || s.ServerName != "server.test" {
				t.Errorf("state %+v, %v, %v", s, ok, err)
			}
			peer.Write([]byte("secret"))
			if c := r.next("readable"); c.n != 6 {
				t.Errorf("OnReadable(%d), want decrypted bytes", c.n)
			}
			r.do(func() {
				if p, _ := sock.ReadAvailable(); string(p) != "secret" {
					t.Errorf("got %q", p)
				}
				sock.Write([]byte("reply"))
			})
			if p := readAll(t, peer, 5); string(p) != "reply" {
				t.Errorf("peer got %q", p)
			}
		})
	}
}

//conform:ecma-419 option.tls.host works tlsio.TLSOptions.Host
func TestTLSHostIsSNI(t *testing.T) {
	r := newRig(t)
	got := make(chan string, 2)
	sni := func(c *tls.Config) {
		c.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) { got <- h.ServerName; return nil, nil }
	}
	r.tlsPair(TLSClientOptions{}, sni)
	if name := <-got; name != "server.test" {
		t.Errorf("SNI %q", name)
	}
	o := clientOptions(t)
	o.Host = "127.0.0.1"
	r.tlsPair(TLSClientOptions{TLS: o}, sni)
	if name := <-got; name != "" {
		t.Errorf("SNI %q for an IP address", name)
	}
}

//conform:ecma-419 option.tls.applicationLayerProtocol works tlsio.TLSOptions.ApplicationLayerProtocol
//conform:ecma-419 alpn.selected works tlsio.TLS.ConnectionState
func TestTLSApplicationLayerProtocol(t *testing.T) {
	r := newRig(t)
	o := clientOptions(t)
	o.ApplicationLayerProtocol = []string{"x/\x00\xff", "http/1.1"}
	sock, peer := r.tlsPair(TLSClientOptions{TLS: o}, func(c *tls.Config) { c.NextProtos = []string{"h2", "x/\x00\xff"} })
	if s, _, _ := sock.ConnectionState(); s.NegotiatedProtocol != "x/\x00\xff" || peer.ConnectionState().NegotiatedProtocol != "x/\x00\xff" {
		t.Errorf("negotiated %q", s.NegotiatedProtocol)
	}
}

//conform:ecma-419 option.tls.maximumFragmentLength differs tlsio.TLSOptions.MaximumFragmentLength, tlsio.TLS.MaximumFragmentLengthNegotiated -- binds our own records; crypto/tls can't negotiate it with the peer, and the property says so
func TestTLSMaximumFragmentLength(t *testing.T) { // declared, not negotiated
	for _, limit := range []int{512, 1024, 2048, 4096} {
		t.Run(itoa(limit), func(t *testing.T) {
			r := newRig(t)
			o := clientOptions(t)
			o.MaximumFragmentLength = limit
			ln, address, port := local(t)
			sock, err := NewTLS(r.app, r.tls(TLSClientOptions{Address: address, Port: port, TLS: o}))
			if err != nil {
				t.Fatal(err)
			}
			defer sock.Close()
			tapped := &recordTap{Conn: accept(t, ln)}
			peer := r.serve(tapped, nil)
			r.next("writable")
			tapped.largest = 0
			data := pattern(20000)
			if _, err := sock.Write(data); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(readAll(t, peer, len(data)), data) {
				t.Error("bytes differ")
			}
			if max := limit + 17; tapped.largest > max || tapped.largest < limit {
				t.Errorf("largest record %d bytes, want %d at most", tapped.largest, max)
			}
			if sock.MaximumFragmentLengthNegotiated() {
				t.Error("claims to have negotiated")
			}
		})
	}
}

// recordTap notes the largest TLS record read.
type recordTap struct {
	net.Conn
	buf     []byte
	largest int
}

func (c *recordTap) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.buf = append(c.buf, p[:n]...)
	for len(c.buf) >= 5 {
		size := int(c.buf[3])<<8 | int(c.buf[4])
		c.largest = max(c.largest, size)
		if len(c.buf) < 5+size {
			break
		}
		c.buf = c.buf[5+size:]
	}
	return n, err
}

//conform:ecma-419 option.tls.clientKey works tlsio.TLSOptions.ClientKey
//conform:ecma-419 option.tls.clientCertificate works tlsio.TLSOptions.ClientCertificate
func TestTLSKeyForms(t *testing.T) { // DER: PKCS#8, PKCS#1, SEC 1; keys find certificates
	w := pki(t)
	rsaKey := rsaTestKey(t)
	rsaID := w.ca.issueFor(t, rsaKey, "rsa.test")
	sec1, err := x509.MarshalECPrivateKey(newECIdentityKey(t, w.client))
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string][]byte{"PKCS#8": w.client.key, "SEC 1": sec1} {
		var errs optionErrors
		if ids := parseIdentities(&errs, "c", [][]byte{w.client.cert}, "k", [][]byte{key}); len(ids) != 1 || errs != nil {
			t.Errorf("%s: %v", name, errs)
		}
	}
	var errs optionErrors
	ids := parseIdentities(&errs, "c", [][]byte{rsaID, w.client.cert, w.ca.cert.Raw}, "k", [][]byte{w.client.key, x509.MarshalPKCS1PrivateKey(rsaKey)})
	if errs != nil || len(ids) != 2 || len(ids[0].Certificate) != 1 || len(ids[1].Certificate) != 2 {
		t.Errorf("pairing: %v, %d identities", errs, len(ids))
	}
	// A chain in one element is the same.
	ids = parseIdentities(&errs, "c", [][]byte{slices.Concat(w.client.cert, w.ca.cert.Raw)}, "k", [][]byte{w.client.key})
	if errs != nil || len(ids) != 1 || len(ids[0].Certificate) != 2 {
		t.Errorf("chain in one: %v", errs)
	}
}

//conform:ecma-419 option.onError works tlsio.TLSClientOptions.OnError
//conform:ecma-419 option.tls.ca works tlsio.TLSOptions.CA
//conform:ecma-419 rule.10.15 works tlsio.TLSClientOptions.OnError
func TestTLSHandshakeFailureIsOnError(t *testing.T) {
	w := pki(t)
	for _, tt := range []struct {
		name   string
		change func(o *TLSOptions)
		server func(c *tls.Config)
		stage  Stage
		alert  Alert
		hint   string
	}{
		{"wrong name", func(o *TLSOptions) { o.Host = "wrong.test" }, nil, StageVerify, Alert{AlertSent, 42}, "set Host"},
		{"unknown CA", func(o *TLSOptions) { o.CA = [][]byte{w.otherDER} }, nil, StageVerify, Alert{AlertSent, 42}, "add the CA"},
		{"no common version", func(o *TLSOptions) { o.MaximumVersion = TLSv12 }, func(c *tls.Config) { c.MinVersion = tls.VersionTLS13 },
			StageHandshake, Alert{AlertReceived, 70}, "MinimumVersion"},
		{"clock", func(o *TLSOptions) { o.Now = func() time.Time { return time.Unix(0, 0) } }, nil, StageVerify, Alert{AlertSent, 42}, "set the clock"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			ln, address, port := local(t)
			o := clientOptions(t)
			tt.change(&o)
			sock, err := NewTLS(r.app, r.tls(TLSClientOptions{Address: address, Port: port, TLS: o}))
			if err != nil {
				t.Fatal(err)
			}
			config := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{w.server.cert}, PrivateKey: w.server.signer}}}
			if tt.server != nil {
				tt.server(config)
			}
			tls.Server(accept(t, ln), config).Handshake()
			e := wantError(t, r.next("error").err, tt.stage, tt.alert)
			if !strings.Contains(e.Hint, tt.hint) {
				t.Errorf("hint %q", e.Hint)
			}
			if err := sock.Close(); err != nil {
				t.Error(err)
			}
			r.quiet()
		})
	}
}

func TestTLSLateClientCertificateAlertIsOnError(t *testing.T) {
	r := newRig(t)
	l, port := r.tlsListener(func(o *TLSOptions) { o.ClientAuth, o.CA = ClientAuthRequire, [][]byte{pki(t).caDER} })
	defer l.Close()
	sock, err := NewTLS(r.app, r.tls(TLSClientOptions{Address: "127.0.0.1", Port: port, TLS: clientOptions(t)}))
	if err != nil {
		t.Fatal(err)
	}
	defer sock.Close()
	e := wantError(t, r.skipTo("error").err, StageRead, Alert{AlertReceived, 116})
	if !strings.Contains(e.Hint, "set ClientCertificate") {
		t.Errorf("hint %q", e.Hint)
	}
}

func TestTLSOnErrorSaysHowThePeerClosed(t *testing.T) {
	for _, polite := range []bool{true, false} {
		t.Run(map[bool]string{true: "close_notify", false: "cut"}[polite], func(t *testing.T) {
			r := newRig(t)
			_, peer := r.tlsPair(TLSClientOptions{}, nil)
			want := Alert{AlertReceived, 0}
			if polite {
				peer.Close()
			} else {
				want = Alert{}
				peer.NetConn().Close()
			}
			e := wantError(t, r.next("error").err, StageRead, want)
			if !errors.Is(e, io.EOF) || (e.Hint == "") != polite {
				t.Errorf("got %v", e)
			}
		})
	}
}

func TestTLSCloseSendsCloseNotify(t *testing.T) {
	r := newRig(t)
	l, port := r.tlsListener(nil)
	defer l.Close()
	sock, err := NewTLS(r.app, r.tls(TLSClientOptions{Address: "127.0.0.1", Port: port, TLS: clientOptions(t)}))
	if err != nil {
		t.Fatal(err)
	}
	nl, err := l.NetListener()
	if err != nil {
		t.Fatal(err)
	}
	defer nl.Close()
	peer := accept(t, nl)
	r.skipTo("writable")
	data := pattern(bufferSize)
	if _, err := sock.Write(data); err != nil {
		t.Fatal(err)
	}
	sock.Close()
	got, err := io.ReadAll(peer)
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("peer got %d bytes, %v", len(got), err)
	}
	if !peer.(*Conn).CloseNotifyReceived() {
		t.Error("no close_notify")
	}
}

// tlsListener is a TLSListener that records.
func (r *rig) tlsListener(change func(*TLSOptions)) (*TLSListener, int) {
	r.t.Helper()
	o := serverOptions(r.t)
	if change != nil {
		change(&o)
	}
	l, err := NewTLSListener(r.app, TLSListenerOptions{Address: "127.0.0.1", TLS: o,
		OnReadable: func(l *TLSListener, n int) { r.note("readable", l, n, nil) },
		OnError:    func(l *TLSListener, err error) { r.note("error", l, 0, err) }})
	if err != nil {
		r.t.Fatal(err)
	}
	port, err := l.Port()
	if err != nil {
		r.t.Fatal(err)
	}
	return l, port
}

//conform:ecma-419 TLSListener works tlsio.TLSListener, tlsio.NewTLSListener
func TestTLSListener(t *testing.T) {
	r := newRig(t)
	w := pki(t)
	l, port := r.tlsListener(func(o *TLSOptions) {
		o.ClientAuth, o.CA = ClientAuthRequest, [][]byte{w.caDER}
		o.ApplicationLayerProtocol = []string{"echo"}
	})
	defer l.Close()
	testDial(t, net.JoinHostPort("127.0.0.1", itoa(port)))
	r.quiet() // half-open connections aren't connections
	co := clientOptions(t)
	co.ApplicationLayerProtocol = []string{"echo"}
	co.ClientCertificate, co.ClientKey = [][]byte{w.client.cert}, [][]byte{w.client.key}
	c, err := Dial(timeout(t), testNetwork(t), net.JoinHostPort("127.0.0.1", itoa(port)), co)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got := r.next("readable"); got.n != 1 || got.who != l {
		t.Errorf("OnReadable(%d)", got.n)
	}
	c.Write([]byte("early"))
	var sock *TLS
	r.do(func() {
		secured, err := l.Read()
		if err != nil || secured == nil {
			t.Fatalf("Read = %v, %v", secured, err)
		}
		s, ok, _ := secured.ConnectionState()
		if !ok || s.NegotiatedProtocol != "echo" || s.PeerCertificates[0].Subject.CommonName != "client.test" {
			t.Errorf("state %+v", s)
		}
		if sock, err = NewTLS(r.app, r.tls(TLSClientOptions{From: secured})); err != nil {
			t.Fatal(err)
		}
		if none, err := l.Read(); none != nil || err != nil {
			t.Errorf("Read of nothing = %v, %v", none, err)
		}
	})
	defer sock.Close()
	r.next("writable")
	r.next("readable")
	wait(t, "5 bytes", func() bool { return r.available(sock) == 5 })
	r.do(func() {
		p, _ := sock.ReadAvailable()
		sock.Write(p)
	})
	c.SetDeadline(time.Now().Add(limit))
	if got := string(readAll(t, c, 5)); got != "early" {
		t.Errorf("echo %q", got)
	}
}

func TestTLSListenerNetListener(t *testing.T) {
	r := newRig(t)
	l, _ := r.tlsListener(nil)
	nl, err := l.NetListener()
	if err != nil {
		t.Fatal(err)
	}
	defer nl.Close()
	go echo(nl)
	c, err := Dial(timeout(t), testNetwork(t), nl.Addr().String(), clientOptions(t))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	roundTrip(t, c, pattern(100000))
}

func TestTLSNetConn(t *testing.T) {
	r := newRig(t)
	sock, peer := r.tlsPair(TLSClientOptions{}, nil)
	peer.Write([]byte("unread "))
	r.next("readable")
	c, err := sock.NetConn(timeout(t))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	go io.Copy(peer, peer)
	c.SetDeadline(time.Now().Add(limit))
	if got := string(readAll(t, c, 7)); got != "unread " {
		t.Errorf("got %q", got)
	}
	roundTrip(t, c, pattern(100000))
}

// TestTLSFromTCP upgrades after plain text, as STARTTLS does, with the TLS records
// already partly read by the TCP.
//
//conform:ecma-419 option.from works tlsio.TLSClientOptions.From
func TestTLSFromTCP(t *testing.T) {
	r := newRig(t)
	w := pki(t)
	plain, raw := r.tcpPair(TCPOptions{})
	raw.Write([]byte("220 ready\n"))
	r.next("readable")
	r.do(func() { plain.ReadAvailable() })
	plain.Write([]byte("STARTTLS\n"), WriteOptions{More: true}) // must be sent before the handshake
	var sock *TLS
	r.do(func() {
		var err error
		if sock, err = NewTLS(r.app, r.tls(TLSClientOptions{From: plain, TLS: clientOptions(t)})); err != nil {
			t.Fatal(err)
		}
		if _, err := plain.Read(1); !errors.Is(err, ErrClosed) {
			t.Errorf("original: %v", err)
		}
	})
	defer sock.Close()
	if got := string(readAll(t, raw, 9)); got != "STARTTLS\n" {
		t.Fatalf("peer got %q", got)
	}
	peer := tls.Server(raw, &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{w.server.cert}, PrivateKey: w.server.signer}}})
	if err := peer.Handshake(); err != nil {
		t.Fatal(err)
	}
	if c := r.next("writable"); c.who != sock {
		t.Error("the original was called")
	}
	peer.Write([]byte("x"))
	r.next("readable")
}

// TestHandshakeOverUnreadBytes hands a connection over whose peer has begun the
// handshake already, so that the TCP holds part of it.
func TestHandshakeOverUnreadBytes(t *testing.T) {
	r := newRig(t)
	plain, raw := r.tcpPair(TCPOptions{})
	// The peer acts as server; what it sends ahead of the ClientHello must reach
	// the TLS session, which refuses it with the reason.
	raw.Write([]byte("HTTP/1.1 400 Bad Request\r\n"))
	r.next("readable")
	sock, err := NewTLS(r.app, r.tls(TLSClientOptions{From: plain, TLS: clientOptions(t)}))
	if err != nil {
		t.Fatal(err)
	}
	defer sock.Close()
	if e := wantError(t, r.next("error").err, StageHandshake, Alert{}); !strings.Contains(e.Hint, "plain text") {
		t.Errorf("hint %q", e.Hint)
	}
}

func TestTLSCloseDuringHandshake(t *testing.T) {
	r := newRig(t)
	ln, address, port := local(t)
	sock, err := NewTLS(r.app, r.tls(TLSClientOptions{Address: address, Port: port, TLS: clientOptions(t)}))
	if err != nil {
		t.Fatal(err)
	}
	raw := accept(t, ln)
	sock.Close()
	io.Copy(io.Discard, raw) // ends, because the connection is closed
	r.quiet()
}

// TestVerifyOnResumption resumes a session after the policy has changed.
func TestVerifyOnResumption(t *testing.T) {
	w := pki(t)
	for _, v := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		var now = time.Now()
		so := serverOptions(t)
		so.ClientAuth, so.CA = ClientAuthRequire, [][]byte{w.caDER}
		so.Now = func() time.Time { return now }
		var errs optionErrors
		terms := so.serverTerms(&errs, "")
		server := terms.config
		client := &tls.Config{ServerName: "server.test", RootCAs: x509.NewCertPool(), MaxVersion: v,
			Certificates:       []tls.Certificate{{Certificate: [][]byte{w.client.cert}, PrivateKey: w.client.signer}},
			ClientSessionCache: tls.NewLRUClientSessionCache(1)}
		client.RootCAs.AddCert(w.ca.cert)
		connect := func() (resumed bool, err error) {
			ln, _, _ := local(t)
			b := testDial(t, ln.Addr().String())
			b.SetDeadline(time.Now().Add(limit))
			a := accept(t, ln)
			s := tls.Server(a, server)
			done := make(chan error, 1)
			go func() {
				err := s.Handshake()
				if err == nil {
					_, err = s.Write([]byte("x"))
				}
				done <- err
				a.Close()
			}()
			c := tls.Client(b, client)
			c.Read(make([]byte, 1))
			return c.ConnectionState().DidResume, <-done
		}
		if _, err := connect(); err != nil {
			t.Fatal(err)
		}
		if resumed, err := connect(); !resumed || err != nil {
			t.Fatalf("resumed %v, %v", resumed, err)
		}
		// The CA isn't trusted any more: neither resumed nor accepted.
		pool := x509.NewCertPool()
		pool.AddCert(w.otherCA.cert)
		server.ClientCAs, terms.rules.roots = pool, pool
		if _, err := connect(); err == nil {
			t.Errorf("%s: a session of a CA no longer trusted was accepted", tls.VersionName(v))
		}
	}
}

func TestVerifyPolicy(t *testing.T) {
	w := pki(t)
	var errs optionErrors
	co := clientOptions(t)
	client := co.clientTerms(&errs, "").config
	resumed := tls.ConnectionState{DidResume: true, PeerCertificates: []*x509.Certificate{w.rogue.leaf}, VerifiedChains: [][]*x509.Certificate{{w.rogue.leaf}}}
	if err := client.VerifyConnection(resumed); err == nil {
		t.Error("client: a resumed session with an untrusted server passed")
	}
	resumed.PeerCertificates[0] = w.server.leaf
	if err := client.VerifyConnection(resumed); err != nil {
		t.Errorf("client: %v", err)
	}
	if _, ok := errors.AsType[*VerifyError](client.VerifyConnection(tls.ConnectionState{})); !ok {
		t.Error("client: a server without certificate passed")
	}
	so := serverOptions(t)
	so.ClientAuth, so.CA = ClientAuthRequire, [][]byte{w.caDER}
	server := so.serverTerms(&errs, "").config
	if _, ok := errors.AsType[*VerifyError](server.VerifyConnection(tls.ConnectionState{DidResume: true})); !ok {
		t.Error("server: a resumed session without certificate passed")
	}
	if errs != nil {
		t.Error(errs)
	}
}
