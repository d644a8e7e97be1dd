package tlsio

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// polled is a connection that is readable when the test says so, and counts the waits.
type polled struct {
	net.Conn
	ready   atomic.Bool
	waits   atomic.Int32
	waiting chan struct{}
	goOn    chan struct{}
}

func newPolled() *polled {
	return &polled{waiting: make(chan struct{}), goOn: make(chan struct{})}
}

func (p *polled) Readable() bool { return p.ready.Load() }
func (p *polled) WaitReadable() error {
	p.waits.Add(1)
	p.waiting <- struct{}{}
	<-p.goOn
	return nil
}

func filled(n int, text string) *bytes.Buffer {
	b := new(bytes.Buffer)
	b.Grow(n)
	b.WriteString(text)
	return b
}

// TestRest: buffers are given away for as long as a connection waits, in its handshake and
// after it.
func TestRest(t *testing.T) {
	for _, tt := range []struct {
		name        string
		established bool
		most        int
	}{{"in its handshake", false, keptHandshake}, {"established", true, keptInput}} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPolled()
			w := &wire{raw: p, poller: pollerOf(p), established: tt.established, shaken: tt.established}
			raw, hand := filled(2000, ""), filled(1000, "")
			done := make(chan struct{})
			rest := func() {
				go func() { w.TLSRest(raw, hand); done <- struct{}{} }()
				<-p.waiting
				if raw.Cap() != 0 || hand.Cap() != 0 {
					t.Errorf("a connection that waits has buffers of %d and %d bytes", raw.Cap(), hand.Cap())
				}
				p.goOn <- struct{}{}
				<-done
			}
			rest()
			if raw.Len() != 0 {
				t.Errorf("%d bytes came from nowhere", raw.Len())
			}
			rest() // with the buffer that it got back, or none
			hand = filled(100, "half a message")
			go func() { w.TLSRest(raw, hand); done <- struct{}{} }()
			<-p.waiting
			p.goOn <- struct{}{}
			<-done
			if hand.String() != "half a message" {
				t.Errorf("a message that hasn't come in full is %q", hand)
			}
			hand.Reset()
			if raw = filled(tt.most+1, ""); raw.Cap() <= tt.most {
				t.Fatal("the buffer isn't longer than those that are kept")
			}
			rest()
			if raw.Cap() > tt.most {
				t.Errorf("a buffer of %d bytes was kept", raw.Cap())
			}
		})
	}
}

// TestRestAfterHandshake: what a handshake has read into doesn't become a stream's, and its
// messages' buffer is given away even if there is something to read.
func TestRestAfterHandshake(t *testing.T) {
	p := newPolled()
	p.ready.Store(true)
	w := &wire{raw: p, poller: pollerOf(p)}
	raw, hand := new(bytes.Buffer), new(bytes.Buffer)
	w.TLSRest(raw, hand)
	raw, hand = filled(2000, ""), filled(1000, "")
	w.TLSRest(raw, hand)
	if raw.Cap() < 2000 || hand.Cap() < 1000 {
		t.Errorf("a handshake that goes on has buffers of %d and %d bytes", raw.Cap(), hand.Cap())
	}
	w.established = true
	w.TLSRest(raw, hand)
	if raw.Cap() < 2000 || hand.Cap() != 0 {
		t.Errorf("after the handshake there are buffers of %d and %d bytes", raw.Cap(), hand.Cap())
	}
}

// TestNoRest: who needn't wait, or can't, keeps what it has.
func TestNoRest(t *testing.T) {
	for name, change := range map[string]func(*polled, *wire){
		"readable":       func(p *polled, _ *wire) { p.ready.Store(true) },
		"told not to":    func(_ *polled, w *wire) { w.noWait = true },
		"bytes in front": func(_ *polled, w *wire) { w.prefix = []byte("data") },
		"no poller":      func(_ *polled, w *wire) { w.poller = nil },
	} {
		p := newPolled()
		w := &wire{raw: p, poller: pollerOf(p)}
		change(p, w)
		raw, hand := filled(2000, ""), filled(1000, "")
		w.TLSRest(raw, hand)
		if p.waits.Load() != 0 || raw.Cap() < 2000 || hand.Cap() < 1000 {
			t.Errorf("%s: %d waits, buffers of %d and %d bytes", name, p.waits.Load(), raw.Cap(), hand.Cap())
		}
	}
}

// What is below others is asked only if nothing can be in between.
func TestPollerOf(t *testing.T) {
	p := newPolled()
	if pollerOf(p) != p || pollerOf(&heldConn{Conn: p}) != p {
		t.Error("not found")
	}
	if pollerOf(withLeftover(p, []byte("data"))) != nil || pollerOf(&net.TCPConn{}) != nil {
		t.Error("found where bytes may wait above it")
	}
}

// hasRests reports whether crypto/tls was changed to call TLSRest, as in images.
func hasRests(t *testing.T) bool {
	c, s := net.Pipe()
	var called atomic.Bool
	defer c.Close()
	client := make(chan *Conn)
	go func() {
		o := clientOptions(t)
		o.NoSessions = true
		ctx, err := NewClientContext(o)
		if err != nil {
			t.Error(err)
		}
		conn, err := ctx.Secure(context.Background(), &callsBack{Conn: c, called: &called}, SecureOptions{})
		if err != nil {
			t.Error(err)
		}
		client <- conn
	}()
	so := serverOptions(t)
	so.NoSessions = true
	ctx, err := NewServerContext(so)
	if err != nil {
		t.Fatal(err)
	}
	server, err := ctx.Secure(t.Context(), s, SecureOptions{})
	if err != nil {
		t.Fatal(err)
	}
	conn := <-client
	go server.Write([]byte("x"))
	conn.Read(make([]byte, 1))
	server.wire.raw.Close()
	return called.Load()
}

// callsBack notes that it was asked whether it can be read.
type callsBack struct {
	net.Conn
	called *atomic.Bool
}

func (c *callsBack) Readable() bool      { c.called.Store(true); return true }
func (c *callsBack) WaitReadable() error { return nil }

// TestRestingConnections: connections that rest between messages of all lengths lose
// nothing, wake up for deadlines and for Close, and hold no buffer meanwhile.
func TestRestingConnections(t *testing.T) {
	if !hasRests(t) {
		if os.Getenv("INGOT_TEST_RESTS") != "" {
			t.Fatal("crypto/tls doesn't let connections rest")
		}
		t.Skip("crypto/tls is as it comes: images have another one")
	}
	ln := listen(t, serverOptions(t))
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); io.Copy(c, c) }()
		}
	}()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			c, err := Dial(timeout(t), testNetwork(t), ln.Addr().String(), clientOptions(t))
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			if c.(*Conn).wire.poller == nil {
				return // the host's network
			}
			for _, n := range []int{1, 64, 16 << 10, 100_000, 1, 16<<10 + 1, 40_000, 3} {
				data := pattern(n)
				sent := make(chan error, 1)
				go func() {
					// In two pieces, between which the other side may rest.
					_, err := c.Write(data[:n/3])
					if err == nil {
						_, err = c.Write(data[n/3:])
					}
					sent <- err
				}()
				got := make([]byte, n)
				if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, data) {
					t.Errorf("%d bytes came back otherwise: %v", n, err)
					return
				}
				if err := <-sent; err != nil {
					t.Error(err)
				}
			}
			c.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
			if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("the deadline: %v", err)
			}
			c.SetReadDeadline(time.Time{})
			if _, err := c.Write([]byte("again")); err != nil {
				t.Error(err)
			}
			if _, err := io.ReadFull(c, make([]byte, 5)); err != nil {
				t.Errorf("after the deadline: %v", err)
			}
			closed := make(chan error)
			go func() {
				_, err := c.Read(make([]byte, 1))
				closed <- err
			}()
			c.Close()
			if err := <-closed; err == nil || err == io.EOF {
				t.Errorf("closed under a read: %v", err)
			}
		})
	}
	wg.Wait()
}
