package main

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Site is what is to be written.
type Site struct {
	root    string // of the repository
	groups  []groupOfPages
	pages   map[string]*page    // by document
	sources map[string]*listing // by file or folder
	queue   []string            // sources that are still to be read

	pictures map[string][]byte // by path on the site
}

type groupOfPages struct {
	Title string
	Pages []*page
}

//go:embed page.html style.css site.js
var files embed.FS

var layout = template.Must(template.ParseFS(files, "page.html"))

// Read reads and checks all documents, and the sources that they link to.
func Read(root string) (*Site, error) {
	s := &Site{root: root, pages: map[string]*page{}, sources: map[string]*listing{}, pictures: map[string][]byte{}}
	for _, g := range contents {
		made := groupOfPages{Title: g.Title}
		for _, document := range g.Documents {
			text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(document)))
			if err != nil {
				return nil, fmt.Errorf("the table of contents (tools/site/contents.go): %w", err)
			}
			p, err := parse(document, text)
			if err != nil {
				return nil, fmt.Errorf("%s:%w", document, err)
			}
			s.pages[document] = p
			made.Pages = append(made.Pages, p)
		}
		s.groups = append(s.groups, made)
	}
	if err := s.complete(); err != nil {
		return nil, err
	}
	var errs []error
	for _, g := range s.groups {
		for _, p := range g.Pages {
			errs = append(errs, p.render(s.target, s.picture))
		}
	}
	for len(s.queue) > 0 {
		name := s.queue[0]
		s.queue = s.queue[1:]
		l, err := s.list(name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		s.sources[name] = l
	}
	return s, errors.Join(errs...)
}

// complete fails if a document is not in the table of contents.
func (s *Site) complete() error {
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md", "examples/*/README.md"} {
		found, err := filepath.Glob(filepath.Join(s.root, filepath.FromSlash(pattern)))
		if err != nil {
			return err
		}
		for _, file := range found {
			rel, err := filepath.Rel(s.root, file)
			if err != nil {
				return err
			}
			if s.pages[filepath.ToSlash(rel)] == nil {
				return fmt.Errorf("%s is not in the table of contents: add it to tools/site/contents.go", rel)
			}
		}
	}
	return nil
}

// target returns where a link of a document leads on the site, relative to that document's
// page, and checks that there is something.
func (s *Site) target(from *page, link string) (string, error) {
	u, err := url.Parse(link)
	switch {
	case err != nil:
		return "", err
	case u.Scheme == "https":
		return link, nil
	case u.Scheme != "" || u.Host != "" || strings.HasPrefix(u.Path, "/"):
		return "", fmt.Errorf("the link to %s: links are relative, or https", link)
	}
	to, err := s.local(from, u)
	if err != nil {
		return "", fmt.Errorf("the link to %s: %w", link, err)
	}
	return to, nil
}

// local is target within the repository.
func (s *Site) local(from *page, u *url.URL) (string, error) {
	name := from.Document
	if u.Path != "" {
		name = path.Join(path.Dir(from.Document), u.Path)
	}
	if p := s.pages[name]; p != nil {
		if u.Fragment != "" && !slices.ContainsFunc(p.Headings, func(h heading) bool { return h.ID == u.Fragment }) {
			return "", fmt.Errorf("%s has no heading #%s", name, u.Fragment)
		}
		to := relative(from.Path, p.Path)
		if u.Path == "" {
			to = ""
		}
		return to + fragment(u.Fragment), nil
	}
	if u.Fragment != "" {
		return "", fmt.Errorf("%s is no document, so it has no #%s", name, u.Fragment)
	}
	if strings.HasPrefix(name, "..") {
		return "", fmt.Errorf("%s is outside of the repository", name)
	}
	info, err := os.Stat(filepath.Join(s.root, filepath.FromSlash(name)))
	if err != nil {
		return "", fmt.Errorf("%s is not there", name)
	}
	if strings.HasSuffix(name, ".svg") || strings.HasSuffix(name, ".png") {
		return "", errors.New("it is a picture: show it")
	}
	s.want(name)
	return relative(from.Path, sourcePath(name, info.IsDir())), nil
}

// picture returns where a picture of a document is on the site, relative to that document's
// page, and checks that it is there, in the repository, with words for who doesn't see it.
func (s *Site) picture(from *page, link, words string) (string, error) {
	name := path.Join(path.Dir(from.Document), link)
	data, err := os.ReadFile(filepath.Join(s.root, filepath.FromSlash(name)))
	switch {
	case strings.Contains(link, ":") || strings.HasPrefix(name, ".."):
		return "", fmt.Errorf("the picture %s isn't in the repository", link)
	case err != nil:
		return "", fmt.Errorf("the picture %s is not there", name)
	case words == "":
		return "", fmt.Errorf("the picture %s needs words that say what is on it", link)
	}
	to := path.Join("pictures", path.Base(name))
	if other, taken := s.pictures[to]; taken && !bytes.Equal(other, data) {
		return "", fmt.Errorf("there is another picture %s", path.Base(name))
	}
	s.pictures[to] = data
	return relative(from.Path, to), nil
}

// want makes sure that a source becomes a page.
func (s *Site) want(name string) {
	if _, known := s.sources[name]; !known {
		s.sources[name] = nil
		s.queue = append(s.queue, name)
	}
}

func fragment(id string) string {
	if id == "" {
		return ""
	}
	return "#" + id
}

// relative returns the way from one page of the site to another.
func relative(from, to string) string {
	r, err := filepath.Rel(path.Dir(from), to)
	if err != nil {
		panic(err) // both are relative
	}
	return filepath.ToSlash(r)
}

// Write writes the site to a folder, from which it removes what an earlier one has left.
func (s *Site) Write(out string) error {
	if err := emptied(out); err != nil {
		return err
	}
	for _, name := range []string{"style.css", "site.js"} {
		data, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		if name == "site.js" {
			data = append(s.index(), data...)
		}
		if err := write(out, name, data); err != nil {
			return err
		}
	}
	for name, data := range s.pictures {
		if err := write(out, name, data); err != nil {
			return err
		}
	}
	for _, g := range s.groups {
		for i, p := range g.Pages {
			v := view{Title: p.Title, Path: p.Path, Body: p.Body, Headings: p.Headings, groups: s.groups}
			if i > 0 {
				v.Before = g.Pages[i-1]
			}
			if i < len(g.Pages)-1 {
				v.After = g.Pages[i+1]
			}
			if err := v.write(out); err != nil {
				return err
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.sources)) {
		l := s.sources[name]
		v := view{Title: l.Title, Path: l.Path, Body: l.Body, groups: s.groups}
		if err := v.write(out); err != nil {
			return err
		}
	}
	return nil
}

// marker is a file by which a site is known as one.
const marker = ".ingot-site"

// emptied makes a folder, or empties it if it holds a site.
func emptied(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case len(entries) > 0:
		if _, err := os.Stat(filepath.Join(dir, marker)); err != nil {
			return fmt.Errorf("%s has something in it that is no site; name another folder", dir)
		}
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	return write(dir, marker, nil)
}

func write(out, name string, data []byte) error {
	file := filepath.Join(out, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		return err
	}
	return os.WriteFile(file, data, 0o666)
}

// A view is what page.html is made of.
type view struct {
	Title         string
	Path          string
	Body          template.HTML
	Headings      []heading
	Before, After *page
	groups        []groupOfPages
}

// To returns the way to another page of the site.
func (v view) To(path string) string { return relative(v.Path, path) }

// Groups returns the table of contents.
func (v view) Groups() []groupOfPages { return v.groups }

// Sections returns the headings of the second level.
func (v view) Sections() (list []heading) {
	for _, h := range v.Headings {
		if h.Level == 2 {
			list = append(list, h)
		}
	}
	return list
}

func (v view) write(out string) error {
	var b bytes.Buffer
	if err := layout.Execute(&b, v); err != nil {
		return err
	}
	return write(out, v.Path, b.Bytes())
}
