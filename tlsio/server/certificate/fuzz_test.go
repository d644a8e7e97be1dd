package certificate_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"ingot.dev/certs/certstest"
	"ingot.dev/tlsio/server/certificate"
)

// fuzz opens any bytes as one type of store: whatever they are, either an *Error
// comes back, or a store whose certificates can be asked everything.
func fuzz(f *testing.F, typ certificate.StoreType, seeds ...[]byte) {
	for _, seed := range seeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if data == nil {
			data = []byte{}
		}
		store, err := certificate.OpenStore(certificate.Source{Type: typ, Data: data, Password: "changeit"})
		if err != nil {
			if e, ok := errors.AsType[*certificate.Error](err); !ok || store != nil || e.Type != typ || e.Kind == nil || e.Reason == "" {
				t.Fatalf("%v, %v", store, err)
			}
			return
		}
		all := store.Certificates()
		if len(all) == 0 || len(all) > certificate.MaxEntries {
			t.Fatalf("a store with %d entries", len(all))
		}
		for _, c := range all {
			c.EffectiveDate()
			c.ExtendedKeyUsage()
			c.Issuer()
			c.SubjectAltNames()
			c.Usage()
			c.SignatureAlgorithm()
			c.PublicKeyLength()
			if c.X509() == nil && c.PublicKey() == "" {
				t.Errorf("%v has neither certificate nor public key", c)
			}
			if c.PrivateKeyAvailable() != (c.Signer() != nil) || c.PrivateKeyAvailable() != (c.PrivateKey() != "") {
				t.Errorf("%v disagrees with itself about its key", c)
			}
			if c.X509() != nil && c.Subject() != "" {
				if found, err := store.Find(c.Subject()); err != nil || found.Subject() != c.Subject() {
					t.Errorf("%q isn't found: %v", c.Subject(), err)
				}
			}
		}
	})
}

// seed returns files of testdata.
func seed(f *testing.F, names ...string) [][]byte {
	var data [][]byte
	for _, name := range names {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		data = append(data, b)
	}
	return data
}

// FuzzStore: what the readers of package container accept makes a store. They have
// fuzzers of their own.
func FuzzStore(f *testing.F) {
	files := newFiles(f, certstest.Ed25519)
	seeds := append(seed(f, "keys.jks", "same.jks", "two.p12", "trust.p12"), files.read(f, "key.pem"), files.read(f, "cert.der"),
		append(files.read(f, "chain.pem"), files.read(f, "cert.pem")...))
	fuzz(f, certificate.Auto, seeds...)
}
