package certs

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"errors"
)

// A Query says which certificates are wanted: those that have all that is set.
type Query struct {
	Fingerprint []byte // SHA-256 of the whole certificate, or SHA-1, as old tools print it
	KeyID       []byte // subject key identifier (RFC 5280 §4.2.1.2)
	Subject     []byte // subject in DER, as x509.Certificate's RawSubject
}

func (q *Query) matches(cert *x509.Certificate) bool {
	if q.Fingerprint != nil {
		sum := sha256.Sum256(cert.Raw)
		old := sha1.Sum(cert.Raw) // finds only: anybody who can make two with one SHA-1 has made both
		if !bytes.Equal(q.Fingerprint, sum[:]) && !bytes.Equal(q.Fingerprint, old[:]) {
			return false
		}
	}
	return (q.KeyID == nil || bytes.Equal(q.KeyID, cert.SubjectKeyId)) &&
		(q.Subject == nil || bytes.Equal(q.Subject, cert.RawSubject))
}

// FindIdentities returns the identities whose certificate is wanted, sorted by name.
func (s *Store) FindIdentities(q Query) []*Identity {
	var found []*Identity
	for _, id := range s.report.Identities {
		if q.matches(id.leaf) {
			found = append(found, id)
		}
	}
	return found
}

// FindAnchors returns the anchors of all groups that are wanted: those of files,
// sorted by file, then those of bundles. Of bundles it parses only what the index
// says may be wanted; it has no SHA-1, for which all are parsed. The error joins one [*FileError] for each anchor of a bundle
// that would be wanted and can't be used; the others are returned all the same.
func (s *Store) FindAnchors(q Query) ([]Anchor, error) {
	var found []Anchor
	for _, a := range s.report.Anchors {
		if q.matches(a.Cert) {
			found = append(found, a)
		}
	}
	keyID, subject := tag(q.KeyID), tag(q.Subject)
	var errs []error
	for _, b := range s.report.bundles {
		for i := range b.n {
			f, k, n := b.entry(i)
			if q.Fingerprint != nil && len(q.Fingerprint) != sha1.Size && !bytes.Equal(q.Fingerprint, f) ||
				q.KeyID != nil && !bytes.Equal(keyID[:], k) ||
				q.Subject != nil && !bytes.Equal(subject[:], n) {
				continue
			}
			a, e := b.anchor(i)
			if e != nil {
				errs = append(errs, e)
			} else if q.matches(a.Cert) {
				found = append(found, a)
			}
		}
	}
	return found, errors.Join(errs...)
}

// maxPath is how many certificates of a peer RootsFor looks at.
const maxPath = 16

// RootsFor returns a new pool of those anchors in a group that can vouch for a chain
// as a peer sent it, its own certificate first. Verifying the chain against them
// has the same result as against [Store.Roots], for chains of up to 16 certificates; of
// longer ones the rest may lack its anchor. Of bundles, only these anchors are parsed,
// at each call anew.
//
// Anchors are found by name, which is how crypto/x509 goes from a certificate to its
// issuer: all whose subject is the issuer of a certificate in the chain, whatever key
// id it gives for it (RFC 5280 §4.2.1.1 makes that a hint), because authorities
// renew their keys, and cross-sign. So is an anchor that the peer sent as its own.
//
// The error joins one [*FileError] for each anchor of a bundle that would belong to
// the pool and can't be used; the pool, never nil, holds the others.
func (s *Store) RootsFor(chain []*x509.Certificate, group string) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	var names [][]byte
	for i, cert := range chain[:min(len(chain), maxPath)] {
		if i == 0 {
			names = append(names, cert.RawSubject)
		}
		names = append(names, cert.RawIssuer)
	}
	for _, a := range s.report.Anchors {
		if a.Group == group && contains(names, a.Cert.RawSubject) {
			pool.AddCert(a.Cert)
		}
	}
	tags := make([][tagSize]byte, len(names))
	for i, name := range names {
		tags[i] = tag(name)
	}
	var errs []error
	for _, b := range s.report.bundles {
		if b.group != group {
			continue
		}
		for i := range b.n {
			_, _, subject := b.entry(i)
			for _, t := range tags {
				if t != [tagSize]byte(subject) {
					continue
				}
				if a, e := b.anchor(i); e != nil {
					errs = append(errs, e)
				} else if contains(names, a.Cert.RawSubject) {
					pool.AddCert(a.Cert)
				}
				break
			}
		}
	}
	return pool, errors.Join(errs...)
}

// Trust is RootsFor of one group, for tlsio.RootsFor:
//
//	With: []tlsio.Feature{tlsio.RootsFor(store.Trust("public"))}
func (s *Store) Trust(group string) func(chain []*x509.Certificate) (*x509.CertPool, error) {
	return func(chain []*x509.Certificate) (*x509.CertPool, error) { return s.RootsFor(chain, group) }
}

func contains(names [][]byte, name []byte) bool {
	for _, n := range names {
		if bytes.Equal(n, name) {
			return true
		}
	}
	return false
}

// Bundled reports whether a group of a store has anchors in bundles: then Store.RootsFor
// is the way to them, otherwise Store.Roots. It is a function, so that images that don't
// ask carry nothing of it.
func Bundled(s *Store, group string) bool {
	for _, b := range s.report.bundles {
		if b.group == group {
			return true
		}
	}
	return false
}
