package tlsio

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// TestCodes provokes each failure with a real peer and checks the number, the stage
// and the advice. Codes are spelled as numbers: they must never change.
func TestCodes(t *testing.T) {
	w := pki(t)
	now := time.Now()
	middle := newListAuthority(t, "code middle", w.ca)
	behind := middle.issue(t, []string{"server.test"}, nil) // its issuer isn't sent
	selfSigned := func() identity {
		key := newKey(t)
		tmpl := &x509.Certificate{SerialNumber: nextSerial(), Subject: pkix.Name{CommonName: "server.test"}, DNSNames: []string{"server.test"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour)}
		der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		k, _ := x509.MarshalPKCS8PrivateKey(key)
		return identity{cert: der, key: k}
	}()
	later := func(c *x509.Certificate) { c.NotBefore, c.NotAfter = now.Add(24*time.Hour), now.Add(48*time.Hour) }
	forClients := func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }
	root := newListAuthority(t, "code root", nil)
	listed := root.issue(t, []string{"server.test"}, nil)
	weak := identity{}
	weakKey := rsaTestKey(t)
	weak.cert = w.ca.issueFor(t, weakKey, "server.test")
	weak.key, _ = x509.MarshalPKCS8PrivateKey(weakKey)
	trust := func(a *authority) func(*TLSOptions) { return func(o *TLSOptions) { o.CA = [][]byte{a.cert.Raw} } }
	ask := func(o *TLSOptions) { o.ClientAuth, o.CA = ClientAuthRequire, [][]byte{w.caDER} }
	alpn := func(p string) func(*TLSOptions) {
		return func(o *TLSOptions) { o.ApplicationLayerProtocol = []string{p} }
	}
	nobody := errors.New("nobody")
	for _, tt := range []struct {
		name           string
		server, client func(*TLSOptions)
		code           Code // at the side that finds out
		byServer       bool
		hint           string
		other          Code // at the other side, 0 for any
	}{
		{"wrong name", nil, named("other.test"), 402, false, "for server.test, 127.0.0.1", 420},
		{"only CN", serve(w.ca.issue(t, []string{"server.test"}, onlyCN)), nil, 403, false, "add a SAN", 420},
		{"wrong CN", serve(w.ca.issue(t, []string{"server.test"}, onlyCN)), with(named("other.test"), feature(LegacyCommonName{})), 402, false, `"server.test"`, 420},
		{"unknown CA", serve(w.rogue), nil, 404, false, "other CA", 420},
		{"missing intermediate", serve(behind), nil, 404, false, hex.EncodeToString(middle.cert.SubjectKeyId), 420},
		{"self-signed", serve(selfSigned), nil, 405, false, "self-signed", 420},
		{"expired", serve(w.ca.issue(t, []string{"server.test"}, expired)), nil, 406, false, "reissue it", 420},
		{"not yet valid", serve(w.ca.issue(t, []string{"server.test"}, later)), nil, 407, false, "set the clock", 420},
		{"usage", serve(w.ca.issue(t, []string{"server.test"}, forClients)), nil, 408, false, "extended key usage", 420},
		{"not pinned", nil, feature(Pins{PinOf(w.client.leaf), PinOf(w.otherCA.cert)}), 409, false, PinOf(w.server.leaf), 420},
		{"revoked", serve(listed), with(trust(root), feature(CRLs{DER: [][]byte{root.revoke(t, now.Add(-time.Hour), now.Add(time.Hour), listed.leaf)}})), 410, false, "new certificate", 420},
		{"revocation unknown", nil, feature(CRLs{DER: [][]byte{root.revoke(t, now.Add(-time.Hour), now.Add(time.Hour))}}), 411, false, "test CA", 420},
		{"weak key", serve(weak), feature(Policy("20261122-strict")), 412, false, "larger key", 420},
		{"decision", nil, func(o *TLSOptions) { o.VerifyPeer = func(*State) error { return nobody } }, 413, false, "", 420},
		{"no client certificate", ask, nil, 401, true, "", 0},
		{"client of another CA", ask, present(w.rogue), 404, true, "", 420},
		{"version", only(TLSv12), only(TLSv13), 310, true, "MinimumVersion", 310},
		{"suites", with(only(TLSv12), feature(CipherSuites{"ECDHE-ECDSA-AES128-GCM-SHA256"})), feature(CipherSuites{"ECDHE-ECDSA-CHACHA20-POLY1305"}), 311, true, "cipher suite", 311},
		{"groups", with(only(TLSv13), feature(Groups{"P-521"})), feature(Groups{"X25519"}), 311, true, "group", 311},
		{"protocol", alpn("a"), alpn("b"), 312, true, "ApplicationLayerProtocol", 312},
		{"unknown name", func(o *TLSOptions) {
			o.With = []Feature{Identities{List: []Identity{{Names: []string{"x.test"}, Certificate: o.ServerCertificate, Key: o.ServerKey}}}}
			o.ServerCertificate, o.ServerKey = nil, nil
		}, nil, 313, true, "", 313},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := connect(t, serverContext(t, tt.server), clientContext(t, tt.client), SecureOptions{}, SecureOptions{})
			finder, other := p.clientErr, p.serverErr
			if tt.byServer {
				finder, other = other, finder
			}
			e, ok := errors.AsType[*Error](finder)
			if !ok || e.Code() != tt.code || !strings.Contains(e.Hint, tt.hint) {
				t.Errorf("code %d, want %d, hint %q: %v", e.Code(), tt.code, tt.hint, finder)
			}
			if o, ok := errors.AsType[*Error](other); !ok || tt.other != 0 && o.Code() != tt.other {
				t.Errorf("the other side has %v", other)
			}
			if want := tt.code >= 400 && tt.code < 420; want != (e.Stage == StageVerify) {
				t.Errorf("stage %s", e.Stage)
			}
		})
	}
}

// TestCodesOfPeersWithoutTLS: peers that speak something else, nothing, or stop.
func TestCodesOfPeersWithoutTLS(t *testing.T) {
	for _, tt := range []struct {
		name string
		peer func(net.Conn)
		code Code
		hint string
	}{
		{"HTTP", func(c net.Conn) { c.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")); c.Read(make([]byte, 1000)) }, 302, "HTTP"},
		{"SSH", func(c net.Conn) { c.Write([]byte("SSH-2.0-x\r\n")); c.Read(make([]byte, 1000)) }, 302, "SSH"},
		{"closes", func(c net.Conn) { c.Read(make([]byte, 4096)) }, 303, "without an alert"},
		{"silent", func(c net.Conn) { io.Copy(io.Discard, c) }, 301, "too slow"},
	} {
		for _, context := range []*SecureContext{serverContext(t, nil), clientContext(t, nil)} {
			if tt.name == "closes" && context.server {
				continue // it waits for the client's first bytes
			}
			t.Run(tt.name, func(t *testing.T) {
				ln := testListen(t)
				go func() {
					c, err := ln.Accept()
					if err == nil {
						tt.peer(c)
						c.Close()
					}
				}()
				o := SecureOptions{}
				if tt.name == "silent" {
					o.HandshakeTimeout = 50 * time.Millisecond
				}
				_, err := context.Secure(timeout(t), testDial(t, ln.Addr().String()), o)
				e, ok := errors.AsType[*Error](err)
				if !ok || e.Code() != tt.code || !strings.Contains(e.Hint, tt.hint) {
					t.Errorf("code %d: %v", e.Code(), err)
				}
			})
		}
	}
}

// TestCodesOfCauses: those that need no peer.
func TestCodesOfCauses(t *testing.T) {
	p := connect(t, serverContext(t, nil), clientContext(t, nil), SecureOptions{}, SecureOptions{}).ok(t)
	p.client.Close()
	_, closed := p.client.Read(make([]byte, 1))
	p.server.SetReadDeadline(time.Now().Add(-time.Second))
	_, _, finished := p.server.FinishedMessages()
	_, dns := Dial(timeout(t), failing{&net.DNSError{Err: "no such host", Name: "x", IsNotFound: true}}, "x:1", clientOptions(t))
	_, server := Dial(timeout(t), failing{&net.DNSError{Err: "server misbehaving", Name: "x"}}, "x:1", clientOptions(t))
	_, refused := Dial(timeout(t), failing{errors.New("refused")}, "x:1", clientOptions(t))
	_, options := Dial(timeout(t), nil, "x", TLSOptions{})
	for _, tt := range []struct {
		err  error
		code Code
	}{
		{closed, 110}, {finished, 115}, {p.server.SetVerifyMode("", ""), 116}, {dns, 211}, {server, 210}, {refused, 220}, {options, 100},
		{&Error{Stage: StageListen}, 200}, {&Error{Stage: StageConnect, Err: ErrTooManyConnections}, 230}, {&Error{Stage: StageHandshake, Err: ErrEvicted}, 231}, {&Error{Stage: StageConnect, Err: ErrHandshakeRate}, 233},
		{&Error{Stage: StageRead, Err: errors.New("x")}, 600}, {&Error{Stage: StageWrite, Err: errors.New("x")}, 610}, {&Error{Stage: StageClose}, 620},
		{&Error{Stage: StageWrite, Err: ErrOverflow}, 113}, {&Error{Stage: StageWrite, Err: ErrNotConnected}, 112}, {&Error{}, 0},
	} {
		if e, ok := errors.AsType[*Error](tt.err); !ok || e.Code() != tt.code {
			t.Errorf("%d: %v", tt.code, tt.err)
		}
	}
}
