package bench

import (
	"context"
	"fmt"
	"net"
	"time"

	"ingot.dev/firmware/bench"
	"ingot.dev/net/inet"
	"ingot.dev/net/netstack"
	"ingot.dev/qemu"
	"ingot.dev/qemu/peer"
)

// A wired machine has one neighbour, at the other end of its wire: this program.
type wired struct {
	machine *qemu.Machine
	stack   *netstack.Stack // our end's
	network inet.Network    // on it
	target  *target
	control *control
}

// moderation is how long our end of the wire waits for more frames after the first. In a
// millisecond the emulated board executes some 100,000 to 400,000 instructions, as many as a
// real one in a quarter of that, which is how long Linux lets gigabit cards wait in bulk
// transfers (4,000 interrupts a second).
const moderation = time.Millisecond

// wiring is how a machine is wired.
type wiring struct {
	icount string
	delay  time.Duration // our end's moderation
	extra  []string      // arguments for QEMU
}

// bootWired starts the benchmark image with a wire to a network stack of this program's
// in place of QEMU's user-mode network, and connects to its control service. Its relays
// lead to this end.
func (r *run) bootWired(ctx context.Context, how wiring) (_ *wired, err error) {
	file, err := r.benchImage(ctx)
	if err != nil {
		return nil, err
	}
	wire, err := peer.Listen()
	if err != nil {
		return nil, err
	}
	defer wire.Close()
	wire.Delay = how.delay
	args, err := wire.Args(r.opt.Board)
	if err != nil {
		return nil, err
	}
	env := append(wire.Env(),
		fmt.Sprintf("%s=%s:%d", bench.ToSinkVar, peer.Host, bench.PortSink),
		fmt.Sprintf("%s=%s:%d", bench.ToSourceVar, peer.Host, bench.PortSource))
	w := new(wired)
	if w.machine, err = qemu.Start(ctx, qemu.Config{Image: file, Board: r.opt.Board, ICount: how.icount, Env: env, ExtraArgs: append(args, how.extra...)}); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = describe(w.machine, err)
			w.Close()
		}
	}()
	if w.stack, err = wire.Open(ctx); err != nil {
		return nil, err
	}
	w.network = w.stack.With(inet.Options{KeepAlive: -1}) // the firmware's own keep-alive probes are enough
	for port, serve := range map[int]func(context.Context, net.Conn){bench.PortSink: bench.Sink, bench.PortSource: bench.Source} {
		l, err := w.network.Listen(ctx, "tcp", fmt.Sprintf(":%d", port))
		if err != nil {
			return nil, err
		}
		go accept(ctx, l, serve)
	}
	w.target = &target{tls: r.client, disturb: wire.Disturb, dial: func(ctx context.Context, port int) (net.Conn, error) {
		return w.network.DialContext(ctx, "tcp", fmt.Sprintf("%s:%d", peer.Guest, port))
	}}
	w.control, err = r.connect(ctx, w.machine, w.target)
	return w, err
}

// onWire boots a machine with a wire, calls f, and ends it.
func (r *run) onWire(ctx context.Context, how wiring, f func(context.Context, *target, *control) error) error {
	w, err := r.bootWired(ctx, how)
	if err != nil {
		return err
	}
	defer w.Close()
	return describe(w.machine, f(ctx, w.target, w.control))
}

// Close ends the machine.
func (w *wired) Close() {
	if w.control != nil {
		w.control.Close()
	}
	w.machine.Stop()
	if w.stack != nil {
		w.stack.Close()
	}
}

// accept serves connections until the listener is closed.
func accept(ctx context.Context, l net.Listener, serve func(context.Context, net.Conn)) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			defer context.AfterFunc(ctx, func() { c.Close() })()
			serve(ctx, c)
		}()
	}
}
