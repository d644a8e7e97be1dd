// Package dns asks a name server for the addresses of a name (RFC 1035, 3596), over
// whatever network it is given a dial function for.
//
// It is a stub resolver: it asks for recursion and believes the server it was told
// to use. Answers are matched by the question's random ID, its name and type, and
// the connection's random port. Truncated answers are asked for again over TCP.
//
// Messages are read and written here, as far as these two questions need it, in a
// tenth of the code that golang.org/x/net/dns/dnsmessage adds to an image; the tests
// compare the two. Package net's own resolver would do as well, but brings all of
// package net's sockets with it, 200 kB of an image that has none.
package dns
