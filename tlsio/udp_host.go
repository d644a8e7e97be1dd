package tlsio

import (
	"context"
	"net"
)

// ListenPacket implements PacketNetwork.
func (HostNetwork) ListenPacket(ctx context.Context, network, address string) (net.PacketConn, error) {
	var c net.ListenConfig
	conn, err := c.ListenPacket(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if u, ok := conn.(*net.UDPConn); ok {
		return hostPacketConn{u}, nil
	}
	return conn, nil
}

// hostPacketConn adds multicast, where the operating system's calls for it are
// known.
type hostPacketConn struct{ *net.UDPConn }
