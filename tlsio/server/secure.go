package server

import (
	"crypto/tls"
	"errors"
	"fmt"
	"strings"

	"ingot.dev/tlsio"
)

// secureContext makes the context for c's connections; nil if they have no TLS.
func (c *Config) secureContext() (*tlsio.SecureContext, error) {
	if c.StartMode == StartNone {
		return nil, nil
	}
	if c.TLS.Context != nil {
		var errs optionErrors
		if c.AuthenticateClients {
			errs.add("AuthenticateClients", true, "can't change TLS.Context; give the options themselves in TLS")
		}
		if c.text != nil {
			errs.add("TLS.Context", nil, "can't be changed by the text settings of TLS; give the options themselves in TLS")
		}
		if err := errs.err("StartListening"); err != nil {
			return nil, err
		}
		return c.TLS.Context, nil
	}
	o := c.tlsOptions()
	err := c.text.apply(&o)
	if err == nil && !c.AuthenticateClients {
		err = c.text.unused()
	}
	if err != nil {
		return nil, &Error{Op: "StartListening", Code: CodeInvalidArgument, Err: err}
	}
	return tlsio.NewServerContext(o)
}

// tlsOptions returns the options of a context.
func (c *Config) tlsOptions() tlsio.TLSOptions {
	o := c.TLS
	o.MaxHandshakes = 0 // the server's matter
	if c.AuthenticateClients {
		if o.ClientAuth == tlsio.ClientAuthNone {
			o.ClientAuth = tlsio.ClientAuthRequest
		}
		if o.VerifyMode != tlsio.InsecureVerifyNone {
			o.VerifyMode = tlsio.VerifyOptional // ClientAuthentication decides
		}
	}
	return o
}

// implicit reports whether connections begin with the handshake; port is the
// listener's.
func (c *Config) implicit(port int) bool {
	return c.StartMode == StartImplicit || c.StartMode == StartAutomatic && (c.PlaintextPort == 0 || port != c.PlaintextPort)
}

// StartTLS secures a connection in plain text. It returns at once; what was taken
// to be sent is sent first, then the handshake begins, and Connected is called
// again, with an error if it failed (then Disconnected follows). Until then
// sends take nothing (ErrWouldBlock, with a Timeout too), and DataIn isn't called: what has arrived behind the line in
// whose DataIn this was called belongs to the handshake, so that nobody can slip
// plain text into the secured connection.
func (c *Connection) StartTLS() error {
	const op = "StartTLS"
	if err := c.made(op); err != nil {
		return err
	}
	if c.server.context() == nil {
		return &Error{op, c.id, CodeNoServerCertificate, errors.New("set StartMode and TLS before listening")}
	}
	if err := c.enter(op); err != nil {
		return err
	}
	defer c.mu.Unlock()
	if err := c.usable(op); err != nil {
		return err
	}
	if c.secured != nil || c.wantTLS {
		return &Error{op, c.id, CodeAlreadyConnected, errors.New("the connection is secured already")}
	}
	if c.sending {
		return &Error{op, c.id, CodeInProgress, errors.New("a send is still waiting; its rest would be sent in plain text")}
	}
	c.wantTLS, c.ready = true, false
	c.wake()
	c.wakeReader()
	return nil
}

// handshake secures the connection, as the reading goroutine.
func (c *Connection) handshake() error {
	// The answer to the client's STARTTLS goes first.
	if !c.flush() {
		return &Error{"Connected", c.id, CodeTimedOut, errors.New("what was sent before StartTLS doesn't get through")}
	}
	secure := c.server.context()
	if secure == nil {
		return &Error{"Connected", c.id, CodeNoServerCertificate, errors.New("StartMode was changed to StartNone")}
	}
	if !c.server.gate.enter(c) {
		return &Error{"Connected", c.id, CodeAborted, ErrClosed}
	}
	defer c.server.gate.leave(c)
	t := c.transport
	t.handshaking, t.silence = true, c.config.HandshakeInactivity
	if c.config.LogTLSPackets && c.server.handler.TLSStatus != nil {
		t.in = &recordLog{what: "received", tell: c.logRecord}
		t.out = &recordLog{what: "sent", tell: c.logRecord}
	}
	o := tlsio.SecureOptions{Unread: c.spare()}
	if c.config.TLS.Context != nil {
		o.HandshakeTimeout = c.config.TLS.HandshakeTimeout
	}
	if c.config.AuthenticateClients {
		o.VerifyPeer = c.authenticate
	}
	if c.server.handler.TLSConnectionRequest != nil {
		o.GetCertificate = c.choose
	}
	c.status("handshake begins")
	conn, err := secure.Secure(c.ctx, t, o)
	t.handshaking = false
	if err != nil {
		c.status("handshake failed: " + err.Error())
		return newError("Connected", c.id, err)
	}
	c.mu.Lock()
	c.conn, c.secured = conn, conn
	c.mu.Unlock()
	s := conn.ConnectionState()
	c.status(fmt.Sprintf("handshake done: %s, %s, %s", tls.VersionName(s.Version), tls.CipherSuiteName(s.CipherSuite), s.CurveID))
	return nil
}

// handshakeFailed tells of a handshake that came to nothing.
func (c *Connection) handshakeFailed(err error) {
	c.mu.Lock()
	ended, reason, evicted := c.phase >= phaseClosing, c.reason, c.evicted
	c.mu.Unlock()
	switch {
	case evicted:
		err = newError("Connected", c.id, tlsio.ErrEvicted)
	case ended && reason == nil:
		err = &Error{"Connected", c.id, CodeAborted, errClosing}
	case ended:
		err = newError("Connected", c.id, reason)
	}
	if h := c.server.handler.Connected; h != nil {
		c.call("Connected", func() { h(c, err) })
	}
}

// authenticate has ClientAuthentication decide. It is called within the handshake,
// on the reading goroutine.
func (c *Connection) authenticate(s *tlsio.State) error {
	a := &ClientAuthentication{Chain: s.PeerCertificates, Status: c.config.text.judge(s, &c.config.TLS)}
	if f := c.config.TLS.VerifyPeer; f != nil && a.Status == nil {
		a.Status = f(s)
	}
	a.Accept = a.Status == nil
	if h := c.server.handler.ClientAuthentication; h != nil {
		decided := false
		c.call("ClientAuthentication", func() { h(c, a); decided = true })
		if !decided {
			return errors.New("server: ClientAuthentication did not decide") // it panicked, or the connection ended
		}
	}
	switch {
	case a.Accept:
		return nil
	case a.Status != nil:
		return a.Status
	}
	return errNotAccepted
}

var errNotAccepted = errors.New("server: ClientAuthentication refused the client")

// choose has TLSConnectionRequest choose the certificate, within the handshake.
func (c *Connection) choose(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	r := &TLSConnectionRequest{Hello: hello}
	asked := false
	c.call("TLSConnectionRequest", func() { c.server.handler.TLSConnectionRequest(c, r); asked = true })
	if !asked {
		return nil, errors.New("server: TLSConnectionRequest did not return")
	}
	return r.Certificate, nil
}

// SupportedCipherSuites returns the names of the suites that the client offers,
// separated by commas; numbers in hex for those without a name.
func (r *TLSConnectionRequest) SupportedCipherSuites() string {
	var names []string
	for _, id := range r.Hello.CipherSuites {
		names = append(names, tls.CipherSuiteName(id))
	}
	return strings.Join(names, ",")
}

// SupportedSignatureAlgs returns the names of the signature algorithms that the
// client offers, separated by commas.
func (r *TLSConnectionRequest) SupportedSignatureAlgs() string {
	var names []string
	for _, id := range r.Hello.SignatureSchemes {
		names = append(names, id.String())
	}
	return strings.Join(names, ",")
}

// status has TLSStatus called.
func (c *Connection) status(message string) {
	if h := c.server.handler.TLSStatus; h != nil {
		c.call("TLSStatus", func() { h(c, message) })
	}
}

// mostLogged bounds the records whose TLSStatus waits. A handler that can't keep up
// misses some.
const mostLogged = 256

func (c *Connection) logRecord(message string) {
	if c.logged.Add(1) > mostLogged {
		c.logged.Add(-1)
		return
	}
	c.later("TLSStatus", func() {
		c.logged.Add(-1)
		c.server.handler.TLSStatus(c, message)
	})
}
