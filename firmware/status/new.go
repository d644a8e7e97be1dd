package status

import (
	"embed"
	"encoding/json"
	"net/http"

	"ingot.dev/firmware"
	"ingot.dev/firmware/endpoint"
	"ingot.dev/firmware/internal/web"
	"ingot.dev/tlsio"
)

// Options configure a service. Listen is required; clients must show certificates, which
// the anchors of ClientGroup vouch for.
type Options struct {
	endpoint.Options
}

//go:embed page
var page embed.FS

// policy lets the page do what it does, and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// New makes a service that shows the status of the system that it is part of. All wrong
// options are reported at once, as *tlsio.OptionError joined in a *tlsio.Error.
func New(o Options) (firmware.Service, error) {
	var p endpoint.Problems
	if o.ClientAuth == tlsio.ClientAuthRequest {
		p.Add("ClientAuth", string(o.ClientAuth), `is always "require" here: what is shown isn't for everybody; leave it out`)
	}
	o.ClientAuth = tlsio.ClientAuthRequire
	web.CheckALPN(&o.Options, &p)
	e := endpoint.Check("status", o.Options, false, &p)
	if err := p.Err("status.New"); err != nil {
		return firmware.Service{}, err
	}
	return web.Service(e, func(s *firmware.System) http.Handler { return handler(func() Status { return Read(s) }) }), nil
}

// handler shows what read returns.
func handler(read func() Status) http.Handler {
	mux := http.NewServeMux()
	for path, file := range map[string][2]string{
		"/{$}":        {"index.html", "text/html; charset=utf-8"},
		"/status.css": {"status.css", "text/css; charset=utf-8"},
		"/status.js":  {"status.js", "text/javascript; charset=utf-8"},
	} {
		body, err := page.ReadFile("page/" + file[0])
		if err != nil {
			panic(err) // it is embedded
		}
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", file[1])
			w.Write(body)
		})
	}
	mux.HandleFunc("/status.json", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		s := read()
		json.NewEncoder(w).Encode(&s)
	})
	mux.HandleFunc("/metrics", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		s := read()
		w.Write([]byte(s.Metrics()))
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", policy)
		w.Header().Set("Cache-Control", "no-store")
		mux.ServeHTTP(w, r)
	})
}
