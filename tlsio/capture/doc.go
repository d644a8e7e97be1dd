// Package capture is a flight recorder for TLS connections: it keeps their beginning
// and what they carried last, and writes that as a file which Wireshark opens
// decrypted.
//
//	recorder, err := capture.New(capture.Options{})
//	...
//	options.Tap = recorder.Tap
//	...
//	recorder.WriteTo(file) // then: wireshark file
//
// The file is pcapng (draft-ietf-opsawg-pcapng). TLS records are what was seen; the
// IP and TCP headers around them, with the connection's set-up and end, are made up
// from the addresses, since the recorder stands above TCP. A Decryption Secrets Block
// holds the sessions' secrets, in NSS's key log format.
//
// # Limits
//
// Of each connection, Head bytes from its start are kept, which the handshake should
// fit into, and the last Ring bytes. What was lost between them is left out of the
// TCP sequence as well, so that readers see a gap there. Of all connections together
// Total bytes are kept; the connections that ended first make room, and then the
// oldest.
//
// # Secrets
//
// Nothing is recorded unless a Recorder's Tap is given as an option. A recording opens
// the connections that it holds to whoever reads it: treat it like a private key. In
// memory, secrets are overwritten when their connection makes room or is forgotten;
// copies that crypto/tls and the garbage collector have made are not in reach.
package capture
