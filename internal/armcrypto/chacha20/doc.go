// Package chacha20 is the block function of ChaCha20 (RFC 8439, section 2.3) in ARM
// assembly: see package armcrypto.
package chacha20
