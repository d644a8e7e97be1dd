package container

import "encoding/asn1"

// readP7B reads the certificates of a SignedData, RFC 2315 section 9: what a P7B
// file is, signed by nobody. PEM around it is allowed.
func readP7B(data []byte, found *Contents) *Error {
	if isPEM(data) && data[0] != tagSequence {
		return readPEM(data, "", found)
	}
	var info struct {
		Type    asn1.ObjectIdentifier
		Content asn1.RawValue `asn1:"explicit,tag:0,optional"`
	}
	if rest, err := asn1.Unmarshal(data, &info); err != nil || len(rest) > 0 {
		return failure(ErrSyntax, "it is not PKCS#7 in DER", "convert it: openssl pkcs7 -inform DER -in FILE -outform DER", err)
	}
	const oidSignedData = "1.2.840.113549.1.7.2"
	if oid := info.Type.String(); oid != oidSignedData {
		return failure(ErrUnsupported, "it is PKCS#7 of the type "+oid, "only SignedData ("+oidSignedData+") holds certificates", nil)
	}
	var signed struct {
		Version      int
		Digests      asn1.RawValue
		Content      asn1.RawValue
		Certificates asn1.RawValue `asn1:"tag:0,optional"`
		CRLs         asn1.RawValue `asn1:"tag:1,optional"`
		Signers      asn1.RawValue
	}
	if _, err := asn1.Unmarshal(info.Content.Bytes, &signed); err != nil {
		return failure(ErrSyntax, "its SignedData is broken", "", err)
	}
	for rest := signed.Certificates.Bytes; len(rest) > 0; {
		var cert asn1.RawValue
		var err error
		if rest, err = asn1.Unmarshal(rest, &cert); err != nil {
			return failure(ErrSyntax, "its list of certificates is broken", "", err)
		}
		if cert.Class != asn1.ClassUniversal {
			continue // attribute certificates and such
		}
		if err := found.addCertificate(cert.FullBytes); err != nil {
			return err
		}
	}
	return nil
}
