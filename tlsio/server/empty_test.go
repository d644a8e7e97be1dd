package server

import (
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"ingot.dev/internal/rawtls"
	"ingot.dev/tlsio"
)

// hollow are the protections that records without data are tried with.
var hollow = []struct {
	name    string
	version uint16
	suite   uint16
	padding int
}{
	{"TLS 1.3", tls.VersionTLS13, 0, 0},
	{"TLS 1.3 padded", tls.VersionTLS13, 0, 1000},
	{"TLS 1.2 AES-GCM", tls.VersionTLS12, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, 0},
	{"TLS 1.2 AES-CBC", tls.VersionTLS12, tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, 0},
}

// dialRaw connects a peer that encrypts by itself.
func (b *bench) dialRaw(version, suite uint16) *rawtls.Peer {
	b.t.Helper()
	conn, err := testNetwork(b.t).DialContext(within(b.t), "tcp", b.address())
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(limit))
	config := clientTLS(b.t)
	config.MaxVersion, config.CipherSuites = version, []uint16{suite}
	p, err := rawtls.Client(within(b.t), conn, config)
	if err != nil {
		b.t.Fatal(err)
	}
	return p
}

// Lines and records go on over records of TLS without data, between and within them,
// as many as crypto/tls takes in a row: 16. DataIn never comes without data.
func TestEmptyRecords(t *testing.T) {
	const most = 16
	for _, h := range hollow {
		t.Run(h.name, func(t *testing.T) {
			b := newBench(t, Config{EOL: []byte("\n"), StartMode: StartImplicit, TLS: serverTLS(t)}, Handler{}, noStatus|noReady)
			peer := b.dialRaw(h.version, h.suite)
			id := b.next("Connected").id
			long := strings.Repeat("0123456789abcdef", 1000)
			var records []rawtls.Record
			for _, piece := range []string{"a", "b\nc", "\n" + long, "\n"} {
				records = append(records, rawtls.Repeat(rawtls.Record{Padding: h.padding}, most)...)
				records = append(records, rawtls.Text(piece))
			}
			if err := peer.Send(append(records, rawtls.Record{Padding: h.padding}, rawtls.CloseNotify())...); err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{"ab", "c"} {
				if e := b.next("DataIn"); e.text != want || !e.eol {
					t.Errorf("%+v, want %q", e, want)
				}
			}
			// MaxLineLength is shorter than the last one.
			got := ""
			for eol := false; !eol; {
				e := b.next("DataIn")
				if e.text == "" && !e.eol {
					t.Fatal("DataIn without data")
				}
				got, eol = got+e.text, e.eol
			}
			if got != long {
				t.Errorf("a line of %d bytes, want %d", len(got), len(long))
			}
			if e := b.next("Disconnected"); e.id != id || e.err != nil {
				t.Errorf("%+v", e)
			}
		})
	}
}

// One more ends that connection, with the lines before it delivered, and says why.
func TestTooManyEmptyRecords(t *testing.T) {
	for _, h := range hollow {
		t.Run(h.name, func(t *testing.T) {
			b := newBench(t, Config{EOL: []byte("\n"), StartMode: StartImplicit, TLS: serverTLS(t)}, Handler{}, noStatus|noReady)
			other := b.dialRaw(h.version, h.suite)
			otherID := b.next("Connected").id
			peer := b.dialRaw(h.version, h.suite)
			id := b.next("Connected").id
			records := append([]rawtls.Record{rawtls.Text("a line\nand half of")}, rawtls.Repeat(rawtls.Record{Padding: h.padding}, 17)...)
			if err := peer.Send(records...); err != nil {
				t.Fatal(err)
			}
			if e := b.next("DataIn"); e.id != id || e.text != "a line" {
				t.Errorf("%+v", e)
			}
			e := b.next("Disconnected")
			if e.id != id {
				t.Fatalf("%+v", e)
			}
			wantCode(t, e.err, CodeAborted)
			if te, ok := errors.AsType[*tlsio.Error](e.err); !ok || te.Stage != tlsio.StageRead || !strings.Contains(fmt.Sprint(e.err), "without data") {
				t.Errorf("it doesn't say what is the matter: %v", e.err)
			}
			if _, err := peer.Read(make([]byte, 1)); err == nil {
				t.Error("the connection goes on")
			}
			if err := other.Send(rawtls.Text("still here\n")); err != nil {
				t.Fatal(err)
			}
			if e := b.next("DataIn"); e.id != otherID || e.text != "still here" {
				t.Errorf("%+v", e)
			}
			b.quiet()
		})
	}
}
