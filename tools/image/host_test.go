package image

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// cutModule returns the name of a go.mod for -modfile, by which ingot.dev is built with
// gVisor as images have it: a tree of links, and the files that cuts change.
func cutModule(t *testing.T, dir string) string {
	t.Helper()
	_, dirs := sources(t)
	from, to := dirs[gvisor], filepath.Join(dir, "gvisor")
	changed := map[string]string{}
	var omit []string
	for _, c := range cuts {
		if c.module != gvisor {
			continue
		}
		if c.omit != "" {
			omit = append(omit, c.omit)
			continue
		}
		files, err := c.apply(from)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		for _, f := range files {
			changed[f.path] = f.text
		}
	}
	err := filepath.WalkDir(from, func(path string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := to + strings.TrimPrefix(path, from)
		if e.IsDir() {
			return os.MkdirAll(target, 0o777)
		}
		for _, o := range omit {
			if strings.HasSuffix(path, o) {
				return nil
			}
		}
		if text, ok := changed[path]; ok {
			return os.WriteFile(target, []byte(text), 0o666)
		}
		return os.Symlink(path, target)
	})
	if err != nil {
		t.Fatal(err)
	}
	b := builder{}
	gomod, err := b.run(testContext(t), "env", "GOMOD")
	if err != nil {
		t.Fatal(err)
	}
	gomod = strings.TrimSpace(gomod)
	modfile := filepath.Join(dir, "cut.mod")
	if err := copyFile(modfile, gomod); err != nil {
		t.Fatal(err)
	}
	if err := copyFile(filepath.Join(dir, "cut.sum"), strings.TrimSuffix(gomod, ".mod")+".sum"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.run(testContext(t), "mod", "edit", "-replace", gvisor+"="+to, modfile); err != nil {
		t.Fatal(err)
	}
	return modfile
}

// Connections behave as they do with gVisor as it is: the tests of the layers that meet it,
// with the gVisor that images have. It is rebuilt for them, which takes a while.
func TestConnections(t *testing.T) {
	if testing.Short() {
		t.Skip("runs tests of other packages")
	}
	if runtime.GOOS == "windows" {
		t.Skip("links need rights that not everybody has")
	}
	cmd := exec.CommandContext(testContext(t), "go", "test", "-short", "-vet=off", "-modfile="+cutModule(t, t.TempDir()),
		"-run=^Test(Known|OneTurn|AnySegments|Transfer|Conn|BothVersions|Listen|LingerReset|WaitReadable|Lane|Close|Settle|Merge)",
		"ingot.dev/net/link", "ingot.dev/net/netstack")
	out, err := cmd.CombinedOutput()
	if err != nil || bytes.Count(out, []byte("ok  \t")) != 2 || bytes.Contains(out, []byte("no tests to run")) {
		t.Errorf("%v\n%s", err, out)
	}
}
