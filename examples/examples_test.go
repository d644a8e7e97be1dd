//go:build linux

// Package examples holds no code: its tests run the examples as their READMEs say. Each of
// those is a module of its own, as 'ingot new' makes them.
package examples

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/mod/modfile"

	"ingot.dev/internal/testenv"
	"ingot.dev/qemu"
)

// patience is for one command, or for what is to appear: far more than either takes.
const patience = 5 * time.Minute

// modules are the examples in Go.
func modules(t *testing.T) (dirs []string) {
	t.Helper()
	files, err := filepath.Glob("*/go.mod")
	if err != nil || len(files) < 3 {
		t.Fatalf("modules: %q, %v", files, err)
	}
	for _, f := range files {
		dirs = append(dirs, filepath.Dir(f))
	}
	return dirs
}

// What the modules require is of the version that Ingot requires: otherwise the go command
// wants to change their go.mod before it builds anything.
func TestModules(t *testing.T) {
	parse := func(file string) *modfile.File {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		f, err := modfile.Parse(file, data, nil)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	ingot := parse("../go.mod")
	versions := map[string]string{}
	for _, r := range ingot.Require {
		versions[r.Mod.Path] = r.Mod.Version
	}
	for _, dir := range modules(t) {
		m := parse(filepath.Join(dir, "go.mod"))
		if m.Go.Version != ingot.Go.Version {
			t.Errorf("%s/go.mod: go %s, but Ingot has %s", dir, m.Go.Version, ingot.Go.Version)
		}
		for _, r := range m.Require {
			if r.Mod.Path != "ingot.dev" && r.Mod.Version != versions[r.Mod.Path] {
				t.Errorf("%s/go.mod requires %s, but Ingot %q: take over its require lines, and its go.sum", dir, r.Mod, versions[r.Mod.Path])
			}
		}
	}
}

// TestREADME runs what each README has in its blocks "console", in order: lines that begin
// with "$ " are commands, the others are output that must come, where "…" stands for
// anything in a line. A command that ends with " &" goes on until the README's end. Ports
// are free ones.
func TestREADME(t *testing.T) {
	if testing.Short() {
		t.Skip("builds images and boots them")
	}
	if _, err := qemu.Find(""); err != nil {
		t.Skip(err)
	}
	testenv.Program(t, "openssl", "openssl")
	bin := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", filepath.Join(bin, "ingot"), "ingot.dev/tools/ingot").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, dir := range modules(t) {
		t.Run(dir, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join(dir, "README.md"))
			if err != nil {
				t.Fatal(err)
			}
			s := newShell(t, bin, copyModule(t, dir))
			for _, st := range steps(t, otherPorts(t, string(text))) {
				s.run(st)
			}
		})
	}
}

// TestBoards vets the examples for the boards that QEMU is not started for.
func TestBoards(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles for boards")
	}
	for _, dir := range modules(t) {
		module := copyModule(t, dir)
		store := filepath.Join(module, "certs", "image")
		if err := os.MkdirAll(store, 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(store, "note.txt"), nil, 0o666); err != nil {
			t.Fatal(err)
		}
		for _, board := range []string{"imx6ullevk", "usbarmory"} {
			cmd := exec.Command("go", "vet", "-tags", board, ".")
			cmd.Dir = module
			cmd.Env = append(cmd.Environ(), "GOOS=linux", "GOARCH=arm", "GOARM=7", "CGO_ENABLED=0")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s for %s: %v\n%s", dir, board, err, out)
			}
		}
	}
}

// copyModule copies a module, without its certificates, to a folder of the same name from
// where Ingot is still found.
func copyModule(t *testing.T, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), dir)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(dir, path)
		switch {
		case err != nil:
			return err
		case d.IsDir() && rel == "certs":
			return fs.SkipDir
		case d.IsDir():
			return os.MkdirAll(filepath.Join(to, rel), 0o777)
		case !slices.Contains([]string{".go", ".mod", ".sum"}, filepath.Ext(path)):
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), data, 0o666)
	})
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "mod", "edit", "-replace", "ingot.dev="+root)
	cmd.Dir = to
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return to
}

var portNumber = regexp.MustCompile(`\b8[48][0-9]{2}\b`)

// otherPorts puts free ports in the place of the README's.
func otherPorts(t *testing.T, text string) string {
	t.Helper()
	ports := map[string]string{} // the README's, and what stands for them
	return portNumber.ReplaceAllStringFunc(text, func(number string) string {
		for ports[number] == "" {
			port, err := testenv.FreePort()
			if err != nil {
				t.Fatal(err)
			}
			if free := strconv.Itoa(port); !slices.Contains(slices.Collect(maps.Values(ports)), free) {
				ports[number] = free
			}
		}
		return ports[number]
	})
}

// step is a command and the output that it must lead to.
type step struct {
	command    string
	background bool
	want       []string
}

var console = regexp.MustCompile("(?ms)^```console\n(.*?)^```$")

func steps(t *testing.T, text string) (list []step) {
	t.Helper()
	for _, block := range console.FindAllStringSubmatch(text, -1) {
		for line := range strings.Lines(block[1]) {
			line = strings.TrimSuffix(line, "\n")
			command, ok := strings.CutPrefix(line, "$ ")
			switch {
			case ok:
				command, background := strings.CutSuffix(command, " &")
				list = append(list, step{command: command, background: background})
			case len(list) == 0:
				t.Fatalf("%q comes before any command", line)
			default:
				last := &list[len(list)-1]
				last.want = append(last.want, line)
			}
		}
	}
	if len(list) == 0 {
		t.Fatal("no commands were found")
	}
	return list
}

// shell runs commands in a folder. What all of them print is in one place, as in a terminal.
type shell struct {
	t        *testing.T
	bin, dir string

	mu     sync.Mutex
	output []byte
	more   chan struct{} // closed when there is more of it
}

func newShell(t *testing.T, bin, dir string) *shell {
	s := &shell{t: t, bin: bin, dir: dir, more: make(chan struct{})}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s", s.output)
		}
	})
	return s
}

func (s *shell) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.output = append(s.output, p...)
	close(s.more)
	s.more = make(chan struct{})
	return len(p), nil
}

// since returns what was printed from a position on, and what is closed when there is more.
func (s *shell) since(from int) (string, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.output[from:]), s.more
}

func (s *shell) run(st step) {
	s.t.Helper()
	fmt.Fprintf(s, "$ %s\n", st.command)
	s.mu.Lock()
	from := len(s.output)
	s.mu.Unlock()
	ended := s.start(st.command)
	limit := time.After(patience)
	if !st.background {
		select {
		case err := <-ended:
			if err != nil {
				s.t.Fatalf("%s: %v", st.command, err)
			}
		case <-limit:
			s.t.Fatalf("%s does not end", st.command)
		}
		text, _ := s.since(from)
		if missing := firstMissing(text, st.want); missing != "" {
			s.t.Fatalf("%s has not printed %q", st.command, missing)
		}
		return
	}
	for {
		text, more := s.since(from)
		missing := firstMissing(text, st.want)
		if missing == "" {
			return
		}
		select {
		case <-more:
		case err := <-ended:
			s.t.Fatalf("%s ended (%v) without printing %q", st.command, err, missing)
		case <-limit:
			s.t.Fatalf("%s: %q did not come", st.command, missing)
		}
	}
}

// firstMissing returns the first line of want that is not in text behind those before it.
func firstMissing(text string, want []string) string {
	for _, line := range want {
		pattern := strings.ReplaceAll(regexp.QuoteMeta(line), "…", ".*")
		at := regexp.MustCompile(pattern).FindStringIndex(text)
		if at == nil {
			return line
		}
		text = text[at[1]:]
	}
	return ""
}

// start starts a command in a group of processes of its own, which ends with the test. What
// it returns has the command's end.
func (s *shell) start(command string) <-chan error {
	s.t.Helper()
	cmd := exec.Command("sh", "-c", command)
	cmd.Dir = s.dir
	cmd.Env = append(cmd.Environ(), "PATH="+s.bin+string(os.PathListSeparator)+os.Getenv("PATH"), "CI=1")
	cmd.Stdout, cmd.Stderr = s, s
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	// A standard input that stays open: openssl s_server ends with it.
	in, err := cmd.StdinPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	ended, gone := make(chan error, 1), make(chan struct{})
	go func() {
		ended <- cmd.Wait()
		close(gone)
	}()
	s.t.Cleanup(func() {
		defer in.Close()
		for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGKILL} {
			select {
			case <-gone:
				return
			default:
			}
			syscall.Kill(-cmd.Process.Pid, sig)
			select {
			case <-gone:
				return
			case <-time.After(30 * time.Second):
			}
		}
		s.t.Errorf("%s does not end", command)
	})
	return ended
}
