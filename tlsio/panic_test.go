package tlsio

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

var errOnPurpose = errors.New("on purpose")

// bomb panics the first time that it is used after it was armed.
type bomb struct{ armed atomic.Bool }

func (b *bomb) maybe() {
	if b.armed.CompareAndSwap(true, false) {
		panic(errOnPurpose)
	}
}

// Write makes it a KeyLog.
func (b *bomb) Write(p []byte) (int, error) { b.maybe(); return len(p), nil }

// bombTap is a Tap that uses its bomb in one of its methods.
type bombTap struct {
	*bomb
	in string
}

func (b bombTap) at(where string) {
	if b.in == where {
		b.maybe()
	}
}
func (b bombTap) Sent([]byte)     { b.at("Tap.Sent") }
func (b bombTap) Received([]byte) { b.at("Tap.Received") }
func (b bombTap) Secret([]byte)   { b.at("Tap.Secret") }
func (b bombTap) Closed(error)    { b.at("Tap.Closed") }

// functions are options that name one, with a bomb in it.
var functions = map[string]func(o *TLSOptions, b *bomb){
	"VerifyPeer": func(o *TLSOptions, b *bomb) { o.VerifyPeer = func(*State) error { b.maybe(); return nil } },
	"KeyLog":     func(o *TLSOptions, b *bomb) { o.KeyLog = b },
	"Tap": func(o *TLSOptions, b *bomb) {
		o.Tap = func(net.Addr, net.Addr, bool) Tap { b.maybe(); return bombTap{b, ""} }
	},
	"Now": func(o *TLSOptions, b *bomb) { o.Now = func() time.Time { b.maybe(); return time.Now() } },
}

func init() {
	for _, in := range []string{"Tap.Sent", "Tap.Received", "Tap.Secret"} {
		functions[in] = func(o *TLSOptions, b *bomb) {
			o.Tap = func(net.Addr, net.Addr, bool) Tap { return bombTap{b, in} }
		}
	}
}

func wantPanic(t testing.TB, err error) {
	t.Helper()
	p, ok := errors.AsType[*PanicError](err)
	if !ok || !errors.Is(err, errOnPurpose) || !strings.Contains(err.Error(), "panicked: on purpose") || !strings.Contains(string(p.Stack), "panic_test.go") {
		t.Errorf("got %v, want the panic", err)
	}
}

// A panic of what a listener's options name fails one connection, of which OnRefused
// tells; the next one is served.
func TestListenSurvivesPanics(t *testing.T) {
	w := pki(t)
	all := map[string]func(o *TLSOptions, b *bomb){
		"Admit": func(o *TLSOptions, b *bomb) { o.Admit = func(netip.AddrPort) error { b.maybe(); return nil } },
		"GetCertificate": func(o *TLSOptions, b *bomb) {
			cert := tls.Certificate{Certificate: [][]byte{w.server.cert}, PrivateKey: w.server.signer}
			o.ServerCertificate, o.ServerKey = nil, nil
			o.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { b.maybe(); return &cert, nil }
		},
	}
	for name, f := range functions {
		all[name] = f
	}
	for name, f := range all {
		t.Run(name, func(t *testing.T) {
			leaks(t)
			o := serverOptions(t)
			o.ClientAuth, o.CA = ClientAuthRequest, [][]byte{w.caDER}
			refused := make(chan error, 100)
			o.OnRefused = func(_ net.Addr, err error) { refused <- err }
			b := new(bomb)
			f(&o, b)
			ln := listen(t, o)
			go func() {
				for {
					c, err := ln.Accept()
					if err != nil {
						return
					}
					go func() { io.Copy(c, c); c.Close() }()
				}
			}()
			co := clientOptions(t)
			co.ClientCertificate, co.ClientKey = [][]byte{w.client.cert}, [][]byte{w.client.key}
			serves := func() error {
				c, err := Dial(timeout(t), testNetwork(t), ln.Addr().String(), co)
				if err != nil {
					return err
				}
				defer c.Close()
				return exchange(c.(*Conn))
			}
			b.armed.Store(true)
			if serves() == nil {
				t.Error("the connection was served")
			}
			select {
			case err := <-refused:
				wantPanic(t, err)
			case <-time.After(limit):
				t.Fatal("OnRefused isn't told")
			}
			if err := serves(); err != nil {
				t.Error("the next one:", err)
			}
		})
	}
}

// The classes tell OnError of it, in the handshake and afterwards.
func TestClassesSurvivePanics(t *testing.T) {
	w := pki(t)
	all := map[string]func(o *TLSOptions, b *bomb){
		"GetClientCertificate": func(o *TLSOptions, b *bomb) {
			o.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
				b.maybe()
				return new(tls.Certificate), nil
			}
		},
	}
	for name, f := range functions {
		all[name] = f
	}
	for name, f := range all {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			ln, address, port := local(t)
			b := new(bomb)
			o := clientOptions(t)
			f(&o, b)
			b.armed.Store(true)
			sock, err := NewTLS(r.app, r.tls(TLSClientOptions{Address: address, Port: port, TLS: o}))
			if err != nil {
				t.Fatal(err)
			}
			defer sock.Close()
			peer := accept(t, ln)
			go tls.Server(peer, &tls.Config{ClientAuth: tls.RequestClientCert,
				Certificates: []tls.Certificate{{Certificate: [][]byte{w.server.cert}, PrivateKey: w.server.signer}}}).Handshake()
			wantPanic(t, r.next("error").err)
			r.quiet()
		})
	}
	for _, in := range []string{"Tap.Sent", "Tap.Received", "Tap.Closed"} {
		t.Run("later, "+in, func(t *testing.T) {
			r := newRig(t)
			b := new(bomb)
			o := clientOptions(t)
			o.Tap = func(net.Addr, net.Addr, bool) Tap { return bombTap{b, in} }
			sock, peer := r.tlsPair(TLSClientOptions{TLS: o}, nil)
			b.armed.Store(true)
			switch in {
			case "Tap.Sent":
				if _, err := sock.Write([]byte("x")); err != nil {
					t.Fatal(err)
				}
				wantPanic(t, r.skipTo("error").err)
			case "Tap.Received":
				if _, err := peer.Write([]byte("x")); err != nil {
					t.Fatal(err)
				}
				wantPanic(t, r.skipTo("error").err)
			case "Tap.Closed":
				sock.Close()
				if _, err := io.Copy(io.Discard, peer); err != nil {
					t.Error(err)
				}
				wait(t, "the tap was told", func() bool { return !b.armed.Load() })
			}
		})
	}
}

// Who calls a blocking function gets the error from it.
func TestDialSurvivesPanics(t *testing.T) {
	for name, f := range functions {
		t.Run(name, func(t *testing.T) {
			ln := listen(t, serverOptions(t))
			go func() {
				for {
					c, err := ln.Accept()
					if err != nil {
						return
					}
					c.Close()
				}
			}()
			b := new(bomb)
			o := clientOptions(t)
			f(&o, b)
			b.armed.Store(true)
			c, err := Dial(timeout(t), testNetwork(t), ln.Addr().String(), o)
			if err == nil {
				c.Close()
			}
			wantPanic(t, err)
			var e *Error
			if !errors.As(err, &e) || e.Op != "Dial" || e.Addr == "" {
				t.Errorf("%s", fmt.Sprint(err))
			}
		})
	}
}

// exits are options' functions that end the goroutine of a handshake. KeyLog's writer isn't
// among them: crypto/tls calls it with a lock of all connections that no deferred call opens.
var exits = map[string]func(o *TLSOptions, exit func()){
	"VerifyPeer": func(o *TLSOptions, exit func()) { o.VerifyPeer = func(*State) error { exit(); return nil } },
	"Now":        func(o *TLSOptions, exit func()) { o.Now = func() time.Time { exit(); return time.Now() } },
}

func wantGoexit(t testing.TB, err error) {
	t.Helper()
	if p, ok := errors.AsType[*PanicError](err); !ok || p.Value != errGoexit || !strings.Contains(err.Error(), "called runtime.Goexit") {
		t.Errorf("got %v, want that Goexit was called", err)
	}
}

// A handshake that ends its goroutine, as testing.T.FailNow does, leaves nothing behind:
// its place is free for the next one.
func TestListenSurvivesGoexit(t *testing.T) {
	w := pki(t)
	for name, f := range exits {
		t.Run(name, func(t *testing.T) {
			leaks(t)
			var armed atomic.Bool
			o := serverOptions(t)
			o.ClientAuth, o.CA = ClientAuthRequest, [][]byte{w.caDER}
			o.MaxHandshakes, o.MaxConnections = 1, 1
			refused := make(chan error, 100)
			o.OnRefused = func(_ net.Addr, err error) { refused <- err }
			f(&o, func() {
				if armed.CompareAndSwap(true, false) {
					runtime.Goexit()
				}
			})
			ln := listen(t, o)
			co := clientOptions(t)
			co.ClientCertificate, co.ClientKey = [][]byte{w.client.cert}, [][]byte{w.client.key}
			armed.Store(true)
			if c, err := Dial(timeout(t), testNetwork(t), ln.Addr().String(), co); err == nil {
				if _, err := c.Read(make([]byte, 1)); err == nil {
					t.Error("the connection was served")
				}
				c.Close()
			}
			wantGoexit(t, within(t, "OnRefused", refused))
			c, err := Dial(timeout(t), testNetwork(t), ln.Addr().String(), co)
			if err != nil {
				t.Fatal("the next one:", err)
			}
			defer c.Close()
			s := accept(t, ln)
			defer s.Close()
			go io.Copy(s, s)
			roundTrip(t, c, pattern(100))
		})
	}
}

// Nor does a class's.
func TestClassesSurviveGoexit(t *testing.T) {
	w := pki(t)
	for name, f := range exits {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			ln, address, port := local(t)
			o := clientOptions(t)
			f(&o, runtime.Goexit)
			sock, err := NewTLS(r.app, r.tls(TLSClientOptions{Address: address, Port: port, TLS: o}))
			if err != nil {
				t.Fatal(err)
			}
			defer sock.Close()
			peer := accept(t, ln)
			peer.SetDeadline(time.Now().Add(limit))
			tls.Server(peer, &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{w.server.cert}, PrivateKey: w.server.signer}}}).Handshake()
			wantGoexit(t, r.next("error").err)
			if _, err := io.Copy(io.Discard, peer); isTimeout(err) {
				t.Error("the connection stays open")
			}
			r.quiet()
			if err := r.app.Wait(timeout(t)); err != nil {
				t.Errorf("Wait: %v", err)
			}
		})
	}
}
