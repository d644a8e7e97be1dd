package tlsio

import (
	"bufio"
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"ingot.dev/internal/testenv"
)

// These tests run against OpenSSL's command line tools.

func openssl(t *testing.T) string {
	t.Helper()
	return testenv.Program(t, "openssl", "openssl")
}

var opensslVersions = map[string]string{TLSv12: "-tls1_2", TLSv13: "-tls1_3"}

// sServer starts openssl s_server with the given identity and returns its address. It
// sends back what it receives, each line reversed.
func sServer(t *testing.T, id identity, args ...string) string {
	t.Helper()
	addr, _ := typedServer(t, id, append([]string{"-rev"}, args...)...)
	return addr
}

// typedServer starts openssl s_server, which sends what is typed, and prints what it
// receives. It picks its port itself.
func typedServer(t *testing.T, id identity, args ...string) (addr string, typed io.Writer) {
	t.Helper()
	cmd := exec.Command(openssl(t), append([]string{"s_server", "-accept", "127.0.0.1:0",
		"-cert", writePEM(t, "CERTIFICATE", id.cert), "-key", writePEM(t, "PRIVATE KEY", id.key)}, args...)...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	listens := make(chan string, 1)
	go func() {
		defer close(listens)
		for s := bufio.NewScanner(out); s.Scan(); {
			if addr, ok := strings.CutPrefix(s.Text(), "ACCEPT "); ok {
				listens <- addr
				io.Copy(io.Discard, out)
				return
			}
		}
	}()
	end := sync.OnceFunc(func() { cmd.Process.Kill(); cmd.Wait() })
	t.Cleanup(end)
	select {
	case addr := <-listens:
		if addr != "" {
			return addr, in
		}
	case <-time.After(limit):
	}
	end()
	t.Fatalf("s_server doesn't listen: %s", stderr.String())
	return "", nil
}

func TestOpenSSLServer(t *testing.T) {
	w := pki(t)
	caFile := writePEM(t, "CERTIFICATE", w.caDER)
	for v, flag := range opensslVersions {
		t.Run(v, func(t *testing.T) {
			addr := sServer(t, w.server, flag, "-alpn", "b,a", "-Verify", "1", "-CAfile", caFile, "-verify_return_error")
			co := clientOptions(t)
			co.ApplicationLayerProtocol = []string{"a"}
			t.Run("mutual, ALPN", func(t *testing.T) {
				co := co
				co.ClientCertificate, co.ClientKey = [][]byte{w.client.cert}, [][]byte{w.client.key}
				c, err := Dial(timeout(t), HostNetwork{}, addr, co)
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				s := c.(*Conn).ConnectionState()
				if s.NegotiatedProtocol != "a" || s.Version != versionNumber(v) {
					t.Errorf("negotiated %q, %x", s.NegotiatedProtocol, s.Version)
				}
				c.SetDeadline(time.Now().Add(limit))
				fmt.Fprintln(c, "hello")
				if got := string(readAll(t, c, 6)); got != "olleh\n" {
					t.Errorf("got %q", got)
				}
			})
			refusal := func(name string, change func(*TLSOptions), number uint8) {
				t.Run(name, func(t *testing.T) {
					co := co
					change(&co)
					c, err := Dial(timeout(t), HostNetwork{}, addr, co)
					if err == nil { // TLS 1.3 says so later
						c.SetDeadline(time.Now().Add(limit))
						_, err = c.Read(make([]byte, 1))
						c.Close()
					}
					e, ok := errors.AsType[*Error](err)
					if !ok || e.Alert != (Alert{AlertReceived, number}) {
						t.Errorf("got %v, want alert %d", err, number)
					}
				})
			}
			none := uint8(116)
			if v == TLSv12 {
				none = 40
			}
			refusal("no certificate", func(*TLSOptions) {}, none)
			refusal("expired certificate", func(o *TLSOptions) {
				o.ClientCertificate, o.ClientKey = [][]byte{w.expiredClient.cert}, [][]byte{w.expiredClient.key}
			}, 45)
			refusal("wrong CA", func(o *TLSOptions) {
				o.ClientCertificate, o.ClientKey = [][]byte{w.rogue.cert}, [][]byte{w.rogue.key}
			}, 48)
			for name, tt := range map[string]struct {
				change func(*TLSOptions)
				cause  error
			}{
				"wrong name": {func(o *TLSOptions) { o.Host = "wrong.test" }, x509.HostnameError{}},
				"unknown CA": {func(o *TLSOptions) { o.CA = [][]byte{w.otherDER} }, x509.UnknownAuthorityError{}},
				"expired":    {func(o *TLSOptions) { o.Now = func() time.Time { return time.Now().Add(1000 * time.Hour) } }, x509.CertificateInvalidError{}},
			} {
				t.Run(name, func(t *testing.T) {
					co := co
					tt.change(&co)
					_, err := Dial(timeout(t), HostNetwork{}, addr, co)
					e := wantError(t, err, StageVerify, Alert{AlertSent, 42})
					if fmt.Sprintf("%T", tt.cause) != causeType(e) || e.Hint == "" {
						t.Errorf("cause %s: %v", causeType(e), e)
					}
				})
			}
			t.Run("class", func(t *testing.T) {
				r := newRigOn(t, HostNetwork{})
				co := co
				co.ClientCertificate, co.ClientKey = [][]byte{w.client.cert}, [][]byte{w.client.key}
				port := 0
				fmt.Sscanf(addr, "127.0.0.1:%d", &port)
				sock, err := NewTLS(r.app, r.tls(TLSClientOptions{Address: "127.0.0.1", Port: port, TLS: co}))
				if err != nil {
					t.Fatal(err)
				}
				defer sock.Close()
				r.next("writable")
				sock.Write([]byte("class\n"))
				r.skipTo("readable")
				wait(t, "the answer", func() bool { return r.available(sock) == 6 })
				if p, _ := sock.ReadAvailable(); string(p) != "ssalc\n" {
					t.Errorf("got %q", p)
				}
			})
		})
	}
}

// causeType names the innermost x509 cause of err.
func causeType(err error) string {
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return "x509.HostnameError"
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "x509.UnknownAuthorityError"
	}
	if _, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		return "x509.CertificateInvalidError"
	}
	return "none"
}

// sClient runs openssl s_client, sends line, and returns all output once the
// line has come back or the connection has ended.
func sClient(t *testing.T, addr, line string, args ...string) string {
	t.Helper()
	args = append([]string{"s_client", "-connect", addr, "-servername", "server.test", "-verify_hostname", "server.test",
		"-CAfile", writePEM(t, "CERTIFICATE", pki(t).caDER), "-verify_return_error", "-ign_eof"}, args...)
	cmd := exec.CommandContext(timeout(t), openssl(t), args...)
	cmd.Stdin = strings.NewReader(line + "\n")
	out, _ := cmd.CombinedOutput()
	return string(out)
}

// oneLine answers each connection with the line it sent, and closes.
func oneLine(ln net.Listener) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			line, _ := bufio.NewReader(c).ReadString('\n')
			io.WriteString(c, "echo:"+line)
		}()
	}
}

func TestOpenSSLClient(t *testing.T) {
	w := pki(t)
	openssl(t)
	for v, flag := range opensslVersions {
		t.Run(v, func(t *testing.T) {
			refused := make(refusals, 10)
			so := serverOptions(t)
			so.ApplicationLayerProtocol = []string{"a"}
			so.ClientAuth, so.CA = ClientAuthRequire, [][]byte{w.caDER}
			so.OnRefused = refused.note
			ln := listenOn(t, HostNetwork{}, so)
			go oneLine(ln)
			with := func(id identity) []string {
				return []string{flag, "-alpn", "b,a", "-cert", writePEM(t, "CERTIFICATE", id.cert), "-key", writePEM(t, "PRIVATE KEY", id.key)}
			}
			out := sClient(t, ln.Addr().String(), "hello", with(w.client)...)
			for _, want := range []string{"echo:hello", "Verify return code: 0 (ok)", "ALPN protocol: a"} {
				if !strings.Contains(out, want) {
					t.Errorf("no %q in:\n%s", want, out)
				}
			}
			none := uint8(116)
			if v == TLSv12 {
				none = 40
			}
			for _, tt := range []struct {
				name   string
				args   []string
				number uint8
			}{
				{"no certificate", []string{flag}, none},
				{"wrong CA", with(w.rogue), 48},
				{"expired", with(w.expiredClient), 45},
			} {
				t.Run(tt.name, func(t *testing.T) {
					out := sClient(t, ln.Addr().String(), "hello", tt.args...)
					if want := fmt.Sprintf("SSL alert number %d", tt.number); !strings.Contains(out, want) {
						t.Errorf("no %q in:\n%s", want, out)
					}
					wantError(t, refused.next(t), StageVerify, Alert{AlertSent, tt.number})
				})
			}
		})
	}
}
