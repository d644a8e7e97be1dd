package server

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"testing"
	"testing/fstest"
)

// BenchmarkLines is a line that comes and goes back, over TLS.
func BenchmarkLines(b *testing.B) {
	s, err := New(testNetwork(b), Config{StartMode: StartImplicit, TLS: serverTLS(b), SingleLineMode: true, NoDelay: true}, Handler{
		DataIn: func(c *Connection, line []byte, eol bool) { c.Send(append(line, '\n')) },
	})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	if err := s.StartListening(within(b)); err != nil {
		b.Fatal(err)
	}
	cl := dial(b, fmt.Sprintf("127.0.0.1:%d", s.LocalPort())).secure(clientTLS(b))
	line := []byte("the quick brown fox jumps over the lazy dog\n")
	r := bufio.NewReader(cl)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := cl.Write(line); err != nil {
			b.Fatal(err)
		}
		if _, err := r.ReadSlice('\n'); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSendFile is a megabyte that is sent, over TLS.
func BenchmarkSendFile(b *testing.B) {
	files := fstest.MapFS{"f": {Data: make([]byte, 1<<20)}}
	s, err := New(testNetwork(b), Config{StartMode: StartImplicit, TLS: serverTLS(b), SendQueue: 64 << 10, NoDelay: true}, Handler{
		DataIn: func(c *Connection, line []byte, eol bool) {
			if _, err := c.SendFile(files, "f"); err != nil {
				b.Error(err)
			}
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	if err := s.StartListening(within(b)); err != nil {
		b.Fatal(err)
	}
	cl := dial(b, fmt.Sprintf("127.0.0.1:%d", s.LocalPort())).secure(clientTLS(b))
	b.SetBytes(1 << 20)
	b.ReportAllocs()
	for b.Loop() {
		cl.send(".")
		if _, err := io.CopyN(io.Discard, cl, 1<<20); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPlainTLS is the same with crypto/tls alone, to compare with.
func BenchmarkPlainTLS(b *testing.B) {
	ln, err := testNetwork(b).Listen(within(b), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer ln.Close()
	go func() {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		c := tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{testPKI(b).server.TLS()}})
		var p [1]byte
		chunk := make([]byte, 16<<10)
		for {
			if _, err := c.Read(p[:]); err != nil {
				return
			}
			for range (1 << 20) / len(chunk) {
				c.Write(chunk)
			}
		}
	}()
	cl := dial(b, ln.Addr().String()).secure(clientTLS(b))
	b.SetBytes(1 << 20)
	b.ReportAllocs()
	for b.Loop() {
		cl.send(".")
		if _, err := io.CopyN(io.Discard, cl, 1<<20); err != nil {
			b.Fatal(err)
		}
	}
}
