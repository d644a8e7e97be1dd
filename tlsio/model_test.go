package tlsio

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// memory is a network within the process, on net.Pipe: unbuffered, so every write
// meets back-pressure. Each Listen has one address.
type memory struct {
	mu        sync.Mutex
	listeners map[string]*memListener
}

type memListener struct {
	addr  memAddr
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

type memAddr string

func (a memAddr) Network() string { return "tcp" }
func (a memAddr) String() string  { return string(a) }

func (m *memory) Listen(_ context.Context, _, address string) (net.Listener, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.listeners == nil {
		m.listeners = map[string]*memListener{}
	}
	if m.listeners[address] != nil {
		return nil, errors.New("address in use")
	}
	l := &memListener{addr: memAddr(address), conns: make(chan net.Conn), done: make(chan struct{})}
	m.listeners[address] = l
	return l, nil
}

func (m *memory) DialContext(ctx context.Context, _, address string) (net.Conn, error) {
	m.mu.Lock()
	l := m.listeners[address]
	m.mu.Unlock()
	if l == nil {
		return nil, errors.New("connection refused")
	}
	a, b := net.Pipe()
	select {
	case l.conns <- b:
		return a, nil
	case <-l.done:
		return nil, errors.New("connection refused")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *memListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}
func (l *memListener) Close() error   { l.once.Do(func() { close(l.done) }); return nil }
func (l *memListener) Addr() net.Addr { return l.addr }

// TestHandOverAtAnyMoment streams both ways through a chain of hand-overs.
func TestHandOverAtAnyMoment(t *testing.T) {
	for _, secured := range []bool{false, true} {
		t.Run(map[bool]string{false: "TCP", true: "TLS"}[secured], func(t *testing.T) {
			for seed := range 4 {
				script := pattern(400 + seed*100)[seed*100:]
				stream(t, secured, script, 300000)
			}
		})
	}
}

// FuzzReadWriteHandOver lets the fuzzer write the script of stream.
func FuzzReadWriteHandOver(f *testing.F) {
	f.Add(false, []byte{0, 1, 2, 3, 4, 5, 6, 7})
	f.Add(true, []byte{2, 2, 2, 1, 0, 255, 6, 6, 6})
	f.Fuzz(func(t *testing.T, secured bool, script []byte) {
		stream(t, secured, script[:min(len(script), 500)], 20000)
	})
}

// stream moves size bytes each way between an instance and a peer, the instance
// doing what script says: reading in its forms, writing too little and too much,
// handing over. The model is simple: both ends must see exactly the bytes sent.
func stream(t *testing.T, secured bool, script []byte, size int) {
	r := &rig{t: t, app: NewApp(&memory{})}
	ctx, cancel := context.WithCancel(context.Background())
	loop := make(chan struct{})
	go func() { defer close(loop); r.app.Run(ctx) }()
	defer func() { cancel(); <-loop }()
	const addr = "127.0.0.1:5"
	inner, err := r.app.network.Listen(ctx, "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer inner.Close()
	ln := inner
	if secured {
		var errs optionErrors
		so := serverOptions(t)
		secure, one := so.serverContext(&errs, "")
		l := newTLSListener(secure, one, &so)
		l.start(inner)
		defer l.Close()
		ln = l
	}
	toPeer, toUs := pattern(size), pattern(size + 1)[1:]
	peerDone := make(chan error, 1)
	go func() {
		peer, err := ln.Accept()
		if err != nil {
			peerDone <- err
			return
		}
		defer peer.Close()
		peer.SetDeadline(time.Now().Add(limit))
		wrote := make(chan error, 1)
		go func() { _, err := peer.Write(toUs); wrote <- err }()
		got := make([]byte, size)
		if _, err := io.ReadFull(peer, got); err != nil {
			peerDone <- fmt.Errorf("peer: %w", err)
		} else if !bytes.Equal(got, toPeer) {
			peerDone <- errors.New("peer got other bytes")
		} else if err := <-wrote; err != nil {
			peerDone <- fmt.Errorf("peer's write: %w", err)
		} else {
			peerDone <- nil
			peer.Read(make([]byte, 1)) // until the instance is closed
		}
	}()

	var got []byte
	sent := 0
	var current Socket
	step := 0
	done := make(chan struct{})
	var act func()
	callback := func(who Socket) {
		r.enter()
		defer r.leave()
		if who != current {
			t.Error("callback on an instance that was handed over")
			return
		}
		act()
	}
	next := func() (b byte) {
		if len(script) > 0 {
			b = script[step%len(script)]
			step++
		}
		return b
	}
	open := func(from Socket) {
		var err error
		var next Socket
		if secured {
			o := TLSClientOptions{Address: "127.0.0.1", Port: 5, From: from,
				OnReadable: func(t *TLS, _ int) { callback(t) },
				OnWritable: func(t *TLS, _ int) { callback(t) },
				OnError:    func(_ *TLS, err error) { t.Errorf("OnError: %v", err) }}
			if from == nil {
				o.TLS = clientOptions(t)
			}
			next, err = NewTLS(r.app, o)
		} else {
			next, err = NewTCP(r.app, TCPOptions{Address: "127.0.0.1", Port: 5, From: from,
				OnReadable: func(t *TCP, _ int) { callback(t) },
				OnWritable: func(t *TCP, _ int) { callback(t) },
				OnError:    func(_ *TCP, err error) { t.Errorf("OnError: %v", err) }})
		}
		if err != nil {
			t.Errorf("hand-over: %v", err)
			return
		}
		current = next
	}
	handOvers := 0
	act = func() {
		i := current.socket()
		for range 3 {
			b := next()
			n := 1 + int(b)*int(b)/2
			switch {
			case b%5 == 0:
				p, err := i.Read(n)
				if err != nil {
					t.Errorf("Read: %v", err)
				}
				got = append(got, p...)
			case b%5 == 1:
				p := make([]byte, n)
				m, err := i.ReadInto(p)
				if err != nil {
					t.Errorf("ReadInto: %v", err)
				}
				got = append(got, p[:m]...)
			case b%5 == 2 && handOvers < 40:
				handOvers++
				open(current)
				if _, err := i.Read(1); !errors.Is(err, ErrClosed) {
					t.Errorf("read after hand-over: %v", err)
				}
				return
			}
			n = min(n, size-sent)
			if _, err := i.Write(toPeer[sent:sent+n], WriteOptions{More: b%7 == 0 && n < size-sent}); err == nil {
				sent += n
			} else if !errors.Is(err, ErrOverflow) {
				t.Errorf("Write: %v", err)
			}
		}
		// Whatever the script does, everything arrived is read in the end and
		// writing goes on while there is room.
		p, err := i.ReadAvailable()
		if err != nil {
			t.Errorf("ReadAvailable: %v", err)
		}
		got = append(got, p...)
		for sent < size {
			n := min(1+step*37%5000, size-sent)
			if _, err := i.Write(toPeer[sent : sent+n]); err != nil {
				break
			}
			sent += n
		}
		if sent == size && len(got) >= size {
			select {
			case <-done:
			default:
				close(done)
			}
		}
	}
	r.app.Post(func() { r.enter(); defer r.leave(); open(nil) })
	select {
	case <-done:
	case <-time.After(limit):
		t.Fatalf("stuck with %d of %d bytes sent, %d received", sent, size, len(got))
	}
	if err := <-peerDone; err != nil {
		t.Error(err)
	}
	finished := make(chan struct{})
	r.app.Post(func() { current.socket().Close(); close(finished) })
	<-finished
	if !bytes.Equal(got, toUs) {
		t.Error("received other bytes than were sent")
	}
}

// FuzzOptions: whatever the options, the constructor refuses them with complete
// option errors, or accepts them and closes again.
func FuzzOptions(f *testing.F) {
	// The seeds must be the same in each of the fuzzer's processes.
	cert, key := SelfSigned("server.test", time.Unix(1700000000, 0))
	f.Add("server.test", "TLSv1.2", "TLSv1.3", "h2", 512, cert, cert, key)
	f.Add("", "SSL", "", "", -1, []byte("-----BEGIN"), []byte{0x30}, []byte{})
	f.Fuzz(func(t *testing.T, host, lo, hi, alpn string, mfl int, ca, cert, key []byte) {
		o := TLSOptions{Host: host, MinimumVersion: lo, MaximumVersion: hi, ApplicationLayerProtocol: []string{alpn},
			MaximumFragmentLength: mfl, CA: [][]byte{ca}, ClientCertificate: [][]byte{cert}, ClientKey: [][]byte{key}}
		var errs optionErrors
		c, _ := o.clientContext(&errs, "TLS.")
		config := c.current.Load().config
		for _, err := range errs {
			if e, ok := err.(*OptionError); !ok || e.Option == "" || e.Fix == "" {
				t.Errorf("incomplete: %#v", err)
			}
			// What stands in another option too is no secret.
			if len(key) > 8 && bytes.Contains([]byte(err.Error()), key) && !strings.Contains(host+lo+hi+alpn, string(key)) {
				t.Error("an error holds a private key")
			}
		}
		if errs == nil && (config.ServerName == "" || config.MinVersion > config.MaxVersion || config.RootCAs == nil || len(alpn) == 0) {
			t.Errorf("accepted %+v", o)
		}
	})
}

func TestAlertNames(t *testing.T) {
	for number, want := range map[uint8]string{0: "close_notify", 10: "unexpected_message", 20: "bad_record_mac", 40: "handshake_failure",
		42: "bad_certificate", 43: "unsupported_certificate", 44: "certificate_revoked", 45: "certificate_expired", 46: "certificate_unknown",
		47: "illegal_parameter", 48: "unknown_ca", 49: "access_denied", 50: "decode_error", 51: "decrypt_error", 70: "protocol_version",
		71: "insufficient_security", 80: "internal_error", 86: "inappropriate_fallback", 90: "user_canceled", 109: "missing_extension",
		110: "unsupported_extension", 112: "unrecognized_name", 113: "bad_certificate_status_response", 115: "unknown_psk_identity",
		116: "certificate_required", 120: "no_application_protocol"} {
		if got := (Alert{AlertSent, number}).Name(); got != want {
			t.Errorf("alert %d is %q, want %q", number, got, want)
		}
	}
}
