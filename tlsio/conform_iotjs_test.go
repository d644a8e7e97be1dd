package tlsio

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// The tests of this file show how what a program does with IoT.js' module tls is
// done here, and prove that it behaves as documented there or as the annotation
// says.

// TestIoTConnect is tls.connect with its callback: Dial returns when the handshake
// is done, and what the callback would do comes after it. There are no defaults for
// host and port: they are errors.
//
//conform:iotjs tls.connect works tlsio.Dial
//conform:iotjs tls.connect.port differs tlsio.Dial -- address is where to connect; Host beside it is the name that is sent and verified, and wins there
//conform:iotjs tls.connect.callback works tlsio.Dial, tlsio.TLSClientOptions.OnWritable
//conform:iotjs option.host differs tlsio.Dial, tlsio.TLSClientOptions.Address -- no default: an address without a host is refused
//conform:iotjs option.port differs tlsio.Dial, tlsio.TLSClientOptions.Port -- no default: an address without a port is refused
//conform:iotjs option.servername works tlsio.TLSOptions.Host
//conform:iotjs event.secureConnect works tlsio.Dial, tlsio.TLSClientOptions.OnWritable
func TestIoTConnect(t *testing.T) {
	ln := listen(t, serverOptions(t))
	sni, got := make(chan string, 1), make(chan string, 1)
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			sni <- c.(*Conn).State().ServerName
			p, _ := io.ReadAll(c)
			got <- string(p)
			c.Close()
		}
	}()
	for _, tt := range []struct{ host, sni string }{
		{"server.test", "server.test"},
		{"", ""}, // the address' host is the name; an IP address is verified, but not sent
	} {
		o := clientOptions(t)
		o.Host = tt.host
		c, err := Dial(timeout(t), testNetwork(t), ln.Addr().String(), o)
		if err != nil {
			t.Fatalf("Host %q: %v", tt.host, err)
		}
		if s := c.(*Conn).State(); !s.HandshakeComplete || !s.Authorized() {
			t.Error("Dial returned before the handshake was done")
		}
		if name := <-sni; name != tt.sni {
			t.Errorf("SNI %q, want %q", name, tt.sni)
		}
		io.WriteString(c, "Hello IoT.js")
		c.Close()
		if s := <-got; s != "Hello IoT.js" {
			t.Errorf("server got %q", s)
		}
	}

	for _, address := range []string{"", "server.test", "server.test:", ":443", "server.test:-1", "server.test:65536"} {
		c, err := Dial(timeout(t), noNetwork{t}, address, TLSOptions{CA: [][]byte{pki(t).caDER}})
		if err == nil {
			c.Close()
			t.Fatalf("connected to %q", address)
		}
		e, ok := errors.AsType[*Error](err)
		if !ok || e.Stage != StageOptions {
			t.Errorf("address %q: %v", address, err)
		}
	}
	for _, address := range []string{"server.test", ":", ":-1", ":65536"} {
		_, err := Listen(timeout(t), noNetwork{t}, address, serverOptions(t))
		wantOption(t, err, "address")
	}
	_, err := NewTLS(NewApp(testNetwork(t)), TLSClientOptions{TLS: clientOptions(t)})
	wantOption(t, err, "Address", "Port")
}

// noNetwork fails the test when it is used.
type noNetwork struct{ t *testing.T }

func (n noNetwork) DialContext(_ context.Context, _, address string) (net.Conn, error) {
	n.t.Errorf("%q was dialled", address)
	return nil, errors.New("no network")
}

func (n noNetwork) Listen(context.Context, string, string) (net.Listener, error) {
	n.t.Error("something listens")
	return nil, errors.New("no network")
}

// TestIoTRejectUnauthorized: IoT.js goes on with any server unless it is told not
// to; here it is the other way round, and the result is recorded either way.
//
//conform:iotjs option.rejectUnauthorized differs tlsio.TLSOptions.VerifyMode, tlsio.VerifyOptional, tlsio.Error.Code -- the default is true; the code is our own number, not mbedTLS', beside stage, alert and fix
//conform:iotjs TLSSocket.authorized works tlsio.State.Authorized
//conform:iotjs TLSSocket.authorizationError works tlsio.State.AuthorizationError
func TestIoTRejectUnauthorized(t *testing.T) {
	w := pki(t)
	so := serverOptions(t)
	so.ServerCertificate, so.ServerKey = [][]byte{w.rogue.cert}, [][]byte{w.rogue.key}
	ln := listen(t, so)
	go echo(ln)

	_, err := Dial(timeout(t), testNetwork(t), ln.Addr().String(), clientOptions(t))
	e := wantError(t, err, StageVerify, Alert{AlertSent, 42})
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); !ok || e.Hint == "" || e.Code() != 404 {
		t.Errorf("the error doesn't explain: %v, code %d", err, e.Code())
	}

	o := clientOptions(t)
	o.VerifyMode = VerifyOptional
	c, err := Dial(timeout(t), testNetwork(t), ln.Addr().String(), o)
	if err != nil {
		t.Fatalf("VerifyOptional: %v", err)
	}
	defer c.Close()
	s := c.(*Conn).State()
	if s.Authorized() {
		t.Error("authorized, though its CA isn't trusted")
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](s.AuthorizationError()); !ok {
		t.Errorf("AuthorizationError: %v", s.AuthorizationError())
	}
	roundTrip(t, c, pattern(1000))

	o.CA = [][]byte{w.otherDER}
	good, err := Dial(timeout(t), testNetwork(t), ln.Addr().String(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer good.Close()
	if s := good.(*Conn).State(); !s.Authorized() || s.AuthorizationError() != nil {
		t.Errorf("not authorized by the right CA: %v", s.AuthorizationError())
	}
}

// names is a network with its own idea of names, which is IoT.js' option lookup.
type names struct {
	Network
	known map[string]string
	asked atomic.Int32
}

func (n *names) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	n.asked.Add(1)
	ip, ok := n.known[host]
	if !ok {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	return n.Network.DialContext(ctx, network, net.JoinHostPort(ip, port))
}

// TestIoTLookup resolves names in the program's way; what is verified remains the
// name.
//
//conform:iotjs option.lookup works tlsio.Network.DialContext
func TestIoTLookup(t *testing.T) {
	ln := listen(t, serverOptions(t))
	go echo(ln)
	network := &names{Network: testNetwork(t), known: map[string]string{"server.test": "127.0.0.1", "other.test": "127.0.0.1"}}
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	o := TLSOptions{CA: [][]byte{pki(t).caDER}}
	c, err := Dial(timeout(t), network, net.JoinHostPort("server.test", port), o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if network.asked.Load() != 1 {
		t.Error("resolved in another way")
	}
	_, err = Dial(timeout(t), network, net.JoinHostPort("other.test", port), o)
	wantError(t, err, StageVerify, Alert{AlertSent, 42})
	_, err = Dial(timeout(t), network, net.JoinHostPort("unknown.test", port), o)
	wantError(t, err, StageResolve, Alert{})
}

// TestIoTSocket secures a connection that is there already, in both roles, with the
// bytes that were read ahead; and again what is secured can't be.
//
//conform:iotjs option.socket works tlsio.SecureContext.Secure, tlsio.TLSClientOptions.From
//conform:iotjs tls.TLSSocket works tlsio.Conn, tlsio.TLS
//conform:iotjs tls.TLSSocket.new works tlsio.SecureContext.Secure, tlsio.NewTLS
//conform:iotjs option.isServer works tlsio.NewServerContext, tlsio.NewClientContext
func TestIoTSocket(t *testing.T) {
	server, err := NewServerContext(serverOptions(t))
	if err != nil {
		t.Fatal(err)
	}
	client, err := NewClientContext(clientOptions(t))
	if err != nil {
		t.Fatal(err)
	}
	ln := testListen(t)
	raw := testDial(t, ln.Addr().String())
	peer := accept(t, ln)
	io.WriteString(raw, "STARTTLS\n")
	served := make(chan *Conn, 1)
	go func() {
		defer close(served)
		// The server reads in pieces, so that it has a part of the ClientHello when
		// it sees the end of the line.
		var ahead []byte
		for p := make([]byte, 64); !strings.Contains(string(ahead), "\n") || len(ahead) < 10; {
			n, err := peer.Read(p)
			if err != nil {
				t.Errorf("reading the command: %v", err)
				return
			}
			ahead = append(ahead, p[:n]...)
		}
		c, err := server.Secure(context.Background(), peer, SecureOptions{Unread: ahead[len("STARTTLS\n"):]})
		if err != nil {
			t.Errorf("server: %v", err)
			return
		}
		served <- c
	}()
	c, err := client.Secure(timeout(t), raw, SecureOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s := <-served
	if s == nil {
		t.FailNow()
	}
	defer s.Close()
	if cs, ss := c.State(), s.State(); cs.Server || !ss.Server || !cs.Authorized() {
		t.Errorf("client %+v, server %+v", cs, ss)
	}
	go io.Copy(s, s)
	roundTrip(t, c, pattern(50000))

	r := newRig(t)
	plain, _ := r.tcpPair(TCPOptions{})
	first, err := NewTLS(r.app, TLSClientOptions{From: plain, TLS: clientOptions(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	_, err = NewTLS(r.app, TLSClientOptions{From: plain, TLS: clientOptions(t)})
	wantOption(t, err, "From")
}

// TestIoTMinDHSize: a server chooses a suite with a finite-field group; no group is
// large enough, because such suites were not offered.
//
//conform:iotjs option.minDHSize differs tlsio.MinDHSize -- finite-field Diffie-Hellman is never used, so that every group of it is too small
//conform:iotjs wire.suites differs tlsio.Dial, tlsio.Listen -- peers that know only DHE, static ECDH, brainpool or secp256k1 are refused with an alert and an error
func TestIoTMinDHSize(t *testing.T) {
	ln := testListen(t)
	go func() {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		hello := make([]byte, 5)
		if _, err := io.ReadFull(c, hello); err != nil {
			return
		}
		hello = make([]byte, binary.BigEndian.Uint16(hello[3:]))
		if _, err := io.ReadFull(c, hello); err != nil {
			return
		}
		const dheRSAWithAES128GCM = 0x009e
		body := append([]byte{3, 3}, make([]byte, 32)...)
		body = append(body, 0, dheRSAWithAES128GCM>>8, dheRSAWithAES128GCM&0xff, 0)
		c.Write(record(22, append([]byte{2, 0, byte(len(body) >> 8), byte(len(body))}, body...)))
		io.Copy(io.Discard, c)
	}()
	o := clientOptions(t)
	o.MaximumVersion = TLSv12
	o.With = []Feature{MinDHSize(2048)}
	_, err := Dial(timeout(t), testNetwork(t), ln.Addr().String(), o)
	wantError(t, err, StageHandshake, Alert{AlertSent, 40})
	o.With = []Feature{MinDHSize(0)}
	_, err = Dial(timeout(t), noNetwork{t}, ln.Addr().String(), o)
	wantOption(t, err, "With[0]")

	// And a client that knows nothing else, at our server: handshake_failure.
	refused := make(refusals, 1)
	so := serverOptions(t)
	so.OnRefused = refused.note
	tlsLn := listen(t, so)
	raw := testDial(t, tlsLn.Addr().String())
	raw.SetDeadline(time.Now().Add(limit))
	raw.Write(clientHello(0x0303, 0x009e, 0xc031, 0x0033))
	answer := readAll(t, raw, 7)
	if answer[0] != 21 || answer[6] != 40 {
		t.Errorf("answer % x, want the alert 40", answer)
	}
	wantError(t, refused.next(t), StageHandshake, Alert{AlertSent, 40})

	// Nor is there a curve for one whose suite is there; with P-256 there is.
	for _, tt := range []struct {
		groups []uint16
		answer byte
	}{{[]uint16{22, 26}, 21}, {[]uint16{22, 26, 23}, 22}} {
		raw := testDial(t, tlsLn.Addr().String())
		raw.SetDeadline(time.Now().Add(limit))
		raw.Write(clientHelloWith(0x0303, tt.groups, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256))
		answer := readAll(t, raw, 7)
		if answer[0] != tt.answer || tt.answer == 21 && answer[6] != 40 {
			t.Errorf("groups %d: answer % x, want a record of type %d", tt.groups, answer, tt.answer)
		}
		raw.Close()
		if tt.answer == 21 {
			wantError(t, refused.next(t), StageHandshake, Alert{AlertSent, 40})
		}
	}
}

// record is a TLS record in plain text.
func record(kind byte, body []byte) []byte {
	return append([]byte{kind, 3, 3, byte(len(body) >> 8), byte(len(body))}, body...)
}

// clientHello is one of TLS 1.2 or below with the groups secp256k1 and
// brainpoolP256r1.
func clientHello(version uint16, suites ...uint16) []byte {
	return clientHelloWith(version, []uint16{22, 26}, suites...)
}

// clientHelloWith is one with the given groups, and ECDSA with SHA-256 as signature.
func clientHelloWith(version uint16, groups []uint16, suites ...uint16) []byte {
	body := binary.BigEndian.AppendUint16(nil, version)
	body = append(append(body, make([]byte, 32)...), 0)
	body = binary.BigEndian.AppendUint16(body, uint16(2*len(suites)))
	for _, s := range suites {
		body = binary.BigEndian.AppendUint16(body, s)
	}
	body = append(body, 1, 0)
	extensions := []byte{0, 10, 0, byte(2 + 2*len(groups)), 0, byte(2 * len(groups))}
	for _, g := range groups {
		extensions = binary.BigEndian.AppendUint16(extensions, g)
	}
	extensions = append(extensions, 0, 13, 0, 4, 0, 2, 4, 3)
	body = binary.BigEndian.AppendUint16(body, uint16(len(extensions)))
	body = append(body, extensions...)
	return record(22, append([]byte{1, 0, byte(len(body) >> 8), byte(len(body))}, body...))
}

// TestIoTVersions: IoT.js speaks TLS 1.0 to 1.2.
//
//conform:iotjs wire.versions differs tlsio.TLSOptions.MinimumVersion, tlsio.Policy -- TLS 1.1 where it is named, TLS 1.0 and RSA key exchange under Policy 20261122-compatible only; refused with an alert otherwise
func TestIoTVersions(t *testing.T) {
	so := serverOptions(t)
	so.MinimumVersion = TLSv11
	refused := make(refusals, 1)
	so.OnRefused = refused.note
	ln := listen(t, so)
	go echo(ln)
	roots := x509.NewCertPool()
	roots.AddCert(pki(t).ca.cert)
	for _, v := range []uint16{tls.VersionTLS11, tls.VersionTLS12} {
		c := tls.Client(testDial(t, ln.Addr().String()), &tls.Config{RootCAs: roots, ServerName: "server.test", MinVersion: v, MaxVersion: v})
		roundTrip(t, c, pattern(1000))
	}
	c := tls.Client(testDial(t, ln.Addr().String()), &tls.Config{RootCAs: roots, ServerName: "server.test", MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10})
	if err := c.Handshake(); err == nil {
		t.Error("TLS 1.0 was served")
	}
	wantError(t, refused.next(t), StageHandshake, Alert{AlertSent, 70})

	key := rsaTestKey(t)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	old := TLSOptions{With: []Feature{Policy("20261122-compatible")},
		ServerCertificate: [][]byte{pki(t).ca.issueFor(t, key, "server.test")}, ServerKey: [][]byte{keyDER}}
	oldLn := listen(t, old)
	go echo(oldLn)
	c = tls.Client(testDial(t, oldLn.Addr().String()), &tls.Config{RootCAs: roots, ServerName: "server.test",
		MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}})
	roundTrip(t, c, pattern(1000))

	o := clientOptions(t)
	o.MinimumVersion = "TLSv1"
	_, err = Dial(timeout(t), noNetwork{t}, ln.Addr().String(), o)
	wantOption(t, err, "MinimumVersion")
}

// drip delivers what arrives a byte at a time.
type drip struct{ net.Conn }

func (c drip) Read(p []byte) (int, error) {
	if len(p) > 1 {
		p = p[:1]
	}
	return c.Conn.Read(p)
}

// TestIoTRecordsInPieces: IoT.js hung when a record came in two segments.
//
//conform:iotjs wire.records works tlsio.SecureContext.Secure, tlsio.Conn.Read
func TestIoTRecordsInPieces(t *testing.T) {
	ln := listen(t, serverOptions(t))
	go echo(ln)
	client, err := NewClientContext(clientOptions(t))
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.Secure(timeout(t), drip{testDial(t, ln.Addr().String())}, SecureOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	roundTrip(t, c, pattern(20000))
}

// TestIoTServer is tls.createServer with its events.
//
//conform:iotjs tls.createServer works tlsio.Listen, tlsio.NewTLSListener
//conform:iotjs tls.Server works tlsio.TLSListener
//conform:iotjs tls.Server.new works tlsio.NewTLSListener, tlsio.TLSListenerOptions
//conform:iotjs tls.Server.listen differs tlsio.Listen -- listens from construction on; the backlog is the network's
//conform:iotjs tls.Server.close works tlsio.Listen, tlsio.TLSListener.Close
//conform:iotjs tls.Server.address works tlsio.Listen, tlsio.TLSListener.Port
//conform:iotjs event.listening differs tlsio.Listen -- no event: it listens when the constructor returns
//conform:iotjs event.server.close differs tlsio.Listen -- no event: it is closed when Close returns
//conform:iotjs event.server.error works tlsio.Listen, tlsio.TLSListenerOptions.OnError
//conform:iotjs event.secureConnection works tlsio.Listen, tlsio.TLSListenerOptions.OnReadable
//conform:iotjs event.tlsClientError works tlsio.TLSOptions.OnRefused
func TestIoTServer(t *testing.T) {
	leaks(t)
	refused := make(refusals, 1)
	so := serverOptions(t)
	so.OnRefused = refused.note
	ln, err := Listen(timeout(t), testNetwork(t), "127.0.0.1:0", so)
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().(*net.TCPAddr)
	if addr.Port == 0 || addr.IP.String() != "127.0.0.1" {
		t.Errorf("listens on %v", addr)
	}
	c, err := Dial(timeout(t), testNetwork(t), addr.String(), clientOptions(t)) // listens already
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s, err := ln.Accept() // secureConnection
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if !s.(*Conn).State().HandshakeComplete {
		t.Error("accepted before the handshake was done")
	}

	plain := testDial(t, addr.String())
	io.WriteString(plain, "GET / HTTP/1.0\r\n\r\n")
	e := wantError(t, refused.next(t), StageHandshake, Alert{})
	if e.Addr != plain.LocalAddr().String() || !strings.Contains(e.Hint, "plain text") {
		t.Errorf("tlsClientError: %v", e)
	}

	_, err = Listen(timeout(t), testNetwork(t), addr.String(), so)
	wantError(t, err, StageListen, Alert{})

	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := ln.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept after Close: %v", err)
	}
	if c, err := testNetwork(t).DialContext(timeout(t), "tcp", addr.String()); err == nil {
		c.Close()
		t.Error("still listens after Close")
	}
	go io.Copy(s, s)
	roundTrip(t, c, pattern(1000)) // what was accepted lives on
}

// TestIoTSecureContext makes a context once and uses it many times.
//
//conform:iotjs tls.createSecureContext differs tlsio.NewServerContext, tlsio.NewClientContext -- a context has a role
//conform:iotjs option.secureContext works tlsio.TLSOptions.Context
//conform:iotjs option.ca differs tlsio.TLSOptions.CA -- DER; PEM is refused with the command that converts it
//conform:iotjs option.cert differs tlsio.TLSOptions.ServerCertificate, tlsio.TLSOptions.ClientCertificate -- DER; PEM is refused with the command that converts it
//conform:iotjs option.key differs tlsio.TLSOptions.ServerKey, tlsio.TLSOptions.ClientKey -- DER; PEM is refused with the command that converts it
func TestIoTSecureContext(t *testing.T) {
	w := pki(t)
	server, err := NewServerContext(serverOptions(t))
	if err != nil {
		t.Fatal(err)
	}
	client, err := NewClientContext(TLSOptions{CA: [][]byte{w.caDER}})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		ln := listen(t, TLSOptions{Context: server})
		go echo(ln)
		for range 2 {
			c, err := Dial(timeout(t), testNetwork(t), ln.Addr().String(), TLSOptions{Context: client, Host: "server.test"})
			if err != nil {
				t.Fatal(err)
			}
			roundTrip(t, c, pattern(100))
			c.Close()
		}
	}
	named, err := NewClientContext(clientOptions(t)) // the context's name counts, not the address
	if err != nil {
		t.Fatal(err)
	}
	ln := listen(t, TLSOptions{Context: server})
	go echo(ln)
	c, err := Dial(timeout(t), testNetwork(t), ln.Addr().String(), TLSOptions{Context: named})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if s := c.(*Conn).State(); s.Host != "server.test" || s.ServerName != "server.test" {
		t.Errorf("name %q, SNI %q", s.Host, s.ServerName)
	}
	pem := []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
	pemKey := []byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
	for _, tt := range []struct {
		name    string
		o       TLSOptions
		options []string
	}{
		{"certificate without key", TLSOptions{ServerCertificate: [][]byte{w.server.cert}}, []string{"ServerKey"}},
		{"key without certificate", TLSOptions{ServerKey: [][]byte{w.server.key}}, []string{"ServerCertificate"}},
		{"key of another", TLSOptions{ServerCertificate: [][]byte{w.server.cert}, ServerKey: [][]byte{w.client.key}}, []string{"ServerCertificate[0]", "ServerKey[0]"}},
		{"CA of the wrong kind", TLSOptions{CA: [][]byte{{1}}, ClientAuth: ClientAuthRequest, ServerCertificate: [][]byte{w.server.cert}, ServerKey: [][]byte{w.server.key}}, []string{"CA[0]"}},
		{"PEM", TLSOptions{CA: [][]byte{pem}, ClientAuth: ClientAuthRequest, ServerCertificate: [][]byte{pem}, ServerKey: [][]byte{pemKey}}, []string{"ServerKey[0]", "ServerCertificate[0]", "CA[0]"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := NewServerContext(tt.o)
			wantOption(t, err, tt.options...)
			if tt.name == "PEM" && !strings.Contains(err.Error(), "openssl") {
				t.Errorf("doesn't say how to convert: %v", err)
			}
		})
	}
}

// TestIoTSocketAddresses: address(), the properties of both ends, encrypted and
// getProtocol, of both classes' TLS.
//
//conform:iotjs TLSSocket.address works tlsio.TLS.LocalAddress, tlsio.TLS.LocalFamily, tlsio.TLS.LocalPort
//conform:iotjs TLSSocket.localAddress works tlsio.TLS.LocalAddress
//conform:iotjs TLSSocket.localPort works tlsio.TLS.LocalPort
//conform:iotjs TLSSocket.remoteAddress works tlsio.TLS.RemoteAddress
//conform:iotjs TLSSocket.remoteFamily works tlsio.TLS.RemoteFamily
//conform:iotjs TLSSocket.remotePort works tlsio.TLS.RemotePort
//conform:iotjs TLSSocket.encrypted differs tlsio.Conn, tlsio.TLS -- the type says it: only secured connections are *Conn or *TLS
//conform:iotjs TLSSocket.getProtocol differs tlsio.State.VersionName -- servers have it too; "" before the handshake, and an error on closed instances
func TestIoTSocketAddresses(t *testing.T) {
	r := newRig(t)
	sock, peer := r.tlsPair(TLSClientOptions{}, nil)
	local, remote := peer.RemoteAddr().(*net.TCPAddr), peer.LocalAddr().(*net.TCPAddr)
	for _, tt := range []struct {
		what string
		f    func() (string, error)
		want string
	}{
		{"LocalAddress", sock.LocalAddress, local.IP.String()},
		{"LocalFamily", sock.LocalFamily, "IPv4"},
		{"RemoteAddress", sock.RemoteAddress, remote.IP.String()},
		{"RemoteFamily", sock.RemoteFamily, "IPv4"},
	} {
		if got, err := tt.f(); got != tt.want || err != nil {
			t.Errorf("%s = %q, %v; want %q", tt.what, got, err, tt.want)
		}
	}
	if p, err := sock.LocalPort(); p != local.Port || err != nil {
		t.Errorf("LocalPort = %d, %v", p, err)
	}
	if p, err := sock.RemotePort(); p != remote.Port || err != nil {
		t.Errorf("RemotePort = %d, %v", p, err)
	}
	if s, err := sock.State(); err != nil || s.VersionName() != TLSv13 {
		t.Errorf("version %s, %v", s.VersionName(), err)
	}
	sock.Close()
	if _, err := sock.State(); !errors.Is(err, ErrClosed) {
		t.Errorf("State of a closed instance: %v", err)
	}
	slow := &slow{testNetwork(t), make(chan struct{})}
	before, err := NewTLS(NewApp(slow), TLSClientOptions{Address: "127.0.0.1", Port: 1, TLS: clientOptions(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer before.Close()
	if s, err := before.State(); err != nil || s.VersionName() != "" {
		t.Errorf("before the handshake: version %s, %v", s.VersionName(), err)
	}

	// The same on connections that block, and what tells them from plain ones.
	so := serverOptions(t)
	ln := listen(t, so)
	c, err := Dial(timeout(t), testNetwork(t), ln.Addr().String(), clientOptions(t))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, c := range []net.Conn{c, s} {
		secured, ok := c.(*Conn)
		if !ok {
			t.Fatalf("a %T", c)
		}
		if v := secured.State().Version; v != tls.VersionTLS13 {
			t.Errorf("version %x", v)
		}
		if _, ok := secured.NetConn().(*Conn); ok {
			t.Error("the plain connection below looks encrypted")
		}
	}
	if c.LocalAddr().String() != s.RemoteAddr().String() || c.RemoteAddr().String() != s.LocalAddr().String() {
		t.Error("the ends don't agree on their addresses")
	}
}

// TestIoTStream is the stream of a TLSSocket: its methods and events, on the
// classes. A peer that ends without close_notify, as IoT.js does, has ended all the
// same.
//
//conform:iotjs TLSSocket.write works tlsio.TLS.Write
//conform:iotjs TLSSocket.end works tlsio.TLS.End
//conform:iotjs TLSSocket.pause works tlsio.TLS.Pause
//conform:iotjs TLSSocket.resume works tlsio.TLS.Resume
//conform:iotjs event.data differs tlsio.TLSClientOptions.OnReadable, tlsio.TLS.Read -- tells how many bytes there are; the program takes them
//conform:iotjs event.end works tlsio.TLSClientOptions.OnEnd, tlsio.Conn.CloseNotifyReceived
//conform:iotjs event.close differs tlsio.TLSClientOptions.OnError -- told as the error io.EOF once both sides have ended
//conform:iotjs event.finish differs tlsio.TLS.End, tlsio.Conn.CloseWrite -- no event: Conn's CloseWrite returns when all is handed on; what End takes is sent in the background
func TestIoTStream(t *testing.T) {
	for _, polite := range []bool{true, false} {
		t.Run(map[bool]string{true: "close_notify", false: "FIN"}[polite], func(t *testing.T) {
			r := newRig(t)
			o := TLSClientOptions{AllowHalfOpen: true}
			o.OnEnd = func(s *TLS) { r.note("end", s, 0, nil) }
			sock, peer := r.tlsPair(o, nil)

			r.do(func() { sock.Pause() })
			io.WriteString(peer, "while paused")
			r.quiet()
			r.do(func() { sock.Resume() })
			if c := r.next("readable"); c.n != 12 {
				t.Errorf("OnReadable(%d)", c.n)
			}
			r.do(func() {
				if p, _ := sock.ReadAvailable(); string(p) != "while paused" {
					t.Errorf("got %q", p)
				}
				sock.Write([]byte("first "))
			})
			if polite {
				peer.CloseWrite()
			} else {
				peer.NetConn().(interface{ CloseWrite() error }).CloseWrite()
			}
			r.skipTo("end")
			r.do(func() {
				if n, err := sock.End([]byte("and last")); n != 8 || err != nil {
					t.Errorf("End: %d, %v", n, err)
				}
				if _, err := sock.Write([]byte("more")); !errors.Is(err, ErrWriteClosed) {
					t.Errorf("Write after End: %v", err)
				}
			})
			got, err := io.ReadAll(peer)
			if string(got) != "first and last" || err != nil {
				t.Errorf("peer got %q, %v", got, err)
			}
			if c := r.skipTo("error"); !errors.Is(c.err, io.EOF) {
				t.Errorf("OnError(%v)", c.err)
			}
			if state := sock.ReadyState(); state != ReadyClosed {
				t.Errorf("state %d", state)
			}
			sock.Close()
		})
	}
}

// TestIoTDestroy: destroy is immediate, destroySoon waits for what was written, and
// an error of the connection comes with its reason.
//
//conform:iotjs TLSSocket.destroy works tlsio.TLS.Terminate
//conform:iotjs TLSSocket.destroySoon works tlsio.TLS.Close
//conform:iotjs event.error works tlsio.TLSClientOptions.OnError
func TestIoTDestroy(t *testing.T) {
	r := newRig(t)
	sock, peer := r.tlsPair(TLSClientOptions{}, nil)
	r.do(func() {
		sock.Write(pattern(20000))
		sock.Close()
	})
	if got, err := io.ReadAll(peer); len(got) != 20000 || err != nil {
		t.Errorf("destroySoon: peer got %d bytes, %v", len(got), err)
	}

	sock, peer = r.tlsPair(TLSClientOptions{}, nil)
	if err := sock.Terminate(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(peer); err == nil {
		t.Error("destroy looks like an orderly end")
	}

	for len(r.calls) > 0 {
		<-r.calls
	}
	sock, peer = r.tlsPair(TLSClientOptions{}, nil)
	if c, ok := peer.NetConn().(interface{ SetLinger(int) error }); ok {
		c.SetLinger(0)
	} else {
		t.Fatal("the peer can't reset")
	}
	peer.NetConn().Close()
	c := r.next("error")
	if e := wantError(t, c.err, StageRead, Alert{}); c.who != sock || errors.Is(e, io.EOF) {
		t.Errorf("OnError(%v), want the reset", c.err)
	}
}

// TestIoTSetTimeout: in IoT.js the callback decides what follows; here the instance
// is closed behind it, unless it sets the time again.
//
//conform:iotjs TLSSocket.setTimeout differs tlsio.TLS.SetIdleTimeout, tlsio.TLSClientOptions.OnTimeout -- closes after the callback, unless that sets the time again
func TestIoTSetTimeout(t *testing.T) {
	r := newRig(t)
	times := 0
	o := TLSClientOptions{OnTimeout: func(s *TLS) {
		r.note("timeout", s, 0, nil)
		if times++; times == 1 {
			s.Write([]byte("are you there?"))
			s.SetIdleTimeout(10 * time.Millisecond)
		}
	}}
	sock, peer := r.tlsPair(o, nil)
	r.do(func() { sock.SetIdleTimeout(10 * time.Millisecond) })
	r.skipTo("timeout")
	if got := string(readAll(t, peer, 14)); got != "are you there?" {
		t.Errorf("peer got %q", got)
	}
	r.skipTo("timeout")
	wait(t, "closed", func() bool { return sock.ReadyState() == ReadyClosed })
	if rest, err := io.ReadAll(peer); len(rest) != 0 || err != nil {
		t.Errorf("peer got %q, %v", rest, err)
	}
}
