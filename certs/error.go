package certs

import "strings"

// Kinds of problems. Every [FileError] is exactly one of these for errors.Is.
var (
	ErrLayout         error = &kind{"not a certificate store"}
	ErrUnexpectedFile error = &kind{"unexpected file"}
	ErrMissing        error = &kind{"missing file"}
	ErrRead           error = &kind{"unreadable file"}
	ErrTooLarge       error = &kind{"file too large"}
	ErrTooMany        error = &kind{"too many files"}
	ErrEmptyFile      error = &kind{"empty file"}
	ErrPEM            error = &kind{"PEM in place of DER"}
	ErrSyntax         error = &kind{"broken DER"}
	ErrTrailing       error = &kind{"trailing bytes"}
	ErrWrongObject    error = &kind{"wrong kind of object"}
	ErrKeyFormat      error = &kind{"private key is not in plain PKCS#8"}
	ErrKeyType        error = &kind{"unsupported key type"}
	ErrWeakKey        error = &kind{"weak key"}
	ErrWeakSignature  error = &kind{"weak signature algorithm"}
	ErrKeyMismatch    error = &kind{"key does not match the certificate"}
	ErrExpired        error = &kind{"certificate has expired"}
	ErrNotYetValid    error = &kind{"certificate is not valid yet"}
	ErrNoNames        error = &kind{"certificate names no host"}
	ErrBadName        error = &kind{"malformed DNS name"}
	ErrUsage          error = &kind{"certificate is not for TLS"}
	ErrChain          error = &kind{"broken certificate chain"}
	ErrNotCA          error = &kind{"not a certificate authority"}
	ErrDuplicate      error = &kind{"duplicate"}
	ErrBundle         error = &kind{"unusable bundle"}
	ErrNoCode         error = &kind{"no code for this in the program"}
	ErrKeeper         error = &kind{"no key from the keeper"}
	ErrCRL            error = &kind{"unusable certificate revocation list"}
	ErrRevoked        error = &kind{"certificate is revoked"}
	ErrPins           error = &kind{"unusable pins"}

	// ErrExpiresSoon is a warning only: see [Report.Warnings].
	ErrExpiresSoon error = &kind{"certificate expires soon"}
)

// kind is a sentinel. Unlike errors.New's, it is data and not code that runs at start.
type kind struct{ text string }

func (k *kind) Error() string { return k.text }

// A FileError says what is wrong with one file of a store.
type FileError struct {
	File   string // path in the store, such as "identities/default/key.der"
	Kind   error  // one of the Err values of this package
	Reason string // what is wrong, in full
	Fix    string // what to do about it
	Err    error  // the cause, if another package reported one; may be nil
}

// fault makes a FileError without a cause. It is a function, and not inlined, for its
// size: there are dozens of them in an image.
//
//go:noinline
func fault(file string, kind error, reason, fix string) *FileError {
	return &FileError{File: file, Kind: kind, Reason: reason, Fix: fix}
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
