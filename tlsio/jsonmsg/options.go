package jsonmsg

import (
	"encoding/json"
	"net"
	"strings"
	"time"

	"ingot.dev/tlsio"
	"ingot.dev/tlsio/problems"
)

// Values of options that switch something off. A zero value means the default.
const (
	Off       time.Duration = problems.Off // no timeout; no pings
	Unlimited               = -1           // no limit on a number
)

// Defaults of options. The first three are the npm package's.
const (
	DefaultRequestTimeout    = 10 * time.Second
	DefaultKeepAliveInterval = 10 * time.Second
	DefaultKeepAliveTimeout  = 5 * time.Second

	DefaultAuthTimeout    = 10 * time.Second
	DefaultWriteTimeout   = 10 * time.Second
	DefaultConnectTimeout = 20 * time.Second
	DefaultAttemptWindow  = time.Minute

	DefaultMaxMessage         = 1 << 20
	DefaultMaxPassword        = 4 << 10
	DefaultMaxQueue           = 2 << 20
	DefaultMaxMemory          = 16 << 20
	DefaultMaxPending         = 256
	DefaultMaxClients         = 1024
	DefaultMaxUnauthenticated = 64
	DefaultMaxAttempts        = 5
	DefaultMaxAddresses       = 1024
)

// optionErrors are refused options.
type optionErrors struct{ problems.List }

// number is Duration for numbers and sizes. least is the lowest that works.
func (l *optionErrors) number(option string, n, byDefault, least int) int {
	switch {
	case n == 0:
		return byDefault
	case n < least:
		l.Add(option, n, "too low; the least that works is "+string(uintText(uint64(least)))+", and 0 means the default")
	}
	return n
}

// limit is number for limits that can be lifted; 0 then means none.
func (l *optionErrors) limit(option string, n, byDefault, least int) int {
	if n == Unlimited {
		return 0
	}
	return l.number(option, n, byDefault, least)
}

// Limits bound what one peer, and all together, can make a Server or a Client
// hold. Sizes are in bytes.
type Limits struct {
	// MaxMessage is the longest JSON text that is received or sent. 0 means
	// DefaultMaxMessage.
	MaxMessage int
	// MaxQueue is what may wait to be sent to one peer, and, separately, what of
	// a peer may wait for its handler; when the latter is reached, the peer is
	// not read from. One message is always taken. 0 means DefaultMaxQueue.
	MaxQueue int
	// MaxMemory is for all peers together: incomplete lines, and what waits in
	// queues. When it is reached, sends fail with ErrMemory, and peers that send
	// more are disconnected. 0 means DefaultMaxMemory; Unlimited lifts it.
	MaxMemory int
	// MaxPending is how many requests to one peer may wait for their answers. 0
	// means DefaultMaxPending.
	MaxPending int
	// WriteTimeout is for each 16 KB that a peer doesn't take; then it is
	// disconnected. 0 means DefaultWriteTimeout.
	WriteTimeout time.Duration
	// AuthTimeout is from the end of the TLS handshake to the end of the
	// authentication. 0 means DefaultAuthTimeout.
	AuthTimeout time.Duration
}

func (o *Limits) apply(errs *optionErrors, t *terms) {
	t.maxMessage = errs.number("MaxMessage", o.MaxMessage, DefaultMaxMessage, 64)
	t.maxQueue = errs.number("MaxQueue", o.MaxQueue, DefaultMaxQueue, 1)
	t.mem.limit = int64(errs.limit("MaxMemory", o.MaxMemory, DefaultMaxMemory, 4096))
	if t.mem.limit > 0 && t.mem.limit < int64(t.maxMessage) {
		errs.Add("MaxMemory", t.mem.limit, "is below MaxMessage; raise it or lower that")
	}
	t.maxPending = errs.number("MaxPending", o.MaxPending, DefaultMaxPending, 1)
	t.writeTimeout = errs.Duration("WriteTimeout", o.WriteTimeout, DefaultWriteTimeout)
	t.authTimeout = errs.Duration("AuthTimeout", o.AuthTimeout, DefaultAuthTimeout)
}

// ServerOptions configures a Server. The zero value lacks only TLS's certificate
// and Password. Durations: 0 means the default, Off switches it off.
type ServerOptions struct {
	// TLS is the listener's. Its limits (MaxHandshakes, MaxConnections,
	// HandshakeRate, Admit, Budget) and OnRefused are used by Listen; a listener that is brought along has
	// its own. What is queued for a connection of a Budget is counted there, too.
	TLS tlsio.TLSOptions

	// Password is what clients must present: any value that encoding/json can
	// marshal. It is compared as JSON, in constant time, and not kept. Unlike
	// JavaScript's ===, objects and arrays with equal contents are equal.
	Password any
	// NoPassword, in place of Password, authenticates every client whose first
	// message has no password, as the npm server does that was given none.
	NoPassword bool

	RequestTimeout    time.Duration
	KeepAliveInterval time.Duration // between pings
	KeepAliveTimeout  time.Duration // that a pong may take

	Limits
	// MaxClients limits clients, also those not authenticated yet. 0 means
	// DefaultMaxClients, Unlimited lifts it.
	MaxClients int
	// MaxUnauthenticated limits clients that are not authenticated yet; when it
	// is reached, the oldest of them makes room for a newcomer. 0 means
	// DefaultMaxUnauthenticated.
	MaxUnauthenticated int
	// MaxPassword is the longest first line, in bytes. 0 means
	// DefaultMaxPassword.
	MaxPassword int
	// MaxAttempts is how many wrong passwords an address (IPv6: a /64) may send;
	// it is then refused until AttemptWindow has passed since the last one. 0
	// means DefaultMaxAttempts, Unlimited switches the count off. Listeners of
	// Listen refuse it before the TLS handshake, and before the TCP handshake where
	// the network can (tlsio.AdmittingNetwork). MaxAddresses
	// bounds the table; when it is full, the address that was seen longest ago
	// is forgotten.
	MaxAttempts   int
	AttemptWindow time.Duration
	MaxAddresses  int

	// Handlers of one client are called one after another, in the order of what
	// they report, each client's beside the others'. No lock is held: they may
	// call any method, and wait for answers of the same client. id is the
	// client's: ids count up from 0 and are never used twice. nil handlers are
	// not called; a request without OnRequest stays without answer.

	// OnAuthenticated: the password was right. conn is there to look at (its
	// addresses, its State); who reads, writes or closes it breaks the protocol.
	OnAuthenticated func(s *Server, id uint64, conn *tlsio.Conn)
	OnMessage       func(s *Server, id uint64, body json.RawMessage)
	OnRequest       func(s *Server, id uint64, body json.RawMessage, r *Responder)
	// OnClose is called once for every client, authenticated or not, after all
	// its other handlers. err is nil if the client said goodbye.
	OnClose func(s *Server, id uint64, err error)
	// OnError is told what went wrong, once: why a connection was ended, if not
	// by a goodbye; a first unparsable line; a handler's panic.
	OnError func(s *Server, id uint64, err error)
	// OnTimeout: no pong within KeepAliveTimeout; the connection is ended.
	OnTimeout func(s *Server, id uint64)
	// OnRefused is told of connections that never became clients: too many of
	// them, too many wrong passwords before (once while that lasts), and, if
	// TLS.OnRefused is not set, what is reported there. Several calls may run at once,
	// and hold up the acceptance of further connections.
	OnRefused func(s *Server, remote net.Addr, err error)
}

// ClientOptions configures a Client. Durations: 0 means the default, Off switches
// it off.
type ClientOptions struct {
	// TLS needs no Host.
	TLS tlsio.TLSOptions
	// Host is the server's name, which its certificate must be for. It is also
	// what is connected to, unless Address says otherwise: a name or an address.
	Host, Address string
	Port          int

	// Password is presented to the server: any value that encoding/json can
	// marshal; nil sends none.
	Password any

	RequestTimeout time.Duration
	// ReconnectInterval is the pause before connecting again after a loss; 0
	// means never, as in the npm package. With MaxReconnectInterval above it,
	// the pause doubles with each attempt that doesn't end in an authenticated
	// connection, up to that; otherwise it stays the same. ReconnectJitter, from
	// 0 to 1, is the part of each pause that is random, so that many clients
	// don't come back at the same time.
	ReconnectInterval, MaxReconnectInterval time.Duration
	ReconnectJitter                         float64

	// ConnectTimeout is for the TCP connection and the TLS handshake together. 0
	// means DefaultConnectTimeout.
	ConnectTimeout time.Duration
	// IdleTimeout ends a connection on which nothing was received for so long,
	// pings included; 0 means never. Only servers that ping suit it.
	IdleTimeout time.Duration

	Limits

	// Handlers are called one after another, in the order of what they report,
	// also across connections. No lock is held: they may call any method, and
	// wait for answers. nil handlers are not called; a request without OnRequest
	// stays without answer.

	OnAuthenticated func(c *Client)
	// OnMessage: before authentication, that is a message with a field error, as
	// {"error":"incorrect password"}.
	OnMessage func(c *Client, body json.RawMessage)
	OnRequest func(c *Client, body json.RawMessage, r *Responder)
	// OnClose: a connection has ended, or the first attempt to connect has
	// failed. Later attempts that fail are not reported. err is nil if the server
	// said goodbye.
	OnClose func(c *Client, err error)
	// OnError is told what went wrong, before OnClose. Failures to resolve or
	// reach the server are reported for the first attempt only.
	OnError func(c *Client, err error)
	// OnReconnectAttempt: an attempt begins. n counts from 1 since the last
	// authenticated connection.
	OnReconnectAttempt func(c *Client, n int)
}

func (o *ServerOptions) check(s *Server) error {
	var errs optionErrors
	tls := o.TLS
	s.listener = tlsio.TLSOptions{MaxHandshakes: tls.MaxHandshakes, MaxConnections: tls.MaxConnections,
		HandshakeRate: tls.HandshakeRate, Admit: tls.Admit, Budget: tls.Budget, OnRefused: tls.OnRefused}
	tls.MaxHandshakes, tls.MaxConnections, tls.Admit, tls.Budget, tls.OnRefused = 0, 0, nil, nil, nil
	tls.HandshakeRate = tlsio.HandshakeRate{}
	if tls.Context != nil {
		s.listener.Context = tls.Context
		s.listener.HandshakeTimeout = tls.HandshakeTimeout
	} else {
		c, err := tlsio.NewServerContext(tls)
		errs.AddAll("TLS.", err)
		s.listener.Context = c
	}
	if s.listener.MaxHandshakes < 0 {
		errs.Add("TLS.MaxHandshakes", s.listener.MaxHandshakes, "use a positive number, or 0 for the default")
	}
	if s.listener.MaxConnections < 0 {
		errs.Add("TLS.MaxConnections", s.listener.MaxConnections, "use a positive number, or 0 for no limit")
	}

	var err error
	if s.secret, err = newSecret(o.Password); err != nil {
		errs.Add("Password", nil, "must be a value of JSON: "+err.Error())
	}
	if o.Password == nil && !o.NoPassword {
		errs.Add("Password", nil, "required; NoPassword lets everybody in")
	}
	if o.Password != nil && o.NoPassword {
		errs.Add("NoPassword", true, "there is a Password; leave one of them out")
	}

	t := &s.terms
	t.requestTimeout = errs.Duration("RequestTimeout", o.RequestTimeout, DefaultRequestTimeout)
	t.keepAliveInterval = errs.Duration("KeepAliveInterval", o.KeepAliveInterval, DefaultKeepAliveInterval)
	t.keepAliveTimeout = errs.Duration("KeepAliveTimeout", o.KeepAliveTimeout, DefaultKeepAliveTimeout)
	o.Limits.apply(&errs, t)
	t.maxPassword = errs.number("MaxPassword", o.MaxPassword, DefaultMaxPassword, 16)
	s.maxClients = errs.limit("MaxClients", o.MaxClients, DefaultMaxClients, 1)
	s.maxWaiting = errs.number("MaxUnauthenticated", o.MaxUnauthenticated, DefaultMaxUnauthenticated, 1)
	s.attempts.max = errs.limit("MaxAttempts", o.MaxAttempts, DefaultMaxAttempts, 1)
	s.attempts.size = errs.number("MaxAddresses", o.MaxAddresses, DefaultMaxAddresses, 1)
	s.attempts.window = errs.Duration("AttemptWindow", o.AttemptWindow, DefaultAttemptWindow)
	if o.AttemptWindow == Off {
		errs.Add("AttemptWindow", "Off", "MaxAttempts: Unlimited switches the count off")
	}
	return errs.Err("NewServer")
}

func (o *ClientOptions) check(c *Client) error {
	var errs optionErrors
	if c.network == nil {
		errs.Add("network", nil, "required; tlsio.HostNetwork{} is the operating system's")
	}
	tls := o.TLS
	host := o.Host
	switch {
	case host == "":
		host = tls.Host
	case tls.Host != "" && tls.Host != host:
		errs.Add("TLS.Host", tls.Host, "is not Host; leave it out, or use Address for what to connect to")
	}
	switch {
	case host == "":
		errs.Add("Host", nil, "required: the server's name, for its certificate and to connect to")
	case strings.ContainsAny(host, " \t\r\n\x00/") || strings.Count(host, ":") == 1:
		errs.Add("Host", host, "use a name or an IP address, without port or scheme")
	}
	address := o.Address
	if address == "" {
		address = host
	} else if strings.ContainsAny(address, " \t\r\n\x00/") || strings.Count(address, ":") == 1 {
		errs.Add("Address", address, "use a name or an IP address, without port or scheme")
	}
	if o.Port < 1 || o.Port > 65535 {
		errs.Add("Port", o.Port, "required: 1 to 65535")
	}
	c.address = net.JoinHostPort(address, string(uintText(uint64(max(o.Port, 0)))))
	c.tls = tlsio.TLSOptions{Context: tls.Context, Host: host}
	if tls.Context != nil {
		c.tls.HandshakeTimeout = tls.HandshakeTimeout
	} else {
		tls.Host = host
		var err error
		c.tls.Context, err = tlsio.NewClientContext(tls)
		errs.AddAll("TLS.", err)
	}

	c.first = []byte("{}\n")
	if o.Password != nil {
		text, err := encode([1]any{o.Password}, 64<<10)
		if err != nil {
			errs.Add("Password", nil, "must be a value of JSON: "+err.Error())
		} else {
			c.first = control(keyPassword, text[1:len(text)-2])
		}
	}

	t := &c.terms
	t.requestTimeout = errs.Duration("RequestTimeout", o.RequestTimeout, DefaultRequestTimeout)
	t.idleTimeout = errs.Duration("IdleTimeout", o.IdleTimeout, 0)
	o.Limits.apply(&errs, t)
	c.connectTimeout = errs.Duration("ConnectTimeout", o.ConnectTimeout, DefaultConnectTimeout)
	if o.ReconnectInterval < 0 {
		errs.Add("ReconnectInterval", o.ReconnectInterval, "use a positive duration, or 0 to connect only once")
	}
	if o.MaxReconnectInterval < 0 || o.MaxReconnectInterval > 0 && (o.ReconnectInterval == 0 || o.MaxReconnectInterval < o.ReconnectInterval) {
		errs.Add("MaxReconnectInterval", o.MaxReconnectInterval, "use a duration from ReconnectInterval on, or 0 for no back-off")
	}
	if !(o.ReconnectJitter >= 0 && o.ReconnectJitter <= 1) {
		errs.Add("ReconnectJitter", o.ReconnectJitter, "use a number from 0 to 1")
	}
	c.retry = backoff{o.ReconnectInterval, max(o.ReconnectInterval, o.MaxReconnectInterval), o.ReconnectJitter}
	return errs.Err("NewClient")
}
