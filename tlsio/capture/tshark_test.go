package capture

import (
	"bytes"
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"ingot.dev/internal/testenv"
)

const (
	request  = "GET /status HTTP/1.1\r\nHost: server.test\r\n\r\n"
	response = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 12\r\nConnection: close\r\n\r\nall is well\n"
)

// Wireshark's command line opens a recording decrypted, sees the handshake, and finds
// nothing wrong with the packets.
//
//conform:ipworks config.SSLKeyLogFile differs tlsio/capture.Recorder.WriteTo -- a recording has its secrets in itself
func TestWireshark(t *testing.T) {
	testenv.NeedProcess(t)
	server, client := pair(t)
	with := func(c *tls.Config, change func(c *tls.Config)) *tls.Config {
		c = c.Clone()
		change(c)
		return c
	}
	tls12 := func(suite uint16) func(c *tls.Config) {
		return func(c *tls.Config) {
			c.MaxVersion = tls.VersionTLS12
			if suite != 0 {
				c.CipherSuites = []uint16{suite}
			}
		}
	}
	cache := tls.NewLRUClientSessionCache(2)
	for _, tt := range []struct {
		name           string
		server, client *tls.Config
		times          int
		hellos         string // handshake message types, of RFC 8446 §4, that have to be there in this order
	}{
		{"TLS 1.3", server, client, 1, "1 2 8 11 15 20 20"},
		{"TLS 1.3 ChaCha20", server, with(client, func(c *tls.Config) { c.CipherSuites = nil }), 1, "1 2"},
		{"TLS 1.2 AES", server, with(client, tls12(tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256)), 1, "1 2 11 12 14 16 20"},
		{"TLS 1.2 ChaCha20", server, with(client, tls12(tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256)), 1, "1 2 11 12 14 16 20"},
		{"resumption", server, with(client, func(c *tls.Config) { c.ClientSessionCache = cache }), 2, "1 2 8 20 20"},
		{"resumption TLS 1.2", server, with(client, func(c *tls.Config) {
			c.MaxVersion = tls.VersionTLS12
			c.ClientSessionCache = tls.NewLRUClientSessionCache(2)
		}), 2, "1 2"},
		{"mutual TLS", with(server, func(c *tls.Config) { c.ClientAuth = tls.RequireAndVerifyClientCert }), client, 1, "1 2 8 13 11 15 20 11 15 20"},
		{"HelloRetryRequest", with(server, func(c *tls.Config) { c.CurvePreferences = []tls.CurveID{tls.CurveP384} }), client, 1, "1 2 1 2 8"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := New(Options{})
			if err != nil {
				t.Fatal(err)
			}
			for range tt.times {
				exchange(t, r, tt.server, tt.client, request, response)
			}
			file := save(t, r)
			if got := strings.Count(tshark(t, file, "-Y", "http.request.method == GET"), "\n"); got != tt.times {
				t.Errorf("%d requests were seen in %d connections:\n%s", got, tt.times, tshark(t, file))
			}
			if got := strings.Fields(tshark(t, file, "-Y", "http.response", "-T", "fields", "-e", "http.response.code", "-e", "http.file_data")); len(got) < 2*tt.times || got[0] != "200" {
				t.Errorf("responses: %q", got)
			}
			if bad := tshark(t, file, "-Y", "tcp.checksum.status == 0 || ip.checksum.status == 0 || tcp.analysis.flags || _ws.malformed || tls.alert_message.level == 2"); bad != "" {
				t.Errorf("Wireshark complains:\n%s", bad)
			}
			types := strings.FieldsFunc(tshark(t, file, "-Y", "tls.handshake.type", "-T", "fields", "-e", "tls.handshake.type"), func(r rune) bool { return r == '\n' || r == ',' })
			if want := strings.Fields(tt.hellos); !inOrder(types, want) {
				t.Errorf("handshake messages %v, want %v among them", types, want)
			}
		})
	}
}

// inOrder reports whether want is in got, in order, with others between.
func inOrder(got, want []string) bool {
	for _, w := range want {
		i := slices.Index(got, w)
		if i < 0 {
			return false
		}
		got = got[i+1:]
	}
	return true
}

// A recording whose middle is lost opens all the same, shows the handshake decrypted,
// and says how much is missing.
func TestWiresharkTruncated(t *testing.T) {
	testenv.NeedProcess(t)
	server, client := pair(t)
	r, err := New(Options{Head: 8 << 10, Ring: 20 << 10})
	if err != nil {
		t.Fatal(err)
	}
	exchange(t, r, server, client, request, strings.Repeat("a line that nobody needs to read\n", 10000))
	if used := r.Report().Bytes; used > 8<<10+20<<10+8<<10 {
		t.Errorf("%d bytes are held", used)
	}
	file := save(t, r)
	types := strings.FieldsFunc(tshark(t, file, "-Y", "tls.handshake.type", "-T", "fields", "-e", "tls.handshake.type"), func(r rune) bool { return r == '\n' || r == ',' })
	if !inOrder(types, strings.Fields("1 2 8 11 15 20 20")) {
		t.Errorf("handshake messages %v", types)
	}
	if got := tshark(t, file, "-Y", "http.request"); got == "" {
		t.Error("the request, which is at the start, isn't seen")
	}
	comments := tshark(t, file, "-Y", "frame.comment", "-T", "fields", "-e", "frame.comment")
	if !strings.Contains(comments, "bytes before this were not kept") {
		t.Errorf("comments: %s", comments)
	}
	if bad := tshark(t, file, "-Y", "tcp.checksum.status == 0 || _ws.malformed"); bad != "" {
		t.Errorf("Wireshark complains:\n%s", bad)
	}
	if got := tshark(t, file, "-Y", "tcp.analysis.lost_segment"); got == "" {
		t.Error("the gap isn't seen")
	}
}

// IPv6, an error that ended the connection, and a connection that is still open.
func TestWiresharkEnds(t *testing.T) {
	testenv.NeedProcess(t)
	now := time.Date(2026, 3, 4, 5, 6, 7, 123456789, time.UTC)
	r, err := New(Options{Ring: 256 << 10, Now: func() time.Time { now = now.Add(time.Millisecond); return now }})
	if err != nil {
		t.Fatal(err)
	}
	at := func(text string) net.Addr { a, _ := net.ResolveTCPAddr("tcp", text); return a }
	failed := r.Tap(at("[2001:db8::1]:50000"), at("[2001:db8::2]:443"), false)
	failed.Sent([]byte{20, 3, 3, 0, 1, 1})
	failed.Received([]byte{21, 3, 3, 0, 2, 2, 40})
	failed.Closed(errors.New("tlsio: Dial: handshake: the server sent alert 40"))
	open := r.Tap(at("192.0.2.1:1"), at("192.0.2.2:2"), true)
	open.Received([]byte("x"))
	mixed := r.Tap(at("192.0.2.1:3"), at("[2001:db8::3]:3"), true)
	mixed.Sent(bytes.Repeat([]byte{23, 3, 3, 0, 1, 9}, 30000)) // more than fits into a packet
	mixed.Closed(nil)
	file := save(t, r)
	fields := func(filter string, names ...string) string {
		args := []string{"-Y", filter, "-T", "fields"}
		for _, n := range names {
			args = append(args, "-e", n)
		}
		return tshark(t, file, args...)
	}
	if got := fields("tcp.flags.reset == 1", "ipv6.src", "tcp.srcport", "frame.comment"); got != "2001:db8::1\t50000\ttlsio: Dial: handshake: the server sent alert 40\n" {
		t.Errorf("reset: %q", got)
	}
	if got := fields("tls.alert_message", "tls.alert_message.desc", "ipv6.src"); got != "40\t2001:db8::2\n" {
		t.Errorf("alert: %q", got)
	}
	if got := fields("frame.number == 1", "frame.time_epoch", "tcp.flags.syn", "tcp.flags.ack"); got != "1772600767.124456789\t1\t0\n" {
		t.Errorf("first packet: %q", got)
	}
	if got := strings.Count(fields("ip.addr == 192.0.2.1 && tcp.port == 1", "frame.number"), "\n"); got != 4 {
		t.Errorf("the open connection has %d packets", got)
	}
	if got := fields("tcp.port == 3 && tcp.flags.fin == 1", "ipv6.src"); got != "::ffff:192.0.2.1\n2001:db8::3\n" {
		t.Errorf("ends: %q", got)
	}
	if bad := tshark(t, file, "-Y", "tcp.checksum.status == 0 || ip.checksum.status == 0 || tcp.analysis.flags || _ws.malformed"); bad != "" {
		t.Errorf("Wireshark complains:\n%s", bad)
	}
}
