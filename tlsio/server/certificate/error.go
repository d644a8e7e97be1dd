package certificate

import (
	"errors"
	"strconv"

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
	return "certificate: " + e.Type.String() + " (" + strconv.Itoa(int(e.Type)) + "): " + e.inFile().Error()
}

// Unwrap makes errors.Is find the kind and errors.As the cause.
func (e *Error) Unwrap() []error { return e.inFile().Unwrap() }

// inFile is the error as package container has it, which words it the same way.
func (e *Error) inFile() *container.Error {
	return &container.Error{Kind: e.Kind, Reason: e.Reason, Fix: e.Fix, Err: e.Err}
}

// StatusCode is the reference's number for the error: 272 when the store was opened and
// the certificate isn't in it, otherwise 271, cannot open certificate store.
func (e *Error) StatusCode() int {
	if e.Kind == ErrNotFound {
		return 272
	}
	return 271
}
