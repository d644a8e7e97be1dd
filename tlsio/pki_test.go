package tlsio

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"ingot.dev/internal/testenv"
)

// authority is a CA for tests.
type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// identity is a certificate with its key, in DER.
type identity struct {
	cert, key []byte
	leaf      *x509.Certificate
	signer    crypto.Signer
}

var serial = struct {
	sync.Mutex
	n int64
}{n: 1000}

func nextSerial() *big.Int {
	serial.Lock()
	defer serial.Unlock()
	serial.n++
	return big.NewInt(serial.n)
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newAuthority(t testing.TB, name string) *authority {
	t.Helper()
	key := newKey(t)
	tmpl := &x509.Certificate{
		SerialNumber:          nextSerial(),
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             time.Now().Add(-24 * time.Hour),
		NotAfter:              time.Now().Add(240 * time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{cert, key}
}

// issue makes a leaf for the names; IP literals become IP SANs. change may alter
// the template.
func (a *authority) issue(t testing.TB, names []string, change func(*x509.Certificate)) identity {
	t.Helper()
	key := newKey(t)
	tmpl := &x509.Certificate{
		SerialNumber: nextSerial(),
		Subject:      pkix.Name{CommonName: names[0]},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			tmpl.IPAddresses = append(tmpl.IPAddresses, ip)
		} else {
			tmpl.DNSNames = append(tmpl.DNSNames, n)
		}
	}
	if change != nil {
		change(tmpl)
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return identity{der, keyDER, leaf, key}
}

func expired(c *x509.Certificate) {
	c.NotBefore, c.NotAfter = time.Now().Add(-48*time.Hour), time.Now().Add(-24*time.Hour)
}

func onlyCN(c *x509.Certificate) { c.DNSNames, c.IPAddresses = nil, nil }

// writePEM writes blocks into a file for tools that want PEM, and returns its name.
func writePEM(t testing.TB, kind string, ders ...[]byte) string {
	t.Helper()
	testenv.NeedFiles(t)
	f, err := os.CreateTemp(t.TempDir(), "*.pem")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, der := range ders {
		if err := pem.Encode(f, &pem.Block{Type: kind, Bytes: der}); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Clean(f.Name())
}

// world is the PKI that most tests use.
type world struct {
	ca, otherCA           *authority
	server, client        identity
	expiredClient, rogue  identity
	caDER, otherDER, root []byte
}

var (
	theWorld  *world
	worldOnce sync.Once
)

func pki(t testing.TB) *world {
	t.Helper()
	worldOnce.Do(func() {
		w := &world{ca: newAuthority(t, "test CA"), otherCA: newAuthority(t, "other CA")}
		w.server = w.ca.issue(t, []string{"server.test", "127.0.0.1"}, nil)
		w.client = w.ca.issue(t, []string{"client.test"}, nil)
		w.expiredClient = w.ca.issue(t, []string{"old.test"}, expired)
		w.rogue = w.otherCA.issue(t, []string{"server.test", "127.0.0.1"}, nil)
		w.caDER, w.otherDER = w.ca.cert.Raw, w.otherCA.cert.Raw
		theWorld = w
	})
	return theWorld
}

func serverOptions(t testing.TB) TLSOptions {
	w := pki(t)
	return TLSOptions{ServerCertificate: [][]byte{w.server.cert}, ServerKey: [][]byte{w.server.key}, HandshakeTimeout: limit}
}

func clientOptions(t testing.TB) TLSOptions {
	return TLSOptions{Host: "server.test", CA: [][]byte{pki(t).caDER}, HandshakeTimeout: limit}
}

func rsaTestKey(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// issueFor makes a leaf for a key that exists.
func (a *authority) issueFor(t testing.TB, key crypto.Signer, name string) []byte {
	t.Helper()
	tmpl := &x509.Certificate{SerialNumber: nextSerial(), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func newECIdentityKey(t testing.TB, id identity) *ecdsa.PrivateKey {
	t.Helper()
	return id.signer.(*ecdsa.PrivateKey)
}
