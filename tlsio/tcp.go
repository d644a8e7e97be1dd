package tlsio

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Socket is an instance that connections can be taken from: a *TCP or a *TLS.
type Socket interface{ socket() *instance }

// TCPOptions are the options of ECMA-419 section 10.12.1.
type TCPOptions struct {
	// Address is the peer's IP address; names must be resolved before. Port is
	// 1 to 65535. Both are required but with From, when they are ignored.
	Address string
	Port    int

	// NoDelay switches Nagle's algorithm off; the default is on, as 419 has it.
	NoDelay bool
	// KeepAlive is the interval of keep-alive probes, 1 ms or more; 0 for none.
	KeepAlive time.Duration

	// From is an instance whose connection this one takes over, with the bytes not
	// read yet and what has not been told yet. It is closed, and none of its
	// callbacks is called any more.
	From Socket

	Format Format // FormatBuffer if empty
	Target any    // anything; see Target

	// IdleTimeout is as by SetIdleTimeout; 0 for none.
	IdleTimeout time.Duration
	// AllowHalfOpen keeps the connection usable for writing after the peer has
	// ended its data, of which OnEnd tells; it is required then. OnError(io.EOF)
	// comes when we have ended too. Without it the peer's end is an error.
	AllowHalfOpen bool

	// OnReadable is called once when bytes arrive, with the number available, and
	// not again until more arrive.
	OnReadable func(t *TCP, bytes int)
	// OnWritable is called first when the connection is set up, and then whenever
	// output was sent, with the number of bytes that Write takes now.
	OnWritable func(t *TCP, bytes int)
	// OnError is called once, when the connection has failed or the peer has
	// closed it, after all bytes that arrived before were read. After it only
	// Close may be called.
	OnError func(t *TCP, err error)
	// OnEnd is called once, when the peer has ended its data and all of it was
	// read; without AllowHalfOpen, OnError follows.
	OnEnd func(t *TCP)
	// OnTimeout is called when the idle timeout has passed; see SetIdleTimeout.
	OnTimeout func(t *TCP)
}

// TCP is ECMA-419's TCP class: a connection that never waits. Make it with NewTCP.
type TCP struct{ instance }

func (t *TCP) socket() *instance { return &t.instance }

// NewTCP makes a TCP and begins to connect, or to take over From. It never calls
// callbacks.
func NewTCP(app *App, options TCPOptions) (*TCP, error) {
	const op = "NewTCP"
	common := socketOptions{
		set:    settings{options.NoDelay, options.KeepAlive},
		format: options.Format, target: options.Target,
		idle: options.IdleTimeout, halfOpen: options.AllowHalfOpen,
	}
	var errs optionErrors
	common.check(&errs, app, options.OnEnd != nil)
	var from *instance
	var addr string
	switch f := options.From.(type) {
	case nil:
		addr = checkEndpoint(&errs, options.Address, options.Port)
	case *TCP:
		from = checkFrom(&errs, app, f != nil, func() *instance { return f.socket() })
	default:
		errs.add("From", fmt.Sprintf("a %T", f), "a TCP would read ciphertext; use NewTLS")
	}
	if err := errs.err(op); err != nil {
		return nil, err
	}

	t := &TCP{}
	t.init(&common, bind(t, Handlers[*TCP]{options.OnReadable, options.OnWritable, options.OnError, options.OnEnd, options.OnTimeout}))
	if from != nil {
		if err := t.takeOver(op, from, &common); err != nil {
			return nil, err
		}
		return t, nil
	}
	connect, account, err := app.hold(op, addr, dialer(app.network, op, addr), cost{connection: costPlain})
	if err != nil {
		return nil, err
	}
	l := newLink(app, op)
	t.own(l, &common)
	l.join(account)
	l.start(connect)
	return t, nil
}

// socketOptions are the options that TCP and TLS have in common.
type socketOptions struct {
	set      settings
	format   Format
	target   any
	idle     time.Duration
	halfOpen bool
}

func (o *socketOptions) check(errs *optionErrors, app *App, onEnd bool) {
	checkApp(errs, app)
	o.format = o.format.check(errs, "Format")
	checkKeepAlive(errs, o.set.keepAlive)
	if o.idle < 0 {
		errs.add("IdleTimeout", o.idle, "use a positive duration, or 0 for none")
	}
	if o.halfOpen && !onEnd {
		errs.add("OnEnd", nil, needOnEnd)
	}
}

const needOnEnd = "required with AllowHalfOpen: nothing else would tell of the peer's end"

// init prepares a new instance.
func (i *instance) init(o *socketOptions, c callbacks) {
	i.format, i.halfOpen, i.calls = o.format, o.halfOpen, c
	i.SetTarget(o.target)
}

// own makes a new instance the owner of a link that was not started yet.
func (i *instance) own(l *link, o *socketOptions) {
	l.owner, l.set, l.idle.after = i, o.set, o.idle
	i.link.Store(l)
}

// settings are the socket options of 419.
type settings struct {
	noDelay   bool
	keepAlive time.Duration
}

func (s settings) apply(op string, conn net.Conn) error {
	err := setNoDelay(conn, s.noDelay)
	if err == nil {
		err = setKeepAlive(conn, s.keepAlive)
	}
	if err != nil {
		return newError(op, conn.RemoteAddr(), StageConnect, nil, false, err)
	}
	return nil
}

func dialer(network Network, op, addr string) connector {
	return func(ctx context.Context) (net.Conn, error) {
		conn, err := network.DialContext(ctx, "tcp", addr)
		if err != nil {
			return nil, dialError(op, addr, err)
		}
		return conn, nil
	}
}

// takeOver moves from's link to i.
func (i *instance) takeOver(op string, from *instance, o *socketOptions) error {
	l, err := from.enter(op)
	if err != nil {
		return err
	}
	defer l.mu.Unlock()
	l.set = o.set
	if l.conn != nil {
		raw := l.conn
		if l.secured != nil {
			raw = l.secured.NetConn()
		}
		// A connection that has ended can't be set up any more; OnError tells.
		if err := o.set.apply(op, raw); err != nil {
			if _, unsupported := errors.AsType[*OptionError](err); unsupported {
				return err
			}
		}
	}
	from.moved = true
	i.link.Store(l)
	l.moveTo(i)
	l.setIdle(o.idle)
	return nil
}

func checkApp(errs *optionErrors, app *App) {
	if app == nil {
		errs.add("app", nil, "required; make one with NewApp")
	} else if app.network == nil {
		errs.add("app", nil, "has no network; give NewApp one, such as HostNetwork{}")
	}
}

func checkKeepAlive(errs *optionErrors, d time.Duration) {
	if d != 0 && d < time.Millisecond {
		errs.add("KeepAlive", d, "use a millisecond or more, or 0 for none")
	}
}

func checkEndpoint(errs *optionErrors, address string, port int) string {
	ip := checkAddress(errs, address)
	if address == "" {
		errs.add("Address", nil, "required: the peer's IP address")
	}
	if port < 1 || port > 65535 {
		errs.add("Port", port, "required: 1 to 65535")
	}
	return net.JoinHostPort(ip, strconv.Itoa(port))
}

// checkAddress checks an optional IP address, in brackets or not.
func checkAddress(errs *optionErrors, address string) string {
	if address == "" {
		return ""
	}
	ip, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(address, "["), "]"))
	if err != nil {
		errs.add("Address", fmt.Sprintf("%q", address), "use an IP address; resolve names before")
		return ""
	}
	return ip.String()
}

// checkFrom checks that From can be handed over to app now. present is false for a
// nil pointer.
func checkFrom(errs *optionErrors, app *App, present bool, get func() *instance) *instance {
	if !present {
		errs.add("From", "a nil pointer", "give an open instance")
		return nil
	}
	from := get()
	l, err := from.enter("From")
	if err != nil {
		errs.add("From", nil, "is closed, failed, or was handed over before; give an open instance")
		return nil
	}
	l.mu.Unlock()
	if app != nil && l.app != app {
		errs.add("From", nil, "belongs to another App; instances can't change theirs")
	}
	return from
}
