package server

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"ingot.dev/internal/simnet"
)

// TestSchedules sends lines and records both ways on networks that split and hold up
// what passes, in plain text, secured, and secured in the middle: what DataIn gets is
// what the model makes of the whole stream, and what the server sends comes whole.
func TestSchedules(t *testing.T) {
	simnet.Run(t, 12, func(t *testing.T, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 1))
		settings := Framer{EOL: [][]byte{[]byte("\r\n"), {0}, []byte("aab"), []byte("<end>")}[r.IntN(4)], SingleLine: r.IntN(4) == 0, MaxLine: 256}
		mode := StartMode(r.IntN(4))
		if mode == StartAutomatic {
			mode = StartExplicit
		}
		config := Config{StartMode: mode, EOL: settings.EOL, SingleLineMode: settings.SingleLine, MaxLineLength: settings.MaxLine,
			SendQueue: 512 + r.IntN(5000), MaxConnections: 3}
		if mode != StartNone {
			config.TLS = serverTLS(t)
		}
		if r.IntN(3) == 0 {
			config.Timeout = limit
		}
		if r.IntN(3) == 0 {
			config.Post = runLoop(t)
		}

		schedule, most := simnet.Schedule(seed), 20000
		if schedule.Buffer > 0 && schedule.Buffer < 100 {
			most = 2000 // byte by byte takes long
		}
		stream := make([]byte, 1000+r.IntN(most))
		for i := range stream {
			stream[i] = "aab\r\n\x00<end>xyz"[r.IntN(14)]
		}
		answer := bytes.Repeat([]byte("0123456789abcdef"), 1+r.IntN(most/7))
		wantPieces, wantRest := model(settings, stream)
		if wantRest != "" {
			wantPieces = append(wantPieces, piece{wantRest, false})
		}

		var mu sync.Mutex
		got := map[string][]piece{}
		sent := map[string]int{}
		pump := func(c *Connection) {
			mu.Lock()
			defer mu.Unlock()
			for sent[c.ID()] < len(answer) && (mode == StartNone || c.TLS() != nil) {
				n, err := c.Send(answer[sent[c.ID()]:min(sent[c.ID()]+3000, len(answer))])
				sent[c.ID()] += n
				if err != nil && n == 0 {
					if !errors.Is(err, ErrWouldBlock) {
						t.Error(err)
					}
					return
				}
			}
		}
		b := newBenchOn(t, simnet.NewStreams(schedule), config, Handler{
			Connected: func(c *Connection, err error) {
				if mode == StartExplicit && c.TLS() == nil {
					if err := c.ChangeRecordLength(3); err != nil {
						t.Error(err)
					}
				}
			},
			DataIn: func(c *Connection, data []byte, eol bool) {
				if mode == StartExplicit && c.TLS() == nil {
					if string(data) != "TLS" {
						t.Errorf("got %q before the handshake", data)
					}
					c.ChangeRecordLength(0)
					if err := c.StartTLS(); err != nil {
						t.Error(err)
					}
					return
				}
				mu.Lock()
				got[c.ID()] = append(got[c.ID()], piece{string(data), eol})
				mu.Unlock()
			},
			ReadyToSend: pump,
		}, 0)

		var clients sync.WaitGroup
		for i := range 3 {
			clients.Go(func() {
				raw, err := b.network.DialContext(within(t), "tcp", b.address())
				if err != nil {
					t.Error(err)
					return
				}
				defer raw.Close()
				raw.SetDeadline(time.Now().Add(limit))
				conn := raw
				if mode == StartExplicit {
					io.WriteString(raw, "TLS")
				}
				if mode != StartNone {
					conn = tls.Client(raw, clientTLS(t))
				}
				var reading sync.WaitGroup
				reading.Go(func() {
					p := make([]byte, len(answer))
					if _, err := io.ReadFull(conn, p); err != nil || !bytes.Equal(p, answer) {
						t.Errorf("client %d: %v, equal %v", i, err, bytes.Equal(p, answer))
					}
				})
				r := rand.New(rand.NewPCG(seed, uint64(i)+10))
				for rest := stream; len(rest) > 0; {
					n := min(1+r.IntN(1500), len(rest))
					if _, err := conn.Write(rest[:n]); err != nil {
						t.Error(err)
						return
					}
					rest = rest[n:]
				}
				reading.Wait()
				conn.(interface{ CloseWrite() error }).CloseWrite()
				io.Copy(io.Discard, conn)
			})
		}
		clients.Wait()
		for range 3 {
			if e := b.skipTo("Disconnected"); e.err != nil {
				t.Error(e.err)
			}
		}
		mu.Lock()
		defer mu.Unlock()
		for id, pieces := range got {
			if !slices.Equal(pieces, wantPieces) {
				t.Errorf("connection %s: %d pieces, want %d; first difference: %s", id, len(pieces), len(wantPieces), difference(pieces, wantPieces))
			}
		}
		if len(got) != 3 {
			t.Errorf("%d connections had data", len(got))
		}
	})
}

func difference(a, b []piece) string {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("%d: %v, want %v", i, a[i], b[i])
		}
	}
	return "the number"
}

// TestStuckAlert: a client that sends garbage and doesn't read can't hold a connection
// that is being ended.
func TestStuckAlert(t *testing.T) {
	v := newValve(t)
	b := newBenchOn(t, v, Config{StartMode: StartImplicit, TLS: serverTLS(t), LingerTimeout: 50 * time.Millisecond}, Handler{}, noStatus|noReady)
	raw := b.dial()
	raw.secure(clientTLS(t))
	c := b.opened()
	v.set(false)
	raw.send("\x17\x03\x03\x00\x20" + string(make([]byte, 32)))
	time.Sleep(20 * time.Millisecond) // so that it is most likely read
	c.Disconnect()
	if b.next("Disconnected"); c.Connected() {
		t.Error("still connected")
	}
	wait(t, "nothing left", func() bool { return b.Statistics().Open == 0 })
}

// TestBrokenNetworks: connections that are cut or damaged at a random byte, with TLS,
// end with one Disconnected or a failed Connected, and no line is ever wrong.
func TestBrokenNetworks(t *testing.T) {
	simnet.Run(t, 20, func(t *testing.T, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 2))
		o := simnet.Schedule(seed)
		o.ToServer = r.IntN(2) == 0
		if at := 1 + r.Int64N(6000); r.IntN(2) == 0 {
			o.Damage = at
		} else {
			o.Cut, o.Reset = at, r.IntN(2) == 0
		}
		tlsOptions := serverTLS(t)
		tlsOptions.HandshakeTimeout = 2 * time.Second
		b := newBenchOn(t, simnet.NewStreams(o), Config{StartMode: StartImplicit, TLS: tlsOptions, SingleLineMode: true,
			LingerTimeout: 500 * time.Millisecond, IdleTimeout: time.Second}, Handler{
			DataIn: func(c *Connection, line []byte, eol bool) { c.SendLine(string(line)) },
		}, noStatus|noReady)
		raw, err := b.network.DialContext(within(t), "tcp", b.address())
		if err != nil {
			t.Fatal(err)
		}
		raw.SetDeadline(time.Now().Add(10 * time.Second))
		conn := tls.Client(raw, clientTLS(t))
		go io.Copy(io.Discard, conn)
		for i := range 200 {
			if _, err := fmt.Fprintf(conn, "line %d\n", i); err != nil {
				break
			}
		}
		conn.CloseWrite()
		raw.(interface{ CloseWrite() error }).CloseWrite()
		e := b.next("Connected")
		next := 0
		for e.err == nil && e.kind != "Disconnected" {
			select {
			case e = <-b.events:
			case <-time.After(limit):
				t.Fatal("no end")
			}
			if e.kind == "DataIn" && e.eol {
				if want := fmt.Sprintf("line %d", next); e.text != want {
					t.Fatalf("got %q, want %q", e.text, want)
				}
				next++
			}
		}
		raw.Close()
		b.quiet()
		wait(t, "nothing left", func() bool { return b.Statistics().Open == 0 })
	})
}
