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
	random := func(size int) []byte {
		b := make([]byte, size)
		rand.Read(b)
		return b
	}
	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatalf("certstest: %v", err)
	}
	modulus := func(bits int) *big.Int {
		b := random(bits / 8)
		b[0] |= 0x80
		b[len(b)-1] |= 1
		return new(big.Int).SetBytes(b)
	}
	var all []*x509.Certificate
	for i := range n {
		var key crypto.PublicKey
		signature := 0
		switch i % 4 {
		case 0:
			ec, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
			if err != nil {
				tb.Fatalf("certstest: %v", err)
			}
			key, signature = ec.Public(), 103
		case 1:
			key, signature = &rsa.PublicKey{N: modulus(2048), E: 65537}, 256
		default:
			key, signature = &rsa.PublicKey{N: modulus(4096), E: 65537}, 512
		}
		name := pkix.Name{
			Country: []string{"XX"}, Organization: []string{"Example Trust Services, Inc."},
			CommonName: fmt.Sprintf("Example Trust Services Root Certification Authority R%d", i),
		}
		template := &x509.Certificate{
			SerialNumber: new(big.Int).SetBytes(random(16)), Subject: name,
			NotBefore: time.Now().Add(-5 * 365 * 24 * time.Hour), NotAfter: time.Now().Add(20 * 365 * 24 * time.Hour),
			IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
			SubjectKeyId: random(20),
		}
		der, err := x509.CreateCertificate(rand.Reader, template, template, key, signer)
		if err != nil {
			tb.Fatalf("certstest: %v", err)
		}
		var parts struct {
			TBS, Algorithm asn1.RawValue
			Signature      asn1.BitString
		}
		if _, err := asn1.Unmarshal(der, &parts); err != nil {
			tb.Fatalf("certstest: %v", err)
		}
		parts.Signature = asn1.BitString{Bytes: random(signature), BitLength: 8 * signature}
		der, err = asn1.Marshal(parts)
		if err != nil {
			tb.Fatalf("certstest: %v", err)
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			tb.Fatalf("certstest: %v", err)
		}
		all = append(all, cert)
	}
	return all
}
