package tlsio

import (
	"context"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"
)

// FormatSocketTCP is the only format of listeners.
const FormatSocketTCP Format = "socket/tcp"

// maxUnread is the number of accepted connections that a listener holds for Read;
// further ones wait in the network's backlog.
const maxUnread = 16

// ListenerOptions are the options of ECMA-419 section 10.13.
type ListenerOptions struct {
	Address string // local IP address; empty for all
	Port    int    // 0 picks a free one
	Format  Format // FormatSocketTCP, or empty for it
	Target  any

	// Connection are the callbacks of the connections that Read returns; Reload
	// replaces them for all at once. Without any, 419's way, Read's connections
	// have no callbacks, and are given some with From or Reload.
	Connection Handlers[*TCP]

	// Admit, MaxConnections, Budget and OnRefused limit who and how many come in;
	// see TLSOptions. Without a Budget, App's counts if it has one.
	Admit          func(remote netip.AddrPort) error
	MaxConnections int
	Budget         *Budget
	OnRefused      func(remote net.Addr, err error)

	// OnReadable is called when connections arrive, with the number waiting. Those
	// that are left unread are not announced again until more arrive.
	OnReadable func(l *Listener, connections int)
	// OnError is called once, when the listener can't go on.
	OnError func(l *Listener, err error)
}

// Listener is ECMA-419's Listener class. Read returns connected TCPs.
type Listener struct {
	acceptor
	connection template[*TCP]
}

// NewListener makes a Listener. A port in use is an error here, of StageListen.
func NewListener(app *App, options ListenerOptions) (*Listener, error) {
	const op = "NewListener"
	var errs optionErrors
	addr := checkListener(&errs, app, options.Address, options.Port, options.Format)
	if options.MaxConnections < 0 {
		errs.add("MaxConnections", options.MaxConnections, "use a positive number, or 0 for no limit")
	}
	if err := errs.err(op); err != nil {
		return nil, err
	}
	inner, err := listenGated(op, app, addr, &options)
	if err != nil {
		return nil, err
	}
	l := &Listener{}
	if h := options.Connection; !h.isZero() {
		l.connection.Store(&h)
	}
	if f := options.OnReadable; f != nil {
		l.onReadable = func(n int) { f(l, n) }
	}
	if f := options.OnError; f != nil {
		l.onError = func(err error) { f(l, err) }
	}
	l.acceptor.start(l, app, inner, options.Target)
	return l, nil
}

// Read returns the next connection as a TCP with the callbacks of Connection, or
// nil if none waits. NewTCP and NewTLS take it over with From.
func (l *Listener) Read() (*TCP, error) {
	conn, err := l.next("Read")
	if conn == nil {
		return nil, err
	}
	t := &TCP{}
	t.calls = shared(t, &l.connection)
	acceptedOn(&t.instance, &l.acceptor, conn)
	return t, nil
}

// TLSListenerOptions are those of Listener with the server's side of TLS. 419 has
// no such class; this one follows its Listener.
type TLSListenerOptions struct {
	Address string
	Port    int
	Format  Format
	Target  any

	// TLS is the server's configuration; ServerCertificate with ServerKey, or
	// GetCertificate, are required. Without a Budget in it, App's counts if it has
	// one.
	TLS TLSOptions
	// Admit is TLS.Admit; give one of them.
	Admit func(remote netip.AddrPort) error

	Connection Handlers[*TLS] // as Listener's

	OnReadable func(l *TLSListener, connections int)
	OnError    func(l *TLSListener, err error)
}

// TLSListener is a Listener whose Read returns secured connections: their handshake
// is done. Handshakes run beside each other under TLSOptions's limits.
type TLSListener struct {
	acceptor
	connection template[*TLS]
}

// NewTLSListener makes a TLSListener.
func NewTLSListener(app *App, options TLSListenerOptions) (*TLSListener, error) {
	const op = "NewTLSListener"
	var errs optionErrors
	addr := checkListener(&errs, app, options.Address, options.Port, options.Format)
	if options.Admit != nil {
		if options.TLS.Admit != nil {
			errs.add("Admit", nil, "is given in TLS too; leave one out")
		}
		options.TLS.Admit = options.Admit
	}
	if app != nil && options.TLS.Budget == nil {
		options.TLS.Budget = app.budget
	}
	secure, one := options.TLS.serverContext(&errs, "TLS.")
	if err := errs.err(op); err != nil {
		return nil, err
	}
	inner, err := listenTLS(context.Background(), op, app.network, addr, secure, one, &options.TLS, costInstance)
	if err != nil {
		return nil, err
	}
	l := &TLSListener{}
	if h := options.Connection; !h.isZero() {
		l.connection.Store(&h)
	}
	if f := options.OnReadable; f != nil {
		l.onReadable = func(n int) { f(l, n) }
	}
	if f := options.OnError; f != nil {
		l.onError = func(err error) { f(l, err) }
	}
	l.acceptor.start(l, app, inner, options.Target)
	return l, nil
}

// Read returns the next connection as a TLS with the callbacks of Connection, or
// nil if none waits. NewTLS takes it over with From.
func (l *TLSListener) Read() (*TLS, error) {
	conn, err := l.next("Read")
	if conn == nil {
		return nil, err
	}
	t := &TLS{}
	t.calls = shared(t, &l.connection)
	acceptedOn(&t.instance, &l.acceptor, conn)
	return t, nil
}

func checkListener(errs *optionErrors, app *App, address string, port int, format Format) string {
	checkApp(errs, app)
	ip := checkAddress(errs, address)
	if port < 0 || port > 65535 {
		errs.add("Port", port, "use 0 to 65535; 0 picks a free one")
	}
	if format != "" && format != FormatSocketTCP {
		errs.add("Format", string(format), `use "socket/tcp"`)
	}
	return net.JoinHostPort(ip, strconv.Itoa(port))
}

// acceptor is what both listeners have in common.
type acceptor struct {
	self  Acceptor
	app   *App
	inner net.Listener
	targeted
	onReadable func(int)
	onError    func(error)

	mu      sync.Mutex
	changed sync.Cond // on mu: unread, closed
	unread  []net.Conn
	err     error
	closed  bool
	moved   bool // NetListener has taken over; closed is set too
	failed  bool // OnError was called
	events  events
	queued  bool
	counted bool               // App.Wait waits for it
	links   map[*link]struct{} // connections that Read returned and that are open
}

func (a *acceptor) start(self Acceptor, app *App, inner net.Listener, target any) {
	a.self, a.app, a.inner = self, app, inner
	a.Ref()
	a.changed.L = &a.mu
	a.SetTarget(target)
	go a.acceptLoop()
}

func (a *acceptor) acceptLoop() {
	var delay time.Duration
	for {
		a.mu.Lock()
		for len(a.unread) >= maxUnread && (!a.closed || a.moved) {
			a.changed.Wait()
		}
		a.mu.Unlock()
		conn, err := a.inner.Accept()
		if err != nil && isTemporary(err) {
			delay = min(max(2*delay, 5*time.Millisecond), time.Second)
			time.Sleep(delay)
			continue
		}
		delay = 0
		a.mu.Lock()
		switch {
		case a.closed && !a.moved:
			if conn != nil {
				go conn.Close() // not under mu: close_notify may wait for the peer
			}
			err = ErrClosed
		case err != nil:
			a.err = newError("Accept", a.inner.Addr(), StageConnect, nil, true, err)
			a.post(evError)
		default:
			a.unread = append(a.unread, conn)
			a.post(evReadable)
		}
		a.changed.Broadcast()
		a.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// post queues events for the loop. a.mu is held.
func (a *acceptor) post(e events) {
	if a.closed {
		return
	}
	a.events |= e
	if !a.queued {
		a.queued = true
		a.app.push(task{events: a})
	}
}

// dispatch is called by the loop.
func (a *acceptor) dispatch() {
	a.mu.Lock()
	a.queued = false
	n := len(a.unread)
	readable := a.events&evReadable != 0 && !a.closed && n > 0
	a.events &^= evReadable
	a.mu.Unlock()
	if readable && a.onReadable != nil {
		a.onReadable(n)
	}
	a.mu.Lock()
	failed := a.events&evError != 0 && !a.closed && len(a.unread) == 0
	if failed {
		a.events &^= evError
		a.failed = true
	}
	err := a.err
	a.mu.Unlock()
	if failed {
		defer a.Unref() // also when it panics
		if a.onError != nil {
			a.onError(err)
		}
	}
}

// usable says why the listener can't be used. a.mu is held.
func (a *acceptor) usable(op string) error {
	if a.closed {
		return &Error{Op: op, Stage: StageClose, Err: ErrClosed}
	}
	if a.failed {
		return &Error{Op: op, Stage: StageClose, Err: ErrFailed}
	}
	return nil
}

func (a *acceptor) next(op string) (net.Conn, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.usable(op); err != nil || len(a.unread) == 0 {
		return nil, err
	}
	return a.pop(), nil
}

// pop takes the oldest connection. a.mu is held.
func (a *acceptor) pop() net.Conn {
	conn := a.unread[0]
	a.unread[0] = nil
	a.unread = a.unread[1:]
	if len(a.unread) == 0 {
		a.unread = nil
		if a.events&evError != 0 {
			a.post(evError)
		}
	}
	a.changed.Broadcast()
	return conn
}

// Port returns the local port.
func (a *acceptor) Port() (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.usable("Port"); err != nil {
		return 0, err
	}
	_, port, err := net.SplitHostPort(a.inner.Addr().String())
	if err != nil {
		return 0, nil // not an IP network
	}
	n, _ := strconv.Atoi(port)
	return n, nil
}

// Write is not supported: listeners only read (ECMA-419 section 10.13).
func (a *acceptor) Write([]byte, ...WriteOptions) (int, error) {
	return 0, &Error{Op: "Write", Stage: StageWrite, Err: ErrNotSupported}
}

// Format returns FormatSocketTCP.
func (a *acceptor) Format() (Format, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return FormatSocketTCP, a.usable("Format")
}

// SetFormat accepts FormatSocketTCP only.
func (a *acceptor) SetFormat(f Format) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.usable("SetFormat"); err != nil {
		return err
	}
	if f != FormatSocketTCP {
		return &Error{Op: "SetFormat", Stage: StageOptions, Err: &OptionError{"Format", string(f), `use "socket/tcp"`}}
	}
	return nil
}

// Close ends the listener, with connections that were not read yet. No callback
// begins after it. Closing again does nothing.
func (a *acceptor) Close() error {
	a.mu.Lock()
	if a.closed {
		a.mu.Unlock()
		return nil
	}
	a.closed = true
	a.unref()
	unread := a.shut()
	a.mu.Unlock()
	return closeAll(a.inner, unread)
}

// shut empties the acceptor. a.mu is held.
func (a *acceptor) shut() []net.Conn {
	unread := a.unread
	a.unread, a.events = nil, 0
	a.changed.Broadcast()
	return unread
}

func closeAll(inner net.Listener, unread []net.Conn) error {
	err := inner.Close()
	for _, conn := range unread {
		if _, ok := conn.(*Conn); ok {
			go conn.Close() // close_notify may wait for the peer
		} else {
			conn.Close()
		}
	}
	return err
}

// NetListener turns the listener into a blocking net.Listener, whose Accept begins
// with the connections not read yet. Connections of a TLSListener are *Conn. The
// instance is closed silently.
func (a *acceptor) NetListener() (net.Listener, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.usable("NetListener"); err != nil {
		return nil, err
	}
	a.closed, a.moved = true, true
	a.unref()
	a.events = 0
	return &netListener{a: a}, nil
}

// netListener is the blocking side of an acceptor.
type netListener struct {
	a      *acceptor
	closed bool // guarded by a.mu
}

func (l *netListener) Accept() (net.Conn, error) {
	a := l.a
	a.mu.Lock()
	defer a.mu.Unlock()
	for len(a.unread) == 0 && a.err == nil && !l.closed {
		a.changed.Wait()
	}
	switch {
	case l.closed:
		return nil, &Error{Op: "Accept", Addr: a.inner.Addr().String(), Stage: StageConnect, Err: ErrClosed}
	case len(a.unread) > 0:
		return a.pop(), nil
	}
	return nil, a.err
}

func (l *netListener) Close() error {
	a := l.a
	a.mu.Lock()
	if l.closed {
		a.mu.Unlock()
		return ErrClosed
	}
	l.closed = true
	a.moved = false
	unread := a.shut()
	a.mu.Unlock()
	return closeAll(a.inner, unread)
}

func (l *netListener) Addr() net.Addr { return l.a.inner.Addr() }

var (
	_ net.Listener = (*netListener)(nil)
	_ net.Conn     = (*Conn)(nil)
)
