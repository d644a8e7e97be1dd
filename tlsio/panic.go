package tlsio

import (
	"fmt"
	"runtime/debug"
)

// PanicError is the cause when a function that the options name has panicked:
// VerifyPeer, GetCertificate, Admit, a Tap, KeyLog's writer and so on. It fails the
// connection that it was called for, and no other. Callbacks of the classes are another
// matter: see App.Run.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string {
	return fmt.Sprintf("a function of the options panicked: %v", e.Value)
}

// Unwrap returns what was panicked with, if that is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// caught, deferred, makes an error of a panic.
func caught(err *error) {
	switch v := recover().(type) {
	case nil:
	case *PanicError: // of brokenTap
		*err = v
	default:
		*err = &PanicError{v, debug.Stack()}
	}
}

// brokenTap stands in for a Tap whose making has panicked: the connection fails with
// its first byte.
type brokenTap struct{ cause error }

func (b brokenTap) Sent([]byte)     { panic(b.cause) }
func (b brokenTap) Received([]byte) { panic(b.cause) }
func (b brokenTap) Secret([]byte)   { panic(b.cause) }
func (b brokenTap) Closed(error)    {}
