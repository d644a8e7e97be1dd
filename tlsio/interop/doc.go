// Package interop has no code: its tests make tlsio talk to other people's TLS, in
// both roles: openssl, GnuTLS, curl and Node, as Debian has them. A test whose peer
// is not installed is skipped, with the package to install; "make peers" installs
// all of them.
package interop
