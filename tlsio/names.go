package tlsio

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"net/netip"
	"slices"
	"strings"
)

// LegacyCommonName accepts servers whose certificate has no SAN and whose subject's
// common name matches Host, as clients did until 2017 (RFC 6125 section 6.4.4). A
// certificate with any SAN of DNS, IP, mail or URI kind is judged by its SANs alone;
// one without is refused if a CA of its chain has name constraints.
// Issue certificates with a SAN; this is for those that can't be replaced.
type LegacyCommonName struct{}

func (LegacyCommonName) apply(b *builder) {
	if b.terms.server {
		b.add("", nil, "LegacyCommonName is for clients: servers don't compare names")
	}
	b.terms.rules.matchName = matchCommonName
}

// RFC 5280 sections 4.2.1.6 and 4.2.1.10.
var (
	oidSAN             = asn1.ObjectIdentifier{2, 5, 29, 17}
	oidNameConstraints = asn1.ObjectIdentifier{2, 5, 29, 30}
)

func hasExtension(cert *x509.Certificate, oid asn1.ObjectIdentifier) bool {
	return slices.ContainsFunc(cert.Extensions, func(e pkix.Extension) bool { return e.Id.Equal(oid) })
}

var errConstrainedName = &VerifyError{"a CA of the chain is for some names only, and crypto/x509 holds only SANs against that: the certificate needs one"}

// matchCommonName is rules.matchName for LegacyCommonName.
func matchCommonName(chain []*x509.Certificate, host string) error {
	cert := chain[0]
	if hasExtension(cert, oidSAN) {
		return cert.VerifyHostname(host)
	}
	for _, ca := range chain[1:] {
		if hasExtension(ca, oidNameConstraints) {
			return errConstrainedName
		}
	}
	if matchPattern(cert.Subject.CommonName, host) {
		return nil
	}
	return &CommonNameError{cert.Subject.CommonName, host}
}

// CommonNameError says that a certificate without SAN names another server.
type CommonNameError struct{ CommonName, Host string }

func (e *CommonNameError) refusal() string {
	return "certificate is for " + quote(e.CommonName) + "; set Host to it, or reissue it with a SAN"
}

func (e *CommonNameError) Error() string {
	return "certificate has no SAN, and its common name " + quote(e.CommonName) + " is not " + quote(e.Host)
}

func quote(s string) string { return `"` + strings.ToValidUTF8(s, "?") + `"` }

// matchPattern compares a certificate's name with a host by the rules of RFC 6125
// section 6.4: letters of any case, and "*" as the whole leftmost label, which stands
// for exactly one label and never for one of a name with fewer than three. An IP
// address matches only the same address.
func matchPattern(pattern, host string) bool {
	host = strings.TrimSuffix(host, ".")
	if ip, err := netip.ParseAddr(host); err == nil {
		own, err := netip.ParseAddr(pattern)
		return err == nil && own.Unmap() == ip.Unmap()
	}
	pattern = strings.TrimSuffix(pattern, ".")
	if !validName(host, false) || !validName(pattern, true) {
		return false
	}
	if rest, ok := strings.CutPrefix(pattern, "*."); ok {
		_, hostRest, ok := strings.Cut(host, ".")
		return ok && strings.Contains(rest, ".") && strings.EqualFold(rest, hostRest)
	}
	return strings.EqualFold(pattern, host)
}

// validName reports whether s is a DNS name of at most 253 bytes in letters, digits,
// hyphens and underscores, or, for patterns, one behind "*.".
func validName(s string, pattern bool) bool {
	if pattern {
		s = strings.TrimPrefix(s, "*.")
	}
	if s == "" || len(s) > 253 {
		return false
	}
	if _, err := netip.ParseAddr(s); err == nil {
		return false // an address isn't a name
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range []byte(label) {
			if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
				return false
			}
		}
	}
	return true
}
