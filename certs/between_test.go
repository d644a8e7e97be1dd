package certs_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"ingot.dev/certs"
	"ingot.dev/certs/certstest"
)

// leafOnly adds an identity without its intermediates.
func leafOnly(tree certstest.Tree, name string, id *certstest.Identity) {
	bare := *id
	bare.Chain = nil
	tree.AddIdentity(name, &bare)
}

// TestIntermediates: an identity that has only its own certificate is served with the
// intermediates that are elsewhere in the store, to a client that has just the root.
func TestIntermediates(t *testing.T) {
	root := certstest.NewCA(t, certstest.Template{CommonName: "Root"})
	a := root.Intermediate(certstest.Template{CommonName: "A"})
	b := a.Intermediate(certstest.Template{CommonName: "B"})
	c := b.Intermediate(certstest.Template{CommonName: "C"})
	impostor := root.Intermediate(certstest.Template{CommonName: "B"}) // B's name, another key
	leaf := certstest.Template{Names: []string{"a.test"}}
	for _, tt := range []struct {
		what string
		tree func() certstest.Tree
		want []*certstest.CA
	}{
		{"from the folder, in any order", func() certstest.Tree {
			tree := certstest.Tree{"intermediates/1.der": a.DER(), "intermediates/2.der": c.DER(), "intermediates/3.der": b.DER()}
			leafOnly(tree, "default", c.Issue(leaf))
			return tree
		}, []*certstest.CA{c, b, a}},
		{"the rest of a chain", func() certstest.Tree {
			id := c.Issue(leaf)
			id.Chain = id.Chain[:1]
			tree := certstest.Tree{"intermediates/1.der": a.DER(), "intermediates/2.der": b.DER()}
			tree.AddIdentity("default", id)
			return tree
		}, []*certstest.CA{c, b, a}},
		{"from another identity", func() certstest.Tree {
			tree := certstest.Tree{}
			leafOnly(tree, "default", b.Issue(leaf))
			tree.AddIdentity("other", b.Issue(certstest.Template{Names: []string{"b.test"}}))
			return tree
		}, []*certstest.CA{b, a}},
		{"beside one of the same name", func() certstest.Tree {
			tree := certstest.Tree{"intermediates/1.der": impostor.DER(), "intermediates/2.der": b.DER(), "intermediates/3.der": a.DER()}
			leafOnly(tree, "default", b.Issue(leaf))
			return tree
		}, []*certstest.CA{b, a}},
		{"beside the root, which isn't sent", func() certstest.Tree {
			tree := certstest.Tree{"intermediates/1.der": root.DER(), "intermediates/2.der": a.DER()}
			leafOnly(tree, "default", a.Issue(leaf))
			return tree
		}, []*certstest.CA{a}},
		{"complete", func() certstest.Tree {
			tree := certstest.Tree{"intermediates/1.der": a.DER()}
			tree.AddIdentity("default", a.Issue(leaf))
			return tree
		}, []*certstest.CA{a}},
		{"not needed", func() certstest.Tree {
			tree := certstest.Tree{"intermediates/1.der": a.DER()}
			tree.AddIdentity("default", root.Issue(leaf))
			return tree
		}, nil},
	} {
		t.Run(tt.what, func(t *testing.T) {
			store := load(t, tt.tree())
			state, serverErr, clientErr := connect(
				&tls.Config{GetCertificate: store.GetCertificate},
				&tls.Config{ServerName: "a.test", RootCAs: root.Pool()})
			if serverErr != nil || clientErr != nil {
				t.Fatalf("server %v, client %v", serverErr, clientErr)
			}
			id, _ := store.Identity("default")
			var sent, chain, want []string
			for _, cert := range state.PeerCertificates[1:] {
				sent = append(sent, cert.Subject.CommonName)
			}
			for _, cert := range id.Chain() {
				chain = append(chain, cert.Subject.CommonName)
			}
			for _, ca := range tt.want {
				want = append(want, ca.Cert.Subject.CommonName)
			}
			if !slices.Equal(sent, want) || !slices.Equal(chain, want) {
				t.Errorf("sent %q, Chain %q, want %q", sent, chain, want)
			}
		})
	}
	// Without them, that client has nothing to go on.
	tree := certstest.Tree{}
	leafOnly(tree, "default", b.Issue(leaf))
	_, _, err := connect(&tls.Config{GetCertificate: load(t, tree).GetCertificate}, &tls.Config{ServerName: "a.test", RootCAs: root.Pool()})
	if err == nil {
		t.Error("a chain without intermediates verifies")
	}
}

// TestIntermediatesEnd: authorities that vouch for each other don't make chains without
// end.
func TestIntermediatesEnd(t *testing.T) {
	// X and Y have each certified the other.
	x := certstest.NewCA(t, certstest.Template{CommonName: "X"})
	y := certstest.NewCA(t, certstest.Template{CommonName: "Y"})
	tree := certstest.Tree{
		"intermediates/x.der": y.Intermediate(certstest.Template{CommonName: "X", Key: x.Key}).DER(),
		"intermediates/y.der": x.Intermediate(certstest.Template{CommonName: "Y", Key: y.Key}).DER(),
	}
	leafOnly(tree, "default", x.Issue(certstest.Template{Names: []string{"a.test"}}))
	id, _ := load(t, tree).Default()
	if n := len(id.Chain()); n > certs.MaxChain {
		t.Errorf("a chain of %d", n)
	}
	for _, root := range []*certstest.CA{x, y} {
		_, serverErr, clientErr := connect(&tls.Config{Certificates: []tls.Certificate{id.TLS()}}, &tls.Config{ServerName: "a.test", RootCAs: root.Pool()})
		if serverErr != nil || clientErr != nil {
			t.Errorf("to who trusts %s: server %v, client %v", root.Cert.Subject, serverErr, clientErr)
		}
	}
}

// TestIntermediatesRefused: what is wrong in the folder makes Load fail.
func TestIntermediatesRefused(t *testing.T) {
	tree, ca := sound(t)
	leaf := ca.Issue(certstest.Template{Names: []string{"b.test"}})
	for _, tt := range []struct {
		file string
		data []byte
		kind error
	}{
		{"intermediates/a.der", leaf.DER, certs.ErrNotCA},
		{"intermediates/a.der", ca.Intermediate(certstest.Template{}.Expired()).DER(), certs.ErrExpired},
		{"intermediates/a.der", toPEM("CERTIFICATE", ca.DER()), certs.ErrPEM},
		{"intermediates/a.der", nil, certs.ErrEmptyFile},
		{"intermediates/a.crt", ca.DER(), certs.ErrUnexpectedFile},
		{"intermediates/a.bundle", makeBundle(t, ca.Cert), certs.ErrUnexpectedFile},
		{"intermediates/deep/a.der", ca.DER(), certs.ErrUnexpectedFile},
	} {
		damaged := tree.FS()
		damaged[tt.file] = certstest.Tree{"x": tt.data}.FS()["x"]
		_, err := certs.Load(damaged, certs.Options{Bundles: certs.Bundles()})
		problems := certs.Problems(err)
		if !errors.Is(err, tt.kind) || len(problems) != 1 || !strings.HasPrefix(problems[0].File, "intermediates/") || problems[0].Fix == "" {
			t.Errorf("%s: %v, want %v", tt.file, err, tt.kind)
		}
	}
	many := certstest.Tree{}
	for i := range certs.MaxAnchors + 1 {
		many[fmt.Sprintf("intermediates/%d.der", i)] = ca.DER()
	}
	leafOnly(many, "default", leaf)
	if _, err := certs.Load(many.FS(), certs.Options{}); !errors.Is(err, certs.ErrTooMany) {
		t.Errorf("too many: %v", err)
	}
	below := ca.Intermediate(certstest.Template{})
	tree["intermediates/a.der"] = below.DER()
	store := load(t, tree)
	if got := store.Intermediates(); len(got) != 1 || got[0].File != "intermediates/a.der" || !bytes.Equal(got[0].Cert.Raw, below.DER()) || got[0].KeyType() != "ECDSA P-256" {
		t.Errorf("Intermediates = %v", got)
	}
	if !store.Roots("").Equal(ca.Pool()) {
		t.Error("an intermediate is trusted")
	}
}
