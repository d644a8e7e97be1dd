// Package poly1305 is the multiplication of Poly1305 (RFC 8439, section 2.5) in ARM
// assembly: see package armcrypto.
package poly1305
