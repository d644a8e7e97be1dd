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
}

// TCP is ECMA-419's TCP class: a connection that never waits. Make it with NewTCP.
type TCP struct{ instance }

func (t *TCP) socket() *instance { return &t.instance }

// NewTCP makes a TCP and begins to connect, or to take over From. It never calls
// callbacks.
func NewTCP(app *App, options TCPOptions) (*TCP, error) {
	const op = "NewTCP"
	var errs optionErrors
	checkApp(&errs, app)
	format := options.Format.check(&errs, "Format")
	checkKeepAlive(&errs, options.KeepAlive)
	var from *instance
	var addr string
	switch f := options.From.(type) {
	case nil:
		addr = checkEndpoint(&errs, options.Address, options.Port)
	case *TCP:
		if from = checkFrom(&errs, f != nil, func() *instance { return f.socket() }); from != nil {
			checkSameApp(&errs, app, from)
		}
	default:
		errs.add("From", fmt.Sprintf("a %T", f), "a TCP would read ciphertext; use NewTLS")
	}
	if err := errs.err(op); err != nil {
		return nil, err
	}

	t := &TCP{}
	t.format = format
	t.SetTarget(options.Target)
	if f := options.OnReadable; f != nil {
		t.onReadable = func(n int) { f(t, n) }
	}
	if f := options.OnWritable; f != nil {
		t.onWritable = func(n int) { f(t, n) }
	}
	if f := options.OnError; f != nil {
		t.onError = func(err error) { f(t, err) }
	}
	set := settings{options.NoDelay, options.KeepAlive}
	if from != nil {
		if err := t.takeOver(op, from, set); err != nil {
			return nil, err
		}
		return t, nil
	}
	l := newLink(app, op)
	l.owner, l.set = &t.instance, set
	t.link.Store(l)
	l.start(dialer(app.network, op, addr))
	return t, nil
}

// newAcceptedTCP is the TCP that a Listener's Read returns.
func newAcceptedTCP(app *App, conn net.Conn) *TCP {
	t := &TCP{}
	t.format = FormatBuffer
	accepted(&t.instance, app, conn)
	return t
}

func accepted(i *instance, app *App, conn net.Conn) {
	l := newLink(app, "Read")
	l.owner = i
	i.link.Store(l)
	l.startOn(conn)
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
func (i *instance) takeOver(op string, from *instance, set settings) error {
	l, err := from.enter(op)
	if err != nil {
		return err
	}
	defer l.mu.Unlock()
	l.set = set
	if l.conn != nil {
		raw := l.conn
		if l.secured != nil {
			raw = l.secured.NetConn()
		}
		// A connection that has ended can't be set up any more; OnError tells.
		if err := set.apply(op, raw); err != nil {
			if _, unsupported := errors.AsType[*OptionError](err); unsupported {
				return err
			}
		}
	}
	i.link.Store(l)
	l.moveTo(i)
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

// checkFrom checks that From can be handed over now. present is false for a nil
// pointer.
func checkFrom(errs *optionErrors, present bool, get func() *instance) *instance {
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
	return from
}

func checkSameApp(errs *optionErrors, app *App, from *instance) {
	if l := from.link.Load(); app != nil && l.app != app {
		errs.add("From", nil, "belongs to another App; instances can't change theirs")
	}
}
