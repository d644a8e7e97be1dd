package certs

import (
	"errors"
	"strings"
)

// Kinds of problems. Every [FileError] is exactly one of these for errors.Is.
var (
	ErrLayout         = errors.New("not a certificate store")
	ErrUnexpectedFile = errors.New("unexpected file")
	ErrMissing        = errors.New("missing file")
	ErrRead           = errors.New("unreadable file")
	ErrTooLarge       = errors.New("file too large")
	ErrTooMany        = errors.New("too many files")
	ErrEmptyFile      = errors.New("empty file")
	ErrPEM            = errors.New("PEM in place of DER")
	ErrSyntax         = errors.New("broken DER")
	ErrTrailing       = errors.New("trailing bytes")
	ErrWrongObject    = errors.New("wrong kind of object")
	ErrKeyFormat      = errors.New("private key is not in plain PKCS#8")
	ErrKeyType        = errors.New("unsupported key type")
	ErrWeakKey        = errors.New("weak key")
	ErrWeakSignature  = errors.New("weak signature algorithm")
	ErrKeyMismatch    = errors.New("key does not match the certificate")
	ErrExpired        = errors.New("certificate has expired")
	ErrNotYetValid    = errors.New("certificate is not valid yet")
	ErrNoNames        = errors.New("certificate names no host")
	ErrBadName        = errors.New("malformed DNS name")
	ErrUsage          = errors.New("certificate is not for TLS")
	ErrChain          = errors.New("broken certificate chain")
	ErrNotCA          = errors.New("not a certificate authority")
	ErrDuplicate      = errors.New("duplicate")
	ErrBundle         = errors.New("unusable bundle")

	// ErrExpiresSoon is a warning only: see [Report.Warnings].
	ErrExpiresSoon = errors.New("certificate expires soon")
)

// A FileError says what is wrong with one file of a store.
type FileError struct {
	File   string // path in the store, such as "identities/default/key.der"
	Kind   error  // one of the Err values of this package
	Reason string // what is wrong, in full
	Fix    string // what to do about it
	Err    error  // the cause, if another package reported one; may be nil
}

// Error gives file, reason and fix on one line.
func (e *FileError) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	b.WriteString(": ")
	b.WriteString(e.Reason)
	if e.Err != nil {
		b.WriteString(" (")
		b.WriteString(e.Err.Error())
		b.WriteString(")")
	}
	if e.Fix != "" {
		b.WriteString("; ")
		b.WriteString(e.Fix)
	}
	return b.String()
}

// Unwrap makes errors.Is find the kind and errors.As the cause.
func (e *FileError) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Err}
}

// Problems returns every FileError in err, in the order of the report. It
// looks through errors.Join and wrapping.
func Problems(err error) []*FileError {
	switch e := err.(type) {
	case nil:
		return nil
	case *FileError:
		return []*FileError{e}
	case interface{ Unwrap() []error }:
		var all []*FileError
		for _, err := range e.Unwrap() {
			all = append(all, Problems(err)...)
		}
		return all
	case interface{ Unwrap() error }:
		return Problems(e.Unwrap())
	}
	return nil
}
