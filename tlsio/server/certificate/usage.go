package certificate

import (
	"crypto/x509"
	"encoding/asn1"
	"net/netip"
	"strings"
)

// Flags of UsageFlags: the first byte of the key usage extension (RFC 5280 section
// 4.2.1.3). Its ninth bit, decipher only, has no flag.
const (
	UsageDigitalSignature   = 0x80
	UsageNonRepudiation     = 0x40
	UsageKeyEncipherment    = 0x20
	UsageDataEncipherment   = 0x10
	UsageKeyAgreement       = 0x08
	UsageCertificateSigning = 0x04
	UsageCRLSigning         = 0x02
	UsageEncipherOnly       = 0x01
)

var usages = []struct {
	flag int
	x509 x509.KeyUsage
	text string
}{
	{UsageDigitalSignature, x509.KeyUsageDigitalSignature, "Digital Signature"},
	{UsageNonRepudiation, x509.KeyUsageContentCommitment, "Non-Repudiation"},
	{UsageKeyEncipherment, x509.KeyUsageKeyEncipherment, "Key Encipherment"},
	{UsageDataEncipherment, x509.KeyUsageDataEncipherment, "Data Encipherment"},
	{UsageKeyAgreement, x509.KeyUsageKeyAgreement, "Key Agreement"},
	{UsageCertificateSigning, x509.KeyUsageCertSign, "Certificate Signing"},
	{UsageCRLSigning, x509.KeyUsageCRLSign, "CRL Signing"},
	{UsageEncipherOnly, x509.KeyUsageEncipherOnly, "Encipher Only"},
}

// UsageFlags says what the key may be used for; 0 if the certificate doesn't say.
func (c *Certificate) UsageFlags() int {
	flags := 0
	if c.leaf != nil {
		for _, u := range usages {
			if c.leaf.KeyUsage&u.x509 != 0 {
				flags |= u.flag
			}
		}
	}
	return flags
}

// Usage is UsageFlags in words, separated by commas.
func (c *Certificate) Usage() string {
	var texts []string
	flags := c.UsageFlags()
	for _, u := range usages {
		if flags&u.flag != 0 {
			texts = append(texts, u.text)
		}
	}
	return strings.Join(texts, ",")
}

var (
	oidExtKeyUsage    = asn1.ObjectIdentifier{2, 5, 29, 37}
	oidSubjectAltName = asn1.ObjectIdentifier{2, 5, 29, 17}
)

func (c *Certificate) extension(id asn1.ObjectIdentifier) []byte {
	if c.leaf != nil {
		for _, e := range c.leaf.Extensions {
			if e.Id.Equal(id) {
				return e.Value
			}
		}
	}
	return nil
}

// ExtendedKeyUsage lists the object identifiers of the extension of this name,
// separated by commas, as "1.3.6.1.5.5.7.3.1,1.3.6.1.5.5.7.3.2".
func (c *Certificate) ExtendedKeyUsage() string {
	// Not from x509's fields: they lose the order.
	var oids []asn1.ObjectIdentifier
	if _, err := asn1.Unmarshal(c.extension(oidExtKeyUsage), &oids); err != nil {
		return ""
	}
	var s []string
	for _, oid := range oids {
		s = append(s, oid.String())
	}
	return strings.Join(s, ",")
}

// SubjectAltNames lists the DNS names, addresses, mail addresses, URIs and
// directory names of the extension of this name, in its order, separated by
// commas. Values with commas are quoted. Kinds of names that have no usual text
// are left out.
func (c *Certificate) SubjectAltNames() string {
	var names []asn1.RawValue
	if _, err := asn1.Unmarshal(c.extension(oidSubjectAltName), &names); err != nil {
		return ""
	}
	var s []string
	for _, n := range names {
		if n.Class != asn1.ClassContextSpecific {
			continue
		}
		text := ""
		switch n.Tag { // RFC 5280 section 4.2.1.6
		case 1, 2, 6: // mail address, DNS name, URI
			text = string(n.Bytes)
		case 4:
			text = formatName(n.Bytes)
		case 7:
			if ip, ok := netip.AddrFromSlice(n.Bytes); ok {
				text = ip.String()
			}
		}
		if text == "" {
			continue
		}
		if strings.ContainsAny(text, `,"`) {
			text = `"` + strings.ReplaceAll(text, `"`, `""`) + `"`
		}
		s = append(s, text)
	}
	return strings.Join(s, ",")
}
