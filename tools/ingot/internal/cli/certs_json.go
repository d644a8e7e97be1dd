package cli

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"path/filepath"
	"time"

	"ingot.dev/certs"
	"ingot.dev/tools/ingot/internal/storeedit"
)

// fileInfo is a file that a command has written.
type fileInfo struct {
	Path    string          `json:"path"`
	State   storeedit.State `json:"state"`
	Private bool            `json:"private"` // a key: only its owner may read it
}

// storeChange is what the commands print with --json that put something into a store.
// Lists are there when they are empty, too.
type storeChange struct {
	Store      string     `json:"store"`
	Identities []certInfo `json:"identities"` // those that were put there
	Anchors    []certInfo `json:"anchors"`    // also those that were there
	rulesInfo             // likewise
	Files      []fileInfo `json:"files"`
	Notes      []string   `json:"notes"` // what was left out, and why
}

func newStoreChange(dir string) *storeChange {
	return &storeChange{Store: dir, Identities: []certInfo{}, Anchors: []certInfo{}, rulesInfo: noRules(), Files: []fileInfo{}, Notes: []string{}}
}

// written takes over what a change of the store has written.
func (c *storeChange) written(edit *storeedit.Edit) {
	for _, f := range edit.Changes() {
		c.Files = append(c.Files, fileInfo{filepath.Join(c.Store, filepath.FromSlash(f.File)), f.State, f.Private})
	}
}

// storeInfo is what 'certs ls --json' and 'certs check --json' print of a store. Lists
// are there when they are empty, too.
type storeInfo struct {
	Path       string     `json:"path"`
	Sound      bool       `json:"sound"` // the firmware would start with it
	Identities []certInfo `json:"identities"`
	Anchors    []certInfo `json:"anchors"`
	Problems   []findInfo `json:"problems"`
	Warnings   []findInfo `json:"warnings"`
	rulesInfo
}

// certInfo is an identity or an anchor.
type certInfo struct {
	Name        string    `json:"name"`
	Role        string    `json:"role,omitempty"` // of an identity: server, client, server+client, unusable
	Subject     string    `json:"subject"`
	Issuer      string    `json:"issuer"`
	Names       []string  `json:"names,omitempty"`
	Key         string    `json:"key"`
	NotBefore   time.Time `json:"notBefore"`
	NotAfter    time.Time `json:"notAfter"`
	Fingerprint string    `json:"sha256"` // of the certificate in DER, in hex

	// Of identities in a store.
	Kept    bool         `json:"kept,omitempty"` // the key is not in the store: a keeper has it
	Chain   *chainInfo   `json:"chain,omitempty"`
	Clients []clientInfo `json:"clients,omitempty"` // of servers: what one says to each name
}

// findInfo is a problem or a warning.
type findInfo struct {
	File   string `json:"file"` // path in the store
	Reason string `json:"reason"`
	Cause  string `json:"cause,omitempty"`
	Fix    string `json:"fix"`
}

func describeStore(dir string, r *certs.Report, now time.Time) storeInfo {
	s := storeInfo{Path: dir, Sound: len(r.Problems) == 0,
		Identities: []certInfo{}, Anchors: []certInfo{},
		Problems: describeErrors(r.Problems), Warnings: describeErrors(r.Warnings), rulesInfo: describeRules(r)}
	for _, id := range r.Identities {
		c := describeCert(id.Name(), id.Leaf())
		c.Role, c.Names, c.Chain = role(id), id.Names(), chainState(id, r, now)
		c.Kept = id.Kept()
		s.Identities = append(s.Identities, c)
	}
	for _, a := range r.Anchors {
		s.Anchors = append(s.Anchors, describeCert(anchorName(a.File), a.Cert))
	}
	return s
}

func describeCert(name string, c *x509.Certificate) certInfo {
	sum := sha256.Sum256(c.Raw)
	var names []string
	if !c.IsCA {
		names = append(names, c.DNSNames...)
		for _, ip := range c.IPAddresses {
			names = append(names, ip.String())
		}
	}
	return certInfo{Name: name, Subject: c.Subject.String(), Issuer: c.Issuer.String(), Names: names, Key: keyType(c),
		NotBefore: c.NotBefore.UTC(), NotAfter: c.NotAfter.UTC(), Fingerprint: hex.EncodeToString(sum[:])}
}

func describeErrors(errs []*certs.FileError) []findInfo {
	list := make([]findInfo, 0, len(errs))
	for _, e := range errs {
		f := findInfo{File: e.File, Reason: e.Reason, Fix: e.Fix}
		if e.Err != nil {
			f.Cause = e.Err.Error()
		}
		list = append(list, f)
	}
	return list
}

// keyType describes a certificate's key as package certs does, such as "ECDSA P-256".
func keyType(c *x509.Certificate) string { return certs.Anchor{Cert: c}.KeyType() }
