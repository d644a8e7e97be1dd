package certstest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"testing"
	"time"
)

// PublicCAs makes authorities as the public ones are, of which a device with many
// trusts about 150: half of them have an RSA key of 4096 bits, a quarter has one of 2048
// bits and a quarter a P-384 key; their names and certificates are as long as those.
// Nobody has their keys, and their signatures are random, as nobody verifies those of
// anchors.
func PublicCAs(tb testing.TB, n int) []*x509.Certificate {
	tb.Helper()
	check := func(err error) {
		if err != nil {
			tb.Helper()
			tb.Fatalf("certstest: %v", err)
		}
	}
	random := func(size int) []byte {
		b := make([]byte, size)
		rand.Read(b)
		return b
	}
	modulus := func(bits int) *big.Int {
		b := random(bits / 8)
		b[0] |= 0x80
		b[len(b)-1] |= 1
		return new(big.Int).SetBytes(b)
	}
	extension := func(id asn1.ObjectIdentifier, critical bool, value any) pkix.Extension {
		der, err := asn1.Marshal(value)
		check(err)
		return pkix.Extension{Id: id, Critical: critical, Value: der}
	}
	point, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader) // one will do
	check(err)
	// Making these with x509.CreateCertificate takes a signature for each, which is
	// much on an emulated board.
	type certificate struct { // RFC 5280 §4.1
		TBS struct {
			Version    int `asn1:"explicit,tag:0"`
			Serial     *big.Int
			Algorithm  pkix.AlgorithmIdentifier
			Issuer     pkix.RDNSequence
			Validity   struct{ NotBefore, NotAfter time.Time }
			Subject    pkix.RDNSequence
			Key        asn1.RawValue
			Extensions []pkix.Extension `asn1:"explicit,tag:3"`
		}
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}
	var all []*x509.Certificate
	for i := range n {
		var key crypto.PublicKey
		signature, algorithm := 512, asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11} // SHA-256 with RSA
		switch i % 4 {
		case 0:
			key, signature, algorithm = point.Public(), 103, asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 3} // SHA-384 with ECDSA
		case 1:
			key, signature = &rsa.PublicKey{N: modulus(2048), E: 65537}, 256
		default:
			key = &rsa.PublicKey{N: modulus(4096), E: 65537}
		}
		spki, err := x509.MarshalPKIXPublicKey(key)
		check(err)
		name := pkix.Name{
			Country: []string{"XX"}, Organization: []string{"Example Trust Services, Inc."},
			CommonName: fmt.Sprintf("Example Trust Services Root Certification Authority R%d", i),
		}.ToRDNSequence()
		var c certificate
		c.TBS.Version, c.TBS.Serial = 2, new(big.Int).SetBytes(random(16))
		c.TBS.Algorithm = pkix.AlgorithmIdentifier{Algorithm: algorithm}
		c.TBS.Issuer, c.TBS.Subject = name, name
		now := time.Now().UTC().Truncate(time.Second)
		c.TBS.Validity.NotBefore, c.TBS.Validity.NotAfter = now.AddDate(-5, 0, 0), now.AddDate(20, 0, 0)
		c.TBS.Key = asn1.RawValue{FullBytes: spki}
		c.TBS.Extensions = []pkix.Extension{
			extension(asn1.ObjectIdentifier{2, 5, 29, 19}, true, struct{ CA bool }{true}),
			extension(asn1.ObjectIdentifier{2, 5, 29, 15}, true, asn1.BitString{Bytes: []byte{0x06}, BitLength: 7}), // keyCertSign, cRLSign
			extension(asn1.ObjectIdentifier{2, 5, 29, 14}, false, random(20)),                                       // subject key id
		}
		c.Algorithm, c.Signature = c.TBS.Algorithm, asn1.BitString{Bytes: random(signature), BitLength: 8 * signature}
		der, err := asn1.Marshal(c)
		check(err)
		cert, err := x509.ParseCertificate(der)
		check(err)
		all = append(all, cert)
	}
	return all
}
