package jsonmsg

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ingot.dev/internal/testenv"
	"ingot.dev/tlsio"
)

// pour writes s again and again until the connection ends, and returns the number
// of bytes written.
func pour(p *peer, s string) (n int) {
	for {
		m, err := io.WriteString(p.conn, s)
		n += m
		if err != nil {
			return n
		}
	}
}

// bystander checks that another client is served as ever.
func bystander(t *testing.T, s *testServer) func() {
	t.Helper()
	p := loginPeer(t, s.port)
	id := s.find("authenticated").id
	return func() {
		t.Helper()
		if err := s.Send(id, "still here?"); err != nil {
			t.Errorf("bystander: %v", err)
			return
		}
		p.want(`"still here?"`)
	}
}

// TestEndlessLines ends whose line is too long, before anything large is held.
//
//conform:tls-json weakness.buffer works tlsio/jsonmsg.Limits.MaxMessage, tlsio/jsonmsg.ServerOptions.MaxPassword
//conform:tls-json wire.1 works tlsio/jsonmsg.Limits.MaxMessage
func TestEndlessLines(t *testing.T) {
	s := newTestServer(t, func(o *ServerOptions) { o.MaxMessage, o.KeepAliveInterval = 10000, Off }) // the bystander answers no pings
	check := bystander(t, s)
	for name, tt := range map[string]struct {
		login bool
		text  string
	}{
		"no password":     {false, strings.Repeat("x", 1000)},
		"blank lines":     {false, strings.Repeat("\n", 1000)},
		"unparsable":      {false, strings.Repeat("x\n", 100)},
		"falsy":           {false, strings.Repeat("0\r\n", 100)},
		"open brackets":   {false, strings.Repeat("[", 1000)},
		"large password":  {false, `{"password":"` + strings.Repeat("x", 5000) + `"}` + "\n"},
		"authenticated":   {true, strings.Repeat("x", 1000)},
		"white space":     {true, strings.Repeat(" ", 1000)},
		"one byte a time": {true, "{"},
	} {
		t.Run(name, func(t *testing.T) {
			p := dialPeer(t, s.port)
			if tt.login {
				p.write(`{"password":"` + kitty + `"}` + "\n")
				p.want(`{"authenticated":true}`)
				s.find("authenticated")
			}
			pour(p, tt.text)
			n := s.next("error")
			if n.err == ErrUnparsable {
				n = s.next("error")
			}
			if n.err != ErrTooLong {
				t.Errorf("error %v", n.err)
			}
			s.next("close")
			check()
		})
	}
	p := loginPeer(t, s.port)
	s.next("authenticated")
	p.write(`"` + strings.Repeat("x", 9998) + `"` + "\r\n")
	if n := s.next("message"); len(n.body) != 10000 {
		t.Errorf("%d bytes", len(n.body))
	}
	p.write("  [1]\t\r\n\n\r\n{}\n")
	if n := s.next("message"); n.body != "[1]" {
		t.Errorf("message %s", n.body)
	}
	s.next("message")

	// The same on the client's side.
	ps := newPeerServer(t)
	c := newTestClient(t, ps.port, func(o *ClientOptions) { o.MaxMessage = 10000 })
	pour(ps.login(), "[")
	c.next("authenticated")
	if n := c.next("error"); n.err != ErrTooLong {
		t.Errorf("client: %v", n.err)
	}
	c.next("close")
}

// TestUnparsable counts lines that aren't JSON and reports the first.
func TestUnparsable(t *testing.T) {
	s := newTestServer(t, nil)
	p := loginPeer(t, s.port)
	s.next("authenticated")
	deep := strings.Repeat("[", 200000)
	p.write(strings.Repeat("{\n", 500) + deep + "\n" + deep + strings.Repeat("]", 200000) + "\n" + "null\n\"\"\n" + `"end"` + "\n")
	if n := s.next("error"); n.err != ErrUnparsable {
		t.Errorf("error %v", n.err)
	}
	if n := s.next("message"); n.body != `"end"` {
		t.Errorf("message %s", n.body)
	}
	if st := s.Stats(); st.Unparsable != 502 || st.Dropped != 2 {
		t.Errorf("stats %+v", st)
	}
	s.quiet()

	// What is as deep as encoding/json reads, is delivered.
	deep = strings.Repeat("[", 10000) + strings.Repeat("]", 10000)
	p.write(deep + "\n")
	if n := s.next("message"); n.body != deep {
		t.Errorf("%d bytes", len(n.body))
	}
}

// TestPasswordLoop guesses, one after another and all at once.
//
//conform:tls-json weakness.attempts works tlsio/jsonmsg.ServerOptions.MaxAttempts
func TestPasswordLoop(t *testing.T) {
	const max = 4
	s := newTestServer(t, func(o *ServerOptions) { o.MaxAttempts = max })
	var later atomic.Int64 // how far the server's clock is ahead
	s.attempts.mu.Lock()
	s.attempts.now = func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
	s.attempts.mu.Unlock()
	inside := loginPeer(t, s.port)
	s.next("authenticated")
	var answers atomic.Int32
	var wg sync.WaitGroup
	var guessers []*peer
	for range 20 {
		guessers = append(guessers, dialPeer(t, s.port))
	}
	for _, p := range guessers {
		wg.Go(func() {
			io.WriteString(p.conn, `{"password":"guess"}`+"\n")
			b, _ := io.ReadAll(p.r)
			if strings.Contains(string(b), "incorrect") {
				answers.Add(1)
			}
		})
	}
	wg.Wait()
	if n := answers.Load(); n > max {
		t.Errorf("%d guesses were answered", n)
	}
	if n := s.Stats().BadPasswords; n != max {
		t.Errorf("%d guesses were judged", n)
	}

	// Now not even the right password helps: there is no handshake. That is
	// reported once.
	o := clientTLS()
	o.Host = "server.test"
	for range 3 {
		if c, err := tlsio.Dial(timeout(t), testNetwork(t), s.addr, o); err == nil {
			c.Close()
			t.Error("the address is not refused")
		}
	}
	wait(t, "refusals", func() bool { return s.Stats().Refused >= 3 })
	reports := 0
	for len(s.ch) > 0 {
		if n := <-s.ch; n.kind == "refused" {
			reports++
			if n.err != ErrTooManyAttempts {
				t.Errorf("refused: %v", n.err)
			}
		}
	}
	if reports != 1 {
		t.Errorf("%d reports", reports)
	}
	// Those who are inside stay, and the window passes.
	inside.write("1\n")
	s.find("message")
	later.Store(int64(DefaultAttemptWindow) + 1)
	loginPeer(t, s.port)
	s.find("authenticated")
}

// TestPasswordLoopOnOtherListener is for a listener that was brought along: it can't
// refuse anybody, so Serve does.
func TestPasswordLoopOnOtherListener(t *testing.T) {
	s := newTestServer(t, func(o *ServerOptions) { o.MaxAttempts = 1 })
	ln, err := tlsio.Listen(timeout(t), testNetwork(t), "127.0.0.1:0", serverTLS())
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(ln) }()
	defer func() {
		s.Close()
		if err := <-done; err != ErrServerClosed {
			t.Errorf("Serve: %v", err)
		}
	}()
	_, text, _ := net.SplitHostPort(ln.Addr().String())
	port := 0
	fmt.Sscan(text, &port)
	p := dialPeer(t, port)
	p.write("{}\n")
	p.ended()
	s.next("error")
	s.next("close")
	for range 3 {
		if got := dialPeer(t, port).ended(); got != "" {
			t.Errorf("got %q", got)
		}
	}
	if n := s.next("refused"); n.err != ErrTooManyAttempts {
		t.Errorf("refused: %v", n.err)
	}
	wait(t, "refusals", func() bool { return s.Stats().Refused == 3 })
	s.quiet()
}

// TestBudget: what is queued counts against the listener's budget, and its Admit
// decides as well.
func TestBudget(t *testing.T) {
	const share, size = 3 << 19, 4 << 20
	budget := tlsio.NewBudget(128 << 20) // some networks need much for a listener
	budget.LimitConnection(share)
	var closed atomic.Bool
	s := newTestServer(t, func(o *ServerOptions) {
		o.TLS.Budget = budget
		o.TLS.Admit = func(netip.AddrPort) error {
			if closed.Load() {
				return errors.New("closed today")
			}
			return nil
		}
		o.MaxMessage = size
		o.OnMessage = func(s *Server, id uint64, m json.RawMessage) {
			if q := budget.Report().Queues; q < int64(len(m)) {
				t.Errorf("%d bytes are counted while a message of %d is handled", q, len(m))
			}
			s.Send(id, len(m))
		}
	})
	empty := budget.Report().Used
	p := loginPeer(t, s.port)
	s.next("authenticated")
	p.write(`"` + strings.Repeat("x", 100000) + `"` + "\n")
	p.want("100002")
	wait(t, "empty queues", func() bool { return budget.Report().Queues == 0 })
	go io.WriteString(p.conn, `"`+strings.Repeat("x", size-10))
	if n := s.next("error"); n.err != ErrMemory {
		t.Errorf("error %v", n.err)
	}
	s.next("close")
	wait(t, "empty budget", func() bool { return budget.Report().Used == empty })
	closed.Store(true)
	o := clientTLS()
	o.Host = "server.test"
	if c, err := tlsio.Dial(timeout(t), testNetwork(t), s.addr, o); err == nil {
		c.Close()
		t.Error("Admit wasn't asked")
	}
	if n := s.next("refused"); !strings.Contains(n.err.Error(), "closed today") {
		t.Errorf("refused: %v", n.err)
	}
}

// TestOthersAnswers: an answer counts for the client that was asked only, and once.
//
//conform:tls-json wire.5 differs tlsio/jsonmsg.Server.Request -- ids count from 1 for each connection, not for all together: nothing depends on which, and a client learns nothing of the others
//conform:tls-json weakness.table works tlsio/jsonmsg.Server.Request
func TestOthersAnswers(t *testing.T) {
	s := newTestServer(t, nil)
	a, b := loginPeer(t, s.port), loginPeer(t, s.port)
	s.next("authenticated")
	s.next("authenticated")
	for i := 1; i <= 3; i++ {
		got := make(chan string, 1)
		go func() {
			body, err := s.Request(timeout(t), 0, map[string]int{"i": i})
			got <- fmt.Sprint(string(body), err)
		}()
		a.want(fmt.Sprintf(`{"i":%d,"requestId":%d}`, i, i))
		ignored := s.Stats().Ignored
		b.write(fmt.Sprintf(`{"evil":1,"responseId":%d}`, i) + "\n" + `{"responseId":"1"}` + "\n" + `{"responseId":1e99}` + "\n" +
			`{"responseId":-1}` + "\n" + `{"responseId":[1]}` + "\n" + `{"responseId":{"a":1}}` + "\n" + `{"responseId":true}` + "\n")
		wait(t, "ignored answers", func() bool { return s.Stats().Ignored == ignored+7 })
		a.write(fmt.Sprintf(`{"responseId":%d,"good":1}`, i) + "\n" + fmt.Sprintf(`{"responseId":%d,"second":1}`, i) + "\n")
		if g := <-got; g != `{"good":1}<nil>` {
			t.Errorf("got %s", g)
		}
		wait(t, "ignored second answer", func() bool { return s.Stats().Ignored == ignored+8 })
	}
	s.quiet()

	// A client counts on across its connections.
	ps := newPeerServer(t)
	c := newTestClient(t, ps.port, func(o *ClientOptions) { o.ReconnectInterval = time.Millisecond })
	for i := 1; i <= 2; i++ {
		p := ps.login()
		c.find("authenticated")
		done := make(chan error, 1)
		go func() {
			_, err := c.Request(timeout(t), struct{}{})
			done <- err
		}()
		p.want(fmt.Sprintf(`{"requestId":%d}`, i))
		p.write(fmt.Sprintf(`{"responseId":%d}`, i) + "\n")
		if err := <-done; err != nil {
			t.Error(err)
		}
		p.conn.Close()
	}
	c.Disconnect()
}

// TestHugeIDs come back as they are, as long as the answer isn't too large.
func TestHugeIDs(t *testing.T) {
	s := newTestServer(t, func(o *ServerOptions) { o.MaxMessage = 100000 })
	p := loginPeer(t, s.port)
	s.next("authenticated")
	for _, id := range []string{`"` + strings.Repeat("i", 50000) + `"`, strings.Repeat("9", 50000), "[" + strings.Repeat("[],", 10000) + "1]", "1.0", "1e2", `{"a":"\u0041"}`} {
		p.write(`{"q":1,"requestId":` + id + "}\n")
		n := s.next("request")
		if err := n.r.Send(map[string]int{"a": 1}); err != nil {
			t.Fatal(err)
		}
		p.want(`{"a":1,"responseId":` + id + "}")
	}
	p.write(`{"requestId":"` + strings.Repeat("i", 90000) + `"}` + "\n")
	n := s.next("request")
	if err := n.r.Send(map[string]string{"a": strings.Repeat("a", 20000)}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("answer: %v", err)
	}
	if err := n.r.Send(map[string]string{"a": "short"}); err != nil {
		t.Errorf("shorter answer: %v", err)
	}
	p.line()

	ps := newPeerServer(t)
	c := newTestClient(t, ps.port, nil)
	sp := ps.login()
	c.next("authenticated")
	sp.write(`{"__ping":"` + strings.Repeat("k", 5000) + `"}` + "\n")
	if x := c.next("error"); x.err != ErrTooLong {
		t.Errorf("ping with a huge key: %v", x.err)
	}
	c.next("close")
}

// TestFlood sends more than handlers take: it isn't read, and nobody else suffers.
func TestFlood(t *testing.T) {
	const queue = 64 << 10
	block := make(chan bool)
	var handled atomic.Int32
	s := newTestServer(t, func(o *ServerOptions) {
		o.MaxQueue = queue
		o.OnRequest = func(*Server, uint64, json.RawMessage, *Responder) { <-block; handled.Add(1) }
	})
	check := bystander(t, s)
	p := loginPeer(t, s.port)
	s.next("authenticated")
	go pour(p, strings.Repeat(`{"requestId":1,"text":"`+strings.Repeat("x", 100)+`"}`+"\n", 100))
	wait(t, "full queue", func() bool { return s.Stats().Memory > queue/2 })
	for range 50 {
		if m := s.Stats().Memory; m > 2*queue {
			t.Fatalf("%d bytes are held", m)
		}
		check()
		time.Sleep(time.Millisecond)
	}
	close(block)
	wait(t, "many requests", func() bool { return handled.Load() > 5000 })
	p.conn.Close()
	s.find("close")
}

// TestSlowReader: who doesn't read what it is sent, fills its queue and is dropped.
func TestSlowReader(t *testing.T) {
	const queue = 256 << 10
	s := newTestServer(t, func(o *ServerOptions) {
		o.MaxQueue, o.WriteTimeout, o.KeepAliveInterval = queue, 500*time.Millisecond, Off
	})
	check := bystander(t, s)
	p := loginPeer(t, s.port)
	id := s.next("authenticated").id
	text := strings.Repeat("x", 10000)
	full := 0
	var err error
	for err == nil || err == ErrQueueFull {
		if err = s.Send(id, text); err == ErrQueueFull {
			if full++; full%1000 == 1 {
				check()
			}
			time.Sleep(100 * time.Microsecond)
		}
		if m := s.Stats().Memory; m > queue+queue/4 {
			t.Fatalf("%d bytes are held", m)
		}
	}
	if !errors.Is(err, ErrNotConnected) || full == 0 {
		t.Errorf("Send: %v after %d times ErrQueueFull", err, full)
	}
	if n := s.next("error"); n.err != ErrSlowReader || n.id != id {
		t.Errorf("error of %d: %v", n.id, n.err)
	}
	s.next("close")
	check()
	_ = p

	// The same for a server that pings and doesn't read.
	ps := newPeerServer(t)
	c := newTestClient(t, ps.port, func(o *ClientOptions) { o.MaxQueue, o.WriteTimeout = queue, 500*time.Millisecond })
	go pour(ps.login(), strings.Repeat(`{"__ping":`+strings.Repeat("1", 1000)+`}`+"\n", 10))
	c.next("authenticated")
	most := 0
	for c.Ready(timeout(t)) == nil {
		if cs, err := c.session(); err == nil {
			cs.mu.Lock()
			most = max(most, cs.queued)
			cs.mu.Unlock()
		}
		time.Sleep(time.Millisecond)
	}
	if most > queue+controlRoom {
		t.Errorf("client: up to %d bytes were queued", most)
	}
	if n := c.next("error"); n.err != ErrSlowReader {
		t.Errorf("client: %v", n.err)
	}
	c.next("close")
}

// TestBackPressure sends more than a queue holds to one who reads.
func TestBackPressure(t *testing.T) {
	const total = 300
	s, c, id := pair(t, func(o *ServerOptions) { o.MaxQueue = 20000 }, func(o *ClientOptions) { o.MaxQueue = 5000 })
	text := strings.Repeat("x", 3000)
	full := 0
	for i := range total {
		v := map[string]any{"i": i, "text": text}
		for {
			err := s.Send(id, v)
			if err == nil {
				break
			}
			if err != ErrQueueFull {
				t.Fatal(err)
			}
			full++
			if err := s.Flush(timeout(t), id); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i := range total {
		if n := c.next("message"); !strings.HasPrefix(n.body, fmt.Sprintf(`{"i":%d,`, i)) {
			t.Fatalf("message %d: %.20s", i, n.body)
		}
	}
	if full == 0 {
		t.Error("the queue was never full")
	}
}

// TestMemory: all peers together can't make a server hold more than MaxMemory.
func TestMemory(t *testing.T) {
	const memory = 100000
	s := newTestServer(t, func(o *ServerOptions) {
		o.MaxMemory, o.MaxMessage, o.MaxQueue, o.KeepAliveInterval = memory, memory/2, memory/2, Off
	})
	check := bystander(t, s)
	var peers []*peer
	for range 10 {
		peers = append(peers, loginPeer(t, s.port))
		s.next("authenticated")
	}
	for _, p := range peers {
		io.WriteString(p.conn, `"`+strings.Repeat("x", memory/5)) // may be ended meanwhile
	}
	for range 3 { // at the least
		if n := s.find("error"); n.err != ErrMemory {
			t.Errorf("error %v", n.err)
		}
		if m := s.Stats().Memory; m > memory {
			t.Errorf("%d bytes are held", m)
		}
	}
	wait(t, "room", func() bool { return s.Stats().Clients <= 8 })
	check()
	for _, p := range peers {
		p.conn.Close()
	}
	wait(t, "all memory", func() bool { return s.Stats().Memory == 0 && s.Stats().Clients == 1 })
	check()
}

// TestClientLimits refuses, and makes room.
func TestClientLimits(t *testing.T) {
	s := newTestServer(t, func(o *ServerOptions) { o.MaxClients, o.MaxUnauthenticated = 4, 2 })
	first := dialPeer(t, s.port)
	wait(t, "first", func() bool { return s.Stats().Clients == 1 })
	dialPeer(t, s.port)
	wait(t, "second", func() bool { return s.Stats().Clients == 2 })
	dialPeer(t, s.port) // the first must go
	first.ended()
	if n := s.next("error"); n.err != ErrEvicted || n.id != 0 {
		t.Errorf("error of %d: %v", n.id, n.err)
	}
	s.next("close")

	// With the clients' limit reached, those without password make room.
	loginPeer(t, s.port)
	s.find("authenticated")
	for range 3 {
		loginPeer(t, s.port)
		s.find("authenticated")
	}
	if st := s.Stats(); st.Clients != 4 || st.Authenticated != 4 {
		t.Fatalf("stats %+v", st)
	}
	p := dialPeer(t, s.port)
	p.ended()
	if n := s.find("refused"); n.err != ErrTooManyClients {
		t.Errorf("refused: %v", n.err)
	}
	if st := s.Stats(); st.Clients != 4 || st.Authenticated != 4 || st.Refused != 1 {
		t.Errorf("stats %+v", st)
	}
}

// TestMaxPending bounds the requests that wait.
func TestMaxPending(t *testing.T) {
	s, c, id := pair(t, func(o *ServerOptions) { o.MaxPending = 3 }, func(o *ClientOptions) { o.MaxPending = 2 })
	ctx, cancel := context.WithCancel(timeout(t))
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() { s.Request(ctx, id, struct{}{}) })
	}
	for range 2 {
		wg.Go(func() { c.Request(ctx, struct{}{}) })
	}
	for range 3 {
		c.next("request")
	}
	for range 2 {
		s.next("request")
	}
	if _, err := s.Request(ctx, id, struct{}{}); err != ErrTooManyRequests {
		t.Errorf("server: %v", err)
	}
	if _, err := c.Request(ctx, struct{}{}); err != ErrTooManyRequests {
		t.Errorf("client: %v", err)
	}
	cancel() // makes room
	wg.Wait()
	done := make(chan error, 1)
	go func() {
		_, err := s.Request(timeout(t), id, struct{}{})
		done <- err
	}()
	c.next("request").r.Send(struct{}{})
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestPanics in every handler: the connection ends, the server doesn't.
func TestPanics(t *testing.T) {
	var logged syncBuffer
	log.SetOutput(&logged)
	defer log.SetOutput(os.Stderr)
	boom := errors.New("boom")
	var armed sync.Map
	hit := func(kind string) {
		if _, ok := armed.LoadAndDelete(kind); ok {
			panic(boom)
		}
	}
	s := newTestServer(t, func(o *ServerOptions) {
		was := *o
		o.OnAuthenticated = func(s *Server, id uint64, c *tlsio.Conn) {
			was.OnAuthenticated(s, id, c)
			hit("authenticated")
		}
		o.OnMessage = func(*Server, uint64, json.RawMessage) { hit("message") }
		o.OnRequest = func(*Server, uint64, json.RawMessage, *Responder) { hit("request") }
		o.OnError = func(s *Server, id uint64, err error) {
			was.OnError(s, id, err)
			hit("error")
		}
		o.OnClose = func(s *Server, id uint64, err error) {
			was.OnClose(s, id, err)
			hit("close")
		}
		o.OnRefused = func(*Server, net.Addr, error) { hit("refused") }
	})
	for _, kind := range []string{"authenticated", "message", "request"} {
		armed.Store(kind, true)
		p := dialPeer(t, s.port)
		io.WriteString(p.conn, `{"password":"`+kitty+`"}`+"\n")
		id := s.next("authenticated").id
		io.WriteString(p.conn, `{"a":1}`+"\n"+`{"requestId":1}`+"\n")
		p.ended()
		n := s.next("error")
		e, ok := errors.AsType[*PanicError](n.err)
		if !ok || !errors.Is(n.err, boom) || !strings.Contains(string(e.Stack), "hostile_test.go") || n.id != id {
			t.Errorf("%s: error %v", kind, n.err)
		}
		if n := s.next("close"); n.id != id || !errors.Is(n.err, boom) {
			t.Errorf("%s: close %v", kind, n.err)
		}
	}
	disarmed := func(kind string) {
		t.Helper()
		wait(t, "panic in "+kind, func() bool { _, still := armed.Load(kind); return !still })
	}
	for _, kind := range []string{"error", "close"} {
		armed.Store(kind, true)
		p := loginPeer(t, s.port)
		s.next("authenticated")
		p.write("not JSON\n")
		s.next("error")
		p.conn.Close()
		s.next("close")
		disarmed(kind)
	}
	armed.Store("refused", true)
	c, err := testNetwork(t).DialContext(timeout(t), "tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(c, "not TLS at all\n")
	io.Copy(io.Discard, c)
	c.Close()
	disarmed("refused")
	loginPeer(t, s.port)
	s.find("authenticated")
	wait(t, "panics of OnError, OnClose and OnRefused in the log", func() bool {
		return strings.Count(logged.String(), "a handler panicked: boom") == 3
	})

	// In OnTimeout the connection has ended already: its handlers go on.
	s = newTestServer(t, func(o *ServerOptions) {
		o.KeepAliveInterval, o.KeepAliveTimeout = time.Millisecond, time.Millisecond
		o.OnTimeout = func(*Server, uint64) { panic(boom) }
	})
	dialPeer(t, s.port).write(`{"password":"` + kitty + `"}` + "\n")
	s.next("authenticated")
	if n := s.next("close"); n.err != ErrKeepAliveTimeout {
		t.Errorf("close %v", n.err)
	}

	// A client's panic ends its connection; it comes back.
	ps := newPeerServer(t)
	cl := newTestClient(t, ps.port, func(o *ClientOptions) {
		o.ReconnectInterval = time.Millisecond
		o.OnMessage = func(*Client, json.RawMessage) { panic("boom") }
	})
	p := ps.login()
	p.write("1\n")
	p.ended()
	ps.login().write(`{"requestId":1}` + "\n")
	cl.next("authenticated")
	if n := cl.next("error"); !errors.As(n.err, new(*PanicError)) {
		t.Errorf("error %v", n.err)
	}
	cl.next("close")
	cl.next("reconnect")
	cl.next("authenticated")
	cl.next("request")
	cl.Disconnect()
}

// syncBuffer is a strings.Builder for several goroutines.
type syncBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// TestReconnectStorm takes a server away from its clients, several times.
func TestReconnectStorm(t *testing.T) {
	const clients = 30
	var authenticated, lost atomic.Int32
	address := "127.0.0.1:0"
	start := func() (stop func()) {
		s, err := NewServer(ServerOptions{TLS: serverTLS(), Password: kitty,
			OnRequest: func(_ *Server, _ uint64, m json.RawMessage, r *Responder) { r.Send(m) }})
		if err != nil {
			t.Fatal(err)
		}
		ln, err := s.Listen(timeout(t), testNetwork(t), address)
		if err != nil {
			t.Fatal(err)
		}
		address = ln.Addr().String()
		done := make(chan error, 1)
		go func() { done <- s.Serve(ln) }()
		return func() {
			if err := s.Shutdown(timeout(t)); err != nil {
				t.Error(err)
			}
			<-done
		}
	}
	leaks(t)
	stop := start()
	_, portText, _ := net.SplitHostPort(address)
	var port int
	fmt.Sscan(portText, &port)
	var all []*Client
	for range clients {
		c, err := NewClient(testNetwork(t), ClientOptions{TLS: clientTLS(), Host: "server.test", Address: "127.0.0.1", Port: port, Password: kitty,
			ReconnectInterval: 10 * time.Millisecond, MaxReconnectInterval: 80 * time.Millisecond, ReconnectJitter: 0.5,
			OnAuthenticated: func(*Client) { authenticated.Add(1) },
			OnClose:         func(*Client, error) { lost.Add(1) },
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Disconnect)
		all = append(all, c)
	}
	for round := range int32(3) {
		wait(t, "all clients", func() bool { return authenticated.Load() >= clients*(round+1) })
		for i, c := range all {
			if err := c.Ready(timeout(t)); err != nil {
				t.Fatal(err)
			}
			if n, err := Decode[map[string]int](c.Request(timeout(t), map[string]int{"i": i})); err != nil || n["i"] != i {
				t.Errorf("round %d, client %d: %v, %v", round, i, n, err)
			}
		}
		stop()
		wait(t, "all losses", func() bool { return lost.Load() >= clients*(round+1) })
		stop = start()
	}
	stop()
}

// TestIdleCost counts what an idle client costs a server: one goroutine, no bytes.
func TestIdleCost(t *testing.T) {
	const clients = 20
	s := newTestServer(t, nil)
	before := len(testenv.Goroutines(ours))
	for range clients {
		p := loginPeer(t, s.port)
		s.next("authenticated")
		p.write(`"` + strings.Repeat("x", 20000) + `"` + "\n")
		s.next("message")
	}
	wait(t, "rest", func() bool { return len(testenv.Goroutines(ours)) <= before+clients && s.Stats().Memory == 0 })
}

// slowToClose is a network whose first accepted connection waits with Close.
type slowToClose struct {
	tlsio.Network
	closing, goOn chan struct{}
}

func (n *slowToClose) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	ln, err := n.Network.Listen(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &slowToCloseListener{Listener: ln, n: n}, nil
}

type slowToCloseListener struct {
	net.Listener
	n    *slowToClose
	once sync.Once
}

func (l *slowToCloseListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err == nil {
		l.once.Do(func() { conn = &slowToCloseConn{Conn: conn, n: l.n} })
	}
	return conn, err
}

type slowToCloseConn struct {
	net.Conn
	n    *slowToClose
	once sync.Once
}

func (c *slowToCloseConn) Close() error {
	c.once.Do(func() {
		close(c.n.closing)
		<-c.n.goOn
	})
	return c.Conn.Close()
}

// Who is ended as soon as he is a client, while another still makes room for him.
func TestEndedAtOnce(t *testing.T) {
	network := &slowToClose{testNetwork(t), make(chan struct{}), make(chan struct{})}
	s := newTestServerOn(t, network, "127.0.0.1:0", func(o *ServerOptions) { o.MaxUnauthenticated = 1 })
	goOn := sync.OnceFunc(func() { close(network.goOn) })
	defer goOn()
	dialPeer(t, s.port)
	wait(t, "first client", func() bool { return s.Stats().Clients == 1 })
	dialPeer(t, s.port)
	select {
	case <-network.closing:
	case <-time.After(limit):
		t.Fatal("nobody makes room")
	}
	if err := s.Disconnect(1); err != nil {
		t.Fatal(err)
	}
	goOn()
	for range 2 {
		n := s.find("close")
		if want := map[uint64]error{0: ErrEvicted, 1: ErrDisconnected}[n.id]; n.err != want {
			t.Errorf("client %d: %v, want %v", n.id, n.err, want)
		}
	}
}

// Clients that know the password, and come from one address at once, are no guessers.
func TestRightPasswordsAtOnce(t *testing.T) {
	// Long, so that judging it takes a while.
	password := strings.Repeat(`"\u0041`, 500)
	text, err := json.Marshal(password)
	if err != nil {
		t.Fatal(err)
	}
	s := newTestServer(t, func(o *ServerOptions) {
		o.MaxAttempts, o.Password, o.MaxPassword = 1, password, len(text)+100
		o.AuthTimeout = 10 * time.Minute // those that are there wait for the handshakes of all
	})
	var wg sync.WaitGroup
	for range 3 {
		var peers []*peer
		for range 20 {
			peers = append(peers, dialPeer(t, s.port))
		}
		for _, p := range peers {
			wg.Go(func() {
				fmt.Fprintf(p.conn, `{"password":%s}`+"\n", text)
				if answer, err := p.r.ReadString('\n'); answer != string(authenticatedLine) {
					t.Errorf("%q, %v", answer, err)
				}
			})
		}
		wg.Wait()
	}
}
