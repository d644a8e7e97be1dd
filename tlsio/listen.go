package tlsio

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

// Listen listens for TLS connections on address ("host:port"; port 0 picks one).
// ctx limits the set-up only.
//
// Accept returns connections whose handshake is done ([*Conn]). Handshakes run
// beside each other, not in Accept, each under HandshakeTimeout and all under
// MaxHandshakes; a peer that sends garbage, or nothing, costs no one else
// anything but its share of these. Failed handshakes go to OnRefused; Accept's
// errors are those of the listener itself.
//
// Admit, MaxConnections, HandshakeRate and Budget are looked at before the network answers a peer,
// where it can ask (AdmittingNetwork), and again when the connection is there.
//
// Close closes the listener and the handshakes under way, and returns when their
// goroutines have ended. Connections that Accept has returned live on.
func Listen(ctx context.Context, network Network, address string, options TLSOptions) (net.Listener, error) {
	const op = "Listen"
	var errs optionErrors
	if network == nil {
		errs.add("network", nil, "required; HostNetwork{} is the operating system's")
	}
	if _, port, err := net.SplitHostPort(address); err != nil || port != "0" && !validPort(port) {
		errs.add("address", address, "use host:port or :port, with a port from 0 to 65535")
	}
	secure, one := options.serverContext(&errs, "")
	if err := errs.err(op); err != nil {
		return nil, err
	}
	return listenTLS(ctx, op, network, address, secure, one, &options, 0)
}

// listenTLS opens a listener whose options are valid. instance is what the owners of
// its connections cost besides.
func listenTLS(ctx context.Context, op string, network Network, address string, secure *SecureContext, one *SecureOptions, o *TLSOptions, instance int64) (*tlsListener, error) {
	l := newTLSListener(secure, one, o)
	var err error
	if l.gate.budget != nil {
		l.gate.cost = cost{handshake: costHandshake, connection: costConnection, instance: instance}
		if l.gate.leaveAll, err = l.gate.budget.listen(l.gate.budget, &l.gate.cost, network); err != nil {
			return nil, &Error{Op: op, Addr: address, Stage: StageListen, Err: err}
		}
	}
	inner, err := ListenAdmit(ctx, network, "tcp", address, l.gate.guard())
	if err != nil {
		l.gate.close()
		return nil, &Error{Op: op, Addr: address, Stage: StageListen, Err: err}
	}
	l.start(inner)
	return l, nil
}

// Times after which an unfinished handshake may be dropped when MaxHandshakes are
// under way and another peer waits: a peer that has sent nothing is most likely
// half-open once a round trip has passed; one that has sent something gets the
// time that a slow link and a busy machine need.
const (
	silentGrace = 250 * time.Millisecond
	activeGrace = 2 * time.Second
)

// tlsListener is the net.Listener that Listen returns.
type tlsListener struct {
	inner  net.Listener
	secure *SecureContext
	one    *SecureOptions // of each connection
	gate   gate

	ready chan *Conn    // handshake done, not yet accepted; never blocks its senders
	slots chan struct{} // a token for each connection between inner.Accept and Accept
	done  chan struct{} // closed by Close
	ended chan struct{} // closed when inner accepts no more
	wg    sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	err     error    // why inner stopped accepting
	pending []*entry // handshakes under way, oldest first
}

// entry is one handshake under way.
type entry struct {
	conn    *Conn
	wait    time.Duration // before it begins
	start   time.Time     // when it begins
	evicted bool
}

// newTLSListener makes a listener that waits for start.
func newTLSListener(secure *SecureContext, one *SecureOptions, o *TLSOptions) *tlsListener {
	slots := o.MaxHandshakes
	if slots == 0 {
		slots = DefaultMaxHandshakes
	}
	return &tlsListener{
		secure: secure,
		one:    one,
		gate:   gate{admit: o.Admit, max: o.MaxConnections, budget: o.Budget, refused: o.OnRefused, rate: o.HandshakeRate.bucket()},
		ready:  make(chan *Conn, slots),
		slots:  make(chan struct{}, slots),
		done:   make(chan struct{}),
		ended:  make(chan struct{}),
	}
}

// start makes l accept what comes to inner.
func (l *tlsListener) start(inner net.Listener) {
	l.inner = inner
	l.wg.Add(1)
	go l.acceptLoop()
}

// acceptLoop takes connections from the transport until it fails or is closed.
func (l *tlsListener) acceptLoop() {
	defer l.wg.Done()
	defer close(l.ended)
	var delay time.Duration
	for {
		raw, err := l.inner.Accept()
		if err != nil {
			if isTemporary(err) {
				// Out of descriptors or memory: wait for others to close.
				delay = min(max(2*delay, 5*time.Millisecond), time.Second)
				if !l.sleep(delay) {
					return
				}
				continue
			}
			l.mu.Lock()
			if l.err == nil {
				l.err = err
			}
			l.mu.Unlock()
			return
		}
		delay = 0
		raw, ok := l.gate.enter(raw)
		if !ok {
			continue
		}
		wait, ok := l.gate.pace(raw)
		if !ok {
			continue
		}
		if !l.takeSlot() {
			l.gate.leave()
			raw.Close()
			return
		}
		e := &entry{conn: l.secure.current.Load().serverConn(raw, l.one), wait: wait, start: time.Now().Add(wait)}
		if l.gate.rate != nil {
			e.conn.wire.turns = sharedTurns()
		}
		l.mu.Lock()
		if l.closed {
			l.mu.Unlock()
			l.gate.leave()
			raw.Close()
			e.conn.wire.ended(ErrClosed)
			continue // inner.Accept fails next
		}
		l.pending = append(l.pending, e)
		l.wg.Add(1)
		l.mu.Unlock()
		go l.handshake(e)
	}
}

func (l *tlsListener) sleep(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-l.done:
		return false
	}
}

// takeSlot waits for room among MaxHandshakes, evicting whom the graces allow. It
// returns false when the listener is closed.
func (l *tlsListener) takeSlot() bool {
	for {
		select {
		case l.slots <- struct{}{}:
			return true
		case <-l.done:
			return false
		default:
		}
		wait := l.evict()
		t := time.NewTimer(wait)
		select {
		case l.slots <- struct{}{}:
			t.Stop()
			return true
		case <-l.done:
			t.Stop()
			return false
		case <-t.C:
		}
	}
}

// evict drops the handshake that has lasted longest beyond its grace, silent ones
// first. It returns how long to wait for what comes of it.
func (l *tlsListener) evict() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	wait := activeGrace
	var victim *entry
	for _, silent := range []bool{true, false} {
		for _, e := range l.pending {
			if e.evicted || victim != nil || silent == e.conn.wire.gotBytes.Load() {
				continue
			}
			grace := activeGrace
			if silent {
				grace = silentGrace
			}
			if left := grace - now.Sub(e.start); left <= 0 {
				victim = e
			} else {
				wait = min(wait, left)
			}
		}
	}
	if victim == nil {
		return max(wait, time.Millisecond)
	}
	victim.evicted = true
	victim.conn.wire.raw.Close()
	return activeGrace
}

// handshake runs one handshake and passes the connection on.
func (l *tlsListener) handshake(e *entry) {
	defer l.wg.Done()
	addr := e.conn.wire.raw.RemoteAddr()
	var err error
	returned := false
	defer func() {
		if !returned {
			err = exited("Accept", addr, true)
		}
		l.shaken(e, addr, err)
	}()
	if e.wait > 0 {
		l.sleep(e.wait)
	}
	err = e.conn.handshake(context.Background(), "Accept", e.conn.terms.handshakeTimeout(l.one))
	returned = true
}

// shaken takes note of how a handshake has ended.
func (l *tlsListener) shaken(e *entry, addr net.Addr, err error) {
	c := e.conn
	l.mu.Lock()
	for i, p := range l.pending {
		if p == e {
			l.pending = append(l.pending[:i], l.pending[i+1:]...)
			break
		}
	}
	if err == nil && !l.closed && !e.evicted {
		established(c.wire.raw)
		c.release = l.gate.leave
		l.ready <- c // has room: one place per slot
		l.mu.Unlock()
		return
	}
	closed, evicted := l.closed, e.evicted
	l.mu.Unlock()
	l.gate.leave()
	<-l.slots
	c.wire.raw.Close()
	if err == nil {
		c.wire.ended(ErrClosed) // a failed handshake has said so itself
	}
	if evicted {
		err = newError("Accept", addr, StageHandshake, nil, true, ErrEvicted)
	}
	if !closed {
		l.gate.tell(addr, err) // not from here: it may close the listener, which waits for us
	}
}

// Accept returns the next connection whose handshake is done.
func (l *tlsListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.ready:
		<-l.slots
		return c, nil
	case <-l.ended:
		// The transport fails, but handshakes may still be under way: those
		// that succeed are served first.
		l.wg.Wait()
		select {
		case c := <-l.ready:
			<-l.slots
			return c, nil
		default:
		}
	case <-l.done:
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	err := l.err
	if l.closed {
		err = ErrClosed
	}
	return nil, &Error{Op: "Accept", Addr: l.inner.Addr().String(), Stage: StageConnect, Err: err}
}

// Close implements net.Listener.
func (l *tlsListener) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return ErrClosed
	}
	l.closed = true
	close(l.done)
	l.gate.close()
	for _, e := range l.pending {
		e.conn.wire.raw.Close()
	}
	l.mu.Unlock()
	err := l.inner.Close()
	l.wg.Wait()
	for {
		select {
		case c := <-l.ready:
			c.wire.raw.Close() // no close_notify: it may wait for the peer
			c.wire.ended(ErrClosed)
		default:
			return err
		}
	}
}

// Addr implements net.Listener.
func (l *tlsListener) Addr() net.Addr { return l.inner.Addr() }

func isTemporary(err error) bool {
	t, ok := errors.AsType[interface {
		error
		Temporary() bool
	}](err)
	return ok && t.Temporary() && !errors.Is(err, net.ErrClosed)
}
