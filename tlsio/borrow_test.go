package tlsio

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"ingot.dev/internal/simnet"
)

// dispatch makes a function a dispatcher.
type dispatch func()

func (d dispatch) dispatch() { d() }

// running runs an application, and again when Run has panicked or its goroutine has
// ended, until the test is over. Each end goes to ended.
func running(t *testing.T, app *App) (cancel func(), ended chan any) {
	ctx, cancel := context.WithCancel(context.Background())
	ended = make(chan any, 1000)
	done := make(chan struct{})
	var run func()
	run = func() {
		returned := false
		defer func() {
			p := recover()
			if p == nil && !returned {
				p = "Goexit"
			}
			ended <- p
			if returned {
				close(done)
			} else {
				go run()
			}
		}()
		app.Run(ctx)
		returned = true
	}
	go run()
	t.Cleanup(func() { cancel(); <-done })
	return cancel, ended
}

// borrowed waits until the loop can be borrowed.
func borrowed(t *testing.T, app *App) {
	t.Helper()
	for end := time.Now().Add(limit); !app.borrow(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the loop has nothing to do, and can't be borrowed")
		}
	}
}

func within[T any](t *testing.T, what string, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(limit):
		t.Fatal("no " + what)
	}
	return v
}

func TestBorrow(t *testing.T) {
	leaks(t)
	app := NewApp(&memory{})
	if app.borrow() {
		t.Error("the loop can be borrowed where there is none")
	}
	cancel, ended := running(t, app)
	called := make(chan string, 10)
	borrowed(t, app)
	app.Post(func() { called <- "posted" })
	app.lent(dispatch(func() {
		if app.borrow() {
			t.Error("the loop can be borrowed from who has it")
		}
		app.Post(func() { called <- "posted after that" })
		time.Sleep(10 * time.Millisecond) // in which Run, were it wrong, would call what was posted
		called <- "borrower"
	}))
	for _, want := range []string{"borrower", "posted", "posted after that"} {
		if got := within(t, want, called); got != want {
			t.Errorf("%s was called, want %s", got, want)
		}
	}

	// Who is queued comes first.
	inside, outside := make(chan struct{}), make(chan struct{})
	app.Post(func() { close(inside); <-outside })
	<-inside
	if app.borrow() {
		t.Error("the loop can be borrowed while it calls a callback")
	}
	close(outside)

	// Run ends, but not before the borrower has.
	borrowed(t, app)
	cancel()
	app.lent(dispatch(func() {
		time.Sleep(10 * time.Millisecond)
		select {
		case <-ended:
			t.Error("Run has returned while a callback runs")
		default:
		}
	}))
	if p := within(t, "end of Run", ended); p != nil {
		t.Errorf("Run ended with %v", p)
	}
	if app.borrow() {
		t.Error("the loop can be borrowed after its end")
	}
}

// How a borrower's callback ends is how Run ends.
func TestBorrowBroken(t *testing.T) {
	leaks(t)
	app := NewApp(&memory{})
	_, ended := running(t, app)
	borrowed(t, app)
	app.lent(dispatch(func() { panic("on purpose") }))
	if p := within(t, "end of Run", ended); p != "on purpose" {
		t.Errorf("Run ended with %v", p)
	}

	borrowed(t, app)
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		app.lent(dispatch(runtime.Goexit))
		t.Error("Goexit has not ended its goroutine")
	}()
	within(t, "end of the callback's goroutine", exited)
	if p := within(t, "end of Run", ended); p != "Goexit" {
		t.Errorf("Run ended with %v", p)
	}
	again := make(chan struct{})
	app.Post(func() { close(again) })
	within(t, "callback after that", again)

	// A panic that nobody recovers shows where it was.
	app = NewApp(&memory{})
	app.running, app.ctx = true, context.Background()
	borrowed(t, app)
	app.lent(dispatch(func() { panicHere() }))
	if trace := app.broken.stack; !strings.Contains(trace, "panicHere") {
		t.Errorf("the trace doesn't show the callback:\n%s", trace)
	}
}

func panicHere() { panic("here") }

// TestStreamingCallbacks lets a stream's callbacks end in all ways: nothing is lost, and
// the callbacks of the reading goroutine are among them.
func TestStreamingCallbacks(t *testing.T) {
	for _, secured := range []bool{false, true} {
		for _, way := range []string{"return", "panic", "Goexit", "hand over", "pause", "late"} {
			t.Run(fmt.Sprintf("%s,%v", way, secured), func(t *testing.T) {
				leaks(t)
				streamCallbacks(t, secured, way)
			})
		}
	}
}

func streamCallbacks(t *testing.T, secured bool, way string) {
	network := simnet.NewStreams(simnet.StreamOptions{})
	app := NewApp(network)
	_, ended := running(t, app)
	var ln net.Listener
	var err error
	if secured {
		ln, err = Listen(t.Context(), network, "127.0.0.1:0", serverOptions(t))
	} else {
		ln, err = network.Listen(t.Context(), "tcp", "127.0.0.1:0")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()

	// The stream goes on until callbacks were called by the reading goroutine.
	enough, finished := make(chan struct{}), make(chan error, 1)
	sent := make(chan int, 1)
	piece := pattern(256 << 10)
	go func() {
		c, err := ln.Accept()
		if err != nil {
			finished <- err
			return
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(limit))
		n := 0
		for more := true; more || n < 4*len(piece); {
			select {
			case <-enough:
				more = false
			default:
			}
			if _, err := c.Write(piece); err != nil {
				finished <- err
				return
			}
			n += len(piece)
		}
		sent <- n
	}()

	var current Socket
	got, calls, borrowed := 0, 0, 0
	var open func(from Socket)
	read := func(i *instance) {
		p, err := i.ReadAvailable()
		if err != nil {
			t.Errorf("ReadAvailable: %v", err)
		}
		for len(p) > 0 {
			want := piece[got%len(piece):]
			n := min(len(p), len(want))
			if !bytes.Equal(p[:n], want[:n]) {
				t.Fatal("other bytes arrive than were sent")
			}
			got, p = got+n, p[n:]
		}
	}
	readable := func(who Socket) {
		if who != current {
			t.Error("callback on an instance that was handed over")
		}
		if byReader() {
			if borrowed++; borrowed == 10 {
				close(enough)
			}
		}
		i := who.socket()
		if calls++; calls%3 != 0 {
			read(i)
			return
		}
		switch way {
		case "return":
			read(i)
		case "panic":
			read(i)
			panic("on purpose")
		case "Goexit":
			read(i)
			runtime.Goexit()
		case "hand over":
			open(who) // the new one is told of what is there
		case "pause":
			i.Pause()
			app.Post(func() { read(i); i.Resume() })
		case "late":
			app.Post(func() { read(i) })
		}
	}
	failed := func(who Socket, err error) {
		if !errors.Is(err, io.EOF) {
			t.Errorf("OnError: %v", err)
		}
		who.socket().Close()
		finished <- nil
	}
	open = func(from Socket) {
		port := ln.Addr().(*net.TCPAddr).Port
		var next Socket
		var err error
		if secured {
			o := TLSClientOptions{Address: "127.0.0.1", Port: port, From: from,
				OnReadable: func(t *TLS, _ int) { readable(t) }, OnError: func(t *TLS, err error) { failed(t, err) }}
			if from == nil {
				o.TLS = clientOptions(t)
			}
			next, err = NewTLS(app, o)
		} else {
			next, err = NewTCP(app, TCPOptions{Address: "127.0.0.1", Port: port, From: from,
				OnReadable: func(t *TCP, _ int) { readable(t) }, OnError: func(t *TCP, err error) { failed(t, err) }})
		}
		if err != nil {
			t.Errorf("hand-over: %v", err)
			return
		}
		current = next
	}
	app.Post(func() { open(nil) })
	if err := within(t, "end of the stream", finished); err != nil {
		t.Fatal(err)
	}
	counted := make(chan struct{})
	app.Post(func() { // the loop's goroutine may look at what the callbacks have written
		defer close(counted)
		if want := <-sent; got != want {
			t.Errorf("%d bytes of %d arrived", got, want)
		}
		t.Logf("%d of %d callbacks by the reading goroutine", borrowed, calls)
	})
	within(t, "count", counted)
	want := map[string]any{"panic": "on purpose", "Goexit": "Goexit"}[way]
	for range len(ended) {
		if p := <-ended; p != want {
			t.Errorf("Run ended with %v", p)
		}
	}
}

// The reading goroutine may be in a callback when the connection is taken from it.
func TestNetConnWhileStreaming(t *testing.T) {
	leaks(t)
	network := simnet.NewStreams(simnet.StreamOptions{})
	app := NewApp(network)
	running(t, app)
	ln, err := network.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	const size = 1 << 20
	all := pattern(size)
	go func() {
		if c, err := ln.Accept(); err == nil {
			defer c.Close()
			c.SetDeadline(time.Now().Add(limit))
			c.Write(all)
		}
	}()
	type taken struct {
		conn   net.Conn
		before []byte
		err    error
	}
	done := make(chan taken, 1)
	var before []byte
	app.Post(func() {
		_, err := NewTCP(app, TCPOptions{Address: "127.0.0.1", Port: ln.Addr().(*net.TCPAddr).Port,
			OnReadable: func(s *TCP, n int) {
				if n < streaming && len(before) < size/2 {
					p, _ := s.ReadAvailable()
					before = append(before, p...)
					return
				}
				ctx, cancel := context.WithTimeout(context.Background(), limit)
				defer cancel()
				c, err := s.NetConn(ctx)
				done <- taken{c, before, err}
			},
			OnError: func(_ *TCP, err error) { done <- taken{err: err} }})
		if err != nil {
			done <- taken{err: err}
		}
	})
	c := within(t, "connection", done)
	if c.err != nil {
		t.Fatal(c.err)
	}
	defer c.conn.Close()
	c.conn.SetDeadline(time.Now().Add(limit))
	rest, err := io.ReadAll(c.conn)
	if err != nil || !bytes.Equal(append(c.before, rest...), all) {
		t.Errorf("%d bytes before and %d after, of %d: %v", len(c.before), len(rest), size, err)
	}
}

// byReader reports whether the callback that calls it was called by a reading goroutine.
func byReader() bool {
	var stack [8 << 10]byte
	return strings.Contains(string(stack[:runtime.Stack(stack[:], false)]), "App).lent")
}

// TestStreamLeavesTurns has streams without end beside each other, whose callbacks post:
// what one has posted in its reading goroutine comes before its next callback, and each
// stream has its turns.
func TestStreamLeavesTurns(t *testing.T) {
	leaks(t)
	network := simnet.NewStreams(simnet.StreamOptions{})
	app := NewApp(network)
	running(t, app)
	ln, err := network.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	const streams, turns = 5, 200
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				c.SetDeadline(time.Now().Add(limit))
				for {
					if _, err := c.Write(make([]byte, 64<<10)); err != nil {
						return
					}
				}
			}()
		}
	}()
	finished := make(chan struct{}, streams)
	inside := 0
	port := ln.Addr().(*net.TCPAddr).Port
	for range streams {
		calls, due := 0, false
		sock, err := NewTCP(app, TCPOptions{Address: "127.0.0.1", Port: port, OnReadable: func(s *TCP, _ int) {
			if inside++; inside != 1 {
				t.Error("two callbacks at once")
			}
			defer func() { inside-- }()
			if due {
				t.Error("a stream's callback came before what was posted earlier")
			}
			if _, err := s.ReadAvailable(); err != nil {
				t.Error(err)
			}
			if byReader() { // else the reader may have queued the stream before
				due = true
			}
			app.Post(func() { due = false })
			if calls++; calls == turns {
				finished <- struct{}{}
			}
		}, OnError: func(_ *TCP, err error) { t.Error(err) }})
		if err != nil {
			t.Fatal(err)
		}
		defer sock.Close()
	}
	for range streams {
		within(t, "turn of each stream", finished)
	}
}

// TestStreamEndsInCallback ends streams in a callback of the reading goroutine, in the
// ways that there are: no callback comes after it and no goroutine stays.
func TestStreamEndsInCallback(t *testing.T) {
	ways := map[string]func(s *TLS) error{
		"Close":     func(s *TLS) error { return s.Close() },
		"Terminate": func(s *TLS) error { return s.Terminate() },
		"NetConn": func(s *TLS) error {
			ctx, cancel := context.WithTimeout(context.Background(), limit)
			defer cancel()
			c, err := s.NetConn(ctx)
			if err == nil {
				_, err = io.ReadFull(c, make([]byte, 100<<10)) // the stream goes on
				c.Close()
			}
			return err
		},
	}
	for name, way := range ways {
		for _, how := range []string{"return", "panic", "Goexit"} {
			t.Run(name+","+how, func(t *testing.T) { streamEnds(t, way, how) })
		}
	}
}

func streamEnds(t *testing.T, way func(s *TLS) error, how string) {
	leaks(t)
	network := simnet.NewStreams(simnet.StreamOptions{})
	app := NewApp(network)
	running(t, app)
	ln, err := Listen(t.Context(), network, "127.0.0.1:0", serverOptions(t))
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	peerSees := make(chan error, 1)
	go func() {
		c, err := ln.Accept()
		if err != nil {
			peerSees <- nil
			return
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(limit))
		for err == nil {
			_, err = c.Write(make([]byte, 64<<10))
		}
		peerSees <- err
	}()
	over := false
	ended := make(chan error, 1)
	_, err = NewTLS(app, TLSClientOptions{Address: "127.0.0.1", Port: ln.Addr().(*net.TCPAddr).Port, TLS: clientOptions(t),
		OnReadable: func(s *TLS, _ int) {
			if over {
				t.Error("OnReadable after the end")
			}
			if !byReader() {
				s.ReadAvailable()
				return
			}
			over = true
			ended <- way(s)
			switch how {
			case "panic":
				panic("on purpose")
			case "Goexit":
				runtime.Goexit()
			}
		},
		OnError: func(_ *TLS, err error) { t.Errorf("OnError: %v", err) }})
	if err != nil {
		t.Fatal(err)
	}
	if err := within(t, "end in a callback", ended); err != nil && !errors.Is(err, ErrNotSupported) {
		t.Error(err)
	}
	if err := within(t, "end at the peer", peerSees); err == nil || isTimeout(err) {
		t.Errorf("the peer sees %v", err)
	}
	done := make(chan struct{})
	app.Post(func() { close(done) }) // the loop lives
	within(t, "turn of the loop", done)
}
