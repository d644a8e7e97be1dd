package certificate

import (
	"errors"
	"strconv"
	"strings"

	"ingot.dev/certs/container"
)

// Kinds of errors, for errors.Is. Every [*Error] is exactly one of them. Those of what
// is in a file are the ones of package container.
var (
	ErrOption      = errors.New("wrong option")
	ErrRead        = errors.New("cannot be read")
	ErrTooLarge    = container.ErrTooLarge
	ErrSyntax      = container.ErrSyntax
	ErrPassword    = container.ErrPassword
	ErrUnsupported = container.ErrUnsupported
	ErrNotFound    = errors.New("no such certificate")
)

// Error is every error of this package: which store, what is wrong, and what to
// do about it. It holds no key and no password.
type Error struct {
	Type   StoreType
	Kind   error  // one of the Err values of this package
	Reason string // what is wrong
	Fix    string // what to do; "" if nothing certain can be said
	Err    error  // the cause, if another package reported one
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("certificate: ")
	b.WriteString(e.Type.String())
	b.WriteString(" (")
	b.WriteString(strconv.Itoa(int(e.Type)))
	b.WriteString("): ")
	b.WriteString(e.Reason)
	if e.Err != nil {
		b.WriteString(": ")
		b.WriteString(e.Err.Error())
	}
	if e.Fix != "" {
		b.WriteString(" (")
		b.WriteString(e.Fix)
		b.WriteString(")")
	}
	return b.String()
}

// Unwrap makes errors.Is find the kind and errors.As the cause.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Err}
}

// StatusCode is the reference's number for the error: 272 when the store was opened and
// the certificate isn't in it, otherwise 271, cannot open certificate store.
func (e *Error) StatusCode() int {
	if e.Kind == ErrNotFound {
		return 272
	}
	return 271
}
