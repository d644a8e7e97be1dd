package container

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
)

// readPEM reads PEM (RFC 7468) with keys and certificates in any order.
func readPEM(data []byte, password string, found *Contents) *Error {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")) // byte order mark
	isPEM := false
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		isPEM = true
		if err := readBlock(block, password, found); err != nil {
			return err
		}
	}
	if !isPEM {
		return failure(ErrSyntax, "there is no PEM block in it", "open DER as such; PEM has lines BEGIN and END", nil)
	}
	return nil
}

// readBlock reads one block, and wipes it if it is a private key.
func readBlock(block *pem.Block, password string, found *Contents) *Error {
	if strings.HasSuffix(block.Type, "PRIVATE KEY") {
		defer clear(block.Bytes) // which pem.Decode has made
	}
	switch block.Type {
	case "CERTIFICATE", "X509 CERTIFICATE":
		return found.addCertificate(block.Bytes)
	case "ENCRYPTED PRIVATE KEY":
		der, err := decryptPKCS8(block.Bytes, password)
		if err != nil {
			return err
		}
		return found.addDecrypted(der)
	case "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY":
		if !strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") {
			return found.addKeyDER(block.Bytes)
		}
		// The way before PKCS#8, RFC 1421, which OpenSSL wrote until version 1.0. It is
		// weak: MD5 makes the key. That harms nobody who reads it.
		der, err := x509.DecryptPEMBlock(block, []byte(password))
		if err != nil {
			return failure(ErrPassword, "the private key can't be decrypted", "set Password or KeyPassword", err)
		}
		return found.addDecrypted(der)
	case "PUBLIC KEY", "RSA PUBLIC KEY":
		return found.addPublicDER(block.Bytes)
	case "PKCS7", "CMS":
		return readP7B(block.Bytes, found)
	case "EC PARAMETERS", "X509 CRL":
		return nil // beside a key, or a certificate, and says nothing about them
	case "OPENSSH PRIVATE KEY":
		return found.addOpenSSH(block, password)
	case "TRUSTED CERTIFICATE":
		return failure(ErrUnsupported, "a certificate with OpenSSL's trust settings", "convert it: openssl x509 -in FILE", nil)
	}
	return failure(ErrUnsupported, fmt.Sprintf("a PEM block %q", block.Type), "leave it out", nil)
}

// addDecrypted adds a key that was encrypted, and wipes der. A wrong password is noticed
// by what comes out, not always by the padding.
func (c *Contents) addDecrypted(der []byte) *Error {
	defer clear(der)
	err := c.addKeyDER(der)
	if err != nil && err.Kind == ErrSyntax {
		return failure(ErrPassword, "the private key can't be decrypted", "set Password or KeyPassword", nil)
	}
	return err
}

// readPublic reads a certificate or a public key, or several, in PEM or DER. A
// private key has no business there.
func readPublic(data []byte, found *Contents) *Error {
	var err *Error
	if isPEM(data) {
		err = readPEM(data, "", found)
	} else {
		err = readDER(data, "", found)
	}
	if err == nil && len(found.Keys) > 0 || err != nil && err.Kind == ErrPassword {
		return failure(ErrSyntax, "there is a private key in it", "open it as what may hold private keys, such as PEM", nil)
	}
	return err
}
