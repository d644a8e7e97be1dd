package storeedit

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"path"

	"ingot.dev/certs"
)

// ErrOlder says that a list is older than the one in its place.
var ErrOlder = errors.New("is older than the one in the store")

// put plans a file of its own, and refuses to replace another without force.
func (e *Edit) put(kind, dir, name, suffix string, data []byte) (file string, added bool, err error) {
	if !goodName.MatchString(name) {
		return "", false, fmt.Errorf("%s %q: %w", kind, name, ErrName)
	}
	file = path.Join(dir, name+suffix)
	old, taken := e.files[file]
	switch {
	case taken && bytes.Equal(old, data):
		return file, false, nil
	case taken && !e.force:
		return "", false, fmt.Errorf("%s %s %w; give it another name with --as, or replace it with --force", kind, file, ErrExists)
	}
	e.files[file] = data
	e.anchors = append(e.anchors, file)
	return file, true, nil
}

// Intermediate has the store complete chains with an authority. It returns the file's
// name, and false if it did so before.
func (e *Edit) Intermediate(name string, cert *x509.Certificate) (file string, added bool, err error) {
	for _, i := range e.Report().Intermediates {
		if i.Cert.Equal(cert) {
			return i.File, false, nil
		}
	}
	return e.put("intermediate", "intermediates", name, ".der", cert.Raw)
}

// CRL puts a certificate revocation list into the store, in the place of an older one of
// the same authority. It returns the file's name, and false if it was there.
func (e *Edit) CRL(name string, list *x509.RevocationList) (file string, added bool, err error) {
	for _, c := range e.Report().CRLs() {
		if !bytes.Equal(c.List.RawIssuer, list.RawIssuer) || !bytes.Equal(c.List.AuthorityKeyId, list.AuthorityKeyId) {
			continue
		}
		switch {
		case bytes.Equal(c.List.Raw, list.Raw):
			return c.File, false, nil
		case list.ThisUpdate.Before(c.List.ThisUpdate) && !e.force:
			return "", false, fmt.Errorf("the list of %s, which is of %s, %w, %s, which is of %s; replace that with --force if it is the wrong one",
				list.Issuer, list.ThisUpdate.UTC().Format("2006-01-02 15:04"), ErrOlder, c.File, c.List.ThisUpdate.UTC().Format("2006-01-02 15:04"))
		}
		e.files[c.File] = list.Raw
		e.anchors = append(e.anchors, c.File)
		return c.File, true, nil
	}
	return e.put("list", "crls", name, ".crl", list.Raw)
}

// Pins puts a set of pins into the store. It returns the file's name, and false if it
// was there.
func (e *Edit) Pins(set certs.PinSet) (file string, added bool, err error) {
	return e.put("set of pins", "pins", set.Name, ".pins", set.Text())
}
