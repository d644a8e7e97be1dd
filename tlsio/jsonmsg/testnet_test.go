package jsonmsg

import (
	"testing"
	"testing/synctest"
	"time"

	"ingot.dev/internal/simnet"
	"ingot.dev/tlsio"
	"ingot.dev/tlsio/internal/tlsiotest"
)

// testNetwork is the network that tests run on.
// Tests with Node use HostNetwork itself.
func testNetwork(t testing.TB) tlsio.Network {
	t.Helper()
	return tlsiotest.Network(t)
}

// virtually runs a test in a time of its own, which goes on when everybody waits: exact,
// however busy the machine is. The network is in memory.
func virtually(t *testing.T, f func(t *testing.T, network tlsio.Network)) {
	t.Helper()
	certificates() // not that time's
	now := time.Now()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(now)) // that time begins before the certificates' does
		f(t, simnet.NewStreams(simnet.StreamOptions{}))
	})
}
