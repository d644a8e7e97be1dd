package certificate_test

import (
	"bytes"
	"crypto"
	"crypto/md5"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"ingot.dev/certs/certstest"
	"ingot.dev/tlsio/server/certificate"
)

// TestFields holds each field against what the certificate was made of.
//
//conform:ipworks Certificate.EffectiveDate works tlsio/server/certificate.Certificate.EffectiveDate
//conform:ipworks Certificate.ExpirationDate works tlsio/server/certificate.Certificate.ExpirationDate
//conform:ipworks Certificate.ExtendedKeyUsage works tlsio/server/certificate.Certificate.ExtendedKeyUsage
//conform:ipworks Certificate.Issuer works tlsio/server/certificate.Certificate.Issuer
//conform:ipworks Certificate.PrivateKey works tlsio/server/certificate.Certificate.PrivateKey
//conform:ipworks Certificate.PrivateKeyAvailable works tlsio/server/certificate.Certificate.PrivateKeyAvailable
//conform:ipworks Certificate.PrivateKeyContainer differs tlsio/server/certificate.Certificate.PrivateKeyContainer -- keys have no container outside Windows: always empty, as the reference has it there
//conform:ipworks Certificate.PublicKey works tlsio/server/certificate.Certificate.PublicKey
//conform:ipworks Certificate.SerialNumber works tlsio/server/certificate.Certificate.SerialNumber
//conform:ipworks Certificate.SubjectAltNames works tlsio/server/certificate.Certificate.SubjectAltNames
//conform:ipworks Certificate.Usage works tlsio/server/certificate.Certificate.Usage
//conform:ipworks Certificate.UsageFlags works tlsio/server/certificate.Certificate.UsageFlags
//conform:ipworks Certificate.Version works tlsio/server/certificate.Certificate.Version
func TestFields(t *testing.T) {
	f := newFiles(t, certstest.ECDSAP256)
	c := open(t, certificate.Source{Type: certificate.PEMKeyBlob, Data: append(f.read(t, "key.pem"), f.read(t, "cert.pem")...), Subject: "*"})
	equal(t, "EffectiveDate", c.In(time.UTC).EffectiveDate(), "23-Jan-2000 15:00:00")
	equal(t, "ExpirationDate", c.In(time.UTC).ExpirationDate(), "01-Dec-2049 03:04:05")
	equal(t, "EffectiveDate in another zone", c.In(time.FixedZone("", -9*3600)).EffectiveDate(), "23-Jan-2000 06:00:00")
	equal(t, "EffectiveDate in the local zone", c.EffectiveDate(), f.leaf.NotBefore.Local().Format("02-Jan-2006 15:04:05"))
	equal(t, "ExtendedKeyUsage", c.ExtendedKeyUsage(), "1.3.6.1.5.5.7.3.1,1.3.6.1.5.5.7.3.2")
	equal(t, "Subject", c.Subject(), subject)
	equal(t, "Issuer", c.Issuer(), "CN=Intermediate")
	equal(t, "SerialNumber", c.SerialNumber(), "0ab100ff")
	equal(t, "SubjectAltNames", c.SubjectAltNames(), "www.example.test,*.example.test,192.0.2.1,2001:db8::1")
	equal(t, "Usage", c.Usage(), "Digital Signature,Key Encipherment")
	equal(t, "UsageFlags", c.UsageFlags(), 0xa0)
	equal(t, "Version", c.Version(), "V3")
	equal(t, "PrivateKeyContainer", c.PrivateKeyContainer(), "")

	block, _ := pem.Decode([]byte(c.PublicKey()))
	if block == nil || block.Type != "PUBLIC KEY" || !bytes.Equal(block.Bytes, f.leaf.RawSubjectPublicKeyInfo) {
		t.Errorf("PublicKey = %q", c.PublicKey())
	}
	block, _ = pem.Decode([]byte(c.PrivateKey()))
	if block == nil || !c.PrivateKeyAvailable() {
		t.Fatalf("PrivateKey = %q, available: %v", c.PrivateKey(), c.PrivateKeyAvailable())
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil || !key.(interface{ Equal(crypto.PrivateKey) bool }).Equal(f.key) {
		t.Errorf("PrivateKey is another one, or broken: %v", err)
	}

	public, err := certificate.FromBytes(f.leaf.Raw)
	if err != nil || public.PrivateKeyAvailable() || public.PrivateKey() != "" || public.Signer() != nil {
		t.Errorf("a certificate alone has a key: %v, %v", public, err)
	}
}

// TestUsageBits has certificates say each usage on its own.
func TestUsageBits(t *testing.T) {
	for i, text := range []string{"Digital Signature", "Non-Repudiation", "Key Encipherment", "Data Encipherment",
		"Key Agreement", "Certificate Signing", "CRL Signing", "Encipher Only"} {
		bits, err := asn1.Marshal(asn1.BitString{Bytes: []byte{0x80 >> i}, BitLength: i + 1})
		if err != nil {
			t.Fatal(err)
		}
		c := certificateOf(t, nil, pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 15}, Value: bits})
		equal(t, "Usage", c.Usage(), text)
		equal(t, "UsageFlags", c.UsageFlags(), 0x80>>i)
	}
	c := certificateOf(t, nil)
	equal(t, "Usage without extension", c.Usage(), "")
	equal(t, "UsageFlags without extension", c.UsageFlags(), 0)
	equal(t, "ExtendedKeyUsage without extension", c.ExtendedKeyUsage(), "")
}

// TestDigests compares with digests made here, and with what the openssl and
// ssh-keygen commands say.
//
//conform:ipworks Certificate.Fingerprint works tlsio/server/certificate.Certificate.Fingerprint
//conform:ipworks Certificate.FingerprintSHA1 works tlsio/server/certificate.Certificate.FingerprintSHA1
//conform:ipworks Certificate.FingerprintSHA256 works tlsio/server/certificate.Certificate.FingerprintSHA256
//conform:ipworks Certificate.ThumbprintMD5 works tlsio/server/certificate.Certificate.ThumbprintMD5
//conform:ipworks Certificate.ThumbprintSHA1 works tlsio/server/certificate.Certificate.ThumbprintSHA1
//conform:ipworks Certificate.ThumbprintSHA256 works tlsio/server/certificate.Certificate.ThumbprintSHA256
func TestDigests(t *testing.T) {
	f := newFiles(t, certstest.RSA2048)
	c, err := certificate.FromBytes(f.leaf.Raw)
	if err != nil {
		t.Fatal(err)
	}
	colons := func(b []byte) string { return strings.ReplaceAll(fmt.Sprintf("% x", b), " ", ":") }
	md5Sum, sha1Sum, sha256Sum := md5.Sum(f.leaf.Raw), sha1.Sum(f.leaf.Raw), sha256.Sum256(f.leaf.Raw)
	equal(t, "Fingerprint", c.Fingerprint(), colons(md5Sum[:]))
	equal(t, "FingerprintSHA1", c.FingerprintSHA1(), colons(sha1Sum[:]))
	equal(t, "FingerprintSHA256", c.FingerprintSHA256(), colons(sha256Sum[:]))
	equal(t, "ThumbprintMD5", c.ThumbprintMD5(), colons(md5Sum[:]))
	equal(t, "ThumbprintSHA1", c.ThumbprintSHA1(), colons(sha1Sum[:]))
	equal(t, "ThumbprintSHA256", c.ThumbprintSHA256(), colons(sha256Sum[:]))
	if !regexp.MustCompile(`^([0-9a-f]{2}:){15}[0-9a-f]{2}$`).MatchString(c.Fingerprint()) {
		t.Errorf("Fingerprint has another form than bc:2a:72:...: %s", c.Fingerprint())
	}

	for _, algorithm := range []certstest.Algorithm{certstest.RSA2048, certstest.ECDSAP256, certstest.ECDSAP384, certstest.Ed25519} {
		f := newFiles(t, algorithm)
		key := open(t, certificate.Source{Type: certificate.PEMKeyFile, FS: f.fs, Name: "key.pem", Subject: "*"})
		equal(t, "ThumbprintSHA1 of a key", key.ThumbprintSHA1()+key.ThumbprintMD5()+key.ThumbprintSHA256(), "")
		f.write(t, "pub.ssh", []byte(sshLine(t, key)))
		keygen, err := exec.LookPath("ssh-keygen")
		if err != nil {
			t.Skip("ssh-keygen is not installed; apt-get install openssh-client")
		}
		cmd := exec.Command(keygen, "-l", "-E", "md5", "-f", "pub.ssh")
		cmd.Dir = f.dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("ssh-keygen: %v\n%s", err, out)
		}
		if want := "MD5:" + key.Fingerprint(); !strings.Contains(string(out), want) {
			t.Errorf("ssh-keygen says %s, we %s", out, want)
		}
	}
}

// TestAlgorithms covers each kind of key.
//
//conform:ipworks Certificate.PublicKeyAlgorithm works tlsio/server/certificate.Certificate.PublicKeyAlgorithm
//conform:ipworks Certificate.PublicKeyLength works tlsio/server/certificate.Certificate.PublicKeyLength
//conform:ipworks Certificate.SignatureAlgorithm works tlsio/server/certificate.Certificate.SignatureAlgorithm
func TestAlgorithms(t *testing.T) {
	for _, test := range []struct {
		algorithm certstest.Algorithm
		public    string
		length    int
		signature string
	}{
		{certstest.RSA2048, "RSA", 2048, "RSA_SHA256RSA"},
		{certstest.ECDSAP256, "ECDSA", 256, "ECDSA_SHA256"},
		{certstest.ECDSAP384, "ECDSA", 384, "ECDSA_SHA384"},
		{certstest.Ed25519, "Ed25519", 256, "Ed25519"},
	} {
		ca := certstest.NewCA(t, certstest.Template{Algorithm: test.algorithm})
		c := certificate.FromX509(ca.Cert)
		equal(t, "PublicKeyAlgorithm", c.PublicKeyAlgorithm(), test.public)
		equal(t, "PublicKeyLength", c.PublicKeyLength(), test.length)
		equal(t, "SignatureAlgorithm", c.SignatureAlgorithm(), test.signature)
	}
	// Algorithms that nobody here knows are shown as object identifiers.
	dir := t.TempDir()
	f := files{dir: dir}
	openssl(t, dir, "req", "-x509", "-newkey", "ed448", "-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-subj", "/CN=ed448")
	c, err := certificate.FromBytes(f.read(t, "cert.pem"))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "PublicKeyAlgorithm", c.PublicKeyAlgorithm(), "Ed448")
	equal(t, "PublicKeyLength", c.PublicKeyLength(), 0)
	openssl(t, dir, "req", "-x509", "-newkey", "rsa-pss", "-pkeyopt", "rsa_keygen_bits:2048", "-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-subj", "/CN=pss")
	if c, err = certificate.FromBytes(f.read(t, "cert.pem")); err != nil {
		t.Fatal(err)
	}
	equal(t, "SignatureAlgorithm", c.SignatureAlgorithm(), "RSA_PSS")
}

// TestZero: the empty certificate has empty fields.
//
//conform:ipworks Certificate.new works tlsio/server/certificate.Certificate
func TestZero(t *testing.T) {
	c := new(certificate.Certificate)
	for what, got := range map[string]string{
		"EffectiveDate": c.EffectiveDate(), "ExpirationDate": c.ExpirationDate(), "ExtendedKeyUsage": c.ExtendedKeyUsage(),
		"Fingerprint": c.Fingerprint(), "FingerprintSHA1": c.FingerprintSHA1(), "FingerprintSHA256": c.FingerprintSHA256(),
		"Issuer": c.Issuer(), "PrivateKey": c.PrivateKey(), "PublicKey": c.PublicKey(), "PublicKeyAlgorithm": c.PublicKeyAlgorithm(),
		"SerialNumber": c.SerialNumber(), "SignatureAlgorithm": c.SignatureAlgorithm(), "SubjectAltNames": c.SubjectAltNames(),
		"ThumbprintMD5": c.ThumbprintMD5(), "ThumbprintSHA1": c.ThumbprintSHA1(), "ThumbprintSHA256": c.ThumbprintSHA256(),
		"Usage": c.Usage(), "Version": c.Version(), "Subject": c.Subject(), "Encoded": c.Encoded(),
	} {
		if got != "" {
			t.Errorf("%s = %q", what, got)
		}
	}
	if c.PublicKeyLength() != 0 || c.UsageFlags() != 0 || c.PrivateKeyAvailable() || c.EncodedB() != nil || c.X509() != nil || c.Signer() != nil {
		t.Error("the empty certificate has something")
	}
	if _, err := c.TLS(); err == nil {
		t.Error("the empty certificate can be used")
	}
}

// TestSigner: a key in hardware is available, and not exportable.
func TestSigner(t *testing.T) {
	f := newFiles(t, certstest.RSA2048)
	c, err := certificate.FromSigner([]*x509.Certificate{f.leaf, f.via.Cert}, hardware{f.key})
	if err != nil {
		t.Fatal(err)
	}
	if !c.PrivateKeyAvailable() || c.PrivateKey() != "" {
		t.Errorf("available: %v, exported: %q", c.PrivateKeyAvailable(), c.PrivateKey())
	}
	serve(t, c, f.root, "www.example.test")
	other := newFiles(t, certstest.ECDSAP256)
	if _, err := certificate.FromSigner([]*x509.Certificate{f.leaf}, other.key); err == nil {
		t.Error("somebody else's key is accepted")
	}
	pair, err := c.TLS()
	if err != nil {
		t.Fatal(err)
	}
	again, err := certificate.FromTLS(pair)
	if err != nil || again.Subject() != subject || again.PrivateKey() != "" || len(again.Chain()) != 1 {
		t.Errorf("FromTLS = %v, %v", again, err)
	}
}

// hardware is a key that only signs.
type hardware struct{ key crypto.Signer }

func (h hardware) Public() crypto.PublicKey { return h.key.Public() }
func (h hardware) Sign(r io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	return h.key.Sign(r, digest, o)
}

// TestNoKeyPrinted prints a certificate in all ways.
func TestNoKeyPrinted(t *testing.T) {
	f := newFiles(t, certstest.RSA2048)
	c := open(t, certificate.Source{Type: certificate.PEMKeyFile, FS: f.fs, Name: "key.pem", Subject: "*"})
	secret := f.key.(*rsa.PrivateKey).D
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "c", c, "deep", struct{ C *certificate.Certificate }{c})
	texts := []string{log.String()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		texts = append(texts, fmt.Sprintf(verb, c), fmt.Sprintf(verb, struct{ c *certificate.Certificate }{c}), fmt.Sprintf(verb, *c))
	}
	for _, text := range texts {
		for _, form := range []string{secret.String(), secret.Text(16), fmt.Sprint(secret.Bytes())} {
			if strings.Contains(text, form[:40]) {
				t.Errorf("the key is printed: %s", text)
			}
		}
	}
}
