package certs

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Kinds of a [VerifyError] beside [ErrExpired], [ErrNotYetValid],
// [ErrNoNames], [ErrNotCA], [ErrUsage] and [ErrWeakSignature].
var (
	ErrUnknownAuthority error = &kind{"certificate from an unknown authority"}
	ErrWrongName        error = &kind{"certificate for another name"}
	ErrConstraint       error = &kind{"certificate breaks a constraint of its chain"}
)

// A VerifyError explains why a peer's certificate was not accepted.
type VerifyError struct {
	Kind   error  // one of the Err values of this package, for errors.Is
	Reason string // what is wrong with the certificate
	Fix    string // what to do about it
	Err    error  // the error that was explained
}

func (e *VerifyError) Error() string { return e.Reason + "; " + e.Fix }

// Unwrap makes errors.Is find the kind and errors.As the original error.
func (e *VerifyError) Unwrap() []error { return []error{e.Kind, e.Err} }

// Explain turns the error of a failed certificate verification, as it comes
// from crypto/tls or crypto/x509, into a [*VerifyError]. Any other error, and
// nil, is returned as it is.
func Explain(err error) error {
	var (
		explained *VerifyError
		host      x509.HostnameError
		unknown   x509.UnknownAuthorityError
		invalid   x509.CertificateInvalidError
		insecure  x509.InsecureAlgorithmError
		critical  x509.UnhandledCriticalExtension
	)
	switch {
	case err == nil, errors.As(err, &explained):
		return err
	case errors.As(err, &host):
		explained = explainHost(host)
	case errors.As(err, &unknown):
		explained = explainUnknown(unknown)
	case errors.As(err, &invalid):
		explained = explainInvalid(invalid)
	case errors.As(err, &insecure):
		explained = &VerifyError{Kind: ErrWeakSignature,
			Reason: fmt.Sprintf("the peer's certificate or one in its chain is signed with %v, which is refused", x509.SignatureAlgorithm(insecure)),
			Fix:    "have it issued again with a SHA-2 signature"}
	case errors.As(err, &critical):
		explained = &VerifyError{Kind: ErrConstraint,
			Reason: "the peer's certificate or one in its chain has a critical extension that is not understood",
			Fix:    "have it issued without that extension"}
	default:
		return err
	}
	explained.Err = err
	return explained
}

func explainHost(e x509.HostnameError) *VerifyError {
	cert := e.Certificate
	names := slices.Clone(cert.DNSNames)
	for _, ip := range cert.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 {
		return &VerifyError{Kind: ErrNoNames,
			Reason: fmt.Sprintf("the peer's certificate (%s) has no name in subjectAltName, and a common name does not count", subject(cert)),
			Fix:    fmt.Sprintf("have it issued with subjectAltName %q", e.Host)}
	}
	const enough = 5
	list := strings.Join(names[:min(enough, len(names))], ", ")
	if len(names) > enough {
		list += fmt.Sprintf(" and %d more", len(names)-enough)
	}
	return &VerifyError{Kind: ErrWrongName,
		Reason: fmt.Sprintf("the peer's certificate is for %s, not for %q", list, e.Host),
		Fix:    "connect by a name it is for, or have it issued with this name"}
}

func explainUnknown(e x509.UnknownAuthorityError) *VerifyError {
	v := &VerifyError{Kind: ErrUnknownAuthority,
		Reason: "the peer's certificate was not issued by a trusted authority",
		Fix:    "add its authority to the trust anchors that this connection uses"}
	cert := e.Cert
	if cert == nil {
		return v
	}
	switch {
	case slices.Equal(cert.RawSubject, cert.RawIssuer):
		v.Reason = fmt.Sprintf("the certificate %s vouches for itself and is not a trust anchor", subject(cert))
	case strings.Contains(e.Error(), x509.ConstraintViolationError{}.Error()):
		// The hint that follows is text only: crypto/x509 does not export it.
		v.Kind = ErrNotCA
		v.Reason = fmt.Sprintf("the certificate %q, which issued %s, is not an authority", cert.Issuer, subject(cert))
		v.Fix = "have the peer's certificate issued by an authority"
	case strings.Contains(e.Error(), "candidate authority certificate"):
		// crypto/x509 found an anchor with the issuer's name that did not
		// sign: somebody made a second authority of the same name.
		v.Reason = fmt.Sprintf("there is an authority with the name of the issuer of %s, %q, but it did not sign it", subject(cert), cert.Issuer)
		v.Fix = "if that authority has been made anew, replace its old certificate in the trust anchors; otherwise the peer is an impostor"
	default:
		v.Reason = fmt.Sprintf("the issuer of the certificate %s, %q, is not a trust anchor and did not come with the chain", subject(cert), cert.Issuer)
		v.Fix += ", or have the peer send its intermediate certificates"
	}
	return v
}

func explainInvalid(e x509.CertificateInvalidError) *VerifyError {
	v := &VerifyError{Kind: ErrConstraint,
		Reason: fmt.Sprintf("the certificate %s is not acceptable: %v", subject(e.Cert), e),
		Fix:    "have the peer's certificate issued again by its authority"}
	switch e.Reason {
	case x509.Expired:
		// One reason stands for both ends; only the detail tells which.
		v.Kind = ErrExpired
		v.Reason = fmt.Sprintf("the certificate %s was valid until %s", subject(e.Cert), e.Cert.NotAfter.UTC().Format(time.RFC3339))
		v.Fix = "have it renewed, or set this device's clock if it is ahead"
		if strings.Contains(e.Detail, "is before") {
			v.Kind = ErrNotYetValid
			v.Reason = fmt.Sprintf("the certificate %s is valid from %s", subject(e.Cert), e.Cert.NotBefore.UTC().Format(time.RFC3339))
			v.Fix = "set this device's clock if it is behind, or wait"
		}
		if e.Detail != "" {
			v.Reason += ": " + e.Detail
		}
	case x509.NotAuthorizedToSign:
		v.Kind = ErrNotCA
		v.Reason = fmt.Sprintf("the certificate %s is in the place of an authority and is not one", subject(e.Cert))
	case x509.IncompatibleUsage:
		v.Kind = ErrUsage
		v.Reason = fmt.Sprintf("the certificate %s or its chain does not allow this use (extendedKeyUsage)", subject(e.Cert))
		v.Fix = "have it issued with serverAuth for a TLS server, with clientAuth for a TLS client"
	}
	return v
}

// subject names a certificate for a person.
func subject(cert *x509.Certificate) string {
	if cert == nil {
		return "(unknown)"
	}
	if text := cert.Subject.String(); text != "" {
		return fmt.Sprintf("%q", text)
	}
	if len(cert.DNSNames) > 0 {
		return fmt.Sprintf("%q", cert.DNSNames[0])
	}
	return fmt.Sprintf("number %x", cert.SerialNumber)
}
