package netstack

import (
	"bytes"
	"io"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/waiter"
)

// PacketConn sends and receives UDP datagrams, as *net.UDPConn does. One that
// was dialed has a fixed peer and is used by Read and Write, one that listens
// by ReadFrom and WriteTo.
type PacketConn struct {
	ep      tcpip.Endpoint
	wq      waiter.Queue
	network string
	v6      bool // the socket is IPv6: it takes IPv4 addresses only when mapped
	local   netip.AddrPort
	remote  netip.AddrPort // of a dialed connection

	closed atomic.Bool
	in     half
	dst    tcpip.SliceWriter // guarded by in.mu
	out    half
	src    bytes.Reader // guarded by out.mu
}

var (
	_ net.Conn       = (*PacketConn)(nil)
	_ net.PacketConn = (*PacketConn)(nil)
)

func (c *PacketConn) init() {
	c.in.init(&c.wq, waiter.ReadableEvents)
	c.out.init(&c.wq, waiter.WritableEvents)
}

func (c *PacketConn) opError(op string, addr net.Addr, err error) error {
	return &net.OpError{Op: op, Net: c.network, Source: c.LocalAddr(), Addr: addr, Err: err}
}

func (c *PacketConn) peer() net.Addr {
	if c.remote.IsValid() {
		return udpAddr(c.remote)
	}
	return nil
}

// Read implements net.Conn.
func (c *PacketConn) Read(b []byte) (int, error) {
	n, _, err := c.ReadFromAddrPort(b)
	return n, err
}

// ReadFrom implements net.PacketConn.
func (c *PacketConn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := c.ReadFromAddrPort(b)
	if err != nil {
		return n, nil, err
	}
	return n, udpAddr(from), nil
}

// ReadFromAddrPort reads one datagram. What doesn't fit into b is lost.
func (c *PacketConn) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	h := &c.in
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		if c.closed.Load() {
			return 0, netip.AddrPort{}, c.opError("read", c.peer(), net.ErrClosed)
		}
		if h.expired.Load() {
			return 0, netip.AddrPort{}, c.opError("read", c.peer(), os.ErrDeadlineExceeded)
		}
		c.dst = b
		res, err := c.ep.Read(&c.dst, tcpip.ReadOptions{NeedRemoteAddr: true})
		c.dst = nil
		switch err.(type) {
		case nil:
			return res.Count, fromFull(res.RemoteAddr), nil
		case *tcpip.ErrWouldBlock:
			h.wait()
		case *tcpip.ErrBadBuffer:
			// b is empty: the datagram is gone, as with recvfrom.
			return 0, netip.AddrPort{}, nil
		case *tcpip.ErrClosedForReceive:
			if !c.closed.Load() {
				return 0, netip.AddrPort{}, io.EOF
			}
		default:
			if !c.closed.Load() {
				return 0, netip.AddrPort{}, c.opError("read", c.peer(), sysError("read", err))
			}
		}
	}
}

// Write implements net.Conn: it sends one datagram to the peer that was dialed.
func (c *PacketConn) Write(b []byte) (int, error) {
	if !c.remote.IsValid() {
		return 0, c.opError("write", nil, os.NewSyscallError("write", syscall.EDESTADDRREQ))
	}
	return c.send(b, c.peer(), nil)
}

// WriteTo implements net.PacketConn.
func (c *PacketConn) WriteTo(b []byte, addr net.Addr) (int, error) {
	u, ok := addr.(*net.UDPAddr)
	if !ok || u == nil {
		return 0, c.opError("write", addr, syscall.EINVAL)
	}
	return c.writeTo(b, addr, u.AddrPort())
}

// WriteToAddrPort sends one datagram.
func (c *PacketConn) WriteToAddrPort(b []byte, addr netip.AddrPort) (int, error) {
	return c.writeTo(b, udpAddr(addr), addr)
}

func (c *PacketConn) writeTo(b []byte, addr net.Addr, to netip.AddrPort) (int, error) {
	if c.remote.IsValid() {
		return 0, c.opError("write", addr, net.ErrWriteToConnected)
	}
	if !to.Addr().IsValid() || to.Port() == 0 {
		return 0, c.opError("write", addr, syscall.EINVAL)
	}
	f := full(to)
	if c.v6 && to.Addr().Unmap().Is4() {
		f.Addr = tcpip.AddrFrom16(to.Addr().As16())
	}
	return c.send(b, addr, &f)
}

func (c *PacketConn) send(b []byte, addr net.Addr, to *tcpip.FullAddress) (int, error) {
	h := &c.out
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		if c.closed.Load() {
			return 0, c.opError("write", addr, net.ErrClosed)
		}
		if h.expired.Load() {
			return 0, c.opError("write", addr, os.ErrDeadlineExceeded)
		}
		c.src.Reset(b)
		_, err := c.ep.Write(&c.src, tcpip.WriteOptions{To: to})
		c.src.Reset(nil)
		switch err.(type) {
		case nil:
			return len(b), nil
		case *tcpip.ErrWouldBlock:
			h.wait()
		default:
			if !c.closed.Load() {
				return 0, c.opError("write", addr, sysError("write", err))
			}
		}
	}
}

// Close implements net.Conn and net.PacketConn.
func (c *PacketConn) Close() error {
	if c.closed.Swap(true) {
		return c.opError("close", c.peer(), net.ErrClosed)
	}
	c.in.stop()
	c.out.stop()
	c.wq.EventUnregister(&c.in.entry)
	c.wq.EventUnregister(&c.out.entry)
	c.ep.Close()
	c.in.kick()
	c.out.kick()
	return nil
}

// LocalAddr implements net.Conn; the address is a *net.UDPAddr.
func (c *PacketConn) LocalAddr() net.Addr { return udpAddr(c.local) }

// RemoteAddr implements net.Conn; it is nil for a connection that listens.
func (c *PacketConn) RemoteAddr() net.Addr { return c.peer() }

// SetDeadline implements net.Conn.
func (c *PacketConn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

// SetReadDeadline implements net.Conn.
func (c *PacketConn) SetReadDeadline(t time.Time) error { return c.setDeadline(&c.in, t) }

// SetWriteDeadline implements net.Conn.
func (c *PacketConn) SetWriteDeadline(t time.Time) error { return c.setDeadline(&c.out, t) }

func (c *PacketConn) setDeadline(h *half, t time.Time) error {
	if c.closed.Load() {
		return c.opError("set", c.peer(), net.ErrClosed)
	}
	h.setDeadline(t)
	return nil
}

// JoinGroup takes part in a multicast group on the Ethernet interface: what is sent
// to it and our port can be read. Nobody but the stack is told: it speaks no
// IGMP, so a switch that waits for reports doesn't forward IPv4 groups.
func (c *PacketConn) JoinGroup(group netip.Addr) error {
	return c.setGroup(group, &tcpip.AddMembershipOption{NIC: ethernetID, MulticastAddr: toAddr(group)})
}

// LeaveGroup undoes JoinGroup.
func (c *PacketConn) LeaveGroup(group netip.Addr) error {
	return c.setGroup(group, &tcpip.RemoveMembershipOption{NIC: ethernetID, MulticastAddr: toAddr(group)})
}

func (c *PacketConn) setGroup(group netip.Addr, o tcpip.SettableSocketOption) error {
	if c.closed.Load() {
		return c.opError("set", c.peer(), net.ErrClosed)
	}
	if !group.IsMulticast() || group.Unmap().Is6() && !c.v6 {
		return c.opError("set", c.peer(), os.NewSyscallError("setsockopt", syscall.EINVAL))
	}
	if err := c.ep.SetSockOpt(o); err != nil {
		return c.opError("set", c.peer(), sysError("setsockopt", err))
	}
	return nil
}

// SetReadBuffer sets how many bytes may wait to be read.
func (c *PacketConn) SetReadBuffer(n int) error {
	return c.setBuffer(n, func() { c.ep.SocketOptions().SetReceiveBufferSize(int64(n), true) })
}

// SetWriteBuffer sets how many bytes may wait to be sent.
func (c *PacketConn) SetWriteBuffer(n int) error {
	return c.setBuffer(n, func() { c.ep.SocketOptions().SetSendBufferSize(int64(n), true) })
}

func (c *PacketConn) setBuffer(n int, f func()) error {
	if c.closed.Load() {
		return c.opError("set", c.peer(), net.ErrClosed)
	}
	if n <= 0 {
		return c.opError("set", c.peer(), os.NewSyscallError("setsockopt", syscall.EINVAL))
	}
	f()
	return nil
}
