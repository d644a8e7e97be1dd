package cli

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"time"

	"ingot.dev/certs"
)

// storeInfo is what 'certs ls --json' and 'certs check --json' print of a store. Lists
// are there when they are empty, too.
type storeInfo struct {
	Path       string     `json:"path"`
	Sound      bool       `json:"sound"` // the firmware would start with it
	Identities []certInfo `json:"identities"`
	Anchors    []certInfo `json:"anchors"`
	Problems   []findInfo `json:"problems"`
	Warnings   []findInfo `json:"warnings"`
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
}

// findInfo is a problem or a warning.
type findInfo struct {
	File   string `json:"file"` // path in the store
	Reason string `json:"reason"`
	Cause  string `json:"cause,omitempty"`
	Fix    string `json:"fix"`
}

func describeStore(dir string, r *certs.Report) storeInfo {
	s := storeInfo{Path: dir, Sound: len(r.Problems) == 0,
		Identities: []certInfo{}, Anchors: []certInfo{},
		Problems: describeErrors(r.Problems), Warnings: describeErrors(r.Warnings)}
	for _, id := range r.Identities {
		c := describeCert(id.Name(), id.Leaf(), id.KeyType())
		c.Role, c.Names = role(id), id.Names()
		s.Identities = append(s.Identities, c)
	}
	for _, a := range r.Anchors {
		s.Anchors = append(s.Anchors, describeCert(anchorName(a.File), a.Cert, a.KeyType()))
	}
	return s
}

func describeCert(name string, c *x509.Certificate, key string) certInfo {
	sum := sha256.Sum256(c.Raw)
	return certInfo{Name: name, Subject: c.Subject.String(), Issuer: c.Issuer.String(), Key: key,
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
