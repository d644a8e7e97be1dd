package storeedit

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing/fstest"

	"ingot.dev/certs"
	"ingot.dev/internal/atomicfile"
)

// Errors that the methods of Edit wrap.
var (
	// ErrExists says that something of that name is in the store.
	ErrExists = errors.New("is in the store already")
	// ErrName says that a name can't be a folder's or a file's.
	ErrName = errors.New("not a good name: use letters, digits, dots, - and _")
	// ErrUnsound says that the store would not start in an image.
	ErrUnsound = errors.New("the store would not start in an image")
)

// Edit is a change that is being prepared.
type Edit struct {
	dir     string
	force   bool
	files   map[string][]byte // all of the store, by path in it
	before  map[string][]byte
	folders []string // identities to be replaced or made
	anchors []string // files to be written
}

// Open begins a change of the store in dir, which need not be there yet. With force,
// what is in the way is replaced.
func Open(dir string, force bool) (*Edit, error) {
	e := &Edit{dir: dir, force: force, files: map[string][]byte{}}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && name == "." {
			return fs.SkipAll
		}
		if err == nil && d.IsDir() && name != "." && strings.HasPrefix(d.Name(), ".") {
			return fs.SkipDir // no part of a store
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		limit := int64(certs.MaxFileSize)
		switch path.Ext(name) {
		case ".bundle":
			limit = certs.MaxBundleSize
		case ".crl":
			limit = certs.MaxCRLSize
		}
		if info.Size() > limit {
			return fmt.Errorf("%s has %d bytes; %d are allowed", filepath.Join(dir, name), info.Size(), limit)
		}
		e.files[name], err = os.ReadFile(filepath.Join(dir, name))
		return err
	})
	if err != nil {
		return nil, err
	}
	e.before = maps.Clone(e.files)
	return e, nil
}

// Report is the state of the store with the change.
func (e *Edit) Report() *certs.Report { return certs.Inspect(e.FS(), certs.Options{}) }

// FS is the store with the change.
func (e *Edit) FS() fs.FS {
	fsys := fstest.MapFS{}
	for name, data := range e.files {
		fsys[name] = &fstest.MapFile{Data: data}
	}
	return fsys
}

var goodName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// CheckName refuses a name of an identity that can't be a folder's.
func CheckName(name string) error {
	if !goodName.MatchString(name) {
		return fmt.Errorf("identity %q: %w", name, ErrName)
	}
	return nil
}

// Slug makes a name of a text, such as a subject.
func Slug(text string) string {
	s := strings.Trim(regexp.MustCompile(`[^a-z0-9.]+`).ReplaceAllString(strings.ToLower(text), "-"), "-.")
	if len(s) > 64 {
		s = strings.Trim(s[:64], "-.")
	}
	if s == "" {
		return "unnamed"
	}
	return s
}

// Identity puts an identity into the store: its chain, leaf first, and its key in
// PKCS#8.
func (e *Edit) Identity(name string, chain []*x509.Certificate, key []byte) error {
	return e.identity(name, chain, "key.der", key)
}

// KeptIdentity puts an identity into the store whose key a keeper has, by a reference
// that tells the keeper which it is.
func (e *Edit) KeptIdentity(name string, chain []*x509.Certificate, reference []byte) error {
	return e.identity(name, chain, "key.kept", reference)
}

func (e *Edit) identity(name string, chain []*x509.Certificate, keyFile string, key []byte) error {
	if err := CheckName(name); err != nil {
		return err
	}
	dir := path.Join("identities", name)
	for file := range e.files {
		if !strings.HasPrefix(file, dir+"/") {
			continue
		}
		if !e.force {
			return fmt.Errorf("identity %q %w; give it another name with --as, or replace it with --force", name, ErrExists)
		}
		delete(e.files, file)
	}
	e.files[dir+"/cert.der"] = chain[0].Raw
	e.files[dir+"/"+keyFile] = key
	for i, c := range chain[1:] {
		e.files[fmt.Sprintf("%s/chain%d.der", dir, i+1)] = c.Raw
	}
	if !slices.Contains(e.folders, dir) {
		e.folders = append(e.folders, dir)
	}
	return nil
}

// Anchor has the store trust an authority. It returns the file's name, and false if
// the store trusted it before.
func (e *Edit) Anchor(group, name string, cert *x509.Certificate) (file string, added bool, err error) {
	if !goodName.MatchString(name) {
		return "", false, fmt.Errorf("anchor %q: %w", name, ErrName)
	}
	if group != "" && !goodName.MatchString(group) {
		return "", false, fmt.Errorf("group %q: %w", group, ErrName)
	}
	dir := path.Join("anchors", group)
	for file, data := range e.files {
		if path.Dir(file) == dir && bytes.Equal(data, cert.Raw) {
			return file, false, nil
		}
	}
	file = path.Join(dir, name+".der")
	if _, taken := e.files[file]; taken && !e.force {
		return "", false, fmt.Errorf("anchor %s %w; give it another name with --as, or replace it with --force", file, ErrExists)
	}
	e.files[file] = cert.Raw
	e.anchors = append(e.anchors, file)
	return file, true, nil
}

// Bundle has the store trust many authorities, in one file. It returns that file's name
// and size.
func (e *Edit) Bundle(group, name string, authorities []*x509.Certificate) (file string, size int, err error) {
	if !goodName.MatchString(name) {
		return "", 0, fmt.Errorf("bundle %q: %w", name, ErrName)
	}
	if group != "" && !goodName.MatchString(group) {
		return "", 0, fmt.Errorf("group %q: %w", group, ErrName)
	}
	file = path.Join("anchors", group, name+".bundle")
	if _, taken := e.files[file]; taken && !e.force {
		return "", 0, fmt.Errorf("bundle %s %w; give it another name with --as, or replace it with --force", file, ErrExists)
	}
	data, err := certs.Bundle(authorities)
	if err != nil {
		return "", 0, err
	}
	e.files[file] = data
	e.anchors = append(e.anchors, file)
	return file, len(data), nil
}

// Write judges the store and writes what has changed. Problems that the store had
// before don't count.
func (e *Edit) Write() error {
	had := map[string]bool{}
	old := &Edit{files: e.before}
	for _, p := range old.Report().Problems {
		had[p.Error()] = true
	}
	var wrong []error
	for _, p := range e.Report().Problems {
		if !had[p.Error()] {
			wrong = append(wrong, p)
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("nothing was written: %w: %w", ErrUnsound, errors.Join(wrong...))
	}
	tree, err := atomicfile.NewTree(e.dir)
	if err != nil {
		return err
	}
	defer tree.Close()
	for _, dir := range e.folders {
		tree.Whole(dir)
	}
	changes := e.Changes()
	for _, c := range changes {
		if c.State == Removed {
			continue // with its folder
		}
		mode := fs.FileMode(0o644)
		if c.Private {
			mode = 0o600
		}
		if err := tree.Add(c.File, e.files[c.File], mode); err != nil {
			return err
		}
	}
	return tree.Commit()
}

// State says what a change does to a file.
type State string

const (
	Created   State = "created"
	Replaced  State = "replaced"
	Unchanged State = "unchanged" // its bytes stay
	Removed   State = "removed"
)

// Change is what Write does to one file, or has done to it.
type Change struct {
	File    string // path in the store
	State   State
	Private bool // a key: only its owner may read it
}

// Changes lists the files of the change, in the order of their names.
func (e *Edit) Changes() []Change {
	var list []Change
	for _, file := range slices.Sorted(maps.Keys(e.files)) {
		if !slices.Contains(e.anchors, file) && !slices.Contains(e.folders, path.Dir(file)) {
			continue
		}
		state := Created
		if old, was := e.before[file]; was {
			if state = Replaced; bytes.Equal(old, e.files[file]) {
				state = Unchanged
			}
		}
		list = append(list, Change{file, state, path.Base(file) == "key.der"})
	}
	for _, file := range slices.Sorted(maps.Keys(e.before)) {
		if _, stays := e.files[file]; !stays {
			list = append(list, Change{file, Removed, path.Base(file) == "key.der"})
		}
	}
	return list
}
