package tlsio

import (
	"context"
	"errors"
	"net"
	"strconv"
)

// Dial connects to address ("host:port") and returns when the handshake is done.
// The connection is a [*Conn]. If options.Host is empty, and options.Context has none,
// it is taken from address.
// ctx limits connecting and the handshake, not the connection's life.
//
// Errors are *Error with one of the stages options, resolve, connect, handshake
// and verify. With TLS 1.3, a server that refuses the client's certificate says so
// after the handshake: that error comes from the first Read.
func Dial(ctx context.Context, network Network, address string, options TLSOptions) (net.Conn, error) {
	const op = "Dial"
	var errs optionErrors
	if network == nil {
		errs.add("network", nil, "required; HostNetwork{} is the operating system's")
	}
	if host, port, err := net.SplitHostPort(address); err != nil || !validPort(port) {
		errs.add("address", address, "use host:port, with a port from 1 to 65535")
	} else if options.Host == "" && (options.Context == nil || options.Context.current.Load().rules.host == "") {
		options.Host = host
	}
	secure, one := options.clientContext(&errs, "")
	if err := errs.err(op); err != nil {
		return nil, err
	}
	raw, err := network.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, dialError(op, address, err)
	}
	c, err := secure.current.Load().connect(ctx, op, raw, one)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// validPort reports whether port is a number that a peer can have, or the name of a
// service, which the network may know.
func validPort(port string) bool {
	n, err := strconv.Atoi(port)
	return port != "" && (err != nil || n >= 1 && n <= 65535)
}

func dialError(op, address string, err error) error {
	stage := StageConnect
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		stage = StageResolve
	}
	e := newError(op, nil, stage, nil, false, err)
	if e, ok := e.(*Error); ok && e.Addr == "" {
		e.Addr = address
	}
	return e
}
