package certstest

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"ingot.dev/internal/testenv"
)

func TestIssuedCertificatesVerify(t *testing.T) {
	root := NewCA(t, Template{})
	below := root.Intermediate(Template{CommonName: "Below"})
	lowest := below.Intermediate(Template{CommonName: "Lowest"})
	impostor := NewCA(t, Template{})

	var invalid x509.CertificateInvalidError
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	names := []string{"a.test"}
	tests := []struct {
		what  string
		id    *Identity
		usage x509.ExtKeyUsage
		name  string
		want  any // target of errors.As; nil if it verifies
	}{
		{"ECDSA", root.Issue(Template{Names: names}), x509.ExtKeyUsageServerAuth, "a.test", nil},
		{"P-384", root.Issue(Template{Names: names, Algorithm: ECDSAP384}), x509.ExtKeyUsageServerAuth, "a.test", nil},
		{"Ed25519", root.Issue(Template{Names: names, Algorithm: Ed25519}), x509.ExtKeyUsageServerAuth, "a.test", nil},
		{"RSA", root.Issue(Template{Names: names, Algorithm: RSA2048}), x509.ExtKeyUsageServerAuth, "a.test", nil},
		{"IP", root.Issue(Template{IPs: []string{"10.0.2.15"}}), x509.ExtKeyUsageServerAuth, "10.0.2.15", nil},
		{"two intermediates", lowest.Issue(Template{Names: names}), x509.ExtKeyUsageServerAuth, "a.test", nil},
		{"client", root.Issue(Template{Client: true}), x509.ExtKeyUsageClientAuth, "", nil},
		{"both", root.Issue(Template{Both: true}), x509.ExtKeyUsageClientAuth, "", nil},
		{"client as server", root.Issue(Template{Client: true}), x509.ExtKeyUsageServerAuth, "", &invalid},
		{"expired", root.Issue(Template{Names: names}.Expired()), x509.ExtKeyUsageServerAuth, "a.test", &invalid},
		{"not yet valid", root.Issue(Template{Names: names}.NotYetValid()), x509.ExtKeyUsageServerAuth, "a.test", &invalid},
		{"wrong name", root.Issue(Template{Names: names}), x509.ExtKeyUsageServerAuth, "b.test", &name},
		{"wrong CA", impostor.Issue(Template{Names: names}), x509.ExtKeyUsageServerAuth, "a.test", &unknown},
	}
	for _, tt := range tests {
		t.Run(tt.what, func(t *testing.T) {
			chain := x509.NewCertPool()
			for _, der := range tt.id.Chain {
				ca, err := x509.ParseCertificate(der)
				if err != nil {
					t.Fatal(err)
				}
				chain.AddCert(ca)
			}
			_, err := tt.id.Cert.Verify(x509.VerifyOptions{
				Roots:         root.Pool(),
				Intermediates: chain,
				DNSName:       tt.name,
				KeyUsages:     []x509.ExtKeyUsage{tt.usage},
			})
			switch {
			case tt.want == nil && err != nil:
				t.Errorf("Verify: %v", err)
			case tt.want != nil && !errors.As(err, tt.want):
				t.Errorf("Verify: %v, want a %T", err, tt.want)
			}
		})
	}
}

func TestWritePEM(t *testing.T) {
	ca := NewCA(t, Template{})
	id := ca.Intermediate(Template{}).Issue(Template{Names: []string{"a.test"}})
	cert, key := id.WritePEM(t)
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	if len(pair.Certificate) != 2 {
		t.Errorf("the file holds %d certificates, want the leaf and an intermediate", len(pair.Certificate))
	}
	data, err := os.ReadFile(ca.WritePEM(t))
	if err != nil {
		t.Fatal(err)
	}
	if pool := x509.NewCertPool(); !pool.AppendCertsFromPEM(data) || !pool.Equal(ca.Pool()) {
		t.Error("the CA's file does not hold the CA")
	}
}

func TestTree(t *testing.T) {
	testenv.NeedFiles(t)
	ca := NewCA(t, Template{})
	id := ca.Intermediate(Template{}).Issue(Template{Names: []string{"a.test"}})
	tree := Tree{}
	tree.AddAnchor("", ca)
	tree.AddAnchor("", NewCA(t, Template{}))
	tree.AddAnchor("clients", ca)
	tree.AddIdentity("default", id)

	dir := t.TempDir()
	tree.WriteDir(t, dir)
	for _, name := range []string{
		"anchors/ca1.der", "anchors/ca2.der", "anchors/clients/ca1.der",
		"identities/default/cert.der", "identities/default/chain1.der", "identities/default/key.der",
	} {
		want, ok := tree[name]
		if !ok {
			t.Errorf("the tree has no %s", name)
			continue
		}
		inMemory, err := tree.FS().ReadFile(name)
		if err != nil || !bytes.Equal(inMemory, want) {
			t.Errorf("FS: %s differs (%v)", name, err)
		}
		onDisk, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !bytes.Equal(onDisk, want) {
			t.Errorf("WriteDir: %s differs (%v)", name, err)
		}
	}
	if len(tree) != 6 {
		t.Errorf("the tree has %d files, want 6", len(tree))
	}
}

func TestDefaultValidityCoversNow(t *testing.T) {
	cert := NewCA(t, Template{}).Issue(Template{}).Cert
	now := time.Now()
	if now.Before(cert.NotBefore.Add(30*time.Minute)) || now.After(cert.NotAfter.Add(-24*time.Hour)) {
		t.Errorf("validity %v to %v is too close to now, %v", cert.NotBefore, cert.NotAfter, now)
	}
}
