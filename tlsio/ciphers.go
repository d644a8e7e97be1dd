package tlsio

import (
	"crypto/tls"
	"strings"
)

// CipherInfo describes a cipher suite.
type CipherInfo struct {
	ID           uint16 // IANA's number
	Name         string // OpenSSL's name, as ECDHE-RSA-AES128-GCM-SHA256
	StandardName string // IANA's name, as TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
	// Version is the oldest protocol that has the suite, in OpenSSL's spelling:
	// SSLv3, TLSv1.0, TLSv1.2 or TLSv1.3.
	Version string
	Bits    int // strength of the cipher
}

// cipherTable holds all suites that crypto/tls has.
var cipherTable = [...]CipherInfo{
	{tls.TLS_AES_128_GCM_SHA256, "TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256", "TLSv1.3", 128},
	{tls.TLS_AES_256_GCM_SHA384, "TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384", "TLSv1.3", 256},
	{tls.TLS_CHACHA20_POLY1305_SHA256, "TLS_CHACHA20_POLY1305_SHA256", "TLS_CHACHA20_POLY1305_SHA256", "TLSv1.3", 256},
	{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, "ECDHE-ECDSA-AES128-GCM-SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLSv1.2", 128},
	{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, "ECDHE-RSA-AES128-GCM-SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLSv1.2", 128},
	{tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, "ECDHE-ECDSA-AES256-GCM-SHA384", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "TLSv1.2", 256},
	{tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, "ECDHE-RSA-AES256-GCM-SHA384", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "TLSv1.2", 256},
	{tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, "ECDHE-ECDSA-CHACHA20-POLY1305", "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "TLSv1.2", 256},
	{tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, "ECDHE-RSA-CHACHA20-POLY1305", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "TLSv1.2", 256},
	{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256, "ECDHE-ECDSA-AES128-SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256", "TLSv1.2", 128},
	{tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256, "ECDHE-RSA-AES128-SHA256", "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256", "TLSv1.2", 128},
	{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, "ECDHE-ECDSA-AES128-SHA", "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", "TLSv1.0", 128},
	{tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, "ECDHE-RSA-AES128-SHA", "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "TLSv1.0", 128},
	{tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA, "ECDHE-ECDSA-AES256-SHA", "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", "TLSv1.0", 256},
	{tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA, "ECDHE-RSA-AES256-SHA", "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", "TLSv1.0", 256},
	{tls.TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA, "ECDHE-RSA-DES-CBC3-SHA", "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA", "TLSv1.0", 112},
	{tls.TLS_ECDHE_ECDSA_WITH_RC4_128_SHA, "ECDHE-ECDSA-RC4-SHA", "TLS_ECDHE_ECDSA_WITH_RC4_128_SHA", "TLSv1.0", 128},
	{tls.TLS_ECDHE_RSA_WITH_RC4_128_SHA, "ECDHE-RSA-RC4-SHA", "TLS_ECDHE_RSA_WITH_RC4_128_SHA", "TLSv1.0", 128},
	{tls.TLS_RSA_WITH_AES_128_GCM_SHA256, "AES128-GCM-SHA256", "TLS_RSA_WITH_AES_128_GCM_SHA256", "TLSv1.2", 128},
	{tls.TLS_RSA_WITH_AES_256_GCM_SHA384, "AES256-GCM-SHA384", "TLS_RSA_WITH_AES_256_GCM_SHA384", "TLSv1.2", 256},
	{tls.TLS_RSA_WITH_AES_128_CBC_SHA256, "AES128-SHA256", "TLS_RSA_WITH_AES_128_CBC_SHA256", "TLSv1.2", 128},
	{tls.TLS_RSA_WITH_AES_128_CBC_SHA, "AES128-SHA", "TLS_RSA_WITH_AES_128_CBC_SHA", "SSLv3", 128},
	{tls.TLS_RSA_WITH_AES_256_CBC_SHA, "AES256-SHA", "TLS_RSA_WITH_AES_256_CBC_SHA", "SSLv3", 256},
	{tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA, "DES-CBC3-SHA", "TLS_RSA_WITH_3DES_EDE_CBC_SHA", "SSLv3", 112},
	{tls.TLS_RSA_WITH_RC4_128_SHA, "RC4-SHA", "TLS_RSA_WITH_RC4_128_SHA", "SSLv3", 128},
}

// CipherByName finds a suite by OpenSSL's or IANA's name, in letters of any case.
func CipherByName(name string) (CipherInfo, bool) {
	for _, c := range cipherTable {
		if strings.EqualFold(name, c.Name) || strings.EqualFold(name, c.StandardName) {
			return c, true
		}
	}
	return CipherInfo{}, false
}

// CipherByID finds a suite by IANA's number.
func CipherByID(id uint16) (CipherInfo, bool) {
	for _, c := range cipherTable {
		if c.ID == id {
			return c, true
		}
	}
	return CipherInfo{}, false
}

// group describes a key exchange group.
type group struct {
	id   tls.CurveID
	name string // IANA's, in crypto/tls's spelling
	// OpenSSL's name, and the size in bits that it gives; 0 for the hybrids, which
	// are no curves.
	openssl string
	bits    int
}

var groupTable = [...]group{
	{tls.X25519MLKEM768, "X25519MLKEM768", "X25519MLKEM768", 0},
	{tls.SecP256r1MLKEM768, "SecP256r1MLKEM768", "SecP256r1MLKEM768", 0},
	{tls.SecP384r1MLKEM1024, "SecP384r1MLKEM1024", "SecP384r1MLKEM1024", 0},
	{tls.X25519, "X25519", "X25519", 253},
	{tls.CurveP256, "secp256r1", "prime256v1", 256},
	{tls.CurveP384, "secp384r1", "secp384r1", 384},
	{tls.CurveP521, "secp521r1", "secp521r1", 521},
}

// GroupByName finds a key exchange group by its name: IANA's, OpenSSL's or NIST's
// (P-256), in letters of any case.
func GroupByName(name string) (tls.CurveID, bool) {
	if rest, ok := strings.CutPrefix(strings.ToUpper(name), "P-"); ok {
		name = "secp" + rest + "r1"
	}
	for _, g := range groupTable {
		if strings.EqualFold(name, g.name) || strings.EqualFold(name, g.openssl) {
			return g.id, true
		}
	}
	return 0, false
}

// GroupName returns IANA's name of a group.
func GroupName(id tls.CurveID) string {
	for _, g := range groupTable {
		if g.id == id {
			return g.name
		}
	}
	return id.String()
}

// EphemeralKey describes a key exchange as Node's getEphemeralKeyInfo does.
type EphemeralKey struct {
	Type string // "ECDH", or "KEM" for the hybrids with ML-KEM, for which Node has no word
	Name string // OpenSSL's name of the group
	Size int    // bits; 0 for KEM
}
