// Package netstack is TCP/IP on an Ethernet port: gVisor's network stack on a
// [ingot.dev/board/nic.Device], configured by DHCP and router advertisements or
// by hand, served as an [ingot.dev/net/inet.Network].
//
//	s, err := netstack.Open(ctx, device, netstack.Config{})
//	if err != nil {
//		return err // no lease before ctx ended, for example
//	}
//	defer s.Close()
//	l, err := s.Listen(ctx, "tcp", ":8443")
//
// Open returns when there is an address to be reached at. What was obtained is
// logged, and kept up to date in the background: the lease renewed, IPv6
// addresses and routes after the routers' advertisements, the clock by SNTP.
//
// # What it speaks
//
// IPv4 with ARP; IPv6 with neighbour discovery and stateless addresses (RFC
// 4861, 4862; name servers by RFC 8106); TCP with SACK, RACK-TLP loss recovery
// and Reno; UDP; answers to ICMP echo; DHCPv4. The stack answers on the
// loopback addresses too. It never forwards packets.
//
// # Limits
//
// The sizes are for boards of 64 MB and more, with connections by the thousand:
//
//   - A connection's receive buffer holds up to 256 KiB, the same for sending, and
//     up to 1 MiB if the program asks for it. These are limits, not allocations:
//     an idle connection holds none of it.
//   - TIME-WAIT lasts 10 s instead of RFC 9293's four minutes, so that a server
//     that closes 1,000 connections a second holds no more than 10,000. Sequence numbers are
//     random and timestamps (RFC 7323) are on where the peer has them, which is
//     what TIME-WAIT protects against otherwise. An orphaned connection in
//     FIN-WAIT-2 is dropped after 20 s.
//   - Handshakes that are not complete are held up to a listener's backlog, and
//     answered with SYN cookies beyond it.
//
// The number of goroutines that work on TCP segments is GOMAXPROCS at Open. No
// goroutine belongs to a connection.
package netstack
