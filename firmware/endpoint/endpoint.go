package endpoint

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"ingot.dev/certs"
	"ingot.dev/firmware"
	"ingot.dev/firmware/tally"
	"ingot.dev/net/inet"
	"ingot.dev/tlsio"
)

// An Endpoint is Options that were found right. It opens the listener of a service.
type Endpoint struct {
	Kind, Name string
	Tally      tally.Tally

	options     Options
	plain       bool
	share       int // of the connections that memory has room for, one in so many
	idle, stall time.Duration
	admission   *admission
}

// Check makes an Endpoint of options, for a service of some kind. What is wrong with
// them is added to p; then the Endpoint is of no use. A plain one speaks no TLS.
func Check(kind string, o Options, plain bool, p *Problems) *Endpoint {
	e := &Endpoint{Kind: kind, Name: cmp.Or(o.Name, kind), options: o, plain: plain, share: 1}
	e.idle, e.stall = o.check(p)
	if plain {
		o.checkPlain(p)
	} else {
		options := e.tlsOptions()
		// Stand-ins for what the store will bring, so that the rest can be judged.
		options.GetCertificate = (&certs.Store{}).GetCertificate
		if options.ClientAuth != tlsio.ClientAuthNone {
			options.VerifyMode = tlsio.InsecureVerifyNone
		}
		if _, err := tlsio.NewServerContext(options); err != nil {
			p.AddRenamed(err, ours)
		}
	}
	e.admission = newAdmission(&e.options)
	return e
}

// ours is the name that Options has for one of tlsio's options.
func ours(option string) string {
	if option == "With[0]" {
		return "Policy"
	}
	if index, ok := strings.CutPrefix(option, "ApplicationLayerProtocol"); ok {
		return "ALPN" + index
	}
	return option
}

// Share says that a connection of the service costs as much memory as n do otherwise,
// because it makes others in turn.
func (e *Endpoint) Share(n int) { e.share = n }

// IdleTimeout returns the option, with its default; 0 is no limit.
func (e *Endpoint) IdleTimeout() time.Duration { return e.idle }

// StallTimeout returns the option, with its default; 0 is no limit.
func (e *Endpoint) StallTimeout() time.Duration { return e.stall }

// tlsOptions are those that don't need the store.
func (e *Endpoint) tlsOptions() tlsio.TLSOptions {
	o := &e.options
	options := tlsio.TLSOptions{
		MinimumVersion: o.MinimumVersion, MaximumVersion: o.MaximumVersion,
		ApplicationLayerProtocol: o.ALPN, HandshakeTimeout: o.HandshakeTimeout,
		ClientAuth: o.ClientAuth,
	}
	if o.ClientGroup != "" && o.ClientAuth == tlsio.ClientAuthNone {
		options.ClientAuth = tlsio.ClientAuthRequire
	}
	if o.Policy != "" {
		options.With = append(options.With, o.Policy)
	}
	return options
}

// Service returns the service without Serve and Run, one of which the caller sets.
func (e *Endpoint) Service() firmware.Service {
	return firmware.Service{Name: e.Name, Plain: e.plain, Open: e.Open}
}

// Open opens the listener, and registers the endpoint with the system. It is
// firmware.Service's. Errors are an *IdentityError, a *GroupError and those of
// tlsio.Listen.
func (e *Endpoint) Open(ctx context.Context, s *firmware.System) (net.Listener, error) {
	most := e.options.MaxConnections
	if most == 0 {
		most = (firmware.MaxConnections() + e.share - 1) / e.share
	}
	n := &network{Network: s.Net, endpoint: e, report: firmware.Refusals(s.Log, e.Name)}
	n.refused = func(remote net.Addr, err error) {
		e.count(err)
		n.report(remote, err)
	}
	var l net.Listener
	var err error
	if e.plain {
		e.admission.max = most
		l, err = n.plain(ctx, e.options.Listen)
	} else {
		options := e.tlsOptions()
		options.MaxConnections, options.MaxHandshakes = most, e.options.MaxHandshakes
		if options.HandshakeRate = firmware.HandshakeRate(); e.options.HandshakeRate > 0 {
			options.HandshakeRate = tlsio.HandshakeRate{PerSecond: e.options.HandshakeRate}
		}
		options.Admit, options.OnRefused = e.admission.asks, n.refused
		if options.GetCertificate, err = serverCertificate(s.Certs, e.options.Identity); err != nil {
			return nil, err
		}
		if options.ClientAuth != tlsio.ClientAuthNone {
			if err := Trust(&options, s.Certs, e.options.ClientGroup); err != nil {
				return nil, err
			}
		}
		if l, err = tlsio.Listen(ctx, n, e.options.Listen, options); err == nil {
			l = &secured{l, e}
		}
	}
	if err == nil {
		firmware.Register(s, e)
	}
	return l, err
}

// count notes a refusal by its kind.
func (e *Endpoint) count(err error) {
	kind := tally.Broken
	untold, isUntold := errors.AsType[*tlsio.UntoldError](err)
	stage := tlsio.Stage("")
	if te, ok := errors.AsType[*tlsio.Error](err); ok {
		stage = te.Stage
	}
	switch {
	case errors.Is(err, ErrIdle), errors.Is(err, ErrStalled):
		return // the connection has counted it
	case isUntold:
		e.Tally.Errors[tally.Connections].Add(uint64(untold.Count))
		return
	case errors.Is(err, ErrBlocked):
		kind = tally.Address
	case errors.Is(err, ErrRate), errors.Is(err, tlsio.ErrHandshakeRate):
		kind = tally.Rate
	case errors.Is(err, ErrTooMany), errors.Is(err, ErrTooManyOfAddress), errors.Is(err, tlsio.ErrTooManyConnections), errors.Is(err, tlsio.ErrEvicted), errors.Is(err, tlsio.ErrBudget):
		kind = tally.Connections
	case stage == tlsio.StageVerify:
		kind = tally.Certificate
	case stage == tlsio.StageHandshake:
		kind = tally.Handshake
	}
	e.Tally.Fail(kind)
}

// network is the system's, whose connections are counted and guarded.
type network struct {
	inet.Network
	endpoint *Endpoint
	report   func(net.Addr, error) // logs a refusal
	refused  func(net.Addr, error) // counts and logs it
}

// ListenAdmit implements tlsio.AdmittingNetwork.
func (n *network) ListenAdmit(ctx context.Context, proto, address string, admit func(netip.AddrPort) bool) (net.Listener, error) {
	l, err := tlsio.ListenAdmit(ctx, n.Network, proto, address, admit)
	if err != nil {
		return nil, err
	}
	return &listener{l, n}, nil
}

// plain opens a listener without TLS.
func (n *network) plain(ctx context.Context, address string) (net.Listener, error) {
	r := &reporter{endpoint: n.endpoint, reports: make(chan report, 64), done: make(chan struct{}), log: n.report}
	n.refused = r.tell
	l, err := n.ListenAdmit(ctx, "tcp", address, func(remote netip.AddrPort) bool {
		err := n.endpoint.admission.asks(remote)
		if err != nil {
			r.tell(net.TCPAddrFromAddrPort(remote), err)
		}
		return err == nil
	})
	if err != nil {
		return nil, err
	}
	go r.run()
	return &plainListener{Listener: l, reporter: r}, nil
}

// A reporter logs refusals from a goroutine of its own: who refuses can't wait.
type reporter struct {
	endpoint *Endpoint
	log      func(net.Addr, error)
	reports  chan report
	done     chan struct{}
	once     sync.Once
}

type report struct {
	addr net.Addr
	err  error
}

func (r *reporter) tell(addr net.Addr, err error) {
	r.endpoint.count(err)
	select {
	case r.reports <- report{addr, err}:
	default: // there are more than the log would show
	}
}

func (r *reporter) run() {
	for {
		select {
		case one := <-r.reports:
			r.log(one.addr, one.err)
		case <-r.done:
			return
		}
	}
}

type plainListener struct {
	net.Listener
	*reporter
}

func (l *plainListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return l.Listener.Close()
}

// listener counts and guards what it accepts.
type listener struct {
	net.Listener
	network *network
}

func (l *listener) Accept() (net.Conn, error) {
	e := l.network.endpoint
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		remote := addrPort(conn.RemoteAddr())
		if err := e.admission.enter(remote); err != nil {
			addr := conn.RemoteAddr()
			Reset(conn)
			l.network.refused(addr, err)
			continue
		}
		e.Tally.Accepted.Add(1)
		e.Tally.Open.Add(1)
		return guard(conn, e.idle, e.stall, &e.Tally, func() {
			e.Tally.Open.Add(-1)
			e.admission.leave(remote)
		}), nil
	}
}

// secured counts handshakes.
type secured struct {
	net.Listener
	endpoint *Endpoint
}

func (l *secured) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err == nil {
		l.endpoint.Tally.Handshakes.Add(1)
		if c, ok := conn.(*tlsio.Conn); ok && c.ConnectionState().DidResume {
			l.endpoint.Tally.Resumed.Add(1)
		}
	}
	return conn, err
}

// New makes a TLS service of a function that answers one connection: see
// firmware.Service.Serve. All wrong options are reported at once, as
// *tlsio.OptionError joined in a *tlsio.Error.
func New(o Options, serve func(ctx context.Context, conn net.Conn)) (firmware.Service, error) {
	return newService("endpoint.New", "service", o, serve)
}

// Echo makes a service that returns what it receives, as firmware.Echo does.
func Echo(o Options) (firmware.Service, error) {
	return newService("endpoint.Echo", "echo", o, firmware.Echo)
}

func newService(op, kind string, o Options, serve func(context.Context, net.Conn)) (firmware.Service, error) {
	var p Problems
	e := Check(kind, o, false, &p)
	if serve == nil {
		p.Add("serve", nil, "required: what answers a connection")
	}
	if err := p.Err(op); err != nil {
		return firmware.Service{}, err
	}
	service := e.Service()
	service.Serve = serve
	return service, nil
}
