package certs

import (
	"crypto/x509"
	"slices"
)

// An Intermediate is an authority that vouches for identities and is trusted by
// nobody for its own sake. Every identity may need it.
type Intermediate struct {
	File string // path in the store
	Cert *x509.Certificate
}

// KeyType describes the authority's key, such as "ECDSA P-256".
func (i Intermediate) KeyType() string { return keyName(i.Cert.PublicKey) }

// Intermediates returns what is in the folder intermediates, sorted by file. Those of
// an identity, from there and from its own folder, are its [Identity.Chain].
func (s *Store) Intermediates() []Intermediate { return slices.Clone(s.report.Intermediates) }

// complete gives each identity the intermediates that its folder lacks, and what
// crypto/tls needs.
func (in *inspector) complete() {
	for _, id := range in.report.Identities {
		var sent [1 + MaxChain][]byte
		n := 0
		for cert := id.leaf; cert != nil; n++ {
			sent[n] = cert.Raw
			switch {
			case n < len(id.chain):
				cert = id.chain[n]
			case n == MaxChain:
				cert = nil
			default:
				if cert = in.issuerOf(cert); cert != nil {
					id.chain = append(id.chain, cert)
				}
			}
		}
		id.tls.Certificate, id.tls.Leaf = sent[:n], id.leaf
		if id.key != nil {
			id.tls.PrivateKey = id.key
		}
	}
}

// issuerOf finds an intermediate that has signed cert: in the chains of all identities,
// then in the folder intermediates; nil for none. Roots are none: who trusts one has it.
func (in *inspector) issuerOf(cert *x509.Certificate) *x509.Certificate {
	for _, ca := range in.between {
		if string(ca.RawSubject) == string(cert.RawIssuer) && string(ca.RawSubject) != string(ca.RawIssuer) &&
			cert.CheckSignatureFrom(ca) == nil {
			return ca
		}
	}
	return nil
}
