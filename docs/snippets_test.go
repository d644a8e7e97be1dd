// Package docs holds no code: its tests check that what the documents say is true.
package docs

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// documents are those whose Go code must compile and whose links must lead
// somewhere.
var documents = func() (list []string) {
	for _, pattern := range []string{"*.md", "../*.md", "../examples/*/README.md"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			panic(fmt.Sprintf("%s: %v, %v", pattern, files, err))
		}
		list = append(list, files...)
	}
	return list
}()

// given are what the snippets of a document may use without saying where it comes
// from.
const given = `ctx context.Context, network tlsio.Network, app *tlsio.App, conn net.Conn,
	log *slog.Logger, cert, key, ca, crl []byte, store *certs.Store, secret string`

// packages are what snippets may import, by the name that they use.
var packages = map[string]string{
	"tlsio": "ingot.dev/tlsio", "server": "ingot.dev/tlsio/server", "certificate": "ingot.dev/tlsio/server/certificate",
	"jsonmsg": "ingot.dev/tlsio/jsonmsg", "capture": "ingot.dev/tlsio/capture", "nodecert": "ingot.dev/tlsio/nodecert",
	"certs": "ingot.dev/certs", "firmware": "ingot.dev/firmware",
	"endpoint": "ingot.dev/firmware/endpoint", "relay": "ingot.dev/firmware/relay", "status": "ingot.dev/firmware/status", "syslog": "ingot.dev/firmware/syslog",
	"context": "context", "net": "net", "slog": "log/slog", "time": "time", "errors": "errors", "fmt": "fmt", "os": "os",
	"io": "io", "http": "net/http", "tls": "crypto/tls", "x509": "crypto/x509", "netip": "net/netip", "strings": "strings", "slices": "slices",
	"bytes": "bytes", "json": "encoding/json", "embed": "embed", "bufio": "bufio", "fs": "io/fs",
}

// block is a fenced block of Go.
type block struct {
	document string
	line     int // of its first line
	code     string
}

func blocks(t *testing.T, document string) (list []block) {
	t.Helper()
	data, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	var b *block
	for i, line := range strings.Split(string(data), "\n") {
		switch {
		case b == nil && line == "```go":
			b = &block{document: document, line: i + 2}
		case b != nil && line == "```":
			list = append(list, *b)
			b = nil
		case b != nil:
			b.code += line + "\n"
		}
	}
	if b != nil {
		t.Errorf("%s:%d: the block has no end", document, b.line)
	}
	return list
}

var selector = regexp.MustCompile(`\b([a-z][a-z0-9]*)\.[A-Z]`)

// file makes a source file of a block: what stands before its first statement at the
// top level is declarations, the rest the body of a function.
func (b block) file() string {
	if strings.HasPrefix(b.code, "package ") {
		return b.code
	}
	var imports strings.Builder
	var seen []string
	for _, m := range selector.FindAllStringSubmatch(given+b.code, -1) {
		if path := packages[m[1]]; path != "" && !slices.Contains(seen, path) {
			seen = append(seen, path)
			fmt.Fprintf(&imports, "import %q\n", path)
		}
	}
	position := fmt.Sprintf("//line %s:%d\n", b.document, b.line)
	asFile := "package p\n" + imports.String() + position + b.code
	if _, err := parser.ParseFile(token.NewFileSet(), "", asFile, 0); err == nil {
		return asFile + "\nfunc _(" + given + ") {}\n"
	}
	return "package p\n" + imports.String() + "func _(" + given + ") error {\n" + position + b.code + "\nreturn nil\n}\n"
}

// TestSnippets type-checks the Go code of the documents. A variable that a snippet
// declares and doesn't use is no error: the text goes on where the snippet ends.
func TestSnippets(t *testing.T) {
	fset := token.NewFileSet()
	type source struct {
		block
		file *ast.File
	}
	var sources []source
	paths := map[string]bool{}
	for _, document := range documents {
		for _, b := range blocks(t, document) {
			f, err := parser.ParseFile(fset, document, b.file(), 0)
			if err != nil {
				t.Errorf("%s:%d: %v", document, b.line, err)
				continue
			}
			for _, i := range f.Imports {
				paths[strings.Trim(i.Path.Value, `"`)] = true
			}
			sources = append(sources, source{b, f})
		}
	}
	if len(sources) == 0 {
		t.Fatal("no snippets were found")
	}
	imports := exported(t, fset, paths)
	for _, s := range sources {
		config := types.Config{Importer: imports, Error: func(err error) {
			if e, ok := err.(types.Error); !ok || !e.Soft {
				t.Errorf("the block at %s:%d doesn't compile: %v", s.document, s.line, err)
			}
		}}
		config.Check("p", fset, []*ast.File{s.file}, nil)
	}
}

// exported imports packages from the go command's cache.
func exported(t *testing.T, fset *token.FileSet, paths map[string]bool) types.Importer {
	args := []string{"list", "-export", "-deps", "-f", "{{if .Export}}{{.ImportPath}}\t{{.Export}}{{end}}", "--"}
	for path := range paths {
		args = append(args, path)
	}
	out, err := exec.Command("go", args...).Output()
	if err != nil {
		if e, ok := err.(*exec.ExitError); ok {
			t.Logf("%s", e.Stderr)
		}
		t.Fatal(err)
	}
	files := map[string]string{}
	for line := range strings.Lines(string(out)) {
		if path, file, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok {
			files[path] = file
		}
	}
	return importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(files[path]) })
}

var (
	fenced  = regexp.MustCompile("(?ms)^```.*?^```$")
	link    = regexp.MustCompile(`\]\(([^)#\s]+)(#[^)]*)?\)`)
	example = regexp.MustCompile(`\[(Example[A-Za-z0-9_]*)\]\(([^)]+)\)`)
)

// TestLinks: files that the documents link to exist, and examples are where the
// link says.
func TestLinks(t *testing.T) {
	for _, document := range documents {
		data, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		data = fenced.ReplaceAll(data, nil)
		for _, m := range link.FindAllSubmatch(data, -1) {
			target := string(m[1])
			if strings.Contains(target, "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(document), target)); err != nil {
				t.Errorf("%s links to %s, which doesn't exist", document, target)
			}
		}
		for _, m := range example.FindAllSubmatch(data, -1) {
			source, err := os.ReadFile(filepath.Join(filepath.Dir(document), string(m[2])))
			if err != nil || !bytes.Contains(source, []byte("func "+string(m[1])+"() {")) {
				t.Errorf("%s: %s has no %s", document, m[2], m[1])
			}
		}
	}
}

// TestPrograms runs the programs among the snippets: what one prints is the block
// of text behind it.
func TestPrograms(t *testing.T) {
	if testing.Short() {
		t.Skip("builds programs")
	}
	ran := 0
	for _, document := range documents {
		data, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range blocks(t, document) {
			if !strings.HasPrefix(b.code, "package main\n") {
				continue
			}
			_, after, _ := strings.Cut(string(data), b.code+"```\n")
			_, after, ok := strings.Cut(after, "```text\n")
			want, _, end := strings.Cut(after, "```\n")
			if !ok || !end {
				t.Errorf("%s:%d: no block of text with its output follows the program", document, b.line)
				continue
			}
			ran++
			file := filepath.Join(t.TempDir(), "main.go")
			if err := os.WriteFile(file, []byte(b.code), 0o644); err != nil {
				t.Fatal(err)
			}
			out, err := exec.Command("go", "run", file).CombinedOutput()
			if err != nil || string(out) != want {
				t.Errorf("%s:%d: the program printed (%v)\n%s\nwant\n%s", document, b.line, err, out, want)
			}
		}
	}
	if ran == 0 {
		t.Error("no program was found")
	}
}
