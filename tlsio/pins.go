package tlsio

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"fmt"
)

// Pins accepts only peers one of whose verified chains holds a certificate with one
// of these public keys: SHA-256 of the SubjectPublicKeyInfo in DER, in base64 as in
// RFC 7469, "sha256/..." allowed, or in hexadecimal. Pins come beside chain and name,
// not in their place. Give the key in use and, so that it can be replaced, at least
// one that isn't: a backup, kept elsewhere.
type Pins []string

func (p Pins) apply(b *builder) {
	if len(p) < 2 {
		b.add("", len(p), "give two Pins at least: the key in use and a backup, without which a lost key locks all clients out")
	}
	if b.terms.rules.mode == InsecureVerifyNone {
		b.add("", nil, "Pins are never judged with InsecureVerifyNone; use VerifyOptional")
	}
	if b.terms.server && b.terms.rules.auth == ClientAuthNone {
		b.add("", nil, "Pins on a server judge clients; set ClientAuth")
	}
	var pins [][32]byte
	for i, s := range p {
		pin, ok := parsePin(s)
		if !ok {
			b.add(fmt.Sprintf("[%d]", i), s, "use the SHA-256 of a SubjectPublicKeyInfo in base64 or hexadecimal; PinOf gives a certificate's")
		}
		for j, other := range pins {
			if other == pin && ok {
				b.add(fmt.Sprintf("[%d]", i), s, fmt.Sprintf("is the same as [%d]; a backup is another key", j))
			}
		}
		pins = append(pins, pin)
	}
	b.terms.rules.checks = append(b.terms.rules.checks, func(_ *rules, s *State) error { return checkPins(pins, s) })
}

// PinOf returns a certificate's pin, in the form that Pins takes.
func PinOf(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(sum[:])
}

func parsePin(s string) (pin [32]byte, ok bool) {
	const scheme = "sha256/"
	if len(s) > len(scheme) && s[:len(scheme)] == scheme {
		s = s[len(scheme):]
	}
	var raw []byte
	var err error
	if len(s) == 2*len(pin) {
		raw, err = hex.DecodeString(s)
	} else {
		raw, err = base64.StdEncoding.DecodeString(s)
	}
	if err != nil || len(raw) != len(pin) {
		return pin, false
	}
	return [32]byte(raw), true
}

// checkPins keeps the chains that hold a pinned key.
func checkPins(pins [][32]byte, s *State) error {
	var kept [][]*x509.Certificate
	for _, chain := range s.VerifiedChains {
		if pinned(pins, chain) {
			kept = append(kept, chain)
		}
	}
	if kept == nil {
		return &PinError{PinOf(s.PeerCertificates[0])}
	}
	s.VerifiedChains = kept
	return nil
}

func pinned(pins [][32]byte, chain []*x509.Certificate) bool {
	for _, cert := range chain {
		sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
		for i := range pins {
			if subtle.ConstantTimeCompare(sum[:], pins[i][:]) == 1 {
				return true
			}
		}
	}
	return false
}

// PinError says that no verified chain of the peer holds a pinned key.
type PinError struct {
	Leaf string // the pin that would match the peer's certificate
}

func (e *PinError) refusal() string {
	return "if the peer's key was changed on purpose, add its pin to Pins: " + e.Leaf
}

func (e *PinError) Error() string { return "no public key in the peer's chain is pinned" }
