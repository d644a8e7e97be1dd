package container

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"testing"
)

// TestDecodedKeysAreWiped: what PEM and decryption have made of a private key is zero
// when the key is there, or refused; and what the caller has given is as it was.
func TestDecodedKeysAreWiped(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cut := der[:len(der)-1]
	for _, tt := range []struct {
		what string
		der  []byte
		read func(c *Contents, der []byte) *Error
		ok   bool
	}{
		{"PEM", der, func(c *Contents, der []byte) *Error {
			return readBlock(&pem.Block{Type: "PRIVATE KEY", Bytes: der}, "", c)
		}, true},
		{"PEM of half a key", cut, func(c *Contents, der []byte) *Error {
			return readBlock(&pem.Block{Type: "PRIVATE KEY", Bytes: der}, "", c)
		}, false},
		{"decrypted", der, (*Contents).addDecrypted, true},
		{"decrypted, with a wrong password", cut, (*Contents).addDecrypted, false},
	} {
		buffer, c := bytes.Clone(tt.der), new(Contents)
		err := tt.read(c, buffer)
		if (err == nil) != tt.ok || tt.ok && !key.Equal(c.Keys[0]) {
			t.Errorf("%s: %v, %v", tt.what, err, c)
		}
		if !bytes.Equal(buffer, make([]byte, len(buffer))) {
			t.Errorf("%s: bytes of the key are still there", tt.what)
		}
	}
	given := bytes.Clone(der)
	if _, err := Read(given, Options{}); err != nil || !bytes.Equal(given, der) {
		t.Errorf("Read of DER: %v; what it was given has changed: %v", err, !bytes.Equal(given, der))
	}
}
