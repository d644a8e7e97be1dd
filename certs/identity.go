package certs

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
)

// An Identity is a certificate with the private key it was made for and the
// intermediates that lead to its authority. It never changes, and any number
// of goroutines may use it. Printing one shows no key.
type Identity struct {
	name  string
	dir   string
	leaf  *x509.Certificate
	chain []*x509.Certificate
	key   crypto.Signer // *privateKey or *rsaPrivateKey
	kept  bool          // by a Keeper
	tls   tls.Certificate
}

// Name returns the name of the identity's folder.
func (id *Identity) Name() string { return id.name }

// Leaf returns the certificate. It must not be modified.
func (id *Identity) Leaf() *x509.Certificate { return id.leaf }

// Chain returns the intermediates, the issuer of the leaf first.
func (id *Identity) Chain() []*x509.Certificate { return slices.Clone(id.chain) }

// Names returns what the certificate is valid for: DNS names, then IP
// addresses.
func (id *Identity) Names() []string {
	names := slices.Clone(id.leaf.DNSNames)
	for _, ip := range id.leaf.IPAddresses {
		names = append(names, ip.String())
	}
	return names
}

// KeyType describes the key, such as "ECDSA P-256".
func (id *Identity) KeyType() string { return keyName(id.leaf.PublicKey) }

// ForServers reports whether the certificate may be used by a TLS server.
func (id *Identity) ForServers() bool { return hasUsage(id.leaf, x509.ExtKeyUsageServerAuth) }

// ForClients reports whether the certificate may be used by a TLS client.
func (id *Identity) ForClients() bool { return hasUsage(id.leaf, x509.ExtKeyUsageClientAuth) }

// hasUsage follows RFC 5280 §4.2.1.12: no extension means any usage.
func hasUsage(cert *x509.Certificate, usage x509.ExtKeyUsage) bool {
	if len(cert.ExtKeyUsage) == 0 && len(cert.UnknownExtKeyUsage) == 0 {
		return true
	}
	return slices.Contains(cert.ExtKeyUsage, usage) || slices.Contains(cert.ExtKeyUsage, x509.ExtKeyUsageAny)
}

// Kinds of keys, by which identities of one name may differ, best first: signatures
// on elliptic curves are cheap for us, P-256 is what all clients know, and RSA is for
// those that know nothing else.
const (
	kindECDSA = iota
	kindEd25519
	kindRSA
	keyKinds
)

func (id *Identity) kind() int {
	switch id.leaf.PublicKeyAlgorithm {
	case x509.ECDSA:
		return kindECDSA
	case x509.Ed25519:
		return kindEd25519
	}
	return kindRSA
}

// covers reports whether the certificate has all names of another.
func (id *Identity) covers(other *Identity) bool {
	names := id.Names()
	for i := range names {
		names[i] = normalizeName(names[i])
	}
	for _, name := range other.Names() {
		if !slices.Contains(names, normalizeName(name)) {
			return false
		}
	}
	return true
}

// TLS returns the identity for a tls.Config's Certificates, with Leaf set. Its
// PrivateKey is a crypto.Signer (for RSA also a crypto.Decrypter) of a type
// that cannot be printed or encoded.
func (id *Identity) TLS() tls.Certificate {
	cert := id.tls
	cert.Certificate = slices.Clone(cert.Certificate)
	return cert
}

// GetClientCertificate is for a tls.Config of a client: it presents this
// identity if the server accepts its authority and its kind of key, and
// otherwise no certificate, which leaves the verdict to the server
// (RFC 8446 §4.4.2.3).
func (id *Identity) GetClientCertificate(request *tls.CertificateRequestInfo) (*tls.Certificate, error) {
	if request.SupportsCertificate(&id.tls) != nil {
		return &tls.Certificate{}, nil
	}
	return &id.tls, nil
}

func (id *Identity) String() string {
	if id == nil {
		return "no identity"
	}
	if id.leaf == nil {
		return fmt.Sprintf("identity %q without certificate", id.name)
	}
	return fmt.Sprintf("identity %q (%s; %s)", id.name, strings.Join(id.Names(), ", "), id.KeyType())
}

// Format prints the same for every verb, so that no verb reaches the key.
func (id *Identity) Format(f fmt.State, verb rune) { io.WriteString(f, id.String()) }

// LogValue gives slog the identity without its key.
func (id *Identity) LogValue() slog.Value {
	if id == nil || id.leaf == nil {
		return slog.StringValue(id.String())
	}
	return slog.GroupValue(
		slog.String("name", id.name),
		slog.String("names", strings.Join(id.Names(), ",")),
		slog.String("key", id.KeyType()),
		slog.Time("expires", id.leaf.NotAfter),
	)
}
