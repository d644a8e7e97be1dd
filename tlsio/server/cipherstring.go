package server

import (
	"crypto/tls"
	"slices"
	"strings"

	"ingot.dev/tlsio"
)

// cipherWords are the words of OpenSSL's cipher strings (its manual page ciphers(1))
// that pick suites which crypto/tls may have, each with what a suite must be.
var cipherWords = map[string]func(tlsio.CipherInfo) bool{
	"ALL":     func(c tlsio.CipherInfo) bool { return true },
	"DEFAULT": func(c tlsio.CipherInfo) bool { return isDefault(c.ID) },
	"HIGH":    func(c tlsio.CipherInfo) bool { return c.Bits >= 128 && !has(c, "_RC4_") },
	"MEDIUM":  func(c tlsio.CipherInfo) bool { return has(c, "_RC4_") || has(c, "_3DES_") },
	"AES":     func(c tlsio.CipherInfo) bool { return has(c, "_AES_") },
	"AES128":  func(c tlsio.CipherInfo) bool { return has(c, "_AES_128_") },
	"AES256":  func(c tlsio.CipherInfo) bool { return has(c, "_AES_256_") },
	"AESGCM":  func(c tlsio.CipherInfo) bool { return has(c, "_GCM_") },
	"CHACHA20": func(c tlsio.CipherInfo) bool {
		return has(c, "_CHACHA20_")
	},
	"CBC":     func(c tlsio.CipherInfo) bool { return has(c, "_CBC_") },
	"3DES":    func(c tlsio.CipherInfo) bool { return has(c, "_3DES_") },
	"RC4":     func(c tlsio.CipherInfo) bool { return has(c, "_RC4_") },
	"ARSA":    func(c tlsio.CipherInfo) bool { return has(c, "_RSA_WITH_") },
	"AECDSA":  func(c tlsio.CipherInfo) bool { return has(c, "_ECDSA_") },
	"ECDSA":   func(c tlsio.CipherInfo) bool { return has(c, "_ECDSA_") },
	"KRSA":    func(c tlsio.CipherInfo) bool { return has(c, "TLS_RSA_") },
	"RSA":     func(c tlsio.CipherInfo) bool { return has(c, "TLS_RSA_") },
	"ECDHE":   func(c tlsio.CipherInfo) bool { return has(c, "_ECDHE_") },
	"EECDH":   func(c tlsio.CipherInfo) bool { return has(c, "_ECDHE_") },
	"KECDHE":  func(c tlsio.CipherInfo) bool { return has(c, "_ECDHE_") },
	"KEECDH":  func(c tlsio.CipherInfo) bool { return has(c, "_ECDHE_") },
	"SHA":     func(c tlsio.CipherInfo) bool { return strings.HasSuffix(c.StandardName, "_SHA") },
	"SHA1":    func(c tlsio.CipherInfo) bool { return strings.HasSuffix(c.StandardName, "_SHA") },
	"SHA256":  func(c tlsio.CipherInfo) bool { return has(c, "_CBC_SHA256") },
	"TLSV1.2": func(c tlsio.CipherInfo) bool { return c.Version == tlsio.TLSv12 },
	"TLSV1.0": func(c tlsio.CipherInfo) bool { return c.Version == "TLSv1.0" },
	"TLSV1":   func(c tlsio.CipherInfo) bool { return c.Version == "TLSv1.0" || c.Version == "SSLv3" },
	"SSLV3":   func(c tlsio.CipherInfo) bool { return c.Version == "SSLv3" },
}

// emptyWords pick suites that crypto/tls has none of: excluding them is done, asking
// for them isn't possible.
var emptyWords = []string{"COMPLEMENTOFDEFAULT", "COMPLEMENTOFALL", "LOW", "EXP", "EXPORT", "EXPORT40", "EXPORT56", "ENULL", "NULL", "ANULL", "ADH", "AECDH",
	"DES", "DH", "DHE", "EDH", "KDHE", "KEDH", "KDH", "KDHR", "KDHD", "ADSS", "DSS", "ADHS", "KECDH", "KECDHR", "KECDHE-", "ECDH", "AECDHS", "PSK", "KPSK", "APSK", "KRSAPSK",
	"KECDHEPSK", "KDHEPSK", "SRP", "KSRP", "ASRP", "CAMELLIA", "CAMELLIA128", "CAMELLIA256", "ARIA", "ARIA128", "ARIA256", "ARIAGCM", "IDEA", "SEED", "RC2",
	"AESCCM", "AESCCM8", "MD5", "SHA384", "KGOST", "AGOST", "AGOST01", "GOST94", "GOST89MAC", "SSLV2", "FZA", "AFZA", "EFZA"}

func has(c tlsio.CipherInfo, part string) bool { return strings.Contains(c.StandardName, part) }

func isDefault(id uint16) bool {
	return slices.ContainsFunc(tls.CipherSuites(), func(s *tls.CipherSuite) bool { return s.ID == id })
}

// suites12 are the suites up to TLS 1.2 that crypto/tls has.
func suites12() []tlsio.CipherInfo {
	var all []tlsio.CipherInfo
	for _, list := range [][]*tls.CipherSuite{tls.CipherSuites(), tls.InsecureCipherSuites()} {
		for _, s := range list {
			if c, ok := tlsio.CipherByID(s.ID); ok && !isTLS13(s.ID) {
				all = append(all, c)
			}
		}
	}
	return all
}

// parseCipherString reads OpenSSL's cipher string as a set: crypto/tls chooses by an
// order of its own, so that "+" at the start of a word and "@STRENGTH" change
// nothing. Like OpenSSL's, the string has no say about TLS 1.3.
func parseCipherString(value string) (ids []uint16, fix string) {
	all := suites12()
	killed := map[uint16]bool{}
	words := strings.FieldsFunc(value, func(r rune) bool { return r == ':' || r == ',' || r == ' ' })
	for _, word := range words {
		switch {
		case strings.EqualFold(word, "@STRENGTH"):
			continue
		case strings.HasPrefix(word, "@"):
			return nil, word + " is not there; leave it out"
		}
		operator := byte(0)
		if strings.IndexByte("!-+", word[0]) >= 0 {
			operator, word = word[0], word[1:]
		}
		matches, fix := cipherWord(word, all)
		if fix != "" {
			return nil, fix
		}
		if len(matches) == 0 && operator == 0 {
			return nil, "there are no suites with " + word + "; leave it out"
		}
		for _, id := range matches {
			switch operator {
			case 0:
				if !killed[id] && !slices.Contains(ids, id) {
					ids = append(ids, id)
				}
			case '!':
				killed[id] = true
				fallthrough
			case '-':
				ids = slices.DeleteFunc(ids, func(have uint16) bool { return have == id })
			}
		}
	}
	if len(ids) == 0 {
		return nil, "no suite is left; use a string such as ECDHE+AESGCM:!aNULL"
	}
	return ids, ""
}

// cipherWord returns the suites that word picks: the name of a suite, or words
// joined by "+", all of which must fit.
func cipherWord(word string, all []tlsio.CipherInfo) (ids []uint16, fix string) {
	if c, ok := tlsio.CipherByName(word); ok {
		if isTLS13(c.ID) {
			return nil, word + " is of TLS 1.3, about which this string has no say; leave it out"
		}
		return []uint16{c.ID}, ""
	}
	parts := strings.Split(strings.ToUpper(word), "+")
	for _, part := range parts {
		if cipherWords[part] == nil && !slices.Contains(emptyWords, part) {
			return nil, "there is neither a suite nor a word " + part + " in cipher strings; see ciphers(1) of OpenSSL"
		}
	}
	for _, c := range all {
		if !slices.ContainsFunc(parts, func(part string) bool { f := cipherWords[part]; return f == nil || !f(c) }) {
			ids = append(ids, c.ID)
		}
	}
	return ids, ""
}
