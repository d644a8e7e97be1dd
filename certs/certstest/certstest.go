package certstest

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"ingot.dev/internal/pki"
	"ingot.dev/internal/testenv"
)

// An Algorithm is a kind of key. The zero value is [ECDSAP256].
type Algorithm = pki.Algorithm

const (
	ECDSAP256 = pki.ECDSAP256
	ECDSAP384 = pki.ECDSAP384
	Ed25519   = pki.Ed25519
	RSA2048   = pki.RSA2048 // takes a noticeable part of a second to make
)

// A Template says what a certificate shall hold. The zero value makes a sound
// server certificate for no name at all, valid from an hour ago for 397 days.
type Template struct {
	CommonName string   // default: the first name, or a word for what it is
	Names      []string // DNS names; "*.example.test" is a wildcard
	IPs        []string // IP addresses

	NotBefore, NotAfter time.Time

	// Client makes a certificate for TLS clients. Otherwise it is for
	// servers. Both sets both usages.
	Client bool
	Both   bool

	Algorithm Algorithm
	Key       crypto.Signer // used in place of a fresh key

	// Modify has the last word before the certificate is signed.
	Modify func(*x509.Certificate)
}

// Expired returns t with a validity that ended an hour ago.
func (t Template) Expired() Template {
	now := time.Now()
	t.NotBefore, t.NotAfter = now.Add(-30*24*time.Hour), now.Add(-time.Hour)
	return t
}

// NotYetValid returns t with a validity that begins tomorrow.
func (t Template) NotYetValid() Template {
	now := time.Now()
	t.NotBefore, t.NotAfter = now.Add(24*time.Hour), now.Add(30*24*time.Hour)
	return t
}

func (t Template) pki(tb testing.TB, what string) pki.Template {
	tb.Helper()
	var ips []net.IP
	ips, err := pki.ParseIPs(t.IPs)
	if err != nil {
		tb.Fatalf("certstest: %v", err)
	}
	usages := []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	switch {
	case t.Both:
		usages = append(usages, x509.ExtKeyUsageClientAuth)
	case t.Client:
		usages = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	}
	name := t.CommonName
	switch {
	case name != "":
	case len(t.Names) > 0:
		name = t.Names[0]
	default:
		name = what
	}
	return pki.Template{
		CommonName: name,
		DNSNames:   t.Names,
		IPs:        ips,
		NotBefore:  t.NotBefore,
		NotAfter:   t.NotAfter,
		Usages:     usages,
		Key:        t.Key,
		Algorithm:  t.Algorithm,
		Modify:     t.Modify,
	}
}

// A CA issues certificates.
type CA struct {
	Cert *x509.Certificate
	Key  crypto.Signer

	tb   testing.TB
	cred *pki.Credential
}

// NewCA makes a self-signed authority. Two calls with one template give two
// authorities with one name and different keys: the second is the first one's
// impostor.
func NewCA(tb testing.TB, t Template) *CA {
	tb.Helper()
	cred, err := pki.NewAuthority(t.pki(tb, "Test CA"))
	return newCA(tb, cred, err)
}

// Intermediate makes an authority below ca.
func (ca *CA) Intermediate(t Template) *CA {
	ca.tb.Helper()
	cred, err := ca.cred.Intermediate(t.pki(ca.tb, "Test intermediate CA"))
	return newCA(ca.tb, cred, err)
}

func newCA(tb testing.TB, cred *pki.Credential, err error) *CA {
	tb.Helper()
	if err != nil {
		tb.Fatalf("certstest: making an authority: %v", err)
	}
	return &CA{Cert: cred.Cert, Key: cred.Key, tb: tb, cred: cred}
}

// DER returns the authority's certificate.
func (ca *CA) DER() []byte { return ca.cred.DER() }

// Pool returns a pool that trusts only ca.
func (ca *CA) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(ca.Cert)
	return pool
}

// WritePEM writes the authority's certificate to a new file, for a program's
// -CAfile or --cacert, and returns the file's path.
func (ca *CA) WritePEM(tb testing.TB) string {
	tb.Helper()
	testenv.NeedFiles(tb)
	path := filepath.Join(tb.TempDir(), "ca.pem")
	writeFile(tb, path, ca.cred.PEM())
	return path
}

// Issue makes an identity.
func (ca *CA) Issue(t Template) *Identity {
	ca.tb.Helper()
	what := "Test server"
	if t.Client {
		what = "Test client"
	}
	cred, err := ca.cred.Issue(t.pki(ca.tb, what))
	if err != nil {
		ca.tb.Fatalf("certstest: issuing a certificate: %v", err)
	}
	id := &Identity{Cert: cred.Cert, Key: cred.Key, cred: cred}
	id.KeyDER, err = cred.KeyDER()
	if err != nil {
		ca.tb.Fatalf("certstest: encoding a private key: %v", err)
	}
	id.DER = cred.DER()
	for _, c := range cred.Chain {
		id.Chain = append(id.Chain, c.Raw)
	}
	return id
}

// An Identity is a certificate with its key.
type Identity struct {
	Cert   *x509.Certificate
	Key    crypto.Signer
	DER    []byte   // the certificate
	KeyDER []byte   // the key, PKCS#8
	Chain  [][]byte // the intermediates, the certificate's issuer first

	cred *pki.Credential
}

// TLS returns the identity as package tls uses it, with its intermediates.
func (id *Identity) TLS() tls.Certificate { return id.cred.TLS() }

// WritePEM writes the certificate (with its intermediates) and the key to new
// files and returns their paths.
func (id *Identity) WritePEM(tb testing.TB) (cert, key string) {
	tb.Helper()
	testenv.NeedFiles(tb)
	dir := tb.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	keyPEM, err := id.cred.KeyPEM()
	if err != nil {
		tb.Fatalf("certstest: encoding a private key: %v", err)
	}
	writeFile(tb, cert, id.cred.PEM())
	writeFile(tb, key, keyPEM)
	return cert, key
}

func writeFile(tb testing.TB, path string, data []byte) {
	tb.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		tb.Fatalf("certstest: %v", err)
	}
}
