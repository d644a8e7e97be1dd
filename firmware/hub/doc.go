// Package hub passes JSON messages and requests between clients that have shown who they
// are. It speaks tls-json, as package jsonmsg does: clients in Go use jsonmsg.Dial, those
// on Node the npm package.
//
//	service, err := hub.New(hub.Options{
//		Options:  endpoint.Options{Listen: ":8888", ClientGroup: "devices"},
//		Password: secret,
//	})
//
// A client's name is its certificate's common name, or, without a certificate, "client-"
// and its number. Names need not be unique.
//
// # Messages
//
//	{"message": BODY}                        -> {"from": "sensor 7", "message": BODY} to all others
//	{"to": "display", "message": BODY}       -> the same, to those of that name
//
// What isn't of one of these forms is dropped and counted. So is what somebody can't take
// at the moment, for him alone: nobody holds up others by reading slowly.
//
// # Requests
//
//	{"op": "clients"}                        <- {"clients": ["display", "sensor 7"]}
//	{"to": "display", "request": OBJECT}     -> {"from": "sensor 7", "request": OBJECT}
//	                                         <- what display answers: {"from": "display", "answer": OBJECT}
//
// Of several with a name, the one that came last is asked. What can't be answered is
// answered with {"error": WHY}.
//
// # Limits
//
// They are those of package jsonmsg: of a line, of what waits for a client and in all, of
// open requests, of time to authenticate and to take what is sent, of wrong passwords.
package hub
