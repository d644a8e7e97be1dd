package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ingot.dev/certs/certstest"
	"ingot.dev/certs/container"
)

// corpus are the files of other people's programs; package container's tests know what
// is in them.
const corpus = "../../../../certs/container/testdata"

// Every file, whole, cut in two, and with a wrong password: what can't be imported is
// named, with what to do, as bad input, and leaves no store behind.
func TestCertsImportCorpus(t *testing.T) {
	dir := t.TempDir()
	right, wrong := filepath.Join(dir, "right"), filepath.Join(dir, "wrong")
	for name, password := range map[string]string{right: "changeit\n", wrong: "another\n"} {
		if err := os.WriteFile(name, []byte(password), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := os.ReadDir(corpus)
	if err != nil {
		t.Fatal(err)
	}
	store := filepath.Join(dir, "store")
	cert := certificateFor(t, filepath.Join(corpus, "p256.pkcs8.der"))
	refused := func(what, text string, args ...string) {
		t.Helper()
		code, stdout, stderr := run(t, append([]string{"certs", "import", store}, args...)...)
		file := args[len(args)-1]
		if code != ExitInput || stdout != "" || !strings.HasPrefix(stderr, "ingot: ") || !strings.Contains(stderr, filepath.Base(file)) || !strings.Contains(stderr, text) {
			t.Errorf("%s: status %d, %q, %q; want %d, the file and %q", what, code, stdout, stderr, ExitInput, text)
		}
		if _, err := os.Stat(store); err == nil {
			t.Fatalf("%s: there is a store", what)
		}
	}
	imported, locked := 0, 0
	for _, e := range entries {
		name := e.Name()
		kind := filepath.Ext(name)
		if kind == ".md" || kind == ".pub" || kind == ".rfc4716" || kind == ".sh" || e.IsDir() || strings.Contains(name, ".default.") || strings.Contains(name, ".utf8.") {
			continue // no private key or certificate, or another password
		}
		file := filepath.Join(corpus, name)
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		half := filepath.Join(dir, "half-of-"+name)
		if err := os.WriteFile(half, data[:len(data)/2], 0o600); err != nil {
			t.Fatal(err)
		}
		refused("half of "+name, "", "--password-file", right, half)
		if strings.HasPrefix(name, "refused.") {
			refused(name, "", "--password-file", right, file)
			continue
		}

		// A key finds its certificate; what is missing for the others is said.
		args := []string{"certs", "import", store, "--password-file", right, file}
		if strings.HasPrefix(name, "p256.") {
			args = append(args, cert)
		}
		switch code, _, stderr := run(t, args...); {
		case code == ExitOK:
			imported++
			if err := os.RemoveAll(store); err != nil {
				t.Fatal(err)
			}
		case code != ExitInput || !strings.Contains(stderr, "give the file that holds it too") && !strings.Contains(stderr, "would not start") && !strings.Contains(stderr, "--anchor"):
			t.Errorf("%s: status %d, %q", name, code, stderr)
		}
		if code, _, stderr := run(t, "certs", "import", store, file); code == ExitInput && strings.Contains(stderr, errNoTerminal.Error()) {
			locked++
			refused(name+" with another password", "give the right one with --password-file", "--password-file", wrong, file)
		}
		os.RemoveAll(store)
	}
	if imported < 10 || locked < 20 {
		t.Errorf("%d files were imported and %d needed a password: the corpus is another", imported, locked)
	}
}

// certificateFor issues a certificate for the private key in a file, into another.
func certificateFor(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	found, err := container.Read(data, container.Options{})
	if err != nil {
		t.Fatal(err)
	}
	cert := certstest.NewCA(t, certstest.Template{}).Issue(certstest.Template{Names: []string{"p256.test"}, Key: found.Keys[0]})
	name := filepath.Join(t.TempDir(), "cert.der")
	if err := os.WriteFile(name, cert.Cert.Raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}
