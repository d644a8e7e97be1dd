// Package tools_test tests the shell scripts of this folder.
package tools_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// fakePath is a PATH on which only the given programs exist: they say their
// name and arguments. What the scripts use of the system is linked in.
func fakePath(t *testing.T, programs ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"sh", "id", "grep", "sort", "dirname", "mkdir", "cat", "env"} {
		real, err := exec.LookPath(name)
		if err != nil {
			t.Skip(err)
		}
		if err := os.Symlink(real, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range programs {
		name, script, _ := strings.Cut(name, "=")
		if script == "" {
			script = `echo "` + name + ` $*"`
		}
		path := filepath.Join(dir, name)
		os.Remove(path)
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// script runs one of the scripts in dir.
func script(t *testing.T, dir, path, name string, args ...string) (string, error) {
	t.Helper()
	file, err := filepath.Abs(name)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/bin/sh", append([]string{file}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+path, "GO=")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestInstall(t *testing.T) {
	for _, c := range []struct {
		name     string
		programs []string
		fails    bool
		want     []string
		never    string
	}{
		{"there already", []string{"qemu-system-arm", "gnutls-cli", "apt-get"}, false, nil, "apt-get"},
		{"one of them", []string{"qemu-system-arm", "apt-get", "id=echo 0"}, false, []string{"missing: gnutls-cli;", "--no-install-recommends gnutls-bin\n"}, "qemu"},
		{"root", []string{"apt-get", "id=echo 0"}, false, []string{"missing: qemu-system-arm gnutls-cli; installing", "apt-get update", "apt-get install -y", "--no-install-recommends qemu-system-arm gnutls-bin\n"}, "sudo"},
		{"a user with sudo", []string{"apt-get", "sudo", "id=echo 1000"}, false, []string{"with sudo apt-get", "sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y"}, "\napt-get"},
		{"a user without sudo", []string{"apt-get", "id=echo 1000"}, true, []string{"As root: apt-get install qemu-system-arm gnutls-bin"}, "apt-get update"},
		{"another system", nil, true, []string{"Fedora", "Homebrew"}, ""},
		{"apt-get fails", []string{"apt-get=echo no network; exit 100", "id=echo 0"}, true, []string{"no network"}, ""},
	} {
		out, err := script(t, ".", fakePath(t, c.programs...), "install.sh", "qemu-system-arm", "gnutls-cli:gnutls-bin")
		if (err != nil) != c.fails {
			t.Errorf("%s: %v\n%s", c.name, err, out)
		}
		for _, want := range c.want {
			if !strings.Contains(out, want) {
				t.Errorf("%s: no %q in\n%s", c.name, want, out)
			}
		}
		if c.never != "" && strings.Contains(out, c.never) {
			t.Errorf("%s: %q in\n%s", c.name, c.never, out)
		}
	}
}

func TestFuzzScript(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"a/a_test.go": "func FuzzOne(f *testing.F) {\nfunc FuzzTwo(f *testing.F) {\n",
		"b/b_test.go": "func FuzzBad(f *testing.F) {\nfunc TestFuzz(t *testing.T) {\n",
		"b/b.go":      "func FuzzNot() {\n",
	} {
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	calls := filepath.Join(dir, "calls")
	good := fakePath(t, `go=echo "$*" >>`+calls)
	if out, err := script(t, dir, good, "fuzz.sh", "5s"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	got, err := os.ReadFile(calls)
	if err != nil {
		t.Fatal(err)
	}
	want := "test -run ^$ -fuzz ^FuzzOne$ -fuzztime 5s -fuzzminimizetime 5x ./a\n" +
		"test -run ^$ -fuzz ^FuzzTwo$ -fuzztime 5s -fuzzminimizetime 5x ./a\n" +
		"test -run ^$ -fuzz ^FuzzBad$ -fuzztime 5s -fuzzminimizetime 5x ./b\n"
	if string(got) != want {
		t.Errorf("ran\n%swant\n%s", got, want)
	}

	bad := fakePath(t, `go=case "$*" in *FuzzBad*) echo crash found; exit 1;; esac`)
	if out, err := script(t, dir, bad, "fuzz.sh", "5s"); err == nil || !strings.Contains(out, "crash found") {
		t.Errorf("a fuzzer that fails: %v\n%s", err, out)
	}
	if out, err := script(t, dir, good, "fuzz.sh"); err == nil || !strings.Contains(out, "usage") {
		t.Errorf("without a time: %v\n%s", err, out)
	}
}
