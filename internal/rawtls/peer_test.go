package rawtls

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"ingot.dev/internal/pki"
)

const limit = time.Minute

func configs(t *testing.T, version uint16, suites ...uint16) (server, client *tls.Config) {
	t.Helper()
	ca, err := pki.NewAuthority(pki.Template{CommonName: "test CA"})
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := ca.Issue(pki.Template{CommonName: "server.test", DNSNames: []string{"server.test"}})
	if err != nil {
		t.Fatal(err)
	}
	server = &tls.Config{Certificates: []tls.Certificate{leaf.TLS()}, MaxVersion: version, CipherSuites: suites}
	return server, &tls.Config{ServerName: "server.test", InsecureSkipVerify: true, MaxVersion: version, CipherSuites: suites}
}

// crypto/tls reads what a Peer sends, in either role, and the other way round.
func TestPeer(t *testing.T) {
	for _, tt := range []struct {
		name    string
		version uint16
		suite   uint16
		padding int
	}{
		{"TLS 1.3", tls.VersionTLS13, 0, 100},
		{"TLS 1.2 AES-GCM", tls.VersionTLS12, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, 0},
		{"TLS 1.2 AES-CBC", tls.VersionTLS12, tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, 0},
	} {
		server, client := configs(t, tt.version, tt.suite)
		for _, role := range []string{"client", "server"} {
			t.Run(fmt.Sprintf("%s %s", tt.name, role), func(t *testing.T) {
				// A listener, since a pipe would wait for each flight to be read.
				ln, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					t.Skip(err) // a board has no sockets of its own
				}
				defer ln.Close()
				dialed, err := net.Dial("tcp", ln.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				accepted, err := ln.Accept()
				if err != nil {
					t.Fatal(err)
				}
				defer accepted.Close()
				ctx, cancel := context.WithTimeout(t.Context(), limit)
				defer cancel()
				begin, raw, theirs, other := Client, dialed, client, tls.Server(accepted, server)
				if role == "server" {
					begin, raw, theirs, other = Server, accepted, server, tls.Client(dialed, client)
				}
				defer dialed.Close()
				dialed.SetDeadline(time.Now().Add(limit))
				accepted.SetDeadline(time.Now().Add(limit))
				type result struct {
					text string
					err  error
				}
				read := make(chan result, 1)
				go func() {
					if _, err := io.WriteString(other, "theirs"); err != nil {
						read <- result{err: err}
						return
					}
					p, err := io.ReadAll(other)
					read <- result{string(p), err}
				}()
				p, err := begin(ctx, raw, theirs)
				if err != nil {
					t.Fatal(err)
				}
				got := make([]byte, len("theirs"))
				if _, err := io.ReadFull(p, got); err != nil || string(got) != "theirs" {
					t.Errorf("read %q, %v", got, err)
				}
				long := strings.Repeat("x", MaxData-tt.padding)
				err = p.Send(slices.Concat([]Record{{}, Text("a"), {Padding: tt.padding}},
					Repeat(Record{}, 10), []Record{{Data: []byte(long), Padding: tt.padding}, CloseNotify()})...)
				if err != nil {
					t.Fatal(err)
				}
				if r := <-read; r.err != nil || r.text != "a"+long {
					t.Errorf("the other side read %d bytes, %v", len(r.text), r.err)
				}
				if p.Send(Record{Data: make([]byte, MaxData), Padding: 1}) == nil {
					t.Error("more than a record holds was sent")
				}
			})
		}
	}
}

func TestRefused(t *testing.T) {
	if _, err := modern(0x1399, make([]byte, 32)); err == nil {
		t.Error("an unknown suite")
	}
	for _, c := range []struct{ version, suite uint16 }{
		{tls.VersionTLS11, tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA},
		{tls.VersionTLS12, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256},
	} {
		if _, err := classic(c.version, c.suite, nil, nil, nil, true); err == nil {
			t.Errorf("%s %s", tls.VersionName(c.version), tls.CipherSuiteName(c.suite))
		}
	}
	for _, suite := range []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA} {
		protect, err := classic(tls.VersionTLS12, suite, make([]byte, 48), make([]byte, 32), make([]byte, 32), true)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := protect(nil, 1, Record{Type: TypeApplication, Padding: 1}); err == nil {
			t.Error("padding in TLS 1.2")
		}
	}
}
