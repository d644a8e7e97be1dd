package server

import (
	"io"
	"io/fs"
	"net/netip"
	"time"

	"ingot.dev/tlsio"
)

// StartMode says when TLS starts on a connection. The reference's numbers differ:
// its default, none, is 3 there.
type StartMode uint8

const (
	// StartNone: no TLS. It is the default.
	StartNone StartMode = iota
	// StartAutomatic is StartExplicit if the server listens on PlaintextPort,
	// otherwise StartImplicit.
	StartAutomatic
	// StartImplicit: the handshake comes first.
	StartImplicit
	// StartExplicit: connections begin in plain text; StartTLS secures them.
	StartExplicit
)

// IPVersion says which versions of IP are served. The numbers are the reference's.
type IPVersion uint8

const (
	IPv4Only IPVersion = iota // the default
	IPv6Only
	IPv4AndIPv6
)

// Values where an option is zero, and bounds.
const (
	DefaultConnectionBacklog = 5
	DefaultMaxConnections    = 1000
	MostConnections          = 100_000 // largest MaxConnections
	DefaultMaxLineLength     = 2048
	LeastMaxLineLength       = 256 // smallest MaxLineLength
	DefaultMaxRecordLength   = 1 << 20
	DefaultSendQueue         = 16 << 10
	DefaultLingerTimeout     = 5 * time.Second
	DefaultStallTimeout      = 2 * time.Minute
)

// Config configures a Server. The zero value serves plain TCP over IPv4 on a port
// that the network picks. Slices are copied.
type Config struct {
	// LocalHost is the IP address to listen on; empty means all.
	LocalHost string
	// LocalPort is the port; 0 lets the network pick one, see Server.LocalPort.
	LocalPort int
	// UseIPv6 says which versions of IP are served when LocalHost is empty; an
	// address of the other version in LocalHost is refused.
	UseIPv6 IPVersion
	// ConnectionBacklog is the number of connections that wait to be accepted;
	// 0 means DefaultConnectionBacklog.
	ConnectionBacklog int
	// MaxConnections limits the connections, those in handshake included; 0 means
	// DefaultMaxConnections. More are refused.
	MaxConnections int

	// AllowedClients and BlockedClients list IP addresses, prefixes
	// ("10.0.0.0/8") and addresses with the wildcard * ("192.168.1.*"). Whoever
	// is not allowed, or is blocked, is refused unless ConnectionRequest decides
	// otherwise. No AllowedClients means all. Host names would need reverse
	// DNS, whose answers the peer can choose: they are refused. Without a
	// ConnectionRequest to decide otherwise, whoever is refused gets no answer but a
	// reset where the network can (tlsio.AdmittingNetwork).
	AllowedClients, BlockedClients []string

	// Admit, if set, decides on peers before anything else does, where the network
	// can (tlsio.AdmittingNetwork) before they get an answer; its error is for the
	// program's own use. It must be quick, must not block, and may be called
	// several times for a peer. ConnectionRequest is the event for decisions that
	// take longer.
	Admit func(remote netip.AddrPort) error
	// Budget bounds the memory of connections, with that of others that have the
	// same Budget. A connection that doesn't fit at its largest (line buffer, send
	// queue, TLS, the network's buffers) is refused. nil means no bound.
	Budget *tlsio.Budget

	// EOL ends a line; empty means that data is handed on as it arrives. It may
	// be several bytes of any value.
	EOL []byte
	// SingleLineMode cuts at CR LF, CR or LF; EOL is ignored.
	SingleLineMode bool
	// MaxLineLength bounds a line; a longer one comes in pieces. 0 means
	// DefaultMaxLineLength, the least is LeastMaxLineLength.
	MaxLineLength int
	// MaxRecordLength bounds what ChangeRecordLength accepts; 0 means
	// DefaultMaxRecordLength.
	MaxRecordLength int
	// IdleTimeout disconnects clients that neither sent nor received for so
	// long; 0 means never.
	IdleTimeout time.Duration
	// StallTimeout breaks off connections to clients that take nothing of what waits
	// to be sent to them for so long, whatever they send themselves; 0 means
	// DefaultStallTimeout, a negative one never.
	StallTimeout time.Duration
	// Timeout makes sending wait, at most so long without progress; 0 means that
	// sending never waits.
	Timeout time.Duration

	// KeepAlive has TCP probe connections that are silent for KeepAliveTime
	// every KeepAliveInterval; 0 means the network's own times.
	KeepAlive                        bool
	KeepAliveTime, KeepAliveInterval time.Duration
	// NoLinger breaks connections off on disconnect: what is still queued is
	// lost and the peer sees a reset. Otherwise the queue is sent first, for up
	// to LingerTimeout (0 means DefaultLingerTimeout) without progress.
	NoLinger      bool
	LingerTimeout time.Duration
	// InBufferSize and OutBufferSize set the network's buffers per connection, in
	// bytes; 0 leaves them alone.
	InBufferSize, OutBufferSize int
	// SendQueue is the size of a connection's send queue in bytes, in front of
	// the network's buffer; 0 means DefaultSendQueue. Memory is taken as needed.
	SendQueue int
	// NoDelay sends small segments at once; otherwise Nagle's algorithm holds
	// them back while others are unacknowledged, which is the reference's default
	// and makes large sends several times slower.
	NoDelay bool

	// StartMode says when TLS starts, TLS with what. PlaintextPort is
	// the port that StartAutomatic compares LocalPort with.
	StartMode     StartMode
	PlaintextPort int
	// TLS is the server's side of TLS. MaxConnections, Admit, Budget and OnRefused in
	// it are refused: Config has the first three, events tell the other.
	TLS tlsio.TLSOptions
	// AuthenticateClients asks clients for a certificate. One that doesn't
	// verify against TLS.CA or TLS.Roots, or none, is refused unless the event
	// ClientAuthentication decides otherwise.
	AuthenticateClients bool
	// HandshakeInactivity ends handshakes in which the client is silent for so
	// long; 0 means that only TLS.HandshakeTimeout limits them.
	HandshakeInactivity time.Duration
	// LogTLSPackets reports every TLS record through TLSStatus.
	LogTLSPackets bool

	// CodePage is how SendText and SendLine put text into bytes; 0 is UTF-8. Its
	// Decode is for what DataIn brings.
	CodePage CodePage

	// Files is where the settings OpenSSLCAFile and OpenSSLCADir find files.
	Files fs.FS
	// OpenAppend opens the file of the setting SSLKeyLogFile, to append to. It may
	// be anything that takes lines: flash, the console, the network.
	OpenAppend func(name string) (io.Writer, error)

	text *tlsText // settings of TLS that were made by text

	// Post, if set, has all events called through it: Loop.Post for programs that
	// step, App.Post for those that run a tlsio.App. It must call functions one
	// after another, in order, and not before it returns.
	Post func(func())
}
