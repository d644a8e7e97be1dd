package jsonmsg

import (
	"testing"

	"ingot.dev/tlsio"
	"ingot.dev/tlsio/internal/tlsiotest"
)

// testNetwork is the network that tests run on.
// Tests with Node use HostNetwork itself.
func testNetwork(t testing.TB) tlsio.Network {
	t.Helper()
	return tlsiotest.Network(t)
}
