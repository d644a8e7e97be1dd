package certificate_test

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"testing"

	"ingot.dev/tlsio/server/certificate"
)

func oid(n ...int) asn1.ObjectIdentifier { return n }

func rdn(pairs ...any) pkix.RelativeDistinguishedNameSET {
	var set pkix.RelativeDistinguishedNameSET
	for i := 0; i < len(pairs); i += 2 {
		set = append(set, pkix.AttributeTypeAndValue{Type: pairs[i].(asn1.ObjectIdentifier), Value: pairs[i+1]})
	}
	return set
}

// TestNames: the form of names, and that a name in this form finds its certificate
// again whatever the order of its fields.
func TestNames(t *testing.T) {
	cn, o, ou, c, s, l, mail := oid(2, 5, 4, 3), oid(2, 5, 4, 10), oid(2, 5, 4, 11), oid(2, 5, 4, 6), oid(2, 5, 4, 8), oid(2, 5, 4, 7), oid(1, 2, 840, 113549, 1, 9, 1)
	for _, test := range []struct {
		name  pkix.RDNSequence
		want  string
		again []string // other spellings
	}{
		{pkix.RDNSequence{rdn(mail, "support@example.com"), rdn(c, "US"), rdn(ou, "test"), rdn(cn, "www.server.com")},
			"CN=www.server.com, OU=test, C=US, E=support@example.com",
			[]string{"E=support@example.com,C=US,OU=test,CN=www.server.com", "cn=WWW.server.com, ou=test, c=us, emailAddress=support@example.com"}},
		{pkix.RDNSequence{rdn(o, `A "B", Inc.`), rdn(l, "x=y")}, `L="x=y", O="A ""B"", Inc."`, []string{`O="A ""B"", Inc.", L=x=y`}},
		{pkix.RDNSequence{rdn(s, " Texas "), rdn(cn, "")}, `CN="", S=" Texas "`, []string{`ST=" Texas ", CN=`}},
		{pkix.RDNSequence{rdn(cn, "a", ou, "b")}, "CN=a + OU=b", []string{"OU=b+CN=a"}},
		{pkix.RDNSequence{rdn(oid(1, 2, 3, 4), "x"), rdn(cn, "Zoë ß 水")}, "CN=Zoë ß 水, OID.1.2.3.4=x", nil},
		{pkix.RDNSequence{rdn(cn, "two\nlines")}, "CN=#0c0974776f0a6c696e6573", nil},
		{nil, "", nil},
	} {
		cert := certificateOf(t, test.name)
		if cert.Subject() != test.want {
			t.Errorf("Subject = %s, want %s", cert.Subject(), test.want)
		}
		for _, text := range append(test.again, test.want) {
			if text == "" {
				continue
			}
			found, err := certificate.Open(certificate.Source{Type: certificate.PublicKeyBlob, Data: cert.EncodedB(), Subject: text})
			if err != nil || found.Subject() != test.want {
				t.Errorf("%s isn't found by %s: %v", test.want, text, err)
			}
		}
	}
}

// TestAltNames: the names keep their order, and what is no text stays out.
func TestAltNames(t *testing.T) {
	context := func(tag int, b string) asn1.RawValue {
		return asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tag, Bytes: []byte(b)}
	}
	names, err := asn1.Marshal([]asn1.RawValue{
		context(6, "https://example.com/?a,b"), context(2, "b.example"), context(1, "me@example.com"),
		context(7, "\x7f\x00\x00\x01"), context(8, "\x2a\x03"), context(2, "a.example"),
	})
	if err != nil {
		t.Fatal(err)
	}
	c := certificateOf(t, nil, pkix.Extension{Id: oid(2, 5, 29, 17), Value: names})
	equal(t, "SubjectAltNames", c.SubjectAltNames(), `"https://example.com/?a,b",b.example,me@example.com,127.0.0.1,a.example`)
}

// FuzzSubject: no search text breaks anything, and what is found contains it.
func FuzzSubject(f *testing.F) {
	for _, s := range []string{"*", "", "CN=a", `CN="a, b", C=US`, "Thumbprint=00", `CN="`, "=", ",", "CN=a + C=b", `O="x""y"`} {
		f.Add(s)
	}
	c := certificateOf(f, pkix.RDNSequence{rdn(oid(2, 5, 4, 6), "US"), rdn(oid(2, 5, 4, 10), `a, "b"`), rdn(oid(2, 5, 4, 3), "www.example.com")})
	store, err := certificate.OpenStore(certificate.Source{Type: certificate.PublicKeyBlob, Data: c.EncodedB()})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s string) {
		found, err := store.Find(s)
		if (found == nil) == (err == nil) {
			t.Fatalf("Find(%q) = %v, %v", s, found, err)
		}
		if _, ok := errors.AsType[*certificate.Error](err); err != nil && !ok {
			t.Fatalf("Find(%q): %v is no *Error", s, err)
		}
	})
}
