package certs

import (
	"crypto"
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
	MaxAnchors    = 512 // with the folder of intermediates
	MaxIdentities = 128
	MaxChain      = 8 // intermediates of one identity
)

// Names in the layout.
const (
	anchorsDir    = "anchors"
	identitiesDir = "identities"
	betweenDir    = "intermediates"
	crlsDir       = "crls"
	pinsDir       = "pins"
	storeFolders  = anchorsDir + ", " + identitiesDir + ", " + betweenDir + ", " + crlsDir + " and " + pinsDir
	certFile      = "cert.der"
	keyFile       = "key.der"
	keptFile      = "key.kept"
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

	// Rules lets Load read CRLs and pins; give it [Rules]. The zero value refuses
	// stores that hold some. Inspect always reads them.
	Rules RuleReader

	// Keeper has the private keys of the identities that hold key.kept in place of
	// key.der; see [KeptBy]. The zero value refuses stores with such identities. Inspect
	// then leaves their keys out.
	Keeper KeyReader
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
	// Anchors, Identities and Intermediates hold everything whose certificate could be
	// read, whatever else is wrong with it, in the order of their names.
	Anchors       []Anchor
	Identities    []*Identity
	Intermediates []Intermediate

	Problems []*FileError // each one makes Load fail, but for those inside bundles
	Warnings []*FileError // worth knowing: anchors out of date, expiry soon, anchors that are there twice

	bundles []*bundle // in Load's own; Inspect puts what is in them into Anchors
	rules   any       // *rules or nil: any, so that images without don't carry the types
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
	opt.Bundles, opt.Rules = Bundles(), Rules()
	if opt.Keeper.read == nil {
		opt.Keeper.read = (*inspector).withoutKeeper
	}
	in := &inspector{fsys: fsys, now: opt.now(), opt: opt}
	in.unpack = in.judgeBundle
	report := in.inspect()
	in.judgeDuplicates()
	in.judgeUnknownPins()
	return report
}

func (in *inspector) inspect() *Report {
	in.top()
	in.complete()
	if in.judgeRules != nil {
		in.judgeRules(in)
	}
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
	opt         Options
	between     []*x509.Certificate // all intermediates
	// judgeRules judges what opt.Rules has read.
	judgeRules func(in *inspector)
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
		in.problem(fault(file, ErrMissing,
			"the file does not exist",
			"put it there, or make development certificates with 'ingot certs init'"))
	case err != nil:
		in.problem(&FileError{File: file, Kind: ErrRead, Err: cause(err),
			Reason: "the file cannot be read",
			Fix:    "check that it is a file and may be read"})
	case len(data) > MaxFileSize:
		in.problem(fault(file, ErrTooLarge,
			fmt.Sprintf("the file is larger than %d bytes", MaxFileSize),
			"put one certificate or key in a file, without anything around it"))
	default:
		return data, true
	}
	return nil, false
}

// readLimited returns at most MaxFileSize bytes, and one more if there are more. The file
// may be a private key, so that no buffer is outgrown and left behind, as io.ReadAll does.
func readLimited(fsys fs.FS, file string) ([]byte, error) {
	f, err := fsys.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	data := make([]byte, min(info.Size(), MaxFileSize)+1)
	n, err := io.ReadFull(f, data)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = nil
	}
	return data[:n], err
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
	isStore := false
	for _, e := range entries {
		isStore = isStore || e.IsDir() && (e.Name() == anchorsDir || e.Name() == identitiesDir)
	}
	if !isStore {
		in.problem(in.notAStore(entries))
		return
	}
	for _, e := range entries {
		folder := e.Name()
		if !e.IsDir() {
			folder = ""
		}
		switch folder {
		case anchorsDir, betweenDir:
			in.authorities(folder, "")
		case identitiesDir:
			in.identities()
		case crlsDir, pinsDir:
			if in.opt.Rules.read != nil {
				in.opt.Rules.read(in, folder)
			} else {
				in.noCode(folder, "Rules")
			}
		default:
			in.unexpected(e.Name(), certificate, "a store holds the folders "+storeFolders+" only; move it elsewhere")
		}
	}
	if in.anchorFiles > MaxAnchors {
		in.problem(fault(anchorsDir, ErrTooMany,
			fmt.Sprintf("there are %d anchors and intermediates, and at most %d are allowed", in.anchorFiles, MaxAnchors),
			"trust only the authorities that this device talks to"))
	}
	if len(in.problems) == 0 && in.anchorFiles == 0 && len(in.report.Identities) == 0 {
		in.problem(fault(".", ErrLayout,
			"the store is empty",
			"make development certificates with 'ingot certs init'"))
	}
}

// notAStore looks one level down for what was probably meant.
func (in *inspector) notAStore(entries []fs.DirEntry) *FileError {
	e := fault(".", ErrLayout,
		"there is neither a folder "+anchorsDir+" nor a folder "+identitiesDir+" here",
		"make development certificates with 'ingot certs init'")
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
		clear(data) // may be a private key
	}
	in.problem(problem)
	return converted
}

// authorities reads a folder: of anchors, with groups inside, of a group, or of
// intermediates.
func (in *inspector) authorities(dir, group string) {
	for _, e := range in.readDir(dir) {
		file := path.Join(dir, e.Name())
		switch {
		case !e.IsDir():
			in.anchor(group, file)
		case dir == anchorsDir:
			in.authorities(file, e.Name())
		default:
			in.unexpected(file, certificate, "groups have no groups inside: move its files up")
		}
	}
}

// anchor reads an anchor, a bundle, or an intermediate.
func (in *inspector) anchor(group, file string) {
	between := file[0] == betweenDir[0]
	if path.Ext(file) == bundleSuffix && !between {
		if in.opt.Bundles.read != nil {
			in.opt.Bundles.read(in, group, file)
		} else {
			in.noCode(file, "Bundles")
		}
		return
	}
	if path.Ext(file) != derSuffix {
		in.unexpected(file, certificate, "name it .der if it is a certificate in DER, or move it elsewhere")
		return
	}
	if in.anchorFiles++; in.anchorFiles > MaxAnchors {
		return
	}
	cert := in.certificate(file)
	if cert == nil {
		return
	}
	if between {
		in.report.Intermediates = append(in.report.Intermediates, Intermediate{file, cert})
		in.judgeIntermediate(file, cert)
		return
	}
	in.report.Anchors = append(in.report.Anchors, Anchor{Group: group, File: file, Cert: cert})
	in.judgeAnchor(file, cert)
}

// noCode reports what only programs can use that ask for it.
func (in *inspector) noCode(file, option string) {
	in.problem(fault(file, ErrNoCode,
		"the program is built without the code that reads this",
		"set "+option+" in certs.Options, or in firmware.Config"))
}

// certificate reads the file of one; nil if it can't be had.
func (in *inspector) certificate(file string) *x509.Certificate {
	data, ok := in.read(file)
	if !ok {
		return nil
	}
	cert, e := parseCertificate(file, data)
	in.problem(e)
	return cert
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
			in.problem(fault(dir, ErrDuplicate,
				"the identity has the same name as "+other+" but for capitals",
				"rename one of them"))
		}
		folded[fold] = dir
		if folders++; folders <= MaxIdentities {
			in.identity(e.Name(), dir)
		}
	}
	if folders > MaxIdentities {
		in.problem(fault(identitiesDir, ErrTooMany,
			fmt.Sprintf("there are %d identities, and at most %d are allowed", folders, MaxIdentities),
			"remove those that this device does not use"))
	}
}

func (in *inspector) identity(name, dir string) {
	id := &Identity{name: name, dir: dir}
	var chainFiles []string
	awaited := map[string]bool{} // files that a conversion we advised will make
	for _, e := range in.readDir(dir) {
		base, file := e.Name(), path.Join(dir, e.Name())
		switch {
		case e.IsDir():
			in.unexpected(file, certificate, "an identity has no folders inside: move it elsewhere")
		case base == certFile, base == keyFile:
		case base == keptFile:
			id.kept = true
		case strings.HasPrefix(base, chainPrefix) && path.Ext(base) == derSuffix:
			chainFiles = append(chainFiles, file)
		default:
			awaited[in.unexpected(file, certificate, "an identity holds "+certFile+", "+keyFile+" or "+keptFile+", and "+chainPrefix+"1.der, "+chainPrefix+"2.der, ... only")] = true
		}
	}
	sort(chainFiles, naturalLess)

	certPath, keyPath := path.Join(dir, certFile), path.Join(dir, keyFile)
	if !awaited[certPath] {
		id.leaf = in.certificate(certPath)
	}
	switch {
	case id.kept:
		keyPath = path.Join(dir, keptFile)
		if in.opt.Keeper.read != nil {
			in.opt.Keeper.read(in, keyPath, id)
		} else {
			in.noCode(keyPath, "Keeper")
		}
	case !awaited[keyPath]:
		if data, ok := in.read(keyPath); ok {
			var e *FileError
			id.key, e = parseKey(keyPath, data)
			clear(data)
			in.problem(e)
		}
	}
	if len(chainFiles) > MaxChain {
		in.problem(fault(dir, ErrTooMany,
			fmt.Sprintf("there are %d intermediates, and at most %d are allowed", len(chainFiles), MaxChain),
			"keep those between the certificate and its authority"))
		chainFiles = nil
	}
	chainNames := chainFiles[:0:0]
	wholeChain := true
	for _, file := range chainFiles {
		cert := in.certificate(file)
		if cert == nil {
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
		problem := fault(keyPath, ErrKeyMismatch,
			"the private key does not belong to "+certPath,
			"put the key here that the certificate was requested with, or request a certificate for this key")
		if id.kept {
			problem.Reason = "the keeper's key does not belong to " + certPath
		}
		in.problem(problem)
		in.orphans = append(in.orphans, orphan{problem, id.key.Public()})
	}
	for i, cert := range id.chain {
		in.judgeIntermediate(chainNames[i], cert)
	}
	if wholeChain {
		in.judgeChain(id, certPath, chainNames)
	}

	in.report.Identities = append(in.report.Identities, id)
}
