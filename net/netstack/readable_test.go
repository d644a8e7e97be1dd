package netstack_test

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"ingot.dev/board/nic/nictest"
	"ingot.dev/net/netstack"
)

// TestWaitReadable: it returns for all that Read has an answer to, and not before.
func TestWaitReadable(t *testing.T) {
	a, b := pair(t, nictest.WireOptions{})
	l, err := b.Listen(testContext(t), "tcp", ":5000")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	connect := func() (client net.Conn, server *netstack.Conn) {
		c, err := a.DialContext(testContext(t), "tcp", addrB+":5000")
		if err != nil {
			t.Fatal(err)
		}
		s, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close(); s.Close() })
		return c, s.(*netstack.Conn)
	}
	waits := func(s *netstack.Conn) chan error {
		done := make(chan error, 1)
		go func() { done <- s.WaitReadable() }()
		return done
	}

	c, s := connect()
	if s.Readable() {
		t.Error("nothing has come, and it is readable")
	}
	done := waits(s)
	select {
	case err := <-done:
		t.Fatalf("nothing has come, and it returned %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	c.Write([]byte("data"))
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := s.WaitReadable(); err != nil || !s.Readable() { // still there
		t.Error(err)
	}
	buf := make([]byte, 10)
	if n, err := s.Read(buf); err != nil || string(buf[:n]) != "data" {
		t.Errorf("%q, %v", buf[:n], err)
	}
	done = waits(s)
	c.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := s.Read(buf); err != io.EOF {
		t.Errorf("the peer's end: %v", err)
	}

	c, s = connect()
	done = waits(s)
	c.(*netstack.Conn).SetLinger(0)
	c.Close()
	<-done
	if _, err := s.Read(buf); err == nil || err == io.EOF {
		t.Errorf("the peer's reset: %v", err)
	}

	_, s = connect()
	done = waits(s)
	s.SetReadDeadline(time.Now().Add(-time.Second))
	if err := <-done; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("deadline: %v", err)
	}
	s.SetReadDeadline(time.Time{})
	done = waits(s)
	s.Close()
	if err := <-done; !errors.Is(err, net.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}
