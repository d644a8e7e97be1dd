package web

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"ingot.dev/firmware"
	"ingot.dev/firmware/endpoint"
)

// Limits on requests. They are the same for all services: none of them takes bodies.
const (
	MaxHeader     = 16 << 10         // bytes of a request's head
	headerTimeout = 10 * time.Second // for a request's head
	keepAlive     = 60 * time.Second // between requests
)

// ALPN is what the services speak; net/http has HTTP/2 on its own TLS only.
var ALPN = []string{"http/1.1"}

// Service returns a service that answers with a handler. GET and HEAD are what there is;
// bodies are not read.
func Service(e *endpoint.Endpoint, handler func(s *firmware.System) http.Handler) firmware.Service {
	service := e.Service()
	service.Run = func(ctx context.Context, s *firmware.System, l net.Listener) error {
		server := &http.Server{
			Handler:           counted(e, readOnly(handler(s))),
			ReadHeaderTimeout: headerTimeout, IdleTimeout: keepAlive, MaxHeaderBytes: MaxHeader,
			ErrorLog:    slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug),
			BaseContext: func(net.Listener) context.Context { return ctx },
		}
		done := make(chan struct{})
		stop := context.AfterFunc(ctx, func() {
			server.Close()
			close(done)
		})
		err := server.Serve(l)
		if stop() { // ended by itself
			server.Close()
			return err
		}
		<-done
		if errors.Is(err, http.ErrServerClosed) || errors.Is(err, net.ErrClosed) {
			err = nil
		}
		return err
	}
	return service
}

func readOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			h.Set("Allow", "GET, HEAD")
			h.Set("Connection", "close") // its body is not to be waited for
			http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
			return
		}
		if r.ContentLength != 0 {
			h.Set("Connection", "close")
			http.Error(w, "no bodies", http.StatusRequestEntityTooLarge)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func counted(e *endpoint.Endpoint, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.Tally.Messages.Add(1)
		next.ServeHTTP(w, r)
	})
}

// CheckALPN fills in ALPN, and refuses what isn't there.
func CheckALPN(o *endpoint.Options, p *endpoint.Problems) {
	for _, name := range o.ALPN {
		if !strings.EqualFold(name, ALPN[0]) {
			p.Add("ALPN", o.ALPN, `this service speaks "http/1.1" only; leave it out`)
			return
		}
	}
	o.ALPN = ALPN
}
