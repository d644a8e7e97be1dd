package tlsio

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
)

// Stage says how far an operation got before it failed.
type Stage string

// The stages, in the order in which a connection passes through them.
const (
	StageOptions   Stage = "options"   // an option was refused; nothing was allocated
	StageListen    Stage = "listen"    // binding the local address
	StageResolve   Stage = "resolve"   // turning a name into an address
	StageConnect   Stage = "connect"   // TCP connection set-up, or accepting one
	StageHandshake Stage = "handshake" // TLS handshake, but for the next stage
	StageVerify    Stage = "verify"    // judging the peer's certificate
	StageRead      Stage = "read"
	StageWrite     Stage = "write"
	StageClose     Stage = "close"
)

// Errors that callers test for with errors.Is.
var (
	// ErrClosed is returned by everything on a closed instance, also when it was
	// closed by handing it over. It matches net.ErrClosed too.
	ErrClosed error = closedError{}
	// ErrFailed is returned by everything but Close after OnError was called.
	ErrFailed error = &sentinel{"tlsio: the connection failed before; only Close may be called", nil}
	// ErrNotConnected is returned by writes before the first OnWritable.
	ErrNotConnected error = &sentinel{"tlsio: not connected yet; wait for OnWritable", nil}
	// ErrOverflow is returned by a write of more bytes than the writable count.
	// Nothing of that write was sent.
	ErrOverflow error = &sentinel{"tlsio: more bytes than the writable count; nothing was written", nil}
	// ErrFormat is returned when a read or write doesn't suit the instance's Format.
	ErrFormat error = &sentinel{"tlsio: not allowed in this format", nil}
	// ErrNotSupported is returned by methods that a class has only for form's sake.
	ErrNotSupported error = &sentinel{"tlsio: not supported by this class", &errors.ErrUnsupported}
	// ErrHandshakeTimeout says that the peer didn't finish the handshake in time.
	ErrHandshakeTimeout error = handshakeTimeout{}
	// ErrTooManyConnections is reported for connections above MaxConnections.
	ErrTooManyConnections error = &sentinel{"tlsio: too many connections", nil}
	// ErrEvicted is reported for an unfinished handshake that had to make room
	// because MaxHandshakes were under way.
	ErrEvicted error = &sentinel{"tlsio: dropped in favour of a newer connection, because MaxHandshakes are under way", nil}
)

// sentinel is the type of this package's errors for errors.Is. Unlike those of
// errors.New, sentinels are made by the compiler, and those that a program doesn't
// use are not in it.
type sentinel struct {
	text   string
	parent *error // matched by errors.Is too; nil for none
}

func (e *sentinel) Error() string { return e.text }

// Is makes sentinels match their parent.
func (e *sentinel) Is(target error) bool { return e.parent != nil && *e.parent == target }

type closedError struct{}

func (closedError) Error() string        { return "tlsio: closed" }
func (closedError) Is(target error) bool { return target == net.ErrClosed }

type handshakeTimeout struct{}

func (handshakeTimeout) Error() string        { return "tlsio: handshake not finished in time" }
func (handshakeTimeout) Timeout() bool        { return true }
func (handshakeTimeout) Temporary() bool      { return true }
func (handshakeTimeout) Is(target error) bool { return target == os.ErrDeadlineExceeded }

// Error is the error of every operation of this package, but for io.EOF, which
// blocking reads return as it is.
type Error struct {
	Op    string // what was called: "Dial", "NewTLS", "Read" ...
	Addr  string // remote address, or the local one for listeners; "" if unknown
	Stage Stage
	Alert Alert  // the TLS alert sent or received, if one is known
	Hint  string // what to do about it; "" if nothing certain can be said
	Err   error  // the cause
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("tlsio: ")
	b.WriteString(e.Op)
	if e.Addr != "" {
		b.WriteString(" ")
		b.WriteString(e.Addr)
	}
	b.WriteString(": ")
	b.WriteString(string(e.Stage))
	if e.Alert.Origin != AlertNone {
		b.WriteString(": ")
		b.WriteString(e.Alert.String())
	}
	if e.Err != nil {
		b.WriteString(": ")
		b.WriteString(strings.TrimPrefix(e.Err.Error(), "tlsio: "))
	}
	if e.Hint != "" {
		b.WriteString(" (")
		b.WriteString(e.Hint)
		b.WriteString(")")
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Timeout reports whether a deadline or time limit caused the error. With
// Temporary it makes Error a net.Error.
func (e *Error) Timeout() bool {
	t, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](e.Err)
	return ok && t.Timeout()
}

// Temporary reports whether the operation can be repeated on the same
// connection, which is so for timeouts of reads only.
func (e *Error) Temporary() bool { return e.Stage == StageRead && e.Timeout() }

// OptionError describes one refused option. Options errors come joined, within
// an Error of StageOptions.
type OptionError struct {
	Option string // Go name of the field, as "TLS.Host" or "CA[1]"
	Value  any    // what was given; never a private key
	Fix    string // what would be accepted
}

func (e *OptionError) Error() string {
	if e.Value == nil {
		return fmt.Sprintf("option %s: %s", e.Option, e.Fix)
	}
	return fmt.Sprintf("option %s = %v: %s", e.Option, e.Value, e.Fix)
}

// optionErrors collects refused options, so that all are reported at once.
type optionErrors []error

func (l *optionErrors) add(option string, value any, fix string) {
	*l = append(*l, &OptionError{Option: option, Value: value, Fix: fix})
}

// addCause is add for options whose contents are at fault: errors.Is finds cause.
func (l *optionErrors) addCause(option, fix string, cause error) {
	*l = append(*l, &causedOption{OptionError{Option: option, Fix: fix}, cause})
}

type causedOption struct {
	OptionError
	cause error
}

func (e *causedOption) Error() string   { return e.OptionError.Error() + ": " + e.cause.Error() }
func (e *causedOption) Unwrap() []error { return []error{&e.OptionError, e.cause} }

func (l optionErrors) err(op string) error {
	if len(l) == 0 {
		return nil
	}
	return &Error{Op: op, Stage: StageOptions, Err: errors.Join(l...)}
}

// newError wraps err with all that can be learnt from it and from the records
// that w saw. An err that already is an Error stays as it is.
func newError(op string, addr net.Addr, stage Stage, w *wire, server bool, err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	e := &Error{Op: op, Stage: stage, Err: err}
	if addr != nil {
		e.Addr = addr.String()
	}
	if stage == StageHandshake && isVerifyError(err) {
		e.Stage = StageVerify
	}
	e.Alert = alertOf(err, w, server)
	e.Hint = hint(e, server)
	return e
}

// isVerifyError reports whether err is about the peer's certificate.
func isVerifyError(err error) bool {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return true
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return true
	}
	if _, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		return true
	}
	if _, ok := err.(refusal); ok { // as VerifyConnection returned it
		return true
	}
	return err.Error() == noClientCertificate
}

// noClientCertificate is the text of crypto/tls's error for a client that sent
// no certificate though one is required; it has no type of its own.
const noClientCertificate = "tls: client didn't provide a certificate"

// refusal is what the errors of this package's own rules on peers have in common:
// what to do about it, "" if nothing certain can be said.
type refusal interface {
	error
	refusal() (hint string)
}

// DecisionError is the cause when the program's VerifyPeer refuses a peer.
type DecisionError struct{ Err error }

func (*DecisionError) refusal() string { return "" }

func (e *DecisionError) Error() string { return "refused by VerifyPeer: " + e.Err.Error() }

// Unwrap returns what VerifyPeer returned.
func (e *DecisionError) Unwrap() error { return e.Err }

// VerifyError is the cause when this package's own policy, not crypto/x509,
// refuses a peer.
type VerifyError struct{ Reason string }

func (e *VerifyError) Error() string { return e.Reason }
func (*VerifyError) refusal() string { return "" }
