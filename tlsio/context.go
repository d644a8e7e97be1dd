package tlsio

import (
	"context"
	"net"
	"sync/atomic"
	"time"
)

// SecureContext is a validated TLSOptions, made once and used for any number of
// connections, at the same time too. What belongs to more than one connection
// lives in it: parsed certificates, session caches, ticket keys.
type SecureContext struct {
	server  bool
	current atomic.Pointer[terms]
}

// NewServerContext makes a context for the server's role. Limits of listeners
// (MaxHandshakes, MaxConnections, OnRefused) are not its matter; give them beside
// it.
func NewServerContext(o TLSOptions) (*SecureContext, error) {
	return newContext("NewServerContext", &o, true)
}

// NewClientContext makes a context for the client's role. o.Host may be empty; it
// must then be given with each connection.
func NewClientContext(o TLSOptions) (*SecureContext, error) {
	return newContext("NewClientContext", &o, false)
}

func newContext(op string, o *TLSOptions, server bool) (*SecureContext, error) {
	t, err := contextTerms(op, o, server)
	if err != nil {
		return nil, err
	}
	return (&SecureContext{server: server}).with(t), nil
}

func (c *SecureContext) with(t *terms) *SecureContext {
	c.current.Store(t)
	return c
}

// contextTerms makes the terms of an explicit context.
func contextTerms(op string, o *TLSOptions, server bool) (*terms, error) {
	var errs optionErrors
	if o.Context != nil {
		errs.add("Context", nil, "is a context already; leave it out")
	}
	if server && (o.MaxHandshakes != 0 || o.MaxConnections != 0 || o.OnRefused != nil) {
		errs.add("MaxHandshakes, MaxConnections, OnRefused", nil, "are a listener's; give them beside Context")
	}
	t := o.terms(&errs, "", server)
	return t, errs.err(op)
}

// Reload replaces the options, for the same role. Handshakes that begin later use
// the new ones; connections and handshakes under way keep theirs. If o is refused,
// nothing changes.
func (c *SecureContext) Reload(o TLSOptions) error {
	t, err := contextTerms("Reload", &o, c.server)
	if err != nil {
		return err
	}
	c.current.Store(t)
	return nil
}

// SecureOptions are those of one connection.
type SecureOptions struct {
	// Unread holds bytes that were read from the transport already and belong to
	// the TLS session.
	Unread []byte
	// Host replaces TLSOptions.Host. Client only.
	Host string
	// HandshakeTimeout replaces TLSOptions.HandshakeTimeout; 0 leaves it.
	HandshakeTimeout time.Duration
	// VerifyPeer replaces TLSOptions.VerifyPeer; nil leaves it.
	VerifyPeer func(*State) error
}

func (o *SecureOptions) check(errs *optionErrors, t *terms) {
	if t.server && o.Host != "" {
		errs.add("Host", o.Host, "is for clients; leave it out")
	}
	if !t.server {
		o.Host = checkHost(errs, "Host", o.Host)
		if o.Host == "" && t.rules.host == "" {
			errs.add("Host", nil, needHost)
		}
	}
	if o.HandshakeTimeout < 0 {
		errs.add("HandshakeTimeout", o.HandshakeTimeout, "use a positive duration, or 0 for the context's")
	}
}

const needHost = "required: the server's name, for SNI and to compare with its certificate"

// Secure begins TLS on conn, in the context's role, and returns when the handshake
// is done. It takes conn over: when it fails, conn is closed. ctx limits the
// handshake, not the connection's life.
func (c *SecureContext) Secure(ctx context.Context, conn net.Conn, o SecureOptions) (*Conn, error) {
	const op = "Secure"
	t := c.current.Load()
	var errs optionErrors
	if conn == nil {
		errs.add("conn", nil, "required")
	}
	o.check(&errs, t)
	if err := errs.err(op); err != nil {
		return nil, err
	}
	return t.secure(ctx, op, conn, &o)
}

func (t *terms) secure(ctx context.Context, op string, raw net.Conn, o *SecureOptions) (*Conn, error) {
	conn := t.conn(raw, o)
	if err := conn.handshake(ctx, op, t.handshakeTimeout(o)); err != nil {
		return nil, err
	}
	return conn, nil
}

func (t *terms) handshakeTimeout(o *SecureOptions) time.Duration {
	if o.HandshakeTimeout != 0 {
		return o.HandshakeTimeout
	}
	return t.timeout
}

// context returns the SecureContext that o names, or makes one of o. It also
// completes the options of a connection: what stands beside Context. The result is
// of use only if errs didn't grow.
func (o *TLSOptions) context(errs *optionErrors, prefix string, server bool) (*SecureContext, *SecureOptions) {
	one := &SecureOptions{}
	c := o.Context
	if c == nil {
		c = (&SecureContext{server: server}).with(o.terms(errs, prefix, server))
		if !server && o.Host == "" {
			errs.add(prefix+"Host", nil, needHost)
		}
		return c, one
	}
	if c.server != server {
		errs.add(prefix+"Context", nil, "is of the other role; use NewServerContext for listeners, NewClientContext for clients")
		return c, one
	}
	if !o.withoutContext().isZero() {
		errs.add(prefix+"Context", nil, "stands in place of the other options; leave those out, or give them to the context")
	}
	one.Host, one.HandshakeTimeout = o.Host, o.HandshakeTimeout
	var own optionErrors
	one.check(&own, c.current.Load())
	for _, err := range own {
		e := err.(*OptionError)
		errs.add(prefix+e.Option, e.Value, e.Fix)
	}
	if server {
		o.checkLimits(errs, prefix)
	} else if o.MaxHandshakes != 0 || o.MaxConnections != 0 || o.OnRefused != nil {
		errs.add(prefix+"MaxHandshakes, MaxConnections, OnRefused", nil, "are for listeners; leave them out")
	}
	return c, one
}
