package nodecert

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"io"
	"math/big"
	"net"
	"net/url"
	"os/exec"
	"reflect"
	"strings"
	"testing"
	"time"

	"ingot.dev/internal/testenv"
	"ingot.dev/tlsio"
)

// issued is a certificate with its key.
type issued struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// issue makes a certificate, self-signed if by is nil.
func issue(t testing.TB, key crypto.Signer, by *issued, change func(*x509.Certificate)) *issued {
	t.Helper()
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(0xabc), Subject: pkix.Name{CommonName: "a.test"},
		NotBefore: time.Date(2026, 11, 2, 3, 4, 5, 0, time.UTC), NotAfter: time.Date(2056, 1, 22, 13, 4, 5, 0, time.UTC)}
	if change != nil {
		change(tmpl)
	}
	parent, signer := tmpl, key
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &issued{cert, key}
}

func ec(t testing.TB, curve elliptic.Curve) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// samples are certificates with all that the object shows.
func samples(t testing.TB) map[string]*x509.Certificate {
	t.Helper()
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	full := func(c *x509.Certificate) {
		c.SerialNumber, _ = new(big.Int).SetString("0fedcba9876543210fedcba987654321", 16)
		c.Subject = pkix.Name{Country: []string{"CH"}, Organization: []string{"Ingot"}, OrganizationalUnit: []string{"pumps", "valves"},
			Locality: []string{"Bern"}, Province: []string{"BE"}, CommonName: "full.test", SerialNumber: "7",
			ExtraNames: []pkix.AttributeTypeAndValue{{Type: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}, Value: "a@full.test"}}}
		c.DNSNames = []string{"full.test", "*.full.test", "a, DNS:evil.test", `quo"te\`, "it's"}
		c.EmailAddresses = []string{"a@full.test"}
		c.IPAddresses = []net.IP{net.IPv4(192, 0, 2, 1).To4(), net.ParseIP("2001:db8::1")}
		c.URIs = []*url.URL{{Scheme: "https", Host: "full.test", Path: "/x"}}
		c.OCSPServer = []string{"http://ocsp.test/"}
		c.IssuingCertificateURL = []string{"http://ca.test/a.crt", "http://ca.test/b.crt"}
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
		c.UnknownExtKeyUsage = []asn1.ObjectIdentifier{{1, 3, 6, 1, 4, 1, 99999, 1}}
		c.KeyUsage = x509.KeyUsageDigitalSignature
	}
	return map[string]*x509.Certificate{
		"RSA, full": issue(t, rsaKey, nil, full).cert,
		"P-256, CA": issue(t, ec(t, elliptic.P256()), nil, func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true }).cert,
		"P-384":     issue(t, ec(t, elliptic.P384()), nil, nil).cert,
		"P-521":     issue(t, ec(t, elliptic.P521()), nil, nil).cert,
		"Ed25519":   issue(t, ed, nil, nil).cert,
	}
}

// TestLikeNode compares with the object that Node makes of the same certificate.
func TestLikeNode(t *testing.T) {
	node := testenv.Program(t, "node", "nodejs")
	const script = `
		const object = new (require('crypto').X509Certificate)(Buffer.from(process.argv[1], 'base64')).toLegacyObject();
		for (const k of ['raw', 'pubkey']) if (object[k]) object[k] = object[k].toString('base64');
		console.log(JSON.stringify(object));`
	for name, cert := range samples(t) {
		t.Run(name, func(t *testing.T) {
			out, err := exec.Command(node, "-e", script, base64.StdEncoding.EncodeToString(cert.Raw)).Output()
			if err != nil {
				t.Fatal(err)
			}
			ours, err := json.Marshal(New([]*x509.Certificate{cert}))
			if err != nil {
				t.Fatal(err)
			}
			var want, got map[string]any
			if err := json.Unmarshal(out, &want); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(ours, &got); err != nil {
				t.Fatal(err)
			}
			if want["ca"] == false {
				delete(want, "ca") // left out here
			}
			for k := range want {
				if !reflect.DeepEqual(got[k], want[k]) {
					t.Errorf("%s: %v, Node has %v", k, got[k], want[k])
				}
			}
			for k := range got {
				if _, ok := want[k]; !ok {
					t.Errorf("%s: %v, which Node doesn't have", k, got[k])
				}
			}
		})
	}
}

// TestFields has fixed expectations, for machines without Node.
func TestFields(t *testing.T) {
	c := New([]*x509.Certificate{samples(t)["RSA, full"]})
	for _, tt := range []struct{ what, got, want string }{
		{"SubjectAltName", c.SubjectAltName, `DNS:full.test, DNS:*.full.test, DNS:"a\u002c DNS:evil.test", DNS:"quo\"te\\", DNS:"it's", email:a@full.test, IP Address:192.0.2.1, IP Address:2001:DB8:0:0:0:0:0:1, URI:https://full.test/x`},
		{"CN", c.Subject["CN"].String(), "full.test"},
		{"OU", c.Subject["OU"].String(), "pumps,valves"},
		{"emailAddress", c.Issuer["emailAddress"].String(), "a@full.test"},
		{"ValidFrom", c.ValidFrom, "Nov  2 03:04:05 2026 GMT"},
		{"ValidTo", c.ValidTo, "Jan 22 13:04:05 2056 GMT"},
		{"SerialNumber", c.SerialNumber, "0FEDCBA9876543210FEDCBA987654321"},
		{"Exponent", c.Exponent, "0x10001"},
		{"ExtendedKeyUsage", strings.Join(c.ExtendedKeyUsage, " "), "1.3.6.1.5.5.7.3.1 1.3.6.1.5.5.7.3.2 1.3.6.1.4.1.99999.1"},
		{"InfoAccess", strings.Join(c.InfoAccess["CA Issuers - URI"], " "), "http://ca.test/a.crt http://ca.test/b.crt"},
	} {
		if tt.got != tt.want {
			t.Errorf("%s = %q, want %q", tt.what, tt.got, tt.want)
		}
	}
	if c.Bits != 2048 || len(c.Modulus) != 512 || len(c.Fingerprint256) != 95 || c.CA {
		t.Errorf("%+v", c)
	}
	ca := New([]*x509.Certificate{samples(t)["P-256, CA"]})
	if ca.ASN1Curve != "prime256v1" || ca.NISTCurve != "P-256" || len(ca.PublicKey) != 65 || ca.Bits != 256 || !ca.CA {
		t.Errorf("%+v", ca)
	}
	if empty, err := json.Marshal(New(nil)); string(empty) != "{}" || err != nil {
		t.Errorf("no certificate: %s, %v", empty, err)
	}
}

// TestLinks follows issuerCertificate to the root, which is its own.
func TestLinks(t *testing.T) {
	root := issue(t, ec(t, elliptic.P256()), nil, func(c *x509.Certificate) {
		c.Subject.CommonName, c.IsCA, c.BasicConstraintsValid, c.KeyUsage = "root", true, true, x509.KeyUsageCertSign
	})
	middle := issue(t, ec(t, elliptic.P256()), root, func(c *x509.Certificate) {
		c.Subject.CommonName, c.IsCA, c.BasicConstraintsValid, c.KeyUsage = "middle", true, true, x509.KeyUsageCertSign
	})
	leaf := issue(t, ec(t, elliptic.P256()), middle, nil)
	other := issue(t, ec(t, elliptic.P256()), nil, nil)
	c := New([]*x509.Certificate{leaf.cert, middle.cert, root.cert})
	var names []string
	for {
		names = append(names, c.Subject["CN"].String())
		if c.IssuerCertificate == nil || c.IssuerCertificate == c {
			break
		}
		c = c.IssuerCertificate
	}
	if strings.Join(names, " ") != "a.test middle root" || c.IssuerCertificate != c {
		t.Errorf("links %v", names)
	}
	if c := New([]*x509.Certificate{leaf.cert, other.cert, root.cert}); c.IssuerCertificate != nil {
		t.Error("linked to a certificate that isn't its issuer's")
	}
}

// TestOfConnection: both sides' objects, when a client shows a certificate and when
// it shows none.
//
//conform:bun getPeerCertificate works tlsio/nodecert.Peer
//conform:bun getCertificate works tlsio/nodecert.Local
func TestOfConnection(t *testing.T) {
	now := func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	}
	root := issue(t, ec(t, elliptic.P256()), nil, func(c *x509.Certificate) {
		now(c)
		c.Subject.CommonName, c.IsCA, c.BasicConstraintsValid, c.KeyUsage = "root", true, true, x509.KeyUsageCertSign
	})
	server := issue(t, ec(t, elliptic.P256()), root, func(c *x509.Certificate) { now(c); c.DNSNames = []string{"a.test"} })
	client := issue(t, ec(t, elliptic.P256()), root, func(c *x509.Certificate) { now(c); c.Subject.CommonName = "client" })
	der := func(i *issued) [][]byte {
		key, err := x509.MarshalPKCS8PrivateKey(i.key)
		if err != nil {
			t.Fatal(err)
		}
		return [][]byte{key}
	}
	secure, err := tlsio.NewServerContext(tlsio.TLSOptions{ServerCertificate: [][]byte{server.cert.Raw}, ServerKey: der(server),
		ClientAuth: tlsio.ClientAuthRequest, CA: [][]byte{root.cert.Raw}})
	if err != nil {
		t.Fatal(err)
	}
	for _, with := range []bool{true, false} {
		o := tlsio.TLSOptions{Host: "a.test", CA: [][]byte{root.cert.Raw}}
		if with {
			o.ClientCertificate, o.ClientKey = [][]byte{client.cert.Raw}, der(client)
		}
		dialer, err := tlsio.NewClientContext(o)
		if err != nil {
			t.Fatal(err)
		}
		a, b := net.Pipe()
		accepted := make(chan *tlsio.Conn, 1)
		go func() {
			c, err := secure.Secure(t.Context(), a, tlsio.SecureOptions{})
			if err != nil {
				t.Errorf("server: %v", err)
			}
			if c != nil {
				c.Write([]byte("x"))
			}
			accepted <- c
		}()
		c, err := dialer.Secure(t.Context(), b, tlsio.SecureOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		s := <-accepted
		if s == nil {
			t.FailNow()
		}
		cs, ss := c.State(), s.State()
		peer := Peer(&cs)
		if !bytes.Equal(peer.Raw, server.cert.Raw) || peer.SubjectAltName != "DNS:a.test" || peer.IssuerCertificate == nil ||
			peer.IssuerCertificate.Subject["CN"].String() != "root" || peer.IssuerCertificate.IssuerCertificate != peer.IssuerCertificate {
			t.Errorf("the client's view: %+v", peer)
		}
		if own := Local(&ss); !bytes.Equal(own.Raw, server.cert.Raw) {
			t.Errorf("the server's own: %+v", own)
		}
		seen, own := Peer(&ss), Local(&cs)
		if with && (seen.Subject["CN"].String() != "client" || own.Subject["CN"].String() != "client") {
			t.Errorf("client's certificate: %+v, %+v", seen, own)
		}
		if !with && (seen.Raw != nil || own.Raw != nil || seen.Subject != nil) {
			t.Errorf("no certificate: %+v, %+v", seen, own)
		}
		go io.Copy(io.Discard, b)
		s.Close()
		c.Close()
	}
	if Peer(&tlsio.State{}) != nil || Local(&tlsio.State{}) != nil {
		t.Error("objects of no connection")
	}
}

// FuzzNew takes any certificate that crypto/x509 parses, and any extension.
func FuzzNew(f *testing.F) {
	for _, cert := range samples(f) {
		f.Add(cert.Raw, extension(cert, oidSubjectAltName))
	}
	f.Fuzz(func(t *testing.T, der, names []byte) {
		if cert, err := x509.ParseCertificate(der); err == nil {
			if _, err := json.Marshal(New([]*x509.Certificate{cert, cert})); err != nil {
				t.Error(err)
			}
		}
		text := altNames(&x509.Certificate{Extensions: []pkix.Extension{{Id: oidSubjectAltName, Value: names}}})
		if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("unprintable characters in %q", text)
		}
	})
}
