package image

import (
	"bytes"
	"crypto/elliptic"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"ingot.dev/board/boards"
)

// sources returns where the toolchain and gVisor are.
func sources(t *testing.T) (goroot string, dirs map[string]string) {
	t.Helper()
	b := builder{}
	out, err := b.run(testContext(t), "env", "GOROOT")
	if err != nil {
		t.Fatal(err)
	}
	dirs = map[string]string{gvisor: b.moduleDir(testContext(t), gvisor)}
	if dirs[gvisor] == "" {
		t.Fatal("the go command doesn't know where gVisor is")
	}
	return strings.TrimSpace(out), dirs
}

// The releases that the project is built with read as the cuts expect.
func TestCutsApply(t *testing.T) {
	goroot, dirs := sources(t)
	version, err := os.ReadFile(filepath.Join(goroot, "VERSION"))
	if err != nil {
		t.Fatal(err)
	}
	known := bytes.HasPrefix(version, []byte("go1.26")) || bytes.HasPrefix(version, []byte("go1.27"))
	changedBy := map[string]string{}
	for _, c := range cuts {
		t.Run(c.name, func(t *testing.T) {
			if c.module == "" && !known {
				t.Skipf("nothing is known of %s", version)
			}
			root := filepath.Join(goroot, "src")
			if c.module != "" {
				root = dirs[c.module]
			}
			if c.omit != "" {
				n := 0
				err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
					if strings.HasSuffix(path, c.omit) {
						n++
					}
					return err
				})
				if n == 0 || err != nil {
					t.Errorf("no files to leave out, %v", err)
				}
				return
			}
			files, err := c.apply(root)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range files {
				if other, ok := changedBy[f.path]; ok {
					t.Errorf("%s: %q changes it, too: only one of them would count", f.path, other)
				}
				changedBy[f.path] = c.name
				old, err := os.ReadFile(f.path)
				if err != nil {
					t.Fatal(err)
				}
				text := f.text
				for _, p := range c.also {
					text = strings.TrimSuffix(text, p.more)
				}
				if string(old) == text || strings.Count(string(old), "\n") != strings.Count(text, "\n") {
					t.Errorf("%s: nothing has changed, or lines have moved", f.path)
				}
			}
		})
	}
}

func TestEditAll(t *testing.T) {
	edits := []edit{{"one", "1"}, {"two", "2"}}
	for text, want := range map[string]string{
		"one two three":   "1 2 three",
		"one three":       "", // not there
		"one two one":     "", // which one?
		"":                "",
		"two\none":        "2\n1",
		"one two two one": "",
	} {
		if got, ok := editAll(text, edits); ok != (want != "") || (ok && got != want) {
			t.Errorf("%q: %q, %v", text, got, ok)
		}
	}
}

// What gVisor's templates make of a lock loses its calls, and nothing else; text that
// isn't of that kind stays.
func TestSilentLock(t *testing.T) {
	const (
		start = "package p\n\nfunc (m *aMutex) Lock() {\n"
		add   = "\tlocking.AddGLock(aprefixIndex, -1)\n"
		lock  = "\tm.mu.Lock()\n}\n\nfunc (m *aMutex) NestedUnlock(i aIndex) {\n\tm.mu.Unlock()\n"
		del   = "\tlocking.DelGLock(aprefixIndex, int(i))\n"
		end   = "}\n\nfunc "
		class = "() {\n\tainitLockNames()\n\taprefixIndex = locking.NewMutexClass(reflect.TypeFor[aMutex](), alockNames)\n}\n"
	)
	for text, want := range map[string]string{
		start + add + lock + del + end + "init" + class:                                start + "\n" + lock + "\n" + end + "_" + class,
		start + lock + end + "init" + class:                                            "", // without calls
		start + add + lock + del + "}\n":                                               "", // without init
		start + add + lock + end + "init" + class + "func init() {}\n":                 "", // with another one
		start + add + "\tlocking.AddGLock(other(), 2)\n" + lock + end + "init" + class: "", // a call of another kind
	} {
		if got, ok := silentLock(text); ok != (want != "") || ok && got != want {
			t.Errorf("%q becomes %q, %v", text, got, ok)
		}
	}
}

// A cut that takes away what a build tag is for isn't made with that tag.
func TestCutAndTag(t *testing.T) {
	goroot, dirs := sources(t)
	for _, tag := range []string{"", "lockdep"} {
		_, made, err := makeCuts(t.TempDir(), goroot, dirs, func(c *cut, _ string) bool { return tag != "" && c.tag == tag })
		if err != nil {
			t.Fatal(err)
		}
		if runtime.GOOS != "windows" && slices.Contains(made, Cut{gvisor, "names of gVisor's locks"}) != (tag == "") {
			t.Errorf("tag %q: cuts %v", tag, made)
		}
	}
}

// Words are looked for in all of the program but the standard library and the package that
// is cut, as the go command sees it; where that can't be, they count as found.
func TestNamed(t *testing.T) {
	dir := module(t, map[string]string{
		"app/main.go":      "package main\n\nimport (\n\t_ \"log/slog\"\n\t_ \"example.test/app/lib\"\n)\n\nfunc main() {}\n",
		"lib/lib.go":       "package lib\n\nvar InLib int\n",
		"lib/lib_test.go":  "package lib\n\nvar inTest int\n",
		"lib/x_windows.go": "package lib\n\nvar elsewhere int\n",
		"other/other.go":   "package other\n\nvar inOther int\n",
	})
	more := filepath.Join(dir, "more.txt")
	if err := os.WriteFile(more, []byte("package main\n\nvar inOverlay int\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	overlay := filepath.Join(dir, "overlay.json")
	if err := writeReplace(overlay, map[string]string{filepath.Join(dir, "app", "more.go"): more}); err != nil {
		t.Fatal(err)
	}
	board, err := boards.ByName("imx6ulevk")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		words   []string
		pkg     string
		overlay string
		tests   bool
		want    bool
	}{
		{words: []string{"InLib"}, want: true},
		{words: []string{"nowhere", "InLi"}, want: true},
		{words: []string{"inOverlay"}, want: true},
		{words: []string{"NewJSONHandler", "nowhere", "elsewhere", "inOther", "inTest"}},
		{words: []string{"inTest"}, pkg: "./lib", tests: true, want: true},
		{words: []string{"inTest"}, pkg: "./lib"},
		{words: []string{"nowhere"}, pkg: "./none", want: true},
		{words: []string{"nowhere"}, overlay: "none.json", want: true},
		{pkg: "./none"},
	} {
		b := builder{opt: Options{Package: []string{"./app"}, Dir: dir}, board: board, tests: c.tests}
		if c.pkg != "" {
			b.opt.Package[0] = c.pkg
		}
		if c.overlay == "" {
			c.overlay = overlay
		}
		named := b.names(testContext(t), c.overlay)
		if got := named(&cut{unnamed: c.words, files: []string{"sub/a.go"}}, dir); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
		if c.want && c.pkg == "" && c.overlay == overlay && c.words[0] == "InLib" && named(&cut{unnamed: c.words, files: []string{"lib/lib.go"}}, dir) {
			t.Errorf("%+v: found in what is cut", c)
		}
	}
}

// R² mod p, where R is 2 to the number of bits in the field's words.
func TestFieldCut(t *testing.T) {
	for name, curve := range map[string]elliptic.Curve{"P-224": elliptic.P224(), "P-384": elliptic.P384(), "P-521": elliptic.P521()} {
		words := (curve.Params().BitSize + 63) / 64
		rr := new(big.Int).Lsh(big.NewInt(1), uint(2*64*words))
		rr.Mod(rr, curve.Params().P)
		var list []string
		for range words {
			list = append(list, fmt.Sprintf("%#x", new(big.Int).And(rr, new(big.Int).SetUint64(1<<64-1))))
			rr.Rsh(rr, 64)
		}
		want := strings.NewReplacer("0x0", "0", "0x1}", "1}", "0x1,", "1,").Replace("{" + strings.Join(list, ", ") + "}")
		found := false
		for _, c := range cuts {
			if strings.HasSuffix(c.name, " of "+name) {
				found = true
				if !strings.Contains(c.edits[1].new, "MontgomeryDomainFieldElement"+want+")") {
					t.Errorf("%s: %s isn't %s", name, c.edits[1].new, want)
				}
			}
		}
		if !found {
			t.Errorf("no cut of %s", name)
		}
	}
}

// What is cut of the standard library passes the standard library's own tests: those of
// the curves, of ECDH, ECDSA and Ed25519 on them, of HKDF, of TLS's records and key schedule,
// slog's handlers, and sorting.
func TestStandardLibrary(t *testing.T) {
	if testing.Short() {
		t.Skip("runs tests of the standard library")
	}
	cmd := exec.CommandContext(testContext(t), "go", "test", "-short", "-vet=off", "-overlay="+overlayOfCuts(t),
		"-run=Equivalents|ScalarMult|ScalarBaseMult|P224|P384|P521|ECDH|Vectors|Sign|Verify|KeyGeneration|JSONHandler|TextHandler|SlogTest|Infinity|OffCurve|Marshal|Sort|MinMax|Generator|BasePoint|Encodings|DynamicRecordSizing|CloseWrite|WriteErrors|HKDF|FIPSServiceIndicator|TrafficKey",
		"crypto/internal/fips140test", "crypto/internal/fips140/edwards25519", "crypto/ecdh", "crypto/ecdsa", "crypto/ed25519", "crypto/elliptic", "crypto/hkdf", "crypto/tls", "log/slog", "slices")
	out, err := cmd.CombinedOutput()
	if err != nil || bytes.Count(out, []byte("ok  \t")) != 10 || bytes.Contains(out, []byte("no tests to run")) {
		t.Errorf("%v\n%s", err, out)
	}
}

// In FIPS 140 mode there are random numbers, by the source of entropy whose memory is a cut's.
func TestFIPSRandom(t *testing.T) {
	if testing.Short() {
		t.Skip("runs tests of the standard library")
	}
	cmd := exec.CommandContext(testContext(t), "go", "test", "-short", "-vet=off", "-v", "-overlay="+overlayOfCuts(t), "-run=^(TestRead|TestReadEmpty)$", "crypto/rand")
	cmd.Env = append(os.Environ(), "GODEBUG=fips140=on")
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("--- PASS: TestRead ")) {
		t.Errorf("%v\n%s", err, out)
	}
}

// crypto/tls without Encrypted Client Hello passes those of its tests that do without, too.
func TestWithoutECH(t *testing.T) {
	if testing.Short() {
		t.Skip("runs tests of the standard library")
	}
	overlay := overlayOf(t, func(c *cut) bool { return c.name == "Encrypted Client Hello" })
	cmd := exec.CommandContext(testContext(t), "go", "test", "-short", "-vet=off", "-v", "-overlay="+overlay,
		"-run=^Test(Handshake|Client|Server|Resum|HelloRetry|VerifyHostname|Version|ALPN|KeyUpdate|QUIC|Marshal)", "-skip=ECH", "crypto/tls")
	out, err := cmd.CombinedOutput()
	if err != nil || bytes.Count(out, []byte("--- PASS: Test")) < 20 {
		t.Errorf("%v\n%s", err, out)
	}
}

// A program has Encrypted Client Hello if it names it.
func TestECHNamed(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles for the target")
	}
	if runtime.GOOS == "windows" {
		t.Skip("cuts need a shell")
	}
	dir := module(t, map[string]string{
		"without/main.go": tlsProgram,
		"with/main.go":    strings.Replace(tlsProgram, "nil)\n", "&tls.Config{EncryptedClientHelloConfigList: []byte(os.Args[1])})\n", 1),
	})
	for name, want := range map[string]bool{"without": false, "with": true} {
		out := filepath.Join(dir, name+".elf")
		im, err := Build(testContext(t), Options{Package: []string{"./" + name}, Dir: dir, Output: out, Symbols: true})
		if err != nil {
			t.Fatal(err)
		}
		if slices.Contains(im.Cuts, Cut{"", "Encrypted Client Hello"}) == want {
			t.Errorf("%s is made with %v", name, im.Cuts)
		}
		b, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		for _, symbol := range []string{"crypto/hpke.NewSender", "crypto/tls.decodeInnerClientHello.func"} {
			if bytes.Contains(b, []byte(symbol)) != want {
				t.Errorf("%s: %s is there: %v", name, symbol, !want)
			}
		}
	}
}

// Connections that rest behave as others: the tests of tlsio on our own network, with the
// crypto/tls that images have.
func TestRestingConnections(t *testing.T) {
	if testing.Short() {
		t.Skip("runs tests of another package")
	}
	cmd := exec.CommandContext(testContext(t), "go", "test", "-short", "-vet=off", "-v", "-overlay="+overlayOfCuts(t),
		"-run=^Test(Rest|NoRest|Records|Room|NoRoom|Echo|Conn|Close|Half|Idle|Deadline|Alert|Session|Handshake|Rate|Turns|Admit|Timeout)", "ingot.dev/tlsio")
	cmd.Env = append(os.Environ(), "INGOT_TEST_NETWORK=wire", "INGOT_TEST_RESTS=1")
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("--- PASS: TestRestingConnections")) || !bytes.Contains(out, []byte("--- PASS: TestRecordsTogether")) {
		t.Errorf("%v\n%s", err, out)
	}
}

// overlayOfCuts returns the name of a file for -overlay: what is cut of the standard
// library. Unlike -toolexec, it leaves the rest of that as the cache has it.
func overlayOfCuts(t *testing.T) string {
	t.Helper()
	return overlayOf(t, func(c *cut) bool { return c.unnamed == nil }) // tests name all that there is
}

// overlayOf does so for some of the cuts.
func overlayOf(t *testing.T, wanted func(*cut) bool) string {
	t.Helper()
	goroot, _ := sources(t)
	modules, err := (&builder{}).run(testContext(t), "env", "GOMODCACHE")
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasPrefix(goroot, strings.TrimSpace(modules)) {
		t.Skip("the go command overlays no files of a downloaded toolchain")
	}
	temp, replace := t.TempDir(), map[string]string{}
	for i, c := range cuts {
		if c.module != "" || !wanted(&c) {
			continue
		}
		files, err := c.apply(filepath.Join(goroot, "src"))
		if errors.Is(err, errNoCut) {
			continue // TestCutsApply knows whether that is good
		} else if err != nil {
			t.Fatal(err)
		}
		for n, f := range files {
			// What all else is built on takes minutes to rebuild. It has tests of its
			// own on the board: qemu/selftest, and 'ingot test internal/godebug'.
			if in := strings.TrimPrefix(filepath.ToSlash(f.path), filepath.ToSlash(goroot)+"/src/"); slices.Contains([]string{"runtime", "internal", "os", "time"}, in[:strings.IndexByte(in, '/')]) {
				continue
			}
			replace[f.path] = filepath.Join(temp, fmt.Sprint(i, "-", n, ".go"))
			if err := os.WriteFile(replace[f.path], []byte(f.text), 0o666); err != nil {
				t.Fatal(err)
			}
		}
	}
	b, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	overlay := filepath.Join(temp, "overlay.json")
	if err := os.WriteFile(overlay, b, 0o666); err != nil {
		t.Fatal(err)
	}
	return overlay
}

// What slog takes for printable is the same.
func TestIsPrint(t *testing.T) {
	for r := range rune(unicode.MaxRune + 2) {
		if strconv.IsPrint(r) != unicode.IsPrint(r) {
			t.Errorf("%U: %v", r, strconv.IsPrint(r))
		}
	}
}

// A program that asks for what is cut has it, and nothing says that files were changed.
func TestCuts(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles for the target")
	}
	if runtime.GOOS == "windows" {
		t.Skip("cuts need a shell")
	}
	const start = "package main\n\nimport (\n\t\"log/slog\"\n\t\"os\"\n\t_ \"gvisor.dev/gvisor/pkg/log\"\n)\n\nfunc main() { slog.New(slog.New"
	files := map[string]string{
		"text/main.go":  start + "TextHandler(os.Stdout, nil)).Info(\"m\", \"k\", struct{ A int }{1}) }\n",
		"json/main.go":  start + "JSONHandler(os.Stdout, nil)).Info(\"m\", \"k\", struct{ A int }{1}) }\n",
		"gvisor/go.mod": "module gvisor.dev/gvisor\n\ngo 1.26\n",
		// A stand-in for gVisor: what the edits are for, and a file that
		// wouldn't compile.
		"gvisor/pkg/log/log.go": "package log\n\nimport \"regexp\"\n\n" + cuts[1].edits[0].old + "\n\n" +
			"func LocalStack() []byte {\n\t" + cuts[1].edits[1].old + "nil, nil)\n}\n",
		"gvisor/pkg/log/log_state_autogen.go": "package log\n\nfunc init() { thereIsNoSuchThing() }\n",
	}
	dir := module(t, files)
	gomod := filepath.Join(dir, "go.mod")
	b, err := os.ReadFile(gomod)
	if err != nil {
		t.Fatal(err)
	}
	b = append(b, "\nrequire gvisor.dev/gvisor v0.0.0\n\nreplace gvisor.dev/gvisor => ./gvisor\n"...)
	if err := os.WriteFile(gomod, b, 0o666); err != nil {
		t.Fatal(err)
	}
	temp := t.TempDir()
	for name, want := range map[string]bool{"text": false, "json": true} {
		out := filepath.Join(temp, name)
		im, err := Build(testContext(t), Options{Package: []string{"./" + name}, Dir: dir, Output: out, Symbols: true})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(im.Cuts, Cut{gvisor, "gVisor's saving and restoring"}) || !slices.ContainsFunc(im.Cuts, func(c Cut) bool { return c.Module == "" }) {
			t.Errorf("%s is said to be made with %v", name, im.Cuts)
		}
		if slices.Contains(im.Cuts, Cut{"", "encoding/json in slog's text handler"}) == want {
			t.Errorf("%s is said to be made with %v", name, im.Cuts)
		}
		image, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		for symbol, want := range map[string]bool{
			"encoding/json.(*Encoder).Encode":    want,
			"encoding/json.":                     want, // nor what is there from the start
			"log/slog.(*TextHandler).Handle":     !want,
			"regexp.MustCompile":                 false,
			"crypto/x509.(*CertPool).AppendCert": false,
		} {
			if bytes.Contains(image, []byte(symbol)) != want {
				t.Errorf("%s: %s is there: %v", name, symbol, !want)
			}
		}
		for _, bad := range []string{"cut0-0.go", "cut1-0.go", "toolexec", "ingot-image-"} {
			if bytes.Contains(image, []byte(bad)) {
				t.Errorf("%s tells of %s", name, bad)
			}
		}
	}
	// Sources as they are; this one doesn't compile.
	for name, opt := range map[string]Options{"stock": {Stock: true}, "own -toolexec": {Flags: []string{"-toolexec=env"}}} {
		opt.Package, opt.Dir, opt.Output = []string{"./text"}, dir, filepath.Join(temp, "stock")
		if _, err := Build(testContext(t), opt); err == nil || !strings.Contains(err.Error(), "undefined: thereIsNoSuchThing") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCutRefused(t *testing.T) {
	c := cut{files: []string{"a.go", "b.go"}, edits: []edit{{"old", "new"}}}
	dir := t.TempDir()
	if _, err := c.apply(dir); !errors.Is(err, errNoCut) {
		t.Errorf("without files: %v", err)
	}
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	write("a.go", "something else")
	if _, err := c.apply(dir); !errors.Is(err, errNoCut) {
		t.Errorf("a file that reads differently: %v", err)
	}
	write("b.go", "an old thing")
	if f, err := c.apply(dir); err != nil || len(f) != 1 || filepath.Base(f[0].path) != "b.go" || f[0].text != "an new thing" {
		t.Errorf("%v, %v", f, err)
	}
	// All files or none.
	c.also = []part{{file: "c.go", edits: []edit{{"one", "two"}}, more: "\nand more"}}
	if f, err := c.apply(dir); !errors.Is(err, errNoCut) {
		t.Errorf("without the second file: %v, %v", f, err)
	}
	write("c.go", "no such thing")
	if f, err := c.apply(dir); !errors.Is(err, errNoCut) {
		t.Errorf("a second file that reads differently: %v, %v", f, err)
	}
	write("c.go", "just one")
	if f, err := c.apply(dir); err != nil || len(f) != 2 || f[1].text != "just two\nand more" {
		t.Errorf("%v, %v", f, err)
	}
}
