package container

import (
	"errors"
	"strings"
)

// Kinds of errors, for errors.Is. Every [*Error] is exactly one of them.
var (
	ErrTooLarge    = errors.New("too large")
	ErrSyntax      = errors.New("not of this format")
	ErrPassword    = errors.New("wrong password")
	ErrUnsupported = errors.New("not supported")
)

// Error is every error of this package: in which format, what is wrong, and what to do
// about it. It holds no key and no password.
type Error struct {
	Format Format // what the file was read as; Auto if that couldn't be told
	Kind   error  // one of the Err values of this package
	Reason string // what is wrong
	Fix    string // what to do; "" if nothing certain can be said
	Err    error  // the cause, if another package reported one
}

// Error gives format, reason, cause and fix on one line.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Format != Auto {
		b.WriteString(e.Format.String())
		b.WriteString(": ")
	}
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
