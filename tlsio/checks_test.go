package tlsio

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

func feature(f ...Feature) func(*TLSOptions) {
	return func(o *TLSOptions) { o.With = append(o.With, f...) }
}

func TestMatchPattern(t *testing.T) {
	for _, tt := range []struct {
		pattern, host string
		want          bool
	}{
		{"a.test", "a.test", true},
		{"A.Test", "a.tEST", true},
		{"a.test.", "a.test", true},
		{"a.test", "a.test.", true},
		{"a.test", "b.a.test", false},
		{"b.a.test", "a.test", false},
		{"*.a.test", "b.a.test", true},
		{"*.a.test", "a.test", false},
		{"*.a.test", "c.b.a.test", false},
		{"*.a.test", ".a.test", false},
		{"*.test", "a.test", false}, // would be a whole top-level domain
		{"*", "a.test", false},
		{"*", "a", false},
		{"a*.b.test", "aa.b.test", false},
		{"*a.b.test", "aa.b.test", false},
		{"a.*.test", "a.b.test", false},
		{"*.*.test", "a.b.test", false},
		{"", "", false},
		{"a b.test", "a b.test", false},
		{"a.test\x00.evil", "a.test", false},
		{"a.test\x00", "a.test", false},
		{"192.0.2.1", "192.0.2.1", true},
		{"192.0.2.1", "192.0.2.2", false},
		{"*.0.2.1", "192.0.2.1", false},
		{"2001:db8::1", "2001:db8:0:0::1", true},
		{"::ffff:192.0.2.1", "192.0.2.1", true},
		{"192.0.2.1", "192.0.2.1.", true},
		{"localhost", "localhost", true},
		{"my server", "my server", false},
		{"-a.test", "-a.test", false},
	} {
		if got := matchPattern(tt.pattern, tt.host); got != tt.want {
			t.Errorf("matchPattern(%q, %q) = %v", tt.pattern, tt.host, got)
		}
	}
}

// FuzzMatchPattern: a pattern never matches more than names of its own length, or of
// one label in place of its asterisk; a match doesn't depend on letters' case.
func FuzzMatchPattern(f *testing.F) {
	f.Add("*.a.test", "b.a.test")
	f.Add("192.0.2.1", "192.0.2.1")
	f.Add("a.test\x00", "a.test")
	f.Fuzz(func(t *testing.T, pattern, host string) {
		if !matchPattern(pattern, host) {
			return
		}
		if !matchPattern(upper(pattern), host) || !matchPattern(pattern, upper(host)) {
			t.Errorf("%q and %q match in one case only", pattern, host)
		}
		if bytes.ContainsAny([]byte(pattern+host), "\x00 /\n") {
			t.Errorf("%q matches %q", pattern, host)
		}
		if pattern != "" && pattern[0] == '*' && (host == "" || len(host) < 3) {
			t.Errorf("%q matches %q", pattern, host)
		}
	})
}

func upper(s string) string { return string(bytes.ToUpper([]byte(s))) }

// TestLegacyCommonName: with the option, and only with it, the common name counts;
// never beside a SAN; and never in place of the chain.
func TestLegacyCommonName(t *testing.T) {
	w := pki(t)
	legacy := w.ca.issue(t, []string{"server.test"}, onlyCN)
	wild := w.ca.issue(t, []string{"*.server.test"}, onlyCN)
	san := w.ca.issue(t, []string{"server.test"}, func(c *x509.Certificate) { c.DNSNames = []string{"other.test"} })
	strange := w.otherCA.issue(t, []string{"server.test"}, onlyCN)
	for _, tt := range []struct {
		name string
		id   identity
		host string
		fix  bool
		ok   bool
	}{
		{"without the option", legacy, "server.test", false, false},
		{"legacy", legacy, "server.test", true, true},
		{"wrong name", legacy, "other.test", true, false},
		{"wildcard", wild, "a.server.test", true, true},
		{"wildcard, two labels", wild, "b.a.server.test", true, false},
		{"SAN only", w.server, "server.test", true, true},
		{"SAN counts, not CN", san, "server.test", true, false},
		{"unknown CA", strange, "server.test", true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := serverContext(t, serve(tt.id))
			for _, mode := range []VerifyMode{VerifyRequired, VerifyOptional} {
				client := clientContext(t, func(o *TLSOptions) {
					o.Host, o.VerifyMode = tt.host, mode
					if tt.fix {
						o.With = []Feature{LegacyCommonName{}}
					}
				})
				for range 2 { // resumed
					p := connect(t, server, client, SecureOptions{}, SecureOptions{})
					if mode == VerifyRequired && !tt.ok {
						if p.clientErr == nil {
							t.Fatal("accepted")
						}
						continue
					}
					if s := p.ok(t).client.State(); s.Authorized() != tt.ok {
						t.Errorf("authorized %v: %v", s.Authorized(), s.AuthorizationError())
					}
				}
			}
		})
	}
}

// TestLegacyVersion1 uses a certificate of X.509 version 1, as devices have them.
func TestLegacyVersion1(t *testing.T) {
	bin := openssl(t)
	w := pki(t)
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	caKey, err := x509.MarshalPKCS8PrivateKey(w.ca.key)
	if err != nil {
		t.Fatal(err)
	}
	caFile, keyFile := writePEM(t, "CERTIFICATE", w.caDER), writePEM(t, "PRIVATE KEY", caKey)
	for _, args := range [][]string{
		{"req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", path("key"), "-subj", "/CN=server.test", "-out", path("csr"), "-config", "/dev/null"},
		{"x509", "-req", "-in", path("csr"), "-CA", caFile, "-CAkey", keyFile, "-set_serial", "77", "-days", "2", "-outform", "DER", "-out", path("cert")},
		{"pkcs8", "-topk8", "-nocrypt", "-in", path("key"), "-outform", "DER", "-out", path("key.der")},
	} {
		if out, err := exec.Command(bin, args...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
	var id identity
	id.cert, _ = os.ReadFile(path("cert"))
	id.key, _ = os.ReadFile(path("key.der"))
	if cert, err := x509.ParseCertificate(id.cert); err != nil || cert.Version != 1 {
		t.Skipf("this openssl makes no version 1: %v", err)
	}
	server := serverContext(t, serve(id))
	p := connect(t, server, clientContext(t, feature(LegacyCommonName{})), SecureOptions{}, SecureOptions{}).ok(t)
	if s := p.client.State(); !s.Authorized() {
		t.Error(s.AuthorizationError())
	}
	p = connect(t, server, clientContext(t, nil), SecureOptions{}, SecureOptions{})
	e := wantError(t, p.clientErr, StageVerify, Alert{AlertSent, 42})
	if e.Hint != "certificate has only a CN; add a SAN" {
		t.Errorf("hint %q", e.Hint)
	}
}

// TestPins: pinned leaf, pinned CA, backup only, none; also on sessions made before
// the pins were there.
func TestPins(t *testing.T) {
	w := pki(t)
	backup := PinOf(w.otherCA.cert)
	for _, tt := range []struct {
		name string
		pins Pins
		ok   bool
	}{
		{"leaf", Pins{PinOf(w.server.leaf), backup}, true},
		{"CA", Pins{backup, "sha256/" + PinOf(w.ca.cert)}, true},
		{"neither", Pins{backup, PinOf(w.client.leaf)}, false},
	} {
		for _, v := range bothVersions {
			t.Run(tt.name+"/"+v, func(t *testing.T) {
				server := serverContext(t, only(v))
				for _, mode := range []VerifyMode{VerifyRequired, VerifyOptional} {
					client := clientContext(t, func(o *TLSOptions) { o.VerifyMode = mode })
					lax := connect(t, server, client, SecureOptions{}, SecureOptions{}).ok(t)
					session, err := lax.client.Session()
					if err != nil {
						t.Fatal(err)
					}
					o := clientOptions(t)
					o.VerifyMode, o.With = mode, []Feature{tt.pins}
					if err := client.Reload(o); err != nil {
						t.Fatal(err)
					}
					// Not resumed after Reload; then the old session is forced upon it.
					for _, so := range []SecureOptions{{}, {Session: session}} {
						p := connect(t, server, client, SecureOptions{}, so)
						if p.client != nil {
							if s := p.client.State(); s.DidResume != (so.Session != nil) || s.Authorized() != tt.ok {
								t.Errorf("resumed %v, authorized %v: %v", s.DidResume, s.Authorized(), s.AuthorizationError())
							}
						}
						if want := tt.ok || mode == VerifyOptional; want != (p.clientErr == nil) {
							t.Errorf("%s: %v", mode, p.clientErr)
						}
						if _, ok := errors.AsType[*PinError](p.clientErr); p.clientErr != nil && !ok {
							t.Errorf("cause: %v", p.clientErr)
						}
					}
				}
			})
		}
	}
	good := PinOf(w.server.leaf)
	for _, bad := range []Pins{nil, {good}, {good, good}, {good, "AAAA"}, {good, "sha1/" + good}} {
		o := clientOptions(t)
		o.With = []Feature{bad}
		if _, err := NewClientContext(o); err == nil {
			t.Errorf("accepted %q", bad)
		}
	}
}

// revoke makes a CA's list. A zero until leaves nextUpdate out.
func (a *authority) revoke(t testing.TB, from, until time.Time, certs ...*x509.Certificate) []byte {
	t.Helper()
	tmpl := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: from, NextUpdate: until}
	for _, c := range certs {
		tmpl.RevokedCertificateEntries = append(tmpl.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: c.SerialNumber, RevocationTime: from, ReasonCode: 1})
	}
	issuer := *a.cert
	issuer.KeyUsage |= x509.KeyUsageCRLSign
	if issuer.SubjectKeyId == nil {
		issuer.SubjectKeyId = []byte{1}
	}
	der, err := x509.CreateRevocationList(rand.Reader, tmpl, &issuer, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// signer is an authority that may sign lists.
func newListAuthority(t testing.TB, name string, parent *authority) *authority {
	t.Helper()
	a := newAuthority(t, name)
	tmpl := *a.cert
	tmpl.SerialNumber = nextSerial()
	tmpl.KeyUsage |= x509.KeyUsageCRLSign
	issuer := parent
	if issuer == nil {
		issuer = &authority{&tmpl, a.key}
	}
	der, err := x509.CreateCertificate(rand.Reader, &tmpl, issuer.cert, a.key.Public(), issuer.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return a
}

// TestCRLs: leaf, intermediate, other issuers' lists, out of date, missing, forged.
func TestCRLs(t *testing.T) {
	now := time.Now()
	root := newListAuthority(t, "CRL root", nil)
	middle := newListAuthority(t, "CRL middle", root)
	leaf := middle.issue(t, []string{"server.test"}, nil)
	leaf.cert = append(leaf.cert, middle.cert.Raw...)
	day := 24 * time.Hour
	from, until := now.Add(-2*day), now.Add(day)
	rootOK := root.revoke(t, from, until)
	middleOK := middle.revoke(t, from, until)
	forger := newListAuthority(t, "CRL middle", nil) // same name, other key
	_ = forger
	for _, tt := range []struct {
		name  string
		crls  CRLs
		cause string // "" ok, "revoked", "unknown"
	}{
		{"clean", CRLs{DER: [][]byte{rootOK, middleOK}}, ""},
		{"leaf", CRLs{DER: [][]byte{rootOK, middle.revoke(t, from, until, leaf.leaf)}}, "revoked"},
		{"intermediate", CRLs{DER: [][]byte{root.revoke(t, from, until, middle.cert), middleOK}}, "revoked"},
		{"revoked in an old list", CRLs{DER: [][]byte{rootOK, middle.revoke(t, from, now.Add(-day), leaf.leaf), middleOK}}, "revoked"},
		{"same serial number, other issuer", CRLs{DER: [][]byte{root.revoke(t, from, until, leaf.leaf), middleOK}}, ""},
		{"none of an issuer", CRLs{DER: [][]byte{rootOK}}, "unknown"},
		{"none, partial", CRLs{DER: [][]byte{rootOK}, Partial: true}, ""},
		{"forged revocation", CRLs{DER: [][]byte{rootOK, middleOK, forger.revoke(t, from, until, leaf.leaf)}}, ""},
		{"forged acquittal", CRLs{DER: [][]byte{rootOK, forger.revoke(t, from, until)}}, "unknown"},
		{"out of date", CRLs{DER: [][]byte{rootOK, middle.revoke(t, from, now.Add(-day))}}, "unknown"},
		{"out of date, grace", CRLs{DER: [][]byte{rootOK, middle.revoke(t, from, now.Add(-day))}, Grace: 2 * day}, ""},
		{"out of date, short grace", CRLs{DER: [][]byte{rootOK, middle.revoke(t, from, now.Add(-day))}, Grace: time.Hour}, "unknown"},
		{"out of date, forever", CRLs{DER: [][]byte{rootOK, middle.revoke(t, from, now.Add(-day))}, Grace: -1}, ""},
		{"not valid yet", CRLs{DER: [][]byte{rootOK, middle.revoke(t, now.Add(day), now.Add(2*day))}}, "unknown"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := serverContext(t, serve(leaf))
			for _, mode := range []VerifyMode{VerifyRequired, VerifyOptional} {
				client := clientContext(t, func(o *TLSOptions) {
					o.CA, o.VerifyMode, o.With = [][]byte{root.cert.Raw}, mode, []Feature{tt.crls}
				})
				p := connect(t, server, client, SecureOptions{}, SecureOptions{})
				err := p.clientErr
				if mode == VerifyOptional {
					s := p.ok(t).client.State()
					if err = s.AuthorizationError(); s.Authorized() != (tt.cause == "") {
						t.Errorf("authorized %v", s.Authorized())
					}
				}
				_, revoked := errors.AsType[*RevokedError](err)
				_, unknown := errors.AsType[*CRLError](err)
				if (err == nil) != (tt.cause == "") || revoked != (tt.cause == "revoked") || unknown != (tt.cause == "unknown") {
					t.Errorf("%s: %v", mode, err)
				}
			}
		})
	}
	for _, bad := range []CRLs{{DER: [][]byte{{1, 2, 3}}}, {DER: [][]byte{rootOK[:len(rootOK)-1]}}, {DER: [][]byte{[]byte("-----BEGIN X509 CRL-----")}}} {
		o := clientOptions(t)
		o.With = []Feature{bad}
		_, err := NewClientContext(o)
		wantOption(t, err, "With[0].DER[0]")
	}
}

// FuzzCRL: whatever the bytes, parsing returns an error or a list.
func FuzzCRL(f *testing.F) {
	a := newListAuthority(f, "fuzz", nil)
	from := time.Unix(1_700_000_000, 0)
	f.Add(a.revoke(f, from, from.Add(time.Hour), a.cert))
	f.Add([]byte("-----BEGIN"))
	f.Fuzz(func(t *testing.T, der []byte) {
		if list, err := parseCRL(der); (list == nil) == (err == nil) {
			t.Errorf("%v, %v", list, err)
		}
	})
}

// TestPolicies: each policy's own limits hold against a peer just beyond them.
func TestPolicies(t *testing.T) {
	if names := Policies(); len(names) < 5 || names[0] != DefaultPolicy {
		t.Errorf("%q", names)
	}
	o := clientOptions(t)
	o.With = []Feature{Policy("20991231")}
	_, err := NewClientContext(o)
	wantOption(t, err, "With[0]")
	for _, name := range Policies() {
		if !bytes.Contains([]byte(err.Error()), []byte(name)) {
			t.Errorf("%q isn't named in %v", name, err)
		}
	}
	w := pki(t)
	weak := identity{}
	key := rsaTestKey(t)
	weak.cert = w.ca.issueFor(t, key, "server.test")
	weak.key, _ = x509.MarshalPKCS8PrivateKey(key)
	for _, tt := range []struct {
		policy Policy
		server func(*TLSOptions)
		ok     bool
		check  func(State) bool
	}{
		{"20261122", nil, true, func(s State) bool { return s.VersionName() == TLSv13 }},
		{"20261122", only(TLSv12), true, func(s State) bool { return s.VersionName() == TLSv12 }},
		{"20261122", only(TLSv11), false, nil},
		{"20261122", serve(weak), true, nil},
		{"20261122-strict", serve(weak), false, nil},
		{"20261122-strict", with(only(TLSv12), feature(CipherSuites{"ECDHE-ECDSA-AES128-SHA"})), false, nil},
		{"20261122", with(only(TLSv12), feature(CipherSuites{"ECDHE-ECDSA-AES128-SHA"})), true, func(s State) bool { return s.Cipher().Name == "ECDHE-ECDSA-AES128-SHA" }},
		{"20261122-tls13", only(TLSv12), false, nil},
		{"20261122-tls13", nil, true, func(s State) bool { return s.VersionName() == TLSv13 }},
		{"20261122-pq", nil, true, func(s State) bool { return s.EphemeralKey().Type == "KEM" }},
		{"20261122-pq", feature(Groups{"x25519"}), false, nil},
		{"20261122-compatible", only(TLSv11), true, func(s State) bool { return s.VersionName() == TLSv11 }},
		{"20261122-compatible", with(only(TLSv12), serve(weak), feature(CipherSuites{"AES128-SHA"})), true, func(s State) bool {
			return s.Cipher().StandardName == "TLS_RSA_WITH_AES_128_CBC_SHA" && *s.EphemeralKey() == (EphemeralKey{})
		}},
	} {
		client := clientContext(t, feature(tt.policy))
		p := connect(t, serverContext(t, tt.server), client, SecureOptions{}, SecureOptions{})
		if (p.clientErr == nil) != tt.ok {
			t.Errorf("%s: %v", tt.policy, p.clientErr)
		} else if tt.check != nil && !tt.check(p.client.State()) {
			t.Errorf("%s: %+v", tt.policy, p.client.State().ConnectionState)
		}
	}
	o = clientOptions(t)
	o.MaximumVersion, o.With = TLSv12, []Feature{Policy("20261122-tls13")}
	_, err = NewClientContext(o)
	wantOption(t, err, "With[0]")
}

// TestCipherSuitesAndGroups: choosing by either name, and what can't be chosen.
//
//conform:ipworks config.SSLEnabledCipherSuites.TLS13 differs tlsio.CipherSuites -- all three or none: crypto/tls can't choose among them
func TestCipherSuitesAndGroups(t *testing.T) {
	for _, names := range []CipherSuites{{"ECDHE-ECDSA-CHACHA20-POLY1305"}, {"tls_ecdhe_ecdsa_with_chacha20_poly1305_sha256"}} {
		for _, g := range []struct{ name, node string }{{"P-256", "prime256v1"}, {"secp384r1", "secp384r1"}, {"X25519", "X25519"}} {
			client := clientContext(t, with(only(TLSv12), feature(names, Groups{g.name})))
			s := connect(t, serverContext(t, nil), client, SecureOptions{}, SecureOptions{}).ok(t).client.State()
			if c := s.Cipher(); c.Name != "ECDHE-ECDSA-CHACHA20-POLY1305" || c.Bits != 256 || c.Version != TLSv12 {
				t.Errorf("%+v", c)
			}
			if k := s.EphemeralKey(); k.Type != "ECDH" || k.Name != g.node || k.Size == 0 || !bytes.EqualFold([]byte(s.Group()), []byte(GroupName(s.CurveID))) {
				t.Errorf("%+v, %s", k, s.Group())
			}
		}
	}
	for _, bad := range []Feature{
		CipherSuites{"DHE-RSA-AES128-SHA"}, CipherSuites{"AES128-SHA", "TLS_RSA_WITH_AES_128_CBC_SHA"},
		CipherSuites{"TLS_AES_128_GCM_SHA256"}, CipherSuites{},
		CipherSuites{"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"},
		Groups{"x448"}, Groups{"ffdhe2048"}, Groups{"P-256", "prime256v1"}, Groups{}, MinDHSize(-1), MinDHSize(20000),
	} {
		o := clientOptions(t)
		o.With = []Feature{bad}
		if _, err := NewClientContext(o); err == nil {
			t.Errorf("accepted %v", bad)
		}
	}
	clientContext(t, feature(MinDHSize(1024), CipherSuites{"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256", "AES128-SHA"}))
}

// FuzzNames: names of suites and groups are found in any case or not at all.
func FuzzNames(f *testing.F) {
	f.Add("ECDHE-RSA-AES128-GCM-SHA256")
	f.Add("p-256")
	f.Fuzz(func(t *testing.T, name string) {
		if c, ok := CipherByName(name); ok {
			if again, ok := CipherByName(c.StandardName); !ok || again != c {
				t.Errorf("%q: %+v", name, c)
			}
		}
		if id, ok := GroupByName(name); ok {
			if again, ok := GroupByName(GroupName(id)); !ok || again != id {
				t.Errorf("%q: %v", name, id)
			}
		}
	})
}
