package certs

import (
	"fmt"
	"net/netip"
	"strings"
)

// normalizeName brings a name from a client or a certificate into the form in
// which names are compared: lower case (RFC 4343; ASCII only, since names on
// the wire are A-labels), without the dot of the root.
func normalizeName(name string) string {
	name = strings.TrimSuffix(name, ".")
	for i := 0; i < len(name); i++ {
		if c := name[i]; 'A' <= c && c <= 'Z' {
			lower := []byte(name)
			for ; i < len(lower); i++ {
				if c := lower[i]; 'A' <= c && c <= 'Z' {
					lower[i] = c + 'a' - 'A'
				}
			}
			return string(lower)
		}
	}
	return name
}

// parentDomain splits a name after its first label: "a.b.c" gives "b.c". It
// is what a wildcard is looked up by; the first label must not be empty.
func parentDomain(name string) (string, bool) {
	label, parent, ok := strings.Cut(name, ".")
	return parent, ok && label != "" && parent != ""
}

// CheckDNSName reports whether a DNS name in a certificate can ever match what
// a client asks for; "*.example.test" is a wildcard. The error is [ErrBadName]
// with the reason.
func CheckDNSName(name string) error {
	if why := badName(name); why != "" {
		return fmt.Errorf("%w: %s", ErrBadName, why)
	}
	return nil
}

// badName says why no client will ever match a dNSName of a certificate, or
// returns "". crypto/x509 accepts such certificates and then never matches.
func badName(name string) string {
	if _, err := netip.ParseAddr(name); err == nil {
		return "an IP address belongs in an iPAddress name (openssl: 'IP:' in place of 'DNS:')"
	}
	host := strings.TrimPrefix(name, "*.")
	switch {
	case name == "" || host == "":
		return "it is empty"
	case strings.Contains(host, "*"):
		return "a wildcard must be the whole first label, followed by a domain"
	case strings.HasSuffix(name, "."):
		return "names in certificates end without a dot"
	case len(name) > 253:
		return "it is longer than the 253 characters of a DNS name"
	}
	for label := range strings.SplitSeq(host, ".") {
		switch {
		case label == "":
			return "it has an empty label"
		case len(label) > 63:
			return "a label is longer than 63 characters"
		case label[0] == '-' || label[len(label)-1] == '-':
			return "a label starts or ends with a hyphen"
		}
		for i := range len(label) {
			// Underscores are not for host names but are in use.
			switch c := label[i]; {
			case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
			case c >= 0x80:
				return "write international names in their ASCII form (xn--...)"
			default:
				return "it has a character that host names may not have"
			}
		}
	}
	return ""
}

// naturalLess orders names so that chain2.der comes before chain10.der: runs of
// digits compare by value. Names with equal values (a1, a01) compare as text,
// so the order is total.
func naturalLess(a, b string) bool {
	i, j := 0, 0
	for i < len(a) && j < len(b) {
		if isDigit(a[i]) && isDigit(b[j]) {
			na, nb := digits(a[i:]), digits(b[j:])
			va, vb := strings.TrimLeft(na, "0"), strings.TrimLeft(nb, "0")
			if len(va) != len(vb) {
				return len(va) < len(vb)
			}
			if va != vb {
				return va < vb
			}
			i += len(na)
			j += len(nb)
			continue
		}
		if a[i] != b[j] {
			return a[i] < b[j]
		}
		i++
		j++
	}
	if restA, restB := len(a)-i, len(b)-j; restA != restB {
		return restA < restB
	}
	return a < b
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// digits returns the run of digits at the start of s.
func digits(s string) string {
	n := 0
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	return s[:n]
}
