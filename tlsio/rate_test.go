package tlsio

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// fakeClock is a clock that stands still.
type fakeClock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *fakeClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *fakeClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func TestBucket(t *testing.T) {
	clock := &fakeClock{t: time.Unix(1e9, 0)}
	b := HandshakeRate{PerSecond: 4, Burst: 3}.bucket()
	b.now = clock.now
	take := func(want string) {
		t.Helper()
		asked := b.asks()
		wait, err := b.take()
		got := fmt.Sprint(wait)
		if err != nil {
			got = "refused"
		}
		if got != want || (asked == nil) != (err == nil) || err != nil && err != ErrHandshakeRate {
			t.Errorf("at %v: %s (%v), asked %v; want %s", clock.now().UnixMilli(), got, err, asked, want)
		}
	}
	for range 2 { // the second time, after a quiet hour: no more than Burst was saved
		for _, want := range []string{"0s", "0s", "0s", "250ms", "500ms", "750ms", "1s", "refused", "refused"} {
			take(want)
		}
		clock.advance(250 * time.Millisecond)
		take("1s")
		take("refused")
		clock.advance(time.Second)
		take("250ms")
		clock.advance(time.Hour)
	}
	b.asks()
	b.asks() // takes nothing
	take("0s")

	if (HandshakeRate{}).bucket() != nil {
		t.Error("no rate has a bucket")
	}
	b = HandshakeRate{PerSecond: 20}.bucket()
	b.now = clock.now
	for range 100 {
		if wait, err := b.take(); wait != 0 || err != nil {
			t.Fatalf("within the burst: %v, %v", wait, err)
		}
	}
	if wait, err := b.take(); wait != 50*time.Millisecond || err != nil {
		t.Errorf("beyond the burst: %v, %v", wait, err)
	}
}

func TestHandshakeRateOptions(t *testing.T) {
	o := serverOptions(t)
	for _, tt := range []struct {
		rate HandshakeRate
		want string
	}{
		{HandshakeRate{-1, 0}, "HandshakeRate.PerSecond"},
		{HandshakeRate{2e6, 0}, "HandshakeRate.PerSecond"},
		{HandshakeRate{1, -1}, "HandshakeRate.Burst"},
		{HandshakeRate{0, 5}, "HandshakeRate.Burst"},
	} {
		o.HandshakeRate = tt.rate
		_, err := Listen(t.Context(), testNetwork(t), "127.0.0.1:0", o)
		wantOption(t, err, tt.want)
	}
	_, err := NewServerContext(o)
	wantOption(t, err, limitNames)
}

// TestHandshakeRate: who comes too fast is refused, and told so to OnRefused alone;
// later there is room again.
func TestHandshakeRate(t *testing.T) {
	clock := &fakeClock{t: time.Unix(1e9, 0)}
	refused := make(chan error, 100)
	o := serverOptions(t)
	o.HandshakeRate = HandshakeRate{PerSecond: 1, Burst: 3}
	o.OnRefused = func(_ net.Addr, err error) { refused <- err }
	var errs optionErrors
	secure, one := o.serverContext(&errs, "")
	if err := errs.err("test"); err != nil {
		t.Fatal(err)
	}
	l := newTLSListener(secure, one, &o)
	l.gate.rate.now = clock.now
	inner, err := ListenAdmit(t.Context(), testNetwork(t), "tcp", "127.0.0.1:0", l.gate.guard())
	if err != nil {
		t.Fatal(err)
	}
	l.start(inner)
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			defer c.Close()
		}
	}()
	dial := func() error {
		c, err := Dial(timeout(t), testNetwork(t), l.Addr().String(), clientOptions(t))
		if err == nil {
			t.Cleanup(func() { c.Close() })
		}
		return err
	}
	for i := range 4 { // the fourth has waited
		if err := dial(); err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
	}
	if err := dial(); err == nil {
		t.Fatal("a fifth connection was made at once")
	}
	select {
	case err := <-refused:
		e, ok := errors.AsType[*Error](err)
		if !ok || !errors.Is(err, ErrHandshakeRate) || e.Code() != CodeHandshakeRate || e.Stage != StageConnect {
			t.Errorf("refused with %v", err)
		}
	case <-time.After(limit):
		t.Fatal("OnRefused wasn't called")
	}
	clock.advance(10 * time.Second)
	for i := range 3 {
		if err := dial(); err != nil {
			t.Fatalf("connection %d after a while: %v", i, err)
		}
	}
}

// TestTurns: handshakes that take turns never compute at the same time, and all end.
func TestTurns(t *testing.T) {
	t.Run("server", func(t *testing.T) { testTurns(t, serverOptions(t), clientOptions(t)) })
	t.Run("mutual", func(t *testing.T) {
		so, co := serverOptions(t), clientOptions(t)
		so.ClientAuth, so.CA = ClientAuthRequire, [][]byte{pki(t).caDER}
		co.ClientCertificate, co.ClientKey = [][]byte{pki(t).client.cert}, [][]byte{pki(t).client.key}
		testTurns(t, so, co)
	})
}

func testTurns(t *testing.T, so, co TLSOptions) {
	turn := &turns{make(chan struct{}, 1), limit}
	var computing, most, verified atomic.Int32
	compute := func() {
		most.Store(max(most.Load(), computing.Add(1)))
		defer computing.Add(-1)
		time.Sleep(time.Millisecond)
	}
	var errs optionErrors
	cert := parseIdentities(&errs, "", so.ServerCertificate, "", so.ServerKey)[0]
	so.ServerCertificate, so.ServerKey = nil, nil
	so.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		compute()
		return &cert, nil
	}
	so.VerifyPeer = func(*State) error {
		verified.Add(1)
		if so.ClientAuth != ClientAuthNone {
			compute()
		}
		return nil
	}
	secure, err := NewServerContext(so)
	if err != nil {
		t.Fatal(err)
	}
	inner := testListen(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			c, err := Dial(timeout(t), testNetwork(t), inner.Addr().String(), co)
			if err != nil {
				t.Error(err)
				return
			}
			c.Close()
		})
	}
	for range 8 {
		raw, err := inner.Accept()
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			c := secure.current.Load().serverConn(raw, &SecureOptions{})
			c.wire.turns = turn
			if err := c.handshake(context.Background(), "test", limit); err != nil {
				t.Error(err)
			}
			if c.wire.turns != nil || c.wire.turn {
				t.Error("a handshake that is done takes turns")
			}
			c.Close()
		})
	}
	wg.Wait()
	if verified.Load() != 8 {
		t.Errorf("%d clients were judged", verified.Load())
	}
	if most.Load() != 1 {
		t.Errorf("%d handshakes computed at the same time", most.Load())
	}
	if len(turn.room) != 0 {
		t.Error("a turn was left")
	}
}

// TestLongTurn: a function of the program that never returns keeps nobody else out for
// longer than their patience.
func TestLongTurn(t *testing.T) {
	turn := &turns{make(chan struct{}, 1), time.Millisecond}
	a, b := &wire{turns: turn}, &wire{turns: turn}
	a.beginTurn()
	a.beginTurn() // is one still
	b.beginTurn()
	if !a.turn || b.turn {
		t.Errorf("turns: %v, %v", a.turn, b.turn)
	}
	b.endTurn() // had none
	a.endTurn()
	if b.beginTurn(); !b.turn {
		t.Error("nobody has a turn, and there is none")
	}
	b.endTurn()
	if s := sharedTurns(); cap(s.room) < 1 || s != sharedTurns() {
		t.Errorf("%d turns at a time", cap(s.room))
	}
}
