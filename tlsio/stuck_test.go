package tlsio

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"testing"
	"time"
)

// pipes is a network whose one connection is given: it holds nothing, so writes wait
// for reads.
type pipes struct {
	Network
	conn net.Conn
}

func (n *pipes) DialContext(context.Context, string, string) (net.Conn, error) { return n.conn, nil }

// Close comes to its end where a peer has broken a record and doesn't read, so that the
// reading goroutine hangs in the alert and the writing one, with the end, behind it.
func TestCloseWhileEndIsStuck(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for the time-outs of Close")
	}
	ours, theirs := net.Pipe()
	defer theirs.Close()
	r := newRigOn(t, &pipes{HostNetwork{}, ours}) // fails if goroutines stay
	o := clientOptions(t)
	sock, err := NewTLS(r.app, r.tls(TLSClientOptions{Address: "192.0.2.1", Port: 443, TLS: o}))
	if err != nil {
		t.Fatal(err)
	}
	r.serve(theirs, func(c *tls.Config) { c.SessionTicketsDisabled = true })
	r.next("writable")
	if _, err := theirs.Write(append([]byte{23, 3, 3, 0, 32}, make([]byte, 32)...)); err != nil {
		t.Fatal(err)
	}
	theirs.SetReadDeadline(time.Now().Add(limit))
	if _, err := theirs.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if err := sock.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	l := sock.link.Load()
	time.Sleep(20 * time.Millisecond) // usually enough for the writing goroutine to hang
	if err := sock.Close(); err != nil {
		t.Fatal(err)
	}
	ended := func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return !l.draining
	}
	// The alert has closeTimeout, and the close_notify behind it crypto/tls's own.
	for end := time.Now().Add(limit); !ended(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Error("the connection stays open")
			theirs.Close()
			return
		}
	}
}

// OnError comes without a Close, too, when a peer has broken a record and leaves the
// alert unread: with the reason, not with what became of the alert.
func TestErrorWhileAlertIsStuck(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for alertTimeout")
	}
	for _, v := range bothVersions {
		t.Run(v, func(t *testing.T) {
			ours, theirs := net.Pipe()
			defer theirs.Close()
			r := newRigOn(t, &pipes{HostNetwork{}, ours})
			o := clientOptions(t)
			o.MaximumVersion = v
			sock, err := NewTLS(r.app, r.tls(TLSClientOptions{Address: "192.0.2.1", Port: 443, TLS: o}))
			if err != nil {
				t.Fatal(err)
			}
			defer sock.Close()
			r.serve(theirs, func(c *tls.Config) { c.SessionTicketsDisabled = true })
			r.next("writable")
			if _, err := theirs.Write(append([]byte{23, 3, 3, 0, 32}, make([]byte, 32)...)); err != nil {
				t.Fatal(err)
			}
			wantError(t, r.next("error").err, StageRead, Alert{AlertSent, 20}) // bad_record_mac
		})
	}
}

// securedPipe returns both ends of a TLS connection, ours the server's, over a transport
// that holds nothing: writes wait for reads.
func securedPipe(t *testing.T) (c *Conn, peer *tls.Conn) {
	t.Helper()
	ours, theirs := net.Pipe()
	t.Cleanup(func() { ours.Close(); theirs.Close() })
	server := serverContext(t, func(o *TLSOptions) { o.NoSessions = true })
	peer = tls.Client(theirs, &tls.Config{ServerName: "server.test", InsecureSkipVerify: true})
	shaken := make(chan error, 1)
	go func() { shaken <- peer.Handshake() }()
	c, err := server.Secure(timeout(t), ours, SecureOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := <-shaken; err != nil {
		t.Fatal(err)
	}
	return c, peer
}

// What the program sends has no such limit, though two bytes look like an alert.
func TestTwoBytesMayWait(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for alertTimeout")
	}
	leaks(t)
	c, peer := securedPipe(t)
	done := make(chan error, 1)
	go func() {
		_, err := c.Write([]byte("ab"))
		done <- err
	}()
	select {
	case err := <-done:
		t.Fatal("it ended by itself:", err)
	case <-time.After(alertTimeout + alertTimeout/2):
	}
	peer.SetDeadline(time.Now().Add(limit))
	got := make([]byte, 2)
	if _, err := io.ReadFull(peer, got); err != nil || string(got) != "ab" {
		t.Errorf("%q, %v", got, err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A listener's CloseAll from another goroutine may find a connection between Read's
// making it known and its beginning.
func TestCloseAllWhileReading(t *testing.T) {
	for _, begin := range []func(l *link, conn net.Conn){
		func(l *link, conn net.Conn) { l.startOn(conn) },
		func(l *link, conn net.Conn) {
			l.start(func(ctx context.Context) (net.Conn, error) {
				<-ctx.Done()
				conn.Close()
				return nil, ctx.Err()
			})
		},
	} {
		r := newRig(t)
		ln, err := NewListener(r.app, ListenerOptions{Address: "127.0.0.1"})
		if err != nil {
			t.Fatal(err)
		}
		ours, theirs := net.Pipe()
		sock := &TCP{}
		l := newLink(r.app, "Read")
		l.acceptor = &ln.acceptor
		sock.own(l, &socketOptions{})
		ln.remember(l)
		if err := ln.CloseAll(); err != nil {
			t.Error(err)
		}
		begin(l, ours)
		theirs.SetReadDeadline(time.Now().Add(limit))
		if _, err := theirs.Read(make([]byte, 1)); err == nil || isTimeout(err) {
			t.Errorf("the connection stays open: %v", err)
		}
		theirs.Close()
	}
}

// NetConn's context may end at the moment at which the connection is there: then that
// is closed.
func TestNetConnLateConnection(t *testing.T) {
	for range 20 {
		ours, theirs := net.Pipe()
		ctx, cancel := context.WithCancel(context.Background())
		r := newRigOn(t, &late{HostNetwork{}, ours, ctx})
		sock, err := NewTCP(r.app, r.tcp(TCPOptions{Address: "192.0.2.1", Port: 443}))
		if err != nil {
			t.Fatal(err)
		}
		go cancel()
		if _, err := sock.NetConn(ctx); err == nil {
			t.Error("no error")
		}
		theirs.SetReadDeadline(time.Now().Add(limit))
		if _, err := theirs.Read(make([]byte, 1)); err == nil || isTimeout(err) {
			t.Fatalf("the connection stays open: %v", err)
		}
		theirs.Close()
	}
}

// late is a network that connects when ctx has ended, whoever wants that no more.
type late struct {
	Network
	conn net.Conn
	ctx  context.Context
}

func (n *late) DialContext(context.Context, string, string) (net.Conn, error) {
	<-n.ctx.Done()
	time.Sleep(time.Millisecond)
	return lateConn{n.conn}, nil
}

// lateConn takes the options that links set.
type lateConn struct{ net.Conn }

func (lateConn) SetNoDelay(bool) error { return nil }

// A panic in OnError comes out of Run. The socket has failed all the same, and App.Wait
// doesn't wait for it any more.
func TestWaitAfterPanicInOnError(t *testing.T) {
	leaks(t)
	app := NewApp(testNetwork(t))
	ln, address, port := local(t)
	sock, err := NewTCP(app, TCPOptions{Address: address, Port: port, OnError: func(*TCP, error) { panic("on purpose") }})
	if err != nil {
		t.Fatal(err)
	}
	defer sock.Close()
	accept(t, ln).Close()
	func() {
		defer func() {
			if got := recover(); got != "on purpose" {
				t.Errorf("Run panicked with %v", got)
			}
		}()
		app.Run(timeout(t))
	}()
	ctx, cancel := context.WithTimeout(t.Context(), limit/4)
	defer cancel()
	if err := app.Wait(ctx); err != nil {
		t.Errorf("Wait: %v", err)
	}
}
