package link

import (
	"encoding/binary"

	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// Urgent reports whether somebody waits for the processor whom a goroutine that sends
// without ever having to wait keeps from it: for a received frame that is more than an
// acknowledgement, or until the transmit ring was free. It wakes the receive goroutine for
// the former; the caller gives way (runtime.Gosched). It costs little: of the frames that
// wait in the ring it looks at a few bytes each.
//
// Acknowledgements alone are no reason. They can wait until there is nothing more to
// send, and the more of them come at once, the less they cost.
func (e *Endpoint) Urgent() bool {
	late := e.tx.late.Load()
	if late {
		e.tx.late.Store(false)
	}
	return e.peeker != nil && e.peeker.PeekRx(e.asking) || late
}

// asking reports whether a frame may be one that an answer is waited for: any but TCP
// acknowledgements without data. It reads as little as it can of ring memory.
func asking(frame []byte) bool {
	const none = header.TCPMinimumSize
	l4, end := 0, 0
	switch {
	case len(frame) >= v4Payload+none && binary.BigEndian.Uint16(frame[12:]) == uint16(header.IPv4ProtocolNumber):
		if frame[ipStart] != 0x45 || frame[ipStart+9] != byte(header.TCPProtocolNumber) {
			return true
		}
		l4, end = v4Payload, ipStart+int(binary.BigEndian.Uint16(frame[ipStart+2:]))
	case len(frame) >= v6Payload+none && binary.BigEndian.Uint16(frame[12:]) == uint16(header.IPv6ProtocolNumber):
		if frame[ipStart+6] != byte(header.TCPProtocolNumber) {
			return true
		}
		l4, end = v6Payload, v6Payload+int(binary.BigEndian.Uint16(frame[ipStart+4:]))
	default:
		return true
	}
	return frame[l4+13] != byte(header.TCPFlagAck) || end != l4+int(frame[l4+12]>>4)*4
}
