package certificate_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"ingot.dev/certs/certstest"
	"ingot.dev/tlsio/server/certificate"
)

// openssl runs the command in dir.
func openssl(t testing.TB, dir string, args ...string) {
	t.Helper()
	path, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed; apt-get install openssl")
	}
	cmd := exec.Command(path, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("openssl %q: %v\n%s", args, err, out)
	}
}

// files is a folder with an identity below an intermediate: key.pem, cert.pem,
// chain.pem (the intermediate and the root), in DER cert.der and key.der.
type files struct {
	dir  string
	fs   fs.FS
	leaf *x509.Certificate
	key  crypto.Signer
	root *certstest.CA
	via  *certstest.CA
}

const subject = "CN=www.example.test, OU=test, O=\"Ingot, Inc.\", C=US"

// newFiles issues a certificate with all that Certificate has a field for.
func newFiles(t testing.TB, algorithm certstest.Algorithm) files {
	t.Helper()
	root := certstest.NewCA(t, certstest.Template{CommonName: "Root"})
	via := root.Intermediate(certstest.Template{CommonName: "Intermediate"})
	id := via.Issue(certstest.Template{
		Names: []string{"www.example.test", "*.example.test"}, IPs: []string{"192.0.2.1", "2001:db8::1"},
		Both: true, Algorithm: algorithm,
		NotBefore: time.Date(2000, 1, 23, 15, 0, 0, 0, time.UTC), NotAfter: time.Date(2049, 12, 1, 3, 4, 5, 0, time.UTC),
		Modify: func(c *x509.Certificate) {
			c.Subject = pkix.Name{CommonName: "www.example.test", OrganizationalUnit: []string{"test"}, Organization: []string{"Ingot, Inc."}, Country: []string{"US"}}
			c.SerialNumber = new(big.Int).SetBytes([]byte{0x0a, 0xb1, 0x00, 0xff})
			c.KeyUsage = x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment
		},
	})
	f := files{dir: t.TempDir(), leaf: id.Cert, key: id.Key, root: root, via: via}
	f.fs = os.DirFS(f.dir)
	keyDER, err := x509.MarshalPKCS8PrivateKey(id.Key)
	if err != nil {
		t.Fatal(err)
	}
	f.write(t, "cert.der", id.Cert.Raw)
	f.write(t, "key.der", keyDER)
	f.write(t, "cert.pem", pemOf("CERTIFICATE", id.Cert.Raw))
	f.write(t, "key.pem", pemOf("PRIVATE KEY", keyDER))
	f.write(t, "chain.pem", append(pemOf("CERTIFICATE", via.Cert.Raw), pemOf("CERTIFICATE", root.Cert.Raw)...))
	return f
}

func (f *files) write(t testing.TB, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(f.dir, name), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func (f *files) read(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(f.dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func pemOf(typ string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: typ, Bytes: der})
}

// open opens a store that must open, and checks that a usable identity comes out.
func open(t testing.TB, s certificate.Source) *certificate.Certificate {
	t.Helper()
	c, err := certificate.Open(s)
	if err != nil {
		t.Fatalf("Open(%v): %v", s.Type, err)
	}
	return c
}

// serve checks that c can prove itself to a client that trusts root.
func serve(t testing.TB, c *certificate.Certificate, root *certstest.CA, name string) {
	t.Helper()
	pair, err := c.TLS()
	if err != nil {
		t.Fatal(err)
	}
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	done := make(chan error, 1)
	go func() { done <- tls.Server(far, &tls.Config{Certificates: []tls.Certificate{pair}}).Handshake() }()
	if err := tls.Client(near, &tls.Config{RootCAs: root.Pool(), ServerName: name}).Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// refused checks that Open gives an *Error of the kind, complete, and that names
// the type; it returns the error.
func refused(t testing.TB, s certificate.Source, kind error) *certificate.Error {
	t.Helper()
	c, err := certificate.Open(s)
	e, ok := errors.AsType[*certificate.Error](err)
	if !ok || c != nil {
		t.Fatalf("Open(%v) = %v, %v; want an *Error", s.Type, c, err)
	}
	if !errors.Is(err, kind) || e.Type != s.Type || e.Reason == "" {
		t.Fatalf("Open(%v): %v; want the kind %q", s.Type, err, kind)
	}
	return e
}

// certificateOf signs a certificate with extensions of any content.
func certificateOf(t testing.TB, name pkix.RDNSequence, extensions ...pkix.Extension) *certificate.Certificate {
	t.Helper()
	raw, err := asn1.Marshal(name)
	if err != nil {
		t.Fatal(err)
	}
	ca := certstest.NewCA(t, certstest.Template{})
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(7), RawSubject: raw, ExtraExtensions: extensions,
		NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<31, 0),
	}, ca.Cert, ca.Key.Public(), ca.Key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := certificate.FromBytes(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func equal(t testing.TB, what string, got, want any) {
	t.Helper()
	if g, ok := got.([]byte); ok {
		if !bytes.Equal(g, want.([]byte)) {
			t.Errorf("%s = %x, want %x", what, got, want)
		}
		return
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s = %q, want %q", what, fmt.Sprint(got), fmt.Sprint(want))
	}
}
