// Package resolver is ECMA-419's DNS resolver over UDP (section 18.2): it turns
// names into addresses and calls back in a [tlsio.App]'s loop.
//
// The classes of package tlsio take addresses only; this is where programs in
// their manner get them from. Messages are those of package net/dns, which asks
// again over TCP for answers that were cut. Resolving over HTTPS (section 18.3) is
// not there.
package resolver
