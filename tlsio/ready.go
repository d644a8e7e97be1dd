package tlsio

import (
	"net"
	"net/netip"
)

// ReadyState says what can be done with an instance; a positive one is usable.
type ReadyState int

// The values are those of Bun.TCPSocket's readyState.
const (
	ReadyShutdown    ReadyState = -2 // End or CloseWrite was called: still readable
	ReadyDetached    ReadyState = -1 // handed over, with From or NetConn
	ReadyClosed      ReadyState = 0  // closed, or at its end: OnError may still wait for bytes to be read
	ReadyEstablished ReadyState = 1  // connected and, in TLS, secured
	ReadyElse        ReadyState = 2  // connecting, or in the handshake
)

// ReadyState returns the state of the instance, on closed ones too.
func (i *instance) ReadyState() ReadyState {
	l := i.link.Load()
	if l == nil {
		return ReadyClosed
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case i.moved:
		return ReadyDetached
	case l.owner != i, l.failure() != nil:
		return ReadyClosed
	case l.ending:
		return ReadyShutdown
	case l.up:
		return ReadyEstablished
	}
	return ReadyElse
}

// BytesWritten returns the number of bytes that writes have taken since the
// connection was made, buffered ones included, and those of instances that it was
// handed over from. For TLS they are bytes of the session, not of its records.
// It works on closed instances too.
func (i *instance) BytesWritten() uint64 {
	n, _ := i.counts()
	return n
}

// BytesRead returns the number of bytes that have arrived, as BytesWritten does;
// whether they were read from the instance doesn't matter.
func (i *instance) BytesRead() uint64 {
	_, n := i.counts()
	return n
}

func (i *instance) counts() (sent, received uint64) {
	l := i.link.Load()
	if l == nil {
		return 0, 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.owner != i {
		return i.sent, i.received
	}
	return l.sent, l.received
}

// Writable returns the number of bytes that Write takes now; 0 if it takes none,
// because the instance is not connected, full, or at its end.
func (i *instance) Writable() int {
	l, err := i.enter("Writable")
	if err != nil {
		return 0
	}
	defer l.mu.Unlock()
	return l.writable()
}

// Buffered returns the number of bytes that have arrived and can be read.
func (i *instance) Buffered() int {
	l, err := i.enter("Buffered")
	if err != nil {
		return 0
	}
	defer l.mu.Unlock()
	return l.in.n
}

// RemoteAddress returns the peer's IP address in 419's form (IPv6 as eight groups
// of four digits), or "" while there is none.
func (i *instance) RemoteAddress() (string, error) {
	ap, err := i.address("RemoteAddress", net.Conn.RemoteAddr)
	return addressText(ap), err
}

// RemotePort returns the peer's port, or 0 while there is none.
func (i *instance) RemotePort() (int, error) {
	ap, err := i.address("RemotePort", net.Conn.RemoteAddr)
	return int(ap.Port()), err
}

// RemoteFamily returns "IPv4" or "IPv6", or "" while there is no address.
func (i *instance) RemoteFamily() (string, error) {
	ap, err := i.address("RemoteFamily", net.Conn.RemoteAddr)
	return familyText(ap), err
}

// LocalAddress returns our own IP address, as RemoteAddress does.
func (i *instance) LocalAddress() (string, error) {
	ap, err := i.address("LocalAddress", net.Conn.LocalAddr)
	return addressText(ap), err
}

// LocalPort returns our own port, or 0 while there is none.
func (i *instance) LocalPort() (int, error) {
	ap, err := i.address("LocalPort", net.Conn.LocalAddr)
	return int(ap.Port()), err
}

// LocalFamily returns "IPv4" or "IPv6", or "" while there is no address.
func (i *instance) LocalFamily() (string, error) {
	ap, err := i.address("LocalFamily", net.Conn.LocalAddr)
	return familyText(ap), err
}

func (i *instance) address(op string, which func(net.Conn) net.Addr) (netip.AddrPort, error) {
	l, err := i.enter(op)
	if err != nil {
		return netip.AddrPort{}, err
	}
	defer l.mu.Unlock()
	if l.conn == nil {
		return netip.AddrPort{}, nil
	}
	return addrPort(which(l.conn)), nil
}

// addrPort reads an address of an IP network; others give the zero AddrPort.
func addrPort(a net.Addr) netip.AddrPort {
	if a == nil {
		return netip.AddrPort{}
	}
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// addressText is 419's form of an address.
func addressText(ap netip.AddrPort) string {
	if !ap.IsValid() {
		return ""
	}
	return ap.Addr().WithZone("").StringExpanded()
}

func familyText(ap netip.AddrPort) string {
	switch {
	case ap.Addr().Is4():
		return "IPv4"
	case ap.Addr().Is6():
		return "IPv6"
	}
	return ""
}
