package certs

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// Limits of a store. They bound the memory and time that Load takes, and are
// far above what a device needs: a certificate with an RSA key takes 1 to 2 KB.
const (
	MaxFileSize   = 64 << 10
	MaxAnchors    = 512
	MaxIdentities = 128
	MaxChain      = 8 // intermediates of one identity
)

// Names in the layout.
const (
	anchorsDir    = "anchors"
	identitiesDir = "identities"
	certFile      = "cert.der"
	keyFile       = "key.der"
	chainPrefix   = "chain"
	derSuffix     = ".der"
)

// Options adjusts how a store is judged.
type Options struct {
	// Now is the time on which validity is judged; nil means time.Now. On a
	// device it must be a clock that has been set: see the firmware's time
	// service.
	Now func() time.Time

	// Bundles lets Load read bundles of anchors; give it [Bundles]. The zero value
	// refuses stores that hold some. Inspect always reads them.
	Bundles BundleReader
}

func (o Options) now() time.Time {
	if o.Now == nil {
		return time.Now()
	}
	return o.Now()
}

// An Anchor is an authority that the store trusts.
type Anchor struct {
	Group string // "" if it is in no group
	File  string // path in the store
	Cert  *x509.Certificate
}

// KeyType describes the authority's key, such as "ECDSA P-256".
func (a Anchor) KeyType() string { return keyName(a.Cert.PublicKey) }

// A Report is what [Inspect] found. It is for people and tools; programs that
// use the certificates call [Load], which accepts only a store without
// Problems.
type Report struct {
	// Anchors and Identities hold everything whose certificate could be
	// read, whatever else is wrong with it, in the order of their names.
	Anchors    []Anchor
	Identities []*Identity

	Problems []*FileError // each one makes Load fail, but for those inside bundles
	Warnings []*FileError // worth knowing: anchors out of date, expiry soon, anchors that are there twice

	bundles []*bundle // in Load's own; Inspect puts what is in them into Anchors
}

// Err joins the Problems; it is nil if there are none.
func (r *Report) Err() error {
	errs := make([]error, len(r.Problems))
	for i, e := range r.Problems {
		errs[i] = e
	}
	return errors.Join(errs...)
}

// Inspect reads a whole store and judges it, with every anchor in its bundles.
func Inspect(fsys fs.FS, opt Options) *Report {
	in := &inspector{fsys: fsys, now: opt.now(), bundle: (*inspector).readBundle}
	in.unpack = in.judgeBundle
	report := in.inspect()
	in.judgeDuplicates()
	return report
}

func (in *inspector) inspect() *Report {
	in.top()
	in.judgeNames()
	in.report.Problems = in.problems
	return &in.report
}

// inspector walks a store. It goes on after a problem wherever it can.
type inspector struct {
	fsys        fs.FS
	now         time.Time
	report      Report
	problems    []*FileError
	anchorFiles int
	// bundle is readBundle; nil if the program doesn't carry it.
	bundle func(in *inspector, group, file string)
	// unpack does what Load leaves out: it is a variable so that images don't carry it.
	unpack func(*bundle)
	// orphans are keys that do not match their certificate.
	orphans []orphan
}

type orphan struct {
	problem *FileError
	public  crypto.PublicKey
}

func (in *inspector) problem(e *FileError) {
	if e != nil {
		in.problems = append(in.problems, e)
	}
}

func (in *inspector) warn(e *FileError) { in.report.Warnings = append(in.report.Warnings, e) }

// readDir lists a folder without the files that are not meant for us: go:embed
// leaves out names that begin with "." or "_", and notes may lie beside
// certificates.
func (in *inspector) readDir(dir string) []fs.DirEntry {
	entries, err := fs.ReadDir(in.fsys, dir)
	if err != nil {
		in.problem(&FileError{File: dir, Kind: ErrRead, Err: cause(err),
			Reason: "the folder cannot be read",
			Fix:    "check that it exists and may be read"})
	}
	return slices.DeleteFunc(entries, func(e fs.DirEntry) bool {
		name := e.Name()
		return name[0] == '.' || name[0] == '_' ||
			!e.IsDir() && (strings.HasSuffix(name, ".md") || strings.HasSuffix(name, ".txt"))
	})
}

// read returns a file's content, or reports why it cannot be had.
func (in *inspector) read(file string) ([]byte, bool) {
	data, err := readLimited(in.fsys, file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		in.problem(&FileError{File: file, Kind: ErrMissing,
			Reason: "the file does not exist",
			Fix:    "put it there, or make development certificates with 'ingot certs init'"})
	case err != nil:
		in.problem(&FileError{File: file, Kind: ErrRead, Err: cause(err),
			Reason: "the file cannot be read",
			Fix:    "check that it is a file and may be read"})
	case len(data) > MaxFileSize:
		in.problem(&FileError{File: file, Kind: ErrTooLarge,
			Reason: fmt.Sprintf("the file is larger than %d bytes", MaxFileSize),
			Fix:    "put one certificate or key in a file, without anything around it"})
	default:
		return data, true
	}
	return nil, false
}

// readLimited returns at most MaxFileSize bytes, and one more if there are more.
func readLimited(fsys fs.FS, file string) ([]byte, error) {
	f, err := fsys.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, MaxFileSize+1))
}

// cause strips the path from an error: FileError has it.
func cause(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

func (in *inspector) top() {
	entries := in.readDir(".")
	if len(in.problems) > 0 {
		return
	}
	isPart := func(e fs.DirEntry) bool {
		return e.IsDir() && (e.Name() == anchorsDir || e.Name() == identitiesDir)
	}
	if !slices.ContainsFunc(entries, isPart) {
		in.problem(in.notAStore(entries))
		return
	}
	for _, e := range entries {
		switch {
		case !isPart(e):
			in.unexpected(e.Name(), certificate, "a store holds the folders "+anchorsDir+" and "+identitiesDir+" only; move it elsewhere")
		case e.Name() == anchorsDir:
			in.anchors()
		default:
			in.identities()
		}
	}
	if len(in.problems) == 0 && in.anchorFiles == 0 && len(in.report.Identities) == 0 {
		in.problem(&FileError{File: ".", Kind: ErrLayout,
			Reason: "the store is empty",
			Fix:    "make development certificates with 'ingot certs init'"})
	}
}

// notAStore looks one level down for what was probably meant.
func (in *inspector) notAStore(entries []fs.DirEntry) *FileError {
	e := &FileError{File: ".", Kind: ErrLayout,
		Reason: "there is neither a folder " + anchorsDir + " nor a folder " + identitiesDir + " here",
		Fix:    "make development certificates with 'ingot certs init'"}
	for _, entry := range entries {
		if !entry.IsDir() {
			continue
		}
		for _, part := range []string{anchorsDir, identitiesDir} {
			if info, err := fs.Stat(in.fsys, path.Join(entry.Name(), part)); err == nil && info.IsDir() {
				e.Fix = fmt.Sprintf("name the folder %q below this one, in Go with fs.Sub(fsys, %q)", entry.Name(), entry.Name())
				return e
			}
		}
	}
	return e
}

// unexpected reports a file or folder that has no place in the layout. A
// certificate in a form we do not read is the usual case, and the advice is how
// to convert it; then unexpected returns the name of the file that will come of
// that, so that its absence is not reported too.
func (in *inspector) unexpected(file string, want object, fix string) (converted string) {
	problem := &FileError{File: file, Kind: ErrUnexpectedFile, Reason: "there is no place for this in a certificate store", Fix: fix}
	if data, err := readLimited(in.fsys, file); err == nil && len(data) <= MaxFileSize {
		if label, ok := pemLabel(data); ok {
			if strings.HasSuffix(label, "PRIVATE KEY") && strings.HasPrefix(file, identitiesDir+"/") {
				want = privateKeyObject
			}
			problem = pemError(file, label, data, want)
			converted = derName(file, want)
		} else if ext := path.Ext(file); ext == ".crt" || ext == ".cer" {
			problem.Reason = "the name does not end in " + derSuffix
			problem.Fix = "rename it to " + derName(file, certificate)
		}
	}
	in.problem(problem)
	return converted
}

func (in *inspector) anchors() {
	for _, e := range in.readDir(anchorsDir) {
		if !e.IsDir() {
			in.anchor("", path.Join(anchorsDir, e.Name()))
			continue
		}
		group := e.Name()
		for _, e := range in.readDir(path.Join(anchorsDir, group)) {
			file := path.Join(anchorsDir, group, e.Name())
			if e.IsDir() {
				in.unexpected(file, certificate, "groups have no groups inside: move its files up")
				continue
			}
			in.anchor(group, file)
		}
	}
	if in.anchorFiles > MaxAnchors {
		in.problem(&FileError{File: anchorsDir, Kind: ErrTooMany,
			Reason: fmt.Sprintf("there are %d anchors, and at most %d are allowed", in.anchorFiles, MaxAnchors),
			Fix:    "trust only the authorities that this device talks to"})
	}
}

func (in *inspector) anchor(group, file string) {
	if path.Ext(file) == bundleSuffix {
		if in.bundle != nil {
			in.bundle(in, group, file)
			return
		}
		in.problem(&FileError{File: file, Kind: ErrBundle,
			Reason: "this program carries no code for bundles",
			Fix:    "set Bundles in certs.Options, or in firmware.Config, to certs.Bundles()"})
		return
	}
	if path.Ext(file) != derSuffix {
		in.unexpected(file, certificate, "name it .der if it is a certificate in DER, or move it elsewhere")
		return
	}
	if in.anchorFiles++; in.anchorFiles > MaxAnchors {
		return
	}
	data, ok := in.read(file)
	if !ok {
		return
	}
	cert, e := parseCertificate(file, data)
	if e != nil {
		in.problem(e)
		return
	}
	in.report.Anchors = append(in.report.Anchors, Anchor{Group: group, File: file, Cert: cert})
	in.judgeAnchor(file, cert)
}

func (in *inspector) identities() {
	folders := 0
	folded := map[string]string{} // by name in lower case
	for _, e := range in.readDir(identitiesDir) {
		dir := path.Join(identitiesDir, e.Name())
		if !e.IsDir() {
			in.unexpected(dir, certificate, "an identity is a folder: "+identitiesDir+"/<name>/"+certFile)
			continue
		}
		// Names that differ in case alone would be one folder on some
		// file systems and two on others.
		fold := strings.ToLower(e.Name())
		if other, taken := folded[fold]; taken {
			in.problem(&FileError{File: dir, Kind: ErrDuplicate,
				Reason: "the identity has the same name as " + other + " but for capitals",
				Fix:    "rename one of them"})
		}
		folded[fold] = dir
		if folders++; folders <= MaxIdentities {
			in.identity(e.Name(), dir)
		}
	}
	if folders > MaxIdentities {
		in.problem(&FileError{File: identitiesDir, Kind: ErrTooMany,
			Reason: fmt.Sprintf("there are %d identities, and at most %d are allowed", folders, MaxIdentities),
			Fix:    "remove those that this device does not use"})
	}
}

func (in *inspector) identity(name, dir string) {
	var chainFiles []string
	awaited := map[string]bool{} // files that a conversion we advised will make
	for _, e := range in.readDir(dir) {
		base, file := e.Name(), path.Join(dir, e.Name())
		switch {
		case e.IsDir():
			in.unexpected(file, certificate, "an identity has no folders inside: move it elsewhere")
		case base == certFile, base == keyFile:
		case strings.HasPrefix(base, chainPrefix) && path.Ext(base) == derSuffix:
			chainFiles = append(chainFiles, file)
		default:
			awaited[in.unexpected(file, certificate, "an identity holds "+certFile+", "+keyFile+" and "+chainPrefix+"1.der, "+chainPrefix+"2.der, ... only")] = true
		}
	}
	sort(chainFiles, naturalLess)

	id := &Identity{name: name, dir: dir}
	certPath, keyPath := path.Join(dir, certFile), path.Join(dir, keyFile)
	if !awaited[certPath] {
		if data, ok := in.read(certPath); ok {
			var e *FileError
			id.leaf, e = parseCertificate(certPath, data)
			in.problem(e)
		}
	}
	if !awaited[keyPath] {
		if data, ok := in.read(keyPath); ok {
			var e *FileError
			id.key, e = parseKey(keyPath, data)
			in.problem(e)
		}
	}
	if len(chainFiles) > MaxChain {
		in.problem(&FileError{File: dir, Kind: ErrTooMany,
			Reason: fmt.Sprintf("there are %d intermediates, and at most %d are allowed", len(chainFiles), MaxChain),
			Fix:    "keep those between the certificate and its authority"})
		chainFiles = nil
	}
	chainNames := chainFiles[:0:0]
	wholeChain := true
	for _, file := range chainFiles {
		data, ok := in.read(file)
		if !ok {
			wholeChain = false
			continue
		}
		cert, e := parseCertificate(file, data)
		if e != nil {
			in.problem(e)
			wholeChain = false
			continue
		}
		id.chain = append(id.chain, cert)
		chainNames = append(chainNames, file)
	}

	if id.leaf == nil {
		if id.key != nil {
			in.problem(checkPublicKey(keyPath, id.key.Public()))
		}
		return
	}
	in.judgeLeaf(certPath, id)
	if id.key != nil && !samePublicKey(id.key.Public(), id.leaf.PublicKey) {
		problem := &FileError{File: keyPath, Kind: ErrKeyMismatch,
			Reason: "the private key does not belong to " + certPath,
			Fix:    "put the key here that the certificate was requested with, or request a certificate for this key"}
		in.problem(problem)
		in.orphans = append(in.orphans, orphan{problem, id.key.Public()})
	}
	for i, cert := range id.chain {
		in.judgeIntermediate(chainNames[i], cert)
	}
	if wholeChain {
		in.judgeChain(id, certPath, chainNames)
	}

	id.tls = tls.Certificate{Certificate: [][]byte{id.leaf.Raw}, Leaf: id.leaf}
	if id.key != nil {
		id.tls.PrivateKey = id.key
	}
	for _, cert := range id.chain {
		id.tls.Certificate = append(id.tls.Certificate, cert.Raw)
	}
	in.report.Identities = append(in.report.Identities, id)
}
