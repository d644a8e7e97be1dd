package jsonmsg

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ingot.dev/internal/testenv"
	"ingot.dev/tlsio"
)

// These tests run against Node with testdata/peer.js, which does what the npm
// package does.

// node is a running peer.
type node struct {
	t      testing.TB
	stdin  io.WriteCloser
	events chan nodeEvent
	stop   func()
}

type nodeEvent struct {
	Event, Text string
	ID, Port, N int
	Key         json.RawMessage
	Body        json.RawMessage
}

type object map[string]any

// findNode returns Node's path, or skips the test.
func findNode(t testing.TB) string {
	t.Helper()
	testenv.NeedHost(t)
	return testenv.Program(t, "node", "nodejs")
}

// startNode starts a peer. config.options name files with PEM.
func startNode(t testing.TB, side string, config object) *node {
	t.Helper()
	bin := findNode(t)
	leaks(t)
	text, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, filepath.Join("testdata", "peer.js"), side, string(text))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	n := &node{t: t, events: make(chan nodeEvent, 10000)}
	n.stdin, _ = cmd.StdinPipe()
	out, _ := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan bool)
	go func() {
		defer close(done)
		r := bufio.NewReader(out)
		for {
			line, err := r.ReadBytes('\n')
			if err != nil {
				return
			}
			var e nodeEvent
			if err := json.Unmarshal(line, &e); err != nil {
				e.Event, e.Text = "unreadable", string(line)
			}
			n.events <- e
		}
	}()
	stopped := false
	n.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cmd.Process.Kill()
		<-done
		cmd.Wait()
		if stderr.Len() > 0 {
			t.Logf("node: %s", stderr.String())
		}
	}
	t.Cleanup(n.stop)
	return n
}

func (n *node) do(command object) {
	n.t.Helper()
	text, err := json.Marshal(command)
	if err != nil {
		n.t.Fatal(err)
	}
	if _, err := n.stdin.Write(append(text, '\n')); err != nil {
		n.t.Fatal(err)
	}
}

// next waits for the next event, which must be of the kind. Pings are passed over.
func (n *node) next(kind string) nodeEvent {
	n.t.Helper()
	for {
		select {
		case e := <-n.events:
			if e.Event == "ping" && kind != "ping" {
				continue
			}
			if e.Event != kind {
				n.t.Fatalf("node: %s %s %.200s; want %s", e.Event, e.Text, e.Body, kind)
			}
			return e
		case <-time.After(limit):
			n.t.Fatalf("node: no %s", kind)
		}
	}
}

func (n *node) quiet() {
	n.t.Helper()
	for {
		select {
		case e := <-n.events:
			if e.Event != "ping" {
				n.t.Errorf("node: unexpected %s %s %.200s", e.Event, e.Text, e.Body)
			}
		case <-time.After(soon):
			return
		}
	}
}

func writeFile(t testing.TB, name string, data []byte) string {
	t.Helper()
	name = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// merge puts o's fields into c. nil is undefined: the field is left out.
func merge(c, o object) {
	for k, v := range o {
		c[k] = v
		if v == nil {
			delete(c, k)
		}
	}
}

// nodeServer starts a server with the password, and returns its port.
func nodeServer(t testing.TB, config object) (*node, int) {
	t.Helper()
	findNode(t) // before files are needed
	w := certificates()
	key, err := w.server.KeyPEM()
	if err != nil {
		t.Fatal(err)
	}
	c := object{"password": kitty, "options": object{"cert": writeFile(t, "cert.pem", w.server.PEM()), "key": writeFile(t, "key.pem", key)}}
	merge(c, config)
	n := startNode(t, "server", c)
	return n, n.next("listening").Port
}

// nodeClient starts a client with the password.
func nodeClient(t testing.TB, port int, config object) *node {
	t.Helper()
	c := object{"password": kitty, "host": "127.0.0.1", "port": port,
		"options": object{"ca": writeFile(t, "ca.pem", certificates().ca.PEM()), "servername": "server.test"}}
	merge(c, config)
	return startNode(t, "client", c)
}

// hostServer and hostClient are for peers on the host's network.
func hostServer(t testing.TB, change func(*ServerOptions)) *testServer {
	t.Helper()
	findNode(t)
	return newTestServerOn(t, tlsio.HostNetwork{}, "127.0.0.1:0", change)
}

func hostClient(t testing.TB, port int, change func(*ClientOptions)) *testClient {
	t.Helper()
	return newTestClientOn(t, tlsio.HostNetwork{}, port, change)
}

// texts are messages in all sorts of shapes.
func texts() []string {
	list := []string{
		`{"hello":"world"}`, `{}`, `[]`, `[0]`, `"text"`, `7`, `-1.5e-7`, `true`,
		`{"unicode":"é ß 漢字 😀 \u2028 \u0000 \ud83d\ude00"}`,
		`{"error":"x","password":"y","authenticated":true}`,
		`{"nested":{"requestId":1,"a":[{"__ping":1}]}}`,
		`{"newlines":"a\nb\r\nc\td"}`,
	}
	for _, n := range []int{255, 256, 257, 1180, 16383, 16384, 16385, 32768, 40000, 300000} {
		list = append(list, `{"text":"`+strings.Repeat("x", n-len(`{"text":""}`))+`"}`)
	}
	return append(list, `{"text":"`+strings.Repeat("漢", 30000)+`"}`)
}

// same compares what JSON texts mean.
func same(t testing.TB, a, b []byte) bool {
	t.Helper()
	x, err := canonical(a)
	if err != nil {
		t.Fatalf("%.100q: %v", a, err)
	}
	y, err := canonical(b)
	if err != nil {
		t.Fatalf("%.100q: %v", b, err)
	}
	return bytes.Equal(x, y)
}

// TestNodeClient serves a client on Node.
//
//conform:tls-json wire.npm works tlsio/jsonmsg.Server, tlsio/jsonmsg.Client -- tested with a peer on Node that follows the package's documented wire, its odd habits included (testdata/peer.js), not with the package itself
//conform:tls-json wire.7 works tlsio/jsonmsg.Server.Send
func TestNodeClient(t *testing.T) {
	s := hostServer(t, func(o *ServerOptions) { o.KeepAliveInterval, o.KeepAliveTimeout = 50*time.Millisecond, limit })
	n := nodeClient(t, s.port, nil)
	n.next("authenticated")
	id := s.next("authenticated").id
	n.next("ping")

	t.Run("messages", func(t *testing.T) {
		for range 2 { // crypto/tls's records are larger the second time
			for _, text := range texts() {
				if err := s.Send(id, json.RawMessage(text)); err != nil {
					t.Fatal(err)
				}
				if got := n.next("message").Body; !same(t, got, []byte(text)) {
					t.Errorf("node got %.100s, want %.100s", got, text)
				}
				n.do(object{"cmd": "send", "body": json.RawMessage(text)})
				if got := s.next("message").body; !same(t, []byte(got), []byte(text)) {
					t.Errorf("got %.100s, want %.100s", got, text)
				}
			}
		}
		n.quiet()
		s.quiet()
	})
	t.Run("requests", func(t *testing.T) {
		for i := range 3 {
			want := fmt.Sprintf(`{"echo":{"i":%d}}`, i)
			if body, err := s.Request(timeout(t), id, object{"i": i}); err != nil || string(body) != want {
				t.Errorf("%s, %v", body, err)
			}
			n.next("request")
			n.do(object{"cmd": "request", "n": i, "body": object{"q": i}})
			r := s.next("request")
			if r.body != fmt.Sprintf(`{"q":%d}`, i) {
				t.Errorf("request %s", r.body)
			}
			r.r.Send(object{"a": r.body})
			if e := n.next("response"); e.N != i || !strings.Contains(string(e.Body), `"a":"{`) || strings.Contains(string(e.Body), "responseId") {
				t.Errorf("response %s", e.Body)
			}
		}
		wait(t, "second answers", func() bool { return s.Stats().Ignored == 3 })
	})
	t.Run("lost", func(t *testing.T) {
		n.do(object{"cmd": "request", "n": 9, "body": object{"q": 9}})
		s.next("request")
		done := make(chan error, 1)
		go func() {
			_, err := s.Request(timeout(t), id, object{"silence": true})
			done <- err
		}()
		n.next("request")
		n.do(object{"cmd": "disconnect"})
		if err := <-done; err != ErrConnectionLost {
			t.Errorf("%v", err)
		}
		n.next("close")
		if e := n.next("failed"); e.N != 9 || e.Text != "connection lost" {
			t.Errorf("%+v", e)
		}
		s.find("close")
	})
}

// TestNodeDoubles shows that the peer has the habit that pieces is there for: a
// line in a single Write is delivered twice.
func TestNodeDoubles(t *testing.T) {
	s := hostServer(t, nil)
	n := nodeClient(t, s.port, nil)
	n.next("authenticated")
	id := s.next("authenticated").id
	// Beyond 128 KB crypto/tls fills its records.
	if err := s.Send(id, strings.Repeat("x", 500000)); err != nil {
		t.Fatal(err)
	}
	n.next("message")
	if err := s.Flush(timeout(t), id); err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	conn := s.clients[id].conn
	s.mu.Unlock()
	text := `{"text":"` + strings.Repeat("x", 16384-len(`{"text":""}`)) + `"}`
	if _, err := conn.Write([]byte(text + "\n")); err != nil {
		t.Fatal(err)
	}
	n.next("message")
	n.next("message")
	if err := s.Send(id, json.RawMessage(text)); err != nil {
		t.Fatal(err)
	}
	n.next("message")
	n.quiet()
}

// TestNodeServer is a client of a server on Node.
func TestNodeServer(t *testing.T) {
	n, port := nodeServer(t, object{"keepAliveInterval": 30, "keepAliveTimeout": 20000})
	c := hostClient(t, port, nil)
	c.next("authenticated")
	n.next("authenticated")
	t.Run("messages", func(t *testing.T) {
		for range 2 {
			for _, text := range texts() {
				if err := c.Send(json.RawMessage(text)); err != nil {
					t.Fatal(err)
				}
				if got := n.next("message").Body; !same(t, got, []byte(text)) {
					t.Errorf("node got %.100s, want %.100s", got, text)
				}
				n.do(object{"cmd": "send", "id": 0, "body": json.RawMessage(text)})
				if got := c.next("message").body; !same(t, []byte(got), []byte(text)) {
					t.Errorf("got %.100s, want %.100s", got, text)
				}
			}
		}
		n.quiet()
		c.quiet()
	})
	t.Run("requests", func(t *testing.T) {
		for i := range 3 {
			if body, err := c.Request(timeout(t), object{"i": i}); err != nil || string(body) != fmt.Sprintf(`{"echo":{"i":%d}}`, i) {
				t.Errorf("%s, %v", body, err)
			}
			n.next("request")
			n.do(object{"cmd": "request", "id": 0, "n": i, "body": object{"q": i}})
			r := c.next("request")
			r.r.Send(object{"a": i})
			if e := n.next("response"); e.N != i || string(e.Body) != fmt.Sprintf(`{"a":%d}`, i) {
				t.Errorf("response %s", e.Body)
			}
		}
	})
	if st := c.Stats(); st.Dropped != 0 || st.Unparsable != 0 || st.Ignored != 3 {
		t.Errorf("stats %+v", st)
	}
	c.Disconnect()
	n.next("close")
	t.Run("odd lines", func(t *testing.T) {
		n, port := nodeServer(t, nil)
		c := hostClient(t, port, nil)
		c.next("authenticated")
		n.next("authenticated")
		n.do(object{"cmd": "raw", "id": 0, "text": "\n\r\n{\"cr\":1}\r\n0\nnull\nfalse\n\"\"\nnot JSON\n12"})
		if got := c.next("message").body; got != `{"cr":1}` {
			t.Errorf("got %s", got)
		}
		if got := c.next("error").err; got != ErrUnparsable {
			t.Errorf("error %v", got)
		}
		c.quiet() // 12 isn't complete
		n.do(object{"cmd": "raw", "id": 0, "text": "3\n"})
		if got := c.next("message").body; got != "123" {
			t.Errorf("got %s", got)
		}
		if st := c.Stats(); st.Dropped != 4 || st.Unparsable != 1 {
			t.Errorf("stats %+v", st)
		}
	})
}

// TestNodePasswords shows right and wrong passwords of all kinds to both servers.
func TestNodePasswords(t *testing.T) {
	for _, tt := range []struct {
		name         string
		server, sent any
		right        bool
	}{
		{"right", "kitty", "kitty", true},
		{"wrong", "kitty", "Kitty", false},
		{"number", 12, 12, true},
		{"number for text", "12", 12, false},
		{"unicode", "ключ 😀", "ключ 😀", true},
		{"true", true, true, true},
		{"none asked, none sent", nil, nil, true},
		{"none asked, one sent", nil, "kitty", false},
		{"none sent", "kitty", nil, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := hostServer(t, func(o *ServerOptions) { o.Password, o.NoPassword = tt.server, tt.server == nil })
			nc := nodeClient(t, s.port, object{"password": tt.sent})
			if tt.right {
				nc.next("authenticated")
				s.next("authenticated")
			} else {
				if e := nc.next("message"); string(e.Body) != `{"error":"incorrect password"}` {
					t.Errorf("node got %s", e.Body)
				}
				nc.next("close")
				if n := s.next("error"); n.err != ErrIncorrectPassword {
					t.Errorf("server: %v", n.err)
				}
				s.next("close")
			}
			nc.stop()

			ns, port := nodeServer(t, object{"password": tt.server})
			c := hostClient(t, port, func(o *ClientOptions) { o.Password = tt.sent })
			if tt.right {
				c.next("authenticated")
				ns.next("authenticated")
				return
			}
			if n := c.next("message"); n.body != `{"error":"incorrect password"}` {
				t.Errorf("got %s", n.body)
			}
			if n := c.next("error"); n.err != ErrIncorrectPassword {
				t.Errorf("error %v", n.err)
			}
			c.next("close")
			ns.next("close")
		})
	}
}

func TestNodeRequestTimeouts(t *testing.T) {
	s := hostServer(t, func(o *ServerOptions) { o.RequestTimeout = 50 * time.Millisecond })
	n := nodeClient(t, s.port, object{"requestTimeout": 50})
	n.next("authenticated")
	id := s.next("authenticated").id
	if _, err := s.Request(timeout(t), id, object{"silence": true}); err != ErrRequestTimeout {
		t.Errorf("%v", err)
	}
	n.next("request")
	n.do(object{"cmd": "request", "n": 1, "body": object{}})
	r := s.next("request").r
	if e := n.next("failed"); e.Text != "request timeout" {
		t.Errorf("node: %s", e.Text)
	}
	if err := r.Send(object{"late": 1}); err != nil { // ignored there
		t.Error(err)
	}
	s.Send(id, "on")
	n.next("message")
}

// TestNodeKeepAlive pings Node's client, one that answers and one that doesn't, and
// is pinged by its server, with key 0 too.
func TestNodeKeepAlive(t *testing.T) {
	s := hostServer(t, func(o *ServerOptions) { o.KeepAliveInterval, o.KeepAliveTimeout = 10*time.Millisecond, limit })
	good := nodeClient(t, s.port, nil)
	good.next("authenticated")
	s.next("authenticated")
	for range 2 * maxPings { // more wouldn't come without answers
		good.next("ping")
	}
	s.quiet()
	s = hostServer(t, func(o *ServerOptions) {
		o.KeepAliveInterval, o.KeepAliveTimeout = 40*time.Millisecond, 400*time.Millisecond
	})
	deaf := nodeClient(t, s.port, object{"deaf": true})
	deaf.next("authenticated")
	id := s.next("authenticated").id
	if n := s.next("timeout"); n.id != id {
		t.Errorf("timeout of %d", n.id)
	}
	if n := s.next("close"); n.id != id {
		t.Errorf("close of %d", n.id)
	}

	ns, port := nodeServer(t, object{"keepAliveInterval": 20, "keepAliveTimeout": limit.Milliseconds(), "tellPongs": true})
	c := hostClient(t, port, nil)
	c.next("authenticated")
	ns.next("authenticated")
	for range 20 {
		ns.next("pong")
	}
	c.quiet()

	// Key 0 is answered. The original's server doesn't see that either.
	ns, port = nodeServer(t, object{"keepAliveInterval": 50, "keepAliveTimeout": 300, "pingKey": 0})
	c = hostClient(t, port, func(o *ClientOptions) { o.ReconnectInterval = time.Millisecond })
	c.next("authenticated")
	ns.next("authenticated")
	if e := ns.next("message"); string(e.Body) != `{"__pong":0}` {
		t.Errorf("node got %s", e.Body)
	}
	c.find("close") // its timer wasn't stopped
	c.find("authenticated")
	c.Disconnect()
}

// TestNodeReconnect takes servers away from clients, in both directions.
func TestNodeReconnect(t *testing.T) {
	ns, port := nodeServer(t, nil)
	c := hostClient(t, port, func(o *ClientOptions) { o.ReconnectInterval = 20 * time.Millisecond })
	c.next("authenticated")
	for range 2 {
		ns.stop()
		c.find("close")
		c.find("reconnect")
		ns, _ = nodeServer(t, object{"port": port})
		ns.next("authenticated")
		c.find("authenticated")
		if body, err := c.Request(timeout(t), object{"back": 1}); err != nil || string(body) != `{"echo":{"back":1}}` {
			t.Errorf("%s, %v", body, err)
		}
	}
	c.Disconnect()

	s := hostServer(t, nil)
	n := nodeClient(t, s.port, object{"reconnectInterval": 20})
	n.next("authenticated")
	for range 3 {
		s.Disconnect(s.find("authenticated").id)
		n.next("close")
		n.next("reconnectAttempt")
		n.next("authenticated")
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	n.next("close")
	n.next("reconnectAttempt")
	n.next("reconnectAttempt")
	var again *testServer
	for range 5 { // the port may still be waiting for its last connections
		o := ServerOptions{TLS: serverTLS(), Password: kitty}
		srv, err := NewServer(o)
		if err != nil {
			t.Fatal(err)
		}
		ln, err := srv.Listen(ctx, tlsio.HostNetwork{}, s.addr)
		if err != nil {
			time.Sleep(100 * time.Millisecond)
			continue
		}
		again = &testServer{Server: srv}
		go srv.Serve(ln)
		break
	}
	if again == nil {
		t.Fatal("can't listen again on " + s.addr)
	}
	for {
		e := <-n.events
		if e.Event == "authenticated" {
			break
		}
		if e.Event != "reconnectAttempt" {
			t.Fatalf("node: %s", e.Event)
		}
	}
	if err := again.Shutdown(ctx); err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestNodeOthersAnswers: answers of Node's clients, which count for any of them
// there, count for their own here.
func TestNodeOthersAnswers(t *testing.T) {
	s := hostServer(t, nil)
	a := nodeClient(t, s.port, nil)
	a.next("authenticated")
	s.next("authenticated")
	b := nodeClient(t, s.port, nil)
	b.next("authenticated")
	s.next("authenticated")
	done := make(chan error, 1)
	ctx, cancel := context.WithCancel(timeout(t))
	go func() {
		_, err := s.Request(ctx, 0, object{"silence": true})
		done <- err
	}()
	a.next("request")
	b.do(object{"cmd": "send", "body": object{"responseId": 1, "forged": true}})
	wait(t, "ignored answer", func() bool { return s.Stats().Ignored == 1 })
	select {
	case err := <-done:
		t.Errorf("answered by another client: %v", err)
	default:
	}
	cancel()
	<-done
}
