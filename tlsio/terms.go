package tlsio

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"time"
)

// versionNumber returns the number of a version's name, 0 if there is none.
func versionNumber(name string) uint16 {
	switch name {
	case TLSv13:
		return tls.VersionTLS13
	case TLSv12:
		return tls.VersionTLS12
	case TLSv11:
		return tls.VersionTLS11
	}
	return 0
}

func (o *TLSOptions) versions(errs *optionErrors, prefix string) (lo, hi uint16) {
	lo, hi = tls.VersionTLS12, tls.VersionTLS13
	const fix = `use "TLSv1.3", "TLSv1.2" or "TLSv1.1"`
	if o.MaximumVersion != "" {
		if hi = versionNumber(o.MaximumVersion); hi == 0 {
			errs.add(prefix+"MaximumVersion", o.MaximumVersion, fix)
			hi = tls.VersionTLS13
		}
		lo = min(lo, hi)
	}
	if o.MinimumVersion != "" {
		if lo = versionNumber(o.MinimumVersion); lo == 0 {
			errs.add(prefix+"MinimumVersion", o.MinimumVersion, fix)
			lo = tls.VersionTLS11
		}
	}
	if lo > hi {
		errs.add(prefix+"MinimumVersion", o.MinimumVersion, "is above MaximumVersion "+o.MaximumVersion+"; swap them or leave one out")
	}
	return lo, hi
}

// terms are what a SecureContext makes of its options: all that its connections
// have in common. They are constant once made.
type terms struct {
	server  bool
	config  *tls.Config // for connections that need nothing of their own
	rules   rules
	own     bool // every connection needs a tls.Config of its own
	limit   int  // record payload, 0 for crypto/tls's choice
	timeout time.Duration
	tap     func(local, remote net.Addr, server bool) Tap
	certs   []tls.Certificate // own identities, best first
	ask     func(*tls.ClientHelloInfo) (*tls.Certificate, error)

	// Functions that are set by what needs them, so that others don't carry them.
	freshen func(*terms)                                          // before each handshake of a server
	pick    func(*terms, *Conn, *tls.ClientHelloInfo) *tls.Config // by the client's SNI; nil for config

	tickets       *ticketer // server; nil leaves them to crypto/tls
	ticketMu      sync.Mutex
	ticketVersion int // of tickets, as config has it; guarded by ticketMu

	sessions   any                     // client: *SessionCache or nil; any for the reason of Conn.sessions
	offer      *tls.ClientSessionState // client; to be resumed
	generation uint64                  // client; tells policies apart in sessions
}

// Feature is an addition to TLSOptions; see TLSOptions.With. The features are
// types of this package.
type Feature interface{ apply(b *builder) }

// builder is what features work on.
type builder struct {
	terms   *terms
	options *TLSOptions
	errs    *optionErrors
	prefix  string // where the feature stands, as "TLS.With[0]"
}

func (b *builder) add(what string, value any, fix string) { b.errs.add(b.prefix+what, value, fix) }

// judgingClock returns now without the zero time, for which crypto/x509 would take the
// machine's. The start of Unix's time is as unfit to judge by, and says so.
func judgingClock(now func() time.Time) func() time.Time {
	if now == nil {
		return nil
	}
	return func() time.Time {
		if at := now(); !at.IsZero() {
			return at
		}
		return time.Unix(0, 0)
	}
}

// commonTerms validates what both roles have. prefix names where o stands in the
// options that the user wrote. The result is of use only if errs didn't grow.
func (o *TLSOptions) commonTerms(errs *optionErrors, prefix string, server bool) *terms {
	t := &terms{server: server, tap: o.Tap, own: o.Tap != nil || o.VerifyPeer != nil}
	now := judgingClock(o.Now)
	t.rules = rules{server: server, now: now, decide: o.VerifyPeer, host: o.Host}
	t.config = &tls.Config{Time: now, SessionTicketsDisabled: o.NoSessions}
	if o.KeyLog != nil {
		t.config.KeyLogWriter = &keyLog{next: o.KeyLog}
	}
	t.config.MinVersion, t.config.MaxVersion = o.versions(errs, prefix)
	for i, p := range o.ApplicationLayerProtocol {
		if len(p) < 1 || len(p) > 255 {
			errs.add(fmt.Sprintf("%sApplicationLayerProtocol[%d]", prefix, i), fmt.Sprintf("%d bytes", len(p)), "a protocol name has 1 to 255 bytes")
		}
	}
	t.config.NextProtos = slices.Clone(o.ApplicationLayerProtocol)
	switch o.MaximumFragmentLength {
	case 0, 512, 1024, 2048, 4096:
		t.limit = o.MaximumFragmentLength
	default:
		errs.add(prefix+"MaximumFragmentLength", o.MaximumFragmentLength, "use 512, 1024, 2048 or 4096 (RFC 6066 section 4), or leave it out")
	}
	t.timeout = DefaultHandshakeTimeout
	if o.HandshakeTimeout > 0 {
		t.timeout = o.HandshakeTimeout
	}
	if o.HandshakeTimeout < 0 {
		errs.add(prefix+"HandshakeTimeout", o.HandshakeTimeout, "use a positive duration, or 0 for the default")
	}
	switch o.VerifyMode {
	case "", VerifyRequired:
		t.rules.mode = VerifyRequired
	case VerifyOptional, InsecureVerifyNone:
		t.rules.mode = o.VerifyMode
		t.own = true
	default:
		errs.add(prefix+"VerifyMode", fmt.Sprintf("%q", string(o.VerifyMode)), `use VerifyRequired or VerifyOptional`)
	}
	return t
}

// finish applies the features and binds the rules.
func (t *terms) finish(o *TLSOptions, errs *optionErrors, prefix string) *terms {
	for i, f := range o.With {
		b := &builder{t, o, errs, fmt.Sprintf("%sWith[%d]", prefix, i)}
		if f == nil {
			b.add("", nil, "is nil; leave it out")
			continue
		}
		f.apply(b)
	}
	// Where State has to tell what these rules have made of a peer, and not what
	// crypto/tls or an older session did, each connection notes it.
	t.own = t.own || len(t.rules.checks) > 0 || t.rules.auth != ClientAuthNone
	t.config.InsecureSkipVerify = !t.server && !t.rules.standard()
	t.config.ClientAuth = t.rules.clientAuth()
	if len(t.rules.checks) > 0 || !t.rules.standard() {
		t.own = true // what they say differs from crypto/tls's record
	}
	t.config.VerifyConnection = func(cs tls.ConnectionState) error {
		return t.rules.admit(&State{ConnectionState: cs, Server: t.server, Host: t.rules.host})
	}
	return t
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

func (o *TLSOptions) clientTerms(errs *optionErrors, prefix string) *terms {
	t := o.commonTerms(errs, prefix, false)
	if o.ServerCertificate != nil || o.ServerKey != nil || o.GetCertificate != nil {
		errs.add(prefix+"ServerCertificate, ServerKey, GetCertificate", nil, "are for listeners; a client has ClientCertificate and ClientKey")
	}
	if o.ClientAuth != ClientAuthNone || o.hasLimits() {
		errs.add(prefix+"ClientAuth, "+limitNames, nil, "are for listeners; leave them out")
	}
	t.rules.host = checkHost(errs, prefix+"Host", o.Host)
	t.rules.roots = o.pool(errs, prefix)
	ids := parseIdentities(errs, prefix+"ClientCertificate", o.ClientCertificate, prefix+"ClientKey", o.ClientKey)
	if len(ids) > 0 && o.GetClientCertificate != nil {
		errs.add(prefix+"GetClientCertificate", nil, "give either it or ClientCertificate and ClientKey")
	}
	get := o.GetClientCertificate
	if len(ids) > 0 {
		get = func(r *tls.CertificateRequestInfo) (*tls.Certificate, error) { return chooseIdentity(ids, r) }
	}
	if get != nil {
		t.config.GetClientCertificate = func(r *tls.CertificateRequestInfo) (*tls.Certificate, error) {
			cert, err := get(r)
			if c, ok := r.Context().Value(connKey{}).(*Conn); ok && err == nil {
				c.local = cert
			}
			return cert, err
		}
	}
	t.generation = generations.Add(1)
	if o.Session != nil {
		session := checkSession(errs, prefix+"Session", o.Session, t.rules.host, o.NoSessions)
		t.offer = session
	}
	t.config.RootCAs = t.rules.roots
	t.config.ServerName = t.rules.host
	return t.finish(o, errs, prefix)
}

// connKey is the key of a client handshake's *Conn in its context.
type connKey struct{}

// checkHost returns host as it is sent and compared. Empty is left to the caller.
func checkHost(errs *optionErrors, option, host string) string {
	name := strings.TrimSuffix(host, ".")
	switch {
	case name == "" && host != "", strings.ContainsAny(name, " \t\r\n\x00/"), len(name) > 253:
		errs.add(option, fmt.Sprintf("%q", host), "use a DNS name or an IP address, without port or scheme")
	case strings.Count(name, ":") == 1:
		errs.add(option, fmt.Sprintf("%q", host), "leave the port out of it")
	}
	return name
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

func (o *TLSOptions) serverTerms(errs *optionErrors, prefix string) *terms {
	t := o.commonTerms(errs, prefix, true)
	if o.ClientCertificate != nil || o.ClientKey != nil || o.GetClientCertificate != nil {
		errs.add(prefix+"ClientCertificate, ClientKey, GetClientCertificate", nil, "are for clients; a listener has ServerCertificate and ServerKey")
	}
	if o.Host != "" {
		errs.add(prefix+"Host", o.Host, "is for clients; a listener's names are those of its certificates")
	}
	t.certs = parseIdentities(errs, prefix+"ServerCertificate", o.ServerCertificate, prefix+"ServerKey", o.ServerKey)
	t.ask = o.GetCertificate
	if o.ServerCertificate == nil && o.ServerKey == nil && o.GetCertificate == nil && !slices.ContainsFunc(o.With, hasCertificates) {
		errs.add(prefix+"ServerCertificate", nil, "required, with ServerKey; or GetCertificate")
	}
	t.config.GetCertificate = t.certificate
	t.config.GetConfigForClient = t.greet
	t.rules.roots = o.pool(errs, prefix)
	t.rules.auth = o.ClientAuth
	t.config.ClientCAs = t.rules.roots
	switch o.ClientAuth {
	case ClientAuthNone:
		if t.rules.roots != nil {
			errs.add(prefix+"CA", nil, `is used with ClientAuth "request" or "require" only; set ClientAuth or leave CA out`)
		}
	case ClientAuthRequest, ClientAuthRequire:
		if t.rules.roots == nil && t.rules.mode != InsecureVerifyNone && !slices.ContainsFunc(o.With, hasRoots) {
			errs.add(prefix+"CA", nil, "required with ClientAuth: without it any public CA's certificate would do")
		}
	default:
		errs.add(prefix+"ClientAuth", string(o.ClientAuth), `use "", "request" or "require"`)
	}
	return t.finish(o, errs, prefix)
}

// NamesRoots reports whether the options say whom to trust: by CA, Roots or RootsFor.
func (o *TLSOptions) NamesRoots() bool {
	return o.Roots != nil || len(o.CA) > 0 || slices.ContainsFunc(o.With, hasRoots)
}

// hasRoots reports whether f is RootsFor.
func hasRoots(f Feature) bool {
	_, ok := f.(interface{ roots() })
	return ok
}

// hasCertificates reports whether f is Identities.
func hasCertificates(f Feature) bool {
	_, ok := f.(interface{ certificates() })
	return ok
}

// checkLimits validates what stands beside a server's Context.
func (o *TLSOptions) checkLimits(errs *optionErrors, prefix string) {
	if o.MaxHandshakes < 0 {
		errs.add(prefix+"MaxHandshakes", o.MaxHandshakes, "use a positive number, or 0 for the default")
	}
	if o.MaxConnections < 0 {
		errs.add(prefix+"MaxConnections", o.MaxConnections, "use a positive number, or 0 for no limit")
	}
	o.HandshakeRate.check(errs, prefix)
}

// greet notes what the client offers.
func (t *terms) greet(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	w, ok := hello.Conn.(*wire)
	if !ok {
		return nil, nil
	}
	w.beginTurn()
	c := w.owner
	c.offered = hello.SignatureSchemes
	if t.pick != nil {
		return t.pick(t, c, hello), nil
	}
	if c.alone {
		return c.adapt(t.config), nil
	}
	return nil, nil
}

// certificate chooses the identity that suits the client and notes it.
func (t *terms) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	w, ok := hello.Conn.(*wire)
	var cert *tls.Certificate
	var err error
	if ok && w.owner.rules.choose != nil {
		cert, err = w.owner.rules.choose(hello)
	}
	if cert == nil && err == nil {
		cert, err = t.choose(hello)
	}
	if ok && err == nil {
		w.owner.local = cert
	}
	return cert, err
}

func (t *terms) choose(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	// crypto/tls's rule: GetCertificate is asked about names, and about
	// everything if there are no certificates.
	if t.ask != nil && (len(t.certs) == 0 || hello.ServerName != "") {
		if cert, err := t.ask(hello); cert != nil || err != nil || len(t.certs) == 0 {
			return cert, err
		}
	}
	for i := range t.certs {
		if len(t.certs) == 1 || hello.SupportsCertificate(&t.certs[i]) == nil {
			return &t.certs[i], nil
		}
	}
	return &t.certs[0], nil // crypto/tls says what doesn't fit
}

// keyLog writes a connection's secrets to all who asked for them: next, tap or both. It
// lets no panic through: crypto/tls holds a lock of all connections meanwhile.
type keyLog struct {
	next io.Writer
	tap  Tap
}

func (k *keyLog) Write(line []byte) (n int, err error) {
	defer caught(&err)
	if k.tap != nil {
		k.tap.Secret(line)
	}
	if k.next == nil {
		return len(line), nil
	}
	return k.next.Write(line)
}

// serverConn prepares a connection on these terms; it starts nothing. o is valid.
func (t *terms) serverConn(raw net.Conn, o *SecureOptions) *Conn {
	c := &Conn{}
	c.prepare(t, raw, o)
	if t.freshen != nil {
		t.freshen(t)
	}
	// What c needs of its own comes by greet: so the tickets are t.config's.
	c.tls = tls.Server(&c.wire, t.config)
	return c
}

// clientConn is serverConn's counterpart.
func (t *terms) clientConn(raw net.Conn, o *SecureOptions) *Conn {
	c := &Conn{}
	c.prepare(t, raw, o)
	config := t.config
	offer := o.session
	if offer == nil && c.rules.host == t.rules.host { // whose it is
		offer = t.offer
	}
	resumes := (t.sessions != nil || offer != nil) && !t.config.SessionTicketsDisabled && !isPipe(raw)
	if c.alone || resumes {
		config = c.adapt(config)
	}
	if resumes {
		config.ClientSessionCache = c.useSessions(offer)
	}
	c.tls = tls.Client(&c.wire, config)
	return c
}

// isPipe reports whether raw is a net.Pipe. That holds no bytes: with sessions, the
// handshake would never end; see TLSOptions.NoSessions.
func isPipe(raw net.Conn) bool {
	addr := raw.LocalAddr()
	return addr != nil && addr.Network() == "pipe"
}

// prepare sets c up in what both roles have in common.
func (c *Conn) prepare(t *terms, raw net.Conn, o *SecureOptions) {
	c.server, c.terms, c.rules = t.server, t, &t.rules
	c.limit.Store(int32(t.limit))
	c.wire.raw, c.wire.owner, c.wire.poller = raw, c, pollerOf(raw)
	c.wire.prefix = o.Unread
	c.alone = t.own
	if o.Host != "" || o.VerifyPeer != nil || o.VerifyMode != "" || o.ClientAuth != nil || o.GetCertificate != nil {
		own := *o
		own.Unread = nil // isn't to live as long as the connection
		c.alone, c.override = true, &own
		c.rules = own.override(&t.rules)
	}
	if t.tap != nil {
		c.wire.tap = t.newTap(raw)
	}
}

func (t *terms) newTap(raw net.Conn) (tap Tap) {
	var err error
	defer func() {
		if err != nil {
			tap = brokenTap{err}
		}
	}()
	defer caught(&err)
	return t.tap(raw.LocalAddr(), raw.RemoteAddr(), t.server)
}

// override returns the rules with what o, which may be nil, has of its own.
func (o *SecureOptions) override(of *rules) *rules {
	if o == nil {
		return of
	}
	r := *of
	if o.Host != "" {
		r.host = o.Host
	}
	if o.VerifyPeer != nil {
		r.decide = o.VerifyPeer
	}
	if o.GetCertificate != nil {
		r.choose = o.GetCertificate
	}
	if o.VerifyMode != "" {
		r.mode = o.VerifyMode
	}
	if o.ClientAuth != nil {
		r.auth = *o.ClientAuth
	}
	return &r
}

// adapt makes a copy of shared work for c alone. It isn't a Clone, which would begin
// ticket keys of its own.
func (c *Conn) adapt(shared *tls.Config) *tls.Config {
	config := &tls.Config{
		Time:                   shared.Time,
		GetCertificate:         shared.GetCertificate,
		GetClientCertificate:   shared.GetClientCertificate,
		GetConfigForClient:     shared.GetConfigForClient,
		RootCAs:                shared.RootCAs,
		ClientCAs:              shared.ClientCAs,
		NextProtos:             shared.NextProtos,
		ServerName:             c.rules.host,
		ClientAuth:             c.rules.clientAuth(),
		InsecureSkipVerify:     !c.server && !c.rules.standard(),
		CipherSuites:           shared.CipherSuites,
		SessionTicketsDisabled: shared.SessionTicketsDisabled,
		ClientSessionCache:     shared.ClientSessionCache,
		MinVersion:             shared.MinVersion,
		MaxVersion:             shared.MaxVersion,
		CurvePreferences:       shared.CurvePreferences,
		KeyLogWriter:           shared.KeyLogWriter,
		VerifyConnection: func(cs tls.ConnectionState) error {
			s := c.state(cs)
			err := c.rules.admit(&s)
			c.recorded, c.authErr, c.chains = true, s.authErr, s.VerifiedChains
			return err
		},
	}
	if c.wire.tap != nil {
		config.KeyLogWriter = &keyLog{shared.KeyLogWriter, c.wire.tap}
	}
	return config
}
