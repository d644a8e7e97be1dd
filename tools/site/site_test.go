package main

import (
	"bytes"
	"context"
	"image/png"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"ingot.dev/internal/testenv"
)

// built makes the site of this repository.
func built(t *testing.T) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "site")
	s, err := Read("../..")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Write(out); err != nil {
		t.Fatal(err)
	}
	return out
}

// An htmlFile is what a page says of itself.
type htmlFile struct {
	titles, heads []string
	lang          string
	ids           []string
	links         []string // href and src
	text          string
}

func load(t *testing.T, file string) (h htmlFile) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	root, err := html.Parse(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	for n := range root.Descendants() {
		if n.Type == html.TextNode {
			h.text += n.Data
		}
		if n.Type != html.ElementNode {
			continue
		}
		has := map[string]string{}
		for _, a := range n.Attr {
			has[a.Key] = a.Val
			switch a.Key {
			case "id":
				h.ids = append(h.ids, a.Val)
			case "href", "src":
				h.links = append(h.links, a.Val)
				if n.Data != "a" && strings.Contains(a.Val, "//") {
					t.Errorf("%s loads %s from elsewhere", file, a.Val)
				}
			}
		}
		switch n.Data {
		case "html":
			h.lang = has["lang"]
		case "title", "h1":
			text := ""
			for c := range n.Descendants() {
				if c.Type == html.TextNode {
					text += c.Data
				}
			}
			if n.Data == "h1" {
				h.heads = append(h.heads, text)
			} else {
				h.titles = append(h.titles, text)
			}
		case "img":
			if has["alt"] == "" {
				t.Errorf("%s: a picture %s without words for it", file, has["src"])
			}
		case "style", "iframe", "object":
			t.Errorf("%s has <%s>", file, n.Data)
		}
	}
	return h
}

// TestSite makes the site of these documents and follows all its links.
func TestSite(t *testing.T) {
	out := built(t)
	pages := map[string]htmlFile{}
	err := filepath.WalkDir(out, func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".html") {
			pages[path] = load(t, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	documents := 0
	titles := map[string]string{}
	for file, p := range pages {
		if p.lang != "en" || len(p.titles) != 1 || p.titles[0] == "" || len(p.heads) != 1 {
			t.Errorf("%s: language %q, titles %q, headings %q", file, p.lang, p.titles, p.heads)
			continue
		}
		if !strings.Contains(file, "/src/") {
			documents++
			if other := titles[p.titles[0]]; other != "" {
				t.Errorf("%s and %s have the same title, %q", file, other, p.titles[0])
			}
			titles[p.titles[0]] = file
		}
		sorted := slices.Sorted(slices.Values(p.ids))
		if len(slices.Compact(sorted)) != len(p.ids) {
			t.Errorf("%s has an id twice", file)
		}
		for _, link := range p.links {
			u, err := url.Parse(link)
			if err != nil || u.Scheme != "" {
				if err != nil || u.Scheme != "https" {
					t.Errorf("%s links to %s", file, link)
				}
				continue
			}
			to := file
			if u.Path != "" {
				to = filepath.Join(filepath.Dir(file), filepath.FromSlash(u.Path))
			}
			if info, err := os.Stat(to); err != nil || info.IsDir() {
				t.Errorf("%s links to %s, which isn't there", file, link)
			} else if u.Fragment != "" && !slices.Contains(pages[to].ids, u.Fragment) {
				t.Errorf("%s links to %s, which has no such heading", file, link)
			}
		}
	}
	want := 0
	for _, g := range contents {
		want += len(g.Documents)
	}
	if documents != want {
		t.Errorf("%d documents, want %d", documents, want)
	}
}

// TestWriteAgain: a site takes the place of the one before, and of nothing else.
func TestWriteAgain(t *testing.T) {
	s := &Site{}
	out := t.TempDir()
	if err := s.Write(out); err != nil {
		t.Fatal(err)
	}
	old := filepath.Join(out, "old.html")
	if err := os.WriteFile(old, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := s.Write(out); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(old); err == nil {
		t.Error("a page of the site before is still there")
	}
	other := t.TempDir()
	kept := filepath.Join(other, "thesis.txt")
	if err := os.WriteFile(kept, []byte("x"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := s.Write(other); err == nil || !strings.Contains(err.Error(), "no site") {
		t.Errorf("writing over something else: %v", err)
	}
	if _, err := os.Stat(kept); err != nil {
		t.Error(err)
	}
}

// TestRefused: what is wrong in a document is an error that says where.
func TestRefused(t *testing.T) {
	root := t.TempDir()
	testenv.WriteFiles(t, root, map[string]string{
		"docs/other.md": "# Other\n\n## There\n",
		"code.go":       "package code\n",
		"picture.svg":   "<svg/>",
	})
	for text, want := range map[string]string{
		"No title.\n":                       "1: there is no title",
		"# A\n\n# B\n":                      `3: "B" is a second title`,
		"# A\n\n    indented\n":             "3: an indented block",
		"# A\n\nsome <b>HTML</b>\n":         "3: HTML is not for documents",
		"# A\n\n<div>\n":                    "3: HTML is not for documents",
		"# A\n\n[x](missing.md)\n":          "README.md:3: the link to missing.md: missing.md is not there",
		"# A\n\n[x](docs/other.md#here)\n":  "docs/other.md has no heading #here",
		"# A\n\n[x](#here)\n":               "README.md has no heading #here",
		"# A\n\n[x](code.go#L1)\n":          "code.go is no document",
		"# A\n\n[x](../outside.md)\n":       "outside of the repository",
		"# A\n\n[x](http://example.com/)\n": "links are relative, or https",
		"# A\n\n[x](picture.svg)\n":         "it is a picture",
		"# A\n\n![](picture.svg)\n":         "needs words",
		"# A\n\n![x](missing.svg)\n":        "missing.svg is not there",
		"# A\n\n![x](../x.svg)\n":           "isn't in the repository",
		"# A\n\n![x](https://a.b/x.svg)\n":  "isn't in the repository",
		"# A\n\n![x](picture.svg)\n":        "",
		"# A\n\n```python\nx\n```\n":        `README.md:3: a block of "python"`,
		"# A\n\n```console\nout\n```\n":     "comes before any command",
		"# A\n\n[x](docs/other.md#there) [y](code.go) [z](#a)\n\n```console\n$ ls\n```\n": "",
	} {
		s := &Site{root: root, pages: map[string]*page{}, sources: map[string]*listing{}, pictures: map[string][]byte{}}
		p, err := parse("README.md", []byte(text))
		if err == nil {
			s.pages["README.md"] = p
			other, otherErr := parse("docs/other.md", []byte("# Other\n\n## There\n"))
			if otherErr != nil {
				t.Fatal(otherErr)
			}
			s.pages["docs/other.md"] = other
			err = p.render(s.target, s.picture)
		}
		switch {
		case want == "" && err != nil:
			t.Errorf("%q: %v", text, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// TestForgotten: a document that isn't in the table of contents is an error.
func TestForgotten(t *testing.T) {
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "NEW.md"), []byte("# New\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	s := &Site{root: root, pages: map[string]*page{}}
	if err := s.complete(); err == nil || !strings.Contains(err.Error(), "NEW.md is not in the table of contents") {
		t.Error(err)
	}
}

// TestPaths: no two documents have the same page.
func TestPaths(t *testing.T) {
	seen := map[string]string{}
	for _, g := range contents {
		for _, document := range g.Documents {
			p := pagePath(document)
			if seen[p] != "" {
				t.Errorf("%s and %s are both %s", document, seen[p], p)
			}
			seen[p] = document
		}
	}
	for document, want := range map[string]string{
		"README.md": "index.html", "docs/ingot.md": "ingot.html", "SECURITY.md": "project/security.html",
		"docs/conformance/README.md": "conformance/index.html", "docs/conformance/bun.md": "conformance/bun.html",
		"examples/sensor/README.md": "examples/sensor/index.html",
	} {
		if got := pagePath(document); got != want {
			t.Errorf("%s: %s, want %s", document, got, want)
		}
	}
}

// TestIDs: headings are named as on GitHub.
func TestIDs(t *testing.T) {
	s := &ids{seen: map[string]bool{}}
	for _, test := range [][2]string{
		{`kind = "echo"`, "kind--echo"},
		{"[service.NAME]", "servicename"},
		{"Who's there?", "whos-there"},
		{"`ingot exec` and 2 others", "ingot-exec-and-2-others"},
		{"Who's there?", "whos-there-1"},
	} {
		if got := string(s.Generate([]byte(test[0]), 0)); got != test[1] {
			t.Errorf("%s: %s, want %s", test[0], got, test[1])
		}
	}
}

// TestCode: sessions are shown with prompts apart, and copied without prompts and output.
func TestCode(t *testing.T) {
	p, err := parse("README.md", []byte("# A\n\n```console norun=\"needs <root>\"\n$ rm -rf \\\n> \"x & y\"\ngone\n```\n\n```go\nvar x = \"y\" // z\n```\n"))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.render(nil, nil); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"data-copy=\"rm -rf \\\n&#34;x &amp; y&#34;\n\"",
		`<p class="note">Not run by Ingot&#39;s tests: needs &lt;root&gt;.</p>`,
		`<span class="prompt">$ </span><b>rm -rf \</b>`,
		`<span class="prompt">&gt; </span><b>&#34;x &amp; y&#34;</b>` + "\ngone\n",
		`<span class="keyword">var</span> x = <span class="string">&#34;y&#34;</span> <span class="comment">// z</span>`,
	} {
		if !strings.Contains(string(p.Body), want) {
			t.Errorf("%s\nis not in\n%s", want, p.Body)
		}
	}
}

// TestBrowser opens a page in headless Chromium: its script runs, and there is a picture.
func TestBrowser(t *testing.T) {
	program := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			program = p
			break
		}
	}
	if program == "" {
		t.Skip("there is no Chromium; apt-get install chromium")
	}
	out := built(t)
	page := "file://" + filepath.Join(out, "flashing.html")
	picture := filepath.Join(t.TempDir(), "page.png")
	chromium := func(args ...string) string {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		// Not t.TempDir: a process of the browser's may still write there, which is no failure.
		home, err := os.MkdirTemp("", "ingot-site-")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(home) })
		cmd := exec.CommandContext(ctx, program, append([]string{"--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
			"--disable-background-networking", "--disable-component-update", "--user-data-dir=" + home}, args...)...)
		cmd.Env = append(cmd.Environ(), "HOME="+home)
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	dom := chromium("--dump-dom", page)
	if n := strings.Count(dom, `<button class="copy"`); n == 0 || n != strings.Count(dom, "data-copy=") {
		t.Errorf("%d buttons to copy with, for %d sessions", n, strings.Count(dom, "data-copy="))
	}
	if !strings.Contains(dom, `<div class="search">`) {
		t.Error("the search is hidden: site.js has not come to its end")
	}

	// Somebody searches, and walks through what is found with the keyboard.
	text, err := os.ReadFile(filepath.Join(out, "flashing.html"))
	if err != nil {
		t.Fatal(err)
	}
	probe := bytes.Replace(text, []byte("</body>"), []byte(`<script type="module">
		input.value = "sd card";
		input.dispatchEvent(new Event("input"));
		input.focus();
		input.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowDown", bubbles: true }));
		document.body.dataset.probe = document.activeElement.textContent + " at " + document.activeElement.getAttribute("href");
	</script></body>`), 1)
	if err := os.WriteFile(filepath.Join(out, "probe.html"), probe, 0o666); err != nil {
		t.Fatal(err)
	}
	// Modules come behind site.js, which is deferred, and are inline: file:// allows them.
	dom = chromium("--dump-dom", "file://"+filepath.Join(out, "probe.html"))
	if want := `data-probe="An SD cardGetting an image onto a board at ./flashing.html#an-sd-card"`; !strings.Contains(dom, want) {
		_, got, _ := strings.Cut(dom, "data-probe=")
		t.Errorf("the search found %.200q, want %s", got, want)
	}
	chromium("--window-size=1200,900", "--screenshot="+picture, page)
	f, err := os.Open(picture)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := png.DecodeConfig(f); err != nil {
		t.Error(err)
	}
}
