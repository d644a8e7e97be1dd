package tlsio

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math"
	"net"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ingot.dev/internal/simnet"
	"ingot.dev/net/inet"
)

func clientRoots(t testing.TB) *x509.CertPool {
	t.Helper()
	pool := x509.NewCertPool()
	cert, err := x509.ParseCertificate(pki(t).caDER)
	if err != nil {
		t.Fatal(err)
	}
	pool.AddCert(cert)
	return pool
}

// empty waits until nothing is held, and checks that the limit was kept.
func empty(t testing.TB, b *Budget) {
	t.Helper()
	wait(t, "everything is given back", func() bool { return b.Report().Used == 0 })
	r := b.Report()
	if r.Peak > r.Limit || r.Accounts != 0 || r.Handshakes != 0 || r.Connections != 0 || r.Buffers != 0 || r.Queues != 0 || r.Transport != 0 {
		t.Errorf("at the end: %+v", r)
	}
}

func TestAccount(t *testing.T) {
	b := NewBudget(1000)
	b.LimitConnection(600)
	if _, err := b.Account(601); !errors.Is(err, ErrBudget) {
		t.Errorf("above a connection's limit: %v", err)
	}
	a, err := b.Account(100)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Reserve(BudgetQueues, 501); !errors.Is(err, ErrBudget) {
		t.Errorf("above a connection's limit: %v", err)
	}
	if err := a.Reserve(BudgetQueues, 500); err != nil {
		t.Error(err)
	}
	c, err := b.Account(400)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Reserve(BudgetBuffers, 1); !errors.Is(err, ErrBudget) {
		t.Errorf("above the limit: %v", err)
	}
	if _, err := b.Account(1); !errors.Is(err, ErrBudget) {
		t.Errorf("above the limit: %v", err)
	}
	if r := b.Report(); r != (BudgetReport{Limit: 1000, Used: 1000, Peak: 1000, Connections: 500, Queues: 500, Accounts: 2, LargestAccount: 600, Refused: 2, Denied: 2}) {
		t.Errorf("%+v", r)
	}
	a.Release(BudgetQueues, 200)
	if got := a.Held(); got != 400 {
		t.Errorf("%d held", got)
	}
	panics := func(what string, f func()) {
		defer func() {
			if recover() == nil {
				t.Errorf("%s: no panic", what)
			}
		}()
		f()
	}
	panics("more than held", func() { a.Release(BudgetQueues, 301) })
	panics("negative", func() { a.Release(BudgetQueues, -1) })
	panics("negative", func() { a.Reserve(BudgetQueues, -1) })
	a.Close()
	a.Close()
	a.Release(BudgetQueues, 1000)
	if err := a.Reserve(BudgetQueues, 1); !errors.Is(err, ErrBudget) {
		t.Errorf("closed: %v", err)
	}
	c.Close()
	empty(t, b)

	var none *Account
	if none.Reserve(BudgetQueues, math.MaxInt) != nil || none.Held() != 0 {
		t.Error("no budget has limits")
	}
	none.Release(BudgetQueues, math.MaxInt)
	none.Close()
}

// Turns: those who were turned away get what is released in their order, before
// others; a turn that isn't used goes on to the next. Outputs come before inputs, and
// the last of the memory is theirs.
func TestBudgetTurns(t *testing.T) {
	b := NewBudget(3*bufferSize + 100)
	var order []int
	var accounts []*Account
	for i := range 6 {
		a, err := b.Account(10)
		if err != nil {
			t.Fatal(err)
		}
		a.notify = func() { order = append(order, i) }
		accounts = append(accounts, a)
	}
	if !accounts[0].grow(input) || !accounts[1].grow(input) {
		t.Fatal("no room at first")
	}
	if accounts[5].forecast(input) || accounts[5].grow(input) {
		t.Error("an input took the last buffer")
	}
	if !accounts[1].forecast(output) || !accounts[1].grow(output) {
		t.Error("an output didn't get the last buffer")
	}
	for _, i := range []int{4, 2, 3} {
		if accounts[i].forecast(output) || accounts[i].grow(output) || accounts[i].grow(output) {
			t.Fatalf("%d got memory that isn't there", i)
		}
	}
	release := func(i int) { accounts[i].Release(BudgetBuffers, bufferSize) }
	release(0)
	if !slices.Equal(order, []int{4}) || accounts[0].forecast(output) || !accounts[4].forecast(output) {
		t.Errorf("turn of %v", order)
	}
	accounts[4].pass()
	if !slices.Equal(order, []int{4, 2}) || !accounts[2].grow(output) {
		t.Errorf("turn of %v", order)
	}
	accounts[3].Close()
	release(2)
	if !slices.Equal(order, []int{4, 2}) {
		t.Errorf("turn of %v, with one buffer left", order)
	}
	release(1)
	if !slices.Equal(order, []int{4, 2, 5}) || !accounts[5].grow(input) {
		t.Errorf("turn of %v", order)
	}
	for _, a := range accounts {
		a.Close()
	}
	if len(b.waiters[input])+len(b.waiters[output]) != 0 {
		t.Error("somebody waits still")
	}
	empty(t, b)
}

// A flood of clients, many more than a small budget has room for: it is never
// exceeded, whoever gets in is served to the end, and everything comes back.
func TestBudgetFlood(t *testing.T) {
	onNetworks(t, func(t *testing.T, dial, listen Network, asks bool) {
		leaks(t)
		const room = 5
		need := int64(costHandshake)
		size := room*need + need/2
		if asks {
			n := listen.(interface {
				With(inet.Options) inet.Network
			}).With(inet.Options{Backlog: 8, ReadBuffer: 8 << 10, WriteBuffer: 8 << 10})
			listen = n
			connection, listener := n.(MeasuredNetwork).Memory()
			size += listener + room*connection
		}
		budget := NewBudget(size)
		var told toldRefusals
		so := serverOptions(t)
		so.Budget, so.OnRefused = budget, told.add
		ln, err := Listen(timeout(t), listen, ":0", so)
		if err != nil {
			t.Fatal(err)
		}
		var serving sync.WaitGroup
		var most atomic.Int64
		go func() {
			for {
				c, err := ln.Accept()
				if err != nil {
					return
				}
				serving.Go(func() {
					defer c.Close()
					for n := int64(budget.Report().Accounts); ; {
						old := most.Load()
						if n <= old || most.CompareAndSwap(old, n) {
							break
						}
					}
					io.Copy(c, c)
				})
			}
		}()
		addr := address(ln, asks)
		var served, refused atomic.Int64
		var clients sync.WaitGroup
		flood := 24
		if testing.Short() {
			flood = 10
		}
		for range flood {
			clients.Go(func() {
				for range 3 {
					c, err := Dial(timeout(t), dial, addr, clientOptions(t))
					if err != nil {
						refused.Add(1)
						continue
					}
					c.SetDeadline(time.Now().Add(limit))
					sent := pattern(40000)
					go func() { c.Write(sent); c.(*Conn).CloseWrite() }()
					got, err := io.ReadAll(c)
					if err != nil || !bytes.Equal(got, sent) {
						t.Errorf("an admitted connection got %d of %d bytes back: %v", len(got), len(sent), err)
					}
					c.Close()
					served.Add(1)
				}
			})
		}
		clients.Wait()
		ln.Close()
		serving.Wait()
		empty(t, budget)
		told.mu.Lock()
		for _, err := range told.errs {
			if _, untold := errors.AsType[*UntoldError](err); !untold && !errors.Is(err, ErrBudget) {
				t.Errorf("admitted, and refused later: %v", err)
			}
		}
		told.mu.Unlock()
		r := budget.Report()
		t.Logf("%d served, %d refused, %d at once; %+v", served.Load(), refused.Load(), most.Load(), r)
		if served.Load() == 0 || most.Load() > room+1 { // the listener has an account too
			t.Errorf("%d served, %d at once", served.Load(), most.Load())
		}
		if _, n := told.count(ErrBudget); refused.Load() > 0 && n == 0 {
			t.Error("nobody was told that the budget refuses")
		}
	})
}

// A client whose handshake goes on and on costs more than others, and is cut off when
// that isn't there.
func TestBudgetHandshakeInput(t *testing.T) {
	budget := NewBudget(costHandshake + 3*inputFactor*1024)
	var told toldRefusals
	so := serverOptions(t)
	so.Budget, so.OnRefused = budget, told.add
	ln, err := Listen(timeout(t), plainNetwork{testNetwork(t)}, "127.0.0.1:0", so)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	c := testDial(t, ln.Addr().String())
	// A client hello of 60,000 bytes, in one record after another.
	for i := range 60 {
		record := append([]byte{22, 3, 1, 4, 0}, make([]byte, 1024)...)
		if i == 0 {
			copy(record[5:], []byte{1, 0, 0xea, 0x60, 3, 3})
		}
		if _, err := c.Write(record); err != nil {
			break
		}
	}
	gone(t, c)
	wait(t, "the refusal is told", func() bool { _, n := told.count(ErrBudget); return n == 1 })
	empty(t, budget)
}

// A listener whose network's buffers alone don't fit is an error, with the numbers.
func TestBudgetTooSmall(t *testing.T) {
	n := stackPair(t)
	so := serverOptions(t)
	so.Budget = NewBudget(1 << 20)
	_, err := Listen(timeout(t), n.Server, ":0", so)
	e := wantError(t, err, StageListen, Alert{})
	if o, ok := errors.AsType[*OptionError](e); !ok || o.Option != "Budget" {
		t.Errorf("%v", err)
	}
	empty(t, so.Budget)
	app := NewApp(testNetwork(t))
	app.SetBudget(NewBudget(100))
	if _, err := NewTCP(app, TCPOptions{Address: "127.0.0.1", Port: 1}); !errors.Is(err, ErrBudget) {
		t.Errorf("NewTCP: %v", err)
	}
	if _, err := NewTLS(app, TLSClientOptions{Address: "127.0.0.1", Port: 1, TLS: clientOptions(t)}); !errors.Is(err, ErrBudget) {
		t.Errorf("NewTLS: %v", err)
	}
	empty(t, app.budget)
}

// Instances of both kinds echo on a budget that has large buffers for few of them. What
// is written in one piece is larger than the smallest buffer, so OnWritable has to come
// again after ErrOverflow.
func TestBudgetInstances(t *testing.T) {
	for _, secured := range []bool{false, true} {
		t.Run(map[bool]string{false: "TCP", true: "TLS"}[secured], func(t *testing.T) {
			const n, size, piece = 8, 150000, 5000
			each := int64(costPlain + costInstance)
			if secured {
				each = costHandshake + costInstance
			}
			budget := NewBudget(n*each + 2*bufferSize)
			r := newRigOn(t, plainNetwork{testNetwork(t)})
			r.app.SetBudget(budget)
			var overflows atomic.Int64
			var addr string
			var closeListener func() error

			// echo gives back what arrives, in pieces, as far as there is room.
			type sock interface {
				ReadInto([]byte) (int, error)
				Write([]byte, ...WriteOptions) (int, error)
				Close() error
			}
			echo := func() (pump func(s sock)) {
				buf, have := make([]byte, piece), 0
				return func(s sock) {
					for {
						m, err := s.ReadInto(buf[have:])
						if err != nil {
							return
						}
						if have += m; have == 0 || m == 0 && have < piece && have%piece != size%piece {
							return
						}
						if have < piece && have != size%piece && m > 0 {
							continue
						}
						if _, err := s.Write(buf[:have]); errors.Is(err, ErrOverflow) {
							overflows.Add(1)
							return // OnWritable
						} else if err != nil {
							return
						}
						have = 0
					}
				}
			}
			if secured {
				l, err := NewTLSListener(r.app, TLSListenerOptions{Address: "127.0.0.1", TLS: serverOptions(t),
					OnReadable: func(l *TLSListener, _ int) {
						for c, _ := l.Read(); c != nil; c, _ = l.Read() {
							pump := echo()
							NewTLS(r.app, TLSClientOptions{From: c,
								OnReadable: func(t *TLS, _ int) { pump(t) },
								OnWritable: func(t *TLS, _ int) { pump(t) },
								OnError:    func(t *TLS, _ error) { t.Close() }})
						}
					}})
				if err != nil {
					t.Fatal(err)
				}
				addr, closeListener = l.inner.Addr().String(), l.Close
			} else {
				l, err := NewListener(r.app, ListenerOptions{Address: "127.0.0.1",
					OnReadable: func(l *Listener, _ int) {
						for c, _ := l.Read(); c != nil; c, _ = l.Read() {
							pump := echo()
							NewTCP(r.app, TCPOptions{From: c,
								OnReadable: func(t *TCP, _ int) { pump(t) },
								OnWritable: func(t *TCP, _ int) { pump(t) },
								OnError:    func(t *TCP, _ error) { t.Close() }})
						}
					}})
				if err != nil {
					t.Fatal(err)
				}
				addr, closeListener = l.inner.Addr().String(), l.Close
			}
			// All come in before the first takes more than it came in with.
			var peers sync.WaitGroup
			start := make(chan struct{})
			for range n {
				peers.Go(func() {
					var c net.Conn = testDial(t, addr)
					if secured {
						c = tls.Client(c, &tls.Config{ServerName: "server.test", RootCAs: clientRoots(t)})
					}
					defer c.Close()
					c.SetDeadline(time.Now().Add(limit))
					if secured {
						if err := c.(*tls.Conn).Handshake(); err != nil {
							t.Errorf("handshake: %v", err)
						}
					}
					<-start
					sent := pattern(size)
					go c.Write(sent)
					got := make([]byte, size)
					if n, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, sent) {
						t.Errorf("%d bytes came back: %v", n, err)
					}
				})
			}
			wait(t, "all are connected", func() bool { return budget.Report().Accounts == n })
			close(start)
			peers.Wait()
			r.do(func() { closeListener() })
			empty(t, budget)
			t.Logf("%d overflows, %+v", overflows.Load(), budget.Report())
			if overflows.Load() == 0 && budget.Report().Denied == 0 {
				t.Error("the budget was never short: the test shows nothing")
			}
		})
	}
}

// What stands in budget.go as measured is measured here: the heap and the stacks that
// connections hold, with the hosted network's part in them, must be below. The clients
// hold as little as they can, and count as well.
func TestBudgetConstants(t *testing.T) {
	if testing.Short() {
		t.Skip("measures memory")
	}
	if simnet.Selected(t) != nil {
		t.Skip("measures what there is beside the network's own memory")
	}
	const n = 60
	r := newRig(t)
	live := func() int64 {
		// Until what other tests left behind is gone.
		for last := int64(-1); ; {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			now := int64(m.HeapAlloc + m.StackInuse)
			if diff := now - last; last >= 0 && max(diff, -diff) < 16<<10 {
				return now
			}
			last = now
			time.Sleep(20 * time.Millisecond)
		}
	}
	check := func(what string, constant int64, open func() func()) {
		t.Helper()
		var ends []func()
		for range 3 {
			ends = append(ends, open())
		}
		before := live()
		for range n {
			ends = append(ends, open())
		}
		got := (live() - before) / n
		for _, end := range ends {
			end()
		}
		t.Logf("%s: %d bytes, the constant is %d", what, got, constant)
		if got > constant || got <= 0 {
			t.Errorf("%s: %d bytes, the constant is %d", what, got, constant)
		}
	}
	plain := testListen(t)
	check("plain connection", costPlain, func() func() {
		c := testDial(t, plain.Addr().String())
		p, err := plain.Accept()
		if err != nil {
			t.Fatal(err)
		}
		return func() { c.Close(); p.Close() }
	})

	// An instance, with both of its buffers at their smallest.
	tight := NewBudget(2 * n * (costInstance + costPlain))
	check("instance and plain connection", costInstance+costPlain, func() func() {
		c := testDial(t, plain.Addr().String())
		p, err := plain.Accept()
		if err != nil {
			t.Fatal(err)
		}
		a, err := tight.Account(2 * (costInstance + costPlain))
		if err != nil {
			a, _ = NewBudget(1).Account(0)
		}
		a.b = &Budget{limit: 0} // nothing to grow into
		sock := &TCP{}
		sock.init(&socketOptions{format: FormatBuffer}, nil)
		l := newLink(r.app, "test")
		sock.own(l, &socketOptions{})
		l.join(a)
		l.startOn(p)
		c.Write(make([]byte, 600))
		for l.mu.Lock(); l.in.n == 0; l.mu.Lock() {
			l.mu.Unlock()
			time.Sleep(time.Millisecond)
		}
		l.mu.Unlock()
		return func() { sock.Close(); c.Close() }
	})

	so := serverOptions(t)
	so.MaxHandshakes = 2 * n
	so.HandshakeTimeout = limit
	ln := listen(t, so)
	addr := ln.Addr().String()

	// A handshake that stops in the middle: the client sends its hello and no more.
	var hello []byte
	{
		a, b := net.Pipe()
		go tls.Client(a, &tls.Config{ServerName: "server.test", RootCAs: clientRoots(t)}).Handshake()
		buf := make([]byte, 16<<10)
		m, _ := b.Read(buf)
		hello = buf[:m]
		b.Close()
	}
	check("handshake", costHandshake, func() func() {
		c := testDial(t, addr)
		c.Write(hello)
		io.ReadFull(c, make([]byte, 200)) // the server has answered
		return func() { c.Close() }
	})

	// A connection that full records have passed through, in both directions. The client's
	// session is forgotten; its socket stays.
	check("connection", costConnection, func() func() {
		raw := testDial(t, addr)
		go func() {
			c := tls.Client(raw, &tls.Config{ServerName: "server.test", RootCAs: clientRoots(t)})
			c.Write(pattern(100000))
			io.ReadFull(c, make([]byte, 100000))
		}()
		s, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 100000)
		if _, err := io.ReadFull(s, got); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Write(got); err != nil {
			t.Fatal(err)
		}
		return func() { raw.Close(); s.Close() }
	})
	runtime.KeepAlive(r) // its channel is large
}

// measured is a network whose connections and listeners hold memory.
type measured struct {
	Network
	connection, listener int64
}

func (m measured) Memory() (connection, listener int64) { return m.connection, m.listener }

// TestBudgetOfListener: what a listener holds counts, but LimitConnection is about
// connections.
func TestBudgetOfListener(t *testing.T) {
	n := measured{testNetwork(t), 1000, 1 << 20}
	for _, tt := range []struct {
		limit, connection int64
		ok                bool
	}{
		{2 << 20, 0, true},
		{2 << 20, 100 << 10, true},
		{2 << 20, 1000, false}, // no connection fits
		{1 << 20, 0, false},    // no connection beside the listener
		{500 << 10, 0, false},  // no listener
	} {
		b := NewBudget(tt.limit)
		b.LimitConnection(tt.connection)
		o := serverOptions(t)
		o.Budget = b
		ln, err := Listen(timeout(t), n, "127.0.0.1:0", o)
		if (err == nil) != tt.ok {
			t.Errorf("%+v: %v", tt, err)
		}
		if err != nil {
			if _, ok := errors.AsType[*OptionError](err); !ok {
				t.Errorf("%+v: not an error of options: %v", tt, err)
			}
			continue
		}
		if r := b.Report(); r.Transport != 1<<20 {
			t.Errorf("%+v: %+v", tt, r)
		}
		ln.Close()
		if r := b.Report(); r.Used != 0 || r.Accounts != 0 {
			t.Errorf("%+v: after Close: %+v", tt, r)
		}
	}
}
