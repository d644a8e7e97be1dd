package certs_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ingot.dev/certs"
	"ingot.dev/certs/certstest"
	"ingot.dev/internal/simnet"
)

func load(t testing.TB, tree certstest.Tree) *certs.Store {
	t.Helper()
	store, err := certs.Load(tree.FS(), certs.Options{})
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	return store
}

func TestSelect(t *testing.T) {
	ca := certstest.NewCA(t, certstest.Template{})
	tree := certstest.Tree{}
	for name, names := range map[string][]string{
		"default": {"localhost", "10.ingot.test"},
		"exact":   {"www.ingot.test", "MiXed.ingot.test"},
		"wild":    {"*.ingot.test"},
		"deeper":  {"*.b.ingot.test"},
	} {
		tree.AddIdentity(name, ca.Issue(certstest.Template{Names: names, IPs: []string{"192.0.2.1"}}))
	}
	tree.AddIdentity("client", ca.Issue(certstest.Template{Names: []string{"client.test"}, Client: true}))
	store := load(t, tree)

	tests := []struct{ serverName, want string }{
		{"localhost", "default"},
		{"LOCALHOST", "default"},
		{"localhost.", "default"},
		{"www.ingot.test", "exact"},
		{"WWW.Ingot.TEST.", "exact"},
		{"mixed.ingot.test", "exact"},
		{"a.ingot.test", "wild"},
		{"A.INGOT.TEST", "wild"},
		{"a.ingot.test.", "wild"},
		{"ingot.test", "default"},       // a wildcard is not for the domain itself
		{".ingot.test", "default"},      // nor for an empty label
		{"a.b.c.ingot.test", "default"}, // nor for two labels
		{"b.ingot.test", "wild"},
		{"a.b.ingot.test", "deeper"},
		{"*.ingot.test", "wild"},
		{"client.test", "default"}, // its certificate is not for servers
		{"", "default"},
		{".", "default"},
		{"..", "default"},
		{"unknown.test", "default"},
		{"192.0.2.1", "default"}, // addresses are not server names
		{"::1", "default"},
		{"local\x00host", "default"},
		{strings.Repeat("a", 70000), "default"},
	}
	for _, tt := range tests {
		id, ok := store.Select(tt.serverName)
		if !ok || id.Name() != tt.want {
			t.Errorf("Select(%.40q) = %v, want %s", tt.serverName, id, tt.want)
			continue
		}
		cert, err := store.GetCertificate(&tls.ClientHelloInfo{ServerName: tt.serverName})
		if err != nil || cert.Leaf != id.Leaf() {
			t.Errorf("GetCertificate(%.40q) = %v, %v; want that of %s", tt.serverName, cert, err, tt.want)
		}
	}
}

func TestDefaultIdentity(t *testing.T) {
	ca := certstest.NewCA(t, certstest.Template{})
	server := func(name string) *certstest.Identity {
		return ca.Issue(certstest.Template{Names: []string{name}})
	}
	client := ca.Issue(certstest.Template{Client: true})
	tests := []struct {
		name       string
		identities map[string]*certstest.Identity
		want       string // "" if there is none
	}{
		{"the only one", map[string]*certstest.Identity{"one": server("a.test")}, "one"},
		{"the only one for servers", map[string]*certstest.Identity{"one": server("a.test"), "client": client}, "one"},
		{"called default", map[string]*certstest.Identity{"a": server("a.test"), "default": server("b.test")}, "default"},
		{"two and none called default", map[string]*certstest.Identity{"a": server("a.test"), "b": server("b.test")}, ""},
		{"default is for clients", map[string]*certstest.Identity{"a": server("a.test"), "b": server("b.test"), "default": client}, ""},
		{"clients only", map[string]*certstest.Identity{"default": client}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tree := certstest.Tree{}
			for name, id := range tt.identities {
				tree.AddIdentity(name, id)
			}
			store := load(t, tree)
			id, ok := store.Default()
			got := ""
			if ok {
				got = id.Name()
			}
			if got != tt.want {
				t.Errorf("Default() = %q, want %q", got, tt.want)
			}
			cert, err := store.GetCertificate(&tls.ClientHelloInfo{ServerName: "unknown.test"})
			if err != nil || (cert != nil) != (tt.want != "") {
				t.Errorf("GetCertificate for an unknown name = %v, %v", cert, err)
			}
		})
	}
}

// connect runs a handshake and returns both sides' errors.
func connect(server, client *tls.Config) (state tls.ConnectionState, serverErr, clientErr error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	// Not net.Pipe, which has no buffer: a side that refuses would wait to
	// send its alert while the other waits to send the rest of its flight.
	b, a := simnet.Pair(simnet.StreamOptions{})
	defer a.Close()
	defer b.Close()
	done := make(chan error, 1)
	go func() {
		conn := tls.Server(a, server)
		err := conn.HandshakeContext(ctx)
		if err == nil {
			_, err = conn.Write([]byte("x"))
		}
		done <- err
	}()
	conn := tls.Client(b, client)
	clientErr = conn.HandshakeContext(ctx)
	if clientErr == nil {
		// With TLS 1.3 a server's verdict on the client comes after the
		// client's handshake.
		_, clientErr = conn.Read(make([]byte, 1))
	}
	state = conn.ConnectionState()
	b.Close()
	return state, <-done, clientErr
}

func TestHandshakes(t *testing.T) {
	ca := certstest.NewCA(t, certstest.Template{})
	clients := certstest.NewCA(t, certstest.Template{CommonName: "Clients"})
	below := clients.Intermediate(certstest.Template{})
	tree := certstest.Tree{}
	tree.AddAnchor("", ca)
	tree.AddAnchor("clients", clients)
	tree.AddIdentity("default", ca.Intermediate(certstest.Template{}).Issue(certstest.Template{Names: []string{"localhost"}}))
	tree.AddIdentity("rsa", ca.Issue(certstest.Template{Names: []string{"rsa.test"}, Algorithm: certstest.RSA2048}))
	tree.AddIdentity("ed", ca.Issue(certstest.Template{Names: []string{"ed.test"}, Algorithm: certstest.Ed25519}))
	tree.AddIdentity("client", below.Issue(certstest.Template{Client: true}))
	store := load(t, tree)
	client, _ := store.Identity("client")

	server := &tls.Config{
		GetCertificate: store.GetCertificate,
		ClientAuth:     tls.RequireAndVerifyClientCert,
		ClientCAs:      store.Roots("clients"),
	}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, name := range []string{"localhost", "rsa.test", "ed.test"} {
			state, serverErr, clientErr := connect(server, &tls.Config{
				ServerName: name, RootCAs: store.Roots(""), MinVersion: version, MaxVersion: version,
				GetClientCertificate: client.GetClientCertificate,
			})
			if serverErr != nil || clientErr != nil {
				t.Errorf("%s, %s: server %v, client %v", tls.VersionName(version), name, serverErr, clientErr)
			} else if err := state.PeerCertificates[0].VerifyHostname(name); err != nil {
				t.Errorf("%s, %s: %v", tls.VersionName(version), name, err)
			}
		}

		// RSA key exchange decrypts with the identity's key.
		if version == tls.VersionTLS12 {
			suites := []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256}
			old := server.Clone()
			old.CipherSuites = suites
			_, serverErr, clientErr := connect(old, &tls.Config{
				ServerName: "rsa.test", RootCAs: store.Roots(""), MaxVersion: version, CipherSuites: suites,
				Certificates: []tls.Certificate{client.TLS()},
			})
			if serverErr != nil || clientErr != nil {
				t.Errorf("RSA key exchange: server %v, client %v", serverErr, clientErr)
			}
		}

		// A group that does not exist trusts nobody, not everybody.
		_, _, clientErr := connect(server, &tls.Config{ServerName: "localhost", RootCAs: store.Roots("nonesuch"), MaxVersion: version})
		if !errors.As(clientErr, new(x509.UnknownAuthorityError)) {
			t.Errorf("empty group: %v", clientErr)
		}
	}

	// A client whose authority the server does not name presents nothing.
	other := server.Clone()
	other.ClientCAs = store.Roots("")
	_, serverErr, _ := connect(other, &tls.Config{ServerName: "localhost", RootCAs: store.Roots(""), GetClientCertificate: client.GetClientCertificate})
	if serverErr == nil || !strings.Contains(serverErr.Error(), "didn't provide a certificate") {
		t.Errorf("server that wants another authority's client: %v", serverErr)
	}
}

func TestUnknownNameWithoutDefault(t *testing.T) {
	ca := certstest.NewCA(t, certstest.Template{})
	tree := certstest.Tree{}
	tree.AddIdentity("a", ca.Issue(certstest.Template{Names: []string{"a.test"}}))
	tree.AddIdentity("b", ca.Issue(certstest.Template{Names: []string{"b.test"}}))
	store := load(t, tree)
	_, _, err := connect(&tls.Config{GetCertificate: store.GetCertificate}, &tls.Config{ServerName: "c.test", RootCAs: ca.Pool()})
	if err == nil || !strings.Contains(err.Error(), "unrecognized name") {
		t.Errorf("client: %v, want the alert unrecognized_name", err)
	}
}

func TestStoreContents(t *testing.T) {
	ca, other := certstest.NewCA(t, certstest.Template{}), certstest.NewCA(t, certstest.Template{})
	tree := certstest.Tree{"README.md": []byte("notes"), ".gitignore": []byte("*"), "anchors/_old.pem": []byte("x")}
	tree.AddAnchor("", ca)
	tree.AddAnchor("b", other)
	tree.AddAnchor("a", ca)
	tree.AddAnchor("a", other)
	tree.AddIdentity("z", ca.Issue(certstest.Template{Both: true, Names: []string{"z.test"}, IPs: []string{"::1"}}))
	tree.AddIdentity("y", ca.Issue(certstest.Template{Client: true}))
	store := load(t, tree)

	if got, want := store.Groups(), []string{"", "a", "b"}; !slices.Equal(got, want) {
		t.Errorf("Groups() = %q, want %q", got, want)
	}
	both := ca.Pool()
	both.AddCert(other.Cert)
	for group, want := range map[string]*x509.CertPool{"": ca.Pool(), "a": both, "b": other.Pool(), "c": x509.NewCertPool()} {
		if got := store.Roots(group); got == nil || !got.Equal(want) {
			t.Errorf("Roots(%q) holds the wrong anchors", group)
		}
	}
	store.Roots("b").AddCert(ca.Cert)
	if !store.Roots("b").Equal(other.Pool()) {
		t.Error("a caller's change to a pool reached the store")
	}
	if n := len(store.Anchors()); n != 4 {
		t.Errorf("%d anchors, want 4", n)
	}

	var names []string
	for _, id := range store.Identities() {
		names = append(names, id.Name())
	}
	if want := []string{"y", "z"}; !slices.Equal(names, want) {
		t.Errorf("identities %q, want %q", names, want)
	}
	z, _ := store.Identity("z")
	if got, want := z.Names(), []string{"z.test", "::1"}; !slices.Equal(got, want) {
		t.Errorf("Names() = %q, want %q", got, want)
	}
	if !z.ForServers() || !z.ForClients() || z.KeyType() != "ECDSA P-256" {
		t.Errorf("z: servers %v, clients %v, key %s", z.ForServers(), z.ForClients(), z.KeyType())
	}
	if _, ok := store.Identity("x"); ok {
		t.Error("Identity finds what is not there")
	}
	pair := z.TLS()
	pair.Certificate[0] = nil
	if z.TLS().Certificate[0] == nil {
		t.Error("a caller's change to a tls.Certificate reached the store")
	}
	if w := store.Warnings(); len(w) != 0 {
		t.Errorf("warnings: %v", w)
	}
}

// Intermediates are numbered, and 10 comes after 9.
func TestLongChainOrder(t *testing.T) {
	root := certstest.NewCA(t, certstest.Template{})
	ca := root
	for range certs.MaxChain {
		ca = ca.Intermediate(certstest.Template{})
	}
	id := ca.Issue(certstest.Template{Names: []string{"a.test"}})
	tree := certstest.Tree{}
	tree.AddIdentity("default", id)
	// Start at 4, so that the last ones have two digits.
	for i := range certs.MaxChain {
		delete(tree, "identities/default/chain"+string(rune('1'+i))+".der")
	}
	for i, der := range id.Chain {
		name := "chain" + string(rune('4'+i)) + ".der"
		if i >= 6 {
			name = "chain1" + string(rune('0'+i-6)) + ".der"
		}
		tree["identities/default/"+name] = der
	}
	got, _ := load(t, tree).Identity("default")
	if pair := got.TLS(); len(pair.Certificate) != 1+certs.MaxChain {
		t.Errorf("%d certificates, want %d", len(pair.Certificate), 1+certs.MaxChain)
	}
	if chain := got.Chain(); chain[0].CheckSignatureFrom(chain[1]) != nil {
		t.Error("Chain() is out of order")
	}
}

func TestValidityIsJudgedOnNow(t *testing.T) {
	start := time.Date(2031, 5, 1, 0, 0, 0, 0, time.UTC)
	end := start.AddDate(0, 6, 0)
	ca := certstest.NewCA(t, certstest.Template{NotBefore: start.AddDate(-1, 0, 0), NotAfter: end.AddDate(0, -1, 0)})
	tree := certstest.Tree{}
	tree.AddAnchor("", ca)
	tree.AddIdentity("default", ca.Issue(certstest.Template{Names: []string{"a.test"}, NotBefore: start, NotAfter: end}))
	tests := []struct {
		name     string
		now      time.Time
		want     error // nil if accepted
		warnings []error
	}{
		{"a second before", start.Add(-time.Second), certs.ErrNotYetValid, nil},
		{"the first second", start, nil, nil},
		{"in the middle", start.AddDate(0, 1, 0), nil, nil},
		{"anchor expires soon", end.AddDate(0, -1, -3), nil, []error{certs.ErrExpiresSoon}},
		{"anchor expired, identity soon", end.AddDate(0, 0, -20), nil, []error{certs.ErrExpired, certs.ErrExpiresSoon}},
		{"the last second", end, nil, []error{certs.ErrExpired, certs.ErrExpiresSoon}},
		{"a second after", end.Add(time.Second), certs.ErrExpired, nil},
		{"a clock that was never set", time.Unix(0, 0), certs.ErrNotYetValid, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			store, err := certs.Load(tree.FS(), certs.Options{Now: func() time.Time { return tt.now }})
			if !errors.Is(err, tt.want) {
				t.Fatalf("Load: %v, want %v", err, tt.want)
			}
			if tt.want != nil {
				return
			}
			warnings := store.Warnings()
			if len(warnings) != len(tt.warnings) {
				t.Fatalf("warnings %v, want kinds %v", warnings, tt.warnings)
			}
			for i, w := range warnings {
				if !errors.Is(w, tt.warnings[i]) {
					t.Errorf("warning %v, want kind %v", w, tt.warnings[i])
				}
			}
		})
	}
}

func TestConcurrentUse(t *testing.T) {
	ca := certstest.NewCA(t, certstest.Template{})
	tree := certstest.Tree{}
	tree.AddAnchor("", ca)
	tree.AddIdentity("default", ca.Issue(certstest.Template{Names: []string{"localhost"}, Both: true}))
	tree.AddIdentity("wild", ca.Issue(certstest.Template{Names: []string{"*.ingot.test"}, Algorithm: certstest.RSA2048}))
	store := load(t, tree)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			name := []string{"localhost", "a.ingot.test"}[i%2]
			for range 4 {
				id, _ := store.Identity("default")
				_, serverErr, clientErr := connect(&tls.Config{
					GetCertificate: store.GetCertificate, ClientCAs: store.Roots(""), ClientAuth: tls.RequireAndVerifyClientCert,
				}, &tls.Config{
					ServerName: name, RootCAs: store.Roots(""), GetClientCertificate: id.GetClientCertificate,
				})
				if serverErr != nil || clientErr != nil {
					t.Errorf("%s: server %v, client %v", name, serverErr, clientErr)
				}
			}
		})
	}
	wg.Wait()
}

// A name with an ECDSA and an RSA certificate: each client is shown the one that it
// can verify, with and without SNI, and ECDSA if it can verify both.
func TestSelectByKind(t *testing.T) {
	ca := certstest.NewCA(t, certstest.Template{})
	tree := certstest.Tree{}
	tree.AddIdentity("default", ca.Issue(certstest.Template{Names: []string{"localhost", "*.sub.test"}, Algorithm: certstest.RSA2048}))
	tree.AddIdentity("modern", ca.Issue(certstest.Template{Names: []string{"*.Sub.test", "localhost"}}))
	tree.AddIdentity("edwards", ca.Issue(certstest.Template{Names: []string{"localhost", "*.sub.test"}, Algorithm: certstest.Ed25519}))
	tree.AddIdentity("other", ca.Issue(certstest.Template{Names: []string{"other.test"}, Algorithm: certstest.RSA2048}))
	store := load(t, tree)

	for _, name := range []string{"localhost", "a.sub.test", "", "unknown.test"} {
		var got []string
		for _, id := range store.Candidates(name) {
			got = append(got, id.Name())
		}
		if want := []string{"modern", "edwards", "default"}; !slices.Equal(got, want) {
			t.Errorf("Candidates(%q) = %q, want %q", name, got, want)
		}
	}
	if ids := store.Candidates("other.test"); len(ids) != 1 || ids[0].Name() != "other" {
		t.Errorf("Candidates(other.test) = %v", ids)
	}
	server := &tls.Config{GetCertificate: store.GetCertificate}
	for _, tt := range []struct {
		name   string
		client *tls.Config
		want   x509.PublicKeyAlgorithm
	}{
		{"any, TLS 1.3", &tls.Config{}, x509.ECDSA},
		{"any, TLS 1.2", &tls.Config{MaxVersion: tls.VersionTLS12}, x509.ECDSA},
		{"RSA only", &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}}, x509.RSA},
		{"ECDSA only", &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}}, x509.ECDSA},
	} {
		for _, sni := range []string{"localhost", "10.0.0.1"} { // an address is not sent
			client := tt.client.Clone()
			client.ServerName, client.InsecureSkipVerify = sni, true
			state, serverErr, clientErr := connect(server, client)
			if serverErr != nil || clientErr != nil {
				t.Errorf("%s, %s: %v, %v", tt.name, sni, serverErr, clientErr)
				continue
			}
			if got := state.PeerCertificates[0].PublicKeyAlgorithm; got != tt.want {
				t.Errorf("%s, %s: was shown a certificate with a key for %v, want %v", tt.name, sni, got, tt.want)
			}
		}
	}
}

// Without one called "default", identities that differ in their keys alone are the
// default together; any other makes that nobody's.
func TestDefaultByKind(t *testing.T) {
	ca := certstest.NewCA(t, certstest.Template{})
	tree := certstest.Tree{}
	tree.AddIdentity("a", ca.Issue(certstest.Template{Names: []string{"x.test"}, Algorithm: certstest.RSA2048}))
	tree.AddIdentity("b", ca.Issue(certstest.Template{Names: []string{"x.test"}}))
	if id, ok := load(t, tree).Default(); !ok || id.Name() != "b" {
		t.Errorf("Default() = %v, %v; want b", id, ok)
	}
	tree.AddIdentity("c", ca.Issue(certstest.Template{Names: []string{"y.test"}, Algorithm: certstest.Ed25519}))
	if id, ok := load(t, tree).Default(); ok {
		t.Errorf("Default() = %v; want none", id)
	}
}
