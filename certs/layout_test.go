package certs_test

import (
	"crypto/x509"
	"encoding/binary"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ingot.dev/certs"
	"ingot.dev/certs/certstest"
	"ingot.dev/internal/testenv"
)

// documented returns the lines of the first preformatted block of doc.go after a text.
func documented(t *testing.T, after string) []string {
	testenv.NeedFiles(t)
	data, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, text, ok := strings.Cut(string(data), after)
	if !ok {
		t.Fatalf("doc.go doesn't say %q", after)
	}
	var block []string
	for line := range strings.Lines(text) {
		line, in := strings.CutPrefix(strings.TrimRight(line, "\n"), "//\t")
		if !in && len(block) > 0 {
			break
		}
		if in {
			block = append(block, line)
		}
	}
	return block
}

// TestLayout: the store in the package comment is one, with all that it says, and it has
// everything that there is.
func TestLayout(t *testing.T) {
	root := certstest.NewCA(t, certstest.Template{CommonName: "Root"})
	issuing := root.Intermediate(certstest.Template{CommonName: "Issuing"})
	chain1 := root.Intermediate(certstest.Template{CommonName: "Chain 2"})
	chain0 := chain1.Intermediate(certstest.Template{CommonName: "Chain 1"})
	id := chain0.Issue(certstest.Template{Names: []string{"a.test"}})
	vault := issuing.Issue(certstest.Template{Names: []string{"b.test"}})
	contents := map[string][]byte{
		"identities/default/cert.der": id.DER, "identities/default/key.der": id.KeyDER,
		"identities/default/chain1.der": chain0.DER(), "identities/default/chain2.der": chain1.DER(),
		"identities/vault/cert.der": vault.DER, "identities/vault/key.kept": nil,
		"intermediates/issuing.der": issuing.DER(),
	}
	bySuffix := map[string][]byte{
		".der": root.DER(), ".bundle": makeBundle(t, root.Cert),
		".crl": root.CRL(certstest.RevocationTemplate{}), ".pins": pinFile(root.Cert, issuing.Cert),
	}
	tree := certstest.Tree{}
	folder := ""
	for _, line := range documented(t, "A store is a folder of DER files") {
		name, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		if !strings.HasPrefix(line, " ") {
			folder = name
			continue
		}
		file := path.Join(folder, name)
		data, known := contents[file]
		if !known {
			data = bySuffix[path.Ext(file)]
		}
		tree[file] = data
	}
	for file := range contents {
		if _, ok := tree[file]; !ok {
			t.Errorf("the layout lacks %s", file)
		}
	}
	keeper := certs.KeptBy(vaultOf(vault))
	all := certs.Options{Bundles: certs.Bundles(), Rules: certs.Rules(), Keeper: keeper}
	store, err := certs.Load(tree.FS(), all)
	if err != nil {
		t.Fatal(err)
	}
	if got := store.Groups(); !slices.Equal(got, []string{"", "clients", "public"}) {
		t.Errorf("groups %q", got)
	}
	if n := len(store.Anchors()); n != 3 {
		t.Errorf("%d anchors", n)
	}
	def, _ := store.Identity("default")
	kept, _ := store.Identity("vault")
	if len(def.Chain()) != 2 || len(kept.Chain()) != 1 || !kept.Kept() {
		t.Errorf("chains of %d and %d", len(def.Chain()), len(kept.Chain()))
	}
	if len(store.CRLs()) != 1 || len(store.Pins("api.example.com")) != 2 || len(store.Intermediates()) != 1 {
		t.Errorf("%d lists, %d pins, %d intermediates", len(store.CRLs()), len(store.Pins("api.example.com")), len(store.Intermediates()))
	}

	// What the comment says of names that play no role, and of what must be there.
	for _, name := range []string{".git", "_old", "NOTES.md", "anchors/readme.txt", "pins/.swp", "crls/_old.crl", "intermediates/notes.md"} {
		tree[name] = []byte("hello")
	}
	if _, err := certs.Load(tree.FS(), all); err != nil {
		t.Errorf("with notes: %v", err)
	}
	for _, lone := range []string{"anchors/ca.der", "identities/default/cert.der"} {
		alone := certstest.Tree{}
		for file, data := range tree {
			if strings.HasPrefix(file, path.Dir(lone)) {
				alone[file] = data
			}
		}
		if _, err := certs.Load(alone.FS(), all); err != nil {
			t.Errorf("only %s: %v", path.Dir(lone), err)
		}
	}
}

func vaultOf(id *certstest.Identity) certs.Keeper { return vault{"": id.Key}.signer }

// TestDocumentedPins: the set of pins in the package comment is one.
func TestDocumentedPins(t *testing.T) {
	text := strings.Join(documented(t, "// are notes:"), "\n")
	tree := certstest.Tree{"pins/a.pins": []byte(text)}
	tree.AddAnchor("", certstest.NewCA(t, certstest.Template{}))
	if sets := loadRules(t, tree).PinSets(); len(sets) != 1 || sets[0].Primary[0].Label != "the server's key" || sets[0].Backup[0].Label != "in the safe" {
		t.Errorf("%+v", sets)
	}
}

// TestDocumentedBundle: a bundle has its parts where the package comment says.
func TestDocumentedBundle(t *testing.T) {
	a, b := certstest.NewCA(t, certstest.Template{CommonName: "A"}), certstest.NewCA(t, certstest.Template{CommonName: "B"})
	data := makeBundle(t, a.Cert, b.Cert)
	field := regexp.MustCompile(`^ *([0-9]+) +([0-9]+)n? +(.*)`)
	part := regexp.MustCompile(`^ {8,}([0-9]+)  `)
	at := map[string][2]int{}
	entry := 0
	for _, line := range documented(t, "has numbers in big-endian order:") {
		if m := field.FindStringSubmatch(line); m != nil {
			offset, _ := strconv.Atoi(m[1])
			size, _ := strconv.Atoi(m[2])
			word, _, _ := strings.Cut(m[3], " ")
			at[strings.Trim(word, `",`)] = [2]int{offset, size}
		} else if m := part.FindStringSubmatch(line); m != nil {
			size, _ := strconv.Atoi(m[1])
			entry += size
		}
	}
	number := func(word string) int {
		f, ok := at[word]
		if !ok || f[1] != 4 {
			t.Fatalf("no number %q in %v", word, at)
		}
		return int(binary.BigEndian.Uint32(data[f[0]:]))
	}
	if f := at["INGOTCA1"]; string(data[f[0]:f[0]+f[1]]) != "INGOTCA1" {
		t.Errorf("magic: %v", f)
	}
	if n := number("n"); n != 2 {
		t.Errorf("n = %d", n)
	}
	if n := number("length"); n != len(data) {
		t.Errorf("length %d, and the file has %d", n, len(data))
	}
	if f := at["entries"]; f[1] != entry || f[0] != at["SHA-256"][0]+at["SHA-256"][1] {
		t.Errorf("an entry of %d bytes at %d, whose parts have %d", f[1], f[0], entry)
	}
	first := at["entries"][0] + 2*entry
	offset := binary.BigEndian.Uint32(data[at["entries"][0]+entry-4:])
	if int(offset) != first {
		t.Errorf("the first certificate is at %d, want %d", offset, first)
	}
	if certificates, err := x509.ParseCertificates(data[first:]); err != nil || len(certificates) != 2 {
		t.Errorf("what follows the entries: %v", err)
	}
}
