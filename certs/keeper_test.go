package certs_test

import (
	"crypto"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"ingot.dev/certs"
	"ingot.dev/certs/certstest"
)

// vault is a keeper of keys by their references.
type vault map[string]crypto.Signer

var errNoSlot = errors.New("there is no such slot")

func (v vault) signer(k certs.KeptKey) (crypto.Signer, error) {
	signer, ok := v[string(k.Reference)]
	if !ok {
		return nil, errNoSlot
	}
	if k.Certificate == nil || k.Identity == "" {
		return nil, errors.New("the keeper isn't told whose key is wanted")
	}
	return signer, nil
}

// counted counts signatures, and is no type of package crypto.
type counted struct {
	crypto.Signer
	n *int
}

func (c counted) Sign(rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	*c.n++
	return c.Signer.Sign(rand, digest, opts)
}

// kept adds an identity whose key isn't in the store.
func kept(tree certstest.Tree, name string, id *certstest.Identity, reference string) {
	tree.AddIdentity(name, id)
	delete(tree, "identities/"+name+"/key.der")
	tree["identities/"+name+"/key.kept"] = []byte(reference)
}

// TestKeeper: handshakes are signed by whoever keeps the key, on both sides.
func TestKeeper(t *testing.T) {
	for _, algorithm := range []certstest.Algorithm{certstest.ECDSAP256, certstest.Ed25519} {
		t.Run(string(algorithm), func(t *testing.T) {
			ca := certstest.NewCA(t, certstest.Template{})
			server := ca.Issue(certstest.Template{Names: []string{"a.test"}, Algorithm: algorithm})
			client := ca.Issue(certstest.Template{Client: true})
			tree := certstest.Tree{}
			tree.AddAnchor("", ca)
			kept(tree, "default", server, "slot 1")
			kept(tree, "client", client, "slot 2")
			tree.AddIdentity("stored", ca.Issue(certstest.Template{Names: []string{"b.test"}}))
			var byServer, byClient int
			store, err := certs.Load(tree.FS(), certs.Options{Keeper: certs.KeptBy(vault{
				"slot 1": counted{server.Key, &byServer}, "slot 2": counted{client.Key, &byClient},
			}.signer)})
			if err != nil {
				t.Fatal(err)
			}
			id, _ := store.Identity("client")
			for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
				byServer, byClient = 0, 0
				_, serverErr, clientErr := connect(
					&tls.Config{GetCertificate: store.GetCertificate, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ca.Pool(), MaxVersion: version},
					&tls.Config{ServerName: "a.test", RootCAs: ca.Pool(), GetClientCertificate: id.GetClientCertificate})
				if serverErr != nil || clientErr != nil || byServer != 1 || byClient != 1 {
					t.Errorf("%s: server %v, client %v; %d and %d signatures by the keeper", tls.VersionName(version), serverErr, clientErr, byServer, byClient)
				}
			}
			stored, _ := store.Identity("stored")
			if !id.Kept() || stored.Kept() {
				t.Errorf("Kept: %v and, of a key in the store, %v", id.Kept(), stored.Kept())
			}
			for _, verb := range []string{"%v", "%+v", "%#v"} {
				if text := fmt.Sprintf(verb, id.TLS().PrivateKey); !strings.Contains(text, "redacted") {
					t.Errorf("%s prints %s", verb, text)
				}
			}
		})
	}
}

func TestKeeperRefused(t *testing.T) {
	ca := certstest.NewCA(t, certstest.Template{})
	id := ca.Issue(certstest.Template{Names: []string{"a.test"}})
	other := ca.Issue(certstest.Template{Names: []string{"b.test"}})
	const file = "identities/default/key.kept"
	for _, tt := range []struct {
		what   string
		keeper certs.KeyReader
		change func(certstest.Tree)
		kind   error
		words  string
	}{
		{"nobody to ask", certs.KeyReader{}, nil, certs.ErrNoCode, "set Keeper in certs.Options"},
		{"no such key", certs.KeptBy(vault{}.signer), nil, errNoSlot, "the keeper has given no key"},
		{"neither key nor error", certs.KeptBy(vault{"1": nil}.signer), nil, certs.ErrKeeper, "the keeper has given no key"},
		{"another key", certs.KeptBy(vault{"1": other.Key}.signer), nil, certs.ErrKeyMismatch, "the keeper's key does not belong to identities/default/cert.der"},
		{"in both places", certs.KeptBy(vault{"1": id.Key}.signer), func(tree certstest.Tree) {
			tree["identities/default/key.der"] = id.KeyDER
		}, certs.ErrDuplicate, "is also here, in key.der"},
		{"too long a reference", certs.KeptBy(vault{}.signer), func(tree certstest.Tree) {
			tree[file] = make([]byte, certs.MaxFileSize+1)
		}, certs.ErrTooLarge, ""},
	} {
		t.Run(tt.what, func(t *testing.T) {
			tree := certstest.Tree{}
			kept(tree, "default", id, "1")
			if tt.change != nil {
				tt.change(tree)
			}
			_, err := certs.Load(tree.FS(), certs.Options{Keeper: tt.keeper})
			problems := certs.Problems(err)
			if !errors.Is(err, tt.kind) || len(problems) != 1 || problems[0].File != file || problems[0].Fix == "" || !strings.Contains(err.Error(), tt.words) {
				t.Errorf("%v; want %v for %s, with %q", err, tt.kind, file, tt.words)
			}
		})
	}

	// Whose key it is that the keeper has given is said, as for keys in files.
	tree := certstest.Tree{}
	kept(tree, "default", id, "1")
	tree.AddIdentity("other", other)
	_, err := certs.Load(tree.FS(), certs.Options{Keeper: certs.KeptBy(vault{"1": other.Key}.signer)})
	if err == nil || !strings.Contains(err.Error(), "but to identities/other/cert.der") {
		t.Errorf("another identity's key: %v", err)
	}
}

// TestInspectWithoutKeeper: the tools, which have no keeper, judge all but the key.
func TestInspectWithoutKeeper(t *testing.T) {
	ca := certstest.NewCA(t, certstest.Template{})
	id := ca.Issue(certstest.Template{Names: []string{"a.test"}})
	tree := certstest.Tree{}
	kept(tree, "default", id, "")
	report := certs.Inspect(tree.FS(), certs.Options{})
	if report.Err() != nil || len(report.Identities) != 1 || !report.Identities[0].Kept() {
		t.Errorf("Inspect: %v, %v", report.Err(), report.Identities)
	}
	tree["identities/default/key.der"] = id.KeyDER
	if err := certs.Inspect(tree.FS(), certs.Options{}).Err(); !errors.Is(err, certs.ErrDuplicate) {
		t.Errorf("with the key in both places: %v", err)
	}
	delete(tree, "identities/default/key.der")
	wrong := certs.Options{Keeper: certs.KeptBy(vault{"": ca.Key}.signer)}
	if err := certs.Inspect(tree.FS(), wrong).Err(); !errors.Is(err, certs.ErrKeyMismatch) {
		t.Errorf("with a keeper, who has another key: %v", err)
	}
}
