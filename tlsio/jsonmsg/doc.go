// Package jsonmsg exchanges JSON messages and requests over TLS, after the client
// has shown a password. It is tls-json: both sides are wire-compatible with the
// npm package of that name, in its versions 3.2 and 3.3.
//
//	server, err := jsonmsg.NewServer(jsonmsg.ServerOptions{
//		TLS:      tlsio.TLSOptions{GetCertificate: store.GetCertificate},
//		Password: secret,
//		OnRequest: func(s *jsonmsg.Server, id uint64, body json.RawMessage, r *jsonmsg.Responder) {
//			r.Send(map[string]any{"youSaid": body})
//		},
//	})
//	ln, err := server.Listen(ctx, network, ":8888")
//	err = server.Serve(ln)
//
//	client, err := jsonmsg.Dial(ctx, network, jsonmsg.ClientOptions{
//		Host: "hub.example", Port: 8888, Password: secret, ReconnectInterval: 5 * time.Second,
//	})
//	body, err := client.Request(ctx, map[string]any{"question": 1})
//
// # The protocol
//
// Everything runs inside one TLS connection. A message is the JSON text of one
// value in UTF-8 and a line feed. There is no length, no version, no greeting.
//
//	client                                server
//	{"password":"kitty"}            ->                      its first line decides
//	                                <-    {"authenticated":true}
//	{"any":"message"}               <->   {"any":"message"}
//	{"a":1,"requestId":1}           ->                      a request
//	                                <-    {"b":2,"responseId":1}
//	                                <-    {"__ping":40122}  every KeepAliveInterval
//	{"__pong":40122}                ->                      within KeepAliveTimeout
//
// A wrong password is answered with {"error":"incorrect password"} and the end of
// the connection. Without a configured password ([ServerOptions.NoPassword]) a
// first line without one is the right one.
//
// Once a client is authenticated, the first of these fields that is there and
// true in JavaScript's sense says what an object is: requestId, a request;
// responseId, the answer to one; __ping, to be answered by a client; __pong, the
// answer to that. All other objects, and all other values, are messages, but for
// false, null, 0 and "", which receivers drop. These four fields therefore can't
// be used in messages: sends that have them fail with a [ReservedFieldError].
// error, authenticated and password mean something before authentication only.
// Requests and answers must be objects, because they carry a field.
//
// Request ids count up from 1. They belong to one connection: what another client
// answers is ignored. (The original keeps one table for all clients, so that one
// can answer in the name of another.)
//
// Ping keys are 1 to 65534. The original's begin at 0, which its own client takes
// for a message, since 0 is false, and is disconnected for it; our client answers
// 0 like any other key.
//
// # Records
//
// The original's reader tries to parse what it has at every line feed and also at
// the end of every TLS record. When the brace that closes a message ends a record
// and the line feed begins the next, it delivers that message twice; of a number
// that is cut by a record's end, it delivers the first part as well. So what is
// longer than a record is sure to hold is written in two steps here, the second
// being the last two bytes, and numbers that stand alone must be short. The reader
// here goes by line feeds alone. It takes CR LF too, skips blank lines, and skips
// but counts lines that aren't JSON.
//
// # Limits
//
// The original trusts its peers; this package doesn't. Where a peer could make us
// hold or wait for more, it meets one of these, with their defaults:
//
//	first line           MaxPassword         4 KB
//	authentication       AuthTimeout         10 s
//	wrong passwords      MaxAttempts         5 per address in AttemptWindow, 1 min
//	addresses known      MaxAddresses        1024
//	not authenticated    MaxUnauthenticated  64; the oldest makes room
//	clients              MaxClients          1024
//	a line               MaxMessage          1 MB
//	to one peer          MaxQueue            2 MB; then sends fail with ErrQueueFull
//	of one peer          MaxQueue            2 MB; then it isn't read from
//	all peers together   MaxMemory           16 MB
//	open requests        MaxPending          256 to one peer
//	reading slowly       WriteTimeout        10 s for each 16 KB
//
// Passwords are compared in constant time, and only their hash is kept. Pending
// requests fail as soon as their connection ends, on both sides. JSON may be nested
// 10,000 levels deep, which is encoding/json's limit.
//
// An idle connection has one goroutine, no buffers and, on servers, one timer.
// Buffers come with a line's first bytes and go with its last. What MaxMemory
// doesn't count: a connection that is not read from, because its handlers lag
// behind, keeps one buffer of 16 KB; what crypto/tls holds; and what programs keep.
//
// # Order and concurrency
//
// All methods may be called from any goroutine, in handlers too. Handlers of one
// connection are called one after another, in the order of what they report;
// OnClose is the last, and is always called. A handler that takes its time holds
// up the later ones of its connection only, and, when MaxQueue is reached, its
// peer. Answers and pings don't pass through handlers, so that a handler may send
// a request to its own peer and wait for the answer. A panic in a handler is
// caught: it ends the connection, and OnError gets a [PanicError] (without
// OnError, package log does). The bodies that handlers and Request get are
// theirs to keep.
//
// Sends are queued and sent in order. Nothing is sent twice: what was not sent
// when a connection was lost is gone, and the program decides what to send on the
// next. Flush waits for what was sent before it, whatever others send
// meanwhile.
//
// # Where it differs from the npm package
//
// What there is emitted as an error by send is returned by Send. A client whose
// password is refused gets the message {"error":"incorrect password"} as there,
// and [ErrIncorrectPassword] as well. Objects and arrays are equal as passwords if
// their contents are. Nothing is sent to a client that isn't authenticated. The
// caller's objects are never changed.
//
// # Reading order
//
// message.go decides what a line is, encode.go makes lines, line.go cuts them from
// the stream; session.go is one connection, inbox.go calls its handlers; server.go
// and client.go are the two sides, attempts.go counts wrong passwords.
package jsonmsg
