package tlsio

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"time"
)

// SelfSigned makes a certificate for servers and clients, which is its own CA, and its
// key in DER. The same arguments give the same bytes, others another key.
func SelfSigned(name string, from time.Time) (cert, key []byte) {
	seed := sha256.Sum256([]byte(name + from.UTC().Format(time.RFC3339)))
	private := ed25519.NewKeyFromSeed(seed[:])
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: from, NotAfter: from.Add(24 * time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
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
