package netstack

import (
	"net/netip"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
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

// LossRecovery asks the stack what it does about losses, for tests.
func (s *Stack) LossRecovery() (sack, rack bool, congestion string, minRTO time.Duration) {
	var on tcpip.TCPSACKEnabled
	var recovery tcpip.TCPRecovery
	var control tcpip.CongestionControlOption
	var timeout tcpip.TCPMinRTOOption
	for _, o := range []tcpip.GettableTransportProtocolOption{&on, &recovery, &control, &timeout} {
		if err := s.stack.TransportProtocolOption(tcp.ProtocolNumber, o); err != nil {
			panic(err.String())
		}
	}
	return bool(on), recovery&tcpip.TCPRACKLossDetection != 0, string(control), time.Duration(timeout)
}
