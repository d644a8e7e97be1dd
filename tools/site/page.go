package main

import (
	"bytes"
	"errors"
	"fmt"
	"html/template"
	"path"
	"strings"
	"unicode"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	east "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// A page is a document on the site.
type page struct {
	Document string // its name in the repository
	Path     string // its name on the site
	Title    string
	Headings []heading
	Body     template.HTML

	source []byte
	node   ast.Node
}

type heading struct {
	Level int
	ID    string
	Text  string
}

// markdown is GitHub's, as far as documents use it.
var markdown = goldmark.New(
	goldmark.WithExtensions(extension.Table),
	goldmark.WithParserOptions(parser.WithAutoHeadingID()),
	goldmark.WithRendererOptions(renderer.WithNodeRenderers(
		util.Prioritized(&elements{}, 100),
	)),
)

// pagePath says where a document is on the site: docs/ is its root, and what is beside that
// is in project/ (there are a SECURITY.md and a docs/security.md).
func pagePath(document string) string {
	name, inDocs := strings.CutPrefix(strings.TrimSuffix(document, ".md"), "docs/")
	dir, base := path.Split(name)
	switch {
	case document == "README.md":
		return "index.html"
	case base == "README":
		base = "index"
	case dir == "" && !inDocs:
		dir = "project/"
	}
	return dir + strings.ToLower(base) + ".html"
}

// parse reads a document. Errors begin with the line's number.
func parse(document string, source []byte) (*page, error) {
	p := &page{Document: document, Path: pagePath(document), source: source}
	context := parser.NewContext(parser.WithIDs(&ids{seen: map[string]bool{}}))
	p.node = markdown.Parser().Parse(text.NewReader(source), parser.WithContext(context))
	err := ast.Walk(p.node, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Heading:
			id, _ := n.AttributeString("id")
			h := heading{n.Level, string(id.([]byte)), plain(n, source)}
			if h.Level == 1 {
				if p.Title != "" {
					return ast.WalkStop, fmt.Errorf("%d: %q is a second title", line(n, source), h.Text)
				}
				p.Title = h.Text
			}
			p.Headings = append(p.Headings, h)
		case *ast.CodeBlock:
			return ast.WalkStop, fmt.Errorf("%d: an indented block doesn't say what it is: fence it, as text, console, go ...", line(n, source))
		case *ast.RawHTML:
			return ast.WalkStop, fmt.Errorf("%d: HTML is not for documents", line(n.Parent(), source))
		case *ast.HTMLBlock:
			if !bytes.HasPrefix(n.Lines().Value(source), []byte("<!--")) {
				return ast.WalkStop, fmt.Errorf("%d: HTML is not for documents", line(n, source))
			}
		}
		return ast.WalkContinue, nil
	})
	if err == nil && p.Title == "" {
		err = errors.New("1: there is no title")
	}
	return p, err
}

// line returns the number of the line that a block begins in.
func line(n ast.Node, source []byte) int {
	for n.Type() == ast.TypeInline || n.Lines().Len() == 0 {
		if n = n.Parent(); n == nil {
			return 1
		}
	}
	return 1 + bytes.Count(source[:n.Lines().At(0).Start], []byte("\n"))
}

// render makes the page's HTML. target says where links lead, picture where pictures are.
func (p *page) render(target func(from *page, link string) (string, error), picture func(from *page, link, words string) (string, error)) error {
	var errs []error
	ast.Walk(p.node, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		var err error
		switch n := n.(type) {
		case *ast.Link:
			if entering {
				var to string
				to, err = target(p, string(n.Destination))
				n.Destination = []byte(to)
			}
		case *ast.Image:
			if entering {
				var to string
				to, err = picture(p, string(n.Destination), plain(n, p.source))
				n.Destination = []byte(to)
			}
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s:%d: %w", p.Document, line(n, p.source), err))
		}
		return ast.WalkContinue, nil
	})
	dropEmptyHeads(p.node)
	var b bytes.Buffer
	if err := markdown.Renderer().Render(&b, p.source, p.node); err != nil {
		errs = append(errs, fmt.Errorf("%s:%w", p.Document, err))
	}
	p.Body = template.HTML(b.String())
	return errors.Join(errs...)
}

// dropEmptyHeads takes away the heads of tables that have nothing in them.
func dropEmptyHeads(document ast.Node) {
	ast.Walk(document, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		table, ok := n.(*east.Table)
		if !ok || !entering {
			return ast.WalkContinue, nil
		}
		head := table.FirstChild()
		for cell := head.FirstChild(); cell != nil; cell = cell.NextSibling() {
			if cell.HasChildren() {
				return ast.WalkSkipChildren, nil
			}
		}
		if head.NextSibling() != nil {
			table.RemoveChild(table, head)
		}
		return ast.WalkSkipChildren, nil
	})
}

// plain is the text of a node without marks.
func plain(n ast.Node, source []byte) string {
	var b strings.Builder
	ast.Walk(n, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Text:
			b.Write(n.Value(source))
			if n.SoftLineBreak() {
				b.WriteByte(' ')
			}
		case *ast.String:
			b.Write(n.Value)
		}
		return ast.WalkContinue, nil
	})
	return b.String()
}

// ids names headings as GitHub does, so that links hold there as well.
type ids struct{ seen map[string]bool }

func (s *ids) Generate(value []byte, _ ast.NodeKind) []byte {
	var b strings.Builder
	for _, r := range strings.ToLower(string(value)) {
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
			b.WriteRune(r)
		case r == ' ':
			b.WriteByte('-')
		}
	}
	id := b.String()
	for n := 1; s.seen[id]; n++ {
		id = fmt.Sprintf("%s-%d", b.String(), n)
	}
	s.seen[id] = true
	return []byte(id)
}

func (s *ids) Put(value []byte) { s.seen[string(value)] = true }

// elements renders what a page has in a way of its own.
type elements struct{}

func (e *elements) RegisterFuncs(r renderer.NodeRendererFuncRegisterer) {
	r.Register(ast.KindHeading, e.heading)
	r.Register(ast.KindFencedCodeBlock, e.code)
	r.Register(ast.KindHTMLBlock, skip)
	r.Register(east.KindTable, e.table)
}

// table lets wide tables scroll by themselves.
func (e *elements) table(w util.BufWriter, _ []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
	switch {
	case !entering:
		w.WriteString("</table></div>\n") // the last row has ended tbody
	case n.FirstChild().Kind() == east.KindTableHeader:
		w.WriteString("<div class=\"table\"><table>\n") // the head begins it
	default:
		w.WriteString("<div class=\"table\"><table>\n<tbody>\n")
	}
	return ast.WalkContinue, nil
}

// skip leaves out comments.
func skip(util.BufWriter, []byte, ast.Node, bool) (ast.WalkStatus, error) {
	return ast.WalkSkipChildren, nil
}

func (e *elements) heading(w util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
	h := n.(*ast.Heading)
	id, _ := h.AttributeString("id")
	if entering {
		fmt.Fprintf(w, "<h%d id=\"%s\">", h.Level, id)
		return ast.WalkContinue, nil
	}
	if h.Level > 1 {
		fmt.Fprintf(w, ` <a class="anchor" href="#%s" aria-label="Link to “%s”">#</a>`, id, template.HTMLEscapeString(plain(h, source)))
	}
	fmt.Fprintf(w, "</h%d>\n", h.Level)
	return ast.WalkContinue, nil
}
