package jsonmsg

import (
	"testing"

	"ingot.dev/tlsio"
)

// testNetwork is the network that tests run on, but for those with Node.
func testNetwork(t testing.TB) tlsio.Network {
	t.Helper()
	return tlsio.HostNetwork{}
}
