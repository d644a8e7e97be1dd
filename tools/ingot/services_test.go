package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"ingot.dev/board/boards"
	"ingot.dev/firmware/status"
	"ingot.dev/internal/testenv"
	"ingot.dev/qemu"
	"ingot.dev/tlsio"
	"ingot.dev/tlsio/jsonmsg"
)

// everything is a configuration with a service of each kind, and a collector for the log.
// The places are for the ports of the test's own servers.
const everything = `
[network]
host_name = "everything"
dns = ["10.0.2.3"]
address6 = "2001:db8::15/64"
gateway6 = "fe80::2"

[log]
level = "debug"

[syslog]
to = "10.0.2.2:%d"
host = "localhost"
present = "client"
policy = "20261122-tls13"
facility = "local3"
app = "test"

[service.back]
kind = "echo"
listen = ":8443"
alpn = ["echo/1"]

[service.in]
kind = "terminate"
listen = ":8883"
to = "10.0.2.2:%d"
client_auth = "require"
policy = "20261122"
connect_timeout = "10m"

[service.out]
kind = "originate"
listen = ":1883"
to = "10.0.2.2:%d"
host = "localhost"
present = "client"
upstream = { minimum_version = "TLSv1.3", alpn = ["echo/1"] }
allow = ["10.0.2.0/24"]
connect_timeout = "10m"

[service.hub]
kind = "json"
listen = ":8888"
password = "open sesame"
client_auth = "require"
keep_alive_interval = "500ms"
keep_alive_timeout = "10m"
request_timeout = "10m"
auth_timeout = "10m"
max_message = 4096

[service.web]
kind = "static"
listen = ":443"
files = "www"
max_age = "1h"

[service.operators]
kind = "status"
listen = ":9443"
`

// A place is one of the test's servers, on the machine that QEMU runs on: it listens
// behind the address that the firmware knows as 10.0.2.2.
type place struct {
	net.Listener
}

// newPlace serves until the test ends, TLS if config isn't nil.
func newPlace(t *testing.T, config *tls.Config, serve func(net.Conn)) place {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	p := place{l}
	if config != nil {
		p.Listener = tls.NewListener(l, config)
	}
	go func() {
		for {
			c, err := p.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				serve(c)
			}()
		}
	}()
	return p
}

func (p place) port() int { return p.Addr().(*net.TCPAddr).Port }

// echoes sends back what comes, and then says that this was all.
func echoes(c net.Conn) {
	if _, err := io.Copy(c, c); err == nil {
		c.(interface{ CloseWrite() error }).CloseWrite()
	}
}

// TestEveryKind boots one image that has a service of every kind, made from a
// configuration, and talks to each as those do that it is for.
func TestEveryKind(t *testing.T) {
	if testing.Short() {
		t.Skip("boots an emulator")
	}
	dir := filepath.Join(t.TempDir(), "everything")
	certificates := filepath.Join(dir, "certs")
	command(t, "certs", "init", certificates)
	if err := os.Mkdir(filepath.Join(dir, "www"), 0o755); err != nil {
		t.Fatal(err)
	}
	const page = "<p>from flash"
	if err := os.WriteFile(filepath.Join(dir, "www", "index.html"), []byte(page), 0o644); err != nil {
		t.Fatal(err)
	}

	// The servers that the firmware talks to. Those with TLS want its certificate.
	pair, err := tls.LoadX509KeyPair(filepath.Join(certificates, "host", "server.pem"), filepath.Join(certificates, "host", "server-key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	mutual := &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert,
		ClientCAs: client(t, dir, false).RootCAs, NextProtos: []string{"echo/1"}}
	behind, beyond := newPlace(t, nil, echoes), newPlace(t, mutual, echoes)
	logged := make(chan string, 10_000)
	collector := newPlace(t, &tls.Config{Certificates: mutual.Certificates, ClientAuth: mutual.ClientAuth, ClientCAs: mutual.ClientCAs, MinVersion: tls.VersionTLS13},
		func(c net.Conn) { readFrames(c, logged) })

	text := fmt.Sprintf(everything, collector.port(), behind.port(), beyond.port())
	if err := os.WriteFile(filepath.Join(dir, "ingot.toml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	ports := []int{8443, 8883, 1883, 8888, 443, 9443}
	var forwards []qemu.Forward
	for _, p := range ports {
		forwards = append(forwards, qemu.Forward{GuestPort: p})
	}
	m := boot(t, dir, boards.Default, qemu.Config{Forwards: forwards},
		"TLS back on 10.0.2.15:8443", "TLS in on 10.0.2.15:8883", "TCP out on 10.0.2.15:1883",
		"TLS hub on 10.0.2.15:8888", "TLS web on 10.0.2.15:443", "TLS operators on 10.0.2.15:9443")
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(m.ConsoleTail())
		}
	})
	known, unknown := client(t, dir, true), client(t, dir, false)

	t.Run("echo", func(t *testing.T) {
		config := unknown.Clone()
		config.NextProtos = []string{"other", "echo/1"}
		c := dialTLS(t, m.Addr(8443), config)
		if got := c.ConnectionState().NegotiatedProtocol; got != "echo/1" {
			t.Errorf("ALPN agreed on %q", got)
		}
		returns(t, c)
	})
	t.Run("terminate", func(t *testing.T) {
		returns(t, dialTLS(t, m.Addr(8883), known))
		refused(t, m.Addr(8883), unknown)
		waitConsole(t, m, `msg=relayed service=in remote=\S+ to=\S+ in=200000 out=200000 .*end=closed tls=TLSv1\.3 .*peer="CN=Ingot development client"`)
	})
	t.Run("originate", func(t *testing.T) {
		c, err := net.Dial("tcp4", m.Addr(1883))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		returns(t, c)
		waitConsole(t, m, `msg=relayed service=out remote=\S+ to=\S+ in=200000 out=200000 .*end=closed tls=TLSv1\.3 `)
	})
	t.Run("json", func(t *testing.T) { members(t, m, dir) })
	t.Run("static", func(t *testing.T) { webPages(t, m.Addr(443), unknown, page) })
	t.Run("status", func(t *testing.T) { statusPages(t, m, known, unknown) })
	t.Run("syslog", func(t *testing.T) {
		// From before there was a network, and the lines of the relays.
		wanted := []string{
			" everything test - - ", // host and program
			" ingot on " + boards.Default,
			" ready: TLS operators on 10.0.2.15:9443",
			` peer="CN=Ingot development client"] relayed`,
		}
		limit := time.After(patience)
		for len(wanted) > 0 {
			select {
			case line := <-logged:
				if !strings.HasPrefix(line, "<15") { // local3
					t.Fatalf("%q", line)
				}
				for i := 0; i < len(wanted); i++ {
					if strings.Contains(line, wanted[i]) {
						wanted = append(wanted[:i], wanted[i+1:]...)
						i--
					}
				}
			case <-limit:
				t.Fatalf("the collector never got %q", wanted)
			}
		}
	})
}

// waitConsole waits for a line of the firmware's.
func waitConsole(t *testing.T, m *qemu.Machine, expr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := m.WaitConsole(ctx, regexp.MustCompile(expr)); err != nil {
		t.Error(err)
	}
}

func dialTLS(t *testing.T, addr string, config *tls.Config) *tls.Conn {
	t.Helper()
	c, err := (&tls.Dialer{NetDialer: &net.Dialer{Timeout: patience}, Config: config}).DialContext(t.Context(), "tcp4", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.(*tls.Conn)
}

// returns sends something, ends its side, and expects all of it back and then the end.
func returns(t *testing.T, c net.Conn) {
	t.Helper()
	want := bytes.Repeat([]byte("0123456789abcdef"), 200_000/16)
	c.SetDeadline(time.Now().Add(patience))
	go func() {
		c.Write(want)
		c.(interface{ CloseWrite() error }).CloseWrite()
	}()
	if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes of %d came back, or others: %v", len(got), len(want), err)
	}
}

// refused expects that a client without a certificate gets nowhere, and is told why.
func refused(t *testing.T, addr string, config *tls.Config) {
	t.Helper()
	c, err := tls.Dial("tcp4", addr, config)
	if err == nil { // in TLS 1.3, a client hears of it when it reads
		c.SetDeadline(time.Now().Add(patience))
		_, err = io.ReadAll(c)
		c.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "certificate required") {
		t.Errorf("without a certificate: %v", err)
	}
}

// readFrames takes what is sent to a collector, as RFC 5425 has it.
func readFrames(c net.Conn, to chan<- string) {
	in := bufio.NewReader(c)
	for {
		count, err := in.ReadString(' ')
		if err != nil {
			return
		}
		n, err := strconv.Atoi(strings.TrimSuffix(count, " "))
		if err != nil || n <= 0 || n > 2048 {
			to <- "bad count " + count
			return
		}
		b := make([]byte, n)
		if _, err := io.ReadFull(in, b); err != nil {
			return
		}
		to <- string(b)
	}
}

// members are two clients of the hub, one of them Node's where there is one: they see
// each other, and pass messages and requests in both directions.
func members(t *testing.T, m *qemu.Machine, dir string) {
	host := filepath.Join(dir, "certs", "host")
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(host, name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	address, text, err := net.SplitHostPort(m.Addr(8888))
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	join := func(password any, got chan<- string) (*jsonmsg.Client, error) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		return jsonmsg.Dial(ctx, tlsio.HostNetwork{}, jsonmsg.ClientOptions{
			TLS:  tlsio.TLSOptions{CA: [][]byte{read("ca.der")}, ClientCertificate: [][]byte{read("client.der")}, ClientKey: [][]byte{read("client-key.der")}},
			Host: "localhost", Address: address, Port: port, Password: password, RequestTimeout: patience,
			OnMessage: func(_ *jsonmsg.Client, body json.RawMessage) { got <- string(body) },
			OnRequest: func(_ *jsonmsg.Client, body json.RawMessage, re *jsonmsg.Responder) {
				re.Send(map[string]any{"got": body})
			},
		})
	}
	if c, err := join("close sesame", nil); !errors.Is(err, jsonmsg.ErrIncorrectPassword) {
		t.Errorf("with another password: %v", err)
		if err == nil {
			c.Close()
		}
	}
	got := make(chan string, 100)
	first, err := join("open sesame", got)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	ask := func(c *jsonmsg.Client, question any) string {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		answer, err := c.Request(ctx, question)
		if err != nil {
			t.Fatalf("%v: %v", question, err)
		}
		return string(answer)
	}
	expect := func(from <-chan string, want string) {
		t.Helper()
		select {
		case text := <-from:
			if text != want {
				t.Errorf("got %s, want %s", text, want)
			}
		case <-time.After(patience):
			t.Fatalf("never got %s", want)
		}
	}
	const name = "Ingot development client" // of both, as they share a certificate
	type object = map[string]any
	joined := func(n int) { // what the hub knows comes a little after what its client does
		t.Helper()
		waitConsole(t, m, fmt.Sprintf(`(?s)(msg=joined service=hub .*){%d}`, n))
	}
	joined(1)
	if answer := ask(first, object{"op": "clients"}); answer != `{"clients":["`+name+`"]}` {
		t.Errorf("alone there, the clients are %s", answer)
	}
	if answer := ask(first, object{"nonsense": strings.Repeat("x", 1000)}); !strings.Contains(answer, "not of a form") {
		t.Errorf("nonsense is answered with %s", answer)
	}

	// What is no JSON is passed over, what is too long ends the connection.
	bad := dialTLS(t, m.Addr(8888), client(t, dir, true))
	bad.SetDeadline(time.Now().Add(patience))
	io.WriteString(bad, `{"password":"open sesame"}`+"\n{\n\x00\xff\n"+strings.Repeat("[", 4000)+"\n{}{}\n"+`{"requestId":1,"op":"clients"}`+"\n")
	answers := bufio.NewScanner(bad)
	for answers.Scan() && !strings.Contains(answers.Text(), `"responseId":1`) {
	}
	if !strings.Contains(answers.Text(), `"clients":[`) {
		t.Errorf("behind what is no JSON, the answer is %q (%v)", answers.Text(), answers.Err())
	}
	io.WriteString(bad, `{"message":"`+strings.Repeat("x", 10_000)+`"}`+"\n")
	for answers.Scan() {
	}
	if err := answers.Err(); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a line that is too long doesn't end the connection")
	}
	bad.Close()
	joined(2)
	waitConsole(t, m, `msg=left service=hub .*err=`)

	t.Run("Go", func(t *testing.T) {
		others := make(chan string, 100)
		second, err := join("open sesame", others)
		if err != nil {
			t.Fatal(err)
		}
		defer second.Close()
		joined(3)
		if answer := ask(first, object{"op": "clients"}); strings.Count(answer, name) != 2 {
			t.Errorf("with another there, the clients are %s", answer)
		}
		first.Send(object{"message": []int{1, 2}})
		expect(others, `{"from":"`+name+`","message":[1,2]}`)
		second.Send(object{"to": name, "message": "back"})
		expect(got, `{"from":"`+name+`","message":"back"}`)
		if answer := ask(second, object{"to": name, "request": object{"n": 1}}); answer != `{"from":"`+name+`","answer":{"got":{"from":"`+name+`","request":{"n":1}}}}` {
			t.Errorf("the answer is %s", answer)
		}
	})
	t.Run("Node", func(t *testing.T) {
		// The peer is tlsio/jsonmsg's: the npm package's wire.
		bin := testenv.Program(t, "node", "nodejs")
		config, err := json.Marshal(object{"host": address, "port": port, "password": "open sesame", "options": object{
			"ca": filepath.Join(host, "ca.pem"), "cert": filepath.Join(host, "client.pem"), "key": filepath.Join(host, "client-key.pem"), "servername": "localhost",
		}})
		if err != nil {
			t.Fatal(err)
		}
		peer := exec.Command(bin, "../../tlsio/jsonmsg/testdata/peer.js", "client", string(config))
		in, err := peer.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := peer.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		var complaints bytes.Buffer
		peer.Stderr = &complaints
		if err := peer.Start(); err != nil {
			t.Fatal(err)
		}
		events := make(chan string, 1000)
		read := make(chan struct{})
		go func() {
			defer close(read)
			for lines := bufio.NewScanner(out); lines.Scan(); {
				if !strings.HasPrefix(lines.Text(), `{"event":"ping"`) {
					events <- lines.Text()
				}
			}
		}()
		defer func() {
			peer.Process.Kill()
			<-read
			peer.Wait()
			if complaints.Len() > 0 {
				t.Logf("node: %s", &complaints)
			}
		}()
		do := func(command string) {
			t.Helper()
			if _, err := io.WriteString(in, command+"\n"); err != nil {
				t.Fatal(err)
			}
		}
		expect(events, `{"event":"authenticated"}`)
		joined(4)
		waitConsole(t, m, `(?s)(msg=left service=hub .*){2}`) // those from before
		do(`{"cmd":"request","n":1,"body":{"op":"clients"}}`)
		expect(events, `{"event":"response","n":1,"body":{"clients":["`+name+`","`+name+`"]}}`)
		do(`{"cmd":"send","body":{"message":{"from":"Node"}}}`)
		expect(got, `{"from":"`+name+`","message":{"from":"Node"}}`)
		first.Send(object{"to": name, "message": "to Node"})
		expect(events, `{"event":"message","body":{"from":"`+name+`","message":"to Node"}}`)
		do(`{"cmd":"request","n":2,"body":{"to":"` + name + `","request":{"n":2}}}`)
		expect(events, `{"event":"response","n":2,"body":{"from":"`+name+`","answer":{"got":{"from":"`+name+`","request":{"n":2}}}}}`)
		if answer := ask(first, object{"to": name, "request": object{"n": 3}}); answer != `{"from":"`+name+`","answer":{"echo":{"from":"`+name+`","request":{"n":3}}}}` {
			t.Errorf("Node's answer is %s", answer)
		}
	})
}

// getter is an HTTPS client.
func getter(t *testing.T, config *tls.Config) *http.Client {
	transport := &http.Transport{TLSClientConfig: config}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience}
}

func get(t *testing.T, c *http.Client, url string) (http.Header, string) {
	t.Helper()
	r, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		t.Fatalf("%s: status %d, %v", url, r.StatusCode, err)
	}
	return r.Header, string(body)
}

// webPages asks for files, and for what isn't one.
func webPages(t *testing.T, addr string, config *tls.Config, page string) {
	header, body := get(t, getter(t, config), "https://"+addr+"/")
	if body != page || header.Get("Cache-Control") != "max-age=3600" {
		t.Errorf("%q with %v", body, header)
	}
	for _, c := range []struct{ request, want string }{
		{"GET /../certs/image/identities/default/key.der HTTP/1.1\r\n", " 404 "},
		{"GET /..%2f..%2fmain.go HTTP/1.1\r\n", " 404 "},
		{"GET /index.html/ HTTP/1.1\r\n", " 404 "},
		{"POST / HTTP/1.1\r\nContent-Length: 1000000000\r\n", " 405 "},
		{"GET / HTTP/1.1\r\nContent-Length: 5\r\n", " 413 "},
		{"GET / HTTP/1.1\r\nX: " + strings.Repeat("x", 100_000) + "\r\n", " 431 "},
		{"GET / HTTP/9.9\r\n", " 505 "},
	} {
		conn := dialTLS(t, addr, config)
		conn.SetDeadline(time.Now().Add(patience))
		go io.WriteString(conn, c.request+"Host: localhost\r\nConnection: close\r\n\r\n")
		line, err := bufio.NewReader(conn).ReadString('\n')
		if !strings.Contains(line, c.want) {
			t.Errorf("%.60q is answered with %q (%v), want %s", c.request, line, err, c.want)
		}
		conn.Close()
	}
}

// statusPages looks at all that status shows, which is what has happened until here.
func statusPages(t *testing.T, m *qemu.Machine, known, unknown *tls.Config) {
	addr := m.Addr(9443)
	refused(t, addr, unknown)
	waitConsole(t, m, `msg=refused service=operators `) // and so counted
	waitConsole(t, m, `msg="address 2001:db8::15"`)     // nobody else has it
	c, url := getter(t, known), "https://"+addr
	_, page := get(t, c, url+"/")
	for _, part := range []string{"<!doctype html>", "status.js", "status.css"} {
		if !strings.Contains(page, part) {
			t.Errorf("the page has no %s", part)
		}
	}
	for _, part := range []string{"/status.js", "/status.css"} {
		get(t, c, url+part)
	}

	_, text := get(t, c, url+"/status.json")
	var s status.Status
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		t.Fatal(err)
	}
	if s.Board != boards.Default || s.Uptime <= 0 || s.Busy <= 0 || s.Memory.RAM == 0 || s.Memory.Limit == 0 ||
		s.TimeSource == "" || s.EntropySource == "" || !strings.Contains(strings.Join(s.Addresses, " "), "10.0.2.15/24") ||
		!strings.Contains(strings.Join(s.Addresses, " "), "2001:db8::15/64") {
		t.Errorf("%s", text)
	}
	kinds := map[string]string{"back": "echo", "in": "terminate", "out": "originate", "hub": "json", "web": "static", "operators": "status"}
	for _, service := range s.Services {
		if kinds[service.Name] != service.Kind {
			t.Errorf("service %s is of the kind %s", service.Name, service.Kind)
		}
		delete(kinds, service.Name)
		if service.Accepted == 0 || service.Received == 0 || service.Sent == 0 || (service.Handshakes == 0) != (service.Name == "out") {
			t.Errorf("%+v", service)
		}
		if service.Name == "operators" && service.Errors["certificate"]+service.Errors["handshake"] == 0 {
			t.Errorf("nobody was refused: %+v", service)
		}
	}
	if len(kinds) > 0 {
		t.Errorf("nothing is told of %v", kinds)
	}

	_, metrics := get(t, c, url+"/metrics")
	for name := range map[string]bool{"ingot_uptime_seconds": true, `ingot_connections_total{service="in",kind="terminate"}`: true} {
		_, rest, ok := strings.Cut(metrics, "\n"+name+" ")
		value, _, _ := strings.Cut(rest, "\n")
		if v, err := strconv.ParseFloat(value, 64); !ok || err != nil || v <= 0 {
			t.Errorf("%s is %q", name, value)
		}
	}
}
