package tlsio

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"reflect"
	"strings"
)

// AlertOrigin says which side sent an alert.
type AlertOrigin uint8

// The origins. AlertNone means that no alert is known to have been sent, not
// that there was none: a peer may have closed before its alert was read.
const (
	AlertNone AlertOrigin = iota
	AlertReceived
	AlertSent
)

// Alert is a TLS alert, RFC 8446 section 6. The zero Alert means none.
type Alert struct {
	Origin AlertOrigin
	Number uint8
}

// Name returns the alert's name as RFC 8446 appendix B.2 spells it.
func (a Alert) Name() string {
	// crypto/tls knows the names; it only writes them with spaces.
	s := strings.TrimPrefix(tls.AlertError(a.Number).Error(), "tls: ")
	for _, n := range alertNames {
		if n.number == a.Number {
			return n.name
		}
	}
	return strings.ToLower(strings.ReplaceAll(s, " ", "_"))
}

// alertNames holds the names that don't follow from crypto/tls's texts.
var alertNames = [...]struct {
	number uint8
	name   string
}{
	{43, "unsupported_certificate"},
	{44, "certificate_revoked"},
	{45, "certificate_expired"},
	{46, "certificate_unknown"},
	{48, "unknown_ca"},
	{50, "decode_error"},
	{51, "decrypt_error"},
	{70, "protocol_version"},
	{71, "insufficient_security"},
	{120, "no_application_protocol"},
	{121, "ech_required"},
}

func (a Alert) String() string {
	switch a.Origin {
	case AlertReceived:
		return fmt.Sprintf("peer sent alert %d %s", a.Number, a.Name())
	case AlertSent:
		return fmt.Sprintf("sent alert %d %s", a.Number, a.Name())
	}
	return "no alert"
}

// alertOf finds the alert that belongs to err.
//
// crypto/tls puts received alerts, and some of those it sends, into a
// net.OpError whose cause is a number of an unexported type. Others it sends
// while returning an error that doesn't say so. Those are read from the records
// as long as they are in the clear (w.sentAlert). What remains is encrypted, as
// all alerts on certificates are in TLS 1.3, and is told from the error by the
// rule that crypto/tls follows; the tests hold that rule against what the peer
// received.
func alertOf(err error, w *wire, server bool) Alert {
	if op, ok := errors.AsType[*net.OpError](err); ok && (op.Op == "remote error" || op.Op == "local error") {
		if v := reflect.ValueOf(op.Err); v.Kind() == reflect.Uint8 {
			origin := AlertReceived
			if op.Op == "local error" {
				origin = AlertSent
			}
			return Alert{origin, uint8(v.Uint())}
		}
	}
	if w != nil && w.sentAlert != 0 {
		return Alert{AlertSent, w.sentAlert}
	}
	if carriesNothing(err) {
		return Alert{AlertSent, 10}
	}
	if w == nil || !w.wroteRecord || !isVerifyError(err) {
		return Alert{}
	}
	if server {
		if err.Error() == noClientCertificate {
			return Alert{AlertSent, 116} // TLS 1.2's handshake_failure is in the clear, so seen above
		}
		if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
			if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
				return Alert{AlertSent, 48}
			}
			if e, ok := errors.AsType[x509.CertificateInvalidError](err); ok && e.Reason == x509.Expired {
				return Alert{AlertSent, 45}
			}
		}
	}
	return Alert{AlertSent, 42}
}

// carriesNothing reports whether err is crypto/tls's about a peer that sends one record
// after the other without data. It has a text, no type.
func carriesNothing(err error) bool {
	s := err.Error()
	return s == "tls: too many ignored records" || s == "tls: too many non-advancing records"
}
