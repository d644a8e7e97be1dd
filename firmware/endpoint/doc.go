// Package endpoint is what the services of a firmware have in common: where they
// listen, who they are, whom they let in, and for how long.
//
//	echo, err := endpoint.Echo(endpoint.Options{
//		Listen: ":8443", Identity: "gateway.example", ClientGroup: "sensors",
//		MaxConnections: 50, Allow: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
//	})
//
// [Options] is the first part of every service's own options; [New] makes a service of
// any function that answers a connection. Packages relay, static, hub and status make
// theirs with it.
//
// # Limits
//
// Whoever may not come in by its address, or has too many connections already, is
// refused before there is a connection at all: the network asks before it answers SYN
// with SYN-ACK. Rates count connections that were made, since a SYN's sender may be
// anybody's address, and refuse the next SYN. Addresses are counted by themselves in
// IPv4, by their /64 in IPv6.
//
// IdleTimeout ends connections on which nothing comes or goes, StallTimeout those
// whose peer doesn't take what is sent to it. They cost one timer and no goroutine.
//
// # Counting
//
// Each service has a [tally.Tally], registered with the system, that package status
// shows. Refusals are logged as package firmware does it: in lines that a flood can't
// multiply.
package endpoint
