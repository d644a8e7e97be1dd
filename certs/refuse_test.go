package certs_test

import (
	"bytes"
	"crypto"
	"crypto/dsa" //nolint:staticcheck // only as an algorithm that must be refused
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"ingot.dev/certs"
	"ingot.dev/certs/certstest"
)

// sound returns a store without any problem, which each case then damages.
func sound(t testing.TB) (certstest.Tree, *certstest.CA) {
	t.Helper()
	ca := certstest.NewCA(t, certstest.Template{})
	tree := certstest.Tree{}
	tree.AddAnchor("", ca)
	tree.AddIdentity("default", ca.Issue(certstest.Template{Names: []string{"localhost"}, IPs: []string{"127.0.0.1"}}))
	return tree, ca
}

// must returns DER from functions that return an error too.
func must[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func toPEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func ecKey(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	return must[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(curve, rand.Reader))
}

// weakRSA is made once: it takes a while.
var weakRSA = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 1024) })

func pkcs8(t testing.TB, key any) []byte {
	t.Helper()
	return must[[]byte](t)(x509.MarshalPKCS8PrivateKey(key))
}

// otherPKCS8 wraps something in PKCS#8 under any algorithm.
func otherPKCS8(t testing.TB, algorithm pkix.AlgorithmIdentifier, key []byte) []byte {
	t.Helper()
	return must[[]byte](t)(asn1.Marshal(struct {
		Version    int
		Algorithm  pkix.AlgorithmIdentifier
		PrivateKey []byte
	}{0, algorithm, key}))
}

const (
	anchor   = "anchors/ca1.der"
	certPath = "identities/default/cert.der"
	keyPath  = "identities/default/key.der"
	chain1   = "identities/default/chain1.der"
	chain2   = "identities/default/chain2.der"
)

// problem is what a case expects: a kind for a file, and words that its
// message must hold.
type problem struct {
	file  string
	kind  error
	words string
}

func TestLoadRefuses(t *testing.T) {
	names := []string{"localhost"}
	tests := []struct {
		name   string
		damage func(t *testing.T, tree certstest.Tree, ca *certstest.CA)
		want   []problem
	}{
		{"anchor is PEM", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			tree[anchor] = toPEM("CERTIFICATE", tree[anchor])
		}, []problem{{anchor, certs.ErrPEM, "openssl x509 -in anchors/ca1.der -outform DER -out anchors/ca1.der.new && mv anchors/ca1.der.new anchors/ca1.der"}}},
		{"anchor is named .pem", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			tree["anchors/ca.pem"] = toPEM("CERTIFICATE", tree[anchor])
		}, []problem{{"anchors/ca.pem", certs.ErrPEM, "openssl x509 -in anchors/ca.pem -outform DER -out anchors/ca.der"}}},
		{"PEM after text", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			tree[anchor] = append([]byte("subject=CN = x\n\n"), toPEM("CERTIFICATE", tree[anchor])...)
		}, []problem{{anchor, certs.ErrPEM, "openssl x509"}}},
		{"PEM after text that starts like DER", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			tree[anchor] = append([]byte("0 s:CN = x\n"), toPEM("CERTIFICATE", tree[anchor])...)
		}, []problem{{anchor, certs.ErrPEM, "openssl x509"}}},
		{"PEM bundle", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			tree[anchor] = bytes.Repeat(toPEM("CERTIFICATE", tree[anchor]), 3)
		}, []problem{{anchor, certs.ErrPEM, "it holds 3 of them"}}},
		{"identity is PEM throughout", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			tree["identities/default/server.pem"] = toPEM("CERTIFICATE", tree[certPath])
			tree["identities/default/server-key.pem"] = toPEM("PRIVATE KEY", tree[keyPath])
			delete(tree, certPath)
			delete(tree, keyPath)
		}, []problem{
			{"identities/default/server-key.pem", certs.ErrPEM, "openssl pkcs8 -topk8 -nocrypt -in identities/default/server-key.pem -outform DER -out identities/default/key.der"},
			{"identities/default/server.pem", certs.ErrPEM, "openssl x509 -in identities/default/server.pem -outform DER -out identities/default/cert.der"},
		}},
		{"key is PEM", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			tree[keyPath] = toPEM("EC PRIVATE KEY", tree[keyPath])
		}, []problem{{keyPath, certs.ErrPEM, "openssl pkcs8 -topk8 -nocrypt -in identities/default/key.der"}}},
		{"key in PEM in the certificate's place", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			tree[certPath] = toPEM("PRIVATE KEY", tree[keyPath])
		}, []problem{{certPath, certs.ErrPEM, "a private key in the place of a certificate"}}},
		{"request in PEM", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			tree[certPath] = toPEM("CERTIFICATE REQUEST", []byte{0x30, 0})
		}, []problem{{certPath, certs.ErrPEM, "neither a certificate nor a private key"}}},

		{"empty anchor", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			tree[anchor] = nil
		}, []problem{{anchor, certs.ErrEmptyFile, "empty"}}},
		{"empty certificate", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			tree[certPath] = nil
		}, []problem{{certPath, certs.ErrEmptyFile, "certificate"}}},
		{"empty key", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			tree[keyPath] = nil
		}, []problem{{keyPath, certs.ErrEmptyFile, "private key"}}},
		{"one byte", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			tree[anchor] = []byte{0x30}
		}, []problem{{anchor, certs.ErrSyntax, "too short"}}},
		{"text", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			tree[anchor] = []byte("hello, world")
		}, []problem{{anchor, certs.ErrSyntax, "0x68"}}},
		{"cut short", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			tree[certPath] = tree[certPath][:len(tree[certPath])-1]
		}, []problem{{certPath, certs.ErrSyntax, "cut short"}}},
		{"key cut short", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			tree[keyPath] = tree[keyPath][:20]
		}, []problem{{keyPath, certs.ErrSyntax, "cut short"}}},
		{"indefinite length", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			tree[anchor] = []byte{0x30, 0x80, 0, 0}
		}, []problem{{anchor, certs.ErrSyntax, "length"}}},
		{"length not shortest", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			tree[anchor] = []byte{0x30, 0x81, 1, 0}
		}, []problem{{anchor, certs.ErrSyntax, "shortest"}}},
		{"absurd length", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			tree[anchor] = []byte{0x30, 0x84, 0xff, 0xff, 0xff, 0xff}
		}, []problem{{anchor, certs.ErrSyntax, "absurd"}}},
		{"DER of something else", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			tree[anchor] = []byte{0x30, 3, 2, 1, 5}
			tree[keyPath] = []byte{0x30, 3, 2, 1, 5}
		}, []problem{{anchor, certs.ErrSyntax, "not an X.509 certificate"}, {keyPath, certs.ErrSyntax, "not a PKCS#8 private key"}}},
		{"damaged certificate", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			tree[certPath] = bytes.Clone(tree[certPath])
			tree[certPath][8] ^= 0xff
		}, []problem{{certPath, certs.ErrSyntax, "not an X.509 certificate"}}},
		{"damaged key", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			tree[keyPath] = otherPKCS8(t, pkix.AlgorithmIdentifier{
				Algorithm:  asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1},
				Parameters: asn1.RawValue{FullBytes: must[[]byte](t)(asn1.Marshal(asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7}))},
			}, []byte{1, 2, 3})
		}, []problem{{keyPath, certs.ErrSyntax, "damaged"}}},

		{"zero after certificate", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			tree[certPath] = append(tree[certPath], 0)
		}, []problem{{certPath, certs.ErrTrailing, "1 more bytes"}}},
		{"line end after key", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			tree[keyPath] = append(tree[keyPath], '\r', '\n')
		}, []problem{{keyPath, certs.ErrTrailing, "white space"}}},
		{"two anchors in a file", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			tree[anchor] = append(bytes.Clone(tree[anchor]), tree[anchor]...)
		}, []problem{{anchor, certs.ErrTrailing, "a file of its own"}}},
		{"too large", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			tree[anchor] = make([]byte, certs.MaxFileSize+1)
		}, []problem{{anchor, certs.ErrTooLarge, "65536"}}},

		{"key as certificate", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			tree[certPath] = tree[keyPath]
		}, []problem{{certPath, certs.ErrWrongObject, "holds a private key"}}},
		{"certificate as key", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			tree[keyPath] = tree[certPath]
		}, []problem{{keyPath, certs.ErrWrongObject, "holds a certificate"}}},
		{"request as certificate", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			tree[certPath] = must[[]byte](t)(x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, ecKey(t, elliptic.P256())))
		}, []problem{{certPath, certs.ErrWrongObject, "request"}}},
		{"SEC 1 key", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			tree[keyPath] = must[[]byte](t)(x509.MarshalECPrivateKey(ecKey(t, elliptic.P256())))
		}, []problem{{keyPath, certs.ErrKeyFormat, "SEC 1"}}},
		{"PKCS#1 key", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			tree[keyPath] = x509.MarshalPKCS1PrivateKey(must[*rsa.PrivateKey](t)(weakRSA()))
		}, []problem{{keyPath, certs.ErrKeyFormat, "PKCS#1"}}},
		{"encrypted key", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			tree[keyPath] = must[[]byte](t)(asn1.Marshal(struct {
				Algorithm pkix.AlgorithmIdentifier
				Data      []byte
			}{pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}}, []byte("secret")}))
		}, []problem{{keyPath, certs.ErrKeyFormat, "password"}}},
		{"X25519 key", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			tree[keyPath] = pkcs8(t, must[*ecdh.PrivateKey](t)(ecdh.X25519().GenerateKey(rand.Reader)))
		}, []problem{{keyPath, certs.ErrKeyType, "1.3.101.110"}}},
		{"P-224 key", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			tree[keyPath] = pkcs8(t, ecKey(t, elliptic.P224()))
		}, []problem{{keyPath, certs.ErrKeyType, "1.3.132.0.33"}}},
		{"key on a curve without a name", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			tree[keyPath] = otherPKCS8(t, pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}}, []byte{1})
		}, []problem{{keyPath, certs.ErrKeyType, "no name"}}},
		{"DSA key", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			x := must[[]byte](t)(asn1.Marshal((&dsa.PrivateKey{X: big.NewInt(7)}).X))
			tree[keyPath] = otherPKCS8(t, pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 10040, 4, 1}}, x)
		}, []problem{{keyPath, certs.ErrKeyType, "1.2.840.10040.4.1"}}},
		{"P-224 certificate", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			id := ca.Issue(certstest.Template{Names: names, Key: ecKey(t, elliptic.P224())})
			tree[certPath], tree[keyPath] = id.DER, id.KeyDER
		}, []problem{{certPath, certs.ErrKeyType, "ECDSA P-224"}, {keyPath, certs.ErrKeyType, "1.3.132.0.33"}}},
		{"weak RSA identity", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			tree.AddIdentity("default", ca.Issue(certstest.Template{Names: names, Key: must[*rsa.PrivateKey](t)(weakRSA())}))
		}, []problem{{certPath, certs.ErrWeakKey, "1024"}}},
		{"weak RSA key without certificate", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			tree[keyPath] = pkcs8(t, must[*rsa.PrivateKey](t)(weakRSA()))
			delete(tree, certPath)
		}, []problem{{certPath, certs.ErrMissing, "ingot certs init"}, {keyPath, certs.ErrWeakKey, "1024"}}},
		{"weak RSA anchor", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			tree.AddAnchor("old", certstest.NewCA(t, certstest.Template{Key: must[*rsa.PrivateKey](t)(weakRSA())}))
		}, []problem{{"anchors/old/ca1.der", certs.ErrWeakKey, "1024"}}},
		{"SHA-1 signature", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			tree.AddIdentity("default", ca.Issue(certstest.Template{Names: names,
				Modify: func(c *x509.Certificate) { c.SignatureAlgorithm = x509.ECDSAWithSHA1 }}))
		}, []problem{{certPath, certs.ErrWeakSignature, "SHA1"}}},

		{"key of nobody", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			tree[keyPath] = pkcs8(t, ecKey(t, elliptic.P256()))
		}, []problem{{keyPath, certs.ErrKeyMismatch, "does not belong to identities/default/cert.der"}}},
		{"keys swapped", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			other := ca.Issue(certstest.Template{Names: []string{"other.test"}, Algorithm: certstest.Ed25519})
			tree.AddIdentity("other", other)
			tree["identities/other/key.der"], tree[keyPath] = tree[keyPath], tree["identities/other/key.der"]
		}, []problem{
			{keyPath, certs.ErrKeyMismatch, "but to identities/other/cert.der"},
			{"identities/other/key.der", certs.ErrKeyMismatch, "but to identities/default/cert.der"},
		}},

		{"expired identity", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			tree.AddIdentity("default", ca.Issue(certstest.Template{Names: names}.Expired()))
		}, []problem{{certPath, certs.ErrExpired, "was valid until"}}},
		{"identity not yet valid", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			tree.AddIdentity("default", ca.Issue(certstest.Template{Names: names}.NotYetValid()))
		}, []problem{{certPath, certs.ErrNotYetValid, "valid from"}}},
		{"never valid", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			now := time.Now()
			tree.AddIdentity("default", ca.Issue(certstest.Template{Names: names, NotBefore: now.Add(time.Hour), NotAfter: now.Add(-time.Hour)}))
		}, []problem{{certPath, certs.ErrExpired, "never valid"}}},
		{"expired intermediate", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			tree.AddIdentity("default", ca.Intermediate(certstest.Template{}.Expired()).Issue(certstest.Template{Names: names}))
		}, []problem{{chain1, certs.ErrExpired, "was valid until"}}},

		{"two identities for a name", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			tree.AddIdentity("second", ca.Issue(certstest.Template{Names: []string{"LocalHost"}}))
		}, []problem{{"identities/second/cert.der", certs.ErrDuplicate, "identities/default/cert.der"}}},
		{"two identities for a wildcard", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			tree.AddIdentity("a", ca.Issue(certstest.Template{Names: []string{"*.x.test"}}))
			tree.AddIdentity("b", ca.Issue(certstest.Template{Names: []string{"y.test", "*.X.test"}}))
		}, []problem{{"identities/b/cert.der", certs.ErrDuplicate, `"*.x.test"`}}},
		{"identity folders that differ in case", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			tree.AddIdentity("Default", ca.Issue(certstest.Template{Names: []string{"b.test"}}))
		}, []problem{{"identities/default", certs.ErrDuplicate, "identities/Default"}}},

		{"common name only", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			tree.AddIdentity("default", ca.Issue(certstest.Template{CommonName: "localhost"}))
		}, []problem{{certPath, certs.ErrNoNames, `common name "localhost"`}}},
		{"no name at all", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			tree.AddIdentity("default", ca.Issue(certstest.Template{Modify: func(c *x509.Certificate) { c.Subject = pkix.Name{} }}))
		}, []problem{{certPath, certs.ErrNoNames, "subjectAltName"}}},
		{"IP address as DNS name", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			tree.AddIdentity("default", ca.Issue(certstest.Template{Names: []string{"10.0.2.15"}}))
		}, []problem{{certPath, certs.ErrBadName, "iPAddress"}}},
		{"usage for neither side", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			tree.AddIdentity("default", ca.Issue(certstest.Template{Names: names,
				Modify: func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning} }}))
		}, []problem{{certPath, certs.ErrUsage, "neither TLS servers nor TLS clients"}}},
		{"key usage without signature", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			tree.AddIdentity("default", ca.Issue(certstest.Template{Names: names,
				Modify: func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment }}))
		}, []problem{{certPath, certs.ErrUsage, "digitalSignature"}}},

		{"chain out of order", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			id := ca.Intermediate(certstest.Template{}).Intermediate(certstest.Template{}).Issue(certstest.Template{Names: names})
			tree.AddIdentity("default", id)
			tree[chain1], tree[chain2] = tree[chain2], tree[chain1]
		}, []problem{
			{chain1, certs.ErrChain, "identities/default/chain2.der did: the chain is out of order"},
			{chain2, certs.ErrChain, "did not sign identities/default/chain1.der"},
		}},
		{"intermediate of somebody else", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			tree[chain1] = certstest.NewCA(t, certstest.Template{}).Intermediate(certstest.Template{}).DER()
		}, []problem{{chain1, certs.ErrChain, `put the certificate of "CN=Test CA" here`}}},
		{"intermediate is no authority", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			tree[chain1] = ca.Issue(certstest.Template{Names: []string{"x.test"}}).DER
		}, []problem{{chain1, certs.ErrNotCA, "an intermediate must be a certificate authority"}}},
		{"intermediate is PEM", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			tree["identities/default/chain.pem"] = toPEM("CERTIFICATE", ca.DER())
		}, []problem{{"identities/default/chain.pem", certs.ErrPEM, "-out identities/default/chain.der"}}},
		{"broken intermediate", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			tree[chain1] = []byte{0x30, 0}
		}, []problem{{chain1, certs.ErrSyntax, "not an X.509 certificate"}}},

		{"anchor is no authority", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			tree["anchors/leaf.der"] = tree[certPath]
		}, []problem{{"anchors/leaf.der", certs.ErrNotCA, "CA:TRUE"}}},
		{"anchor may not sign", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			tree[anchor] = certstest.NewCA(t, certstest.Template{Modify: func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageDigitalSignature }}).DER()
		}, []problem{{anchor, certs.ErrNotCA, "keyCertSign"}}},

		{"no key", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			delete(tree, keyPath)
		}, []problem{{keyPath, certs.ErrMissing, "does not exist"}}},
		{"no certificate", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			delete(tree, certPath)
		}, []problem{{certPath, certs.ErrMissing, "does not exist"}}},
		{"files without a place", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			tree["host/x"] = []byte("x")
			tree["anchors/ca.crt"] = tree[anchor]
			tree["anchors/a/b/c.der"] = tree[anchor]
			tree["identities/key.der"] = tree[keyPath]
			tree["identities/default/old/cert.der"] = tree[certPath]
			tree["identities/default/key.bak"] = tree[keyPath]
		}, []problem{
			{"anchors/a/b", certs.ErrUnexpectedFile, "groups have no groups"},
			{"anchors/ca.crt", certs.ErrUnexpectedFile, "rename it to anchors/ca.der"},
			{"host", certs.ErrUnexpectedFile, "anchors, identities, intermediates, crls and pins only"},
			{"identities/default/key.bak", certs.ErrUnexpectedFile, "chain1.der"},
			{"identities/default/old", certs.ErrUnexpectedFile, "no folders inside"},
			{"identities/key.der", certs.ErrUnexpectedFile, "identities/<name>/cert.der"},
		}},
		{"nothing", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			clear(tree)
		}, []problem{{".", certs.ErrLayout, "neither a folder anchors nor a folder identities"}}},
		{"nothing but notes", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			clear(tree)
			tree["anchors/README.md"] = []byte("# Anchors\n")
		}, []problem{{".", certs.ErrLayout, "the store is empty"}}},
		{"store one level down", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			der := tree[anchor]
			clear(tree)
			tree["image/anchors/ca.der"] = der
		}, []problem{{".", certs.ErrLayout, `fs.Sub(fsys, "image")`}}},
		{"too many anchors", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			for range certs.MaxAnchors {
				tree.AddAnchor("", ca)
			}
		}, []problem{{"anchors", certs.ErrTooMany, "513"}}},
		{"too many intermediates", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			for i := range certs.MaxChain + 1 {
				tree[fmt.Sprintf("identities/default/chain%d.der", i)] = ca.DER()
			}
		}, []problem{{"identities/default", certs.ErrTooMany, "9"}}},
		{"too many identities", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			id := ca.Issue(certstest.Template{Client: true})
			for i := range certs.MaxIdentities {
				tree.AddIdentity(fmt.Sprint("client", i), id)
			}
		}, []problem{{"identities", certs.ErrTooMany, "129"}}},
		{"several things at once", func(t *testing.T, tree certstest.Tree, ca *certstest.CA) {
			tree[anchor] = nil
			tree[keyPath] = append(tree[keyPath], 0)
			tree.AddIdentity("old", ca.Issue(certstest.Template{CommonName: "old.test"}.Expired()))
		}, []problem{
			{anchor, certs.ErrEmptyFile, ""},
			{keyPath, certs.ErrTrailing, ""},
			{"identities/old/cert.der", certs.ErrExpired, ""},
			{"identities/old/cert.der", certs.ErrNoNames, ""},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tree, ca := sound(t)
			tt.damage(t, tree, ca)
			store, err := certs.Load(tree.FS(), certs.Options{})
			if err == nil || store != nil {
				t.Fatalf("Load = %v, %v; want no store and an error", store, err)
			}
			got := certs.Problems(err)
			for _, want := range tt.want {
				found := false
				for _, e := range got {
					if e.File == want.file && errors.Is(e, want.kind) && strings.Contains(e.Error(), want.words) {
						found = true
					}
				}
				if !found {
					t.Errorf("no problem of kind %q for %s with %q", want.kind, want.file, want.words)
				}
				if !errors.Is(err, want.kind) {
					t.Errorf("errors.Is(err, %q) is false", want.kind)
				}
			}
			if len(got) != len(tt.want) {
				t.Errorf("%d problems, want %d", len(got), len(tt.want))
			}
			for _, e := range got {
				if e.Reason == "" || e.Fix == "" || !strings.HasPrefix(e.Error(), e.File+": ") {
					t.Errorf("incomplete: %#v", e)
				}
			}
			if t.Failed() {
				t.Logf("reported:\n%v", err)
			}
		})
	}
}

// Chains that begin with a certificate of version 1, as "openssl x509 -req"
// makes without an extensions file, need material that crypto/x509 does not
// create: the version is patched, which only the signature would notice.
func TestVersion1AnchorIsRefused(t *testing.T) {
	ca := certstest.NewCA(t, certstest.Template{})
	var outer struct {
		TBS       asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}
	if _, err := asn1.Unmarshal(ca.DER(), &outer); err != nil {
		t.Fatal(err)
	}
	// Drop version [0] at the start and extensions [3] at the end of the TBS.
	var kept []byte
	for rest := outer.TBS.Bytes; len(rest) > 0; {
		var v asn1.RawValue
		var err error
		if rest, err = asn1.Unmarshal(rest, &v); err != nil {
			t.Fatal(err)
		}
		if v.Class != asn1.ClassContextSpecific {
			kept = append(kept, v.FullBytes...)
		}
	}
	outer.TBS = asn1.RawValue{Class: asn1.ClassUniversal, Tag: asn1.TagSequence, IsCompound: true, Bytes: kept}
	tree := certstest.Tree{anchor: must[[]byte](t)(asn1.Marshal(outer))}
	_, err := certs.Load(tree.FS(), certs.Options{})
	if !errors.Is(err, certs.ErrNotCA) || !strings.Contains(err.Error(), "version 1") {
		t.Errorf("Load: %v", err)
	}
}

// brokenFS fails to open or read what its map names.
type brokenFS struct {
	fstest.MapFS
	broken map[string]bool
}

var errBroken = errors.New("the disk is on fire")

func (b brokenFS) Open(name string) (fs.File, error) {
	if b.broken[name] {
		return nil, &fs.PathError{Op: "open", Path: name, Err: errBroken}
	}
	return b.MapFS.Open(name)
}

func (b brokenFS) ReadDir(name string) ([]fs.DirEntry, error) {
	if b.broken[name] {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: errBroken}
	}
	return b.MapFS.ReadDir(name)
}

func TestLoadReportsReadErrors(t *testing.T) {
	for _, name := range []string{".", "anchors", anchor, "identities", "identities/default", certPath, keyPath, chain1} {
		t.Run(name, func(t *testing.T) {
			tree, ca := sound(t)
			tree.AddIdentity("default", ca.Intermediate(certstest.Template{}).Issue(certstest.Template{Names: []string{"a.test"}}))
			_, err := certs.Load(brokenFS{tree.FS(), map[string]bool{name: true}}, certs.Options{})
			if !errors.Is(err, certs.ErrRead) || !errors.Is(err, errBroken) {
				t.Fatalf("Load: %v", err)
			}
			if e := certs.Problems(err)[0]; e.File != name {
				t.Errorf("problem is for %s", e.File)
			}
		})
	}
}

// No byte of a private key may be in an error, whatever is wrong with the key.
func TestErrorsHoldNoKey(t *testing.T) {
	tree, ca := sound(t)
	id := ca.Issue(certstest.Template{Names: []string{"k.test"}, Algorithm: certstest.Ed25519})
	for cut := range len(id.KeyDER) {
		tree[keyPath] = id.KeyDER[:cut]
		_, err := certs.Load(tree.FS(), certs.Options{})
		assertRedacted(t, fmt.Sprint(err), id.Key)
	}
}

func assertRedacted(t *testing.T, text string, key crypto.Signer) {
	t.Helper()
	for _, secret := range secretForms(key) {
		if strings.Contains(text, secret) {
			t.Errorf("the key (as %.12s...) is in a text of %d bytes", secret, len(text))
			return
		}
	}
}
