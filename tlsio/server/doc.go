// Package server is a connection server for TCP and TLS in the manner of
// IPWorks' TCPServer: it listens, keeps a registry of connections with ids,
// cuts what they receive into lines or records, queues what they send, and
// tells a [Handler] about all of it.
//
//	s, err := server.New(network, server.Config{
//		LocalPort: 7,
//		EOL:       []byte("\r\n"),
//	}, server.Handler{
//		DataIn: func(c *server.Connection, line []byte, eol bool) {
//			c.SendLine(string(line))
//		},
//	})
//	if err == nil {
//		err = s.StartListening(ctx)
//	}
//
// # Events
//
// Events of one connection are called one after another, never two at once, and
// never while another event of that connection runs. Events of different
// connections run beside each other, each on its connection's goroutine. No
// lock is held while an event runs, so all methods may be called in it; those that wait
// (a Send with a Timeout, SendFile) hold up the later events of that connection
// only. Programs that want no goroutines of their own to think about give
// [Config.Post]: then all events of all connections run in the loop behind it
// ([Loop], or a tlsio.App), one at a time.
//
// The order is: ConnectionRequest (which has no connection yet); with TLS
// TLSConnectionRequest, ClientAuthentication and TLSStatus; Connected;
// ReadyToSend; any number of DataIn; Disconnected. A connection that gets as
// far as a Connected without error gets exactly one Disconnected, and nothing
// after it.
//
// A panic in an event is caught: it is reported as an Error, its connection is
// closed, and the others notice nothing.
//
// # Sending
//
// Each connection has a send queue of bounded size. With Timeout 0, sending
// never waits: it takes what the queue has room for and returns the number of
// bytes taken, with [ErrWouldBlock] (135) if those are not all. If it took
// none, ReadyToSend follows when there is room again; after a part was taken it
// does not, as the reference says, so send the rest until a Send takes nothing.
// With a Timeout, sending waits until everything was given to the network, and
// fails once nothing at all has moved for that long.
//
// # Limits
//
// Everything that a peer can make the server keep is bounded: connections in
// number (MaxConnections) and in handshake (TLS.MaxHandshakes), the line buffer
// (MaxLineLength), records (MaxRecordLength), the send queue (SendQueue), the
// handshake's time (TLS.HandshakeTimeout in all, HandshakeInactivity between
// two bytes), the time in which a client must take some of what is sent to it
// (StallTimeout), a close that waits for the peer (LingerTimeout). Config.Budget bounds
// the sum. What has no bound by itself is the time in which nothing is said:
// IdleTimeout is that bound, and a server for strangers sets it.
//
// # Settings as text
//
// The reference's configuration settings are NAME=VALUE lines: [Config.Parse] reads a
// file of them, [Config.Set] and [Config.Get] one, [Server.ConfigText] is the
// reference's method for a server that runs, with NAME[id] for what a connection
// negotiated. Each works or is refused by a [*SettingError] that says what would be
// accepted; none is ignored. Those of TLS (SSL..., OpenSSL..., TLS12..., TLS13...) are
// laid over Config.TLS when the server makes its context, and judged together: a
// suite without its version, or the other way round, is an error at once.
//
// # Numbers
//
// [CodeOf] gives every error its number of the reference (135, 276, 10054 ...), and
// [Code.String] the text; [Status] is both, as events of the reference have them.
package server
