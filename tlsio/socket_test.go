package tlsio

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// The tests of this file are about what sockets can do besides ECMA-419.

// more adds the callbacks that r.tcp leaves out.
func (r *rig) more(o TCPOptions) TCPOptions {
	o.OnEnd = func(t *TCP) { r.note("end", t, 0, nil) }
	o.OnTimeout = func(t *TCP) { r.note("timeout", t, 0, nil) }
	return o
}

// pair is a connected instance of either class with its peer.
func (r *rig) pair(secured bool, o TCPOptions) (Socket, peerConn) {
	r.t.Helper()
	if !secured {
		sock, peer := r.tcpPair(o)
		return sock, peer.(peerConn)
	}
	to := TLSClientOptions{NoDelay: o.NoDelay, IdleTimeout: o.IdleTimeout, AllowHalfOpen: o.AllowHalfOpen}
	if f := o.OnEnd; f != nil {
		to.OnEnd = func(t *TLS) { r.note("end", t, 0, nil) }
	}
	if f := o.OnTimeout; f != nil {
		to.OnTimeout = func(t *TLS) { r.note("timeout", t, 0, nil) }
	}
	sock, peer := r.tlsPair(to, nil)
	return sock, peer
}

type peerConn interface {
	net.Conn
	CloseWrite() error
}

// both runs a test with each class.
func both(t *testing.T, f func(t *testing.T, secured bool)) {
	t.Run("TCP", func(t *testing.T) { f(t, false) })
	t.Run("TLS", func(t *testing.T) { f(t, true) })
}

//conform:bun readyState works tlsio.TCP.ReadyState
func TestReadyState(t *testing.T) {
	network := &slow{testNetwork(t), make(chan struct{})}
	r := newRigOn(t, network)
	ln, address, port := local(t)
	want := func(s interface{ ReadyState() ReadyState }, state ReadyState) {
		t.Helper()
		if got := s.ReadyState(); got != state {
			t.Errorf("ReadyState = %d, want %d", got, state)
		}
	}
	want(&TCP{}, ReadyClosed)
	sock, err := NewTCP(r.app, r.tcp(TCPOptions{Address: address, Port: port}))
	if err != nil {
		t.Fatal(err)
	}
	want(sock, ReadyElse)
	close(network.ready)
	peer := accept(t, ln)
	r.next("writable")
	want(sock, ReadyEstablished)
	next, err := NewTCP(r.app, r.tcp(TCPOptions{From: sock}))
	if err != nil {
		t.Fatal(err)
	}
	want(sock, ReadyDetached)
	want(next, ReadyEstablished)
	r.next("writable")
	if err := next.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	want(next, ReadyShutdown)
	peer.Close()
	r.next("error")
	want(next, ReadyClosed)
	next.Close()
	want(next, ReadyClosed)
	sock.Close()
	want(sock, ReadyDetached)

	// In TLS, the handshake is "else" too.
	secured, err := NewTLS(r.app, r.tls(TLSClientOptions{Address: address, Port: port, TLS: clientOptions(t)}))
	if err != nil {
		t.Fatal(err)
	}
	defer secured.Close()
	raw := accept(t, ln)
	want(secured, ReadyElse)
	r.serve(raw, nil)
	r.next("writable")
	want(secured, ReadyEstablished)
	conn, err := secured.NetConn(timeout(t))
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	want(secured, ReadyDetached)
}

//conform:bun localAddress works tlsio.TCP.LocalAddress
//conform:bun localFamily works tlsio.TCP.LocalFamily
//conform:bun localPort works tlsio.TCP.LocalPort
//conform:bun remoteAddress works tlsio.TCP.RemoteAddress
//conform:bun remoteFamily works tlsio.TCP.RemoteFamily
//conform:bun remotePort works tlsio.TCP.RemotePort
func TestAddresses(t *testing.T) {
	both(t, func(t *testing.T, secured bool) {
		r := newRig(t)
		s, peer := r.pair(secured, TCPOptions{})
		i := s.socket()
		local, remote := addrPort(peer.RemoteAddr()), addrPort(peer.LocalAddr())
		for _, tt := range []struct{ got, want any }{
			{first(i.LocalAddress()), "127.0.0.1"}, {first(i.RemoteAddress()), "127.0.0.1"},
			{first(i.LocalFamily()), "IPv4"}, {first(i.RemoteFamily()), "IPv4"},
			{first(i.LocalPort()), int(local.Port())}, {first(i.RemotePort()), int(remote.Port())},
		} {
			if tt.got != tt.want {
				t.Errorf("got %v, want %v", tt.got, tt.want)
			}
		}
		i.Close()
		for _, err := range []error{second(i.LocalAddress()), second(i.LocalFamily()), second(i.LocalPort()), second(i.RemoteFamily())} {
			if !errors.Is(err, ErrClosed) {
				t.Errorf("after Close: %v", err)
			}
		}
	})
	for text, want := range map[string]string{"[2001:db8::1]:5": "IPv6", "[::ffff:192.0.2.1]:5": "IPv4", "pipe": ""} {
		if got := familyText(addrPort(memAddr(text))); got != want {
			t.Errorf("family of %s is %q", text, got)
		}
	}
}

func first[T any](v T, _ error) T { return v }

//conform:bun bytesWritten works tlsio.TCP.BytesWritten, tlsio.TLS.BytesWritten
func TestByteCounts(t *testing.T) {
	both(t, func(t *testing.T, secured bool) {
		r := newRig(t)
		s, peer := r.pair(secured, TCPOptions{})
		i := s.socket()
		want := func(sent, received uint64) {
			t.Helper()
			if i.BytesWritten() != sent || i.BytesRead() != received {
				t.Errorf("%d written, %d read; want %d, %d", i.BytesWritten(), i.BytesRead(), sent, received)
			}
		}
		want(0, 0)
		r.do(func() {
			i.Write(pattern(1000))
			want(1000, 0) // buffered ones count
			i.Write(make([]byte, bufferSize+1))
			want(1000, 0) // refused ones don't
		})
		readAll(t, peer, 1000)
		peer.Write(pattern(700))
		wait(t, "700 bytes arrive", func() bool { return i.Buffered() == 700 })
		want(1000, 700)
		if n := i.Writable(); n != bufferSize {
			t.Errorf("Writable = %d", n)
		}
		i.End(pattern(24))
		want(1024, 700)
		i.Close()
		want(1024, 700)
		if i.Buffered() != 0 || i.Writable() != 0 {
			t.Error("a closed instance has room or data")
		}
	})
}

func TestByteCountsAreFrozenByHandOver(t *testing.T) {
	r := newRig(t)
	sock, peer := r.tcpPair(TCPOptions{})
	sock.Write([]byte("abc"))
	next, err := NewTCP(r.app, TCPOptions{From: sock})
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	next.Write([]byte("de"))
	readAll(t, peer, 5)
	if sock.BytesWritten() != 3 || next.BytesWritten() != 5 {
		t.Errorf("%d and %d", sock.BytesWritten(), next.BytesWritten())
	}
}

//conform:bun end differs tlsio.TCP.End, tlsio.TLS.End, tlsio.ErrWriteClosed -- takes all of the last data or, beyond the writable count, none; errors in place of -1
//conform:bun shutdown.halfClose works tlsio.TCP.CloseWrite, tlsio.TLS.CloseWrite
func TestEnd(t *testing.T) {
	both(t, func(t *testing.T, secured bool) {
		r := newRig(t)
		s, peer := r.pair(secured, TCPOptions{})
		i := s.socket()
		data := pattern(bufferSize)
		r.do(func() {
			if n, err := i.End(make([]byte, bufferSize+1)); n != 0 || !errors.Is(err, ErrOverflow) {
				t.Errorf("End of too much: %d, %v", n, err)
			}
			if n, err := i.End(data); n != len(data) || err != nil { // a refused End leaves it open
				t.Errorf("End = %d, %v", n, err)
			}
			for name, err := range map[string]error{"Write": second(i.Write([]byte{1})), "End": second(i.End(nil)), "CloseWrite": i.CloseWrite()} {
				if !errors.Is(err, ErrWriteClosed) {
					t.Errorf("%s after End: %v", name, err)
				}
			}
			if i.Writable() != 0 {
				t.Error("writable after End")
			}
		})
		got, err := io.ReadAll(peer)
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("peer got %d bytes, %v", len(got), err)
		}
		// Still readable, with many bytes, and then the peer's end.
		answer := pattern(100000)
		go func() { peer.Write(answer); peer.Close() }()
		var back []byte
		for len(back) < len(answer) {
			r.next("readable")
			r.do(func() { back = append(back, first(i.ReadAvailable())...) })
		}
		if !bytes.Equal(back, answer) {
			t.Error("bytes differ after End")
		}
		if c := r.skipTo("error"); !errors.Is(c.err, io.EOF) {
			t.Errorf("OnError(%v)", c.err)
		}
	})
}

func TestEndBeforeConnected(t *testing.T) {
	r := newRigOn(t, &slow{testNetwork(t), make(chan struct{})})
	sock, err := NewTCP(r.app, r.tcp(TCPOptions{Address: "127.0.0.1", Port: 9}))
	if err != nil {
		t.Fatal(err)
	}
	defer sock.Close()
	for name, err := range map[string]error{"End": second(sock.End(nil)), "CloseWrite": sock.CloseWrite(),
		"SetNoDelay": sock.SetNoDelay(true), "SetKeepAlive": sock.SetKeepAlive(true, 0)} {
		if !errors.Is(err, ErrNotConnected) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := sock.Flush(); err != nil || sock.Writable() != 0 {
		t.Errorf("Flush: %v; Writable %d", err, sock.Writable())
	}
}

// TestEndRefusedByTransport: over a network whose connections can't be half closed,
// TLS can end its session all the same, and TCP says that it can't.
func TestEndRefusedByTransport(t *testing.T) {
	r := newRigOn(t, &memory{})
	ln, err := r.app.network.Listen(t.Context(), "tcp", "127.0.0.1:5")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	sock, err := NewTCP(r.app, r.tcp(TCPOptions{Address: "127.0.0.1", Port: 5}))
	if err != nil {
		t.Fatal(err)
	}
	accept(t, ln)
	r.next("writable")
	if err := sock.CloseWrite(); !errors.Is(err, ErrNotSupported) {
		t.Errorf("CloseWrite: %v", err)
	}
	if err := sock.SetNoDelay(true); !errors.Is(err, ErrNotSupported) {
		t.Errorf("SetNoDelay: %v", err)
	}
	if err := sock.SetKeepAlive(true, time.Second); !errors.Is(err, ErrNotSupported) {
		t.Errorf("SetKeepAlive: %v", err)
	}
	if err := sock.Terminate(); !errors.Is(err, ErrNotSupported) || sock.ReadyState() != ReadyClosed {
		t.Errorf("Terminate: %v", err)
	}

	secured, err := NewTLS(r.app, r.tls(TLSClientOptions{Address: "127.0.0.1", Port: 5, TLS: clientOptions(t)}))
	if err != nil {
		t.Fatal(err)
	}
	defer secured.Close()
	peer := r.serve(accept(t, ln), nil)
	r.next("writable")
	if _, err := secured.End([]byte("bye")); err != nil {
		t.Error(err)
	}
	if p, err := io.ReadAll(peer); string(p) != "bye" || err != nil {
		t.Errorf("peer got %q, %v", p, err)
	}
}

//conform:bun event.end works tlsio.TCPOptions.OnEnd, tlsio.TLSClientOptions.OnEnd
//conform:bun option.allowHalfOpen works tlsio.TCPOptions.AllowHalfOpen, tlsio.TLSClientOptions.AllowHalfOpen
func TestAllowHalfOpen(t *testing.T) {
	both(t, func(t *testing.T, secured bool) {
		r := newRig(t)
		o := r.more(TCPOptions{})
		// Without it, the end is an error, of which OnEnd warns.
		_, peer := r.pair(secured, o)
		peer.Write([]byte("x"))
		peer.CloseWrite()
		c := r.next("readable")
		s := c.who.(Socket)
		r.quiet() // held back until the data were read
		r.do(func() { s.socket().ReadAvailable() })
		r.next("end")
		if c := r.next("error"); !errors.Is(c.err, io.EOF) {
			t.Errorf("OnError(%v)", c.err)
		}
		if _, err := s.socket().Write([]byte("late")); !errors.Is(err, ErrFailed) {
			t.Errorf("Write: %v", err)
		}

		// With it, writing goes on.
		o.AllowHalfOpen = true
		s, peer = r.pair(secured, o)
		i := s.socket()
		peer.CloseWrite()
		r.next("end")
		r.quiet()
		if i.ReadyState() != ReadyEstablished {
			t.Errorf("ReadyState = %d", i.ReadyState())
		}
		for range 3 {
			if _, err := i.Write([]byte("still")); err != nil {
				t.Fatal(err)
			}
			if got := string(readAll(t, peer, 5)); got != "still" {
				t.Errorf("peer got %q", got)
			}
			r.next("writable")
		}
		if n, err := i.ReadInto(make([]byte, 1)); n != 0 || err != nil {
			t.Errorf("Read after the end: %d, %v", n, err)
		}
		// Both have ended: nothing is left but to close.
		i.End([]byte("bye"))
		if p, err := io.ReadAll(peer); string(p) != "bye" || err != nil {
			t.Errorf("peer got %q, %v", p, err)
		}
		if c := r.skipTo("error"); !errors.Is(c.err, io.EOF) {
			t.Errorf("OnError(%v)", c.err)
		}
		r.quiet()
	})
	_, err := NewTCP(NewApp(testNetwork(t)), TCPOptions{Address: "::1", Port: 1, AllowHalfOpen: true, IdleTimeout: -1})
	wantOption(t, err, "IdleTimeout", "OnEnd")
}

// TestHalfOpenHandOver takes over a connection whose peer has ended already.
func TestHalfOpenHandOver(t *testing.T) {
	r := newRig(t)
	ln, address, port := local(t)
	plain, err := NewTCP(r.app, TCPOptions{Address: address, Port: port})
	if err != nil {
		t.Fatal(err)
	}
	peer := accept(t, ln).(peerConn)
	peer.Write([]byte("last"))
	peer.CloseWrite()
	wait(t, "the end arrives", func() bool { return plain.ReadyState() == ReadyClosed && plain.Buffered() == 4 })
	o := r.more(TCPOptions{From: plain, AllowHalfOpen: true})
	sock, err := NewTCP(r.app, r.tcp(o))
	if err != nil {
		t.Fatal(err)
	}
	defer sock.Close()
	r.next("writable")
	r.next("readable")
	r.do(func() { sock.ReadAvailable(); sock.Write([]byte("answer")) })
	r.skipTo("end")
	if got := string(readAll(t, peer, 6)); got != "answer" {
		t.Errorf("peer got %q", got)
	}
	// And one whose owner doesn't allow it is told once.
	third, err := NewTCP(r.app, r.tcp(TCPOptions{From: sock}))
	if err != nil {
		t.Fatal(err)
	}
	defer third.Close()
	if c := r.skipTo("error"); c.who != third || !errors.Is(c.err, io.EOF) {
		t.Errorf("OnError(%v)", c.err)
	}
	r.quiet()
}

//conform:bun terminate works tlsio.TCP.Terminate, tlsio.TLS.Terminate
func TestTerminate(t *testing.T) {
	both(t, func(t *testing.T, secured bool) {
		r := newRig(t)
		s, peer := r.pair(secured, TCPOptions{})
		i := s.socket()
		// Fill all buffers, so that an orderly end would have to wait.
		wait(t, "full", func() bool {
			_, err := i.Write(pattern(bufferSize))
			return errors.Is(err, ErrOverflow)
		})
		r.do(func() {
			for range 2 {
				if err := i.Terminate(); err != nil {
					t.Errorf("Terminate: %v", err)
				}
			}
			if _, err := i.Write([]byte{1}); !errors.Is(err, ErrClosed) || i.ReadyState() != ReadyClosed {
				t.Errorf("Write: %v", err)
			}
			for len(r.calls) > 0 {
				<-r.calls
			}
		})
		r.quiet()
		wantReset(t, peer)
	})
}

// wantReset checks that peer sees a reset, not an end. On a wire that loses packets that
// may be lost too; it is repeated when the peer sends something.
func wantReset(t testing.TB, peer net.Conn) {
	t.Helper()
	for end := time.Now().Add(limit); ; {
		peer.SetReadDeadline(time.Now().Add(time.Second))
		_, err := io.Copy(io.Discard, peer)
		switch {
		case isTimeout(err) && time.Now().Before(end):
			peer.SetWriteDeadline(end)
			if _, err := peer.Write([]byte{0}); err != nil {
				return // it would have been the first, if there had been an end
			}
			continue
		case err == nil, !strings.Contains(err.Error(), "reset"):
			t.Errorf("the peer reads %v, want a reset", err)
		}
		return
	}
}

// In the middle of a handshake too, whatever it was begun on.
func TestTerminateWhileShaking(t *testing.T) {
	begin := map[string]func(r *rig) (s *TLS, peer net.Conn){
		"NewTLS": func(r *rig) (*TLS, net.Conn) {
			ln, address, port := local(r.t)
			sock, err := NewTLS(r.app, r.tls(TLSClientOptions{Address: address, Port: port, TLS: clientOptions(r.t)}))
			if err != nil {
				r.t.Fatal(err)
			}
			return sock, accept(r.t, ln)
		},
		"From, client": func(r *rig) (*TLS, net.Conn) {
			plain, peer := r.tcpPair(TCPOptions{})
			sock, err := NewTLS(r.app, r.tls(TLSClientOptions{From: plain, TLS: clientOptions(r.t)}))
			if err != nil {
				r.t.Fatal(err)
			}
			return sock, peer
		},
		"From, server": func(r *rig) (*TLS, net.Conn) {
			plain, peer := r.tcpPair(TCPOptions{})
			sock, err := NewTLS(r.app, r.tls(TLSClientOptions{From: plain, Server: true, TLS: serverOptions(r.t)}))
			if err != nil {
				r.t.Fatal(err)
			}
			return sock, peer
		},
		"From what isn't sent": func(r *rig) (*TLS, net.Conn) {
			plain, peer := r.tcpPair(TCPOptions{})
			wait(r.t, "full", func() bool {
				_, err := plain.Write(pattern(bufferSize))
				return errors.Is(err, ErrOverflow)
			})
			sock, err := NewTLS(r.app, r.tls(TLSClientOptions{From: plain, TLS: clientOptions(r.t)}))
			if err != nil {
				r.t.Fatal(err)
			}
			return sock, peer
		},
	}
	for name, begin := range begin {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			sock, peer := begin(r)
			if name == "NewTLS" || name == "From, client" {
				if _, err := io.ReadFull(peer, make([]byte, 1)); err != nil { // it has begun
					t.Fatal(err)
				}
			}
			r.do(func() {
				if err := sock.Terminate(); err != nil || sock.ReadyState() != ReadyClosed {
					t.Errorf("Terminate: %v, state %d", err, sock.ReadyState())
				}
				for len(r.calls) > 0 { // writable, of the plain one
					<-r.calls
				}
			})
			wantReset(t, peer)
			r.quiet()
		})
	}
}

func TestTerminateWhileConnecting(t *testing.T) {
	r := newRigOn(t, &slow{testNetwork(t), make(chan struct{})})
	sock, err := NewTCP(r.app, r.tcp(TCPOptions{Address: "127.0.0.1", Port: 9}))
	if err != nil {
		t.Fatal(err)
	}
	if err := sock.Terminate(); err != nil {
		t.Error(err)
	}
	r.quiet()
}

func TestConnTerminate(t *testing.T) {
	ln := listen(t, serverOptions(t))
	c, err := Dial(timeout(t), testNetwork(t), ln.Addr().String(), clientOptions(t))
	if err != nil {
		t.Fatal(err)
	}
	peer := accept(t, ln)
	if err := c.(*Conn).Terminate(); err != nil {
		t.Error(err)
	}
	if err := c.(*Conn).Terminate(); !errors.Is(err, ErrClosed) {
		t.Errorf("again: %v", err)
	}
	wantReset(t, peer)
}

//conform:bun timeout works tlsio.TCP.SetIdleTimeout, tlsio.TLS.SetIdleTimeout
//conform:bun event.timeout works tlsio.TCPOptions.OnTimeout, tlsio.TLSClientOptions.OnTimeout
func TestIdleTimeout(t *testing.T) {
	both(t, func(t *testing.T, secured bool) {
		// On a machine that has stood still for too long, again with more time.
		for d := 150 * time.Millisecond; !idles(t, secured, d); d *= 3 {
			if d > limit {
				t.Fatal("this machine has no time")
			}
		}
	})
}

// idles tries a timeout of d; it returns false if the test itself was idle.
func idles(t *testing.T, secured bool, d time.Duration) bool {
	r := newRig(t)
	s, peer := r.pair(secured, r.more(TCPOptions{IdleTimeout: d}))
	i := s.socket()
	defer i.Close()
	start := time.Now()
	// Activity in either direction counts.
	for n := range 6 {
		last := time.Now()
		if n%2 == 0 {
			peer.Write([]byte("x"))
			wait(t, "a byte", func() bool { return i.Buffered() > 0 || i.ReadyState() != ReadyEstablished })
			i.ReadAvailable()
		} else {
			i.Write([]byte("y"))
			peer.Read(make([]byte, 1))
		}
		time.Sleep(d / 4)
		if time.Since(last) > d*3/4 {
			return false
		}
	}
	r.skipTo("timeout")
	if since := time.Since(start); since < 6*d/4 {
		t.Errorf("after %v in spite of activity", since)
	}
	wait(t, "closed", func() bool { return i.ReadyState() == ReadyClosed })
	if _, err := i.Write(nil); !errors.Is(err, ErrClosed) {
		t.Errorf("Write: %v", err)
	}
	if _, err := io.ReadAll(peer); err != nil {
		t.Errorf("the peer sees %v, want an orderly end", err)
	}
	r.quiet()
	return true
}

func TestIdleTimeoutHandler(t *testing.T) {
	r := newRig(t)
	times := 0
	sock, peer := r.tcpPair(TCPOptions{IdleTimeout: 20 * time.Millisecond, OnTimeout: func(s *TCP) {
		times++
		s.Write([]byte{byte(times)})
		switch times {
		case 1: // armed again
			s.SetIdleTimeout(20 * time.Millisecond)
		case 2: // no timeout any more
			s.SetIdleTimeout(0)
			r.note("off", s, 0, nil)
		}
	}})
	if p := readAll(t, peer, 2); p[0] != 1 || p[1] != 2 {
		t.Errorf("peer got %v", p)
	}
	r.skipTo("off")
	time.Sleep(60 * time.Millisecond)
	if sock.ReadyState() != ReadyEstablished || times != 2 {
		t.Error("closed though the handler set the timeout again")
	}
	wantOption(t, sock.SetIdleTimeout(-1), "IdleTimeout")
	// What the handler writes is still sent when it closes.
	r.do(func() { sock.SetIdleTimeout(time.Millisecond) })
	if p, err := io.ReadAll(peer); len(p) != 1 || err != nil {
		t.Errorf("peer got %v, %v", p, err)
	}
}

func TestIdleTimeoutWithoutHandler(t *testing.T) {
	both(t, func(t *testing.T, secured bool) {
		r := newRig(t)
		_, peer := r.pair(secured, TCPOptions{IdleTimeout: 30 * time.Millisecond})
		c := r.next("error")
		e, ok := errors.AsType[*Error](c.err)
		if !ok || !errors.Is(c.err, ErrIdleTimeout) || !e.Timeout() {
			t.Errorf("OnError(%v)", c.err)
		}
		if _, err := io.ReadAll(peer); err != nil {
			t.Errorf("peer: %v", err)
		}
		r.quiet()
	})
}

func TestIdleTimeoutBeginsWhenConnected(t *testing.T) {
	network := &slow{testNetwork(t), make(chan struct{})}
	r := newRigOn(t, network)
	ln, address, port := local(t)
	o := r.more(r.tcp(TCPOptions{Address: address, Port: port, IdleTimeout: 30 * time.Millisecond}))
	if _, err := NewTCP(r.app, o); err != nil {
		t.Fatal(err)
	}
	time.Sleep(60 * time.Millisecond)
	r.quiet()
	close(network.ready)
	accept(t, ln)
	r.next("writable")
	r.next("timeout")
}

//conform:bun pause works tlsio.TCP.Pause, tlsio.TLS.Pause
//conform:bun resume works tlsio.TCP.Resume, tlsio.TLS.Resume
func TestPauseResume(t *testing.T) {
	both(t, func(t *testing.T, secured bool) {
		r := newRig(t)
		s, peer := r.pair(secured, r.more(TCPOptions{}))
		i := s.socket()
		r.do(func() {
			if err := i.Pause(); err != nil {
				t.Error(err)
			}
		})
		// The peer can't get rid of all: the window closes.
		data := pattern(64 << 20)
		wrote := make(chan int, 1)
		go func() {
			peer.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
			n, _ := peer.Write(data)
			wrote <- n
		}()
		n := <-wrote
		if n == len(data) {
			t.Error("the peer could send without limit")
		}
		if i.Buffered() > fullRecord {
			t.Errorf("%d bytes were read while paused", i.Buffered())
		}
		r.quiet() // no OnReadable
		peer.SetWriteDeadline(time.Now().Add(limit))
		if secured {
			return // a write that timed out has broken the peer's session
		}
		peer.CloseWrite()
		r.quiet() // nor OnEnd
		var got []byte
		r.do(func() { i.Resume() })
		for len(got) < n {
			r.next("readable")
			r.do(func() { got = append(got, first(i.ReadAvailable())...) })
		}
		if !bytes.Equal(got, data[:n]) {
			t.Error("bytes differ")
		}
		r.skipTo("end")
		r.next("error")
	})
}

// TestPauseHoldsBack: what had arrived before Pause can be read, but is told only
// after Resume; and a hand-over resumes.
func TestPauseHoldsBack(t *testing.T) {
	both(t, func(t *testing.T, secured bool) {
		r := newRig(t)
		s, peer := r.pair(secured, TCPOptions{})
		i := s.socket()
		r.do(func() {
			peer.Write([]byte("abc"))
			wait(t, "arrived", func() bool { return i.Buffered() == 3 })
			i.Pause()
		})
		r.quiet()
		r.do(func() {
			if p, err := i.Read(1); string(p) != "a" || err != nil {
				t.Errorf("Read = %q, %v", p, err)
			}
			i.Resume()
		})
		if c := r.next("readable"); c.n != 2 {
			t.Errorf("OnReadable(%d)", c.n)
		}
		r.do(func() { i.Pause(); i.ReadAvailable() })
		peer.Close()
		r.quiet()
		var next Socket
		var err error
		if secured {
			next, err = NewTLS(r.app, r.tls(TLSClientOptions{From: s}))
		} else {
			next, err = NewTCP(r.app, r.tcp(TCPOptions{From: s}))
		}
		if err != nil {
			t.Fatal(err)
		}
		defer next.socket().Close()
		if c := r.skipTo("error"); c.who != next {
			t.Error("the original was called")
		}
	})
}

//conform:bun flush works tlsio.TCP.Flush, tlsio.TLS.Flush
func TestFlush(t *testing.T) {
	both(t, func(t *testing.T, secured bool) {
		r := newRig(t)
		s, peer := r.pair(secured, TCPOptions{})
		i := s.socket()
		i.Write([]byte("ab"), WriteOptions{More: true})
		peer.SetReadDeadline(time.Now().Add(30 * time.Millisecond))
		if _, err := peer.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("sent before Flush; %v", err)
		}
		peer.SetReadDeadline(time.Now().Add(limit))
		if err := i.Flush(); err != nil {
			t.Error(err)
		}
		if got := string(readAll(t, peer, 2)); got != "ab" {
			t.Errorf("peer got %q", got)
		}
		i.Close()
		if err := i.Flush(); !errors.Is(err, ErrClosed) {
			t.Errorf("Flush after Close: %v", err)
		}
	})
}

//conform:bun setNoDelay differs tlsio.TCP.SetNoDelay, tlsio.TLS.SetNoDelay -- an error says why it can't be, in place of false
//conform:bun setKeepAlive differs tlsio.TCP.SetKeepAlive, tlsio.TLS.SetKeepAlive, tlsio.TCP.SetKeepAliveConfig -- an error says why it can't be, in place of false
func TestOptionsOfConnected(t *testing.T) {
	both(t, func(t *testing.T, secured bool) {
		network := &tap{Network: testNetwork(t)}
		r := newRigOn(t, network)
		s, _ := r.pair(secured, TCPOptions{})
		i, c := s.socket(), network.last.Load()
		for _, on := range []bool{true, false} {
			if err := i.SetNoDelay(on); err != nil || c.noDelay.Load() != map[bool]int32{true: 2, false: 1}[on] {
				t.Errorf("SetNoDelay(%v): %v, %d", on, err, c.noDelay.Load())
			}
		}
		if err := i.SetKeepAlive(true, 90*time.Second); err != nil {
			t.Error(err)
		}
		if k := c.keepAlive.Load(); *k != (net.KeepAliveConfig{Enable: true, Idle: 90 * time.Second, Interval: time.Second, Count: 10}) {
			t.Errorf("SetKeepAlive gave %+v", k)
		}
		if err := i.SetKeepAlive(false, 0); err != nil || c.keepAlive.Load().Enable {
			t.Errorf("SetKeepAlive(false): %v", err)
		}
		full := net.KeepAliveConfig{Enable: true, Idle: time.Second, Interval: 2 * time.Second, Count: 3}
		if err := i.SetKeepAliveConfig(full); err != nil || *c.keepAlive.Load() != full {
			t.Errorf("SetKeepAliveConfig: %v", err)
		}
		wantOption(t, i.SetKeepAlive(true, -1), "initialDelay")
		i.Close()
		for _, err := range []error{i.SetNoDelay(true), i.SetKeepAlive(true, 0)} {
			if !errors.Is(err, ErrClosed) {
				t.Errorf("after Close: %v", err)
			}
		}
	})
}

//conform:bun ref differs tlsio.TCP.Ref, tlsio.App.Wait -- there is no process to keep alive: App.Wait, which returns when nothing is left to serve, waits for it
//conform:bun unref differs tlsio.TCP.Unref, tlsio.App.Wait -- App.Wait doesn't wait for it
//conform:bun Listener.ref differs tlsio.Listener.Ref, tlsio.App.Wait -- as a socket's
//conform:bun Listener.unref differs tlsio.Listener.Unref, tlsio.App.Wait -- as a socket's
func TestAppWait(t *testing.T) {
	r := newRig(t)
	waits := func(want bool) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
		defer cancel()
		err := r.app.Wait(ctx)
		if want != errors.Is(err, context.DeadlineExceeded) || !want && err != nil {
			t.Errorf("Wait: %v; should wait: %v", err, want)
		}
	}
	waits(false)
	release := r.app.Ref()
	waits(true)
	release()
	release()
	waits(false)

	ln, err := NewListener(r.app, ListenerOptions{Address: "127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	waits(true)
	ln.Unref()
	ln.Unref()
	waits(false)
	ln.Ref()
	ln.Ref()
	waits(true)
	ln.Close()
	waits(false)
	sock, _ := r.tcpPair(TCPOptions{})
	waits(true)
	sock.Unref()
	sock.Unref()
	waits(false)
	sock.Ref()
	sock.Ref()
	waits(true)
	next, err := NewTCP(r.app, r.tcp(TCPOptions{From: sock})) // counts once
	if err != nil {
		t.Fatal(err)
	}
	sock.Ref()
	sock.Unref()
	waits(true)
	done := make(chan error, 1)
	go func() { done <- r.app.Wait(timeout(t)) }()
	next.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
	next.Ref()
	waits(false)

	// One that has failed isn't waited for, nor one that was taken out.
	failing, peer := r.tcpPair(TCPOptions{})
	waits(true)
	peer.Close()
	r.skipTo("error")
	r.do(func() {})
	waits(false)
	failing.Close()
	waits(false)
	out, _ := r.tcpPair(TCPOptions{})
	c, err := out.NetConn(timeout(t))
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	waits(false)
}

//conform:bun reload works tlsio.TCP.Reload, tlsio.TLS.Reload, tlsio.Listener.Reload
func TestReload(t *testing.T) {
	both(t, func(t *testing.T, secured bool) {
		r := newRig(t)
		s, peer := r.pair(secured, TCPOptions{})
		var err error
		switch s := s.(type) {
		case *TCP:
			err = s.Reload(Handlers[*TCP]{OnReadable: func(t *TCP, n int) { r.note("new", t, n, nil) }})
		case *TLS:
			err = s.Reload(Handlers[*TLS]{OnReadable: func(t *TLS, n int) { r.note("new", t, n, nil) }})
		}
		if err != nil {
			t.Fatal(err)
		}
		r.quiet() // nothing is told again
		peer.Write([]byte("abc"))
		if c := r.next("new"); c.n != 3 || c.who != s {
			t.Errorf("OnReadable(%d)", c.n)
		}
		s.socket().Write([]byte("x")) // OnWritable is gone
		readAll(t, peer, 1)
		r.quiet()
	})
	half, _ := newRig(t).tcpPair(TCPOptions{AllowHalfOpen: true, OnEnd: func(*TCP) {}})
	wantOption(t, half.Reload(Handlers[*TCP]{}), "OnEnd")
	if err := new(TCP).Reload(Handlers[*TCP]{}); !errors.Is(err, ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

//conform:bun Listener.reload works tlsio.Listener.Reload, tlsio.TLSListener.Reload
//conform:bun listen works tlsio.NewListener, tlsio.ListenerOptions.Connection
//conform:bun listener works tlsio.TCP.Listener, tlsio.TLS.Listener
//conform:bun Listener.port works tlsio.Listener.Port
//conform:bun Listener.hostname works tlsio.Listener.LocalAddress
//conform:bun Listener.data works tlsio.Listener.Target
//conform:bun Listener.stop works tlsio.Listener.Close
//conform:bun Listener.stop.closeActive works tlsio.Listener.CloseAll, tlsio.TLSListener.CloseAll
func TestListenerConnections(t *testing.T) {
	both(t, func(t *testing.T, secured bool) {
		r := newRig(t)
		var ln Acceptor
		var err error
		read := make(chan Socket, 10)
		named := func(name string) (Handlers[*TCP], Handlers[*TLS]) {
			return Handlers[*TCP]{OnReadable: func(t *TCP, n int) { r.note(name, t, n, nil) }},
				Handlers[*TLS]{OnReadable: func(t *TLS, n int) { r.note(name, t, n, nil) }}
		}
		plainH, tlsH := named("first")
		if secured {
			ln, err = NewTLSListener(r.app, TLSListenerOptions{Address: "127.0.0.1", TLS: serverOptions(t), Connection: tlsH, Target: 7,
				OnReadable: func(l *TLSListener, _ int) { s, _ := l.Read(); read <- s }})
		} else {
			ln, err = NewListener(r.app, ListenerOptions{Address: "127.0.0.1", Connection: plainH, Target: 7,
				OnReadable: func(l *Listener, _ int) { s, _ := l.Read(); read <- s }})
		}
		if err != nil {
			t.Fatal(err)
		}
		port, err := ln.Port()
		if err != nil || ln.Target() != 7 {
			t.Error(err)
		}
		if a, err := ln.(interface{ LocalAddress() (string, error) }).LocalAddress(); a != "127.0.0.1" || err != nil {
			t.Errorf("LocalAddress = %q, %v", a, err)
		}
		addr := net.JoinHostPort("127.0.0.1", itoa(port))
		dial := func() (net.Conn, Socket) {
			var c net.Conn
			var err error
			if secured {
				c, err = Dial(timeout(t), testNetwork(t), addr, clientOptions(t))
			} else {
				c, err = testNetwork(t).DialContext(timeout(t), "tcp", addr)
			}
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { c.Close() })
			c.SetDeadline(time.Now().Add(limit))
			return c, <-read
		}
		say := func(c net.Conn, kind string) {
			t.Helper()
			c.Write([]byte("x"))
			r.next(kind)
		}
		c1, s1 := dial()
		c2, s2 := dial()
		say(c1, "first")
		say(c2, "first")
		plainH, tlsH = named("second")
		switch s := s1.(type) { // one with its own callbacks keeps them
		case *TCP:
			err = s.Reload(plainH)
		case *TLS:
			err = s.Reload(tlsH)
		}
		if err != nil {
			t.Fatal(err)
		}
		plainH, tlsH = named("third")
		switch l := ln.(type) {
		case *Listener:
			err = l.Reload(plainH)
		case *TLSListener:
			err = l.Reload(tlsH)
		}
		if err != nil {
			t.Fatal(err)
		}
		c3, s3 := dial()
		say(c1, "second")
		say(c2, "third")
		say(c3, "third")

		// Handed over, it still is the listener's.
		if s2.socket().Listener() != ln {
			t.Error("Listener is another")
		}
		var s4 Socket
		if secured {
			s4, err = NewTLS(r.app, TLSClientOptions{From: s3})
		} else {
			s4, err = NewTCP(r.app, TCPOptions{From: s3})
		}
		if err != nil {
			t.Fatal(err)
		}
		if s4.socket().Listener() != ln || s3.socket().Listener() != nil {
			t.Error("Listener after hand-over")
		}
		// Stopped, connections live on; with CloseAll they don't.
		if err := ln.Close(); err != nil {
			t.Error(err)
		}
		if s2.socket().Listener() != nil {
			t.Error("the listener is closed, but Listener isn't nil")
		}
		say(c2, "third")
		s1.socket().Close()
		if err := ln.CloseAll(); err != nil {
			t.Error(err)
		}
		for _, c := range []net.Conn{c1, c2, c3} {
			if _, err := io.ReadAll(c); err != nil {
				t.Errorf("after CloseAll: %v", err)
			}
		}
		if s2.socket().ReadyState() != ReadyClosed || s4.socket().ReadyState() != ReadyClosed {
			t.Error("not closed")
		}
		r.quiet()
	})
}

// TestListenerOfClient: sockets that no listener made have none.
func TestListenerOfClient(t *testing.T) {
	r := newRig(t)
	sock, _ := r.tcpPair(TCPOptions{})
	if sock.Listener() != nil {
		t.Error("a client has a listener")
	}
}

// TestAcceptedWithoutCallbacksFails: nothing is lost by reading a connection late,
// when its peer has already gone.
func TestAcceptedLate(t *testing.T) {
	r := newRig(t)
	ln, err := NewListener(r.app, ListenerOptions{Address: "127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	port, _ := ln.Port()
	c := testDial(t, net.JoinHostPort("127.0.0.1", itoa(port)))
	wait(t, "a connection", func() bool { ln.mu.Lock(); defer ln.mu.Unlock(); return len(ln.unread) == 1 })
	plain, err := ln.Read()
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	wait(t, "the end", func() bool { return plain.ReadyState() == ReadyClosed })
	r.do(func() {})
	sock, err := NewTCP(r.app, r.tcp(TCPOptions{From: plain}))
	if err != nil {
		t.Fatalf("the hand-over was refused: %v", err)
	}
	r.next("writable")
	if c := r.next("error"); c.who != sock || !errors.Is(c.err, io.EOF) {
		t.Errorf("OnError(%v)", c.err)
	}
	sock.Close()
}

//conform:bun upgradeTLS differs tlsio.NewTLS, tlsio.TLSClientOptions.From, tlsio.TLSClientOptions.Server -- the raw instance is closed, so that it can't show ciphertext; one instance comes back
func TestStartTLSBothRoles(t *testing.T) {
	r := newRig(t)
	// The server: a TCP that is asked for TLS, and that has the first bytes of the
	// ClientHello in its buffer by then.
	var server *TLS
	ln, err := NewListener(r.app, ListenerOptions{Address: "127.0.0.1", OnReadable: func(l *Listener, _ int) {
		plain, _ := l.Read()
		NewTCP(r.app, TCPOptions{From: plain, Target: "plain",
			OnWritable: func(t *TCP, _ int) {
				if t.BytesWritten() == 0 {
					t.Write([]byte("220 ready\n"))
				}
			},
			OnReadable: func(sock *TCP, n int) {
				p, _ := sock.Read(len("STARTTLS\n"))
				if string(p) != "STARTTLS\n" {
					t.Errorf("server got %q", p)
				}
				so := serverOptions(t)
				var err error
				if server, err = NewTLS(r.app, r.tls(TLSClientOptions{From: sock, Server: true, TLS: so})); err != nil {
					t.Error(err)
				}
				if server.Listener() != l {
					t.Error("the upgraded connection has lost its listener")
				}
			},
			OnError: func(_ *TCP, err error) { t.Errorf("raw OnError(%v)", err) }})
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.CloseAll()
	port, _ := ln.Port()
	client := make(chan *TLS, 1)
	if _, err := NewTCP(r.app, TCPOptions{Address: "127.0.0.1", Port: port,
		OnReadable: func(sock *TCP, _ int) {
			if p, _ := sock.ReadAvailable(); string(p) != "220 ready\n" {
				t.Errorf("client got %q", p)
			}
			sock.Write([]byte("STARTTLS\n"), WriteOptions{More: true}) // with the hello, in one segment perhaps
			c, err := NewTLS(r.app, r.tls(TLSClientOptions{From: sock, TLS: clientOptions(t)}))
			if err != nil {
				t.Error(err)
			}
			client <- c
		},
		OnError: func(_ *TCP, err error) { t.Errorf("raw OnError(%v)", err) }}); err != nil {
		t.Fatal(err)
	}
	c := <-client
	defer c.Close()
	r.next("writable")
	r.next("writable")
	if st, err := server.State(); err != nil || !st.HandshakeComplete || !st.Server {
		t.Errorf("server's state: %+v, %v", st.HandshakeComplete, err)
	}
	for _, pair := range [][2]*TLS{{c, server}, {server, c}} {
		from, to := pair[0], pair[1]
		var got []byte
		data := pattern(50000)
		sent := 0
		wait(t, "all bytes", func() bool {
			r.do(func() {
				n := min(from.Writable(), len(data)-sent)
				from.Write(data[sent : sent+n])
				sent += n
				got = append(got, first(to.ReadAvailable())...)
			})
			return len(got) >= len(data)
		})
		if !bytes.Equal(got, data) {
			t.Error("bytes differ after the upgrade")
		}
	}
}

// TestStartTLSServerFailure: a client that goes on in plain text is refused once,
// with the reason, and the raw instance is silent.
func TestStartTLSServerFailure(t *testing.T) {
	r := newRig(t)
	plain, raw := r.tcpPair(TCPOptions{})
	raw.Write([]byte("QUIT\r\nQUIT\r\n"))
	r.next("readable")
	sock, err := NewTLS(r.app, r.tls(TLSClientOptions{From: plain, Server: true, TLS: serverOptions(t)}))
	if err != nil {
		t.Fatal(err)
	}
	c := r.next("error")
	if c.who != sock {
		t.Error("the original was called")
	}
	if e := wantError(t, c.err, StageHandshake, Alert{}); !strings.Contains(e.Hint, "plain text") && e.Err == nil {
		t.Errorf("%v", e)
	}
	r.quiet()
	sock.Close()
}

func TestStartTLSOptions(t *testing.T) {
	r := newRig(t)
	plain, _ := r.tcpPair(TCPOptions{})
	so := serverOptions(t)
	limited := so
	limited.MaxHandshakes = 3
	wantOption(t, second(NewTLS(r.app, TLSClientOptions{Address: "127.0.0.1", Port: 1, Server: true, TLS: so})), "Server")
	wantOption(t, second(NewTLS(r.app, TLSClientOptions{From: plain, Server: true, TLS: limited})), "TLS."+limitNames)
	wantOption(t, second(NewTLS(r.app, TLSClientOptions{From: plain, Server: true, TLS: clientOptions(t)})),
		"TLS.Host", "TLS.ServerCertificate", "TLS.CA")
	plain.CloseWrite()
	wantOption(t, second(NewTLS(r.app, TLSClientOptions{From: plain, TLS: clientOptions(t)})), "From")
	if plain.ReadyState() != ReadyShutdown {
		t.Error("a refused upgrade closed the original")
	}
	// A context serves as well as options do, in the right role only.
	server, err := NewServerContext(so)
	if err != nil {
		t.Fatal(err)
	}
	wantOption(t, second(NewTLS(r.app, TLSClientOptions{From: plain, TLS: TLSOptions{Context: server}})), "TLS.Context")
	other, raw := r.tcpPair(TCPOptions{})
	sock, err := NewTLS(r.app, r.tls(TLSClientOptions{From: other, Server: true, TLS: TLSOptions{Context: server}}))
	if err != nil {
		t.Fatal(err)
	}
	defer sock.Close()
	client := tls.Client(raw, &tls.Config{InsecureSkipVerify: true})
	if err := client.Handshake(); err != nil {
		t.Fatal(err)
	}
	r.next("writable")
	wantOption(t, second(NewTLS(r.app, TLSClientOptions{From: sock, Server: true})), "Server")
}

// TestNetConnKeepsItsType: with bytes that were not read, a TLS gives a *Conn all the
// same, and what reads from it, in whatever way, begins with them.
func TestNetConnKeepsItsType(t *testing.T) {
	for _, way := range []string{"Read", "WriteTo"} {
		t.Run(way, func(t *testing.T) {
			r := newRig(t)
			sock, peer := r.tlsPair(TLSClientOptions{}, nil)
			data := pattern(5000)
			peer.Write(data[:3000])
			wait(t, "3000 bytes", func() bool { return sock.Buffered() == 3000 })
			c, err := sock.NetConn(timeout(t))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			secured, ok := c.(*Conn)
			if !ok {
				t.Fatalf("a %T", c)
			}
			if st := secured.State(); !st.HandshakeComplete {
				t.Error("no state")
			}
			go func() { peer.Write(data[3000:]); peer.Close() }()
			var got bytes.Buffer
			if way == "WriteTo" {
				_, err = secured.WriteTo(&got)
			} else {
				_, err = io.Copy(&got, struct{ io.Reader }{c})
			}
			if err != nil || !bytes.Equal(got.Bytes(), data) {
				t.Errorf("%d bytes, %v", got.Len(), err)
			}
		})
	}
	// A TCP's can still be closed in one direction.
	r := newRig(t)
	plain, peer := r.tcpPair(TCPOptions{})
	peer.Write([]byte("early"))
	r.next("readable")
	c, err := plain.NetConn(timeout(t))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.(peerConn).CloseWrite(); err != nil {
		t.Error(err)
	}
	if _, err := io.ReadAll(peer); err != nil {
		t.Error(err)
	}
	if p := readAll(t, c, 5); string(p) != "early" {
		t.Errorf("got %q", p)
	}
}

// TestBudgetAfterEnd: whatever ends an instance, its memory is given back.
func TestBudgetAfterEnd(t *testing.T) {
	both(t, func(t *testing.T, secured bool) {
		for _, how := range []string{"Close", "Terminate", "idle", "idle without handler", "CloseAll"} {
			t.Run(how, func(t *testing.T) {
				r := newRig(t)
				b := NewBudget(64 << 20)
				r.app.SetBudget(b)
				o := TCPOptions{}
				if how == "idle" {
					o = r.more(o)
				}
				if how == "CloseAll" {
					ln, err := NewListener(r.app, ListenerOptions{Address: "127.0.0.1",
						Connection: Handlers[*TCP]{OnReadable: func(t *TCP, n int) { r.note("readable", t, n, nil) }},
						OnReadable: func(l *Listener, _ int) { l.Read() }})
					if err != nil {
						t.Fatal(err)
					}
					port, _ := ln.Port()
					c := testDial(t, net.JoinHostPort("127.0.0.1", itoa(port)))
					c.Write([]byte("unread"))
					r.next("readable")
					if b.Report().Used == 0 {
						t.Error("costs nothing")
					}
					ln.CloseAll()
				} else {
					s, peer := r.pair(secured, o)
					i := s.socket()
					peer.Write([]byte("unread"))
					r.next("readable")
					i.Write(pattern(1000), WriteOptions{More: true})
					if b.Report().Used == 0 {
						t.Error("costs nothing")
					}
					switch how {
					case "Close":
						i.Close()
					case "Terminate":
						i.Terminate()
					default:
						i.SetIdleTimeout(time.Millisecond)
						if how == "idle" {
							r.next("timeout")
						} else {
							r.do(func() { i.ReadAvailable() })
							r.next("error")
							i.Close()
						}
					}
				}
				wait(t, "all memory is back", func() bool { return b.Report().Used == 0 })
			})
		}
	})
}

// TestStartTLSToSilentPeer: a peer that doesn't even read the plain text before the
// handshake is given up like one that doesn't take part in the handshake.
func TestStartTLSToSilentPeer(t *testing.T) {
	r := newRigOn(t, &memory{})
	ln, err := r.app.network.Listen(t.Context(), "tcp", "127.0.0.1:5")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	for _, greeting := range []string{"220 ready\n", ""} {
		plain, err := NewTCP(r.app, r.tcp(TCPOptions{Address: "127.0.0.1", Port: 5}))
		if err != nil {
			t.Fatal(err)
		}
		accept(t, ln) // reads nothing
		r.next("writable")
		plain.Write([]byte(greeting))
		o := clientOptions(t)
		o.HandshakeTimeout = 50 * time.Millisecond
		sock, err := NewTLS(r.app, r.tls(TLSClientOptions{From: plain, TLS: o}))
		if err != nil {
			t.Fatal(err)
		}
		c := r.next("error")
		e, ok := errors.AsType[*Error](c.err)
		if !ok || c.who != sock || !e.Timeout() {
			t.Errorf("after %q: OnError(%v)", greeting, c.err)
		}
		sock.Close()
		r.quiet()
	}
}

// A plain connection that has got exactly what it asked for, and then nothing, gives its
// buffer back, stays usable, and hasn't kept the deadline that this needs.
func TestBufferGivenBackAfterFullRead(t *testing.T) {
	r := newRig(t)
	sock, peer := r.tcpPair(TCPOptions{})
	l := sock.link.Load()
	got := 0
	read := func(n int) {
		t.Helper()
		for got += n; got > 0; {
			r.next("readable")
			p, err := sock.ReadAvailable()
			if err != nil {
				t.Fatal(err)
			}
			got -= len(p)
		}
		for len(r.calls) > 0 { // told of what was read meanwhile
			<-r.calls
		}
	}
	for range 2 {
		if _, err := peer.Write(pattern(512)); err != nil {
			t.Fatal(err)
		}
		read(512)
		wait(t, "no buffer", func() bool {
			l.mu.Lock()
			defer l.mu.Unlock()
			return l.in.buf == nil && !l.lent
		})
	}
	for _, n := range []int{bufferSize, 512} {
		if _, err := peer.Write(pattern(n)); err != nil {
			t.Fatal(err)
		}
		read(n)
	}
	c, err := sock.NetConn(timeout(t))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	go func() {
		time.Sleep(bulkWait * 3 / 2)
		peer.Write([]byte("late"))
	}()
	if p := readAll(t, c, 4); string(p) != "late" {
		t.Errorf("%q", p)
	}
}
