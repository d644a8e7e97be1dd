package interop

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"ingot.dev/certs/certstest"
	"ingot.dev/internal/testenv"
	"ingot.dev/tlsio"
)

// limit is how long anything may take; generous, for slow machines.
const limit = 60 * time.Second

var network = tlsio.HostNetwork{}

// world is the PKI, as values and as files for the peers.
type world struct {
	ca             *certstest.CA
	server, client *certstest.Identity
	stranger       *certstest.Identity // of another authority

	caFile                string
	serverCert, serverKey string
	clientCert, clientKey string
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{ca: certstest.NewCA(t, certstest.Template{})}
	w.server = w.ca.Issue(certstest.Template{Names: []string{"server.test"}, IPs: []string{"127.0.0.1"}})
	w.client = w.ca.Issue(certstest.Template{CommonName: "client.test", Client: true})
	w.stranger = certstest.NewCA(t, certstest.Template{}).Issue(certstest.Template{CommonName: "stranger.test", Client: true})
	w.caFile = w.ca.WritePEM(t)
	w.serverCert, w.serverKey = w.server.WritePEM(t)
	w.clientCert, w.clientKey = w.client.WritePEM(t)
	return w
}

func (w *world) serverOptions() tlsio.TLSOptions {
	return tlsio.TLSOptions{ServerCertificate: [][]byte{w.server.DER}, ServerKey: [][]byte{w.server.KeyDER}}
}

func (w *world) clientOptions() tlsio.TLSOptions {
	return tlsio.TLSOptions{Host: "server.test", CA: [][]byte{w.ca.DER()}}
}

func testContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	return ctx
}

// answer is what our servers send back for a line: what they know of the
// connection, and the line.
func answer(c *tlsio.Conn, line string) string {
	s := c.State()
	name := "nobody"
	if cert := s.PeerCertificates; len(cert) > 0 {
		name = cert[0].Subject.CommonName
	}
	return fmt.Sprintf("<%s|%s|%s|alpn=%s|sni=%s|resumed=%v|peer=%s|authorized=%v|%s>\n", s.VersionName(), s.Cipher().Name,
		s.CurveID, s.NegotiatedProtocol, s.ServerName, s.DidResume, name, s.Authorized(), line)
}

// serve listens with o and answers each line; "bye" ends the connection from here.
func serve(t testing.TB, o tlsio.TLSOptions) (addr string) {
	t.Helper()
	ln, err := tlsio.Listen(testContext(t), network, "127.0.0.1:0", o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go answerLines(c.(*tlsio.Conn))
		}
	}()
	return ln.Addr().String()
}

func answerLines(c *tlsio.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		io.WriteString(c, answer(c, line))
		if line == "bye" {
			return
		}
	}
}

func split(addr string) (host, port string) {
	host, port, _ = net.SplitHostPort(addr)
	return host, port
}

// process is a running peer.
type process struct {
	t     testing.TB
	cmd   *exec.Cmd
	stdin io.WriteCloser
	ended chan struct{}

	mu  sync.Mutex
	out bytes.Buffer
	err error // guarded by ended
}

func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.Write(b)
}

func (p *process) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

// start runs a program, which ends with the test at the latest.
func start(t testing.TB, path string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(path, args...), ended: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = p, p
	var err error
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("%s %s:\n%s", path, strings.Join(args, " "), p.output())
		}
	})
	return p
}

func (p *process) kill() {
	p.cmd.Process.Kill()
	<-p.ended
}

// say types a line.
func (p *process) say(line string) {
	p.t.Helper()
	if _, err := io.WriteString(p.stdin, line+"\n"); err != nil {
		p.t.Errorf("typing %q: %v", line, err)
	}
}

// hear waits until text has come, and returns all that has.
func (p *process) hear(text string) string {
	p.t.Helper()
	return p.hearTimes(text, 1)
}

// hearTimes waits until text has come so many times.
func (p *process) hearTimes(text string, times int) string {
	p.t.Helper()
	all, ok := p.outputs(func(all string) bool { return strings.Count(all, text) >= times })
	if !ok {
		p.t.Fatalf("no %q", text)
	}
	return all
}

// outputs waits until the process has printed what is wanted, and returns all that it has.
// It is false for one that ends without.
func (p *process) outputs(wanted func(all string) bool) (all string, ok bool) {
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		over := false
		select {
		case <-p.ended:
			over = true
		default:
		}
		if all := p.output(); wanted(all) {
			return all, true
		} else if over {
			break
		}
	}
	return "", false
}

// finish ends the input, waits for the program's end and returns all it said.
func (p *process) finish() string {
	p.t.Helper()
	p.stdin.Close()
	select {
	case <-p.ended:
	case <-time.After(limit):
		p.t.Fatal("the peer doesn't end")
	}
	return p.output()
}

// server starts a peer that listens at a port of its own choice, and returns where: the
// port is the group of announced, which the peer prints.
func server(t testing.TB, announced *regexp.Regexp, path string, args ...string) (addr string, p *process) {
	t.Helper()
	p = start(t, path, args...)
	port, ok := p.announces(announced)
	if !ok {
		t.Fatal("the peer never listened")
	}
	return net.JoinHostPort("127.0.0.1", port), p
}

// announces waits until the process has printed what matches, and returns the group. It
// is false for one that ends without.
func (p *process) announces(what *regexp.Regexp) (group string, ok bool) {
	all, ok := p.outputs(what.MatchString)
	if !ok {
		return "", false
	}
	return what.FindStringSubmatch(all)[1], true
}

func dial(t testing.TB, addr string, o tlsio.TLSOptions) *tlsio.Conn {
	t.Helper()
	c, err := tlsio.Dial(testContext(t), network, addr, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(limit))
	return c.(*tlsio.Conn)
}

// wants checks that out has all the texts.
func wants(t testing.TB, out string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(out, text) {
			t.Errorf("no %q in:\n%s", text, out)
		}
	}
}

func opensslPath(t testing.TB) string { return testenv.Program(t, "openssl", "openssl") }
func gnutlsCLI(t testing.TB) string   { return testenv.Program(t, "gnutls-cli", "gnutls-bin") }
func gnutlsServ(t testing.TB) string  { return testenv.Program(t, "gnutls-serv", "gnutls-bin") }
func curlPath(t testing.TB) string    { return testenv.Program(t, "curl", "curl") }
func nodePath(t testing.TB) string    { return testenv.Program(t, "node", "nodejs") }
