package resolver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"

	"ingot.dev/net/dns"
	"ingot.dev/tlsio"
)

// MaxPending limits the names that one Resolver looks up at once.
const MaxPending = 64

// ErrTooMany is returned by Resolve when MaxPending names are being looked up.
var ErrTooMany = errors.New("resolver: too many names at once; wait for a callback")

// Options are those of section 18.2. The sockets are of the App's network.
type Options struct {
	// Servers are the name servers, IP addresses with or without port, asked in
	// turn until one knows the answer. At least one is required.
	Servers []string
}

// Resolver looks names up. Its methods may be called from any goroutine and, but
// for Lookup, never wait.
type Resolver struct {
	app     *tlsio.App
	servers []dns.Server
	ctx     context.Context
	cancel  context.CancelFunc

	mu      sync.Mutex
	pending int
	closed  bool
}

// New makes a Resolver on app's network.
func New(app *tlsio.App, o Options) (*Resolver, error) {
	var errs []error
	r := &Resolver{app: app}
	if app == nil || app.Network() == nil {
		errs = append(errs, &tlsio.OptionError{Option: "app", Fix: "required, with a network"})
	}
	if len(o.Servers) == 0 {
		errs = append(errs, &tlsio.OptionError{Option: "Servers", Fix: "required: the IP address of a name server"})
	}
	for i, text := range o.Servers {
		addr, err := serverAddr(text)
		if err != nil {
			errs = append(errs, &tlsio.OptionError{Option: fmt.Sprintf("Servers[%d]", i), Value: text, Fix: "use an IP address, or one with a port: 192.0.2.1:53, [2001:db8::1]:53"})
			continue
		}
		r.servers = append(r.servers, dns.Server{Addr: addr, Dial: r.dial})
	}
	if errs != nil {
		return nil, &tlsio.Error{Op: "resolver.New", Stage: tlsio.StageOptions, Err: errors.Join(errs...)}
	}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	return r, nil
}

func serverAddr(text string) (netip.AddrPort, error) {
	if ip, err := netip.ParseAddr(text); err == nil {
		return netip.AddrPortFrom(ip, 53), nil
	}
	addr, err := netip.ParseAddrPort(text)
	if err == nil && addr.Port() == 0 {
		err = errors.New("port 0")
	}
	return addr, err
}

func (r *Resolver) dial(ctx context.Context, network string, addr netip.AddrPort) (net.Conn, error) {
	return r.app.Network().DialContext(ctx, network, addr.String())
}

// Resolve looks host up and calls callback in the App's loop: with an error, or
// with the first address that the server gives, IPv4 before IPv6, in the form that
// RemoteAddress has. Several names may be pending; they come in any order. An IP
// address is answered as itself. An error of Resolve's own says that callback will
// not be called.
func (r *Resolver) Resolve(host string, callback func(err error, address, host string)) error {
	const op = "Resolve"
	if callback == nil {
		return &tlsio.Error{Op: op, Stage: tlsio.StageOptions, Err: &tlsio.OptionError{Option: "callback", Fix: "required"}}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.closed:
		return &tlsio.Error{Op: op, Stage: tlsio.StageClose, Err: tlsio.ErrClosed}
	case r.pending >= MaxPending:
		return &tlsio.Error{Op: op, Stage: tlsio.StageResolve, Err: ErrTooMany}
	}
	r.pending++
	release := r.app.Ref()
	go func() {
		addr, err := r.Lookup(r.ctx, host)
		r.app.Post(func() {
			defer release()
			r.mu.Lock()
			r.pending--
			closed := r.closed
			r.mu.Unlock()
			switch {
			case closed:
			case err != nil:
				callback(err, "", host)
			default:
				callback(nil, addr.WithZone("").StringExpanded(), host)
			}
		})
	}()
	return nil
}

// Lookup is Resolve that waits. Don't call it from callbacks.
func (r *Resolver) Lookup(ctx context.Context, host string) (netip.Addr, error) {
	const op = "Resolve"
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.Unmap(), nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(r.ctx, cancel)()
	var err error
	for _, server := range r.servers {
		var addrs []netip.Addr
		if addrs, err = server.Lookup(ctx, host); err == nil {
			v4 := slices.IndexFunc(addrs, netip.Addr.Is4)
			return addrs[max(v4, 0)], nil
		}
		if e, ok := errors.AsType[*net.DNSError](err); ok && e.IsNotFound || ctx.Err() != nil {
			break
		}
	}
	if r.ctx.Err() != nil {
		err = tlsio.ErrClosed
	}
	return netip.Addr{}, &tlsio.Error{Op: op, Addr: host, Stage: tlsio.StageResolve, Err: err}
}

// Close ends the Resolver. No callback begins after it. Closing again does nothing.
func (r *Resolver) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	r.cancel()
	return nil
}
