package devrun

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"ingot.dev/certs/certstest"
)

// fakeMachine is a server on the host in place of an emulated one.
type fakeMachine struct {
	addr string
	done chan struct{}
	code int
}

func (m *fakeMachine) DialForward(ctx context.Context, _ int) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "tcp", m.addr)
}
func (m *fakeMachine) WaitConsole(context.Context, *regexp.Regexp) ([]string, error) {
	return []string{"ready: TLS"}, nil
}
func (m *fakeMachine) Done() <-chan struct{} { return m.done }
func (m *fakeMachine) Wait() (int, error)    { <-m.done; return m.code, nil }
func (m *fakeMachine) ConsoleTail() string   { return "console:\n\tlast words" }

// serve resets the first few connections, as QEMU does until the guest
// listens, and echoes over TLS from then on.
func serve(t *testing.T, id *certstest.Identity, resets int) *fakeMachine {
	t.Helper()
	return serveWith(t, &tls.Config{Certificates: []tls.Certificate{id.TLS()}}, resets)
}

func serveWith(t *testing.T, config *tls.Config, resets int) *fakeMachine {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if resets--; resets >= 0 {
				conn.(*net.TCPConn).SetLinger(0)
				conn.Close()
				continue
			}
			go func() {
				defer conn.Close()
				conn := tls.Server(conn, config)
				buf := make([]byte, 4096)
				for {
					n, err := conn.Read(buf)
					if err != nil {
						return
					}
					conn.Write(buf[:n])
				}
			}()
		}
	}()
	return &fakeMachine{addr: l.Addr().String(), done: make(chan struct{})}
}

func TestWaitReady(t *testing.T) {
	ca := certstest.NewCA(t, certstest.Template{})
	local := ca.Issue(certstest.Template{Names: []string{"localhost"}})
	ended := func(m *fakeMachine) *fakeMachine { m.code = 5; close(m.done); return m }
	const never = 1 << 30
	for _, c := range []struct {
		name    string
		machine *fakeMachine
		want    string // in the error; empty for none
	}{
		{"at once", serve(t, local, 0), ""},
		{"at the fourth attempt", serve(t, local, 3), ""},
		{"another authority", serve(t, certstest.NewCA(t, certstest.Template{}).Issue(certstest.Template{Names: []string{"localhost"}}), 0), "development CA"},
		{"another name", serve(t, ca.Issue(certstest.Template{Names: []string{"elsewhere.test"}}), 0), "development CA"},
		{"expired", serve(t, ca.Issue(certstest.Template{Names: []string{"localhost"}}.Expired()), 0), "expired"},
		{"the guest ended", ended(serve(t, local, never)), "status 5"},
		{"no answer", serve(t, local, never), "no TLS handshake within 300ms"},
	} {
		t.Run(c.name, func(t *testing.T) {
			limit := time.Minute
			if c.name == "no answer" {
				limit = 300 * time.Millisecond
			}
			err := waitReady(t.Context(), c.machine, defaultService, &host{roots: ca.Pool()}, limit)
			if c.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !errors.Is(err, ErrNotReady) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v; want ErrNotReady with %q", err, c.want)
			}
			if c.machine.code != 0 && !strings.Contains(err.Error(), "last words") {
				t.Errorf("%v does not show the console", err)
			}
		})
	}
}

func TestWaitReadyInterrupted(t *testing.T) {
	ca := certstest.NewCA(t, certstest.Template{})
	m := serve(t, ca.Issue(certstest.Template{Names: []string{"localhost"}}), 1<<30)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := waitReady(ctx, m, defaultService, &host{roots: ca.Pool()}, time.Minute); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// TestAdvice runs what is printed, word for word, against a TLS echo.
func TestAdvice(t *testing.T) {
	ca := certstest.NewCA(t, certstest.Template{})
	m := serve(t, ca.Issue(certstest.Template{Names: []string{"localhost"}}), 0)
	take(t, advice(m.addr, ca.WritePEM(t), "", "", true, time.Second))
	// The same with another authority's file must fail, or success would
	// mean nothing.
	other := certstest.NewCA(t, certstest.Template{}).WritePEM(t)
	for _, line := range strings.Split(advice(m.addr, other, "", "", true, time.Second), "\n") {
		if command, ok := strings.CutPrefix(line, "  "); ok {
			if out, err := exec.Command("sh", "-c", command).CombinedOutput(); err == nil {
				t.Errorf("%s\nsucceeded without the right authority\n%s", command, out)
			}
		}
	}
}

// take runs the commands of an advice, which must work.
func take(t *testing.T, text string) {
	t.Helper()
	var commands []string
	for _, line := range strings.Split(text, "\n") {
		if command, ok := strings.CutPrefix(line, "  "); ok {
			commands = append(commands, command)
		}
	}
	if len(commands) != 2 {
		t.Fatalf("commands: %q", commands)
	}
	for _, command := range commands {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if name, _, _ := strings.Cut(command, " "); lookPath(t, name) {
			out, err := exec.CommandContext(ctx, "sh", "-c", command).CombinedOutput()
			if err != nil || !strings.Contains(string(out), "hello") && !strings.Contains(string(out), "Verification: OK") {
				t.Errorf("%s\n%v\n%s", command, err, out)
			}
		}
	}
}

// A firmware that asks for a certificate gets the development one, which is in the advice.
func TestAdviceToClients(t *testing.T) {
	ca := certstest.NewCA(t, certstest.Template{})
	seen := make(chan bool, 100)
	m := serveWith(t, &tls.Config{
		Certificates: []tls.Certificate{ca.Issue(certstest.Template{Names: []string{"localhost"}}).TLS()},
		ClientAuth:   tls.RequireAnyClientCert, ClientCAs: ca.Pool(),
		VerifyConnection: func(s tls.ConnectionState) error { seen <- len(s.PeerCertificates) == 1; return nil },
	}, 0)
	client := ca.Issue(certstest.Template{Client: true})
	h := &host{roots: ca.Pool(), certificate: client.TLS()}
	if err := waitReady(t.Context(), m, defaultService, h, time.Minute); err != nil || !h.asked {
		t.Fatalf("asked: %v, %v", h.asked, err)
	}
	select {
	case shown := <-seen:
		if !shown {
			t.Error("the certificate was not shown")
		}
	case <-time.After(time.Minute):
		t.Error("the firmware refuses the certificate")
	}
	certFile, keyFile := client.WritePEM(t)
	take(t, advice(m.addr, ca.WritePEM(t), certFile, keyFile, true, time.Second))
}

func lookPath(t *testing.T, name string) bool {
	_, err := exec.LookPath(name)
	if err != nil {
		t.Logf("not tried: %v", err)
	}
	return err == nil
}

func TestShellWord(t *testing.T) {
	for in, want := range map[string]string{
		"build/certs/host/ca.pem": "build/certs/host/ca.pem",
		"my files/ca.pem":         "'my files/ca.pem'",
		"it's":                    `'it'\''s'`,
		"$HOME":                   "'$HOME'",
	} {
		if got := ShellWord(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}
