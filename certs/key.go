package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"io"
	"log/slog"
	"slices"
)

// RSA keys shorter than this are refused (NIST SP 800-57 part 1, table 2: 112
// bits of strength), and so are longer ones than crypto/tls accepts.
const (
	minRSABits = 2048
	maxRSABits = 8192
)

// Algorithms of SubjectPublicKeyInfo and PKCS#8 that TLS can sign with here.
var (
	oidRSA     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1} // RFC 8017
	oidEC      = asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}     // RFC 5480
	oidEd25519 = asn1.ObjectIdentifier{1, 3, 101, 112}             // RFC 8410

	tlsCurves = []asn1.ObjectIdentifier{ // RFC 5480 §2.1.1.1
		{1, 2, 840, 10045, 3, 1, 7}, // P-256
		{1, 3, 132, 0, 34},          // P-384
		{1, 3, 132, 0, 35},          // P-521
	}
)

const keyTypeFix = "use ECDSA on P-256, P-384 or P-521, Ed25519, or RSA of 2048 to 8192 bits"

// privateKey is a signing key that cannot be printed. crypto/tls gets it as a
// crypto.Signer and crypto.Decrypter, so it never needs the key inside.
//
// Methods are not enough against printing: where fmt reaches the value through
// an unexported field it does not call them and follows pointers for some
// verbs. It never looks into a function, so the key is the variable of one.
type privateKey struct {
	signer func() crypto.Signer
}

var (
	_ crypto.Signer    = (*privateKey)(nil)
	_ crypto.Decrypter = (*rsaPrivateKey)(nil)
)

func (k *privateKey) Public() crypto.PublicKey { return k.signer().Public() }

func (k *privateKey) Sign(rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return k.signer().Sign(rand, digest, opts)
}

func (k *privateKey) String() string { return keyName(k.Public()) + " private key (redacted)" }

// Format prints the same for every verb.
func (k *privateKey) Format(f fmt.State, verb rune) { io.WriteString(f, k.String()) }

func (k *privateKey) LogValue() slog.Value { return slog.StringValue(k.String()) }

// rsaPrivateKey adds decryption, which TLS 1.2's RSA key exchange needs.
type rsaPrivateKey struct {
	privateKey
}

func (k *rsaPrivateKey) Decrypt(rand io.Reader, msg []byte, opts crypto.DecrypterOpts) ([]byte, error) {
	return k.signer().(crypto.Decrypter).Decrypt(rand, msg, opts)
}

func newPrivateKey(signer crypto.Signer) crypto.Signer {
	key := privateKey{func() crypto.Signer { return signer }}
	if _, ok := signer.(crypto.Decrypter); ok {
		return &rsaPrivateKey{key}
	}
	return &key
}

// parseKey parses a file that must hold one private key in PKCS#8. No error
// holds any byte of the file.
func parseKey(file string, data []byte) (crypto.Signer, *FileError) {
	if e := checkDER(file, data, privateKeyObject); e != nil {
		return nil, e
	}
	// PrivateKeyInfo, RFC 5958 §2. Attributes and public key may follow. A RawValue is
	// a part of data, where a []byte would be a copy of the key.
	var info struct {
		Version    int
		Algorithm  pkix.AlgorithmIdentifier
		PrivateKey asn1.RawValue
	}
	if _, err := asn1.Unmarshal(data, &info); err != nil || info.PrivateKey.Tag != asn1.TagOctetString {
		return nil, notPKCS8(file, data)
	}
	algorithm := info.Algorithm.Algorithm
	switch {
	case algorithm.Equal(oidRSA), algorithm.Equal(oidEd25519):
	case algorithm.Equal(oidEC):
		var curve asn1.ObjectIdentifier
		if _, err := asn1.Unmarshal(info.Algorithm.Parameters.FullBytes, &curve); err != nil {
			return nil, fault(file, ErrKeyType,
				"the key is on an elliptic curve that has no name",
				keyTypeFix)
		}
		if !slices.ContainsFunc(tlsCurves, curve.Equal) {
			return nil, fault(file, ErrKeyType,
				"the key is on an elliptic curve that TLS does not use here, "+curve.String(),
				keyTypeFix)
		}
	default:
		return nil, fault(file, ErrKeyType,
			"the key's algorithm, "+algorithm.String()+", is not one that TLS uses here",
			keyTypeFix)
	}
	key, err := x509.ParsePKCS8PrivateKey(data)
	if err != nil {
		return nil, &FileError{File: file, Kind: ErrSyntax, Err: err,
			Reason: "the private key inside the file is damaged",
			Fix:    rewriteFix(privateKeyObject)}
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fault(file, ErrKeyType,
			fmt.Sprintf("a key of type %T cannot sign", key),
			keyTypeFix)
	}
	return newPrivateKey(signer), nil
}

// notPKCS8 tells what a file that should hold a PKCS#8 key does hold.
func notPKCS8(file string, data []byte) *FileError {
	convert := "convert it: " + convertCommand(file, file, privateKeyObject)
	if _, err := x509.ParseCertificate(data); err == nil {
		return fault(file, ErrWrongObject,
			"the file holds a certificate, not a private key",
			"put the private key here; the certificate belongs in "+certFile)
	}
	if _, err := x509.ParsePKCS1PrivateKey(data); err == nil {
		return &FileError{File: file, Kind: ErrKeyFormat,
			Reason: "the key is in PKCS#1 form, and must be in PKCS#8", Fix: convert}
	}
	if _, err := x509.ParseECPrivateKey(data); err == nil {
		return &FileError{File: file, Kind: ErrKeyFormat,
			Reason: "the key is in SEC 1 form, and must be in PKCS#8", Fix: convert}
	}
	// EncryptedPrivateKeyInfo, RFC 5958 §3.
	var encrypted struct {
		Algorithm pkix.AlgorithmIdentifier
		Data      []byte
	}
	if _, err := asn1.Unmarshal(data, &encrypted); err == nil {
		return fault(file, ErrKeyFormat,
			"the key is encrypted with a password, which the firmware could not know",
			"decrypt it: openssl pkcs8 -inform DER -in "+file+" -outform DER -out "+file+".new && mv "+file+".new "+file)
	}
	return fault(file, ErrSyntax,
		"the file is not a PKCS#8 private key",
		rewriteFix(privateKeyObject))
}

// checkPublicKey refuses keys that are weak or that TLS cannot use here.
func checkPublicKey(file string, key crypto.PublicKey) *FileError {
	switch key := key.(type) {
	case *rsa.PublicKey:
		bits := key.N.BitLen()
		if bits < minRSABits {
			return fault(file, ErrWeakKey,
				fmt.Sprintf("an RSA key of %d bits is too weak", bits),
				keyTypeFix)
		}
		if bits <= maxRSABits {
			return nil
		}
	case *ecdsa.PublicKey:
		switch key.Curve {
		case elliptic.P256(), elliptic.P384(), elliptic.P521():
			return nil
		}
	case ed25519.PublicKey:
		return nil
	}
	return fault(file, ErrKeyType,
		"the key ("+keyName(key)+") is not one that TLS uses here",
		keyTypeFix)
}

// keyName describes a public key in a word or two, such as "ECDSA P-256".
func keyName(key crypto.PublicKey) string {
	switch key := key.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA %d", key.N.BitLen())
	case *ecdsa.PublicKey:
		return "ECDSA " + key.Curve.Params().Name
	case ed25519.PublicKey:
		return "Ed25519"
	case nil:
		return "unknown algorithm"
	}
	return fmt.Sprintf("%T", key)
}

// samePublicKey compares two public keys of any type.
func samePublicKey(a, b crypto.PublicKey) bool {
	key, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && key.Equal(b)
}
