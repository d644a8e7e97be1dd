package tlsio

import (
	"crypto/tls"
	"io"
	"net"
	"runtime"
	"testing"
	"time"
)

// TestIdleConnectionCost compares what the server's side of an idle connection
// costs with bare crypto/tls serving in the same way, with one goroutine each.
//
//conform:iotjs platform.memory works tlsio.Conn, tlsio.TLS
func TestIdleConnectionCost(t *testing.T) {
	if testing.Short() {
		t.Skip("measures memory")
	}
	var errs optionErrors
	so := serverOptions(t)
	config := so.serverTerms(&errs, "").config
	bare := func() net.Listener {
		ln, _, _ := local(t)
		return tls.NewListener(ln, config)
	}
	const n = 100
	cost := func(ln net.Listener, serve func(net.Conn)) (heap, stack, goroutines int) {
		go func() {
			for {
				c, err := ln.Accept()
				if err != nil {
					return
				}
				go serve(c)
			}
		}()
		client := clientOptions(t)
		measure := func() (m runtime.MemStats) {
			for range 3 {
				runtime.GC()
			}
			runtime.ReadMemStats(&m)
			return m
		}
		var conns [n]net.Conn
		dial := func() net.Conn {
			c, err := Dial(timeout(t), testNetwork(t), ln.Addr().String(), client)
			if err != nil {
				t.Fatal(err)
			}
			roundTrip(t, c, pattern(64))
			return c
		}
		dial().Close()
		before, g := measure(), runtime.NumGoroutine()
		for i := range conns {
			conns[i] = dial()
		}
		time.Sleep(100 * time.Millisecond)
		after := measure()
		heap = (int(after.HeapAlloc) - int(before.HeapAlloc)) / n
		stack = (int(after.StackInuse) - int(before.StackInuse)) / n
		goroutines = runtime.NumGoroutine() - g
		for _, c := range conns {
			c.Close()
		}
		ln.Close()
		return
	}
	// Both clients are ours, so the difference is the server's.
	bareHeap, bareStack, bareG := cost(bare(), func(c net.Conn) { defer c.Close(); io.Copy(c, c) })
	heap, stack, gs := cost(listen(t, serverOptions(t)), func(c net.Conn) { defer c.Close(); io.Copy(c, c) })
	t.Logf("per connection, both ends: bare %d B heap, %d B stack; ours %d B heap, %d B stack", bareHeap, bareStack, heap, stack)
	if heap > bareHeap+1024 || gs > bareG+2 {
		t.Errorf("ours costs %d bytes and %d goroutines, bare %d and %d", heap, gs, bareHeap, bareG)
	}
}
