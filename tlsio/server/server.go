package server

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"time"

	"ingot.dev/tlsio"
)

// Server listens and keeps the connections. Its methods may be called from any
// goroutine, in events too, but for Shutdown, which waits for events.
type Server struct {
	network tlsio.Network
	handler Handler
	epoch   time.Time
	gate    gate

	mu       sync.Mutex
	changed  chan struct{} // closed when running, listening or connections change
	config   *Config       // checked, with defaults; never changed, only replaced
	allowed  clientList
	blocked  clientList
	secure   *tlsio.SecureContext
	listener net.Listener
	starting bool
	running  int // goroutines
	open     int // connections counted against MaxConnections
	full     bool
	last     uint64
	stats    Statistics

	connections map[string]*Connection
}

// Statistics count what happened since New.
type Statistics struct {
	Accepted uint64 // connections that got an id
	Blocked  uint64 // refused by the lists or ConnectionRequest
	Full     uint64 // refused because MaxConnections were connected
	Open     int    // connections now, those in handshake and closing included
}

// New makes a server on network. Nothing listens before StartListening. Options
// are checked all at once; what is wrong comes joined in one error, with number
// 10022 and a *tlsio.OptionError for each. TLS is checked by StartListening.
func New(network tlsio.Network, config Config, handler Handler) (*Server, error) {
	if network == nil {
		var errs optionErrors
		errs.add("network", nil, "required; tlsio.HostNetwork{} is the operating system's")
		return nil, errs.err("New")
	}
	s := &Server{network: network, handler: handler, epoch: time.Now(), connections: map[string]*Connection{}}
	checked, err := config.checked("New")
	if err != nil {
		return nil, err
	}
	s.use(checked)
	return s, nil
}

// use takes a checked configuration. s.mu is held, or s is new.
func (s *Server) use(c Config) {
	var none optionErrors
	s.config = &c
	s.allowed, s.blocked = parseClients(&none, "", c.AllowedClients), parseClients(&none, "", c.BlockedClients)
	s.gate.mu.Lock()
	s.gate.limit = c.TLS.MaxHandshakes
	s.gate.mu.Unlock()
}

// Config returns the configuration, with defaults in the place of zeros.
func (s *Server) Config() Config {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.config.clone()
}

func (c *Config) clone() Config {
	n := *c
	n.EOL = slices.Clone(c.EOL)
	n.AllowedClients, n.BlockedClients = slices.Clone(c.AllowedClients), slices.Clone(c.BlockedClients)
	return n
}

// Configure changes the configuration for connections accepted from now on.
// While the server listens, LocalPort, LocalHost (with UseIPv6, and the backlog) and MaxConnections
// are fixed: ErrLocalPort, ErrLocalHost, ErrMaxConnections. If anything is
// refused, nothing changes. change is called once, without locks, and must not
// keep the pointer.
func (s *Server) Configure(change func(*Config)) error {
	const op = "Configure"
	s.mu.Lock()
	old := s.config
	s.mu.Unlock()
	next := old.clone()
	change(&next)
	checked, err := next.checked(op)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.config != old {
		return &Error{Op: op, Code: CodeAlreadyInProgress, Err: errors.New("another Configure came in between; repeat it")}
	}
	if s.listener != nil || s.starting {
		switch {
		case checked.LocalPort != old.LocalPort:
			return &Error{Op: op, Code: CodeLocalPort}
		case checked.LocalHost != old.LocalHost || checked.UseIPv6 != old.UseIPv6 || checked.ConnectionBacklog != old.ConnectionBacklog:
			return &Error{Op: op, Code: CodeLocalHost}
		case checked.MaxConnections != old.MaxConnections:
			return &Error{Op: op, Code: CodeMaxConnections}
		}
		secure, err := checked.secureContext()
		if err != nil {
			return newError(op, "", err)
		}
		s.secure = secure
	}
	s.use(checked)
	return nil
}

// Reset is Close, and puts the configuration back to that of the zero Config. The
// handler and the network stay.
func (s *Server) Reset() error {
	s.Close()
	checked, err := Config{}.checked("Reset")
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.use(checked)
	return nil
}

func (s *Server) post() func(func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.config.Post
}

func (s *Server) context() *tlsio.SecureContext {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.secure
}

// now is the time that activity is counted in, nanoseconds since New.
func (s *Server) now() int64 { return int64(time.Since(s.epoch)) }

// spawn runs f on a goroutine that Shutdown waits for.
func (s *Server) spawn(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spawnLocked(f)
}

func (s *Server) spawnLocked(f func()) {
	s.running++
	go func() {
		defer func() {
			s.mu.Lock()
			s.running--
			s.wake()
			s.mu.Unlock()
		}()
		f()
	}()
}

// wake tells those who wait that something has changed. s.mu is held.
func (s *Server) wake() {
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}

// Listening reports whether the server listens.
func (s *Server) Listening() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.listener != nil
}

// LocalPort returns the port that the server listens on, or else the configured
// one.
func (s *Server) LocalPort() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener != nil {
		if ap := addrPort(s.listener.Addr()); ap.IsValid() {
			return int(ap.Port())
		}
	}
	return s.config.LocalPort
}

// LocalHost returns the address that the server listens on, "" for all.
func (s *Server) LocalHost() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.config.LocalHost
}

// Addr returns the address that the server listens on; nil if it doesn't.
func (s *Server) Addr() net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener == nil {
		return nil
	}
	return s.listener.Addr()
}

// Statistics returns what was counted.
func (s *Server) Statistics() Statistics {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stats
	st.Open = s.open
	return st
}

// Connections returns all connections that have an id, those in handshake included,
// in the order in which they came.
func (s *Server) Connections() []*Connection {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*Connection, 0, len(s.connections))
	for _, c := range s.connections {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b *Connection) int { return cmp.Compare(a.number, b.number) })
	return all
}

// Connection returns the connection with an id, or ErrInvalidConnection.
func (s *Server) Connection(id string) (*Connection, error) { return s.find("Connection", id) }

func (s *Server) find(op, id string) (*Connection, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.connections[id]; c != nil {
		return c, nil
	}
	return nil, &Error{Op: op, ID: id, Code: CodeInvalidConnectionID}
}

// StopListening refuses new connections. Those that exist live on. If the server
// doesn't listen, nothing happens.
func (s *Server) StopListening() error {
	s.mu.Lock()
	ln := s.listener
	s.listener = nil
	s.wake()
	s.mu.Unlock()
	if ln == nil {
		return nil
	}
	return newError("StopListening", "", ln.Close())
}

// Shutdown stops listening, disconnects all connections and waits until they and
// their events have come to their end. When ctx ends first, what is left is
// broken off and an error with ctx's in it is returned. Don't call it in an event: it
// waits for that too. Close doesn't wait.
func (s *Server) Shutdown(ctx context.Context) error {
	err := s.StopListening()
	for _, c := range s.Connections() { // no more come: register looks whether the server listens
		c.Disconnect()
	}
	for {
		s.mu.Lock()
		if s.running == 0 && s.open == 0 && len(s.connections) == 0 && s.listener == nil && !s.starting {
			s.mu.Unlock()
			return err
		}
		if s.changed == nil {
			s.changed = make(chan struct{})
		}
		changed := s.changed
		s.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			s.Close()
			return &Error{Op: "Shutdown", Code: CodeTimedOut, Err: ctx.Err()}
		}
	}
}

// Close stops listening and breaks all connections off. It doesn't wait.
func (s *Server) Close() error {
	err := s.StopListening()
	for _, c := range s.Connections() {
		c.breakOff(&Error{"Disconnected", c.id, CodeAborted, ErrClosed})
	}
	return err
}

// Broadcast sends p to all connections that are Connected, to each all of it or
// nothing, without waiting. It returns the number of those that get it, and an error
// for each that doesn't, joined: ErrWouldBlock if its queue has no room.
func (s *Server) Broadcast(p []byte) (int, error) {
	var errs []error
	n := 0
	for _, c := range s.Connections() {
		if !c.Connected() {
			continue
		}
		if err := c.sendWhole("Broadcast", p); err != nil {
			errs = append(errs, err)
			continue
		}
		n++
	}
	return n, errors.Join(errs...)
}

// The methods below are those of Connection, by id.

// Send is Connection.Send.
func (s *Server) Send(id string, p []byte) (int, error) {
	c, err := s.find("Send", id)
	if err != nil {
		return 0, err
	}
	return c.Send(p)
}

// SendText is Connection.SendText.
func (s *Server) SendText(id, text string) (int, error) {
	c, err := s.find("SendText", id)
	if err != nil {
		return 0, err
	}
	return c.SendText(text)
}

// SendLine is Connection.SendLine.
func (s *Server) SendLine(id, text string) (int, error) {
	c, err := s.find("SendLine", id)
	if err != nil {
		return 0, err
	}
	return c.SendLine(text)
}

// SendFile is Connection.SendFile.
func (s *Server) SendFile(id string, fsys fs.FS, name string) (int64, error) {
	c, err := s.find("SendFile", id)
	if err != nil {
		return 0, err
	}
	return c.SendFile(fsys, name)
}

// Disconnect is Connection.Disconnect.
func (s *Server) Disconnect(id string) error {
	return s.with("Disconnect", id, (*Connection).Disconnect)
}

// Interrupt is Connection.Interrupt.
func (s *Server) Interrupt(id string) error {
	return s.with("Interrupt", id, (*Connection).Interrupt)
}

// PauseData is Connection.PauseData.
func (s *Server) PauseData(id string) error {
	return s.with("PauseData", id, (*Connection).PauseData)
}

// ProcessData is Connection.ProcessData.
func (s *Server) ProcessData(id string) error {
	return s.with("ProcessData", id, (*Connection).ProcessData)
}

// StartTLS is Connection.StartTLS.
func (s *Server) StartTLS(id string) error {
	return s.with("StartTLS", id, (*Connection).StartTLS)
}

// ChangeRecordLength is Connection.ChangeRecordLength.
func (s *Server) ChangeRecordLength(id string, n int) error {
	return s.with("ChangeRecordLength", id, func(c *Connection) error { return c.ChangeRecordLength(n) })
}

func (s *Server) with(op, id string, f func(*Connection) error) error {
	c, err := s.find(op, id)
	if err != nil {
		return err
	}
	return f(c)
}

func addrPort(a net.Addr) netip.AddrPort {
	if a == nil {
		return netip.AddrPort{}
	}
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.AddrPort{} // not an IP network
	}
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

func idOf(number uint64) string { return strconv.FormatUint(number, 10) }
