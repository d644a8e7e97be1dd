// Package field is arithmetic modulo 2^255 - 19 in ARM assembly, and the function X25519
// (RFC 7748, section 5) on top of it: see package armcrypto.
package field
