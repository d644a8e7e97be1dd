package tlsio

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Names of protocol versions, spelled as ECMA-419 does.
const (
	TLSv13 = "TLSv1.3"
	TLSv12 = "TLSv1.2"
	TLSv11 = "TLSv1.1"
)

// ClientAuth says what a server wants from its clients.
type ClientAuth string

const (
	// ClientAuthNone asks for no certificate. It is the default.
	ClientAuthNone ClientAuth = ""
	// ClientAuthRequest asks for one, and verifies it if the client sends one.
	ClientAuthRequest ClientAuth = "request"
	// ClientAuthRequire refuses clients without a certificate that verifies.
	ClientAuthRequire ClientAuth = "require"
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
// All slices are copied. Functions must be safe for concurrent use.
type TLSOptions struct {
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

	// Now is the clock for judging certificates; nil means time.Now.
	Now func() time.Time

	// Client only.

	// Host is the server's name: sent as SNI (but for IP addresses) and
	// compared with the certificate's SAN. Required; Dial takes it from the
	// address when it is empty.
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
	// ClientAuth is the policy on client certificates. All but none need CA or
	// Roots.
	ClientAuth ClientAuth
	// MaxHandshakes limits the handshakes under way at once, among them
	// connections that have sent nothing yet. When it is reached, the oldest
	// silent connection makes room. 0 means DefaultMaxHandshakes.
	MaxHandshakes int
	// MaxConnections limits all connections from accept to Close, those in
	// handshake included; more are closed at once. 0 means no limit.
	MaxConnections int
	// OnRefused is told of every connection that the listener gave up, once,
	// with the reason. It is called on the handshake's goroutine, several at once.
	OnRefused func(remote net.Addr, err error)
}

var versionNumbers = map[string]uint16{
	TLSv13: tls.VersionTLS13,
	TLSv12: tls.VersionTLS12,
	TLSv11: tls.VersionTLS11,
}

func (o *TLSOptions) versions(errs *optionErrors, prefix string) (lo, hi uint16) {
	lo, hi = tls.VersionTLS12, tls.VersionTLS13
	const fix = `use "TLSv1.3", "TLSv1.2" or "TLSv1.1"`
	var ok bool
	if o.MaximumVersion != "" {
		if hi, ok = versionNumbers[o.MaximumVersion]; !ok {
			errs.add(prefix+"MaximumVersion", o.MaximumVersion, fix)
			hi = tls.VersionTLS13
		}
		lo = min(lo, hi)
	}
	if o.MinimumVersion != "" {
		if lo, ok = versionNumbers[o.MinimumVersion]; !ok {
			errs.add(prefix+"MinimumVersion", o.MinimumVersion, fix)
			lo = tls.VersionTLS11
		}
	}
	if lo > hi {
		errs.add(prefix+"MinimumVersion", o.MinimumVersion, "is above MaximumVersion "+o.MaximumVersion+"; swap them or leave one out")
	}
	return lo, hi
}

// common validates and converts what both roles have.
func (o *TLSOptions) common(errs *optionErrors, prefix string) *tls.Config {
	c := &tls.Config{Time: o.Now}
	c.MinVersion, c.MaxVersion = o.versions(errs, prefix)
	for i, p := range o.ApplicationLayerProtocol {
		if len(p) < 1 || len(p) > 255 {
			errs.add(fmt.Sprintf("%sApplicationLayerProtocol[%d]", prefix, i), fmt.Sprintf("%d bytes", len(p)), "a protocol name has 1 to 255 bytes")
		}
	}
	c.NextProtos = slices.Clone(o.ApplicationLayerProtocol)
	switch o.MaximumFragmentLength {
	case 0, 512, 1024, 2048, 4096:
	default:
		errs.add(prefix+"MaximumFragmentLength", o.MaximumFragmentLength, "use 512, 1024, 2048 or 4096 (RFC 6066 section 4), or leave it out")
	}
	if o.HandshakeTimeout < 0 {
		errs.add(prefix+"HandshakeTimeout", o.HandshakeTimeout, "use a positive duration, or 0 for the default")
	}
	return c
}

// pool returns CA and Roots in one, or nil when neither is given.
func (o *TLSOptions) pool(errs *optionErrors, prefix string) *x509.CertPool {
	if len(o.CA) == 0 && o.Roots == nil {
		return nil
	}
	pool := x509.NewCertPool()
	if o.Roots != nil {
		pool = o.Roots.Clone()
	}
	addToPool(errs, pool, prefix+"CA", o.CA)
	return pool
}

// isZero reports whether no option is set. A struct with functions and slices
// can't be compared with ==.
func (o *TLSOptions) isZero() bool { return reflect.ValueOf(o).Elem().IsZero() }

func (o *TLSOptions) handshakeTimeout() time.Duration {
	if o.HandshakeTimeout == 0 {
		return DefaultHandshakeTimeout
	}
	return o.HandshakeTimeout
}

// clientConfig validates o as a client's and makes crypto/tls's form of it.
// prefix names where o stands in the options that the user wrote.
func (o *TLSOptions) clientConfig(errs *optionErrors, prefix string) *tls.Config {
	c := o.common(errs, prefix)
	if o.ServerCertificate != nil || o.ServerKey != nil || o.GetCertificate != nil {
		errs.add(prefix+"ServerCertificate, ServerKey, GetCertificate", nil, "are for listeners; a client has ClientCertificate and ClientKey")
	}
	if o.ClientAuth != ClientAuthNone || o.MaxHandshakes != 0 || o.MaxConnections != 0 || o.OnRefused != nil {
		errs.add(prefix+"ClientAuth, MaxHandshakes, MaxConnections, OnRefused", nil, "are for listeners; leave them out")
	}
	switch host := strings.TrimSuffix(o.Host, "."); {
	case host == "":
		errs.add(prefix+"Host", nil, "required: the server's name, for SNI and to compare with its certificate")
	case strings.ContainsAny(host, " \t\r\n\x00/") || len(host) > 253:
		errs.add(prefix+"Host", fmt.Sprintf("%q", o.Host), "use a DNS name or an IP address, without port or scheme")
	case strings.Count(host, ":") == 1:
		errs.add(prefix+"Host", fmt.Sprintf("%q", o.Host), "leave the port out of it")
	default:
		c.ServerName = host
	}
	c.RootCAs = o.pool(errs, prefix)
	ids := parseIdentities(errs, prefix+"ClientCertificate", o.ClientCertificate, prefix+"ClientKey", o.ClientKey)
	if len(ids) > 0 && o.GetClientCertificate != nil {
		errs.add(prefix+"GetClientCertificate", nil, "give either it or ClientCertificate and ClientKey")
	}
	c.GetClientCertificate = o.GetClientCertificate
	if len(ids) > 0 {
		c.GetClientCertificate = func(r *tls.CertificateRequestInfo) (*tls.Certificate, error) { return chooseIdentity(ids, r) }
	}
	c.VerifyConnection = func(s tls.ConnectionState) error { return verifyServer(c, s) }
	return c
}

// chooseIdentity picks the identity that the server's request asks for. If none
// is of a CA that the server names, one is sent all the same: the server's
// unknown_ca says more than the certificate_required that crypto/tls would
// provoke by sending none.
func chooseIdentity(ids []tls.Certificate, r *tls.CertificateRequestInfo) (*tls.Certificate, error) {
	anyCA := *r
	anyCA.AcceptableCAs = nil
	for _, request := range []*tls.CertificateRequestInfo{r, &anyCA} {
		for i := range ids {
			if request.SupportsCertificate(&ids[i]) == nil {
				return &ids[i], nil
			}
		}
	}
	return new(tls.Certificate), nil
}

// serverConfig is clientConfig's counterpart.
func (o *TLSOptions) serverConfig(errs *optionErrors, prefix string) *tls.Config {
	c := o.common(errs, prefix)
	if o.ClientCertificate != nil || o.ClientKey != nil || o.GetClientCertificate != nil {
		errs.add(prefix+"ClientCertificate, ClientKey, GetClientCertificate", nil, "are for clients; a listener has ServerCertificate and ServerKey")
	}
	if o.Host != "" {
		errs.add(prefix+"Host", o.Host, "is for clients; a listener's names are those of its certificates")
	}
	c.Certificates = parseIdentities(errs, prefix+"ServerCertificate", o.ServerCertificate, prefix+"ServerKey", o.ServerKey)
	c.GetCertificate = o.GetCertificate
	if o.ServerCertificate == nil && o.ServerKey == nil && o.GetCertificate == nil {
		errs.add(prefix+"ServerCertificate", nil, "required, with ServerKey; or GetCertificate")
	}
	c.ClientCAs = o.pool(errs, prefix)
	switch o.ClientAuth {
	case ClientAuthNone:
		if c.ClientCAs != nil {
			errs.add(prefix+"CA", nil, `is used with ClientAuth "request" or "require" only; set ClientAuth or leave CA out`)
		}
	case ClientAuthRequest:
		c.ClientAuth = tls.VerifyClientCertIfGiven
	case ClientAuthRequire:
		c.ClientAuth = tls.RequireAndVerifyClientCert
	default:
		errs.add(prefix+"ClientAuth", string(o.ClientAuth), `use "", "request" or "require"`)
	}
	if c.ClientAuth != tls.NoClientCert && len(o.CA) == 0 && o.Roots == nil {
		errs.add(prefix+"CA", nil, "required with ClientAuth: without it any public CA's certificate would do")
	}
	if o.MaxHandshakes < 0 {
		errs.add(prefix+"MaxHandshakes", o.MaxHandshakes, "use a positive number, or 0 for the default")
	}
	if o.MaxConnections < 0 {
		errs.add(prefix+"MaxConnections", o.MaxConnections, "use a positive number, or 0 for no limit")
	}
	c.VerifyConnection = func(s tls.ConnectionState) error { return verifyClient(c, s) }
	return c
}
