package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ingot.dev/board/boards"
)

func newTestToolchain(t *testing.T, ctx context.Context) *toolchain {
	t.Helper()
	board, err := boards.ByName("")
	if err != nil {
		t.Fatal(err)
	}
	tc, err := newToolchain(ctx, board)
	if err != nil {
		t.Fatal(err)
	}
	return tc
}

func TestToolchain(t *testing.T) {
	tc := newTestToolchain(t, t.Context())
	if !strings.HasPrefix(tc.version, "go1.") {
		t.Errorf("version %q", tc.version)
	}
	for tag, want := range map[string]bool{
		"linux": true, "unix": true, "arm": true, "gc": true, "go1.1": true, "go1.26": true, "test_run": true,
		"go1.9999": false, "amd64": false, "cgo": false, "imx6ulevk": false, "": false, "goexperiment.fieldtrack": false,
	} {
		if got := tc.tag(tag); got != want {
			t.Errorf("tag %q: %v, want %v", tag, got, want)
		}
	}
}

// Every action, and every way to fail, with programs that boot.
func TestTry(t *testing.T) {
	if testing.Short() {
		t.Skip("starts QEMU")
	}
	root := writeTree(t, map[string]string{
		"hello.go":            "// run\npackage main\nfunc main() { print(\"a\\rb\\r\\n\"); println(\"c\") }\n",
		"hello.out":           "a\rb\r\nc\n",
		"silent.go":           "// run\npackage main\nfunc main() {}\n",
		"noise.go":            "// run\npackage main\nfunc main() { println(\"noise\") }\n",
		"wrong.go":            "// run\npackage main\nfunc main() { println(1); println(2) }\n",
		"wrong.out":           "1\n3\n",
		"status.go":           "// run\npackage main\nimport \"os\"\nfunc main() { println(\"why\"); os.Exit(3) }\n",
		"panics.go":           "// run\npackage main\nfunc main() { panic(\"told to\") }\n",
		"hangs.go":            "// run -t 1\npackage main\nfunc main() { for { } }\n",
		"floods.go":           "// run\npackage main\nfunc main() { b := make([]byte, 1000); for { print(string(b)) } }\n",
		"broken.go":           "// run\npackage main\nfunc main() { x }\n",
		"args.go":             "// run more.go a \"b c\"\npackage main\nimport \"os\"\nfunc main() { more(len(os.Args), os.Args[2]) }\n",
		"args.out":            "3 b c\n",
		"more.go":             "package main\nfunc more(n int, s string) { println(n, s) }\n",
		"flags.go":            "// run -gcflags=-d=maymorestack=main.more\npackage main\nvar n int\n//go:nosplit\nfunc more() { n++ }\nfunc main() { if f(); n == 0 { panic(n) } }\n//go:noinline\nfunc f() { var a [100]int; g(&a) }\n//go:noinline\nfunc g(a *[100]int) { a[1]++ }\n",
		"race.go":             "// run -race\npackage main\nfunc main() {}\n",
		"godebug.go":          "// run -godebug x=1\npackage main\nimport \"os\"\nfunc main() { print(os.Getenv(\"GODEBUG\")) }\n",
		"godebug.out":         "x=1",
		"experiment.go":       "// run -goexperiment x\npackage main\nfunc main() {}\n",
		"dir.go":              "// rundir\n",
		"dir.dir/a.go":        "package a\nfunc F() { println(\"in a\") }\n",
		"dir.dir/main.go":     "package main\nimport \"./a\"\nfunc main() { a.F() }\n",
		"dir.out":             "in a\n",
		"fails.go":            "// errorcheckandrundir -1\n",
		"fails.dir/a.go":      "package a\nfunc F() { x }\n",
		"fails.dir/main.go":   "package main\nfunc main() { }\n",
		"library.go":          "// rundir\n",
		"library.dir/a.go":    "package a\n",
		"generated.go":        "// runoutput\npackage main\nfunc main() { println(`package main`); println(`func main() { println(\"generated\") }`) }\n",
		"generated.out":       "generated\n",
		"asm.go":              "// buildrundir\n",
		"asm.dir/main.go":     "package main\nconst answer = 42\nfunc f() int32\nfunc main() { println(f()) }\n",
		"asm.dir/f.s":         "#include \"go_asm.h\"\nTEXT ·f(SB),4,$0-4\n\tMOVW $const_answer, R0\n\tMOVW R0, ret+0(FP)\n\tRET\n",
		"asm.out":             "42\n",
		"module.go":           "// runindir\n",
		"typeparam/nested.go": "// buildrun\npackage main\nfunc main() {}\n",
	})
	wants := map[string]string{ // substring of the error
		"noise.go":      "should print nothing, but prints:\nnoise\n",
		"wrong.go":      `wrong.out: line 2 is "2\n", want "3\n"`,
		"status.go":     "exit status 3; console:\n\twhy",
		"panics.go":     "panic: told to",
		"hangs.go":      errHangs.Error(),
		"floods.go":     "and went on",
		"broken.go":     "undefined: x",
		"race.go":       "-race",
		"experiment.go": "GOEXPERIMENT=x",
		"library.go":    "not main",
		"module.go":     "runindir",
	}
	ctx := t.Context()
	tc := newTestToolchain(t, ctx)
	if err := tc.compilePackages(ctx, "os"); err != nil {
		t.Fatal(err)
	}
	programs, err := findPrograms(root, tc.tag)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range programs {
		t.Run(p.name, func(t *testing.T) {
			limit := 2 * time.Minute
			if p.recipe.limit > 0 {
				limit = 5 * time.Second // never ends anyway
			}
			err := try(ctx, tc, p, limit)
			want := wants[p.name]
			if err == nil && want != "" || err != nil && (want == "" || !strings.Contains(err.Error(), want)) {
				t.Errorf("%v, want %q", err, want)
			}
		})
	}
}

func TestSuite(t *testing.T) {
	var out bytes.Buffer
	s := suite{
		exceptions: map[string]string{"expected.go": "no files", "stale.go": "no exec"},
		out:        &out,
		try: func(p program) error {
			if p.name == "bad.go" || p.name == "expected.go" {
				return fmt.Errorf("%s is bad\nsecond line", p.name)
			}
			return nil
		},
	}
	programs := []program{{name: "good.go"}, {name: "bad.go"}, {name: "expected.go"}, {name: "stale.go"}, {name: "wasm.go", excluded: "//go:build wasm"}}
	c := s.run(t.Context(), programs, 3)
	if c.String() != "1 passed, 2 failed, 2 skipped" {
		t.Errorf("%v\n%s", c, &out)
	}
	slices.Sort(s.failed)
	if !slices.Equal(s.failed, []string{"bad.go", "stale.go"}) {
		t.Errorf("failed: %q", s.failed)
	}
	for _, want := range []string{
		"PASS good.go", "FAIL bad.go", ": bad.go is bad\nsecond line\n",
		"SKIP expected.go", ": no files (expected.go is bad second line)\n",
		"FAIL stale.go", ": it passes, but exceptions.txt has it: no exec\n", "SKIP wasm.go", ": //go:build wasm\n", "5/5",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
}

// Once the context ends, nothing is counted any more.
func TestSuiteCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := suite{out: &bytes.Buffer{}, try: func(program) error { cancel(); return errors.New("killed") }}
	if c := s.run(ctx, make([]program, 100), 4); c != (counts{}) {
		t.Errorf("%v", c)
	}
}

func TestDifference(t *testing.T) {
	for _, c := range []struct{ got, want, text string }{
		{"a\nb\n", "a\nc\n", `line 2 is "b\n", want "c\n"`},
		{"a", "a\n", `line 1 is "a", want "a\n"`},
		{"a\n", "a\nb", `line 2 is "", want "b"`},
		{"", "a\nb\n", `line 1 is "", want "a\n"`},
	} {
		if text := difference(c.got, c.want); text != c.text {
			t.Errorf("%q and %q: %s, want %s", c.got, c.want, text, c.text)
		}
	}
	if got := shorten(strings.Repeat("x\n", 30)); strings.Count(got, "x") != 20 || !strings.HasSuffix(got, "...") {
		t.Errorf("shortened: %q", got)
	}
	if got := shorten("x\ny"); got != "x\ny" {
		t.Errorf("shortened: %q", got)
	}
}

func TestOneLine(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"a b", "a b"},
		{"a;\n\tb\n", "a; b"},
		{strings.Repeat("x", 121), strings.Repeat("x", 120) + "..."},
		{strings.Repeat("x", 119) + "äx", strings.Repeat("x", 119) + "..."},
	} {
		if got := oneLine(errors.New(c.text)); got != c.want {
			t.Errorf("%q: %q, want %q", c.text, got, c.want)
		}
	}
}

func TestRunErrors(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"-run", "["}, "-run"},
		{[]string{"-run", "no such program", "-dir", writeTree(t, nil)}, "exceptions.txt is stale"},
		{[]string{"-dir", "/nowhere"}, "/nowhere is not a directory"},
		{[]string{"-board", "toaster"}, "toaster"},
		{[]string{"-j", "0"}, "at least 1"},
		{[]string{"chan"}, "no arguments"},
		{[]string{"-nonsense"}, "nonsense"},
	} {
		var stdout, stderr bytes.Buffer
		if code := run(t.Context(), c.args, &stdout, &stderr); code != exitError || !strings.Contains(stderr.String(), c.want) {
			t.Errorf("%q: status %d, %q; want %q", c.args, code, &stderr, c.want)
		}
	}
}

// A toolchain that the go command has downloaded has no tests.
func TestNoTestDirectory(t *testing.T) {
	_, err := testDirectory("", &toolchain{goroot: t.TempDir(), version: "go1.99"})
	if err == nil || !strings.Contains(err.Error(), "go1.99 comes without its tests") || !strings.Contains(err.Error(), "-dir") {
		t.Errorf("%v", err)
	}
}
