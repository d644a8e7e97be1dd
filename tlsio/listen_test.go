package tlsio

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// limit is how long tests wait for what must happen; generous, for slow machines.
const limit = 2 * time.Minute

func timeout(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	return ctx
}

func listen(t testing.TB, o TLSOptions) net.Listener {
	t.Helper()
	return listenOn(t, testNetwork(t), o)
}

func listenOn(t testing.TB, network Network, o TLSOptions) net.Listener {
	t.Helper()
	ln, err := Listen(timeout(t), network, "127.0.0.1:0", o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln
}

// echo serves ln until it is closed.
func echo(ln net.Listener) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			io.Copy(c, c)
		}()
	}
}

// roundTrip sends data through an echo and compares what comes back.
func roundTrip(t testing.TB, c net.Conn, data []byte) {
	t.Helper()
	c.SetDeadline(time.Now().Add(limit))
	werr := make(chan error, 1)
	go func() {
		_, err := c.Write(data)
		werr <- err
	}()
	got := make([]byte, len(data))
	if _, err := io.ReadFull(c, got); err != nil {
		t.Fatalf("reading the echo: %v", err)
	}
	if err := <-werr; err != nil {
		t.Fatalf("writing: %v", err)
	}
	if !bytes.Equal(got, data) {
		t.Fatalf("echo of %d bytes differs", len(data))
	}
}

func pattern(n int) []byte {
	p := make([]byte, n)
	x := uint32(1)
	for i := range p {
		x = x*1664525 + 1013904223
		p[i] = byte(x >> 24)
	}
	return p
}

func TestEcho(t *testing.T) {
	leaks(t)
	for _, v := range []string{TLSv13, TLSv12, TLSv11} {
		t.Run(v, func(t *testing.T) {
			so, co := serverOptions(t), clientOptions(t)
			so.MinimumVersion = TLSv11
			co.MinimumVersion, co.MaximumVersion = v, v
			ln := listen(t, so)
			go echo(ln)
			c, err := Dial(timeout(t), testNetwork(t), ln.Addr().String(), co)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if got := c.(*Conn).ConnectionState().Version; got != versionNumber(v) {
				t.Errorf("negotiated %s", tls.VersionName(got))
			}
			for _, n := range []int{1, 64, 16384, 16385, 1 << 20} {
				roundTrip(t, c, pattern(n))
			}
		})
	}
}

func TestDefaultVersionsAre12And13(t *testing.T) {
	ln := listen(t, serverOptions(t))
	go echo(ln)
	co := clientOptions(t)
	co.MaximumVersion = TLSv11
	_, err := Dial(timeout(t), testNetwork(t), ln.Addr().String(), co)
	wantError(t, err, StageHandshake, Alert{AlertReceived, 70})
}

// wantError checks an Error's stage and alert and returns it.
func wantError(t testing.TB, err error, stage Stage, alert Alert) *Error {
	t.Helper()
	e, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatalf("got %v (%T), want an *Error of stage %s", err, err, stage)
	}
	if e.Stage != stage || e.Alert != alert {
		t.Errorf("got stage %s, %v; want stage %s, %v\n%v", e.Stage, e.Alert, stage, alert, e)
	}
	return e
}

// refusals collects what OnRefused is told.
type refusals chan error

func (r refusals) note(_ net.Addr, err error) { r <- err }

func (r refusals) next(t testing.TB) error {
	t.Helper()
	select {
	case err := <-r:
		return err
	case <-time.After(limit):
		t.Fatal("OnRefused was not called")
		return nil
	}
}

// TestRefusals runs each failure of verification between our client and our
// listener. Each side's account of the alert must be the other side's: this holds
// the rule by which alertOf knows encrypted alerts.
func TestRefusals(t *testing.T) {
	leaks(t)
	w := pki(t)
	with := func(id identity) func(so, co *TLSOptions) {
		return func(so, co *TLSOptions) {
			so.ServerCertificate, so.ServerKey = [][]byte{id.cert}, [][]byte{id.key}
		}
	}
	clientCert := func(id *identity) func(so, co *TLSOptions) {
		return func(so, co *TLSOptions) {
			so.ClientAuth, so.CA = ClientAuthRequire, [][]byte{w.caDER}
			if id != nil {
				co.ClientCertificate, co.ClientKey = [][]byte{id.cert}, [][]byte{id.key}
			}
		}
	}
	tests := []struct {
		name    string
		change  func(so, co *TLSOptions)
		byPeer  bool // the server refuses
		stage   Stage
		alert   uint8
		alert12 uint8 // where TLS 1.2 differs
		hint    string
		as      func(error) bool
	}{
		{"wrong name", func(so, co *TLSOptions) { co.Host = "other.test" }, false, StageVerify, 42, 0, "set Host to one of them",
			func(err error) bool { _, ok := errors.AsType[x509.HostnameError](err); return ok }},
		{"unknown CA", with(w.rogue), false, StageVerify, 42, 0, `add the CA "CN=other CA"`,
			func(err error) bool { _, ok := errors.AsType[x509.UnknownAuthorityError](err); return ok }},
		{"expired server", with(w.ca.issue(t, []string{"server.test"}, expired)), false, StageVerify, 42, 0, "set the clock",
			func(err error) bool {
				e, ok := errors.AsType[x509.CertificateInvalidError](err)
				return ok && e.Reason == x509.Expired
			}},
		{"CN only", with(w.ca.issue(t, []string{"server.test"}, onlyCN)), false, StageVerify, 42, 0, "certificate has only a CN; add a SAN",
			func(err error) bool { _, ok := errors.AsType[x509.HostnameError](err); return ok }},
		{"client without certificate", clientCert(nil), true, StageVerify, 116, 40, "", nil},
		{"client of another CA", clientCert(&w.rogue), true, StageVerify, 48, 0, "",
			func(err error) bool { _, ok := errors.AsType[x509.UnknownAuthorityError](err); return ok }},
		{"client expired", clientCert(&w.expiredClient), true, StageVerify, 45, 0, "",
			func(err error) bool { _, ok := errors.AsType[x509.CertificateInvalidError](err); return ok }},
		{"ALPN mismatch", func(so, co *TLSOptions) {
			so.ApplicationLayerProtocol, co.ApplicationLayerProtocol = []string{"a"}, []string{"b"}
		}, true, StageHandshake, 120, 0, "", nil},
	}
	for _, tt := range tests {
		for _, v := range []string{TLSv13, TLSv12} {
			t.Run(tt.name+"/"+v, func(t *testing.T) {
				refused := make(refusals, 10)
				so, co := serverOptions(t), clientOptions(t)
				so.OnRefused = refused.note
				co.MinimumVersion, co.MaximumVersion = v, v
				tt.change(&so, &co)
				ln := listen(t, so)
				go echo(ln)
				c, err := Dial(timeout(t), testNetwork(t), ln.Addr().String(), co)
				late := false
				if err == nil && tt.byPeer {
					// TLS 1.3: the server judges after the client is done.
					late = true
					c.SetDeadline(time.Now().Add(limit))
					_, err = c.Read(make([]byte, 1))
					c.Close()
				}
				alert := tt.alert
				if v == TLSv12 && tt.alert12 != 0 {
					alert = tt.alert12
				}
				server := refused.next(t)
				if tt.byPeer {
					stage := StageHandshake
					if late {
						stage = StageRead
					}
					e := wantError(t, err, stage, Alert{AlertReceived, alert})
					if e.Hint == "" {
						t.Errorf("no hint for the client: %v", e)
					}
					s := wantError(t, server, tt.stage, Alert{AlertSent, alert})
					if tt.as != nil && !tt.as(s) {
						t.Errorf("cause lost: %v", s)
					}
				} else {
					e := wantError(t, err, tt.stage, Alert{AlertSent, alert})
					if !strings.Contains(e.Hint, tt.hint) || tt.hint == "" {
						t.Errorf("hint %q, want %q", e.Hint, tt.hint)
					}
					if !tt.as(e) {
						t.Errorf("cause lost: %v", e)
					}
					wantError(t, server, StageHandshake, Alert{AlertReceived, alert})
				}
			})
		}
	}
}

func TestMutualTLS(t *testing.T) {
	leaks(t)
	w := pki(t)
	for _, auth := range []ClientAuth{ClientAuthRequest, ClientAuthRequire} {
		for _, v := range []string{TLSv13, TLSv12} {
			t.Run(string(auth)+"/"+v, func(t *testing.T) {
				so, co := serverOptions(t), clientOptions(t)
				so.ClientAuth, so.CA = auth, [][]byte{w.caDER}
				co.ClientCertificate, co.ClientKey = [][]byte{w.client.cert}, [][]byte{w.client.key}
				co.MinimumVersion, co.MaximumVersion = v, v
				ln := listen(t, so)
				c, err := Dial(timeout(t), testNetwork(t), ln.Addr().String(), co)
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				s, err := ln.Accept()
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				if got := s.(*Conn).ConnectionState().PeerCertificates[0].Subject.CommonName; got != "client.test" {
					t.Errorf("server sees client %q", got)
				}
			})
		}
	}
}

func TestGarbageAndHalfOpenDontDisturb(t *testing.T) {
	leaks(t)
	refused := make(refusals, 1000)
	so := serverOptions(t)
	so.MaxHandshakes = 8
	so.HandshakeTimeout = limit // on a slow machine too, none of the half-open ones ends by it
	so.OnRefused = refused.note
	ln := listen(t, so)
	go echo(ln)
	for i := range 40 {
		raw := testDial(t, ln.Addr().String())
		if i%2 == 1 {
			raw.Write([]byte("GET / HTTP/1.1\r\n\r\n"))
		}
	}
	start := time.Now()
	for range 5 {
		c, err := Dial(timeout(t), testNetwork(t), ln.Addr().String(), clientOptions(t))
		if err != nil {
			t.Fatal(err)
		}
		roundTrip(t, c, pattern(1000))
		c.Close()
	}
	if d := time.Since(start); d > so.HandshakeTimeout {
		t.Errorf("served only after %v, when the half-open connections had timed out", d)
	}
	var garbage, evicted int
	for garbage < 20 || evicted < 12 {
		err := refused.next(t)
		if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
			garbage++
			if e := wantError(t, err, StageHandshake, Alert{}); !strings.Contains(e.Hint, "HTTP") {
				t.Errorf("hint %q doesn't say what came", e.Hint)
			}
		} else if errors.Is(err, ErrEvicted) {
			evicted++
		} else {
			t.Fatalf("refused for another reason: %v", err)
		}
	}
}

func TestHandshakeTimeout(t *testing.T) {
	leaks(t)
	refused := make(refusals, 1)
	so := serverOptions(t)
	so.HandshakeTimeout = 50 * time.Millisecond
	so.OnRefused = refused.note
	ln := listen(t, so)
	raw := testDial(t, ln.Addr().String())
	raw.Write([]byte{22, 3, 1}) // not even a record header
	e := wantError(t, refused.next(t), StageHandshake, Alert{})
	if !errors.Is(e, ErrHandshakeTimeout) || !errors.Is(e, os.ErrDeadlineExceeded) || !e.Timeout() {
		t.Errorf("not a timeout: %v", e)
	}
	raw.SetDeadline(time.Now().Add(limit))
	if _, err := raw.Read(make([]byte, 1)); err == nil || isTimeout(err) {
		t.Errorf("the connection was not closed: %v", err)
	}
}

func TestMaxConnections(t *testing.T) {
	leaks(t)
	refused := make(refusals, 10)
	so := serverOptions(t)
	so.MaxConnections = 2
	so.OnRefused = refused.note
	ln := listen(t, so)
	dial := func() (net.Conn, error) {
		return Dial(timeout(t), testNetwork(t), ln.Addr().String(), clientOptions(t))
	}
	var servers []net.Conn
	for range 2 {
		c, err := dial()
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		s, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		servers = append(servers, s)
	}
	if c, err := dial(); err == nil {
		c.Close()
		t.Error("a third connection was let in")
	}
	if err := refused.next(t); !errors.Is(err, ErrTooManyConnections) {
		t.Errorf("refused with %v", err)
	}
	servers[0].Close()
	c, err := dial()
	if err != nil {
		t.Fatalf("after one was closed: %v", err)
	}
	c.Close()
}

func TestListenerClose(t *testing.T) {
	leaks(t)
	ln := listen(t, serverOptions(t))
	half := testDial(t, ln.Addr().String())
	done, err := Dial(timeout(t), testNetwork(t), ln.Addr().String(), clientOptions(t))
	if err != nil {
		t.Fatal(err)
	}
	defer done.Close()
	accepted := make(chan error)
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				accepted <- err
				return
			}
			defer c.Close()
		}
	}()
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-accepted; !errors.Is(err, net.ErrClosed) || !errors.Is(err, ErrClosed) {
		t.Errorf("Accept returned %v", err)
	}
	if err := ln.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("second Close returned %v", err)
	}
	half.SetDeadline(time.Now().Add(limit))
	if _, err := half.Read(make([]byte, 1)); err == nil || isTimeout(err) {
		t.Errorf("half-open connection survived: %v", err)
	}
}

func TestManyAtOnce(t *testing.T) {
	leaks(t)
	// So many at once take their time on a slow processor.
	so, co := serverOptions(t), clientOptions(t)
	so.HandshakeTimeout, co.HandshakeTimeout = limit, limit
	ln := listen(t, so)
	go echo(ln)
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			c, err := Dial(timeout(t), testNetwork(t), ln.Addr().String(), co)
			if err != nil {
				t.Errorf("connection %d: %v", i, err)
				return
			}
			defer c.Close()
			data := pattern(10000 + i)
			c.SetDeadline(time.Now().Add(limit))
			go c.Write(data)
			got := make([]byte, len(data))
			if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, data) {
				t.Errorf("connection %d: echo differs, %v", i, err)
			}
		})
	}
	wg.Wait()
}

func TestDialErrors(t *testing.T) {
	leaks(t)
	t.Run("refused", func(t *testing.T) {
		ln := testListen(t)
		addr := ln.Addr().String()
		ln.Close()
		_, err := Dial(timeout(t), testNetwork(t), addr, clientOptions(t))
		if e := wantError(t, err, StageConnect, Alert{}); e.Addr != addr {
			t.Errorf("address %q", e.Addr)
		}
	})
	t.Run("resolve", func(t *testing.T) {
		_, err := Dial(timeout(t), failing{&net.DNSError{Err: "no such host", Name: "x", IsNotFound: true}}, "x:1", clientOptions(t))
		if e := wantError(t, err, StageResolve, Alert{}); !strings.Contains(e.Hint, "no such name") {
			t.Errorf("hint %q", e.Hint)
		}
	})
	t.Run("not TLS", func(t *testing.T) {
		ln := testListen(t)
		defer ln.Close()
		go func() {
			c, err := ln.Accept()
			if err == nil {
				c.Write([]byte("SSH-2.0-x\r\n"))
				io.Copy(io.Discard, c)
				c.Close()
			}
		}()
		_, err := Dial(timeout(t), testNetwork(t), ln.Addr().String(), clientOptions(t))
		if e := wantError(t, err, StageHandshake, Alert{}); !strings.Contains(e.Hint, "SSH") {
			t.Errorf("hint %q", e.Hint)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		ln := testListen(t) // never answers
		defer ln.Close()
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(20*time.Millisecond, cancel)
		_, err := Dial(ctx, testNetwork(t), ln.Addr().String(), clientOptions(t))
		if e := wantError(t, err, StageHandshake, Alert{}); !errors.Is(e, context.Canceled) {
			t.Errorf("got %v", e)
		}
	})
	t.Run("silent", func(t *testing.T) {
		ln := testListen(t)
		defer ln.Close()
		co := clientOptions(t)
		co.HandshakeTimeout = 30 * time.Millisecond
		_, err := Dial(context.Background(), testNetwork(t), ln.Addr().String(), co)
		if e := wantError(t, err, StageHandshake, Alert{}); !errors.Is(e, ErrHandshakeTimeout) {
			t.Errorf("got %v", e)
		}
	})
}

// failing is a network where everything fails.
type failing struct{ err error }

func (f failing) DialContext(context.Context, string, string) (net.Conn, error) { return nil, f.err }
func (f failing) Listen(context.Context, string, string) (net.Listener, error)  { return nil, f.err }

func TestCloseNotifyReceived(t *testing.T) {
	leaks(t)
	for _, polite := range []bool{true, false} {
		ln := listen(t, serverOptions(t))
		c, err := Dial(timeout(t), testNetwork(t), ln.Addr().String(), clientOptions(t))
		if err != nil {
			t.Fatal(err)
		}
		s, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if polite {
			s.Close()
		} else {
			s.(*Conn).NetConn().Close()
		}
		c.SetDeadline(time.Now().Add(limit))
		if _, err := c.Read(make([]byte, 1)); err != io.EOF {
			t.Fatalf("Read returned %v", err)
		}
		if got := c.(*Conn).CloseNotifyReceived(); got != polite {
			t.Errorf("CloseNotifyReceived = %v, want %v", got, polite)
		}
		c.Close()
		if _, err := c.Read(make([]byte, 1)); err == nil {
			t.Error("Read after Close succeeded")
		}
		if _, err := c.Write([]byte{1}); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Write after Close returned %v", err)
		}
		if err := c.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("second Close returned %v", err)
		}
		s.Close()
	}
}

func TestReadDeadlineIsTemporary(t *testing.T) {
	leaks(t)
	ln := listen(t, serverOptions(t))
	go echo(ln)
	c, err := Dial(timeout(t), testNetwork(t), ln.Addr().String(), clientOptions(t))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	_, err = c.Read(make([]byte, 1))
	if ne, ok := errors.AsType[net.Error](err); !ok || !ne.Timeout() || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("got %v", err)
	}
	roundTrip(t, c, pattern(1000))
}
