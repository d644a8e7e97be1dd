package nodecert

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"ingot.dev/tlsio"
)

// Certificate is Node's object. The zero value, which marshals as {}, is what a peer
// without a certificate has.
type Certificate struct {
	Subject Name `json:"subject,omitempty"`
	Issuer  Name `json:"issuer,omitempty"`
	// SubjectAltName lists the names as "DNS:a.test, IP Address:192.0.2.1". A name
	// that could be taken for several is in quotes.
	SubjectAltName string `json:"subjectaltname,omitempty"`
	// InfoAccess has addresses by "OCSP - URI" and "CA Issuers - URI".
	InfoAccess map[string][]string `json:"infoAccess,omitempty"`
	CA         bool                `json:"ca,omitzero"`

	// Of RSA keys: modulus in hexadecimal, exponent as "0x10001", and the key's
	// SubjectPublicKeyInfo. Of EC keys: the point, and the names of the curve.
	Modulus   string `json:"modulus,omitempty"`
	Exponent  string `json:"exponent,omitempty"`
	PublicKey []byte `json:"pubkey,omitempty"`
	ASN1Curve string `json:"asn1Curve,omitempty"`
	NISTCurve string `json:"nistCurve,omitempty"`
	Bits      int    `json:"bits,omitempty"`

	// ValidFrom and ValidTo are as "Nov 22 15:00:00 2026 GMT".
	ValidFrom string `json:"valid_from,omitempty"`
	ValidTo   string `json:"valid_to,omitempty"`
	// Hashes of the certificate, in hexadecimal with colons: SHA-1, SHA-256, SHA-512.
	Fingerprint    string `json:"fingerprint,omitempty"`
	Fingerprint256 string `json:"fingerprint256,omitempty"`
	Fingerprint512 string `json:"fingerprint512,omitempty"`
	// ExtendedKeyUsage are OIDs.
	ExtendedKeyUsage []string `json:"ext_key_usage,omitempty"`
	SerialNumber     string   `json:"serialNumber,omitempty"`
	Raw              []byte   `json:"raw,omitempty"` // DER

	// IssuerCertificate is the next one of the chain; a self-signed one's is itself.
	IssuerCertificate *Certificate `json:"-"`
}

// Name is a distinguished name: its attributes by the short names that OpenSSL has
// for them, or by OID.
type Name map[string]Values

// Values are those of one attribute; Node has a string if there is but one.
type Values []string

// String joins the values with commas.
func (v Values) String() string { return strings.Join(v, ",") }

// MarshalJSON implements json.Marshaler.
func (v Values) MarshalJSON() ([]byte, error) {
	if len(v) == 1 {
		return json.Marshal(v[0])
	}
	return json.Marshal([]string(v))
}

// Peer is getPeerCertificate(true) of a connection: what the peer has sent, linked
// up to the root that it was verified with. The result is a zero Certificate if it
// sent none, and nil if s is of no finished handshake.
func Peer(s *tlsio.State) *Certificate {
	if !s.HandshakeComplete {
		return nil
	}
	if len(s.VerifiedChains) > 0 {
		return New(s.VerifiedChains[0])
	}
	return New(s.PeerCertificates)
}

// Local is getCertificate: what this side has sent.
func Local(s *tlsio.State) *Certificate {
	if !s.HandshakeComplete {
		return nil
	}
	if cert := s.LocalCertificate(); cert != nil {
		return New([]*x509.Certificate{cert})
	}
	return New(nil)
}

// New makes the object for a chain, whose first certificate it describes. Links end
// at the first certificate that didn't sign the one before it.
func New(chain []*x509.Certificate) *Certificate {
	if len(chain) == 0 {
		return &Certificate{}
	}
	c := describe(chain[0])
	last, cert := c, chain[0]
	for _, issuer := range chain[1:] {
		if cert.CheckSignatureFrom(issuer) != nil {
			break
		}
		last.IssuerCertificate = describe(issuer)
		last, cert = last.IssuerCertificate, issuer
	}
	if selfSigned(cert) {
		last.IssuerCertificate = last
	}
	return c
}

func selfSigned(cert *x509.Certificate) bool {
	return string(cert.RawSubject) == string(cert.RawIssuer) &&
		cert.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature) == nil
}

func describe(cert *x509.Certificate) *Certificate {
	c := &Certificate{
		Subject:        name(cert.Subject),
		Issuer:         name(cert.Issuer),
		SubjectAltName: altNames(cert),
		CA:             cert.IsCA,
		ValidFrom:      timeText(cert.NotBefore),
		ValidTo:        timeText(cert.NotAfter),
		SerialNumber:   serialText(cert),
		Raw:            cert.Raw,
	}
	s1, s256, s512 := sha1.Sum(cert.Raw), sha256.Sum256(cert.Raw), sha512.Sum512(cert.Raw)
	c.Fingerprint, c.Fingerprint256, c.Fingerprint512 = colons(s1[:]), colons(s256[:]), colons(s512[:])
	for key, list := range map[string][]string{"OCSP - URI": cert.OCSPServer, "CA Issuers - URI": cert.IssuingCertificateURL} {
		if len(list) > 0 {
			if c.InfoAccess == nil {
				c.InfoAccess = map[string][]string{}
			}
			c.InfoAccess[key] = list
		}
	}
	c.ExtendedKeyUsage = usages(cert)
	switch key := cert.PublicKey.(type) {
	case *rsa.PublicKey:
		c.Modulus = strings.ToUpper(key.N.Text(16))
		c.Exponent = fmt.Sprintf("0x%x", key.E)
		c.PublicKey = cert.RawSubjectPublicKeyInfo
		c.Bits = key.N.BitLen()
	case *ecdsa.PublicKey:
		p := key.Params()
		c.Bits = p.BitSize
		c.NISTCurve = p.Name
		c.ASN1Curve = map[string]string{"P-224": "secp224r1", "P-256": "prime256v1", "P-384": "secp384r1", "P-521": "secp521r1"}[p.Name]
		if pub, err := key.ECDH(); err == nil {
			c.PublicKey = point(pub)
		}
	}
	return c
}

func point(key *ecdh.PublicKey) []byte { return key.Bytes() }

// shortNames are OpenSSL's, of the attributes that certificates have.
var shortNames = map[string]string{
	"2.5.4.3": "CN", "2.5.4.4": "SN", "2.5.4.5": "serialNumber", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST",
	"2.5.4.9": "street", "2.5.4.10": "O", "2.5.4.11": "OU", "2.5.4.12": "title", "2.5.4.13": "description",
	"2.5.4.15": "businessCategory", "2.5.4.17": "postalCode", "2.5.4.42": "GN", "2.5.4.43": "initials",
	"2.5.4.46": "dnQualifier", "2.5.4.97": "organizationIdentifier",
	"0.9.2342.19200300.100.1.1": "UID", "0.9.2342.19200300.100.1.25": "DC", "1.2.840.113549.1.9.1": "emailAddress",
}

func name(n pkix.Name) Name {
	out := Name{}
	for _, a := range n.Names {
		key := a.Type.String()
		if short := shortNames[key]; short != "" {
			key = short
		}
		out[key] = append(out[key], fmt.Sprint(a.Value))
	}
	return out
}

// timeText is ASN1_TIME_print's form: the day is padded with a space.
func timeText(t time.Time) string { return t.UTC().Format("Jan _2 15:04:05 2006 GMT") }

// serialText has whole bytes, as BN_bn2hex makes them.
func serialText(cert *x509.Certificate) string {
	text := strings.ToUpper(cert.SerialNumber.Text(16))
	sign, digits := "", text
	if strings.HasPrefix(text, "-") {
		sign, digits = "-", text[1:]
	}
	if len(digits)%2 == 1 {
		digits = "0" + digits
	}
	return sign + digits
}

func colons(sum []byte) string {
	parts := make([]string, len(sum))
	for i, b := range sum {
		parts[i] = strings.ToUpper(hex.EncodeToString([]byte{b}))
	}
	return strings.Join(parts, ":")
}
