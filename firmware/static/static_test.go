package static

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"ingot.dev/firmware/endpoint"
	"ingot.dev/firmware/internal/servicetest"
	"ingot.dev/firmware/tally"
)

const page = "<!doctype html><p>hello"

func site() fstest.MapFS {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	io.WriteString(z, strings.Repeat("p{}", 1000))
	z.Close()
	return fstest.MapFS{
		"index.html":               {Data: []byte(page)},
		"a/b/deep.txt":             {Data: []byte("deep")},
		"a/index.html":             {Data: []byte("folder a")},
		"style.css":                {Data: []byte(strings.Repeat("p{}", 1000))},
		"style.css.gz":             {Data: packed.Bytes()},
		"with space.txt":           {Data: []byte("space")},
		"100%.txt":                 {Data: []byte("percent")},
		".env":                     {Data: []byte("secret")},
		".git/config":              {Data: []byte("secret")},
		".well-known/security.txt": {Data: []byte("contact")},
		"big.bin":                  {Data: make([]byte, 3_000_000)},
	}
}

// serve runs a service and returns a client for it, and its URL.
func serve(t *testing.T, o Options) (*servicetest.Rig, *http.Client, string) {
	t.Helper()
	o.Listen = "127.0.0.1:0"
	if o.Files == nil {
		o.Files = site()
	}
	service, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	r := servicetest.New(t)
	addr, _ := r.Serve(t, service)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: r.CA.Pool(), ServerName: "localhost"}, DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	return r, &http.Client{
		Transport: transport, Timeout: servicetest.Patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, "https://" + addr
}

func TestFiles(t *testing.T) {
	_, client, url := serve(t, Options{Headers: map[string]string{"Content-Security-Policy": "default-src 'self'"}, MaxAge: time.Hour})
	for _, tt := range []struct {
		path   string
		status int
		body   string
		kind   string
	}{
		{"/", 200, page, "text/html; charset=utf-8"},
		{"/index.html", 200, page, "text/html; charset=utf-8"},
		{"/a", 301, "", ""},
		{"/a/", 200, "folder a", "text/html; charset=utf-8"},
		{"/a/b/deep.txt?query", 200, "deep", "text/plain; charset=utf-8"},
		{"/a/b", 404, "not found\n", "text/plain; charset=utf-8"},
		{"/a/b/", 404, "not found\n", "text/plain; charset=utf-8"},
		{"/with%20space.txt", 200, "space", "text/plain; charset=utf-8"},
		{"/100%25.txt", 200, "percent", "text/plain; charset=utf-8"},
		{"/.well-known/security.txt", 200, "contact", "text/plain; charset=utf-8"},
		{"/nothing", 404, "not found\n", "text/plain; charset=utf-8"},
		{"/.env", 404, "not found\n", "text/plain; charset=utf-8"},
		{"/.git/config", 404, "not found\n", "text/plain; charset=utf-8"},
	} {
		resp, err := client.Get(url + tt.path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != tt.status || string(body) != tt.body || resp.Header.Get("Content-Type") != tt.kind {
			t.Errorf("%s: %d %q %q, %v", tt.path, resp.StatusCode, resp.Header.Get("Content-Type"), body, err)
		}
		h := resp.Header
		if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Content-Security-Policy") != "default-src 'self'" {
			t.Errorf("%s: %v", tt.path, h)
		}
		if tt.status == 200 && (h.Get("Cache-Control") != "max-age=3600" || h.Get("ETag") == "") {
			t.Errorf("%s: %v", tt.path, h)
		}
	}
}

func TestConditionsAndRanges(t *testing.T) {
	_, client, url := serve(t, Options{})
	get := func(path string, header ...string) *http.Response {
		req, _ := http.NewRequest("GET", url+path, nil)
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		resp.Body = io.NopCloser(bytes.NewReader(body))
		return resp
	}
	tag := get("/").Header.Get("ETag")
	if r := get("/", "If-None-Match", tag); r.StatusCode != 304 {
		t.Errorf("the same file: %d", r.StatusCode)
	}
	if r := get("/", "Range", "bytes=2-8"); r.StatusCode != 206 {
		t.Errorf("range: %d", r.StatusCode)
	} else if b, _ := io.ReadAll(r.Body); string(b) != page[2:9] {
		t.Errorf("range: %q", b)
	}
	if r := get("/", "Range", "bytes=1000000-"); r.StatusCode != 416 {
		t.Errorf("a range beyond the end: %d", r.StatusCode)
	}
	for accept, packed := range map[string]bool{"gzip": true, "br, gzip;q=0.5": true, "gzip;q=0": false, "br": false, "": false} {
		r := get("/style.css", "Accept-Encoding", accept)
		if got := r.Header.Get("Content-Encoding") == "gzip"; got != packed || r.Header.Get("Vary") != "Accept-Encoding" || r.Header.Get("Content-Type") != "text/css; charset=utf-8" {
			t.Errorf("%q: %v", accept, r.Header)
		}
	}
	if r := get("/big.bin"); r.ContentLength != 3_000_000 {
		t.Errorf("%d bytes", r.ContentLength)
	}
}

// TestHostileRequests: what isn't a request for a file ends with an error, soon, and
// nothing outside of the files is ever read.
func TestHostileRequests(t *testing.T) {
	r, client, url := serve(t, Options{})
	addr := strings.TrimPrefix(url, "https://")
	for name, tt := range map[string]struct {
		request string
		status  string // of the answer; "" if there need not be one
	}{
		"traversal":          {"GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", "404"},
		"encoded traversal":  {"GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", "404"},
		"double encoding":    {"GET /%252e%252e/index.html HTTP/1.1\r\nHost: x\r\n\r\n", "404"},
		"backslashes":        {"GET /..\\..\\index.html HTTP/1.1\r\nHost: x\r\n\r\n", "404"},
		"null byte":          {"GET /index.html%00.txt HTTP/1.1\r\nHost: x\r\n\r\n", "404"},
		"slashes":            {"GET //index.html HTTP/1.1\r\nHost: x\r\n\r\n", "404"},
		"folder not cleaned": {"GET /a/../a/ HTTP/1.1\r\nHost: x\r\n\r\n", "404"},
		"absolute":           {"GET http://elsewhere/.env HTTP/1.1\r\nHost: x\r\n\r\n", "404"},
		"large head":         {"GET / HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 100_000) + "\r\n\r\n", "431"},
		"long path":          {"GET /" + strings.Repeat("x", 100_000) + " HTTP/1.1\r\nHost: x\r\n\r\n", "431"},
		"post":               {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\nxxx", "405"},
		"body":               {"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\nxxx", "413"},
		"chunked":            {"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n", "413"},
		"not HTTP":           {"\x16\x03\x01 hello\r\n\r\n", "400"},
		"smuggling":          {"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", ""},
	} {
		c, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: r.CA.Pool(), ServerName: "localhost"})
		if err != nil {
			t.Fatal(err)
		}
		c.SetDeadline(time.Now().Add(servicetest.Patience))
		go io.WriteString(c, tt.request)
		line, err := bufio.NewReader(c).ReadString('\n')
		if tt.status != "" && !strings.HasPrefix(line, "HTTP/1.1 "+tt.status) {
			t.Errorf("%s: %q, %v", name, line, err)
		}
		c.Close()
	}
	if resp, err := client.Get(url + "/"); err != nil || resp.StatusCode != 200 {
		t.Errorf("afterwards: %v, %v", resp, err)
	} else {
		resp.Body.Close()
	}
	servicetest.WaitTally(t, r.System(t), func(c *tally.Tally) bool { return c.Open.Load() <= 1 })
}

// TestSlowReader: who asks for a lot and reads nothing loses its connection.
func TestSlowReader(t *testing.T) {
	files := site()
	files["huge.bin"] = &fstest.MapFile{Data: make([]byte, 64<<20)}
	r, _, url := serve(t, Options{Files: files, Options: endpoint.Options{StallTimeout: 200 * time.Millisecond}})
	c, err := tls.Dial("tcp", strings.TrimPrefix(url, "https://"), &tls.Config{RootCAs: r.CA.Pool(), ServerName: "localhost"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, "GET /huge.bin HTTP/1.1\r\nHost: x\r\n\r\n")
	servicetest.WaitTally(t, r.System(t), func(c *tally.Tally) bool { return c.Errors[tally.Stalled].Load() == 1 && c.Open.Load() == 0 })
}

func TestOptions(t *testing.T) {
	_, err := New(Options{Options: endpoint.Options{ALPN: []string{"h2"}}, MaxAge: -1, Headers: map[string]string{"a b": "", "ok": "x\r\ny"}})
	servicetest.Wants(t, err, "Listen", "ALPN", "MaxAge", "Headers", "Headers", "Files")
	_, err = New(Options{Options: endpoint.Options{Listen: ":1"}, Files: fstest.MapFS{".hidden": {}}})
	servicetest.Wants(t, err, "Files")
	_, err = New(Options{Options: endpoint.Options{Listen: ":1"}, Files: broken{site()}})
	if err == nil || !strings.Contains(err.Error(), `file "index.html": on purpose`) {
		t.Errorf("%v", err)
	}
}

// broken is a file system of which one file can't be read.
type broken struct{ fstest.MapFS }

func (b broken) ReadFile(name string) ([]byte, error) {
	if name == "index.html" {
		return nil, fmt.Errorf("on purpose")
	}
	return fs.ReadFile(b.MapFS, name)
}

// FuzzPath: whatever the path, the answer is a listed file or an error, never a hidden one.
func FuzzPath(f *testing.F) {
	for _, p := range []string{"/", "/a", "/a/", "/../.env", "/.git/config", "/%2e%2e/", "//", "/a//b/deep.txt", "/\x00", "/a/./index.html"} {
		f.Add(p)
	}
	files := site()
	delete(files, "big.bin")
	h := &handler{headers: map[string]string{}, maxAge: "max-age=0"}
	if err := h.read(files); err != nil {
		f.Fatal(err)
	}
	known := map[string]bool{"not found\n": true}
	for name, file := range files {
		if !hidden(name) {
			known[string(file.Data)] = true
		}
	}
	f.Fuzz(func(t *testing.T, p string) {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, &http.Request{Method: "GET", URL: &url.URL{Path: p}, Header: http.Header{}})
		switch {
		case w.Code == 301:
			if to := w.Header().Get("Location"); !strings.HasPrefix(to, "./") || strings.Contains(to[2:], "//") || path.Clean(p) == "/" {
				t.Errorf("%q leads to %q", p, to)
			}
		case w.Code != 200 && w.Code != 404 || !known[w.Body.String()] || strings.Contains(w.Body.String(), "secret"):
			t.Errorf("%q: %d %q", p, w.Code, w.Body)
		}
	})
}
