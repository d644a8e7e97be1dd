package server

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"ingot.dev/tlsio"
)

// brokenFile panics when it is read.
type brokenFile struct{ fs.File }

func (brokenFile) Read([]byte) (int, error) { panic("the flash is gone") }

type brokenFiles struct{ fs.FS }

func (b brokenFiles) Open(name string) (fs.File, error) {
	f, err := b.FS.Open(name)
	return brokenFile{f}, err
}

// TestFilePanics: a file that panics is an event's panic like any other, and other
// sends aren't held up by it for ever.
func TestFilePanics(t *testing.T) {
	files := brokenFiles{fstest.MapFS{"x": {Data: []byte("x")}}}
	b := newBench(t, Config{EOL: []byte("\n")}, Handler{
		DataIn: func(c *Connection, line []byte, eol bool) { c.SendFile(files, "x") },
	}, noReady)
	c, cl := b.open()
	func() {
		defer func() {
			if v := recover(); v != "the flash is gone" {
				t.Error("recovered", v)
			}
		}()
		c.SendFile(files, "x")
	}()
	if n, err := c.SendText("still here"); n != 10 || err != nil || cl.read(10) != "still here" {
		t.Error(n, err)
	}
	cl.send("\n")
	b.skipTo("Error")
	if e := b.next("Disconnected"); !errors.Is(e.err, ErrPanic) {
		t.Error(e.err)
	}
}

// TestPausedAtTheEnd: PauseData holds the rest of an unfinished line back too, and
// the end behind it.
func TestPausedAtTheEnd(t *testing.T) {
	b := newBench(t, Config{EOL: []byte("\n")}, Handler{}, noReady)
	for _, on := range []string{"ProcessData", "Disconnect"} {
		c, cl := b.open()
		cl.send("unfinished")
		wait(t, "the line is under way", func() bool {
			c.mu.Lock()
			defer c.mu.Unlock()
			return c.framer.Buffered() > 0
		})
		c.PauseData()
		cl.Conn.(interface{ CloseWrite() error }).CloseWrite()
		b.quiet()
		if on == "Disconnect" {
			c.Disconnect()
		} else {
			c.ProcessData()
			if e := b.next("DataIn"); e.text != "unfinished" || e.eol {
				t.Errorf("%+v", e)
			}
		}
		if e := b.next("Disconnected"); e.err != nil {
			t.Error(e.err)
		}
	}
}

// TestSettingsOutsideEvents: what has arrived is cut by new settings at once, not
// only when more arrives.
func TestSettingsOutsideEvents(t *testing.T) {
	for _, secure := range []bool{false, true} {
		config := Config{EOL: []byte("\n")}
		if secure {
			config.StartMode, config.TLS = StartImplicit, serverTLS(t)
		}
		b := newBench(t, config, Handler{}, noReady|noStatus)
		var cl *client
		if secure {
			cl = b.dialTLS(clientTLS(t))
		} else {
			cl = b.dial()
		}
		c := b.opened()
		arrived := func(n int) {
			t.Helper()
			wait(t, "it has arrived", func() bool {
				c.mu.Lock()
				defer c.mu.Unlock()
				return c.framer.Buffered() == n && !c.feeding
			})
		}
		next := func(want string) {
			t.Helper()
			if e := b.next("DataIn"); e.text != want {
				t.Fatalf("got %+v, want %q", e, want)
			}
		}
		cl.send("abcdefg")
		arrived(7)
		c.ChangeRecordLength(3)
		next("abc")
		next("def")
		arrived(1)
		cl.send("h;i")
		next("gh;")
		arrived(1)
		c.ChangeRecordLength(0)
		cl.send("j;k")
		arrived(4)
		c.SetEOL([]byte(";"))
		next("ij")
		arrived(1)
		cl.send("\rl")
		arrived(3)
		c.SetSingleLineMode(true)
		next("k")
		arrived(1)
		c.SetSingleLineMode(false)
		c.SetEOL(nil)
		next("l")
		cl.send("m")
		next("m")
		c.Disconnect()
		b.next("Disconnected")
	}
}

// TestMaxLineLengthOfPipeline: it is an unfinished line that keeps MaxLineLength as
// it is, not lines that wait behind one another.
func TestMaxLineLengthOfPipeline(t *testing.T) {
	errs := make(chan error, 1)
	b := newBench(t, Config{EOL: []byte("\n")}, Handler{
		DataIn: func(c *Connection, line []byte, eol bool) {
			if string(line) == "shorter" {
				errs <- c.SetMaxLineLength(256)
			}
		},
	}, noReady)
	_, cl := b.open()
	cl.send("shorter\n" + strings.Repeat("line\n", 100))
	if err := <-errs; err != nil {
		t.Error(err)
	}
	cl.send("shorter\n" + strings.Repeat("x", 300))
	select {
	case err := <-errs:
		if !errors.Is(err, ErrMaxLineLength) {
			t.Log("the line came later:", err)
		}
	case <-time.After(limit):
		t.Fatal("no DataIn")
	}
}

// TestLoopThatStops: while the program doesn't step, clients that come and go don't
// pile up above MaxConnections.
func TestLoopThatStops(t *testing.T) {
	var l Loop
	const most = 4
	gone := 0
	network := testNetwork(t)
	s, err := New(network, Config{MaxConnections: most, Post: l.Post}, Handler{
		Disconnected: func(c *Connection, err error) { gone++ },
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.StartListening(within(t)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	address := (&bench{t: t, Server: s}).address()
	for range 5 * most {
		conn, err := network.DialContext(within(t), "tcp", address)
		if err != nil {
			continue // reset before it noticed
		}
		conn.(interface{ CloseWrite() error }).CloseWrite()
		io.Copy(io.Discard, conn)
		conn.Close()
	}
	if n := len(s.Connections()); n > most {
		t.Errorf("%d connections", n)
	}
	if st := s.Statistics(); st.Open > most || st.Accepted > most || st.Full == 0 {
		t.Errorf("%+v", st)
	}
	stepping, stop := context.WithCancel(within(t))
	go func() {
		defer stop()
		if err := s.Shutdown(within(t)); err != nil {
			t.Error(err)
		}
	}()
	for stepping.Err() == nil {
		l.DoEvents(stepping)
	}
	if st := s.Statistics(); st.Open != 0 || gone == 0 || uint64(gone) != st.Accepted {
		t.Errorf("%d gone, %+v", gone, st)
	}
}

// deadlines is a network whose first accepted connection tells of the deadlines of its
// reads, and sets those in the past only when goOn is closed.
type deadlines struct {
	tlsio.Network
	set  chan time.Time
	goOn chan struct{}
}

func (d *deadlines) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	ln, err := d.Network.Listen(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &deadlinesListener{ln, d}, nil
}

type deadlinesListener struct {
	net.Listener
	d *deadlines
}

func (l *deadlinesListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	return &deadlinesConn{conn, l.d}, err
}

type deadlinesConn struct {
	net.Conn
	d *deadlines
}

func (c *deadlinesConn) CloseWrite() error {
	return c.Conn.(interface{ CloseWrite() error }).CloseWrite()
}

func (c *deadlinesConn) SetReadDeadline(end time.Time) error {
	if end.Before(time.Now()) {
		<-c.d.goOn
	}
	c.d.set <- end
	return c.Conn.SetReadDeadline(end)
}

// TestDisconnectWhileReading: Disconnect's waking of the reader doesn't come after the
// reader has noticed by itself, where it would cut short the wait for the client's
// end: closing with bytes unread resets the connection, and the client loses what was
// sent to it.
func TestDisconnectWhileReading(t *testing.T) {
	d := &deadlines{testNetwork(t), make(chan time.Time, 100), make(chan struct{})}
	b := newBenchOn(t, d, Config{}, Handler{}, noReady)
	c, cl := b.open()
	done := make(chan struct{})
	go func() { defer close(done); c.Disconnect() }()
	wait(t, "Disconnect", func() bool {
		if !c.mu.TryLock() {
			return true // it is at it
		}
		defer c.mu.Unlock()
		return c.phase == phaseClosing
	})
	cl.send("something to notice it by")
	var set []time.Time
	select {
	case end := <-d.set:
		set = append(set, end)
	case <-time.After(50 * time.Millisecond):
	}
	close(d.goOn)
	<-done
	cl.Close()
	b.next("Disconnected")
	wait(t, "the connection is closed", func() bool { return b.Statistics().Open == 0 })
	for len(d.set) > 0 {
		set = append(set, <-d.set)
	}
	if last := set[len(set)-1]; last.Before(time.Now().Add(-time.Hour)) {
		t.Error("the last deadline is the one that wakes:", set)
	}
}

// TestLoopWithoutConnected: who never was told of a connection isn't told of its end.
func TestLoopWithoutConnected(t *testing.T) {
	var l Loop
	var events []string
	s, err := New(testNetwork(t), Config{Post: l.Post}, Handler{
		Connected:    func(c *Connection, err error) { events = append(events, "Connected") },
		Disconnected: func(c *Connection, err error) { events = append(events, "Disconnected") },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if err := s.StartListening(within(t)); err != nil {
		t.Fatal(err)
	}
	(&bench{t: t, Server: s}).dial()
	wait(t, "Connected is under way", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return len(l.queue) > 0
	})
	s.Close() // breaks off
	stepping, stop := context.WithCancel(within(t))
	// Not before the connection has given up.
	wait(t, "the goroutines' end", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.running == 0
	})
	go func() {
		defer stop()
		if err := s.Shutdown(within(t)); err != nil {
			t.Error(err)
		}
	}()
	for stepping.Err() == nil {
		l.DoEvents(stepping)
	}
	if len(events) != 0 {
		t.Errorf("events: %v", events)
	}
}
