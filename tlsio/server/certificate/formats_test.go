package certificate_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math/big"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"ingot.dev/certs/certstest"
	"ingot.dev/tlsio/server/certificate"
)

var algorithms = map[string]certstest.Algorithm{"RSA": certstest.RSA2048, "P-256": certstest.ECDSAP256, "P-384": certstest.ECDSAP384, "Ed25519": certstest.Ed25519}

// all opens a store in each way that must work: as a file, as bytes, as Base64
// text, and as type Auto; each must give an identity that serves TLS.
func all(t *testing.T, f files, name, password string, file, blob certificate.StoreType) {
	t.Helper()
	data := f.read(t, name)
	for _, s := range []certificate.Source{
		{Type: file, FS: f.fs, Name: name},
		{Type: blob, Data: data},
		{Type: blob, Name: base64.StdEncoding.EncodeToString(data)},
		{Type: certificate.Auto, Data: data},
		{Type: certificate.Auto, Name: base64.StdEncoding.EncodeToString(data)},
	} {
		s.Password, s.Subject = password, subject
		c := open(t, s)
		serve(t, c, f.root, "www.example.test")
		if len(c.Chain()) != 1 || !c.Chain()[0].Equal(f.via.Cert) {
			t.Errorf("%v: the chain has %d certificates", s.Type, len(c.Chain()))
		}
		s.Password += "x"
		if password != "" {
			refused(t, s, certificate.ErrPassword)
		}
	}
}

// TestPFX reads what openssl pkcs12 writes, in its modern and its older form.
//
//conform:ipworks StoreType.2 works tlsio/server/certificate.PFXFile
//conform:ipworks StoreType.3 works tlsio/server/certificate.PFXBlob
//conform:ipworks Certificate.StorePassword works tlsio/server/certificate.Source.Password
func TestPFX(t *testing.T) {
	for name, algorithm := range algorithms {
		f := newFiles(t, algorithm)
		for _, options := range [][]string{
			nil,
			{"-certpbe", "PBE-SHA1-3DES", "-keypbe", "PBE-SHA1-3DES", "-macalg", "sha1"},
			{"-certpbe", "AES-128-CBC", "-keypbe", "AES-256-CBC", "-iter", "1000", "-macalg", "sha512"},
			{"-name", "a friendly name"},
		} {
			openssl(t, f.dir, append([]string{"pkcs12", "-export", "-in", "cert.pem", "-inkey", "key.pem", "-certfile", "chain.pem", "-out", "a.pfx", "-passout", "pass:pass wörd"}, options...)...)
			t.Run(name, func(t *testing.T) { all(t, f, "a.pfx", "pass wörd", certificate.PFXFile, certificate.PFXBlob) })
		}
	}
}

// TestPFXOfJava reads what keytool writes: several keys, and trusted certificates.
func TestPFXOfJava(t *testing.T) {
	files := os.DirFS("testdata")
	for _, want := range []string{"CN=one.example.test", "CN=two.example.test"} {
		c := open(t, certificate.Source{Type: certificate.PFXFile, FS: files, Name: "two.p12", Password: "changeit", Subject: want})
		if _, err := c.TLS(); err != nil || c.Subject() != want {
			t.Errorf("%v: %v", c, err)
		}
	}
	c := open(t, certificate.Source{Type: certificate.PFXFile, FS: files, Name: "trust.p12", Password: "changeit", Subject: "*"})
	if c.PrivateKeyAvailable() || c.Subject() != "CN=one.example.test" {
		t.Errorf("trust store: %v, key: %v", c, c.PrivateKeyAvailable())
	}
	refused(t, certificate.Source{Type: certificate.PFXFile, FS: files, Name: "two.p12", Subject: "*"}, certificate.ErrPassword)
	refused(t, certificate.Source{Type: certificate.PFXFile, FS: files, Name: "two.p12", Password: "changeit", KeyPassword: new("other"), Subject: "*"}, certificate.ErrUnsupported)
	refused(t, certificate.Source{Type: certificate.PFXFile, FS: files, Name: "same.jks", Password: "changeit", Subject: "*"}, certificate.ErrSyntax)
}

// TestIterations: files that ask for hours of key derivation are refused at once.
func TestIterations(t *testing.T) {
	f := newFiles(t, certstest.ECDSAP256)
	openssl(t, f.dir, "pkcs12", "-export", "-in", "cert.pem", "-inkey", "key.pem", "-out", "a.pfx", "-passout", "pass:x", "-iter", "54321")
	openssl(t, f.dir, "pkcs8", "-topk8", "-in", "key.pem", "-out", "a.pem", "-outform", "DER", "-passout", "pass:x", "-iter", "54321")
	small, big := []byte{2, 3, 0x00, 0xd4, 0x31}, []byte{2, 3, 0x7f, 0xff, 0xff} // INTEGER 54321, 8388607
	for name, typ := range map[string]certificate.StoreType{"a.pfx": certificate.PFXBlob, "a.pem": certificate.Auto} {
		data := f.read(t, name)
		open(t, certificate.Source{Type: typ, Data: data, Password: "x", Subject: "*"})
		counts := 0
		for i := range data { // make each count too large, one at a time
			if bytes.HasPrefix(data[i:], small) {
				counts++
				bad := bytes.Clone(data)
				copy(bad[i:], big)
				refused(t, certificate.Source{Type: typ, Data: bad, Password: "x", Subject: "*"}, certificate.ErrTooLarge)
			}
		}
		if counts == 0 {
			t.Errorf("no count found in %s", name)
		}
	}
}

// TestPEM reads keys in each form that openssl writes, with and without password.
//
//conform:ipworks StoreType.6 works tlsio/server/certificate.PEMKeyFile
//conform:ipworks StoreType.7 works tlsio/server/certificate.PEMKeyBlob
//conform:ipworks Certificate.KeyPassword works tlsio/server/certificate.Source.KeyPassword
func TestPEM(t *testing.T) {
	for name, algorithm := range algorithms {
		f := newFiles(t, algorithm)
		certs := append(f.read(t, "cert.pem"), f.read(t, "chain.pem")...)
		ways := []struct {
			password string
			args     []string
		}{
			{"", []string{"pkcs8", "-topk8", "-nocrypt"}},
			{"secret", []string{"pkcs8", "-topk8", "-v2", "aes-256-cbc"}},
			{"secret", []string{"pkcs8", "-topk8", "-v2", "aes128", "-v2prf", "hmacWithSHA512"}},
			{"secret", []string{"pkcs8", "-topk8", "-v2", "aes-192-cbc", "-v2prf", "hmacWithSHA1"}},
			{"secret", []string{"pkcs8", "-topk8", "-v2", "des3"}},
			{"secret", []string{"pkcs8", "-topk8", "-scrypt", "-scrypt_N", "1024", "-scrypt_r", "8", "-scrypt_p", "1"}},
		}
		if name == "RSA" {
			ways = append(ways, struct {
				password string
				args     []string
			}{"", []string{"rsa", "-traditional"}}, struct {
				password string
				args     []string
			}{"secret", []string{"rsa", "-traditional", "-aes128"}})
		}
		if strings.HasPrefix(name, "P-") {
			ways = append(ways, struct {
				password string
				args     []string
			}{"", []string{"ec"}}, struct {
				password string
				args     []string
			}{"secret", []string{"ec", "-aes256"}})
		}
		for _, way := range ways {
			args := append(way.args, "-in", "key.pem", "-out", "out.pem")
			if way.password != "" {
				args = append(args, "-passout", "pass:"+way.password)
			}
			openssl(t, f.dir, args...)
			f.write(t, "all.pem", append(append([]byte("a comment\n"), certs...), f.read(t, "out.pem")...))
			t.Run(strings.Join(append([]string{name}, way.args...), " "), func(t *testing.T) {
				all(t, f, "all.pem", way.password, certificate.PEMKeyFile, certificate.PEMKeyBlob)
				if way.password == "" {
					return
				}
				// The key's password differs from the store's, which PEM doesn't have.
				s := certificate.Source{Type: certificate.PEMKeyFile, FS: f.fs, Name: "all.pem", Password: "other", KeyPassword: &way.password, Subject: "*"}
				serve(t, open(t, s), f.root, "www.example.test")
				s.Password, s.KeyPassword = way.password, new("")
				refused(t, s, certificate.ErrPassword)
			})
		}
		key := open(t, certificate.Source{Type: certificate.PEMKeyFile, FS: f.fs, Name: "key.pem", Subject: "*"})
		if key.Subject() != "" || !key.PrivateKeyAvailable() || key.PublicKey() == "" {
			t.Errorf("a key without certificate: %v", key)
		}
	}
	f := newFiles(t, certstest.ECDSAP256)
	trusted := bytes.ReplaceAll(f.read(t, "cert.pem"), []byte("CERTIFICATE"), []byte("TRUSTED CERTIFICATE"))
	refused(t, certificate.Source{Type: certificate.PEMKeyBlob, Data: trusted, Subject: "*"}, certificate.ErrUnsupported)
}

// TestPublic reads certificates and public keys, and no private key.
//
//conform:ipworks StoreType.8 works tlsio/server/certificate.PublicKeyFile
//conform:ipworks StoreType.9 works tlsio/server/certificate.PublicKeyBlob
func TestPublic(t *testing.T) {
	for _, algorithm := range algorithms {
		f := newFiles(t, algorithm)
		openssl(t, f.dir, "pkey", "-in", "key.pem", "-pubout", "-out", "pub.pem")
		openssl(t, f.dir, "pkey", "-in", "key.pem", "-pubout", "-outform", "DER", "-out", "pub.der")
		want := string(pemOf("PUBLIC KEY", f.leaf.RawSubjectPublicKeyInfo))
		for _, name := range []string{"cert.pem", "cert.der", "pub.pem", "pub.der"} {
			for _, s := range []certificate.Source{
				{Type: certificate.PublicKeyFile, FS: f.fs, Name: name},
				{Type: certificate.PublicKeyBlob, Data: f.read(t, name)},
				{Type: certificate.PublicKeyBlob, Name: base64.StdEncoding.EncodeToString(f.read(t, name))},
				{Type: certificate.Auto, Data: f.read(t, name)},
			} {
				s.Subject = "*"
				c := open(t, s)
				if c.PublicKey() != want || c.PrivateKeyAvailable() || (c.Subject() != "") != strings.HasPrefix(name, "cert") {
					t.Errorf("%v %s: %v", s.Type, name, c)
				}
			}
		}
		for _, name := range []string{"key.pem", "key.der"} {
			refused(t, certificate.Source{Type: certificate.PublicKeyFile, FS: f.fs, Name: name, Subject: "*"}, certificate.ErrSyntax)
			open(t, certificate.Source{Type: certificate.Auto, Data: f.read(t, name), Subject: "*"})
		}
	}
	f := newFiles(t, certstest.ECDSAP256)
	row := append(f.read(t, "cert.der"), f.via.Cert.Raw...)
	if c := open(t, certificate.Source{Type: certificate.PublicKeyBlob, Data: row, Subject: "CN=Intermediate"}); c.Subject() != "CN=Intermediate" {
		t.Errorf("of two certificates in a row: %v", c)
	}
	refused(t, certificate.Source{Type: certificate.PublicKeyBlob, Data: append(f.read(t, "cert.der"), 0), Subject: "*"}, certificate.ErrSyntax)
}

// TestP7B reads what openssl crl2pkcs7 writes.
//
//conform:ipworks StoreType.11 works tlsio/server/certificate.P7BFile
//conform:ipworks StoreType.12 works tlsio/server/certificate.P7BBlob
func TestP7B(t *testing.T) {
	f := newFiles(t, certstest.ECDSAP256)
	for _, form := range []string{"DER", "PEM"} {
		openssl(t, f.dir, "crl2pkcs7", "-nocrl", "-certfile", "cert.pem", "-certfile", "chain.pem", "-outform", form, "-out", "a.p7b")
		for _, s := range []certificate.Source{
			{Type: certificate.P7BFile, FS: f.fs, Name: "a.p7b"},
			{Type: certificate.P7BBlob, Data: f.read(t, "a.p7b")},
			{Type: certificate.Auto, Data: f.read(t, "a.p7b")},
		} {
			store, err := certificate.OpenStore(s)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, c := range store.Certificates() {
				got = append(got, c.Subject())
			}
			equal(t, form, strings.Join(got, "|"), subject+"|CN=Intermediate|CN=Root")
		}
	}
}

// TestWrongP7B: PKCS#7 of other types, and what isn't PKCS#7.
func TestWrongP7B(t *testing.T) {
	f := newFiles(t, certstest.RSA2048)
	openssl(t, f.dir, "smime", "-encrypt", "-in", "key.pem", "-outform", "DER", "-out", "enveloped.der", "cert.pem")
	refused(t, certificate.Source{Type: certificate.P7BFile, FS: f.fs, Name: "cert.der", Subject: "*"}, certificate.ErrSyntax)
	refused(t, certificate.Source{Type: certificate.P7BBlob, Data: []byte{}, Subject: "*"}, certificate.ErrSyntax)
	for i := range 40 { // cut short
		data := f.read(t, "enveloped.der")
		if _, err := certificate.Open(certificate.Source{Type: certificate.P7BBlob, Data: data[:i*len(data)/40], Subject: "*"}); err == nil {
			t.Error("half of it is accepted")
		}
	}
}

// TestJWK reads keys made here from the members of RFC 7518 and RFC 8037.
//
//conform:ipworks StoreType.18 works tlsio/server/certificate.JWKFile
//conform:ipworks StoreType.19 works tlsio/server/certificate.JWKBlob
func TestJWK(t *testing.T) {
	for _, algorithm := range algorithms {
		f := newFiles(t, algorithm)
		key := jwkOf(t, f)
		key["x5c"] = [][]byte{f.leaf.Raw, f.via.Cert.Raw, f.root.Cert.Raw}
		text, err := json.Marshal(key)
		if err != nil {
			t.Fatal(err)
		}
		f.write(t, "key.jwk", text)
		all(t, f, "key.jwk", "", certificate.JWKFile, certificate.JWKBlob)

		other := newFiles(t, certstest.ECDSAP256)
		set, err := json.Marshal(map[string]any{"keys": []any{jwkOf(t, other), key}})
		if err != nil {
			t.Fatal(err)
		}
		c := open(t, certificate.Source{Type: certificate.JWKBlob, Data: set, Subject: subject})
		serve(t, c, f.root, "www.example.test")

		// Another key than the certificate's; a public key; a broken private key.
		key["x5c"] = [][]byte{other.leaf.Raw}
		refuseJWK(t, key, certificate.ErrSyntax)
		delete(key, "x5c")
		private := key["d"]
		delete(key, "d")
		text, _ = json.Marshal(key)
		if c := open(t, certificate.Source{Type: certificate.JWKBlob, Data: text, Subject: "*"}); c.PrivateKeyAvailable() ||
			c.PublicKey() != string(pemOf("PUBLIC KEY", f.leaf.RawSubjectPublicKeyInfo)) {
			t.Errorf("a public key: %v", c)
		}
		key["d"] = strings.Repeat("A", len(private.(string))-1) + "Q"
		refuseJWK(t, key, certificate.ErrSyntax)
		key["d"] = "not base64url!"
		refuseJWK(t, key, certificate.ErrSyntax)
	}
	refuseJWK(t, map[string]any{"kty": "oct", "k": "AAAA"}, certificate.ErrUnsupported)
	refuseJWK(t, map[string]any{"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA"}, certificate.ErrUnsupported)
	refuseJWK(t, map[string]any{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}, certificate.ErrSyntax)
	refuseJWK(t, map[string]any{"kty": "OKP", "crv": "X25519", "x": "AA"}, certificate.ErrUnsupported)
	refuseJWK(t, map[string]any{"kty": "RSA", "n": strings.Repeat("_", 2800), "e": "AQAB"}, certificate.ErrTooLarge)
	refuseJWK(t, map[string]any{"kty": "RSA", "n": "_w", "e": "AQAAAAAAAAAB"}, certificate.ErrUnsupported)
	refuseJWK(t, map[string]any{"kty": 5}, certificate.ErrSyntax)
	refuseJWK(t, map[string]any{}, certificate.ErrSyntax)
}

func refuseJWK(t *testing.T, key map[string]any, kind error) {
	t.Helper()
	text, err := json.Marshal(key)
	if err != nil {
		t.Fatal(err)
	}
	refused(t, certificate.Source{Type: certificate.JWKBlob, Data: text, Subject: "*"}, kind)
}

func jwkOf(t *testing.T, f files) map[string]any {
	b64 := base64.RawURLEncoding.EncodeToString
	switch key := f.key.(type) {
	case *rsa.PrivateKey:
		return map[string]any{"kty": "RSA", "n": b64(key.N.Bytes()), "e": b64(big.NewInt(int64(key.E)).Bytes()),
			"d": b64(key.D.Bytes()), "p": b64(key.Primes[0].Bytes()), "q": b64(key.Primes[1].Bytes()), "alg": "RS256"}
	case *ecdsa.PrivateKey:
		point, err := key.PublicKey.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		d, err := key.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		half := (len(point) - 1) / 2
		crv := map[elliptic.Curve]string{elliptic.P256(): "P-256", elliptic.P384(): "P-384"}[key.Curve]
		return map[string]any{"kty": "EC", "crv": crv, "x": b64(point[1 : 1+half]), "y": b64(point[1+half:]), "d": b64(d)}
	case ed25519.PrivateKey:
		return map[string]any{"kty": "OKP", "crv": "Ed25519", "x": b64(key.Public().(ed25519.PublicKey)), "d": b64(key.Seed())}
	}
	t.Fatalf("a key of type %T", f.key)
	return nil
}

// sshLine is the public key as a line of authorized_keys, put together by the
// RFCs' rules and not by the package.
func sshLine(t testing.TB, c *certificate.Certificate) string {
	t.Helper()
	var blob []byte
	put := func(b []byte) { blob = append(binary.BigEndian.AppendUint32(blob, uint32(len(b))), b...) }
	name := ""
	switch key := c.Signer().Public().(type) {
	case *rsa.PublicKey:
		name = "ssh-rsa"
		put([]byte(name))
		put(big.NewInt(int64(key.E)).Bytes())
		put(append([]byte{0}, key.N.Bytes()...)) // its first bit is 1
	case *ecdsa.PublicKey:
		curve := map[elliptic.Curve]string{elliptic.P256(): "nistp256", elliptic.P384(): "nistp384"}[key.Curve]
		name = "ecdsa-sha2-" + curve
		put([]byte(name))
		put([]byte(curve))
		point, err := key.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		put(point)
	case ed25519.PublicKey:
		name = "ssh-ed25519"
		put([]byte(name))
		put(key)
	}
	return name + " " + base64.StdEncoding.EncodeToString(blob) + " somebody@example\n"
}

// TestSSH reads public keys of SSH.
//
//conform:ipworks StoreType.10 works tlsio/server/certificate.SSHPublicKeyBlob
//conform:ipworks StoreType.13 works tlsio/server/certificate.SSHPublicKeyFile
func TestSSH(t *testing.T) {
	for _, algorithm := range algorithms {
		f := newFiles(t, algorithm)
		key := open(t, certificate.Source{Type: certificate.PEMKeyFile, FS: f.fs, Name: "key.pem", Subject: "*"})
		line := sshLine(t, key)
		f.write(t, "key.pub", []byte(line))
		blob := strings.Fields(line)[1]
		wire, err := base64.StdEncoding.DecodeString(blob)
		if err != nil {
			t.Fatal(err)
		}
		ssh2 := "---- BEGIN SSH2 PUBLIC KEY ----\nComment: \"a long \\\ncomment\"\nx-me: too\n" + blob[:30] + "\n" + blob[30:] + "\n---- END SSH2 PUBLIC KEY ----\n"
		for _, s := range []certificate.Source{
			{Type: certificate.SSHPublicKeyFile, FS: f.fs, Name: "key.pub"},
			{Type: certificate.SSHPublicKeyBlob, Name: line},
			{Type: certificate.SSHPublicKeyBlob, Name: ssh2},
			{Type: certificate.SSHPublicKeyBlob, Name: blob},
			{Type: certificate.SSHPublicKeyBlob, Data: wire},
			{Type: certificate.Auto, Name: line},
			{Type: certificate.Auto, Name: ssh2},
			{Type: certificate.Auto, Name: blob},
		} {
			s.Subject = "*"
			c := open(t, s)
			if c.PublicKey() != key.PublicKey() || c.PrivateKeyAvailable() || c.Fingerprint() != key.Fingerprint() {
				t.Errorf("%v: %v is another key", s.Type, c)
			}
		}
		for i := range wire { // cut short anywhere
			refused(t, certificate.Source{Type: certificate.SSHPublicKeyBlob, Data: wire[:i], Subject: "*"}, certificate.ErrSyntax)
		}
	}
	dss := base64.StdEncoding.EncodeToString(append([]byte{0, 0, 0, 7}, "ssh-dss"...))
	refused(t, certificate.Source{Type: certificate.SSHPublicKeyBlob, Name: "ssh-dss " + dss, Subject: "*"}, certificate.ErrUnsupported)
}

// TestJKS reads what keytool wrote.
//
//conform:ipworks StoreType.4 works tlsio/server/certificate.JKSFile
//conform:ipworks StoreType.5 works tlsio/server/certificate.JKSBlob
func TestJKS(t *testing.T) {
	testdata := os.DirFS("testdata")
	keys, err := os.ReadFile("testdata/keys.jks")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []certificate.Source{
		{Type: certificate.JKSFile, FS: testdata, Name: "keys.jks"},
		{Type: certificate.JKSBlob, Data: keys},
		{Type: certificate.JKSBlob, Name: base64.StdEncoding.EncodeToString(keys)},
		{Type: certificate.Auto, Data: keys},
	} {
		s.Password, s.KeyPassword, s.Subject = "changeit", new("secret7"), "*"
		c := open(t, s)
		equal(t, "Subject", c.Subject(), "CN=jks.example.test, O=Ingot, C=US")
		pair, err := c.TLS()
		if err != nil || pair.PrivateKey.(*rsa.PrivateKey).Validate() != nil {
			t.Errorf("%v: %v", s.Type, err)
		}
		s.Subject = "CN=same.example.test"
		if c := open(t, s); c.PrivateKeyAvailable() {
			t.Error("a trusted certificate has a key")
		}
		s.KeyPassword = nil // then it is the store's, which is wrong here
		if e := refused(t, s, certificate.ErrPassword); e.Fix != "set KeyPassword" {
			t.Error(e)
		}
		s.Password = "wrong"
		if e := refused(t, s, certificate.ErrPassword); e.Fix != "set Password" {
			t.Error(e)
		}
	}
	c := open(t, certificate.Source{Type: certificate.JKSFile, FS: testdata, Name: "same.jks", Password: "changeit", Subject: "*"})
	if key, ok := c.Signer().(*ecdsa.PrivateKey); !ok || !key.PublicKey.Equal(c.X509().PublicKey) {
		t.Errorf("%v has the key %T", c, c.Signer())
	}
	e := refused(t, certificate.Source{Type: certificate.JKSFile, FS: testdata, Name: "two.p12", Password: "changeit", Subject: "*"}, certificate.ErrSyntax)
	if !strings.Contains(e.Fix, "PKCS#12") {
		t.Error(e)
	}
	jceks := append([]byte{0xce, 0xce, 0xce, 0xce}, keys[4:]...)
	refused(t, certificate.Source{Type: certificate.Auto, Data: jceks, Subject: "*"}, certificate.ErrUnsupported)
}

// TestAuto: content decides, for each format that the other tests don't try as
// type Auto.
//
//conform:ipworks StoreType.99 works tlsio/server/certificate.Auto
func TestAuto(t *testing.T) {
	f := newFiles(t, certstest.RSA2048)
	pkcs1 := x509.MarshalPKCS1PrivateKey(f.key.(*rsa.PrivateKey))
	ec := newFiles(t, certstest.ECDSAP256)
	sec1, err := x509.MarshalECPrivateKey(ec.key.(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	openssl(t, f.dir, "pkcs8", "-topk8", "-in", "key.pem", "-outform", "DER", "-out", "encrypted.der", "-passout", "pass:x")
	for what, s := range map[string]struct {
		data    []byte
		private bool
	}{
		"certificate":        {f.read(t, "cert.der"), false},
		"PEM with BOM":       {append([]byte("\xef\xbb\xbf"), f.read(t, "cert.pem")...), false},
		"PKCS#8":             {f.read(t, "key.der"), true},
		"PKCS#8, encrypted":  {f.read(t, "encrypted.der"), true},
		"PKCS#1":             {pkcs1, true},
		"PKCS#1, public":     {x509.MarshalPKCS1PublicKey(f.leaf.PublicKey.(*rsa.PublicKey)), false},
		"SEC 1":              {sec1, true},
		"SubjectPublicKey":   {f.leaf.RawSubjectPublicKeyInfo, false},
		"two certificates":   {append(f.read(t, "cert.der"), f.via.Cert.Raw...), false},
		"JWK after spaces":   {[]byte("\n {\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}"), false},
		"certificate Base64": {[]byte(base64.StdEncoding.EncodeToString(f.read(t, "cert.der")) + "\r\n"), false},
	} {
		c, err := certificate.Open(certificate.Source{Type: certificate.Auto, Data: s.data, Password: "x", Subject: "*"})
		if err != nil || c.PrivateKeyAvailable() != s.private {
			t.Errorf("%s: %v, %v", what, c, err)
		}
	}
}

// other returns a file that another program made, of those in certs/container.
func other(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile("../../../certs/container/testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// sources are the ways in which a file is given: as a file, as bytes, as Base64 text,
// and as type Auto.
func sources(data []byte, file, blob certificate.StoreType) []certificate.Source {
	return []certificate.Source{
		{Type: file, FS: fstest.MapFS{"f": {Data: data}}, Name: "f"},
		{Type: blob, Data: data},
		{Type: blob, Name: base64.StdEncoding.EncodeToString(data)},
		{Type: certificate.Auto, Data: data},
	}
}

// isKey checks that c is the private key whose public half is in a file of ssh-keygen.
func isKey(t *testing.T, c *certificate.Certificate, public string) {
	t.Helper()
	want := open(t, certificate.Source{Type: certificate.SSHPublicKeyBlob, Data: other(t, public), Subject: "*"})
	if !c.PrivateKeyAvailable() || c.PrivateKey() == "" || c.PublicKey() != want.PublicKey() {
		t.Errorf("%v is another key than %s", c, public)
	}
}

// TestOpenSSH reads private keys as ssh-keygen writes them.
func TestOpenSSH(t *testing.T) {
	for _, name := range []string{"rsa", "p256", "p521", "ed25519"} {
		for _, form := range []string{".openssh", ".encrypted.openssh"} {
			for _, s := range sources(other(t, name+form), certificate.PEMKeyFile, certificate.PEMKeyBlob) {
				s.Password, s.Subject = "changeit", "*"
				isKey(t, open(t, s), name+".pub")
				if form == ".encrypted.openssh" {
					s.KeyPassword = new("wrong")
					refused(t, s, certificate.ErrPassword)
				}
			}
		}
	}
}

// TestPPK reads what puttygen writes.
//
//conform:ipworks StoreType.14 works tlsio/server/certificate.PPKFile
//conform:ipworks StoreType.15 works tlsio/server/certificate.PPKBlob
func TestPPK(t *testing.T) {
	for _, name := range []string{"rsa", "p256", "p384", "p521", "ed25519"} {
		for _, form := range []string{".v2.ppk", ".v3.ppk", ".encrypted.v2.ppk", ".encrypted.v3.ppk"} {
			for _, s := range sources(other(t, name+form), certificate.PPKFile, certificate.PPKBlob) {
				s.Password, s.Subject = "changeit", "*"
				isKey(t, open(t, s), name+".pub")
				if strings.HasPrefix(form, ".encrypted") {
					s.Password = "wrong"
					refused(t, s, certificate.ErrPassword)
				}
			}
		}
	}
	refused(t, certificate.Source{Type: certificate.PPKBlob, Data: other(t, "ed25519.openssh"), Subject: "*"}, certificate.ErrSyntax)
}

// TestXML reads what Java's XML signatures say about a key, and .NET's form of a
// private one.
//
//conform:ipworks StoreType.16 works tlsio/server/certificate.XMLFile
//conform:ipworks StoreType.17 works tlsio/server/certificate.XMLBlob
func TestXML(t *testing.T) {
	b64 := func(n *big.Int) string { return base64.StdEncoding.EncodeToString(n.Bytes()) }
	key := open(t, certificate.Source{Type: certificate.PEMKeyBlob, Data: other(t, "rsa.pkcs1.pem"), Subject: "*"}).Signer().(*rsa.PrivateKey)
	private := "<RSAKeyValue><Modulus>" + b64(key.N) + "</Modulus><Exponent>AQAB</Exponent><P>" + b64(key.Primes[0]) + "</P><Q>" + b64(key.Primes[1]) +
		"</Q><DP>" + b64(key.Precomputed.Dp) + "</DP><DQ>" + b64(key.Precomputed.Dq) + "</DQ><InverseQ>" + b64(key.Precomputed.Qinv) +
		"</InverseQ><D>" + b64(key.D) + "</D></RSAKeyValue>"
	for _, s := range sources([]byte(private), certificate.XMLFile, certificate.XMLBlob) {
		s.Subject = "*"
		isKey(t, open(t, s), "rsa.pub")
	}
	for _, s := range sources(other(t, "rsa.cert.xml"), certificate.XMLFile, certificate.XMLBlob) {
		s.Subject = "CN=rsa.example.test"
		if c := open(t, s); c.PrivateKeyAvailable() || !key.PublicKey.Equal(c.X509().PublicKey) {
			t.Errorf("%v: %v is another certificate", s.Type, c)
		}
	}
	for name, bits := range map[string]int{"rsa": 2048, "p256": 256} {
		for _, s := range sources(other(t, name+".java.xml"), certificate.XMLFile, certificate.XMLBlob) {
			s.Subject = "*"
			if c := open(t, s); c.PrivateKeyAvailable() || c.PublicKeyLength() != bits {
				t.Errorf("%v: %v", s.Type, c)
			}
		}
	}
	refused(t, certificate.Source{Type: certificate.XMLBlob, Data: []byte("<DSAKeyValue/>"), Subject: "*"}, certificate.ErrUnsupported)
}
