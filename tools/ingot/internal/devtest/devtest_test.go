package devtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"ingot.dev/internal/testenv"
	"ingot.dev/qemu"
	"ingot.dev/tools/image"
)

// The test binary is also the program of go test's -exec.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "boot" {
		code, err := Boot(context.Background(), os.Args[2:], os.Stdout)
		if err != nil {
			fmt.Println(err)
			code = 1
		}
		os.Exit(code)
	}
	os.Exit(m.Run())
}

// needMachine returns a context for tests that boot.
func needMachine(t *testing.T) context.Context {
	t.Helper()
	if testing.Short() {
		t.Skip("boots images")
	}
	if _, err := qemu.Find(""); errors.Is(err, qemu.ErrNoQEMU) {
		t.Skip(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// module writes a module that uses this checkout of Ingot, with what that requires.
func module(t *testing.T, files map[string]string) string {
	t.Helper()
	root, err := filepath.Abs("../../../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{
		"go.mod": strings.Replace(string(mod), "module ingot.dev\n", "module example.test/app\n", 1) +
			"\nrequire ingot.dev v0.0.0\n\nreplace ingot.dev => " + root + "\n",
		"go.sum": string(sum),
	}
	maps.Copy(all, files)
	testenv.WriteFiles(t, dir, all)
	return dir
}

// options are for the packages of a module.
func options(t *testing.T, dir string, out io.Writer, packages ...string) Options {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return Options{
		Image: image.Options{Package: packages, Dir: dir},
		Flags: []string{"-vet=off"},
		Exec:  []string{self, "boot"},
		Out:   out,
		Err:   out,
	}
}

const outcomes = `package p

import (
	"fmt"
	"os"
	"testing"
	"time"
)

func TestPass(t *testing.T)  { t.Log("well") }
func TestFail(t *testing.T)  { t.Error("it is bad") }
func TestSkip(t *testing.T)  { t.Skip("not here") }
func TestPanic(t *testing.T) { panic("on purpose") }
func TestNil(t *testing.T)   { var p *int; *p = 1 }
func TestExit(t *testing.T)  { fmt.Print("no line end"); os.Exit(7) }
func TestQuiet(t *testing.T) { os.Exit(9) }
func TestHang(t *testing.T)  { select {} }
func TestSpin(t *testing.T)  { for { } }
func TestSleep(t *testing.T) { time.Sleep(time.Hour) } // the runtime calls it no deadlock
func TestDead(t *testing.T)  { go func() { panic("in the background") }(); select {} }
func TestMemory(t *testing.T) {
	var keep [][]byte
	for {
		keep = append(keep, make([]byte, 16<<20))
		for i := 0; i < 16<<20; i += 4096 {
			keep[len(keep)-1][i] = 1
		}
	}
}
func BenchmarkB(b *testing.B) { for b.Loop() { } }
func ExampleP() {
	fmt.Println("example")
	// Output: example
}
`

// TestOutcomes compares what comes of tests on a board with what go test makes of the
// same tests on this machine: what it prints, and its status. Numbers differ, and so
// do the places in a trace.
func TestOutcomes(t *testing.T) {
	ctx := needMachine(t)
	dir := module(t, map[string]string{"p/p_test.go": outcomes, "none/none.go": "package none\n", "broken/b_test.go": "package broken\n\nvar _ = nothing\n"})
	for _, c := range []struct {
		name  string
		flags []string
		pkgs  []string // none: that of the folder p, as the current one
		// has are regular expressions that the board's output must match; with
		// same, it is also what this machine prints.
		has  []string
		same bool
	}{
		{"passes", []string{"-run=Pass|Skip|Example"}, []string{"./p"}, []string{`^ok  \texample.test/app/p\t\d`}, true},
		{"the current folder", []string{"-run=Pass"}, nil, []string{`(?m)^PASS\nok  \t`}, true},
		{"verbose", []string{"-run=Pass|Skip|Example", "-v"}, []string{"./p"}, []string{`(?m)^--- SKIP: TestSkip`, `(?m)^--- PASS: ExampleP`}, true},
		{"json", []string{"-run=Pass|Skip", "-json"}, []string{"./p"}, []string{`"Action":"skip".*"Test":"TestSkip"`}, true},
		{"fails", []string{"-run=Pass|Fail"}, []string{"./p"}, []string{`(?m)^    p_test.go:11: it is bad$`}, true},
		{"fails fast", []string{"-run=Fail|Exit", "-failfast"}, []string{"./p"}, []string{`(?m)^FAIL$`}, true},
		{"no test of that name", []string{"-run=Nothing"}, []string{"./p"}, []string{`\[no tests to run\]`}, true},
		{"list", []string{"-list=Pa"}, []string{"./p"}, []string{`(?m)^TestPanic$`}, true},
		{"packages", []string{"-run=Pass"}, []string{"./p", "./none", "./broken"}, []string{`(?m)^\?   \texample.test/app/none\t\[no test files\]$`, `(?m)^FAIL\texample.test/app/broken \[build failed\]$`, `undefined: nothing`}, true},
		{"not there", nil, []string{"./nowhere"}, []string{`nowhere.*\[setup failed\]`}, true},
		{"exits", []string{"-run=Exit"}, []string{"./p"}, []string{`(?m)^no line end$`}, true},
		{"exits quietly", []string{"-run=Quiet"}, []string{"./p"}, []string{`(?m)^exit status 9$`}, true},
		{"panics", []string{"-run=TestPanic"}, []string{"./p"}, []string{`(?m)^--- FAIL: TestPanic`, `(?m)^panic: on purpose`, `p_test.go:13`}, false},
		{"nil", []string{"-run=Nil"}, []string{"./p"}, []string{`invalid memory address or nil pointer dereference`, `p_test.go:14`}, false},
		{"a goroutine panics", []string{"-run=Dead"}, []string{"./p"}, []string{`panic: in the background`, `p_test.go:20`}, false},
		{"hangs", []string{"-run=Hang", "-timeout=2s"}, []string{"./p"}, []string{`panic: test timed out after 2s`, `TestHang`, `p_test.go:17`}, false},
		{"spins", []string{"-run=Spin", "-timeout=2s"}, []string{"./p"}, []string{`panic: test timed out after 2s`, `TestSpin`}, false},
		{"out of memory", []string{"-run=Memory"}, []string{"./p"}, []string{`fatal error: runtime: (out of memory|cannot allocate memory)`, `p_test.go:2\d`}, false},
		{"benchmark", []string{"-run=^$", "-bench=.", "-benchtime=10x", "-benchmem"}, []string{"./p"}, []string{`(?m)^BenchmarkB\S*\s+10\s.*allocs/op$`, `(?m)^goarch: arm$`}, false},
		{"count", []string{"-run=Pass", "-count=3", "-v"}, []string{"./p"}, []string{`(?s)(RUN   TestPass.*){3}`}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out bytes.Buffer
			in := dir
			if c.pkgs == nil {
				in = filepath.Join(dir, "p")
			}
			o := options(t, in, &out, c.pkgs...)
			o.Flags = append(o.Flags, c.flags...)
			err := Run(ctx, o)
			code := 0
			if failed := (*FailedError)(nil); errors.As(err, &failed) {
				code = failed.Code
			} else if err != nil {
				t.Fatal(err)
			}
			for _, re := range c.has {
				if !regexp.MustCompile(re).MatchString(out.String()) {
					t.Errorf("no %q in:\n%s", re, out.String())
				}
			}
			if !c.same {
				if passes := strings.HasPrefix(c.name, "bench"); (code == 0) != passes {
					t.Errorf("status %d:\n%s", code, out.String())
				}
				return
			}
			host := exec.CommandContext(ctx, "go", slices.Concat([]string{"test", "-vet=off"}, c.flags, c.pkgs)...)
			host.Dir = in
			want, err := host.CombinedOutput()
			if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
				t.Fatal(err)
			}
			if wantCode := host.ProcessState.ExitCode(); code != wantCode {
				t.Errorf("status %d, want %d", code, wantCode)
			}
			if got, want := alike(out.String()), alike(string(want)); got != want {
				t.Errorf("on the board:\n%s\non this machine:\n%s", got, want)
			}
		})
	}
}

// alike takes out of go test's output what differs between two runs.
func alike(s string) string {
	s = regexp.MustCompile(`"Time":"[^"]*",|"Elapsed":[0-9.e-]+`).ReplaceAllString(s, "")
	s = regexp.MustCompile(`\(cached\)|[0-9]+\.[0-9]+s`).ReplaceAllString(s, "T")
	return s
}

// TestMachineArguments has what is for the machine, and what is for the tests.
func TestMachineArguments(t *testing.T) {
	ctx := needMachine(t)
	dir := module(t, map[string]string{"p/p_test.go": `package p

import (
	"flag"
	"os"
	"testing"
)

var word = flag.String("word", "", "")

func TestX(t *testing.T) { t.Log(*word, flag.Args(), os.Getenv("WHO")) }
`})
	var out bytes.Buffer
	o := options(t, dir, &out, "./p")
	o.Flags = append(o.Flags, "-v")
	o.Args = []string{"-word=two words", "left", "a'b"}
	o.Env = []string{"WHO=some \"one\""}
	if err := Run(ctx, o); err != nil || !strings.Contains(out.String(), `two words [left a'b] some "one"`) {
		t.Errorf("%v:\n%s", err, out.String())
	}
}

// TestInterrupt ends a test that would never end. Nothing is left running.
func TestInterrupt(t *testing.T) {
	ctx := needMachine(t)
	dir := module(t, map[string]string{"p/p_test.go": outcomes})
	ctx, cancel := context.WithCancelCause(ctx)
	mine := errors.New("enough")
	o := options(t, dir, io.Discard, "./p")
	o.Flags = append(o.Flags, "-run=Sleep", "-timeout=0")
	seen := make(chan []string, 1)
	o.Watch = func(running []string) {
		if len(running) > 0 {
			select {
			case seen <- running:
			default:
			}
			cancel(mine)
		}
	}
	if err := Run(ctx, o); !errors.Is(err, mine) {
		t.Errorf("%v", err)
	}
	select {
	case got := <-seen:
		if !slices.Equal(got, []string{"p"}) {
			t.Errorf("%v were running", got)
		}
	default:
		t.Error("nothing was seen to run")
	}
}

// start boots a test that hangs, as go test would, and waits until it runs.
func start(t *testing.T) (*exec.Cmd, *bytes.Buffer, chan error) {
	t.Helper()
	ctx := needMachine(t)
	dir := module(t, map[string]string{"p/p_test.go": outcomes})
	tests, err := image.PrepareTests(ctx, image.Options{Package: []string{"./p"}, Dir: dir}, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "p.test")
	build := exec.CommandContext(ctx, "go", slices.Concat([]string{"test", "-c", "-vet=off", "-o", file}, tests.Args, tests.Packages)...)
	build.Dir, build.Env = dir, tests.Env
	if msg, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, msg)
	}
	setting, _ := json.Marshal(machine{Running: t.TempDir()})
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, self, "boot", file, "-test.testlogfile="+filepath.Join(t.TempDir(), "log"), "-test.v", "-test.run=Sleep")
	cmd.Env = append(os.Environ(), machineVar+"="+string(setting))
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	out := &bytes.Buffer{} // the goroutine's, until the process has ended
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	running, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		buf := make([]byte, 1000)
		begun := false
		for {
			n, err := pipe.Read(buf)
			out.Write(buf[:n])
			if !begun && strings.Contains(out.String(), "=== RUN   TestSleep\n") {
				begun = true
				close(running)
			}
			if err != nil {
				break
			}
		}
		ended <- cmd.Wait()
	}()
	select {
	case <-running:
	case err := <-ended:
		t.Fatalf("%v:\n%s", err, out)
	}
	return cmd, out, ended
}

// TestQuit has go test lose patience.
func TestQuit(t *testing.T) {
	cmd, out, ended := start(t)
	if err := cmd.Process.Signal(syscall.SIGQUIT); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; cmd.ProcessState.ExitCode() != 1 || !strings.Contains(out.String(), errTimeout.Error()) {
		t.Errorf("%v:\n%s", err, out)
	}
}

func TestBootRefuses(t *testing.T) {
	if _, err := Boot(t.Context(), []string{"x"}, io.Discard); !errors.Is(err, ErrNoMachine) {
		t.Errorf("%v", err)
	}
	t.Setenv(machineVar, "{}")
	if _, err := Boot(t.Context(), nil, io.Discard); !errors.Is(err, ErrNoMachine) {
		t.Errorf("%v", err)
	}
	t.Setenv(machineVar, "nonsense")
	if _, err := Boot(t.Context(), []string{"x"}, io.Discard); err == nil {
		t.Error("no error")
	}
}

func TestGuestArgs(t *testing.T) {
	got := guestArgs([]string{"-test.paniconexit0", "-test.testlogfile=/tmp/x", "-test.run=A", "-test.gocoverdir=y", "-args", "-test.testlogfile=z"})
	if want := []string{"-test.paniconexit0", "-test.run=A", "-args", "-test.testlogfile=z"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestQuote(t *testing.T) {
	for _, c := range []struct {
		in   []string
		want string
	}{
		{[]string{"/bin/ingot", "boot"}, "/bin/ingot boot"},
		{[]string{"/my programs/ingot", "boot"}, "'/my programs/ingot' boot"},
		{[]string{"/it's/ingot"}, `"/it's/ingot"`},
		{[]string{`/"it's"/ingot`}, ""},
	} {
		if got, err := quote(c.in); got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%q: %q, %v; want %q", c.in, got, err, c.want)
		}
	}
}

// Lines come as a program wrote them, wherever the console's pieces end.
func TestLines(t *testing.T) {
	const console, want = "one\r\ntwo\rthree\r\r\n\r\n", "one\ntwo\rthree\r\n\n"
	for n := 1; n <= len(console); n++ {
		var out strings.Builder
		l := &lines{w: &out}
		for at := 0; at < len(console); at += n {
			piece := console[at:min(at+n, len(console))]
			if w, err := l.Write([]byte(piece)); w != len(piece) || err != nil {
				t.Fatal(w, err)
			}
		}
		if out.String() != want {
			t.Errorf("in pieces of %d: %q, want %q", n, out.String(), want)
		}
	}
}
