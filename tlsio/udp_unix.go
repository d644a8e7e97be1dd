//go:build unix

package tlsio

import (
	"net/netip"
	"os"
	"syscall"
)

// JoinGroup implements multicaster, on the interface that the routes choose.
func (c hostPacketConn) JoinGroup(group netip.Addr) error {
	return c.membership(group, syscall.IP_ADD_MEMBERSHIP, syscall.IPV6_JOIN_GROUP)
}

// LeaveGroup implements multicaster.
func (c hostPacketConn) LeaveGroup(group netip.Addr) error {
	return c.membership(group, syscall.IP_DROP_MEMBERSHIP, syscall.IPV6_LEAVE_GROUP)
}

func (c hostPacketConn) membership(group netip.Addr, v4, v6 int) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		if group = group.Unmap(); group.Is4() {
			failed = syscall.SetsockoptIPMreq(int(fd), syscall.IPPROTO_IP, v4, &syscall.IPMreq{Multiaddr: group.As4()})
		} else {
			failed = syscall.SetsockoptIPv6Mreq(int(fd), syscall.IPPROTO_IPV6, v6, &syscall.IPv6Mreq{Multiaddr: group.As16()})
		}
	})
	if err == nil && failed != nil {
		err = os.NewSyscallError("setsockopt", failed)
	}
	return err
}
