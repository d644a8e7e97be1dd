package jsonmsg

import (
	"testing"

	"ingot.dev/internal/simnet"
	"ingot.dev/tlsio"
)

// testNetwork is the network that tests run on: HostNetwork, unless
// INGOT_TEST_NETWORK names another one (see simnet.Selected), as it does in images.
// Tests with Node use HostNetwork itself.
func testNetwork(t testing.TB) tlsio.Network {
	t.Helper()
	if n := simnet.Selected(t); n != nil {
		return n
	}
	return tlsio.HostNetwork{}
}
