package tlsio

import (
	"errors"
	"fmt"
	"net"
	"runtime/debug"
)

// PanicError is the cause when a function that the options name has panicked:
// VerifyPeer, GetCertificate, Admit, a Tap, KeyLog's writer and so on. It fails the
// connection that it was called for, and no other. runtime.Goexit does the same in a
// handshake's VerifyPeer, GetCertificate and Now, but not in the others. Callbacks of the
// classes are another matter: see App.Run.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string {
	if e.Value == errGoexit {
		return "a function of the options " + errGoexit.Error()
	}
	return fmt.Sprintf("a function of the options panicked: %v", e.Value)
}

// Unwrap returns what was panicked with, if that is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// errGoexit is the Value for a function that has ended its goroutine.
var errGoexit = errors.New("called runtime.Goexit")

// exited is a handshake's error after runtime.Goexit.
func exited(op string, addr net.Addr, server bool) error {
	return newError(op, addr, StageHandshake, nil, server, &PanicError{Value: errGoexit})
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
