package container

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"

	pkcs12 "software.sslmate.com/src/go-pkcs12"
)

// readPFX reads PKCS#12, RFC 7292. The usual file has one key with its chain; one
// with several keys is read in go-pkcs12's second way, which knows RSA and ECDSA
// only, and one with certificates only in its third, for Java's trust stores.
func readPFX(data []byte, password, keyPassword string, found *Contents) *Error {
	if keyPassword != password {
		return failure(ErrUnsupported, "KeyPassword differs from Password", "a PFX file has one password here; make it so: openssl pkcs12", nil)
	}
	if err := checkSalted(data, 0); err != nil {
		return err
	}
	key, leaf, others, err := pkcs12.DecodeChain(data, password)
	if err == nil {
		if err := found.addKey(key); err != nil {
			return err
		}
		for _, cert := range append([]*x509.Certificate{leaf}, others...) {
			if err := found.addCertificate(cert.Raw); err != nil {
				return err
			}
		}
		return nil
	}
	if errors.Is(err, pkcs12.ErrIncorrectPassword) || errors.Is(err, pkcs12.ErrDecryption) {
		return failure(ErrPassword, "the password is wrong", "set Password", err)
	}
	if blocks, err := pkcs12.ToPEM(data, password); err == nil {
		for _, b := range blocks {
			add := found.addCertificate
			if b.Type != "CERTIFICATE" {
				add = found.addKeyDER
			}
			if err := add(b.Bytes); err != nil {
				return err
			}
		}
		return nil
	}
	if certs, err := pkcs12.DecodeTrustStore(data, password); err == nil {
		for _, cert := range certs {
			if err := found.addCertificate(cert.Raw); err != nil {
				return err
			}
		}
		return nil
	}
	kind := ErrSyntax
	if _, ok := errors.AsType[pkcs12.NotImplementedError](err); ok {
		kind = ErrUnsupported
	}
	return failure(kind, "it can't be read as PKCS#12", "", err)
}

// maxDepth bounds how deep checkSalted looks.
const maxDepth = 32

// checkSalted bounds the time that a file can make us spend on its password, as
// far as that stands in the clear: what else there is, only somebody who knows the
// password could have written. In all structures of PKCS#5 and PKCS#12 the count
// is an INTEGER that follows the salt, an OCTET STRING.
func checkSalted(der []byte, depth int) *Error {
	afterOctets := false
	for len(der) > 0 && depth < maxDepth {
		var v asn1.RawValue
		rest, err := asn1.Unmarshal(der, &v)
		if err != nil {
			return nil // an OCTET STRING that holds no DER
		}
		der = rest
		if v.Class == asn1.ClassUniversal && v.Tag == asn1.TagInteger && afterOctets {
			var n int
			if _, err := asn1.Unmarshal(v.FullBytes, &n); err != nil {
				n = MaxIterations + 1
			}
			if err := checkIterations(n); err != nil {
				return err
			}
		}
		afterOctets = v.Class == asn1.ClassUniversal && v.Tag == asn1.TagOctetString
		if v.IsCompound || afterOctets {
			if err := checkSalted(v.Bytes, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}
