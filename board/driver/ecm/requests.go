package ecm

import (
	"encoding/binary"
	"sync/atomic"

	"ingot.dev/board/driver/usbdev"
)

// Requests and notifications: ECM, "Communication Interface Specific Commands", and
// "Communication Class Specific Notifications".
const (
	setPacketFilter = 0x43

	networkConnection = 0x00
	speedChange       = 0x2a
)

// Bits of the packet filter: ECM, "SetEthernetPacketFilter".
const (
	promiscuous  = 1 << 0
	allMulticast = 1 << 1
	directed     = 1 << 2
	broadcast    = 1 << 3
	multicast    = 1 << 4

	everything = promiscuous | allMulticast | directed | broadcast | multicast
)

// filter is which frames the host wants to have.
type filter struct{ bits atomic.Uint32 }

// passes reports whether the host wants a frame. The host is the only station at its end,
// whatever address it has given itself: so unicast frames are its own.
func (f *filter) passes(frame []byte) bool {
	bits := f.bits.Load()
	switch {
	case bits&promiscuous != 0:
		return true
	case frame[0]&1 == 0:
		return bits&directed != 0
	case [6]byte(frame) == [6]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}:
		return bits&broadcast != 0
	}
	return bits&(allMulticast|multicast) != 0
}

// request answers a class request. There is the one that ECM requires; what the descriptors
// don't announce (multicast filters, statistics, wake-up patterns) is stalled.
func (f *filter) request(s usbdev.Setup) ([]byte, bool) {
	const toInterface = 1<<5 | 1
	if s.Type != toInterface || s.Index != control || s.Request != setPacketFilter || s.Length != 0 || s.Value&^everything != 0 {
		return nil, false
	}
	f.bits.Store(uint32(s.Value))
	return nil, true
}

// notification makes NETWORK_CONNECTION.
func notification(buf []byte, up bool) int {
	n := copy(buf, []byte{0xa1, networkConnection, 0, 0, control, 0, 0, 0})
	if up {
		buf[2] = 1
	}
	return n
}

// speedNotification makes CONNECTION_SPEED_CHANGE, in bit/s both ways.
func speedNotification(buf []byte, mbits int) int {
	n := copy(buf, []byte{0xa1, speedChange, 0, 0, control, 0, 8, 0})
	binary.LittleEndian.PutUint32(buf[n:], uint32(mbits)*1_000_000)
	binary.LittleEndian.PutUint32(buf[n+4:], uint32(mbits)*1_000_000)
	return n + 8
}
