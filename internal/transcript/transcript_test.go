package transcript

import (
	"slices"
	"strings"
	"testing"
)

const document = "# A document\n" +
	"```console\n" +
	"$ cat <<END\n" +
	"> one\n" +
	">\n" +
	"> two\n" +
	"> END\n" +
	"one…\n" +
	"> not a command any more\n" +
	"$ sleep 1000 &\n" +
	"```\n" +
	"```go file=\"main.go\"\n" +
	"$ no command\n" +
	"```\n" +
	"```console norun=\"needs a board\"\n" +
	"$ reboot\n" +
	"```\n"

func TestBlocks(t *testing.T) {
	blocks, err := Blocks(document)
	if err != nil || len(blocks) != 3 {
		t.Fatalf("%+v, %v", blocks, err)
	}
	if b := blocks[1]; b.Language != "go" || b.File != "main.go" || b.Line != 12 || b.Text != "$ no command\n" {
		t.Errorf("%+v", b)
	}
	if b := blocks[2]; b.Language != Language || b.NotRun != "needs a board" || b.Line != 15 {
		t.Errorf("%+v", b)
	}
	steps, err := blocks[0].Steps()
	if err != nil || len(steps) != 2 {
		t.Fatalf("%+v, %v", steps, err)
	}
	if s := steps[0]; s.Command != "cat <<END\none\n\ntwo\nEND" || s.Background || s.Line != 3 || !slices.Equal(s.Want, []string{"one…", "> not a command any more"}) {
		t.Errorf("%+v", s)
	}
	if s := steps[1]; s.Command != "sleep 1000" || !s.Background || s.Line != 10 {
		t.Errorf("%+v", s)
	}
	if got := blocks[0].Commands(); got != "cat <<END\none\n\ntwo\nEND\nsleep 1000 &\n" {
		t.Errorf("%q", got)
	}
}

func TestRefused(t *testing.T) {
	for text, want := range map[string]string{
		"```console\n$ true\n":                "1: the block has no end",
		"x\n```console when=\"never\"\n```\n": "2: a block of console has no when",
		"```go norun=\"lazy\"\n```\n":         "a block of go has no norun",
		"```console file=\"x\"\n```\n":        "a block of console has no file",
		"```console norun\n```\n":             "is not a language and NAME=\"VALUE\"",
	} {
		if _, err := Blocks(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	for text, want := range map[string]string{
		"output\n$ true\n": "2: \"output\" comes before any command",
		"":                 "1: no command",
	} {
		if _, err := (Block{Line: 1, Text: text}).Steps(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestMissing(t *testing.T) {
	const text = "ok  	sensor	0.123s\nready after 7 ms (really)\n"
	for _, test := range []struct {
		want    []string
		missing string
	}{
		{[]string{"ok…sensor…s", "after … ms (really)"}, ""},
		{[]string{"ready", "ok"}, "ok"}, // in this order
		{[]string{"ok…really"}, "ok…really"},
	} {
		line, missing := Missing(text, test.want)
		if line != test.missing || missing != (test.missing != "") {
			t.Errorf("%q: %q, %v", test.want, line, missing)
		}
	}
}
