package certificate

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
)

// contents collects what a format's reader finds.
type contents struct {
	certs   []*x509.Certificate
	keys    []crypto.Signer
	publics []crypto.PublicKey // public keys without certificate
}

func (c *contents) len() int { return len(c.certs) + len(c.keys) + len(c.publics) }

// failure is an Error without its store type, which OpenStore puts in.
func failure(kind error, reason, fix string, err error) *Error {
	return &Error{Kind: kind, Reason: reason, Fix: fix, Err: err}
}

func (c *contents) room() *Error {
	if c.len() < MaxEntries {
		return nil
	}
	return failure(ErrTooLarge, fmt.Sprintf("there are more than %d certificates and keys in it", MaxEntries), "", nil)
}

// checkPublic refuses keys so large that using them would take minutes.
func checkPublic(key crypto.PublicKey) *Error {
	if key, ok := key.(*rsa.PublicKey); ok && key.N.BitLen() > maxRSABits {
		return failure(ErrTooLarge, fmt.Sprintf("an RSA key of %d bits", key.N.BitLen()), fmt.Sprintf("the limit is %d", maxRSABits), nil)
	}
	return nil
}

func (c *contents) addCertificate(der []byte) *Error {
	if err := c.room(); err != nil {
		return err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return failure(ErrSyntax, "a certificate in it is broken", "", err)
	}
	if err := checkPublic(cert.PublicKey); err != nil {
		return err
	}
	c.certs = append(c.certs, cert)
	return nil
}

func (c *contents) addKey(key any) *Error {
	if err := c.room(); err != nil {
		return err
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return failure(ErrUnsupported, fmt.Sprintf("a key of type %T can't sign", key), "give an RSA, ECDSA or Ed25519 key", nil)
	}
	c.keys = append(c.keys, signer)
	return nil
}

func (c *contents) addPublic(key crypto.PublicKey) *Error {
	if err := c.room(); err != nil {
		return err
	}
	if err := checkPublic(key); err != nil {
		return err
	}
	c.publics = append(c.publics, key)
	return nil
}

// maxKeySize is that of an RSA key of maxRSABits, with some room.
const maxKeySize = 16 << 10

// addKeyDER adds a private key in PKCS#8, PKCS#1 or SEC 1 form.
func (c *contents) addKeyDER(der []byte) *Error {
	if len(der) > maxKeySize {
		return failure(ErrTooLarge, fmt.Sprintf("a private key of %d bytes", len(der)), "", nil)
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err == nil {
		return c.addKey(key)
	}
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return c.addKey(key)
	}
	if key, err := x509.ParseECPrivateKey(der); err == nil {
		return c.addKey(key)
	}
	return failure(ErrSyntax, "a private key in it is broken, or of a kind that isn't known here",
		"RSA, ECDSA on P-224 to P-521 and Ed25519 are known, in PKCS#8, PKCS#1 or SEC 1 form", err)
}

func (c *contents) addPublicDER(der []byte) *Error {
	if len(der) > maxKeySize {
		return failure(ErrTooLarge, fmt.Sprintf("a public key of %d bytes", len(der)), "", nil)
	}
	key, err := x509.ParsePKIXPublicKey(der)
	if err == nil {
		return c.addPublic(key)
	}
	if key, err := x509.ParsePKCS1PublicKey(der); err == nil {
		return c.addPublic(key)
	}
	return failure(ErrSyntax, "a public key in it is broken, or of a kind that isn't known here", "", err)
}
