package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"strings"
)

// An Algorithm names a kind of key by the word a user types.
// The zero value is [ECDSAP256].
type Algorithm string

// ECDSA on P-256 is the default: every TLS peer accepts it, its certificates
// are small, and of the signatures that Go computes on a 32-bit ARM it is the
// cheapest one that public authorities also issue for.
const (
	ECDSAP256 Algorithm = "ecdsa-p256"
	ECDSAP384 Algorithm = "ecdsa-p384"
	Ed25519   Algorithm = "ed25519"
	RSA2048   Algorithm = "rsa2048"
)

// Algorithms lists the supported algorithms, the default first.
func Algorithms() []Algorithm {
	return []Algorithm{ECDSAP256, ECDSAP384, Ed25519, RSA2048}
}

// ParseAlgorithm finds an algorithm by name.
func ParseAlgorithm(name string) (Algorithm, error) {
	var known []string
	for _, a := range Algorithms() {
		if string(a) == strings.ToLower(name) {
			return a, nil
		}
		known = append(known, string(a))
	}
	return "", fmt.Errorf("unknown key algorithm %q: use one of %s", name, strings.Join(known, ", "))
}

// GenerateKey makes a new private key.
func GenerateKey(a Algorithm) (crypto.Signer, error) {
	switch a {
	case ECDSAP256, "":
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case ECDSAP384:
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case Ed25519:
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	case RSA2048:
		return rsa.GenerateKey(rand.Reader, 2048)
	}
	_, err := ParseAlgorithm(string(a))
	return nil, err
}
