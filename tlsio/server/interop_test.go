package server

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"ingot.dev/internal/pki"
	"ingot.dev/internal/testenv"
	"ingot.dev/tlsio"
)

// These tests run against other people's programs, on the operating system's network.

// mail answers as much of SMTP as is needed for STARTTLS (RFC 3207), and turns other
// lines round.
func mail(secured func(c *Connection)) Handler {
	return Handler{
		Connected: func(c *Connection, err error) {
			switch {
			case err != nil:
			case c.TLS() == nil:
				c.SendLine("220 server.test ready")
			case secured != nil:
				secured(c)
			}
		},
		DataIn: func(c *Connection, line []byte, eol bool) {
			switch verb, _, _ := strings.Cut(string(line), " "); strings.ToUpper(verb) {
			case "EHLO":
				c.SendText("250-server.test\r\n250 STARTTLS\r\n")
			case "STARTTLS":
				c.SendLine("220 go ahead")
				c.StartTLS()
			case "BYE":
				c.SendLine("221 bye")
				c.Disconnect()
			default:
				r := []rune(string(line))
				for i, j := 0, len(r)-1; i < j; i, j = i+1, j-1 {
					r[i], r[j] = r[j], r[i]
				}
				c.SendLine(string(r))
			}
		},
	}
}

// run runs a program with input and returns what it wrote.
func run(t *testing.T, input, bin string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(within(t), bin, args...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Logf("%s: %v", bin, err)
	}
	return string(out)
}

func pemFile(t *testing.T, blocks ...[]byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file.pem")
	if err := os.WriteFile(name, bytes.Join(blocks, nil), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func identityFiles(t *testing.T, c *pki.Credential) (cert, key string) {
	t.Helper()
	k, err := c.KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	return pemFile(t, c.PEM()), pemFile(t, k)
}

// waiting is input that keeps a program's standard input open until the server has
// answered: the programs stop at its end.
type waiting struct {
	mu    sync.Mutex
	out   bytes.Buffer
	until string
	found chan struct{}
	once  sync.Once
}

func (w *waiting) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.out.Write(p)
	if strings.Contains(w.out.String(), w.until) {
		w.once.Do(func() { close(w.found) })
	}
	return len(p), nil
}

// talk runs a program, gives it input, and waits until it has shown until.
func talk(t *testing.T, input, until, bin string, args ...string) string {
	t.Helper()
	w := &waiting{until: until, found: make(chan struct{})}
	cmd := exec.CommandContext(within(t), bin, args...)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		cmd.Wait()
		close(done)
	}()
	fmt.Fprint(stdin, input)
	select {
	case <-w.found:
	case <-done:
	}
	stdin.Close()
	<-done
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.out.String()
}

func TestOpenSSL(t *testing.T) {
	bin := testenv.Program(t, "openssl", "openssl")
	w := testPKI(t)
	ca := pemFile(t, w.ca.PEM())
	cert, key := identityFiles(t, w.client)
	for _, version := range []string{"-tls1_2", "-tls1_3"} {
		for _, starttls := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s STARTTLS %v", version[1:], starttls), func(t *testing.T) {
				o := serverTLS(t)
				o.CA = [][]byte{w.ca.DER()}
				config := Config{StartMode: StartImplicit, TLS: o, AuthenticateClients: true, SingleLineMode: true}
				args := []string{"s_client", version, "-CAfile", ca, "-cert", cert, "-key", key, "-verify_return_error", "-quiet", "-no_ign_eof",
					"-servername", "server.test", "-verify_hostname", "server.test"}
				if starttls {
					config.StartMode = StartExplicit
					args = append(args, "-starttls", "smtp")
				}
				b := newBenchOn(t, tlsio.HostNetwork{}, config, mail(nil), noReady|noStatus)
				out := talk(t, "olleh\nBYE\n", "221 bye", bin, append(args, "-connect", b.address())...)
				if !strings.Contains(out, "hello\r\n221 bye\r\n") {
					t.Errorf("openssl says\n%s", out)
				}
				if starttls {
					b.next("Connected")
				}
				if e := b.skipTo("Connected"); e.err != nil {
					t.Fatal(e.err)
				}
				if e := b.skipTo("Disconnected"); e.err != nil {
					t.Error(e.err)
				}
			})
		}
	}
	t.Run("client without certificate", func(t *testing.T) {
		o := serverTLS(t)
		o.CA = [][]byte{w.ca.DER()}
		b := newBenchOn(t, tlsio.HostNetwork{}, Config{StartMode: StartImplicit, TLS: o, AuthenticateClients: true}, Handler{}, noReady|noStatus)
		out := run(t, "", bin, "s_client", "-CAfile", ca, "-connect", b.address())
		if e := b.next("Connected"); e.err == nil {
			t.Errorf("served; openssl says\n%s", out)
		}
	})
}

func TestGnuTLS(t *testing.T) {
	bin := testenv.Program(t, "gnutls-cli", "gnutls-bin")
	w := testPKI(t)
	ca := pemFile(t, w.ca.PEM())
	for _, priority := range []string{"NORMAL:-VERS-ALL:+VERS-TLS1.2", "NORMAL:-VERS-ALL:+VERS-TLS1.3"} {
		for _, starttls := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s STARTTLS %v", priority[len(priority)-6:], starttls), func(t *testing.T) {
				config := Config{StartMode: StartImplicit, TLS: serverTLS(t), SingleLineMode: true}
				args := []string{"--priority", priority, "--x509cafile", ca, "--sni-hostname", "server.test", "--verify-hostname", "server.test"}
				if starttls {
					config.StartMode = StartExplicit
					args = append(args, "--starttls-proto", "smtp")
				}
				b := newBenchOn(t, tlsio.HostNetwork{}, config, mail(nil), noReady|noStatus)
				host, port, err := net.SplitHostPort(b.address())
				if err != nil {
					t.Fatal(err)
				}
				out := talk(t, "olleh\nBYE\n", "221 bye", bin, append(args, "--port", port, host)...)
				if !strings.Contains(out, "hello") || !strings.Contains(out, "221 bye") {
					t.Errorf("gnutls-cli says\n%s", out)
				}
				b.skipTo("Connected")
				if e := b.skipTo("Disconnected"); e.err != nil {
					t.Error(e.err)
				}
			})
		}
	}
}

// TestCurl speaks just enough HTTP to curl, with a file for an answer.
func TestCurl(t *testing.T) {
	bin := testenv.Program(t, "curl", "curl")
	w := testPKI(t)
	page := strings.Repeat("All work and no play\n", 20000)
	files := os.DirFS(t.TempDir())
	name := filepath.Join(fmt.Sprint(files), "page")
	if err := os.WriteFile(name, []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	b := newBenchOn(t, tlsio.HostNetwork{}, Config{StartMode: StartImplicit, TLS: serverTLS(t), SingleLineMode: true}, Handler{
		DataIn: func(c *Connection, line []byte, eol bool) {
			if len(line) > 0 {
				return
			}
			c.SendText(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", len(page)))
			if _, err := c.SendFile(files, "page"); err != nil {
				t.Error(err)
			}
		},
	}, noReady|noStatus)
	out := run(t, "", bin, "-sS", "--cacert", pemFile(t, w.ca.PEM()), "--resolve", fmt.Sprintf("server.test:%d:127.0.0.1", b.LocalPort()),
		fmt.Sprintf("https://server.test:%d/", b.LocalPort()))
	if out != page {
		t.Errorf("curl got %d bytes: %.200s", len(out), out)
	}
}
