package jsonmsg

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ingot.dev/tlsio"
)

// TestAuthentication shows all kinds of first lines to servers.
//
//conform:tls-json wire.2 works tlsio/jsonmsg.ServerOptions.Password, tlsio/jsonmsg.ServerOptions.NoPassword
func TestAuthentication(t *testing.T) {
	const right, wrong = `{"authenticated":true}`, `{"error":"incorrect password"}`
	for _, tt := range []struct {
		name     string
		password any
		lines    string
		want     string
	}{
		{"right", kitty, `{"password":"` + kitty + `"}`, right},
		{"right, more fields", kitty, `{"x":1,"password":"` + kitty + `"}`, right},
		{"right, CR LF", kitty, `{"password":"` + kitty + `"}` + "\r", right},
		{"right, after no messages", kitty, "\n \r\n0\nnull\nfalse\n\"\"\nnot JSON\n" + `{"password":"` + kitty + `"}`, right},
		{"wrong", kitty, `{"password":"x"}`, wrong},
		{"none", kitty, `{}`, wrong},
		{"null", kitty, `{"password":null}`, wrong},
		{"an array", kitty, `["` + kitty + `"]`, wrong},
		{"a string", kitty, `"` + kitty + `"`, wrong},
		{"only the first counts", kitty, `{"hello":1}` + "\n" + `{"password":"` + kitty + `"}`, wrong},
		{"a request first", kitty, `{"requestId":1,"password":"x"}`, wrong},
		{"a number", 12, `{"password":12.0}`, right},
		{"a wrong number", 12, `{"password":"12"}`, wrong},
		{"an object", map[string]any{"user": "u", "key": []int{1}}, `{"password":{"key":[1],"user":"u"}}`, right},
		{"no password, none sent", nil, `{}`, right},
		{"no password, an array", nil, `[0]`, right},
		{"no password, one sent", nil, `{"password":"x"}`, wrong},
		{"no password, null sent", nil, `{"password":null}`, wrong},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newTestServer(t, func(o *ServerOptions) { o.Password, o.NoPassword = tt.password, tt.password == nil })
			p := dialPeer(t, s.port)
			p.write(tt.lines + "\n")
			p.want(tt.want)
			if tt.want == right {
				for {
					n := s.next("authenticated", "error")
					if n.kind == "authenticated" {
						break
					}
					if n.err != ErrUnparsable {
						t.Errorf("error %v", n.err)
					}
				}
				p.write(`{"a":1}` + "\n")
				s.next("message")
				return
			}
			if rest := p.ended(); rest != "" {
				t.Errorf("then came %q", rest)
			}
			if n := s.next("error"); n.err != ErrIncorrectPassword {
				t.Errorf("error %v", n.err)
			}
			s.next("close")
			s.quiet()
		})
	}
}

// TestIncorrectPassword is how a refused client learns of it.
//
//conform:tls-json Client.event.message works tlsio/jsonmsg.ClientOptions.OnMessage
//conform:tls-json Client.event.error works tlsio/jsonmsg.ClientOptions.OnError
//conform:tls-json Client.event.close works tlsio/jsonmsg.ClientOptions.OnClose
func TestIncorrectPassword(t *testing.T) {
	s := newTestServer(t, nil)
	c := newTestClient(t, s.port, func(o *ClientOptions) { o.Password = "mouse" })
	if n := c.next("message"); n.body != `{"error":"incorrect password"}` {
		t.Errorf("message %s", n.body)
	}
	if n := c.next("error"); n.err != ErrIncorrectPassword {
		t.Errorf("error %v", n.err)
	}
	if n := c.next("close"); n.err != ErrIncorrectPassword {
		t.Errorf("close %v", n.err)
	}
	if err := c.Ready(timeout(t)); err != ErrIncorrectPassword {
		t.Errorf("Ready: %v", err)
	}
	c.quiet()
	for name, change := range map[string]func(*ClientOptions){
		"nil":    func(o *ClientOptions) { o.Password = nil },
		"number": func(o *ClientOptions) { o.Password = 7 },
	} {
		o := ClientOptions{TLS: clientTLS(), Host: "server.test", Address: "127.0.0.1", Port: s.port}
		change(&o)
		if c, err := Dial(timeout(t), testNetwork(t), o); err != ErrIncorrectPassword || c != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	o := ClientOptions{TLS: clientTLS(), Host: "server.test", Address: "127.0.0.1", Port: s.port, Password: kitty}
	cl, err := Dial(timeout(t), testNetwork(t), o)
	if err != nil {
		t.Fatal(err)
	}
	cl.Disconnect()
	if err := cl.Ready(timeout(t)); err != ErrDisconnected {
		t.Errorf("Ready after Disconnect: %v", err)
	}
}

// TestAuthTimeout: nobody may stay without password, on either side.
//
//conform:tls-json weakness.authDeadline works tlsio/jsonmsg.Limits.AuthTimeout
func TestAuthTimeout(t *testing.T) {
	virtually(t, func(t *testing.T, network tlsio.Network) {
		const d = 30 * time.Second
		s := newTestServerOn(t, network, "127.0.0.1:0", func(o *ServerOptions) { o.AuthTimeout, o.KeepAliveInterval = d, Off })
		start := time.Now()
		silent, trickling := dialPeerOn(t, network, s.port), dialPeerOn(t, network, s.port)
		go func() {
			for {
				if _, err := io.WriteString(trickling.conn, " "); err != nil {
					return
				}
				time.Sleep(d / 10)
			}
		}()
		// Who has authenticated may be silent.
		p := loginPeerOn(t, network, s.port)
		s.next("authenticated")
		silent.ended()
		trickling.ended()
		if took := time.Since(start); took != d {
			t.Errorf("ended after %v", took)
		}
		for range 2 {
			if n := s.next("error"); n.err != ErrAuthTimeout {
				t.Errorf("error %v", n.err)
			}
			s.next("close")
		}
		time.Sleep(d)
		p.write("1\n")
		s.next("message")

		ps := newPeerServerOn(t, network)
		start = time.Now()
		c := newTestClientOn(t, network, ps.port, func(o *ClientOptions) { o.AuthTimeout = d })
		sp := ps.accept()
		sp.line()
		sp.ended()
		if took := time.Since(start); took != d {
			t.Errorf("the client waited for %v", took)
		}
		if n := c.next("error"); n.err != ErrAuthTimeout {
			t.Errorf("client: %v", n.err)
		}
		c.next("close")
	})
}

// TestClose stops accepting; who is there, stays.
//
//conform:tls-json Server.close works tlsio/jsonmsg.Server.Close, tlsio/jsonmsg.Server.Shutdown
//conform:tls-json Server.event.close works tlsio/jsonmsg.ServerOptions.OnClose
func TestClose(t *testing.T) {
	s, c, id := pair(t, nil, nil)
	unauthenticated := dialPeer(t, s.port)
	wait(t, "second client", func() bool { return s.Stats().Clients == 2 })
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	o := clientTLS()
	o.Host = "server.test"
	if c, err := tlsio.Dial(timeout(t), testNetwork(t), s.addr, o); err == nil {
		c.Close()
		t.Error("still accepting")
	}
	if _, err := s.Listen(timeout(t), testNetwork(t), "127.0.0.1:0"); err != ErrServerClosed {
		t.Errorf("Listen: %v", err)
	}
	if err := s.Send(id, "still there"); err != nil {
		t.Error(err)
	}
	c.next("message")
	unauthenticated.write("{}\n")
	unauthenticated.ended()
	s.next("error")
	if n := s.next("close"); n.id != id+1 {
		t.Errorf("closed %d", n.id)
	}
	if err := s.Disconnect(id); err != nil {
		t.Error(err)
	}
	if n := s.next("close"); n.id != id || n.err != ErrDisconnected {
		t.Errorf("closed %d: %v", n.id, n.err)
	}
	if n := c.next("close"); n.err != nil {
		t.Errorf("client: %v", n.err)
	}
	s.quiet()
}

//conform:tls-json Server.ids works tlsio/jsonmsg.Server.Clients
func TestIDsAreNeverUsedTwice(t *testing.T) {
	s := newTestServer(t, nil)
	for want := range uint64(5) {
		p := loginPeer(t, s.port)
		if n := s.next("authenticated"); n.id != want {
			t.Errorf("id %d, want %d", n.id, want)
		}
		if ids := s.Clients(); len(ids) != 1 || ids[0] != want {
			t.Errorf("clients %v, want %d", ids, want)
		}
		p.conn.Close()
		if n := s.next("close"); n.id != want || n.err != nil {
			t.Errorf("close %d, %v", n.id, n.err)
		}
	}
}

// TestServeRefusesWhatIsNotTLS: everything runs inside TLS.
func TestServeRefusesWhatIsNotTLS(t *testing.T) {
	s, err := NewServer(ServerOptions{TLS: serverTLS(), Password: 1})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := testNetwork(t).Listen(timeout(t), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(ln) }()
	c, err := testNetwork(t).DialContext(timeout(t), "tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := <-done; err != ErrNotSecured {
		t.Errorf("Serve: %v", err)
	}
}

// TestConnectionLost fails what waits for an answer, on both sides, at once.
//
//conform:tls-json error.connectionLost works tlsio/jsonmsg.ErrConnectionLost
//conform:tls-json weakness.pending works tlsio/jsonmsg.Server.Request, tlsio/jsonmsg.Client.Request
func TestConnectionLost(t *testing.T) {
	const n = 20
	no := func(o *ServerOptions) { o.RequestTimeout = Off }
	s, c, id := pair(t, no, func(o *ClientOptions) { o.RequestTimeout = Off })
	results := make(chan error, 2*n)
	for range n {
		go func() {
			_, err := s.Request(context.Background(), id, struct{}{})
			results <- err
		}()
		go func() {
			_, err := c.Request(context.Background(), struct{}{})
			results <- err
		}()
	}
	var r *Responder
	for range n {
		r = s.next("request").r
		c.next("request")
	}
	select {
	case <-r.Done():
		t.Error("Done before the end")
	default:
	}
	s.mu.Lock()
	ss := s.clients[id]
	s.mu.Unlock()
	destroy(ss.conn) // as if the network were gone
	for range 2 * n {
		if err := <-results; err != ErrConnectionLost {
			t.Errorf("got %v", err)
		}
	}
	<-r.Done()
	if ss.keep == nil || ss.keep.Stop() {
		t.Error("the keep-alive timer still runs")
	}
	if err := r.Send(struct{}{}); err != ErrConnectionLost {
		t.Errorf("answer: %v", err)
	}
	if err := r.Send(struct{}{}); err != ErrConnectionLost {
		t.Errorf("answer again: %v", err)
	}
	c.find("close")
	s.find("close")
}

// TestTransportErrors reach OnError as they are.
//
//conform:tls-json error.socket works tlsio/jsonmsg.ClientOptions.OnError
//conform:tls-json Server.event.error works tlsio/jsonmsg.ServerOptions.OnError
func TestTransportErrors(t *testing.T) {
	ln, err := testNetwork(t).Listen(timeout(t), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := net.SplitHostPort(ln.Addr().String())
	port := 0
	fmt.Sscan(text, &port)
	ln.Close()
	c := newTestClient(t, port, nil)
	e, ok := errors.AsType[*tlsio.Error](c.next("error").err)
	if !ok || e.Stage != tlsio.StageConnect {
		t.Errorf("nobody there: %v", e)
	}
	c.next("close")
	if err := c.Ready(timeout(t)); !errors.As(err, &e) || e.Stage != tlsio.StageConnect {
		t.Errorf("Ready: %v", err)
	}

	s := newTestServer(t, nil)
	c = newTestClient(t, s.port, func(o *ClientOptions) { o.Host = "wrong.test" })
	if e, ok := errors.AsType[*tlsio.Error](c.next("error").err); !ok || e.Stage != tlsio.StageVerify {
		t.Errorf("wrong name: %v", e)
	}
	c.next("close")
	if n := s.next("refused"); n.err == nil {
		t.Error("a failed handshake without error")
	}

	p := loginPeer(t, s.port)
	s.next("authenticated")
	tc := p.conn.(*tlsio.Conn).NetConn().(interface{ Write([]byte) (int, error) })
	tc.Write([]byte("this is no TLS record, and long enough for its header"))
	if e, ok := errors.AsType[*tlsio.Error](s.next("error").err); !ok || e.Stage != tlsio.StageRead {
		t.Errorf("garbage: %v", e)
	}
	s.next("close")
}

// TestTruncated is an end without goodbye, which isn't an error, but OnClose says
// so.
func TestTruncated(t *testing.T) {
	s := newTestServer(t, nil)
	for _, last := range []string{"", `{"a":`} {
		p := loginPeer(t, s.port)
		s.next("authenticated")
		p.write("1\n" + last)
		s.next("message")
		if last == "" {
			p.conn.(*tlsio.Conn).NetConn().Close()
		} else {
			p.conn.Close()
		}
		if n := s.next("close"); n.err != io.ErrUnexpectedEOF {
			t.Errorf("%q: close %v", last, n.err)
		}
	}
	if st := s.Stats(); st.Unparsable != 1 {
		t.Errorf("%d unparsable", st.Unparsable)
	}
}

// TestKeepAlive pings, and ends whom nothing is heard of.
//
//conform:tls-json keepAlive works tlsio/jsonmsg.ServerOptions.KeepAliveInterval
//conform:tls-json wire.6 works tlsio/jsonmsg.ServerOptions.KeepAliveInterval, tlsio/jsonmsg.ServerOptions.KeepAliveTimeout
//conform:tls-json Server.keepAliveInterval works tlsio/jsonmsg.ServerOptions.KeepAliveInterval
//conform:tls-json Server.keepAliveTimeout works tlsio/jsonmsg.ServerOptions.KeepAliveTimeout
//conform:tls-json Server.event.timeout works tlsio/jsonmsg.ServerOptions.OnTimeout
func TestKeepAlive(t *testing.T) {
	virtually(t, func(t *testing.T, network tlsio.Network) {
		const interval, timeout = time.Second, 30 * time.Second
		s := newTestServerOn(t, network, "127.0.0.1:0", func(o *ServerOptions) { o.KeepAliveInterval, o.KeepAliveTimeout = interval, timeout })
		c := newTestClientOn(t, network, s.port, nil)
		c.next("authenticated")
		s.next("authenticated")
		sent, answered := s.Stats().Sent, c.Stats().Sent
		time.Sleep(50*interval + interval/2)
		if pings, pongs := s.Stats().Sent-sent, c.Stats().Sent-answered; pings != 50 || pongs != 50 {
			t.Errorf("%d pings and %d pongs", pings, pongs)
		}
		c.Disconnect()
		s.next("close")

		p := loginPeerOn(t, network, s.port)
		id := s.next("authenticated").id
		start := time.Now()
		seen := map[uint64]bool{}
		for i := range 20 {
			var m map[string]uint64
			if err := json.Unmarshal([]byte(p.line()), &m); err != nil {
				t.Fatal(err)
			}
			key := m["__ping"]
			if key < 1 || key > 65534 || len(m) != 1 || seen[key] {
				t.Fatalf("ping %v, seen %v", m, seen)
			}
			if at := time.Since(start); at != time.Duration(i+1)*interval {
				t.Errorf("a ping after %v", at)
			}
			seen[key] = true
			p.write(`{"__pong":65535}` + "\n") // another key
		}
		// The first ping is still without answer: that counts, not the later ones.
		p.ended()
		if at := time.Since(start); at != interval+timeout {
			t.Errorf("ended after %v", at)
		}
		if n := s.next("timeout"); n.id != id {
			t.Errorf("timeout of %d", n.id)
		}
		if n := s.next("close"); n.id != id || n.err != ErrKeepAliveTimeout {
			t.Errorf("close %d, %v", n.id, n.err)
		}
		s.quiet()
	})
}

// TestPingKeys are 1 to 65534 and never those under way.
func TestPingKeys(t *testing.T) {
	s := &session{}
	lowest, highest := uint16(1000), uint16(1000)
	for range 2_000_000 { // one of 65534 is missed with a probability of e^-30
		key := s.pingKey()
		lowest, highest = min(lowest, key), max(highest, key)
	}
	if lowest != 1 || highest != 65534 {
		t.Errorf("keys from %d to %d", lowest, highest)
	}
	for key := uint16(1); key <= 65534; key++ {
		if key%8192 != 5 {
			s.pings = append(s.pings, sentPing{key: key})
		}
	}
	for range 3 {
		if key := s.pingKey(); key%8192 != 5 {
			t.Errorf("key %d is under way", key)
		}
	}
}

// TestPing answers every key.
//
//conform:tls-json wire.6 works tlsio/jsonmsg.Client
func TestPing(t *testing.T) {
	ps := newPeerServer(t)
	c := newTestClient(t, ps.port, nil)
	p := ps.login()
	c.next("authenticated")
	for _, key := range []string{"1", "65534", "0", `"text"`, "[1,2]", "1.50"} {
		p.write(`{"__ping":` + key + "}\n")
		p.want(`{"__pong":` + key + "}")
	}
	p.write(`{"__ping":false}` + "\n")
	c.next("message")
	c.quiet()
}

// TestKeepAliveWhileHandlersWork: a server that is slow itself mustn't blame its
// client.
func TestKeepAliveWhileHandlersWork(t *testing.T) {
	virtually(t, func(t *testing.T, network tlsio.Network) {
		const timeout = 3 * time.Second
		release := make(chan bool)
		var handled atomic.Int32
		s := newTestServerOn(t, network, "127.0.0.1:0", func(o *ServerOptions) {
			o.KeepAliveInterval, o.KeepAliveTimeout = 20*time.Millisecond, timeout
			o.MaxQueue = 1 // one message at a time
			o.OnMessage = func(*Server, uint64, json.RawMessage) {
				<-release
				handled.Add(1)
			}
		})
		c := newTestClientOn(t, network, s.port, nil)
		c.next("authenticated")
		for i := range 10 {
			c.Send(i + 1)
		}
		time.Sleep(10 * timeout)
		if s.Stats().Authenticated != 1 {
			t.Fatal("the client was disconnected")
		}
		close(release)
		synctest.Wait()
		if n := handled.Load(); n != 10 {
			t.Errorf("%d messages were handled", n)
		}
		time.Sleep(10 * timeout)
		if s.Stats().Authenticated != 1 {
			t.Error("the client was disconnected afterwards")
		}
	})
}

// TestIdleTimeout is the client's own watch over its server.
func TestIdleTimeout(t *testing.T) {
	virtually(t, func(t *testing.T, network tlsio.Network) {
		const d = 30 * time.Second
		idle := func(o *ClientOptions) { o.IdleTimeout = d }
		s := newTestServerOn(t, network, "127.0.0.1:0", func(o *ServerOptions) { o.KeepAliveInterval = d - 1 })
		alive := newTestClientOn(t, network, s.port, idle)
		alive.next("authenticated")
		ps := newPeerServerOn(t, network)
		start := time.Now()
		c := newTestClientOn(t, network, ps.port, idle)
		ps.login().ended()
		if took := time.Since(start); took != d {
			t.Errorf("ended after %v", took)
		}
		c.next("authenticated")
		if n := c.next("error"); n.err != ErrSilent {
			t.Errorf("error %v", n.err)
		}
		c.next("close")
		time.Sleep(10 * d)
		alive.quiet()
	})
}

// TestReconnect loses its server again and again.
//
//conform:tls-json Client.reconnectInterval works tlsio/jsonmsg.ClientOptions.ReconnectInterval, tlsio/jsonmsg.ClientOptions.MaxReconnectInterval
//conform:tls-json Client.event.reconnectAttempt works tlsio/jsonmsg.ClientOptions.OnReconnectAttempt
//conform:tls-json Client.disconnect works tlsio/jsonmsg.Client.Disconnect
//conform:tls-json reconnect.quiet works tlsio/jsonmsg.ClientOptions.OnClose, tlsio/jsonmsg.ClientOptions.OnError
//conform:tls-json reconnect.lost works tlsio/jsonmsg.Client.Send
//conform:tls-json reconnect.twice works tlsio/jsonmsg.ClientOptions.ReconnectInterval
func TestReconnect(t *testing.T) {
	n := &flakyNetwork{Network: testNetwork(t)}
	ps := newPeerServer(t)
	c := newTestClientOn(t, n, ps.port, func(o *ClientOptions) { o.ReconnectInterval = 20 * time.Millisecond })
	p := ps.login()
	c.next("authenticated")

	// Messages of a lost connection are not sent again.
	c.Send(map[string]int{"sent": 1})
	p.want(`{"sent":1}`)
	n.down.Store(true)
	before := n.dials.Load()
	p.conn.Close()
	if x := c.next("close"); x.err != nil {
		t.Errorf("close %v", x.err)
	}
	if err := c.Send(map[string]int{"lost": 1}); err != ErrNotConnected {
		t.Errorf("Send: %v", err)
	}

	// While nobody answers, there are attempts and nothing else.
	for i := 1; i <= 5; i++ {
		if x := c.next("reconnect"); x.n != i {
			t.Errorf("attempt %d is number %d", i, x.n)
		}
	}
	if n.dials.Load() < before+4 {
		t.Errorf("%d attempts", n.dials.Load()-before)
	}
	short, cancel := context.WithTimeout(timeout(t), soon)
	defer cancel()
	if err := c.Ready(short); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "flaky") {
		t.Errorf("Ready: %v", err)
	}
	n.down.Store(false)
	p = ps.login()
	c.find("authenticated")
	if err := c.Ready(timeout(t)); err != nil {
		t.Errorf("Ready: %v", err)
	}
	c.Send("again")
	p.want(`"again"`)

	// Losses in quick succession, before and after authentication, within one
	// interval.
	for i := range 6 {
		p.conn.Close()
		c.next("close")
		if x := c.next("reconnect"); i%2 == 0 && x.n != 1 {
			t.Errorf("%d: attempt %d", i, x.n)
		}
		if i%2 == 0 {
			p = ps.login()
			c.next("authenticated")
		} else {
			p = ps.accept()
			p.line()
			p.conn.Close()
			c.next("close")
			if x := c.next("reconnect"); x.n != 2 {
				t.Errorf("%d: attempt %d", i, x.n)
			}
			p = ps.login()
			c.next("authenticated")
		}
	}

	// Disconnect ends it, also from the outside of a handler, also twice.
	c.Disconnect()
	if err := io.Closer(c.Client).Close(); err != nil { // the same under Go's name
		t.Error(err)
	}
	if x := c.next("close"); x.err != ErrDisconnected {
		t.Errorf("close %v", x.err)
	}
	<-c.Done()
	c.quiet()
}

// flakyNetwork can be taken down.
type flakyNetwork struct {
	tlsio.Network
	down  atomic.Bool
	dials atomic.Int32
}

var errFlaky = errors.New("the flaky network is down")

func (n *flakyNetwork) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	n.dials.Add(1)
	if n.down.Load() {
		return nil, errFlaky
	}
	return n.Network.DialContext(ctx, network, address)
}

// TestFirstAttempt reports the first attempt's failure, and none of the later ones,
// until the server is there.
func TestFirstAttempt(t *testing.T) {
	n := &flakyNetwork{Network: testNetwork(t)}
	n.down.Store(true)
	s := newTestServer(t, nil)
	c := newTestClientOn(t, n, s.port, func(o *ClientOptions) {
		o.ReconnectInterval, o.MaxReconnectInterval, o.ReconnectJitter = 5*time.Millisecond, 40*time.Millisecond, 0.5
	})
	if x := c.next("error"); !errors.Is(x.err, errFlaky) {
		t.Errorf("error %v", x.err)
	}
	if x := c.next("close"); !errors.Is(x.err, errFlaky) {
		t.Errorf("close %v", x.err)
	}
	for range 6 {
		c.next("reconnect")
	}
	n.down.Store(false)
	c.find("authenticated")
	s.next("authenticated")
}

// TestReconnectReports: what isn't a refused connection is reported in attempts,
// too.
func TestReconnectReports(t *testing.T) {
	s := newTestServer(t, func(o *ServerOptions) { o.MaxAttempts = Unlimited })
	c := newTestClient(t, s.port, func(o *ClientOptions) { o.Password, o.ReconnectInterval = "wrong", time.Millisecond })
	for i := range 4 {
		c.next("message")
		if x := c.next("error"); x.err != ErrIncorrectPassword {
			t.Errorf("%d: %v", i, x.err)
		}
		c.next("close")
		if x := c.next("reconnect"); x.n != i+1 {
			t.Errorf("%d: attempt %d", i, x.n)
		}
	}
	c.Disconnect()
}

// TestDisconnectAnytime ends clients in every state, in handlers too.
func TestDisconnectAnytime(t *testing.T) {
	hang := &hangingNetwork{Network: testNetwork(t), dialing: make(chan bool, 1)}
	c := newTestClientOn(t, hang, 1, nil)
	<-hang.dialing
	c.Disconnect()
	if x := c.next("close"); x.err != ErrDisconnected {
		t.Errorf("while connecting: %v", x.err)
	}
	c.quiet()

	ps := newPeerServer(t)
	c = newTestClient(t, ps.port, func(o *ClientOptions) { o.ReconnectInterval = time.Hour })
	p := ps.accept()
	p.line()
	c.Disconnect()
	if x := c.next("close"); x.err != ErrDisconnected {
		t.Errorf("before authentication: %v", x.err)
	}

	c = newTestClient(t, ps.port, func(o *ClientOptions) { o.ReconnectInterval = time.Hour })
	ps.login().conn.Close()
	c.next("authenticated")
	c.next("close")
	c.Disconnect() // while it waits for the next attempt
	c.quiet()

	c = newTestClient(t, ps.port, func(o *ClientOptions) {
		o.ReconnectInterval = time.Millisecond
		o.OnMessage = func(c *Client, _ json.RawMessage) { c.Disconnect() }
	})
	p = ps.login()
	p.write("1\n")
	p.ended()
	<-c.Done()
	c.next("authenticated")
	c.next("close")
	c.quiet()

	s, c, id := pair(t, func(o *ServerOptions) {
		o.OnMessage = func(s *Server, id uint64, _ json.RawMessage) { s.Disconnect(id) }
	}, nil)
	c.Send(1)
	if x := s.next("close"); x.id != id {
		t.Errorf("close %d", x.id)
	}
}

// hangingNetwork's dials end with their context only.
type hangingNetwork struct {
	tlsio.Network
	dialing chan bool
}

func (n *hangingNetwork) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	n.dialing <- true
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestConnectTimeout(t *testing.T) {
	hang := &hangingNetwork{Network: testNetwork(t), dialing: make(chan bool, 1)}
	c := newTestClientOn(t, hang, 1, func(o *ClientOptions) { o.ConnectTimeout = 10 * time.Millisecond })
	if x := c.next("error"); !errors.Is(x.err, context.DeadlineExceeded) {
		t.Errorf("error %v", x.err)
	}
	c.next("close")
}

// gated is a network whose connections, once it is shut, write only for a token each.
type gated struct {
	tlsio.Network
	shut   atomic.Bool
	tokens chan struct{}
}

func (n *gated) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := n.Network.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c := &gatedConn{Conn: conn, n: n, closed: make(chan struct{})}
	c.close = sync.OnceFunc(func() { close(c.closed) })
	return c, nil
}

type gatedConn struct {
	net.Conn
	n      *gated
	closed chan struct{}
	close  func()
}

func (c *gatedConn) Write(p []byte) (int, error) {
	if c.n.shut.Load() {
		select {
		case <-c.n.tokens:
		case <-c.closed:
			return 0, net.ErrClosed
		}
	}
	return c.Conn.Write(p)
}

func (c *gatedConn) Close() error {
	c.close()
	return c.Conn.Close()
}

// Flush waits for what was sent before it, and not for what others send meanwhile.
func TestFlushWhileOthersSend(t *testing.T) {
	peers := newPeerServer(t)
	network := &gated{Network: testNetwork(t), tokens: make(chan struct{})}
	c := newTestClientOn(t, network, peers.port, nil)
	p := peers.login()
	c.next("authenticated")
	if err := c.Flush(timeout(t)); err != nil { // the password is through, so that nothing else is
		t.Fatal(err)
	}
	network.shut.Store(true)
	send := func(n int) {
		t.Helper()
		if err := c.Send(map[string]int{"n": n}); err != nil {
			t.Fatal(err)
		}
	}
	s, err := c.session()
	if err != nil {
		t.Fatal(err)
	}
	send(1)
	flushed := make(chan error, 3)
	waiting := func(n int) func() bool {
		return func() bool {
			s.mu.Lock()
			defer s.mu.Unlock()
			return len(s.flushes) == n
		}
	}
	for i := range 2 { // two that wait for the same
		go func() { flushed <- c.Flush(timeout(t)) }()
		wait(t, "Flush", waiting(i+1))
	}
	send(2)
	send(3)
	go func() { flushed <- c.Flush(timeout(t)) }()
	wait(t, "Flush", waiting(3))
	ended, end := context.WithCancel(t.Context())
	end()
	if err := c.Flush(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("Flush without time: %v", err)
	}
	network.tokens <- struct{}{}
	for range 2 {
		select {
		case err := <-flushed:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(limit):
			t.Fatal("Flush waits for what was sent after it")
		}
	}
	p.want(`{"n":1}`)
	if !waiting(1)() {
		t.Error("a Flush has ended before what it waits for")
	}
	network.tokens <- struct{}{}
	network.tokens <- struct{}{}
	if err := <-flushed; err != nil {
		t.Error(err)
	}
	p.want(`{"n":2}`)
	p.want(`{"n":3}`)
	// What waits when the connection is lost, is told so.
	send(4)
	go func() { flushed <- c.Flush(timeout(t)) }()
	wait(t, "Flush", waiting(1))
	c.Disconnect()
	if err := <-flushed; !errors.Is(err, ErrConnectionLost) {
		t.Errorf("Flush of a lost connection: %v", err)
	}
}
