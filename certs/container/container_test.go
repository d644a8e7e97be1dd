package container_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"ingot.dev/certs/container"
)

func sign(t *testing.T, key crypto.Signer) {
	t.Helper()
	digest := sha256.Sum256([]byte("a message"))
	var options crypto.SignerOpts = crypto.SHA256
	message := digest[:]
	if _, ok := key.(ed25519.PrivateKey); ok {
		options = crypto.Hash(0)
	}
	signature, err := key.Sign(rand.Reader, message, options)
	if err != nil {
		t.Fatal(err)
	}
	valid := false
	switch public := key.Public().(type) {
	case *rsa.PublicKey:
		valid = rsa.VerifyPKCS1v15(public, crypto.SHA256, message, signature) == nil
	case *ecdsa.PublicKey:
		valid = ecdsa.VerifyASN1(public, message, signature)
	case ed25519.PublicKey:
		valid = ed25519.Verify(public, message, signature)
	}
	if !valid {
		t.Fatalf("the signature of a %T is wrong", key)
	}
}

// formatOf says what a file of testdata is, by its name.
func formatOf(name string) container.Format {
	_, ext, _ := strings.Cut(name[strings.LastIndex(name, "."):], ".")
	return map[string]container.Format{
		"openssh": container.PEM, "pem": container.PEM, "der": container.DER, "ppk": container.PPK, "p12": container.PKCS12,
		"p7b": container.PKCS7, "jks": container.JKS, "xml": container.XML, "pub": container.SSHPublic, "rfc4716": container.SSHPublic,
	}[ext]
}

// encrypted reports whether a file of testdata needs the password.
func encrypted(name string) bool {
	for _, part := range []string{".encrypted.", ".cbc.", ".argon2i.", ".default.", ".utf8.", ".scrypt.", ".pbkdf2.", ".legacy-", ".p12", ".jks"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}

func passwordOf(name string) string {
	switch {
	case !encrypted(name):
		return ""
	case strings.Contains(name, ".utf8."):
		return "pässwört"
	}
	return password
}

// keyFiles are those with a private key.
var keyFiles = []string{"*.openssh", "*.ppk", "p256.pkcs8.*", "p256.sec1.pem", "rsa.pkcs1.pem", "p256.scrypt.*", "p256.pbkdf2.pem", "*.legacy-*.pem", "p256.p12", "p256.jks"}

// TestKeys reads each file with a private key, as what it is and as whatever it is,
// as bytes and as Base64, and with the right, a wrong and no password.
func TestKeys(t *testing.T) {
	for _, name := range glob(t, keyFiles...) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data, want := file(t, name), public(t, name)
			if got := container.Sniff(data); got != formatOf(name) {
				t.Fatalf("Sniff = %v", got)
			}
			for _, form := range [][]byte{data, []byte(base64.StdEncoding.EncodeToString(data))} {
				for _, format := range []container.Format{container.Auto, formatOf(name)} {
					before := bytes.Clone(form)
					found, err := container.Read(form, container.Options{Format: format, Password: passwordOf(name)})
					if err != nil {
						t.Fatal(err)
					}
					if len(found.Keys) != 1 || len(found.PublicKeys) != 0 {
						t.Fatalf("%v: %v", format, found)
					}
					if !bytes.Equal(form, before) {
						t.Error("Read changed what it read")
					}
					checkKey(t, found.Keys[0], want)
				}
			}
			if !encrypted(name) {
				return
			}
			for _, wrong := range []string{"", "x", passwordOf(name) + " "} {
				e := refused(t, data, container.Options{Password: wrong}, container.ErrPassword)
				if e.Format != formatOf(name) || e.Fix == "" {
					t.Errorf("%v: %v", e.Format, e)
				}
			}
		})
	}
}

// TestKeyPassword: keys that are protected on their own are opened by KeyPassword.
func TestKeyPassword(t *testing.T) {
	for _, name := range []string{"ed25519.encrypted.openssh", "ed25519.encrypted.v2.ppk", "ed25519.encrypted.v3.ppk", "p256.scrypt.pem"} {
		data := file(t, name)
		found, err := container.Read(data, container.Options{Password: "other", KeyPassword: new(password)})
		if err != nil {
			t.Fatal(err)
		}
		checkKey(t, found.Keys[0], public(t, name))
		refused(t, data, container.Options{Password: password, KeyPassword: new("")}, container.ErrPassword)
	}
}

// TestPublicKeys reads public keys and certificates.
func TestPublicKeys(t *testing.T) {
	for _, name := range glob(t, "*.pub", "*.rfc4716", "*.java.xml") {
		found, err := container.Read(file(t, name), container.Options{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if found.Len() != 1 || len(found.PublicKeys) != 1 || !bytes.Equal(container.MarshalSSHPublicKey(found.PublicKeys[0]), public(t, name)) {
			t.Errorf("%s: %v", name, found)
		}
	}
	for name, base := range map[string]string{"p256.crt.pem": "p256", "cert.p7b": "p256", "rsa.cert.xml": "rsa"} {
		found, err := container.Read(file(t, name), container.Options{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if found.Len() != 1 || len(found.Certificates) != 1 ||
			!bytes.Equal(container.MarshalSSHPublicKey(found.Certificates[0].PublicKey), public(t, base)) {
			t.Errorf("%s: %v", name, found)
		}
	}
}

// TestKey finds the key of a certificate among others.
func TestKey(t *testing.T) {
	all := bytes.Join([][]byte{file(t, "p384.openssh"), file(t, "p256.crt.pem"), file(t, "p256.sec1.pem"), file(t, "ed25519.openssh")}, nil)
	found, err := container.Read(all, container.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(found.Keys) != 3 || found.Key(found.Certificates[0]) != found.Keys[1] {
		t.Errorf("%v: the key of the certificate isn't found", found)
	}
	found.Keys = found.Keys[:1]
	if key := found.Key(found.Certificates[0]); key != nil {
		t.Error("the key of another certificate is found")
	}
}

// TestCut cuts each file short at every byte: no part of it is taken for the whole.
// Passwords that take long are left out here; the fuzzers have them.
func TestCut(t *testing.T) {
	for _, name := range glob(t, append([]string{"*.pub", "*.rfc4716", "*.xml", "cert.p7b", "p256.crt.pem"}, keyFiles...)...) {
		if strings.Contains(name, ".default.") || name == "p256.scrypt.der" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := file(t, name)
			whole := len(bytes.TrimRight(data, "\r\n"))
			if formatOf(name) == container.SSHPublic {
				// What stands after the key is a comment.
				whole = bytes.LastIndexByte(data, ' ')
				if strings.HasSuffix(name, ".rfc4716") {
					whole = bytes.Index(data, []byte("\n---- END"))
				}
			}
			step := 1
			if testing.Short() {
				step = 7
			}
			for n := 0; n < whole; n += step {
				found, err := container.Read(data[:n:n], container.Options{Format: formatOf(name), Password: passwordOf(name)})
				if err == nil || found != nil {
					t.Fatalf("%d of %d bytes: %v", n, whole, found)
				}
				if e, ok := err.(*container.Error); !ok || e.Kind == nil || e.Reason == "" || e.Format != formatOf(name) {
					t.Fatalf("%d of %d bytes: %v", n, whole, err)
				}
			}
		})
	}
}

// TestDamage flips a bit of each byte of files that have a checksum over all.
func TestDamage(t *testing.T) {
	for _, name := range []string{"ed25519.v2.ppk", "ed25519.v3.ppk", "rsa.v3.ppk", "ed25519.encrypted.v2.ppk", "p256.jks"} {
		data := file(t, name)
		for i := range len(bytes.TrimRight(data, "\n")) {
			if data[i] == '\n' || i+1 < len(data) && data[i+1] == '=' {
				continue // the end of a line, and bits of Base64 that mean nothing
			}
			bad := bytes.Clone(data)
			bad[i] ^= 0x01
			found, err := container.Read(bad, container.Options{Format: formatOf(name), Password: passwordOf(name)})
			if err == nil {
				t.Fatalf("%s, byte %d: it is accepted: %v", name, i, found)
			}
		}
	}
}

// TestRefused: what is recognized and not read says so, with what to do.
func TestRefused(t *testing.T) {
	for name, fix := range map[string]string{
		"refused.argon2d.ppk": "argon2id", "refused.gcm.openssh": "ssh-keygen", "refused.jceks": "keytool",
	} {
		e := refused(t, file(t, name), container.Options{Password: password}, container.ErrUnsupported)
		if !strings.Contains(e.Fix, fix) || !strings.Contains(e.Error(), e.Fix) {
			t.Errorf("%s: %v", name, e)
		}
	}
	v1 := bytes.Replace(file(t, "ed25519.v2.ppk"), []byte("File-2"), []byte("File-1"), 1)
	if e := refused(t, v1, container.Options{}, container.ErrUnsupported); !strings.Contains(e.Fix, "puttygen") {
		t.Error(e)
	}
	if e := refused(t, []byte("x"), container.Options{Format: container.BCFKS}, container.ErrUnsupported); !strings.Contains(e.Fix, "keytool") {
		t.Error(e)
	}
	// The outer parts of Bouncy Castle's key store, as far as it is told by them.
	bcfks := []byte{0x30, 13, 0x30, 9, 0x30, 3, 6, 1, 42, 4, 2, 0, 0, 0x30, 0}
	refused(t, bcfks, container.Options{}, container.ErrUnsupported)
	refused(t, nil, container.Options{Format: 99}, container.ErrUnsupported)
	if e := refused(t, nil, container.Options{}, container.ErrSyntax); e.Reason != "the file is empty" {
		t.Error(e)
	}
	refused(t, []byte("This is a text."), container.Options{}, container.ErrSyntax)
	refused(t, make([]byte, container.MaxSize+1), container.Options{}, container.ErrTooLarge)
	refused(t, file(t, "p256.sec1.pem"), container.Options{Format: container.Public}, container.ErrSyntax)
	refused(t, file(t, "p256.sec1.pem"), container.Options{Format: container.PPK}, container.ErrSyntax)
	refused(t, file(t, "ed25519.v3.ppk"), container.Options{Format: container.PEM}, container.ErrSyntax)
}

// TestCosts: files that ask for hours or for all memory are refused at once.
func TestCosts(t *testing.T) {
	replace := func(name, old, new string) []byte {
		data := file(t, name)
		if !bytes.Contains(data, []byte(old)) {
			t.Fatalf("%s has no %q", name, old)
		}
		return bytes.Replace(data, []byte(old), []byte(new), 1)
	}
	block, _ := pem.Decode(file(t, "ed25519.encrypted.openssh"))
	rounds := []byte{0, 0, 0, 24, 0, 0, 0, 16} // the options, with a salt of 16 bytes
	i := bytes.Index(block.Bytes, rounds)
	if i < 0 {
		t.Fatal("no rounds found")
	}
	block.Bytes[i+len(rounds)+16] = 0x7f
	bcrypt := pem.EncodeToMemory(block)
	der := file(t, "p256.scrypt.der")
	scrypt := []byte{2, 2, 0x40, 0, 2, 1, 8, 2, 1, 1} // N = 16384, r = 8, p = 1
	if !bytes.Contains(der, scrypt) {
		t.Fatal("no parameters of scrypt found")
	}
	for what, data := range map[string][]byte{
		"memory":       replace("ed25519.argon2i.ppk", "Argon2-Memory: 1024", "Argon2-Memory: 4194304"),
		"passes":       replace("ed25519.argon2i.ppk", "Argon2-Passes: 3", "Argon2-Passes: 4294967295"),
		"product":      replace("ed25519.argon2i.ppk", "Argon2-Passes: 3", "Argon2-Passes: 9000"),
		"lines":        replace("ed25519.v3.ppk", "Public-Lines: 2", "Public-Lines: 2000000000"),
		"bcrypt":       bcrypt,
		"scrypt, cost": bytes.Replace(der, scrypt, []byte{2, 2, 0x7f, 0, 2, 1, 127, 2, 1, 1}, 1),
		"scrypt, p":    bytes.Replace(der, scrypt, []byte{2, 2, 0x40, 0, 2, 1, 8, 2, 1, 99}, 1),
	} {
		t.Run(what, func(t *testing.T) {
			refused(t, data, container.Options{Password: password}, container.ErrTooLarge)
		})
	}
}

// TestRedaction: no way of printing shows a key.
func TestRedaction(t *testing.T) {
	found, err := container.Read(file(t, "rsa.pkcs1.pem"), container.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("read", "found", found)
	secret := found.Keys[0].(*rsa.PrivateKey).D.String()
	for _, text := range []string{fmt.Sprintf("%v %+v %#v %s %x %d", found, found, found, found, found, found), log.String()} {
		if strings.Contains(text, secret[:20]) || !strings.Contains(text, "1 private keys") {
			t.Error(text)
		}
	}
}
