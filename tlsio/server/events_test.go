package server

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"ingot.dev/tlsio"
)

// TestPauseData: no DataIn while paused, also for lines that have arrived, and all
// of it afterwards.
//
//conform:ipworks pauseData works tlsio/server.Connection.PauseData, tlsio/server.Server.PauseData
//conform:ipworks processData works tlsio/server.Connection.ProcessData, tlsio/server.Server.ProcessData
//conform:ipworks Connection.AcceptData works tlsio/server.Connection.AcceptData
func TestPauseData(t *testing.T) {
	b := newBench(t, Config{EOL: []byte("\n")}, Handler{
		DataIn: func(c *Connection, line []byte, eol bool) {
			if string(line) == "pause" {
				c.PauseData()
			}
		},
	}, noReady)
	c, cl := b.open()
	if err := b.PauseData(c.ID()); err != nil || c.AcceptData() {
		t.Fatal(err, c.AcceptData())
	}
	cl.send("one\ntwo\npause\nthree\n")
	b.quiet()
	if err := b.ProcessData(c.ID()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"one", "two", "pause"} {
		if e := b.next("DataIn"); e.text != want {
			t.Fatalf("got %+v, want %s", e, want)
		}
	}
	wait(t, "paused", func() bool { return !c.AcceptData() })
	b.quiet()
	if n, err := c.SendText("sending goes on"); n != 15 || err != nil || cl.read(15) != "sending goes on" {
		t.Error(n, err)
	}
	c.ProcessData()
	if e := b.next("DataIn"); e.text != "three" {
		t.Errorf("got %+v", e)
	}
	// Paused connections can be ended.
	c.PauseData()
	cl.send("never seen\n")
	c.Disconnect()
	b.next("Disconnected")
}

// TestPausedClientIsHeldBack: what a paused connection keeps is bounded.
func TestPausedClientIsHeldBack(t *testing.T) {
	b := newBench(t, Config{InBufferSize: 4096}, Handler{}, noReady)
	c, cl := b.open()
	c.PauseData()
	cl.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
	total := 0
	for {
		n, err := cl.Write(make([]byte, 1<<16))
		total += n
		if err != nil {
			break
		}
		if total > 256<<20 {
			t.Fatal("a paused connection takes everything")
		}
	}
	c.mu.Lock()
	if n := c.framer.Buffered(); n > 16<<10 {
		t.Errorf("holds %d bytes", n)
	}
	c.mu.Unlock()
}

// TestPanics: a handler's panic ends its connection, is reported, and harms nobody
// else.
//
//conform:ipworks event.Error works tlsio/server.Handler.Error, tlsio/server.PanicError
func TestPanics(t *testing.T) {
	cause := errors.New("out of luck")
	var arm atomic.Value
	arm.Store("")
	boom := func(event string) {
		if arm.Load() == event {
			panic(cause)
		}
	}
	b := newBench(t, Config{EOL: []byte("\n")}, Handler{
		ConnectionRequest: func(*ConnectionRequest) { boom("ConnectionRequest") },
		Connected:         func(*Connection, error) { boom("Connected") },
		ReadyToSend:       func(*Connection) { boom("ReadyToSend") },
		DataIn: func(c *Connection, line []byte, eol bool) {
			if string(line) == "boom" {
				panic(cause)
			}
			c.SendLine(string(line))
		},
		Disconnected: func(*Connection, error) { boom("Disconnected") },
		Error:        func(*Connection, error) { panic("in Error too") },
	}, 0)
	good := b.dial()
	b.next("Connected")
	b.next("ReadyToSend")
	check := func(event, id string, e seen) {
		t.Helper()
		p, ok := errors.AsType[*PanicError](e.err)
		if !ok || p.Event != event || p.Value != cause || len(p.Stack) == 0 || e.id != id || !errors.Is(e.err, ErrPanic) || !errors.Is(e.err, cause) {
			t.Errorf("%s: got %+v", event, e)
		}
	}
	bad := b.dial()
	b.next("Connected")
	b.next("ReadyToSend")
	bad.send("boom\nnever\n")
	b.next("DataIn")
	check("DataIn", "2", b.next("Error"))
	check("DataIn", "2", b.next("Disconnected"))
	bad.ended()
	for i, event := range []string{"Connected", "ReadyToSend"} {
		arm.Store(event)
		if conn, err := testNetwork(t).DialContext(within(t), "tcp", b.address()); err == nil { // the reset may come first
			defer conn.Close()
		}
		check(event, fmt.Sprint(3+i), b.skipTo("Error"))
		check(event, fmt.Sprint(3+i), b.skipTo("Disconnected"))
	}
	arm.Store("ConnectionRequest")
	if conn, err := testNetwork(t).DialContext(within(t), "tcp", b.address()); err == nil {
		newClient(t, conn).ended()
	}
	check("ConnectionRequest", "", b.next("Error"))
	arm.Store("Disconnected")
	b.dial().Close()
	check("Disconnected", "5", b.skipTo("Error"))
	arm.Store("")
	good.send("alive\n")
	if got := good.line(); got != "alive" {
		t.Errorf("the other connection got %q", got)
	}
}

type seen = event

// TestMethodsInEvents: all methods may be called in events.
func TestMethodsInEvents(t *testing.T) {
	files := fstest.MapFS{"f": {Data: []byte("file")}}
	var b *bench
	b = newBench(t, Config{Timeout: limit}, Handler{
		Connected: func(c *Connection, err error) {
			if _, err := c.SendText("hello "); err != nil {
				t.Error(err)
			}
			if len(b.Connections()) != 1 {
				t.Error("not in the registry")
			}
		},
		DataIn: func(c *Connection, data []byte, eol bool) {
			c.PauseData()
			c.ProcessData()
			if _, err := c.SendFile(files, "f"); err != nil {
				t.Error(err)
			}
			if err := b.StopListening(); err != nil {
				t.Error(err)
			}
			if err := b.Disconnect(c.ID()); err != nil {
				t.Error(err)
			}
			if err := c.Disconnect(); err != nil {
				t.Error(err)
			}
		},
		Disconnected: func(c *Connection, err error) {
			if _, err := c.SendText("x"); !errors.Is(err, ErrShutdown) {
				t.Error(err)
			}
			if c.UserData() != nil || c.ID() != "1" {
				t.Error("not the connection")
			}
		},
	}, noReady)
	cl := b.dial()
	cl.send("go")
	if rest, clean := cl.ended(); rest != "hello file" || !clean {
		t.Errorf("got %q, clean %v", rest, clean)
	}
	b.skipTo("Disconnected")
}

// TestDoEvents: a program that steps gets all events on its own goroutine, when it
// asks for them.
//
//conform:ipworks doEvents works tlsio/server.Loop.DoEvents, tlsio/server.Config.Post
func TestDoEvents(t *testing.T) {
	var l Loop
	inside := false // no lock: only DoEvents's goroutine touches it
	var got []string
	note := func(s string) {
		if inside {
			t.Error("re-entered")
		}
		inside = true
		got = append(got, s)
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		if l.DoEvents(ended) != 0 {
			t.Error("DoEvents within an event")
		}
		inside = false
	}
	s, err := New(testNetwork(t), Config{Post: l.Post, EOL: []byte("\n")}, Handler{
		ConnectionRequest: func(*ConnectionRequest) { note("request") },
		Connected:         func(c *Connection, err error) { note("connected " + c.ID()) },
		ReadyToSend:       func(*Connection) { note("ready") },
		DataIn:            func(c *Connection, p []byte, eol bool) { note("data " + string(p)) },
		Disconnected:      func(c *Connection, err error) { note(fmt.Sprint("disconnected ", err)) },
	})
	if err != nil {
		t.Fatal(err)
	}
	leaks(t)
	defer s.Close()
	if err := s.StartListening(within(t)); err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if n := l.DoEvents(ended); n != 0 {
		t.Errorf("%d events before anything happened", n)
	}
	until := func(n int) {
		t.Helper()
		for ctx := within(t); len(got) < n; {
			if l.DoEvents(ctx) == 0 {
				t.Fatalf("only %q", got)
			}
		}
	}
	cl := dial(t, fmt.Sprintf("127.0.0.1:%d", s.LocalPort()))
	until(3)
	cl.send("one\ntwo\n")
	time.Sleep(20 * time.Millisecond)
	if len(got) != 3 {
		t.Errorf("events came without DoEvents: %q", got)
	}
	until(5)
	cl.Close()
	until(6)
	if want := "request|connected 1|ready|data one|data two|disconnected <nil>"; strings.Join(got, "|") != want {
		t.Errorf("got %q", got)
	}

	// Close doesn't need the loop: nothing is left though nobody calls it any more.
	cl = dial(t, fmt.Sprintf("127.0.0.1:%d", s.LocalPort()))
	until(9)
	cl.send("never\n")
	wait(t, "the line waits", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return len(l.queue) == 1
	})
}

// TestApp: events in the loop of a tlsio.App.
func TestApp(t *testing.T) {
	app := tlsio.NewApp(testNetwork(t))
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { app.Run(ctx) })
	defer done.Wait()
	defer cancel()
	var busy atomic.Int32
	b := newBench(t, Config{Post: app.Post, EOL: []byte("\n")}, Handler{
		DataIn: func(c *Connection, line []byte, eol bool) {
			if busy.Add(1) != 1 {
				t.Error("two events at once")
			}
			time.Sleep(time.Millisecond)
			busy.Add(-1)
			c.SendLine(string(line))
		},
	}, 0)
	var clients sync.WaitGroup
	for range 5 {
		cl := b.dial()
		clients.Go(func() {
			for i := range 10 {
				fmt.Fprintf(cl, "line %d\n", i)
				if got, err := cl.r.ReadString('\n'); err != nil || got != fmt.Sprintf("line %d\r\n", i) {
					t.Errorf("got %q, %v", got, err)
				}
			}
		})
	}
	clients.Wait()
	if err := b.Shutdown(within(t)); err != nil {
		t.Error(err)
	}
}

// TestBroadcast: everybody gets all of it or nothing, and nobody waits for a slow
// one.
//
//conform:ipworks broadcast works tlsio/server.Server.Broadcast
func TestBroadcast(t *testing.T) {
	v := newValve(t)
	b := newBenchOn(t, v, Config{SendQueue: 1000}, Handler{}, noReady)
	var clients []*client
	for range 3 {
		_, cl := b.open()
		clients = append(clients, cl)
	}
	if n, err := b.Broadcast([]byte("to all\n")); n != 3 || err != nil {
		t.Fatal(n, err)
	}
	for _, cl := range clients {
		if got := cl.line(); got != "to all" {
			t.Errorf("got %q", got)
		}
	}
	slow, err := b.Connection("2")
	if err != nil {
		t.Fatal(err)
	}
	sent := func() bool {
		slow.mu.Lock()
		defer slow.mu.Unlock()
		return slow.queue.n == 0
	}
	wait(t, "sent", sent)
	v.set(false)
	if n, err := slow.SendText(strings.Repeat("x", 998)); n != 998 || err != nil {
		t.Fatal(n, err)
	}
	n, err := b.Broadcast([]byte("abc\n"))
	if wantCode(t, err, 135); n != 2 || !strings.Contains(err.Error(), "Broadcast 2") {
		t.Error(n, err)
	}
	v.set(true)
	if got := clients[0].line() + clients[2].line(); got != "abcabc" {
		t.Errorf("got %q", got)
	}
	if got := clients[1].read(998); strings.Trim(got, "x") != "" {
		t.Error("the slow one got a part")
	}
	wait(t, "sent", sent)
	n, err = b.Broadcast(make([]byte, 1001))
	if wantCode(t, err, 10040); n != 0 {
		t.Error(n, err)
	}
	b.Disconnect("1")
	b.skipTo("Disconnected")
	if n, err := b.Broadcast([]byte("rest\n")); n != 2 || err != nil {
		t.Error(n, err)
	}
}

// TestSendFile sends files from an fs.FS, also in asynchronous mode, without others
// getting in between; Interrupt ends it.
//
//conform:ipworks sendFile works tlsio/server.Connection.SendFile, tlsio/server.Server.SendFile
func TestSendFile(t *testing.T) {
	big := strings.Repeat("0123456789abcde\n", 1<<16)
	files := fstest.MapFS{"big": {Data: []byte(big)}, "empty": {}, "dir/x": {Data: []byte("x")}}
	b := newBench(t, Config{SendQueue: 5000, OutBufferSize: 4096}, Handler{}, noReady)
	c, cl := b.open()
	var wg sync.WaitGroup
	wg.Go(func() {
		if n, err := b.SendFile(c.ID(), files, "big"); n != int64(len(big)) || err != nil {
			t.Error(n, err)
		}
	})
	wait(t, "the file is being sent", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.sending
	})
	if n, err := c.SendText("in between"); n != 0 || !errors.Is(err, ErrWouldBlock) {
		t.Error("during SendFile:", n, err)
	}
	if cl.read(len(big)) != big {
		t.Error("the file was changed")
	}
	wg.Wait()
	wait(t, "ready again", c.ReadyToSend)
	if n, err := c.SendFile(files, "empty"); n != 0 || err != nil {
		t.Error(n, err)
	}
	for _, name := range []string{"none", "dir", "../x"} {
		n, err := c.SendFile(files, name)
		if n != 0 || err == nil {
			t.Errorf("%s: %d, %v", name, n, err)
		}
	}
	type result struct {
		n   int64
		err error
	}
	done := make(chan result)
	go func() {
		n, err := c.SendFile(files, "big")
		done <- result{n, err}
	}()
	wait(t, "the client is full", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.sending && c.queue.free() == 0
	})
	if err := c.Interrupt(); err != nil {
		t.Fatal(err)
	}
	r := <-done
	if wantCode(t, r.err, 10004); r.n == int64(len(big)) {
		t.Error("sent everything")
	}
	if got := cl.read(int(r.n)); got != big[:r.n] || !c.Connected() {
		t.Error("not the file's beginning, or not connected any more")
	}
}
