// Package bench has no code: its tests measure what tlsio costs beside plain
// crypto/tls, on the host, as ratios within one run. "make bench" prints them.
//
//	go test -v -run Figure ./tlsio/bench -strict
//
// holds them to the figures that tlsio is to reach. Without -strict, as in "make
// test", what depends on the machine's other work has wide limits, so that only a
// disaster fails; memory and allocations don't depend on it and have theirs.
package bench
