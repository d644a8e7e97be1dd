package tlsio

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
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
	// beside checks what stands beside an explicit context in the options of a
	// connection or listener. It is a field, so that programs without explicit
	// contexts don't carry its code.
	beside func(c *SecureContext, server bool, o *TLSOptions, errs *optionErrors, prefix string) *SecureOptions
}

// NewServerContext makes a context for the server's role. Limits of listeners
// (MaxHandshakes, MaxConnections, HandshakeRate, Admit, Budget, OnRefused) are not its matter; give them beside
// it.
func NewServerContext(o TLSOptions) (*SecureContext, error) {
	t, err := serverContextTerms("NewServerContext", &o)
	if err != nil {
		return nil, err
	}
	c := newContext(t, checkBeside)
	c.keepTickets(t)
	return c, nil
}

// NewClientContext makes a context for the client's role. o.Host may be empty; it
// must then be given with each connection.
func NewClientContext(o TLSOptions) (*SecureContext, error) {
	t, err := clientContextTerms("NewClientContext", &o)
	if err != nil {
		return nil, err
	}
	if t.sessions == nil && !o.NoSessions {
		t.sessions = newSessionCache(DefaultSessions)
	}
	return newContext(t, checkBeside), nil
}

func newContext(t *terms, beside func(*SecureContext, bool, *TLSOptions, *optionErrors, string) *SecureOptions) *SecureContext {
	c := &SecureContext{server: t.server, beside: beside}
	c.current.Store(t)
	return c
}

const noContext = "is a context already; leave it out"

func serverContextTerms(op string, o *TLSOptions) (*terms, error) {
	var errs optionErrors
	if o.Context != nil {
		errs.add("Context", nil, noContext)
	}
	if o.hasLimits() {
		errs.add(limitNames, nil, "are a listener's; give them beside Context")
	}
	t := o.serverTerms(&errs, "")
	return t, errs.err(op)
}

func clientContextTerms(op string, o *TLSOptions) (*terms, error) {
	var errs optionErrors
	if o.Context != nil {
		errs.add("Context", nil, noContext)
	}
	t := o.clientTerms(&errs, "")
	return t, errs.err(op)
}

// Reload replaces the options, for the same role. Handshakes that begin later use
// the new ones; connections and handshakes under way keep theirs. If o is refused,
// nothing changes.
func (c *SecureContext) Reload(o TLSOptions) error {
	make := clientContextTerms
	if c.server {
		make = serverContextTerms
	}
	t, err := make("Reload", &o)
	if err != nil {
		return err
	}
	if c.server {
		c.keepTickets(t)
	} else if t.sessions == nil && !o.NoSessions {
		t.sessions = newSessionCache(DefaultSessions) // sessions of other policies end here
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
	// VerifyPeer, VerifyMode and ClientAuth replace those of TLSOptions; nil or ""
	// leaves them. ClientAuth is for servers only.
	VerifyPeer func(*State) error
	VerifyMode VerifyMode
	ClientAuth *ClientAuth
	// GetCertificate is asked first of all which certificate to use; if it returns
	// neither one nor an error, the context's options decide. It isn't asked for
	// resumed sessions. Server only.
	GetCertificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// Session is a session to resume, as TLSOptions.Session.
	Session []byte

	session *tls.ClientSessionState // Session, parsed
}

func (o *SecureOptions) check(errs *optionErrors, prefix string, t *terms) {
	if t.server && o.Host != "" {
		errs.add(prefix+"Host", o.Host, "is for clients; leave it out")
	}
	if !t.server && o.GetCertificate != nil {
		errs.add(prefix+"GetCertificate", nil, "is for servers; leave it out")
	}
	if !t.server {
		o.Host = checkHost(errs, prefix+"Host", o.Host)
		if o.Host == "" && t.rules.host == "" {
			errs.add(prefix+"Host", nil, needHost)
		}
		o.session = checkSession(errs, prefix+"Session", o.Session, cmp.Or(o.Host, t.rules.host), t.config.SessionTicketsDisabled)
	}
	switch o.VerifyMode {
	case "", VerifyRequired, VerifyOptional, InsecureVerifyNone:
	default:
		errs.add(prefix+"VerifyMode", fmt.Sprintf("%q", string(o.VerifyMode)), "use VerifyRequired or VerifyOptional")
	}
	switch {
	case t.server && o.Session != nil:
		errs.add(prefix+"Session", nil, "is for clients; leave it out")
	case o.ClientAuth == nil:
	case !t.server:
		errs.add(prefix+"ClientAuth", string(*o.ClientAuth), "is for servers; leave it out")
	case *o.ClientAuth != ClientAuthNone && *o.ClientAuth != ClientAuthRequest && *o.ClientAuth != ClientAuthRequire:
		errs.add(prefix+"ClientAuth", string(*o.ClientAuth), `use "", "request" or "require"`)
	case *o.ClientAuth != ClientAuthNone && t.rules.roots == nil && t.rules.find == nil && cmp.Or(o.VerifyMode, t.rules.mode) != InsecureVerifyNone:
		errs.add(prefix+"ClientAuth", string(*o.ClientAuth), "needs the context's CA, which it has only if its own ClientAuth is set")
	}
	if o.HandshakeTimeout < 0 {
		errs.add(prefix+"HandshakeTimeout", o.HandshakeTimeout, "use a positive duration, or 0 for the context's")
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
	o.check(&errs, "", t)
	if err := errs.err(op); err != nil {
		if conn != nil {
			conn.Close()
		}
		return nil, err
	}
	return t.secure(ctx, op, conn, &o)
}

// secure does the handshake of either role.
func (t *terms) secure(ctx context.Context, op string, raw net.Conn, o *SecureOptions) (*Conn, error) {
	if !t.server {
		return t.connect(ctx, op, raw, o)
	}
	conn := t.serverConn(raw, o)
	if err := conn.handshake(ctx, op, t.handshakeTimeout(o)); err != nil {
		return nil, err
	}
	return conn, nil
}

// connect does a client's handshake. The context carries the connection to those
// callbacks of crypto/tls that aren't given it.
func (t *terms) connect(ctx context.Context, op string, raw net.Conn, o *SecureOptions) (*Conn, error) {
	conn := t.clientConn(raw, o)
	if err := conn.handshake(context.WithValue(ctx, connKey{}, conn), op, t.handshakeTimeout(o)); err != nil {
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

// serverContext returns the SecureContext that o names, or makes one of o, with
// the options of its connections. The result is of use only if errs didn't grow.
func (o *TLSOptions) serverContext(errs *optionErrors, prefix string) (*SecureContext, *SecureOptions) {
	o.checkLimits(errs, prefix)
	if o.Context != nil {
		return o.Context, o.Context.beside(o.Context, true, o, errs, prefix)
	}
	return newContext(o.serverTerms(errs, prefix), nil), &SecureOptions{}
}

// clientContext is serverContext's counterpart.
func (o *TLSOptions) clientContext(errs *optionErrors, prefix string) (*SecureContext, *SecureOptions) {
	if o.Context != nil {
		return o.Context, o.Context.beside(o.Context, false, o, errs, prefix)
	}
	t := o.clientTerms(errs, prefix)
	if o.Host == "" {
		errs.add(prefix+"Host", nil, needHost)
	}
	return newContext(t, nil), &SecureOptions{}
}

// checkBeside is SecureContext.beside.
func checkBeside(c *SecureContext, server bool, o *TLSOptions, errs *optionErrors, prefix string) *SecureOptions {
	one := &SecureOptions{Host: o.Host, HandshakeTimeout: o.HandshakeTimeout, Session: o.Session}
	if c.server != server {
		errs.add(prefix+"Context", nil, "is of the other role; use NewServerContext for listeners, NewClientContext for clients")
		return one
	}
	if !o.withoutContext().isZero() {
		errs.add(prefix+"Context", nil, "stands in place of the other options; leave those out, or give them to the context")
	}
	if !server && o.hasLimits() {
		errs.add(prefix+limitNames, nil, "are for listeners; leave them out")
	}
	one.check(errs, prefix, c.current.Load())
	return one
}
