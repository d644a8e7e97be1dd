package certs

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"path"
	"slices"
	"strings"
)

// MaxPinSets is the most files that the folder pins may have.
const MaxPinSets = 128

const (
	pinsSuffix = ".pins"
	pinScheme  = "sha256/"
)

// A PinSet is a file of the folder pins: the public keys of which one must be in the
// chain of every peer that the set is used for.
type PinSet struct {
	Name            string // of the file, without .pins: of a host, a group, or anything
	File            string // path in the store
	Primary, Backup []Pin  // keys in use, and those that will replace them; neither is empty
}

// A Pin is the SHA-256 of a SubjectPublicKeyInfo in DER (RFC 7469 §2.4).
type Pin struct {
	SHA256 [sha256.Size]byte
	Label  string // what the file says about it; may be empty
}

// PinOf returns the pin of a certificate's public key.
func PinOf(cert *x509.Certificate) Pin {
	return Pin{sha256.Sum256(cert.RawSubjectPublicKeyInfo), ""}
}

// ParsePin parses what String returns.
func ParsePin(text string) (Pin, bool) {
	text, ok := strings.CutPrefix(text, pinScheme)
	raw, err := base64.StdEncoding.DecodeString(text)
	if !ok || err != nil || len(raw) != sha256.Size {
		return Pin{}, false
	}
	return Pin{SHA256: [sha256.Size]byte(raw)}, true
}

// String returns "sha256/" and the pin in base64, as tlsio.Pins and others take it.
func (p Pin) String() string { return pinScheme + base64.StdEncoding.EncodeToString(p.SHA256[:]) }

// Pins returns the pins of a set, the primary ones first, for tlsio.Pins:
//
//	With: []tlsio.Feature{tlsio.Pins(store.Pins("api.example.com"))}
//
// Case and a trailing dot of the name don't matter. Of a name that the store has no set
// for it returns nil, which tlsio refuses.
func (s *Store) Pins(name string) []string {
	name = normalizeName(name)
	for _, set := range rulesOf(s.report.rules).pins {
		if set.Name != name {
			continue
		}
		var all []string
		for _, p := range slices.Concat(set.Primary, set.Backup) {
			all = append(all, p.String())
		}
		return all
	}
	return nil
}

// Pins returns all sets of pins that could be read, whatever else is wrong with them,
// sorted by name.
func (r *Report) Pins() []PinSet { return slices.Clone(rulesOf(r.rules).pins) }

// PinSets returns all sets, sorted by name.
func (s *Store) PinSets() []PinSet { return slices.Clone(rulesOf(s.report.rules).pins) }

// Text returns the set as its file has it.
func (set PinSet) Text() []byte {
	var b strings.Builder
	for _, role := range []struct {
		word string
		pins []Pin
	}{{"primary", set.Primary}, {"backup", set.Backup}} {
		for _, p := range role.pins {
			fmt.Fprintln(&b, strings.TrimSpace(fmt.Sprintf("%-7s %s %s", role.word, p, strings.Join(strings.Fields(p.Label), " "))))
		}
	}
	return []byte(b.String())
}

// pinSet reads one set.
func (in *inspector) pinSet(file string) {
	data, ok := in.readRule(file, MaxFileSize, "set of pins")
	if !ok {
		return
	}
	set := PinSet{Name: strings.TrimSuffix(path.Base(file), pinsSuffix), File: file}
	if name := normalizeName(set.Name); name != set.Name || name == "" {
		in.problem(&FileError{File: file, Kind: ErrPins,
			Reason: "sets of pins are found by names in lower case, without a dot at the end",
			Fix:    "rename it to " + path.Join(pinsDir, name+pinsSuffix)})
	}
	wrong := func(line int, reason string) {
		in.problem(&FileError{File: file, Kind: ErrPins,
			Reason: fmt.Sprintf("line %d: %s", line, reason),
			Fix:    "write lines as 'primary sha256/BASE64' and 'backup sha256/BASE64'; 'ingot certs pin' makes them"})
	}
	taken := map[[sha256.Size]byte]bool{}
	line := 0
	for text := range strings.Lines(string(data)) {
		line++
		words := strings.Fields(text)
		if len(words) == 0 || words[0][0] == '#' {
			continue
		}
		if words[0] != "primary" && words[0] != "backup" {
			wrong(line, fmt.Sprintf("%.20q is neither primary nor backup", words[0]))
			continue
		}
		if len(words) < 2 {
			wrong(line, "there is no pin")
			continue
		}
		pin, ok := ParsePin(words[1])
		switch {
		case !ok:
			wrong(line, fmt.Sprintf("%.60q is no pin: that is sha256/ and 44 characters of base64", words[1]))
			continue
		case taken[pin.SHA256]:
			wrong(line, "the key is there twice; a backup is another key")
			continue
		}
		taken[pin.SHA256] = true
		pin.Label = strings.Join(words[2:], " ")
		if words[0] == "primary" {
			set.Primary = append(set.Primary, pin)
		} else {
			set.Backup = append(set.Backup, pin)
		}
	}
	if len(set.Primary) == 0 {
		in.problem(&FileError{File: file, Kind: ErrPins,
			Reason: "there is no primary pin",
			Fix:    "add the key that is in use: 'ingot certs pin' shows it"})
	}
	if len(set.Backup) == 0 {
		in.problem(&FileError{File: file, Kind: ErrPins,
			Reason: "there is no backup pin: when the key is lost or replaced, nothing would be accepted any more",
			Fix:    "add a key that isn't in use yet, or that of the authority: 'ingot certs pin' with --backup"})
	}
	r := rulesOf(in.report.rules)
	r.pins = append(r.pins, set)
}

// judgeUnknownPins warns of sets none of whose primary keys is known here. They may be
// right: a server's own key is nowhere but on the server.
func (in *inspector) judgeUnknownPins() {
	for _, set := range rulesOf(in.report.rules).pins {
		if len(set.Primary) > 0 && !slices.ContainsFunc(set.Primary, func(p Pin) bool { return in.report.Pinned(p) != nil }) {
			in.warn(&FileError{File: set.File, Kind: ErrPins,
				Reason: "no certificate in this store has a primary key of this set",
				Fix:    "if they are keys of the peers themselves, that is right; otherwise compare them with what 'ingot certs pin' shows of a peer"})
		}
	}
}

// Pinned returns the first certificate of the store with a pinned key: an anchor, an
// intermediate, or an identity's. It is nil if there is none.
func (r *Report) Pinned(p Pin) *x509.Certificate {
	for _, a := range r.Anchors {
		if PinOf(a.Cert).SHA256 == p.SHA256 {
			return a.Cert
		}
	}
	for _, i := range r.Intermediates {
		if PinOf(i.Cert).SHA256 == p.SHA256 {
			return i.Cert
		}
	}
	for _, id := range r.Identities {
		for _, cert := range append([]*x509.Certificate{id.leaf}, id.chain...) {
			if PinOf(cert).SHA256 == p.SHA256 {
				return cert
			}
		}
	}
	return nil
}
