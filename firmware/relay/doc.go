// Package relay puts TLS in front of programs that don't speak it, on either side.
//
// [Terminate] takes TLS and passes what is in it to a TCP server; [Originate] takes TCP
// and passes it to a TLS server:
//
//	terminate, err := relay.Terminate(relay.TerminateOptions{
//		Options: endpoint.Options{Listen: ":8883", ClientGroup: "sensors"},
//		To:      "10.0.0.5:1883",
//	})
//	originate, err := relay.Originate(relay.OriginateOptions{
//		Options: endpoint.Options{Listen: "127.0.0.1:1883"},
//		To:      "broker.example:8883",
//	})
//
// # One connection for one
//
// Each connection that comes in makes one that goes out. What one side sends is passed on
// at the pace at which the other takes it: a relay holds up to 64 KB for each direction
// that moves, TLS as much again while it sends them, and on a board nothing for one that
// doesn't. When one side has
// sent everything (close_notify and FIN), so has the other, and the opposite direction
// goes on for as long as it wants to.
//
// What isn't a proper end is passed on as such: when a connection breaks, stalls or is
// idle for too long, the other is reset. A TLS peer that ends without close_notify is
// taken for one that was cut off, because anybody on the way can cut a connection, unless
// AllowTruncation says that these peers can't do better.
//
// # When the other side is away
//
// A connection that can't be passed on at once waits, up to ConnectTimeout, for a server
// that restarts. Meanwhile one attempt at a time is made for all that wait, at intervals
// that grow from 100 ms to 5 s; when it succeeds, the others follow at once. A server
// whose certificate isn't accepted is not waited for.
//
// What a client sends while it waits is kept, up to 64 KB, and one that breaks off or is
// idle for too long ends the wait. One that ends properly may have said all that it wants
// to, and is kept: TCP doesn't tell that from a client that is gone.
//
// TLS sessions are resumed on both sides, also with a server that has restarted, if that
// kept its ticket keys.
//
// # Log
//
// There is one line for each connection, when it has ended:
//
//	relayed service=terminate remote=10.0.0.7:51312 to=10.0.0.5:1883 in=5121 out=220
//	duration=1.2s end=closed tls=TLSv1.3 resumed=true peer="CN=sensor 7"
//
// in and out are bytes of the data, from and to who connected. end is closed if both
// sides have ended properly; else it says which side did not, and err why. To bound the
// number of lines, give a Rate.
package relay
