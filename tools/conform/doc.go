// Conform makes the conformance tables in docs/conformance: for each member of the
// five APIs that tlsio and its sub-packages answer to, what Ingot has in its place
// and which test proves it.
//
//	go run ./tools/conform          # write the tables
//	go run ./tools/conform -check   # say what is wrong, write nothing
//
// The members stand in docs/conformance/rows/<api>.txt, one a line. A test that
// proves one says so in a directive above its func:
//
//	//conform:ipworks ConnectionBacklog works tlsio/server.Config.ConnectionBacklog
//	//conform:bun renegotiate refused tlsio.ErrRenegotiation -- crypto/tls can't start one
//	func TestX(t *testing.T) { ... }
//
// that is: API, member, state, the Go symbols that take its place (package path
// below the module's, dot, exported name; fields and methods after another dot),
// and after " -- " a note, which everything but works must have. The states:
//
//	works    the member's documented behaviour, under a Go name
//	differs  the same purpose, another behaviour, which the note states
//	refused  not there; the note says why. What asks for it gets a typed error
//
// It is an error if a member has no test, if an annotation names a member or a
// symbol that doesn't exist or stands above no test, or if a table isn't what the
// annotations say. The module's own test runs the same check.
package main
