package jsonmsg

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net"
	"net/netip"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"ingot.dev/tlsio"
)

// Server accepts clients and exchanges messages with those that know the password.
// Its methods may be called from any goroutine, in handlers too.
type Server struct {
	terms
	options  ServerOptions
	listener tlsio.TLSOptions // for Listen
	secret   secret
	attempts attempts

	maxClients, maxWaiting int

	wg sync.WaitGroup // sessions and handlers

	mu        sync.Mutex
	closed    bool
	listeners map[net.Listener]struct{}
	clients   map[uint64]*session
	waiting   []*session // not authenticated, oldest first
	nextID    uint64
}

// NewServer makes a server. All wrong options are reported at once, as
// *tlsio.OptionError joined in a *tlsio.Error.
func NewServer(options ServerOptions) (*Server, error) {
	s := &Server{
		options:   options,
		listeners: make(map[net.Listener]struct{}),
		clients:   make(map[uint64]*session),
	}
	if err := options.check(s); err != nil {
		return nil, err
	}
	s.options.TLS, s.options.Password = tlsio.TLSOptions{}, nil // used up
	s.attempts.now = time.Now
	s.guard()
	return s, nil
}

// Listen listens on address ("host:port"; ":port" is all interfaces) with the TLS
// options of s. Pass the listener to Serve.
func (s *Server) Listen(ctx context.Context, network tlsio.Network, address string) (net.Listener, error) {
	s.mu.Lock()
	closed := s.closed
	s.mu.Unlock()
	if closed {
		return nil, ErrServerClosed
	}
	return tlsio.Listen(ctx, network, address, s.listener)
}

// guard has s.listener refuse the addresses that sent too many wrong passwords before
// anything is spent on them, and takes part in what it reports.
func (s *Server) guard() {
	admit, refused := s.listener.Admit, s.listener.OnRefused
	s.listener.Admit = func(remote netip.AddrPort) error {
		if s.attempts.refused(attemptAddr(remote.Addr())) {
			return ErrTooManyAttempts
		}
		if admit != nil {
			return admit(remote)
		}
		return nil
	}
	s.listener.OnRefused = func(remote net.Addr, err error) {
		switch {
		case errors.Is(err, ErrTooManyAttempts):
			s.locked(remote)
		case refused != nil:
			refused(remote, err)
		default:
			s.tell(remote, err)
		}
	}
}

// locked counts a connection from an address that sent too many wrong passwords, and
// reports the first.
func (s *Server) locked(remote net.Addr) {
	s.stats.refused.Add(1)
	if s.attempts.news(attemptKey(remote)) {
		s.tell(remote, ErrTooManyAttempts)
	}
}

// Serve takes the connections of ln, a listener of tlsio.Listen, until Close or
// Shutdown, when it returns ErrServerClosed, or until ln fails. It closes ln.
// Several Serves may run at once.
func (s *Server) Serve(ln net.Listener) error {
	defer ln.Close()
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return ErrServerClosed
	}
	s.listeners[ln] = struct{}{}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.listeners, ln)
		s.mu.Unlock()
	}()
	for {
		conn, err := ln.Accept()
		if err != nil {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.closed {
				return ErrServerClosed
			}
			return err
		}
		secured, ok := conn.(*tlsio.Conn)
		if !ok {
			conn.Close()
			return ErrNotSecured
		}
		if err := s.admit(secured); err != nil {
			destroy(secured)
			if err == ErrServerClosed {
				return err
			}
		}
	}
}

// admit makes a client of a connection and starts its session, or returns why not.
func (s *Server) admit(conn *tlsio.Conn) error {
	remote := conn.RemoteAddr()
	if s.attempts.refused(attemptKey(remote)) {
		s.locked(remote)
		return ErrTooManyAttempts
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return ErrServerClosed
	}
	full := s.maxClients > 0 && len(s.clients) >= s.maxClients
	if full && len(s.waiting) == 0 {
		s.mu.Unlock()
		s.stats.refused.Add(1)
		s.tell(remote, ErrTooManyClients)
		return ErrTooManyClients
	}
	var evicted *session
	if full || len(s.waiting) >= s.maxWaiting {
		evicted = s.waiting[0]
		s.remove(evicted)
	}
	c := &session{terms: &s.terms, id: s.nextID, conn: conn, side: s, server: true, ids: new(atomic.Uint64)}
	c.inbox = &inbox{handle: s.handle, limit: s.maxQueue, wg: &s.wg}
	c.start() // before others find it, and may end it
	s.nextID++
	s.clients[c.id] = c
	s.waiting = append(s.waiting, c)
	s.wg.Add(1)
	s.mu.Unlock()
	if evicted != nil {
		evicted.end(ErrEvicted)
	}
	go func() {
		defer s.wg.Done()
		c.run()
		s.mu.Lock()
		s.remove(c)
		s.mu.Unlock()
		cause := c.ending()
		if cause == ErrKeepAliveTimeout {
			c.inbox.post(event{kind: eventTimeout, from: c})
		}
		if reportable(cause) {
			c.inbox.post(event{kind: eventError, from: c, err: cause})
		}
		c.inbox.post(event{kind: eventClose, from: c, err: cause})
	}()
	return nil
}

// remove forgets a client. s.mu is held.
func (s *Server) remove(c *session) {
	delete(s.clients, c.id)
	s.admitted(c)
}

// admitted takes a client from those that wait for their password to be judged.
func (s *Server) admitted(c *session) {
	if i := slices.Index(s.waiting, c); i >= 0 {
		s.waiting = slices.Delete(s.waiting, i, i+1)
	}
}

// password implements side.
func (s *Server) password(c *session, text []byte) error {
	addr := attemptKey(c.conn.RemoteAddr())
	switch attempted, right := s.attempts.judge(addr, func() bool { return s.secret.matches(text) }); {
	case !attempted:
		return ErrTooManyAttempts
	case !right:
		s.stats.badPasswords.Add(1)
		c.put(incorrectLine)
		return ErrIncorrectPassword
	}
	s.mu.Lock()
	s.admitted(c)
	s.mu.Unlock()
	c.opened(authenticatedLine)
	c.inbox.post(event{kind: eventAuthenticated, from: c})
	return nil
}

// accepted implements side.
func (s *Server) accepted(*session) {}

// handle calls the handler of an event.
func (s *Server) handle(e event) {
	o, id := &s.options, e.from.id
	switch e.kind {
	case eventAuthenticated:
		if o.OnAuthenticated != nil {
			o.OnAuthenticated(s, id, e.from.conn)
		}
	case eventMessage:
		if e.in.kind == request {
			if o.OnRequest != nil {
				o.OnRequest(s, id, e.in.body, &Responder{s: e.from, id: e.in.id})
			}
		} else if o.OnMessage != nil {
			o.OnMessage(s, id, e.in.body)
		}
	case eventError:
		if o.OnError != nil {
			o.OnError(s, id, e.err)
		} else if p, ok := e.err.(*PanicError); ok {
			log.Printf("%v\n%s", p, p.Stack)
		}
	case eventTimeout:
		if o.OnTimeout != nil {
			o.OnTimeout(s, id)
		}
	case eventClose:
		if o.OnClose != nil {
			o.OnClose(s, id, e.err)
		}
	}
}

// tell calls OnRefused.
func (s *Server) tell(remote net.Addr, err error) {
	if s.options.OnRefused == nil {
		return
	}
	defer func() {
		if v := recover(); v != nil {
			log.Printf("%v\n%s", &PanicError{Value: v}, debug.Stack())
		}
	}()
	s.options.OnRefused(s, remote, err)
}

// client returns the session of a client.
func (s *Server) client(id uint64) (*session, error) {
	s.mu.Lock()
	c := s.clients[id]
	s.mu.Unlock()
	if c == nil {
		return nil, fmt.Errorf("client %d: %w", id, ErrNotConnected)
	}
	return c, nil
}

// Send queues v for a client and returns. v is anything that encoding/json can
// marshal, but for what receivers drop (ErrFalsy) and fields of the protocol
// (ReservedFieldError); it isn't changed. Nothing says whether the client receives
// it. Other errors are ErrNotConnected, ErrQueueFull, ErrMemory, ErrTooLarge.
func (s *Server) Send(id uint64, v any) error {
	c, err := s.client(id)
	if err != nil {
		return err
	}
	line, err := encode(v, s.maxMessage)
	if err != nil {
		return err
	}
	return c.send(line)
}

// Request sends v, an object, to a client and returns its answer. It fails with
// ErrRequestTimeout after RequestTimeout, with ErrConnectionLost when the client's
// connection ends, with ctx's error when that ends, and as Send does.
func (s *Server) Request(ctx context.Context, id uint64, v any) (json.RawMessage, error) {
	c, err := s.client(id)
	if err != nil {
		return nil, err
	}
	return c.request(ctx, v)
}

// Flush waits until all that was sent to a client so far is given to the
// transport.
func (s *Server) Flush(ctx context.Context, id uint64) error {
	c, err := s.client(id)
	if err != nil {
		return err
	}
	return c.flush(ctx)
}

// Disconnect ends a client's connection. What is not sent yet is dropped; Flush
// waits for it.
func (s *Server) Disconnect(id uint64) error {
	c, err := s.client(id)
	if err == nil {
		c.end(ErrDisconnected)
	}
	return err
}

// Clients returns the ids of the authenticated clients, in order.
func (s *Server) Clients() []uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := make([]uint64, 0, len(s.clients))
	for id, c := range s.clients {
		if !slices.Contains(s.waiting, c) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// Stats returns counts.
func (s *Server) Stats() Stats {
	t := s.snapshot()
	s.mu.Lock()
	defer s.mu.Unlock()
	t.Clients = len(s.clients)
	t.Authenticated = t.Clients - len(s.waiting)
	return t
}

// Close stops accepting. The clients stay, as the npm package has it; Shutdown ends
// them too.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	listeners := s.listeners
	s.listeners = make(map[net.Listener]struct{})
	s.mu.Unlock()
	var errs []error
	for ln := range listeners {
		errs = append(errs, ln.Close())
	}
	return errors.Join(errs...)
}

// Shutdown closes s, disconnects all clients, and waits until their last handlers
// have returned, or for ctx. It must not be called in a handler without such a ctx.
func (s *Server) Shutdown(ctx context.Context) error {
	err := s.Close()
	s.mu.Lock()
	clients := make([]*session, 0, len(s.clients))
	for _, c := range s.clients {
		clients = append(clients, c)
	}
	s.mu.Unlock()
	for _, c := range clients {
		// Each may wait for a peer that doesn't read.
		s.wg.Add(1)
		go func() {
			defer s.wg.Done()
			c.end(ErrDisconnected)
		}()
	}
	done := make(chan struct{})
	go func() {
		s.wg.Wait()
		close(done)
	}()
	select {
	case <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
