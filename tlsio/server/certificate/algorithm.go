package certificate

import (
	"crypto/dsa"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509/pkix"
	"encoding/asn1"
)

// The names follow the reference's examples, "RSA", "RSA_DH" and "RSA_MD5RSA";
// what is not listed is shown as its object identifier, as there.
var publicKeyNames = map[string]string{
	"1.2.840.113549.1.1.1":  "RSA",
	"1.2.840.113549.1.1.10": "RSA_PSS",
	"1.2.840.113549.1.3.1":  "RSA_DH",
	"1.2.840.10040.4.1":     "DSA",
	"1.2.840.10045.2.1":     "ECDSA",
	"1.3.101.110":           "X25519",
	"1.3.101.111":           "X448",
	"1.3.101.112":           "Ed25519",
	"1.3.101.113":           "Ed448",
}

var signatureNames = map[string]string{
	"1.2.840.113549.1.1.2":   "RSA_MD2RSA",
	"1.2.840.113549.1.1.3":   "RSA_MD4RSA",
	"1.2.840.113549.1.1.4":   "RSA_MD5RSA",
	"1.2.840.113549.1.1.5":   "RSA_SHA1RSA",
	"1.2.840.113549.1.1.10":  "RSA_PSS",
	"1.2.840.113549.1.1.11":  "RSA_SHA256RSA",
	"1.2.840.113549.1.1.12":  "RSA_SHA384RSA",
	"1.2.840.113549.1.1.13":  "RSA_SHA512RSA",
	"1.2.840.113549.1.1.14":  "RSA_SHA224RSA",
	"1.2.840.10040.4.3":      "DSA_SHA1",
	"2.16.840.1.101.3.4.3.2": "DSA_SHA256",
	"1.2.840.10045.4.1":      "ECDSA_SHA1",
	"1.2.840.10045.4.3.1":    "ECDSA_SHA224",
	"1.2.840.10045.4.3.2":    "ECDSA_SHA256",
	"1.2.840.10045.4.3.3":    "ECDSA_SHA384",
	"1.2.840.10045.4.3.4":    "ECDSA_SHA512",
	"1.3.101.112":            "Ed25519",
	"1.3.101.113":            "Ed448",
}

// PublicKeyAlgorithm is "RSA", "ECDSA", "Ed25519" and the like, or an object
// identifier.
func (c *Certificate) PublicKeyAlgorithm() string {
	var spki struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(c.publicDER(), &spki); err != nil {
		return ""
	}
	return algorithmName(publicKeyNames, spki.Algorithm.Algorithm)
}

// SignatureAlgorithm is how the issuer signed: "RSA_SHA256RSA", "ECDSA_SHA256" and
// the like, or an object identifier. Keys without certificate have none.
func (c *Certificate) SignatureAlgorithm() string {
	if c.leaf == nil {
		return ""
	}
	var signed struct {
		TBS       asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}
	if _, err := asn1.Unmarshal(c.leaf.Raw, &signed); err != nil {
		return ""
	}
	return algorithmName(signatureNames, signed.Algorithm.Algorithm)
}

func algorithmName(names map[string]string, oid asn1.ObjectIdentifier) string {
	if name, ok := names[oid.String()]; ok {
		return name
	}
	return oid.String()
}

// PublicKeyLength is the size of the public key in bits, such as 2048: of RSA's
// modulus, of the curve's field, of DSA's prime. It is 0 for kinds of keys that
// crypto/x509 doesn't know.
func (c *Certificate) PublicKeyLength() int {
	switch key := c.public.(type) {
	case *rsa.PublicKey:
		return key.N.BitLen()
	case *ecdsa.PublicKey:
		return key.Curve.Params().BitSize
	case ed25519.PublicKey:
		return 256
	case *dsa.PublicKey:
		return key.P.BitLen()
	}
	return 0
}
