package main

import (
	"crypto/tls"
	"errors"
	"io"
	"strings"
	"testing"

	"ingot.dev/certs"
	"ingot.dev/certs/certstest"
	"ingot.dev/tlsio"
)

// serve answers each connection with one line and returns where.
func serve(t *testing.T, id *certstest.Identity) string {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{id.TLS()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				io.WriteString(conn, "olleh\n")
				io.Copy(io.Discard, conn) // until the client has what it wants
			}()
		}
	}()
	return l.Addr().String()
}

func TestPins(t *testing.T) {
	ca := certstest.NewCA(t, certstest.Template{})
	local := certstest.Template{IPs: []string{"127.0.0.1"}}
	server, spare, other := ca.Issue(local), ca.Issue(local), ca.Issue(local)
	// Its key is pinned, but nobody vouches for it.
	impostor := certstest.NewCA(t, certstest.Template{}).Issue(certstest.Template{IPs: local.IPs, Key: server.Key})

	store := certstest.Tree{}
	store.AddAnchor("", ca)
	given := "sha256/" + tlsio.PinOf(other.Cert)
	primary, backup := certs.PinOf(server.Cert), certs.PinOf(spare.Cert)
	store["pins/server.pins"] = certs.PinSet{Name: "server", Primary: []certs.Pin{primary}, Backup: []certs.Pin{backup}}.Text()

	for name, id := range map[string]*certstest.Identity{"the key in use": server, "the backup": spare} {
		var out strings.Builder
		if err := run(t.Context(), store.FS(), serve(t, id), &out); err != nil || out.String() != "the server says: olleh\n" {
			t.Errorf("%s: %q, %v", name, &out, err)
		}
	}

	err := run(t.Context(), store.FS(), serve(t, other), io.Discard)
	refused, ok := errors.AsType[*RefusedError](err)
	if !ok || refused.Given != given || len(refused.Pinned) != 2 {
		t.Fatalf("another key: %v", err)
	}
	for _, want := range []string{"given   " + given, "primary " + primary.String(), "backup  " + backup.String()} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %v", want, err)
		}
	}
	if _, ok := errors.AsType[*tlsio.PinError](err); !ok {
		t.Errorf("%v does not wrap a PinError", err)
	}

	err = run(t.Context(), store.FS(), serve(t, impostor), io.Discard)
	if _, ok := errors.AsType[*RefusedError](err); err == nil || ok {
		t.Errorf("a pinned key in a certificate that nobody vouches for: %v", err)
	}

	delete(store, "pins/server.pins")
	if err := run(t.Context(), store.FS(), serve(t, server), io.Discard); err == nil || !strings.Contains(err.Error(), "ingot certs pin") {
		t.Errorf("without pins: %v", err)
	}
}
