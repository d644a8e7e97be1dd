package relay

import (
	"fmt"
	"time"

	"ingot.dev/certs"
	"ingot.dev/firmware/endpoint"
	"ingot.dev/tlsio"
)

// DefaultConnectTimeout is how long a connection waits for the one that it is passed on
// to.
const DefaultConnectTimeout = 10 * time.Second

// TerminateOptions configure Terminate. Listen and To are required.
type TerminateOptions struct {
	endpoint.Options

	// To is the TCP server, "host:port". A name is looked up for each connection.
	To string

	// ConnectTimeout is how long a connection may wait for the server; 0 is
	// DefaultConnectTimeout.
	ConnectTimeout time.Duration

	// AllowTruncation takes the end of a TCP connection for the end of its data, also
	// without TLS's close_notify. Whoever can cut connections on the way can then cut
	// messages short without being noticed.
	AllowTruncation bool
}

// OriginateOptions configure Originate. Listen and To are required; those of Options
// that are about TLS stay empty, since the listener speaks none.
type OriginateOptions struct {
	endpoint.Options

	// To is the TLS server, "host:port". A name is looked up for each connection.
	To string

	// Host is the server's name, for SNI and to compare with its certificate. Without
	// it, it is the host of To.
	Host string

	// Group is the group of the store's anchors that vouch for the server, "" the
	// anchors in no group.
	Group string

	// Present is the identity of the store that is shown to the server if it asks, by
	// the name of its folder; "" shows none.
	Present string

	// Pins is the store's set of pins that the server's keys must be in, beside all
	// else; "" asks for none. See certs.Rules.
	Pins string

	// Upstream's versions, policy and ALPN are for the connection to the server; see
	// endpoint.Options. The zero value has tlsio's defaults.
	Upstream Upstream

	// ConnectTimeout is how long a connection may wait for the server, TLS handshake
	// included; 0 is DefaultConnectTimeout.
	ConnectTimeout time.Duration

	// AllowTruncation is as in TerminateOptions.
	AllowTruncation bool
}

// Upstream is what can be said of TLS towards a server.
type Upstream struct {
	MinimumVersion, MaximumVersion string
	Policy                         tlsio.Policy
	ALPN                           []string
}

func (u *Upstream) tlsOptions() tlsio.TLSOptions {
	o := tlsio.TLSOptions{MinimumVersion: u.MinimumVersion, MaximumVersion: u.MaximumVersion, ApplicationLayerProtocol: u.ALPN}
	if u.Policy != "" {
		o.With = []tlsio.Feature{u.Policy}
	}
	return o
}

// context makes the client's context once the store is there. All connections share it,
// and with it the sessions that can be resumed.
func (o *OriginateOptions) context(store *certs.Store) (*tlsio.SecureContext, error) {
	options := o.Upstream.tlsOptions()
	options.Host = o.Host
	if err := endpoint.Trust(&options, store, o.Group); err != nil {
		return nil, err
	}
	if o.Present != "" {
		if err := endpoint.Present(&options, store, o.Present); err != nil {
			return nil, err
		}
	}
	if o.Pins != "" {
		pins := store.Pins(o.Pins)
		if pins == nil {
			return nil, &PinsError{o.Pins}
		}
		options.With = append(options.With, tlsio.Pins(pins))
	}
	return tlsio.NewClientContext(options)
}

// A PinsError says that the store has no set of pins of that name, or that the firmware
// doesn't read them.
type PinsError struct{ Name string }

func (e *PinsError) Error() string {
	return fmt.Sprintf("the certificate store has no set of pins %q ('ingot certs pin' makes one; firmware.Config needs Rules: certs.Rules())", e.Name)
}
