package nic

import "net"

// Sizes in bytes, as IEEE 802.3 clause 3 has them. Frames on this interface
// never carry the frame check sequence; the MAC appends and removes it.
const (
	HeaderSize = 14   // destination, source, type
	FCSSize    = 4    // what the MAC adds on the wire
	MTU        = 1500 // payload of an untagged frame
	MaxFrame   = 1518 // header, one 802.1Q tag, payload
)

// Offloads says which checksums the hardware takes over. The value of a device
// never changes.
type Offloads struct {
	// TxChecksum: the MAC computes the IPv4 header checksum and the TCP, UDP
	// and ICMP checksums of frames it sends. The sender must leave those
	// fields zero. A MAC does this for whole packets only, not for IP
	// fragments.
	TxChecksum bool

	// RxChecksum: the MAC drops received frames whose IPv4 header, TCP, UDP or
	// ICMP checksum is wrong. A stack may trust every frame that NextRx
	// returns, also after it merged segments and their checksums went stale.
	RxChecksum bool
}

// Device is one Ethernet port.
//
// Concurrency: the receive methods (WaitRx, NextRx, ReleaseRx) belong to one
// goroutine at a time; the transmit methods (TxSlot, CommitTx, FlushTx, WaitTx)
// to one caller at a time, which may be the receiving goroutine. The two sides
// run beside each other, and every other method may be called from anywhere at
// any time.
//
// A Device keeps frames in order in each direction. Like any Ethernet it may
// lose frames: when the receive ring is full, when the link is down, and when
// its mode changes.
type Device interface {
	// HardwareAddr returns the port's own unicast address. The caller owns the
	// returned slice.
	HardwareAddr() net.HardwareAddr

	// MTU returns the largest payload of a frame in bytes, without the header:
	// 1500.
	MTU() int

	// Offloads returns the checksum work that the hardware does.
	Offloads() Offloads

	// WaitRx parks the goroutine until NextRx has a frame to return. It
	// returns at once when there is one already, and may return early, with
	// NextRx finding none. After Close the error is net.ErrClosed (tested with
	// errors.Is); another error means that the device no longer works.
	WaitRx() error

	// NextRx returns the next received frame, from its Ethernet header to the
	// end of its payload, or false when none is ready. It never blocks. The
	// slice aliases the hardware's ring: it may be read and written until the
	// next ReleaseRx, not longer. Memory behind it can be slow to read (it is
	// not cached), so look at headers once and copy the payload once.
	NextRx() (frame []byte, ok bool)

	// ReleaseRx gives back every frame that NextRx returned since the last
	// release. Frames held back for long shorten the ring, and a full ring
	// loses frames. With nothing to give back it does nothing.
	ReleaseRx()

	// TxSlot returns the buffer of the next free frame, MaxFrame bytes or
	// longer, with undefined content; or nil when the ring is full (see
	// WaitTx) or the device closed. Until CommitTx, it returns the same buffer
	// again: a slot need not be used.
	TxSlot() []byte

	// CommitTx queues the slot that TxSlot returned last, with a frame in its
	// first n bytes. The slot then belongs to the device. Frames shorter than
	// the Ethernet minimum are padded on the way.
	//
	// Preconditions: TxSlot returned a slot since the last CommitTx;
	// HeaderSize <= n <= MaxFrame. CommitTx panics otherwise.
	CommitTx(n int)

	// FlushTx starts the transmission of every committed frame. A frame may
	// leave earlier, but never later than the next FlushTx. It doesn't block.
	FlushTx()

	// WaitTx flushes, then parks the goroutine until TxSlot has a slot to
	// return. Its errors are those of WaitRx.
	WaitTx() error

	// LinkState returns the state of the link as last seen.
	LinkState() LinkState

	// OnLink registers a function that is called, from a goroutine of the
	// driver, once soon after registration and then at every change of the
	// link state. Functions are called one after the other; they must not
	// block, and must not call Close. There is no way to unregister; after
	// Close they are not called any more.
	OnLink(func(LinkState))

	// Close stops the port and wakes everyone who waits. Frames in the
	// transmit ring may be lost. Slices from NextRx and TxSlot stay readable
	// and writable, but lead nowhere. The first call returns what went wrong, later ones nil.
	Close() error
}

// Peeker is what a Device may be as well: one whose frames can be looked at before
// WaitRx's caller comes to them. He is woken through an interrupt and the scheduler,
// which may take its time while others compute.
type Peeker interface {
	// PeekRx shows frames that have arrived, and that NextRx hasn't come to, to want, in
	// order, until it returns true. Then PeekRx wakes WaitRx's caller, if he waits,
	// and returns true. It may be called from anywhere at any time, and doesn't wait
	// for frames. want must not keep the slice, change it, or call the Device.
	PeekRx(want func(frame []byte) bool) bool
}
