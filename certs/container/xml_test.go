package container_test

import (
	"bytes"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"ingot.dev/certs/container"
)

// dotNet writes a key as .NET's RSA.ToXmlString(true) does: one line, without
// declaration and namespace, the members in this order and with leading zeros.
func dotNet(key *rsa.PrivateKey, without ...string) []byte {
	half := (key.Size() + 1) / 2
	var b bytes.Buffer
	b.WriteString("<RSAKeyValue>")
	for _, m := range []struct {
		name string
		n    *big.Int
		size int
	}{
		{"Modulus", key.N, key.Size()}, {"Exponent", big.NewInt(int64(key.E)), 3},
		{"P", key.Primes[0], half}, {"Q", key.Primes[1], half}, {"DP", key.Precomputed.Dp, half}, {"DQ", key.Precomputed.Dq, half},
		{"InverseQ", key.Precomputed.Qinv, half}, {"D", key.D, key.Size()},
	} {
		if !strings.Contains(" "+strings.Join(without, " ")+" ", " "+m.name+" ") {
			fmt.Fprintf(&b, "<%s>%s</%[1]s>", m.name, base64.StdEncoding.EncodeToString(m.n.FillBytes(make([]byte, m.size))))
		}
	}
	b.WriteString("</RSAKeyValue>")
	return b.Bytes()
}

func rsaKey(t testing.TB) *rsa.PrivateKey {
	found, err := container.Read(file(t, "rsa.pkcs1.pem"), container.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return found.Keys[0].(*rsa.PrivateKey)
}

// TestXMLPrivate reads .NET's form of a private key, which no program here writes.
func TestXMLPrivate(t *testing.T) {
	key := rsaKey(t)
	text := dotNet(key)
	for what, data := range map[string][]byte{
		"as it is":        text,
		"byte order mark": append([]byte("\xef\xbb\xbf"), text...),
		"declaration":     append([]byte("<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n<!-- mine -->\r\n"), text...),
		"indented":        bytes.ReplaceAll(bytes.ReplaceAll(text, []byte("><"), []byte(">\r\n  <")), []byte("="), []byte("=\r\n")),
		"within":          []byte("<configuration><key>" + string(text) + "</key></configuration>"),
		"Base64":          []byte(base64.StdEncoding.EncodeToString(text)),
	} {
		found, err := container.Read(data, container.Options{})
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if found.Len() != 1 || len(found.Keys) != 1 {
			t.Fatalf("%s: %v", what, found)
		}
		checkKey(t, found.Keys[0], public(t, "rsa"))
	}
	for n := range len(text) {
		refused(t, text[:n], container.Options{Format: container.XML}, container.ErrSyntax)
	}
	found, err := container.Read(dotNet(key, "P", "Q", "DP", "DQ", "InverseQ", "D"), container.Options{})
	if err != nil || len(found.PublicKeys) != 1 || len(found.Keys) != 0 {
		t.Errorf("a public key: %v, %v", found, err)
	}
}

func TestXMLWrong(t *testing.T) {
	key := rsaKey(t)
	for _, without := range []string{"Modulus", "Exponent", "P", "Q", "D"} {
		refused(t, dotNet(key, without), container.Options{}, container.ErrSyntax)
	}
	other := *key
	other.D = new(big.Int).Add(key.D, big.NewInt(2))
	refused(t, dotNet(&other), container.Options{}, container.ErrSyntax)
	other = *key
	other.E = 1
	refused(t, dotNet(&other), container.Options{}, container.ErrUnsupported)
	large := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{0xff}, 2100))
	for text, kind := range map[string]error{
		"<RSAKeyValue><Modulus>" + large + "</Modulus><Exponent>AQAB</Exponent></RSAKeyValue>": container.ErrTooLarge,
		"<RSAKeyValue><Modulus>AA==</Modulus><Exponent>AQAB</Exponent></RSAKeyValue>":          container.ErrSyntax,
		"<RSAKeyValue><Modulus>??</Modulus><Exponent>AQAB</Exponent></RSAKeyValue>":            container.ErrSyntax,
		"<X509Certificate>AA==</X509Certificate>":                                              container.ErrSyntax,
		"<a><b/></a>":      container.ErrSyntax,
		"<!-- nothing -->": container.ErrSyntax,
		`<ECKeyValue><NamedCurve URI="urn:oid:1.3.132.0.10"/><PublicKey>BAA=</PublicKey></ECKeyValue>`:        container.ErrUnsupported,
		`<ECKeyValue><NamedCurve URI="urn:oid:1.2.840.10045.3.1.7"/><PublicKey>BAA=</PublicKey></ECKeyValue>`: container.ErrSyntax,
		`<ECKeyValue><NamedCurve URI="urn:oid:1.2.840.10045.3.1.7"/><PublicKey>?</PublicKey></ECKeyValue>`:    container.ErrSyntax,
		"<DSAKeyValue/>":                           container.ErrUnsupported,
		"<EncryptedKey/>":                          container.ErrUnsupported,
		strings.Repeat("<a>", 20):                  container.ErrTooLarge,
		`<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>`: container.ErrSyntax,
	} {
		refused(t, []byte(text), container.Options{}, kind)
	}
}
