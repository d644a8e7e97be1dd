package netstack

import (
	"net"
	"os"

	"gvisor.dev/gvisor/pkg/waiter"
)

// WaitReadable returns when a Read would not wait: there is data, the peer's end, an
// error, or the deadline has passed. So who waits needs no buffer. It must not be called
// beside a Read.
func (c *Conn) WaitReadable() error {
	h := &c.in
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		if c.closed.Load() {
			return c.opError("read", net.ErrClosed)
		}
		if h.expired.Load() {
			return c.opError("read", os.ErrDeadlineExceeded)
		}
		if c.ep.Readiness(readable) != 0 {
			return nil
		}
		h.wait()
	}
}

const readable = waiter.ReadableEvents | waiter.EventErr | waiter.EventHUp

// Readable reports whether a Read would not wait now.
func (c *Conn) Readable() bool {
	return c.closed.Load() || c.in.expired.Load() || c.ep.Readiness(readable) != 0
}
