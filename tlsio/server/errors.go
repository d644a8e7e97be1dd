package server

import (
	"errors"
	"fmt"
	"strings"
)

// Error is the error of every method and event of this package. errors.Is finds
// the variables below by their number, and what stands in Err.
type Error struct {
	Op   string // what was called, or the event: "Send", "StartListening" ...
	ID   string // connection; "" if it is about none
	Code Code   // the reference's number
	Err  error  // the cause, if there is more to say than Code does
}

// Errors that callers test for with errors.Is.
var (
	// ErrAlreadyListening (104) is returned by StartListening.
	ErrAlreadyListening = &Error{Code: CodeAlreadyListening}
	// ErrLocalPort, ErrLocalHost and ErrMaxConnections (106, 107, 108) are returned
	// when Configure changes these while the server listens.
	ErrLocalPort      = &Error{Code: CodeLocalPort}
	ErrLocalHost      = &Error{Code: CodeLocalHost}
	ErrMaxConnections = &Error{Code: CodeMaxConnections}
	// ErrMaxLineLength (112) is returned when more of an unfinished line has come
	// than the new length would hold.
	ErrMaxLineLength = &Error{Code: CodeMaxLineLength}
	// ErrInvalidConnection (126) is returned for ids that no connection has, or has
	// any more.
	ErrInvalidConnection = &Error{Code: CodeInvalidConnectionID}
	// ErrWouldBlock (135, on Windows' sockets 10035) is returned by sends that
	// couldn't take everything.
	ErrWouldBlock = &Error{Code: CodeWouldBlock}
	// ErrInterrupted (10004) is returned by sends that Interrupt has ended.
	ErrInterrupted = &Error{Code: CodeInterrupted}
	// ErrTimeout (10060) is returned by sends that made no progress for Timeout,
	// and given to Disconnected with ErrIdle or ErrStalled below it.
	ErrTimeout = &Error{Code: CodeTimedOut}
	// ErrNotConnected (10057) is returned by sends before Connected.
	ErrNotConnected = &Error{Code: CodeNotConnected}
	// ErrShutdown (10058) is returned by sends after Disconnect.
	ErrShutdown = &Error{Code: CodeShutdown}

	// ErrIdle is the cause when IdleTimeout has ended a connection.
	ErrIdle = errors.New("server: neither sent nor received anything for IdleTimeout")
	// ErrStalled is the cause when StallTimeout has ended a connection.
	ErrStalled = errors.New("server: the client took nothing of what was sent to it for StallTimeout")
	// ErrPanic is the cause when an event has panicked.
	ErrPanic = errors.New("server: an event's function panicked")
	// ErrTooManyConnections is the cause when MaxConnections is reached.
	ErrTooManyConnections = errors.New("server: MaxConnections are connected")
	// ErrCutShort is the cause when TLS ended without close_notify while a line or
	// record was unfinished: somebody may have cut it off.
	ErrCutShort = errors.New("server: the connection ended within a line or record, without close_notify")
	// ErrClosed is the cause when Close, or the end of Shutdown's time, has broken
	// a connection off.
	ErrClosed = errors.New("server: closed")
)

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("server: ")
	if e.Op != "" {
		b.WriteString(e.Op)
		if e.ID != "" {
			b.WriteString(" ")
			b.WriteString(e.ID)
		}
		b.WriteString(": ")
	}
	text := e.Code.String()
	if n := fmt.Sprintf("[%d] ", int(e.Code)); !strings.HasPrefix(text, n) {
		text = n + text
	}
	b.WriteString(text)
	if e.Err != nil {
		b.WriteString(" ")
		b.WriteString(strings.TrimPrefix(e.Err.Error(), "server: "))
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is one of the variables above with e's number.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && *t == Error{Code: t.Code} && t.Code == e.Code
}

// Timeout reports whether time ran out.
func (e *Error) Timeout() bool { return e.Code == CodeTimedOut }

// Status returns what the reference's events say: the number and its text, 0 and
// "OK" for nil.
func Status(err error) (code int, description string) {
	if err == nil {
		return 0, "OK"
	}
	c := CodeOf(err)
	return int(c), c.String()
}

// newError wraps err with its number. An err that is an Error stays as it is.
func newError(op, id string, err error) error {
	if err == nil {
		return nil
	}
	if e, ok := err.(*Error); ok && e.Op != "" {
		return e
	}
	if e, ok := err.(*Error); ok {
		return &Error{op, id, e.Code, e.Err}
	}
	return &Error{op, id, CodeOf(err), err}
}
