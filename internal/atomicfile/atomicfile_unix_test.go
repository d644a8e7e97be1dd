//go:build unix

package atomicfile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// list is what a folder holds: paths, modes of files and folders, contents.
func list(t *testing.T, dir string) (lines []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == dir {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, name)
		line := fmt.Sprintf("%s %o", filepath.ToSlash(rel), info.Mode().Perm())
		if d.Type().IsRegular() {
			b, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			line += " " + string(b)
		}
		lines = append(lines, line)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

func check(t *testing.T, what, dir string, want ...string) {
	t.Helper()
	if got := list(t, dir); !slices.Equal(got, want) {
		t.Errorf("%s: there is\n\t%s\nwant\n\t%s", what, strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

func put(t *testing.T, dir, name, text string, mode fs.FileMode) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), mode), os.Chmod(path, mode)); err != nil {
		t.Fatal(err)
	}
}

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "key")
	for _, text := range []string{"one", "two"} {
		if err := WriteBytes(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		check(t, text, dir, "key 600 "+text)
	}

	// What fails leaves what was, and names the file that was meant.
	for _, cause := range []error{syscall.ENOSPC, io.ErrUnexpectedEOF} {
		err := Write(name, 0o644, func(w io.Writer) error {
			io.WriteString(w, "half")
			return cause
		})
		if !errors.Is(err, cause) || !strings.HasPrefix(err.Error(), name+": ") || strings.Contains(err.Error(), prefix) {
			t.Errorf("%v", err)
		}
		check(t, "after "+cause.Error(), dir, "key 600 two")
	}
	for bad, want := range map[string]error{filepath.Join(dir, "none", "x"): fs.ErrNotExist, filepath.Join(name, "x"): syscall.ENOTDIR, dir: errIsDir} {
		err := WriteBytes(bad, nil, 0o644)
		if !errors.Is(err, want) || !strings.HasPrefix(err.Error(), bad+": ") || strings.Contains(err.Error(), prefix) {
			t.Errorf("%s: %v, want %v", bad, err, want)
		}
	}
	check(t, "at the end", dir, "key 600 two")
}

// The limit on a file's size is as good as a full disk: the system takes the first
// bytes and refuses the rest.
func TestWriteTooMuch(t *testing.T) {
	if os.Getenv("ATOMICFILE_LIMIT") != "" {
		limit := syscall.Rlimit{Cur: 4096, Max: 4096}
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
			t.Fatal(err)
		}
		err := WriteBytes(os.Getenv("ATOMICFILE_LIMIT"), make([]byte, 5000), 0o644)
		fmt.Println("error:", err)
		return
	}
	dir := t.TempDir()
	put(t, dir, "file", "before", 0o644)
	cmd := exec.Command(os.Args[0], "-test.run=^TestWriteTooMuch$")
	cmd.Env = append(os.Environ(), "ATOMICFILE_LIMIT="+filepath.Join(dir, "file"))
	out, err := cmd.CombinedOutput()
	if want := "error: " + filepath.Join(dir, "file") + ": file too large"; err != nil || !strings.Contains(string(out), want) {
		t.Errorf("%v\n%s\nwant %s", err, out, want)
	}
	check(t, "after it", dir, "file 644 before")
}

func TestWriteThroughLinks(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "real/file", "old", 0o644)
	link := filepath.Join(dir, "link")
	if err := os.Symlink(filepath.Join("real", "file"), link); err != nil {
		t.Skip(err)
	}
	if err := WriteBytes(link, []byte("new"), 0o644); err != nil {
		t.Fatal(err)
	}
	if to, err := os.Readlink(link); err != nil || to != filepath.Join("real", "file") {
		t.Errorf("the link is %q, %v", to, err)
	}
	check(t, "the file", filepath.Join(dir, "real"), "file 644 new")
}

// A device is written, not replaced, and says when it is full.
func TestWriteDevices(t *testing.T) {
	for name, want := range map[string]error{"/dev/null": nil, "/dev/full": syscall.ENOSPC} {
		before, err := os.Stat(name)
		if err != nil {
			t.Skip(err)
		}
		if err := WriteBytes(name, []byte("x"), 0o644); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
		if after, err := os.Stat(name); err != nil || after.Mode() != before.Mode() {
			t.Fatalf("%s is another file now: %v, %v", name, after, err)
		}
	}
}

func tree(t *testing.T, dir string, files map[string]string, whole ...string) *Tree {
	t.Helper()
	tr, err := NewTree(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tr.Close)
	for name, text := range files {
		mode := fs.FileMode(0o644)
		if strings.HasSuffix(name, "key") {
			mode = 0o600
		}
		if err := tr.Add(name, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range whole {
		tr.Whole(name)
	}
	return tr
}

func TestTree(t *testing.T) {
	for _, swap := range []func(a, b string) (bool, error){exchange, func(a, b string) (bool, error) { return false, nil }} {
		exchangePaths = swap
		t.Cleanup(func() { exchangePaths = exchange })
		top := t.TempDir()
		dir := filepath.Join(top, "a", "store")

		// A folder that isn't there, and doesn't come without Commit.
		tr := tree(t, dir, map[string]string{"id/cert": "c", "id/key": "k", "note": "n"})
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("before Commit: %v", err)
		}
		tr.Close()
		check(t, "without Commit", top)
		tr = tree(t, dir, map[string]string{"id/cert": "c", "id/key": "k", "note": "n"})
		if err := tr.Commit(); err != nil {
			t.Fatal(err)
		}
		tr.Close()
		check(t, "a new folder", top, "a 755", "a/store 755", "a/store/id 700", "a/store/id/cert 644 c", "a/store/id/key 600 k", "a/store/note 644 n")

		// Files beside those that are there, and a folder in the place of another.
		put(t, dir, "other/cert", "anybody's", 0o644)
		tr = tree(t, dir, map[string]string{"id/cert": "c2", "other/key": "k2"}, "id")
		if err := tr.Commit(); err != nil {
			t.Fatal(err)
		}
		tr.Close()
		after := []string{"id 755", "id/cert 644 c2", "note 644 n", "other 700", "other/cert 644 anybody's", "other/key 600 k2"}
		check(t, "replaced", dir, after...)

		// A folder at once, with what else is in it.
		put(t, dir, "id/deep/note", "x", 0o640)
		tr = tree(t, dir, map[string]string{"id/key": "k4"})
		tr.Keep("id")
		if err := tr.Commit(); err != nil {
			t.Fatal(err)
		}
		tr.Close()
		check(t, "kept", filepath.Join(dir, "id"), "cert 644 c2", "deep 755", "deep/note 640 x", "key 600 k4")
		tr = tree(t, dir, map[string]string{"id/cert": "c2"}, "id")
		if err := tr.Commit(); err != nil {
			t.Fatal(err)
		}
		tr.Close()

		// What can't be put takes back what was.
		tr = tree(t, dir, map[string]string{"id/cert": "c3", "more": "m", "note/folder": "x", "other/key": "k3"}, "id")
		if err := tr.Commit(); err == nil || !strings.Contains(err.Error(), filepath.Join(dir, "note")+": a file and a folder") {
			t.Errorf("%v", err)
		}
		tr.Close()
		check(t, "not replaced", dir, after...)
	}
	if _, err := NewTree(os.Args[0]); err == nil || !strings.Contains(err.Error(), "it is a file") {
		t.Errorf("a file: %v", err)
	}
}

// What a killed process has left is removed by the next one; what belongs to one that is
// at work is not.
func TestKilled(t *testing.T) {
	if dir := os.Getenv("ATOMICFILE_KILLED"); dir != "" {
		tr, err := NewTree(dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := tr.Add("id/key", []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
		Write(filepath.Join(dir, "file"), 0o644, func(w io.Writer) error {
			io.WriteString(w, "half")
			fmt.Println("waiting")
			select {}
		})
	}
	dir := t.TempDir()
	put(t, dir, "file", "before", 0o644)
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilled$")
	cmd.Env = append(os.Environ(), "ATOMICFILE_KILLED="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "waiting\n" {
		t.Fatalf("%q, %v", line, err)
	}
	if n := len(list(t, dir)); n != 5 {
		t.Fatalf("%d files, want the one and what isn't finished: %q", n, list(t, dir))
	}
	if err := WriteBytes(filepath.Join(dir, "mine"), []byte("m"), 0o644); err != nil {
		t.Fatal(err)
	}
	if n := len(list(t, dir)); n != 6 {
		t.Errorf("what somebody is at work on is gone: %q", list(t, dir))
	}
	cmd.Process.Kill()
	cmd.Wait()
	if n := len(list(t, dir)); n != 6 {
		t.Errorf("after the kill: %q", list(t, dir))
	}
	if err := WriteBytes(filepath.Join(dir, "mine"), []byte("n"), 0o644); err != nil {
		t.Fatal(err)
	}
	check(t, "after the next", dir, "file 644 before", "mine 644 n")
}
