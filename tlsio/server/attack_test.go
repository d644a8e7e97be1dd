package server

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
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

// TestGoexit: an event that ends its goroutine, as testing.T.FailNow does, ends its
// connection like one that panics, and nothing else: what follows is told, nothing is
// left, and others are served.
func TestGoexit(t *testing.T) {
	for _, where := range []string{"ConnectionRequest", "TLSStatus", "TLSConnectionRequest", "ClientAuthentication", "Connected", "ReadyToSend", "DataIn", "Disconnected", "Error"} {
		t.Run(where, func(t *testing.T) {
			var victim atomic.Bool // the next event of this kind ends its goroutine
			exit := func(kind string) {
				if kind == where && victim.CompareAndSwap(true, false) {
					runtime.Goexit()
				}
			}
			o := serverTLS(t)
			o.CA = [][]byte{testPKI(t).ca.DER()}
			b := newBench(t, Config{EOL: []byte("\n"), StartMode: StartImplicit, AuthenticateClients: true, TLS: o}, Handler{
				ConnectionRequest:    func(*ConnectionRequest) { exit("ConnectionRequest") },
				TLSStatus:            func(*Connection, string) { exit("TLSStatus") },
				TLSConnectionRequest: func(*Connection, *TLSConnectionRequest) { exit("TLSConnectionRequest") },
				ClientAuthentication: func(*Connection, *ClientAuthentication) { exit("ClientAuthentication") },
				Connected:            func(*Connection, error) { exit("Connected") },
				ReadyToSend:          func(*Connection) { exit("ReadyToSend") },
				DataIn: func(c *Connection, line []byte, _ bool) {
					exit("DataIn")
					if string(line) == "panic" {
						panic("on purpose")
					}
					c.SendLine("you said " + string(line))
				},
				Disconnected: func(*Connection, error) { exit("Disconnected") },
				Error:        func(*Connection, error) { exit("Error") },
			}, 0)
			client := clientTLS(t, testPKI(t).client)
			other := b.dialTLS(client)
			otherID := b.skipTo("Connected").id
			serves := func() {
				t.Helper()
				other.send("hello\n")
				if line := other.line(); line != "you said hello" {
					t.Errorf("the other one got %q", line)
				}
			}
			serves() // its first events are over
			victim.Store(true)
			raw, err := testNetwork(t).DialContext(within(t), "tcp", b.address())
			if err != nil { // reset already
				raw, _ = net.Pipe()
				raw.Close()
			}
			bad := newClient(t, raw)
			secured := tls.Client(bad, client)
			if secured.Handshake() == nil {
				switch where {
				case "DataIn":
					io.WriteString(secured, "a line\nanother\n")
				case "Error":
					io.WriteString(secured, "panic\n")
				case "Disconnected":
					secured.Close()
				}
			}
			if _, err := io.Copy(io.Discard, bad); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error("the connection stays open")
			}
			wait(t, "only the other one is there", func() bool { return len(b.Connections()) == 1 && b.Statistics().Open == 1 })
			if victim.Load() {
				t.Error("the event didn't come")
			}
			serves()
			other.Close()
			if err := b.Shutdown(within(t)); err != nil {
				t.Error(err)
			}
			// What was told of the one.
			connected, disconnected := map[string]int{}, map[string]int{}
			failed := false
			for len(b.events) > 0 {
				switch e := <-b.events; {
				case e.id == otherID:
				case e.kind == "Connected" && e.err == nil:
					connected[e.id]++
				case e.kind == "Connected" && !errors.Is(e.err, ErrPanic):
					t.Errorf("Connected: %v", e.err)
				case e.kind == "Disconnected":
					disconnected[e.id]++
				case e.kind == "Error":
					failed = true
					if !errors.Is(e.err, ErrPanic) || where != "Error" && !strings.Contains(e.err.Error(), where+" called runtime.Goexit") {
						t.Errorf("Error: %v", e.err)
					}
				}
			}
			if !failed {
				t.Error("no Error")
			}
			for id, n := range connected {
				if n != 1 || disconnected[id] != 1 {
					t.Errorf("%d Connected, %d Disconnected", n, disconnected[id])
				}
			}
			if len(disconnected) > len(connected) {
				t.Errorf("Disconnected without Connected")
			}
		})
	}
}

// TestFileWithoutEnd: a file that gives nothing, and no error, isn't read for ever.
func TestFileWithoutEnd(t *testing.T) {
	b := newBench(t, Config{}, Handler{}, noReady)
	c, cl := b.open()
	for _, before := range []int{0, 5} {
		n, err := c.SendFile(endless{before}, "x")
		if !errors.Is(err, io.ErrNoProgress) || n != int64(before) {
			t.Errorf("%d bytes, %v", n, err)
		}
	}
	if got := cl.read(5); got != "-----" {
		t.Errorf("%q", got)
	}
	if n, err := c.SendText("still here"); n != 10 || err != nil || cl.read(10) != "still here" {
		t.Error(n, err)
	}
}

// endless has files of some bytes, with many reads of nothing before and no end behind
// them.
type endless struct{ bytes int }

func (e endless) Open(string) (fs.File, error) { return &endlessFile{e.bytes, 0}, nil }

type endlessFile struct{ left, reads int }

func (f *endlessFile) Read(p []byte) (int, error) {
	if f.reads++; f.left == 0 || f.reads%mostIdle != 0 {
		return 0, nil
	}
	f.left--
	p[0] = '-'
	return 1, nil
}
func (f *endlessFile) Stat() (fs.FileInfo, error) { return nil, fs.ErrInvalid }
func (f *endlessFile) Close() error               { return nil }

// TestAdmitPanics: a panic in Config.Admit refuses the peer, is told as an Error, and
// harms nobody else.
func TestAdmitPanics(t *testing.T) {
	var armed atomic.Bool
	armed.Store(true)
	b := newBench(t, Config{Admit: func(netip.AddrPort) error {
		if armed.CompareAndSwap(true, false) {
			panic("on purpose")
		}
		return nil
	}}, Handler{}, noReady)
	if conn, err := testNetwork(t).DialContext(within(t), "tcp", b.address()); err == nil {
		newClient(t, conn)
	}
	if e := b.skipTo("Error"); !errors.Is(e.err, ErrPanic) || !strings.Contains(e.err.Error(), "Admit panicked: on purpose") {
		t.Errorf("%v", e.err)
	}
	_, cl := b.open()
	cl.send("x")
	b.next("DataIn")
}
