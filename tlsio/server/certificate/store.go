package certificate

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"

	"ingot.dev/certs"
	"ingot.dev/certs/container"
)

// A Store is what was found in a Source: certificates with private key first, then
// certificates without, then keys without certificate, each in the store's order.
// It never changes, and any number of goroutines may use it.
type Store struct {
	typ     StoreType
	entries []*Certificate
}

// OpenStore reads a whole store. Subject, Encoded and Thumbprint play no role.
func OpenStore(s Source) (*Store, error) {
	kind, ok := storeTypes[s.Type]
	if !ok {
		return nil, &Error{Type: s.Type, Kind: ErrOption, Reason: "there is no such store type", Fix: "use 0 to 19, 21 to 23, or 99"}
	}
	if s.Type == User || s.Type == Machine {
		return s.system()
	}
	if s.Certs != nil {
		return nil, &Error{Type: s.Type, Kind: ErrOption, Reason: "Certs is given", Fix: "it is for User and Machine"}
	}
	if s.Type == PKCS11 {
		return nil, &Error{Type: s.Type, Kind: ErrUnsupported, Reason: "there are no PKCS#11 libraries here",
			Fix: "give the key that stays in hardware as a crypto.Signer to FromSigner"}
	}
	data, err := s.bytes()
	if err != nil {
		return nil, err
	}
	found, err := container.Read(data, container.Options{Format: kind.format, Password: s.Password, KeyPassword: s.KeyPassword})
	if err != nil {
		return nil, s.failed(err)
	}
	return newStore(s.Type, found), nil
}

// failed gives what the reader of a format reports the store's type. What a container
// calls its format stands in the reason where the type doesn't say it.
func (s *Source) failed(err error) error {
	e, ok := errors.AsType[*container.Error](err)
	if !ok {
		return &Error{Type: s.Type, Kind: ErrSyntax, Reason: "it can't be read", Err: err}
	}
	reason := e.Reason
	if s.Type == Auto && e.Format != container.Auto {
		reason = e.Format.String() + ": " + reason
	}
	return &Error{Type: s.Type, Kind: e.Kind, Reason: reason, Fix: e.Fix, Err: e.Err}
}

// newStore pairs certificates with keys by their public keys.
func newStore(typ StoreType, found *container.Contents) *Store {
	store := &Store{typ: typ}
	var rest []*Certificate
	used := make([]bool, len(found.Keys))
	for _, cert := range found.Certificates {
		c := FromX509(cert)
		k := slices.IndexFunc(found.Keys, func(key crypto.Signer) bool { return samePublicKey(cert.PublicKey, key.Public()) })
		if k < 0 {
			rest = append(rest, c)
			continue
		}
		used[k] = true
		key := found.Keys[k]
		c.chain = chainOf(cert, found.Certificates)
		c.key, c.exportable = func() crypto.Signer { return key }, true
		store.entries = append(store.entries, c)
	}
	store.entries = append(store.entries, rest...)
	for k, key := range found.Keys {
		if !used[k] {
			store.entries = append(store.entries, &Certificate{public: key.Public(), key: func() crypto.Signer { return key }, exportable: true})
		}
	}
	for _, public := range found.PublicKeys {
		store.entries = append(store.entries, &Certificate{public: public})
	}
	return store
}

// maxChain is the largest number of intermediates that is sent with a certificate.
const maxChain = 8

// chainOf finds the intermediates that lead from cert towards its root, which is
// left out: who trusts it has it. Issuers are found by name and key identifier, so
// that a store full of namesakes costs no more than a signature for each step.
func chainOf(cert *x509.Certificate, all []*x509.Certificate) []*x509.Certificate {
	var chain []*x509.Certificate
	for len(chain) < maxChain {
		i := slices.IndexFunc(all, func(ca *x509.Certificate) bool {
			return ca != cert && bytes.Equal(cert.RawIssuer, ca.RawSubject) &&
				(cert.AuthorityKeyId == nil || ca.SubjectKeyId == nil || bytes.Equal(cert.AuthorityKeyId, ca.SubjectKeyId))
		})
		if i < 0 || bytes.Equal(all[i].RawIssuer, all[i].RawSubject) ||
			slices.Contains(chain, all[i]) || cert.CheckSignatureFrom(all[i]) != nil {
			break
		}
		cert = all[i]
		chain = append(chain, cert)
	}
	return chain
}

// system shows a section of a certs.Store as the reference's Windows stores.
func (s *Source) system() (*Store, error) {
	fail := func(reason, fix string) (*Store, error) {
		return nil, &Error{Type: s.Type, Kind: ErrOption, Reason: reason, Fix: fix}
	}
	if s.Certs == nil {
		return fail("Certs is missing", "there are no Windows stores here; give a certs.Store, or use one of the other types")
	}
	if s.Data != nil || s.FS != nil || s.Password != "" || s.KeyPassword != nil {
		return fail("Data, FS, Password or KeyPassword is given", "Certs is already open; leave them out")
	}
	store := &Store{typ: s.Type}
	seen := map[string]bool{}
	add := func(c *Certificate) {
		if raw := string(c.leaf.Raw); !seen[raw] {
			seen[raw] = true
			store.entries = append(store.entries, c)
		}
	}
	switch strings.ToUpper(s.Name) {
	case "MY", "":
		for _, id := range identities(s.Certs) {
			c, err := FromTLS(id.TLS())
			if err != nil {
				return nil, err
			}
			add(c)
		}
	case "CA":
		for _, id := range s.Certs.Identities() {
			for _, cert := range id.Chain() {
				add(FromX509(cert))
			}
		}
		for _, i := range s.Certs.Intermediates() {
			add(FromX509(i.Cert))
		}
	case "ROOT":
		for _, anchor := range s.Certs.Anchors() {
			add(FromX509(anchor.Cert))
		}
	default:
		return fail(fmt.Sprintf("there is no section %q", s.Name), "use MY for identities, CA for their intermediates, ROOT for anchors")
	}
	return store, nil
}

// identities lists the default identity first, so that "*" finds it.
func identities(store *certs.Store) []*certs.Identity {
	all := store.Identities()
	if first, ok := store.Default(); ok {
		if i := slices.Index(all, first); i > 0 {
			all = append([]*certs.Identity{first}, slices.Delete(all, i, i+1)...)
		}
	}
	return all
}

// Certificates returns everything in the store.
func (s *Store) Certificates() []*Certificate { return slices.Clone(s.entries) }

const thumbprintPrefix = "Thumbprint="

// Find chooses a certificate:
//
//   - "*" is the first one.
//   - "Thumbprint=" with an MD5, SHA-1 or SHA-256 in hexadecimal, with or without
//     separators, is the one with this thumbprint.
//   - Otherwise it is the first one whose subject is exactly this, else has exactly
//     these fields in any order, else contains this text. Case doesn't matter but
//     for the first of these.
//
// The error if there is none, also for "", is an [*Error] of kind [ErrNotFound].
func (s *Store) Find(subject string) (*Certificate, error) {
	first := func(what string, match func(*Certificate) bool) (*Certificate, error) {
		if i := slices.IndexFunc(s.entries, match); i >= 0 {
			return s.entries[i], nil
		}
		return nil, s.notFound(what)
	}
	if subject == "*" {
		return first("the store is empty", func(*Certificate) bool { return true })
	}
	if subject == "" {
		return nil, s.notFound("no subject was asked for")
	}
	if n := len(thumbprintPrefix); len(subject) >= n && strings.EqualFold(subject[:n], thumbprintPrefix) {
		want, ok := parseThumbprint(subject[n:])
		if !ok {
			return nil, &Error{Type: s.typ, Kind: ErrOption,
				Reason: fmt.Sprintf("%q is no thumbprint", subject[n:]),
				Fix:    "give an MD5, SHA-1 or SHA-256 of the certificate in hexadecimal"}
		}
		return first("none has this thumbprint", func(c *Certificate) bool { return c.hasThumbprint(want) })
	}
	lower := strings.ToLower(subject)
	for _, match := range []func(*Certificate) bool{
		func(c *Certificate) bool { return c.Subject() == subject },
		func(c *Certificate) bool { return sameName(c.Subject(), subject) },
		func(c *Certificate) bool { return strings.Contains(strings.ToLower(c.Subject()), lower) },
	} {
		if i := slices.IndexFunc(s.entries, match); i >= 0 {
			return s.entries[i], nil
		}
	}
	return nil, s.notFound(fmt.Sprintf("no subject is or contains %q", subject))
}

// FindEncoded returns the certificate encoded, in PEM, DER or Base64, with the
// private key for it that is in the store. The error if there is no such key is
// an [*Error] of kind [ErrNotFound].
func (s *Store) FindEncoded(encoded []byte) (*Certificate, error) {
	if len(encoded) > MaxStoreSize {
		return nil, &Error{Type: s.typ, Kind: ErrTooLarge, Reason: "Encoded is too large"}
	}
	der := container.UnwrapBase64(encoded)
	if block, _ := pem.Decode(encoded); block != nil {
		der = block.Bytes
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, &Error{Type: s.typ, Kind: ErrSyntax, Reason: "Encoded is not a certificate", Err: err}
	}
	for _, c := range s.entries {
		if c.key != nil && samePublicKey(cert.PublicKey, c.public) {
			found := *c
			found.leaf = cert
			if c.leaf == nil || !bytes.Equal(c.leaf.Raw, cert.Raw) {
				found.chain = nil // it led from another certificate of this key
			}
			return &found, nil
		}
	}
	return nil, s.notFound(fmt.Sprintf("there is no private key for %q", formatName(cert.RawSubject)))
}

func (s *Store) notFound(reason string) error {
	e := &Error{Type: s.typ, Kind: ErrNotFound, Reason: reason}
	var have []string
	for _, c := range s.entries {
		if len(have) == 4 {
			have = append(have, "...")
			break
		}
		if c.leaf != nil {
			have = append(have, fmt.Sprintf("%q", c.Subject()))
		}
	}
	if have != nil {
		e.Fix = "the store has " + strings.Join(have, "; ")
	}
	return e
}
