package tlsio

import (
	"crypto/tls"
	"crypto/x509"
	"net"
)

// State says what was negotiated on a connection and with whom. It is a value; what
// it points to must not be changed.
type State struct {
	// ConnectionState is crypto/tls's view. VerifiedChains holds the chains that
	// were accepted in all VerifyModes. ServerName is what was sent as SNI.
	tls.ConnectionState

	// Server says that this side is the server.
	Server bool
	// Host is the name that a server's certificate was compared with; empty on
	// servers.
	Host string

	LocalAddr, RemoteAddr net.Addr

	authErr error
	local   *tls.Certificate
	offered []tls.SignatureScheme
}

// Authorized reports whether the peer proved who it is: it sent a certificate, and
// all rules that the options name held when this connection was made, resumed or
// not. On a server that asked for no certificate it is false.
func (s *State) Authorized() bool { return s.authErr == nil && len(s.PeerCertificates) > 0 }

// AuthorizationError says why Authorized is false; it is nil if that is true. Its
// types are those of crypto/x509 and this package.
func (s *State) AuthorizationError() error { return s.authErr }

// LocalCertificate returns the certificate that this side has sent, or would have
// sent if the session weren't resumed; nil if none.
func (s *State) LocalCertificate() *x509.Certificate {
	if s.local == nil || len(s.local.Certificate) == 0 {
		return nil
	}
	if s.local.Leaf != nil {
		return s.local.Leaf
	}
	leaf, err := x509.ParseCertificate(s.local.Certificate[0])
	if err != nil {
		return nil
	}
	return leaf
}

// State returns what was negotiated.
func (c *Conn) State() State {
	s := c.state(c.tls.ConnectionState())
	switch {
	case c.recorded:
		s.authErr, s.VerifiedChains = c.authErr, c.chains
	case len(s.PeerCertificates) == 0:
		s.authErr = c.rules.judge(&s) // the handshake would have failed for any other reason
	}
	return s
}

func (c *Conn) state(cs tls.ConnectionState) State {
	s := State{ConnectionState: cs, Server: c.server, local: c.local, offered: c.offered,
		LocalAddr: c.wire.raw.LocalAddr(), RemoteAddr: c.wire.raw.RemoteAddr()}
	if !c.server {
		s.Host = c.rules.host
	}
	return s
}

// State returns what was negotiated; its HandshakeComplete is false until then.
func (t *TLS) State() (State, error) {
	l, err := t.enter("State")
	if err != nil {
		return State{}, err
	}
	secured := l.secured
	l.mu.Unlock()
	if secured == nil {
		return State{authErr: errNoHandshake}, nil
	}
	return secured.State(), nil
}

var errNoHandshake = &VerifyError{"the handshake isn't done"}
