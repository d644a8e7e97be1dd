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

// guard puts the endpoint's limits on a connection to the server. Nobody reads from a
// client that has sent everything, and so nobody would notice that its connection is idle:
// then the server's is as well, and is given a little longer so that it isn't what ends
// other connections.
func (r *relay) guard(conn net.Conn, err error) (net.Conn, error) {
	if err != nil {
		return nil, err
	}
	idle := r.endpoint.IdleTimeout()
	return endpoint.Guard(conn, idle+idle/4, r.endpoint.StallTimeout(), nil), nil
}

// guarded is a network whose connections are guarded.
type guarded struct {
	tlsio.Network
	relay *relay
}

func (n *guarded) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return n.relay.guard(n.Network.DialContext(ctx, network, address))
}

// errLeft ends the attempts to reach a server for a client that is gone.
var errLeft = errors.New("the client left")

// leaveTime is how long an attempt that is under way may go on then. A server that has seen
// it must learn that this was no proper end, and for that there has to be a connection.
const leaveTime = 3 * time.Second

// serve passes one connection on.
func (r *relay) serve(ctx context.Context, client net.Conn) {
	line := record{start: time.Now(), remote: client.RemoteAddr()}
	dialing, cancel := context.WithCancel(ctx)
	if r.timeout > 0 {
		dialing, cancel = context.WithTimeout(ctx, r.timeout)
	}
	defer cancel()
	waiting, leave := context.WithCancelCause(dialing)
	defer leave(nil)
	// The client is read from at once: nothing else tells that it breaks off.
	in := inward{to: newLate(), connected: make(chan struct{}), ended: make(chan struct{})}
	in.flow.to = in.to
	go func() {
		defer close(in.ended)
		in.run(client, r.allowTruncation)
		if !in.ok() {
			leave(errLeft)
			defer time.AfterFunc(leaveTime, cancel).Stop()
			<-in.connected
			in.settle()
		}
	}()
	server, err := r.dialer.connect(waiting, dialing)
	if err != nil {
		left := context.Cause(waiting) == errLeft
		endpoint.Reset(client)
		in.to.fail(err)
		in.settle = func() {}
		close(in.connected)
		<-in.ended
		switch {
		case ctx.Err() != nil:
			line.end = "shutdown"
		case left:
			line.end, line.err = "client", in.readErr
			r.broken(line.err)
		default:
			line.end, line.err = "server", err
			r.endpoint.Tally.Fail(tally.Upstream)
		}
		line.secured(client)
	} else {
		line.secured(client, server)
		r.exchange(ctx, &line, client, server, &in)
	}
	line.log(r.log, r.endpoint.Name, r.dialer.to)
}

// An inward flow is what a client sends. It begins before there is a server.
type inward struct {
	flow
	to        *late
	connected chan struct{} // closed when there is a server, or won't be one
	settle    func()        // set before: what to do if the flow ends badly
	ended     chan struct{} // closed at the flow's end
}

// broken counts a connection that did not end as it should. What timeouts have ended is
// counted where that was done.
func (r *relay) broken(err error) {
	if !errors.Is(err, endpoint.ErrIdle) && !errors.Is(err, endpoint.ErrStalled) {
		r.endpoint.Tally.Fail(tally.Broken)
	}
}

// exchange passes on what both sides send until both have ended.
func (r *relay) exchange(ctx context.Context, line *record, client, server net.Conn, in *inward) {
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
	in.settle = func() { settle(&in.flow, "client", "server") }
	close(in.connected)
	// Beside what follows: a server may want to be read from before it reads.
	var started sync.WaitGroup
	started.Go(func() {
		if err := in.to.start(server); err != nil {
			settle(&flow{writeErr: err}, "client", "server")
		}
	})
	out := flow{to: client}
	out.run(server, r.allowTruncation)
	settle(&out, "server", "client")
	<-in.ended
	started.Wait()

	line.in, line.out = in.n, out.n
	switch {
	case line.err == nil:
		line.end = "closed"
	case ctx.Err() != nil:
		line.end, line.err = "shutdown", nil
	case errors.Is(line.err, endpoint.ErrIdle), line.end != "server":
		r.broken(line.err)
	default:
		r.endpoint.Tally.Fail(tally.Upstream)
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
