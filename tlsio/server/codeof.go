package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"

	"ingot.dev/tlsio"
)

// CodeOf returns the number of an error, 0 for nil. An [*Error] has its own. Of
// others the cause decides: a system error, wherever it came from, has the number
// that Windows' sockets have for it; then come certificates, TLS, names and time;
// and if the cause says nothing, how far a tlsio.Error says the operation got.
func CodeOf(err error) Code {
	if err == nil {
		return CodeOK
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	// Package certificate's, without importing it.
	if e, ok := errors.AsType[interface {
		error
		StatusCode() int
	}](err); ok {
		return Code(e.StatusCode())
	}
	for _, of := range []func(error) Code{codeOfSystem, codeOfCertificate, codeOfName, codeOfOption, codeOfTLS, codeOfState, codeOfStage} {
		if code := of(err); code != CodeOK {
			return code
		}
	}
	return CodeAborted
}

// codeOfSystem knows the errors of the operating system, and of Ingot's network,
// which uses the same.
func codeOfSystem(err error) Code {
	no, ok := errors.AsType[syscall.Errno](err)
	if !ok {
		return CodeOK
	}
	switch no {
	case syscall.EINTR:
		return CodeInterrupted
	case syscall.EBADF:
		return CodeBadFile
	case syscall.EACCES, syscall.EPERM:
		return CodeAccessDenied
	case syscall.EFAULT:
		return CodeBadAddress
	case syscall.EINVAL:
		return CodeInvalidArgument
	case syscall.EMFILE, syscall.ENFILE:
		return CodeTooManyFiles
	case syscall.EAGAIN:
		return CodeSocketWouldBlock
	case syscall.EINPROGRESS:
		return CodeInProgress
	case syscall.EALREADY:
		return CodeAlreadyInProgress
	case syscall.ENOTSOCK:
		return CodeNotSocket
	case syscall.EDESTADDRREQ:
		return CodeDestinationRequired
	case syscall.EMSGSIZE:
		return CodeMessageTooLong
	case syscall.EPROTOTYPE:
		return CodeWrongProtocolType
	case syscall.ENOPROTOOPT:
		return CodeBadProtocolOption
	case syscall.EPROTONOSUPPORT:
		return CodeProtocolNotSupported
	case syscall.ESOCKTNOSUPPORT:
		return CodeSocketTypeNotSupported
	case syscall.EOPNOTSUPP, syscall.ENOSYS:
		return CodeNotSupported
	case syscall.EPFNOSUPPORT:
		return CodeProtocolFamilyNotSupported
	case syscall.EAFNOSUPPORT:
		return CodeAddressFamilyNotSupported
	case syscall.EADDRINUSE:
		return CodeAddressInUse
	case syscall.EADDRNOTAVAIL:
		return CodeAddressNotAvailable
	case syscall.ENETDOWN:
		return CodeNetworkDown
	case syscall.ENETUNREACH:
		return CodeNetworkUnreachable
	case syscall.ENETRESET:
		return CodeNetworkReset
	case syscall.ECONNABORTED:
		return CodeAborted
	case syscall.ECONNRESET:
		return CodeReset
	case syscall.ENOBUFS, syscall.ENOMEM:
		return CodeNoBufferSpace
	case syscall.EISCONN:
		return CodeAlreadyConnected
	case syscall.ENOTCONN:
		return CodeNotConnected
	case syscall.ESHUTDOWN, syscall.EPIPE:
		return CodeShutdown
	case syscall.ETOOMANYREFS:
		return CodeTooManyReferences
	case syscall.ETIMEDOUT:
		return CodeTimedOut
	case syscall.ECONNREFUSED:
		return CodeRefused
	case syscall.ELOOP:
		return CodeTooManyLinks
	case syscall.ENAMETOOLONG:
		return CodeNameTooLong
	case syscall.EHOSTDOWN:
		return CodeHostDown
	case syscall.EHOSTUNREACH:
		return CodeHostUnreachable
	case syscall.ENOTEMPTY:
		return CodeNotEmpty
	case syscall.EUSERS:
		return CodeTooManyUsers
	case syscall.EDQUOT:
		return CodeQuotaExceeded
	case syscall.ESTALE:
		return CodeStale
	case syscall.EREMOTE:
		return CodeRemote
	}
	return CodeOK
}

// noClientCertificate is the text of crypto/tls's error for a client without
// certificate; the error has no type.
const noClientCertificate = "tls: client didn't provide a certificate"

// Alerts, RFC 8446 section 6.2.
const (
	alertBadRecordMAC        = 20
	alertInternalError       = 80
	alertUnrecognizedName    = 112
	alertCertificateRequired = 116
)

// codeOfCertificate knows what can be wrong with a peer's certificate.
func codeOfCertificate(err error) Code {
	if strings.Contains(err.Error(), noClientCertificate) {
		return CodeNoClientCertificate
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return CodeChainNotFound
	}
	if _, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		return CodeChainInvalid
	}
	if _, ok := errors.AsType[x509.SystemRootsError](err); ok {
		return CodeCertificateStore
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return CodeVerify
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return CodeVerify
	}
	if _, ok := errors.AsType[*tlsio.VerifyError](err); ok {
		return CodeVerify
	}
	return CodeOK
}

// codeOfName knows what a name server, or the lack of one, may have said. No
// resolver here tells a name without addresses (11004) from one that isn't there.
func codeOfName(err error) Code {
	e, ok := errors.AsType[*net.DNSError](err)
	switch {
	case !ok:
		return CodeOK
	case e.IsNotFound:
		return CodeHostNotFound
	case e.IsTimeout, e.IsTemporary:
		return CodeHostNotFoundTryAgain
	}
	return CodeNameServerFailure
}

// codeOfOption knows refused options: those of keys and certificates are
// credentials.
func codeOfOption(err error) Code {
	e, ok := errors.AsType[*tlsio.OptionError](err)
	switch {
	case !ok:
		return CodeOK
	case strings.Contains(e.Option, "Certificate"), strings.Contains(e.Option, "ServerKey"):
		return CodeCredentials
	}
	return CodeInvalidArgument
}

// codeOfTLS knows alerts, and what crypto/tls says of records.
func codeOfTLS(err error) Code {
	e, ok := errors.AsType[*tlsio.Error](err)
	if !ok || e.Alert.Origin == tlsio.AlertNone {
		if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
			return CodeHandshake
		}
		return CodeOK
	}
	established := e.Stage == tlsio.StageRead || e.Stage == tlsio.StageWrite || e.Stage == tlsio.StageClose
	switch e.Alert.Number {
	case alertCertificateRequired:
		return CodeNoClientCertificate
	case alertUnrecognizedName:
		return CodeNoServerCertificate
	case alertBadRecordMAC:
		if established {
			return CodeDecrypt
		}
	case alertInternalError:
		if e.Stage == tlsio.StageWrite {
			return CodeEncrypt
		}
	}
	if established || e.Stage == tlsio.StageVerify {
		return CodeOK
	}
	return CodeHandshake
}

// codeOfState knows the errors of programs' own doing, and of time.
func codeOfState(err error) Code {
	for _, known := range []struct {
		err  error
		code Code
	}{
		{context.Canceled, CodeInterrupted},
		{context.DeadlineExceeded, CodeTimedOut},
		{os.ErrDeadlineExceeded, CodeTimedOut},
		{tlsio.ErrOverflow, CodeWouldBlock},
		{tlsio.ErrNotConnected, CodeNotConnected},
		{tlsio.ErrTooManyConnections, CodeTooManyFiles},
		{tlsio.ErrEvicted, CodeAborted},
		{tlsio.ErrFormat, CodeInvalidArgument},
		{net.ErrClosed, CodeNotSocket},
		{io.ErrClosedPipe, CodeShutdown},
		{errors.ErrUnsupported, CodeNotSupported},
		{fs.ErrNotExist, CodeBadFile},
		{fs.ErrInvalid, CodeBadFile},
		{fs.ErrClosed, CodeBadFile},
		{fs.ErrPermission, CodeAccessDenied},
	} {
		if errors.Is(err, known.err) {
			return known.code
		}
	}
	if t, ok := errors.AsType[net.Error](err); ok && t.Timeout() {
		return CodeTimedOut
	}
	if _, ok := errors.AsType[*net.AddrError](err); ok {
		return CodeInvalidArgument
	}
	return CodeOK
}

// codeOfStage goes by how far the operation got.
func codeOfStage(err error) Code {
	if e, ok := errors.AsType[*tlsio.Error](err); ok {
		switch e.Stage {
		case tlsio.StageOptions:
			return CodeInvalidArgument
		case tlsio.StageListen:
			return CodeAddressNotAvailable
		case tlsio.StageResolve:
			return CodeNameServerFailure
		case tlsio.StageHandshake:
			return CodeHandshake
		case tlsio.StageVerify:
			return CodeVerify
		}
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return CodeReset
	}
	return CodeOK
}
