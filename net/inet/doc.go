// Package inet is the Internet as a program sees it, whoever provides it: dial,
// listen, look up a name, with the options of a socket.
//
// On a board the provider is [ingot.dev/net/netstack], a TCP/IP stack on the
// board's own Ethernet port. On a laptop it is the operating system, through
// [Host]. A program that takes a [Network] runs on both:
//
//	func serve(ctx context.Context, n inet.Network) error {
//		l, err := n.With(inet.Options{Backlog: 16}).Listen(ctx, "tcp", ":8443")
//		...
//	}
//
// Connections have the methods of [net.TCPConn] and its semantics: errors are
// *net.OpError, and errors.Is finds os.ErrDeadlineExceeded, net.ErrClosed and
// system errors like syscall.ECONNREFUSED in them.
package inet
