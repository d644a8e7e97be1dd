package peer_test

import (
	"context"
	"fmt"
	"net"

	"ingot.dev/qemu"
	"ingot.dev/qemu/peer"
)

// A program that talks to a firmware over a wire of their own.
func Example() {
	connect := func(ctx context.Context, image string) (net.Conn, error) {
		wire, err := peer.Listen()
		if err != nil {
			return nil, err
		}
		defer wire.Close()
		args, err := wire.Args("")
		if err != nil {
			return nil, err
		}
		if _, err := qemu.Start(ctx, qemu.Config{Image: image, Env: wire.Env(), ExtraArgs: args}); err != nil {
			return nil, err
		}
		network, err := wire.Open(ctx)
		if err != nil {
			return nil, err
		}
		return network.DialContext(ctx, "tcp", peer.Guest+":8443")
	}
	_, err := connect(context.Background(), "no-such-image.elf")
	fmt.Println(err != nil)
	// Output: true
}
