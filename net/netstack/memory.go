package netstack

import "ingot.dev/net/inet"

// endpointMemory is what a connection holds beside its buffers, in bytes, and
// bufferOverhead by how much buffers are larger than what they are set to hold: 3 for
// 2. TestMemory measures both.
const endpointMemory = 24 << 10

// Memory returns how many bytes a connection with these options holds at most, when
// its buffers are full in both directions, and how many a listener does, with a full
// backlog. inet.Options' ReadBuffer, WriteBuffer and Backlog make it less.
func (n network) Memory() (connection, listener int64) {
	read, write := bufferMemory(n.options.ReadBuffer), bufferMemory(n.options.WriteBuffer)
	pending := int64(n.backlog())
	return endpointMemory + read + write, 2*pending*endpointMemory + (pending+1)*read
}

func bufferMemory(size int) int64 {
	if size <= 0 {
		size = bufferDefault
	}
	return int64(min(max(size, bufferMin), bufferMax)) * 3 / 2
}

func (n network) backlog() int {
	if n.options.Backlog <= 0 {
		return inet.DefaultBacklog
	}
	return n.options.Backlog
}
