package cli

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ingot.dev/certs"
	"ingot.dev/certs/certstest"
)

// initCerts runs "certs init" and returns the folder it made.
func initCerts(t *testing.T, flags ...string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "certs")
	code, stdout, stderr := run(t, append([]string{"certs", "init", dir}, flags...)...)
	if code != ExitOK {
		t.Fatalf("exit status %d: %s", code, stderr)
	}
	for _, want := range []string{"Next:", filepath.Join(dir, "image"), "-CAfile " + filepath.Join(dir, "host", "ca.pem")} {
		if !strings.Contains(stdout, want) {
			t.Errorf("the output does not mention %q:\n%s", want, stdout)
		}
	}
	return dir
}

func readFile(t *testing.T, parts ...string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(parts...))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestCertsInitVerifies(t *testing.T) {
	for _, algorithm := range []string{"ecdsa-p256", "ecdsa-p384", "ed25519", "rsa2048"} {
		t.Run(algorithm, func(t *testing.T) {
			dir := initCerts(t, "--algorithm", algorithm)
			store, err := certs.Load(os.DirFS(filepath.Join(dir, "image")), certs.Options{})
			if err != nil {
				t.Fatal(err)
			}
			roots := x509.NewCertPool()
			if !roots.AppendCertsFromPEM(readFile(t, dir, "host", "ca.pem")) {
				t.Fatal("host/ca.pem holds no certificate")
			}
			if !roots.Equal(store.Roots("")) {
				t.Error("the image trusts another authority than host/ca.pem")
			}

			id, ok := store.Default()
			if !ok || id.Name() != "default" {
				t.Fatalf("the default identity is %v", id)
			}
			for _, name := range []string{"localhost", "ingot.local", "127.0.0.1", "::1", "10.0.2.15"} {
				if _, err := id.Leaf().Verify(x509.VerifyOptions{Roots: roots, DNSName: name}); err != nil {
					t.Errorf("default identity for %s: %v", name, err)
				}
			}
			for _, name := range []string{"alt.ingot.test", "sub.alt.ingot.test"} {
				id, _ := store.Select(name)
				if id == nil || id.Name() != "alt" {
					t.Errorf("%s selects %v", name, id)
				} else if _, err := id.Leaf().Verify(x509.VerifyOptions{Roots: roots, DNSName: name}); err != nil {
					t.Errorf("alt identity for %s: %v", name, err)
				}
			}
			client, ok := store.Identity("client")
			if !ok || client.ForServers() || !client.ForClients() {
				t.Fatalf("the client identity is %v", client)
			}

			handshake(t, &tls.Config{
				GetCertificate: store.GetCertificate,
				ClientAuth:     tls.RequireAndVerifyClientCert,
				ClientCAs:      store.Roots(""),
			}, &tls.Config{
				RootCAs:      roots,
				ServerName:   "localhost",
				Certificates: []tls.Certificate{loadPair(t, dir, "client")},
			})
			handshake(t, &tls.Config{
				Certificates: []tls.Certificate{loadPair(t, dir, "server")},
				ClientAuth:   tls.RequireAndVerifyClientCert,
				ClientCAs:    roots,
			}, &tls.Config{
				RootCAs:              store.Roots(""),
				ServerName:           "10.0.2.2",
				GetClientCertificate: client.GetClientCertificate,
			})

			for _, name := range []string{"client", "server"} {
				block, rest := pem.Decode(readFile(t, dir, "host", name+".pem"))
				if len(rest) != 0 || !bytes.Equal(block.Bytes, readFile(t, dir, "host", name+".der")) {
					t.Errorf("%s: PEM and DER differ", name)
				}
				block, _ = pem.Decode(readFile(t, dir, "host", name+"-key.pem"))
				if block.Type != "PRIVATE KEY" || !bytes.Equal(block.Bytes, readFile(t, dir, "host", name+"-key.der")) {
					t.Errorf("%s key: PEM and DER differ", name)
				}
			}
		})
	}
}

func loadPair(t *testing.T, dir, name string) tls.Certificate {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "host", name+".pem"), filepath.Join(dir, "host", name+"-key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// handshake connects a server and a client in memory.
func handshake(t *testing.T, server, client *tls.Config) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	done := make(chan error, 1)
	go func() { done <- tls.Server(a, server).HandshakeContext(ctx) }()
	conn := tls.Client(b, client)
	if err := conn.HandshakeContext(ctx); err != nil {
		t.Errorf("client: %v", err)
		b.Close()
	} else {
		go conn.Read(make([]byte, 1)) // takes the session tickets
	}
	if err := <-done; err != nil {
		t.Errorf("server: %v", err)
	}
}

func TestCertsInitOpenSSL(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("openssl is not installed")
	}
	dir := initCerts(t)
	ca := filepath.Join(dir, "host", "ca.pem")
	for _, args := range [][]string{
		{"verify", "-x509_strict", "-CAfile", ca, "-purpose", "sslclient", filepath.Join(dir, "host", "client.pem")},
		{"verify", "-x509_strict", "-CAfile", ca, "-purpose", "sslserver", "-verify_hostname", "localhost", filepath.Join(dir, "host", "server.pem")},
		{"verify", "-x509_strict", "-CAfile", ca, "-purpose", "sslserver", "-verify_ip", "10.0.2.15", filepath.Join(dir, "image", "identities", "default", "cert.der")},
		{"pkey", "-inform", "DER", "-in", filepath.Join(dir, "ca", "ca-key.der"), "-noout", "-check"},
	} {
		if out, err := exec.Command(openssl, args...).CombinedOutput(); err != nil {
			t.Errorf("openssl %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

func TestCertsInitFlags(t *testing.T) {
	dir := initCerts(t, "--name", "a.test", "--name", "*.b.test", "--ip", "192.0.2.7", "--days", "30")
	store, err := certs.Load(os.DirFS(filepath.Join(dir, "image")), certs.Options{})
	if err != nil {
		t.Fatal(err)
	}
	id, _ := store.Identity("default")
	if got, want := id.Names(), []string{"a.test", "*.b.test", "192.0.2.7"}; !slices.Equal(got, want) {
		t.Errorf("names %q, want %q", got, want)
	}
	left := time.Until(id.Leaf().NotAfter)
	if left > 31*24*time.Hour || left < 29*24*time.Hour {
		t.Errorf("valid for another %v, want 30 days", left)
	}
	if age := time.Since(id.Leaf().NotBefore); age < 50*time.Minute {
		t.Errorf("valid since %v, want an hour for clocks that differ", age)
	}
}

func TestCertsInitModes(t *testing.T) {
	dir := initCerts(t)
	keys := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		want := fs.FileMode(0o644)
		if strings.HasSuffix(strings.TrimSuffix(d.Name(), filepath.Ext(d.Name())), "key") {
			keys++
			want = 0o600
			parent, err := os.Stat(filepath.Dir(path))
			if err != nil {
				return err
			}
			if parent.Mode().Perm() != 0o700 {
				t.Errorf("%s holds a key and has mode %v", filepath.Dir(path), parent.Mode())
			}
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, want %v", path, info.Mode(), want)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if keys != 8 {
		t.Errorf("%d key files, want 8: ca, 3 identities, client and server in two forms", keys)
	}
	if got := string(readFile(t, dir, ".gitignore")); !strings.Contains(got, "\n*\n") {
		t.Errorf(".gitignore holds %q", got)
	}
}

func TestCertsInitOverwritesOnlyWithForce(t *testing.T) {
	dir := initCerts(t)
	before := readFile(t, dir, "ca", "ca-key.der")

	code, _, stderr := run(t, "certs", "init", dir)
	if code != ExitOutput || !strings.Contains(stderr, "--force") {
		t.Errorf("second init: exit status %d, %q", code, stderr)
	}
	if !bytes.Equal(before, readFile(t, dir, "ca", "ca-key.der")) {
		t.Fatal("second init replaced the authority's key")
	}

	// One file left over is enough to refuse, and nothing must be written.
	lone := filepath.Join(t.TempDir(), "certs")
	kept := filepath.Join(lone, "image", "identities", "client", "key.der")
	if err := os.MkdirAll(filepath.Dir(kept), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(kept, []byte("precious"), 0o644); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := run(t, "certs", "init", lone); code != ExitOutput || !strings.Contains(stderr, kept) {
		t.Errorf("init over one file: exit status %d, %q", code, stderr)
	}
	if _, err := os.Stat(filepath.Join(lone, "ca")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("init that refused has written something: %v", err)
	}

	for _, d := range []string{dir, lone} {
		if code, _, stderr := run(t, "certs", "init", d, "--force"); code != ExitOK {
			t.Errorf("init --force: exit status %d, %q", code, stderr)
		}
	}
	if bytes.Equal(before, readFile(t, dir, "ca", "ca-key.der")) {
		t.Error("init --force left the authority's key")
	}
	for path, want := range map[string]fs.FileMode{kept: 0o600, filepath.Dir(kept): 0o700} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: mode %v, want %v (%v)", path, info.Mode(), want, err)
		}
	}
	if _, err := os.Stat(filepath.Join(lone, ".gitignore")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a .gitignore was put beside what was there: %v", err)
	}
	if leftovers, _ := filepath.Glob(filepath.Join(lone, "*", "*", "*", ".ingot-*")); len(leftovers) > 0 {
		t.Errorf("temporary files are left: %q", leftovers)
	}
}

func TestCertsInitRefusesArguments(t *testing.T) {
	tests := []struct {
		args []string
		code int
		want string
	}{
		{nil, ExitUsage, "accepts 1 arg"},
		{[]string{"a", "b"}, ExitUsage, "accepts 1 arg"},
		{[]string{"DIR", "--frob"}, ExitUsage, "unknown flag"},
		{[]string{"DIR", "--days", "x"}, ExitUsage, "--days"},
		{[]string{"DIR", "--days", "0"}, ExitUsage, "from 1 to 3650"},
		{[]string{"DIR", "--days", "9999"}, ExitUsage, "from 1 to 3650"},
		{[]string{"DIR", "--algorithm", "dsa"}, ExitUsage, "ecdsa-p256, ecdsa-p384, ed25519, rsa2048"},
		{[]string{"DIR", "--ip", "localhost"}, ExitUsage, "not an IP address: localhost"},
		{[]string{"DIR", "--name", "127.0.0.1"}, ExitUsage, "IP address"},
		{[]string{"DIR", "--name", "a b"}, ExitUsage, `--name "a b"`},
		{[]string{"DIR", "--name", "", "--ip", ""}, ExitUsage, "give --name or --ip"},
	}
	for _, tt := range tests {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "certs")
			args := []string{"certs", "init"}
			for _, a := range tt.args {
				args = append(args, strings.Replace(a, "DIR", dir, 1))
			}
			code, _, stderr := run(t, args...)
			if code != tt.code || !strings.Contains(stderr, tt.want) {
				t.Errorf("exit status %d, %q; want %d, %q", code, stderr, tt.code, tt.want)
			}
			if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("something was written: %v", err)
			}
		})
	}
}

func TestCertsInitIntoUnwritablePlace(t *testing.T) {
	blocked := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, stderr := run(t, "certs", "init", filepath.Join(blocked, "certs"))
	if code != ExitOutput || !strings.Contains(stderr, blocked) {
		t.Errorf("exit status %d, %q", code, stderr)
	}
}

func TestCertsCheck(t *testing.T) {
	dir := initCerts(t)
	for _, d := range []string{dir, filepath.Join(dir, "image")} {
		code, stdout, stderr := run(t, "certs", "check", d)
		if code != ExitOK || !strings.Contains(stdout, "is sound: 1 trust anchor, 3 identities") {
			t.Errorf("check %s: exit status %d, %q, %q", d, code, stdout, stderr)
		}
	}

	ca := certstest.NewCA(t, certstest.Template{}.Expired())
	tree := certstest.Tree{}
	tree.AddAnchor("old", ca)
	tree.AddIdentity("old", ca.Issue(certstest.Template{Names: []string{"old.test"}}.Expired()))
	tree.AddIdentity("cn", ca.Issue(certstest.Template{CommonName: "cn.test"}))
	tree["identities/cn/key.der"] = nil
	bad := t.TempDir()
	tree.WriteDir(t, bad)
	code, stdout, stderr := run(t, "certs", "check", bad)
	if code != ExitInput || !strings.Contains(stderr, "3 problems") {
		t.Errorf("exit status %d, %q", code, stderr)
	}
	for _, want := range []string{
		"anchors/old/ca1.der: warning: the certificate was valid until",
		"identities/old/cert.der: the certificate was valid until",
		"identities/cn/cert.der: the certificate has no DNS name",
		"identities/cn/key.der: the file is empty",
	} {
		if want := filepath.Join(bad, filepath.FromSlash(want)); !strings.Contains(stdout, want) {
			t.Errorf("no %q in\n%s", want, stdout)
		}
	}

	code, stdout, stderr = run(t, "certs", "check", filepath.Join(bad, "missing"))
	if code != ExitInput || !strings.Contains(stdout, "cannot be read") {
		t.Errorf("a missing folder: exit status %d, %q, %q", code, stdout, stderr)
	}
}

func TestCertsList(t *testing.T) {
	dir := initCerts(t)
	code, stdout, stderr := run(t, "certs", "ls", dir)
	if code != ExitOK || stderr != "" {
		t.Fatalf("exit status %d, %q", code, stderr)
	}
	var lines [][]string
	for line := range strings.Lines(stdout) {
		lines = append(lines, strings.Fields(line))
	}
	want := []string{"KIND", "server", "client", "server", "anchor"}
	if len(lines) != len(want) {
		t.Fatalf("%d lines:\n%s", len(lines), stdout)
	}
	for i, kind := range want {
		if lines[i][0] != kind {
			t.Errorf("line %d is %q, want kind %s", i, lines[i], kind)
		}
	}
	for _, part := range []string{"localhost,ingot.local,127.0.0.1,::1,10.0.2.15", "ECDSA P-256", "CN=Ingot device", "(396 days)", "dev-ca"} {
		if !strings.Contains(stdout, part) {
			t.Errorf("no %q in\n%s", part, stdout)
		}
	}

	// What is out of order is listed all the same, with a hint.
	ca := certstest.NewCA(t, certstest.Template{})
	tree := certstest.Tree{}
	tree.AddIdentity("late", ca.Issue(certstest.Template{Names: []string{"a.test"}, Both: true}.Expired()))
	tree.AddIdentity("early", ca.Issue(certstest.Template{Names: []string{"b.test"}}.NotYetValid()))
	bad := t.TempDir()
	tree.WriteDir(t, bad)
	code, stdout, stderr = run(t, "certs", "list", bad)
	if code != ExitOK || !strings.Contains(stderr, "2 problems: run 'ingot certs check "+bad+"'") {
		t.Errorf("exit status %d, %q", code, stderr)
	}
	for _, part := range []string{"(expired)", "(valid from ", "server+client"} {
		if !strings.Contains(stdout, part) {
			t.Errorf("no %q in\n%s", part, stdout)
		}
	}

	if code, _, stderr := run(t, "certs", "ls", t.TempDir()); code != ExitInput || !strings.Contains(stderr, "ingot certs init") {
		t.Errorf("an empty folder: exit status %d, %q", code, stderr)
	}
}
