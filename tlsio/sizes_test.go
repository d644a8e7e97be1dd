package tlsio

import (
	"io"
	"net"
	"sync"
	"testing"
)

// lengthTap notes the lengths of the records of data that arrive.
type lengthTap struct {
	mu      sync.Mutex
	stream  []byte
	lengths []int
}

func (l *lengthTap) Received(p []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.stream = append(l.stream, p...); len(l.stream) >= recordHeaderSize; {
		n := recordHeaderSize + int(l.stream[3])<<8 + int(l.stream[4])
		if len(l.stream) < n {
			return
		}
		if l.stream[0] == 23 {
			l.lengths = append(l.lengths, n)
		}
		l.stream = l.stream[n:]
	}
}

func (l *lengthTap) Sent([]byte)   {}
func (l *lengthTap) Secret([]byte) {}
func (l *lengthTap) Closed(error)  {}

// TestRecordSizes: what is sent first comes in records that fit a segment, so that the
// peer needn't wait for more to decrypt them; a stream soon has the longest that there are.
func TestRecordSizes(t *testing.T) {
	const most = 16<<10 + recordHeaderSize + 256
	tap := new(lengthTap)
	ln := listen(t, serverOptions(t))
	go func() {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		for range 32 {
			c.Write(pattern(32 << 10))
		}
	}()
	co := clientOptions(t)
	co.Tap = func(net.Addr, net.Addr, bool) Tap { return tap }
	c, err := Dial(timeout(t), testNetwork(t), ln.Addr().String(), co)
	if err != nil {
		t.Fatal(err)
	}
	tap.mu.Lock()
	begin := len(tap.lengths) // the handshake's, which are encrypted too
	tap.mu.Unlock()
	got, err := io.Copy(io.Discard, c)
	c.Close()
	if err != nil || got != 1<<20 {
		t.Fatalf("%d bytes, %v", got, err)
	}
	sum, first, full := 0, 0, 0
	for _, n := range tap.lengths[begin:] {
		if first == 0 && n > 1000 { // not a session's ticket
			first = n
		}
		if sum += n; n > most {
			t.Errorf("a record of %d bytes", n)
		} else if n > 16<<10 {
			full++
		}
	}
	if first > 1448 {
		t.Errorf("the first record has %d bytes, more than a segment", first)
	}
	if records := len(tap.lengths) - begin; full < 50 || records > 100 {
		t.Errorf("%d of %d records are full", full, records)
	}
}
