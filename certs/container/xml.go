package container

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"
	"strings"
)

// maxXMLDepth is more than the elements around a key ever are: Signature, KeyInfo,
// KeyValue.
const maxXMLDepth = 16

// xmlRSA is the RSAKeyValue of XML Signature (W3C, section 4.5.2.1), with the members
// that .NET's RSA.ToXmlString(true) adds for a private key. All are CryptoBinary: a
// big-endian number in Base64.
type xmlRSA struct {
	Modulus, Exponent         string
	D, P, Q, DP, DQ, InverseQ string
}

// readXML reads keys and certificates, alone or anywhere in a document, such as
// in the KeyInfo of a signature. A public key whose certificate is there too is one
// and the same thing, said twice.
func readXML(data []byte, found *Contents) *Error {
	decoder := xml.NewDecoder(bytes.NewReader(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))))
	root := false
	for depth := 0; ; {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return failure(ErrSyntax, "the XML is broken", "", err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			root = true
			if depth++; depth > maxXMLDepth {
				return failure(ErrTooLarge, "its elements are nested too deep", fmt.Sprintf("the limit is %d", maxXMLDepth), nil)
			}
			read := xmlElements[token.Name.Local]
			if read == nil {
				continue
			}
			depth--
			if err := read(decoder, &token, found); err != nil {
				return err
			}
		case xml.EndElement:
			depth--
		}
	}
	if !root {
		return failure(ErrSyntax, "there is no XML element in it", "", nil)
	}
	found.PublicKeys = slices.DeleteFunc(found.PublicKeys, func(public crypto.PublicKey) bool {
		for _, cert := range found.Certificates {
			if samePublicKey(cert.PublicKey, public) {
				return true
			}
		}
		return false
	})
	return nil
}

// xmlElements are the elements that hold something for us, or that must not be passed
// over in silence.
var xmlElements = map[string]func(*xml.Decoder, *xml.StartElement, *Contents) *Error{
	"RSAKeyValue":     readXMLRSA,
	"X509Certificate": readXMLCertificate,
	"DSAKeyValue":     refuseXML,
	"ECKeyValue":      readXMLEC,
	"ECDSAKeyValue":   refuseXML,
	"EncryptedKey":    refuseXML,
	"EncryptedData":   refuseXML,
}

func refuseXML(_ *xml.Decoder, start *xml.StartElement, _ *Contents) *Error {
	return failure(ErrUnsupported, fmt.Sprintf("an element %s", start.Name.Local), "RSAKeyValue, ECKeyValue and X509Certificate are known; export other keys as PEM", nil)
}

func readXMLCertificate(decoder *xml.Decoder, start *xml.StartElement, found *Contents) *Error {
	var text string
	if err := decoder.DecodeElement(&text, start); err != nil {
		return failure(ErrSyntax, "the XML is broken", "", err)
	}
	der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		return failure(ErrSyntax, "a certificate in it is not Base64", "", err)
	}
	return found.addCertificate(der)
}

func readXMLRSA(decoder *xml.Decoder, start *xml.StartElement, found *Contents) *Error {
	var key xmlRSA
	if err := decoder.DecodeElement(&key, start); err != nil {
		return failure(ErrSyntax, "the XML is broken", "", err)
	}
	n, err := xmlNumber("Modulus", key.Modulus)
	if err != nil {
		return err
	}
	e, err := xmlNumber("Exponent", key.Exponent)
	if err != nil {
		return err
	}
	if e.BitLen() > 31 || e.Int64() < 3 {
		return failure(ErrUnsupported, "the exponent of the RSA key is out of range", "", nil)
	}
	public := &rsa.PublicKey{N: n, E: int(e.Int64())}
	if err := checkPublic(public); err != nil {
		return err
	}
	private := []string{key.D, key.P, key.Q}
	if strings.TrimSpace(strings.Join(append(private, key.DP, key.DQ, key.InverseQ), "")) == "" {
		return found.addPublic(public)
	}
	var numbers [3]*big.Int
	for i, name := range []string{"D", "P", "Q"} {
		if numbers[i], err = xmlNumber(name, private[i]); err != nil {
			err.Fix = "a private RSA key needs its primes"
			return err
		}
	}
	signer, cause := rsaKey(public, numbers[0], numbers[1], numbers[2])
	if cause != nil {
		return failure(ErrSyntax, "the numbers of the RSA key don't fit together", "", cause)
	}
	return found.addKey(signer)
}

// xmlCurves are the curves' object identifiers (RFC 5480 section 2.1.1.1).
var xmlCurves = map[string]elliptic.Curve{
	"urn:oid:1.2.840.10045.3.1.7": elliptic.P256(),
	"urn:oid:1.3.132.0.34":        elliptic.P384(),
	"urn:oid:1.3.132.0.35":        elliptic.P521(),
}

// readXMLEC reads the ECKeyValue of XML Signature 1.1 (W3C, section 4.5.2.3), which is
// public only: the curve by name, and the point without compression.
func readXMLEC(decoder *xml.Decoder, start *xml.StartElement, found *Contents) *Error {
	var key struct {
		NamedCurve struct {
			URI string `xml:",attr"`
		}
		PublicKey string
	}
	if err := decoder.DecodeElement(&key, start); err != nil {
		return failure(ErrSyntax, "the XML is broken", "", err)
	}
	curve, ok := xmlCurves[key.NamedCurve.URI]
	if !ok {
		return failure(ErrUnsupported, fmt.Sprintf("the curve %.64q", key.NamedCurve.URI), "P-256, P-384 and P-521 by NamedCurve are known", nil)
	}
	point, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(key.PublicKey), ""))
	if err != nil {
		return failure(ErrSyntax, "the point of the EC key is not Base64", "", err)
	}
	public, err := ecdsa.ParseUncompressedPublicKey(curve, point)
	if err != nil {
		return failure(ErrSyntax, "the point of the EC key is not on its curve", "", err)
	}
	return found.addPublic(public)
}

func xmlNumber(name, text string) (*big.Int, *Error) {
	b, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil || len(b) == 0 || len(b) > maxKeySize {
		return nil, failure(ErrSyntax, fmt.Sprintf("%s of the RSA key is missing, too large, or not Base64", name), "", err)
	}
	n := new(big.Int).SetBytes(b)
	if n.Sign() == 0 {
		return nil, failure(ErrSyntax, fmt.Sprintf("%s of the RSA key is zero", name), "", nil)
	}
	return n, nil
}
