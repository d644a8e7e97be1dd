package relay

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"

	"ingot.dev/firmware"
	"ingot.dev/firmware/endpoint"
	"ingot.dev/firmware/tally"
	"ingot.dev/tlsio"
)

// Terminate makes a service that takes TLS and passes what is in it to a TCP server. All
// wrong options are reported at once, as *tlsio.OptionError joined in a *tlsio.Error.
func Terminate(o TerminateOptions) (firmware.Service, error) {
	var p endpoint.Problems
	r := &relay{
		endpoint:        endpoint.Check("terminate", o.Options, false, &p),
		timeout:         p.Duration("ConnectTimeout", o.ConnectTimeout, DefaultConnectTimeout),
		allowTruncation: o.AllowTruncation,
	}
	p.Address("To", o.To, false)
	if err := p.Err("relay.Terminate"); err != nil {
		return firmware.Service{}, err
	}
	return r.service(func(s *firmware.System) (*dialer, error) {
		return newDialer(o.To, func(ctx context.Context) (net.Conn, error) {
			return r.guard(s.Net.DialContext(ctx, "tcp", o.To))
		}), nil
	}), nil
}

// Originate makes a service that takes TCP and passes it to a TLS server. All wrong
// options are reported at once, as Terminate does.
//
// Whoever reaches the listener speaks to the server as this device: listen where only
// those do who may, or say who may in Allow.
func Originate(o OriginateOptions) (firmware.Service, error) {
	var p endpoint.Problems
	r := &relay{
		endpoint:        endpoint.Check("originate", o.Options, true, &p),
		timeout:         p.Duration("ConnectTimeout", o.ConnectTimeout, DefaultConnectTimeout),
		allowTruncation: o.AllowTruncation,
	}
	p.Address("To", o.To, false)
	options := o.Upstream.tlsOptions()
	options.Host = o.Host
	if _, err := tlsio.NewClientContext(options); err != nil {
		p.AddAll("Upstream.", err)
	}
	if err := p.Err("relay.Originate"); err != nil {
		return firmware.Service{}, err
	}
	return r.service(func(s *firmware.System) (*dialer, error) {
		client, err := o.context(s.Certs)
		if err != nil {
			return nil, err
		}
		return newDialer(o.To, func(ctx context.Context) (net.Conn, error) {
			return tlsio.Dial(ctx, &guarded{s.Net, r}, o.To, tlsio.TLSOptions{Context: client})
		}), nil
	}), nil
}

// A relay is a service of either kind.
type relay struct {
	endpoint        *endpoint.Endpoint
	timeout         time.Duration
	allowTruncation bool

	// Set when the system is up.
	log    *slog.Logger
	dialer *dialer
}

// service completes the service. dialer is called when the system is up.
func (r *relay) service(dialer func(*firmware.System) (*dialer, error)) firmware.Service {
	r.endpoint.Share(2)
	service := r.endpoint.Service()
	service.Open = func(ctx context.Context, s *firmware.System) (l net.Listener, err error) {
		if r.dialer, err = dialer(s); err != nil {
			return nil, err
		}
		r.log = s.Log
		return r.endpoint.Open(ctx, s)
	}
	service.Serve = r.serve
	return service
}

// guard puts the endpoint's limit on stalls on a connection to the server.
func (r *relay) guard(conn net.Conn, err error) (net.Conn, error) {
	if err != nil {
		return nil, err
	}
	return endpoint.Guard(conn, 0, r.endpoint.StallTimeout(), nil), nil
}

// guarded is a network whose connections are guarded.
type guarded struct {
	tlsio.Network
	relay *relay
}

func (n *guarded) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return n.relay.guard(n.Network.DialContext(ctx, network, address))
}

// serve passes one connection on.
func (r *relay) serve(ctx context.Context, client net.Conn) {
	line := record{start: time.Now(), remote: client.RemoteAddr()}
	dialing, cancel := ctx, context.CancelFunc(func() {})
	if r.timeout > 0 {
		dialing, cancel = context.WithTimeout(ctx, r.timeout)
	}
	server, err := r.dialer.connect(dialing)
	cancel()
	if err != nil {
		endpoint.Reset(client)
		if line.end = "shutdown"; ctx.Err() == nil {
			r.endpoint.Tally.Fail(tally.Upstream)
			line.end, line.err = "server", err
		}
		line.secured(client)
	} else {
		line.secured(client, server)
		r.exchange(ctx, &line, client, server)
	}
	line.log(r.log, r.endpoint.Name, r.dialer.to)
}

// exchange passes on what both sides send until both have ended.
func (r *relay) exchange(ctx context.Context, line *record, client, server net.Conn) {
	defer server.Close()
	defer context.AfterFunc(ctx, func() { server.Close() })()
	var first sync.Once
	// A side that failed ends both: nobody is to take it for a proper end.
	settle := func(f *flow, reads, writes string) {
		if f.ok() {
			return
		}
		first.Do(func() {
			line.end, line.err = reads, f.readErr
			if f.writeErr != nil {
				line.end, line.err = writes, f.writeErr
			}
		})
		endpoint.Reset(client)
		endpoint.Reset(server)
	}
	in, out := flow{to: server}, flow{to: client}
	var both sync.WaitGroup
	both.Go(func() {
		out.run(server, r.allowTruncation)
		settle(&out, "server", "client")
	})
	in.run(client, r.allowTruncation)
	settle(&in, "client", "server")
	both.Wait()

	line.in, line.out = in.n, out.n
	switch {
	case line.err == nil:
		line.end = "closed"
	case ctx.Err() != nil:
		line.end, line.err = "shutdown", nil
	case line.end == "server":
		r.endpoint.Tally.Fail(tally.Upstream)
	case !errors.Is(line.err, endpoint.ErrIdle) && !errors.Is(line.err, endpoint.ErrStalled):
		r.endpoint.Tally.Fail(tally.Broken)
	}
	r.endpoint.Tally.Messages.Add(1)
}

// A record is what the log says of one connection.
type record struct {
	start   time.Time
	remote  net.Addr
	in, out int64
	end     string // closed, shutdown, or whose fault it was: client, server
	err     error

	version, peer string
	resumed       bool
}

// secured notes what was agreed on with the side that speaks TLS.
func (l *record) secured(conns ...net.Conn) {
	for _, conn := range conns {
		if c, ok := conn.(*tlsio.Conn); ok {
			state := c.State()
			l.version, l.resumed = state.VersionName(), state.DidResume
			if len(state.PeerCertificates) > 0 {
				l.peer = state.PeerCertificates[0].Subject.String()
			}
		}
	}
}

func (l *record) log(log *slog.Logger, service, to string) {
	args := []any{"service", service, "remote", l.remote, "to", to, "in", l.in, "out", l.out,
		"duration", time.Since(l.start).Round(time.Millisecond), "end", l.end}
	if l.version != "" {
		args = append(args, "tls", l.version, "resumed", l.resumed)
	}
	if l.peer != "" {
		args = append(args, "peer", l.peer)
	}
	if l.err != nil {
		args = append(args, "err", l.err)
	}
	log.Info("relayed", args...)
}
