package certs_test

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"testing/fstest"

	"ingot.dev/certs"
	"ingot.dev/certs/certstest"
)

const publicBundle = "anchors/public/all.bundle"

// manyCAs are authorities as the public ones are, and worse: all that makes finding
// the right one harder is among them.
type manyCAs struct {
	plain     []*certstest.CA // nothing odd about them
	namesakes []*certstest.CA // one name, three keys
	twins     []*certstest.CA // one key, so one key id, two names
	forged    *certstest.CA   // has the key id of plain[0] and a key of its own
	anonymous *certstest.CA   // without key id
	old       *certstest.CA   // has signed cross
	expired   *certstest.CA

	renewed *certstest.CA     // not among all
	cross   *x509.Certificate // for renewed's key and name, by old; not among all
	rogue   *certstest.CA     // not among all, with the name of plain[1]

	all []*x509.Certificate // 150 of them
}

// withoutKeyID makes an authority without key id: crypto/x509 gives one to all that it
// knows for authorities.
func withoutKeyID(c *x509.Certificate) {
	value, err := asn1.Marshal(struct{ IsCA bool }{true})
	if err != nil {
		panic(err)
	}
	c.IsCA, c.BasicConstraintsValid = false, false
	c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 19}, Critical: true, Value: value}}
}

func newManyCAs(t testing.TB) *manyCAs {
	m := &manyCAs{}
	newCA := func(name string, modify func(*x509.Certificate)) *certstest.CA {
		ca := certstest.NewCA(t, certstest.Template{CommonName: name, Modify: modify})
		m.all = append(m.all, ca.Cert)
		return ca
	}
	for i := range 141 {
		m.plain = append(m.plain, newCA(fmt.Sprintf("Public Root Certification Authority %d of Somewhere, Inc.", i), nil))
	}
	for range 3 {
		m.namesakes = append(m.namesakes, newCA("Namesake", nil))
	}
	a := newCA("Twin A", nil)
	b := certstest.NewCA(t, certstest.Template{CommonName: "Twin B", Key: a.Key})
	m.twins = []*certstest.CA{a, b}
	m.forged = newCA("Forged", func(c *x509.Certificate) { c.SubjectKeyId = m.plain[0].Cert.SubjectKeyId })
	m.anonymous = newCA("Anonymous", withoutKeyID)
	m.old = newCA("Old", nil)
	m.expired = certstest.NewCA(t, certstest.Template{CommonName: "Gone"}.Expired())
	m.all = append(m.all, b.Cert, m.expired.Cert)

	m.renewed = certstest.NewCA(t, certstest.Template{CommonName: "Renewed"})
	m.cross = m.old.Intermediate(certstest.Template{CommonName: "Renewed", Key: m.renewed.Key}).Cert
	m.rogue = certstest.NewCA(t, certstest.Template{CommonName: m.plain[1].Cert.Subject.CommonName})
	if len(m.all) != 150 || len(m.anonymous.Cert.SubjectKeyId) != 0 || !m.anonymous.Cert.IsCA {
		t.Fatalf("%d authorities; key id % x", len(m.all), m.anonymous.Cert.SubjectKeyId)
	}
	return m
}

func makeBundle(t testing.TB, certificates ...*x509.Certificate) []byte {
	t.Helper()
	data, err := certs.Bundle(certificates)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func loadBundle(t testing.TB, data []byte) *certs.Store {
	t.Helper()
	store, err := certs.Load(certstest.Tree{publicBundle: data}.FS(), certs.Options{Bundles: certs.Bundles()})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// TestRootsFor: with the pool that was found for it, every chain verifies, or fails,
// as with all authorities in one pool; and that pool is small.
func TestRootsFor(t *testing.T) {
	m := newManyCAs(t)
	store := loadBundle(t, makeBundle(t, m.all...))
	pool := x509.NewCertPool()
	for _, cert := range m.all {
		pool.AddCert(cert)
	}
	if !store.Roots("public").Equal(pool) {
		t.Error("Roots isn't all of the bundle")
	}
	leaf := certstest.Template{Names: []string{"a.test"}}
	chain := func(ca *certstest.CA, more ...*x509.Certificate) []*x509.Certificate {
		id := ca.Issue(leaf)
		c := []*x509.Certificate{id.Cert}
		for _, der := range id.Chain {
			cert, err := x509.ParseCertificate(der)
			if err != nil {
				t.Fatal(err)
			}
			c = append(c, cert)
		}
		return append(c, more...)
	}
	noAuthorityKeyID := m.anonymous.Issue(leaf).Cert
	if len(noAuthorityKeyID.AuthorityKeyId) != 0 {
		t.Fatal("the leaf has an authority key id")
	}
	deep := m.plain[7]
	for i := range 4 {
		deep = deep.Intermediate(certstest.Template{CommonName: fmt.Sprint("Below ", i)})
	}
	// The same authority under another key id: its leaves name one that no anchor has.
	renumbered := certstest.NewCA(t, certstest.Template{CommonName: m.plain[4].Cert.Subject.CommonName, Key: m.plain[4].Key,
		Modify: func(c *x509.Certificate) { c.SubjectKeyId = []byte("no such key") }})
	tests := []struct {
		what  string
		chain []*x509.Certificate
		found int // size of the pool; -1 for any
		ok    bool
	}{
		{"direct", chain(m.plain[3]), 1, true},
		{"by intermediates", chain(deep), 1, true},
		{"the root sent along", chain(m.plain[9], m.plain[9].Cert), 1, true},
		{"first of a name", chain(m.namesakes[0]), 3, true},
		{"last of a name", chain(m.namesakes[2]), 3, true},
		{"one key, first name", chain(m.twins[0]), 1, true},
		{"one key, second name", chain(m.twins[1]), 1, true},
		{"the owner of a forged key id", chain(m.plain[0]), 1, true},
		{"the forger", chain(m.forged), 1, true},
		{"another key id", chain(renumbered), 1, true},
		{"no key id", []*x509.Certificate{noAuthorityKeyID}, 1, true},
		{"cross-signed", chain(m.renewed, m.cross), 1, true},
		{"cross-signed, without the cross", chain(m.renewed), 0, false},
		{"cross-signed, and the new root", chain(m.renewed, m.renewed.Cert, m.cross), 1, true},
		{"an impostor", chain(m.rogue), 1, false},
		{"an impostor who sends his root", chain(m.rogue, m.rogue.Cert), 1, false},
		{"expired", chain(m.expired), 1, false},
		{"an anchor itself", []*x509.Certificate{m.plain[5].Cert}, 1, false}, // for no name
		{"all sent along", chain(m.plain[20], m.all...), -1, true},
		{"nobody knows", chain(certstest.NewCA(t, certstest.Template{CommonName: "Nobody"})), 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.what, func(t *testing.T) {
			found, err := store.RootsFor(tt.chain, "public")
			if err != nil {
				t.Fatal(err)
			}
			if n := poolSize(found, m.all); n != tt.found && tt.found >= 0 {
				t.Errorf("%d anchors found, want %d", n, tt.found)
			}
			verify := func(roots *x509.CertPool) ([][]*x509.Certificate, error) {
				o := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool(), DNSName: "a.test"}
				for _, cert := range tt.chain[1:] {
					o.Intermediates.AddCert(cert)
				}
				return tt.chain[0].Verify(o)
			}
			want, wantErr := verify(pool)
			got, gotErr := verify(found)
			if fmt.Sprintf("%T %v", gotErr, gotErr) != fmt.Sprintf("%T %v", wantErr, wantErr) {
				t.Errorf("with what was found: %v; with all: %v", gotErr, wantErr)
			}
			if (gotErr == nil) != tt.ok {
				t.Errorf("verifies: %v", gotErr)
			}
			if len(got) != len(want) {
				t.Errorf("%d chains with what was found, %d with all", len(got), len(want))
			}
			// Another group vouches for nothing.
			for _, group := range []string{"", "private"} {
				other, err := store.RootsFor(tt.chain, group)
				if err != nil || !other.Equal(x509.NewCertPool()) {
					t.Errorf("group %q: %v, not empty: %v", group, err, other)
				}
			}
		})
	}
	empty, err := store.RootsFor(nil, "public")
	if err != nil || empty == nil || !empty.Equal(x509.NewCertPool()) {
		t.Errorf("no chain: %v, %v", empty, err)
	}
}

// poolSize counts those of candidates that are in a pool.
func poolSize(pool *x509.CertPool, candidates []*x509.Certificate) int {
	n := 0
	for _, cert := range candidates {
		with := pool.Clone()
		with.AddCert(cert)
		if with.Equal(pool) {
			n++
		}
	}
	return n
}

// TestFind: anchors and identities are found by all that can be asked, in files and in
// bundles.
func TestFind(t *testing.T) {
	m := newManyCAs(t)
	file := certstest.NewCA(t, certstest.Template{CommonName: "In a file"})
	id := file.Issue(certstest.Template{Names: []string{"a.test"}, Modify: func(c *x509.Certificate) { c.SubjectKeyId = []byte{1, 2, 3} }})
	tree := certstest.Tree{publicBundle: makeBundle(t, m.all...)}
	tree.AddAnchor("", file)
	tree.AddIdentity("default", id)
	store, err := certs.Load(tree.FS(), certs.Options{Bundles: certs.Bundles()})
	if err != nil {
		t.Fatal(err)
	}
	if got := store.Groups(); !slices.Equal(got, []string{"", "public"}) {
		t.Errorf("Groups = %q", got)
	}
	if n := len(store.Anchors()); n != 151 {
		t.Errorf("%d anchors, want 151", n)
	}
	fingerprint := func(c *x509.Certificate) []byte {
		sum := sha256.Sum256(c.Raw)
		return sum[:]
	}
	old := func(c *x509.Certificate) []byte {
		sum := sha1.Sum(c.Raw)
		return sum[:]
	}
	for _, tt := range []struct {
		what  string
		query certs.Query
		want  []*x509.Certificate
	}{
		{"fingerprint", certs.Query{Fingerprint: fingerprint(m.plain[1].Cert)}, []*x509.Certificate{m.plain[1].Cert}},
		{"fingerprint of a file", certs.Query{Fingerprint: fingerprint(file.Cert)}, []*x509.Certificate{file.Cert}},
		{"fingerprint of nobody", certs.Query{Fingerprint: fingerprint(m.rogue.Cert)}, nil},
		{"SHA-1", certs.Query{Fingerprint: old(m.plain[1].Cert)}, []*x509.Certificate{m.plain[1].Cert}},
		{"SHA-1 of a file", certs.Query{Fingerprint: old(file.Cert)}, []*x509.Certificate{file.Cert}},
		{"SHA-1 of nobody", certs.Query{Fingerprint: old(m.rogue.Cert)}, nil},
		{"empty fingerprint", certs.Query{Fingerprint: []byte{}}, nil},
		{"short fingerprint", certs.Query{Fingerprint: fingerprint(file.Cert)[:20]}, nil},
		{"subject", certs.Query{Subject: m.namesakes[0].Cert.RawSubject}, []*x509.Certificate{m.namesakes[0].Cert, m.namesakes[1].Cert, m.namesakes[2].Cert}},
		{"key id", certs.Query{KeyID: m.twins[0].Cert.SubjectKeyId}, []*x509.Certificate{m.twins[0].Cert, m.twins[1].Cert}},
		{"forged key id", certs.Query{KeyID: m.forged.Cert.SubjectKeyId}, []*x509.Certificate{m.plain[0].Cert, m.forged.Cert}},
		{"no key id", certs.Query{KeyID: []byte{}}, []*x509.Certificate{m.anonymous.Cert}},
		{"key id and subject", certs.Query{KeyID: m.forged.Cert.SubjectKeyId, Subject: m.forged.Cert.RawSubject}, []*x509.Certificate{m.forged.Cert}},
		{"key id and another's subject", certs.Query{KeyID: m.old.Cert.SubjectKeyId, Subject: m.forged.Cert.RawSubject}, nil},
	} {
		found, err := store.FindAnchors(tt.query)
		if err != nil {
			t.Errorf("%s: %v", tt.what, err)
		}
		for _, a := range found {
			if !slices.ContainsFunc(tt.want, a.Cert.Equal) {
				t.Errorf("%s: found %s", tt.what, a.Cert.Subject)
			}
		}
		if len(found) != len(tt.want) {
			t.Errorf("%s: found %d, want %d", tt.what, len(found), len(tt.want))
		}
	}
	for _, q := range []certs.Query{{}, {KeyID: []byte{1, 2, 3}}, {Subject: id.Cert.RawSubject}, {Fingerprint: fingerprint(id.Cert)}, {Fingerprint: old(id.Cert)}} {
		if found := store.FindIdentities(q); len(found) != 1 || found[0].Name() != "default" {
			t.Errorf("FindIdentities(%v) = %v", q, found)
		}
	}
	if found := store.FindIdentities(certs.Query{KeyID: []byte{1, 2}}); len(found) != 0 {
		t.Errorf("FindIdentities of another key id = %v", found)
	}
}

// resum corrects the checksum of a bundle whose index was changed, as someone would
// who does so on purpose.
func resum(data []byte) []byte {
	n := int(binary.BigEndian.Uint32(data[8:]))
	h := sha256.New()
	h.Write(data[:16])
	h.Write(data[48 : 48+52*n])
	copy(data[16:48], h.Sum(nil))
	return data
}

// TestBundleRefused: what is wrong with an index is found at the start.
func TestBundleRefused(t *testing.T) {
	a, b := certstest.NewCA(t, certstest.Template{CommonName: "A"}), certstest.NewCA(t, certstest.Template{CommonName: "B"})
	good := makeBundle(t, a.Cert, b.Cert, a.Cert)
	if !bytes.Equal(good, makeBundle(t, b.Cert, a.Cert)) {
		t.Fatal("the order matters, or what is given twice is taken twice")
	}
	put := func(at int, value uint32) func([]byte) []byte {
		return func(d []byte) []byte {
			binary.BigEndian.PutUint32(d[at:], value)
			if int(binary.BigEndian.Uint32(d[8:]))*52+48 > len(d) {
				return d
			}
			return resum(d)
		}
	}
	const entry0, entry1 = 48, 48 + 52
	for _, tt := range []struct {
		what   string
		change func([]byte) []byte
		kind   error
	}{
		{"empty file", func(d []byte) []byte { return nil }, certs.ErrBundle},
		{"short header", func(d []byte) []byte { return d[:47] }, certs.ErrBundle},
		{"no index", func(d []byte) []byte { return d[:48] }, certs.ErrBundle},
		{"cut short by one", func(d []byte) []byte { return d[:len(d)-1] }, certs.ErrBundle},
		{"one byte more", func(d []byte) []byte { return append(d, 0) }, certs.ErrBundle},
		{"DER", func(d []byte) []byte { return a.DER() }, certs.ErrBundle},
		{"magic", func(d []byte) []byte { d[7]++; return resum(d) }, certs.ErrBundle},
		{"none", put(8, 0), certs.ErrEmptyFile},
		{"count too high", put(8, 3), certs.ErrBundle},
		{"count too low", put(8, 1), certs.ErrBundle},
		{"count absurd", put(8, 1<<31+1), certs.ErrTooMany},
		{"size absurd", put(12, 1<<32-1), certs.ErrTooLarge},
		{"size wrong", put(12, uint32(len(good)-1)), certs.ErrBundle},
		{"checksum", func(d []byte) []byte { d[16]++; return d }, certs.ErrBundle},
		{"index without checksum", func(d []byte) []byte { d[entry0+33]++; return d }, certs.ErrBundle},
		{"first offset", put(entry0+48, 49), certs.ErrBundle},
		{"offset zero", put(entry1+48, 0), certs.ErrBundle},
		{"offset behind the end", put(entry1+48, uint32(len(good)+1)), certs.ErrBundle},
		{"offset at the end", put(entry1+48, uint32(len(good))), certs.ErrBundle},
		{"offset negative", put(entry1+48, 1<<31), certs.ErrBundle},
		{"order", func(d []byte) []byte {
			for i := range 32 {
				d[entry0+i], d[entry1+i] = d[entry1+i], d[entry0+i]
			}
			return resum(d)
		}, certs.ErrBundle},
		{"twice", func(d []byte) []byte { copy(d[entry0:entry0+32], d[entry1:]); return resum(d) }, certs.ErrBundle},
	} {
		t.Run(tt.what, func(t *testing.T) {
			fsys := certstest.Tree{publicBundle: tt.change(bytes.Clone(good))}.FS()
			_, err := certs.Load(fsys, certs.Options{Bundles: certs.Bundles()})
			if !errors.Is(err, tt.kind) {
				t.Errorf("Load: %v, want %v", err, tt.kind)
			}
			for _, p := range certs.Problems(err) {
				if p.File != publicBundle || p.Reason == "" || p.Fix == "" {
					t.Errorf("incomplete: %#v", p)
				}
			}
		})
	}
	fsys := certstest.Tree{publicBundle: good}.FS()
	if _, err := certs.Load(fsys, certs.Options{}); !errors.Is(err, certs.ErrNoCode) {
		t.Errorf("without the reader of bundles: %v", err)
	}
	if report := certs.Inspect(fsys, certs.Options{}); report.Err() != nil || len(report.Anchors) != 2 {
		t.Errorf("Inspect: %v, %d anchors", report.Err(), len(report.Anchors))
	}
	if _, err := certs.Bundle(nil); err == nil {
		t.Error("a bundle of nothing")
	}
	if _, err := certs.Bundle([]*x509.Certificate{{}}); err == nil {
		t.Error("a bundle of a certificate without bytes")
	}
}

// TestBundleDamaged: an index that is sound in itself and tells lies about its
// certificates can hide an anchor, and never makes another one of it.
func TestBundleDamaged(t *testing.T) {
	a, b := certstest.NewCA(t, certstest.Template{CommonName: "A"}), certstest.NewCA(t, certstest.Template{CommonName: "B"})
	good := makeBundle(t, a.Cert, b.Cert)
	first, second := a, b // as they lie
	if !bytes.HasSuffix(good, b.DER()) {
		first, second = b, a
	}
	const entry0, entry1 = 48, 48 + 52
	leaf := []*x509.Certificate{second.Issue(certstest.Template{Names: []string{"a.test"}}).Cert}
	for _, tt := range []struct {
		what   string
		change func(d []byte)
	}{
		{"certificate", func(d []byte) { d[len(d)-1]++ }},
		{"fingerprint", func(d []byte) { d[entry1+31]++ }},
		{"key id", func(d []byte) { d[entry1+32]++ }},
		{"boundary", func(d []byte) { d[entry1+51]++ }},
	} {
		t.Run(tt.what, func(t *testing.T) {
			data := bytes.Clone(good)
			tt.change(data)
			store := loadBundle(t, resum(data))
			pool, err := store.RootsFor(leaf, "public")
			if !errors.Is(err, certs.ErrBundle) || pool == nil || !pool.Equal(x509.NewCertPool()) {
				t.Errorf("RootsFor: %v, %v", pool, err)
			}
			if _, err := store.FindAnchors(certs.Query{Subject: second.Cert.RawSubject}); !errors.Is(err, certs.ErrBundle) {
				t.Errorf("FindAnchors: %v", err)
			}
			if err := certs.Inspect(certstest.Tree{publicBundle: data}.FS(), certs.Options{}).Err(); !errors.Is(err, certs.ErrBundle) {
				t.Errorf("Inspect: %v", err)
			}
		})
	}
	t.Run("subjects exchanged", func(t *testing.T) {
		data := bytes.Clone(good)
		for i := 40; i < 48; i++ {
			data[entry0+i], data[entry1+i] = data[entry1+i], data[entry0+i]
		}
		store := loadBundle(t, resum(data))
		pool, err := store.RootsFor(leaf, "public")
		if !errors.Is(err, certs.ErrBundle) || !pool.Equal(x509.NewCertPool()) {
			t.Errorf("RootsFor: %v, %v", pool, err)
		}
	})
	t.Run("file gone", func(t *testing.T) {
		fsys := certstest.Tree{publicBundle: good}.FS()
		store, err := certs.Load(fsys, certs.Options{Bundles: certs.Bundles()})
		if err != nil {
			t.Fatal(err)
		}
		delete(fsys, publicBundle)
		if _, err := store.RootsFor(leaf, "public"); !errors.Is(err, certs.ErrRead) {
			t.Errorf("RootsFor: %v", err)
		}
		fsys[publicBundle] = &fstest.MapFile{Data: good[:100]}
		if pool, err := store.RootsFor(leaf, "public"); err == nil || !pool.Equal(x509.NewCertPool()) {
			t.Errorf("RootsFor of a file cut short: %v", err)
		}
		// An honest bundle of others in its place is refused, too.
		fsys[publicBundle] = &fstest.MapFile{Data: makeBundle(t, first.Cert, certstest.NewCA(t, certstest.Template{CommonName: "C"}).Cert)}
		if pool, err := store.RootsFor(leaf, "public"); err == nil || poolSize(pool, []*x509.Certificate{first.Cert, second.Cert}) != 0 {
			t.Errorf("RootsFor of an exchanged file: %v, %v", pool, err)
		}
	})
}

// TestBundleJudged: what may be no anchor in a file may be none in a bundle. Inspect
// says so, and where that wasn't asked, the anchor isn't used.
func TestBundleJudged(t *testing.T) {
	sound := certstest.NewCA(t, certstest.Template{CommonName: "Sound"})
	leaf := sound.Issue(certstest.Template{Names: []string{"a.test"}})
	expired := certstest.NewCA(t, certstest.Template{CommonName: "Gone"}.Expired())
	tree := certstest.Tree{publicBundle: makeBundle(t, sound.Cert, leaf.Cert, expired.Cert)}
	tree.AddAnchor("public", sound)
	tree.AddAnchor("other", sound) // is no duplicate
	report := certs.Inspect(tree.FS(), certs.Options{})
	if len(report.Problems) != 1 || !errors.Is(report.Err(), certs.ErrNotCA) {
		t.Errorf("problems: %v", report.Err())
	}
	var kinds []error
	for _, w := range report.Warnings {
		kinds = append(kinds, w.Kind)
	}
	if len(kinds) != 2 || !slices.Contains(kinds, certs.ErrExpired) || !slices.Contains(kinds, certs.ErrDuplicate) {
		t.Errorf("warnings: %v", kinds)
	}
	store, err := certs.Load(tree.FS(), certs.Options{Bundles: certs.Bundles()})
	if err != nil {
		t.Fatal(err)
	}
	if a := store.Anchors(); len(a) != 4 || slices.ContainsFunc(a, func(a certs.Anchor) bool { return !a.Cert.IsCA }) {
		t.Errorf("Anchors = %v", a)
	}
	pool, err := store.RootsFor([]*x509.Certificate{leaf.Cert}, "public")
	if !errors.Is(err, certs.ErrNotCA) || !pool.Equal(sound.Pool()) {
		t.Errorf("RootsFor = %v, %v", pool, err)
	}
	if !store.Roots("other").Equal(sound.Pool()) {
		t.Error("a bundle's anchors are in another group")
	}
}

// TestBundleLimits: the limit of anchors holds for files and bundles together.
func TestBundleLimits(t *testing.T) {
	m := newManyCAs(t)
	tree := certstest.Tree{}
	for i := range 4 {
		tree[fmt.Sprintf("anchors/g%d/all.bundle", i)] = makeBundle(t, m.all...)
	}
	for _, load := range []func(fs.FS) error{
		func(fsys fs.FS) error {
			_, err := certs.Load(fsys, certs.Options{Bundles: certs.Bundles()})
			return err
		},
		func(fsys fs.FS) error { return certs.Inspect(fsys, certs.Options{}).Err() },
	} {
		if err := load(tree.FS()); !errors.Is(err, certs.ErrTooMany) {
			t.Errorf("600 anchors: %v", err)
		}
	}
	delete(tree, "anchors/g3/all.bundle")
	if _, err := certs.Load(tree.FS(), certs.Options{Bundles: certs.Bundles()}); err != nil {
		t.Errorf("450 anchors: %v", err)
	}
}

// FuzzBundle: whatever the file is, nothing is trusted that isn't in it whole, and what
// is found is what was asked for.
func FuzzBundle(f *testing.F) {
	a, b := certstest.NewCA(f, certstest.Template{CommonName: "A"}), certstest.NewCA(f, certstest.Template{CommonName: "B"})
	good := makeBundle(f, a.Cert, b.Cert)
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add([]byte("INGOTCA1"))
	for _, at := range []int{8, 12, 48, 80, 88, 96, 100, 148, len(good) - 1} {
		bad := bytes.Clone(good)
		bad[at]++
		f.Add(bad)
	}
	leaf := []*x509.Certificate{a.Issue(certstest.Template{Names: []string{"a.test"}}).Cert}
	f.Fuzz(func(t *testing.T, data []byte) {
		// The checksum is no secret: a fuzzer that can't guess it finds nothing.
		if len(data) >= 48 {
			if n := binary.BigEndian.Uint32(data[8:]); n < 1000 && 48+52*int(n) <= len(data) {
				resum(data)
			}
		}
		store, err := certs.Load(certstest.Tree{publicBundle: data}.FS(), certs.Options{Bundles: certs.Bundles()})
		if err != nil {
			if len(certs.Problems(err)) == 0 {
				t.Fatalf("an error without a FileError: %v", err)
			}
			return
		}
		pool, _ := store.RootsFor(leaf, "public")
		if !pool.Equal(x509.NewCertPool()) {
			if _, err := leaf[0].Verify(x509.VerifyOptions{Roots: pool}); err != nil && pool.Equal(a.Pool()) {
				t.Error(err)
			}
			if !bytes.Contains(data, a.DER()) && pool.Equal(a.Pool()) {
				t.Error("an anchor that isn't in the file")
			}
		}
		for _, anchor := range store.Anchors() {
			if !bytes.Contains(data, anchor.Cert.Raw) || !anchor.Cert.IsCA {
				t.Errorf("%s is accepted", anchor.Cert.Subject)
			}
			found, _ := store.FindAnchors(certs.Query{KeyID: anchor.Cert.SubjectKeyId, Subject: anchor.Cert.RawSubject})
			if !slices.ContainsFunc(found, func(f certs.Anchor) bool { return f.Cert.Equal(anchor.Cert) }) {
				t.Errorf("%s isn't found", anchor.Cert.Subject)
			}
		}
	})
}

// publicCAs returns the public authorities of Debian's package ca-certificates, nil
// where that isn't.
func publicCAs(t testing.TB) []*x509.Certificate {
	files, _ := filepath.Glob("/usr/share/ca-certificates/mozilla/*.crt")
	var all []*x509.Certificate
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		block, _ := pem.Decode(data)
		if block == nil {
			t.Fatalf("%s isn't PEM", file)
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Logf("%s: %v", file, err)
			continue
		}
		all = append(all, cert)
	}
	return all
}

// TestBundleFigures: 150 public authorities make a bundle of 200 KB at most, and Load
// allocates 400 KB at most for them. What they cost an image is measured by
// tools/depcheck's TestBundleImageSize, and the time by BenchmarkLoadBundle.
func TestBundleFigures(t *testing.T) {
	made := certstest.PublicCAs(t, 150)
	sets := map[string][]*x509.Certificate{"made": made}
	if all := publicCAs(t); len(all) >= 100 {
		sets["Debian's"] = all
		// What is made is as large as what is there.
		if m, d := len(makeBundle(t, made...))*len(all), len(makeBundle(t, all...))*len(made); m < d {
			t.Errorf("made ones are smaller: %d, %d", m/len(all)/len(made), d/len(made)/len(all))
		}
	}
	for what, all := range sets {
		data := makeBundle(t, all...)
		if per150 := len(data) * 150 / len(all); per150 > 200_000 {
			t.Errorf("%s: 150 authorities take %d bytes", what, per150)
		}
		fsys := certstest.Tree{publicBundle: data}.FS()
		if err := certs.Inspect(fsys, certs.Options{}).Err(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		store := loadBundle(t, data)
		const times = 10
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range times {
			loadBundle(t, data)
		}
		runtime.ReadMemStats(&after)
		allocated := (after.TotalAlloc - before.TotalAlloc) / times
		t.Logf("%s, %d authorities: %d bytes; Load allocates %d bytes", what, len(all), len(data), allocated)
		if n := allocated * 150 / uint64(len(all)); n == 0 || n > 400_000 {
			t.Errorf("%s: Load allocates %d bytes for 150", what, n)
		}
		for _, cert := range all {
			// Roots are self-signed: each finds itself, by name and by key id.
			pool, err := store.RootsFor([]*x509.Certificate{cert}, "public")
			if err != nil || poolSize(pool, []*x509.Certificate{cert}) != 1 {
				t.Errorf("%s: %s isn't found: %v", what, cert.Subject, err)
			}
			found, err := store.FindAnchors(certs.Query{KeyID: cert.SubjectKeyId})
			if err != nil || !slices.ContainsFunc(found, func(a certs.Anchor) bool { return a.Cert.Equal(cert) }) {
				t.Errorf("%s: %s isn't found by its key id: %v", what, cert.Subject, err)
			}
		}
	}
}

// TestBundleIsLazy: Load doesn't parse what is in a bundle. Nothing that parses 150
// certificates does with one allocation for each.
func TestBundleIsLazy(t *testing.T) {
	fsys := certstest.Tree{publicBundle: makeBundle(t, newManyCAs(t).all...)}.FS()
	allocations := testing.AllocsPerRun(10, func() {
		if _, err := certs.Load(fsys, certs.Options{Bundles: certs.Bundles()}); err != nil {
			t.Fatal(err)
		}
	})
	if allocations > 100 {
		t.Errorf("%v allocations", allocations)
	}
}

// BenchmarkLoadBundle is what 150 public authorities take when a board starts: 5 ms at
// most, on the board. 'make bench' shows it.
func BenchmarkLoadBundle(b *testing.B) {
	data := makeBundle(b, certstest.PublicCAs(b, 150)...)
	fsys := certstest.Tree{publicBundle: data}.FS()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := certs.Load(fsys, certs.Options{Bundles: certs.Bundles()}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkLoadFiles is what a bundle is compared with.
func BenchmarkLoadFiles(b *testing.B) {
	tree := certstest.Tree{}
	for i, cert := range newManyCAs(b).all {
		tree[fmt.Sprintf("anchors/public/%d.der", i)] = cert.Raw
	}
	fsys := tree.FS()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := certs.Load(fsys, certs.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRootsFor(b *testing.B) {
	all := certstest.PublicCAs(b, 150)
	store := loadBundle(b, makeBundle(b, all...))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := store.RootsFor(all[:1], "public"); err != nil {
			b.Fatal(err)
		}
	}
}
