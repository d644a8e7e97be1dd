package tlsio

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"time"
)

// SelfSigned makes a server's certificate, which is its own CA, and its key in DER.
// The same arguments give the same bytes.
func SelfSigned(name string, from time.Time) (cert, key []byte) {
	private := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: from, NotAfter: from.Add(24 * time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	cert, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, private.Public(), private)
	if err != nil {
		panic(err)
	}
	key, err = x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		panic(err)
	}
	return cert, key
}
