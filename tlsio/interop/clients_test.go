package interop

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ingot.dev/certs/certstest"
	"ingot.dev/tlsio"
)

// peerOptions are what a client can be told, whichever it is.
type peerOptions struct {
	version   string // "" leaves it
	name      string // SNI and name to verify
	alpn      string // comma-separated
	suite     string // openssl's name
	group     string // openssl's name
	cert, key string // files
}

// client is a program that connects to us, sends what is typed and prints what comes.
type client struct {
	name  string
	start func(t testing.TB, w *world, addr string, o peerOptions) *process
}

var clients = []client{{"openssl", opensslClient}, {"gnutls", gnutlsClient}, {"node", nodeClient}}

func opensslClient(t testing.TB, w *world, addr string, o peerOptions) *process {
	args := []string{"s_client", "-connect", addr, "-servername", o.name, "-verify_hostname", o.name, "-CAfile", w.caFile, "-verify_return_error"}
	switch o.version {
	case tlsio.TLSv11:
		args = append(args, "-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0")
	case tlsio.TLSv12:
		args = append(args, "-tls1_2")
	case tlsio.TLSv13:
		args = append(args, "-tls1_3")
	}
	switch {
	case strings.HasPrefix(o.suite, "TLS_"):
		args = append(args, "-ciphersuites", o.suite)
	case o.suite != "":
		args = append(args, "-cipher", o.suite)
	}
	if o.group != "" {
		args = append(args, "-groups", o.group)
	}
	if o.alpn != "" {
		args = append(args, "-alpn", o.alpn)
	}
	if o.cert != "" {
		args = append(args, "-cert", o.cert, "-key", o.key)
	}
	return start(t, opensslPath(t), args...)
}

func gnutlsClient(t testing.TB, w *world, addr string, o peerOptions) *process {
	host, port := split(addr)
	priority := "NORMAL"
	switch o.version {
	case tlsio.TLSv11:
		priority = "NORMAL:-VERS-ALL:+VERS-TLS1.1"
	case tlsio.TLSv12:
		priority = "NORMAL:-VERS-ALL:+VERS-TLS1.2"
	case tlsio.TLSv13:
		priority = "NORMAL:-VERS-ALL:+VERS-TLS1.3"
	}
	args := []string{"--x509cafile", w.caFile, "--sni-hostname", o.name, "--verify-hostname", o.name, "--priority", priority, "-p", port}
	for _, p := range strings.FieldsFunc(o.alpn, func(r rune) bool { return r == ',' }) {
		args = append(args, "--alpn", p)
	}
	if o.cert != "" {
		args = append(args, "--x509certfile", o.cert, "--x509keyfile", o.key)
	}
	return start(t, gnutlsCLI(t), append(args, host)...)
}

// nodeScript connects as its argument says, and passes lines on both ways.
const nodeScript = `
const tls = require('tls'), fs = require('fs');
const o = JSON.parse(process.argv[1]);
for (const k of ['ca', 'cert', 'key']) if (o[k]) o[k] = fs.readFileSync(o[k]);
if (!o.ALPNProtocols) delete o.ALPNProtocols;
const s = tls.connect(o, () => console.log('node: connected', s.getProtocol(), 'authorized=' + s.authorized));
s.on('data', d => process.stdout.write(d));
s.on('error', e => { console.log('node: error', e.code, e.message); process.exit(1); });
s.on('end', () => console.log('node: end'));
s.on('close', () => process.exit(0));
process.stdin.on('data', d => s.write(d));
process.stdin.on('end', () => s.end());
`

// forNode adds what Node's servers and clients take alike.
func (o peerOptions) forNode(options map[string]any) {
	if o.version != "" {
		options["minVersion"], options["maxVersion"] = o.version, o.version
	}
	if o.version == tlsio.TLSv11 {
		options["ciphers"] = "DEFAULT@SECLEVEL=0"
	}
	if o.alpn != "" {
		options["ALPNProtocols"] = strings.Split(o.alpn, ",")
	}
}

func nodeClient(t testing.TB, w *world, addr string, o peerOptions) *process {
	host, port := split(addr)
	options := map[string]any{"host": host, "port": port, "servername": o.name, "ca": w.caFile}
	o.forNode(options)
	if o.cert != "" {
		options["cert"], options["key"] = o.cert, o.key
	}
	text, err := json.Marshal(options)
	if err != nil {
		t.Fatal(err)
	}
	return start(t, nodePath(t), "-e", nodeScript, string(text))
}

// TestClientsVersions: every version, and TLS 1.1 only where it is named.
func TestClientsVersions(t *testing.T) {
	w := newWorld(t)
	usual := serve(t, w.serverOptions())
	o := w.serverOptions()
	o.MinimumVersion = tlsio.TLSv11
	old := serve(t, o)
	for _, c := range clients {
		for _, v := range []string{tlsio.TLSv11, tlsio.TLSv12, tlsio.TLSv13} {
			t.Run(c.name+" "+v, func(t *testing.T) {
				p := c.start(t, w, old, peerOptions{version: v, name: "server.test"})
				p.say("hello")
				wants(t, p.hear("|hello>"), "<"+v+"|", "sni=server.test", "peer=nobody")
				p.say("bye")
				p.hear("|bye>")
				p.finish()
				p = c.start(t, w, usual, peerOptions{version: v, name: "server.test"})
				if v == tlsio.TLSv11 {
					out := p.finish()
					if !strings.Contains(strings.ToLower(out), "protocol version") && !strings.Contains(out, "ALERT_PROTOCOL_VERSION") {
						t.Errorf("refused for another reason:\n%s", out)
					}
					return
				}
				p.say("hello")
				p.hear("|hello>")
			})
		}
	}
}

func TestClientsALPN(t *testing.T) {
	w := newWorld(t)
	o := w.serverOptions()
	o.ApplicationLayerProtocol = []string{"ours", "other"}
	addr := serve(t, o)
	for _, c := range clients {
		t.Run(c.name, func(t *testing.T) {
			p := c.start(t, w, addr, peerOptions{name: "server.test", alpn: "other,ours"})
			p.say("hello")
			wants(t, p.hear("|hello>"), "alpn=ours")
			p = c.start(t, w, addr, peerOptions{name: "server.test"})
			p.say("hello")
			wants(t, p.hear("|hello>"), "alpn=|")
			p = c.start(t, w, addr, peerOptions{name: "server.test", alpn: "unknown"})
			out := p.finish()
			for _, refusal := range []string{"no application protocol", "NO_APPLICATION_PROTOCOL", "alert [120]", "alert number 120"} {
				if strings.Contains(out, refusal) {
					return
				}
			}
			t.Errorf("refused for another reason:\n%s", out)
		})
	}
}

func TestClientsMutual(t *testing.T) {
	w := newWorld(t)
	strangerCert, strangerKey := w.stranger.WritePEM(t)
	for _, v := range []string{tlsio.TLSv12, tlsio.TLSv13} {
		o := w.serverOptions()
		o.ClientAuth, o.CA = tlsio.ClientAuthRequire, [][]byte{w.ca.DER()}
		refused := make(chan error, 100)
		o.OnRefused = func(_ net.Addr, err error) { refused <- err }
		addr := serve(t, o)
		for _, c := range clients {
			t.Run(c.name+" "+v, func(t *testing.T) {
				p := c.start(t, w, addr, peerOptions{version: v, name: "server.test", cert: w.clientCert, key: w.clientKey})
				p.say("hello")
				wants(t, p.hear("|hello>"), "peer=client.test", "authorized=true")
				for _, bad := range []peerOptions{{}, {cert: strangerCert, key: strangerKey}} {
					bad.version, bad.name = v, "server.test"
					p := c.start(t, w, addr, bad)
					select {
					case err := <-refused:
						if !strings.Contains(err.Error(), "verify") {
							t.Errorf("refused for another reason: %v", err)
						}
					case <-time.After(limit):
						t.Fatal("not refused")
					}
					p.kill()
					if strings.Contains(p.output(), "hello>") {
						t.Error("answered all the same")
					}
				}
			})
		}
	}
}

// TestClientsIdentities: the certificate follows the name that the client asks for.
func TestClientsIdentities(t *testing.T) {
	w := newWorld(t)
	o := w.serverOptions()
	for _, name := range []string{"a.test", "b.test"} {
		id := w.ca.Issue(certstest.Template{Names: []string{name}})
		o.ServerCertificate = append(o.ServerCertificate, id.DER)
		o.ServerKey = append(o.ServerKey, id.KeyDER)
	}
	addr := serve(t, o)
	for _, c := range clients {
		for _, name := range []string{"a.test", "b.test", "server.test"} {
			t.Run(c.name+" "+name, func(t *testing.T) {
				p := c.start(t, w, addr, peerOptions{name: name}) // verifies the name
				p.say("hello")
				wants(t, p.hear("|hello>"), "sni="+name)
			})
		}
	}
}

func TestOpenSSLSuitesAndGroups(t *testing.T) {
	w := newWorld(t)
	ecdsa := serve(t, w.serverOptions())
	rsa := w.ca.Issue(certstest.Template{Names: []string{"server.test"}, Algorithm: certstest.RSA2048})
	rsaAddr := serve(t, tlsio.TLSOptions{ServerCertificate: [][]byte{rsa.DER}, ServerKey: [][]byte{rsa.KeyDER}})
	for suite, want := range map[string]string{
		"ECDHE-ECDSA-AES128-GCM-SHA256": "", "ECDHE-ECDSA-AES256-GCM-SHA384": "", "ECDHE-ECDSA-CHACHA20-POLY1305": "",
		"ECDHE-RSA-AES128-GCM-SHA256": "", "ECDHE-RSA-AES256-GCM-SHA384": "", "ECDHE-RSA-CHACHA20-POLY1305": "",
		"TLS_AES_128_GCM_SHA256": "", "TLS_AES_256_GCM_SHA384": "", "TLS_CHACHA20_POLY1305_SHA256": "",
		"AES128-CCM": "handshake failure", "DHE-RSA-AES128-GCM-SHA256": "handshake failure",
	} {
		t.Run(suite, func(t *testing.T) {
			addr, version := ecdsa, tlsio.TLSv12
			if strings.Contains(suite, "RSA-") || strings.HasPrefix(suite, "AES") {
				addr = rsaAddr
			}
			if strings.HasPrefix(suite, "TLS_") {
				version = tlsio.TLSv13
			}
			if strings.Contains(suite, "ECDSA") {
				addr = ecdsa
			}
			p := opensslClient(t, w, addr, peerOptions{version: version, name: "server.test", suite: suite})
			if want != "" {
				wants(t, p.finish(), want)
				return
			}
			p.say("hello")
			wants(t, p.hear("|hello>"), suite)
		})
	}
	for group, want := range map[string]string{"X25519": "X25519", "P-256": "CurveP256", "P-384": "CurveP384", "P-521": "CurveP521", "X25519MLKEM768": "X25519MLKEM768"} {
		t.Run(group, func(t *testing.T) {
			if group == "X25519MLKEM768" {
				out := start(t, opensslPath(t), "list", "-kem-algorithms").finish()
				if !strings.Contains(out, "X25519MLKEM768") {
					t.Skip("this openssl has no X25519MLKEM768; 3.5 has")
				}
			}
			p := opensslClient(t, w, ecdsa, peerOptions{version: tlsio.TLSv13, name: "server.test", group: group})
			p.say("hello")
			wants(t, p.hear("|hello>"), "|"+want+"|")
		})
	}
}

// TestOpenSSLResumes: tickets of TLS 1.2 and 1.3, and none when they are off.
func TestOpenSSLResumes(t *testing.T) {
	w := newWorld(t)
	for _, v := range []string{tlsio.TLSv12, tlsio.TLSv13} {
		for _, off := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s off=%v", v, off), func(t *testing.T) {
				o := w.serverOptions()
				o.NoSessions = off
				addr := serve(t, o)
				file := filepath.Join(t.TempDir(), "session")
				version := map[string]string{tlsio.TLSv12: "-tls1_2", tlsio.TLSv13: "-tls1_3"}[v]
				args := []string{"s_client", "-connect", addr, "-servername", "server.test", "-CAfile", w.caFile, version}
				first := start(t, opensslPath(t), append(args, "-sess_out", file)...)
				first.say("hello")
				wants(t, first.hear("|hello>"), "resumed=false")
				first.say("Q")
				first.finish()
				if _, err := os.Stat(file); off {
					if err == nil {
						t.Error("a session was given out")
					}
					return
				}
				second := start(t, opensslPath(t), append(args, "-sess_in", file)...)
				second.say("hello")
				wants(t, second.hear("|hello>"), "resumed=true")
			})
		}
	}
}

// TestOpenSSLRenegotiation: a client that begins it is refused by an alert, which
// ends its connection, and others go on.
func TestOpenSSLRenegotiation(t *testing.T) {
	w := newWorld(t)
	addr := serve(t, w.serverOptions())
	other := opensslClient(t, w, addr, peerOptions{version: tlsio.TLSv12, name: "server.test"})
	other.say("before")
	other.hear("|before>")
	p := opensslClient(t, w, addr, peerOptions{version: tlsio.TLSv12, name: "server.test"})
	p.say("hello")
	p.hear("|hello>")
	p.say("R")
	wants(t, p.finish(), "RENEGOTIATING", "alert unexpected message") // RFC 5246 section 7.2.2
	other.say("after")
	other.hear("|after>")
}

// TestOpenSSLKeyUpdate: the client changes its keys and asks for new ones of ours.
func TestOpenSSLKeyUpdate(t *testing.T) {
	w := newWorld(t)
	p := opensslClient(t, w, serve(t, w.serverOptions()), peerOptions{version: tlsio.TLSv13, name: "server.test"})
	for i := range 3 {
		line := fmt.Sprintf("line %d", i)
		p.say(line)
		p.hear("|" + line + ">")
		p.say("K") // with update_requested
		p.hearTimes("KEYUPDATE", i+1)
	}
	p.say("last")
	p.hear("|last>")
}

// TestClientsRecords: a megabyte in full records, and single bytes, arrive whole.
func TestClientsRecords(t *testing.T) {
	w := newWorld(t)
	addr := serve(t, w.serverOptions())
	for _, c := range clients {
		t.Run(c.name, func(t *testing.T) {
			if c.name == "openssl" {
				t.Skip("s_client takes letters at a line's start as commands")
			}
			p := c.start(t, w, addr, peerOptions{name: "server.test"})
			long := strings.Repeat("x", 100_000)
			p.say(long)
			p.hear("|" + long + ">")
			for _, b := range "dribble" {
				if _, err := io.WriteString(p.stdin, string(b)); err != nil {
					t.Fatal(err)
				}
				time.Sleep(2 * time.Millisecond)
			}
			p.say("")
			p.hear("|dribble>")
		})
	}
}

// TestClientsEnd: our close reaches the peer as one, and peers that just go away
// leave the server unharmed.
func TestClientsEnd(t *testing.T) {
	w := newWorld(t)
	addr := serve(t, w.serverOptions())
	for _, c := range clients {
		t.Run(c.name, func(t *testing.T) {
			for range 3 {
				gone := c.start(t, w, addr, peerOptions{name: "server.test"})
				gone.say("hello")
				gone.hear("|hello>")
				gone.kill()
			}
			p := c.start(t, w, addr, peerOptions{name: "server.test"})
			p.say("bye")
			p.hear("|bye>")
			out := p.finish()
			if strings.Contains(out, "unexpected eof") || strings.Contains(out, "terminated without") || strings.Contains(out, "node: error") {
				t.Errorf("the peer missed close_notify:\n%s", out)
			}
		})
	}
}

// TestOpenSSLStartTLS: a server in plain text goes over to TLS, when asked.
func TestOpenSSLStartTLS(t *testing.T) {
	w := newWorld(t)
	secure, err := tlsio.NewServerContext(w.serverOptions())
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		for {
			raw, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer raw.Close()
				raw.SetDeadline(time.Now().Add(limit))
				io.WriteString(raw, "220 mail.test ESMTP\r\n")
				r := bufio.NewReader(raw)
				for {
					line, err := r.ReadString('\n')
					if err != nil {
						return
					}
					switch {
					case strings.HasPrefix(line, "EHLO"):
						io.WriteString(raw, "250-mail.test\r\n250 STARTTLS\r\n")
					case strings.HasPrefix(line, "STARTTLS"):
						io.WriteString(raw, "220 go ahead\r\n")
						unread, _ := r.Peek(r.Buffered())
						c, err := secure.Secure(testContext(t), raw, tlsio.SecureOptions{Unread: slices.Clone(unread)})
						if err != nil {
							t.Errorf("going over to TLS: %v", err)
							return
						}
						answerLines(c)
						return
					}
				}
			}()
		}
	}()
	p := start(t, opensslPath(t), "s_client", "-connect", ln.Addr().String(), "-starttls", "smtp", "-servername", "server.test",
		"-verify_hostname", "server.test", "-CAfile", w.caFile, "-verify_return_error")
	p.say("hello")
	wants(t, p.hear("|hello>"), "sni=server.test", "Verify return code: 0 (ok)")
}

// TestCurl fetches over HTTP/1.1, with a client certificate too.
func TestCurl(t *testing.T) {
	curl := curlPath(t)
	w := newWorld(t)
	o := w.serverOptions()
	o.ApplicationLayerProtocol = []string{"http/1.1"}
	o.ClientAuth, o.CA = tlsio.ClientAuthRequest, [][]byte{w.ca.DER()}
	ln, err := tlsio.Listen(testContext(t), network, "127.0.0.1:0", o)
	if err != nil {
		t.Fatal(err)
	}
	body := strings.Repeat("0123456789abcdef", 65536)
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, body) })}
	go s.Serve(ln)
	defer s.Close()
	_, port := split(ln.Addr().String())
	for _, extra := range [][]string{{"--tlsv1.2", "--tls-max", "1.2"}, {"--tlsv1.3"}, {"--cert", w.clientCert, "--key", w.clientKey}} {
		t.Run(extra[0], func(t *testing.T) {
			args := append([]string{"--silent", "--show-error", "--fail", "--cacert", w.caFile, "--resolve", "server.test:" + port + ":127.0.0.1"}, extra...)
			if out := start(t, curl, append(args, "https://server.test:"+port+"/")...).finish(); out != body {
				t.Errorf("%d bytes, %.200q", len(out), out)
			}
		})
	}
	// A name that the certificate doesn't have.
	p := start(t, curl, "--silent", "--show-error", "--cacert", w.caFile, "--resolve", "wrong.test:"+port+":127.0.0.1", "https://wrong.test:"+port+"/")
	wants(t, p.finish(), "no alternative certificate subject name matches")
}
