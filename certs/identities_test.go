package certs_test

import (
	"errors"
	"testing"

	"ingot.dev/certs"
	"ingot.dev/certs/certstest"
	"ingot.dev/tlsio"
)

// TestTLSIOIdentities: names of one server with rules of their own, on the certificates
// of one store, of which one key is elsewhere.
func TestTLSIOIdentities(t *testing.T) {
	ca := certstest.NewCA(t, certstest.Template{})
	fleet := certstest.NewCA(t, certstest.Template{CommonName: "Fleet"})
	open := ca.Issue(certstest.Template{Names: []string{"open.test"}})
	closed := ca.Issue(certstest.Template{Names: []string{"closed.test"}})
	member, stranger := fleet.Issue(certstest.Template{Client: true}), ca.Issue(certstest.Template{Client: true})
	tree := certstest.Tree{}
	tree.AddAnchor("", ca)
	tree.AddAnchor("fleet", fleet)
	tree.AddIdentity("open", open)
	kept(tree, "closed", closed, "slot 1")
	store, err := certs.Load(tree.FS(), certs.Options{Keeper: certs.KeptBy(vault{"slot 1": closed.Key}.signer)})
	if err != nil {
		t.Fatal(err)
	}
	server, err := tlsio.NewServerContext(tlsio.TLSOptions{With: []tlsio.Feature{tlsio.Identities{List: []tlsio.Identity{
		{Names: []string{"open.test"}, GetCertificate: store.GetCertificate},
		{Names: []string{"closed.test"}, GetCertificate: store.GetCertificate, ClientAuth: tlsio.ClientAuthRequire,
			With: []tlsio.Feature{tlsio.RootsFor(store.Trust("fleet"))}},
	}}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		host   string
		client *certstest.Identity
		ok     bool
	}{
		{"open.test", nil, true}, {"open.test", stranger, true},
		{"closed.test", member, true}, {"closed.test", stranger, false}, {"closed.test", nil, false},
		{"other.test", member, false},
	} {
		options := tlsio.TLSOptions{Host: tt.host, Roots: store.Roots("")}
		if tt.client != nil {
			options.ClientCertificate, options.ClientKey = [][]byte{tt.client.DER}, [][]byte{tt.client.KeyDER}
		}
		serverErr, clientErr := meet(t, server, options)
		if (errors.Join(serverErr, clientErr) == nil) != tt.ok {
			t.Errorf("%s, client %v: server %v, client %v", tt.host, tt.client != nil, serverErr, clientErr)
		}
	}
}
