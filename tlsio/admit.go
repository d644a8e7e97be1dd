package tlsio

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"
)

// AdmittingNetwork is what a Network may be as well: one that asks before it answers
// a request for a connection. admit is called for each TCP SYN before anything of it
// is kept; what it refuses is answered with RST. It may be called more than once for
// a connection, and again when the connection is there; it must be quick, must not
// block, and must not count on how often it is asked. Ingot's netstack is one.
type AdmittingNetwork interface {
	ListenAdmit(ctx context.Context, network, address string, admit func(remote netip.AddrPort) bool) (net.Listener, error)
}

// ListenAdmit listens on n and asks admit about each connection: before its
// handshake where n is an AdmittingNetwork, else right after accept, and what is
// refused then is reset. admit has AdmittingNetwork's rules; nil admits everybody.
// Peers without an IP address (of networks that aren't IP) are asked about with the
// zero AddrPort.
func ListenAdmit(ctx context.Context, n Network, network, address string, admit func(remote netip.AddrPort) bool) (net.Listener, error) {
	if a, ok := n.(AdmittingNetwork); ok && admit != nil {
		return a.ListenAdmit(ctx, network, address, admit)
	}
	l, err := n.Listen(ctx, network, address)
	if err != nil || admit == nil {
		return l, err
	}
	return &admittingListener{l, admit}, nil
}

type admittingListener struct {
	net.Listener
	admit func(netip.AddrPort) bool
}

func (l *admittingListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil || l.admit(addrPortOf(conn.RemoteAddr())) {
			return conn, err
		}
		drop(conn)
	}
}

// drop closes a connection with RST where its network can.
func drop(conn net.Conn) {
	if c, ok := conn.(interface{ SetLinger(int) error }); ok {
		c.SetLinger(0)
	}
	conn.Close()
}

// addrPortOf returns an address as a value, IPv4 unmapped; zero if it isn't IP's.
func addrPortOf(a net.Addr) netip.AddrPort {
	if a, ok := a.(*net.TCPAddr); ok {
		ap := a.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	return netip.AddrPort{}
}

// gate decides who gets in: by Admit, MaxConnections and Budget. It says no twice
// over: to requests, for which nothing may be counted, since they need not become
// connections; and to connections, which it counts.
type gate struct {
	admit   func(remote netip.AddrPort) error
	max     int // connections, 0 for no limit
	budget  *Budget
	cost    cost // of a connection, for budget
	rate    *bucket
	refused func(net.Addr, error)
	// leaveAll gives back what the listener itself has of budget; may be nil.
	leaveAll func()

	mu      sync.Mutex
	conns   int
	closed  bool
	reports []report // still to be told
	telling bool     // a goroutine does
	untold  int      // reports that there was no room for
	last    net.Addr // of the latest of them
}

type report struct {
	addr net.Addr
	err  error
}

// guard returns ListenAdmit's function, nil if everybody may come in.
func (g *gate) guard() func(netip.AddrPort) bool {
	if g.max == 0 && g.budget == nil && g.admit == nil && g.rate == nil {
		return nil
	}
	return g.asks
}

func (g *gate) asks(remote netip.AddrPort) bool {
	err := g.full()
	if err == nil && g.rate != nil {
		err = g.rate.asks()
	}
	if err == nil && g.budget != nil {
		err = g.budget.fits(g.budget, g.cost)
	}
	if err == nil && g.admit != nil {
		err = func() (err error) {
			defer caught(&err)
			return g.admit(remote)
		}()
	}
	if err != nil {
		g.tell(net.TCPAddrFromAddrPort(remote), err)
	}
	return err == nil
}

func (g *gate) full() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.max > 0 && g.conns >= g.max {
		return ErrTooManyConnections
	}
	return nil
}

// enter counts a connection that has been asked about, or resets it. What it returns
// stands in place of conn: closing that gives back what it has of the budget.
func (g *gate) enter(conn net.Conn) (net.Conn, bool) {
	addr := conn.RemoteAddr()
	err := g.count()
	if err == nil && g.budget != nil {
		var held net.Conn
		if held, err = g.budget.open(g.budget, g.cost, conn); err == nil {
			return held, true
		}
		g.leave()
	}
	if err != nil {
		drop(conn)
		g.tell(addr, err)
	}
	return conn, err == nil
}

// pace returns how long a connection from enter has to wait for its handshake; or it
// resets it, and undoes enter.
func (g *gate) pace(conn net.Conn) (time.Duration, bool) {
	if g.rate == nil {
		return 0, true
	}
	wait, err := g.rate.take()
	if err != nil {
		addr := conn.RemoteAddr()
		g.leave()
		drop(conn)
		g.tell(addr, err)
	}
	return wait, err == nil
}

func (g *gate) count() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.max > 0 && g.conns >= g.max {
		return ErrTooManyConnections
	}
	g.conns++
	return nil
}

// leave undoes enter's counting.
func (g *gate) leave() {
	g.mu.Lock()
	g.conns--
	g.mu.Unlock()
}

// established is told to a connection from enter when its handshake is done.
func established(conn net.Conn) {
	if c, ok := conn.(interface{ established() }); ok {
		c.established()
	}
}

// maxReports is how many refusals may wait to be told.
const maxReports = 64

// UntoldError is reported in place of refusals that came faster than OnRefused
// returned: it says how many.
type UntoldError struct{ Count int }

func (e *UntoldError) Error() string {
	return fmt.Sprintf("tlsio: %d more connections were refused", e.Count)
}

// tell has OnRefused called, on a goroutine that lives while there are reports: who
// refuses can't wait for it.
func (g *gate) tell(addr net.Addr, err error) {
	if g.refused == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.closed:
		return
	case len(g.reports) == maxReports:
		g.untold++
		g.last = addr
		return
	}
	g.reports = append(g.reports, report{addr, err})
	if !g.telling {
		g.telling = true
		go g.tellAll()
	}
}

func (g *gate) tellAll() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for !g.closed {
		var r report
		switch {
		case len(g.reports) > 0:
			r, g.reports = g.reports[0], g.reports[1:]
		case g.untold > 0:
			r = report{g.last, &UntoldError{g.untold}}
			g.untold, g.last = 0, nil
		default:
			g.reports, g.telling = nil, false
			return
		}
		g.mu.Unlock()
		g.refused(r.addr, newError("Accept", r.addr, StageConnect, nil, true, r.err))
		g.mu.Lock()
	}
}

// close ends the reports: none begins after it. Connections live on, and leave when
// they are closed.
func (g *gate) close() {
	g.mu.Lock()
	g.closed, g.reports, g.untold = true, nil, 0
	g.mu.Unlock()
	if g.leaveAll != nil {
		g.leaveAll()
	}
}
