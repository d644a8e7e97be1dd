package server

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"time"

	"ingot.dev/tlsio"
)

// StartListening listens on LocalHost and LocalPort; ctx limits that alone. The
// options of TLS are checked here, before anything is allocated.
func (s *Server) StartListening(ctx context.Context) error {
	const op = "StartListening"
	s.mu.Lock()
	if s.listener != nil || s.starting {
		s.mu.Unlock()
		return &Error{Op: op, Code: CodeAlreadyListening}
	}
	s.starting = true
	config := s.config
	s.mu.Unlock()

	secure, err := config.secureContext()
	var ln net.Listener
	if err == nil {
		ln, err = s.listen(ctx, config)
	}
	s.mu.Lock()
	s.starting = false
	s.wake()
	if err == nil {
		s.listener, s.secure = ln, secure
	}
	s.mu.Unlock()
	if err != nil {
		return newError(op, "", err)
	}
	s.spawn(func() { s.acceptLoop(ln, config.implicit(int(addrPort(ln.Addr()).Port()))) })
	return nil
}

var listenNetworks = map[IPVersion]string{IPv4Only: "tcp4", IPv6Only: "tcp6", IPv4AndIPv6: "tcp"}

func (s *Server) listen(ctx context.Context, config *Config) (net.Listener, error) {
	address := net.JoinHostPort(config.LocalHost, strconv.Itoa(config.LocalPort))
	ln, err := s.network.Listen(ctx, listenNetworks[config.UseIPv6], address)
	if err != nil {
		return nil, err
	}
	if err := setBacklog(ln, config.ConnectionBacklog); err != nil {
		ln.Close()
		return nil, err
	}
	return &admitting{ln, s.admit}, nil
}

// admitting is a listener that asks about each peer.
type admitting struct {
	net.Listener
	admit func(netip.AddrPort) bool
}

func (l *admitting) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil || l.admit(addrPort(conn.RemoteAddr())) {
			return conn, err
		}
		reset(conn)
	}
}

// admit decides on a peer before anything is kept for it.
func (s *Server) admit(remote netip.AddrPort) bool {
	s.mu.Lock()
	if !s.room() {
		s.mu.Unlock()
		return false
	}
	post := s.config.Post
	r := &ConnectionRequest{Address: remote.Addr(), Port: int(remote.Port())}
	r.Accept = (len(s.allowed) == 0 || s.allowed.matches(r.Address)) && !s.blocked.matches(r.Address)
	s.mu.Unlock()
	accept := r.Accept
	if h := s.handler.ConnectionRequest; h != nil {
		if post == nil {
			accept = s.ask(h, r)
		} else {
			accept = s.askPosted(post, h, r)
		}
	}
	if !accept {
		s.mu.Lock()
		s.stats.Blocked++
		s.mu.Unlock()
	}
	return accept
}

// room reports whether MaxConnections allows one more. The first refusal is
// reported, further ones only counted until there was room again. s.mu is held.
func (s *Server) room() bool {
	if s.open < s.config.MaxConnections {
		s.full = false
		return true
	}
	s.stats.Full++
	if !s.full {
		s.full = true
		s.spawnLocked(func() {
			s.reportLater(nil, &Error{Op: "StartListening", Code: CodeTooManyFiles, Err: ErrTooManyConnections})
		})
	}
	return false
}

// ask calls ConnectionRequest. A panic there refuses the peer.
func (s *Server) ask(h func(*ConnectionRequest), r *ConnectionRequest) (accept bool) {
	defer func() {
		if v := recover(); v != nil {
			accept = false
			s.report(nil, panicError("ConnectionRequest", "", v))
		}
	}()
	h(r)
	return r.Accept
}

// askPosted is ask through Config.Post. It gives up when the server doesn't listen
// any more: the program may have stopped its loop.
func (s *Server) askPosted(post func(func()), h func(*ConnectionRequest), r *ConnectionRequest) bool {
	answer := make(chan bool, 1)
	post(func() { answer <- s.ask(h, r) })
	for {
		s.mu.Lock()
		listening := s.listener != nil || s.starting
		if s.changed == nil {
			s.changed = make(chan struct{})
		}
		changed := s.changed
		s.mu.Unlock()
		if !listening {
			return false
		}
		select {
		case accept := <-answer:
			return accept
		case <-changed:
		}
	}
}

// acceptLoop takes connections from ln until it fails or is closed.
func (s *Server) acceptLoop(ln net.Listener, implicit bool) {
	var delay time.Duration
	for {
		conn, err := ln.Accept()
		switch {
		case err == nil:
			delay = 0
			s.accepted(ln, conn, implicit)
			continue
		case s.current(ln) && isTemporary(err):
			// Out of descriptors or memory: wait for others to close.
			delay = min(max(2*delay, 5*time.Millisecond), time.Second)
			time.Sleep(delay)
			continue
		case s.current(ln):
			s.StopListening()
			s.reportLater(nil, newError("StartListening", "", err))
		}
		return
	}
}

// current reports whether ln is what the server listens on.
func (s *Server) current(ln net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.listener == ln
}

func isTemporary(err error) bool {
	t, ok := errors.AsType[interface {
		error
		Temporary() bool
	}](err)
	return ok && t.Temporary() && !errors.Is(err, net.ErrClosed)
}

// accepted registers a connection and starts its goroutine.
func (s *Server) accepted(ln net.Listener, raw net.Conn, implicit bool) {
	s.mu.Lock()
	if s.listener != ln || !s.room() {
		s.mu.Unlock()
		reset(raw)
		return
	}
	config := s.config
	s.last++
	c := &Connection{
		id: idOf(s.last), number: s.last, server: s, config: config, post: config.Post,
		transport: &transport{Conn: raw},
		local:     addrPort(raw.LocalAddr()), remote: addrPort(raw.RemoteAddr()),
		framer:  Framer{EOL: config.EOL, SingleLine: config.SingleLineMode, MaxLine: config.MaxLineLength},
		queue:   queue{limit: config.SendQueue},
		idle:    config.IdleTimeout,
		timeout: config.Timeout,
	}
	c.conn = c.transport
	c.ctx, c.cancel = context.WithCancel(context.Background())
	s.connections[c.id] = c
	s.open++
	s.stats.Accepted++
	s.mu.Unlock()
	errs := c.tune()
	s.spawn(func() {
		defer func() {
			s.mu.Lock()
			s.open--
			s.mu.Unlock()
		}()
		for _, err := range errs {
			s.reportLater(c, err)
		}
		c.serve(implicit)
	})
}

func (s *Server) unregister(c *Connection) {
	s.mu.Lock()
	delete(s.connections, c.id)
	s.wake()
	s.mu.Unlock()
}

// tune sets the options of the connection's TCP. What the network refuses, or has
// no switch for, is reported, and the connection goes on with the network's own.
func (c *Connection) tune() (errs []error) {
	conn, config := c.transport.Conn, c.config
	failed := func(option string, err error) {
		if err != nil {
			errs = append(errs, newError(option, c.id, err))
		}
	}
	if n, ok := conn.(interface{ SetNoDelay(bool) error }); ok {
		failed("NoDelay", n.SetNoDelay(config.NoDelay))
	}
	if k, ok := conn.(interface {
		SetKeepAliveConfig(net.KeepAliveConfig) error
	}); ok {
		failed("KeepAlive", k.SetKeepAliveConfig(net.KeepAliveConfig{
			Enable: config.KeepAlive, Idle: orOwn(config.KeepAliveTime), Interval: orOwn(config.KeepAliveInterval), Count: -1}))
	} else if config.KeepAlive {
		failed("KeepAlive", errNoSwitch)
	}
	if config.InBufferSize > 0 {
		if b, ok := conn.(interface{ SetReadBuffer(int) error }); ok {
			failed("InBufferSize", b.SetReadBuffer(config.InBufferSize))
		} else {
			failed("InBufferSize", errNoSwitch)
		}
	}
	if config.OutBufferSize > 0 {
		if b, ok := conn.(interface{ SetWriteBuffer(int) error }); ok {
			failed("OutBufferSize", b.SetWriteBuffer(config.OutBufferSize))
		} else {
			failed("OutBufferSize", errNoSwitch)
		}
	}
	return errs
}

// orOwn is d, or what leaves the network's own time alone.
func orOwn(d time.Duration) time.Duration {
	if d == 0 {
		return -1
	}
	return d
}

var errNoSwitch = &Error{Code: CodeNotSupported, Err: errors.New("this network's connections have no such option")}

// setBacklog sets how many connections may wait for accept. Networks whose
// listeners can't be told keep their own, unless a number other than the default is
// asked for.
func setBacklog(ln net.Listener, n int) error {
	if l, ok := ln.(interface{ SetBacklog(int) error }); ok {
		return l.SetBacklog(n)
	}
	if ok, err := setSocketBacklog(ln, n); ok || err != nil {
		return err
	}
	if n == DefaultConnectionBacklog {
		return nil
	}
	return &tlsio.OptionError{Option: "ConnectionBacklog", Value: n, Fix: "this network's listeners keep their own; leave it out"}
}
