package firmware

import (
	"context"
	"crypto"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"

	"ingot.dev/certs"
	"ingot.dev/certs/certstest"
	"ingot.dev/internal/testenv"
	"ingot.dev/tlsio"
)

// TestServicesByStore: services judge their clients by a group of the store and by its
// lists, with a key that the store doesn't have.
func TestServicesByStore(t *testing.T) {
	testenv.NeedHost(t)
	ca := certstest.NewCA(t, certstest.Template{})
	fleet := certstest.NewCA(t, certstest.Template{CommonName: "Fleet"})
	server := ca.Issue(certstest.Template{Names: []string{"localhost"}})
	good, stolen := fleet.Issue(certstest.Template{Client: true}), fleet.Issue(certstest.Template{Client: true})
	stranger := ca.Issue(certstest.Template{Client: true})
	tree := certstest.Tree{"crls/fleet.crl": fleet.CRL(certstest.RevocationTemplate{Revoked: []*certstest.Identity{stolen}})}
	tree.AddAnchor("", ca)
	tree.AddAnchor("fleet", fleet)
	tree.AddIdentity("default", server)
	delete(tree, "identities/default/key.der")
	tree["identities/default/key.kept"] = []byte("slot 1")

	asked := ""
	config := Config{
		Certs: tree.FS(), Log: slog.New(slog.DiscardHandler), Getenv: func(string) string { return "" },
		Rules: certs.Rules(),
		Keeper: certs.KeptBy(func(k certs.KeptKey) (crypto.Signer, error) {
			asked = k.Identity + " in " + string(k.Reference)
			return server.Key, nil
		}),
	}
	s, err := Start(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if asked != "default in slot 1" {
		t.Errorf("the keeper was asked for %q", asked)
	}
	required := tlsio.TLSOptions{ClientAuth: tlsio.ClientAuthRequire, NoSessions: true}
	type verdict map[*certstest.Identity]bool
	for _, tt := range []struct {
		what    string
		prepare func(*certs.Store, *tlsio.TLSOptions) error
		want    verdict
	}{
		{"no group", JudgedBy(""), verdict{good: false, stolen: false, stranger: true}},
		{"a group and its lists", JudgedBy("fleet"), verdict{good: true, stolen: false, stranger: false}},
	} {
		t.Run(tt.what, func(t *testing.T) {
			service := &Service{Name: "hello", Listen: "127.0.0.1:0", TLS: required, Prepare: tt.prepare,
				Serve: func(_ context.Context, c net.Conn) { io.WriteString(c, "hello") }}
			l, err := s.Listen(t.Context(), service)
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- s.Serve(ctx, l, service) }()
			for id, want := range tt.want {
				text := ""
				c, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{RootCAs: ca.Pool(), ServerName: "localhost",
					GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
						pair := id.TLS()
						return &pair, nil
					}})
				if err == nil {
					var b []byte
					b, err = io.ReadAll(c)
					text = string(b)
					c.Close()
				}
				if (text == "hello") != want {
					t.Errorf("%s of %s is served: %v, %v", id.Cert.Subject, id.Cert.Issuer, text == "hello", err)
				}
			}
			stop()
			if err := <-done; err != nil {
				t.Error(err)
			}
			if len(service.TLS.With) > 0 || service.TLS.Roots != nil {
				t.Error("the service's own options have changed")
			}
		})
	}

	broken := errors.New("no such thing")
	for _, tt := range []struct {
		prepare func(*certs.Store, *tlsio.TLSOptions) error
		want    string
	}{
		{JudgedBy("flete"), `service hello: the certificate store has no anchors in the group "flete", it has those of ["" "fleet"]`},
		{func(*certs.Store, *tlsio.TLSOptions) error { return broken }, "service hello: no such thing"},
		{nil, "service hello: " + ErrListsUnread.Error()},
	} {
		_, err := s.Listen(t.Context(), &Service{Name: "hello", Listen: "127.0.0.1:0", TLS: required, Prepare: tt.prepare, Serve: Echo})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Listen: %v, want %s", err, tt.want)
		}
	}

	// A store that needs more than the configuration brings is refused.
	for what, c := range map[string]Config{"Rules": {Certs: config.Certs, Keeper: config.Keeper}, "Keeper": {Certs: config.Certs, Rules: config.Rules}} {
		c.Log = config.Log
		if _, err := Start(t.Context(), c); !errors.Is(err, certs.ErrNoCode) || !strings.Contains(fmt.Sprint(err), "set "+what+" in certs.Options, or in firmware.Config") {
			t.Errorf("without %s: %v", what, err)
		}
	}
}
