package tlsio

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
)

const (
	pemCertificateFix = "this is PEM; certificates must be DER: openssl x509 -in FILE -outform DER"
	pemKeyFix         = "this is PEM; keys must be DER: openssl pkcs8 -topk8 -nocrypt -in FILE -outform DER"
)

func isPEM(der []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(der, " \t\r\n\xef\xbb\xbf"), []byte("-----BEGIN"))
}

// parseChain parses one or more DER certificates in a row.
func parseChain(der []byte) ([]*x509.Certificate, error) {
	if len(der) == 0 {
		return nil, errors.New("empty; give DER certificates")
	}
	if isPEM(der) {
		return nil, errors.New(pemCertificateFix)
	}
	certs, err := x509.ParseCertificates(der)
	if err != nil {
		return nil, fmt.Errorf("not DER certificates: %v", err)
	}
	return certs, nil
}

// parseKey parses a private key in PKCS#8, PKCS#1 or SEC 1 form.
func parseKey(der []byte) (crypto.Signer, error) {
	if len(der) == 0 {
		return nil, errors.New("empty; give a DER private key")
	}
	if isPEM(der) {
		return nil, errors.New(pemKeyFix)
	}
	var key any
	var err error
	if key, err = x509.ParsePKCS8PrivateKey(der); err != nil {
		if rsa, err1 := x509.ParsePKCS1PrivateKey(der); err1 == nil {
			key = rsa
		} else if ec, err2 := x509.ParseECPrivateKey(der); err2 == nil {
			key = ec
		} else {
			return nil, fmt.Errorf("not a DER private key (PKCS#8, PKCS#1 or SEC 1; encrypted keys are not supported): %v", err)
		}
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("a %T can't sign; give an RSA, ECDSA or Ed25519 key", key)
	}
	return signer, nil
}

type publicKey interface{ Equal(crypto.PublicKey) bool }

// parseIdentities pairs certificate chains with keys by their public keys, so
// that the order of the two lists doesn't matter. An element whose first
// certificate has no key and is a CA continues the chain before it.
func parseIdentities(errs *optionErrors, certName string, certDER [][]byte, keyName string, keyDER [][]byte) []tls.Certificate {
	if len(certDER) == 0 && len(keyDER) == 0 {
		return nil
	}
	if len(certDER) == 0 {
		errs.add(certName, nil, "missing; "+keyName+" needs its certificate")
	}
	if len(keyDER) == 0 {
		errs.add(keyName, nil, "missing; "+certName+" needs its private key")
	}
	before := len(*errs)
	keys := make([]crypto.Signer, len(keyDER))
	for i, der := range keyDER {
		var err error
		if keys[i], err = parseKey(der); err != nil {
			errs.add(fmt.Sprintf("%s[%d]", keyName, i), nil, err.Error())
		}
	}
	chains := make([][]*x509.Certificate, len(certDER))
	for i, der := range certDER {
		var err error
		if chains[i], err = parseChain(der); err != nil {
			errs.add(fmt.Sprintf("%s[%d]", certName, i), nil, err.Error())
		}
	}
	if len(*errs) != before || len(certDER) == 0 || len(keyDER) == 0 {
		return nil
	}

	var ids []tls.Certificate
	used := make([]bool, len(keys))
	for i, chain := range chains {
		leaf := chain[0]
		k := -1
		for j, key := range keys {
			if pub, ok := key.Public().(publicKey); ok && pub.Equal(leaf.PublicKey) {
				k = j
				break
			}
		}
		switch {
		case k >= 0:
			used[k] = true
			ids = append(ids, tls.Certificate{PrivateKey: keys[k], Leaf: leaf})
		case len(ids) == 0 || !leaf.IsCA:
			errs.add(fmt.Sprintf("%s[%d]", certName, i), fmt.Sprintf("%q", leaf.Subject),
				"belongs to none of the keys in "+keyName+"; give the key it was issued for")
			continue
		}
		id := &ids[len(ids)-1]
		for _, c := range chain {
			id.Certificate = append(id.Certificate, bytes.Clone(c.Raw))
		}
	}
	for j := range keys {
		if !used[j] {
			errs.add(fmt.Sprintf("%s[%d]", keyName, j), nil, "belongs to none of the certificates in "+certName)
		}
	}
	return ids
}

// addToPool adds the DER certificates in ders to pool.
func addToPool(errs *optionErrors, pool *x509.CertPool, name string, ders [][]byte) {
	for i, der := range ders {
		chain, err := parseChain(der)
		if err != nil {
			errs.add(fmt.Sprintf("%s[%d]", name, i), nil, err.Error())
			continue
		}
		for _, c := range chain {
			pool.AddCert(c)
		}
	}
}
