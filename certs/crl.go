package certs

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"slices"
	"time"
)

// Limits of the folder crls. They are those of tlsio.CRLs, and above what a device can
// use: a list of 1 MB has 30,000 entries.
const (
	MaxCRLs    = 64
	MaxCRLSize = 1 << 20
)

const crlSuffix = ".crl"

// A CRL is a certificate revocation list (RFC 5280 §5) in a store.
type CRL struct {
	File string // path in the store
	List *x509.RevocationList
	// Verified says that an authority in the store has signed the list. A list of an
	// authority that peers send along, and the store doesn't have, can't be verified
	// before they do.
	Verified bool
}

// CRLs returns the store's lists in DER, sorted by file, for tlsio.CRLs:
//
//	With: []tlsio.Feature{tlsio.CRLs{DER: store.CRLs()}}
//
// They must not be modified. A store without lists returns nil, which tlsio refuses.
func (s *Store) CRLs() [][]byte {
	var all [][]byte
	for _, c := range rulesOf(s.report.rules).crls {
		all = append(all, c.List.Raw)
	}
	return all
}

// CRLs returns all lists that could be read, whatever else is wrong with them, sorted by
// file.
func (r *Report) CRLs() []CRL { return slices.Clone(rulesOf(r.rules).crls) }

const crlFix = "get the authority's complete list and add it with 'ingot certs crl'"

// crl reads one list.
func (in *inspector) crl(file string) {
	data, ok := in.readRule(file, MaxCRLSize, "certificate revocation list")
	if !ok {
		return
	}
	if label, ok := pemLabel(data); ok {
		in.problem(&FileError{File: file, Kind: ErrPEM,
			Reason: fmt.Sprintf("the file is PEM (%q); this store holds DER", label),
			Fix:    "convert it: openssl crl -in " + file + " -outform DER -out " + file + ".new && mv " + file + ".new " + file})
		return
	}
	list, err := ParseCRL(data)
	if err != nil {
		e := &FileError{File: file, Kind: ErrCRL, Err: err, Reason: "the file can't be used as a certificate revocation list", Fix: crlFix}
		if total, why := sequenceLength(data); why == "" && total > len(data) {
			e.Reason, e.Err = "the file is cut short", nil
		}
		in.problem(e)
		return
	}
	r := rulesOf(in.report.rules)
	r.crls = append(r.crls, CRL{File: file, List: list})
}

// ParseCRL parses a certificate revocation list in DER that stands for itself: lists
// with critical extensions are refused, because they have what changed only, or some
// certificates only (RFC 5280 §5.2.4 and §5.2.5).
func ParseCRL(der []byte) (*x509.RevocationList, error) {
	list, err := x509.ParseRevocationList(der)
	if err != nil {
		return nil, err
	}
	if len(list.Raw) != len(der) {
		return nil, fmt.Errorf("there are %d bytes behind the list", len(der)-len(list.Raw))
	}
	for _, e := range list.Extensions {
		if e.Critical {
			return nil, fmt.Errorf("it has the critical extension %v: it isn't a complete list of all that its issuer has revoked", e.Id)
		}
	}
	return list, nil
}

// judgeCRLs judges the lists by the certificates that were read, and these by them.
func (in *inspector) judgeCRLs() {
	lists := rulesOf(in.report.rules).crls
	for i := range lists {
		c := &lists[i]
		in.judgeIssuer(c)
		in.judgeDates(c)
		if c.Verified {
			in.judgeRevoked(c)
		}
	}
}

// judgeIssuer looks for the authority that has signed a list.
func (in *inspector) judgeIssuer(c *CRL) {
	anchors, _ := (&Store{report: &in.report}).FindAnchors(Query{Subject: c.List.RawIssuer})
	var authorities []*x509.Certificate
	for _, a := range anchors {
		authorities = append(authorities, a.Cert)
	}
	for _, i := range in.report.Intermediates {
		authorities = append(authorities, i.Cert)
	}
	for _, id := range in.report.Identities {
		authorities = append(authorities, id.chain...)
	}
	for _, ca := range authorities {
		if !bytes.Equal(ca.RawSubject, c.List.RawIssuer) {
			continue
		}
		err := c.List.CheckSignatureFrom(ca)
		if err == nil {
			c.Verified = true
			return
		}
		if len(ca.SubjectKeyId) > 0 && bytes.Equal(ca.SubjectKeyId, c.List.AuthorityKeyId) {
			in.problem(&FileError{File: c.File, Kind: ErrCRL, Err: err,
				Reason: fmt.Sprintf("the list names the key of %q, and isn't a list that this authority has signed", ca.Subject),
				Fix:    crlFix})
			return
		}
	}
	in.warn(&FileError{File: c.File, Kind: ErrUnknownAuthority,
		Reason: fmt.Sprintf("no authority in this store has signed the list; it says that %q has", c.List.Issuer),
		Fix:    "remove it, unless peers send that authority's certificate; or add that to the store"})
}

// judgeDates warns: a device whose list is out of date must still start, and then
// refuses, as its rules are, the peers that the list is about.
func (in *inspector) judgeDates(c *CRL) {
	now := in.now.UTC().Truncate(time.Second)
	from, until := c.List.ThisUpdate, c.List.NextUpdate
	e := &FileError{File: c.File, Fix: crlFix}
	switch {
	case now.Before(from):
		e.Kind = ErrNotYetValid
		e.Reason = fmt.Sprintf("the list is valid from %s and the clock says %s", from.Format(time.RFC3339), now.Format(time.RFC3339))
		e.Fix = "set the clock if it is wrong, or wait"
	case until.IsZero(): // says nothing about its end
		return
	case now.After(until):
		e.Kind = ErrExpired
		e.Reason = fmt.Sprintf("the list was valid until %s: without a newer one, peers of this authority are refused (see tlsio.CRLs.Grace)", until.Format(time.RFC3339))
	case until.Sub(now) < until.Sub(from)/4:
		e.Kind = ErrExpiresSoon
		e.Reason = fmt.Sprintf("the list is valid only until %s", until.Format(time.RFC3339))
	default:
		return
	}
	in.warn(e)
}

// judgeRevoked finds what a list revokes among our own certificates.
func (in *inspector) judgeRevoked(c *CRL) {
	judge := func(file string, cert *x509.Certificate) {
		if !bytes.Equal(cert.RawIssuer, c.List.RawIssuer) ||
			len(cert.AuthorityKeyId) > 0 && len(c.List.AuthorityKeyId) > 0 && !bytes.Equal(cert.AuthorityKeyId, c.List.AuthorityKeyId) {
			return
		}
		for _, e := range c.List.RevokedCertificateEntries {
			if e.SerialNumber.Cmp(cert.SerialNumber) == 0 {
				in.problem(&FileError{File: file, Kind: ErrRevoked,
					Reason: fmt.Sprintf("its issuer has revoked the certificate %q on %s, says %s", cert.Subject, e.RevocationTime.UTC().Format(time.DateOnly), c.File),
					Fix:    "request a new certificate"})
				return
			}
		}
	}
	for _, id := range in.report.Identities {
		judge(id.dir+"/"+certFile, id.leaf)
		for _, ca := range id.chain {
			judge(id.dir, ca)
		}
	}
}
