package tlsio

import (
	"context"
	"errors"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"ingot.dev/internal/simnet"
)

// The tests of this file prove members of ECMA-419 that the tests of the classes
// themselves (tcp_test.go, tls_test.go) have no place for.

// TestInstanceLivesWithoutReferences: the program keeps nothing of an instance, the
// garbage collector runs, and the callbacks come all the same (section 8.2).
//
//conform:ecma-419 rule.8.2.alive works tlsio.NewTCP
func TestInstanceLivesWithoutReferences(t *testing.T) {
	r := newRig(t)
	ln, address, port := local(t)
	func() {
		if _, err := NewTCP(r.app, TCPOptions{Address: address, Port: port,
			OnReadable: func(t *TCP, n int) { r.note("readable", nil, n, nil); t.Close() }}); err != nil {
			t.Fatal(err)
		}
	}()
	peer := accept(t, ln)
	for range 3 {
		runtime.GC()
	}
	peer.Write([]byte("still there?"))
	if c := r.next("readable"); c.n != 12 {
		t.Errorf("OnReadable(%d)", c.n)
	}
}

// brittle is a network whose listeners fail when they are told to.
type brittle struct {
	Network
	fail chan error
}

type brittleListener struct {
	net.Listener
	fail chan error
	once sync.Once
}

func (n *brittle) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	ln, err := n.Network.Listen(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &brittleListener{Listener: ln, fail: n.fail}, nil
}

func (l *brittleListener) Accept() (net.Conn, error) {
	type result struct {
		c   net.Conn
		err error
	}
	accepted := make(chan result, 1)
	go func() {
		c, err := l.Listener.Accept()
		accepted <- result{c, err}
	}()
	select {
	case r := <-accepted:
		return r.c, r.err
	case err := <-l.fail:
		l.Listener.Close()
		<-accepted
		return nil, err
	}
}

// TestListenerOnError: a listener that can't go on says so once, and then only
// Close is of use. Connections that it has handed out live on.
//
//conform:ecma-419 Listener.onError works tlsio.ListenerOptions.OnError
func TestListenerOnError(t *testing.T) {
	network := &brittle{testNetwork(t), make(chan error, 1)}
	r := newRigOn(t, network)
	ln, err := NewListener(r.app, ListenerOptions{Address: "127.0.0.1",
		OnReadable: func(l *Listener, n int) { r.note("readable", l, n, nil) },
		OnError:    func(l *Listener, err error) { r.note("error", l, 0, err) }})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	port, err := ln.Port()
	if err != nil {
		t.Fatal(err)
	}
	peer := testDial(t, net.JoinHostPort("127.0.0.1", itoa(port)))
	r.next("readable")
	plain, err := ln.Read()
	if plain == nil || err != nil {
		t.Fatalf("Read: %v", err)
	}
	sock, err := NewTCP(r.app, r.tcp(TCPOptions{From: plain}))
	if err != nil {
		t.Fatal(err)
	}
	defer sock.Close()
	r.next("writable")

	gone := errors.New("the cable is gone")
	network.fail <- gone
	if c := r.next("error"); c.who != ln || !errors.Is(c.err, gone) {
		t.Errorf("OnError(%v)", c.err)
	}
	if _, err := ln.Read(); !errors.Is(err, ErrFailed) {
		t.Errorf("Read after OnError: %v", err)
	}
	peer.Write([]byte("x"))
	r.next("readable")
	if err := ln.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		t.Errorf("Close: %v", err)
	}
	r.quiet()
}

// TestTLSNoDelayAndKeepAlive: the options of the transport below a TLS.
//
//conform:ecma-419 option.noDelay works tlsio.TLSClientOptions.NoDelay
//conform:ecma-419 option.keepAlive works tlsio.TLSClientOptions.KeepAlive
func TestTLSNoDelayAndKeepAlive(t *testing.T) {
	for _, tt := range []struct {
		o       TLSClientOptions
		noDelay int32
	}{
		{TLSClientOptions{}, 1}, // Nagle's algorithm is on unless the program says no
		{TLSClientOptions{NoDelay: true, KeepAlive: 5 * time.Second}, 2},
	} {
		t.Run(tt.o.KeepAlive.String(), func(t *testing.T) {
			network := newTap(t)
			r := newRigOn(t, network)
			r.tlsPair(tt.o, nil)
			c := network.last.Load()
			if got := c.noDelay.Load(); got != tt.noDelay {
				t.Errorf("NoDelay: %v gave %d", tt.o.NoDelay, got)
			}
			if k := c.keepAlive.Load(); k == nil || k.Enable != (tt.o.KeepAlive != 0) || k.Idle != tt.o.KeepAlive {
				t.Errorf("KeepAlive %v gave %+v", tt.o.KeepAlive, k)
			}
		})
	}
}

// TestDNSSD finds a service as DNS-SD over multicast DNS does (RFC 6762, 6763), on
// two stacks and a wire: a question to the group, an answer to who asked.
//
//conform:ecma-419 DNSSD differs tlsio.UDP.Add, tlsio.UDP.Write -- no class: UDP joins the group, and the messages are the program's
func TestDNSSD(t *testing.T) {
	wire, err := simnet.Open(timeout(t), simnet.Perfect())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { wire.Close() })
	const (
		group    = "224.0.0.251"
		port     = 5353
		service  = "\x06_ingot\x04_tcp\x05local\x00"
		instance = "\x06sensor\xc0\x0c"
	)
	question := "\x00\x07\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00" + service + "\x00\x0c\x80\x01" // PTR, unicast answer wanted
	answer := "\x00\x07\x84\x00\x00\x00\x00\x01\x00\x00\x00\x00" + service + "\x00\x0c\x00\x01\x00\x00\x00\x78\x00\x09" + instance

	r := newRigOn(t, wire.Server)
	responder, err := NewUDP(r.app, UDPOptions{Port: port, OnReadable: func(u *UDP, n int) {
		for range n {
			if p, err := u.Read(); err == nil && p != nil && string(p.Data) == question {
				if err := u.Write([]byte(answer), p.Address, p.Port); err != nil {
					t.Errorf("answering: %v", err)
				}
			}
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { responder.Close() })
	if err := responder.Add(group); err != nil {
		t.Fatal(err)
	}

	found := make(chan Packet, 1)
	app := NewApp(wire.Client)
	seeker, err := NewUDP(app, UDPOptions{OnReadable: func(u *UDP, _ int) {
		if p, err := u.Read(); err == nil && p != nil {
			found <- *p
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { seeker.Close() })
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- app.Run(ctx) }()
	t.Cleanup(func() { stop(); <-ended })
	err = seeker.Write([]byte(question), group, port)
	for end := time.Now().Add(limit); errors.Is(err, ErrOverflow) && time.Now().Before(end); {
		err = seeker.Write([]byte(question), group, port) // a machine that is very busy
	}
	if err != nil {
		t.Fatal(err)
	}
	select {
	case p := <-found:
		if string(p.Data) != answer || p.Address != simnet.ServerAddress || p.Port != port {
			t.Errorf("found %q at %s:%d", p.Data, p.Address, p.Port)
		}
	case <-time.After(limit):
		t.Fatal("no answer")
	}
}
