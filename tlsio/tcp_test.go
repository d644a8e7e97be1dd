package tlsio

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"
)

// The tests of this file are named after the rows and rules of ECMA-419, sections
// 8, 9, 10.12 and 10.13.

//conform:ecma-419 TCP works tlsio.TCP, tlsio.NewTCP, tlsio.TCPOptions
//conform:ecma-419 option.address works tlsio.TCPOptions.Address, tlsio.TLSClientOptions.Address
//conform:ecma-419 option.port differs tlsio.TCPOptions.Port, tlsio.TLSClientOptions.Port -- 0 is refused: no peer has it
//conform:ecma-419 TLS.new works tlsio.NewTCP, tlsio.NewTLS
func TestTCPOptionsValidatedFirst(t *testing.T) { // 8.2: all of them, before anything is allocated
	network := newTap(t)
	app := NewApp(network)
	closed := &TCP{}
	var none *TCP
	tests := []struct {
		name string
		app  *App
		o    TCPOptions
		want []string
	}{
		{"all wrong", nil, TCPOptions{Address: "example.com", Port: 65536, KeepAlive: -1, Format: "text"},
			[]string{"app", "Format", "KeepAlive", "Address", "Port"}},
		{"absent", app, TCPOptions{}, []string{"Address", "Port"}},
		{"negative port", app, TCPOptions{Address: "::1", Port: -1}, []string{"Port"}},
		{"no network", NewApp(nil), TCPOptions{Address: "::1", Port: 1}, []string{"app"}},
		{"short keep-alive", app, TCPOptions{Address: "::1", Port: 1, KeepAlive: time.Microsecond}, []string{"KeepAlive"}},
		{"from nil pointer", app, TCPOptions{From: none}, []string{"From"}},
		{"from closed", app, TCPOptions{From: closed}, []string{"From"}},
		{"from TLS", app, TCPOptions{From: &TLS{}}, []string{"From"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := runtime.NumGoroutine()
			sock, err := NewTCP(tt.app, tt.o)
			if sock != nil {
				t.Error("an instance in spite of the error")
			}
			wantOption(t, err, tt.want...)
			if runtime.NumGoroutine() > before || network.dials.Load() != 0 {
				t.Error("something was started")
			}
		})
	}
}

//conform:ecma-419 rule.ipv6 works tlsio.TCP.RemoteAddress, tlsio.TCPOptions.Address
//conform:ecma-419 remoteAddress works tlsio.TCP.RemoteAddress
//conform:ecma-419 remotePort works tlsio.TCP.RemotePort
func TestTCPAddressIsIP(t *testing.T) { // address: lenient in, 419 form out
	r := newRig(t)
	ln, err := testNetwork(t).Listen(timeout(t), "tcp6", "[::1]:0")
	if err != nil {
		t.Skipf("no IPv6 on this machine: %v", err)
	}
	defer ln.Close()
	port := ln.Addr().(*net.TCPAddr).Port
	sock, err := NewTCP(r.app, r.tcp(TCPOptions{Address: "0000:0000:0000:0000:0000:0000:0000:0001", Port: port}))
	if err != nil {
		t.Fatal(err)
	}
	defer sock.Close()
	r.next("writable")
	if a, err := sock.RemoteAddress(); a != "0000:0000:0000:0000:0000:0000:0000:0001" || err != nil {
		t.Errorf("RemoteAddress = %q, %v", a, err)
	}
	if p, err := sock.RemotePort(); p != port || err != nil {
		t.Errorf("RemotePort = %d, %v", p, err)
	}
}

func TestTCPRemoteAddressUndefinedBeforeConnect(t *testing.T) {
	r := newRigOn(t, &slow{testNetwork(t), make(chan struct{})})
	sock, err := NewTCP(r.app, r.tcp(TCPOptions{Address: "127.0.0.1", Port: 9}))
	if err != nil {
		t.Fatal(err)
	}
	a, err1 := sock.RemoteAddress()
	p, err2 := sock.RemotePort()
	if a != "" || p != 0 || err1 != nil || err2 != nil {
		t.Errorf("got %q %v, %d %v", a, err1, p, err2)
	}
	sock.Close()
}

// slow is a network whose dials wait for go.
type slow struct {
	Network
	ready chan struct{}
}

func (s *slow) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	select {
	case <-s.ready:
		return s.Network.DialContext(ctx, network, address)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

//conform:ecma-419 option.noDelay works tlsio.TCPOptions.NoDelay
//conform:ecma-419 option.keepAlive works tlsio.TCPOptions.KeepAlive
func TestTCPNoDelayAndKeepAlive(t *testing.T) {
	for _, tt := range []struct {
		o       TCPOptions
		noDelay int32
	}{
		{TCPOptions{}, 1}, // default false: Nagle on
		{TCPOptions{NoDelay: true, KeepAlive: 90 * time.Second}, 2},
	} {
		t.Run(tt.o.KeepAlive.String(), func(t *testing.T) {
			network := newTap(t)
			r := newRigOn(t, network)
			r.tcpPair(tt.o)
			c := network.last.Load()
			if got := c.noDelay.Load(); got != tt.noDelay {
				t.Errorf("NoDelay: %v gave %d", tt.o.NoDelay, got)
			}
			if k := c.keepAlive.Load(); k == nil || k.Enable != (tt.o.KeepAlive != 0) || k.Interval != tt.o.KeepAlive {
				t.Errorf("KeepAlive %v gave %+v", tt.o.KeepAlive, k)
			}
		})
	}
}

//conform:ecma-419 option.target works tlsio.TCPOptions.Target
//conform:ecma-419 target works tlsio.TCP.Target, tlsio.TCP.SetTarget
//conform:ecma-419 rule.8.4 works tlsio.TCP.Target
func TestTCPTarget(t *testing.T) { // 8.4
	r := newRig(t)
	ln, address, port := local(t)
	seen := make(chan any, 1)
	sock, err := NewTCP(r.app, TCPOptions{Address: address, Port: port, Target: "mine",
		OnWritable: func(t *TCP, _ int) { seen <- t.Target() }})
	if err != nil {
		t.Fatal(err)
	}
	defer sock.Close()
	if sock.Target() != "mine" {
		t.Error("not visible after construction")
	}
	accept(t, ln)
	if got := <-seen; got != "mine" {
		t.Errorf("callback saw %v", got)
	}
	sock.SetTarget(5)
	if sock.Target() != 5 {
		t.Error("not writable")
	}
}

//conform:ecma-419 option.onWritable works tlsio.TCPOptions.OnWritable
//conform:ecma-419 rule.9.5 works tlsio.TCP.Write, tlsio.ErrNotConnected
//conform:ecma-419 rule.9.4 works tlsio.TCP.ReadAvailable
//conform:ecma-419 rule.10.12.4 works tlsio.TCPOptions.OnWritable
func TestTCPFirstOnWritableMeansConnected(t *testing.T) { // 10.12.4, 9.5
	network := &slow{testNetwork(t), make(chan struct{})}
	r := newRigOn(t, network)
	ln, address, port := local(t)
	sock, err := NewTCP(r.app, r.tcp(TCPOptions{Address: address, Port: port}))
	if err != nil {
		t.Fatal(err)
	}
	defer sock.Close()
	if _, err := sock.Write([]byte("x")); !errors.Is(err, ErrNotConnected) {
		t.Errorf("Write before the connection: %v", err)
	}
	if p, err := sock.ReadAvailable(); p != nil || err != nil {
		t.Errorf("Read before the connection: %v, %v", p, err)
	}
	r.quiet()
	close(network.ready)
	peer := accept(t, ln)
	if c := r.next("writable"); c.n != bufferSize || c.who != sock {
		t.Errorf("OnWritable(%d)", c.n)
	}
	r.do(func() {
		if n, err := sock.Write([]byte("hello")); n != bufferSize-5 || err != nil {
			t.Errorf("Write = %d, %v", n, err)
		}
	})
	if got := string(readAll(t, peer, 5)); got != "hello" {
		t.Errorf("peer got %q", got)
	}
	if c := r.next("writable"); c.n != bufferSize {
		t.Errorf("after sending, OnWritable(%d)", c.n)
	}
}

//conform:ecma-419 read works tlsio.TCP.ReadAvailable
//conform:ecma-419 read.byteLength works tlsio.TCP.Read
//conform:ecma-419 read.buffer works tlsio.TCP.ReadInto
//conform:ecma-419 rule.9.4 works tlsio.TCP.Read
func TestTCPReadForms(t *testing.T) { // 9.4, A.7.3
	r := newRig(t)
	sock, peer := r.tcpPair(TCPOptions{})
	peer.Write([]byte("abcdefghijkl"))
	wait(t, "12 bytes arrive", func() bool { return r.available(sock) == 12 })
	r.do(func() {
		if p, err := sock.Read(3); string(p) != "abc" || err != nil {
			t.Errorf("Read(3) = %q, %v", p, err)
		}
		buf := make([]byte, 4)
		if n, err := sock.ReadInto(buf); n != 4 || string(buf) != "defg" || err != nil {
			t.Errorf("ReadInto = %d %q, %v", n, buf, err)
		}
		for _, n := range []int{0, -1} {
			if _, err := sock.Read(n); err == nil {
				t.Errorf("Read(%d) succeeded", n)
			}
		}
		if p, err := sock.Read(100); string(p) != "hijkl" || err != nil {
			t.Errorf("Read of more than available = %q, %v", p, err)
		}
		if p, err := sock.Read(1); p != nil || err != nil {
			t.Errorf("Read of nothing = %q, %v", p, err)
		}
		if p, err := sock.ReadAvailable(); p != nil || err != nil {
			t.Errorf("ReadAvailable of nothing = %q, %v", p, err)
		}
		if n, err := sock.ReadInto(buf); n != 0 || err != nil {
			t.Errorf("ReadInto of nothing = %d, %v", n, err)
		}
	})
}

func (r *rig) available(s Socket) int {
	l := s.socket().link.Load()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.in.n
}

//conform:ecma-419 option.format works tlsio.TCPOptions.Format, tlsio.FormatBuffer, tlsio.FormatNumber
//conform:ecma-419 format works tlsio.TCP.Format, tlsio.TCP.SetFormat
//conform:ecma-419 read.number works tlsio.TCP.ReadNumber
//conform:ecma-419 write.number works tlsio.TCP.WriteNumber
//conform:ecma-419 rule.9.6 works tlsio.TCP.SetFormat
func TestTCPFormat(t *testing.T) { // 9.6
	r := newRig(t)
	sock, peer := r.tcpPair(TCPOptions{})
	peer.Write([]byte("12345678\xff"))
	wait(t, "9 bytes arrive", func() bool { return r.available(sock) == 9 })
	r.do(func() {
		if f, _ := sock.Format(); f != FormatBuffer {
			t.Errorf("default format %q", f)
		}
		if _, err := sock.ReadNumber(); !errors.Is(err, ErrFormat) {
			t.Errorf("ReadNumber in buffer format: %v", err)
		}
		if p, _ := sock.Read(8); string(p) != "12345678" {
			t.Errorf("Read(8) = %q", p)
		}
		wantOption(t, sock.SetFormat("text"), "Format")
		wantOption(t, sock.SetFormat(""), "Format")
		if f, _ := sock.Format(); f != FormatBuffer {
			t.Error("a refused format changed the format")
		}
		if err := sock.SetFormat(FormatNumber); err != nil {
			t.Error(err)
		}
		if n, err := sock.ReadNumber(); n != 255 || err != nil {
			t.Errorf("ReadNumber = %d, %v", n, err)
		}
		if n, err := sock.ReadNumber(); n != -1 || err != nil {
			t.Errorf("ReadNumber of nothing = %d, %v", n, err)
		}
		for _, err := range []error{second(sock.Read(1)), second(sock.ReadAvailable()), second(sock.ReadInto(nil)), second(sock.Write([]byte{1}))} {
			if !errors.Is(err, ErrFormat) {
				t.Errorf("buffer call in number format: %v", err)
			}
		}
		if n, err := sock.WriteNumber(7); n != bufferSize-1 || err != nil {
			t.Errorf("WriteNumber = %d, %v", n, err)
		}
	})
	if p := readAll(t, peer, 1); p[0] != 7 {
		t.Errorf("peer got %v", p)
	}
}

func second[T any](_ T, err error) error { return err }

//conform:ecma-419 write works tlsio.TCP.Write, tlsio.ErrOverflow
//conform:ecma-419 TCP.write works tlsio.TCP.Write
//conform:ecma-419 rule.9.5 works tlsio.TCP.Write, tlsio.ErrOverflow
func TestTCPWriteAllOrNothing(t *testing.T) { // 9.5, A.7.4
	r := newRig(t)
	sock, peer := r.tcpPair(TCPOptions{})
	r.do(func() {
		if n, err := sock.Write(make([]byte, bufferSize+1)); !errors.Is(err, ErrOverflow) || n != bufferSize {
			t.Errorf("Write of too much = %d, %v", n, err)
		}
		if n, err := sock.Write(nil); n != bufferSize || err != nil {
			t.Errorf("Write of nothing = %d, %v", n, err)
		}
	})
	r.quiet()
	// The peer reads nothing: sooner or later nothing is writable.
	data := pattern(64 << 20)
	sent := 0
	for full := 0; full < 20 && sent+4096 < len(data); {
		_, err := sock.Write(data[sent : sent+4096])
		switch {
		case err == nil:
			sent += 4096
			full = 0
		case errors.Is(err, ErrOverflow):
			full++
			time.Sleep(5 * time.Millisecond)
		default:
			t.Fatal(err)
		}
	}
	if got := readAll(t, peer, sent); !bytes.Equal(got, data[:sent]) {
		t.Error("bytes differ under back-pressure")
	}
	sock.Close()
	if rest, err := io.ReadAll(peer); len(rest) != 0 || err != nil {
		t.Errorf("refused writes sent %d bytes; %v", len(rest), err)
	}
}

//conform:ecma-419 write.more works tlsio.WriteOptions.More
//conform:ecma-419 write.byteLength works tlsio.WriteOptions.ByteLength
func TestTCPWriteMore(t *testing.T) { // write options, 3rd edition
	r := newRig(t)
	sock, peer := r.tcpPair(TCPOptions{NoDelay: true})
	r.do(func() {
		if n, err := sock.Write([]byte("ab"), WriteOptions{More: true}); n != bufferSize-2 || err != nil {
			t.Errorf("Write = %d, %v", n, err)
		}
	})
	peer.SetReadDeadline(time.Now().Add(30 * time.Millisecond))
	if n, _ := peer.Read(make([]byte, 1)); n != 0 {
		t.Error("sent in spite of More")
	}
	peer.SetReadDeadline(time.Now().Add(limit))
	r.do(func() { sock.Write([]byte("cd"), WriteOptions{More: true, ByteLength: 4}) })
	if got := string(readAll(t, peer, 4)); got != "abcd" {
		t.Errorf("peer got %q", got)
	}
	r.do(func() {
		wantOption(t, second(sock.Write(nil, WriteOptions{ByteLength: -1})), "ByteLength")
		wantOption(t, second(sock.Write(nil, WriteOptions{}, WriteOptions{})), "options")
		sock.Write([]byte("ef"), WriteOptions{More: true})
	})
	sock.Close() // what was taken is sent
	if got, err := io.ReadAll(peer); string(got) != "ef" || err != nil {
		t.Errorf("peer got %q, %v", got, err)
	}
}

//conform:ecma-419 option.onReadable works tlsio.TCPOptions.OnReadable
//conform:ecma-419 rule.9.7.1 works tlsio.TCPOptions.OnReadable
func TestTCPOnReadableIsEdgeTriggered(t *testing.T) { // 9.7.1
	r := newRig(t)
	sock, peer := r.tcpPair(TCPOptions{})
	peer.Write([]byte("abc"))
	if c := r.next("readable"); c.n != 3 {
		t.Errorf("OnReadable(%d)", c.n)
	}
	r.quiet() // unread, not repeated
	r.do(func() { sock.Read(1) })
	r.quiet()
	peer.Write([]byte("de"))
	if c := r.next("readable"); c.n != 4 {
		t.Errorf("OnReadable(%d), want unread and new bytes", c.n)
	}
}

//conform:ecma-419 option.onError works tlsio.TCPOptions.OnError
//conform:ecma-419 TCP.onError works tlsio.TCPOptions.OnError
//conform:ecma-419 rule.9.7.3 works tlsio.ErrFailed
//conform:ecma-419 rule.10.12.4 works tlsio.TCPOptions.OnError
func TestTCPOrderAndHeldBackOnError(t *testing.T) { // 9.7.3, 10.12.4
	r := newRig(t)
	ln, address, port := local(t)
	hold := make(chan struct{})
	r.app.Post(func() { <-hold }) // events gather while a script runs
	sock, err := NewTCP(r.app, r.tcp(TCPOptions{Address: address, Port: port}))
	if err != nil {
		t.Fatal(err)
	}
	peer := accept(t, ln)
	peer.Write([]byte("last words"))
	peer.Close()
	wait(t, "the end arrives", func() bool {
		l := sock.link.Load()
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.failure() != nil
	})
	close(hold)
	r.next("writable")
	if c := r.next("readable"); c.n != 10 {
		t.Errorf("OnReadable(%d)", c.n)
	}
	r.quiet() // held back
	r.do(func() { sock.Read(4) })
	r.quiet()
	r.do(func() {
		if p, _ := sock.ReadAvailable(); string(p) != " words" {
			t.Errorf("got %q", p)
		}
		if len(r.calls) != 0 {
			t.Error("OnError from inside Read")
		}
	})
	if c := r.next("error"); !errors.Is(c.err, io.EOF) {
		t.Errorf("OnError(%v)", c.err)
	}
	// After OnError only Close.
	r.do(func() {
		for name, err := range calls(sock.socket()) {
			if !errors.Is(err, ErrFailed) {
				t.Errorf("%s after OnError: %v", name, err)
			}
		}
		wantOption(t, second(NewTCP(r.app, TCPOptions{From: sock})), "From")
		if err := sock.Close(); err != nil {
			t.Error(err)
		}
	})
	r.quiet()
}

// calls makes every call but Close and Target, and returns their errors.
func calls(i *instance) map[string]error {
	return map[string]error{
		"Read":          second(i.Read(1)),
		"ReadAvailable": second(i.ReadAvailable()),
		"ReadInto":      second(i.ReadInto(make([]byte, 1))),
		"ReadNumber":    second(i.ReadNumber()),
		"Write":         second(i.Write([]byte{1})),
		"WriteNumber":   second(i.WriteNumber(1)),
		"Format":        second(i.Format()),
		"SetFormat":     i.SetFormat(FormatBuffer),
		"RemoteAddress": second(i.RemoteAddress()),
		"RemotePort":    second(i.RemotePort()),
		"NetConn":       second(i.NetConn(context.Background())),
	}
}

//conform:ecma-419 close works tlsio.TCP.Close, tlsio.ErrClosed
//conform:ecma-419 rule.8.3 works tlsio.TCP.Close, tlsio.ErrClosed
//conform:ecma-419 rule.9.4 works tlsio.ErrClosed
func TestTCPCloseIsFinal(t *testing.T) { // 8.3
	r := newRig(t)
	sock, peer := r.tcpPair(TCPOptions{})
	r.do(func() {
		peer.Write([]byte("never told"))
		wait(t, "bytes arrive", func() bool { return r.available(sock) > 0 })
		for range 2 {
			if err := sock.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		}
		for name, err := range calls(sock.socket()) {
			if !errors.Is(err, ErrClosed) || !errors.Is(err, net.ErrClosed) {
				t.Errorf("%s after Close: %v", name, err)
			}
		}
	})
	r.quiet()
}

//conform:ecma-419 rule.8.3 works tlsio.TCP.Close
func TestTCPCloseInsideCallback(t *testing.T) {
	r := newRig(t)
	ln, address, port := local(t)
	closed := make(chan struct{})
	sock, err := NewTCP(r.app, TCPOptions{Address: address, Port: port,
		OnWritable: func(t *TCP, _ int) { t.Close(); close(closed) },
		OnReadable: func(*TCP, int) { t.Error("OnReadable after Close") },
		OnError:    func(*TCP, error) { t.Error("OnError after Close") }})
	if err != nil {
		t.Fatal(err)
	}
	peer := accept(t, ln)
	peer.Write([]byte("x"))
	<-closed
	sock.Close()
	r.do(func() {})
}

func TestTCPCloseImmediately(t *testing.T) {
	r := newRig(t)
	_, address, port := local(t)
	for range 20 {
		sock, err := NewTCP(r.app, r.tcp(TCPOptions{Address: address, Port: port}))
		if err != nil {
			t.Fatal(err)
		}
		r.do(func() { sock.Close() })
	}
	for len(r.calls) > 0 {
		if c := <-r.calls; c.kind == "error" {
			t.Errorf("OnError(%v)", c.err)
		}
	}
}

//conform:ecma-419 rule.8.5 works tlsio.App.Run
func TestTCPCallbacksNeverInsideMethods(t *testing.T) { // 8.5
	r := newRig(t)
	ln, address, port := local(t)
	r.do(func() {
		// With the loop busy here, no method may call back however long it takes.
		sock, err := NewTCP(r.app, r.tcp(TCPOptions{Address: address, Port: port}))
		if err != nil {
			t.Fatal(err)
		}
		peer := accept(t, ln)
		peer.Write([]byte("x"))
		wait(t, "byte", func() bool { return r.available(sock) == 1 })
		sock.Write([]byte("y"))
		readAll(t, peer, 1)
		sock.Read(1)
		sock.Close()
		if len(r.calls) != 0 {
			t.Error("a callback ran inside a method")
		}
	})
	r.quiet() // closed before the loop came to it
}

func TestTCPConnectFailureIsOnError(t *testing.T) {
	r := newRig(t)
	ln, address, port := local(t)
	ln.Close()
	sock, err := NewTCP(r.app, r.tcp(TCPOptions{Address: address, Port: port}))
	if err != nil {
		t.Fatal(err)
	}
	e := wantError(t, r.next("error").err, StageConnect, Alert{})
	if !strings.Contains(e.Error(), "refused") {
		t.Errorf("%v", e)
	}
	sock.Close()
}

//conform:ecma-419 option.from works tlsio.TCPOptions.From
//conform:ecma-419 rule.10.12.1 works tlsio.TCPOptions.From
func TestTCPFrom(t *testing.T) { // 10.12.1
	r := newRig(t)
	first, peer := r.tcpPair(TCPOptions{Format: FormatNumber, Target: "first"})
	peer.Write([]byte("abc"))
	r.next("readable")
	var sock *TCP
	r.do(func() {
		var err error
		first.ReadNumber()
		if sock, err = NewTCP(r.app, r.tcp(TCPOptions{From: first})); err != nil {
			t.Fatal(err)
		}
		for name, err := range calls(first.socket()) {
			if !errors.Is(err, ErrClosed) {
				t.Errorf("%s on the original: %v", name, err)
			}
		}
		wantOption(t, second(NewTCP(r.app, TCPOptions{From: first})), "From")
		if f, _ := sock.Format(); f != FormatBuffer || sock.Target() != nil {
			t.Error("format or target were inherited")
		}
		first.Close() // must not close the connection
	})
	if c := r.next("writable"); c.who != sock {
		t.Error("the original was called")
	}
	if c := r.next("readable"); c.who != sock || c.n != 2 {
		t.Errorf("OnReadable(%d)", c.n)
	}
	peer.Write([]byte("d"))
	if c := r.next("readable"); c.who != sock || c.n != 3 {
		t.Errorf("OnReadable(%d)", c.n)
	}
	r.do(func() {
		if p, _ := sock.ReadAvailable(); string(p) != "bcd" {
			t.Errorf("got %q", p)
		}
		sock.Write([]byte("z"))
	})
	if p := readAll(t, peer, 1); p[0] != 'z' {
		t.Errorf("peer got %q", p)
	}
	sock.Close()
}

func TestTCPFromWhileConnecting(t *testing.T) {
	network := &slow{newTap(t), make(chan struct{})}
	r := newRigOn(t, network)
	ln, address, port := local(t)
	first, err := NewTCP(r.app, r.tcp(TCPOptions{Address: address, Port: port}))
	if err != nil {
		t.Fatal(err)
	}
	sock, err := NewTCP(r.app, r.tcp(TCPOptions{From: first, NoDelay: true}))
	if err != nil {
		t.Fatal(err)
	}
	defer sock.Close()
	close(network.ready)
	accept(t, ln)
	if c := r.next("writable"); c.who != sock {
		t.Error("the original was called")
	}
	if network.Network.(*tap).last.Load().noDelay.Load() != 2 {
		t.Error("NoDelay of the new instance was lost")
	}
}

func TestTCPFromOtherApp(t *testing.T) {
	r := newRig(t)
	sock, _ := r.tcpPair(TCPOptions{})
	wantOption(t, second(NewTCP(NewApp(testNetwork(t)), TCPOptions{From: sock})), "From")
	if _, err := sock.Format(); err != nil {
		t.Errorf("a refused hand-over closed the original: %v", err)
	}
}

func TestTCPNetConn(t *testing.T) {
	r := newRig(t)
	sock, peer := r.tcpPair(TCPOptions{})
	peer.Write([]byte("hello "))
	r.next("readable")
	sock.Write([]byte("out"))
	c, err := sock.NetConn(timeout(t))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	peer.Write([]byte("world"))
	c.SetDeadline(time.Now().Add(limit))
	if got := string(readAll(t, c, 11)); got != "hello world" {
		t.Errorf("got %q", got)
	}
	c.Write([]byte("side"))
	if got := string(readAll(t, peer, 7)); got != "outside" {
		t.Errorf("peer got %q", got)
	}
	if _, err := sock.Read(1); !errors.Is(err, ErrClosed) {
		t.Errorf("original: %v", err)
	}
}

func TestTCPNetConnCancelled(t *testing.T) {
	r := newRigOn(t, &slow{testNetwork(t), make(chan struct{})})
	sock, err := NewTCP(r.app, r.tcp(TCPOptions{Address: "127.0.0.1", Port: 9}))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(10*time.Millisecond, cancel)
	if _, err := sock.NetConn(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	r.quiet()
}

//conform:ecma-419 Listener works tlsio.Listener, tlsio.NewListener
//conform:ecma-419 Listener.port.property works tlsio.Listener.Port
//conform:ecma-419 Listener.onReadable works tlsio.ListenerOptions.OnReadable
//conform:ecma-419 Listener.target works tlsio.ListenerOptions.Target, tlsio.Listener.Target
//conform:ecma-419 Listener.read works tlsio.Listener.Read
//conform:ecma-419 Listener.write works tlsio.Listener.Write, tlsio.ErrNotSupported
//conform:ecma-419 Listener.format works tlsio.Listener.Format, tlsio.Listener.SetFormat
//conform:ecma-419 Listener.close works tlsio.Listener.Close
//conform:ecma-419 error.in-use works tlsio.NewListener, tlsio.StageListen
//conform:ecma-419 rule.9.3 works tlsio.NewListener, tlsio.StageListen
func TestListener(t *testing.T) { // 10.13
	r := newRig(t)
	ln, err := NewListener(r.app, ListenerOptions{Address: "127.0.0.1", Target: 1,
		OnReadable: func(l *Listener, n int) { r.note("readable", l, n, nil) },
		OnError:    func(l *Listener, err error) { r.note("error", l, 0, err) }})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	port, err := ln.Port()
	if port == 0 || err != nil || ln.Target() != 1 {
		t.Fatalf("Port = %d, %v", port, err)
	}
	if c, err := ln.Read(); c != nil || err != nil {
		t.Errorf("Read of nothing = %v, %v", c, err)
	}
	if _, err := ln.Write(nil); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Write: %v", err)
	}
	if f, _ := ln.Format(); f != FormatSocketTCP {
		t.Errorf("format %q", f)
	}
	wantOption(t, ln.SetFormat(FormatBuffer), "Format")
	addr := net.JoinHostPort("127.0.0.1", itoa(port))
	hold := make(chan struct{})
	r.app.Post(func() { <-hold })
	peers := map[int]net.Conn{} // a network may finish their handshakes in any order
	for range 3 {
		c := testDial(t, addr)
		peers[c.LocalAddr().(*net.TCPAddr).Port] = c
	}
	wait(t, "3 connections", func() bool { ln.mu.Lock(); defer ln.mu.Unlock(); return len(ln.unread) == 3 })
	close(hold)
	if c := r.next("readable"); c.n != 3 {
		t.Errorf("OnReadable(%d)", c.n)
	}
	for range 3 {
		plain, err := ln.Read()
		if plain == nil || err != nil {
			t.Fatalf("Read = %v, %v", plain, err)
		}
		p, _ := plain.RemotePort()
		if peers[p] == nil {
			t.Fatalf("a connection from port %d, which is none of ours, or was read before", p)
		}
		peers[p].Write([]byte{'a'})
		delete(peers, p)
		sock, err := NewTCP(r.app, r.tcp(TCPOptions{From: plain}))
		if err != nil {
			t.Fatal(err)
		}
		defer sock.Close()
		r.next("writable")
		if r.next("readable"); r.available(sock) != 1 {
			t.Error("byte lost in hand-over")
		}
	}
	// In use: the constructor says so.
	_, err = NewListener(r.app, ListenerOptions{Address: "127.0.0.1", Port: port})
	wantError(t, err, StageListen, Alert{})
	for range 2 {
		if err := ln.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	if _, err := ln.Read(); !errors.Is(err, ErrClosed) {
		t.Errorf("Read after Close: %v", err)
	}
	if _, err := ln.Port(); !errors.Is(err, ErrClosed) {
		t.Errorf("Port after Close: %v", err)
	}
	r.quiet()
}

// askedNetwork notes the address that it was last asked to listen on.
type askedNetwork struct {
	Network
	address string
}

func (n *askedNetwork) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	n.address = address
	return n.Network.Listen(ctx, network, address)
}

//conform:ecma-419 Listener.port works tlsio.ListenerOptions.Port
//conform:ecma-419 Listener.address works tlsio.ListenerOptions.Address
//conform:ecma-419 Listener.format works tlsio.ListenerOptions.Format
func TestListenerOptions(t *testing.T) {
	network := newTap(t)
	_, err := NewListener(NewApp(network), ListenerOptions{Address: "all", Port: 70000, Format: "buffer"})
	wantOption(t, err, "Address", "Port", "Format")
	_, err = NewTLSListener(nil, TLSListenerOptions{Port: -1, TLS: TLSOptions{Host: "x", ClientAuth: "yes"}})
	wantOption(t, err, "app", "Port", "TLS.Host", "TLS.ServerCertificate", "TLS.ClientAuth")
	if network.listens.Load() != 0 {
		t.Error("bound in spite of bad options")
	}

	// The network is asked for the address and port given; without, for all
	// addresses and any port.
	for want, o := range map[string]ListenerOptions{":0": {}, "127.0.0.1:0": {Address: "127.0.0.1"}} {
		asked := &askedNetwork{Network: testNetwork(t)}
		ln, err := NewListener(NewApp(asked), o)
		if err != nil || asked.address != want {
			t.Fatalf("asked for %q, want %q: %v", asked.address, want, err)
		}
		port := first(ln.Port())
		ln.Close()
		o.Port = port
		if ln, err = NewListener(NewApp(asked), o); err != nil || first(ln.Port()) != port {
			t.Fatalf("port %d: %v", port, err)
		}
		ln.Close()
	}
}

func TestListenerNetListener(t *testing.T) {
	r := newRig(t)
	ln, err := NewListener(r.app, ListenerOptions{Address: "127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	port, _ := ln.Port()
	before := testDial(t, net.JoinHostPort("127.0.0.1", itoa(port)))
	wait(t, "accepted", func() bool { ln.mu.Lock(); defer ln.mu.Unlock(); return len(ln.unread) == 1 })
	nl, err := ln.NetListener()
	if err != nil {
		t.Fatal(err)
	}
	after := testDial(t, nl.Addr().String())
	for _, want := range []net.Conn{before, after} {
		c, err := nl.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if c.RemoteAddr().String() != want.LocalAddr().String() {
			t.Error("wrong connection")
		}
		c.Close()
	}
	time.AfterFunc(10*time.Millisecond, func() { nl.Close() })
	if _, err := nl.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept after Close: %v", err)
	}
	if _, err := ln.Read(); !errors.Is(err, ErrClosed) {
		t.Errorf("the original: %v", err)
	}
}

func TestAppRun(t *testing.T) {
	app := NewApp(testNetwork(t))
	ctx, cancel := context.WithCancel(context.Background())
	var order []int
	app.Post(func() {
		order = append(order, 1)
		if err := app.Run(context.Background()); !errors.Is(err, ErrRunning) {
			t.Errorf("second Run: %v", err)
		}
		app.Post(func() { order = append(order, 3) })
	})
	app.Post(func() { order = append(order, 2) })
	app.Post(func() { cancel() })
	app.Post(func() { order = append(order, 4) }) // stays queued
	if err := app.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Run: %v", err)
	}
	if len(order) != 2 {
		t.Errorf("ran %v", order)
	}
	ctx, cancel = context.WithCancel(context.Background())
	app.Post(func() { cancel() })
	app.Run(ctx)
	if len(order) != 4 || order[0] != 1 || order[1] != 2 || order[2] != 4 || order[3] != 3 {
		t.Errorf("order %v", order)
	}
}
