package container

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
)

// Contents is what a file holds, each in the file's order. Nothing says that a key and
// a certificate in one file belong together; [Contents.Key] looks for those that do.
//
// Printing it, in any format, shows no key.
type Contents struct {
	Certificates []*x509.Certificate
	// Keys are *rsa.PrivateKey, *ecdsa.PrivateKey or ed25519.PrivateKey.
	Keys []crypto.Signer
	// PublicKeys are those that stand alone, without certificate or private key:
	// *rsa.PublicKey, *ecdsa.PublicKey, ed25519.PublicKey, or another kind that
	// x509.ParsePKIXPublicKey knows.
	PublicKeys []crypto.PublicKey
}

// Len is the number of certificates and keys.
func (c *Contents) Len() int { return len(c.Certificates) + len(c.Keys) + len(c.PublicKeys) }

// Key returns the first private key that cert was issued for, nil if there is none.
func (c *Contents) Key(cert *x509.Certificate) crypto.Signer {
	for _, key := range c.Keys {
		if samePublicKey(cert.PublicKey, key.Public()) {
			return key
		}
	}
	return nil
}

// String counts what there is.
func (c *Contents) String() string {
	if c == nil {
		return "nothing"
	}
	return fmt.Sprintf("%d certificates, %d private keys, %d public keys", len(c.Certificates), len(c.Keys), len(c.PublicKeys))
}

// Format prints the same for every verb, so that no verb reaches a key.
func (c *Contents) Format(f fmt.State, verb rune) { io.WriteString(f, c.String()) }

// LogValue gives slog the counts.
func (c *Contents) LogValue() slog.Value { return slog.StringValue(c.String()) }

func samePublicKey(a, b crypto.PublicKey) bool {
	key, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && key.Equal(b)
}

// failure is an Error without its format, which Read puts in.
func failure(kind error, reason, fix string, err error) *Error {
	return &Error{Kind: kind, Reason: reason, Fix: fix, Err: err}
}

func (c *Contents) room() *Error {
	if c.Len() < MaxEntries {
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

func (c *Contents) addCertificate(der []byte) *Error {
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
	c.Certificates = append(c.Certificates, cert)
	return nil
}

func (c *Contents) addKey(key any) *Error {
	if err := c.room(); err != nil {
		return err
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return failure(ErrUnsupported, fmt.Sprintf("a key of type %T can't sign", key), "give an RSA, ECDSA or Ed25519 key", nil)
	}
	c.Keys = append(c.Keys, signer)
	return nil
}

func (c *Contents) addPublic(key crypto.PublicKey) *Error {
	if err := c.room(); err != nil {
		return err
	}
	if err := checkPublic(key); err != nil {
		return err
	}
	c.PublicKeys = append(c.PublicKeys, key)
	return nil
}

// maxKeySize is that of an RSA key of maxRSABits, with some room.
const maxKeySize = 16 << 10

// addKeyDER adds a private key in PKCS#8, PKCS#1 or SEC 1 form.
func (c *Contents) addKeyDER(der []byte) *Error {
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

func (c *Contents) addPublicDER(der []byte) *Error {
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
