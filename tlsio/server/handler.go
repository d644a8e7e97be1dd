package server

import (
	"crypto/tls"
	"crypto/x509"
	"net/netip"
)

// Handler is what a program wants to be told. All fields are optional. Errors are
// *Error; nil stands for the reference's status 0, "OK", see [Status].
type Handler struct {
	// ConnectionRequest decides on a peer before anything is kept for it; where
	// the network can, before the peer gets an answer. It has no connection yet:
	// requests of several peers may come at once (but not under Config.Post).
	ConnectionRequest func(*ConnectionRequest)
	// Connected comes when the connection can be used, and again after StartTLS.
	// With an error, the handshake failed.
	Connected func(c *Connection, err error)
	// DataIn brings a line, a record, or what has arrived; see Framer for what
	// eol says. data is valid until DataIn returns.
	DataIn func(c *Connection, data []byte, eol bool)
	// Disconnected is a connection's last event.
	Disconnected func(c *Connection, err error)
	// Error reports what went wrong beside the order of things: a handler's
	// panic, a socket option that the network refuses. c is nil if it is about no
	// connection.
	Error func(c *Connection, err error)
	// ReadyToSend comes after Connected, and when there is room again after a
	// Send that took nothing.
	ReadyToSend func(c *Connection)
	// ClientAuthentication decides on a client's certificate. Without it the
	// recommendation in Accept is followed.
	ClientAuthentication func(c *Connection, a *ClientAuthentication)
	// TLSConnectionRequest may choose the certificate for a client. Clients that
	// resume a session need none.
	TLSConnectionRequest func(c *Connection, r *TLSConnectionRequest)
	// TLSStatus tells of the handshake's progress, and of records with
	// LogTLSPackets. It is for logs.
	TLSStatus func(c *Connection, message string)
}

// ConnectionRequest is a peer that wants to connect.
type ConnectionRequest struct {
	Address netip.Addr
	Port    int
	// Accept is what AllowedClients and BlockedClients say; set it to decide
	// otherwise.
	Accept bool
}

// ClientAuthentication is what a client showed for itself.
type ClientAuthentication struct {
	// Chain is what the client sent, leaf first; empty if it sent nothing.
	Chain []*x509.Certificate
	// Status is nil if the chain verifies, else the reason why not.
	Status error
	// Accept is whether Status is nil; set it to decide otherwise.
	Accept bool
}

// TLSConnectionRequest is a client's hello.
type TLSConnectionRequest struct {
	// Hello lists the suites, signature algorithms and names of the client. It
	// must not be changed.
	Hello *tls.ClientHelloInfo
	// Certificate, if set, is used instead of those in Config.TLS.
	Certificate *tls.Certificate
}
