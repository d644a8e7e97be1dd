package tlsio

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
)

// seal does what crypto/tls does with a Write in images: records of so many bytes of
// payload, in the room where there is one.
func seal(w *wire, elsewhere bool, payloads ...int) (sent []byte, err error) {
	own := make([]byte, 0, fullRecord+sealing)
	for i, n := range payloads {
		record := own[:0]
		if len(payloads) > 1 {
			left := 0
			for _, later := range payloads[i+1:] {
				left += later
			}
			if room := w.TLSRoom(n, left); room != nil {
				record = room
				if elsewhere {
					record = room[:0:0]
				}
			}
		}
		record = append(record, recordAlert+2, 3, 3, byte(n>>8), byte(n))
		record = append(record, bytes.Repeat([]byte{byte(i + 1)}, n+17)...)
		sent = append(sent, record...)
		if m, err := w.Write(record); err != nil {
			return sent, err
		} else if m != len(record) {
			return sent, io.ErrShortWrite
		}
	}
	return sent, nil
}

func TestRoom(t *testing.T) {
	const full, over = fullRecord, recordHeaderSize + 17
	for _, c := range []struct {
		name     string
		payloads []int
		want     []int // bytes of each write to the transport
	}{
		{"short", []int{5}, []int{5 + over}},
		{"a full record", []int{full}, []int{full + over}},
		{"two records", []int{full, full}, []int{2 * (full + over)}},
		{"as many as fit", []int{full, full, full, full}, []int{4 * (full + over)}},
		{"and a rest", []int{full, full, full, full, 500}, []int{4 * (full + over), 500 + over}},
		{"a rest that fits", []int{full, full, full, 60<<10 - 3*full}, []int{60<<10 + 4*over}},
		{"six", []int{full, full, full, full, full, full}, []int{4 * (full + over), 2 * (full + over)}},
		{"young", []int{1000, 2000, 3000}, []int{1000 + over, 2000 + over, 3000 + over}},
		{"not young any more", []int{16000, full, full}, []int{16000 + over, 2 * (full + over)}},
	} {
		for _, elsewhere := range []bool{false, true} {
			raw := &writes{}
			w := &wire{raw: raw, established: true}
			want := c.want
			if elsewhere { // nothing is lost if a record gets longer than was thought
				want = nil
				for _, n := range c.payloads {
					want = append(want, n+over)
				}
			}
			for range 2 {
				raw.all = nil
				sent, err := seal(w, elsewhere, c.payloads...)
				if err != nil {
					t.Fatalf("%s: %v", c.name, err)
				}
				var got []int
				for _, p := range raw.all {
					got = append(got, len(p))
				}
				if !slices.Equal(got, want) {
					t.Errorf("%s, elsewhere %v: writes of %v bytes, want %v", c.name, elsewhere, got, want)
				}
				if !bytes.Equal(bytes.Join(raw.all, nil), sent) {
					t.Errorf("%s, elsewhere %v: other bytes were written, or in another order", c.name, elsewhere)
				}
				if w.room != nil {
					t.Errorf("%s, elsewhere %v: the room is kept", c.name, elsewhere)
				}
			}
		}
	}
}

// A record that was sealed elsewhere comes behind those in the room.
func TestRoomOrder(t *testing.T) {
	raw := &writes{}
	w := &wire{raw: raw, established: true}
	first := append(w.TLSRoom(fullRecord, 10), "first"...)
	for _, p := range [][]byte{first, []byte("second")} {
		if n, err := w.Write(p); n != len(p) || err != nil {
			t.Fatal(n, err)
		}
	}
	if got := bytes.Join(raw.all, []byte(" ")); string(got) != "first second" {
		t.Errorf("%q", got)
	}
}

// After an error nothing is sent any more by this Write, and nothing is kept.
func TestRoomFails(t *testing.T) {
	for _, elsewhere := range []bool{false, true} {
		b := NewBudget(1 << 20)
		a, err := b.Account(0)
		if err != nil {
			t.Fatal(err)
		}
		raw := &writes{fail: 1}
		w := &wire{raw: &heldConn{Conn: raw, account: a}, established: true}
		full := slices.Repeat([]int{fullRecord}, 6)
		if _, err := seal(w, elsewhere, full...); !errors.Is(err, errBroken) || len(raw.all) != 1 {
			t.Errorf("elsewhere %v: %v, %d writes", elsewhere, err, len(raw.all))
		}
		if w.room != nil || a.Held() != 0 {
			t.Errorf("elsewhere %v: %v, %d bytes of the budget", elsewhere, w.room != nil, a.Held())
		}
	}
}

// There is no room without memory for it, nor where records are gathered anyway.
func TestNoRoom(t *testing.T) {
	b := NewBudget(roomSize + bufferSize - 1)
	a, err := b.Account(0)
	if err != nil {
		t.Fatal(err)
	}
	for name, w := range map[string]*wire{
		"no memory": {raw: &heldConn{Conn: &writes{}, account: a}},
		"gathered":  {raw: &writes{}, gather: new(gatherer)},
	} {
		if w.TLSRoom(fullRecord, 1) != nil || a.Held() != 0 {
			t.Errorf("%s: there is room, %d bytes of the budget", name, a.Held())
		}
	}
	b = NewBudget(roomSize + bufferSize)
	if a, err = b.Account(0); err != nil {
		t.Fatal(err)
	}
	w := &wire{raw: &heldConn{Conn: &writes{}, account: a}, established: true}
	if w.TLSRoom(fullRecord, 1) == nil || a.Held() != roomSize {
		t.Errorf("with memory: no room, or %d bytes of the budget", a.Held())
	}
}

// counting is a connection that notes the lengths of its writes.
type counting struct {
	net.Conn
	mu  sync.Mutex
	all []int
}

func (c *counting) Write(p []byte) (int, error) {
	c.mu.Lock()
	c.all = append(c.all, len(p))
	c.mu.Unlock()
	return c.Conn.Write(p)
}

func (c *counting) lengths() []int {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := c.all
	c.all = nil
	return all
}

// TestRecordsTogether: what a Write makes of records of full length goes to the transport
// at once in images, and one by one elsewhere; before, a connection's first records are
// small, and each is sent by itself. The peer gets the same.
func TestRecordsTogether(t *testing.T) {
	together := hasRests(t)
	for _, version := range []string{TLSv12, TLSv13} {
		ln := testListen(t)
		accepted := make(chan *Conn, 1)
		go func() {
			defer close(accepted)
			raw, err := ln.Accept()
			if err != nil {
				t.Error(err)
				return
			}
			ctx, err := NewServerContext(serverOptions(t))
			if err != nil {
				t.Error(err)
				return
			}
			c, err := ctx.Secure(context.Background(), raw, SecureOptions{})
			if err != nil {
				t.Error(err)
				return
			}
			accepted <- c
		}()
		o := clientOptions(t)
		o.MaximumVersion = version
		ctx, err := NewClientContext(o)
		if err != nil {
			t.Fatal(err)
		}
		raw := &counting{Conn: testDial(t, ln.Addr().String())}
		c, err := ctx.Secure(timeout(t), raw, SecureOptions{})
		if err != nil {
			t.Fatal(err)
		}
		server := <-accepted
		if server == nil {
			t.FailNow()
		}
		raw.lengths()
		pass := func(n int) []int {
			t.Helper()
			data, got := pattern(n), make([]byte, n)
			sent := make(chan error, 1)
			go func() {
				_, err := c.Write(data)
				sent <- err
			}()
			if _, err := io.ReadFull(server, got); err != nil || !bytes.Equal(got, data) {
				t.Fatalf("TLS %s: %d bytes came otherwise: %v", version, n, err)
			}
			if err := <-sent; err != nil {
				t.Fatal(err)
			}
			return raw.lengths()
		}
		if first := pass(8 << 10); len(first) < 3 || first[0] > 1460 {
			t.Errorf("TLS %s: the first writes are of %v bytes", version, first)
		}
		pass(300_000)
		for _, tt := range []struct{ n, alone, together int }{
			{100, 1, 1}, {fullRecord, 1, 1}, {fullRecord + 1, 2, 1}, {60 << 10, 4, 1}, {64 << 10, 4, 1}, {200_000, 13, 4},
		} {
			want := tt.alone
			if together {
				want = tt.together
			}
			if got := pass(tt.n); len(got) != want {
				t.Errorf("TLS %s: %d bytes are written as %v, want %d writes", version, tt.n, got, want)
			}
		}
		c.Close()
		server.Close()
	}
}
