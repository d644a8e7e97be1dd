package jsonmsg

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"ingot.dev/tlsio"
)

// TestExchange goes once through the whole API.
//
//conform:tls-json Server works tlsio/jsonmsg.Server
//conform:tls-json Server.options works tlsio/jsonmsg.ServerOptions.TLS
//conform:tls-json Server.password works tlsio/jsonmsg.ServerOptions.Password
//conform:tls-json Server.listen differs tlsio/jsonmsg.Server.Listen, tlsio/jsonmsg.Server.Serve -- Listen returns the listener, Serve serves it until the end, both without callback
//conform:tls-json Server.send differs tlsio/jsonmsg.Server.Send -- errors are returned, not emitted; nothing is sent to clients that have not authenticated
//conform:tls-json Server.request works tlsio/jsonmsg.Server.Request
//conform:tls-json Server.res.send works tlsio/jsonmsg.Responder.Send
//conform:tls-json Server.event.authenticated works tlsio/jsonmsg.ServerOptions.OnAuthenticated
//conform:tls-json Server.event.message works tlsio/jsonmsg.ServerOptions.OnMessage
//conform:tls-json Server.event.request works tlsio/jsonmsg.ServerOptions.OnRequest
//conform:tls-json Client works tlsio/jsonmsg.Client
//conform:tls-json Client.options works tlsio/jsonmsg.ClientOptions.TLS
//conform:tls-json Client.host works tlsio/jsonmsg.ClientOptions.Host, tlsio/jsonmsg.ClientOptions.Address
//conform:tls-json Client.port works tlsio/jsonmsg.ClientOptions.Port
//conform:tls-json Client.password works tlsio/jsonmsg.ClientOptions.Password
//conform:tls-json Client.send differs tlsio/jsonmsg.Client.Send -- errors are returned, not emitted
//conform:tls-json Client.request works tlsio/jsonmsg.Client.Request
//conform:tls-json Client.res.send works tlsio/jsonmsg.Responder.Send
//conform:tls-json Client.event.authenticated works tlsio/jsonmsg.ClientOptions.OnAuthenticated
//conform:tls-json Client.event.request works tlsio/jsonmsg.ClientOptions.OnRequest
func TestExchange(t *testing.T) {
	s, c, id := pair(t, nil, nil)
	if id != 0 {
		t.Errorf("the first id is %d", id)
	}
	for i, v := range []any{map[string]any{"hello": "world"}, []int{1, 2}, "text", 7, true} {
		text, _ := json.Marshal(v)
		if err := c.Send(v); err != nil {
			t.Fatal(err)
		}
		if got := s.next("message"); got.body != string(text) || got.id != id {
			t.Errorf("%d to the server: %+v", i, got)
		}
		if err := s.Send(id, v); err != nil {
			t.Fatal(err)
		}
		if got := c.next("message"); got.body != string(text) {
			t.Errorf("%d to the client: %+v", i, got)
		}
	}

	ctx := timeout(t)
	type result struct {
		body json.RawMessage
		err  error
	}
	ask := func(f func() (json.RawMessage, error)) <-chan result {
		ch := make(chan result, 1)
		go func() {
			body, err := f()
			ch <- result{body, err}
		}()
		return ch
	}
	check := func(name string, from notes, ch <-chan result) {
		t.Helper()
		req := from.next("request")
		if req.body != `{"question":1}` {
			t.Errorf("%s: request %s", name, req.body)
		}
		if err := req.r.Send([]int{1}); !errors.Is(err, ErrNotObject) {
			t.Errorf("%s: an array as answer: %v", name, err)
		}
		if err := req.r.Send(map[string]any{"__pong": 1}); !errors.As(err, new(*ReservedFieldError)) {
			t.Errorf("%s: a reserved field: %v", name, err)
		}
		if err := req.r.Send(map[string]int{"answer": 42}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := req.r.Send(map[string]int{"answer": 43}); err != ErrAnswered {
			t.Errorf("%s: second answer: %v", name, err)
		}
		if r := <-ch; r.err != nil || string(r.body) != `{"answer":42}` {
			t.Errorf("%s: %s, %v", name, r.body, r.err)
		}
	}
	question := map[string]int{"question": 1}
	for range 3 {
		check("client to server", s.notes, ask(func() (json.RawMessage, error) { return c.Request(ctx, question) }))
		check("server to client", c.notes, ask(func() (json.RawMessage, error) { return s.Request(ctx, id, question) }))
	}
	for _, v := range []any{[]int{1}, "x", 7, 0, nil, make(chan int)} {
		if _, err := c.Request(ctx, v); err == nil {
			t.Errorf("request %v: no error", v)
		}
	}
	if got := s.Clients(); !reflect.DeepEqual(got, []uint64{0}) {
		t.Errorf("clients %v", got)
	}
	if st := s.Stats(); st.Clients != 1 || st.Authenticated != 1 || st.Received != 5+3 || st.Ignored != 0 {
		t.Errorf("stats %+v", st)
	}
	s.quiet()
	c.quiet()
}

// TestNoMutation leaves the caller's objects as they are.
//
//conform:tls-json weakness.mutation works tlsio/jsonmsg.Client.Request, tlsio/jsonmsg.Responder.Send
func TestNoMutation(t *testing.T) {
	s, c, id := pair(t, nil, nil)
	question, reply := map[string]any{"a": 1.0}, map[string]any{"b": 2.0}
	raw := append(make(json.RawMessage, 0, 100), `{"c":3}`...)
	for _, v := range []any{question, raw} {
		done := make(chan error, 1)
		go func() {
			_, err := c.Request(timeout(t), v)
			done <- err
		}()
		if err := s.next("request").r.Send(reply); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	s.Send(id, raw)
	c.next("message")
	if len(question) != 1 || len(reply) != 1 || string(raw[:cap(raw)][:8]) != "{\"c\":3}\x00" {
		t.Errorf("changed: %v, %v, %q", question, reply, raw[:cap(raw)][:8])
	}
}

// TestNotConnected asks both sides for what they can't do.
//
//conform:tls-json error.notConnected differs tlsio/jsonmsg.ErrNotConnected -- returned by Send too, not emitted
func TestNotConnected(t *testing.T) {
	s := newTestServer(t, nil)
	ctx := timeout(t)
	v := map[string]int{"a": 1}
	p := dialPeer(t, s.port) // connected, not authenticated
	wait(t, "client", func() bool { return s.Stats().Clients == 1 })
	for _, id := range []uint64{0, 1} {
		if err := s.Send(id, v); !errors.Is(err, ErrNotConnected) {
			t.Errorf("Send(%d): %v", id, err)
		}
		if _, err := s.Request(ctx, id, v); !errors.Is(err, ErrNotConnected) {
			t.Errorf("Request(%d): %v", id, err)
		}
	}
	if err := s.Disconnect(1); !errors.Is(err, ErrNotConnected) {
		t.Errorf("Disconnect: %v", err)
	}
	if err := s.Flush(ctx, 1); !errors.Is(err, ErrNotConnected) {
		t.Errorf("Flush: %v", err)
	}
	if len(s.Clients()) != 0 {
		t.Error("a client without password is listed")
	}
	p.conn.Close()
	if n := s.next("close"); n.id != 0 {
		t.Errorf("close of %d", n.id)
	}

	ps := newPeerServer(t)
	c := newTestClient(t, ps.port, nil)
	try := func(when string) {
		t.Helper()
		if err := c.Send(v); !errors.Is(err, ErrNotConnected) {
			t.Errorf("%s: Send: %v", when, err)
		}
		if _, err := c.Request(ctx, v); !errors.Is(err, ErrNotConnected) {
			t.Errorf("%s: Request: %v", when, err)
		}
	}
	try("before the connection")
	sp := ps.accept()
	sp.line()
	try("before authentication")
	sp.conn.Close()
	c.next("close")
	try("after the connection")
	if !strings.Contains(c.Send(v).Error(), "not connected or not authenticated") {
		t.Error("the error's text isn't the original's")
	}
}

// TestRequestTimeout gets no answer, or a late one.
//
//conform:tls-json error.requestTimeout works tlsio/jsonmsg.ErrRequestTimeout
//conform:tls-json Server.requestTimeout works tlsio/jsonmsg.ServerOptions.RequestTimeout
//conform:tls-json Client.requestTimeout works tlsio/jsonmsg.ClientOptions.RequestTimeout
//conform:tls-json weakness.timers works tlsio/jsonmsg.Client.Request
func TestRequestTimeout(t *testing.T) {
	const d = 30 * time.Millisecond
	s, c, id := pair(t, func(o *ServerOptions) { o.RequestTimeout = d }, func(o *ClientOptions) { o.RequestTimeout = d })
	v := map[string]int{"a": 1}
	ctx := timeout(t)
	_, err := c.Request(ctx, v)
	if err != ErrRequestTimeout || !errors.Is(err, os.ErrDeadlineExceeded) || !strings.Contains(err.Error(), "request timeout") {
		t.Errorf("client: %v", err)
	}
	if err := s.next("request").r.Send(map[string]int{"late": 1}); err != nil {
		t.Errorf("late answer: %v", err)
	}
	wait(t, "late answer", func() bool { return c.Stats().Ignored == 1 })
	if _, err := s.Request(ctx, id, v); err != ErrRequestTimeout {
		t.Errorf("server: %v", err)
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := c.Request(cancelled, v); err != context.Canceled {
		t.Errorf("cancelled before: %v", err)
	}
	short, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	if _, err := s.Request(short, id, v); err != context.DeadlineExceeded {
		t.Errorf("cancelled: %v", err)
	}
	for name, ss := range map[string]*session{"client": c.current, "server": s.clients[id]} {
		ss.mu.Lock()
		if len(ss.pending) != 0 {
			t.Errorf("%s: %d requests are still kept", name, len(ss.pending))
		}
		ss.mu.Unlock()
	}
}

// TestDefaults: 0 means the original's defaults; unlike there, everything can be
// switched off.
//
//conform:tls-json Server.keepAliveInterval works tlsio/jsonmsg.ServerOptions.KeepAliveInterval
//conform:tls-json Server.keepAliveTimeout works tlsio/jsonmsg.ServerOptions.KeepAliveTimeout
//conform:tls-json weakness.off works tlsio/jsonmsg.Off, tlsio/jsonmsg.Unlimited
func TestDefaults(t *testing.T) {
	s, err := NewServer(ServerOptions{TLS: serverTLS(), Password: "x"})
	if err != nil {
		t.Fatal(err)
	}
	if s.requestTimeout != 10*time.Second || s.keepAliveInterval != 10*time.Second || s.keepAliveTimeout != 5*time.Second {
		t.Errorf("server: %v, %v, %v", s.requestTimeout, s.keepAliveInterval, s.keepAliveTimeout)
	}
	if s.mem.limit == 0 || s.maxClients == 0 || s.attempts.max == 0 || s.authTimeout == 0 || s.writeTimeout == 0 {
		t.Error("something is without limit by default")
	}
	s, err = NewServer(ServerOptions{TLS: serverTLS(), Password: "x", RequestTimeout: Off, KeepAliveInterval: Off, KeepAliveTimeout: Off,
		MaxClients: Unlimited, MaxAttempts: Unlimited, Limits: Limits{MaxMemory: Unlimited, AuthTimeout: Off, WriteTimeout: Off}})
	if err != nil {
		t.Fatal(err)
	}
	if s.requestTimeout != 0 || s.keepAliveInterval != 0 || s.keepAliveTimeout != 0 || s.authTimeout != 0 || s.writeTimeout != 0 ||
		s.mem.limit != 0 || s.maxClients != 0 || s.attempts.max != 0 {
		t.Error("something is still limited")
	}

	// And with everything off, everything works.
	off := Limits{MaxMemory: Unlimited, AuthTimeout: Off, WriteTimeout: Off}
	ts, c, id := pair(t, func(o *ServerOptions) {
		o.RequestTimeout, o.KeepAliveInterval, o.KeepAliveTimeout, o.Limits = Off, Off, Off, off
		o.MaxClients, o.MaxAttempts = Unlimited, Unlimited
	}, func(o *ClientOptions) { o.RequestTimeout, o.ConnectTimeout, o.Limits = Off, Off, off })
	if c.requestTimeout != 0 || c.connectTimeout != 0 || c.idleTimeout != 0 || c.retry.interval != 0 {
		t.Error("client: something is still limited")
	}
	done := make(chan error, 1)
	go func() {
		_, err := ts.Request(timeout(t), id, struct{}{})
		done <- err
	}()
	c.next("request").r.Send(struct{}{})
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestOptionErrors reports everything that is wrong, at once, by its name.
func TestOptionErrors(t *testing.T) {
	names := func(err error) (list []string) {
		t.Helper()
		e, ok := errors.AsType[*tlsio.Error](err)
		if !ok || e.Stage != tlsio.StageOptions {
			t.Fatalf("not an error of options: %v", err)
		}
		for _, err := range e.Err.(interface{ Unwrap() []error }).Unwrap() {
			list = append(list, err.(*tlsio.OptionError).Option)
		}
		return list
	}
	check := func(err error, want ...string) {
		t.Helper()
		if got := names(err); strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("refused %v, want %v", got, want)
		}
	}
	_, err := NewServer(ServerOptions{})
	check(err, "TLS.ServerCertificate", "Password")
	_, err = NewServer(ServerOptions{TLS: tlsio.TLSOptions{ServerCertificate: serverTLS().ServerCertificate, ServerKey: serverTLS().ServerKey, Host: "x", MaxHandshakes: -1, MaxConnections: -2},
		Password: make(chan int), NoPassword: true, RequestTimeout: -2, KeepAliveInterval: -3, KeepAliveTimeout: -4,
		Limits:     Limits{MaxMessage: 63, MaxQueue: -1, MaxMemory: 5, MaxPending: -1, WriteTimeout: -2, AuthTimeout: -2},
		MaxClients: -2, MaxUnauthenticated: -1, MaxPassword: 3, MaxAttempts: -3, AttemptWindow: Off, MaxAddresses: -1})
	check(err, "TLS.Host", "TLS.MaxHandshakes", "TLS.MaxConnections", "Password", "NoPassword", "RequestTimeout", "KeepAliveInterval", "KeepAliveTimeout",
		"MaxMessage", "MaxQueue", "MaxMemory", "MaxMemory", "MaxPending", "WriteTimeout", "AuthTimeout", "MaxPassword",
		"MaxClients", "MaxUnauthenticated", "MaxAttempts", "MaxAddresses", "AttemptWindow")
	network := testNetwork(t)
	_, err = NewClient(nil, ClientOptions{})
	check(err, "network", "Host", "Port")
	_, err = NewClient(network, ClientOptions{Host: "a", Address: "b:1", Port: 65536, TLS: tlsio.TLSOptions{Host: "c", MinimumVersion: "SSLv3"},
		Password: func() {}, RequestTimeout: -2, IdleTimeout: -2, ReconnectInterval: -1, MaxReconnectInterval: -5, ReconnectJitter: 1.5, ConnectTimeout: -2,
		Limits: Limits{MaxMessage: 1000000, MaxMemory: 10000}})
	check(err, "TLS.Host", "Address", "Port", "TLS.MinimumVersion", "Password", "RequestTimeout", "IdleTimeout", "MaxMemory", "ConnectTimeout",
		"ReconnectInterval", "MaxReconnectInterval", "ReconnectJitter")
	_, err = NewClient(network, ClientOptions{Host: "a:1", Port: 1, ReconnectInterval: 10, MaxReconnectInterval: 5})
	check(err, "Host", "TLS.Host", "MaxReconnectInterval")
	ctx, err := tlsio.NewClientContext(clientTLS())
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewServer(ServerOptions{TLS: tlsio.TLSOptions{Context: ctx}, Password: 1})
	if err == nil {
		_, err = s.Listen(timeout(t), network, "127.0.0.1:0")
	}
	if err == nil || !strings.Contains(err.Error(), "Context") {
		t.Errorf("a client's context for a server: %v", err)
	}
}

// TestSecureContext takes contexts in place of options.
func TestSecureContext(t *testing.T) {
	sc, err := tlsio.NewServerContext(serverTLS())
	if err != nil {
		t.Fatal(err)
	}
	cc, err := tlsio.NewClientContext(clientTLS())
	if err != nil {
		t.Fatal(err)
	}
	s, c, id := pair(t, func(o *ServerOptions) {
		o.TLS = tlsio.TLSOptions{Context: sc, MaxHandshakes: 3, HandshakeTimeout: limit}
	},
		func(o *ClientOptions) { o.TLS = tlsio.TLSOptions{Context: cc, HandshakeTimeout: limit} })
	s.Send(id, "hello")
	c.next("message")
}

// TestOrder: handlers of a connection are called in the order of what they report,
// one at a time, whatever comes and however.
func TestOrder(t *testing.T) {
	const n = 2000
	s, c, id := pair(t, func(o *ServerOptions) { o.MaxQueue = 10 * n * 100 }, func(o *ClientOptions) { o.MaxQueue = 10 * n * 100 })
	for i := range n {
		if err := c.Send(map[string]int{"i": i}); err != nil {
			t.Fatal(err)
		}
		if err := s.Send(id, map[string]int{"i": i}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range n {
		want := fmt.Sprintf(`{"i":%d}`, i)
		if got := s.next("message").body; got != want {
			t.Fatalf("server got %s, want %s", got, want)
		}
		if got := c.next("message").body; got != want {
			t.Fatalf("client got %s, want %s", got, want)
		}
	}
	if err := c.Flush(timeout(t)); err != nil {
		t.Error(err)
	}
	c.Disconnect()
	if got := c.next("close"); got.err != ErrDisconnected {
		t.Errorf("client's close: %v", got.err)
	}
	if got := s.next("close"); got.err != nil || got.id != id {
		t.Errorf("server's close: %+v", got)
	}
	s.quiet()
	c.quiet()
}

// TestHandlerAsks waits in a handler for answers of the peer that it handles.
func TestHandlerAsks(t *testing.T) {
	results := make(chan string, 10)
	s, c, id := pair(t, func(o *ServerOptions) {
		o.OnRequest = func(s *Server, id uint64, m json.RawMessage, r *Responder) {
			n, err := Decode[map[string]int](m, nil)
			if err != nil || n["depth"] == 0 {
				r.Send(map[string]string{"deepest": fmt.Sprint(n["depth"], err)})
				return
			}
			n["depth"]--
			back, err := s.Request(context.Background(), id, n)
			r.Send(map[string]string{"server": string(back) + fmt.Sprint(err)})
		}
	}, func(o *ClientOptions) {
		o.OnRequest = func(c *Client, m json.RawMessage, r *Responder) { r.Send(m) }
	})
	go func() {
		body, err := c.Request(timeout(t), map[string]int{"depth": 3})
		results <- string(body) + fmt.Sprint(err)
	}()
	if got := <-results; got != `{"server":"{\"depth\":2}<nil>"}<nil>` {
		t.Errorf("got %s", got)
	}
	_, _ = s, id
}

// TestConcurrent uses everything from many goroutines; the race detector looks on.
func TestConcurrent(t *testing.T) {
	s, c, id := pair(t, func(o *ServerOptions) {
		o.MaxPending = 1000
		o.OnRequest = func(_ *Server, _ uint64, m json.RawMessage, r *Responder) { go r.Send(m) }
	}, func(o *ClientOptions) {
		o.MaxPending = 1000
		o.OnRequest = func(_ *Client, m json.RawMessage, r *Responder) { go r.Send(m) }
	})
	ctx := timeout(t)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 50 {
				v := map[string]int{"g": g, "i": i}
				want := fmt.Sprintf(`{"g":%d,"i":%d}`, g, i)
				if got, err := c.Request(ctx, v); err != nil || string(got) != want {
					t.Errorf("client: %s, %v", got, err)
				}
				if got, err := s.Request(ctx, id, v); err != nil || string(got) != want {
					t.Errorf("server: %s, %v", got, err)
				}
				c.Send(v)
				s.Send(id, v)
				s.Stats()
				c.Stats()
			}
		})
	}
	wg.Wait()
}
