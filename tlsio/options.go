package tlsio

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/netip"
	"reflect"
	"time"
)

// Names of protocol versions, spelled as ECMA-419 does.
const (
	TLSv13 = "TLSv1.3"
	TLSv12 = "TLSv1.2"
	TLSv11 = "TLSv1.1"
)

// ClientAuth says what a server wants from its clients. Whether what they send
// must verify is VerifyMode's matter.
type ClientAuth string

const (
	// ClientAuthNone asks for no certificate. It is the default.
	ClientAuthNone ClientAuth = ""
	// ClientAuthRequest asks for one, and serves clients that have none.
	ClientAuthRequest ClientAuth = "request"
	// ClientAuthRequire refuses clients without a certificate.
	ClientAuthRequire ClientAuth = "require"
)

// VerifyMode says what follows when the peer's certificate doesn't verify. The
// result is recorded in every mode: see State.Authorized.
type VerifyMode string

const (
	// VerifyRequired ends the handshake. It is the default, as is "".
	VerifyRequired VerifyMode = "required"
	// VerifyOptional goes on. The program must ask State.Authorized before it
	// trusts the peer. It is Node's rejectUnauthorized: false.
	VerifyOptional VerifyMode = "optional"
	// InsecureVerifyNone judges nothing: anyone on the way can pose as the
	// peer. State.Authorized is always false.
	InsecureVerifyNone VerifyMode = "insecure: verify nothing"
)

// Limits used where an option is zero.
const (
	DefaultHandshakeTimeout = 10 * time.Second
	DefaultMaxHandshakes    = 64
)

// TLSOptions configures TLS; it is the tls option of ECMA-419 section 10.15 with
// what a server needs besides. Options of the other role are refused, not
// ignored. The zero value is a good server configuration but for its certificate,
// and a good client configuration but for Host.
//
// Printed, it shows the keys and the session in it: keep it out of logs.
//
// All slices are copied. Functions must be safe for concurrent use.
type TLSOptions struct {
	// Context, made once of all the options below and used many times, stands in
	// their place. Beside it may stand only Host, Session, HandshakeTimeout and the
	// listener's limits (MaxHandshakes, MaxConnections, HandshakeRate, Admit, Budget, OnRefused).
	Context *SecureContext

	// MinimumVersion and MaximumVersion are one of TLSv13, TLSv12 and TLSv11.
	// The default is TLS 1.2 to TLS 1.3; TLS 1.1 is used only when named here.
	MinimumVersion, MaximumVersion string

	// ApplicationLayerProtocol lists the protocols for ALPN (RFC 7301), best
	// first; each has 1 to 255 bytes of any value. A server refuses clients that
	// offer only others; clients that offer none are served.
	ApplicationLayerProtocol []string

	// MaximumFragmentLength caps the payload of the records we send: 512, 1024,
	// 2048 or 4096 bytes, 0 for no cap. It is not negotiated with the peer.
	MaximumFragmentLength int

	// CA holds the trusted certificates in DER, each element one or more in a row.
	// A client judges servers by it; a server judges clients by it. Roots is the
	// same as a pool; when both are given, both are trusted.
	// A client with neither uses the operating system's store.
	CA    [][]byte
	Roots *x509.CertPool

	// HandshakeTimeout limits the whole handshake. 0 means DefaultHandshakeTimeout.
	HandshakeTimeout time.Duration

	// Now is the clock for judging certificates; nil means time.Now. At the zero time,
	// that of a clock that isn't set, nothing is valid yet.
	Now func() time.Time

	// VerifyMode says what follows when the peer's certificate doesn't verify;
	// "" is VerifyRequired.
	VerifyMode VerifyMode
	// VerifyPeer has the last word on peers, also when a session is resumed. It is
	// called before the handshake ends and sees what the verification said
	// (AuthorizationError); an error refuses the peer. Returning nil doesn't make a
	// peer authorized, and VerifyRequired asks it only about peers that are, or
	// that sent no certificate where none was required.
	VerifyPeer func(*State) error

	// With holds features that need code of their own: Policy, CipherSuites,
	// Groups, Pins, CRLs, LegacyCommonName, Identities, RootsFor, TicketKeys,
	// *SessionCache, MinDHSize. A program that names none doesn't carry their code.
	With []Feature

	// NoSessions turns resumption off: a server gives out no tickets, a client keeps
	// none. Without it, clients with a Context, a SessionCache in With or a Session
	// keep and resume sessions. Transports that hold fewer bytes than a ticket (a few
	// hundred) in each direction need it, because crypto/tls's server sends tickets
	// before it reads the client's last message; for net.Pipe it is set by itself.
	NoSessions bool

	// Session is a session to resume, from Conn.Session. It is an offer: the server
	// may refuse it, and State.DidResume tells. Client only.
	Session []byte

	// KeyLog receives the secrets of all connections in NSS's key log format, for
	// Wireshark. Whoever reads it reads the connections. It needn't be safe for
	// concurrent use.
	KeyLog io.Writer
	// Tap, if not nil, is called for each connection and may return nil to leave
	// it alone.
	Tap func(local, remote net.Addr, server bool) Tap

	// Client only.

	// Host is the server's name: sent as SNI (but for IP addresses) and
	// compared with the certificate's SAN. Required, but for NewClientContext;
	// Dial takes it from the address when it is empty.
	Host string
	// ClientCertificate and ClientKey are DER: chains with the leaf first, and
	// keys in PKCS#8, PKCS#1 or SEC 1 form. Keys find their certificates by
	// public key. GetClientCertificate is crypto/tls's, for keys kept elsewhere.
	ClientCertificate, ClientKey [][]byte
	GetClientCertificate         func(*tls.CertificateRequestInfo) (*tls.Certificate, error)

	// Server only.

	// ServerCertificate and ServerKey are DER as those of the client. With several
	// identities, crypto/tls selects by SNI. GetCertificate is crypto/tls's; it
	// is asked first.
	ServerCertificate, ServerKey [][]byte
	GetCertificate               func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// ClientAuth is the policy on client certificates. All but none need CA,
	// Roots or RootsFor, unless VerifyMode is InsecureVerifyNone.
	ClientAuth ClientAuth
	// MaxHandshakes limits the handshakes under way at once, among them
	// connections that have sent nothing yet. When it is reached, the oldest
	// silent connection makes room. 0 means DefaultMaxHandshakes.
	MaxHandshakes int
	// MaxConnections limits all connections from accept to Close, those in
	// handshake included; more are refused (see Listen). 0 means no limit.
	MaxConnections int
	// HandshakeRate bounds the handshakes in time; see there.
	HandshakeRate HandshakeRate
	// Admit decides who may connect at all; its error is the reason that OnRefused
	// is told. It has the rules of AdmittingNetwork's function: it must be quick,
	// must not block, and may be asked more than once about a connection.
	Admit func(remote netip.AddrPort) error
	// Budget bounds the memory of the listener's connections, with that of others
	// that have the same Budget. nil means no bound.
	Budget *Budget
	// OnRefused is told of every connection that the listener gave up, once,
	// with the reason, until the listener is closed. It is called on a goroutine of
	// the listener, not twice at once, and may close the listener. When refusals come faster than it returns, an *UntoldError says how many more
	// there were.
	OnRefused func(remote net.Addr, err error)
}

// isZero reports whether no option is set. A struct with functions and slices
// can't be compared with ==.
func (o *TLSOptions) isZero() bool { return reflect.ValueOf(o).Elem().IsZero() }

// limitNames are the options that hasLimits looks at.
const limitNames = "MaxHandshakes, MaxConnections, HandshakeRate, Admit, Budget, OnRefused"

// hasLimits reports whether options of a listener, not of its TLS, are set.
func (o *TLSOptions) hasLimits() bool {
	return o.MaxHandshakes != 0 || o.MaxConnections != 0 || o.HandshakeRate != HandshakeRate{} || o.Admit != nil || o.Budget != nil || o.OnRefused != nil
}

// withoutContext returns the options that may not stand beside Context.
func (o *TLSOptions) withoutContext() *TLSOptions {
	rest := *o
	rest.Context, rest.Host, rest.HandshakeTimeout, rest.Session = nil, "", 0, nil
	rest.MaxHandshakes, rest.MaxConnections, rest.OnRefused = 0, 0, nil
	rest.Admit, rest.Budget, rest.HandshakeRate = nil, nil, HandshakeRate{}
	return &rest
}
