package server

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

// fill sends until nothing is taken any more.
func fill(t testing.TB, c *Connection) (taken int) {
	t.Helper()
	p := []byte(strings.Repeat("0123456789abcdef", 4096))
	for full := 0; full < 3; {
		n, err := c.Send(p)
		taken += n
		if err == nil {
			full = 0
			continue
		}
		if !errors.Is(err, ErrWouldBlock) {
			t.Fatal(err)
		}
		if n == 0 {
			// Full, unless the writer has just made room.
			full++
			time.Sleep(20 * time.Millisecond)
		}
	}
	return taken
}

// TestWouldBlock: a client that doesn't read fills the queue; error 135 tells how
// much was taken; nothing is lost, doubled or changed; ReadyToSend tells when to
// go on, and not after a part was taken.
//
//conform:ipworks send works tlsio/server.Connection.Send, tlsio/server.Server.Send
//conform:ipworks sendBytes works tlsio/server.Connection.Send
//conform:ipworks sendText works tlsio/server.Connection.SendText, tlsio/server.Server.SendText
//conform:ipworks event.ReadyToSend works tlsio/server.Handler.ReadyToSend
//conform:ipworks Connection.ReadyToSend works tlsio/server.Connection.ReadyToSend
//conform:ipworks Connection.BytesSent works tlsio/server.Connection.BytesSent
//conform:ipworks error.135 works tlsio/server.ErrWouldBlock
func TestWouldBlock(t *testing.T) {
	v := newValve(t)
	b := newBenchOn(t, v, Config{SendQueue: 1000}, Handler{}, 0)
	c, cl := b.open()
	b.next("ReadyToSend") // right after Connected
	flushed := func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.queue.n == 0 && !c.writing
	}
	text := func(letter string, n int) string { return strings.Repeat(letter, n) }

	v.set(false)
	if n, err := c.SendText(text("a", 600)); n != 600 || err != nil || c.BytesSent() != 600 {
		t.Fatal(n, err, c.BytesSent())
	}
	n, err := b.SendText(c.ID(), text("b", 600))
	if wantCode(t, err, 135); n != 400 || !errors.Is(err, ErrWouldBlock) || c.BytesSent() != 400 || !c.ReadyToSend() {
		t.Fatalf("a part: took %d, BytesSent %d, ReadyToSend %v, %v", n, c.BytesSent(), c.ReadyToSend(), err)
	}
	v.set(true)
	wait(t, "all is sent", flushed)
	b.quiet() // no ReadyToSend after a part was taken

	v.set(false)
	if n, err := c.Send([]byte(text("c", 1000))); n != 1000 || err != nil {
		t.Fatal(n, err)
	}
	n, err = b.Send(c.ID(), []byte("d"))
	if wantCode(t, err, 135); n != 0 || !errors.Is(err, ErrWouldBlock) || c.BytesSent() != 0 || c.ReadyToSend() {
		t.Fatalf("full: took %d, BytesSent %d, ReadyToSend %v, %v", n, c.BytesSent(), c.ReadyToSend(), err)
	}
	b.quiet()
	v.set(true)
	b.next("ReadyToSend")
	if !c.ReadyToSend() {
		t.Error("ReadyToSend is false after the event")
	}
	if n, err := c.SendLine("the end"); n != 9 || err != nil {
		t.Error(n, err)
	}
	if got, want := cl.read(2009), text("a", 600)+text("b", 400)+text("c", 1000)+"the end\r\n"; got != want {
		t.Error("what the client got is not what was sent")
	}
	b.quiet()
	if n, err := c.Send(nil); n != 0 || err != nil {
		t.Error("nothing to send:", n, err)
	}
}

// TestNothingLost sends a lot through a queue that is full most of the time, in the
// way that the documentation recommends.
func TestNothingLost(t *testing.T) {
	const total = 3 << 20
	data := make([]byte, total)
	for i := range data {
		data[i] = byte(i * 7 >> 3)
	}
	next := 0
	pump := func(c *Connection) {
		for next < total {
			n, err := c.Send(data[next:min(next+7777, total)])
			next += n
			if err != nil && n == 0 {
				if !errors.Is(err, ErrWouldBlock) {
					t.Error(err)
				}
				return // ReadyToSend comes
			}
		}
	}
	b := newBench(t, Config{SendQueue: 5000, OutBufferSize: 8192}, Handler{ReadyToSend: pump}, 0)
	cl := b.dial()
	if got := cl.read(total); got != string(data) {
		t.Error("what the client got is not what was sent")
	}
}

// TestBlockingSend: with a Timeout a send waits for the client, as long as something
// moves.
//
//conform:ipworks DefaultTimeout works tlsio/server.Config.Timeout
//conform:ipworks Connection.Timeout works tlsio/server.Connection.Timeout, tlsio/server.Connection.SetTimeout
func TestBlockingSend(t *testing.T) {
	v := newValve(t)
	b := newBenchOn(t, v, Config{SendQueue: 1000, Timeout: limit}, Handler{}, noReady)
	c, cl := b.open()
	if c.Timeout() != limit {
		t.Error("Timeout is", c.Timeout())
	}
	text := strings.Repeat("0123456789", 500000)
	got := make(chan string)
	go func() {
		p := make([]byte, len(text))
		n, _ := io.ReadFull(cl.r, p)
		got <- string(p[:n])
	}()
	if n, err := c.SendText(text); n != len(text) || err != nil {
		t.Fatal(n, err)
	}
	if c.BytesSent() != 0 {
		t.Error("BytesSent is", c.BytesSent(), "in synchronous mode")
	}
	if <-got != text {
		t.Error("what the client got is not what was sent")
	}

	// Nothing moves any more. (What a client that doesn't read takes is its system's
	// affair.)
	v.set(false)
	if err := c.SetTimeout(50 * time.Millisecond); err != nil {
		t.Fatal(err)
	}
	n, err := c.SendText(strings.Repeat(text, 2))
	if wantCode(t, err, 10060); !errors.Is(err, ErrTimeout) || n == 0 || n >= 2*len(text) {
		t.Errorf("took %d bytes, %v", n, err)
	}
	if !c.Connected() {
		t.Error("a send's timeout has ended the connection")
	}
	v.set(true)
	cl.read(n) // what was taken still comes
	wait(t, "the queue is empty", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.queue.n == 0
	})
	if err := c.SetTimeout(0); err != nil {
		t.Fatal(err)
	}
	if n, err := c.SendText("x"); n != 1 || err != nil || cl.read(1) != "x" {
		t.Error(n, err)
	}
}

// TestInterrupt ends a send that waits and leaves the connection alone.
//
//conform:ipworks interrupt works tlsio/server.Connection.Interrupt, tlsio/server.Server.Interrupt
//conform:ipworks error.10004 works tlsio/server.ErrInterrupted
func TestInterrupt(t *testing.T) {
	b := newBench(t, Config{SendQueue: 1000, OutBufferSize: 4096, Timeout: limit}, Handler{}, noReady)
	c, cl := b.open()
	type result struct {
		n   int
		err error
	}
	done := make(chan result)
	text := strings.Repeat("x", 10<<20)
	go func() {
		n, err := c.SendText(text)
		done <- result{n, err}
	}()
	wait(t, "the send waits", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.sending && c.queue.free() == 0
	})
	if err := b.Interrupt(c.ID()); err != nil {
		t.Fatal(err)
	}
	r := <-done
	if wantCode(t, r.err, 10004); !errors.Is(r.err, ErrInterrupted) || r.n == len(text) {
		t.Errorf("took %d, %v", r.n, r.err)
	}
	cl.read(r.n)
	if n, err := c.SendText("on"); n != 2 || err != nil || cl.read(2) != "on" {
		t.Error("after Interrupt:", n, err)
	}
	if err := c.Interrupt(); err != nil { // nothing waits: nothing happens
		t.Error(err)
	}
	if n, err := c.SendText("!"); n != 1 || err != nil {
		t.Error("a later send was interrupted:", n, err)
	}
}
