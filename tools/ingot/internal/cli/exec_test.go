package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ingot.dev/certs/certstest"
)

// These build images and boot them.

func TestExec(t *testing.T) {
	if testing.Short() {
		t.Skip("starts QEMU")
	}
	image := filepath.Join(t.TempDir(), "report.elf")
	code, stdout, stderr := run(t, "build", "-o", image, "testdata/report.go")
	if code != ExitOK || !strings.Contains(stdout, image) || !strings.Contains(stdout, "MB of") {
		t.Fatalf("build: %d, %q, %q; want a line about the size", code, stdout, stderr)
	}
	broken := filepath.Join(t.TempDir(), "broken.go")
	if err := os.WriteFile(broken, []byte("package main\n\nfunc main() { nothing() }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		args   []string
		code   int
		stdout string
		stderr string
	}{
		{"from source, with arguments", []string{"exec", "testdata/report.go", "--", "-v", "two words"}, ExitOK, `linux/arm ["-v" "two words"]`, ""},
		{"image, with environment", []string{"exec", "--env", "ANSWER=42", image}, ExitOK, "[] ANSWER=42", ""},
		{"exit status", []string{"exec", "--env", "STATUS=77", image}, 77, "linux/arm", ""},
		{"panic", []string{"exec", "--env", "FAIL=1", image}, 2, "panic: told to", ""},
		{"counted instructions", []string{"exec", "--icount", image}, ExitOK, "linux/arm", ""},
		{"not key=value", []string{"exec", "--env", "X", image}, ExitUsage, "", "key=value"},
		{"is not there", []string{"exec", "testdata/nowhere.go"}, ExitInput, "", "nowhere.go"},
		{"does not compile", []string{"exec", broken}, ExitFailure, "", "broken.go:3:15: undefined: nothing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, stdout, stderr := run(t, c.args...)
			if code != c.code || !strings.Contains(stdout, c.stdout) || !strings.Contains(stderr, c.stderr) {
				t.Errorf("status %d, stdout %q, stderr %q; want %d, %q, %q", code, stdout, stderr, c.code, c.stdout, c.stderr)
			}
		})
	}
}

func TestExecTimeout(t *testing.T) {
	if testing.Short() {
		t.Skip("starts QEMU")
	}
	file := filepath.Join("testdata", "report.go")
	endless := filepath.Join(t.TempDir(), "endless.go")
	src, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(endless, []byte(strings.Replace(string(src), "os.Exit(code)", "for code == 0 {}", 1)), 0o666); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := run(t, "exec", "--timeout", "3s", endless)
	if code != ExitFailure || !strings.Contains(stderr, "did not end within 3s") {
		t.Errorf("status %d, stdout %q, stderr %q", code, stdout, stderr)
	}
}

func TestBuildUsage(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"build", "./a", "./b"}, "./a"},
		{[]string{"exec"}, "which program"},
		{[]string{"exec", "--", "x"}, "which program"},
		{[]string{"exec", "./a", "b"}, "behind --"},
	} {
		code, _, stderr := run(t, c.args...)
		if code != ExitUsage || !strings.Contains(stderr, c.want) {
			t.Errorf("%q: status %d, %q; want a usage error with %q", c.args, code, stderr, c.want)
		}
	}
}

// TestBuildRefusesCerts: a store that the firmware would refuse when it starts is
// refused before there is an image.
func TestBuildRefusesCerts(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":  "module example.test/app\n\ngo 1.26\n",
		"main.go": "package main\n\nfunc main() {}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	tree := certstest.Tree{}
	ca := certstest.NewCA(t, certstest.Template{})
	tree.AddAnchor("", ca)
	tree.AddIdentity("default", ca.Issue(certstest.Template{Names: []string{"localhost"}}.Expired()))
	tree.WriteDir(t, filepath.Join(dir, "certs", "image"))
	code, _, stderr := run(t, "build", "-o", "app.elf", ".")
	if code != ExitInput || !strings.Contains(stderr, "identities/default/cert.der: the certificate was valid until") {
		t.Errorf("status %d, %q; want the file and the reason", code, stderr)
	}
	if _, err := os.Stat("app.elf"); err == nil {
		t.Error("there is an image")
	}
}

// TestExecWithoutQEMU: what is missing, and where it comes from.
func TestExecWithoutQEMU(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	code, _, stderr := run(t, "exec", "testdata/report.go")
	if code != ExitNoTool || !strings.Contains(stderr, "apt-get install qemu-system-arm") {
		t.Errorf("status %d, %q", code, stderr)
	}
}

func TestImageName(t *testing.T) {
	for in, want := range map[string]string{
		"./firmware/cmd/ingot-firmware":         "ingot-firmware.elf",
		"ingot.dev/firmware/cmd/ingot-firmware": "ingot-firmware.elf",
		"hello.go":                              "hello.elf",
		".":                                     "cli.elf", // this folder
		"..":                                    "internal.elf",
		"./":                                    "cli.elf",
	} {
		if got, err := imageName([]string{in}); got != want || err != nil {
			t.Errorf("%s: %q, %v; want %q", in, got, err, want)
		}
	}
}
