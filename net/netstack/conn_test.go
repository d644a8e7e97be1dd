package netstack_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/nettest"

	"ingot.dev/board/nic"
	"ingot.dev/board/nic/nictest"
	"ingot.dev/net/inet"
	"ingot.dev/net/netstack"
)

// One socket or listener for both IP versions.
func TestBothVersions(t *testing.T) {
	a, b := pairConfig(t, nictest.WireOptions{}, netstack.Config{}, netstack.Config{})
	ctx := testContext(t)
	for _, s := range []*netstack.Stack{a, b} {
		eventually(t, "link-local address", func() bool { return len(s.Addresses()) == 2 })
	}
	six := b.Addresses()[1].Addr().String()
	// Until nobody objected to them (RFC 4862 §5.4), they can't be used.
	eventually(t, "no duplicate address", func() bool {
		c, err := a.DialContext(ctx, "udp", net.JoinHostPort(six, "9"))
		if err == nil {
			c.Close()
			c, err = b.DialContext(ctx, "udp", net.JoinHostPort(a.Addresses()[1].Addr().String(), "9"))
		}
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	p, err := b.ListenPacket(ctx, "udp", ":5000")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for _, host := range []string{addrB, six} {
		c, err := a.DialContext(ctx, "udp", net.JoinHostPort(host, "5000"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Write([]byte("ping")); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 10)
		p.SetReadDeadline(time.Now().Add(limit))
		n, from, err := p.ReadFrom(buf)
		if err != nil || string(buf[:n]) != "ping" {
			t.Fatalf("%q, %v", buf[:n], err)
		}
		if _, err := p.WriteTo([]byte("pong"), from); err != nil {
			t.Fatal(err)
		}
		c.SetReadDeadline(time.Now().Add(limit))
		if n, err := c.Read(buf); err != nil || string(buf[:n]) != "pong" {
			t.Fatalf("%q, %v", buf[:n], err)
		}

		d, q := connect(t, a, b, host)
		data := make([]byte, 200<<10)
		go d.Write(data)
		q.SetReadDeadline(time.Now().Add(limit))
		if _, err := io.ReadFull(q, data); err != nil {
			t.Error(host, err)
		}
		if got := q.LocalAddr().(*net.TCPAddr).AddrPort().Addr(); got.String() != host {
			t.Errorf("local address %v, want %v", got, host)
		}
	}
	// The loopback addresses are this stack's own.
	for _, host := range []string{"127.0.0.1", "::1", "localhost"} {
		connect(t, a, a, host)
	}
}

// The semantics that package net's own connections are tested for.
func TestConnIsNetConn(t *testing.T) {
	a, b := pair(t, nictest.WireOptions{})
	nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
		d, p := connect(t, a, b, addrB)
		return d, p, func() { d.Close(); p.Close() }, nil
	})
}

func TestTransfer(t *testing.T) {
	hardware := nic.Offloads{TxChecksum: true, RxChecksum: true}
	for _, tt := range []struct {
		name string
		wire nictest.WireOptions
		size int
	}{
		{"perfect", nictest.WireOptions{}, 8 << 20},
		{"offloads", nictest.WireOptions{Offloads: hardware}, 8 << 20},
		{"lossy rings", nictest.WireOptions{Offloads: hardware, DropWhenFull: true, RxRing: 32, TxRing: 8}, 4 << 20},
		{"delay", nictest.WireOptions{Delay: time.Millisecond}, 2 << 20},
		{"loss", nictest.WireOptions{Seed: 1, Loss: 0.01}, 1 << 20},
		{"reorder", nictest.WireOptions{Seed: 2, Reorder: 0.02}, 1 << 20},
		{"duplicate", nictest.WireOptions{Seed: 3, Duplicate: 0.05}, 1 << 20},
		{"corrupt", nictest.WireOptions{Seed: 4, Corrupt: 0.01}, 1 << 20},
		{"all faults", nictest.WireOptions{Seed: 5, Loss: 0.005, Reorder: 0.01, Duplicate: 0.01, Corrupt: 0.005, Delay: time.Millisecond}, 512 << 10},
		{"all faults, offloads", nictest.WireOptions{Seed: 6, Loss: 0.005, Reorder: 0.01, Duplicate: 0.01, Corrupt: 0.005, Offloads: hardware}, 512 << 10},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, b := pair(t, tt.wire)
			c, p := connect(t, a, b, addrB)
			// Both directions at once.
			var wg sync.WaitGroup
			for i, ends := range [][2]*netstack.Conn{{c, p}, {p, c}} {
				data := make([]byte, tt.size)
				rand.NewChaCha8([32]byte{byte(i)}).Read(data)
				wg.Go(func() {
					if _, err := ends[0].Write(data); err != nil {
						t.Error(err)
					}
					ends[0].CloseWrite()
				})
				wg.Go(func() {
					ends[1].SetReadDeadline(time.Now().Add(limit))
					got, err := io.ReadAll(ends[1])
					if err != nil {
						t.Error(err)
					}
					if !bytes.Equal(got, data) {
						t.Errorf("%d bytes arrived, of %d, and differ", len(got), len(data))
					}
				})
			}
			wg.Wait()
			if tt.size >= 4<<20 && tt.wire.Loss == 0 {
				if s := b.LinkStats(); s.RxPackets*2 > s.RxFrames && s.RxMerged == 0 {
					t.Errorf("nothing was merged: %+v", s)
				}
			}
			t.Logf("%+v", b.LinkStats())
		})
	}
}

func TestConnErrors(t *testing.T) {
	a, b := pair(t, nictest.WireOptions{})
	t.Run("refused", func(t *testing.T) {
		_, err := a.DialContext(testContext(t), "tcp", addrB+":9")
		if !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("got %v", err)
		}
		var op *net.OpError
		if !errors.As(err, &op) || op.Op != "dial" || op.Addr.String() != addrB+":9" {
			t.Errorf("got %#v", err)
		}
	})
	t.Run("unreachable", func(t *testing.T) {
		// b has no route out of its network.
		_, err := b.DialContext(testContext(t), "tcp", "192.0.2.1:9")
		if !errors.Is(err, syscall.ENETUNREACH) && !errors.Is(err, syscall.EHOSTUNREACH) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("reset", func(t *testing.T) {
		c, p := connect(t, a, b, addrB)
		p.SetLinger(0)
		p.Close()
		_, err := c.Read(make([]byte, 1))
		if !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("first read: %v", err)
		}
		if _, err = c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("a reset became %v", err)
		}
		if _, err = c.Write([]byte("x")); err == nil {
			t.Error("write after a reset succeeded")
		}
	})
	t.Run("closed", func(t *testing.T) {
		c, p := connect(t, a, b, addrB)
		c.Close()
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("read: %v", err)
		}
		if _, err := c.Write(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("write: %v", err)
		}
		if err := c.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("close: %v", err)
		}
		if err := c.SetNoDelay(true); !errors.Is(err, net.ErrClosed) {
			t.Errorf("set: %v", err)
		}
		if n, err := p.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("peer read %d, %v", n, err)
		}
	})
	t.Run("half closed", func(t *testing.T) {
		c, p := connect(t, a, b, addrB)
		if err := c.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("write: %v", err)
		}
		if got, err := io.ReadAll(p); len(got) != 0 || err != nil {
			t.Errorf("peer read %q, %v", got, err)
		}
		if _, err := p.Write([]byte("still open")); err != nil {
			t.Error(err)
		}
		b := make([]byte, 20)
		if n, err := c.Read(b); string(b[:n]) != "still open" || err != nil {
			t.Errorf("%q, %v", b[:n], err)
		}
	})
	t.Run("deadline", func(t *testing.T) {
		c, _ := connect(t, a, b, addrB)
		c.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%v", err)
		}
	})
}

// TestOptions: what is set reaches the stack, on a connection and through With.
func TestOptions(t *testing.T) {
	a, b := pair(t, nictest.WireOptions{})
	c, p := connect(t, a, b, addrB)
	was := c.SocketOptions()
	if was.Delay || !was.KeepAlive || was.Linger >= 0 {
		t.Errorf("at first: %+v; want package net's defaults", was)
	}
	want := netstack.SocketOptions{
		Delay: true, KeepAlive: true, Idle: time.Minute, Interval: 7 * time.Second, Count: 3,
		Linger: 5 * time.Second, ReadBuffer: 32 << 10, WriteBuffer: 48 << 10,
	}
	if err := errors.Join(
		c.SetNoDelay(false),
		c.SetKeepAlive(true),
		c.SetKeepAlivePeriod(7*time.Second),
		c.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: time.Minute, Interval: -1, Count: 3}),
		c.SetLinger(5),
		c.SetReadBuffer(32<<10),
		c.SetWriteBuffer(48<<10),
	); err != nil {
		t.Error(err)
	}
	if got := c.SocketOptions(); got != want {
		t.Errorf("set:\n%+v, want\n%+v", got, want)
	}
	if err := c.SetReadBuffer(0); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("buffer of 0: %v", err)
	}

	// Nobody reads: no more is taken than both buffers hold.
	if err := p.SetReadBuffer(32 << 10); err != nil {
		t.Error(err)
	}
	c.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
	n, err := c.Write(make([]byte, 1<<20))
	if !errors.Is(err, os.ErrDeadlineExceeded) || n > 256<<10 {
		t.Errorf("%d bytes into buffers of 32 and 48 KiB, %v", n, err)
	}

	o := inet.Options{
		Delay: true, Linger: 5, ReadBuffer: 32 << 10, WriteBuffer: 48 << 10,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: time.Minute, Interval: 7 * time.Second, Count: 3},
	}
	l, err := b.With(o).Listen(testContext(t), "tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	dialed, err := a.With(o).DialContext(testContext(t), "tcp", net.JoinHostPort(addrB, port))
	if err != nil {
		t.Fatal(err)
	}
	defer dialed.Close()
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	for what, conn := range map[string]net.Conn{"dialed": dialed, "accepted": accepted} {
		if got := conn.(*netstack.Conn).SocketOptions(); got != want {
			t.Errorf("%s:\n%+v, want\n%+v", what, got, want)
		}
	}
}

func TestListen(t *testing.T) {
	a, b := pair(t, nictest.WireOptions{})
	ctx := testContext(t)
	l, err := b.With(inet.Options{Backlog: 4}).Listen(ctx, "tcp4", ":8443")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Listen(ctx, "tcp4", ":8443"); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("second listener: %v", err)
	}
	if _, err := b.Listen(ctx, "tcp4", "192.0.2.7:1"); !errors.Is(err, syscall.EADDRNOTAVAIL) {
		t.Errorf("foreign address: %v", err)
	}
	for _, network := range []string{"udp", "unix", "", "tcp6"} { // pair's stacks have no IPv6
		if _, err := b.Listen(ctx, network, ":1"); err == nil {
			t.Errorf("network %q accepted", network)
		}
	}

	// More connections than the backlog are all served in the end.
	const n = 12
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			c, err := a.DialContext(ctx, "tcp", addrB+":8443")
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			fmt.Fprintf(c, "%d", i)
			c.(*netstack.Conn).CloseWrite()
			io.Copy(io.Discard, c)
		})
	}
	seen := make(map[string]bool)
	for len(seen) < n {
		l.(*netstack.Listener).SetDeadline(time.Now().Add(limit))
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(c)
		if err != nil {
			t.Error(err)
		}
		seen[string(text)] = true
		c.Close()
	}
	wg.Wait()

	// Accept ends at a deadline, and with Close.
	l.(*netstack.Listener).SetDeadline(time.Now().Add(time.Millisecond))
	if _, err := l.Accept(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%v", err)
	}
	l.(*netstack.Listener).SetDeadline(time.Time{})
	done := make(chan error)
	go func() {
		_, err := l.Accept()
		done <- err
	}()
	time.Sleep(10 * time.Millisecond)
	l.Close()
	if err := <-done; !errors.Is(err, net.ErrClosed) {
		t.Errorf("%v", err)
	}
	if _, err := b.Listen(ctx, "tcp4", ":8443"); err != nil {
		t.Errorf("the port isn't free again: %v", err)
	}
}

func TestPacketConn(t *testing.T) {
	for _, o := range []nic.Offloads{{}, {TxChecksum: true, RxChecksum: true}} {
		a, b := pair(t, nictest.WireOptions{Offloads: o})
		ctx := testContext(t)
		p, err := b.ListenPacket(ctx, "udp4", ":5000")
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		c, err := a.DialContext(ctx, "udp", addrB+":5000")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		// The largest ones travel in fragments.
		for _, size := range []int{0, 1, 1472, 1473, 4000, 60000} {
			data := make([]byte, size)
			rand.NewChaCha8([32]byte{byte(size)}).Read(data)
			if _, err := c.Write(data); err != nil {
				t.Fatal(size, err)
			}
			got := make([]byte, 65536)
			p.SetReadDeadline(time.Now().Add(limit))
			n, from, err := p.ReadFrom(got)
			if err != nil {
				t.Fatal(size, err)
			}
			if !bytes.Equal(got[:n], data) {
				t.Errorf("%d bytes became %d", size, n)
			}
			if from.String() != c.LocalAddr().String() {
				t.Errorf("from %v, not %v", from, c.LocalAddr())
			}
			if _, err := p.WriteTo([]byte("pong"), from); err != nil {
				t.Fatal(err)
			}
			c.SetReadDeadline(time.Now().Add(limit))
			if n, err := c.Read(got); err != nil || string(got[:n]) != "pong" {
				t.Errorf("%q, %v", got[:n], err)
			}
		}
		// Nobody listens there: ICMP tells.
		u, err := a.DialContext(ctx, "udp", addrB+":9")
		if err != nil {
			t.Fatal(err)
		}
		defer u.Close()
		u.Write([]byte("x"))
		u.SetReadDeadline(time.Now().Add(limit))
		if _, err := u.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("%v", err)
		}
	}
}

// TestSetBacklog: a listener's backlog can be changed while it listens, but not below
// what waits already.
func TestSetBacklog(t *testing.T) {
	a, b := pair(t, nictest.WireOptions{})
	ctx := testContext(t)
	l, err := b.With(inet.Options{Backlog: 1}).Listen(ctx, "tcp4", ":8444")
	if err != nil {
		t.Fatal(err)
	}
	s := l.(*netstack.Listener)
	if err := s.SetBacklog(8); err != nil {
		t.Fatal(err)
	}
	// None of these is accepted: they fit into the backlog.
	for range 6 {
		c, err := a.DialContext(ctx, "tcp", addrB+":8444")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	for deadline := time.Now().Add(limit); ; time.Sleep(time.Millisecond) {
		// The last ACKs may still be on their way.
		if err := s.SetBacklog(2); err != nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("a backlog below what waits was taken")
		}
	}
	if err := s.SetBacklog(0); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("no backlog: %v", err)
	}
	l.Close()
	if err := s.SetBacklog(3); !errors.Is(err, net.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

// peeked is a port that counts how often it is looked into.
type peeked struct {
	nic.Device
	looks atomic.Int32
}

func (p *peeked) PeekRx(func([]byte) bool) bool {
	p.looks.Add(1)
	return true
}

// Who writes on and on looks for others.
func TestWritingGivesWay(t *testing.T) {
	da, db := nictest.Pipe(nictest.WireOptions{})
	port := &peeked{Device: da}
	a := open(t, port, netstack.Config{NoIPv6: true, Address: netip.MustParsePrefix(addrA + "/24")})
	b := open(t, db, netstack.Config{NoIPv6: true, Address: netip.MustParsePrefix(addrB + "/24")})
	c, p := connect(t, a, b, addrB)
	go io.Copy(io.Discard, p)
	c.SetDeadline(time.Now().Add(limit))
	piece := make([]byte, 4<<10)
	for port.looks.Load() < 3 {
		if _, err := c.Write(piece); err != nil {
			t.Fatalf("looked %d times: %v", port.looks.Load(), err)
		}
	}
}
