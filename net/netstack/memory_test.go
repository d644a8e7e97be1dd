package netstack_test

import (
	"net"
	"runtime"
	"testing"
	"time"

	"ingot.dev/board/nic/nictest"
	"ingot.dev/net/inet"
)

// TestMemory fills all buffers of connections whose ends nobody reads, and compares
// what is held with what Memory says.
func TestMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("measures memory")
	}
	for _, o := range []inet.Options{
		{Backlog: 4, ReadBuffer: 16 << 10, WriteBuffer: 16 << 10},
		{Backlog: 8, ReadBuffer: 64 << 10, WriteBuffer: 32 << 10},
		{},
	} {
		a, b := pair(t, nictest.WireOptions{})
		from, to := a.With(o), b.With(o)
		l, err := to.Listen(testContext(t), "tcp", ":0")
		if err != nil {
			t.Fatal(err)
		}
		_, port, _ := net.SplitHostPort(l.Addr().String())
		const n = 20
		var conns []net.Conn
		open := func() {
			c, err := from.DialContext(testContext(t), "tcp", addrB+":"+port)
			if err != nil {
				t.Fatal(err)
			}
			p, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			conns = append(conns, c, p)
		}
		heap := func() int64 {
			var m runtime.MemStats
			runtime.GC()
			runtime.GC()
			runtime.ReadMemStats(&m)
			return int64(m.HeapAlloc)
		}
		fill := func(c net.Conn) {
			// In pieces, which cost more than one large write, until one has waited.
			for piece := make([]byte, 600); ; {
				c.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
				if _, err := c.Write(piece); err != nil {
					return
				}
			}
		}
		open()
		before := heap()
		for range n {
			open()
		}
		done := make(chan struct{})
		for _, c := range conns[2:] {
			go func() { fill(c); done <- struct{}{} }()
		}
		for range conns[2:] {
			<-done
		}
		said, _ := to.(interface{ Memory() (int64, int64) }).Memory()
		got := (heap() - before) / (2 * n)
		for range 50 { // frames may still be on the wire
			if got <= said {
				break
			}
			time.Sleep(100 * time.Millisecond)
			got = (heap() - before) / (2 * n)
		}
		t.Logf("%+v: %d bytes for one end of a connection, %d said", o, got, said)
		if got > said {
			t.Errorf("%+v: an end holds %d bytes, more than the %d said", o, got, said)
		}
		if got < said/8 {
			t.Errorf("%+v: an end holds %d bytes only: were the buffers full?", o, got)
		}
		for _, c := range conns {
			c.Close()
		}
		l.Close()
	}
}

// What waits to be accepted has the listener's buffer, not the default one.
func TestBacklogBuffers(t *testing.T) {
	a, b := pair(t, nictest.WireOptions{})
	l, err := b.With(inet.Options{ReadBuffer: 16 << 10}).Listen(testContext(t), "tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	c, err := a.With(inet.Options{WriteBuffer: 16 << 10}).DialContext(testContext(t), "tcp", addrB+":"+port)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
	n, _ := c.Write(make([]byte, 1<<20))
	if n > 128<<10 {
		t.Errorf("%d bytes went to a connection that nobody accepted", n)
	}
}
