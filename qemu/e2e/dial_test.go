package e2e

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"regexp"
	"strings"
	"testing"

	"ingot.dev/certs/certstest"
	"ingot.dev/qemu"
)

// hostServer answers TLS connections on the host with one line each, and
// returns the address at which the guest finds it.
func hostServer(t *testing.T, id *certstest.Identity, config *tls.Config) string {
	t.Helper()
	config = config.Clone()
	config.Certificates = []tls.Certificate{id.TLS()}
	l, err := tls.Listen("tcp4", "127.0.0.1:0", config)
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
			go func() {
				defer conn.Close()
				line, err := bufio.NewReader(conn).ReadString('\n')
				if err != nil {
					return // the guest has the reason
				}
				who := "nobody"
				if peers := conn.(*tls.Conn).ConnectionState().PeerCertificates; len(peers) > 0 {
					who = peers[0].Subject.CommonName
				}
				fmt.Fprintf(conn, "%s said: %s", who, line)
			}()
		}
	}()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return "10.0.2.2:" + port
}

// TestDial: TLS from the guest to the host.
func TestDial(t *testing.T) {
	const name = "host.ingot.test"
	server := world.ca.Issue(certstest.Template{Names: []string{name}})
	expired := world.ca.Issue(certstest.Template{Names: []string{name}}.Expired())
	stranger := certstest.NewCA(t, certstest.Template{}).Issue(certstest.Template{Names: []string{name}})
	mutual := &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: world.ca.Pool()}
	nobodys := &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: x509.NewCertPool()}

	cases := []struct {
		name     string
		server   *certstest.Identity
		config   *tls.Config
		host     string
		identity string
		want     []string // all in the result
	}{
		{"plain", server, &tls.Config{}, name, "", []string{"answer: nobody said: hello from the board"}},
		{"tls12", server, &tls.Config{MaxVersion: tls.VersionTLS12}, name, "", []string{"answer: nobody said: hello"}},
		{"identified", server, mutual, name, "client", []string{"answer: the board said: hello"}},
		{"identified12", server, &tls.Config{ClientAuth: mutual.ClientAuth, ClientCAs: mutual.ClientCAs, MaxVersion: tls.VersionTLS12}, name, "client", []string{"answer: the board said: hello"}},
		{"anonymous", server, mutual, name, "", []string{"error:", "certificate required"}},
		{"unwelcome", server, nobodys, name, "client", []string{"error:", "unknown certificate authority"}},
		{"wrong-name", server, &tls.Config{}, "elsewhere.test", "", []string{"error:", "verify", "elsewhere.test", name}},
		{"unknown-ca", stranger, &tls.Config{}, name, "", []string{"error:", "verify", "authority"}},
		{"expired", expired, &tls.Config{}, name, "", []string{"error:", "verify", "expired"}},
	}
	args := []string{"dial"}
	for _, c := range cases {
		args = append(args, strings.Join([]string{c.name, hostServer(t, c.server, c.config), c.host, c.identity}, ","))
	}
	// Nothing listens there: the reason is the network's.
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().(*net.TCPAddr).Port
	l.Close()
	args = append(args, fmt.Sprintf("nobody-there,10.0.2.2:%d,%s,", closed, name))

	m := start(t, qemu.Config{Image: world.guest, Env: []string{storeEnv(t, world.store)}, Args: args, Network: true})
	if _, err := m.WaitConsole(testContext(t), regexp.MustCompile(`result nobody-there .*\n`)); err != nil {
		t.Fatal(err)
	}
	exits(t, m, 0)
	result := func(name string) string {
		match := regexp.MustCompile(`(?m)^result ` + name + ` (.*)$`).FindStringSubmatch(m.Console())
		if match == nil {
			t.Fatalf("no result for %s in\n%s", name, m.Console())
		}
		return match[1]
	}
	for _, c := range cases {
		contains(t, c.name, result(c.name), c.want...)
	}
	contains(t, "nobody-there", result("nobody-there"), "error:", "refused")
}
