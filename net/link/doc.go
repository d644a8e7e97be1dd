// Package link joins an Ethernet port ([ingot.dev/board/nic.Device]) to gVisor's
// network stack. Every byte the firmware sends or receives passes here, so this
// is where work is done once per burst instead of once per frame.
//
// # Receiving
//
// One goroutine (receive) waits for the port, looks at everything that lies in
// its ring, and hands the stack fewer and larger packets:
//
//   - TCP segments that continue each other (same flow, in order, equal
//     options) become one packet. Their payload is copied once, from ring
//     memory into the packet that the TCP endpoint later reads from.
//   - Of pure acknowledgements of a flow that only move forward, the last one
//     counts. One that repeats the one before it, that carries SACK blocks or
//     any other flag, is never dropped: loss recovery counts them.
//
// The ring is given back before the stack works, since the stack's answers
// make new frames arrive.
//
// A merged packet has no valid TCP checksum. It is marked as verified, which
// it was: by the MAC when it drops bad frames, here in software otherwise.
// Everything else that isn't known to be verified is left for the stack to
// check.
//
// Requests for connections can be judged here (Endpoint.SetFilter), where those
// that are refused cost the stack nothing: no endpoint, no place in a queue.
//
// # Sending
//
// The stack sends up to 62,000 bytes of TCP payload as one packet, which is cut
// into frames straight into the transmit ring, then started with one doorbell.
// A full ring stops the sender until there is room: no queue grows behind it.
// In images, TCP hands over what it sends on established connections right here
// (Endpoint.WriteSegments).
//
// # Limits
//
// Frames with an 802.1Q tag, IP options or IPv6 extension headers pass but are
// not merged. A frame for another unicast address is dropped.
package link
