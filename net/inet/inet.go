package inet

import (
	"context"
	"net"
	"time"
)

// Network opens connections. Networks and addresses are written as for package
// net: "tcp", "tcp4", "tcp6", "udp", "udp4", "udp6"; "host:port".
//
// Every method may be called from any goroutine.
type Network interface {
	// DialContext connects to an address. A name is looked up, and its
	// addresses are tried one after the other. ctx bounds the whole attempt,
	// not the connection.
	DialContext(ctx context.Context, network, address string) (net.Conn, error)

	// Listen accepts TCP connections at a local address. An empty host is every
	// address of both IP versions; port 0 takes a free one.
	Listen(ctx context.Context, network, address string) (net.Listener, error)

	// ListenPacket receives and sends UDP datagrams at a local address.
	ListenPacket(ctx context.Context, network, address string) (net.PacketConn, error)

	// LookupHost returns the addresses of a name. An address is its own name.
	LookupHost(ctx context.Context, host string) ([]string, error)

	// With returns the same network with other options for what is opened
	// through it.
	With(Options) Network
}

// DefaultBacklog is the backlog of a listener when Options give none.
const DefaultBacklog = 128

// Options are those of sockets. The zero value has the defaults of package
// net: no delay, keep-alive probes every 15 s.
type Options struct {
	// Backlog bounds the connections that were made but not yet accepted, and
	// apart from that those whose handshake is going on. 0 for DefaultBacklog.
	// On the host's network the operating system's setting counts instead.
	Backlog int

	// Delay holds back small segments while data is unacknowledged (Nagle, RFC
	// 896): the opposite of SetNoDelay.
	Delay bool

	// KeepAlive is the time between keep-alive probes on an idle connection:
	// 0 for 15 s, negative for none. KeepAliveConfig, if its Enable is set,
	// says it in full and counts instead.
	KeepAlive       time.Duration
	KeepAliveConfig net.KeepAliveConfig

	// Linger says what Close does with unsent data: 0 sends it in the
	// background, as ever; negative drops it and resets the connection;
	// positive values are seconds, as for SetLinger.
	Linger int

	// ReadBuffer and WriteBuffer are sizes in bytes; 0 leaves them to the
	// provider.
	ReadBuffer, WriteBuffer int
}

// settable is what *net.TCPConn and the stack's connections have in common.
type settable interface {
	SetNoDelay(bool) error
	SetKeepAlive(bool) error
	SetKeepAliveConfig(net.KeepAliveConfig) error
	SetLinger(int) error
	SetReadBuffer(int) error
	SetWriteBuffer(int) error
}

// keepAliveTime is the default of package net.
const keepAliveTime = 15 * time.Second

// Apply sets the options on a connection. Connections that have no such options
// (UDP, pipes) are left alone.
func (o *Options) Apply(c net.Conn) error {
	s, ok := c.(settable)
	if !ok {
		return nil
	}
	if err := s.SetNoDelay(!o.Delay); err != nil {
		return err
	}
	if err := o.applyKeepAlive(s); err != nil {
		return err
	}
	if o.Linger != 0 {
		if err := s.SetLinger(max(o.Linger, 0)); err != nil {
			return err
		}
	}
	if o.ReadBuffer > 0 {
		if err := s.SetReadBuffer(o.ReadBuffer); err != nil {
			return err
		}
	}
	if o.WriteBuffer > 0 {
		return s.SetWriteBuffer(o.WriteBuffer)
	}
	return nil
}

func (o *Options) applyKeepAlive(s settable) error {
	switch {
	case o.KeepAliveConfig.Enable:
		return s.SetKeepAliveConfig(o.KeepAliveConfig)
	case o.KeepAlive < 0:
		return s.SetKeepAlive(false)
	}
	d := o.KeepAlive
	if d == 0 {
		d = keepAliveTime
	}
	return s.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: d, Interval: d})
}
