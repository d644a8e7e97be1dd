package tlsio

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"time"
)

// TLSClientOptions are the options of ECMA-419 section 10.15; what is not
// explained here is as in TCPOptions.
type TLSClientOptions struct {
	Address   string
	Port      int
	NoDelay   bool
	KeepAlive time.Duration

	// TLS is 419's tls option. TLS.Host is required.
	TLS TLSOptions

	// From is a *TCP, on whose connection a TLS session is begun (bytes that it
	// has not read belong to that session), or a *TLS, whose session goes on; TLS
	// must then be zero.
	From Socket

	Format Format
	Target any

	OnReadable func(t *TLS, bytes int)
	// OnWritable is called first when the handshake is done.
	OnWritable func(t *TLS, bytes int)
	// OnError is also told of failed handshakes. Its err is an *Error.
	OnError func(t *TLS, err error)
}

// TLS is ECMA-419's TLS class: a secured connection that never waits. Make it with
// NewTLS; TLSListener makes the server's side.
type TLS struct{ instance }

func (t *TLS) socket() *instance { return &t.instance }

// NewTLS makes a TLS and begins to connect and secure it, or to take over From. It
// never calls callbacks.
func NewTLS(app *App, options TLSClientOptions) (*TLS, error) {
	const op = "NewTLS"
	var errs optionErrors
	checkApp(&errs, app)
	format := options.Format.check(&errs, "Format")
	checkKeepAlive(&errs, options.KeepAlive)
	var plain, secured *instance
	var addr string
	var secure *SecureContext
	var one *SecureOptions
	switch f := options.From.(type) {
	case nil:
		addr = checkEndpoint(&errs, options.Address, options.Port)
	case *TCP:
		plain = checkFrom(&errs, f != nil, func() *instance { return f.socket() })
	case *TLS:
		secured = checkFrom(&errs, f != nil, func() *instance { return f.socket() })
		if !options.TLS.isZero() {
			errs.add("TLS", nil, "must be zero with From a TLS, whose session goes on")
		}
	default:
		errs.add("From", fmt.Sprintf("a %T", f), "use a *TCP or a *TLS")
	}
	for _, from := range []*instance{plain, secured} {
		if from != nil {
			checkSameApp(&errs, app, from)
		}
	}
	if _, ok := options.From.(*TLS); !ok {
		secure, one = options.TLS.clientContext(&errs, "TLS.")
	}
	if err := errs.err(op); err != nil {
		return nil, err
	}

	t := &TLS{}
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
	if secured != nil {
		if err := t.takeOver(op, secured, set); err != nil {
			return nil, err
		}
		return t, nil
	}

	transport := dialer(app.network, op, addr)
	var old *link
	if plain != nil {
		var err error
		if old, err = plain.enter(op); err != nil {
			return nil, err
		}
		old.detach()
		old.mu.Unlock()
	}
	l := newLink(app, op)
	l.owner, l.set = &t.instance, set
	t.link.Store(l)
	l.start(func(ctx context.Context) (net.Conn, error) {
		var raw net.Conn
		var unread []byte
		var err error
		if old != nil {
			raw, unread, err = old.take(ctx)
		} else {
			raw, err = transport(ctx)
		}
		if err != nil {
			return nil, err
		}
		one.Unread = unread
		c, err := secure.current.Load().connect(ctx, op, raw, one)
		if err != nil {
			return nil, err
		}
		return c, nil
	})
	return t, nil
}

// newAcceptedTLS is the TLS that a TLSListener's Read returns.
func newAcceptedTLS(app *App, conn net.Conn) *TLS {
	t := &TLS{}
	t.format = FormatBuffer
	accepted(&t.instance, app, conn)
	return t
}

// ConnectionState returns what was negotiated; ok is false until the handshake is
// done.
func (t *TLS) ConnectionState() (state tls.ConnectionState, ok bool, err error) {
	l, err := t.enter("ConnectionState")
	if err != nil {
		return state, false, err
	}
	secured := l.secured
	l.mu.Unlock()
	if secured == nil {
		return state, false, nil
	}
	return secured.ConnectionState(), true, nil
}

// MaximumFragmentLengthNegotiated is always false; see Conn's method of this name.
func (t *TLS) MaximumFragmentLengthNegotiated() bool { return false }
