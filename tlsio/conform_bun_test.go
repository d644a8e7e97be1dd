package tlsio

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// The tests of this file show how what a program does with Bun's sockets is done
// here, where the members differ in form. The members of the same form are proven
// beside the classes' own tests.

// TestBunConnect is Bun.connect with tls: the promise is Dial's result, and of the
// classes the first OnWritable or OnError.
//
//conform:bun connect works tlsio.Dial, tlsio.NewTLS, tlsio.NewTCP
//conform:bun option.hostname works tlsio.Dial, tlsio.Listen
//conform:bun option.port differs tlsio.Dial, tlsio.TLSClientOptions.Port -- a number, or part of Dial's address; -1234 and 65536 are refused
//conform:bun option.tls differs tlsio.NewTLS, tlsio.NewTCP -- TLS or not is the choice of a class; TLSOptions of another kind don't compile
//conform:bun option.data works tlsio.TLSClientOptions.Target
//conform:bun data works tlsio.TLS.Target, tlsio.TLS.SetTarget
//conform:bun event.open works tlsio.TLSClientOptions.OnWritable
//conform:bun event.data differs tlsio.TLSClientOptions.OnReadable, tlsio.TLS.Read -- tells how many bytes there are; the program takes them when it wants to
//conform:bun event.handshake differs tlsio.TLSClientOptions.OnWritable, tlsio.TLSClientOptions.OnError, tlsio.State.AuthorizationError -- success is the first OnWritable, failure is OnError; State has the authorization error
//conform:bun option.binaryType differs tlsio.TLS.Read, tlsio.TLS.ReadInto, tlsio.FormatNumber -- bytes are []byte, or single numbers
func TestBunConnect(t *testing.T) {
	r := newRig(t)
	l, port := r.tlsListener(nil)
	defer l.Close()
	sock, err := NewTLS(r.app, r.tls(TLSClientOptions{Address: "127.0.0.1", Port: port, TLS: clientOptions(t), Target: map[string]string{"user": "ada"}}))
	if err != nil {
		t.Fatal(err)
	}
	defer sock.Close()
	if s, err := sock.State(); err != nil || s.HandshakeComplete || s.Authorized() {
		t.Errorf("before the handshake: %v, %+v", err, s)
	}
	open := r.skipTo("writable")
	if data := open.who.(*TLS).Target().(map[string]string); data["user"] != "ada" {
		t.Errorf("data %v in open", data)
	}
	if s, err := sock.State(); err != nil || !s.HandshakeComplete || !s.Authorized() || s.AuthorizationError() != nil {
		t.Errorf("in open: %v, %+v", err, s)
	}
	sock.SetTarget("anything else")
	if sock.Target() != "anything else" {
		t.Error("data can't be changed")
	}
	wait(t, "the server's side", func() bool { l.mu.Lock(); defer l.mu.Unlock(); return len(l.unread) == 1 })
	served, err := l.Read()
	if served == nil || err != nil {
		t.Fatalf("Read: %v", err)
	}
	defer served.Close()
	wait(t, "served", func() bool { return served.ReadyState() == ReadyEstablished })
	r.do(func() { served.Write([]byte("hello")) })
	for {
		if c := r.skipTo("readable"); c.who == sock {
			if c.n != 5 {
				t.Errorf("OnReadable(%d)", c.n)
			}
			break
		}
	}
	r.do(func() {
		buf := make([]byte, 2)
		if n, err := sock.ReadInto(buf); n != 2 || string(buf) != "he" || err != nil {
			t.Errorf("ReadInto: %d %q %v", n, buf, err)
		}
		if p, err := sock.Read(2); string(p) != "ll" || err != nil {
			t.Errorf("Read: %q %v", p, err)
		}
		sock.SetFormat(FormatNumber)
		if b, err := sock.ReadNumber(); b != 'o' || err != nil {
			t.Errorf("ReadNumber: %d %v", b, err)
		}
	})

	for _, port := range []int{-1234, 65536} {
		_, err := NewTLS(r.app, TLSClientOptions{Address: "127.0.0.1", Port: port, TLS: clientOptions(t)})
		wantOption(t, err, "Port")
	}
	if _, err := Dial(timeout(t), noNetwork{t}, "localhost:-1234", clientOptions(t)); err == nil {
		t.Error("port -1234 was taken")
	}
}

// TestBunConnectError: nobody listens, and nobody has the name.
//
//conform:bun event.connectError works tlsio.Dial, tlsio.TLSClientOptions.OnError, tlsio.StageConnect
//conform:bun event.handshake differs tlsio.TLSClientOptions.OnError -- success is the first OnWritable, failure is OnError; State has the authorization error
func TestBunConnectError(t *testing.T) {
	r := newRig(t)
	ln, address, port := local(t)
	ln.Close()
	sock, err := NewTLS(r.app, r.tls(TLSClientOptions{Address: address, Port: port, TLS: clientOptions(t)}))
	if err != nil {
		t.Fatal(err)
	}
	defer sock.Close()
	wantError(t, r.next("error").err, StageConnect, Alert{})
	_, err = Dial(timeout(t), testNetwork(t), net.JoinHostPort(address, itoa(port)), clientOptions(t))
	wantError(t, err, StageConnect, Alert{})

	l, port := r.tlsListener(nil)
	defer l.Close()
	o := clientOptions(t)
	o.CA = [][]byte{pki(t).otherDER}
	failed, err := NewTLS(r.app, r.tls(TLSClientOptions{Address: "127.0.0.1", Port: port, TLS: o}))
	if err != nil {
		t.Fatal(err)
	}
	defer failed.Close()
	c := r.next("error")
	wantError(t, c.err, StageVerify, Alert{AlertSent, 42})
	if _, ok := errors.AsType[x509.UnknownAuthorityError](c.err); !ok {
		t.Errorf("the handshake's error: %v", c.err)
	}
	r.quiet()
}

// TestBunWrite: Bun's write takes what fits and the program must keep the rest;
// here it takes all or nothing, and Conn's Write waits until all is taken. After
// the end there is an error in place of -1.
//
//conform:bun write differs tlsio.TLS.Write, tlsio.TCP.Write, tlsio.Conn.Write, tlsio.ErrOverflow -- all or nothing, so that no rest can be forgotten; Conn.Write waits; ErrClosed in place of -1
//conform:bun write.byteOffset works tlsio.TLS.Write, tlsio.Conn.Write
//conform:bun write.byteLength works tlsio.TLS.Write, tlsio.Conn.Write
//conform:bun write.types differs tlsio.TLS.Write -- bytes; strings are converted, and are UTF-8 in Go
//conform:bun event.drain works tlsio.TLSClientOptions.OnWritable, tlsio.TCPOptions.OnWritable
func TestBunWrite(t *testing.T) {
	r := newRig(t)
	sock, peer := r.tlsPair(TLSClientOptions{}, nil)
	text := "gr\u00fc\u00df dich"
	data := pattern(1024)
	r.do(func() {
		if n, err := sock.Write([]byte(text)); n != bufferSize-len(text) || err != nil {
			t.Errorf("Write: %d, %v", n, err)
		}
		sock.Write(data[100:150])
	})
	if got := string(readAll(t, peer, len(text))); got != text {
		t.Errorf("peer got %q", got)
	}
	if got := readAll(t, peer, 50); string(got) != string(data[100:150]) {
		t.Error("another part of the buffer was written")
	}

	// The peer doesn't read until nothing more fits; then there is a drain.
	all := pattern(8 << 20)
	sent := 0
	fill := func() (full bool) {
		for sent < len(all) {
			n := min(32<<10, len(all)-sent, sock.Writable())
			if n == 0 {
				return true
			}
			if _, err := sock.Write(all[sent : sent+n]); err != nil {
				t.Errorf("Write of what is writable: %v", err)
				return false
			}
			sent += n
		}
		return false
	}
	for len(r.calls) > 0 {
		<-r.calls
	}
	var full bool
	r.do(func() {
		for full = fill(); full; full = fill() {
			n := min(bufferSize, len(all)-sent)
			if _, err := sock.Write(all[sent : sent+n]); errors.Is(err, ErrOverflow) {
				break
			} else if err != nil {
				t.Errorf("Write without room: %v", err)
				return
			}
			sent += n // what filled the buffer was sent meanwhile
		}
	})
	if !full {
		t.Fatal("8 MB fit in the buffers")
	}
	got := make(chan []byte, 1)
	go func() {
		p := make([]byte, len(all))
		if _, err := io.ReadFull(peer, p); err != nil {
			t.Errorf("peer: %v", err)
		}
		got <- p
	}()
	for sent < len(all) {
		if c := r.skipTo("writable"); c.n == 0 {
			t.Fatal("OnWritable(0)")
		}
		r.do(func() { fill() })
	}
	if p := <-got; string(p) != string(all) {
		t.Error("bytes differ after back-pressure")
	}
	sock.Close()
	if _, err := sock.Write([]byte("x")); !errors.Is(err, ErrClosed) {
		t.Errorf("Write after Close: %v", err)
	}
}

// TestBunClose: close, end() without a value and shutdown() end both halves once
// what was written is sent; a defer does it at the end of a scope.
//
//conform:bun close works tlsio.TCP.Close, tlsio.TLS.Close
//conform:bun end.immediately differs tlsio.TLS.Close, tlsio.TLS.Terminate -- Close is orderly, as end's other form; Terminate is immediate
//conform:bun shutdown works tlsio.TCP.Close, tlsio.TLS.Close
//conform:bun [Symbol.dispose] differs tlsio.TLS.Close -- an io.Closer: defer sock.Close()
//conform:bun event.close differs tlsio.TLSClientOptions.OnError, tlsio.TLS.ReadyState -- ends that others bring about are told to OnError, with the reason; one's own Close isn't
func TestBunClose(t *testing.T) {
	both(t, func(t *testing.T, secured bool) {
		r := newRig(t)
		sock, peer := r.pair(secured, TCPOptions{})
		data := pattern(30000)
		func() {
			defer sock.(io.Closer).Close()
			if _, err := sock.socket().Write(data); err != nil {
				t.Error(err)
			}
		}()
		if state := sock.socket().ReadyState(); state != ReadyClosed {
			t.Errorf("state %d", state)
		}
		peer.SetDeadline(time.Now().Add(limit))
		got, err := io.ReadAll(peer)
		if err != nil || string(got) != string(data) {
			t.Errorf("peer got %d bytes, %v", len(got), err)
		}
		peer.Write([]byte("too late"))
		for len(r.calls) > 0 {
			if c := <-r.calls; c.kind != "writable" {
				t.Errorf("%s after Close", c.kind)
			}
		}
		r.quiet()

		other, peer := r.pair(secured, TCPOptions{})
		peer.Close()
		if c := r.next("error"); c.who != other || !errors.Is(c.err, io.EOF) {
			t.Errorf("the peer's close: %v", c.err)
		}
		if state := other.socket().ReadyState(); state != ReadyClosed {
			t.Errorf("state %d after the peer's close", state)
		}
	})
}

// TestBunExceptionInHandler: an exception in a handler reaches Bun's error handler;
// here a panic comes out of Run, where a program may recover from it and go on.
// Nothing of the other connections is lost.
//
//conform:bun event.error differs tlsio.TLSClientOptions.OnError, tlsio.App.Run -- errors of the connection are told to OnError; a panic in a callback comes out of Run, which may be called again
func TestBunExceptionInHandler(t *testing.T) {
	leaks(t)
	app := NewApp(testNetwork(t))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	panics := make(chan any, 10)
	done := make(chan error, 1)
	go func() {
		for {
			err := func() error {
				defer func() {
					if p := recover(); p != nil {
						panics <- p
					}
				}()
				return app.Run(ctx)
			}()
			if err != nil {
				done <- err
				return
			}
		}
	}()
	ln, address, port := local(t)
	hold := make(chan struct{})
	app.Post(func() { <-hold }) // events of both gather, so that one turn has them
	readable := make(chan string, 10)
	var socks []*TCP
	for _, o := range []TCPOptions{
		{OnWritable: func(*TCP, int) { panic("in open") }, OnReadable: func(*TCP, int) { readable <- "first" }},
		{OnReadable: func(s *TCP, _ int) { s.ReadAvailable(); readable <- "second" }, OnError: func(*TCP, error) { readable <- "error" }},
	} {
		o.Address, o.Port = address, port
		sock, err := NewTCP(app, o)
		if err != nil {
			t.Fatal(err)
		}
		defer sock.Close()
		socks = append(socks, sock)
		peer := accept(t, ln)
		peer.Write([]byte("x"))
		wait(t, "byte", func() bool { return sock.Buffered() == 1 })
	}
	close(hold)
	next := func(c <-chan string) string {
		select {
		case s := <-c:
			return s
		case <-time.After(limit):
			t.Fatal("a callback was lost")
			return ""
		}
	}
	got := next(readable) + " " + next(readable)
	if got != "first second" && got != "second first" {
		t.Errorf("called: %s", got)
	}
	if p := <-panics; p != "in open" {
		t.Errorf("Run panicked with %v", p)
	}
	socks[1].SetIdleTimeout(time.Millisecond) // an error of the connection
	if s := next(readable); s != "error" {
		t.Errorf("called: %s", s)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Run: %v", err)
	}
}

// TestBunListenOptions: what options of Bun.listen and Bun.connect come to that an
// operating system is needed for.
//
//conform:bun option.exclusive differs tlsio.NewListener -- always: a port has one listener
//conform:bun option.reusePort refused tlsio.NewListener, tlsio.StageListen -- one processor is served by one listener; a second one on the port is an error
//conform:bun option.unix refused tlsio.NewTCP, tlsio.NewListener, tlsio.Dial -- no file system, no Unix sockets: a path is refused as an address
//conform:bun option.fd differs tlsio.SecureContext.Secure -- no file descriptors on a board: an open connection of any kind is given as a net.Conn
//conform:bun option.ipv6Only differs tlsio.ListenerOptions.Address -- a listener on an IPv6 address takes IPv6 only; one on all addresses takes both
func TestBunListenOptions(t *testing.T) {
	r := newRig(t)
	first, err := NewListener(r.app, ListenerOptions{Address: "127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	port, _ := first.Port()
	_, err = NewListener(r.app, ListenerOptions{Address: "127.0.0.1", Port: port})
	wantError(t, err, StageListen, Alert{})

	const path = "/run/service.sock"
	_, err = NewTCP(r.app, TCPOptions{Address: path, Port: 1})
	wantOption(t, err, "Address")
	_, err = NewListener(r.app, ListenerOptions{Address: path})
	wantOption(t, err, "Address")
	_, err = Dial(timeout(t), noNetwork{t}, path, clientOptions(t))
	if err == nil || !strings.Contains(err.Error(), "host:port") {
		t.Errorf("Dial: %v", err)
	}

	server, err := NewServerContext(serverOptions(t))
	if err != nil {
		t.Fatal(err)
	}
	client, err := NewClientContext(clientOptions(t))
	if err != nil {
		t.Fatal(err)
	}
	a, b := net.Pipe() // no network at all
	go func() {
		s, err := server.Secure(context.Background(), a, SecureOptions{})
		if err != nil {
			t.Errorf("server: %v", err)
			return
		}
		defer s.Close()
		io.Copy(s, s)
	}()
	c, err := client.Secure(timeout(t), b, SecureOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	roundTrip(t, c, pattern(1000))

	six, err := NewListener(r.app, ListenerOptions{Address: "::1"})
	if err != nil {
		t.Skipf("no IPv6 on this machine: %v", err)
	}
	defer six.Close()
	port, _ = six.Port()
	if c, err := testNetwork(t).DialContext(timeout(t), "tcp", net.JoinHostPort("::1", itoa(port))); err != nil {
		t.Error(err)
	} else {
		c.Close()
	}
	if c, err := testNetwork(t).DialContext(timeout(t), "tcp", net.JoinHostPort("127.0.0.1", itoa(port))); err == nil {
		c.Close()
		t.Error("a listener on ::1 took an IPv4 connection")
	}
	all, err := NewListener(r.app, ListenerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer all.Close()
	port, _ = all.Port()
	for _, host := range []string{"127.0.0.1", "::1"} {
		c, err := testNetwork(t).DialContext(timeout(t), "tcp", net.JoinHostPort(host, itoa(port)))
		if err != nil {
			t.Errorf("a listener on all addresses doesn't take %s: %v", host, err)
			continue
		}
		c.Close()
	}
}
