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

	// TLS is 419's tls option. TLS.Host is required, but for servers.
	TLS TLSOptions

	// From is a *TCP, on whose connection a TLS session is begun (bytes that it
	// has not read belong to that session), or a *TLS, whose session goes on; TLS
	// must then be zero.
	From Socket
	// Server makes us the server of the session begun on From, a *TCP: STARTTLS
	// on the side that was asked for it. TLS then has a server's options; those
	// that limit a listener don't apply.
	Server bool

	Format        Format
	Target        any
	IdleTimeout   time.Duration // begins when the handshake is done
	AllowHalfOpen bool          // the peer's end is its close_notify, or its transport's

	OnReadable func(t *TLS, bytes int)
	// OnWritable is called first when the handshake is done.
	OnWritable func(t *TLS, bytes int)
	// OnError is also told of failed handshakes. Its err is an *Error.
	OnError   func(t *TLS, err error)
	OnEnd     func(t *TLS)
	OnTimeout func(t *TLS)
}

// TLS is ECMA-419's TLS class: a secured connection that never waits. Make it with
// NewTLS; TLSListener makes the server's side.
type TLS struct{ instance }

func (t *TLS) socket() *instance { return &t.instance }

// NewTLS makes a TLS and begins to connect and secure it, or to take over From. It
// never calls callbacks.
func NewTLS(app *App, options TLSClientOptions) (*TLS, error) {
	const op = "NewTLS"
	common := socketOptions{
		set:    settings{options.NoDelay, options.KeepAlive},
		format: options.Format, target: options.Target,
		idle: options.IdleTimeout, halfOpen: options.AllowHalfOpen,
	}
	var errs optionErrors
	common.check(&errs, app, options.OnEnd != nil)
	var plain, secured *instance
	var addr string
	switch f := options.From.(type) {
	case nil:
		addr = checkEndpoint(&errs, options.Address, options.Port)
	case *TCP:
		plain = checkFrom(&errs, app, f != nil, func() *instance { return f.socket() })
	case *TLS:
		secured = checkFrom(&errs, app, f != nil, func() *instance { return f.socket() })
		if !options.TLS.isZero() {
			errs.add("TLS", nil, "must be zero with From a TLS, whose session goes on")
		}
	default:
		errs.add("From", fmt.Sprintf("a %T", f), "use a *TCP or a *TLS")
	}
	secure, one := options.context(&errs)
	if err := errs.err(op); err != nil {
		return nil, err
	}

	t := &TLS{}
	t.init(&common, bind(t, Handlers[*TLS]{options.OnReadable, options.OnWritable, options.OnError, options.OnEnd, options.OnTimeout}))
	if secured != nil {
		if err := t.takeOver(op, secured, &common); err != nil {
			return nil, err
		}
		return t, nil
	}

	var transport connector
	var old *link
	var account *Account
	if plain != nil {
		var err error
		if old, err = plain.enter(op); err != nil {
			return nil, err
		}
		if old.ending {
			old.mu.Unlock()
			return nil, &Error{Op: op, Stage: StageOptions, Err: &OptionError{"From", nil, "its sending side is closed; begin TLS before End"}}
		}
		account = old.account
		if err := account.Reserve(BudgetConnections, costHandshake-costPlain); err != nil {
			old.mu.Unlock()
			return nil, &Error{Op: op, Stage: StageConnect, Err: err}
		}
	} else {
		var err error
		transport, account, err = app.hold(op, addr, dialer(app.network, op, addr), cost{handshake: costHandshake, connection: costConnection})
		if err != nil {
			return nil, err
		}
	}
	l := newLink(app, op)
	t.own(l, &common)
	l.join(account)
	if old != nil {
		if !old.counted {
			l.unref()
		}
		l.shaking = old.conn
		if l.acceptor = old.acceptor; l.acceptor != nil {
			l.acceptor.replace(old, l)
		}
		old.detach()
		old.mu.Unlock()
	}
	l.start(func(ctx context.Context) (net.Conn, error) {
		var raw net.Conn
		var unread []byte
		var err error
		if old != nil {
			// A peer that doesn't read what came before can't do a handshake.
			raw, unread, err = old.take(ctx, secure.current.Load().handshakeTimeout(one))
		} else {
			raw, err = transport(ctx)
		}
		if err != nil {
			return nil, err
		}
		l.shakes(raw)
		one.Unread = unread
		c, err := secure.current.Load().secure(ctx, op, raw, one)
		if err != nil {
			return nil, err
		}
		established(raw)
		return c, nil
	})
	return t, nil
}

// context makes the context of the session that is to be begun, or nil if there is
// a session.
func (o *TLSClientOptions) context(errs *optionErrors) (*SecureContext, *SecureOptions) {
	switch o.From.(type) {
	case *TLS:
		if o.Server {
			errs.add("Server", true, "leave it out with From a TLS, whose session has its roles")
		}
		return nil, nil
	case *TCP:
		if o.Server && o.TLS.hasLimits() {
			errs.add("TLS."+limitNames, nil, "are for listeners; leave them out")
		}
	default:
		if o.Server {
			errs.add("Server", true, "needs From, the connection that a client has made; TLSListener accepts such")
		}
	}
	if o.Server {
		return o.TLS.serverContext(errs, "TLS.")
	}
	return o.TLS.clientContext(errs, "TLS.")
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
