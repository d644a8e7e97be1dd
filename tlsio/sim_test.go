package tlsio

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"ingot.dev/internal/simnet"
)

// These tests run on networks whose behaviour is drawn from seeds (internal/simnet).
// What is sent arrives once, in order and unchanged, or the connection ends with an
// error and what arrived before is the beginning of what was sent.

// onSchedules runs f on in-memory networks that cut streams into pieces anywhere,
// and on wires that lose, double, swap and damage frames.
func onSchedules(t *testing.T, streams, wires int, f func(t *testing.T, n Network, seed uint64, size int)) {
	if testing.Short() {
		streams, wires = (streams+3)/4, (wires+3)/4
	}
	t.Run("streams", func(t *testing.T) {
		simnet.Run(t, streams, func(t *testing.T, seed uint64) {
			o := simnet.Schedule(seed)
			size := 200_000
			if o.Buffer > 0 && o.Buffer < 100 {
				size = 20_000 // piece by piece
			}
			f(t, simnet.NewStreams(o), seed, size)
		})
	})
	t.Run("wires", func(t *testing.T) {
		simnet.Run(t, wires, func(t *testing.T, seed uint64) {
			o := simnet.Faults(seed)
			n, err := simnet.Open(timeout(t), o)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if t.Failed() {
					t.Logf("%+v\n%v", o, n)
				}
				n.Close()
			})
			f(t, n.Local(), seed, 100_000)
		})
	})
}

// narrowClient is clientOptions without sessions: crypto/tls's server sends its ticket
// before it reads the client's last message, and on a network with less room than
// both they would wait for each other.
func narrowClient(t testing.TB) TLSOptions {
	o := clientOptions(t)
	o.NoSessions = true
	return o
}

// simLimit is more than limit: a wire that loses the same frame again makes TCP wait.
const simLimit = 3 * time.Minute

func TestConnOnAnySchedule(t *testing.T) {
	leaks(t)
	onSchedules(t, 24, 8, func(t *testing.T, n Network, seed uint64, size int) {
		so, co := serverOptions(t), narrowClient(t)
		so.HandshakeTimeout, co.HandshakeTimeout = simLimit, simLimit
		if seed%2 == 0 {
			co.MaximumVersion = TLSv12
		}
		if seed%3 == 0 {
			so.MaximumFragmentLength = 512
		}
		ln := listenOn(t, n, so)
		client, err := Dial(t.Context(), n, ln.Addr().String(), co)
		if err != nil {
			t.Fatal(err)
		}
		server, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		up, down := pattern(size + int(seed))[seed:], pattern(size/2 + 2*int(seed))[2*seed:]
		done := make(chan error, 4)
		for _, end := range []struct {
			c          net.Conn
			send, want []byte
		}{{client, up, down}, {server, down, up}} {
			end.c.SetDeadline(time.Now().Add(simLimit))
			defer end.c.Close()
			r := rand.New(rand.NewPCG(seed, uint64(len(end.send))))
			go func() {
				for p := end.send; len(p) > 0; {
					n := min(len(p), 1+r.IntN(40_000))
					if m, err := end.c.Write(p[:n]); err != nil || m != n {
						done <- fmt.Errorf("Write: %d of %d, %w", m, n, err)
						return
					}
					p = p[n:]
				}
				done <- end.c.(*Conn).CloseWrite()
			}()
			go func() {
				got, err := io.ReadAll(end.c)
				if err == nil && !bytes.Equal(got, end.want) {
					err = fmt.Errorf("%d bytes arrived, %d were sent, the first %d are equal", len(got), len(end.want), equal(got, end.want))
				}
				if err == nil && !end.c.(*Conn).CloseNotifyReceived() {
					err = errors.New("no close_notify")
				}
				done <- err
			}()
		}
		for range 4 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
}

// equal returns the number of leading bytes that a and b share.
func equal(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// ender is one end of a connection between instances: it writes and reads pieces of
// random sizes whenever it may.
type ender struct {
	r          *rig
	random     *rand.Rand
	socket     *instance
	send, want []byte
	sent, got  int
	done       chan error // told once everything has arrived and been sent
	told       bool
}

func (e *ender) tell(err error) {
	if !e.told {
		e.told = true
		e.done <- err
	}
}

// turn is called by every callback.
func (e *ender) turn() {
	e.r.enter()
	defer e.r.leave()
	for e.sent < len(e.send) {
		n := min(len(e.send)-e.sent, 1+e.random.IntN(bufferSize))
		if _, err := e.socket.Write(e.send[e.sent : e.sent+n]); errors.Is(err, ErrOverflow) {
			break // OnWritable goes on
		} else if err != nil {
			e.tell(fmt.Errorf("Write: %w", err))
			return
		}
		e.sent += n
	}
	for {
		if e.random.IntN(8) == 0 {
			e.r.app.Post(e.turn) // the rest can wait, and the peer with it
			break
		}
		p := make([]byte, 1+e.random.IntN(20_000))
		n, err := e.socket.ReadInto(p)
		if err != nil {
			e.tell(fmt.Errorf("ReadInto: %w", err))
			return
		}
		if n == 0 {
			break
		}
		if k := equal(p[:n], e.want[min(e.got, len(e.want)):]); k != n {
			e.tell(fmt.Errorf("byte %d is not what was sent", e.got+k))
			return
		}
		e.got += n
	}
	if e.got == len(e.want) && e.sent == len(e.send) {
		e.tell(nil)
	}
}

// TestClassesOnAnySchedule streams both ways between instances, both of them in one
// application.
func TestClassesOnAnySchedule(t *testing.T) {
	for _, secured := range []bool{false, true} {
		t.Run(map[bool]string{false: "TCP", true: "TLS"}[secured], func(t *testing.T) {
			onSchedules(t, 16, 6, func(t *testing.T, n Network, seed uint64, size int) {
				r := newRigOn(t, n)
				up, down := pattern(size + int(seed))[seed:], pattern(size/2 + 2*int(seed))[2*seed:]
				client := &ender{r: r, random: rand.New(rand.NewPCG(seed, 1)), send: up, want: down, done: make(chan error, 1)}
				server := &ender{r: r, random: rand.New(rand.NewPCG(seed, 2)), send: down, want: up, done: make(chan error, 1)}
				r.do(func() { connectEnders(t, r, client, server, secured) })
				end := time.After(simLimit)
				for _, e := range []*ender{client, server} {
					select {
					case err := <-e.done:
						if err != nil {
							t.Error(err)
						}
					case <-end:
						t.Fatal("stuck")
					}
				}
				r.do(func() {
					t.Logf("%d bytes up, %d down", server.got, client.got)
					for _, e := range []*ender{client, server} {
						if e.socket != nil {
							e.socket.Close()
						}
					}
				})
			})
		})
	}
}

// connectEnders listens, connects and gives each end its instance. It runs in the
// loop.
func connectEnders(t *testing.T, r *rig, client, server *ender, secured bool) {
	var ln interface {
		Port() (int, error)
		Close() error
	}
	var err error
	if secured {
		so := serverOptions(t)
		so.HandshakeTimeout = simLimit
		ln, err = NewTLSListener(r.app, TLSListenerOptions{Address: "127.0.0.1", TLS: so, OnReadable: func(l *TLSListener, _ int) {
			accepted, err := l.Read()
			if err != nil || accepted == nil {
				server.tell(fmt.Errorf("accepting: %v, %w", accepted, err))
				return
			}
			s, err := NewTLS(r.app, TLSClientOptions{From: accepted,
				OnReadable: func(*TLS, int) { server.turn() },
				OnWritable: func(*TLS, int) { server.turn() },
				OnError:    func(_ *TLS, err error) { server.tell(err) }})
			if err != nil {
				server.tell(err)
				return
			}
			server.socket = s.socket()
		}})
	} else {
		ln, err = NewListener(r.app, ListenerOptions{Address: "127.0.0.1", OnReadable: func(l *Listener, _ int) {
			accepted, err := l.Read()
			if err != nil || accepted == nil {
				server.tell(fmt.Errorf("accepting: %v, %w", accepted, err))
				return
			}
			s, err := NewTCP(r.app, TCPOptions{From: accepted,
				OnReadable: func(*TCP, int) { server.turn() },
				OnWritable: func(*TCP, int) { server.turn() },
				OnError:    func(_ *TCP, err error) { server.tell(err) }})
			if err != nil {
				server.tell(err)
				return
			}
			server.socket = s.socket()
		}})
	}
	if err != nil {
		server.tell(err)
		client.tell(err)
		return
	}
	t.Cleanup(func() { ln.Close() })
	port, err := ln.Port()
	if err != nil {
		client.tell(err)
		return
	}
	var socket Socket
	if secured {
		co := narrowClient(t)
		co.HandshakeTimeout = simLimit
		socket, err = NewTLS(r.app, TLSClientOptions{Address: "127.0.0.1", Port: port, TLS: co,
			OnReadable: func(*TLS, int) { client.turn() },
			OnWritable: func(*TLS, int) { client.turn() },
			OnError:    func(_ *TLS, err error) { client.tell(err) }})
	} else {
		socket, err = NewTCP(r.app, TCPOptions{Address: "127.0.0.1", Port: port,
			OnReadable: func(*TCP, int) { client.turn() },
			OnWritable: func(*TCP, int) { client.turn() },
			OnError:    func(_ *TCP, err error) { client.tell(err) }})
	}
	if err != nil {
		client.tell(err)
		return
	}
	client.socket = socket.socket()
}

// TestDamageNeverArrives flips a bit, or cuts the stream, at every one of many
// places, in one direction: from the first byte of the handshake on, into the
// application's data and close_notify. TCP below lets it pass; TLS must not.
func TestDamageNeverArrives(t *testing.T) {
	leaks(t)
	places := 80
	if testing.Short() {
		places = 16
	}
	for _, version := range []string{TLSv13, TLSv12} {
		for _, kind := range []string{"damage", "cut", "reset"} {
			t.Run(version+" "+kind, func(t *testing.T) {
				var handshakes, streams, whole int
				simnet.Run(t, places, func(t *testing.T, seed uint64) {
					switch damaged(t, version, kind, seed) {
					case StageHandshake:
						handshakes++
					case StageRead:
						streams++
					default:
						whole++
					}
				})
				t.Logf("%d handshakes failed, %d streams, %d times nothing did", handshakes, streams, whole)
				// Some bits mean nothing: the version in the first record's
				// header (RFC 8446 section 5.1).
				if places > 1 && (handshakes == 0 || streams == 0 || whole > places/4) {
					t.Errorf("%d handshakes failed, %d streams, %d times nothing did", handshakes, streams, whole)
				}
			})
		}
	}
}

// damaged runs one connection over which the sender sends 20,000 bytes, and returns
// the stage at which the receiver saw it fail, "" if it didn't.
func damaged(t *testing.T, version, kind string, seed uint64) Stage {
	const size = 20_000
	random := rand.New(rand.NewPCG(seed, 0xda))
	o := simnet.StreamOptions{Seed: seed, Split: seed%2 == 0, ToClient: seed%3 != 0, ToServer: seed%3 == 0}
	at := int64(1 + random.IntN(1200)) // mostly the handshake
	if seed%4 == 0 {
		at = int64(2000 + random.IntN(size))
	}
	if kind == "damage" {
		o.Damage = at
	} else {
		o.Cut, o.Reset = at, kind == "reset"
	}
	n := simnet.NewStreams(o)
	so, co := serverOptions(t), narrowClient(t)
	co.MaximumVersion = version
	// A length that was damaged makes the other side wait for what never comes.
	so.HandshakeTimeout, co.HandshakeTimeout = 2*time.Second, 2*time.Second
	refused := make(refusals, 1)
	so.OnRefused = refused.note
	ln := listenOn(t, n, so)
	data := pattern(size)
	client, clientErr := Dial(timeout(t), n, ln.Addr().String(), co)
	if clientErr != nil {
		wantClear(t, clientErr)
		if o.ToServer {
			wantClear(t, refused.next(t)) // the server saw it first
		}
		return StageHandshake
	}
	defer client.Close()
	type accepted struct {
		net.Conn
		err error
	}
	conns := make(chan accepted, 1)
	go func() {
		c, err := ln.Accept()
		conns <- accepted{c, err}
	}()
	var server net.Conn
	select {
	case a := <-conns:
		if a.err != nil {
			t.Fatal(a.err)
		}
		server = a.Conn
	case err := <-refused:
		// TLS 1.3's client is done before the server has heard of it.
		wantClear(t, err)
		return StageHandshake
	case <-time.After(limit):
		t.Fatal("neither accepted nor refused")
	}
	defer server.Close()
	sender, receiver := server, client
	if o.ToServer {
		sender, receiver = client, server
	}
	sender.SetDeadline(time.Now().Add(2 * time.Second))
	receiver.SetDeadline(time.Now().Add(2 * time.Second))
	go func() {
		sender.Write(data)
		sender.Close()
	}()
	got, err := io.ReadAll(receiver)
	if !bytes.Equal(got, data[:min(len(got), size)]) {
		t.Errorf("other bytes than were sent reached the application, from byte %d on", equal(got, data))
	}
	complete := len(got) == size && receiver.(*Conn).CloseNotifyReceived()
	switch {
	case err == nil && !complete && receiver.(*Conn).CloseNotifyReceived():
		t.Errorf("%d bytes arrived and then a proper end", len(got))
	case err == nil && kind != "cut" && !complete:
		t.Errorf("%d bytes arrived, and no error", len(got))
	case err != nil:
		wantClear(t, err)
		return StageRead
	case !complete:
		return StageRead
	}
	return ""
}

// wantClear checks that err says what failed, where, and why.
func wantClear(t *testing.T, err error) {
	t.Helper()
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Op == "" || e.Stage == "" || e.Err == nil {
		t.Errorf("not a clear error: %#v", err)
	}
}
