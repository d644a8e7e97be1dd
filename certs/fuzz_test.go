package certs_test

import (
	"crypto"
	"crypto/elliptic"
	"crypto/x509"
	"strings"
	"testing"
	"testing/fstest"

	"ingot.dev/certs"
	"ingot.dev/certs/certstest"
)

// checkOutcome is what must hold of any store, however broken.
func checkOutcome(t *testing.T, fsys fstest.MapFS) {
	t.Helper()
	store, err := certs.Load(fsys, certs.Options{})
	if (store == nil) == (err == nil) {
		t.Fatalf("Load = %v, %v", store, err)
	}
	problems := certs.Problems(err)
	if err != nil && len(problems) == 0 {
		t.Fatalf("an error without a FileError: %v", err)
	}
	for _, e := range problems {
		if e.File == "" || e.Kind == nil || e.Reason == "" || e.Fix == "" {
			t.Errorf("incomplete: %#v", e)
		}
	}
	if err != nil {
		return
	}
	for _, id := range store.Identities() {
		pair := id.TLS()
		key, ok := pair.PrivateKey.(crypto.Signer)
		if !ok || pair.Leaf == nil || len(pair.Certificate) == 0 {
			t.Fatalf("%v is accepted and incomplete", id)
		}
		public := pair.Leaf.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
		if !public.Equal(key.Public()) {
			t.Errorf("%v is accepted with somebody else's key", id)
		}
	}
	for _, a := range store.Anchors() {
		if !a.Cert.IsCA {
			t.Errorf("anchor %s is accepted and no authority", a.File)
		}
	}
}

// FuzzLoad puts any bytes into one file of a sound store.
func FuzzLoad(f *testing.F) {
	ca := certstest.NewCA(f, certstest.Template{})
	below := ca.Intermediate(certstest.Template{})
	id := below.Issue(certstest.Template{Names: []string{"localhost"}})
	tree := certstest.Tree{}
	tree.AddAnchor("", ca)
	tree.AddIdentity("default", id)
	names := []string{anchor, certPath, keyPath, chain1, "anchors/x.pem", "identities/default/x", "README"}

	sec1, err := x509.MarshalECPrivateKey(ecKey(f, elliptic.P256()))
	if err != nil {
		f.Fatal(err)
	}
	for i := range names {
		for _, data := range [][]byte{
			nil, {0x30}, {0x30, 0}, {0x30, 0x80, 0, 0}, {0x30, 0x84, 0xff, 0xff, 0xff, 0xff}, []byte("-----BEGIN "),
			id.DER, id.KeyDER, ca.DER(), below.DER(), sec1, append(id.DER[:len(id.DER):len(id.DER)], '\n'),
			toPEM("CERTIFICATE", id.DER), toPEM("PRIVATE KEY", id.KeyDER),
		} {
			f.Add(uint8(i), data)
		}
	}
	f.Fuzz(func(t *testing.T, where uint8, data []byte) {
		fsys := tree.FS()
		fsys[names[int(where)%len(names)]] = &fstest.MapFile{Data: data}
		checkOutcome(t, fsys)
	})
}

// FuzzLayout puts a certificate and a key into places of any name.
func FuzzLayout(f *testing.F) {
	ca := certstest.NewCA(f, certstest.Template{})
	id := ca.Issue(certstest.Template{Names: []string{"localhost"}})
	f.Add("anchors/ca.der", "identities/default/key.der")
	f.Add("identities/default/cert.der", "identities/default/key.der")
	f.Add("identities/default/chain10.der", "identities/Default/chain9.der")
	f.Add("anchors", "identities")
	f.Add("image/anchors/a.der", "anchors/a/b/c/d.der")
	f.Fuzz(func(t *testing.T, a, b string) {
		fsys := fstest.MapFS{}
		for name, data := range map[string][]byte{a: id.DER, b: id.KeyDER} {
			if name != "" && name != "." && !strings.ContainsAny(name, "\x00\\") {
				fsys[name] = &fstest.MapFile{Data: data}
			}
		}
		checkOutcome(t, fsys)
	})
}

// FuzzSelect asks for any server name: the answer must be an identity that
// crypto/x509 agrees is for that name, or the default.
func FuzzSelect(f *testing.F) {
	ca := certstest.NewCA(f, certstest.Template{})
	tree := certstest.Tree{}
	tree.AddIdentity("default", ca.Issue(certstest.Template{Names: []string{"localhost"}}))
	tree.AddIdentity("wild", ca.Issue(certstest.Template{Names: []string{"*.ingot.test", "ingot.test"}}))
	store := load(f, tree)
	for _, name := range []string{"", ".", "localhost", "LOCALHOST.", "a.ingot.test", ".ingot.test", "a.b.ingot.test", "*.ingot.test", "127.0.0.1", "[::1]", "\xff.ingot.test"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		id, ok := store.Select(name)
		if !ok {
			t.Fatal("no identity in spite of a default")
		}
		matches := map[string]bool{}
		for _, id := range store.Identities() {
			matches[id.Name()] = id.Leaf().VerifyHostname(name) == nil
		}
		// crypto/x509 must never match an identity that was not selected.
		for other, match := range matches {
			if match && other != id.Name() {
				t.Errorf("Select(%q) = %v, and %s is for that name", name, id, other)
			}
		}
	})
}

// FuzzCheckDNSName compares with crypto/x509: a name that we call good must
// match a client that asks for it.
func FuzzCheckDNSName(f *testing.F) {
	for _, name := range []string{"", "*", "*.", "a", "a.b", "*.a.b", "a.*.b", "a*.b", "*a", "A_b.c", "-a", "a-", "a..b", ".a", "a.", "10.0.2.15", "::1", "xn--bcher-kva.test", "bücher.test", strings.Repeat("a", 64), strings.Repeat("a.", 130) + "a"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if certs.CheckDNSName(name) != nil {
			return
		}
		cert := &x509.Certificate{DNSNames: []string{name}}
		ask := strings.Replace(name, "*", "any", 1)
		if err := cert.VerifyHostname(ask); err != nil {
			t.Errorf("%q is called good, and a client that asks for %q: %v", name, ask, err)
		}
	})
}
