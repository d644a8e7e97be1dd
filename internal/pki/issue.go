package pki

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"net"
	"slices"
	"time"
)

// Validity of certificates whose template leaves it open. A year and a month is
// the longest that web browsers have accepted from public authorities, and the
// hour before now absorbs the difference between two machines' clocks.
const (
	DefaultValidity = 397 * 24 * time.Hour
	DefaultBackdate = time.Hour
)

// A Template says what a certificate shall hold.
type Template struct {
	CommonName string
	DNSNames   []string
	IPs        []net.IP

	// NotBefore and NotAfter default to DefaultBackdate before now and
	// DefaultValidity after now.
	NotBefore, NotAfter time.Time

	// Usages are the extended key usages; none means that the certificate
	// carries no such extension. Ignored for authorities.
	Usages []x509.ExtKeyUsage

	// Key is used if it is set; otherwise one is made with Algorithm.
	Key       crypto.Signer
	Algorithm Algorithm

	// Modify, if set, has the last word on the certificate before it is
	// signed. Tests use it to make certificates that are wrong in some way.
	Modify func(*x509.Certificate)
}

// A Credential is a certificate with its private key and the intermediates
// between it and its self-signed authority.
type Credential struct {
	Cert  *x509.Certificate
	Key   crypto.Signer
	Chain []*x509.Certificate // issuer first, without the self-signed authority
	Root  *x509.Certificate   // the self-signed authority at the end
}

// NewAuthority makes a self-signed authority.
func NewAuthority(t Template) (*Credential, error) {
	return issue(t, nil, true)
}

// Intermediate makes an authority signed by c.
func (c *Credential) Intermediate(t Template) (*Credential, error) {
	return issue(t, c, true)
}

// Issue makes an end-entity certificate signed by c.
func (c *Credential) Issue(t Template) (*Credential, error) {
	return issue(t, c, false)
}

func issue(t Template, parent *Credential, authority bool) (*Credential, error) {
	key := t.Key
	if key == nil {
		var err error
		if key, err = GenerateKey(t.Algorithm); err != nil {
			return nil, err
		}
	}
	now := time.Now()
	cert := &x509.Certificate{
		Subject:               pkix.Name{CommonName: t.CommonName},
		DNSNames:              slices.Clone(t.DNSNames),
		IPAddresses:           slices.Clone(t.IPs),
		NotBefore:             t.NotBefore,
		NotAfter:              t.NotAfter,
		BasicConstraintsValid: true,
	}
	if cert.NotBefore.IsZero() {
		cert.NotBefore = now.Add(-DefaultBackdate)
	}
	if cert.NotAfter.IsZero() {
		cert.NotAfter = now.Add(DefaultValidity)
	}
	if authority {
		cert.IsCA = true
		cert.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	} else {
		cert.KeyUsage = x509.KeyUsageDigitalSignature
		if _, ok := key.Public().(*rsa.PublicKey); ok {
			// For TLS 1.2 key exchange by RSA encryption (RFC 5246 §7.4.2).
			cert.KeyUsage |= x509.KeyUsageKeyEncipherment
		}
		cert.ExtKeyUsage = slices.Clone(t.Usages)
	}
	if t.Modify != nil {
		t.Modify(cert)
	}

	signer, issuer := key, cert
	if parent != nil {
		signer, issuer = parent.Key, parent.Cert
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, issuer, key.Public(), signer)
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	c := &Credential{Cert: parsed, Key: key, Root: parsed}
	if parent != nil {
		c.Root = parent.Root
		if parent.Cert != parent.Root {
			c.Chain = append([]*x509.Certificate{parent.Cert}, parent.Chain...)
		}
	}
	return c, nil
}

// DER returns the certificate's encoding.
func (c *Credential) DER() []byte { return c.Cert.Raw }

// KeyDER returns the private key in PKCS#8 (RFC 5958).
func (c *Credential) KeyDER() ([]byte, error) {
	return x509.MarshalPKCS8PrivateKey(c.Key)
}

// PEM returns the certificate and its intermediates as PEM blocks, in the
// order in which TLS sends them.
func (c *Credential) PEM() []byte {
	out := encodePEM("CERTIFICATE", c.Cert.Raw)
	for _, ca := range c.Chain {
		out = append(out, encodePEM("CERTIFICATE", ca.Raw)...)
	}
	return out
}

// KeyPEM returns the private key in PKCS#8 as a PEM block.
func (c *Credential) KeyPEM() ([]byte, error) {
	der, err := c.KeyDER()
	if err != nil {
		return nil, err
	}
	return encodePEM("PRIVATE KEY", der), nil
}

// TLS returns the credential as package tls uses it.
func (c *Credential) TLS() tls.Certificate {
	cert := tls.Certificate{
		Certificate: [][]byte{c.Cert.Raw},
		PrivateKey:  c.Key,
		Leaf:        c.Cert,
	}
	for _, ca := range c.Chain {
		cert.Certificate = append(cert.Certificate, ca.Raw)
	}
	return cert
}

func encodePEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// ParseIPs parses a list of IP addresses.
func ParseIPs(texts []string) ([]net.IP, error) {
	var ips []net.IP
	for _, text := range texts {
		ip := net.ParseIP(text)
		if ip == nil {
			return nil, errors.New("not an IP address: " + text)
		}
		ips = append(ips, ip)
	}
	return ips, nil
}
