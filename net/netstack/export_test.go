package netstack

import (
	"net/netip"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
)

// SocketOptions are what the stack has noted for a connection.
type SocketOptions struct {
	Delay, KeepAlive        bool
	Idle, Interval, Linger  time.Duration // Linger: negative for none
	Count                   int
	ReadBuffer, WriteBuffer int64
}

// SocketOptions asks the stack, for tests.
func (c *Conn) SocketOptions() (o SocketOptions) {
	s := c.ep.SocketOptions()
	o.Delay, o.KeepAlive = s.GetDelayOption(), s.GetKeepAlive()
	var idle tcpip.KeepaliveIdleOption
	var interval tcpip.KeepaliveIntervalOption
	c.ep.GetSockOpt(&idle)
	c.ep.GetSockOpt(&interval)
	o.Idle, o.Interval = time.Duration(idle), time.Duration(interval)
	o.Count, _ = c.ep.GetSockOptInt(tcpip.KeepaliveCountOption)
	o.Linger = -1
	if l := s.GetLinger(); l.Enabled {
		o.Linger = l.Timeout
	}
	o.ReadBuffer, o.WriteBuffer = s.GetReceiveBufferSize(), s.GetSendBufferSize()
	return o
}

// TCPStats are counters of the stack.
type TCPStats struct {
	Endpoints       int // established connections
	PassiveOpenings uint64
	ListenOverflow  uint64
}

// TCPStats asks the stack, for tests.
func (s *Stack) TCPStats() TCPStats {
	t := s.stack.Stats().TCP
	return TCPStats{
		Endpoints:       int(t.CurrentEstablished.Value()),
		PassiveOpenings: t.PassiveConnectionOpenings.Value(),
		ListenOverflow:  t.ListenOverflowSynDrop.Value() + t.ListenOverflowSynCookieSent.Value(),
	}
}

// Readdress replaces the IPv4 address, as a lease does.
func (s *Stack) Readdress(p netip.Prefix) error { return s.setIPv4(Lease{Prefix: p}) }

// SetHeaders sets what is in the headers of a connection's IPv4 packets.
func (c *Conn) SetHeaders(ttl, tos int) error {
	return c.set(func() tcpip.Error {
		if err := c.ep.SetSockOptInt(tcpip.IPv4TTLOption, ttl); err != nil {
			return err
		}
		return c.ep.SetSockOptInt(tcpip.IPv4TOSOption, tos)
	})
}
