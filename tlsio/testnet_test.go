package tlsio

import (
	"net"
	"testing"

	"ingot.dev/internal/simnet"
)

// testNetwork is the network that tests run on: HostNetwork, unless
// INGOT_TEST_NETWORK names another one (see simnet.Selected), as it does in images.
// Tests that talk to other programs use HostNetwork itself.
func testNetwork(t testing.TB) Network {
	t.Helper()
	if n := simnet.Selected(t); n != nil {
		return n
	}
	return HostNetwork{}
}

// testListen is a plain listener of testNetwork, on a free port of 127.0.0.1.
func testListen(t testing.TB) net.Listener {
	t.Helper()
	ln, err := testNetwork(t).Listen(timeout(t), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln
}

// testDial is a plain connection to an address of testNetwork, which is closed
// when the test ends.
func testDial(t testing.TB, addr string) net.Conn {
	t.Helper()
	c, err := testNetwork(t).DialContext(timeout(t), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}
