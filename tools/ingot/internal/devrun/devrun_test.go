package devrun

import (
	"bytes"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ingot.dev/certs"
	"ingot.dev/certs/certstest"
	"ingot.dev/qemu"
	"ingot.dev/tools/image"
)

func TestPortTaken(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	err = portFree(l.Addr().(*net.TCPAddr).Port)
	if !errors.Is(err, ErrPortTaken) || !strings.Contains(err.Error(), "make run PORT=") {
		t.Errorf("%v; want ErrPortTaken and what to do", err)
	}
	l.Close()
	if err := portFree(l.Addr().(*net.TCPAddr).Port); err != nil {
		t.Error(err)
	}
}

func TestNoQEMU(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if err := Run(t.Context(), Options{Port: 1}); !errors.Is(err, qemu.ErrNoQEMU) {
		t.Errorf("%v; want ErrNoQEMU before anything else", err)
	}
}

func makeCerts(t *testing.T, template certstest.Template) func(dir string) error {
	return func(dir string) error {
		ca := certstest.NewCA(t, certstest.Template{})
		tree := certstest.Tree{}
		tree.AddAnchor("", ca)
		tree.AddIdentity("default", ca.Issue(template))
		tree.WriteDir(t, filepath.Join(dir, "image"))
		pem, err := os.ReadFile(ca.WritePEM(t))
		if err != nil {
			return err
		}
		if err := os.Mkdir(filepath.Join(dir, "host"), 0o700); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, "host", "ca.pem"), pem, 0o600)
	}
}

func TestPrepareCerts(t *testing.T) {
	var said bytes.Buffer
	say := func(format string, _ ...any) { said.WriteString(format) }
	good := certstest.Template{Names: []string{"localhost"}}

	opt := Options{Certs: filepath.Join(t.TempDir(), "certs"), MakeCerts: makeCerts(t, good)}
	dir, err := prepareCerts(t.Context(), opt, say)
	if err != nil || dir != opt.Certs || !strings.Contains(said.String(), "making some") {
		t.Fatalf("%q, %v, said %q", dir, err, said.String())
	}
	// What is there stays.
	opt.MakeCerts = func(string) error { t.Error("certificates are made again"); return nil }
	if _, err := prepareCerts(t.Context(), opt, say); err != nil {
		t.Error(err)
	}

	opt = Options{Certs: filepath.Join(t.TempDir(), "certs"), MakeCerts: makeCerts(t, good.Expired())}
	if _, err := prepareCerts(t.Context(), opt, say); err == nil || !strings.Contains(err.Error(), "certs init --force") || !strings.Contains(err.Error(), "cert.der") {
		t.Errorf("an expired identity: %v; want the file and what to do", err)
	}

	failed := errors.New("disk full")
	opt = Options{Certs: filepath.Join(t.TempDir(), "certs"), MakeCerts: func(string) error { return failed }}
	if _, err := prepareCerts(t.Context(), opt, say); !errors.Is(err, failed) {
		t.Errorf("%v", err)
	}
}

// TestGuestThatEnds runs a program that serves nothing.
func TestGuestThatEnds(t *testing.T) {
	if testing.Short() {
		t.Skip("starts QEMU")
	}
	var console, progress bytes.Buffer
	opt := Options{
		Image:     image.Options{Package: []string{"../cli/testdata/report.go"}, Output: filepath.Join(t.TempDir(), "report.elf")},
		Port:      freePort(t),
		Certs:     filepath.Join(t.TempDir(), "certs"),
		MakeCerts: makeCerts(t, certstest.Template{Names: []string{"localhost"}}),
		Env:       []string{"STATUS=9"},
		Console:   &console,
		Progress:  &progress,
	}
	err := Run(t.Context(), opt)
	if !errors.Is(err, ErrNotReady) || !strings.Contains(err.Error(), "status 9") {
		t.Errorf("%v; want ErrNotReady with the status", err)
	}
	if !strings.Contains(console.String(), "linux/arm") {
		t.Errorf("console %q", console.String())
	}
	if strings.Contains(progress.String(), "Ready") {
		t.Errorf("said %q", progress.String())
	}

	// The firmware does not compile, its certificates are bad: each is said
	// before a machine starts.
	opt.Image.Package = []string{"nowhere.go"}
	if err := Run(t.Context(), opt); err == nil || !strings.Contains(err.Error(), "nowhere.go") {
		t.Errorf("%v", err)
	}
	if err := os.WriteFile(filepath.Join(opt.Certs, "image/identities/default/cert.der"), []byte("-----BEGIN CERTIFICATE-----"), 0o600); err != nil {
		t.Fatal(err)
	}
	err = Run(t.Context(), opt)
	var bad *certs.FileError
	if !errors.As(err, &bad) {
		t.Errorf("%v; want what is wrong with the certificate", err)
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
