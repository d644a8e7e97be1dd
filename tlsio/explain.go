package tlsio

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"
)

// hint turns a failure into the sentence that its reader needs next. It says
// only what follows from the error; otherwise it is empty.
func hint(e *Error, server bool) string {
	if h := certificateHint(e.Err); h != "" {
		return h
	}
	if rec, ok := errors.AsType[tls.RecordHeaderError](e.Err); ok {
		if e.Stage != StageHandshake || looksLikeTLS(rec) {
			return "" // a peer that speaks TLS, and errs
		}
		return recordHint(rec, server)
	}
	if h := alertHint(e.Alert, server); h != "" {
		return h
	}
	switch {
	case carriesNothing(e.Err):
		return "the peer sends records without data, more than 16 in a row"
	case errors.Is(e.Err, ErrHandshakeTimeout):
		return "the peer is too slow, silent, or doesn't speak TLS on this port"
	case e.Stage == StageHandshake && (errors.Is(e.Err, io.EOF) || errors.Is(e.Err, io.ErrUnexpectedEOF)):
		return "the peer closed during the handshake without an alert"
	}
	if dns, ok := errors.AsType[*net.DNSError](e.Err); ok && dns.IsNotFound {
		return "no such name; check the spelling and the DNS server"
	}
	if e.Stage == StageConnect && errors.Is(e.Err, os.ErrDeadlineExceeded) {
		return "no answer; check the address, the route and firewalls"
	}
	return ""
}

func certificateHint(err error) string {
	if r, ok := err.(refusal); ok {
		return r.refusal()
	}
	if err.Error() == noClientCertificate {
		return noCertificateHint // TLS 1.2's alert is handshake_failure, which can mean anything
	}
	if h, ok := errors.AsType[x509.HostnameError](err); ok {
		c := h.Certificate
		if hasOnlyCommonName(c) {
			return "certificate has only a CN; add a SAN"
		}
		if len(c.DNSNames) == 0 && len(c.IPAddresses) == 0 {
			return "certificate has no DNS name or IP address; add them as SAN"
		}
		names := append([]string(nil), c.DNSNames...)
		for _, ip := range c.IPAddresses {
			names = append(names, ip.String())
		}
		of := "one of them"
		if len(names) == 1 {
			of = "it"
		}
		return "certificate is for " + strings.Join(names, ", ") + "; set Host to " + of + ", or reissue the certificate"
	}
	if u, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		if u.Cert == nil {
			return "the issuer is not among the trusted CAs"
		}
		if isSelfSigned(u.Cert) {
			return fmt.Sprintf("self-signed certificate %q is not trusted; add it to CA if it should be", u.Cert.Subject)
		}
		return fmt.Sprintf("add the CA %q, key id %s, or let the peer send the missing intermediate",
			u.Cert.Issuer, hexOr(u.Cert.AuthorityKeyId, "unknown"))
	}
	if _, ok := errors.AsType[x509.SystemRootsError](err); ok {
		return "this machine has no certificate store; set CA"
	}
	if c, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		return invalidHint(c)
	}
	return ""
}

const noCertificateHint = "the client sent no certificate; give it one, or set ClientAuth to request"

// hasOnlyCommonName reports whether a certificate has a common name and no SAN.
func hasOnlyCommonName(c *x509.Certificate) bool {
	return c.Subject.CommonName != "" && len(c.DNSNames)+len(c.IPAddresses)+len(c.URIs)+len(c.EmailAddresses) == 0
}

// isSelfSigned reports whether a certificate is signed with its own key. That issuer
// and subject are the same doesn't say so: a CA may issue for its own name.
func isSelfSigned(c *x509.Certificate) bool {
	return string(c.RawIssuer) == string(c.RawSubject) && c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil
}

func invalidHint(c x509.CertificateInvalidError) string {
	switch c.Reason {
	case x509.Expired:
		// x509 uses one reason for both ends of the validity period and puts the
		// clock only into the text.
		fix := "reissue it, or set the clock"
		if isNotYetValid(c) {
			fix = "set the clock"
		}
		return fmt.Sprintf("certificate %q is valid from %s to %s; %s",
			c.Cert.Subject, c.Cert.NotBefore.UTC().Format(time.DateOnly), c.Cert.NotAfter.UTC().Format(time.DateOnly), fix)
	case x509.NotAuthorizedToSign:
		return "the issuer is not a CA certificate; reissue it with basicConstraints CA:TRUE"
	case x509.IncompatibleUsage:
		return "the certificate's extended key usage doesn't allow this; reissue it with serverAuth or clientAuth"
	case x509.NameMismatch:
		return "issuer name and CA subject differ"
	}
	return ""
}

// isNotYetValid tells which end of the validity period an x509.Expired is about.
func isNotYetValid(c x509.CertificateInvalidError) bool {
	return strings.Contains(c.Detail, " is before ")
}

// looksLikeTLS reports whether what was refused has the header of a TLS record.
func looksLikeTLS(rec tls.RecordHeaderError) bool {
	h := rec.RecordHeader
	return h[0] >= 20 && h[0] <= 24 && h[1] == 3
}

func recordHint(rec tls.RecordHeaderError, server bool) string {
	h := rec.RecordHeader
	switch who := map[bool]string{true: "client", false: "server"}[server]; {
	case h[0] >= 'A' && h[0] <= 'Z' && (h[1] >= 'A' && h[1] <= 'Z' || h[1] == ' '):
		if string(h[:4]) == "SSH-" {
			return "the " + who + " speaks SSH on this port"
		}
		return "the " + who + " speaks plain text, perhaps HTTP, on this port"
	case h[0] == 0x80:
		return "the " + who + " speaks SSL 2"
	default:
		return "the " + who + " doesn't speak TLS on this port"
	}
}

// alertHint explains the alerts whose names alone are known to lead nowhere.
func alertHint(a Alert, server bool) string {
	if a.Origin == AlertNone {
		return ""
	}
	received := a.Origin == AlertReceived
	switch a.Number {
	case 40: // handshake_failure
		if received && !server {
			return "the server shares no cipher suite, group or certificate type with us, or wants a client certificate"
		}
		return "both sides share no cipher suite, group or certificate type"
	case 42, 43, 44, 45, 46, 48:
		if !received {
			return ""
		}
		what := "our certificate"
		if !server {
			what = "our client certificate"
		}
		if a.Number == 48 {
			return "the peer doesn't trust the CA of " + what + "; send the whole chain, or give the peer that CA"
		}
		if a.Number == 45 {
			return "the peer holds " + what + " for expired; reissue it, or check the peer's clock"
		}
		return "the peer refused " + what
	case 70: // protocol_version
		return "no TLS version in common; compare MinimumVersion and MaximumVersion of both sides"
	case 112: // unrecognized_name
		return "the server has no certificate for the name in Host"
	case 116: // certificate_required
		if received {
			return "the server wants a client certificate; set ClientCertificate and ClientKey"
		}
		return noCertificateHint
	case 120: // no_application_protocol
		return "no application protocol in common; compare ApplicationLayerProtocol of both sides"
	}
	return ""
}

func hexOr(b []byte, alternative string) string {
	if len(b) == 0 {
		return alternative
	}
	return hex.EncodeToString(b)
}
