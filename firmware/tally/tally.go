package tally

import "sync/atomic"

// A Kind is one of the reasons for which a connection was refused or failed.
type Kind int

const (
	Address     Kind = iota // not allowed by its address
	Connections             // too many, in all or from one address
	Rate                    // too many in a short time, from one address or of all
	Handshake               // TLS was not agreed on
	Certificate             // the peer's certificate was not accepted
	Idle                    // nothing came or went for too long
	Stalled                 // the peer did not take what was sent
	Upstream                // who the service depends on could not be reached
	Protocol                // the peer sent what the service doesn't understand
	Broken                  // the connection broke
	Kinds                   // how many there are
)

// String returns the name that logs and metrics use.
func (k Kind) String() string {
	switch k {
	case Address:
		return "address"
	case Connections:
		return "connections"
	case Rate:
		return "rate"
	case Handshake:
		return "handshake"
	case Certificate:
		return "certificate"
	case Idle:
		return "idle"
	case Stalled:
		return "stalled"
	case Upstream:
		return "upstream"
	case Protocol:
		return "protocol"
	case Broken:
		return "broken"
	}
	return "unknown"
}

// A Tally has the counters of one service. Its zero value is ready; all may be used
// by any goroutine.
type Tally struct {
	Accepted   atomic.Uint64 // connections that were let in
	Handshakes atomic.Uint64 // of these, whose TLS handshake is done
	Resumed    atomic.Uint64 // of these, with a session from before
	Open       atomic.Int64  // connections now, in handshake or after it
	Received   atomic.Uint64 // bytes from peers on the wire, TLS's own included
	Sent       atomic.Uint64 // bytes to peers on the wire
	Messages   atomic.Uint64 // requests or messages answered, where a service has such
	Errors     [Kinds]atomic.Uint64
}

// Fail counts an error.
func (t *Tally) Fail(k Kind) {
	if k < 0 || k >= Kinds {
		k = Broken
	}
	t.Errors[k].Add(1)
}
