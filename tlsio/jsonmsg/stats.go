package jsonmsg

import "sync/atomic"

// Stats are counts since a Server or a Client was made, but for the first three.
type Stats struct {
	Clients       int   // connected now
	Authenticated int   // of these
	Memory        int64 // bytes counted against MaxMemory now

	Sent, Received uint64 // lines sent; messages and requests received
	Unparsable     uint64 // lines that were not JSON
	Dropped        uint64 // values that the protocol drops
	Ignored        uint64 // answers and pongs to nothing, late or second ones
	Refused        uint64 // connections: too many, or after wrong passwords
	BadPasswords   uint64
}

type counters struct {
	sent, received, unparsable, dropped, ignored, refused, badPasswords atomic.Uint64
}

func (t *terms) snapshot() Stats {
	c := &t.stats
	return Stats{
		Memory:       t.mem.used.Load(),
		Sent:         c.sent.Load(),
		Received:     c.received.Load(),
		Unparsable:   c.unparsable.Load(),
		Dropped:      c.dropped.Load(),
		Ignored:      c.ignored.Load(),
		Refused:      c.refused.Load(),
		BadPasswords: c.badPasswords.Load(),
	}
}
