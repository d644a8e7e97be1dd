package certificate

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"ingot.dev/certs"
	"ingot.dev/certs/container"
)

// Limits on what is read, those of package container.
const (
	MaxStoreSize  = container.MaxSize       // bytes of a store
	MaxEntries    = container.MaxEntries    // certificates and keys in a store
	MaxIterations = container.MaxIterations // of a password's key derivation
)

// A Source says which store to open and which certificate of it to take. Its
// fields are the reference's StoreType, Store, StoreB, StorePassword, KeyPassword,
// Subject, Encoded and configuration string.
type Source struct {
	Type StoreType

	// Name is the file's name in FS for the types called ...File; the section "MY",
	// "CA" or "ROOT" of Certs for User and Machine, where "" means "MY"; the text of
	// the store for the types called ...Blob and for Auto.
	Name string
	// Data is the store itself, for the types called ...Blob and for Auto.
	Data []byte
	// FS is where files are; os.DirFS("/") gives those of a host.
	FS fs.FS
	// Certs is what User and Machine show: MY its identities, CA their
	// intermediates, ROOT its anchors.
	Certs *certs.Store

	// Password opens the store.
	Password string
	// KeyPassword opens the private keys, where a store protects them on their own.
	// nil means Password's; new("") means none.
	KeyPassword *string

	// Subject chooses the certificate; see [Store.Find]. Encoded, a certificate in
	// PEM, DER or Base64, chooses it in Subject's place; see [Store.FindEncoded].
	Subject string
	Encoded []byte

	// Config is a list of NAME=VALUE lines: Thumbprint chooses the certificate in
	// Subject's place, PersistPFXKey=False and UseInternalSecurityAPI=True are how it
	// is here; what asks for anything else is an error.
	Config string
}

// Open opens a store and chooses a certificate. All its errors are [*Error].
func Open(s Source) (*Certificate, error) {
	subject, err := s.selection()
	if err != nil {
		return nil, err
	}
	store, err := OpenStore(s)
	if err != nil {
		return nil, err
	}
	if s.Encoded != nil {
		return store.FindEncoded(s.Encoded)
	}
	return store.Find(subject)
}

// FromFile opens a certificate, or a public key, in PEM or DER.
func FromFile(fsys fs.FS, name string) (*Certificate, error) {
	return Open(Source{Type: PublicKeyFile, FS: fsys, Name: name, Subject: "*"})
}

// FromBytes parses a certificate, or a public key, in PEM, DER or Base64.
func FromBytes(encoded []byte) (*Certificate, error) {
	return Open(Source{Type: PublicKeyBlob, Data: encoded, Subject: "*"})
}

// selection checks what chooses the certificate, and reads Config.
func (s *Source) selection() (subject string, err error) {
	subject = s.Subject
	fail := func(reason, fix string) (string, error) {
		return "", &Error{Type: s.Type, Kind: ErrOption, Reason: reason, Fix: fix}
	}
	for line := range strings.Lines(s.Config) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if !ok {
			return fail(fmt.Sprintf("the configuration line %q is not NAME=VALUE", line), "")
		}
		on, isBool := parseBool(value)
		switch strings.ToLower(name) {
		case "thumbprint":
			if s.Encoded != nil || s.Subject != "" && s.Subject != "*" {
				return fail("Thumbprint and another choice are given", "give one of Subject, Encoded and Thumbprint")
			}
			subject = thumbprintPrefix + value
		case "persistpfxkey":
			if !isBool || on {
				return fail("PersistPFXKey="+value, "keys are never written anywhere: leave it out, or say False")
			}
		case "useinternalsecurityapi":
			if !isBool || !on {
				return fail("UseInternalSecurityAPI="+value, "there is no other implementation: leave it out, or say True")
			}
		default:
			return fail("unknown configuration "+name, "use Thumbprint, PersistPFXKey or UseInternalSecurityAPI")
		}
	}
	if s.Encoded != nil && s.Subject != "" {
		return fail("Subject and Encoded are given", "give one of them")
	}
	return subject, nil
}

func parseBool(s string) (value, ok bool) {
	switch strings.ToLower(s) {
	case "true", "yes", "1":
		return true, true
	case "false", "no", "0":
		return false, true
	}
	return false, false
}

// bytes returns the store's content.
func (s *Source) bytes() ([]byte, error) {
	kind := storeTypes[s.Type]
	fail := func(reason, fix string, err error) ([]byte, error) {
		return nil, &Error{Type: s.Type, Kind: ErrOption, Reason: reason, Fix: fix, Err: err}
	}
	if !kind.file {
		data := s.Data
		switch {
		case s.FS != nil:
			return fail("FS is given, and this type reads no files", "use the type called ...File, or leave FS out", nil)
		case s.Data != nil && s.Name != "":
			return fail("Data and Name are given", "give one of them", nil)
		case s.Data == nil:
			data = []byte(s.Name)
		}
		if len(data) > MaxStoreSize {
			return nil, s.tooLarge()
		}
		return data, nil
	}
	switch {
	case s.Data != nil:
		return fail("Data is given, and this type reads a file", "use the type called ...Blob, or give FS and Name", nil)
	case s.FS == nil:
		return fail("FS is missing", `say where files are, such as FS: os.DirFS("/") and a Name relative to it`, nil)
	case s.Name == "":
		return fail("Name is missing", "give the file's name in FS", nil)
	}
	f, err := s.FS.Open(s.Name)
	if err != nil {
		return nil, s.unreadable(err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxStoreSize+1))
	switch {
	case err != nil:
		return nil, s.unreadable(err)
	case len(data) > MaxStoreSize:
		return nil, s.tooLarge()
	}
	return data, nil
}

func (s *Source) unreadable(err error) error {
	fix := ""
	if errors.Is(err, fs.ErrInvalid) {
		fix = "names in an fs.FS are relative and without ..; open FS at the root that they are relative to"
	}
	return &Error{Type: s.Type, Kind: ErrRead, Reason: fmt.Sprintf("%q can't be read", s.Name), Fix: fix, Err: err}
}

func (s *Source) tooLarge() error {
	return &Error{Type: s.Type, Kind: ErrTooLarge, Reason: fmt.Sprintf("the store is larger than %d bytes", MaxStoreSize)}
}
