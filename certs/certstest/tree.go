package certstest

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"testing"
	"testing/fstest"
)

// A Tree is a certificate store in memory, in the layout that certs.Load
// reads. The zero value of the map type is not usable; start with Tree{}.
// Tests damage it by assigning to its files.
//
//	tree := certstest.Tree{}
//	tree.AddAnchor("clients", ca)
//	tree.AddIdentity("default", server)
//	store, err := certs.Load(tree.FS(), certs.Options{})
type Tree map[string][]byte

// AddAnchor adds a trust anchor to a group; "" is the group of ungrouped
// anchors. It returns the file's name.
func (tree Tree) AddAnchor(group string, ca *CA) string {
	for i := 1; ; i++ {
		name := path.Join("anchors", group, fmt.Sprintf("ca%d.der", i))
		if _, taken := tree[name]; !taken {
			tree[name] = ca.DER()
			return name
		}
	}
}

// AddIdentity adds an identity with its intermediates.
func (tree Tree) AddIdentity(name string, id *Identity) {
	dir := path.Join("identities", name)
	tree[path.Join(dir, "cert.der")] = id.DER
	tree[path.Join(dir, "key.der")] = id.KeyDER
	for i, der := range id.Chain {
		tree[path.Join(dir, fmt.Sprintf("chain%d.der", i+1))] = der
	}
}

// FS returns the tree as a file system.
func (tree Tree) FS() fstest.MapFS {
	fsys := fstest.MapFS{}
	for name, data := range tree {
		fsys[name] = &fstest.MapFile{Data: data, Mode: 0o600}
	}
	return fsys
}

// WriteDir writes the tree below dir, which is made if it is missing.
func (tree Tree) WriteDir(tb testing.TB, dir string) {
	tb.Helper()
	for name, data := range tree {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			tb.Fatalf("certstest: %v", err)
		}
		writeFile(tb, file, data)
	}
}
