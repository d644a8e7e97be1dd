//go:build unix

// Package commands holds no code: its test types what the documents tell their reader to
// type, each document in a clean copy of Ingot of its own.
package commands

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ingot.dev/internal/testenv"
	"ingot.dev/internal/transcript"
	"ingot.dev/qemu"
)

// documents are those with commands, relative to Ingot's root; and the programs that these
// need beside Go and QEMU, with Debian's names of their packages.
var documents = []struct {
	file  string
	needs map[string]string
}{
	{"README.md", map[string]string{"make": "make", "openssl": "openssl"}},
	{"CONTRIBUTING.md", nil},
	{"docs/getting-started.md", map[string]string{"make": "make", "openssl": "openssl"}},
	{"docs/first-device.md", map[string]string{"openssl": "openssl"}},
	{"docs/certificates.md", map[string]string{"openssl": "openssl"}},
	{"docs/porting.md", nil},
	{"docs/debugging.md", map[string]string{"openssl": "openssl", "gdb-multiarch": "gdb-multiarch", "tshark": "tshark"}},
	{"docs/ingot.md", map[string]string{"bash": "bash"}},
	{"docs/boards.md", nil},
	{"docs/flashing.md", nil},
}

// TestCommands runs the sessions of each document, from its first to its last.
func TestCommands(t *testing.T) {
	if testing.Short() {
		t.Skip("builds images and boots them")
	}
	if _, err := qemu.Find(""); err != nil {
		t.Skip(err)
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", filepath.Join(bin, "ingot"), "ingot.dev/tools/ingot").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	path := "PATH=" + bin + string(os.PathListSeparator) + os.Getenv("PATH")
	for _, document := range documents {
		t.Run(strings.TrimSuffix(filepath.Base(document.file), ".md"), func(t *testing.T) {
			for program, debian := range document.needs {
				testenv.Program(t, program, debian)
			}
			text, err := os.ReadFile(filepath.Join(root, document.file))
			if err != nil {
				t.Fatal(err)
			}
			transcript.NewShell(t, workingCopy(t, root), path).Document(document.file, string(text))
		})
	}
}

// notRun are the reasons for which commands of the documents aren't typed here.
var notRun = map[string]string{
	"needs a card reader":                      "it writes to a device; the same command with a file is run",
	"needs a card reader and a board":          "likewise, and then a board",
	"needs a board":                            "a serial port or a USB port with a board behind it",
	"needs the Internet":                       "a public server, and its authority",
	"takes twenty minutes; it is what CI runs": "this test is a part of it",
	"needs a server of yours, a list and a key; certificates.md has it step by step": "the same commands are run there",
}

// TestNotRun lists the commands that no test types. Each has a reason that is known here.
func TestNotRun(t *testing.T) {
	found := map[string]bool{}
	eachBlock(t, func(file string, b transcript.Block) {
		if b.NotRun == "" {
			return
		}
		found[b.NotRun] = true
		if notRun[b.NotRun] == "" {
			t.Errorf("%s:%d isn't run because it %q: a new reason; is there no way to run it?", file, b.Line, b.NotRun)
		}
		t.Logf("%s:%d: %s\n%s", file, b.Line, b.NotRun, b.Commands())
	})
	for reason := range notRun {
		if !found[reason] {
			t.Errorf("nothing isn't run because it %q", reason)
		}
	}
}

// TestAllDocuments: no document with commands is forgotten.
func TestAllDocuments(t *testing.T) {
	listed := map[string]bool{}
	for _, document := range documents {
		listed[document.file] = true
	}
	missing := map[string]bool{}
	eachBlock(t, func(file string, b transcript.Block) {
		if b.Language == transcript.Language && b.NotRun == "" && !listed[file] && !missing[file] {
			missing[file] = true
			t.Errorf("%s:%d: TestCommands doesn't have this document", file, b.Line)
		}
	})
}

// TestFilesAreNamed: before a block that belongs into a file, the text says into which; a
// reader sees nothing of what stands beside its fence.
func TestFilesAreNamed(t *testing.T) {
	named := 0
	text := map[string][]string{}
	eachBlock(t, func(file string, b transcript.Block) {
		if b.File == "" {
			return
		}
		named++
		if text[file] == nil {
			data, err := os.ReadFile(filepath.Join("../..", file))
			if err != nil {
				t.Fatal(err)
			}
			text[file] = strings.Split(string(data), "\n")
		}
		before := text[file][:b.Line-1]
		// In the section; blocks of one paragraph are named together.
		for i := len(before) - 1; i >= 0 && !strings.HasPrefix(before[i], "## "); i-- {
			if strings.Contains(before[i], "`"+b.File+"`") {
				return
			}
		}
		t.Errorf("%s:%d: the text doesn't say that this is `%s`", file, b.Line, b.File)
	})
	if named == 0 {
		t.Error("no document has a file")
	}
}

// eachBlock calls found with the fenced blocks of all documents.
func eachBlock(t *testing.T, found func(file string, b transcript.Block)) {
	t.Helper()
	for _, pattern := range []string{"*.md", "docs/*.md"} {
		files, err := filepath.Glob(filepath.Join("../..", pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v, %v", pattern, files, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			blocks, err := transcript.Blocks(string(text))
			if err != nil {
				t.Errorf("%s:%v", file, err)
			}
			name, err := filepath.Rel("../..", file)
			if err != nil {
				t.Fatal(err)
			}
			for _, b := range blocks {
				found(filepath.ToSlash(name), b)
			}
		}
	}
}

// workingCopy copies what belongs to Ingot, without what was built or made, to a new folder.
func workingCopy(t *testing.T, root string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "ingot")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		switch made := d.Name() == "certs" && rel != "certs"; {
		case d.IsDir() && (made || rel == "build" || rel == ".git"):
			return fs.SkipDir
		case d.IsDir():
			return os.MkdirAll(filepath.Join(to, rel), 0o777)
		case !d.Type().IsRegular(), strings.HasSuffix(rel, ".elf"), strings.HasSuffix(rel, ".test"):
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), data, info.Mode().Perm())
	})
	if err != nil {
		t.Fatal(err)
	}
	return to
}
