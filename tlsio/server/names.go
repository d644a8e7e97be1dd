package server

import (
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"strconv"
	"strings"

	"ingot.dev/tlsio"
)

// Protocols is a set of protocol versions in the bits of SSLEnabledProtocols: two
// for each version, one for each role.
type Protocols int

// The versions.
const (
	ProtocolSSL2  Protocols = 12
	ProtocolSSL3  Protocols = 48
	ProtocolTLS10 Protocols = 192
	ProtocolTLS11 Protocols = 768
	ProtocolTLS12 Protocols = 3072
	ProtocolTLS13 Protocols = 12288
)

// protocolTable lists them, oldest first. Those without tlsio's name are refused.
var protocolTable = []struct {
	bits  Protocols
	name  string
	tlsio string
}{
	{ProtocolSSL2, "SSL2", ""},
	{ProtocolSSL3, "SSL3", ""},
	{ProtocolTLS10, "TLS1.0", ""},
	{ProtocolTLS11, "TLS1.1", tlsio.TLSv11},
	{ProtocolTLS12, "TLS1.2", tlsio.TLSv12},
	{ProtocolTLS13, "TLS1.3", tlsio.TLSv13},
}

// protocolName returns the reference's name of a negotiated version.
func protocolName(version uint16) string {
	switch version {
	case tls.VersionTLS13:
		return "TLS1.3"
	case tls.VersionTLS12:
		return "TLS1.2"
	case tls.VersionTLS11:
		return "TLS1.1"
	case tls.VersionTLS10:
		return "TLS1.0"
	}
	return ""
}

// refusedSuites are the names of the reference that crypto/tls has no suite for,
// each with the reason. What begins with CALG_ is refused besides.
var refusedSuites = []struct{ part, reason string }{
	{"TLS_DHE_", "finite-field Diffie-Hellman"},
	{"TLS_ECDH_", "ECDH with the certificate's key, which has no forward secrecy"},
	{"_WITH_DES_", "DES"},
	{"_RC4_128_MD5", "RC4 with MD5"},
	{"_256_CBC_SHA384", "CBC with SHA-384"},
	{"TLS_RSA_WITH_AES_256_CBC_SHA256", "this pair of cipher and hash"},
	{"TLS_ECDHE_ECDSA_WITH_3DES", "3DES with ECDSA"},
}

// parseSuites reads SSLEnabledCipherSuites but for "*". fix is what is wrong, and
// what would be accepted.
func parseSuites(value string) (ids []uint16, fix string) {
	for name := range strings.SplitSeq(value, ";") {
		name = strings.TrimSpace(name)
		if name == "" {
			continue
		}
		suite, ok := tlsio.CipherByName(name)
		if ok && strings.EqualFold(name, suite.StandardName) {
			ids = append(ids, suite.ID)
			continue
		}
		upper := strings.ToUpper(name)
		if strings.HasPrefix(upper, "CALG_") {
			return nil, name + " is an algorithm of Windows' SChannel, not a cipher suite; use names of suites, such as TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
		}
		if ok {
			return nil, "write " + suite.StandardName + " for " + name
		}
		for _, r := range refusedSuites {
			if strings.Contains(upper, r.part) {
				return nil, name + " is not there: crypto/tls has no " + r.reason + "; take it out"
			}
		}
		return nil, "there is no suite " + name + "; use names such as TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, separated by semicolons, or * for all"
	}
	if ids == nil {
		return nil, "name at least one suite, or * for all"
	}
	return ids, ""
}

// suites13 is the number of suites of TLS 1.3. crypto/tls always has all of them.
const suites13 = 3

func isTLS13(id uint16) bool { return id>>8 == 0x13 }

// groupNames are the reference's groups. Those without number are not there.
var groupNames = []struct {
	name string
	id   tls.CurveID
}{
	{"ecdhe_x25519", tls.X25519},
	{"ecdhe_secp256r1", tls.CurveP256},
	{"ecdhe_secp384r1", tls.CurveP384},
	{"ecdhe_secp521r1", tls.CurveP521},
	{"x25519mlkem768", tls.X25519MLKEM768}, // not the reference's, in its spelling
	{"secp256r1mlkem768", tls.SecP256r1MLKEM768},
	{"secp384r1mlkem1024", tls.SecP384r1MLKEM1024},
	{"ecdhe_x448", 0},
	{"ffdhe_2048", 0},
	{"ffdhe_3072", 0},
	{"ffdhe_4096", 0},
	{"ffdhe_6144", 0},
	{"ffdhe_8192", 0},
}

const (
	defaultGroups12 = "ecdhe_x25519,ecdhe_secp256r1,ecdhe_secp384r1,ecdhe_secp521r1"
	defaultGroups13 = "x25519mlkem768,secp256r1mlkem768,secp384r1mlkem1024," + defaultGroups12
)

// parseGroups reads a list of groups.
func parseGroups(value string) (ids []tls.CurveID, fix string) {
	for name := range strings.SplitSeq(value, ",") {
		name = strings.TrimSpace(name)
		if name == "" {
			continue
		}
		known := false
		for _, g := range groupNames {
			if strings.EqualFold(name, g.name) {
				if known = true; g.id == 0 {
					return nil, name + " is not there: crypto/tls has neither X448 nor finite-field groups; use " + defaultGroups12
				}
				ids = append(ids, g.id)
			}
		}
		if !known {
			return nil, "there is no group " + name + "; use " + defaultGroups12
		}
	}
	if ids == nil {
		return nil, "name at least one group of " + defaultGroups12
	}
	return ids, ""
}

func groupName(id tls.CurveID) string {
	for _, g := range groupNames {
		if g.id == id && id != 0 {
			return g.name
		}
	}
	return ""
}

// signatureNames are the signature algorithms of certificates under the names that
// TLS12SignatureAlgorithms and TLS13SignatureAlgorithms have for them. Those without
// algorithm never verify: Go has no DSA, SHA-224 or Ed448, and refuses SHA-1.
var signatureNames = []signatureName{
	{"", "rsa_pss_sha256", x509.SHA256WithRSAPSS},
	{"", "rsa_pss_sha384", x509.SHA384WithRSAPSS},
	{"", "rsa_pss_sha512", x509.SHA512WithRSAPSS},
	{"sha256-rsa", "rsa_pkcs1_sha256", x509.SHA256WithRSA},
	{"sha384-rsa", "rsa_pkcs1_sha384", x509.SHA384WithRSA},
	{"sha512-rsa", "rsa_pkcs1_sha512", x509.SHA512WithRSA},
	{"sha256-ecdsa", "ecdsa_secp256r1_sha256", x509.ECDSAWithSHA256},
	{"sha384-ecdsa", "ecdsa_secp384r1_sha384", x509.ECDSAWithSHA384},
	{"sha512-ecdsa", "ecdsa_secp521r1_sha512", x509.ECDSAWithSHA512},
	{"", "ed25519", x509.PureEd25519},
	{"", "ed448", 0},
	{"sha512-dsa", "", 0},
	{"sha384-dsa", "", 0},
	{"sha256-dsa", "", 0},
	{"sha224-ecdsa", "", 0},
	{"sha224-rsa", "", 0},
	{"sha224-dsa", "", 0},
	{"sha1-ecdsa", "", 0},
	{"sha1-rsa", "", 0},
	{"sha1-dsa", "", 0},
}

type signatureName struct {
	tls12, tls13 string
	algorithm    x509.SignatureAlgorithm
}

// signatureList is a default value: all names of a version that can be had.
func signatureList(tls13 bool) string {
	var names []string
	for _, s := range signatureNames {
		if name := s.of(tls13); name != "" && s.algorithm != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, ",")
}

func (s *signatureName) of(tls13 bool) string {
	if tls13 {
		return s.tls13
	}
	return s.tls12
}

// parseSignatures reads a list of signature algorithms. An empty one allows all: nil.
func parseSignatures(value string, tls13 bool) (allowed []x509.SignatureAlgorithm, fix string) {
	for name := range strings.SplitSeq(value, ",") {
		name = strings.TrimSpace(name)
		if name == "" {
			continue
		}
		known := false
		for _, s := range signatureNames {
			if of := s.of(tls13); of != "" && strings.EqualFold(name, of) {
				if known = true; s.algorithm == 0 {
					return nil, "no certificate signed with " + name + " ever verifies here; use " + signatureList(tls13)
				}
				allowed = append(allowed, s.algorithm)
			}
		}
		if !known {
			return nil, "there is no signature algorithm " + name + "; use " + signatureList(tls13)
		}
	}
	return allowed, ""
}

// negotiated are the settings SSLNegotiated... of a connection.
var negotiated = []negotiatedSetting{
	{"SSLNegotiatedCipher", func(s *tlsio.State) string { return cipherName(s.Cipher().StandardName) }},
	{"SSLNegotiatedCipherStrength", func(s *tlsio.State) string { return strconv.Itoa(s.Cipher().Bits) }},
	{"SSLNegotiatedCipherSuite", func(s *tlsio.State) string { return s.Cipher().StandardName }},
	{"SSLNegotiatedKeyExchange", keyExchange},
	{"SSLNegotiatedKeyExchangeStrength", func(s *tlsio.State) string { return strconv.Itoa(keyExchangeStrength(s)) }},
	{"SSLNegotiatedVersion", func(s *tlsio.State) string { return protocolName(s.Version) }},
}

type negotiatedSetting struct {
	name string
	of   func(*tlsio.State) string
}

// cipherName is the part of a suite's name that is its cipher: "AES_128_GCM".
func cipherName(suite string) string {
	_, cipher, found := strings.Cut(suite, "_WITH_")
	if !found {
		cipher = strings.TrimPrefix(suite, "TLS_")
	}
	if i := strings.LastIndexByte(cipher, '_'); i >= 0 {
		cipher = cipher[:i] // the hash
	}
	return cipher
}

// keyExchange is the group in the spelling of TLS13SupportedGroups, or RSA.
func keyExchange(s *tlsio.State) string {
	if s.CurveID != 0 {
		return groupName(s.CurveID)
	}
	if s.Version != 0 && !isTLS13(s.CipherSuite) && strings.HasPrefix(s.Cipher().StandardName, "TLS_RSA_") {
		return "RSA"
	}
	return ""
}

// keyExchangeStrength is the size in bits of the elliptic curve, also of one beside
// ML-KEM, or of the RSA key.
func keyExchangeStrength(s *tlsio.State) int {
	switch s.CurveID {
	case tls.X25519, tls.X25519MLKEM768:
		return 255
	case tls.CurveP256, tls.SecP256r1MLKEM768:
		return 256
	case tls.CurveP384, tls.SecP384r1MLKEM1024:
		return 384
	case tls.CurveP521:
		return 521
	}
	if cert := s.LocalCertificate(); cert != nil && keyExchange(s) == "RSA" {
		if key, ok := cert.PublicKey.(*rsa.PublicKey); ok {
			return key.N.BitLen()
		}
	}
	return 0
}
