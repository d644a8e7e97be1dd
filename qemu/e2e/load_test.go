package e2e

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"regexp"
	"sync"
	"syscall"
	"testing"
	"time"

	"ingot.dev/qemu"
)

func TestManyConnectionsInARow(t *testing.T) {
	m := serve(t)
	for i := range 200 {
		conn, err := connect(testContext(t), m, clientConfig())
		if err == nil {
			err = echo(conn, 500)
			conn.Close()
		}
		if err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
	}
}

// TestManyConnectionsAtOnce holds them all open before the first is used.
func TestManyConnectionsAtOnce(t *testing.T) {
	const n = 32
	m := serve(t)
	var opened, wg sync.WaitGroup
	opened.Add(n)
	errs := make(chan error, n)
	for range n {
		wg.Go(func() {
			conn, err := connectPatiently(testContext(t), m, clientConfig())
			opened.Done()
			if err != nil {
				errs <- err
				return
			}
			defer conn.Close()
			opened.Wait()
			if err := echo(conn, 20_000); err != nil {
				errs <- err
			}
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		t.Error(err)
	}
}

// connectPatiently tries again when QEMU, whose queue holds one connection,
// has lost this one: the host's own repetitions come at growing intervals, up
// to a minute. What the firmware itself has to say ends it.
func connectPatiently(ctx context.Context, m *qemu.Machine, config *tls.Config) (*tls.Conn, error) {
	for {
		attempt, cancel := context.WithTimeout(ctx, 5*time.Second)
		conn, err := connect(attempt, m, config)
		cancel()
		if err == nil {
			deadline, _ := ctx.Deadline()
			return conn, conn.SetDeadline(deadline)
		}
		var timeout net.Error
		lost := errors.As(err, &timeout) && timeout.Timeout() || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, context.DeadlineExceeded)
		if !lost || ctx.Err() != nil {
			return nil, err
		}
	}
}

// TestBadNeighbours keeps one good connection going beside peers that send
// nonsense, stop half way, or vanish.
func TestBadNeighbours(t *testing.T) {
	m := serve(t)
	ctx := testContext(t)
	good := mustConnect(t, m, clientConfig())
	hello := clientHello(t)

	raw := func() net.Conn {
		conn, err := m.DialForward(ctx, port)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	for round := range 5 {
		for _, bad := range []struct {
			name string
			do   func()
		}{
			{"silence", func() { raw() }},
			{"a byte", func() { raw().Write([]byte{22}) }},
			{"noise", func() { raw().Write(randomBytes(10_000)) }},
			{"plain text", func() { io.WriteString(raw(), "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n") }},
			{"half a hello", func() { raw().Write(hello[:len(hello)/2]) }},
			{"hello and noise", func() { c := raw(); c.Write(hello); c.Write(randomBytes(1000)) }},
			{"a huge record", func() { raw().Write([]byte{22, 3, 1, 0xff, 0xff, 1, 0xff, 0xff, 0xff}) }},
			{"a reset", func() {
				c := raw()
				c.Write(hello)
				c.(*net.TCPConn).SetLinger(0)
				c.Close()
			}},
			{"a client that never reads", func() {
				c, err := connect(ctx, m, clientConfig())
				if err != nil {
					t.Fatalf("%v", err)
				}
				t.Cleanup(func() { c.Close() })
				c.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
				c.Write(make([]byte, 8<<20)) // ends when the windows are full
			}},
		} {
			bad.do()
			if err := echo(good, 1000); err != nil {
				t.Fatalf("round %d, after %s: the good connection: %v", round, bad.name, err)
			}
		}
		conn, err := connectPatiently(ctx, m, clientConfig())
		if err == nil {
			err = echo(conn, 1000)
			conn.Close()
		}
		if err != nil {
			t.Fatalf("round %d: a new connection: %v", round, err)
		}
	}
}

// clientHello returns the first flight of a TLS client.
func clientHello(t *testing.T) []byte {
	t.Helper()
	ours, theirs := net.Pipe()
	defer ours.Close()
	go func() {
		tls.Client(theirs, clientConfig()).Handshake()
		theirs.Close()
	}()
	buf := make([]byte, 4096)
	n, err := ours.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	return buf[:n]
}

// TestFullHouse: a firmware accepts as many connections as its memory has room for,
// whatever they do, refuses the next one, and takes another when one has left.
func TestFullHouse(t *testing.T) {
	const limit = 24 // with this memory limit: see firmware.Service
	m := serve(t, "GOMEMLIMIT=18MiB")
	held := make([]*tls.Conn, limit)
	for i := range held {
		held[i] = mustConnect(t, m, clientConfig())
		if _, err := held[i].Write(randomBytes(60_000)); err != nil { // whose echo nobody reads
			t.Fatalf("connection %d: %v", i, err)
		}
	}
	if conn, err := connect(testContext(t), m, clientConfig()); err == nil {
		conn.Close()
		t.Fatalf("connection %d was accepted", limit+1)
	}
	if _, err := m.WaitConsole(testContext(t), regexp.MustCompile(`refused.*connections`)); err != nil {
		t.Error(err)
	}
	held[0].Close()
	for ctx := testContext(t); ; {
		conn, err := connect(ctx, m, clientConfig())
		if err == nil {
			mustEcho(t, conn, 1000)
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("nobody was let in after one had left: %v", err)
		}
	}
}
