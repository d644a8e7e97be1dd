package static

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"ingot.dev/firmware"
	"ingot.dev/firmware/endpoint"
	"ingot.dev/firmware/internal/web"
)

// Options configure a service. Listen and Files are required.
type Options struct {
	endpoint.Options

	// Files are what is served. They are read once, when the service is made, and
	// must not change.
	Files fs.FS

	// MaxAge is how long a browser may keep a file before it asks whether that is
	// still the same; 0 is not at all.
	MaxAge time.Duration

	// Headers are added to each answer, such as Content-Security-Policy.
	Headers map[string]string
}

// A FileError says that a file can't be served.
type FileError struct {
	Name string
	Err  error
}

func (e *FileError) Error() string { return fmt.Sprintf("static: file %q: %v", e.Name, e.Err) }

// Unwrap returns the cause.
func (e *FileError) Unwrap() error { return e.Err }

// New makes a service of files. All wrong options are reported at once, as
// *tlsio.OptionError joined in a *tlsio.Error; files that can't be read are a *FileError
// each.
func New(o Options) (firmware.Service, error) {
	var p endpoint.Problems
	web.CheckALPN(&o.Options, &p)
	e := endpoint.Check("static", o.Options, false, &p)
	if o.MaxAge < 0 {
		p.Add("MaxAge", o.MaxAge, "use a positive duration, or 0")
	}
	h := &handler{maxAge: fmt.Sprintf("max-age=%d", int(o.MaxAge/time.Second)), headers: map[string]string{}}
	for name, value := range o.Headers {
		if !token(name) || strings.ContainsAny(value, "\r\n\x00") {
			p.Add("Headers", name, "use a header's name, and a value of one line")
		}
		h.headers[name] = value
	}
	if o.Files == nil {
		p.Add("Files", nil, "required: the files to serve, embedded as a rule")
	} else if err := h.read(o.Files); err != nil {
		p.List = append(p.List, err)
	} else if len(h.files) == 0 {
		p.Add("Files", nil, "has no files; look at the folder that go:embed names")
	}
	if err := p.Err("static.New"); err != nil {
		return firmware.Service{}, err
	}
	return web.Service(e, func(*firmware.System) http.Handler { return h }), nil
}

// token reports whether name can be a header's (RFC 9110 §5.6.2).
func token(name string) bool {
	for _, c := range []byte(name) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return name != ""
}

// handler answers requests.
type handler struct {
	files   map[string]*file // by path, with the slash in front
	maxAge  string
	headers map[string]string
}

// file is what is served under a path.
type file struct {
	name   string
	kind   string // Content-Type
	body   []byte
	tag    string
	packed *file // with gzip; nil if there is none
}

// read lists and reads the files.
func (h *handler) read(files fs.FS) error {
	h.files = map[string]*file{}
	var errs []error
	fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			errs = append(errs, &FileError{name, err})
			return nil
		case hidden(name):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case !d.Type().IsRegular():
			return nil
		}
		body, err := fs.ReadFile(files, name)
		if err != nil {
			errs = append(errs, &FileError{name, err})
			return nil
		}
		sum := sha256.Sum256(body)
		f := &file{name: name, body: body, tag: `"` + hex.EncodeToString(sum[:12]) + `"`}
		if f.kind = kinds[strings.ToLower(path.Ext(name))]; f.kind == "" {
			if f.kind = mime.TypeByExtension(path.Ext(name)); f.kind == "" {
				f.kind = "application/octet-stream"
			}
		}
		h.files["/"+name] = f
		return nil
	})
	for name, f := range h.files {
		f.packed = h.files[name+".gz"]
	}
	return errors.Join(errs...)
}

// hidden reports whether part of a name begins with a dot.
func hidden(name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		if strings.HasPrefix(part, ".") && part != "." && part != ".well-known" {
			return true
		}
	}
	return false
}

// kinds are the types of a site's files, which must not depend on what a machine has in
// /etc/mime.types.
var kinds = map[string]string{
	".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
	".json": "application/json", ".svg": "image/svg+xml", ".png": "image/png", ".jpg": "image/jpeg", ".ico": "image/x-icon",
	".woff2": "font/woff2", ".wasm": "application/wasm", ".txt": "text/plain; charset=utf-8", ".pdf": "application/pdf",
	".xml": "text/xml; charset=utf-8", ".gz": "application/gzip", ".webp": "image/webp",
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for name, value := range h.headers {
		w.Header().Set(name, value)
	}
	name := r.URL.Path // decoded once
	if name == "" {
		name = "/"
	}
	f := h.files[name]
	if clean := path.Clean("/" + name); f == nil && (name == clean || name == clean+"/") {
		// Each file has one name: those that would have to be cleaned are nobody's.
		f = h.files[path.Join(clean, "index.html")]
		if f != nil && !strings.HasSuffix(name, "/") {
			// So that links in it are relative to the folder.
			w.Header().Set("Location", "./"+url.PathEscape(path.Base(clean))+"/")
			w.WriteHeader(http.StatusMovedPermanently)
			return
		}
	}
	if f == nil {
		http.Error(w, "not found", http.StatusNotFound)
		return
	}
	header := w.Header()
	header.Set("Content-Type", f.kind)
	header.Set("Cache-Control", h.maxAge)
	send := f
	if f.packed != nil {
		header.Add("Vary", "Accept-Encoding")
		if takesGzip(r.Header.Values("Accept-Encoding")) {
			send = f.packed
			header.Set("Content-Encoding", "gzip")
		}
	}
	header.Set("ETag", send.tag)
	// The zero time: an image's files have none that means anything.
	http.ServeContent(w, r, send.name, time.Time{}, bytes.NewReader(send.body))
}

// takesGzip reports whether a client takes gzip (RFC 9110 §12.5.3).
func takesGzip(accept []string) bool {
	for _, value := range accept {
		for part := range strings.SplitSeq(value, ",") {
			name, params, _ := strings.Cut(strings.TrimSpace(part), ";")
			q := strings.ReplaceAll(strings.ToLower(params), " ", "")
			if strings.EqualFold(strings.TrimSpace(name), "gzip") {
				return q != "q=0" && q != "q=0.0" && q != "q=0.00" && q != "q=0.000"
			}
		}
	}
	return false
}
