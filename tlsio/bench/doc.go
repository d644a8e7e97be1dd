// Package bench has no code: its tests measure what tlsio costs beside plain
// crypto/tls, on the host, as ratios within one run. "make bench" prints them.
//
//	go test -v -run Figure ./tlsio/bench -strict
//
// holds them to the figures that tlsio is to reach. Without -strict, as in "make
// test", what depends on the machine's other work has wide limits, so that only a
// disaster fails; memory and allocations don't depend on it and have theirs.
//
// Throughput is stated twice: by processor time on one processor, as the boards have,
// and by the clock on all of this machine's, of a Conn, of a class that writes and of
// one that reads. A second connection of crypto/tls is measured like them: what it
// differs from the first is what can't be told here.
package bench
