package certs_test

import (
	"bytes"
	"crypto/ecdsa"
	"io/fs"
	"path"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"ingot.dev/certs"
	"ingot.dev/certs/certstest"
)

// spyFS remembers the memory that key.der and key.pem were read into.
type spyFS struct {
	fstest.MapFS
	mu      sync.Mutex
	buffers [][]byte
	read    int
}

type spyFile struct {
	fs.File
	fsys *spyFS
}

func (s *spyFS) Open(name string) (fs.File, error) {
	f, err := s.MapFS.Open(name)
	if err == nil && strings.HasPrefix(path.Base(name), "key.") {
		f = spyFile{f, s}
	}
	return f, err
}

// Read gives the file in small pieces, so that whoever reads into a buffer that is too
// small has to move it.
func (f spyFile) Read(p []byte) (int, error) {
	n, err := f.File.Read(p[:min(len(p), 50)])
	f.fsys.mu.Lock()
	defer f.fsys.mu.Unlock()
	f.fsys.buffers = append(f.fsys.buffers, p)
	f.fsys.read += n
	return n, err
}

// TestKeyFilesAreWiped: what a key's file was read into holds no byte of the key any more
// when Load returns, whatever it thought of the key.
func TestKeyFilesAreWiped(t *testing.T) {
	ca := certstest.NewCA(t, certstest.Template{})
	id := ca.Issue(certstest.Template{Names: []string{"a.test"}})
	other := ca.Issue(certstest.Template{Names: []string{"b.test"}})
	secret := func(id *certstest.Identity) []byte { return must[[]byte](t)(id.Key.(*ecdsa.PrivateKey).Bytes()) }
	for _, tt := range []struct {
		what   string
		file   string
		der    []byte
		secret []byte
		ok     bool
	}{
		{"good", "key.der", id.KeyDER, secret(id), true},
		{"of another certificate", "key.der", other.KeyDER, secret(other), false},
		{"with bytes behind it", "key.der", append(bytes.Clone(id.KeyDER), 0), secret(id), false},
		{"cut short", "key.der", id.KeyDER[:len(id.KeyDER)-1], secret(id), false},
		{"PEM in its place", "key.der", toPEM("PRIVATE KEY", id.KeyDER), toPEM("PRIVATE KEY", id.KeyDER)[40:60], false},
		{"PEM", "key.pem", toPEM("PRIVATE KEY", id.KeyDER), toPEM("PRIVATE KEY", id.KeyDER)[40:60], false},
		{"behind many bytes", "key.der", append(make([]byte, 60000), id.KeyDER...), secret(id), false},
	} {
		t.Run(tt.what, func(t *testing.T) {
			tree := certstest.Tree{}
			tree.AddIdentity("default", id)
			delete(tree, "identities/default/key.der")
			tree["identities/default/"+tt.file] = tt.der
			spy := &spyFS{MapFS: tree.FS()}
			_, err := certs.Load(spy, certs.Options{})
			if (err == nil) != tt.ok {
				t.Errorf("Load: %v", err)
			}
			if spy.read < len(tt.der) {
				t.Fatalf("the key's file of %d bytes wasn't read: %d", len(tt.der), spy.read)
			}
			for _, b := range spy.buffers {
				// A piece of the secret is enough.
				for i := 0; i+4 <= len(tt.secret); i += 4 {
					if bytes.Contains(b, tt.secret[i:i+4]) {
						t.Fatalf("bytes %d to %d of the secret are still there", i, i+4)
					}
				}
			}
		})
	}
}
