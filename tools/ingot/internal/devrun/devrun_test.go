package devrun

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ingot.dev/certs"
	"ingot.dev/certs/certstest"
	"ingot.dev/internal/testenv"
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
	if err := portFree(freePort(t)); err != nil {
		t.Error(err)
	}
}

func TestNoQEMU(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if _, err := Run(t.Context(), Options{Port: 1}); !errors.Is(err, qemu.ErrNoQEMU) {
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

	newDir := func() string { return filepath.Join(t.TempDir(), "certs") }
	dir := newDir()
	if err := prepareCerts(dir, makeCerts(t, good), say); err != nil || !strings.Contains(said.String(), "making some") {
		t.Fatalf("%v, said %q", err, said.String())
	}
	// What is there stays.
	again := func(string) error { t.Error("certificates are made again"); return nil }
	if err := prepareCerts(dir, again, say); err != nil {
		t.Error(err)
	}
	err := prepareCerts(newDir(), makeCerts(t, good.Expired()), say)
	if err == nil || !strings.Contains(err.Error(), "certs init --force") || !strings.Contains(err.Error(), "cert.der") {
		t.Errorf("an expired identity: %v; want the file and what to do", err)
	}
	failed := errors.New("disk full")
	if err := prepareCerts(newDir(), func(string) error { return failed }, say); !errors.Is(err, failed) {
		t.Errorf("%v", err)
	}
}

// TestDefaultFirmware is what "make run" does, from missing certificates to the
// printed commands and Ctrl-C.
func TestDefaultFirmware(t *testing.T) {
	if testing.Short() {
		t.Skip("starts QEMU")
	}
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	progress, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		_, err := Run(ctx, Options{
			Echoes:    true,
			Image:     image.Options{Package: []string{"ingot.dev/firmware/cmd/ingot-firmware"}, Output: filepath.Join(t.TempDir(), "firmware.elf")},
			Port:      freePort(t),
			Certs:     filepath.Join(t.TempDir(), "my certs"),
			MakeCerts: makeCerts(t, certstest.Template{Names: []string{"localhost"}}),
			Console:   io.Discard,
			Progress:  w,
		})
		done <- err
		w.Close()
	}()
	var said []string
	commands := 0
	for lines := bufio.NewScanner(progress); lines.Scan(); {
		said = append(said, lines.Text())
		if command, ok := strings.CutPrefix(lines.Text(), "  "); ok {
			commands++
			if name, _, _ := strings.Cut(command, " "); lookPath(t, name) {
				// Nothing to send, so that the printed command ends.
				if out, err := exec.CommandContext(ctx, "sh", "-c", command).CombinedOutput(); err != nil {
					t.Errorf("%s: %v\n%s", command, err, out)
				}
			}
		}
		if strings.Contains(lines.Text(), "Ctrl-C") {
			interrupt()
		}
	}
	if err := <-done; err != nil || commands != 2 {
		t.Errorf("%d commands, %v; said\n%s", commands, err, strings.Join(said, "\n"))
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
	_, err := Run(t.Context(), opt)
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
	program := opt.Image.Package
	opt.Image.Package = []string{"nowhere.go"}
	if _, err := Run(t.Context(), opt); err == nil || !strings.Contains(err.Error(), "nowhere.go") {
		t.Errorf("%v", err)
	}
	opt.Image.Package = program
	if err := os.WriteFile(filepath.Join(opt.Certs, "image/identities/default/cert.der"), []byte("-----BEGIN CERTIFICATE-----"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = Run(t.Context(), opt)
	var bad *certs.FileError
	if !errors.As(err, &bad) {
		t.Errorf("%v; want what is wrong with the certificate", err)
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	port, err := testenv.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return port
}
