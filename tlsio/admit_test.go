package tlsio

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ingot.dev/internal/simnet"
)

// stackPair returns two of our stacks on a wire: where to dial, and where to listen.
func stackPair(t testing.TB) *simnet.Network {
	t.Helper()
	n, err := simnet.Open(timeout(t), simnet.Perfect())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	return n
}

// toldRefusals collects what OnRefused is told.
type toldRefusals struct {
	mu   sync.Mutex
	errs []error
}

func (r *toldRefusals) add(_ net.Addr, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.errs = append(r.errs, err)
}

// count returns how many refusals there were, those that were not told one by one
// included, and how many of the others match want.
func (r *toldRefusals) count(want error) (all, matching int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, err := range r.errs {
		if u, ok := errors.AsType[*UntoldError](err); ok {
			all += u.Count
			continue
		}
		all++
		if errors.Is(err, want) {
			matching++
		}
	}
	return all, matching
}

// gone waits until the peer has ended a connection, with a reset or not at all.
func gone(t testing.TB, c net.Conn) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(limit))
	if _, err := c.Read(make([]byte, 1)); err == nil || isTimeout(err) {
		t.Errorf("a refused connection is open: %v", err)
	}
	c.Close()
}

// refusedDial dials an address that refuses: before the handshake, or soon after, when
// the dialer may or may not know already that it is connected.
func refusedDial(t testing.TB, n Network, addr string, early bool) {
	t.Helper()
	c, err := n.DialContext(timeout(t), "tcp", addr)
	if early != errors.Is(err, syscall.ECONNREFUSED) || err != nil && !early && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("dial: %v", err)
	}
	if err == nil {
		gone(t, c)
	}
}

// plainNetwork is a Network and nothing else: it neither asks nor tells what it holds.
type plainNetwork struct{ Network }

// onNetworks runs f on a network that asks before it answers, and on one that can't.
// asks says which.
func onNetworks(t *testing.T, f func(t *testing.T, dial, listen Network, asks bool)) {
	t.Run("stack", func(t *testing.T) {
		n := stackPair(t)
		f(t, n.Client, n.Server, true)
	})
	t.Run("other", func(t *testing.T) {
		n := testNetwork(t)
		f(t, n, plainNetwork{n}, false)
	})
}

// address is where a listener is reached from the other side.
func address(l net.Listener, asks bool) string {
	host := "127.0.0.1"
	if asks {
		host = simnet.ServerAddress
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return net.JoinHostPort(host, port)
}

var errUnwelcome = errors.New("not you")

// Admit refuses with its own reason, which is told once, and where the network asks
// there is no connection at all.
func TestAdmit(t *testing.T) {
	onNetworks(t, func(t *testing.T, dial, listen Network, asks bool) {
		var told toldRefusals
		var closed atomic.Bool
		var last atomic.Pointer[netip.AddrPort]
		so := serverOptions(t)
		so.OnRefused = told.add
		so.Admit = func(remote netip.AddrPort) error {
			last.Store(&remote)
			if closed.Load() {
				return errUnwelcome
			}
			return nil
		}
		ln, err := Listen(timeout(t), listen, ":0", so)
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		addr := address(ln, asks)

		closed.Store(true)
		refusedDial(t, dial, addr, asks)
		wait(t, "the refusal is told", func() bool { n, _ := told.count(nil); return n == 1 })
		if _, n := told.count(errUnwelcome); n != 1 {
			t.Errorf("told: %v", told.errs)
		}
		e := wantError(t, told.errs[0], StageConnect, Alert{})
		if e.Addr != last.Load().String() {
			t.Errorf("told of %s, asked about %s", e.Addr, last.Load())
		}
		closed.Store(false)
		secured, err := Dial(timeout(t), dial, addr, clientOptions(t))
		if err != nil {
			t.Fatal(err)
		}
		defer secured.Close()
		if n, _ := told.count(nil); n != 1 {
			t.Errorf("told %d times", n)
		}
	})
}

// A connection above MaxConnections is refused before the handshake, and once one has
// closed there is room again.
func TestMaxConnectionsBeforeHandshake(t *testing.T) {
	n := stackPair(t)
	var told toldRefusals
	so := serverOptions(t)
	so.MaxConnections, so.OnRefused = 2, told.add
	ln, err := Listen(timeout(t), n.Server, ":0", so)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	addr := address(ln, true)
	var ends [2][2]net.Conn
	for i := range ends {
		if ends[i][0], err = Dial(timeout(t), n.Client, addr, clientOptions(t)); err != nil {
			t.Fatal(err)
		}
		if ends[i][1], err = ln.Accept(); err != nil {
			t.Fatal(err)
		}
	}
	refused := n.Server.LinkStats().RxRefused
	for i := 1; i <= 3; i++ {
		if _, err := n.Client.DialContext(timeout(t), "tcp", addr); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("above the limit: %v", err)
		}
	}
	if got := n.Server.LinkStats().RxRefused - refused; got != 3 {
		t.Errorf("%d requests refused on the link, want 3", got)
	}
	wait(t, "all are told", func() bool { _, m := told.count(ErrTooManyConnections); return m == 3 })
	ends[0][1].Close()
	c, err := Dial(timeout(t), n.Client, addr, clientOptions(t))
	if err != nil {
		t.Errorf("after one has closed: %v", err)
	} else {
		c.Close()
	}
	for _, e := range ends {
		e[0].Close()
		e[1].Close()
	}
}

// A flood of refusals, and an OnRefused that takes its time: what waits to be told is
// bounded, nobody waits for it, and the sum is right.
func TestRefusedFlood(t *testing.T) {
	n := stackPair(t)
	var told toldRefusals
	hold := make(chan struct{})
	so := serverOptions(t)
	so.OnRefused = func(a net.Addr, err error) { <-hold; told.add(a, err) }
	so.Admit = func(netip.AddrPort) error { return errUnwelcome }
	ln, err := Listen(timeout(t), n.Server, ":0", so)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	addr := address(ln, true)
	const many = 5 * maxReports
	for range many {
		if _, err := n.Client.DialContext(timeout(t), "tcp", addr); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Fatal(err)
		}
	}
	g := &ln.(*tlsListener).gate
	g.mu.Lock()
	if len(g.reports) > maxReports || g.untold < many-maxReports-1 {
		t.Errorf("%d reports wait, %d are counted", len(g.reports), g.untold)
	}
	g.mu.Unlock()
	close(hold)
	wait(t, "all are told", func() bool { all, _ := told.count(nil); return all == many })
	wait(t, "the goroutine has ended", func() bool { g.mu.Lock(); defer g.mu.Unlock(); return !g.telling })
}

// The options of the classes' listeners.
func TestListenerAdmit(t *testing.T) {
	onNetworks(t, func(t *testing.T, dial, listen Network, asks bool) {
		r := newRigOn(t, listen)
		var told toldRefusals
		var closed atomic.Bool
		admit := func(netip.AddrPort) error {
			if closed.Load() {
				return errUnwelcome
			}
			return nil
		}
		l, err := NewListener(r.app, ListenerOptions{
			Admit: admit, MaxConnections: 1, OnRefused: told.add,
			OnReadable: func(l *Listener, n int) { r.note("connection", l, n, nil) },
		})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		addr := address(l.inner, asks)
		refused := func(want error) {
			t.Helper()
			_, before := told.count(want)
			refusedDial(t, dial, addr, asks)
			wait(t, "the refusal is told", func() bool { _, n := told.count(want); return n == before+1 })
		}
		closed.Store(true)
		refused(errUnwelcome)
		closed.Store(false)
		for range 2 { // the second has room because the first was closed
			c, err := dial.DialContext(timeout(t), "tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			r.next("connection")
			var sock *TCP
			r.do(func() { sock, err = l.Read() })
			if err != nil || sock == nil {
				t.Fatal(sock, err)
			}
			refused(ErrTooManyConnections)
			r.do(func() { sock.Close() })
			gone(t, c)
		}

		secured, err := NewTLSListener(r.app, TLSListenerOptions{TLS: func() TLSOptions {
			so := serverOptions(t)
			so.OnRefused = told.add
			return so
		}(), Admit: admit})
		if err != nil {
			t.Fatal(err)
		}
		defer secured.Close()
		closed.Store(true)
		addr = address(secured.inner, asks)
		refused(errUnwelcome)
	})
}

func TestAdmitOptions(t *testing.T) {
	app := NewApp(HostNetwork{})
	_, err := NewListener(app, ListenerOptions{MaxConnections: -1})
	wantOption(t, err, "MaxConnections")
	so := serverOptions(t)
	so.Admit = func(netip.AddrPort) error { return nil }
	_, err = NewTLSListener(app, TLSListenerOptions{TLS: so, Admit: so.Admit})
	wantOption(t, err, "Admit")
	co := clientOptions(t)
	co.Budget = NewBudget(1)
	_, err = NewTLS(app, TLSClientOptions{Address: "127.0.0.1", Port: 1, TLS: co})
	wantOption(t, err, "TLS.ClientAuth, "+limitNames)
}

// ListenAdmit by itself, on a network that doesn't ask: what is refused is reset.
func TestListenAdmitFallback(t *testing.T) {
	n := testNetwork(t)
	var last atomic.Pointer[netip.AddrPort]
	var open atomic.Bool
	ln, err := ListenAdmit(timeout(t), plainNetwork{n}, "tcp", "127.0.0.1:0", func(a netip.AddrPort) bool {
		last.Store(&a)
		return open.Load()
	})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	accepted := make(chan net.Conn, 1)
	go func() {
		if c, err := ln.Accept(); err == nil {
			accepted <- c
		}
	}()
	// The reset may come before the dialer knows that it is connected.
	c, err := n.DialContext(timeout(t), "tcp", ln.Addr().String())
	if err == nil {
		c.SetReadDeadline(time.Now().Add(limit))
		_, err = c.Read(make([]byte, 1))
		c.Close()
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("refused with %v", err)
	}
	open.Store(true)
	c = testDial(t, ln.Addr().String())
	p := <-accepted
	defer p.Close()
	if got := last.Load().String(); got != c.LocalAddr().String() {
		t.Errorf("asked about %s, it was %s", got, c.LocalAddr())
	}
	go c.Write([]byte("x"))
	if _, err := io.ReadFull(p, make([]byte, 1)); err != nil {
		t.Error(err)
	}
	if _, err := ListenAdmit(context.Background(), HostNetwork{}, "tcp", "999.0.0.1:0", nil); err == nil {
		t.Error("an address that is none was taken")
	}
}
