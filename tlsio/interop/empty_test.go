package interop

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"

	"ingot.dev/tlsio"
	lines "ingot.dev/tlsio/server"
)

// In TLS 1.0, OpenSSL sends a record without data before each that has some, against
// an attack on CBC with a known initialization vector (BEAST). TLS 1.0 is what the
// policy for old peers is for. tlsio's own tests send such records in other versions.

// records is a Tap that notes the sizes of the records of application data that come.
type records struct {
	mu    sync.Mutex
	rest  []byte
	sizes []int
}

func (r *records) Received(p []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rest = append(r.rest, p...)
	for len(r.rest) >= 5 {
		n := int(r.rest[3])<<8 | int(r.rest[4])
		if len(r.rest) < 5+n {
			return
		}
		if r.rest[0] == 23 {
			r.sizes = append(r.sizes, n)
		}
		r.rest = r.rest[5+n:]
	}
}

func (r *records) Sent([]byte)   {}
func (r *records) Secret([]byte) {}
func (r *records) Closed(error)  {}

func (r *records) list() []int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]int(nil), r.sizes...)
}

// hollow is the size of a record without data in AES-CBC with SHA-1: the MAC, padded.
const hollow = 32

// wantHollow checks that a record without data came before one of these sizes or more.
func (r *records) wantHollow(t testing.TB, least int) {
	t.Helper()
	sizes := r.list()
	for i, n := range sizes {
		if n >= least && i > 0 && sizes[i-1] == hollow {
			return
		}
	}
	t.Errorf("no record without data before one of %d bytes: %d", least, sizes)
}

func tls10(o tlsio.TLSOptions, r *records) tlsio.TLSOptions {
	o.With = []tlsio.Feature{tlsio.Policy("20261122-compatible")}
	o.Tap = func(net.Addr, net.Addr, bool) tlsio.Tap { return r }
	return o
}

const oldSuites = "ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0"

func TestOpenSSLEmptyRecordsClient(t *testing.T) {
	w := newWorld(t)
	seen := new(records)
	addr := serve(t, tls10(w.serverOptions(), seen))
	p := start(t, opensslPath(t), "s_client", "-connect", addr, "-servername", "server.test", "-CAfile", w.caFile, "-verify_return_error",
		"-tls1", "-cipher", oldSuites)
	for i := range 5 {
		line := fmt.Sprintf("line %d %s", i, strings.Repeat("x", 200*i))
		p.say(line)
		wants(t, p.hear("|"+line+">"), "<TLSv1|ECDHE-ECDSA-AES128-SHA|")
	}
	p.say("bye")
	p.hear("|bye>")
	p.finish()
	seen.wantHollow(t, 800)
}

func TestOpenSSLEmptyRecordsServer(t *testing.T) {
	w := newWorld(t)
	addr, _ := server(t, opensslAnnounces, opensslPath(t), "s_server", "-accept", "127.0.0.1:0", "-cert", w.serverCert, "-key", w.serverKey, "-rev",
		"-tls1", "-cipher", oldSuites)
	seen := new(records)
	c := dial(t, addr, tls10(w.clientOptions(), seen))
	if s := c.State(); s.VersionName() != "TLSv1" {
		t.Fatal(s.VersionName())
	}
	for i := range 5 {
		line := fmt.Sprintf("line %d %s", i, strings.Repeat("x", 200*i))
		roundTrip(t, c, line, reversed(line))
	}
	seen.wantHollow(t, 800)
}

// The class is told of what carries data, and of nothing else.
func TestOpenSSLEmptyRecordsTLS(t *testing.T) {
	w := newWorld(t)
	addr, _ := server(t, opensslAnnounces, opensslPath(t), "s_server", "-accept", "127.0.0.1:0", "-cert", w.serverCert, "-key", w.serverKey, "-rev",
		"-tls1", "-cipher", oldSuites)
	host, port := split(addr)
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	seen := new(records)
	ctx, end := context.WithCancelCause(testContext(t))
	defer end(nil)
	app := tlsio.NewApp(network)
	line := func(i int) string { return fmt.Sprintf("line %d %s", i, strings.Repeat("x", 200*i)) }
	const questions = 5
	asked, answer := 0, ""
	ask := func(s *tlsio.TLS) {
		if _, err := s.Write([]byte(line(asked) + "\n")); err != nil {
			end(err)
		}
	}
	done := errors.New("done")
	sock, err := tlsio.NewTLS(app, tlsio.TLSClientOptions{
		Address: host, Port: number, TLS: tls10(w.clientOptions(), seen),
		OnWritable: func(s *tlsio.TLS, _ int) {
			if s.BytesWritten() == 0 {
				ask(s)
			}
		},
		OnReadable: func(s *tlsio.TLS, n int) {
			p, err := s.ReadAvailable()
			if n == 0 || len(p) == 0 || err != nil {
				end(fmt.Errorf("OnReadable(%d): %q, %w", n, p, err))
				return
			}
			answer += string(p)
			switch want := reversed(line(asked)) + "\n"; {
			case len(answer) < len(want):
				return
			case answer != want:
				end(fmt.Errorf("%q came back", answer))
				return
			}
			answer = ""
			if asked++; asked == questions {
				end(done)
				return
			}
			ask(s)
		},
		OnError: func(_ *tlsio.TLS, err error) { end(err) },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer sock.Close()
	app.Run(ctx)
	if err := context.Cause(ctx); err != done {
		t.Fatalf("after %d lines: %v", asked, err)
	}
	seen.wantHollow(t, 800)
}

// The server cuts lines as if there were nothing between them.
func TestOpenSSLEmptyRecordsLines(t *testing.T) {
	w := newWorld(t)
	seen := new(records)
	s, err := lines.New(network, lines.Config{
		LocalHost: "127.0.0.1", EOL: []byte("\n"), StartMode: lines.StartImplicit, TLS: tls10(w.serverOptions(), seen),
	}, lines.Handler{DataIn: func(c *lines.Connection, line []byte, eol bool) {
		c.SendLine(fmt.Sprintf("<%s|%v>", line, eol))
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.StartListening(testContext(t)); err != nil {
		t.Fatal(err)
	}
	p := start(t, opensslPath(t), "s_client", "-connect", s.Addr().String(), "-servername", "server.test", "-CAfile", w.caFile, "-verify_return_error",
		"-tls1", "-cipher", oldSuites)
	for i := range 5 {
		line := fmt.Sprintf("line %d %s", i, strings.Repeat("x", 200*i))
		p.say(line)
		p.hear("<" + line + "|true>")
	}
	seen.wantHollow(t, 800)
}
