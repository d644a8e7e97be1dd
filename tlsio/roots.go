package tlsio

import "crypto/x509"

// RootsFor finds the trusted CAs for a chain, in place of CA and Roots, which hold all
// of them in memory: for stores of many CAs, as RootsFor of package certs's Store:
//
//	With: []tlsio.Feature{tlsio.RootsFor(func(chain []*x509.Certificate) (*x509.CertPool, error) {
//		return store.RootsFor(chain, "public")
//	})}
//
// It is given the certificates as the peer sent them, its own first, which are not
// verified: the pool must hold nothing that comes from them. No pool is an empty one,
// never the operating system's CAs. An error beside a pool counts only if the
// chain doesn't verify with that pool; the handshake then ends with it, as a
// [RootsError]. It is called at each handshake, resumed ones too, by any number of
// goroutines.
//
// The rest is as with CA, but for two things that crypto/tls does only with a pool: a
// server doesn't name its CAs to clients, and the alert for all that can be wrong
// with a chain is bad_certificate.
type RootsFor func(chain []*x509.Certificate) (*x509.CertPool, error)

func (RootsFor) roots() {}

func (f RootsFor) apply(b *builder) {
	rules := &b.terms.rules
	if f == nil {
		b.add("", nil, "RootsFor is a nil function; leave it out")
	}
	if rules.find != nil {
		b.add("", nil, "give RootsFor once")
	}
	if rules.roots != nil {
		b.add("", nil, "give either RootsFor or CA and Roots")
	}
	if rules.mode == InsecureVerifyNone {
		b.add("", nil, "RootsFor is never asked with InsecureVerifyNone; use VerifyOptional")
	}
	if b.terms.server && rules.auth == ClientAuthNone {
		b.add("", nil, "RootsFor on a server is for clients' certificates; set ClientAuth")
	}
	rules.find = func(chain []*x509.Certificate) (*x509.CertPool, error) {
		pool, err := f(chain)
		if err != nil {
			err = &RootsError{err}
		}
		if pool == nil {
			pool = x509.NewCertPool()
		}
		return pool, err
	}
}

// RootsError says that a chain can't be verified, because RootsFor failed.
type RootsError struct{ Err error }

func (e *RootsError) refusal() string {
	return "nothing is known to be wrong with the peer; repair what RootsFor reads"
}

func (e *RootsError) Error() string { return "finding the trusted CAs: " + e.Err.Error() }

// Unwrap returns RootsFor's error.
func (e *RootsError) Unwrap() error { return e.Err }
