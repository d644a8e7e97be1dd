package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"ingot.dev/internal/testenv"
	"ingot.dev/tlsio"
)

// TestLines: lines come as DataIn, answers as lines, in the order of things.
//
//conform:ipworks startListening works tlsio/server.Server.StartListening
//conform:ipworks event.Connected works tlsio/server.Handler.Connected, tlsio/server.Status
//conform:ipworks event.Disconnected works tlsio/server.Handler.Disconnected
//conform:ipworks DefaultEOL works tlsio/server.Config.EOL
//conform:ipworks sendLine works tlsio/server.Connection.SendLine, tlsio/server.Server.SendLine
func TestLines(t *testing.T) {
	b := newBench(t, Config{EOL: []byte("\r\n")}, Handler{
		DataIn: func(c *Connection, line []byte, eol bool) {
			if _, err := c.SendLine("<" + string(line) + ">"); err != nil {
				t.Error(err)
			}
		},
	}, 0)
	cl := b.dial()
	e := b.next("Connected")
	if code, text := Status(e.err); e.id != "1" || code != 0 || text != "OK" {
		t.Errorf("Connected says %+v", e)
	}
	b.next("ReadyToSend")
	cl.send("one\r\nt")
	if got := cl.line(); got != "<one>" {
		t.Errorf("got %q", got)
	}
	cl.send("wo\r\n\r\n")
	if got := cl.line() + cl.line(); got != "<two><>" {
		t.Errorf("got %q", got)
	}
	for _, want := range []string{"one", "two", ""} {
		if e := b.next("DataIn"); e.text != want || !e.eol || e.id != "1" {
			t.Errorf("got %+v, want %q", e, want)
		}
	}
	cl.send("unfinished")
	cl.Close()
	if e := b.next("DataIn"); e.text != "unfinished" || e.eol {
		t.Errorf("the rest came as %+v", e)
	}
	e = b.next("Disconnected")
	if code, text := Status(e.err); code != 0 || text != "OK" {
		t.Errorf("Disconnected says %+v", e)
	}
	b.quiet()
}

// TestRawData: without EOL data comes as it arrives, and DataIn's EOL is true.
func TestRawData(t *testing.T) {
	b := newBench(t, Config{}, Handler{}, noReady)
	_, cl := b.open()
	data := make([]byte, 300000)
	for i := range data {
		data[i] = byte(rand.Uint32())
	}
	go func() {
		cl.Write(data)
		cl.Close()
	}()
	var got []byte
	for len(got) < len(data) {
		e := b.next("DataIn")
		if !e.eol || e.text == "" {
			t.Fatalf("%d bytes, EOL %v", len(e.text), e.eol)
		}
		got = append(got, e.text...)
	}
	if !bytes.Equal(got, data) {
		t.Error("data was changed")
	}
	b.next("Disconnected")
}

// TestModes: the connection's own settings override the defaults, from within DataIn
// for the next byte.
//
//conform:ipworks DefaultSingleLineMode works tlsio/server.Config.SingleLineMode
//conform:ipworks DefaultMaxLineLength works tlsio/server.Config.MaxLineLength
//conform:ipworks changeRecordLength works tlsio/server.Connection.ChangeRecordLength, tlsio/server.Server.ChangeRecordLength
//conform:ipworks Connection.RecordLength works tlsio/server.Connection.RecordLength
//conform:ipworks Connection.EOL works tlsio/server.Connection.EOL, tlsio/server.Connection.SetEOL
//conform:ipworks Connection.EOLB works tlsio/server.Connection.EOL, tlsio/server.Connection.SetEOL
//conform:ipworks Connection.SingleLineMode works tlsio/server.Connection.SingleLineMode, tlsio/server.Connection.SetSingleLineMode
//conform:ipworks Connection.MaxLineLength works tlsio/server.Connection.MaxLineLength, tlsio/server.Connection.SetMaxLineLength
func TestModes(t *testing.T) {
	b := newBench(t, Config{SingleLineMode: true, EOL: []byte("#"), MaxLineLength: 300}, Handler{
		DataIn: func(c *Connection, data []byte, eol bool) {
			var err error
			switch string(data) {
			case "record 5":
				err = c.ChangeRecordLength(5)
				if c.RecordLength() != 5 {
					t.Error("RecordLength is", c.RecordLength())
				}
			case "\r\n\x00ab":
				err = c.ChangeRecordLength(0)
			case "EOL":
				err = errors.Join(c.SetSingleLineMode(false), c.SetEOL([]byte{0, '!', 0}), c.SetMaxLineLength(256))
			}
			if err != nil {
				t.Error(err)
			}
		},
	}, noReady)
	c, cl := b.open()
	if !c.SingleLineMode() || string(c.EOL()) != "#" || c.MaxLineLength() != 300 || c.RecordLength() != 0 {
		t.Errorf("defaults are %v %q %d %d", c.SingleLineMode(), c.EOL(), c.MaxLineLength(), c.RecordLength())
	}
	long := strings.Repeat("x", 300)
	cl.send("a#b\rc\n" + long + "\nrecord 5\r\n\r\n\x00abEOL\nzzz\nz\x00!\x00" + long + "\x00!\x00")
	for _, want := range []piece{{"a#b", true}, {"c", true}, {long, false}, {"", true}, {"record 5", true}, {"\r\n\x00ab", true},
		{"EOL", true}, {"zzz\nz", true}, {long[:256], false}, {long[256:], true}} {
		if e := b.next("DataIn"); (piece{e.text, e.eol}) != want {
			t.Fatalf("got %+v, want %v", e, want)
		}
	}
	for _, n := range []int{-1, DefaultMaxRecordLength + 1} {
		wantCode(t, c.ChangeRecordLength(n), CodeInvalidArgument)
	}
	for _, n := range []int{-1, 1, 255} {
		wantCode(t, c.SetMaxLineLength(n), CodeInvalidArgument)
	}
	if c.MaxLineLength() != 256 {
		t.Error("a refused length was set")
	}
}

// TestMaxLineLengthBusy: a line that is under way isn't cut differently.
//
//conform:ipworks error.112 works tlsio/server.ErrMaxLineLength
func TestMaxLineLengthBusy(t *testing.T) {
	b := newBench(t, Config{EOL: []byte("\n")}, Handler{}, noReady)
	c, cl := b.open()
	cl.send(strings.Repeat("x", 1000))
	wait(t, "the line is under way", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.framer.Buffered() == 1000
	})
	err := c.SetMaxLineLength(500)
	if wantCode(t, err, 112); !errors.Is(err, ErrMaxLineLength) {
		t.Errorf("%v is not ErrMaxLineLength", err)
	}
	if err := c.SetMaxLineLength(1500); err != nil {
		t.Error(err)
	}
	cl.send("\n")
	if e := b.next("DataIn"); len(e.text) != 1000 || !e.eol {
		t.Errorf("got %d bytes, %v", len(e.text), e.eol)
	}
	if err := c.SetMaxLineLength(500); err != nil {
		t.Error("between lines:", err)
	}
}

// TestRegistry: ids count up and are never used again; methods by id find their
// connection or say 126.
//
//conform:ipworks Connections works tlsio/server.Server.Connections, tlsio/server.Server.Connection
//conform:ipworks disconnect works tlsio/server.Connection.Disconnect, tlsio/server.Server.Disconnect
//conform:ipworks Connection.ConnectionId works tlsio/server.Connection.ID
//conform:ipworks Connection.Connected works tlsio/server.Connection.Connected
//conform:ipworks Connection.LocalAddress works tlsio/server.Connection.LocalAddress
//conform:ipworks Connection.RemoteHost works tlsio/server.Connection.RemoteHost
//conform:ipworks Connection.RemotePort works tlsio/server.Connection.RemotePort
//conform:ipworks Connection.UserData works tlsio/server.Connection.UserData, tlsio/server.Connection.SetUserData
//conform:ipworks Connection.UserDataB works tlsio/server.Connection.UserData, tlsio/server.Connection.SetUserData
//conform:ipworks error.126 works tlsio/server.ErrInvalidConnection
func TestRegistry(t *testing.T) {
	b := newBench(t, Config{}, Handler{}, noReady)
	one, cl := b.open()
	two, _ := b.open()
	if got := fmt.Sprint(ids(b.Connections())); got != "[1 2]" {
		t.Errorf("connections %s", got)
	}
	if !one.Connected() || !two.Connected() {
		t.Error("not connected")
	}
	host, err := one.RemoteHost()
	port, err2 := one.RemotePort()
	if got := fmt.Sprintf("%s:%d", host, port); err != nil || err2 != nil || got != cl.LocalAddr().String() || one.LocalAddress() != "127.0.0.1" {
		t.Errorf("addresses: %s, %s, %v, %v", got, one.LocalAddress(), err, err2)
	}
	one.SetUserData([]byte{1, 0, 2})
	if got, ok := one.UserData().([]byte); !ok || !bytes.Equal(got, []byte{1, 0, 2}) || two.UserData() != nil {
		t.Error("user data", got)
	}
	if err := b.Disconnect("1"); err != nil {
		t.Fatal(err)
	}
	if rest, clean := cl.ended(); rest != "" || !clean {
		t.Errorf("the client got %q, clean %v", rest, clean)
	}
	if e := b.next("Disconnected"); e.id != "1" || e.err != nil {
		t.Errorf("got %+v", e)
	}
	wait(t, "out of the registry", func() bool { return len(b.Connections()) == 1 })
	if one.Connected() {
		t.Error("still connected")
	}
	if _, ok := one.UserData().([]byte); !ok {
		t.Error("user data is gone")
	}
	_, err1 := one.RemoteHost()
	_, err2 = one.RemotePort()
	_, err3 := b.Send("1", []byte("x"))
	_, err4 := one.SendText("x")
	_, err5 := b.Connection("nonsense")
	_, err6 := b.SendFile("77", nil, "")
	_, err7 := b.SendLine("77", "")
	_, err8 := b.SendText("77", "")
	for i, err := range []error{err1, err2, err3, err4, err5, err6, err7, err8, b.Disconnect("1"), b.Interrupt("1"), b.PauseData("1"),
		b.ProcessData("1"), b.ChangeRecordLength("1", 1), one.SetEOL(nil), one.SetSingleLineMode(true), one.SetMaxLineLength(0),
		one.SetTimeout(1), one.SetIdleTimeout(1), b.StartTLS("1")} {
		if wantCode(t, err, 126); !errors.Is(err, ErrInvalidConnection) {
			t.Errorf("%d: %v", i, err)
		}
	}
	three, _ := b.open()
	if three.ID() != "3" {
		t.Errorf("the third is %s", three.ID())
	}
}

// TestListening: what can be read and changed before, while and after listening.
//
//conform:ipworks Listening works tlsio/server.Server.Listening
//conform:ipworks LocalPort works tlsio/server.Config.LocalPort, tlsio/server.Server.LocalPort
//conform:ipworks LocalHost works tlsio/server.Config.LocalHost, tlsio/server.Server.LocalHost
//conform:ipworks stopListening works tlsio/server.Server.StopListening
//conform:ipworks reset works tlsio/server.Server.Reset
//conform:ipworks error.104 works tlsio/server.ErrAlreadyListening
//conform:ipworks error.106 works tlsio/server.ErrLocalPort
//conform:ipworks error.107 works tlsio/server.ErrLocalHost
//conform:ipworks error.108 works tlsio/server.ErrMaxConnections
func TestListening(t *testing.T) {
	b := prepare(t, Config{LocalHost: "127.0.0.1"}, Handler{}, noReady)
	if b.Listening() || b.LocalPort() != 0 || b.Addr() != nil {
		t.Error("listens before StartListening")
	}
	if err := b.StopListening(); err != nil {
		t.Error(err)
	}
	if err := b.StartListening(within(t)); err != nil {
		t.Fatal(err)
	}
	port := b.LocalPort()
	if !b.Listening() || port == 0 || b.LocalHost() != "127.0.0.1" {
		t.Errorf("Listening %v, port %d, host %q", b.Listening(), port, b.LocalHost())
	}
	if err := b.StartListening(within(t)); !errors.Is(err, ErrAlreadyListening) {
		t.Error(err)
	}
	for _, tt := range []struct {
		change func(*Config)
		want   *Error
		code   Code
	}{
		{func(c *Config) { c.LocalPort = 4 }, ErrLocalPort, 106},
		{func(c *Config) { c.LocalHost = "127.0.0.2" }, ErrLocalHost, 107},
		{func(c *Config) { c.MaxConnections = 4 }, ErrMaxConnections, 108},
	} {
		err := b.Configure(tt.change)
		if wantCode(t, err, tt.code); !errors.Is(err, tt.want) {
			t.Errorf("%v is not %v", err, tt.want)
		}
	}
	if got := b.Config(); got.LocalPort != 0 || got.LocalHost != "127.0.0.1" || got.MaxConnections != DefaultMaxConnections {
		t.Errorf("refused changes were made: %+v", got)
	}

	old, oldClient := b.open()
	if err := b.Configure(func(c *Config) { c.EOL = []byte("|") }); err != nil {
		t.Fatal(err)
	}
	young, _ := b.open()
	if string(old.EOL()) != "" || string(young.EOL()) != "|" {
		t.Errorf("EOL %q and %q: changes are for new connections", old.EOL(), young.EOL())
	}

	if err := b.StopListening(); err != nil {
		t.Fatal(err)
	}
	if b.Listening() {
		t.Error("still listening")
	}
	if conn, err := testNetwork(t).DialContext(within(t), "tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
		conn.Close()
		t.Error("connected to a server that doesn't listen")
	}
	oldClient.send("still here")
	if e := b.next("DataIn"); e.text != "still here" {
		t.Errorf("got %+v", e)
	}
	if err := b.Configure(func(c *Config) { c.LocalPort = port; c.MaxConnections = 5 }); err != nil {
		t.Error("not listening:", err)
	}
	if err := b.StartListening(within(t)); err != nil {
		t.Fatal(err)
	}
	if b.LocalPort() != port {
		t.Errorf("port %d, want %d", b.LocalPort(), port)
	}
	if err := b.Reset(); err != nil {
		t.Fatal(err)
	}
	if got := b.Config(); b.Listening() || got.LocalPort != 0 || len(got.EOL) != 0 || got.MaxConnections != DefaultMaxConnections || got.LocalHost != "" {
		t.Errorf("after Reset: %v %+v", b.Listening(), got)
	}
	for range 2 {
		if e := b.skipTo("Disconnected"); !errors.Is(e.err, ErrClosed) {
			t.Errorf("Reset disconnects with %v", e.err)
		}
	}
}

// TestPortInUse: an error of the network has its Winsock number.
//
//conform:ipworks config.BindExclusively differs tlsio/server.Config.LocalPort -- ports are never shared: False is refused
func TestPortInUse(t *testing.T) {
	b := newBench(t, Config{LocalHost: "127.0.0.1"}, Handler{}, 0)
	other := prepare(t, Config{LocalHost: "127.0.0.1", LocalPort: b.LocalPort()}, Handler{}, 0)
	if err := other.StartListening(within(t)); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("got %v", err)
	}
	if other.Listening() {
		t.Error("listens all the same")
	}
}

// TestOptionsRefused: everything that is wrong comes at once, named, before
// anything is made.
func TestOptionsRefused(t *testing.T) {
	_, err := New(tlsio.HostNetwork{}, Config{
		LocalHost: "localhost", LocalPort: 70000, UseIPv6: 3, ConnectionBacklog: -1, MaxConnections: MostConnections + 1,
		AllowedClients: []string{"example.org"}, BlockedClients: []string{"10.0.0.0/40", "fe80::1%eth0"},
		EOL: make([]byte, 257), MaxLineLength: 255, MaxRecordLength: -1, IdleTimeout: -1, Timeout: -1, KeepAliveTime: -1,
		KeepAliveInterval: -1, LingerTimeout: -1, InBufferSize: -1, OutBufferSize: 1 << 30, SendQueue: 511, StartMode: 4,
		PlaintextPort: 70000, HandshakeInactivity: -1,
		TLS: tlsio.TLSOptions{MaxConnections: 1, MaxHandshakes: -1, Budget: tlsio.NewBudget(1), OnRefused: func(net.Addr, error) {}},
	}, Handler{})
	wantCode(t, err, CodeInvalidArgument)
	var got []string
	for _, o := range testenv.AllErrors[*tlsio.OptionError](err) {
		got = append(got, o.Option)
		if o.Fix == "" {
			t.Errorf("%v has no fix", o)
		}
	}
	got = strings.Fields(strings.Join(got, " "))
	slices.Sort(got)
	want := strings.Fields(`AllowedClients BlockedClients BlockedClients ConnectionBacklog EOL HandshakeInactivity IdleTimeout InBufferSize
		KeepAliveInterval KeepAliveTime LingerTimeout LocalHost LocalPort MaxConnections MaxLineLength MaxRecordLength OutBufferSize
		PlaintextPort PlaintextPort SendQueue StartMode TLS.Admit, TLS.Budget TLS.MaxConnections TLS.MaxHandshakes TLS.OnRefused Timeout UseIPv6`)
	if !slices.Equal(got, want) {
		t.Errorf("refused %q\nwant    %q", got, want)
	}
	if _, err := New(nil, Config{}, Handler{}); err == nil {
		t.Error("no network")
	}
	for _, c := range []Config{{LocalHost: "::1"}, {LocalHost: "127.0.0.1", UseIPv6: IPv6Only}} {
		if _, err := New(tlsio.HostNetwork{}, c, Handler{}); err == nil {
			t.Errorf("%s with UseIPv6 %d", c.LocalHost, c.UseIPv6)
		}
	}
}

// TestZeroConfig: the reference's defaults.
//
//conform:ipworks ConnectionBacklog works tlsio/server.Config.ConnectionBacklog
func TestZeroConfig(t *testing.T) {
	b := newBench(t, Config{}, Handler{}, noReady)
	got := b.Config()
	if got.ConnectionBacklog != 5 || got.MaxConnections != 1000 || got.MaxLineLength != 2048 || len(got.EOL) != 0 || got.IdleTimeout != 0 ||
		got.SingleLineMode || got.Timeout != 0 || got.KeepAlive || got.NoLinger || got.StartMode != StartNone || got.NoDelay || got.UseIPv6 != IPv4Only ||
		got.AuthenticateClients {
		t.Errorf("defaults: %+v", got)
	}
	c, cl := b.open()
	if !c.AcceptData() || !c.ReadyToSend() || c.BytesSent() != 0 {
		t.Error("AcceptData, ReadyToSend, BytesSent are", c.AcceptData(), c.ReadyToSend(), c.BytesSent())
	}
	cl.send("hello")
	if e := b.next("DataIn"); e.text != "hello" || !e.eol {
		t.Errorf("got %+v", e)
	}
}

// TestShutdown disconnects everybody, what was sent before is received, and nothing
// is left.
//
//conform:ipworks shutdown works tlsio/server.Server.Shutdown
func TestShutdown(t *testing.T) {
	b := newBench(t, Config{}, Handler{}, noReady)
	var clients []*client
	for range 10 {
		c, cl := b.open()
		clients = append(clients, cl)
		if _, err := c.SendText(strings.Repeat("bye ", 3000)); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Shutdown(within(t)); err != nil {
		t.Fatal(err)
	}
	for _, cl := range clients {
		if rest, clean := cl.ended(); rest != strings.Repeat("bye ", 3000) || !clean {
			t.Errorf("got %d bytes, clean %v", len(rest), clean)
		}
		if e := b.next("Disconnected"); e.err != nil {
			t.Errorf("got %+v", e)
		}
	}
	if b.Listening() || len(b.Connections()) != 0 || b.Statistics().Open != 0 || b.Statistics().Accepted != 10 {
		t.Errorf("left: %+v", b.Statistics())
	}
	if err := b.StartListening(within(t)); err != nil {
		t.Errorf("again: %v", err)
	}
}

// TestShutdownDeadline: whoever doesn't read is broken off when the time is over.
func TestShutdownDeadline(t *testing.T) {
	b := newBench(t, Config{SendQueue: 1 << 20, OutBufferSize: 4096, LingerTimeout: time.Hour}, Handler{}, noReady)
	c, _ := b.open()
	fill(t, c)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	err := b.Shutdown(ctx)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	b.skipTo("Disconnected")
	wait(t, "nothing left", func() bool { return b.Statistics().Open == 0 })
}
