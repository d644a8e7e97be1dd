package container_test

import (
	"crypto/x509"
	"errors"
	"testing"

	"ingot.dev/certs/container"
)

// fuzz reads any bytes in one format: whatever they are, either an *Error comes back,
// or certificates and keys that can be used.
func fuzz(f *testing.F, format container.Format, seeds ...[]byte) {
	for _, seed := range seeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		found, err := container.Read(data, container.Options{Format: format, Password: password})
		if err != nil {
			if e, ok := errors.AsType[*container.Error](err); !ok || found != nil || e.Kind == nil || e.Reason == "" {
				t.Fatalf("%v, %v", found, err)
			}
			return
		}
		if found.Len() == 0 || found.Len() > container.MaxEntries {
			t.Fatalf("%v", found)
		}
		for _, key := range found.Keys {
			der, err := x509.MarshalPKCS8PrivateKey(key)
			if err != nil {
				t.Fatal(err)
			}
			again, err := container.Read(der, container.Options{Format: container.DER})
			if err != nil || len(again.Keys) != 1 {
				t.Fatalf("the key doesn't survive PKCS#8: %v, %v", again, err)
			}
		}
		for _, cert := range found.Certificates {
			found.Key(cert)
		}
		for _, public := range found.PublicKeys {
			if public == nil {
				t.Fatal("no public key")
			}
			container.MarshalSSHPublicKey(public)
		}
	})
}

func seeds(f *testing.F, patterns ...string) (data [][]byte) {
	for _, name := range glob(f, patterns...) {
		data = append(data, file(f, name))
	}
	return data
}

func FuzzAuto(f *testing.F) {
	fuzz(f, container.Auto, seeds(f, "*.v2.ppk", "p256.*", "rsa.cert.xml", "*.pub")...)
}
func FuzzPKCS12(f *testing.F) { fuzz(f, container.PKCS12, seeds(f, "*.p12")...) }
func FuzzPKCS7(f *testing.F)  { fuzz(f, container.PKCS7, seeds(f, "*.p7b")...) }
func FuzzJKS(f *testing.F)    { fuzz(f, container.JKS, seeds(f, "*.jks")...) }
func FuzzPEM(f *testing.F)    { fuzz(f, container.PEM, seeds(f, "p256.*.pem")...) }
func FuzzDER(f *testing.F)    { fuzz(f, container.DER, seeds(f, "*.der")...) }
func FuzzPublic(f *testing.F) { fuzz(f, container.Public, seeds(f, "p256.crt.pem")...) }
func FuzzPPK(f *testing.F)    { fuzz(f, container.PPK, seeds(f, "*.v?.ppk")...) }
func FuzzOpenSSH(f *testing.F) {
	fuzz(f, container.PEM, seeds(f, "ed25519*.openssh", "p256.openssh", "rsa.openssh")...)
}
func FuzzSSHPublic(f *testing.F) { fuzz(f, container.SSHPublic, seeds(f, "*.pub", "*.rfc4716")...) }
func FuzzXML(f *testing.F) {
	fuzz(f, container.XML, append(seeds(f, "*.xml"), dotNet(rsaKey(f)))...)
}

func FuzzJWK(f *testing.F) {
	fuzz(f, container.JWK,
		[]byte(`{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}`),
		[]byte(`{"keys":[{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}`))
}
