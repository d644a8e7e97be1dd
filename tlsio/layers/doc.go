// Package layers holds tests only: protocols of other packages, spoken over the
// classes of tlsio. ECMA-419 has classes of its own for them (sections 20 to 25 and
// 29); in Go they are packages that take a net.Conn or a net.Listener, and NetConn
// and NetListener make these of instances.
package layers
