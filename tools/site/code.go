package main

import (
	"fmt"
	"go/scanner"
	"go/token"
	"html/template"
	"io"
	"strings"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/util"

	"ingot.dev/internal/transcript"
)

// code renders a fenced block: a session with its prompts and output told apart, and with
// what is to be known of it above.
func (e *elements) code(w util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
	if !entering {
		return ast.WalkContinue, nil
	}
	fence := n.(*ast.FencedCodeBlock)
	info := ""
	if fence.Info != nil {
		info = string(fence.Info.Value(source))
	}
	at := line(n, source) - 1
	b, err := transcript.Info(info)
	if err != nil {
		return ast.WalkStop, fmt.Errorf("%d: %w", at, err)
	}
	b.Line, b.Text = at, string(fence.Lines().Value(source))
	var note string
	switch {
	case b.NotRun != "":
		note = "Not run by Ingot's tests: " + b.NotRun + "."
	case b.Terminal != "":
		note = "Terminal " + b.Terminal
	case b.File != "":
		note = b.File
	}
	class := "code"
	if b.NotRun != "" {
		class += " norun"
	}
	fmt.Fprintf(w, "<div class=\"%s\"", class)
	switch b.Language {
	case transcript.Language:
		if _, err := b.Steps(); err != nil {
			return ast.WalkStop, err
		}
		fmt.Fprintf(w, " data-copy=\"%s\"", template.HTMLEscapeString(b.Commands()))
	case "go", "toml", "js", "text", "json", "ld":
	default:
		return ast.WalkStop, fmt.Errorf("%d: a block of %q: say console, go, toml, json, js or text", at, b.Language)
	}
	if b.File != "" {
		fmt.Fprintf(w, " data-copy=\"%s\"", template.HTMLEscapeString(b.Text))
	}
	fmt.Fprint(w, ">")
	if note != "" {
		fmt.Fprintf(w, "<p class=\"note\">%s</p>", template.HTMLEscapeString(note))
	}
	fmt.Fprint(w, "<pre><code>")
	switch b.Language {
	case transcript.Language:
		session(w, b.Text)
	case "go":
		highlight(w, b.Text)
	default:
		template.HTMLEscape(w, []byte(b.Text))
	}
	fmt.Fprint(w, "</code></pre></div>\n")
	return ast.WalkContinue, nil
}

// session marks what in a session the reader types.
func session(w io.Writer, text string) {
	command := false
	for line := range strings.Lines(text) {
		prompt := ""
		switch {
		case strings.HasPrefix(line, "$ "):
			prompt, command = "$ ", true
		case command && strings.HasPrefix(line, "> "):
			prompt = "> "
		case command && line == ">\n":
			prompt = ">"
		default:
			command = false
			template.HTMLEscape(w, []byte(line))
			continue
		}
		rest := strings.TrimSuffix(strings.TrimPrefix(line, prompt), "\n")
		fmt.Fprintf(w, "<span class=\"prompt\">%s</span><b>%s</b>\n", template.HTMLEscapeString(prompt), template.HTMLEscapeString(rest))
	}
}

// highlight marks comments, strings and keywords of Go. What isn't Go from its first to its
// last byte is shown as far as it is.
func highlight(w io.Writer, text string) {
	var s scanner.Scanner
	src := []byte(text)
	files := token.NewFileSet()
	file := files.AddFile("", files.Base(), len(src))
	s.Init(file, src, func(token.Position, string) {}, scanner.ScanComments)
	done := 0
	for {
		pos, tok, literal := s.Scan()
		if tok == token.EOF {
			break
		}
		class := ""
		switch {
		case tok == token.COMMENT:
			class = "comment"
		case tok == token.STRING || tok == token.CHAR:
			class = "string"
		case tok.IsKeyword():
			class = "keyword"
		default:
			continue
		}
		from := file.Offset(pos)
		to := min(from+len(literal), len(src))
		if from < done {
			continue
		}
		template.HTMLEscape(w, src[done:from])
		fmt.Fprintf(w, "<span class=\"%s\">%s</span>", class, template.HTMLEscapeString(string(src[from:to])))
		done = to
	}
	template.HTMLEscape(w, src[done:])
}
