// Package peer joins a program on the host to an emulated machine by an Ethernet wire, on
// which there is nobody else: the program has the other end, with a network stack of its
// own. QEMU's user-mode network, in its place, accepts one connection at a time,
// acknowledges every segment, and looks at all of its connections for each packet; with
// thousands of them it is what a measurement shows.
//
// The wire can have faults, by chance that begins with a seed ([Wire.Disturb]), and what goes
// over it can be noted with the machine's own time ([DumpArgs]).
//
//	wire, err := peer.Listen()
//	m, err := qemu.Start(ctx, qemu.Config{Image: file, Env: wire.Env(), ExtraArgs: wire.Args("")})
//	network, err := wire.Open(ctx)
//	conn, err := network.DialContext(ctx, "tcp", peer.Guest+":8443")
package peer
