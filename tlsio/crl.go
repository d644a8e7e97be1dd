package tlsio

import (
	"bytes"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"math/big"
	"time"
)

// CRLs are certificate revocation lists in DER (RFC 5280 section 5), compiled in or
// loaded by the program: nothing is fetched. Every certificate of a chain but its
// root is looked up in the lists of its issuer, whose signature is checked: a list that
// names the issuer's key and isn't signed by it refuses the certificates of that issuer.
// A certificate whose issuer has no list here is refused, unless Partial.
type CRLs struct {
	DER [][]byte
	// Grace is how long after its nextUpdate a list still counts. 0 means not at
	// all: a list that is out of date refuses the certificates of its issuer. A
	// negative Grace means forever, for devices whose lists come with the firmware.
	Grace time.Duration
	// Partial accepts certificates whose issuer has no list.
	Partial bool
}

const maxCRLs = 64

func (c CRLs) apply(b *builder) {
	if len(c.DER) == 0 {
		b.add(".DER", nil, "required: at least one list")
	}
	if len(c.DER) > maxCRLs {
		b.add(".DER", len(c.DER), fmt.Sprintf("use at most %d lists", maxCRLs))
		return
	}
	if b.terms.rules.mode == InsecureVerifyNone {
		b.add("", nil, "CRLs are never looked at with InsecureVerifyNone; use VerifyOptional")
	}
	if b.terms.server && b.terms.rules.auth == ClientAuthNone {
		b.add("", nil, "CRLs on a server judge clients; set ClientAuth")
	}
	set := &crlSet{grace: c.Grace, partial: c.Partial}
	for i, der := range c.DER {
		list, err := parseCRL(der)
		if err != nil {
			b.add(fmt.Sprintf(".DER[%d]", i), nil, err.Error())
			continue
		}
		set.lists = append(set.lists, list)
	}
	b.terms.rules.checks = append(b.terms.rules.checks, set.check)
}

// crl is one list, reduced to what is looked up.
type crl struct {
	list    *x509.RevocationList
	revoked map[string]x509.RevocationListEntry // by serial number
}

func parseCRL(der []byte) (*crl, error) {
	if isPEM(der) {
		return nil, fmt.Errorf("this is PEM; lists must be DER: openssl crl -in FILE -outform DER")
	}
	list, err := x509.ParseRevocationList(der)
	if err != nil {
		return nil, fmt.Errorf("not a DER certificate revocation list: %v", err)
	}
	for _, e := range list.Extensions {
		// A delta list, or one for some certificates only, would be taken for all.
		if e.Critical {
			return nil, fmt.Errorf("has the critical extension %v; give complete lists of all certificates of an issuer", e.Id)
		}
	}
	c := &crl{list: list, revoked: make(map[string]x509.RevocationListEntry, len(list.RevokedCertificateEntries))}
	for _, e := range list.RevokedCertificateEntries {
		// Reason removeFromCRL (8) stands in delta lists only.
		c.revoked[serialKey(e.SerialNumber)] = e
	}
	// What isn't looked up needn't stay.
	list.RevokedCertificateEntries = nil
	return c, nil
}

func serialKey(n *big.Int) string { return string(n.Append(nil, 16)) }

type crlSet struct {
	lists   []*crl
	grace   time.Duration
	partial bool
}

// check keeps the chains without a revoked certificate.
func (c *crlSet) check(r *rules, s *State) error {
	now := r.time()
	return keepChains(s, func(chain []*x509.Certificate) error {
		for i := 0; i+1 < len(chain); i++ {
			if err := c.judge(chain[i], chain[i+1], now); err != nil {
				return err
			}
		}
		return nil
	})
}

// judge looks cert up in the newest list that issuer signed.
func (c *crlSet) judge(cert, issuer *x509.Certificate, now time.Time) error {
	var newest *crl
	for _, l := range c.lists {
		if !bytes.Equal(l.list.RawIssuer, issuer.RawSubject) {
			continue
		}
		if err := l.list.CheckSignatureFrom(issuer); err != nil {
			if len(issuer.SubjectKeyId) > 0 && bytes.Equal(l.list.AuthorityKeyId, issuer.SubjectKeyId) {
				return &CRLError{Certificate: cert, Reason: "the list of its issuer can't be used: " + err.Error()}
			}
			continue // of another key by the same name
		}
		if e, ok := l.revoked[serialKey(cert.SerialNumber)]; ok {
			return &RevokedError{Certificate: cert, At: e.RevocationTime, Reason: e.ReasonCode}
		}
		if newest == nil || l.list.ThisUpdate.After(newest.list.ThisUpdate) {
			newest = l
		}
	}
	switch {
	case newest == nil && c.partial:
		return nil
	case newest == nil:
		return &CRLError{Certificate: cert, Reason: "there is no list of its issuer"}
	case now.Before(newest.list.ThisUpdate):
		return &CRLError{Certificate: cert, Reason: "the list of its issuer isn't valid yet"}
	case c.grace >= 0 && !newest.list.NextUpdate.IsZero() && now.After(newest.list.NextUpdate.Add(c.grace)):
		return &CRLError{Certificate: cert, Reason: "the list of its issuer is out of date since " + newest.list.NextUpdate.UTC().Format(time.DateOnly)}
	}
	return nil
}

// RevokedError says that a certificate of the peer's chain is revoked.
type RevokedError struct {
	Certificate *x509.Certificate
	At          time.Time
	Reason      int // RFC 5280 section 5.3.1
}

func (*RevokedError) refusal() string {
	return "its issuer has revoked it; the peer needs a new certificate"
}

func (e *RevokedError) Error() string {
	s := "certificate " + quote(e.Certificate.Subject.String()) + ", serial number " + hex.EncodeToString(e.Certificate.SerialNumber.Bytes()) +
		", was revoked on " + e.At.UTC().Format(time.DateOnly)
	if e.Reason > 0 && e.Reason < len(revocationReasons) {
		s += ": " + revocationReasons[e.Reason]
	}
	return s
}

var revocationReasons = [...]string{"unspecified", "key compromise", "CA compromise", "affiliation changed", "superseded",
	"cessation of operation", "certificate hold", "", "remove from CRL", "privilege withdrawn", "AA compromise"}

// CRLError says that it can't be known whether a certificate is revoked.
type CRLError struct {
	Certificate *x509.Certificate
	Reason      string
}

func (e *CRLError) refusal() string {
	return "give CRLs a current list of " + quote(e.Certificate.Issuer.String()) + ", or set the clock; see also CRLs.Grace and CRLs.Partial"
}

func (e *CRLError) Error() string {
	return "revocation of certificate " + quote(e.Certificate.Subject.String()) + " is unknown: " + e.Reason
}
