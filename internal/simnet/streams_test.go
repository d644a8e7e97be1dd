package simnet

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/nettest"
)

// limit is generous: tests share slow machines.
const limit = 60 * time.Second

func testContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	return ctx
}

// pattern is n bytes that repeat nowhere near, so that a lost, doubled or swapped
// piece shows.
func pattern(seed uint64, n int) []byte {
	p := make([]byte, n)
	x := uint32(seed) | 1
	for i := range p {
		x = x*1664525 + 1013904223
		p[i] = byte(x >> 24)
	}
	return p
}

// dialed returns both ends of a connection over a network.
func dialed(t testing.TB, n Dialer) (client, server net.Conn) {
	t.Helper()
	l, err := n.Listen(testContext(t), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err = n.DialContext(testContext(t), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err = l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []net.Conn{client, server} {
		c.SetDeadline(time.Now().Add(limit))
		t.Cleanup(func() { c.Close() })
	}
	if client.LocalAddr().String() != server.RemoteAddr().String() || client.RemoteAddr().String() != server.LocalAddr().String() {
		t.Errorf("%v-%v, %v-%v", client.LocalAddr(), client.RemoteAddr(), server.LocalAddr(), server.RemoteAddr())
	}
	return client, server
}

// exchange sends patterns both ways at once and compares.
func exchange(t testing.TB, a, b net.Conn, seed uint64, n int) {
	t.Helper()
	done := make(chan error, 4)
	for i, c := range []net.Conn{a, b} {
		send, want := pattern(seed+uint64(i), n), pattern(seed+uint64(1-i), n)
		go func() {
			_, err := c.Write(send)
			if cw, ok := c.(interface{ CloseWrite() error }); ok && err == nil {
				err = cw.CloseWrite()
			}
			done <- err
		}()
		go func() {
			got, err := io.ReadAll(c)
			if err == nil && !bytes.Equal(got, want) {
				err = errors.New("what arrived differs from what was sent")
			}
			done <- err
		}()
	}
	for range 4 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestStreamsCarryEverything(t *testing.T) {
	Run(t, 40, func(t *testing.T, seed uint64) {
		o := Schedule(seed)
		n := 100_000
		if o.Buffer != 0 && o.Buffer < 100 {
			n = 5_000
		}
		a, b := dialed(t, NewStreams(o))
		exchange(t, a, b, seed, n)
	})
}

// TestStreamsAreConns holds what every net.Conn has to hold.
func TestStreamsAreConns(t *testing.T) {
	for name, o := range map[string]StreamOptions{"plain": {}, "split": {Split: true, Seed: 1}, "narrow": {Buffer: 100}} {
		t.Run(name, func(t *testing.T) {
			nettest.TestConn(t, func() (a, b net.Conn, stop func(), err error) {
				a, b = Pair(o)
				return a, b, func() { a.Close(); b.Close() }, nil
			})
		})
	}
}

func TestStreamsRepeat(t *testing.T) {
	// One goroutine, so that the order of calls is the same: pieces must be, too.
	pieces := func() (sizes []int) {
		a, b := Pair(StreamOptions{Seed: 5, Split: true})
		a.Write(make([]byte, 10000))
		a.Close()
		for p := make([]byte, 4096); ; {
			n, err := b.Read(p)
			if err != nil {
				return sizes
			}
			sizes = append(sizes, n)
		}
	}
	x, y := pieces(), pieces()
	if len(x) < 3 || len(x) != len(y) {
		t.Fatalf("%v, then %v", x, y)
	}
	for i := range x {
		if x[i] != y[i] {
			t.Fatalf("%v, then %v", x, y)
		}
	}
}

func TestStreamsDamageAndCut(t *testing.T) {
	read := func(o StreamOptions) ([]byte, error) {
		a, b := Pair(o)
		defer b.Close()
		go func() { a.Write(pattern(1, 1000)); a.Close() }()
		return io.ReadAll(b)
	}
	want := pattern(1, 1000)
	for _, at := range []int64{1, 500, 1000} {
		got, err := read(StreamOptions{Damage: at, Split: true, Seed: uint64(at)})
		if err != nil || len(got) != 1000 {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
		for i := range got {
			if (got[i] != want[i]) != (int64(i) == at-1) {
				t.Errorf("damage at %d: byte %d is %#x, was %#x", at, i+1, got[i], want[i])
			}
		}
		got, err = read(StreamOptions{Cut: at})
		if err != nil || !bytes.Equal(got, want[:at-1]) {
			t.Errorf("cut at %d: %d bytes, %v", at, len(got), err)
		}
		got, err = read(StreamOptions{Cut: at, Reset: true})
		if !errors.Is(err, syscall.ECONNRESET) || !bytes.Equal(got, want[:at-1]) {
			t.Errorf("reset at %d: %d bytes, %v", at, len(got), err)
		}
		if got, err = read(StreamOptions{Cut: at, Damage: at, ToClient: true}); err != nil || !bytes.Equal(got, want) {
			t.Errorf("in the other direction: %d bytes, %v", len(got), err)
		}
	}
}

func TestStreamsDeadlines(t *testing.T) {
	a, b := Pair(StreamOptions{Buffer: 10})
	a.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	if _, err := a.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Read: %v", err)
	}
	var ne net.Error
	a.SetWriteDeadline(time.Now().Add(10 * time.Millisecond))
	if n, err := a.Write(make([]byte, 25)); n != 10 || !errors.As(err, &ne) || !ne.Timeout() {
		t.Errorf("Write: %d, %v", n, err)
	}
	// Taken back, and set while somebody waits.
	a.SetDeadline(time.Time{})
	waits := make(chan error, 2)
	go func() { _, err := a.Read(make([]byte, 1)); waits <- err }()
	go func() { _, err := a.Write(make([]byte, 1)); waits <- err }()
	time.Sleep(5 * time.Millisecond)
	a.SetDeadline(time.Unix(1, 0))
	for range 2 {
		if err := <-waits; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("set while waiting: %v", err)
		}
	}
	a.SetDeadline(time.Time{})
	b.Write([]byte("x"))
	if n, err := a.Read(make([]byte, 5)); n != 1 || err != nil {
		t.Errorf("after that: %d, %v", n, err)
	}
}

func TestStreamsClose(t *testing.T) {
	a, b := Pair(StreamOptions{})
	a.Write([]byte("last words"))
	a.Close()
	if _, err := a.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Read after Close: %v", err)
	}
	if _, err := a.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Write after Close: %v", err)
	}
	if err := a.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("second Close: %v", err)
	}
	if got, err := io.ReadAll(b); string(got) != "last words" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := b.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("Write to nobody: %v", err)
	}

	a, b = Pair(StreamOptions{})
	read := make(chan error)
	go func() { _, err := b.Read(make([]byte, 1)); read <- err }()
	a.(interface{ SetLinger(int) error }).SetLinger(0)
	a.Close()
	if err := <-read; !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("after a reset: %v", err)
	}
}

func TestStreamsListen(t *testing.T) {
	n := NewStreams(StreamOptions{})
	l, err := n.Listen(testContext(t), "tcp", "127.0.0.1:80")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Listen(testContext(t), "tcp", "127.0.0.1:80"); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("twice: %v", err)
	}
	waiting, err := n.DialContext(testContext(t), "tcp", "127.0.0.1:80")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if _, err := waiting.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("who waited to be accepted: %v", err)
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept after Close: %v", err)
	}
	if err := l.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("second Close: %v", err)
	}
	if _, err := n.DialContext(testContext(t), "tcp", "127.0.0.1:80"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("nobody listens: %v", err)
	}
	var unknown net.UnknownNetworkError
	if _, err := n.DialContext(testContext(t), "udp", "127.0.0.1:80"); !errors.As(err, &unknown) {
		t.Errorf("udp: %v", err)
	}
}
