package endpoint

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"ingot.dev/tlsio"
	"ingot.dev/tlsio/problems"
)

// Off switches a timeout off whose zero value means its default.
const Off time.Duration = problems.Off

// Defaults of Options.
const (
	DefaultIdleTimeout  = 10 * time.Minute
	DefaultStallTimeout = 30 * time.Second
)

// Options are what the services have in common. Only Listen is required.
type Options struct {
	Name   string // for messages; the service's kind if it is empty
	Listen string // "host:port"; an empty host is every address

	// Identity is who the service is: an identity of the store, by the name of its
	// folder or one that its certificate is valid for. Without it, all are offered,
	// and the client's SNI chooses.
	Identity string

	// ClientAuth says whether clients show certificates. ClientGroup is the group of
	// anchors that vouch for them, "" the anchors in no group; naming a group
	// without ClientAuth requires certificates.
	ClientAuth  tlsio.ClientAuth
	ClientGroup string

	// MinimumVersion, MaximumVersion, Policy and ALPN are as tlsio.TLSOptions has
	// them; ALPN is its ApplicationLayerProtocol.
	MinimumVersion, MaximumVersion string
	Policy                         tlsio.Policy
	ALPN                           []string

	// MaxConnections limits the connections at a time, MaxPerAddress those from one
	// address, MaxHandshakes those in their handshake. MaxConnections has, if it is 0,
	// as many as memory has room for; MaxPerAddress no limit; MaxHandshakes tlsio's.
	MaxConnections, MaxPerAddress, MaxHandshakes int

	// HandshakeRate is how many TLS handshakes a second there may be in the long run,
	// whoever makes them, so that the processor is left to those who are connected;
	// see tlsio.HandshakeRate. 0 is firmware.HandshakeRate.
	HandshakeRate int

	// Rate is how many connections a second an address may make in the long run, 0
	// for no limit; Burst how many at once, Rate rounded up if it is 0.
	Rate  float64
	Burst int

	// HandshakeTimeout is for the TLS handshake: tlsio's default if it is 0.
	// IdleTimeout ends connections on which nothing comes or goes, StallTimeout those
	// whose peer doesn't take what was written at once, a record of TLS or up to 64 KB,
	// within that time, or up to a quarter less. 0 is DefaultIdleTimeout and DefaultStallTimeout; Off is no limit.
	HandshakeTimeout, IdleTimeout, StallTimeout time.Duration

	// Allow lists who may connect, everybody if it is empty; Block who may not,
	// whatever Allow says.
	Allow, Block []netip.Prefix
}

// Problems collects wrong options, so that all are reported at once. The zero value is
// ready.
type Problems struct{ problems.List }

// Address checks "host:port". To listen, the host may be empty and the port 0.
func (p *Problems) Address(option, address string, listen bool) {
	host, port, err := net.SplitHostPort(address)
	n, notNumber := strconv.ParseUint(port, 10, 16)
	switch {
	case address == "":
		p.Add(option, nil, "required: host:port")
	case err != nil, notNumber != nil, !listen && (host == "" || n == 0):
		if listen {
			p.Add(option, address, "use host:port or :port, with a port from 0 to 65535")
		} else {
			p.Add(option, address, "use host:port, with a port from 1 to 65535")
		}
	}
}

// Count notes a negative number.
func (p *Problems) Count(option string, n int) {
	if n < 0 {
		p.Add(option, n, "use a positive number, or 0 for the default")
	}
}

// check notes what is wrong with o whatever the transport, and returns its timeouts.
func (o *Options) check(p *Problems) (idle, stall time.Duration) {
	p.Address("Listen", o.Listen, true)
	p.Count("MaxConnections", o.MaxConnections)
	p.Count("MaxPerAddress", o.MaxPerAddress)
	p.Count("MaxHandshakes", o.MaxHandshakes)
	p.Count("Burst", o.Burst)
	if o.HandshakeRate < 0 || o.HandshakeRate > 1e6 {
		p.Add("HandshakeRate", o.HandshakeRate, "use handshakes per second, up to a million, or 0 for the default")
	}
	if !(o.Rate >= 0 && o.Rate <= 1e6) {
		p.Add("Rate", o.Rate, "use connections per second, up to a million, or 0 for no limit")
	}
	if o.Rate == 0 && o.Burst > 0 {
		p.Add("Burst", o.Burst, "is a matter of Rate; give that too, or leave it out")
	}
	o.checkLists(p)
	return p.Duration("IdleTimeout", o.IdleTimeout, DefaultIdleTimeout), p.Duration("StallTimeout", o.StallTimeout, DefaultStallTimeout)
}

func (o *Options) checkLists(p *Problems) {
	for _, list := range []struct {
		name     string
		prefixes []netip.Prefix
	}{{"Allow", o.Allow}, {"Block", o.Block}} {
		for i, prefix := range list.prefixes {
			covered := func(b netip.Prefix) bool {
				return b.IsValid() && b.Bits() <= prefix.Bits() && b.Contains(prefix.Addr())
			}
			switch option := fmt.Sprintf("%s[%d]", list.name, i); {
			case !prefix.IsValid():
				p.Add(option, prefix, "use an address and a prefix length, such as 10.0.0.0/8")
			case prefix.Addr().Is4In6():
				p.Add(option, prefix, "write it as an IPv4 prefix")
			case prefix != prefix.Masked():
				p.Add(option, prefix, "has bits behind its length; did you mean "+prefix.Masked().String()+"?")
			case list.name == "Allow" && slices.ContainsFunc(o.Block, covered):
				p.Add(option, prefix, "is blocked as a whole by Block; leave it out of one of them")
			}
		}
	}
}

// checkPlain notes options that a listener without TLS has no use for.
func (o *Options) checkPlain(p *Problems) {
	const fix = "is about TLS, which this service's listener doesn't speak; leave it out"
	for _, s := range []struct{ option, value string }{
		{"Identity", o.Identity}, {"ClientAuth", string(o.ClientAuth)}, {"ClientGroup", o.ClientGroup},
		{"MinimumVersion", o.MinimumVersion}, {"MaximumVersion", o.MaximumVersion}, {"Policy", string(o.Policy)},
	} {
		if s.value != "" {
			p.Add(s.option, s.value, fix)
		}
	}
	if len(o.ALPN) > 0 {
		p.Add("ALPN", o.ALPN, fix)
	}
	if o.MaxHandshakes != 0 {
		p.Add("MaxHandshakes", o.MaxHandshakes, fix)
	}
	if o.HandshakeRate > 0 {
		p.Add("HandshakeRate", o.HandshakeRate, fix)
	}
	if o.HandshakeTimeout != 0 {
		p.Add("HandshakeTimeout", o.HandshakeTimeout, fix)
	}
}
