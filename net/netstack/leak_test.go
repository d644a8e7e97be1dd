package netstack_test

import (
	"io"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"ingot.dev/board/nic/nictest"
	"ingot.dev/net/netstack"
)

// goroutines returns how many there are of this module and of the stack.
func goroutines() (n int, dump string) {
	b := make([]byte, 1<<20)
	dump = string(b[:runtime.Stack(b, true)])
	for _, g := range strings.Split(dump, "\n\n")[1:] {
		if strings.Contains(g, "netstack.") || strings.Contains(g, "gvisor.dev") || strings.Contains(g, "/net/link") {
			n++
		}
	}
	return n, dump
}

// A closed stack leaves no goroutine behind, whatever was open on it.
func TestNoLeak(t *testing.T) {
	before, _ := goroutines()
	for range 3 {
		da, db := nictest.Pipe(nictest.WireOptions{})
		a, err := netstack.Open(testContext(t), da, netstack.Config{Address: netip.MustParsePrefix(addrA + "/24"), Log: testLog(t)})
		if err != nil {
			t.Fatal(err)
		}
		b, err := netstack.Open(testContext(t), db, netstack.Config{Address: netip.MustParsePrefix(addrB + "/24"), Log: testLog(t)})
		if err != nil {
			t.Fatal(err)
		}
		l, err := b.Listen(testContext(t), "tcp", ":80")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go io.Copy(c, c)
			}
		}()
		for i := range 20 {
			c, err := a.DialContext(testContext(t), "tcp", addrB+":80")
			if err != nil {
				t.Fatal(err)
			}
			io.WriteString(c, "x")
			c.SetDeadline(time.Now().Add(limit))
			if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
			if i%2 == 0 {
				c.Close()
			}
		}
		a.Close()
		b.Close()
	}
	var after int
	var dump string
	for end := time.Now().Add(limit); time.Now().Before(end); {
		if after, dump = goroutines(); after <= before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d goroutines before, %d after\n%s", before, after, dump)
}

// What an idle connection costs: both of its ends live in this process.
func TestIdleMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("measures")
	}
	a, b := pair(t, nictest.WireOptions{})
	l, err := b.Listen(testContext(t), "tcp", ":80")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc + m.StackInuse
	}
	const n = 400
	var conns []net.Conn
	defer func() {
		for _, c := range conns {
			c.Close()
		}
	}()
	open := func(n int) {
		for range n {
			c, err := a.DialContext(testContext(t), "tcp", addrB+":80")
			if err != nil {
				t.Fatal(err)
			}
			p, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			conns = append(conns, c, p)
			// One that has been used: what was sent and received is gone.
			c.Write(make([]byte, 4000))
			io.ReadFull(p, make([]byte, 4000))
		}
	}
	open(20)
	before := heap()
	open(n)
	per := (int64(heap()) - int64(before)) / (2 * n)
	t.Logf("%d bytes per end of a connection", per)
	if per > 8<<10 {
		t.Errorf("%d bytes per idle connection", per)
	}
}
