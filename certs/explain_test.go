package certs_test

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"ingot.dev/certs"
	"ingot.dev/certs/certstest"
)

func TestExplain(t *testing.T) {
	ca := certstest.NewCA(t, certstest.Template{})
	impostor := certstest.NewCA(t, certstest.Template{})
	names := []string{"a.test"}
	stranger := certstest.NewCA(t, certstest.Template{CommonName: "Somebody", Names: names})
	notCA := ca.Issue(certstest.Template{Names: names, CommonName: "no authority"})
	var many []string
	for i := range 9 {
		many = append(many, fmt.Sprintf("n%d.test", i))
	}
	tests := []struct {
		name  string
		cert  tls.Certificate
		kind  error
		words []string
	}{
		{"expired", ca.Issue(certstest.Template{Names: names}.Expired()).TLS(), certs.ErrExpired, []string{`"CN=a.test"`, "was valid until", "renewed"}},
		{"not yet valid", ca.Issue(certstest.Template{Names: names}.NotYetValid()).TLS(), certs.ErrNotYetValid, []string{"is valid from", "clock"}},
		{"wrong name", ca.Issue(certstest.Template{Names: []string{"b.test"}, IPs: []string{"::1"}}).TLS(), certs.ErrWrongName, []string{"b.test, ::1", `"a.test"`}},
		{"many wrong names", ca.Issue(certstest.Template{Names: many}).TLS(), certs.ErrWrongName, []string{"n4.test and 4 more"}},
		{"no name", ca.Issue(certstest.Template{CommonName: "a.test"}).TLS(), certs.ErrNoNames, []string{"subjectAltName"}},
		{"unknown authority", stranger.Issue(certstest.Template{Names: names}).TLS(), certs.ErrUnknownAuthority, []string{`"CN=Somebody"`, "trust anchors"}},
		{"authority of the same name", impostor.Issue(certstest.Template{Names: names}).TLS(), certs.ErrUnknownAuthority, []string{"it did not sign", "impostor"}},
		{"vouches for itself", tls.Certificate{Certificate: [][]byte{stranger.DER()}, PrivateKey: stranger.Key}, certs.ErrUnknownAuthority, []string{"vouches for itself"}},
		{"client's certificate", ca.Issue(certstest.Template{Names: names, Client: true}).TLS(), certs.ErrUsage, []string{"extendedKeyUsage", "serverAuth"}},
		{"issuer is no authority", underLeaf(t, notCA), certs.ErrNotCA, []string{`"CN=no authority"`, "is not an authority"}},
		{"critical extension", ca.Issue(certstest.Template{Names: names, Modify: func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: []int{1, 2, 3, 4}, Critical: true, Value: []byte{5, 0}}}
		}}).TLS(), certs.ErrConstraint, []string{"critical extension"}},
		{"name constraint", ca.Intermediate(certstest.Template{Modify: func(c *x509.Certificate) {
			c.PermittedDNSDomains = []string{"only.test"}
		}}).Issue(certstest.Template{Names: names}).TLS(), certs.ErrConstraint, []string{"not acceptable"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := connect(&tls.Config{Certificates: []tls.Certificate{tt.cert}}, &tls.Config{ServerName: "a.test", RootCAs: ca.Pool()})
			explained := certs.Explain(err)
			var v *certs.VerifyError
			if !errors.As(explained, &v) {
				t.Fatalf("not explained: %v", err)
			}
			if !errors.Is(explained, tt.kind) {
				t.Errorf("kind %v, want %v", v.Kind, tt.kind)
			}
			for _, word := range tt.words {
				if !strings.Contains(explained.Error(), word) {
					t.Errorf("no %q in %q", word, explained)
				}
			}
			if v.Reason == "" || v.Fix == "" || !errors.Is(explained, err) {
				t.Errorf("incomplete: %#v", v)
			}
			if again := certs.Explain(fmt.Errorf("dialing: %w", explained)); !strings.HasPrefix(again.Error(), "dialing: ") {
				t.Errorf("explained twice: %v", again)
			}
		})
	}
}

// underLeaf returns a certificate issued by an end entity.
func underLeaf(t *testing.T, parent *certstest.Identity) tls.Certificate {
	t.Helper()
	key := certstest.NewCA(t, certstest.Template{}).Key
	template := &x509.Certificate{NotBefore: parent.Cert.NotBefore, NotAfter: parent.Cert.NotAfter, DNSNames: []string{"a.test"}}
	der := must[[]byte](t)(x509.CreateCertificate(rand.Reader, template, parent.Cert, key.Public(), parent.Key))
	return tls.Certificate{Certificate: [][]byte{der, parent.DER}, PrivateKey: key}
}

func TestExplainLeavesOthersAlone(t *testing.T) {
	for _, err := range []error{nil, io.EOF, errors.New("tls: handshake failure")} {
		if got := certs.Explain(err); got != err {
			t.Errorf("Explain(%v) = %v", err, got)
		}
	}
	// Errors that crypto/x509 makes without a certificate.
	if got := certs.Explain(x509.UnknownAuthorityError{}); !errors.Is(got, certs.ErrUnknownAuthority) {
		t.Errorf("Explain: %v", got)
	}
	if got := certs.Explain(x509.InsecureAlgorithmError(x509.SHA1WithRSA)); !errors.Is(got, certs.ErrWeakSignature) {
		t.Errorf("Explain: %v", got)
	}
}
