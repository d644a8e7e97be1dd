package cli

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ingot.dev/certs/certstest"
	"ingot.dev/tools/ingot/internal/serial/serialtest"
)

// slowServer accepts a connection, and shakes hands when it is told to.
func slowServer(t *testing.T, goOn <-chan struct{}) string {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	ca := certstest.NewCA(t, certstest.Template{})
	server := ca.Issue(certstest.Template{Names: []string{"localhost"}, IPs: []string{"127.0.0.1"}})
	pair := tls.Certificate{Certificate: [][]byte{server.Cert.Raw, ca.Cert.Raw}, PrivateKey: server.Key}
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		<-goOn
		tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{pair}}).HandshakeContext(t.Context())
	}()
	return l.Addr().String()
}

// addCA runs a command that takes as long as the server makes it wait, with its standard
// error on a file.
func addCA(t *testing.T, server string, stderr *os.File, more ...string) (code int, stdout string) {
	t.Helper()
	var out bytes.Buffer
	args := append([]string{"certs", "add-ca", filepath.Join(t.TempDir(), "store"), "https://" + server, "--yes-unverified"}, more...)
	return Run(t.Context(), args, strings.NewReader(""), &out, stderr), out.String()
}

// What takes longer than a second is shown at a terminal, and is gone at the end. It is
// on standard error, and JSON on standard output is whole.
func TestProgressAtTerminal(t *testing.T) {
	t.Setenv("CI", "")
	t.Setenv("TERM", "xterm")
	master, slave := terminal(t)
	goOn := make(chan struct{})
	server := slowServer(t, goOn)
	says := regexp.MustCompile(`Connecting to ` + regexp.QuoteMeta(server) + ` \.\.\. [1-9]\d* s`)
	shown := make(chan string)
	go func() {
		var text []byte
		buf := make([]byte, 1024)
		for told := false; ; {
			n, err := master.Read(buf)
			text = append(text, buf[:n]...)
			if !told && says.Match(text) {
				told = true
				close(goOn) // the server has waited for the terminal to say it
			}
			if err != nil || bytes.HasSuffix(text, []byte("END")) {
				shown <- string(text)
				return
			}
		}
	}()
	code, stdout := addCA(t, server, slave, "--json")
	io.WriteString(slave, "END")
	text := <-shown
	if code != ExitOK || !strings.HasPrefix(stdout, "{") || strings.Contains(stdout, "\x1b") {
		t.Errorf("status %d, %q", code, stdout)
	}
	if at := strings.LastIndex(text, "Connecting to"); at < 0 || !strings.Contains(text[at:], "\r\x1b[K") {
		t.Errorf("it stays: %q", text)
	}
}

// It is not shown where nobody sees it, or somebody doesn't want it.
func TestProgressNotShown(t *testing.T) {
	for what, set := range map[string]func(t *testing.T) []string{
		"a pipe":        nil,
		"--no-progress": func(*testing.T) []string { return []string{"--no-progress"} },
		"CI":            func(t *testing.T) []string { t.Setenv("CI", "true"); return nil },
		"dumb terminal": func(t *testing.T) []string { t.Setenv("TERM", "dumb"); return nil },
	} {
		t.Run(what, func(t *testing.T) {
			t.Setenv("CI", "")
			t.Setenv("TERM", "xterm")
			var more []string
			var out *os.File // read below
			var stderr *os.File
			if set == nil {
				var err error
				if out, stderr, err = os.Pipe(); err != nil {
					t.Fatal(err)
				}
				defer out.Close()
				defer stderr.Close()
			} else {
				out, stderr = terminal(t)
				more = set(t)
			}
			goOn := make(chan struct{})
			server := slowServer(t, goOn)
			// Longer than it would take to be shown. On a slow machine it may be
			// too early: then there is nothing to see either.
			time.AfterFunc(progressAfter+progressEvery/2, func() { close(goOn) })
			if code, _ := addCA(t, server, stderr, more...); code != ExitOK {
				t.Errorf("status %d", code)
			}
			io.WriteString(stderr, "END")
			got := make([]byte, 3)
			if _, err := io.ReadFull(out, got); err != nil || string(got) != "END" {
				t.Errorf("%q, %v: something was shown", got, err)
			}
		})
	}
}

// terminal returns both ends of a terminal that changes nothing.
func terminal(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, name := serialtest.Open(t)
	slave, err := os.OpenFile(name, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { slave.Close() })
	return master, slave
}
