package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"ingot.dev/tools/ingot/internal/cli"
)

// inlineCommand is a command in the text of a document, between backticks; a line's end may
// be in it.
var inlineCommand = regexp.MustCompile("`(?:build/)?ingot ([^`]+)`")

// TestDocumentedCommands: commands that documents mention in their text are there, with the
// flags that they are given. (Those in sessions are run, by docs/commands.)
func TestDocumentedCommands(t *testing.T) {
	root := cli.NewRootCommand()
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, wrong := range []string{"bild", "build --confg x", "certs isue", "flash -x", "config check --yes"} {
		if known(root, strings.Fields(wrong)) == "" {
			t.Errorf("'ingot %s' passes for a command", wrong)
		}
	}
	n := 0
	for _, pattern := range []string{"../../*.md", "../../docs/*.md", "../../examples/*/README.md"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v, %v", pattern, files, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range inlineCommand.FindAllStringSubmatch(string(text), -1) {
				n++
				if err := known(root, strings.Fields(m[1])); err != "" {
					t.Errorf("%s has `ingot %s`: %s", file, m[1], err)
				}
			}
		}
	}
	if n < 100 {
		t.Errorf("only %d commands were found", n)
	}
}

// known says what is wrong with a command line, up to its arguments.
func known(root *cobra.Command, words []string) string {
	if words[0] == "COMMAND" || words[0] == "help" || words[0] == "exit-codes" || words[0] == "json" {
		return ""
	}
	cmd, rest, err := root.Find(words)
	switch {
	case err != nil:
		return err.Error()
	case cmd == root && !strings.HasPrefix(words[0], "-"):
		return "there is no such command"
	case cmd.HasSubCommands() && len(rest) > 0 && !strings.HasPrefix(rest[0], "-"):
		return "there is no " + rest[0]
	case cmd.DisableFlagParsing:
		return "" // its flags are those of go test
	}
	for _, word := range rest {
		if word == "--" {
			break
		}
		name, _, _ := strings.Cut(word, "=")
		name = strings.TrimRight(name, ",.)")
		switch {
		case strings.HasPrefix(name, "--"):
			if f := name[2:]; cmd.Flag(f) == nil && cmd.InheritedFlags().Lookup(f) == nil && f != "help" {
				return "it has no " + name
			}
		case len(name) == 2 && name[0] == '-':
			if f := name[1:]; cmd.Flags().ShorthandLookup(f) == nil && cmd.InheritedFlags().ShorthandLookup(f) == nil {
				return "it has no " + name
			}
		}
	}
	return ""
}
