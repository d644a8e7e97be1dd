package sizes

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestPackageOf(t *testing.T) {
	for symbol, want := range map[string]string{
		"runtime.mallocgc":        "runtime",
		"crypto/tls.(*Conn).Read": "crypto/tls",
		"main.main.func1":         "main",
		"slices.SortFunc[go.shape.*ingot.dev/certs.Identity]":           "slices",
		"type:.eq.ingot.dev/tlsio.Alert":                                "ingot.dev/tlsio",
		"gvisor.dev/gvisor/pkg/tcpip/stack.(*Stack).(gvisor.dev/x/y.I)": "gvisor.dev/gvisor/pkg/tcpip/stack",
		"gopkg.in/yaml%2ev3.Marshal":                                    "gopkg.in/yaml.v3",
		"type:.eq.[16]sync/atomic.Pointer[go.shape.x]":                  "sync/atomic",
		"$f64.4000000000000000":                                         "(assembly)",
		"memeqbody":                                                     "(assembly)",
	} {
		if got := packageOf(symbol); got != want {
			t.Errorf("%s: %s, want %s", symbol, got, want)
		}
	}
}

func TestPartOf(t *testing.T) {
	for pkg, want := range map[string]string{
		"crypto/internal/fips140/aes": "TLS",
		"cryptography":                "standard library",
		"net":                         "standard library",
		"ingot.dev/net/link":          "network",
		"ingot.dev/kernel":            "kernel and drivers",
		"example.com/sensor":          "program",
		"main":                        "program",
		"vendor/golang.org/x/text":    "standard library",
		certificates:                  "certificates",
	} {
		if got := partOf(pkg); got != want {
			t.Errorf("%s: %s, want %s", pkg, got, want)
		}
	}
}

// build makes a program, for the host if that is an ELF system.
func build(t *testing.T, ldflags string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte("package main\n\nimport \"fmt\"\n\nfunc main() { fmt.Println(\"hello\") }\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "out.elf")
	cmd := exec.Command("go", "build", "-ldflags", ldflags, "-o", out, "main.go")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=arm", "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return out
}

func TestRead(t *testing.T) {
	file := build(t, "-w")
	r, err := Read(file, 100)
	if err != nil {
		t.Fatal(err)
	}
	stripped, err := os.Stat(build(t, "-s -w"))
	if err != nil {
		t.Fatal(err)
	}
	// Headers, and the alignment of three segments, are all that is not told.
	if got, whole := r.Total.Total(), stripped.Size(); got > whole || got < whole-3*64<<10 {
		t.Errorf("%d bytes told of %d", got, whole)
	}
	var parts, packages Size
	seen := map[string]int64{}
	for _, p := range r.Parts {
		parts.add(p.Size)
		seen[p.Name] = p.Total()
	}
	for _, p := range r.Packages {
		packages.add(p.Size)
		seen[p.Path] = p.Total()
	}
	if parts != r.Total || packages != r.Total {
		t.Errorf("parts %v, packages %v, total %v", parts, packages, r.Total)
	}
	if seen["fmt"] < 10_000 || seen["runtime"] < 200_000 || seen["main"] == 0 || seen["certificates"] != 100 {
		t.Errorf("%v", seen)
	}
}

func TestReadRefuses(t *testing.T) {
	if _, err := Read(build(t, "-s -w"), 0); !errors.Is(err, ErrNoSymbols) {
		t.Errorf("stripped: %v", err)
	}
	text := filepath.Join(t.TempDir(), "x.elf")
	if err := os.WriteFile(text, []byte("not an image"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{text, "/nowhere.elf"} {
		if _, err := Read(name, 0); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Each area is as large as its share, inside the whole, and apart from the others.
func TestSquarify(t *testing.T) {
	whole := rect{10, 20, 300, 200}
	for _, sizes := range [][]int64{{1}, {6, 6, 4, 3, 2, 2, 1}, {1000, 1, 1}, {5, 0}, {7, 7, 7, 7, 7, 7, 7, 7, 7, 7}} {
		areas := squarify(sizes, whole)
		if len(areas) != len(sizes) {
			t.Fatalf("%d areas for %v", len(areas), sizes)
		}
		var total int64
		for _, s := range sizes {
			total += s
		}
		const e = 1e-6
		for i, a := range areas {
			if want := whole.w * whole.h * float64(sizes[i]) / float64(total); math.Abs(a.w*a.h-want) > e*want+e {
				t.Errorf("%v: area %d is %v, want %v", sizes, i, a.w*a.h, want)
			}
			if a.x < whole.x-e || a.y < whole.y-e || a.x+a.w > whole.x+whole.w+e || a.y+a.h > whole.y+whole.h+e {
				t.Errorf("%v: area %d sticks out: %+v", sizes, i, a)
			}
			for _, b := range areas[:i] {
				if min(a.x+a.w, b.x+b.w)-max(a.x, b.x) > e && min(a.y+a.h, b.y+b.h)-max(a.y, b.y) > e {
					t.Errorf("%v: %+v and %+v overlap", sizes, a, b)
				}
			}
		}
	}
	if got := squarify([]int64{0, 0}, whole); len(got) != 2 {
		t.Errorf("%v", got)
	}
}

func TestWriteSVG(t *testing.T) {
	r := &Report{
		Packages: []Package{{"crypto/<tls>", "TLS", Size{600, 0, 100}}, {"main", "program & more", Size{100, 0, 0}}},
		Parts:    []Part{{"TLS", Size{600, 0, 100}}, {"program & more", Size{100, 0, 0}}},
		Total:    Size{700, 0, 100},
	}
	var out bytes.Buffer
	if err := r.WriteSVG(&out, "a <title>"); err != nil {
		t.Fatal(err)
	}
	rects := 0
	d := xml.NewDecoder(&out)
	for {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "rect" {
			rects++
		}
	}
	if rects != 4 {
		t.Errorf("%d areas, want one for each part and package", rects)
	}
}

func TestVariables(t *testing.T) {
	file := build(t, "")
	list, err := Variables(file)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range list {
		if v.Name == "" || v.Size <= 0 || i > 0 && v.Size > list[i-1].Size {
			t.Errorf("%d: %+v", i, v)
		}
	}
	// One that every Go program has, and no function and no constant.
	if !slices.ContainsFunc(list, func(v Variable) bool { return v.Name == "runtime.mheap_" }) {
		t.Errorf("no runtime.mheap_ among %d", len(list))
	}
	if slices.ContainsFunc(list, func(v Variable) bool { return v.Name == "main.main" || v.Name == "runtime.pclntab" }) {
		t.Error("what is no variable is in the list")
	}
	if _, err := Variables(build(t, "-s")); !errors.Is(err, ErrNoSymbols) {
		t.Errorf("without symbols: %v", err)
	}
	if _, err := Variables("sizes.go"); err == nil {
		t.Error("a text has variables")
	}
}
