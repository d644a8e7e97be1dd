package cli

import (
	"crypto/x509"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"ingot.dev/certs"
)

// rulesInfo is what a store holds beside identities and anchors. Lists are there when
// they are empty, too.
type rulesInfo struct {
	Intermediates []certInfo `json:"intermediates"`
	CRLs          []crlInfo  `json:"crls"`
	Pins          []pinsInfo `json:"pins"`
}

// crlInfo is a certificate revocation list.
type crlInfo struct {
	Name       string     `json:"name"`
	Issuer     string     `json:"issuer"`
	Revoked    int        `json:"revoked"` // certificates
	ThisUpdate time.Time  `json:"thisUpdate"`
	NextUpdate *time.Time `json:"nextUpdate,omitempty"`
	Verified   bool       `json:"verified"` // an authority of the store has signed it
}

// pinsInfo is a set of pins.
type pinsInfo struct {
	Name    string    `json:"name"`
	Primary []pinInfo `json:"primary"`
	Backup  []pinInfo `json:"backup"`
}

// pinInfo is one pin.
type pinInfo struct {
	Pin   string `json:"pin"` // "sha256/" and base64
	Label string `json:"label,omitempty"`
	Of    string `json:"of,omitempty"` // the subject of a certificate in the store with this key
}

func noRules() rulesInfo {
	return rulesInfo{Intermediates: []certInfo{}, CRLs: []crlInfo{}, Pins: []pinsInfo{}}
}

func describeRules(r *certs.Report) rulesInfo {
	info := noRules()
	for _, i := range r.Intermediates {
		info.Intermediates = append(info.Intermediates, describeCert(baseName(i.File), i.Cert))
	}
	for _, c := range r.CRLs() {
		info.CRLs = append(info.CRLs, describeCRL(c.File, c.List, c.Verified))
	}
	for _, set := range r.Pins() {
		info.Pins = append(info.Pins, describePins(r, set))
	}
	return info
}

func describeCRL(file string, list *x509.RevocationList, verified bool) crlInfo {
	c := crlInfo{Name: baseName(file), Issuer: list.Issuer.String(), Revoked: len(list.RevokedCertificateEntries), ThisUpdate: list.ThisUpdate.UTC(), Verified: verified}
	if !list.NextUpdate.IsZero() {
		next := list.NextUpdate.UTC()
		c.NextUpdate = &next
	}
	return c
}

func describePins(r *certs.Report, set certs.PinSet) pinsInfo {
	describe := func(pins []certs.Pin) []pinInfo {
		list := []pinInfo{}
		for _, p := range pins {
			info := pinInfo{Pin: p.String(), Label: p.Label}
			if known := r.Pinned(p); known != nil {
				info.Of = known.Subject.String()
			}
			list = append(list, info)
		}
		return list
	}
	return pinsInfo{set.Name, describe(set.Primary), describe(set.Backup)}
}

// baseName is what an intermediate, a list or a set of pins is called: its file's name
// without folder and suffix.
func baseName(file string) string { return strings.TrimSuffix(path.Base(file), path.Ext(file)) }

// keyOf describes an identity's key, and where it isn't.
func keyOf(id *certs.Identity) string {
	if id.Kept() {
		return id.KeyType() + " (kept elsewhere)"
	}
	return id.KeyType()
}

// listRules adds the rows of 'certs ls' for what is beside identities and anchors.
func listRules(table io.Writer, r *certs.Report, now time.Time) {
	line := func(columns ...string) { fmt.Fprintln(table, strings.Join(columns, "\t")) }
	for _, i := range r.Intermediates {
		line("intermediate", baseName(i.File), i.Cert.Subject.String(), "-", i.KeyType(), until(i.Cert.NotBefore, i.Cert.NotAfter, now), "by "+i.Cert.Issuer.String())
	}
	for _, c := range r.CRLs() {
		state := "verified"
		if !c.Verified {
			state = "of nobody here"
		}
		expires := "never"
		if !c.List.NextUpdate.IsZero() {
			expires = until(c.List.ThisUpdate, c.List.NextUpdate, now)
		}
		line("crl", baseName(c.File), c.List.Issuer.String(), fmt.Sprintf("%d revoked", len(c.List.RevokedCertificateEntries)), "-", expires, state)
	}
	for _, set := range r.Pins() {
		of, state := "-", "of nobody here"
		for _, p := range set.Primary {
			if cert := r.Pinned(p); cert != nil {
				of, state = cert.Subject.String(), "known"
				break
			}
			if of == "-" && p.Label != "" {
				of = p.Label
			}
		}
		line("pins", set.Name, of, fmt.Sprintf("%d primary, %d backup", len(set.Primary), len(set.Backup)), "-", "-", state)
	}
}

// until says when something ends, and how far that is.
func until(from, to, now time.Time) string {
	expires := to.UTC().Format(time.DateOnly)
	switch {
	case now.After(to):
		return expires + " (expired)"
	case now.Before(from):
		return expires + " (valid from " + from.UTC().Format(time.DateOnly) + ")"
	}
	return expires + " (" + count(int(to.Sub(now)/(24*time.Hour)), "day", "days") + ")"
}

// countRules is the rest of 'certs check's last line.
func countRules(r *certs.Report) string {
	text := ""
	for _, c := range []struct {
		n         int
		one, many string
	}{
		{len(r.Intermediates), "intermediate", "intermediates"},
		{len(r.CRLs()), "revocation list", "revocation lists"},
		{len(r.Pins()), "set of pins", "sets of pins"},
	} {
		if c.n > 0 {
			text += ", " + count(c.n, c.one, c.many)
		}
	}
	return text
}
