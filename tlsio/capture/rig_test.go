package capture

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ingot.dev/internal/pki"
	"ingot.dev/tlsio"
)

const limit = time.Minute

// tapped is a connection whose bytes a tap sees, as tlsio shows them to it.
type tapped struct {
	net.Conn
	tap tlsio.Tap
}

func (c *tapped) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.tap.Received(p[:n])
	return n, err
}

func (c *tapped) Write(p []byte) (int, error) {
	c.tap.Sent(p)
	return c.Conn.Write(p)
}

// keys passes secrets on.
type keys struct{ tap tlsio.Tap }

func (k keys) Write(line []byte) (int, error) {
	k.tap.Secret(line)
	return len(line), nil
}

// pair is a server and a client that trust each other.
func pair(t testing.TB) (server, client *tls.Config) {
	t.Helper()
	ca, err := pki.NewAuthority(pki.Template{CommonName: "capture test"})
	if err != nil {
		t.Fatal(err)
	}
	identity := func(name string) tls.Certificate {
		id, err := ca.Issue(pki.Template{CommonName: name, DNSNames: []string{name}})
		if err != nil {
			t.Fatal(err)
		}
		return id.TLS()
	}
	pool := x509.NewCertPool()
	pool.AddCert(ca.Cert)
	return &tls.Config{Certificates: []tls.Certificate{identity("server.test")}, ClientCAs: pool},
		&tls.Config{Certificates: []tls.Certificate{identity("client.test")}, RootCAs: pool, ServerName: "server.test"}
}

// tshark runs it on a file. Fields are asked for with -T fields -e.
func tshark(t testing.TB, file string, args ...string) string {
	t.Helper()
	bin, err := exec.LookPath("tshark")
	if err != nil {
		t.Skip("no tshark; make peers installs it")
	}
	cmd := exec.Command(bin, append([]string{"-r", file, "-n", "-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"}, args...)...)
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("tshark %q: %v\n%s", args, err, stderr.String())
	}
	return string(out)
}

// save writes what the recorder holds to a file.
func save(t testing.TB, r *Recorder) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "capture.pcapng")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	n, err := r.WriteTo(f)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if info, _ := os.Stat(name); info.Size() != n {
		t.Errorf("%d bytes written, the file has %d", n, info.Size())
	}
	return name
}

// exchange connects the two, records the server's side, sends request, and back
// response, and closes.
func exchange(t testing.TB, r *Recorder, server, client *tls.Config, request, response string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	done := make(chan error, 1)
	go func() {
		done <- func() error {
			raw, err := ln.Accept()
			if err != nil {
				return err
			}
			defer raw.Close()
			raw.SetDeadline(time.Now().Add(limit))
			tap := r.Tap(raw.LocalAddr(), raw.RemoteAddr(), true)
			config := server.Clone()
			config.KeyLogWriter = keys{tap}
			c := tls.Server(&tapped{raw, tap}, config)
			got := make([]byte, len(request))
			if _, err = io.ReadFull(c, got); err == nil {
				_, err = io.WriteString(c, response)
			}
			c.Close()
			tap.Closed(err)
			return err
		}()
	}()
	raw, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	raw.SetDeadline(time.Now().Add(limit))
	c := tls.Client(raw, client)
	defer c.Close()
	if _, err := io.WriteString(c, request); err != nil {
		t.Errorf("request: %v", err)
	}
	if got, err := io.ReadAll(c); err != nil || string(got) != response {
		t.Errorf("%d of %d bytes came back: %v", len(got), len(response), err)
	}
	if err := <-done; err != nil {
		t.Errorf("server: %v", err)
	}
}
