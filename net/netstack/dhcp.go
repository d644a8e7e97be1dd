package netstack

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"

	"ingot.dev/net/dhcp4"
)

// Ports of DHCP (RFC 2131 §4.1).
const (
	dhcpServerPort = 67
	dhcpClientPort = 68
)

// runDHCP keeps the stack's IPv4 address until ctx ends.
func (s *Stack) runDHCP(ctx context.Context, hw net.HardwareAddr) {
	c, err := network{s: s}.listenUDP("udp4", netip.AddrPortFrom(netip.Addr{}, dhcpClientPort), header.IPv4ProtocolNumber, false, ethernetID)
	if err != nil {
		s.log.Error("DHCP can't start", "err", err)
		return
	}
	defer c.Close()
	err = dhcp4.Run(ctx, dhcp4.Config{
		HardwareAddr: hw,
		Hostname:     s.config.Hostname,
		Transport:    &dhcpTransport{s, c},
		Bound: func(l dhcp4.Lease) error {
			return s.setIPv4(Lease{
				Prefix: l.Prefix, Gateway: l.Gateway, DNS: l.DNS, NTP: l.NTP,
				Server: l.Server, Time: l.Expire,
			})
		},
		Lost: func() { s.setIPv4(Lease{}) },
		Log:  s.log,
	})
	if ctx.Err() == nil {
		s.log.Error("DHCP stopped", "err", err)
	}
}

// dhcpTransport carries DHCP over the stack: answers arrive at a UDP socket,
// like requests to a known server leave by it; but a socket can't send without
// an address, so broadcasts are written as whole packets.
type dhcpTransport struct {
	s *Stack
	c *PacketConn
}

func (t *dhcpTransport) Receive(ctx context.Context) ([]byte, error) {
	stop := context.AfterFunc(ctx, func() { t.c.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	b := make([]byte, 1500)
	for {
		n, _, err := t.c.ReadFromAddrPort(b)
		if err == nil {
			return b[:n], nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if errors.Is(err, net.ErrClosed) {
			return nil, err
		}
		// Otherwise it is an ICMP error for something that was sent: the
		// socket goes on.
	}
}

func (t *dhcpTransport) Unicast(server netip.Addr, msg []byte) error {
	_, err := t.c.WriteToAddrPort(msg, netip.AddrPortFrom(server, dhcpServerPort))
	return err
}

func (t *dhcpTransport) Broadcast(msg []byte) error {
	packet := make([]byte, header.IPv4MinimumSize+header.UDPMinimumSize+len(msg))
	ip := header.IPv4(packet)
	ip.Encode(&header.IPv4Fields{
		TotalLength: uint16(len(packet)),
		TTL:         ipv4.DefaultTTL,
		Protocol:    uint8(header.UDPProtocolNumber),
		SrcAddr:     header.IPv4Any,
		DstAddr:     header.IPv4Broadcast,
	})
	ip.SetChecksum(^ip.CalculateChecksum())
	u := header.UDP(packet[header.IPv4MinimumSize:])
	u.Encode(&header.UDPFields{
		SrcPort: dhcpClientPort,
		DstPort: dhcpServerPort,
		Length:  uint16(len(u)),
	})
	copy(u.Payload(), msg)
	sum := header.PseudoHeaderChecksum(header.UDPProtocolNumber, header.IPv4Any, header.IPv4Broadcast, uint16(len(u)))
	sum = checksum.Checksum(msg, sum)
	if sum = ^u.CalculateChecksum(sum); sum == 0 {
		sum = 0xffff // RFC 768: zero means none
	}
	u.SetChecksum(sum)
	err := t.s.stack.WritePacketToRemote(ethernetID, header.EthernetBroadcastAddress,
		header.IPv4ProtocolNumber, buffer.MakeWithData(packet))
	if err != nil {
		return fmt.Errorf("netstack: sending a DHCP broadcast: %s", err)
	}
	return nil
}
