package certificate_test

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"ingot.dev/certs"
	"ingot.dev/certs/certstest"
	"ingot.dev/tlsio/server/certificate"
)

// twoIdentities is a PEM store with two identities and the CA's certificate before
// them.
func twoIdentities(t testing.TB) (store []byte, a, b *certstest.Identity) {
	t.Helper()
	ca := certstest.NewCA(t, certstest.Template{CommonName: "Test CA"})
	a = ca.Issue(certstest.Template{CommonName: "example.test", Names: []string{"a.test"}})
	b = ca.Issue(certstest.Template{CommonName: "www.example.test", Names: []string{"b.test"}})
	store = pemOf("CERTIFICATE", ca.Cert.Raw)
	for _, id := range []*certstest.Identity{b, a} {
		store = append(store, pemOf("CERTIFICATE", id.Cert.Raw)...)
		store = append(store, pemOf("PRIVATE KEY", id.KeyDER)...)
	}
	return store, a, b
}

// TestFind: which certificate of a store a subject chooses.
//
//conform:ipworks Certificate.Subject differs tlsio/server/certificate.Source.Subject, tlsio/server/certificate.Store.Find, tlsio/server/certificate.Certificate.Subject -- "*" is always the first certificate with a private key, else the first; none found is an error, number 272
//conform:ipworks Certificate.configuration.Thumbprint works tlsio/server/certificate.Source.Config
func TestFind(t *testing.T) {
	data, a, _ := twoIdentities(t)
	sum := certificate.FromX509(a.Cert)
	find := func(subject, config string) (*certificate.Certificate, error) {
		return certificate.Open(certificate.Source{Type: certificate.PEMKeyBlob, Data: data, Subject: subject, Config: config})
	}
	for _, test := range []struct{ subject, config, want string }{
		{"CN=example.test", "", "CN=example.test"}, // exact comes before part of www.example.test, which is first
		{"cn=Example.Test", "", "CN=example.test"},
		{"example", "", "CN=www.example.test"},
		{"EXAMPLE.TEST", "", "CN=www.example.test"},
		{"Test CA", "", "CN=Test CA"},
		{"*", "", "CN=www.example.test"},
		{"Thumbprint=" + sum.ThumbprintMD5(), "", "CN=example.test"},
		{"thumbprint=" + strings.ToUpper(sum.ThumbprintSHA1()), "", "CN=example.test"},
		{"Thumbprint=" + strings.ReplaceAll(sum.ThumbprintSHA256(), ":", ""), "", "CN=example.test"},
		{"", "Thumbprint=" + sum.ThumbprintSHA256(), "CN=example.test"},
		{"*", "\r\nthumbprint = " + sum.ThumbprintSHA1() + "\r\n", "CN=example.test"},
	} {
		c, err := find(test.subject, test.config)
		if err != nil {
			t.Errorf("%q: %v", test.subject, err)
			continue
		}
		equal(t, test.subject, c.Subject(), test.want)
	}
	for _, test := range []struct {
		subject, config string
		kind            error
		code            int
	}{
		{"", "", certificate.ErrNotFound, 272},
		{"CN=nobody", "", certificate.ErrNotFound, 272},
		{"Thumbprint=" + strings.Repeat("00", 20), "", certificate.ErrNotFound, 272},
		{"Thumbprint=00ff", "", certificate.ErrOption, 271},
		{"CN=a", "Thumbprint=" + sum.ThumbprintSHA1(), certificate.ErrOption, 271},
	} {
		_, err := find(test.subject, test.config)
		e, ok := errors.AsType[*certificate.Error](err)
		if !ok || !errors.Is(err, test.kind) || e.StatusCode() != test.code {
			t.Errorf("%q: %v", test.subject, err)
		}
	}
}

// TestConfiguration: the constructor's settings work or are refused by name.
//
//conform:ipworks Certificate.configuration.PersistPFXKey differs tlsio/server/certificate.Source.Config -- keys are never written anywhere: False is how it is, True is refused
//conform:ipworks Certificate.configuration.UseInternalSecurityAPI differs tlsio/server/certificate.Source.Config -- there is one implementation: True is how it is, False is refused
func TestConfiguration(t *testing.T) {
	data, _, _ := twoIdentities(t)
	source := certificate.Source{Type: certificate.PEMKeyBlob, Data: data, Subject: "*"}
	for _, config := range []string{"", "\n", "PersistPFXKey=False", "persistpfxkey=no\r\nUseInternalSecurityAPI=1"} {
		source.Config = config
		open(t, source)
	}
	for config, name := range map[string]string{
		"PersistPFXKey=True": "PersistPFXKey", "PersistPFXKey=": "PersistPFXKey", "UseInternalSecurityAPI=no": "UseInternalSecurityAPI",
		"Thumb=1": "Thumb", "nothing": "nothing",
	} {
		source.Config = config
		if e := refused(t, source, certificate.ErrOption); !strings.Contains(e.Reason, name) {
			t.Errorf("%q: %v", config, e)
		}
	}
}

// TestFindEncoded: a certificate that is given finds its key in the store.
//
//conform:ipworks Certificate.Encoded differs tlsio/server/certificate.Certificate.Encoded, tlsio/server/certificate.Source.Encoded, tlsio/server/certificate.Store.FindEncoded -- a certificate doesn't change: what is set is Source.Encoded, and no key for it is an error, number 272
//conform:ipworks Certificate.EncodedB differs tlsio/server/certificate.Certificate.EncodedB, tlsio/server/certificate.Source.Encoded -- as Encoded
//conform:ipworks Certificate.new(type,bytes,password,encoded) works tlsio/server/certificate.Open, tlsio/server/certificate.Source.Data, tlsio/server/certificate.Source.Encoded
//conform:ipworks Certificate.new(type,store,password,encoded) works tlsio/server/certificate.Open, tlsio/server/certificate.Source.Name, tlsio/server/certificate.Source.Encoded
func TestFindEncoded(t *testing.T) {
	data, a, b := twoIdentities(t)
	for _, encoded := range [][]byte{a.Cert.Raw, pemOf("CERTIFICATE", a.Cert.Raw), []byte(base64.StdEncoding.EncodeToString(a.Cert.Raw))} {
		for _, source := range []certificate.Source{
			{Type: certificate.PEMKeyBlob, Data: data, Encoded: encoded},
			{Type: certificate.PEMKeyFile, FS: fstest.MapFS{"dir/x.pem": {Data: data}}, Name: "dir/x.pem", Encoded: encoded},
		} {
			c := open(t, source)
			equal(t, "Subject", c.Subject(), "CN=example.test")
			equal(t, "Encoded", c.Encoded(), string(pemOf("CERTIFICATE", a.Cert.Raw)))
			equal(t, "EncodedB", c.EncodedB(), pemOf("CERTIFICATE", a.Cert.Raw))
			if !c.PrivateKeyAvailable() {
				t.Error("its key isn't found")
			}
		}
	}
	stranger := certstest.NewCA(t, certstest.Template{CommonName: "stranger"})
	refused(t, certificate.Source{Type: certificate.PEMKeyBlob, Data: data, Encoded: stranger.Cert.Raw}, certificate.ErrNotFound)
	refused(t, certificate.Source{Type: certificate.PEMKeyBlob, Data: data, Encoded: []byte("no")}, certificate.ErrSyntax)
	refused(t, certificate.Source{Type: certificate.PEMKeyBlob, Data: data, Encoded: b.Cert.Raw, Subject: "*"}, certificate.ErrOption)
}

// TestConstructors: the ones without a choice, and those by subject.
//
//conform:ipworks Certificate.new(file) works tlsio/server/certificate.FromFile
//conform:ipworks Certificate.new(bytes) works tlsio/server/certificate.FromBytes
//conform:ipworks Certificate.new(type,store,password,subject) works tlsio/server/certificate.Open, tlsio/server/certificate.Source
//conform:ipworks Certificate.new(type,store,password,subject,configuration) works tlsio/server/certificate.Open, tlsio/server/certificate.Source.Config
//conform:ipworks Certificate.new(type,bytes,password,subject) works tlsio/server/certificate.Open, tlsio/server/certificate.Source.Data
//conform:ipworks Certificate.new(type,bytes,password,subject,configuration) works tlsio/server/certificate.Open, tlsio/server/certificate.Source.Config
//conform:ipworks Certificate.Store differs tlsio/server/certificate.Source.Name -- a field of the Source, not of the Certificate; files are those of Source.FS
//conform:ipworks Certificate.StoreB differs tlsio/server/certificate.Source.Data -- a field of the Source, not of the Certificate
//conform:ipworks Certificate.StoreType differs tlsio/server/certificate.Source.Type -- a field of the Source, not of the Certificate
func TestConstructors(t *testing.T) {
	data, a, _ := twoIdentities(t)
	files := fstest.MapFS{"a.pem": {Data: pemOf("CERTIFICATE", a.Cert.Raw)}, "a.der": {Data: a.Cert.Raw}, "store.pem": {Data: data}}
	for _, name := range []string{"a.pem", "a.der"} {
		c, err := certificate.FromFile(files, name)
		if err != nil || c.Subject() != "CN=example.test" || c.PrivateKeyAvailable() {
			t.Errorf("FromFile(%s) = %v, %v", name, c, err)
		}
		if c, err = certificate.FromBytes(files[name].Data); err != nil || c.Subject() != "CN=example.test" {
			t.Errorf("FromBytes(%s) = %v, %v", name, c, err)
		}
	}
	thumbprint := "Thumbprint=" + certificate.FromX509(a.Cert).ThumbprintSHA1()
	for _, source := range []certificate.Source{
		{Type: certificate.PEMKeyFile, FS: files, Name: "store.pem", Subject: "CN=example.test"},
		{Type: certificate.PEMKeyFile, FS: files, Name: "store.pem", Config: thumbprint},
		{Type: certificate.PEMKeyBlob, Data: data, Subject: thumbprint},
		{Type: certificate.PEMKeyBlob, Data: data, Config: "UseInternalSecurityAPI=True\n" + thumbprint},
		{Type: certificate.PEMKeyBlob, Name: string(data), Subject: "CN=example.test"},
	} {
		if c := open(t, source); c.Subject() != "CN=example.test" || !c.PrivateKeyAvailable() {
			t.Errorf("%v: %v", source.Type, c)
		}
	}
	_, err := certificate.FromFile(files, "none.pem")
	if !errors.Is(err, fs.ErrNotExist) || !errors.Is(err, certificate.ErrRead) {
		t.Errorf("a missing file: %v", err)
	}
}

// TestSource: what doesn't fit together is refused before anything is read.
func TestSource(t *testing.T) {
	files := fstest.MapFS{"big": {Data: make([]byte, certificate.MaxStoreSize+1)}, "dir/file": {}}
	for _, test := range []struct {
		source certificate.Source
		kind   error
	}{
		{certificate.Source{Type: 20}, certificate.ErrOption},
		{certificate.Source{Type: -1}, certificate.ErrOption},
		{certificate.Source{Type: certificate.PFXFile}, certificate.ErrOption},
		{certificate.Source{Type: certificate.PFXFile, FS: files}, certificate.ErrOption},
		{certificate.Source{Type: certificate.PFXFile, FS: files, Name: "big", Data: []byte{1}}, certificate.ErrOption},
		{certificate.Source{Type: certificate.PFXFile, FS: files, Name: "/big"}, certificate.ErrRead},
		{certificate.Source{Type: certificate.PFXFile, FS: files, Name: "dir"}, certificate.ErrRead},
		{certificate.Source{Type: certificate.PFXFile, FS: files, Name: "big"}, certificate.ErrTooLarge},
		{certificate.Source{Type: certificate.PFXBlob, Data: make([]byte, certificate.MaxStoreSize+1)}, certificate.ErrTooLarge},
		{certificate.Source{Type: certificate.PFXBlob, Data: []byte{1}, Name: "x"}, certificate.ErrOption},
		{certificate.Source{Type: certificate.PFXBlob, Data: []byte{1}, FS: files}, certificate.ErrOption},
		{certificate.Source{Type: certificate.PFXBlob, Data: []byte{1}, Certs: new(certs.Store)}, certificate.ErrOption},
		{certificate.Source{Type: certificate.Auto}, certificate.ErrSyntax},
		{certificate.Source{Type: certificate.Auto, Name: "anything"}, certificate.ErrSyntax},
		{certificate.Source{Type: certificate.PEMKeyBlob, Name: "no PEM"}, certificate.ErrSyntax},
		{certificate.Source{Type: certificate.PEMKeyBlob, Data: bytes.Repeat(pemOf("EC PARAMETERS", []byte{0}), 2)}, certificate.ErrSyntax},
	} {
		refused(t, test.source, test.kind)
	}
	many := bytes.Repeat(pemOf("CERTIFICATE", certstest.NewCA(t, certstest.Template{}).Cert.Raw), certificate.MaxEntries+1)
	refused(t, certificate.Source{Type: certificate.PEMKeyBlob, Data: many}, certificate.ErrTooLarge)
	broken := failingFS{errors.New("flash is gone")}
	if _, err := certificate.FromFile(broken, "x"); !errors.Is(err, broken.err) {
		t.Errorf("the cause is lost: %v", err)
	}
}

type failingFS struct{ err error }

func (f failingFS) Open(name string) (fs.File, error) { return failingFile{err: f.err}, nil }

type failingFile struct {
	fs.File
	err error
}

func (f failingFile) Read([]byte) (int, error) { return 0, f.err }
func (f failingFile) Close() error             { return nil }

var _ io.Reader = failingFile{}

// TestSystem: the names of Windows' stores are sections of a certs.Store.
//
//conform:ipworks StoreType.0 differs tlsio/server/certificate.User, tlsio/server/certificate.Source.Certs -- there is no Windows: MY, CA and ROOT are the identities, intermediates and anchors of a certs.Store
//conform:ipworks StoreType.1 differs tlsio/server/certificate.Machine, tlsio/server/certificate.Source.Certs -- the same as cstUser
func TestSystem(t *testing.T) {
	root := certstest.NewCA(t, certstest.Template{CommonName: "Root"})
	via := root.Intermediate(certstest.Template{CommonName: "Intermediate"})
	tree := certstest.Tree{}
	tree.AddAnchor("", root)
	tree.AddIdentity("aaa", via.Issue(certstest.Template{Names: []string{"aaa.test"}}))
	tree.AddIdentity("default", via.Issue(certstest.Template{Names: []string{"www.test"}}))
	// One whose key is elsewhere, and whose issuer is among the intermediates.
	other := root.Intermediate(certstest.Template{CommonName: "Shared"})
	kept := other.Issue(certstest.Template{Names: []string{"kept.test"}})
	tree.AddIdentity("kept", kept)
	delete(tree, "identities/kept/key.der")
	delete(tree, "identities/kept/chain1.der")
	tree["identities/kept/key.kept"] = []byte("slot 1")
	tree["intermediates/shared.der"] = other.DER()
	tree["intermediates/unused.der"] = root.Intermediate(certstest.Template{CommonName: "Unused"}).DER()
	store, err := certs.Load(tree.FS(), certs.Options{Keeper: certs.KeptBy(func(certs.KeptKey) (crypto.Signer, error) { return kept.Key, nil })})
	if err != nil {
		t.Fatal(err)
	}
	for _, typ := range []certificate.StoreType{certificate.User, certificate.Machine} {
		for name, want := range map[string]string{"": "CN=www.test", "MY": "CN=www.test", "my": "CN=www.test", "CA": "CN=Intermediate", "ROOT": "CN=Root"} {
			c := open(t, certificate.Source{Type: typ, Certs: store, Name: name, Subject: "*"})
			equal(t, name, c.Subject(), want)
			if c.PrivateKeyAvailable() != (want == "CN=www.test") || c.PrivateKey() != "" {
				t.Errorf("%s: key available %v, exported %q", name, c.PrivateKeyAvailable(), c.PrivateKey())
			}
		}
		for _, name := range []string{"CN=Shared", "CN=Unused"} {
			equal(t, "an intermediate", open(t, certificate.Source{Type: typ, Certs: store, Name: "CA", Subject: name}).Subject(), name)
		}
		serve(t, open(t, certificate.Source{Type: typ, Certs: store, Subject: "CN=aaa.test"}), root, "aaa.test")
		serve(t, open(t, certificate.Source{Type: typ, Certs: store, Subject: "CN=kept.test"}), root, "kept.test")
		refused(t, certificate.Source{Type: typ, Certs: store, Name: "TRUST", Subject: "*"}, certificate.ErrOption)
		refused(t, certificate.Source{Type: typ, Subject: "*"}, certificate.ErrOption)
		refused(t, certificate.Source{Type: typ, Certs: store, Password: "x", Subject: "*"}, certificate.ErrOption)
		refused(t, certificate.Source{Type: typ, Certs: store, Subject: "CN=nobody"}, certificate.ErrNotFound)
	}
}

// TestRefusedTypes: what isn't read says so, with its number and what to do.
//
//conform:ipworks StoreType.21 refused tlsio/server/certificate.ErrUnsupported -- for Java and .NET only in the reference too; convert it with keytool
//conform:ipworks StoreType.22 refused tlsio/server/certificate.ErrUnsupported -- for Java and .NET only in the reference too; convert it with keytool
//conform:ipworks StoreType.23 refused tlsio/server/certificate.ErrUnsupported, tlsio/server/certificate.FromSigner -- there are no DLLs; a key in hardware is given as a crypto.Signer
func TestRefusedTypes(t *testing.T) {
	files := fstest.MapFS{"f": {Data: []byte("x")}}
	for word, s := range map[string]certificate.Source{
		"-srcstoretype BCFKS": {Type: certificate.BCFKSFile, FS: files, Name: "f"},
		"keytool":             {Type: certificate.BCFKSBlob, Name: "x"},
		"crypto.Signer":       {Type: certificate.PKCS11, FS: files, Name: "f"},
	} {
		s.Subject = "*"
		e := refused(t, s, certificate.ErrUnsupported)
		if !strings.Contains(e.Fix, word) || !strings.Contains(e.Error(), s.Type.String()) || e.StatusCode() != 271 {
			t.Errorf("%v: %v", s.Type, e)
		}
	}
}
