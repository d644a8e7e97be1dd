package jsonmsg

import (
	"errors"
	"fmt"
	"os"
)

// Errors that callers test for with errors.Is. Those of the transport are
// *tlsio.Error.
var (
	// ErrNotConnected: there is no connection, it is not authenticated yet, or
	// there is no client with that id.
	ErrNotConnected = errors.New("jsonmsg: not connected or not authenticated")
	// ErrRequestTimeout: no answer within RequestTimeout. It matches
	// os.ErrDeadlineExceeded too.
	ErrRequestTimeout error = timeoutError("jsonmsg: request timeout")
	// ErrConnectionLost: the connection ended before the answer came.
	ErrConnectionLost = errors.New("jsonmsg: connection lost")
	// ErrIncorrectPassword: the password was refused.
	ErrIncorrectPassword = errors.New("jsonmsg: incorrect password")
	// ErrAuthTimeout: the peer didn't do its part of the authentication within
	// AuthTimeout.
	ErrAuthTimeout error = timeoutError("jsonmsg: not authenticated in time")
	// ErrKeepAliveTimeout: no pong within KeepAliveTimeout.
	ErrKeepAliveTimeout error = timeoutError("jsonmsg: no answer to a ping in time")
	// ErrSilent: nothing came from the server for IdleTimeout.
	ErrSilent error = timeoutError("jsonmsg: nothing received for too long")
	// ErrSlowReader: the peer doesn't take what is sent to it; see WriteTimeout.
	ErrSlowReader error = timeoutError("jsonmsg: the peer doesn't read what is sent to it")

	// ErrQueueFull: MaxQueue is reached; nothing of the message is sent. Wait
	// with Flush, or send less.
	ErrQueueFull = errors.New("jsonmsg: the send queue is full")
	// ErrTooManyRequests: MaxPending requests wait for their answers.
	ErrTooManyRequests = errors.New("jsonmsg: too many requests without an answer")
	// ErrMemory: MaxMemory is reached.
	ErrMemory = errors.New("jsonmsg: the memory for messages is used up")
	// ErrTooLarge: a message to be sent is larger than MaxMessage.
	ErrTooLarge = errors.New("jsonmsg: message too large")
	// ErrFalsy: false, null, 0 or "", which receivers drop.
	ErrFalsy = errors.New("jsonmsg: receivers drop false, null, 0 and \"\"; wrap the value in an object or an array")
	// ErrNotObject: requests and answers must be JSON objects.
	ErrNotObject = errors.New("jsonmsg: requests and answers must be objects")
	// ErrAnswered: the request was answered before; only the first answer counts.
	ErrAnswered = errors.New("jsonmsg: already answered")

	// ErrUnparsable: a line isn't JSON. It is skipped.
	ErrUnparsable = errors.New("jsonmsg: a line that isn't JSON")
	// ErrTooLong: the peer's line is longer than MaxMessage, or than
	// MaxPassword before it has authenticated.
	ErrTooLong = errors.New("jsonmsg: line too long")
	// ErrTooManyAttempts: this address has sent too many wrong passwords.
	ErrTooManyAttempts = errors.New("jsonmsg: too many wrong passwords from this address")
	// ErrTooManyClients: MaxClients are connected.
	ErrTooManyClients = errors.New("jsonmsg: too many clients")
	// ErrEvicted: a client that had not authenticated made room for a newer one.
	ErrEvicted = errors.New("jsonmsg: not authenticated, and newer clients wait")

	// ErrDisconnected: the connection was ended by this side.
	ErrDisconnected = errors.New("jsonmsg: disconnected")
	// ErrServerClosed is returned by Serve and Listen after Close or Shutdown.
	ErrServerClosed = errors.New("jsonmsg: the server is closed")
	// ErrNotSecured: Serve was given connections that aren't *tlsio.Conn.
	ErrNotSecured = errors.New("jsonmsg: not a connection of tlsio; use a listener of tlsio.Listen")
)

// timeoutError is an error that is a timeout in the sense of net.Error.
type timeoutError string

func (e timeoutError) Error() string   { return string(e) }
func (e timeoutError) Timeout() bool   { return true }
func (e timeoutError) Temporary() bool { return false }
func (e timeoutError) Is(err error) bool {
	return err == os.ErrDeadlineExceeded
}

// ReservedFieldError is the error for a message with a field that belongs to the
// protocol.
type ReservedFieldError struct{ Field string }

func (e *ReservedFieldError) Error() string {
	return fmt.Sprintf("jsonmsg: field %q belongs to the protocol; rename it, or wrap the object in another", e.Field)
}

// PanicError is reported when a handler has panicked. The connection is closed.
type PanicError struct {
	Value any    // what the handler panicked with
	Stack []byte // of the handler's goroutine
}

func (e *PanicError) Error() string { return fmt.Sprintf("jsonmsg: a handler panicked: %v", e.Value) }

// Unwrap returns the value if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}
