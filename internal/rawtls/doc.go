// Package rawtls sends TLS records as a test wants them: empty, padded, of any type,
// many in one write. crypto/tls sends none of these, but other peers may.
//
// The handshake is crypto/tls's. From then on a [Peer] encrypts what it sends by
// itself, with the keys that follow from the key log, and crypto/tls only reads.
package rawtls
