package certs

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"path"
	"strings"
)

// checkDER makes sure that data is one DER SEQUENCE (X.690 §8.9, §10.1) and
// nothing else: what certificates and PKCS#8 keys both are. crypto/x509 is
// less strict about what follows a key. It returns nil if all is well.
func checkDER(file string, data []byte, want object) *FileError {
	if len(data) == 0 {
		return fault(file, ErrEmptyFile,
			"the file is empty",
			"write the DER "+want.String()+" into it")
	}
	if label, ok := pemLabel(data); ok {
		return pemError(file, label, data, want)
	}
	total, why := sequenceLength(data)
	switch {
	case why != "":
		return &FileError{File: file, Kind: ErrSyntax, Reason: why, Fix: rewriteFix(want)}
	case total > len(data):
		return fault(file, ErrSyntax,
			fmt.Sprintf("the file is cut short: its first bytes announce %d bytes and there are %d", total, len(data)),
			"copy it again, in binary mode")
	case total < len(data):
		rest := data[total:]
		e := fault(file, ErrTrailing,
			fmt.Sprintf("after the first object, %d bytes long, come %d more bytes", total, len(rest)),
			rewriteFix(want))
		if _, why := sequenceLength(rest); why == "" {
			e.Fix = "put each certificate or key into a file of its own"
		} else if len(bytes.TrimSpace(rest)) == 0 {
			e.Fix = "copy it in binary mode: what was added is white space, as text tools do"
		}
		return e
	}
	return nil
}

// object is what a file ought to hold.
type object int

const (
	certificate object = iota
	privateKeyObject
)

func (o object) String() string {
	if o == certificate {
		return "certificate"
	}
	return "private key"
}

func rewriteFix(want object) string {
	if want == certificate {
		return "export the certificate again in DER, such as with 'openssl x509 -outform DER'"
	}
	return "export the key again in PKCS#8 DER, such as with 'openssl pkcs8 -topk8 -nocrypt -outform DER'"
}

// sequenceLength reads the tag and length at the start of data and returns the
// whole length of that SEQUENCE, which may be more than there is, or a reason
// why it is none.
func sequenceLength(data []byte) (total int, why string) {
	const (
		sequence    = 0x30
		longForm    = 0x80
		maxLenBytes = 4
	)
	if len(data) < 2 {
		return 0, "the file is too short to be DER"
	}
	if data[0] != sequence {
		return 0, fmt.Sprintf("the file does not start with a DER SEQUENCE (byte 0x30) but with 0x%02x", data[0])
	}
	first := int(data[1])
	if first < longForm {
		return 2 + first, ""
	}
	n := first - longForm
	if n == 0 || n > maxLenBytes || len(data) < 2+n {
		return 0, "the length at the start of the file is not DER"
	}
	var length uint64
	for _, b := range data[2 : 2+n] {
		length = length<<8 | uint64(b)
	}
	// DER demands the shortest form (X.690 §10.1).
	if length < longForm || data[2] == 0 {
		return 0, "the length at the start of the file is not in its shortest form, as DER demands"
	}
	if length > 1<<30 {
		return 0, "the length at the start of the file is absurd"
	}
	return 2 + n + int(length), ""
}

// pemLabel finds the first PEM header (RFC 7468 §2), wherever it is: tools
// write explanatory text before it.
func pemLabel(data []byte) (label string, ok bool) {
	const begin = "-----BEGIN "
	i := bytes.Index(data, []byte(begin))
	// Such bytes may be part of a DER object, if that is all there is.
	if i < 0 || (i > 0 && data[i-1] != '\n' && !bytes.HasPrefix(data, []byte("\xef\xbb\xbf"))) {
		return "", false
	}
	if total, why := sequenceLength(data); why == "" && total == len(data) {
		return "", false
	}
	rest := data[i+len(begin):]
	j := bytes.Index(rest, []byte("-----"))
	if j < 0 || j > 64 || bytes.ContainsAny(rest[:j], "\r\n") {
		return "", false
	}
	return string(rest[:j]), true
}

// pemError explains how to convert a PEM file. If the file already has the
// name that the DER file needs, the conversion goes through a second file.
func pemError(file, label string, data []byte, want object) *FileError {
	e := &FileError{File: file, Kind: ErrPEM}
	e.Reason = fmt.Sprintf("the file is PEM (%q); this store holds DER", label)

	holds := certificate
	switch {
	case strings.HasSuffix(label, "PRIVATE KEY"):
		holds = privateKeyObject
	case strings.HasSuffix(label, "CERTIFICATE"):
	default:
		e.Reason += ", and that is neither a certificate nor a private key"
		e.Fix = "put the " + want.String() + " here, in DER"
		return e
	}
	if holds != want {
		e.Reason += fmt.Sprintf(", and a %s in the place of a %s", holds, want)
		e.Fix = "put the " + want.String() + " here, in DER"
		return e
	}
	if n := bytes.Count(data, []byte("-----BEGIN "+label+"-----")); n > 1 {
		e.Reason += fmt.Sprintf("; it holds %d of them, and each needs a file of its own", n)
	}
	e.Fix = "convert it: " + convertCommand(file, derName(file, holds), holds)
	return e
}

// derName is the name that the DER form of a file needs to have in the store.
func derName(file string, holds object) string {
	if strings.HasPrefix(file, identitiesDir+"/") {
		dir, base := path.Split(file)
		switch {
		case holds == privateKeyObject:
			return dir + keyFile
		case !strings.HasPrefix(base, chainPrefix):
			return dir + certFile
		}
	}
	return strings.TrimSuffix(file, path.Ext(file)) + derSuffix
}

func convertCommand(from, to string, holds object) string {
	out := to
	if from == to {
		out = to + ".new"
	}
	command := "openssl x509 -in " + from
	if holds == privateKeyObject {
		command = "openssl pkcs8 -topk8 -nocrypt -in " + from
	}
	command += " -outform DER -out " + out
	if from == to {
		command += " && mv " + out + " " + to
	} else {
		command += " && rm " + from
	}
	return command
}

// parseCertificate parses a file that must hold one certificate.
func parseCertificate(file string, data []byte) (*x509.Certificate, *FileError) {
	if e := checkDER(file, data, certificate); e != nil {
		return nil, e
	}
	cert, err := x509.ParseCertificate(data)
	if err == nil {
		return cert, nil
	}
	e := &FileError{File: file, Kind: ErrSyntax, Err: err,
		Reason: "the file is not an X.509 certificate",
		Fix:    rewriteFix(certificate)}
	if looksLikeKey(data) {
		*e = FileError{File: file, Kind: ErrWrongObject,
			Reason: "the file holds a private key, not a certificate",
			Fix:    "put the certificate here; a key belongs in " + identitiesDir + "/<name>/" + keyFile}
	} else if _, err := x509.ParseCertificateRequest(data); err == nil {
		*e = FileError{File: file, Kind: ErrWrongObject,
			Reason: "the file holds a certificate request, not a certificate",
			Fix:    "send the request to a certificate authority and put its answer here"}
	}
	return nil, e
}

// looksLikeKey recognises private keys by shape: SEQUENCE { INTEGER version,
// ... } for PKCS#1, SEC 1 and PKCS#8. In a certificate the first element is a
// SEQUENCE.
func looksLikeKey(data []byte) bool {
	var outer asn1.RawValue
	if _, err := asn1.Unmarshal(data, &outer); err != nil || !outer.IsCompound {
		return false
	}
	var version int
	rest, err := asn1.Unmarshal(outer.Bytes, &version)
	return err == nil && version <= 1 && len(rest) > 0
}
