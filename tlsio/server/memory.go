package server

import "ingot.dev/tlsio"

// What a connection holds of memory at its largest, in bytes, beside its buffers;
// TestConnectionMemory measures it.
const (
	memoryPlain = 32 << 10 // itself, its goroutines' stacks, their chunk of data
	memoryTLS   = 80 << 10 // crypto/tls's state and buffers, in the handshake too
)

// memory is what a connection of c is accounted for in its Budget.
func (c *Config) memory(network tlsio.Network) int64 {
	n := int64(memoryPlain)
	if c.StartMode != StartNone {
		n += memoryTLS
	}
	// A line buffer grows by doubling, and holds a chunk besides.
	n += 2 * int64(c.MaxLineLength+len(c.EOL)+chunk)
	n += int64(c.SendQueue)
	if m, ok := network.(tlsio.MeasuredNetwork); ok {
		transport, _ := m.Memory()
		n += transport
	}
	return n
}

// resize accounts for lines and records of these lengths. c.mu is held.
func (c *Connection) resize(op string, line, record int) error {
	extra := 2 * max(0, max(line, record)-c.config.MaxLineLength)
	if extra > c.extra {
		if err := c.account.Reserve(tlsio.BudgetQueues, extra-c.extra); err != nil {
			return newError(op, c.id, err)
		}
	} else {
		c.account.Release(tlsio.BudgetQueues, c.extra-extra)
	}
	c.extra = extra
	return nil
}
