package tlsio

import (
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"ingot.dev/internal/simnet"
)

// TestReadReady: everything that has arrived comes at once, of several records and in
// pieces of any size, nothing is waited for but the first byte, and the end comes last.
func TestReadReady(t *testing.T) {
	n := stackPair(t)
	ln, err := Listen(timeout(t), n.Server, ":4000", serverOptions(t))
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	client, err := Dial(timeout(t), n.Client, simnet.ServerAddress+":4000", clientOptions(t))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	conn, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	server := conn.(*Conn)
	raw := server.NetConn().(interface {
		Readable() bool
		WaitReadable() error
	})

	// Three records.
	for _, part := range []string{"one ", "two ", "three "} {
		io.WriteString(client, part)
	}
	buf := make([]byte, 100)
	got := ""
	for got != "one two three " { // they may arrive one by one, too
		n, more, err := ReadReady(server, buf, raw.Readable)
		if err != nil || more || n == 0 {
			t.Fatalf("%d bytes, more %v, %v", n, more, err)
		}
		got += string(buf[:n])
	}

	// A first byte is waited for, and nothing else: more says whether there is more.
	io.WriteString(client, "abcdef")
	raw.WaitReadable()
	n1, more, err := ReadReady(server, buf[:4], raw.Readable)
	if err != nil || !more || string(buf[:n1]) != "abcd" {
		t.Fatalf("%q, more %v, %v", buf[:n1], more, err)
	}
	n1, more, err = ReadReady(server, buf, raw.Readable)
	if err != nil || more || string(buf[:n1]) != "ef" {
		t.Fatalf("%q, more %v, %v", buf[:n1], more, err)
	}

	// The same of a lot, in pieces of random sizes.
	const size = 2_000_000
	sent := make([]byte, size)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range sent {
		sent[i] = byte(random.Uint32())
	}
	go func() {
		for left := sent; len(left) > 0; {
			n := min(1+random.IntN(40_000), len(left))
			client.Write(left[:n])
			left = left[n:]
		}
		client.(*Conn).CloseWrite()
	}()
	server.SetReadDeadline(time.Now().Add(time.Minute))
	pieces := rand.New(rand.NewPCG(3, 4))
	at := 0
	for {
		buf := make([]byte, 1+pieces.IntN(100_000))
		n, _, err := ReadReady(server, buf, raw.Readable)
		if at+n > size || string(buf[:n]) != string(sent[at:at+n]) {
			t.Fatalf("what came at %d is something else", at)
		}
		at += n
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if at != size || !server.CloseNotifyReceived() {
		t.Errorf("%d bytes of %d, close_notify %v", at, size, server.CloseNotifyReceived())
	}
}
