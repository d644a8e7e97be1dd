package main

import (
	"errors"
	"fmt"
	"go/doc/comment"
	"go/parser"
	"go/token"
	"html/template"
	"os"
	"path"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// A listing is a source file, or a folder of them, that a document links to.
type listing struct {
	Path  string
	Title string
	Body  template.HTML
}

// sourcePath says where a source is on the site.
func sourcePath(name string, folder bool) string {
	if folder {
		return path.Join("src", name, "index.html")
	}
	return path.Join("src", name) + ".html"
}

// list makes the page of a file, or of a folder: what its doc.go says, and its files.
func (s *Site) list(name string) (*listing, error) {
	file := filepath.Join(s.root, filepath.FromSlash(name))
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	l := &listing{Path: sourcePath(name, info.IsDir()), Title: name}
	var b strings.Builder
	fmt.Fprintf(&b, "<h1>%s</h1>\n", s.crumbs(l, name))
	if info.IsDir() {
		err = s.folder(&b, l, name, file)
	} else {
		err = showFile(&b, file)
	}
	l.Body = template.HTML(b.String())
	return l, err
}

// crumbs is a name whose folders are links, as far as they are pages.
func (s *Site) crumbs(l *listing, name string) string {
	var b strings.Builder
	parts := strings.Split(name, "/")
	for i, part := range parts {
		part = template.HTMLEscapeString(part)
		folder := strings.Join(parts[:i+1], "/")
		if _, known := s.sources[folder]; known && i < len(parts)-1 {
			part = fmt.Sprintf("<a href=\"%s\">%s</a>", relative(l.Path, sourcePath(folder, true)), part)
		}
		if i > 0 {
			b.WriteString("<wbr>/")
		}
		b.WriteString(part)
	}
	return b.String()
}

func (s *Site) folder(b *strings.Builder, l *listing, name, file string) error {
	if about, err := packageDoc(file); err != nil {
		return err
	} else if about != "" {
		b.WriteString(about)
	}
	entries, err := os.ReadDir(file)
	if err != nil {
		return err
	}
	b.WriteString("<ul class=\"files\">\n")
	for _, e := range entries {
		child := path.Join(name, e.Name())
		p, document := s.pages[child]
		switch {
		case strings.HasPrefix(e.Name(), "."), e.Name() == "certs" && name != ".", e.Name() == "build", e.Name() == "testdata":
			continue
		case document:
			fmt.Fprintf(b, "<li><a href=\"%s\">%s</a></li>\n", relative(l.Path, p.Path), template.HTMLEscapeString(e.Name()))
			continue
		case e.IsDir():
			if _, known := s.sources[child]; !known {
				continue // nobody links to it
			}
		case !readable(e.Name()):
			continue
		default:
			if _, known := s.sources[child]; !known && strings.HasSuffix(e.Name(), "_test.go") {
				continue // tests are pages if documents name them
			}
			s.want(child)
		}
		slash := ""
		if e.IsDir() {
			slash = "/"
		}
		fmt.Fprintf(b, "<li><a href=\"%s\">%s%s</a></li>\n", relative(l.Path, sourcePath(child, e.IsDir())), template.HTMLEscapeString(e.Name()), slash)
	}
	b.WriteString("</ul>\n")
	return nil
}

// readable says whether a file is shown, by its name.
func readable(name string) bool {
	switch filepath.Ext(name) {
	case ".go", ".s", ".md", ".toml", ".mod", ".txt", ".html", ".css", ".js", ".sh":
		return !strings.HasPrefix(name, ".")
	}
	return false
}

// packageDoc is the package comment of a folder's doc.go, as HTML.
func packageDoc(dir string) (string, error) {
	name := filepath.Join(dir, "doc.go")
	if _, err := os.Stat(name); err != nil {
		return "", nil
	}
	f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments|parser.PackageClauseOnly)
	if err != nil || f.Doc == nil {
		return "", err
	}
	p := comment.Parser{LookupSym: func(string, string) bool { return true }}
	printer := comment.Printer{
		HeadingLevel: 2,
		DocLinkURL:   func(*comment.DocLink) string { return "" },
	}
	return string(printer.HTML(p.Parse(f.Doc.Text()))), nil
}

// showFile shows a file.
func showFile(b *strings.Builder, file string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if !utf8.Valid(data) {
		return errors.New(file + " is no text")
	}
	var code strings.Builder
	if filepath.Ext(file) == ".go" {
		highlight(&code, string(data))
	} else {
		template.HTMLEscape(&code, data)
	}
	b.WriteString("<div class=\"code\"><pre class=\"source\"><code>")
	b.WriteString(code.String())
	b.WriteString("</code></pre></div>\n")
	return nil
}
