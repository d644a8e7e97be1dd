package tlsiotest

import (
	"context"
	"testing"

	"ingot.dev/internal/simnet"
	"ingot.dev/tlsio"
)

// Both is a network for streams and packets.
type Both interface {
	tlsio.Network
	tlsio.PacketNetwork
}

// Network returns the network that tests run on: the operating system's, or the one that
// INGOT_TEST_NETWORK names (see simnet.Selected), as it does in images.
func Network(t testing.TB) Both {
	t.Helper()
	if n := simnet.Selected(t); n != nil {
		return n.(Both)
	}
	return tlsio.HostNetwork{}
}

// Run runs an application until the test ends.
func Run(t testing.TB, network tlsio.Network) *tlsio.App {
	t.Helper()
	app := tlsio.NewApp(network)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); app.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return app
}
