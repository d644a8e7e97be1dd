package inet

import (
	"context"
	"net"
)

// Host returns the network of the operating system that the program runs on.
func Host() Network { return host{} }

type host struct{ options Options }

func (h host) With(o Options) Network { return host{o} }

func (h host) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if err := h.options.Apply(c); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func (h host) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	var c net.ListenConfig
	l, err := c.Listen(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &hostListener{l, h.options}, nil
}

func (h host) ListenPacket(ctx context.Context, network, address string) (net.PacketConn, error) {
	var c net.ListenConfig
	return c.ListenPacket(ctx, network, address)
}

func (h host) LookupHost(ctx context.Context, name string) ([]string, error) {
	return net.DefaultResolver.LookupHost(ctx, name)
}

// hostListener sets the options of what it accepts.
type hostListener struct {
	net.Listener
	options Options
}

func (l *hostListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		// A connection whose options can't be set any more is one that its
		// peer has already reset: not the listener's failure.
		if l.options.Apply(c) == nil {
			return c, nil
		}
		c.Close()
	}
}
