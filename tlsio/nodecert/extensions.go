package nodecert

import (
	"crypto/x509"
	"encoding/asn1"
	"net/netip"
	"strconv"
	"strings"
)

var (
	oidSubjectAltName   = asn1.ObjectIdentifier{2, 5, 29, 17}
	oidExtendedKeyUsage = asn1.ObjectIdentifier{2, 5, 29, 37}
)

func extension(cert *x509.Certificate, oid asn1.ObjectIdentifier) []byte {
	for _, e := range cert.Extensions {
		if e.Id.Equal(oid) {
			return e.Value
		}
	}
	return nil
}

// usages reads the OIDs itself: crypto/x509 sorts known from unknown ones.
func usages(cert *x509.Certificate) (out []string) {
	var oids []asn1.ObjectIdentifier
	if rest, err := asn1.Unmarshal(extension(cert, oidExtendedKeyUsage), &oids); err != nil || len(rest) != 0 {
		return nil
	}
	for _, oid := range oids {
		out = append(out, oid.String())
	}
	return out
}

// altNames reads the names in their order, which crypto/x509 doesn't keep. The tags
// are those of RFC 5280 section 4.2.1.6.
func altNames(cert *x509.Certificate) string {
	var names []asn1.RawValue
	if rest, err := asn1.Unmarshal(extension(cert, oidSubjectAltName), &names); err != nil || len(rest) != 0 {
		return ""
	}
	var out []string
	for _, n := range names {
		switch {
		case n.Class != asn1.ClassContextSpecific:
		case n.Tag == 1:
			out = append(out, "email:"+quote(n.Bytes))
		case n.Tag == 2:
			out = append(out, "DNS:"+quote(n.Bytes))
		case n.Tag == 6:
			out = append(out, "URI:"+quote(n.Bytes))
		case n.Tag == 7:
			out = append(out, "IP Address:"+address(n.Bytes))
		case n.Tag == 8:
			var oid asn1.ObjectIdentifier
			full := append([]byte{asn1.TagOID}, n.FullBytes[1:]...)
			if _, err := asn1.Unmarshal(full, &oid); err == nil {
				out = append(out, "Registered ID:"+oid.String())
			}
		default:
			out = append(out, "othername:<unsupported>")
		}
	}
	return strings.Join(out, ", ")
}

// address is OpenSSL's form: IPv6 as eight groups without leading zeros.
func address(b []byte) string {
	switch len(b) {
	case 4:
		return netip.AddrFrom4([4]byte(b)).String()
	case 16:
		groups := make([]string, 8)
		for i := range groups {
			groups[i] = strings.ToUpper(strconv.FormatUint(uint64(b[2*i])<<8|uint64(b[2*i+1]), 16))
		}
		return strings.Join(groups, ":")
	}
	return "<invalid>"
}

// quote puts a name in quotes if it has characters by which it could be taken for
// several names; in them, what isn't plain is written \u00xx.
func quote(name []byte) string {
	if !strings.ContainsFunc(string(name), func(r rune) bool {
		return r < ' ' || r > '~' || r == '"' || r == '\\' || r == ',' || r == '\''
	}) {
		return string(name)
	}
	const digits = "0123456789abcdef"
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range name {
		switch {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c >= ' ' && c <= '~' && c != ',':
			b.WriteByte(c)
		default:
			b.WriteString(`\u00`)
			b.WriteByte(digits[c>>4])
			b.WriteByte(digits[c&15])
		}
	}
	b.WriteByte('"')
	return b.String()
}
