package container

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
)

func isPEM(data []byte) bool { return bytes.Contains(data, []byte("-----BEGIN ")) }

// Sniff tells the format of a file from its content; [Auto] means that it can't. That
// the file is whole and right is not what it says.
func Sniff(data []byte) Format {
	text := bytes.TrimLeft(data, " \t\r\n\xef\xbb\xbf")
	switch {
	case len(text) == 0:
		return Auto
	case len(data) > 4 && (bytes.HasPrefix(data, jksMagic) || bytes.HasPrefix(data, jceksMagic)):
		return JKS
	case data[0] == tagSequence:
		return sniffDER(data)
	case text[0] == '{':
		return JWK
	case text[0] == '<':
		return XML
	case bytes.HasPrefix(text, []byte(ppkBegin)):
		return PPK
	case isSSH(text):
		return SSHPublic
	case isPEM(data):
		return PEM
	}
	return Auto
}

const tagSequence = 0x30

// sniffDER tells apart by the first elements of the outer SEQUENCE.
func sniffDER(data []byte) Format {
	var outer, first, second asn1.RawValue
	if rest, err := asn1.Unmarshal(data, &outer); err != nil || len(rest) > 0 && outer.Tag != asn1.TagSequence {
		return Auto
	}
	rest, err := asn1.Unmarshal(outer.Bytes, &first)
	if err != nil {
		return Auto
	}
	asn1.Unmarshal(rest, &second)
	switch {
	case first.Tag == asn1.TagOID:
		return PKCS7 // ContentInfo, RFC 2315 section 7
	case first.Tag == asn1.TagInteger && bytes.Equal(first.Bytes, []byte{3}) && second.Tag == asn1.TagSequence:
		return PKCS12 // RFC 7292 section 4
	case first.Tag == asn1.TagSequence && second.Tag == asn1.TagSequence && isBCFKS(first.Bytes):
		return BCFKS
	}
	return DER
}

// isBCFKS recognizes the EncryptedObjectStoreData at the start of Bouncy Castle's
// key store: unlike a certificate or an encrypted key, it starts with an algorithm,
// PBES2, and has an OCTET STRING within the same SEQUENCE.
func isBCFKS(data []byte) bool {
	var algorithm, encrypted asn1.RawValue
	rest, err := asn1.Unmarshal(data, &algorithm)
	if err != nil || algorithm.Tag != asn1.TagSequence {
		return false
	}
	_, err = asn1.Unmarshal(rest, &encrypted)
	return err == nil && encrypted.Tag == asn1.TagOctetString
}

// readDER reads certificates in a row, or one key of any kind.
func readDER(data []byte, password string, found *Contents) *Error {
	if _, err := x509.ParsePKIXPublicKey(data); err == nil {
		return found.addPublicDER(data)
	}
	var outer, first asn1.RawValue
	rest, err := asn1.Unmarshal(data, &outer)
	if err == nil {
		_, err = asn1.Unmarshal(outer.Bytes, &first)
	}
	if err != nil || outer.Tag != asn1.TagSequence {
		return failure(ErrSyntax, "it is neither PEM nor DER", "", err)
	}
	if first.Tag == asn1.TagInteger {
		if _, err := x509.ParsePKCS1PublicKey(data); err == nil {
			return found.addPublicDER(data)
		}
		return found.addKeyDER(data)
	}
	var encrypted encryptedKey
	if rest, err := asn1.Unmarshal(data, &encrypted); err == nil && len(rest) == 0 {
		der, err := decryptPKCS8(data, password)
		if err != nil {
			return err
		}
		return found.addDecrypted(der)
	}
	for {
		if err := found.addCertificate(outer.FullBytes); err != nil {
			return err
		}
		if len(rest) == 0 {
			return nil
		}
		if rest, err = asn1.Unmarshal(rest, &outer); err != nil {
			return failure(ErrSyntax, "something follows the certificate", "", err)
		}
	}
}
