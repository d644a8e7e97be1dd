package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ingot.dev/internal/testenv"
)

// A module with one package below, and rows for two of the five APIs; all members
// are proven.
const fixture = `
-- go.mod --
module example.test

go 1.26
-- sock/sock.go --
package sock

type base struct{}

func (*base) Write(p []byte) (int, error) { return len(p), nil }

type Options struct{ Host string; port int }

// TCP has its methods from an embedded type, as the classes do.
type TCP struct{ base; Options Options }

type Reader interface{ Read() }

const Limit = 1
-- sock/sock_test.go --
package sock

import "testing"

// TestWrite writes.
//
//conform:bun write works sock.TCP.Write, sock.Limit
//conform:bun renegotiate refused sock.TCP -- TLS 1.3 has | none
func TestWrite(t *testing.T) {}

//conform:bun write works sock.Reader.Read
//conform:iotjs option.host differs sock.TCP.Options.Host -- no default
//conform:ecma-419 x works sock.Options.Host
//conform:tls-json x works sock.Limit
//conform:ipworks x works sock.Limit
func ExampleTCP() {}
-- docs/conformance/rows/bun.txt --
# Bun
# Its reference,
# as of now.
#
# id, kind, what
write	method	writes
renegotiate	method	does <it>
-- docs/conformance/rows/iotjs.txt --
# IoT.js
#
option.host	option	host
-- docs/conformance/rows/ecma-419.txt --
# ECMA-419
#
x	y	z
-- docs/conformance/rows/tls-json.txt --
# tls-json
#
x	y	z
-- docs/conformance/rows/ipworks.txt --
# IPWorks
#
x	y	z
`

// module writes files of fixture, changed by pairs of old and new text.
func module(t *testing.T, change ...string) string {
	t.Helper()
	text := fixture
	for i := 0; i < len(change); i += 2 {
		if strings.Count(text, change[i]) != 1 {
			t.Fatalf("%q is not in the fixture once", change[i])
		}
		text = strings.Replace(text, change[i], change[i+1], 1)
	}
	files := map[string]string{}
	for _, part := range strings.Split(text, "\n-- ")[1:] {
		name, body, _ := strings.Cut(part, " --\n")
		files[name] = strings.TrimSuffix(body, "\n") + "\n"
	}
	root := t.TempDir()
	testenv.WriteFiles(t, root, files)
	return root
}

func read(t *testing.T, root, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestTables writes the fixture's tables, checks them, and changes one.
func TestTables(t *testing.T) {
	root := module(t)
	if err := run(root, true); err == nil || strings.Count(err.Error(), "run go run ./tools/conform") != 6 {
		t.Errorf("before they are written, the check says: %v", err)
	}
	if err := run(root, false); err != nil {
		t.Fatal(err)
	}
	if err := run(root, true); err != nil {
		t.Fatalf("right after writing: %v", err)
	}
	table := read(t, root, "docs/conformance/bun.md")
	for _, want := range []string{
		"# Bun\n\nIts reference, as of now.\n\n2 rows: 1 work, 0 work differently, 1 are refused, 0 are open.",
		"| `write` | method | writes | `sock.TCP.Write` `sock.Limit` `sock.Reader.Read` | works | [sock.ExampleTCP](../../sock/sock_test.go) [sock.TestWrite](../../sock/sock_test.go) |  |",
		"| `renegotiate` | method | does &lt;it> | `sock.TCP` | refused | [sock.TestWrite](../../sock/sock_test.go) | TLS 1.3 has \\| none |",
	} {
		if !strings.Contains(table, want) {
			t.Errorf("bun.md lacks %s\n%s", want, table)
		}
	}
	readme := read(t, root, "docs/conformance/README.md")
	for _, want := range []string{"| [IoT.js](iotjs.md) | 1 | 0 | 1 | 0 | 0 |", "| **all** | 6 | 4 | 1 | 1 | 0 |"} {
		if !strings.Contains(readme, want) {
			t.Errorf("README.md lacks %s\n%s", want, readme)
		}
	}

	path := filepath.Join(root, "docs", "conformance", "iotjs.md")
	if err := os.WriteFile(path, []byte("else\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := run(root, true); err == nil || err.Error() != "docs/conformance/iotjs.md: not what the annotations say; run go run ./tools/conform" {
		t.Errorf("stale: %v", err)
	}
	if read(t, root, "docs/conformance/iotjs.md") != "else\n" {
		t.Error("the check wrote a file")
	}
}

// TestWrong has one fault a time, which must be reported at its place.
func TestWrong(t *testing.T) {
	for _, test := range []struct {
		name, old, new string
		want           string // in the error
	}{
		{"row without a test", "//conform:iotjs option.host differs sock.TCP.Options.Host -- no default\n", "",
			"rows/iotjs.txt:3: no test proves option.host of iotjs; put //conform:iotjs option.host <state> <symbol> above the one that does"},
		{"unknown row", "//conform:iotjs option.host ", "//conform:iotjs host ",
			"sock/sock_test.go:12: iotjs has no row host (option.host?); see docs/conformance/rows/iotjs.txt"},
		{"unknown API", "//conform:iotjs option.host ", "//conform:iot option.host ",
			"sock/sock_test.go:12: no API iot; there are ecma-419, bun, iotjs, tls-json, ipworks"},
		{"unknown state", "option.host differs", "option.host done",
			"sock/sock_test.go:12: state done; use one of works, differs, refused"},
		{"no note", " -- no default", "",
			"sock/sock_test.go:12: differs without a note; add -- and what"},
		{"no symbol", "write works sock.Reader.Read", "write works",
			"sock/sock_test.go:11: want //conform:<api> <row>"},
		{"no comma", "sock.TCP.Write, sock.Limit", "sock.TCP.Write sock.Limit",
			"sock/sock_test.go:7: symbols \"sock.TCP.Write sock.Limit\"; separate them with a comma"},
		{"comma at the end", "write works sock.Reader.Read", "write works sock.Reader.Read,",
			"sock/sock_test.go:11: symbols \"sock.Reader.Read,\"; separate"},
		{"two states", "write works sock.Reader.Read", "write differs sock.Reader.Read -- slower",
			"sock/sock_test.go:11: write is differs here, and works at sock/sock_test.go:7; make them agree"},
		{"no such package", "sock.TCP.Options.Host", "sack.TCP.Options.Host",
			"sock/sock_test.go:12: symbol sack.TCP.Options.Host: no package example.test/sack that builds"},
		{"no such method", "sock.Reader.Read", "sock.Reader.Close",
			"sock/sock_test.go:11: symbol sock.Reader.Close: sock.Reader has no exported Close"},
		{"no such field", "sock.TCP.Options.Host", "sock.TCP.Options.Port",
			"sock/sock_test.go:12: symbol sock.TCP.Options.Port: sock.TCP.Options has no exported Port"},
		{"not exported", "sock.TCP.Options.Host", "sock.TCP.Options.port",
			"sock.TCP.Options has no exported port"},
		{"package only", "sock.TCP.Options.Host", "sock",
			"sock/sock_test.go:12: symbol sock; name a package below example.test and something exported"},
		{"empty line below", "func ExampleTCP", "\nfunc ExampleTCP",
			"sock/sock_test.go:11: stands above no Test, Example or Fuzz function"},
		{"above a helper", "func ExampleTCP", "func helper",
			"sock/sock_test.go:11: stands above no Test, Example or Fuzz function"},
		{"above a benchmark", "func ExampleTCP()", "func BenchmarkTCP(b *testing.B)",
			"sock/sock_test.go:11: stands above no Test, Example or Fuzz function"},
		{"no Go", "func ExampleTCP() {}", "func ExampleTCP() {",
			"sock/sock_test.go:"},
		{"row twice", "option.host\toption\thost\n", "option.host\toption\thost\noption.host\toption\thost\n",
			"rows/iotjs.txt:4: option.host is on line 3 already"},
		{"row without a kind", "option.host\toption\thost\n", "option.host\thost\n",
			"rows/iotjs.txt:3: want id, kind and what it is, between tabs"},
		{"row with a space", "option.host\toption\thost\n", "option host\toption\thost\n",
			"rows/iotjs.txt:3: an id has no spaces"},
		{"no rows", "option.host\toption\thost\n", "",
			"rows/iotjs.txt:1: no title, or no rows"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			err := run(module(t, test.old, test.new), false)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got:  %v\nwant: %s", err, test.want)
			}
		})
	}
}

// TestReport has several faults at once: all are reported.
func TestReport(t *testing.T) {
	err := run(module(t, "sock.Reader.Read", "sock.Reader.Close", "option.host differs", "option.host done"), false)
	if err == nil || strings.Count(err.Error(), "sock/sock_test.go:") != 2 {
		t.Errorf("want two faults: %v", err)
	}
}

// TestSkipped: the go command doesn't see these directories, so their tests prove
// nothing.
func TestSkipped(t *testing.T) {
	for _, dir := range []string{"testdata", "vendor", "_old", ".hidden"} {
		root := module(t, "-- sock/sock_test.go --", "-- sock/"+dir+"/sock_test.go --")
		if err := run(root, false); err == nil || strings.Count(err.Error(), "no test proves") != 6 {
			t.Errorf("%s: %v", dir, err)
		}
	}
}

// TestRoot finds the module from a directory below.
func TestRoot(t *testing.T) {
	root, err := filepath.EvalSymlinks(module(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(filepath.Join(root, "sock"))
	if got, err := moduleRoot(); err != nil || got != root {
		t.Errorf("found %s, %v; want %s", got, err, root)
	}
}
