package depcheck

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what the firmware imports now to deps.txt")

const (
	firmware = "ingot.dev/firmware/cmd/ingot-firmware"
	boardTag = "imx6ulevk"
	listFile = "deps.txt"
	header   = "# Packages in " + firmware + " for " + boardTag + ".\n" +
		"# Made by 'go test ./tools/depcheck -update'; see doc.go.\n"
)

// forbidden are packages that have no business in an image; updating the list
// does not let them in.
var forbidden = map[string]string{
	"testing":                     "tests do not belong in the image",
	"net/http":                    "it is larger than the rest of the image",
	"encoding/pem":                "the image reads DER only",
	"plugin":                      "there is nothing to load",
	"os/exec":                     "there is nothing to execute",
	"github.com/spf13/cobra":      "it is for commands on the host",
	"ingot.dev/certs/container":   "the image reads DER only",
	"ingot.dev/internal/pki":      "the image issues no certificates",
	"ingot.dev/certs/certstest":   "it is for tests",
	"ingot.dev/qemu":              "it is for the host",
	"ingot.dev/board/nic/nictest": "it is for tests",
}

// pkg is what we need of go list's output.
type pkg struct {
	ImportPath string
	Dir        string
	Standard   bool
	Imports    []string
	Error      *struct{ Err string }
}

// listPackages asks the go command for a main package and all it imports.
func listPackages(t *testing.T, name string) []pkg {
	t.Helper()
	// The go command of the toolchain that runs this test. -e: a missing
	// folder of embedded certificates must not matter.
	gocmd := filepath.Join(runtime.GOROOT(), "bin", "go")
	if _, err := os.Stat(gocmd); err != nil {
		gocmd = "go"
	}
	cmd := exec.CommandContext(t.Context(), gocmd, "list", "-e", "-deps", "-json=ImportPath,Dir,Standard,Imports,Error", "-tags", boardTag, name)
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=arm", "GOARM=7", "CGO_ENABLED=0")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	var packages []pkg
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatalf("go list: %v", err)
		}
		if p.Error != nil && !strings.Contains(p.Error.Err, "no matching files found") {
			t.Errorf("%s: %s", p.ImportPath, p.Error.Err)
		}
		packages = append(packages, p)
		// The go command caches test results by the files a test opens
		// itself; what the go command opened for us must count too.
		if strings.HasPrefix(p.ImportPath, "ingot.dev/") {
			if _, err := os.ReadDir(p.Dir); err != nil {
				t.Errorf("%s: %v", p.ImportPath, err)
			}
		}
	}
}

// summarize returns the lines of the list: packages outside the standard
// library, then those of it that they import directly, each sorted.
func summarize(packages []pkg) []string {
	standard := map[string]bool{}
	for _, p := range packages {
		if p.Standard {
			standard[p.ImportPath] = true
		}
	}
	var ours, direct []string
	for _, p := range packages {
		if p.Standard {
			continue
		}
		ours = append(ours, p.ImportPath)
		for _, name := range p.Imports {
			if standard[name] || name == "unsafe" {
				direct = append(direct, "std "+name)
			}
		}
	}
	slices.Sort(ours)
	slices.Sort(direct)
	return append(ours, slices.Compact(direct)...)
}

// difference returns the lines that are only in a and only in b.
func difference(a, b []string) (onlyA, onlyB []string) {
	for _, x := range a {
		if !slices.Contains(b, x) {
			onlyA = append(onlyA, x)
		}
	}
	for _, x := range b {
		if !slices.Contains(a, x) {
			onlyB = append(onlyB, x)
		}
	}
	return onlyA, onlyB
}

func TestFirmwareDependencies(t *testing.T) {
	if _, err := os.Stat("../../go.mod"); err != nil { // versions count as well
		t.Fatal(err)
	}
	got := summarize(listPackages(t, firmware))
	if len(got) < 10 {
		t.Fatalf("go list found next to nothing: %q", got)
	}
	for _, line := range got {
		if why, bad := forbidden[strings.TrimPrefix(line, "std ")]; bad {
			t.Errorf("the firmware must not import %s: %s", line, why)
		}
	}
	if *update {
		if err := os.WriteFile(listFile, []byte(header+strings.Join(got, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	data, err := os.ReadFile(listFile)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Split(strings.TrimSpace(strings.TrimPrefix(string(data), header)), "\n")
	added, removed := difference(got, want)
	for _, line := range added {
		t.Errorf("new in the firmware: %s", line)
	}
	for _, line := range removed {
		t.Errorf("no longer in the firmware: %s", line)
	}
	if t.Failed() {
		t.Log("if that is intended: go test ./tools/depcheck -update")
	}
}

func TestSummarize(t *testing.T) {
	packages := []pkg{
		{ImportPath: "unsafe", Standard: true},
		{ImportPath: "internal/abi", Standard: true, Imports: []string{"unsafe"}},
		{ImportPath: "errors", Standard: true, Imports: []string{"internal/abi"}},
		{ImportPath: "fmt", Standard: true, Imports: []string{"errors"}},
		{ImportPath: "x.test/b", Imports: []string{"fmt"}},
		{ImportPath: "x.test/a", Imports: []string{"fmt", "unsafe", "x.test/b"}},
	}
	got := summarize(packages)
	if want := []string{"x.test/a", "x.test/b", "std fmt", "std unsafe"}; !slices.Equal(got, want) {
		t.Errorf("summarize = %q, want %q", got, want)
	}
}

func TestDifference(t *testing.T) {
	a, b := difference([]string{"a", "b", "c"}, []string{"b", "d"})
	if fmt.Sprint(a, b) != "[a c] [d]" {
		t.Errorf("difference = %q, %q", a, b)
	}
}
