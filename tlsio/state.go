package tlsio

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
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
	// Identity is the name of the Identity that served, of TLSOptions.With; empty
	// for the one of TLSOptions itself, and on clients.
	Identity string

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

// LocalCertificate returns the certificate that this side has sent; nil if none. In
// resumed sessions none is sent: it may be nil, or the one that would have been.
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

// LocalChain returns LocalCertificate and what was sent with it.
func (s *State) LocalChain() []*x509.Certificate {
	if s.local == nil {
		return nil
	}
	var chain []*x509.Certificate
	for _, der := range s.local.Certificate {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return chain
		}
		chain = append(chain, cert)
	}
	return chain
}

// VersionName returns the protocol's version in OpenSSL's and Node's spelling:
// "TLSv1.3", "TLSv1.2", "TLSv1.1" or "TLSv1"; "" before the handshake is done.
func (s *State) VersionName() string {
	switch s.Version {
	case tls.VersionTLS13:
		return TLSv13
	case tls.VersionTLS12:
		return TLSv12
	case tls.VersionTLS11:
		return TLSv11
	case tls.VersionTLS10:
		return "TLSv1"
	}
	return ""
}

// Cipher describes the cipher suite.
func (s *State) Cipher() CipherInfo {
	c, _ := CipherByID(s.CipherSuite)
	return c
}

// Group returns the name of the key exchange group; "" if there was none.
func (s *State) Group() string {
	if s.CurveID == 0 {
		return ""
	}
	return GroupName(s.CurveID)
}

// EphemeralKey describes the key exchange that made this connection's keys. It is nil
// on servers, as in Node, and zero if no ephemeral key was exchanged: RSA key
// exchange, or a session of TLS 1.2 that was resumed.
func (s *State) EphemeralKey() *EphemeralKey {
	if s.Server || !s.HandshakeComplete {
		return nil
	}
	if s.CurveID == 0 || s.DidResume && s.Version < tls.VersionTLS13 {
		return &EphemeralKey{}
	}
	for _, g := range groupTable {
		if g.id == s.CurveID {
			k := &EphemeralKey{"ECDH", g.openssl, g.bits}
			if g.bits == 0 {
				k.Type = "KEM"
			}
			return k
		}
	}
	return &EphemeralKey{Type: "ECDH", Name: s.CurveID.String()}
}

// signatureNames holds what crypto/tls accepts in handshakes, in Node's spelling.
var signatureNames = [...]struct {
	scheme tls.SignatureScheme
	name   string
}{
	{tls.PSSWithSHA256, "RSA-PSS+SHA256"},
	{tls.PSSWithSHA384, "RSA-PSS+SHA384"},
	{tls.PSSWithSHA512, "RSA-PSS+SHA512"},
	{tls.ECDSAWithP256AndSHA256, "ECDSA+SHA256"},
	{tls.ECDSAWithP384AndSHA384, "ECDSA+SHA384"},
	{tls.ECDSAWithP521AndSHA512, "ECDSA+SHA512"},
	{tls.Ed25519, "Ed25519+UNDEF"}, // it has no hash
	{tls.PKCS1WithSHA256, "RSA+SHA256"},
	{tls.PKCS1WithSHA384, "RSA+SHA384"},
	{tls.PKCS1WithSHA512, "RSA+SHA512"},
}

// SharedSignatureAlgorithms returns, on servers, the signature algorithms that the
// client offered and this side has, the client's favourite first, in the spelling of
// Node's getSharedSigalgs. Clients don't learn what a server has: they get
// ErrSharedSignatureAlgorithms.
func (s *State) SharedSignatureAlgorithms() ([]string, error) {
	if !s.Server {
		return nil, ErrSharedSignatureAlgorithms
	}
	var names []string
	for _, offered := range s.offered {
		for _, n := range signatureNames {
			if n.scheme == offered {
				names = append(names, n.name)
			}
		}
	}
	return names, nil
}

// Kinds of channel binding.
const (
	// BindingExporter is tls-exporter, RFC 9266: all versions, before TLS 1.3 only
	// with extended master secret. Use this one.
	BindingExporter = "tls-exporter"
	// BindingUnique is tls-unique, RFC 5929 section 3: up to TLS 1.2.
	BindingUnique = "tls-unique"
	// BindingServerEndPoint is tls-server-end-point, RFC 5929 section 4: a hash of
	// the server's certificate, the same for all its connections.
	BindingServerEndPoint = "tls-server-end-point"
)

// ChannelBinding returns the bytes by which a protocol above can tie itself to this
// connection. Errors wrap ErrChannelBinding.
func (s *State) ChannelBinding(kind string) ([]byte, error) {
	refuse := func(why string) ([]byte, error) {
		return nil, fmt.Errorf("%w: %s %s", ErrChannelBinding, kind, why)
	}
	if !s.HandshakeComplete {
		return refuse("needs a finished handshake")
	}
	switch kind {
	case BindingExporter:
		b, err := s.ExportKeyingMaterial("EXPORTER-Channel-Binding", []byte{}, 32)
		if err != nil {
			return refuse("needs TLS 1.3 or extended master secret: " + err.Error())
		}
		return b, nil
	case BindingUnique:
		if s.Version >= tls.VersionTLS13 {
			return refuse("is not defined for TLS 1.3; use tls-exporter")
		}
		if len(s.TLSUnique) == 0 {
			return refuse("needs extended master secret in resumed sessions")
		}
		return s.TLSUnique, nil
	case BindingServerEndPoint:
		var cert *x509.Certificate
		switch {
		case s.Server && s.DidResume: // which one the session began with isn't known
		case s.Server:
			cert = s.LocalCertificate()
		case len(s.PeerCertificates) > 0:
			cert = s.PeerCertificates[0]
		}
		if cert == nil {
			return refuse("needs the server's certificate, which a resumed session doesn't send")
		}
		hash := endPointHash(cert.SignatureAlgorithm)
		if hash == 0 {
			return refuse("is not defined for certificates signed with " + cert.SignatureAlgorithm.String())
		}
		h := hash.New()
		h.Write(cert.Raw)
		return h.Sum(nil), nil
	}
	return refuse("is unknown; use tls-exporter, tls-unique or tls-server-end-point")
}

// endPointHash is RFC 5929 section 4.1's choice: the hash of the certificate's
// signature, but SHA-256 in place of MD5 and SHA-1.
func endPointHash(a x509.SignatureAlgorithm) crypto.Hash {
	switch a {
	case x509.MD5WithRSA, x509.SHA1WithRSA, x509.ECDSAWithSHA1, x509.SHA256WithRSA, x509.SHA256WithRSAPSS, x509.ECDSAWithSHA256:
		return crypto.SHA256
	case x509.SHA384WithRSA, x509.SHA384WithRSAPSS, x509.ECDSAWithSHA384:
		return crypto.SHA384
	case x509.SHA512WithRSA, x509.SHA512WithRSAPSS, x509.ECDSAWithSHA512:
		return crypto.SHA512
	}
	return 0
}

// Errors of what can't be told or done.
var (
	// ErrSharedSignatureAlgorithms: crypto/tls doesn't tell a client.
	ErrSharedSignatureAlgorithms error = &sentinel{"tlsio: only servers know the shared signature algorithms", &errors.ErrUnsupported}
	// ErrChannelBinding says that a connection has no binding of a kind.
	ErrChannelBinding error = &sentinel{"tlsio: no channel binding", nil}
	// ErrFinished: crypto/tls doesn't give out Finished messages.
	ErrFinished error = &sentinel{"tlsio: Finished messages can't be read; use State.ChannelBinding, which is what they are for (RFC 9266)", &errors.ErrUnsupported}
	// ErrRenegotiation: this package never begins a renegotiation and refuses the
	// peer's. TLS 1.3 has none.
	ErrRenegotiation error = &sentinel{"tlsio: connections are never renegotiated; open a new one", &errors.ErrUnsupported}
	// ErrHandshakeBegun says that it is too late: TLS has no way to ask for a
	// certificate, or for another name, once the handshake has begun.
	ErrHandshakeBegun error = &sentinel{"tlsio: the handshake has begun; set it before", nil}
)

// State returns what was negotiated.
func (c *Conn) State() State {
	s := c.state(c.tls.ConnectionState())
	switch {
	case c.recorded:
		s.authErr, s.VerifiedChains = c.authErr, c.chains
	case len(s.PeerCertificates) == 0 || c.server && c.rules.auth == ClientAuthNone:
		s.authErr = c.rules.judge(&s) // the handshake would have failed for any other reason
	}
	return s
}

func (c *Conn) state(cs tls.ConnectionState) State {
	s := State{ConnectionState: cs, Server: c.server, Identity: c.identity, local: c.local, offered: c.offered,
		LocalAddr: c.wire.raw.LocalAddr(), RemoteAddr: c.wire.raw.RemoteAddr()}
	if !c.server {
		s.Host = c.rules.host
	}
	return s
}

// Limits of SetMaxSendFragment, in bytes: OpenSSL's.
const (
	MinSendFragment = 512
	MaxSendFragment = 16384
)

// SetMaxSendFragment limits the payload of the records that later writes make, at
// any time. It replaces TLSOptions.MaximumFragmentLength.
func (c *Conn) SetMaxSendFragment(bytes int) error {
	if bytes < MinSendFragment || bytes > MaxSendFragment {
		return &Error{Op: "SetMaxSendFragment", Stage: StageOptions, Err: &OptionError{"bytes", bytes, "use 512 to 16384"}}
	}
	c.limit.Store(int32(bytes))
	return nil
}

// Renegotiate always fails, with ErrRenegotiation.
func (c *Conn) Renegotiate() error {
	return &Error{Op: "Renegotiate", Stage: StageHandshake, Err: ErrRenegotiation}
}

// DisableRenegotiation does nothing: it is disabled from the start, on both sides.
func (c *Conn) DisableRenegotiation() {}

// FinishedMessages always fails, with ErrFinished.
func (c *Conn) FinishedMessages() (local, peer []byte, err error) {
	return nil, nil, &Error{Op: "FinishedMessages", Stage: StageHandshake, Err: ErrFinished}
}

// SetVerifyMode always fails, with ErrHandshakeBegun: give VerifyMode and ClientAuth
// in SecureOptions.
func (c *Conn) SetVerifyMode(VerifyMode, ClientAuth) error {
	return &Error{Op: "SetVerifyMode", Stage: StageHandshake, Err: ErrHandshakeBegun}
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

// Conn returns the connection below, for its methods that tell or set something,
// such as Session and SetMaxSendFragment; nil until the handshake is done. Its Read,
// Write and Close are the instance's alone.
func (t *TLS) Conn() (*Conn, error) {
	l, err := t.enter("Conn")
	if err != nil {
		return nil, err
	}
	defer l.mu.Unlock()
	return l.secured, nil
}

var errNoHandshake = &VerifyError{"the handshake isn't done"}
