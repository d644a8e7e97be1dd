package main

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"
)

// A file is a table, by its slash path below the module's root.
type file struct {
	name string
	text []byte
}

// generated heads every table.
const generated = "<!-- Made by go run ./tools/conform from rows/ and the annotations beside the tests; not to be edited. -->\n\n"

// tables are all files to be written.
func tables(apis []*api) []file {
	files := []file{{path.Join(tablesDir, "README.md"), overview(apis)}}
	for _, a := range apis {
		files = append(files, file{path.Join(tablesDir, a.name+".md"), a.table()})
	}
	return files
}

// counts of rows by state; "" is the rows that have none.
func (a *api) counts() map[string]int {
	n := map[string]int{}
	for _, r := range a.rows {
		n[r.state()]++
	}
	return n
}

func (r *row) state() string {
	if len(r.proofs) == 0 {
		return ""
	}
	return r.proofs[0].state
}

const introduction = `# Conformance

Five APIs define what the TLS IO classes must be able to do. Each has a table here with a row for
every member: options, properties, methods, events, errors, and the rules of its wire. A row is in
one of three states:

| state | what it means |
|---|---|
| works | the member's documented behaviour, under the Go name in column "here" |
| differs | the same purpose with another behaviour, which the note states |
| refused | not there; the note says why, and what asks for it gets a typed error |

Each row names the tests that prove it. The tables are made from annotations above those tests, and
` + "`go test ./tools/conform`" + ` fails when a row has no test, when an annotation names something that
doesn't exist, or when a table isn't what the annotations say. [CONTRIBUTING](../../CONTRIBUTING.md)
shows how to write one; the members of each API are in [rows/](rows).

`

func overview(apis []*api) []byte {
	var b bytes.Buffer
	b.WriteString(generated + introduction)
	b.WriteString("| API | rows | works | differs | refused | open |\n|---|--:|--:|--:|--:|--:|\n")
	line := func(name string, rows int, n map[string]int) {
		fmt.Fprintf(&b, "| %s | %d | %d | %d | %d | %d |\n", name, rows, n[works], n[differs], n[refused], n[""])
	}
	total, all := map[string]int{}, 0
	for _, a := range apis {
		n := a.counts()
		for state, count := range n {
			total[state] += count
		}
		all += len(a.rows)
		line(fmt.Sprintf("[%s](%s.md)", a.title, a.name), len(a.rows), n)
	}
	line("**all**", all, total)
	return b.Bytes()
}

// table is the file of one API.
func (a *api) table() []byte {
	var b bytes.Buffer
	n := a.counts()
	fmt.Fprintf(&b, "%s# %s\n\n%s\n\n%d rows: %d work, %d work differently, %d are refused, %d are open. [What the states mean](README.md).\n\n",
		generated, a.title, a.about, len(a.rows), n[works], n[differs], n[refused], n[""])
	b.WriteString("| member | kind | what it is and must do | here | state | tests | note |\n|---|---|---|---|---|---|---|\n")
	for _, r := range a.rows {
		var symbols, tests, notes []string
		for _, p := range r.proofs {
			for _, s := range p.symbols {
				symbols = add(symbols, "`"+s+"`")
			}
			tests = add(tests, fmt.Sprintf("[%s.%s](../../%s)", p.pkg(), p.test, p.file))
			if p.note != "" {
				notes = add(notes, cell(p.note))
			}
		}
		slices.Sort(tests)
		state := r.state()
		if state == "" {
			state = "**open**"
		}
		cells := []string{"`" + r.id + "`", cell(r.kind), cell(r.what), strings.Join(symbols, " "), state, strings.Join(tests, " "), strings.Join(notes, "; ")}
		fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
	}
	return b.Bytes()
}

// add appends s if list doesn't have it.
func add(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

// cell makes text safe in a table.
func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;", "\n", " ").Replace(s)
}
