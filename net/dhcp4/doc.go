// Package dhcp4 is a DHCP client for IPv4 (RFC 2131, options of RFC 2132).
//
// [Run] obtains an address and keeps it: it renews the lease with its server
// from half of its time on, with any server from seven eighths on, and starts
// over when the lease ends or a server takes it back. What it does with a lease
// is up to two functions, and how messages travel to a [Transport], so that the
// package knows of no network stack and time can be virtual in tests.
//
// Nothing in a reply is believed unchecked: a reply that isn't for this client,
// has no usable address or contradicts itself is dropped as if it never came,
// with a line in the log at debug level; optional parts that make no sense
// (a router that isn't a neighbour, times out of order) are left out.
//
// Messages are this package's own (see message.go): the fixed header, options in
// parts (RFC 3396) and in the fields for file and server names (overload).
//
// Not implemented: INFORM, INIT-REBOOT, a probe for other users of the address
// (RFC 5227) and with it DECLINE; RELEASE, since a board usually loses power
// instead.
package dhcp4
