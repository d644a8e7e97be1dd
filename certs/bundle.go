package certs

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"io"
	"io/fs"
	"strconv"
)

// MaxBundleSize is the most bytes that a bundle may have: far above all public
// authorities together, which are about 150 KB.
const MaxBundleSize = 1 << 20

// The form of a bundle; see the package comment. Numbers are big-endian.
const (
	bundleSuffix = ".bundle"
	bundleMagic  = "INGOTCA1"
	bundleHeader = len(bundleMagic) + 4 + 4 + sha256.Size // magic, count, size, checksum
	tagSize      = 8
	entrySize    = sha256.Size + tagSize + tagSize + 4 // fingerprint, key id, subject, offset
)

// A BundleReader is the code that reads bundles. It comes from [Bundles].
type BundleReader struct {
	read func(in *inspector, group, file string)
}

// Bundles is for [Options]: it lets a store hold bundles. Programs that don't call it
// don't carry the code, about 20 KB of an image.
func Bundles() BundleReader { return BundleReader{(*inspector).readBundle} }

// bundle is the index of a file of anchors. The certificates stay in the file,
// which is read again when one of them is needed.
type bundle struct {
	fsys  fs.FS
	group string
	file  string
	size  int    // of the file
	index []byte // n entries
	n     int
	// all is addTo: a variable, so that a program without bundles doesn't carry it.
	all func(group string, pool *x509.CertPool)
}

// tag stands for a key id or a subject in an index. Tags that collide cost time
// only: who is found by a tag is parsed and compared.
func tag(of []byte) (t [tagSize]byte) {
	if len(of) > 0 {
		sum := sha256.Sum256(of)
		copy(t[:], sum[:])
	}
	return t
}

// entry returns the parts of one entry, which lie in the index.
func (b *bundle) entry(i int) (fingerprint, keyID, subject []byte) {
	e := b.index[i*entrySize:]
	return e[:sha256.Size], e[sha256.Size:][:tagSize], e[sha256.Size+tagSize:][:tagSize]
}

// extent returns where the i-th certificate lies; the end is where the next begins.
func (b *bundle) extent(i int) (from, to int) {
	offset := func(i int) int {
		if i == b.n {
			return b.size
		}
		return int(binary.BigEndian.Uint32(b.index[(i+1)*entrySize-4:]))
	}
	return offset(i), offset(i + 1)
}

// name is what an anchor is called in reports.
func (b *bundle) name(i int) string { return b.file + "#" + strconv.Itoa(i) }

// readBundle is the part of Load and Inspect for bundles.
func (in *inspector) readBundle(group, file string) {
	b, e := openBundle(in.fsys, group, file)
	if e != nil {
		in.problem(e)
		return
	}
	if in.anchorFiles += b.n; in.anchorFiles > MaxAnchors {
		return
	}
	in.report.bundles = append(in.report.bundles, b)
	if in.unpack != nil {
		in.unpack(b)
	}
}

// openBundle reads and checks a file's index, and nothing behind it.
func openBundle(fsys fs.FS, group, file string) (*bundle, *FileError) {
	damaged := func(kind error, reason string) (*bundle, *FileError) {
		return nil, &FileError{File: file, Kind: kind, Reason: reason, Fix: bundleFix}
	}
	f, err := fsys.Open(file)
	if err != nil {
		return nil, unreadable(file, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, unreadable(file, err)
	}
	var header [bundleHeader]byte
	if _, err := io.ReadFull(f, header[:]); err == io.EOF || err == io.ErrUnexpectedEOF {
		return damaged(ErrBundle, "the file is too short to be a bundle of authorities")
	} else if err != nil {
		return nil, unreadable(file, err)
	}
	if string(header[:len(bundleMagic)]) != bundleMagic {
		return damaged(ErrBundle, "the file is not a bundle of authorities: it does not begin with "+bundleMagic)
	}
	count := int64(binary.BigEndian.Uint32(header[8:]))
	size := int64(binary.BigEndian.Uint32(header[12:]))
	first := int64(bundleHeader) + count*int64(entrySize)
	switch {
	case size > MaxBundleSize || info.Size() > MaxBundleSize:
		return damaged(ErrTooLarge, fmt.Sprintf("the bundle is larger than %d bytes", MaxBundleSize))
	case count > MaxAnchors:
		return damaged(ErrTooMany, fmt.Sprintf("the bundle holds %d anchors, and at most %d are allowed", count, MaxAnchors))
	case count == 0:
		return damaged(ErrEmptyFile, "the bundle holds no anchor")
	case size != info.Size() || first > size:
		return damaged(ErrBundle, fmt.Sprintf("the bundle says that it has %d bytes, and the file has %d", size, info.Size()))
	}
	b := &bundle{fsys: fsys, group: group, file: file, size: int(size), n: int(count), index: make([]byte, first-int64(bundleHeader))}
	if _, err := io.ReadFull(f, b.index); err != nil {
		return nil, unreadable(file, err)
	}
	if sum := bundleSum(header[:len(bundleMagic)+8], b.index); !bytes.Equal(sum[:], header[len(bundleMagic)+8:]) {
		return damaged(ErrBundle, "the index of the bundle is damaged: its checksum is wrong")
	}
	if from, _ := b.extent(0); int64(from) != first {
		return damaged(ErrBundle, "the index of the bundle is wrong: the first certificate is not behind it")
	}
	for i := range b.n {
		if from, to := b.extent(i); to <= from || to-from > MaxFileSize || to > b.size {
			return damaged(ErrBundle, fmt.Sprintf("the index of the bundle is wrong: certificate %d lies from %d to %d", i, from, to))
		}
		if i == 0 {
			continue
		}
		before, _, _ := b.entry(i - 1)
		if this, _, _ := b.entry(i); bytes.Compare(before, this) >= 0 {
			return damaged(ErrBundle, fmt.Sprintf("the index of the bundle is wrong: certificate %d is out of order", i))
		}
	}
	b.all = b.addTo
	return b, nil
}

const bundleFix = "make the bundle again with 'ingot certs bundle'"

func unreadable(file string, err error) *FileError {
	return &FileError{File: file, Kind: ErrRead, Err: cause(err),
		Reason: "the file cannot be read", Fix: "check that it is a file and may be read"}
}

func bundleSum(header, index []byte) (sum [sha256.Size]byte) {
	h := sha256.New()
	h.Write(header)
	h.Write(index)
	h.Sum(sum[:0])
	return sum
}

// read returns the bytes of the i-th certificate: those that the index was made for,
// or an error.
func (b *bundle) read(i int) ([]byte, *FileError) {
	f, err := b.fsys.Open(b.file)
	if err != nil {
		return nil, unreadable(b.file, err)
	}
	defer f.Close()
	from, to := b.extent(i)
	der := make([]byte, to-from)
	if at, ok := f.(io.ReaderAt); ok {
		_, err = at.ReadAt(der, int64(from))
		if err == io.EOF {
			err = nil // told by the fingerprint
		}
	} else if _, err = io.CopyN(io.Discard, f, int64(from)); err == nil {
		_, err = io.ReadFull(f, der)
	}
	if err != nil {
		return nil, unreadable(b.name(i), err)
	}
	fingerprint, _, _ := b.entry(i)
	if sum := sha256.Sum256(der); !bytes.Equal(sum[:], fingerprint) {
		return nil, &FileError{File: b.name(i), Kind: ErrBundle,
			Reason: "the certificate is not the one that the index of the bundle names: one of them is damaged",
			Fix:    bundleFix}
	}
	return der, nil
}

// parse returns the i-th certificate if it is the one that the index says. Whether
// it may be an anchor is judged elsewhere.
func (b *bundle) parse(i int) (*x509.Certificate, *FileError) {
	der, e := b.read(i)
	if e != nil {
		return nil, e
	}
	cert, e := parseCertificate(b.name(i), der)
	if e != nil {
		return nil, e
	}
	_, keyID, subject := b.entry(i)
	if tag(cert.SubjectKeyId) != [tagSize]byte(keyID) || tag(cert.RawSubject) != [tagSize]byte(subject) {
		return nil, &FileError{File: b.name(i), Kind: ErrBundle,
			Reason: "the index of the bundle has another key id or subject for this certificate",
			Fix:    bundleFix}
	}
	return cert, nil
}

// anchor returns the i-th certificate as an anchor, if it may be one: the same rules
// as for files, but for the dates, which verification judges.
func (b *bundle) anchor(i int) (Anchor, *FileError) {
	cert, e := b.parse(i)
	if e == nil {
		e = checkPublicKey(b.name(i), cert.PublicKey)
	}
	if e == nil {
		e = checkAuthority(b.name(i), cert, "a trust anchor")
	}
	return Anchor{Group: b.group, File: b.name(i), Cert: cert}, e
}

// addTo adds those anchors that can be used, if the bundle is in the group.
func (b *bundle) addTo(group string, pool *x509.CertPool) {
	for i := 0; i < b.n && b.group == group; i++ {
		if a, e := b.anchor(i); e == nil {
			pool.AddCert(a.Cert)
		}
	}
}
