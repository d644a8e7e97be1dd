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

func FuzzAuto(f *testing.F) {
	fuzz(f, certificate.Auto, seed(f, "keys.jks", "same.jks", "two.p12")...)
}

func FuzzPFX(f *testing.F) {
	fuzz(f, certificate.PFXBlob, seed(f, "two.p12", "trust.p12")...)
}

func FuzzJKS(f *testing.F) {
	fuzz(f, certificate.JKSBlob, seed(f, "same.jks")...)
}

func FuzzPEM(f *testing.F) {
	files := newFiles(f, certstest.Ed25519)
	openssl(f, files.dir, "pkcs8", "-topk8", "-in", "key.pem", "-out", "encrypted.pem", "-passout", "pass:changeit")
	fuzz(f, certificate.PEMKeyBlob, files.read(f, "key.pem"), files.read(f, "cert.pem"), files.read(f, "encrypted.pem"))
}

func FuzzPublicKey(f *testing.F) {
	files := newFiles(f, certstest.Ed25519)
	fuzz(f, certificate.PublicKeyBlob, files.read(f, "cert.der"), files.leaf.RawSubjectPublicKeyInfo)
}

func FuzzP7B(f *testing.F) {
	files := newFiles(f, certstest.Ed25519)
	openssl(f, files.dir, "crl2pkcs7", "-nocrl", "-certfile", "cert.pem", "-certfile", "chain.pem", "-outform", "DER", "-out", "a.p7b")
	fuzz(f, certificate.P7BBlob, files.read(f, "a.p7b"))
}

func FuzzJWK(f *testing.F) {
	fuzz(f, certificate.JWKBlob,
		[]byte(`{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}`),
		[]byte(`{"keys":[{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}`))
}

func FuzzSSH(f *testing.F) {
	files := newFiles(f, certstest.Ed25519)
	key, err := certificate.Open(certificate.Source{Type: certificate.PEMKeyFile, FS: files.fs, Name: "key.pem", Subject: "*"})
	if err != nil {
		f.Fatal(err)
	}
	fuzz(f, certificate.SSHPublicKeyBlob, []byte(sshLine(f, key)))
}
