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
	network, address := listenNetworks[config.UseIPv6], net.JoinHostPort(config.LocalHost, strconv.Itoa(config.LocalPort))
	var ln net.Listener
	var err error
	if n, ok := s.network.(tlsio.AdmittingNetwork); ok {
		ln, err = n.ListenAdmit(ctx, network, address, s.admits)
	} else {
		ln, err = s.network.Listen(ctx, network, address)
	}
	if err != nil {
		return nil, err
	}
	if err := setBacklog(ln, config.ConnectionBacklog); err != nil {
		ln.Close()
		return nil, err
	}
	return ln, nil
}

// admits decides on a peer that asks for a connection, as far as that can be done
// at once: it is called where packets are received. Nothing is counted for peers let in
// here, since they need not become connections.
func (s *Server) admits(remote netip.AddrPort) bool {
	s.mu.Lock()
	config, room := s.config, s.room()
	listed := s.recommend(remote)
	s.mu.Unlock()
	switch {
	case !room:
		return false
	case !listed && s.handler.ConnectionRequest == nil, !s.admit(config, remote):
		s.countBlocked()
		return false
	case config.Budget == nil:
		return true
	}
	r := config.Budget.Report()
	fits := config.memory(s.network) <= r.Limit-r.Used
	if !fits {
		s.mu.Lock()
		s.refuse(tlsio.ErrBudget)
		s.mu.Unlock()
	}
	return fits
}

// admit asks Config.Admit. A panic there refuses the peer.
func (s *Server) admit(config *Config, remote netip.AddrPort) (ok bool) {
	if config.Admit == nil {
		return true
	}
	defer func() {
		if v := recover(); v != nil {
			ok = false
			err := panicError("Admit", "", v)
			s.spawn(func() { s.reportLater(nil, err) }) // not where packets are received
		}
	}()
	return config.Admit(remote) == nil
}

// recommend says what the lists do. s.mu is held.
func (s *Server) recommend(remote netip.AddrPort) bool {
	return (len(s.allowed) == 0 || s.allowed.matches(remote.Addr())) && !s.blocked.matches(remote.Addr())
}

func (s *Server) countBlocked() {
	s.mu.Lock()
	s.stats.Blocked++
	s.mu.Unlock()
}

// request decides on a connection that is there, before it gets an id: with Admit
// and the lists again, since not all networks ask before, and with ConnectionRequest.
func (s *Server) request(config *Config, remote netip.AddrPort) bool {
	s.mu.Lock()
	r := &ConnectionRequest{Address: remote.Addr(), Port: int(remote.Port()), Accept: s.recommend(remote)}
	s.mu.Unlock()
	accept := r.Accept
	if !s.admit(config, remote) {
		accept = false
	} else if h := s.handler.ConnectionRequest; h != nil {
		if config.Post == nil {
			accept = s.ask(h, r)
		} else {
			accept = s.askPosted(config.Post, h, r)
		}
	}
	if !accept {
		s.countBlocked()
	}
	return accept
}

// room reports whether MaxConnections allows one more. s.mu is held.
func (s *Server) room() bool {
	if s.open < s.config.MaxConnections {
		return true
	}
	s.refuse(ErrTooManyConnections)
	return false
}

// refuse counts a connection for which there was no room. The first one is reported,
// the others only counted until there was room again. s.mu is held.
func (s *Server) refuse(err error) {
	s.stats.Full++
	if !s.full {
		s.full = true
		code := CodeTooManyFiles
		if errors.Is(err, tlsio.ErrBudget) {
			code = CodeNoBufferSpace
		}
		s.spawnLocked(func() {
			s.reportLater(nil, &Error{Op: "StartListening", Code: code, Err: err})
		})
	}
}

// ask calls ConnectionRequest. A panic there refuses the peer.
func (s *Server) ask(h func(*ConnectionRequest), r *ConnectionRequest) (accept bool) {
	returned := false
	defer func() {
		if v := recover(); !returned {
			accept = false
			s.report(nil, panicError("ConnectionRequest", "", v))
		}
	}()
	h(r)
	returned = true
	return r.Accept
}

// askPosted is ask through Config.Post. It gives up when the server doesn't listen
// any more: the program may have stopped its loop.
func (s *Server) askPosted(post func(func()), h func(*ConnectionRequest), r *ConnectionRequest) bool {
	answer := make(chan bool, 1)
	post(func() {
		accept := false
		defer func() { answer <- accept }()
		accept = s.ask(h, r)
	})
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

// accepted counts a connection and starts its goroutine.
func (s *Server) accepted(ln net.Listener, raw net.Conn, implicit bool) {
	s.mu.Lock()
	if s.listener != ln || !s.room() {
		s.mu.Unlock()
		reset(raw)
		return
	}
	config := s.config
	var account *tlsio.Account
	if config.Budget != nil {
		var err error
		if account, err = config.Budget.Account(config.memory(s.network)); err != nil {
			s.refuse(err)
			s.mu.Unlock()
			reset(raw)
			return
		}
	}
	s.open++
	s.full = false
	s.spawnLocked(func() {
		var c *Connection
		defer func() {
			if c == nil {
				reset(raw)
			}
			leave := func() {
				account.Close()
				s.mu.Lock()
				s.open--
				s.wake()
				s.mu.Unlock()
			}
			if c != nil && c.post != nil && !c.over() {
				// Its last event waits for the program to step. Until then it
				// keeps its place, or those who come and go would pile up.
				c.post(leave)
				return
			}
			leave()
		}()
		if !s.request(config, addrPort(raw.RemoteAddr())) {
			return
		}
		if c = s.register(ln, raw, config, account); c == nil {
			return
		}
		for _, err := range c.tune() {
			s.reportLater(c, err)
		}
		c.serve(implicit)
	})
	s.mu.Unlock()
}

// register gives a connection its id; nil if the server has stopped listening since
// it came.
func (s *Server) register(ln net.Listener, raw net.Conn, config *Config, account *tlsio.Account) *Connection {
	c := &Connection{
		server: s, config: config, post: config.Post, account: account,
		transport: &transport{Conn: raw},
		local:     addrPort(raw.LocalAddr()), remote: addrPort(raw.RemoteAddr()),
		framer:  Framer{EOL: config.EOL, SingleLine: config.SingleLineMode, MaxLine: config.MaxLineLength},
		queue:   queue{limit: config.SendQueue},
		idle:    config.IdleTimeout,
		timeout: config.Timeout,
	}
	c.conn = c.transport
	c.transport.goOn = c.goOn
	c.ctx, c.cancel = context.WithCancel(context.Background())
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener != ln {
		c.cancel()
		return nil
	}
	s.last++
	c.number, c.id = s.last, idOf(s.last)
	s.connections[c.id] = c
	s.stats.Accepted++
	return c
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
