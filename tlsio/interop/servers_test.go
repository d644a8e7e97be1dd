package interop

import (
	"bufio"
	"bytes"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"ingot.dev/internal/testenv"
	"ingot.dev/tlsio"
)

// echoServer is a program that listens with the server's certificate and sends back
// what it gets, as it is (GnuTLS, Node) or each line reversed (openssl -rev).
type echoServer struct {
	name  string
	echo  func(line string) string
	start func(t testing.TB, w *world, o peerOptions) (addr string, p *process)
}

func same(line string) string { return line }

func reversed(line string) string {
	b := []byte(line)
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
	return string(b)
}

var echoServers = []echoServer{{"openssl", reversed, opensslServer}, {"gnutls", same, gnutlsServer}, {"node", same, nodeServer}}

// How they say where they listen.
var (
	opensslAnnounces = regexp.MustCompile(`ACCEPT 127\.0\.0\.1:(\d+)`)
	gnutlsAnnounces  = regexp.MustCompile(`IPv4 0\.0\.0\.0 port (\d+)\.\.\.done`)
	nodeAnnounces    = regexp.MustCompile(`listens at (\d+)`)
)

// In peerOptions for servers, cert asks for clients' certificates.
func opensslServer(t testing.TB, w *world, o peerOptions) (string, *process) {
	args := []string{"s_server", "-accept", "127.0.0.1:0", "-cert", w.serverCert, "-key", w.serverKey, "-rev"}
	switch o.version {
	case tlsio.TLSv11:
		args = append(args, "-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0")
	case tlsio.TLSv12:
		args = append(args, "-tls1_2")
	case tlsio.TLSv13:
		args = append(args, "-tls1_3")
	}
	if o.group != "" {
		args = append(args, "-groups", o.group)
	}
	if o.alpn != "" {
		args = append(args, "-alpn", o.alpn)
	}
	if o.cert != "" {
		args = append(args, "-Verify", "1", "-verify_return_error", "-CAfile", w.caFile)
	}
	return server(t, opensslAnnounces, opensslPath(t), args...)
}

func gnutlsServer(t testing.TB, w *world, o peerOptions) (string, *process) {
	priority := "NORMAL"
	switch o.version {
	case tlsio.TLSv11:
		priority = "NORMAL:-VERS-ALL:+VERS-TLS1.1"
	case tlsio.TLSv12:
		priority = "NORMAL:-VERS-ALL:+VERS-TLS1.2"
	case tlsio.TLSv13:
		priority = "NORMAL:-VERS-ALL:+VERS-TLS1.3"
	}
	args := []string{"--echo", "--x509certfile", w.serverCert, "--x509keyfile", w.serverKey, "--priority", priority}
	if o.alpn != "" {
		args = append(args, "--alpn", o.alpn)
	}
	if o.cert != "" {
		args = append(args, "--require-client-cert", "--verify-client-cert", "--x509cafile", w.caFile)
	}
	for range 5 { // it must be told a port, which may be taken
		port, err := testenv.FreePort()
		if err != nil {
			t.Fatal(err)
		}
		p := start(t, gnutlsServ(t), append(args, "-p", strconv.Itoa(port))...)
		if port, ok := p.announces(gnutlsAnnounces); ok {
			return net.JoinHostPort("127.0.0.1", port), p
		}
	}
	t.Fatal("gnutls-serv never listened")
	return "", nil
}

// nodeServerScript echoes; with starttls it speaks plain text until it reads STARTTLS.
// Three lines make it do something else: "half" ends its side, "cut" breaks off
// without close_notify, "dribble" answers in single bytes.
const nodeServerScript = `
const tls = require('tls'), net = require('net'), fs = require('fs');
const o = JSON.parse(process.argv[1]);
const announce = function () { console.log('listens at ' + this.address().port); };
for (const k of ['ca', 'cert', 'key']) if (o[k]) o[k] = fs.readFileSync(o[k]);
if (!o.ALPNProtocols) delete o.ALPNProtocols;
const serve = (s, raw) => {
  s.on('error', () => {});
  s.on('data', async d => {
    switch (d.toString()) {
    case 'half\n': s.write('last words'); s.end(); break;
    case 'cut\n': s.write('last words', () => setTimeout(() => raw.end(), 50)); break;
    case 'dribble\n': for (const c of 'one by one') { s.write(c); await new Promise(f => setTimeout(f, 1)); } break;
    default: s.write(d);
    }
  });
};
if (o.starttls) {
  net.createServer(raw => {
    raw.on('error', () => {});
    raw.write('220 ready\r\n');
    raw.once('data', d => {
      raw.write('220 go ahead\r\n');
      serve(new tls.TLSSocket(raw, Object.assign({isServer: true}, o)), raw);
    });
  }).listen(0, '127.0.0.1', announce);
} else {
  const below = new Map(); // what is below TLS, by the peer's port
  const server = tls.createServer(o, s => serve(s, below.get(s.remotePort)));
  server.on('connection', raw => below.set(raw.remotePort, raw));
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1', announce);
}
`

func nodeServer(t testing.TB, w *world, o peerOptions) (string, *process) {
	return nodeServerWith(t, w, o, nil)
}

func nodeServerWith(t testing.TB, w *world, o peerOptions, more map[string]any) (string, *process) {
	t.Helper()
	options := map[string]any{"cert": w.serverCert, "key": w.serverKey}
	for k, v := range more {
		options[k] = v
	}
	o.forNode(options)
	if o.cert != "" {
		options["ca"], options["requestCert"], options["rejectUnauthorized"] = w.caFile, true, true
	}
	text, err := json.Marshal(options)
	if err != nil {
		t.Fatal(err)
	}
	return server(t, nodeAnnounces, nodePath(t), "-e", nodeServerScript, string(text))
}

// roundTrip sends a line and checks what comes back.
func roundTrip(t testing.TB, c net.Conn, line, want string) {
	t.Helper()
	werr := make(chan error, 1)
	go func() {
		_, err := io.WriteString(c, line+"\n")
		werr <- err
	}()
	got := make([]byte, len(want)+1)
	if _, err := io.ReadFull(c, got); err != nil {
		t.Fatalf("reading: %v", err)
	}
	if err := <-werr; err != nil {
		t.Fatalf("writing: %v", err)
	}
	if string(got) != want+"\n" {
		t.Fatalf("%.100q came back for %.100q", got, line)
	}
}

func TestServersVersions(t *testing.T) {
	w := newWorld(t)
	for _, s := range echoServers {
		for _, v := range []string{tlsio.TLSv11, tlsio.TLSv12, tlsio.TLSv13} {
			t.Run(s.name+" "+v, func(t *testing.T) {
				addr, _ := s.start(t, w, peerOptions{version: v})
				o := w.clientOptions()
				if v == tlsio.TLSv11 {
					_, err := tlsio.Dial(testContext(t), network, addr, o)
					if e, ok := errors.AsType[*tlsio.Error](err); !ok || e.Stage != tlsio.StageHandshake {
						t.Errorf("TLS 1.1 without being named: %v", err)
					}
					o.MinimumVersion = tlsio.TLSv11
				}
				c := dial(t, addr, o)
				if state := c.State(); state.VersionName() != v || !state.Authorized() {
					t.Errorf("%s, authorized %v", state.VersionName(), state.Authorized())
				}
				roundTrip(t, c, "hello", s.echo("hello"))
				if s.name != "openssl" { // -rev reads lines of 16 KB at most
					long := strings.Repeat("0123456789abcdef", 8192)
					roundTrip(t, c, long, long)
				}
			})
		}
	}
}

// TestServersVerified: whatever the peer, its certificate has to be right.
func TestServersVerified(t *testing.T) {
	w := newWorld(t)
	for _, s := range echoServers {
		t.Run(s.name, func(t *testing.T) {
			addr, _ := s.start(t, w, peerOptions{})
			o := w.clientOptions()
			o.Host = "wrong.test"
			_, err := tlsio.Dial(testContext(t), network, addr, o)
			if _, ok := errors.AsType[x509.HostnameError](err); !ok {
				t.Errorf("wrong name: %v", err)
			}
			o = w.clientOptions()
			o.CA = [][]byte{w.stranger.Cert.Raw}
			_, err = tlsio.Dial(testContext(t), network, addr, o)
			if _, ok := errors.AsType[x509.UnknownAuthorityError](err); !ok {
				t.Errorf("unknown authority: %v", err)
			}
			roundTrip(t, dial(t, addr, w.clientOptions()), "hello", s.echo("hello"))
		})
	}
}

func TestServersALPNAndMutual(t *testing.T) {
	w := newWorld(t)
	for _, s := range echoServers {
		for _, v := range []string{tlsio.TLSv12, tlsio.TLSv13} {
			t.Run(s.name+" "+v, func(t *testing.T) {
				addr, _ := s.start(t, w, peerOptions{version: v, alpn: "theirs", cert: "wanted"})
				o := w.clientOptions()
				o.ApplicationLayerProtocol = []string{"other", "theirs"}
				o.ClientCertificate, o.ClientKey = [][]byte{w.client.DER}, [][]byte{w.client.KeyDER}
				c := dial(t, addr, o)
				if state := c.State(); state.NegotiatedProtocol != "theirs" {
					t.Errorf("protocol %q", state.NegotiatedProtocol)
				}
				roundTrip(t, c, "hello", s.echo("hello"))
				c.Close() // openssl serves one at a time

				// Without a certificate: at once with TLS 1.2, with the first read in 1.3.
				o.ClientCertificate, o.ClientKey = nil, nil
				bad, err := tlsio.Dial(testContext(t), network, addr, o)
				if err == nil {
					defer bad.Close()
					bad.SetDeadline(time.Now().Add(limit))
					_, err = bad.Read(make([]byte, 1))
				}
				if e, ok := errors.AsType[*tlsio.Error](err); !ok && err != io.EOF || ok && e.Timeout() {
					t.Errorf("without a certificate: %v", err)
				}
			})
		}
	}
}

// TestServersResume: the second connection resumes the first one's session, and is
// verified all the same.
func TestServersResume(t *testing.T) {
	w := newWorld(t)
	for _, s := range echoServers {
		for _, v := range []string{tlsio.TLSv12, tlsio.TLSv13} {
			t.Run(s.name+" "+v, func(t *testing.T) {
				addr, _ := s.start(t, w, peerOptions{version: v})
				secure, err := tlsio.NewClientContext(w.clientOptions())
				if err != nil {
					t.Fatal(err)
				}
				o := tlsio.TLSOptions{Context: secure, Host: "server.test"}
				for i := range 3 {
					c := dial(t, addr, o)
					roundTrip(t, c, "hello", s.echo("hello")) // reads the ticket too
					state := c.State()
					if !state.Authorized() {
						t.Error("not authorized")
					}
					if i == 2 && !state.DidResume {
						t.Error("never resumed")
					}
					c.Close()
				}
			})
		}
	}
}

// TestServersEnd: an end with close_notify is told from one without.
func TestServersEnd(t *testing.T) {
	w := newWorld(t)
	for _, v := range []string{tlsio.TLSv12, tlsio.TLSv13} {
		t.Run(v, func(t *testing.T) {
			addr, _ := nodeServer(t, w, peerOptions{version: v})
			for line, proper := range map[string]bool{"half\n": true, "cut\n": false} {
				c := dial(t, addr, w.clientOptions())
				io.WriteString(c, line)
				got, err := io.ReadAll(c)
				if err != nil || string(got) != "last words" || c.CloseNotifyReceived() != proper {
					t.Errorf("%q: %q, %v, close_notify %v", line, got, err, c.CloseNotifyReceived())
				}
			}
			c := dial(t, addr, w.clientOptions())
			io.WriteString(c, "dribble\n")
			got := make([]byte, len("one by one"))
			if _, err := io.ReadFull(c, got); err != nil || string(got) != "one by one" {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
	// Killed: the kernel ends the connection.
	addr, p := opensslServer(t, w, peerOptions{})
	c := dial(t, addr, w.clientOptions())
	roundTrip(t, c, "hello", "olleh")
	p.kill()
	if _, err := c.Read(make([]byte, 1)); err == nil || err == io.EOF && c.CloseNotifyReceived() {
		t.Errorf("killed: %v, close_notify %v", err, c.CloseNotifyReceived())
	}
}

// TestNodeStartTLS: the client's role of it.
func TestNodeStartTLS(t *testing.T) {
	w := newWorld(t)
	addr, _ := nodeServerWith(t, w, peerOptions{}, map[string]any{"starttls": true})
	secure, err := tlsio.NewClientContext(w.clientOptions())
	if err != nil {
		t.Fatal(err)
	}
	raw, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	raw.SetDeadline(time.Now().Add(limit))
	r := bufio.NewReader(raw)
	for _, step := range []string{"STARTTLS\r\n", ""} {
		if line, err := r.ReadString('\n'); err != nil || !strings.HasPrefix(line, "220") {
			t.Fatalf("%q, %v", line, err)
		}
		io.WriteString(raw, step)
	}
	c, err := secure.Secure(testContext(t), raw, tlsio.SecureOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(limit))
	roundTrip(t, c, "hello", "hello")
}

// TestOpenSSLServerCommands: key updates are followed, renegotiation is not.
func TestOpenSSLServerCommands(t *testing.T) {
	w := newWorld(t)
	interactive := func(version string) (*tlsio.Conn, *process) {
		addr, p := server(t, opensslAnnounces, opensslPath(t), "s_server", "-accept", "127.0.0.1:0", "-cert", w.serverCert, "-key", w.serverKey, version)
		c := dial(t, addr, w.clientOptions())
		io.WriteString(c, "hello\n")
		p.hear("hello")
		return c, p
	}
	t.Run("key update", func(t *testing.T) {
		c, p := interactive("-tls1_3")
		for i := range 3 {
			p.say("K") // with update_requested
			ours := fmt.Sprintf("ours %d", i)
			io.WriteString(c, ours+"\n")
			p.hear(ours) // it looks at what is typed first
			line := fmt.Sprintf("answer %d\n", i)
			p.say(strings.TrimSpace(line))
			got := make([]byte, len(line))
			if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, []byte(line)) {
				t.Fatalf("%q, %v", got, err)
			}
		}
	})
	t.Run("renegotiation", func(t *testing.T) {
		c, p := interactive("-tls1_2")
		p.say("r")
		_, err := c.Read(make([]byte, 1))
		e, ok := errors.AsType[*tlsio.Error](err)
		if !ok || e.Timeout() || e.Stage != tlsio.StageRead {
			t.Errorf("%v", err)
		}
	})
}
