package server

import (
	"crypto/tls"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"
)

// chaos is a server whose events do anything, and what it was told.
type chaos struct {
	t      testing.TB
	s      *Server
	mu     sync.Mutex
	random *rand.Rand
	open   map[string]int // Connected without error
	gone   map[string]int // Disconnected
	panics int
}

var chaosFiles = fstest.MapFS{"f": {Data: []byte(strings.Repeat("file\n", 10000))}}

func (x *chaos) roll(n int) int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.random.IntN(n)
}

// do does something to c.
func (x *chaos) do(c *Connection) {
	switch x.roll(24) {
	case 0:
		c.Disconnect()
	case 1:
		c.StartTLS()
	case 2:
		c.ChangeRecordLength(x.roll(5))
	case 3:
		c.PauseData()
	case 4, 5:
		c.ProcessData()
	case 6:
		c.Interrupt()
	case 7:
		c.SetEOL([]byte("\n\n")[:x.roll(3)])
	case 8:
		c.SetSingleLineMode(x.roll(2) == 0)
	case 9:
		c.SetMaxLineLength(256 + x.roll(1000))
	case 10:
		c.SetIdleTimeout(time.Duration(50+x.roll(100)) * time.Millisecond)
	case 11:
		c.SetTimeout(time.Duration(x.roll(2)*20) * time.Millisecond)
	case 12:
		x.s.Broadcast([]byte("everybody"))
	case 13:
		c.SendFile(chaosFiles, "f")
	case 14:
		x.s.Configure(func(n *Config) { n.IdleTimeout = time.Duration(50+x.roll(100)) * time.Millisecond })
	case 15:
		c.Send(make([]byte, x.roll(100_000)))
	case 16, 17, 18:
		c.SendLine("line")
	}
}

// event is called with each event.
func (x *chaos) event(c *Connection, name string) {
	x.mu.Lock()
	if x.gone[c.ID()] > 0 {
		x.t.Errorf("%s of %s after Disconnected", name, c.ID())
	}
	x.mu.Unlock()
	if name != "Disconnected" && name != "Error" && x.roll(100) == 0 {
		x.mu.Lock()
		x.panics++
		x.mu.Unlock()
		panic(name)
	}
	x.do(c)
}

func (x *chaos) handler() Handler {
	return Handler{
		Connected: func(c *Connection, err error) {
			if err == nil {
				x.mu.Lock()
				x.open[c.ID()]++
				x.mu.Unlock()
			}
			x.event(c, "Connected")
		},
		DataIn: func(c *Connection, data []byte, eol bool) {
			if string(data) == "STARTTLS" {
				c.StartTLS()
				return
			}
			x.event(c, "DataIn")
		},
		Disconnected: func(c *Connection, err error) {
			x.event(c, "Disconnected")
			x.mu.Lock()
			x.gone[c.ID()]++
			x.mu.Unlock()
		},
		Error: func(c *Connection, err error) {
			if c != nil {
				x.event(c, "Error")
			}
		},
		ReadyToSend:          func(c *Connection) { x.event(c, "ReadyToSend") },
		ClientAuthentication: func(c *Connection, a *ClientAuthentication) { a.Accept = true; x.event(c, "ClientAuthentication") },
		TLSConnectionRequest: func(c *Connection, r *TLSConnectionRequest) { x.event(c, "TLSConnectionRequest") },
		TLSStatus:            func(c *Connection, message string) { x.event(c, "TLSStatus") },
	}
}

// client is somebody who means no good.
func (x *chaos) client(conn net.Conn, config *tls.Config) {
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(200 * time.Millisecond))
	switch x.roll(7) {
	case 0: // goes
	case 1: // goes hard
		io.WriteString(conn, "line\nunfinished")
		conn.(interface{ SetLinger(int) error }).SetLinger(0)
	case 2: // never reads
		for {
			if _, err := io.WriteString(conn, strings.Repeat("line\n", 1000)); err != nil {
				return
			}
		}
	case 3: // dribbles
		for _, b := range []byte("STARTTLS\n\x16\x03\x01\x00\x05 no hello") {
			if _, err := conn.Write([]byte{b}); err != nil {
				return
			}
		}
		io.Copy(io.Discard, conn)
	case 4: // ends half
		io.WriteString(conn, "a\nb\nc")
		conn.(interface{ CloseWrite() error }).CloseWrite()
		io.Copy(io.Discard, conn)
	default: // is good at first
		io.WriteString(conn, "STARTTLS\n")
		secured := tls.Client(conn, config)
		if secured.Handshake() == nil {
			io.WriteString(secured, "secret\nunfinished")
			io.CopyN(io.Discard, secured, 100)
		}
	}
}

// TestChaos has clients of all bad kinds come and go while events, and others, do
// anything to their connections, and the server stops and starts. Whatever happens, the
// order of events holds, nothing hangs, and nothing is left.
func TestChaos(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	for _, posted := range []bool{false, true} {
		leaks(t)
		x := &chaos{t: t, random: rand.New(rand.NewPCG(1, 2)), open: map[string]int{}, gone: map[string]int{}}
		secure := serverTLS(t)
		secure.CA = [][]byte{testPKI(t).ca.DER()}
		config := Config{
			EOL: []byte("\n"), MaxConnections: 20, StartMode: StartExplicit, TLS: secure, AuthenticateClients: true,
			IdleTimeout: 100 * time.Millisecond, LingerTimeout: 50 * time.Millisecond, LogTLSPackets: true,
		}
		if posted {
			config.Post = runLoop(t)
		}
		var err error
		if x.s, err = New(testNetwork(t), config, x.handler()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { x.s.Close() })
		if err := x.s.StartListening(within(t)); err != nil {
			t.Fatal(err)
		}
		address := (&bench{t: t, Server: x.s}).address()
		x.s.Configure(func(n *Config) { n.LocalPort = x.s.LocalPort() })
		var clients, others sync.WaitGroup
		stop := make(chan struct{})
		others.Go(func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(time.Millisecond):
				}
				for _, c := range x.s.Connections() {
					x.do(c)
				}
			}
		})
		for range 6 {
			clients.Go(func() {
				for range 20 {
					if conn, err := testNetwork(t).DialContext(within(t), "tcp", address); err == nil {
						x.client(conn, clientTLS(t))
					}
				}
			})
		}
		clients.Wait()
		if posted {
			if err := x.s.Shutdown(within(t)); err != nil {
				t.Error(err)
			}
			close(stop)
			others.Wait()
		} else {
			close(stop)
			others.Wait()
			if err := x.s.Shutdown(within(t)); err != nil {
				t.Error(err)
			}
		}
		if st := x.s.Statistics(); st.Open != 0 || len(x.s.Connections()) != 0 || int(st.Accepted) < len(x.open) {
			t.Errorf("left: %+v, %v", st, ids(x.s.Connections()))
		} else {
			t.Logf("%+v, %d connected, %d panics", st, len(x.open), x.panics)
		}
		if len(x.open) == 0 || len(x.open) != len(x.gone) {
			t.Errorf("%d connected, %d disconnected", len(x.open), len(x.gone))
		}
		secured := 0
		for _, n := range x.open {
			secured += n - 1
		}
		t.Logf("%d times a second Connected", secured)
		for id, n := range x.gone {
			if n != 1 || x.open[id] == 0 {
				t.Errorf("connection %s: %d times Connected, %d times Disconnected", id, x.open[id], n)
			}
		}
	}
}
