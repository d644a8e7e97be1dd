package storeedit

import (
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ingot.dev/certs"
	"ingot.dev/internal/pki"
)

// authority makes one, and a server's certificate with its key in PKCS#8.
func authority(t *testing.T) *pki.Credential {
	t.Helper()
	ca, err := pki.NewAuthority(pki.Template{CommonName: "Test CA"})
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func issue(t *testing.T, ca *pki.Credential, name string) (chain []*x509.Certificate, key []byte) {
	t.Helper()
	c, err := ca.Issue(pki.Template{CommonName: name, DNSNames: []string{name}, Usages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	if err != nil {
		t.Fatal(err)
	}
	if key, err = c.KeyDER(); err != nil {
		t.Fatal(err)
	}
	return append([]*x509.Certificate{c.Cert}, c.Chain...), key
}

func open(t *testing.T, dir string, force bool) *Edit {
	t.Helper()
	e, err := Open(dir, force)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func try(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// files lists what is below dir.
func files(t *testing.T, dir string) (list []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(dir, name)
			list = append(list, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return list
}

func states(e *Edit) (list []string) {
	for _, c := range e.Changes() {
		s := string(c.State) + " " + c.File
		if c.Private {
			s += " private"
		}
		list = append(list, s)
	}
	return list
}

func equal(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func TestEdit(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "certs", "image")
	ca := authority(t)
	chain, key := issue(t, ca, "a.test")

	e := open(t, dir, false)
	try(t, e.Identity("default", chain, key))
	file, added, err := e.Anchor("clients", "ca", ca.Cert)
	if err != nil || !added || file != "anchors/clients/ca.der" {
		t.Errorf("%s, %v, %v", file, added, err)
	}
	want := []string{"created anchors/clients/ca.der", "created identities/default/cert.der", "created identities/default/key.der private"}
	equal(t, "changes", states(e), want...)
	equal(t, "before Write", files(t, filepath.Dir(dir)))
	try(t, e.Write())
	equal(t, "after Write", files(t, dir), "anchors/clients/ca.der", "identities/default/cert.der", "identities/default/key.der")
	if _, err := certs.Load(os.DirFS(dir), certs.Options{}); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(filepath.Join(dir, "identities/default/key.der")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}

	// What is there stays without force, and is replaced whole with it.
	next, nextKey := issue(t, ca, "b.test")
	if err := open(t, dir, false).Identity("default", next, nextKey); !errors.Is(err, ErrExists) {
		t.Errorf("%v, want ErrExists", err)
	}
	try(t, os.WriteFile(filepath.Join(dir, "identities/default/chain1.der"), ca.DER(), 0o644))
	e = open(t, dir, true)
	try(t, e.Identity("default", next, nextKey))
	if _, added, err := e.Anchor("clients", "again", ca.Cert); added || err != nil {
		t.Errorf("the same anchor: %v, %v", added, err)
	}
	equal(t, "changes", states(e), "replaced identities/default/cert.der", "replaced identities/default/key.der private", "removed identities/default/chain1.der")
	try(t, e.Write())
	equal(t, "replaced", files(t, dir), "anchors/clients/ca.der", "identities/default/cert.der", "identities/default/key.der")

	file, size, err := e.Bundle("", "all", []*x509.Certificate{ca.Cert})
	if err != nil || file != "anchors/all.bundle" || size < len(ca.DER()) {
		t.Errorf("%s, %d, %v", file, size, err)
	}
}

// A store that wouldn't start is not written; what was wrong before doesn't count.
func TestUnsound(t *testing.T) {
	dir := t.TempDir()
	ca := authority(t)
	chain, key := issue(t, ca, "a.test")
	_, other := issue(t, ca, "a.test")
	e := open(t, dir, false)
	try(t, e.Identity("default", chain, other))
	if err := e.Write(); !errors.Is(err, ErrUnsound) || !strings.Contains(err.Error(), "nothing was written") || !strings.Contains(err.Error(), "key.der") {
		t.Errorf("%v", err)
	}
	equal(t, "after it", files(t, dir))

	try(t, os.MkdirAll(filepath.Join(dir, "identities", "bad"), 0o755))
	try(t, os.WriteFile(filepath.Join(dir, "identities", "bad", "cert.der"), []byte("no certificate"), 0o644))
	e = open(t, dir, false)
	try(t, e.Identity("default", chain, key))
	try(t, e.Write())
	if len(open(t, dir, false).Report().Problems) == 0 {
		t.Error("the bad one is good now")
	}
}

func TestNames(t *testing.T) {
	dir := t.TempDir()
	ca := authority(t)
	chain, key := issue(t, ca, "a.test")
	e := open(t, dir, false)
	for _, bad := range []string{"", ".", "..", "a/b", "../x", ".hidden", "a b", strings.Repeat("a", 65)} {
		_, _, anchor := e.Anchor("", bad, ca.Cert)
		_, _, bundle := e.Bundle("", bad, chain)
		for what, err := range map[string]error{"CheckName": CheckName(bad), "Identity": e.Identity(bad, chain, key), "Anchor": anchor, "Bundle": bundle} {
			if !errors.Is(err, ErrName) {
				t.Errorf("%s(%q): %v, want ErrName", what, bad, err)
			}
		}
	}
	if _, _, err := e.Anchor("../x", "ca", ca.Cert); !errors.Is(err, ErrName) {
		t.Errorf("group: %v", err)
	}
	for text, want := range map[string]string{"Ingot Development CA": "ingot-development-ca", "*.a.test": "a.test", "": "unnamed", "Ä": "unnamed", strings.Repeat("x", 70): strings.Repeat("x", 64)} {
		if got := Slug(text); got != want || !goodName.MatchString(got) {
			t.Errorf("Slug(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	large := filepath.Join(dir, "anchors", "large.der")
	try(t, os.MkdirAll(filepath.Dir(large), 0o755))
	try(t, os.WriteFile(large, make([]byte, certs.MaxFileSize+1), 0o644))
	if _, err := Open(dir, false); err == nil || !strings.Contains(err.Error(), large) {
		t.Errorf("%v", err)
	}
	// What another command is at work on is no part of the store.
	try(t, os.Rename(filepath.Join(dir, "anchors"), filepath.Join(dir, ".ingot-new-1")))
	equal(t, "files", slices.Collect(func(yield func(string) bool) {
		for name := range open(t, dir, false).files {
			yield(name)
		}
	}))
}
