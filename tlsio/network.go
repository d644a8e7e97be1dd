package tlsio

import (
	"context"
	"net"
	"time"
)

// Network dials and listens. Ingot's netstack is one, so is [HostNetwork], and a
// test can bring its own. Its connections may offer methods of net.TCPConn
// (SetNoDelay, SetKeepAliveConfig, CloseWrite); what they lack is reported where
// an option asks for it.
type Network interface {
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
	Listen(ctx context.Context, network, address string) (net.Listener, error)
}

// HostNetwork is the network of the operating system that the program runs on.
type HostNetwork struct{}

// DialContext implements Network.
func (HostNetwork) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, network, address)
}

// Listen implements Network.
func (HostNetwork) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	var c net.ListenConfig
	return c.Listen(ctx, network, address)
}

type noDelayer interface{ SetNoDelay(bool) error }

type keepAliver interface {
	SetKeepAliveConfig(net.KeepAliveConfig) error
}

// setNoDelay and setKeepAlive apply the 419 options to a connection. Its absence
// of such a switch matters only when the option differs from what a connection
// without switches does (no Nagle, no keep-alive).
func setNoDelay(c net.Conn, on bool) error {
	if s, ok := find[noDelayer](c); ok {
		return s.SetNoDelay(on)
	}
	return nil
}

func setKeepAlive(c net.Conn, every time.Duration) error {
	s, ok := find[keepAliver](c)
	if every == 0 {
		if ok {
			return s.SetKeepAliveConfig(net.KeepAliveConfig{Enable: false})
		}
		return nil
	}
	if !ok {
		return &OptionError{"KeepAlive", every, "this network's connections have no keep-alive; leave it out"}
	}
	return s.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: every, Interval: every})
}
