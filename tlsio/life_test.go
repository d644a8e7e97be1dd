package tlsio

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"ingot.dev/internal/simnet"
)

// life is the whole life of a connection on a network of seeds: plain text both
// ways, perhaps TLS from then on in either role, more bytes both ways, and the two
// ends, one after the other. All the way the instance does what a script says. The
// model is that of stream: each side must see exactly the bytes that the other
// sent, each end once, and nothing after it.
type life struct {
	t      *testing.T
	app    *App
	script []byte
	step   int

	upgrade, server bool // to TLS; which role
	weFirst         bool // our side ends first

	plain, secret int // bytes each way in each part
	toPeer, toUs  []byte

	current   Socket
	sent      int
	got       []byte
	secured   bool
	ended     bool // End was called
	peerEnded int  // OnEnd
	handOvers int
	failed    chan error // OnError
}

func TestLife(t *testing.T) {
	seeds := uint64(60)
	if testing.Short() {
		seeds = 15
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			script := make([]byte, 100+r.IntN(400))
			for i := range script {
				script[i] = byte(r.Uint32())
			}
			runLife(t, seed, script, 60000)
		})
	}
}

// FuzzLife lets the fuzzer write the script, and choose the schedule.
func FuzzLife(f *testing.F) {
	f.Add(uint64(1), []byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9})
	f.Add(uint64(7), []byte{6, 6, 3, 8, 255, 2})
	f.Add(uint64(37), []byte("\x02\\}\xeb+\x05")) // more arrived while what had was being read
	f.Fuzz(func(t *testing.T, seed uint64, script []byte) { runLife(t, seed, script[:min(len(script), 500)], 3000) })
}

func runLife(t *testing.T, seed uint64, script []byte, size int) {
	leaks(t)
	o := simnet.Schedule(seed)
	if size < 10000 {
		o.Pause = 0 // for the fuzzer, which wants many
	}
	if o.Buffer != 0 && o.Buffer < 64 {
		size /= 10
	}
	network := simnet.NewStreams(o)
	c := &life{t: t, app: NewApp(network), script: script, failed: make(chan error, 10),
		upgrade: seed%3 != 0, server: seed%2 == 0, weFirst: seed/2%2 == 0,
		plain: size / 3, secret: size}
	c.toPeer, c.toUs = pattern(c.plain+c.secret), pattern(c.plain + c.secret + 1)[1:]
	ctx, cancel := context.WithCancel(context.Background())
	loop := make(chan struct{})
	go func() { defer close(loop); c.app.Run(ctx) }()
	defer func() { cancel(); <-loop }()
	ln, err := network.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	port := ln.Addr().(*net.TCPAddr).Port
	peer := make(chan error, 1)
	go func() { peer <- c.peer(ln) }()

	c.app.Post(func() {
		sock, err := NewTCP(c.app, c.tcp(TCPOptions{Address: "127.0.0.1", Port: port}))
		if err != nil {
			t.Error(err)
		}
		c.current = sock
	})
	for range 2 { // both sides' ends
		select {
		case err := <-c.failed:
			if !errors.Is(err, io.EOF) {
				t.Errorf("OnError(%v)", err)
			}
		case err := <-peer:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(limit):
			t.Fatalf("stuck: %d sent, %d received of %d, ended %v, peer ended %d", c.sent, len(c.got), len(c.toPeer), c.ended, c.peerEnded)
		}
	}
	finished := make(chan struct{})
	c.app.Post(func() {
		defer close(finished)
		if c.peerEnded != 1 || len(c.failed) != 0 {
			t.Errorf("OnEnd %d times, OnError %d more", c.peerEnded, len(c.failed))
		}
		c.current.socket().Close()
	})
	<-finished
	if !bytes.Equal(c.got, c.toUs) {
		t.Errorf("received other bytes than were sent: %d of %d", len(c.got), len(c.toUs))
	}
}

// peer is the other side, in plain blocking Go.
func (c *life) peer(ln net.Listener) error {
	raw, err := ln.Accept()
	if err != nil {
		return err
	}
	defer raw.Close()
	raw.SetDeadline(time.Now().Add(limit))
	if err := c.exchange(raw, 0, c.plain, c.plain); err != nil {
		return err
	}
	conn := raw.(peerConn)
	if c.upgrade {
		w := pki(c.t)
		if c.server {
			roots := clientOptions(c.t)
			pool := roots.pool(new(optionErrors), "")
			conn = tls.Client(raw, &tls.Config{ServerName: "server.test", RootCAs: pool})
		} else {
			conn = tls.Server(raw, &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{w.server.cert}, PrivateKey: w.server.signer}}})
		}
	}
	// The one who ends first has half of its bytes left to read by then.
	all, half := c.plain+c.secret, c.plain+c.secret/2
	if c.weFirst {
		if err := c.exchange(conn, c.plain, half, all); err != nil {
			return err
		}
		if n, err := conn.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			return fmt.Errorf("in place of our end the peer got %d bytes, %v", n, err)
		}
		if _, err := conn.Write(c.toUs[half:]); err != nil {
			return fmt.Errorf("peer's write after our end: %w", err)
		}
		return conn.CloseWrite()
	}
	if err := c.exchange(conn, c.plain, all, half); err != nil {
		return err
	}
	if err := conn.CloseWrite(); err != nil {
		return err
	}
	rest, err := io.ReadAll(conn)
	if err != nil || !bytes.Equal(rest, c.toPeer[half:]) {
		return fmt.Errorf("after its end the peer got %d bytes of %d, %v", len(rest), all-half, err)
	}
	return nil
}

// exchange moves the peer's bytes up to and ours up to an index, both at once.
func (c *life) exchange(conn net.Conn, from, theirs, ours int) error {
	wrote := make(chan error, 1)
	go func() { _, err := conn.Write(c.toUs[from:theirs]); wrote <- err }()
	got := make([]byte, ours-from)
	if _, err := io.ReadFull(conn, got); err != nil {
		return fmt.Errorf("peer's read: %w", err)
	}
	if !bytes.Equal(got, c.toPeer[from:ours]) {
		return errors.New("the peer got other bytes")
	}
	return <-wrote
}

func (c *life) tcp(o TCPOptions) TCPOptions {
	o.AllowHalfOpen = true
	h := lifeHandlers[*TCP](c)
	o.OnReadable, o.OnWritable, o.OnError, o.OnEnd, o.OnTimeout = h.OnReadable, h.OnWritable, h.OnError, h.OnEnd, h.OnTimeout
	return o
}

func (c *life) tls(o TLSClientOptions) TLSClientOptions {
	o.AllowHalfOpen = true
	h := lifeHandlers[*TLS](c)
	o.OnReadable, o.OnWritable, o.OnError, o.OnEnd, o.OnTimeout = h.OnReadable, h.OnWritable, h.OnError, h.OnEnd, h.OnTimeout
	return o
}

func lifeHandlers[T Socket](c *life) Handlers[T] {
	mine := func(who T) {
		if Socket(who) != c.current {
			c.t.Error("callback on an instance that was handed over")
		}
	}
	return Handlers[T]{
		OnReadable: func(t T, n int) {
			if mine(t); n > t.socket().Buffered() { // more may have come since
				c.t.Errorf("OnReadable(%d) with %d buffered", n, t.socket().Buffered())
			}
			c.act()
		},
		OnWritable: func(t T, _ int) { mine(t); c.act() },
		OnEnd: func(t T) {
			mine(t)
			c.peerEnded++
			c.act()
		},
		OnError:   func(t T, err error) { mine(t); c.failed <- err },
		OnTimeout: func(t T) { c.t.Error("OnTimeout in no time") },
	}
}

func (c *life) next() (b byte) {
	if len(c.script) > 0 {
		b = c.script[c.step%len(c.script)]
		c.step++
	}
	return b
}

// canRead is how much may be read now: the bytes after the plain ones are the TLS
// session's.
func (c *life) canRead() int {
	if c.upgrade && !c.secured {
		return c.plain - len(c.got)
	}
	return len(c.toUs) - len(c.got) + 1 // one too many would be noticed
}

// canWrite is how much may be written now.
func (c *life) canWrite() int {
	end := len(c.toPeer)
	if c.upgrade && !c.secured {
		end = c.plain
	} else if half := c.plain + c.secret/2; !c.weFirst && c.peerEnded == 0 {
		end = half // the rest comes after the peer's end
	}
	return max(end-c.sent, 0)
}

// act does three steps of the script.
func (c *life) act() {
	for range 3 {
		i := c.current.socket()
		b := c.next()
		n := 1 + int(b)*int(b)/4
		switch b % 10 {
		case 0, 1:
			c.read(i, n)
		case 2:
			if c.handOvers++; c.handOvers < 30 {
				c.handOver()
				return // the new one is told of all there is
			}
		case 3:
			c.check(i.Pause())
			c.app.Post(func() { c.check(c.current.socket().Resume()) })
		case 4:
			c.check(i.Flush())
		case 5:
			c.check(i.SetIdleTimeout(time.Hour * time.Duration(b%2)))
		case 6:
			var err error
			switch s := c.current.(type) {
			case *TCP:
				err = s.Reload(lifeHandlers[*TCP](c))
			case *TLS:
				err = s.Reload(lifeHandlers[*TLS](c))
			}
			c.check(err)
		}
		c.write(i, min(n, c.canWrite()), WriteOptions{More: b%3 == 0})
	}
	i := c.current.socket()
	c.read(i, bufferSize)
	for n := min(1+c.step*37%5000, c.canWrite()); n > 0 && c.write(i, n, WriteOptions{}); {
		n = min(n, c.canWrite())
	}
	c.check(i.Flush())
	if want := uint64(c.sent); !c.secured && i.BytesWritten() != want || c.secured && i.BytesWritten() != want-uint64(c.plain) {
		c.t.Errorf("BytesWritten is %d after %d", i.BytesWritten(), c.sent)
	}
	if c.upgrade && !c.secured && c.sent == c.plain && len(c.got) == c.plain {
		c.secure()
	} else if c.sent == len(c.toPeer) && !c.ended {
		c.ended = true
		c.check(i.CloseWrite())
	}
}

func (c *life) check(err error) {
	if err != nil && !errors.Is(err, ErrFailed) {
		c.t.Error(err)
	}
}

func (c *life) read(i *instance, n int) {
	if n = min(n, c.canRead()); n == 0 {
		return
	}
	p, err := i.Read(n)
	c.check(err)
	c.got = append(c.got, p...)
}

func (c *life) write(i *instance, n int, o WriteOptions) bool {
	p := c.toPeer[c.sent : c.sent+n]
	var err error
	if last := c.sent+n == len(c.toPeer) && n > 0; last && !c.ended { // End with the last of them
		if _, err = i.End(p); err == nil {
			c.ended = true
		}
	} else if c.ended {
		return false
	} else {
		_, err = i.Write(p, o)
	}
	if err == nil {
		c.sent += n
		return true
	}
	// Before the handshake is done there is no writing.
	if !errors.Is(err, ErrOverflow) && !errors.Is(err, ErrNotConnected) {
		c.t.Errorf("Write: %v", err)
	}
	return false
}

func (c *life) handOver() {
	old := c.current
	var err error
	if c.secured {
		c.current, err = NewTLS(c.app, c.tls(TLSClientOptions{From: old}))
	} else {
		c.current, err = NewTCP(c.app, c.tcp(TCPOptions{From: old}))
	}
	if c.peerEnded > 0 {
		c.peerEnded = 0 // told again
	}
	if err != nil {
		c.t.Errorf("hand-over: %v", err)
		c.current = old
	}
}

func (c *life) secure() {
	o := TLSClientOptions{From: c.current, Server: c.server, TLS: clientOptions(c.t)}
	if c.server {
		o.TLS = serverOptions(c.t)
	}
	sock, err := NewTLS(c.app, c.tls(o))
	if err != nil {
		c.t.Errorf("upgrade: %v", err)
		return
	}
	c.current, c.secured = sock, true
}
