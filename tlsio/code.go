package tlsio

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
)

// Code is a number for an error's stage and cause, for programs that can show no
// more, and for those who read what devices report. A code's meaning never changes.
type Code uint16

// The codes. Those of a hundred belong together; the round one is for causes that
// have none of their own.
const (
	CodeOptions     Code = 100 // an option was refused
	CodeClosed      Code = 110 // ErrClosed
	CodeFailed      Code = 111 // ErrFailed
	CodeNotReady    Code = 112 // ErrNotConnected
	CodeOverflow    Code = 113 // ErrOverflow
	CodeFormat      Code = 114 // ErrFormat
	CodeUnsupported Code = 115 // matches errors.ErrUnsupported
	CodeTooLate     Code = 116 // ErrHandshakeBegun

	CodeListen         Code = 200
	CodeResolve        Code = 210
	CodeNoSuchName     Code = 211
	CodeConnect        Code = 220
	CodeConnectTimeout Code = 221
	CodeTooMany        Code = 230 // ErrTooManyConnections
	CodeEvicted        Code = 231 // ErrEvicted
	CodeBudget         Code = 232 // ErrBudget
	CodeHandshakeRate  Code = 233 // ErrHandshakeRate

	CodeHandshake        Code = 300
	CodeHandshakeTimeout Code = 301 // ErrHandshakeTimeout
	CodeNotTLS           Code = 302 // the peer sends something else than TLS
	CodeHandshakeCut     Code = 303 // the peer closed without an alert
	CodeVersion          Code = 310 // no version in common
	CodeNothingShared    Code = 311 // no suite, group or certificate kind in common; up to TLS 1.2 also the peer's word for a certificate that it misses
	CodeProtocol         Code = 312 // no application protocol in common
	CodeUnknownName      Code = 313 // the server has no certificate for the name

	CodeVerify             Code = 400
	CodeNoCertificate      Code = 401 // the peer sent none
	CodeNameMismatch       Code = 402
	CodeOnlyCommonName     Code = 403 // certificate without SAN
	CodeUnknownAuthority   Code = 404
	CodeSelfSigned         Code = 405
	CodeExpired            Code = 406
	CodeNotYetValid        Code = 407
	CodeWrongUsage         Code = 408 // extended key usage
	CodeNotPinned          Code = 409
	CodeRevoked            Code = 410
	CodeRevocationUnknown  Code = 411
	CodeWeakKey            Code = 412
	CodeDecision           Code = 413 // VerifyPeer refused
	CodeBadChain           Code = 414 // the certificates don't make a chain
	CodeRefusedCertificate Code = 420 // the peer refused ours

	CodeRead         Code = 600
	CodeReadTimeout  Code = 601
	CodeWrite        Code = 610
	CodeWriteTimeout Code = 611
	CodeClose        Code = 620
)

// Code returns the number of e's stage and cause. It is 0 only for the zero Error.
// Alert.Number says more where an alert was sent or received.
func (e *Error) Code() Code {
	for _, c := range [...]struct {
		err  error
		code Code
	}{
		{ErrClosed, CodeClosed}, {ErrFailed, CodeFailed}, {ErrNotConnected, CodeNotReady}, {ErrOverflow, CodeOverflow},
		{ErrFormat, CodeFormat}, {ErrTooManyConnections, CodeTooMany}, {ErrEvicted, CodeEvicted}, {ErrBudget, CodeBudget}, {ErrHandshakeRate, CodeHandshakeRate},
		{ErrHandshakeTimeout, CodeHandshakeTimeout}, {ErrHandshakeBegun, CodeTooLate}, {errors.ErrUnsupported, CodeUnsupported},
	} {
		if errors.Is(e.Err, c.err) {
			return c.code
		}
	}
	switch e.Stage {
	case StageOptions:
		return CodeOptions
	case StageListen:
		return CodeListen
	case StageResolve:
		if dns, ok := errors.AsType[*net.DNSError](e.Err); ok && dns.IsNotFound {
			return CodeNoSuchName
		}
		return CodeResolve
	case StageConnect:
		if e.Timeout() {
			return CodeConnectTimeout
		}
		return CodeConnect
	case StageHandshake:
		return e.handshakeCode()
	case StageVerify:
		return verifyCode(e.Err)
	case StageRead:
		if code := alertCode(e.Alert); code != 0 {
			return code // TLS 1.3 servers refuse after the client's handshake
		}
		if e.Timeout() {
			return CodeReadTimeout
		}
		return CodeRead
	case StageWrite:
		if e.Timeout() {
			return CodeWriteTimeout
		}
		return CodeWrite
	case StageClose:
		return CodeClose
	}
	return 0
}

func (e *Error) handshakeCode() Code {
	if rec, ok := errors.AsType[tls.RecordHeaderError](e.Err); ok && !looksLikeTLS(rec) {
		return CodeNotTLS
	}
	if code := alertCode(e.Alert); code != 0 {
		return code
	}
	if errors.Is(e.Err, io.EOF) || errors.Is(e.Err, io.ErrUnexpectedEOF) {
		return CodeHandshakeCut
	}
	if errors.Is(e.Err, os.ErrDeadlineExceeded) {
		return CodeHandshakeTimeout
	}
	return CodeHandshake
}

// alertCode is for alerts that mean the same whoever sent them, and for those that
// refuse our certificate.
func alertCode(a Alert) Code {
	if a.Origin == AlertNone {
		return 0
	}
	switch a.Number {
	case 40, 71:
		return CodeNothingShared
	case 70:
		return CodeVersion
	case 112:
		return CodeUnknownName
	case 120:
		return CodeProtocol
	case 42, 43, 44, 45, 46, 48, 49, 116:
		if a.Origin == AlertReceived {
			return CodeRefusedCertificate
		}
	}
	return 0
}

func verifyCode(err error) Code {
	if err == nil {
		return CodeVerify
	}
	if errors.Is(err, errNoClientCertificate) || errors.Is(err, errNoServerCertificate) || err.Error() == noClientCertificate {
		return CodeNoCertificate
	}
	if h, ok := errors.AsType[x509.HostnameError](err); ok {
		if hasOnlyCommonName(h.Certificate) {
			return CodeOnlyCommonName
		}
		return CodeNameMismatch
	}
	if u, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		if u.Cert != nil && isSelfSigned(u.Cert) {
			return CodeSelfSigned
		}
		return CodeUnknownAuthority
	}
	if _, ok := errors.AsType[x509.SystemRootsError](err); ok {
		return CodeUnknownAuthority
	}
	if c, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		switch {
		case c.Reason == x509.Expired && isNotYetValid(c):
			return CodeNotYetValid
		case c.Reason == x509.Expired:
			return CodeExpired
		case c.Reason == x509.IncompatibleUsage:
			return CodeWrongUsage
		}
		return CodeBadChain
	}
	if c, ok := errors.AsType[interface {
		error
		code() Code
	}](err); ok {
		return c.code()
	}
	return CodeVerify
}

func (*DecisionError) code() Code   { return CodeDecision }
func (*PinError) code() Code        { return CodeNotPinned }
func (*RevokedError) code() Code    { return CodeRevoked }
func (*CRLError) code() Code        { return CodeRevocationUnknown }
func (*CommonNameError) code() Code { return CodeNameMismatch }
func (*WeakKeyError) code() Code    { return CodeWeakKey }
