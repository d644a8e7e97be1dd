package certificate

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"
)

// A Certificate is one certificate, with its private key if there is one; or a key
// for which there is no certificate. The zero value is the reference's empty one:
// its strings are "", its numbers 0. It never changes, and any number of
// goroutines may use it. Its strings are made anew by each call.
type Certificate struct {
	leaf   *x509.Certificate // nil for keys without one
	chain  []*x509.Certificate
	public crypto.PublicKey
	// key returns the private key; nil if there is none. A function, because fmt
	// follows pointers in unexported fields, but never looks into functions.
	key        func() crypto.Signer
	exportable bool
	zone       *time.Location // nil means time.Local
}

// FromX509 returns cert without a private key.
func FromX509(cert *x509.Certificate) *Certificate {
	return &Certificate{leaf: cert, public: cert.PublicKey}
}

// FromSigner returns the chain's first certificate with a private key that stays
// where it is, such as in a secure element: the counterpart of the reference's
// PKCS#11 store. It is an error if key is not the certificate's.
func FromSigner(chain []*x509.Certificate, key crypto.Signer) (*Certificate, error) {
	if len(chain) == 0 || key == nil {
		return nil, &Error{Kind: ErrOption, Reason: "FromSigner needs a certificate and a key"}
	}
	if !samePublicKey(chain[0].PublicKey, key.Public()) {
		return nil, &Error{Kind: ErrOption,
			Reason: fmt.Sprintf("the key does not belong to the certificate %q", formatName(chain[0].RawSubject)),
			Fix:    "give the key that the certificate was issued for"}
	}
	c := FromX509(chain[0])
	c.chain = slices.Clone(chain[1:])
	c.key = func() crypto.Signer { return key }
	return c, nil
}

// FromTLS returns crypto/tls's certificate in this form; its key is not exportable.
func FromTLS(pair tls.Certificate) (*Certificate, error) {
	var chain []*x509.Certificate
	for _, der := range pair.Certificate {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, &Error{Kind: ErrSyntax, Reason: "the certificate is not DER", Err: err}
		}
		chain = append(chain, cert)
	}
	if len(chain) > 0 && pair.PrivateKey == nil {
		c := FromX509(chain[0])
		c.chain = chain[1:]
		return c, nil
	}
	key, ok := pair.PrivateKey.(crypto.Signer)
	if !ok && pair.PrivateKey != nil {
		return nil, &Error{Kind: ErrUnsupported, Reason: fmt.Sprintf("a key of type %T can't sign", pair.PrivateKey)}
	}
	return FromSigner(chain, key)
}

// TLS returns the certificate, its intermediates and its key for crypto/tls.
func (c *Certificate) TLS() (tls.Certificate, error) {
	if c.leaf == nil {
		return tls.Certificate{}, &Error{Kind: ErrNotFound, Reason: "there is no certificate, so nothing to show to a peer"}
	}
	if c.key == nil {
		return tls.Certificate{}, &Error{Kind: ErrNotFound,
			Reason: fmt.Sprintf("the private key of %q is not available", c.Subject()),
			Fix:    "open a store that holds it, such as PEM or PFX"}
	}
	pair := tls.Certificate{Certificate: [][]byte{c.leaf.Raw}, Leaf: c.leaf, PrivateKey: c.key()}
	for _, cert := range c.chain {
		pair.Certificate = append(pair.Certificate, cert.Raw)
	}
	return pair, nil
}

// X509 returns the certificate, nil if there is only a key. It must not be changed.
func (c *Certificate) X509() *x509.Certificate { return c.leaf }

// Chain returns the intermediates, the issuer of the certificate first.
func (c *Certificate) Chain() []*x509.Certificate { return slices.Clone(c.chain) }

// In returns a copy whose dates are those of zone in place of time.Local.
func (c *Certificate) In(zone *time.Location) *Certificate {
	copied := *c
	copied.zone = zone
	return &copied
}

// dateFormat is the reference's, as in "23-Jan-2000 15:00:00".
const dateFormat = "02-Jan-2006 15:04:05"

func (c *Certificate) date(t time.Time) string {
	zone := c.zone
	if zone == nil {
		zone = time.Local
	}
	return t.In(zone).Format(dateFormat)
}

// EffectiveDate is when the certificate becomes valid, in the system's time zone,
// as "23-Jan-2000 15:00:00".
func (c *Certificate) EffectiveDate() string {
	if c.leaf == nil {
		return ""
	}
	return c.date(c.leaf.NotBefore)
}

// ExpirationDate is when the certificate expires, in the form of EffectiveDate.
func (c *Certificate) ExpirationDate() string {
	if c.leaf == nil {
		return ""
	}
	return c.date(c.leaf.NotAfter)
}

// Subject is the name of the certificate's owner, as
// "CN=www.example.com, OU=test, C=US, E=support@example.com": the most specific
// field first, values with commas and the like in quotes. A key without
// certificate has none.
func (c *Certificate) Subject() string {
	if c.leaf == nil {
		return ""
	}
	return formatName(c.leaf.RawSubject)
}

// Issuer is the name of the issuing authority, in the form of Subject.
func (c *Certificate) Issuer() string {
	if c.leaf == nil {
		return ""
	}
	return formatName(c.leaf.RawIssuer)
}

// Version is "V1", "V2" or "V3".
func (c *Certificate) Version() string {
	if c.leaf == nil {
		return ""
	}
	return fmt.Sprintf("V%d", c.leaf.Version)
}

// SerialNumber is the serial number in lower-case hexadecimal, two digits for each
// byte.
func (c *Certificate) SerialNumber() string {
	if c.leaf == nil || c.leaf.SerialNumber == nil {
		return ""
	}
	b := c.leaf.SerialNumber.Bytes()
	if len(b) == 0 {
		b = []byte{0}
	}
	return fmt.Sprintf("%x", b)
}

// Encoded is the certificate in PEM, "" for a key without one.
func (c *Certificate) Encoded() string { return string(c.EncodedB()) }

// EncodedB is Encoded as bytes.
func (c *Certificate) EncodedB() []byte {
	if c.leaf == nil {
		return nil
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.leaf.Raw})
}

// PublicKey is the public key in PEM ("PUBLIC KEY").
func (c *Certificate) PublicKey() string {
	der := c.publicDER()
	if der == nil {
		return ""
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// publicDER is the SubjectPublicKeyInfo.
func (c *Certificate) publicDER() []byte {
	if c.leaf != nil {
		return c.leaf.RawSubjectPublicKeyInfo
	}
	der, err := x509.MarshalPKIXPublicKey(c.public)
	if err != nil {
		return nil
	}
	return der
}

// PrivateKeyAvailable reports whether the certificate can be used to prove who we
// are.
func (c *Certificate) PrivateKeyAvailable() bool { return c.key != nil }

// PrivateKey is the private key in PEM (PKCS#8, not encrypted), or "" if there is
// none or it is not exportable.
func (c *Certificate) PrivateKey() string {
	if c.key == nil || !c.exportable {
		return ""
	}
	der, err := x509.MarshalPKCS8PrivateKey(c.key())
	if err != nil {
		return ""
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// PrivateKeyContainer is "": keys have no container here.
func (c *Certificate) PrivateKeyContainer() string { return "" }

// Signer returns the private key, nil if there is none.
func (c *Certificate) Signer() crypto.Signer {
	if c.key == nil {
		return nil
	}
	return c.key()
}

// String names the certificate without its key.
func (c *Certificate) String() string {
	switch {
	case c == nil || c.leaf == nil && c.public == nil:
		return "no certificate"
	case c.leaf == nil:
		return fmt.Sprintf("%s key of %d bits without certificate", c.PublicKeyAlgorithm(), c.PublicKeyLength())
	}
	return fmt.Sprintf("certificate %q", c.Subject())
}

// Format prints the same for every verb, so that no verb reaches the key.
func (c *Certificate) Format(f fmt.State, verb rune) { io.WriteString(f, c.String()) }

// LogValue gives slog the certificate without its key.
func (c *Certificate) LogValue() slog.Value { return slog.StringValue(c.String()) }

func samePublicKey(a, b crypto.PublicKey) bool {
	key, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && key.Equal(b)
}
